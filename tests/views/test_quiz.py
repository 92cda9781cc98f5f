"""Questions: the right answer is what happened, the wrong ones are things that TCP might do."""

from __future__ import annotations

import pytest

from tcpviz.core.claims import Certainty
from tcpviz.core.records import Record, Side
from tcpviz.core.states import TRANSITIONS, State
from tcpviz.core.timeline import Step, StepKind
from tcpviz.core.tracker import Tracker
from tcpviz.views import quiz
from tcpviz.views.story import point
from tests.ui.fakes import Recorder, conversation, scenario


def steps_of(records: list[Record]) -> list[Step]:
    tracker = Tracker()
    return [step for record in records for step in tracker.feed(record)]


def simultaneous() -> list[Record]:
    talk = Recorder()
    talk.handshake()
    talk.client("FA")
    talk.server("FA")
    talk.client("A")
    talk.server("A")
    return talk.records


def resets() -> list[Record]:
    talk = Recorder()
    talk.client("S")
    talk.server("RA")
    return talk.records


ALL = {
    "scenario": scenario,
    "data": lambda: conversation(data=3),
    "simultaneous close": simultaneous,
    "refused": resets,
}


@pytest.mark.parametrize("name", ALL)
def test_the_right_answer_is_what_happened(name: str) -> None:
    steps = steps_of(ALL[name]())
    asked = 0
    for place, step in enumerate(steps):
        if not quiz.worthy(step):
            continue
        made = quiz.questions(step, steps[place + 1 :])
        assert made
        texts = [each.answer for each in made]
        if step.segment is not None and step.side is not None:
            who, numbers, *rest = texts
            assert who == f"the {step.side}: {quiz.kind_of(step.segment)}"
            seq, ack = step.relative
            assert numbers == (f"seq {seq}, no ACK" if ack is None else f"seq {seq}, ack {ack}")
        else:
            rest = texts
        moved = [c for c in step.changes if c.transition and c.before.state is not c.after.state]
        assert rest == [str(change.after.state) for change in moved]
        asked += len(made)
    assert asked >= 3


@pytest.mark.parametrize("name", ALL)
def test_wrong_answers_are_few_different_sorted_and_never_nonsense(name: str) -> None:
    steps = steps_of(ALL[name]())
    for place, step in enumerate(steps):
        for question in quiz.questions(step, steps[place + 1 :]) if quiz.worthy(step) else ():
            options = question.options
            assert 2 <= len(options) <= quiz.MOST
            assert len(set(options)) == len(options)
            assert not any(" -" in option for option in options)
        moved = [c for c in step.changes if c.transition and c.before.state is not c.after.state]
        made = quiz.questions(step, ())[-len(moved) :] if moved else []
        for change, question in zip(moved, made, strict=True):
            names = {option.removeprefix("stays in ") for option in question.options}
            around = (change.before.state, change.after.state)
            near = {str(row.after) for row in TRANSITIONS if row.before in around}
            assert names <= near | {str(change.before.state)}


def test_where_the_right_answer_stands_tells_nothing() -> None:
    places = set()
    for make in ALL.values():
        steps = steps_of(make())
        for place, step in enumerate(steps):
            if quiz.worthy(step):
                places |= {each.right for each in quiz.questions(step, steps[place + 1 :])}
    assert places >= {0, 1, 2}


def test_what_a_listener_might_send_comes_from_the_machine() -> None:
    syn = next(step for step in steps_of(scenario()) if step.kind is StepKind.SEGMENT)
    (who, *_rest) = quiz.questions(syn)
    assert "the server: SYN" in who.options
    assert "the server: SYN,ACK" in who.options


def test_data_that_moves_nobody_is_plain_and_the_handshake_is_not() -> None:
    segments = [s for s in steps_of(conversation(data=2)) if s.kind is StepKind.SEGMENT]
    assert [quiz.plain_traffic(each) for each in segments] == [False] * 3 + [True] * 4 + [False] * 4


def test_the_teacher_is_told_what_comes() -> None:
    steps = steps_of(scenario())
    syn = next(place for place, step in enumerate(steps) if step.kind is StepKind.SEGMENT)
    assert quiz.coming(steps[syn:], 2) == [
        "the client: SYN, seq 0, no ACK; the client: CLOSED → SYN-SENT",
        "the server: SYN,ACK, seq 0, ack 1; the server: LISTEN → SYN-RECEIVED",
    ]


@pytest.mark.parametrize(
    ("moment", "kind"),
    [
        ("client sends SYN", StepKind.SEGMENT),
        ("client SYN-SENT", StepKind.SEGMENT),
        ("server gets SYN", StepKind.SEGMENT),
        ("client calls connect", StepKind.CALL),
        ("server returns listen()", StepKind.RETURN),
    ],
)
def test_a_moment_of_a_story_is_found(moment: str, kind: StepKind) -> None:
    wanted = point(moment, "why?", "because")
    found = [step for step in steps_of(scenario()) if wanted.matches(step)]
    assert [step.kind for step in found] == [kind]


@pytest.mark.parametrize(
    "moment",
    ["", "nobody SYN-SENT", "client", "client SYN_SENT", "client eats SYN", "client sends X"],
)
def test_a_moment_that_there_is_not_is_refused_with_what_there_is(moment: str) -> None:
    with pytest.raises(ValueError, match=r"client|state|none of"):
        point(moment, "", "x")


def test_states_are_asked_with_the_state_before_as_a_choice() -> None:
    steps = steps_of(scenario())
    for step in steps:
        for change in step.changes:
            if change.transition is not None and change.after.certainty is Certainty.SEEN:
                question = quiz.questions(step)[-1]
                assert any(option.startswith("stays in ") for option in question.options)
                assert change.side in Side
                assert State(question.answer) is not change.before.state

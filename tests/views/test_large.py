"""Large letters, and what can be left out of the chart while something else is discussed."""

from __future__ import annotations

import pytest

from tcpviz.core.claims import Certainty, Claim
from tcpviz.core.states import State
from tcpviz.core.tracker import Tracker
from tcpviz.views import large
from tcpviz.views.ladder import Ladder, LadderSettings, RowKind
from tcpviz.views.spans import width
from tests.ui.fakes import scenario


def end(state: State | None, certainty: Certainty = Certainty.SEEN) -> large.End:
    claim = None if state is None else Claim(state, certainty)
    return large.End("client  10.0.0.1:40000", "●", "client", claim)


def text(lines: list) -> list[str]:
    return ["".join(span.text for span in one) for one in lines]


def test_the_letters_are_what_they_say() -> None:
    assert large.letters("LISTEN") == [
        "█   █ ▄▀▀ ▀█▀ █▀▀ █▄ █",
        "█   █  ▀▄  █  █▀  █ ▀█",
        "▀▀▀ ▀ ▀▀   ▀  ▀▀▀ ▀  ▀",
    ]
    assert large.letters("I-2", double=True)[0] == "██        ████  "


@pytest.mark.parametrize("state", [*State, None])
@pytest.mark.parametrize("certainty", Certainty)
@pytest.mark.parametrize(
    ("size", "plain"), [((80, 24), False), ((40, 24), False), ((200, 60), False), ((80, 24), True)]
)
def test_both_ends_fit_side_by_side(
    state: State | None, certainty: Certainty, size: tuple[int, int], plain: bool
) -> None:
    rows = large.rows_for(*size, ascii_only=plain)
    shown = large.lines(end(state, certainty), end(State.SYN_RECEIVED), size[0], rows)
    assert len(shown) == rows
    assert {width(line) for line in shown} == {size[0]}
    if plain:
        assert all(ord(c) < 128 for c in text(shown)[1])
    elif size[0] == 80:  # every state of both ends, without a letter cut off
        states = {state, State.SYN_RECEIVED}
        assert all(large.dots(f"~{name}") <= 38 for one in states if one for name in [short(one)])


def short(state: State) -> str:
    return large.SHORT_STATES[state].upper()


def test_calls_are_left_out_with_their_lanes_and_nothing_else_is() -> None:
    tracker = Tracker()
    for record in scenario():
        tracker.feed(record)
    (connection,) = tracker.connections.values()
    ladder = Ladder(tracker.timeline, connection.id, LadderSettings())
    ladder.extend()
    ladder.adapt(120)
    before = text([ladder.render(row, 120) for row in ladder.rows])
    assert any("connect(" in row for row in before)
    states = [row for row in before if "ESTAB" in row]
    ladder.change(calls=False)
    ladder.adapt(120)
    after = text([ladder.render(row, 120) for row in ladder.rows])
    assert not any("(" in row for row in after)
    assert not any(row.bars for row in ladder.rows)
    assert len([row for row in after if "ESTAB" in row]) == len(states)
    segments = [step for row in ladder.rows if row.kind is RowKind.STEP for step in row.steps]
    assert sum(step.segment is not None for step in segments) == 7
    ladder.change(calls=True)
    ladder.adapt(120)
    assert text([ladder.render(row, 120) for row in ladder.rows]) == before

"""Questions about what comes next: the right answer is what happened, the wrong ones could have.

Wrong answers come from three places: what the machine of RFC 9293 lets an end do
in its state, what did happen a little later, and the usual mistakes with
sequence numbers. They are sorted, so that their order tells nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from tcpviz.core.claims import StateChange
from tcpviz.core.records import Side
from tcpviz.core.segment import Segment
from tcpviz.core.states import TRANSITIONS, Event, State
from tcpviz.core.timeline import Step, StepKind
from tcpviz.views.explain_fill import NAMES, capital
from tcpviz.views.hand_words import kind_name
from tcpviz.views.spans import clean
from tcpviz.words import _

MOST: Final = 4
"""Answers to choose from, at most."""

LOOK_AHEAD: Final = 6
"""Later segments among which wrong answers are sought."""

_KINDS: Final = ("SYN", "SYN,ACK", "ACK", "data", "FIN", "RST")
_LEAVING: Final = frozenset({StepKind.SENT, StepKind.SEGMENT})
_NEVER: Final = frozenset({Event.ABORT})
"""Moves that nobody could foresee: as wrong answers they would be as good as right ones."""

Sent = tuple[Side, str]
"""Who sends, and what: one of the kinds."""


@dataclass(frozen=True, slots=True)
class Question:
    """``right`` is the place of the right one among ``options``."""

    text: str
    options: tuple[str, ...]
    right: int

    @property
    def answer(self) -> str:
        """The right option."""
        return self.options[self.right]


def worthy(step: Step) -> bool:
    """Whether there is something to ask before this step: a segment leaves, or an end moves."""
    if step.handled is not None or step.disagreements:
        return False
    if step.kind in _LEAVING and step.segment is not None and step.side is not None:
        return True
    return any(_moves(change) for change in step.changes)


def plain_traffic(step: Step) -> bool:
    """Data or an ACK like many others: it moves nobody and nothing is remarkable about it."""
    if step.segment is None or step.changes:
        return False
    marked = step.observation is not None and bool(step.observation.marks)
    return kind_of(step.segment) in ("data", "ACK") and not marked


def questions(step: Step, later: Iterable[Step] = ()) -> list[Question]:
    """What to ask before ``step``, which happens next; ``later``: what truly follows it."""
    asked: list[Question] = []
    if step.kind in _LEAVING and step.segment is not None and step.side is not None:
        asked.append(_who(step, step.side, step.segment, later))
        asked.append(_numbers(step))
    for change in step.changes:
        if _moves(change):
            asked.append(_state(step, change))
    return [each for each in asked if len(each.options) > 1]


def kind_of(segment: Segment) -> str:
    """What a segment mainly is, without its size: nobody can foresee that."""
    name = kind_name(segment)
    return name if name in _KINDS else "data"


def _moves(change: StateChange) -> bool:
    return change.transition is not None and change.before.state is not change.after.state


def _before(step: Step, side: Side) -> State:
    """How the end stood before the step."""
    first = next((change for change in step.changes if change.side is side), None)
    return step.claim(side).state if first is None else first.before.state


def _chosen(right: object, others: Iterable[object], key: object) -> tuple[list[object], int]:
    """The right one with as many others as there is room for, sorted by ``key``."""
    kept = [right]
    for each in others:
        if each not in kept and len(kept) < MOST:
            kept.append(each)
    kept.sort(key=key)  # type: ignore[call-overload]
    return kept, kept.index(right)


def _name(side: Side) -> str:
    return _(NAMES[side])


# -- who sends what -------------------------------------------------------------


def _who(step: Step, side: Side, segment: Segment, later: Iterable[Step]) -> Question:
    right: Sent = (side, kind_of(segment))
    candidates: list[Sent] = [(side.other, right[1])]
    candidates += _later(later)
    for end in (side, side.other):
        candidates += [(end, kind) for kind in _may_send(_before(step, end))]
    kept, place = _chosen(right, candidates, lambda sent: (sent[0].value, _KINDS.index(sent[1])))
    options = tuple(_sent_text(sent) for sent in kept)  # type: ignore[arg-type]
    return Question(_("Who sends the next segment, and what?"), options, place)


def _sent_text(sent: Sent) -> str:
    side, kind = sent
    return _("{who}: {what}").format(who=_name(side), what=_(kind, "kind"))


def _later(steps: Iterable[Step]) -> list[Sent]:
    """What was truly sent after it, soonest first."""
    found: list[Sent] = []
    for step in steps:
        if step.kind in _LEAVING and step.segment is not None and step.side is not None:
            found.append((step.side, kind_of(step.segment)))
            if len(found) >= LOOK_AHEAD:
                break
    return found


def _may_send(state: State) -> list[str]:
    """What the machine lets an end send in this state, those moves first that the RFC draws."""
    rows = sorted(TRANSITIONS, key=lambda row: not row.figure)
    found = [
        row.action.removeprefix("snd ").split(", ")[0]
        for row in rows
        if row.before is state and row.action.startswith("snd ") and row.event not in _NEVER
    ]
    return [kind for kind in found if kind in _KINDS]


# -- with which numbers ---------------------------------------------------------


def _numbers(step: Step) -> Question:
    seq, ack = step.relative
    pairs: list[tuple[int, int | None]]
    if ack is None:
        pairs = [(seq, 1), (seq + 1, None), (seq + 1, 1)]
    else:
        pairs = [(seq, ack - 1), (seq + 1, ack), (ack, seq), (seq, ack + 1), (seq - 1, ack)]
        pairs.append((seq + 1, ack + 1))
    usual = [(a, b) for a, b in pairs if a >= 0 and (b is None or b >= 0)]
    kept, place = _chosen(
        (seq, ack), usual, lambda pair: (pair[0], -1 if pair[1] is None else pair[1])
    )
    options = tuple(_pair_text(*pair) for pair in kept)  # type: ignore[misc]
    return Question(_("With which numbers (each end counts from 0)?"), options, place)


def _pair_text(seq: int, ack: int | None) -> str:
    if ack is None:
        return _("seq {seq}, no ACK").format(seq=seq)
    return _("seq {seq}, ack {ack}").format(seq=seq, ack=ack)


# -- into which state -----------------------------------------------------------


def _state(step: Step, change: StateChange) -> Question:
    before, right = change.before.state, change.after.state
    after = [row for row in TRANSITIONS if row.before is before and row.event not in _NEVER]
    after.sort(key=lambda row: not row.figure)
    candidates = [before, *(row.after for row in after if row.figure)]
    candidates += [row.after for row in TRANSITIONS if row.before is right and row.figure]
    candidates += [row.after for row in after]
    order = list(State)
    kept, place = _chosen(right, candidates, order.index)
    options = tuple(
        _("stays in {state}").format(state=one) if one is before else str(one) for one in kept
    )
    return Question(_state_text(step, change.side), options, place)


def _state_text(step: Step, side: Side) -> str:
    who = _name(side)
    values = {"who": who, "Who": capital(who)}
    if step.segment is not None and step.side is not None:
        values["peer"] = _name(step.side)
        values["Peer"] = capital(values["peer"])
        values["what"] = _(kind_of(step.segment), "kind")
        if step.side is side:
            return _("{Who} has sent it. Which state is {who} in now?").format_map(values)
        if step.kind is StepKind.SEGMENT:
            text = _("And when it arrives: which state does {who} go to?")
        else:
            text = _("{Peer}'s {what} arrives. Which state does {who} go to?")
        return text.format_map(values)
    if step.call is not None:
        values["call"] = clean(step.call.name)
        return _("{call}() is under way. Which state does {who} go to?").format_map(values)
    if step.kind is StepKind.TIMER:
        return _("A timer of {who}'s goes off. Which state does {who} go to?").format_map(values)
    return _("Which state does {who} go to next?").format_map(values)


def told(step: Step) -> str:
    """What happens in this step, in a few words, for somebody who may know it beforehand."""
    parts: list[str] = []
    if step.segment is not None and step.side is not None:
        seq, ack = step.relative
        sent = _sent_text((step.side, kind_of(step.segment)))
        moment = {
            StepKind.ARRIVED: _("{what} arrives"),
            StepKind.LOST: _("{what} is lost"),
        }.get(step.kind, "{what}, {numbers}")
        parts.append(moment.format(what=sent, numbers=_pair_text(seq, ack)))
    elif step.call is not None:
        name = f"{clean(step.call.name)}()"
        text = _("{who}: {call} returns {result}") if step.call.returned else _("{who}: {call}")
        result = clean(step.call.result or "")
        parts.append(text.format(who=_name(step.call.side), call=name, result=result))
    for change in step.changes:
        arrow = f"{change.before.state} → {change.after.state}"
        parts.append(_("{who}: {what}").format(who=_name(change.side), what=arrow))
    return _("; ").join(parts)


def coming(steps: Sequence[Step], most: int) -> list[str]:
    """The next ``most`` things worth telling a teacher."""
    said = (told(step) for step in steps if not step.quiet)
    return [each for each in said if each][:most]

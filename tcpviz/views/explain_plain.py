"""Which of the plain register's words fit a step, and filling them in."""

from __future__ import annotations

from collections.abc import Iterator

from tcpviz.core.claims import StateChange
from tcpviz.core.connection import Connection
from tcpviz.core.records import Call
from tcpviz.core.segment import Segment
from tcpviz.core.states import Event, State, Transition
from tcpviz.core.timeline import Step, StepKind
from tcpviz.views import plain_words
from tcpviz.views.explain import (
    FAMILY,
    call_variant,
    crossing,
    is_third,
    kind_of,
    return_variant,
    values_of,
)
from tcpviz.views.explain_calls import ALIASES, SAME_ERROR
from tcpviz.views.explain_fill import Fill
from tcpviz.views.spans import clean

_FINISHING = frozenset({State.LAST_ACK, State.CLOSING})


def say(step: Step, connection: Connection | None, fill: Fill) -> Iterator[str]:
    """The step in plain words; nothing where only the precise ones can tell it."""
    if step.handled is not None or step.disagreements or step.note is not None:
        return
    if step.call is not None:
        yield from _call(step, step.call, connection, fill)
    elif step.segment is not None and step.kind in (StepKind.SENT, StepKind.SEGMENT):
        values = values_of(step, step.segment)
        yield fill(spoken(step, step.segment, connection), step.side, **values)
        yield from _moves(step, fill, others=True)
    elif step.segment is not None and step.kind in (StepKind.ARRIVED, StepKind.LOST):
        family = FAMILY.get(kind_of(step.segment), "other")
        if step.kind is StepKind.LOST:
            yield fill(plain_words.LOST[family], step.side)
        else:
            moved = list(_moves(step, fill, others=True))
            yield from moved or [fill(plain_words.HEARD[family], step.side)]
    elif step.changes:
        yield from _moves(step, fill, others=False)
    elif step.kind is StepKind.TIMER:
        yield fill(plain_words.TIMER, step.side)


def spoken(step: Step, segment: Segment, connection: Connection | None) -> str:
    """What the segment says: one of :data:`plain_words.SAID` or :data:`plain_words.SAID_MARKS`."""
    kind = kind_of(segment)
    marks = () if step.observation is None else step.observation.marks
    names = {str(mark.name) for mark in marks}
    again = any("retransmission" in name for name in names)
    if kind in ("syn", "syn-ack") and again:
        both = kind == "syn-ack" and crossing(connection)
        return plain_words.SAID["syn-ack-crossing" if both else f"{kind}-again"]
    for name in plain_words.SAID_MARKS:
        if name in names and not (name == "retransmission" and len(names) > 1 and _better(names)):
            return plain_words.SAID_MARKS[name]
    return plain_words.SAID[_said(step, kind, connection)]


def _better(names: set[str]) -> bool:
    """A mark says more than that it was sent again."""
    return bool(names & {"fast_retransmission", "spurious_retransmission"})


def _said(step: Step, kind: str, connection: Connection | None) -> str:
    side = step.side
    if side is None:
        return "other"
    mine, peer = step.claim(side).state, step.claim(side.other).state
    if kind == "syn-ack" and crossing(connection):
        return "syn-ack-crossing"
    if kind == "ack" and not crossing(connection) and is_third(step, kind):
        return "ack-of-syn"
    if kind == "ack" and mine is State.TIME_WAIT:
        return "ack-last"
    if kind == "ack" and mine in (State.CLOSE_WAIT, State.CLOSING):
        return "ack-of-fin"
    if kind == "fin" and mine in _FINISHING:
        return "fin-second"
    if kind in ("rst", "rst-ack", "rst-data"):
        if peer is State.SYN_SENT or (peer is State.CLOSED and step.relative == (0, 1)):
            return "rst-refused"
        return "rst-unknown" if mine in (State.CLOSED, State.LISTEN) and not step.changes else "rst"
    return kind if kind in plain_words.SAID else "other"


def move_text(row: Transition) -> str:
    """What a row of the machine means in plain words; there is a text for each."""
    moved = plain_words.MOVED
    found = moved.get((row.event, row.after)) or moved.get((row.event, None))
    return found or moved[Event.RCV_UNACCEPTABLE, None]


def _moves(step: Step, fill: Fill, *, others: bool) -> Iterator[str]:
    """The step's state changes; ``others``: only of those who did not speak themselves."""
    for change in step.changes:
        if change.transition is not None and not (others and _by_speaking(step, change)):
            yield fill(move_text(change.transition), change.side)


def _by_speaking(step: Step, change: StateChange) -> bool:
    return change.side is step.side and step.kind is not StepKind.ARRIVED


def _call(step: Step, call: Call, connection: Connection | None, fill: Fill) -> Iterator[str]:
    meant = ALIASES.get(clean(call.name), clean(call.name))
    values = {"args": clean(call.arguments), "result": clean(call.result or "")}
    if not call.returned:
        table, name = plain_words.CALLED, call_variant(step, meant, call)
    elif call.failed:
        error = values["result"].split(" ")[0]
        text = plain_words.FAILED.get(SAME_ERROR.get(error, error), plain_words.FAILED_OTHER)
        yield fill(text, call.side, **values)
        return
    else:
        table, name = plain_words.RETURNED, return_variant(meant, call, connection)
    if name in table:
        yield fill(table[name], call.side, **values)

"""Story mode: the moments of a scenario at which its script stops to ask or to tell.

A script's ``STEPS`` is a list of ``(moment, ask, answer)``. The moment names an
end and what happens to it, and the question is put just before::

    "client SYN-SENT"          it enters the state
    "client sends FIN"         such a segment leaves it (SYN, "SYN,ACK", ACK, data, FIN, RST)
    "client gets FIN"          such a segment arrives at it
    "client loses FIN"         such a segment of its own dies on the way
    "client calls connect"     its program makes the call
    "client returns connect"   the call returns

Without a question the answer is a remark, which is shown right after the moment.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from tcpviz.core.records import Side
from tcpviz.core.states import State
from tcpviz.core.timeline import Step, StepKind

_SENT: Final = frozenset({StepKind.SENT, StepKind.SEGMENT})
_GOT: Final = frozenset({StepKind.ARRIVED, StepKind.SEGMENT})
_SEGMENTS: Final = ("SYN", "SYN,ACK", "ACK", "data", "FIN", "RST")
_VERBS: Final = ("sends", "gets", "loses", "calls", "returns")


@dataclass(frozen=True, slots=True)
class Point:
    """One stop: ``side`` and ``verb`` with its object; for a state the verb is ``enters``."""

    side: Side
    verb: str
    what: str
    ask: str
    answer: str

    def matches(self, step: Step) -> bool:
        """Whether this step is the moment."""
        if self.verb == "enters":
            return any(
                change.side is self.side and str(change.after.state) == self.what
                for change in step.changes
            )
        if self.verb in ("calls", "returns"):
            call = step.call
            return (
                call is not None
                and call.side is self.side
                and call.name == self.what
                and call.returned == (self.verb == "returns")
            )
        # Here, not above: the lab's own process reads scenarios too, and has no packages.
        from tcpviz.views.quiz import kind_of

        if step.segment is None or step.side is None or kind_of(step.segment) != self.what:
            return False
        if self.verb == "gets":
            return step.side is self.side.other and step.kind in _GOT
        if self.verb == "loses":
            return step.side is self.side and step.kind is StepKind.LOST
        return step.side is self.side and step.kind in _SENT


def point(moment: str, ask: str, answer: str) -> Point:
    """A point from a script's words. Raises ValueError with what is wrong."""
    words = moment.split()
    sides = {side.value: side for side in Side}
    if len(words) < 2 or words[0] not in sides:
        raise ValueError(f'{moment!r}: a moment is "client ..." or "server ..."')
    side = sides[words[0]]
    states = {state.value for state in State}
    if len(words) == 2 and words[1] in states:
        return Point(side, "enters", words[1], ask, answer)
    if len(words) != 3 or words[1] not in _VERBS:
        verbs = ", ".join(_VERBS)
        raise ValueError(f"{moment!r}: behind the side stands a state, or one of {verbs} and what")
    verb, what = words[1:]
    if verb in ("sends", "gets", "loses") and what not in _SEGMENTS:
        raise ValueError(f"{moment!r}: {what} is none of {' '.join(_SEGMENTS)}")
    return Point(side, verb, what.removesuffix("()"), ask, answer)

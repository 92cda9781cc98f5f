"""Claims: what is said of an end, from what, and how sure.

A claim is about the moment at which its evidence left the end: later segments
may be on their way that move it on. *Seen* is meant strictly. It must stay true
whatever else the capture may have missed: data in sequence does not show that
no FIN went before it (the data may be a repetition), an ACK whose number is
the next one does. What the captured segments only imply, if nothing is missing
between them and if those sent to the end arrived, is *inferred*.
"""

from __future__ import annotations

import enum

from tcpviz.core.facts import dataclass
from tcpviz.core.records import Side
from tcpviz.core.states import State, Transition


class Certainty(enum.Enum):
    """How a state is known.

    ``SEEN``      the kernel said so, or a segment that the end itself sent proves it,
                  whatever the capture may have missed
    ``INFERRED``  the segments imply it, if those that were sent to it arrived and
                  none is missing among them
    ``UNKNOWN``   nothing shows it: the capture began too late, lost packets, or saw
                  one side only; the state is the likeliest one
    """

    SEEN = "seen"
    INFERRED = "inferred"
    UNKNOWN = "unknown"

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True, slots=True)
class Claim:
    """A state with its certainty, and in ``because`` the evidence in a few words.

    ``frame``   number of the segment that shows it, 0 where none does
    ``rule``    the document's section by which it does; empty where there is none
    ``others``  frames of further segments without which ``frame`` would show nothing:
                the FIN that it acknowledges, say
    """

    state: State
    certainty: Certainty
    because: str = ""
    frame: int = 0
    rule: str = ""
    others: tuple[int, ...] = ()

    @property
    def frames(self) -> tuple[int, ...]:
        """All the segments that it rests on, in the order of the capture."""
        return tuple(sorted({frame for frame in (self.frame, *self.others) if frame}))


@dataclass(frozen=True, slots=True)
class StateChange:
    """One end moved.

    ``transition`` is ``None`` where no edge of the RFC leads there: a connection
    found in mid-stream, or a correction by the kernel.
    """

    side: Side
    before: Claim
    after: Claim
    transition: Transition | None


class PhaseName(enum.Enum):
    """Where a connection is in its life."""

    HANDSHAKE = "handshake"
    DATA = "data"
    TEARDOWN = "teardown"

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True, slots=True)
class Phase:
    """A phase and how far it has come, ``done`` of ``of`` (0 of 0 for data).

    Handshake: SYN, SYN-ACK (or the crossing SYN), ACK. Teardown: each FIN and
    the ACK of each, four, whether or not they share segments; a reset ends at
    once, 1 of 1.
    """

    name: PhaseName
    done: int = 0
    of: int = 0

    def __str__(self) -> str:
        return f"{self.name.value} {self.done}/{self.of}" if self.of else self.name.value


@dataclass(frozen=True, slots=True)
class Disagreement:
    """The kernel said otherwise than the inference."""

    time_ns: int
    side: Side
    inferred: Claim
    kernel: State | None

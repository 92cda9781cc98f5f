"""Digest: each step of a timeline in one byte, one letter, a size and a time, in columns.

What concerns a whole connection (where trouble is, what folds, the next change
of state) must be found among a million steps while a key is down. Steps are
objects; asking each of them takes seconds. So each is looked at once, when it
comes, and questions are then answered by searching bytes.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from operator import itemgetter
from typing import Final, NamedTuple

from tcpviz.core.claims import PhaseName
from tcpviz.core.marks import MarkName
from tcpviz.core.records import Act
from tcpviz.core.timeline import Step, StepKind, Timeline
from tcpviz.views import roles
from tcpviz.views.ladder_labels import MARKS, marks_of

SEGMENT: Final = 0x01
"""A segment that left (each is counted once: its arrival is not one more)."""
REPEATED: Final = 0x02
"""A retransmission, of whatever kind."""
PROBLEM: Final = 0x04
"""Something that a person looks for: a mark of warning, a loss, a reset, an objection."""
STATE: Final = 0x08
"""An end went to another state."""
PURE_ACK: Final = 0x10
"""A segment that does nothing but acknowledge, or its arrival."""
APART: Final = 0x20
"""It never folds: anything but plain data, its ACKs, and the calls and readings among them."""
CALL: Final = 0x40
"""A socket call was made, or returned."""
QUIET: Final = 0x80
"""No stop when stepping."""

REPEATS: Final = frozenset(
    {
        MarkName.RETRANSMISSION,
        MarkName.FAST_RETRANSMISSION,
        MarkName.SPURIOUS_RETRANSMISSION,
    }
)
_GRAVE: Final = frozenset({roles.MARK_WARNING, roles.MARK_BAD})
_SEGMENTS: Final = frozenset({StepKind.SEGMENT, StepKind.SENT, StepKind.ARRIVED, StepKind.LOST})
_LEAVES: Final = frozenset({StepKind.SEGMENT, StepKind.SENT})
_PLAIN_CALLS: Final = frozenset(
    {"send", "sendall", "sendto", "sendmsg", "write", "writev", "sendfile"}
    | {"recv", "recvfrom", "recvmsg", "read", "readv", "poll", "select", "epoll_wait"}
)
LOST_LETTER, RESET_LETTER, OTHER_LETTER = ord("X"), ord("!"), ord("!")
"""Letters of trouble that is no mark: a lost segment, a reset, anything else."""


_RANKS: Final = b"X!LAZFSROWtPD"
"""Letters of trouble, the gravest first; of many in one place, one is told."""


def worst(letters: bytes | bytearray) -> str:
    """The gravest of so many steps' letters; empty where there is none."""
    told = set(letters.translate(None, b"\0"))
    found = next((each for each in _RANKS if each in told), None) if told else None
    if found is None:
        found = max(told, default=None)
    return "" if found is None else chr(found)


def classify(step: Step) -> tuple[int, int]:
    """(class, letter) of a step; the letter is 0 where there is nothing to tell."""
    segment = step.segment
    if step.kind in _SEGMENTS and segment is not None:
        return _segment_class(step)
    bits, letter = 0, 0
    if step.quiet:
        bits |= QUIET
        if step.kind in (StepKind.CABLE, StepKind.EVENT):
            bits |= APART
    if step.changes:
        bits |= STATE | APART
    call = step.call
    if call is not None:
        bits |= CALL
        if call.failed:
            bits |= PROBLEM | APART
            letter = OTHER_LETTER
        elif call.name not in _PLAIN_CALLS:
            bits |= APART
    elif not step.quiet:
        bits |= APART
    if step.disagreements or step.gap is not None or step.unreachable is not None:
        bits |= PROBLEM | APART
        letter = OTHER_LETTER
    elif step.handled is not None and step.handled.act is Act.CORRUPTED:
        bits |= PROBLEM
        letter = OTHER_LETTER
    return bits, letter


def _segment_class(step: Step) -> tuple[int, int]:
    segment = step.segment
    assert segment is not None
    flags = int(segment.flags)
    bits, letter = 0, 0
    if step.kind in _LEAVES:
        bits = SEGMENT
    if step.changes:
        bits |= STATE
    control = flags & 0x07  # FIN, SYN, RST
    if control or step.changes or step.phase.name is not PhaseName.DATA:
        bits |= APART
    if not control and not segment.payload_len and flags & 0x10:
        bits |= PURE_ACK
    if step.kind is StepKind.LOST:
        return bits | PROBLEM, LOST_LETTER
    if control & 0x04:
        bits |= PROBLEM
        letter = RESET_LETTER
    if step.observation is not None and step.observation.marks:
        for mark in marks_of(step):
            sign, _, tone = MARKS[mark.name]
            if mark.name in REPEATS:
                bits |= REPEATED
            if tone in _GRAVE:
                bits |= PROBLEM
                letter = letter or ord(sign)
    if segment.inferred:
        bits |= APART
    return bits, letter


class Columns(NamedTuple):
    """Of some steps: their classes, letters, sizes (bytes) and times (ns)."""

    classes: bytearray
    letters: bytearray
    sizes: array[int]
    times: array[int]


class Digest:
    """The columns of a timeline's steps, in its order; :meth:`read` takes what is new.

    ``first`` is the index of the oldest step kept.
    """

    def __init__(self, timeline: Timeline) -> None:
        self.timeline = timeline
        self.first = timeline.first
        self.classes = bytearray()
        self.letters = bytearray()
        self.sizes = array("L")
        self.times = array("q")

    def __len__(self) -> int:
        """The next index that has not been read."""
        return self.first + len(self.classes)

    def add(self, step: Step) -> None:
        """Take the next step."""
        bits, letter = classify(step)
        self.classes.append(bits)
        self.letters.append(letter)
        size = step.segment.payload_len if bits & SEGMENT and step.segment else 0
        self.sizes.append(size)
        self.times.append(step.time_ns)

    def read(self, most: int | None = None) -> bool:
        """Take what the timeline has more, at most ``most`` steps; true if that was all."""
        self._forget()
        at, end = len(self), len(self.timeline)
        last = end if most is None else min(end, at + most)
        for index in range(at, last):
            self.add(self.timeline[index])
        return last >= end

    def _forget(self) -> None:
        gone = self.timeline.first - self.first
        if gone <= 0:
            return
        if gone >= len(self.classes):
            self.first = self.timeline.first
            for column in (self.classes, self.letters, self.sizes, self.times):
                del column[:]
            return
        # Rarely, and much at once: each time the rest is moved down.
        if gone > 4096 or gone * 8 > len(self.classes):
            for column in (self.classes, self.letters, self.sizes, self.times):
                del column[:gone]
            self.first += gone

    def gather(self, indexes: Sequence[int]) -> Columns:
        """The columns of the steps with these indexes, which grow."""
        first = self.first
        if not indexes:
            return Columns(bytearray(), bytearray(), array("L"), array("q"))
        low, high = indexes[0] - first, indexes[-1] - first + 1
        if high - low == len(indexes):
            return Columns(
                self.classes[low:high],
                self.letters[low:high],
                self.sizes[low:high],
                self.times[low:high],
            )
        pick = itemgetter(*(index - first for index in indexes))  # two at least: they have a gap
        return Columns(
            bytearray(pick(self.classes)),
            bytearray(pick(self.letters)),
            array("L", pick(self.sizes)),
            array("q", pick(self.times)),
        )

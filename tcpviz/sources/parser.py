"""What the readers of capture formats share: bytes in pieces of any size in, frames out.

A parser does no I/O, so that a file, a growing pipe, a socket and a test feed
the same code. It keeps at most one unfinished record, and never more of it
than has really arrived: a length written in a file is a claim, not a fact.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from dataclasses import dataclass

from tcpviz.wire.frame import Frame

MAX_BLOCK = 16 * 1024 * 1024
"""Longest block that is believed, bytes; also Wireshark's limit for pcapng."""

_INT64_MAX = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Interface:
    """Where frames of a source were captured, as the source describes it.

    ``name`` and ``description`` may be empty; ``snaplen`` is 0 where there was no limit.
    """

    name: str
    link_type: int
    description: str = ""
    snaplen: int = 0


class CaptureParser(ABC):
    """One capture format. Subclasses say how to take whole records off the front of bytes.

    ``notes``      one-line messages, oldest first, without the source's name
    ``interfaces`` those described so far, over all sections
    ``dropped``    packets that the capturing program says it lost
    ``bad``        records that could not be used, by reason
    ``losses``     for the frames of the last ``feed``: number of the frame before which
                   packets were lost -> how many
    ``customs``    options of our own enterprise number among the records of the last
                   ``feed``: the number of the packet before them, and their data
    ``number``     records of packets so far, bad ones included
    ``ended``      nothing more will come: the rest cannot be read
    """

    format = ""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.interfaces: list[Interface] = []
        self.dropped = 0
        self.bad: Counter[str] = Counter()
        self.losses: dict[int, int] = {}
        self.customs: list[tuple[int, bytes]] = []
        self.number = 0
        self.ended = False
        self._pending = bytearray()
        self._need = 1  # bytes that must be there before another look is worth while
        self._offset = 0  # of the first pending byte, from the start of the format's bytes

    def feed(self, data: bytes) -> list[Frame]:
        """The frames completed by these bytes, in their order."""
        if self.losses:
            self.losses = {}
        if self.customs:
            self.customs = []
        if self.ended or not data:
            return []
        if self._pending:
            # Appending to a bytearray is cheap however small the pieces are; looking again
            # at each piece of a long record would cost its length every time.
            self._pending += data
            if len(self._pending) < self._need:
                return []
            data = bytes(self._pending)
        elif len(data) < self._need:
            self._pending += data
            return []
        frames: list[Frame] = []
        used, need = self._take(data, frames)
        self._offset += used
        self._need = need
        self._pending = bytearray() if self.ended else bytearray(memoryview(data)[used:])
        return frames

    def finish(self) -> None:
        """There are no more bytes: says in a note if a record was cut."""
        if self.ended:
            return
        self.ended = True
        if self._pending:
            self.note_cut()

    @property
    def offset(self) -> int:
        """Where the record begins that comes next, from the start of the format's bytes."""
        return self._offset

    @property
    def between(self) -> int | None:
        """Where the next record begins, if nothing of it has been given yet."""
        return None if self._pending or self.ended else self._offset

    def go_on(self, offset: int, number: int) -> None:
        """The next bytes are those from ``offset`` on; ``number`` records are before them."""
        self._pending, self._need = bytearray(), 1
        self._offset, self.number = offset, number

    @property
    def state(self) -> tuple[object, ...]:
        """By what it takes the next record, but for its place and number."""
        return len(self.interfaces), self.ended

    @property
    def traces(self) -> tuple[object, ...]:
        """The same, and what records have left behind that are more than a packet."""
        told = bool(self.losses), bool(self.customs), len(self.notes), self.dropped
        return *self.state, *told, self.bad.total()

    def note_cut(self) -> None:
        """Note that the source ended in the middle of a record."""
        self.notes.append(f"cut in the middle of a record {self._until()}")

    def _stop(self, what: str, at: int) -> None:
        """End here: what follows cannot be understood. ``at`` counts within this piece."""
        self.notes.append(f"{what} at byte {self._offset + at}, {self._until()}")
        self.ended = True

    def _until(self) -> str:
        if not self.number:
            return "before its first frame"
        return f"after frame {self.number}; what was read until there is shown"

    @abstractmethod
    def _take(self, data: bytes, frames: list[Frame]) -> tuple[int, int]:
        """Append the frames of the whole records at the front of ``data``.

        Returns how many bytes were used, and how many bytes from there on must
        be there before calling again can bring anything.
        """


def fit_time(time_ns: int) -> int:
    """A time as 64-bit nanoseconds; a file may claim any moment, even one that no clock has."""
    return max(-_INT64_MAX, min(_INT64_MAX, time_ns))


def clean(text: str, *, lines: bool = False) -> str:
    """Text from outside without characters that could act on a terminal.

    ``lines`` keeps the ends of lines and tabs, for texts that may have several.
    """
    keep = "\n\t" if lines else ""
    return "".join(c if c.isprintable() or c in keep else "\N{REPLACEMENT CHARACTER}" for c in text)

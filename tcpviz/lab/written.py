"""A run of the lab as pcapng: for Wireshark the packets and comments, for us everything.

Each frame stands once in the file, on the interface of the host that sent it and
with the moment at which it left. Twice, once for each cable end, would have been
the obvious way; but Wireshark then calls every second segment a retransmission.
When it arrived, or that it never did, is in the frame's comment for people, and
as :mod:`tcpviz.sources.replay` says for ``tcpviz read``, which replays the run
with nothing lost.

Everything is written in the order in which it happened. A frame waits until it is
known what became of it, because its comment tells, and what follows waits with it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence

from tcpviz.core.records import (
    Call,
    Gap,
    KernelReading,
    Moment,
    Note,
    Record,
    SegmentRecord,
    Side,
    Unreachable,
)
from tcpviz.core.segment import Endpoint, Segment
from tcpviz.core.states import State
from tcpviz.sources import replay
from tcpviz.sources.writer import PcapngWriter
from tcpviz.wire.frame import Frame

ETHERNET = 1
_MILLISECOND = 1_000_000
_MOST_WAITING = 256 * 1024
"""Bytes of objects that wait for the next frame."""

_MOST_LINES = 40
_UNDER_WAY = "still under way when the recording ended"
_NOTHING = "nothing was captured: the calls and the kernel's word alone"


class Written:
    """Writes frames and records in their order. Raises SourceError where that cannot be done."""

    def __init__(self, path: str) -> None:
        self._writer = PcapngWriter(path)
        self._begun = False
        self._queue: deque[Frame | Record] = deque()
        self._under_way: dict[int, Frame] = {}
        self._comments: dict[int, str | None] = {}
        self._packets: dict[int, Segment] = {}
        self._sent: list[int] = []
        # What stands before the next frame.
        self._customs: list[bytes] = []
        self._size = 0
        self._lines: list[str] = []
        self._states: dict[tuple[Side, Endpoint, Endpoint | None], State | None] = {}
        self._last_ns = 0

    def begin(self, interfaces: Sequence[str], moment: Moment) -> None:
        """Describe the interfaces; ``moment`` is the one at which frames are told first."""
        for name in interfaces:
            what = "loopback" if name == "lo" else f"frames as they left the {name}"
            self._writer.add_interface(name, ETHERNET, what)
        if not interfaces:
            self._writer.add_interface("none", ETHERNET, _NOTHING)
        self._sent = [0] * max(1, len(interfaces))
        self._customs = replay.parts(replay.head(moment))
        self._begun = True
        self._write_customs()  # at once: what follows may be cut off
        self._write()

    # -- what happens -------------------------------------------------------

    def frame(self, frame: Frame, *, waits: bool) -> None:
        """A frame; if it ``waits``, its arrival or loss will be told."""
        self._queue.append(frame)
        if waits:
            self._under_way[frame.number] = frame
        else:
            self._comments[frame.number] = None
            self._write()

    def arrived(self, number: int, time_ns: int) -> None:
        """It was handed to its receiver."""
        frame = self._under_way.pop(number, None)
        if frame is not None:
            after = (time_ns - frame.time_ns) / _MILLISECOND
            self._comments[number] = f"arrived {after:.3f} ms after it left"
            self._write()

    def lost(self, number: int, why: str) -> None:
        """It died on the way."""
        if self._under_way.pop(number, None) is not None:
            self._comments[number] = f"never arrived: {why}"
            self._write()

    def record(self, record: Record) -> None:
        """What was made of it: everything that the feed yields, in that order."""
        if isinstance(record, SegmentRecord):
            segment = record.segment
            first = record.moment in (Moment.SENT, Moment.SEEN)
            if first and not segment.inferred:
                if record.moment is Moment.SENT:
                    self._packets[segment.frame] = segment
                    if len(self._packets) > replay.FRAMES_KEPT:
                        del self._packets[next(iter(self._packets))]
                return  # the frame itself
        if isinstance(record, Unreachable) and record.frame:
            return  # likewise
        self._queue.append(record)
        self._write()

    def close(self) -> None:
        """Write what is still under way, and close the file."""
        try:
            if self._begun:
                for number in self._under_way:
                    self._comments[number] = _UNDER_WAY
                self._under_way.clear()
                self._write()
                self._write_customs(last=True)
        finally:
            self._writer.close()

    # -- writing ------------------------------------------------------------

    def _write(self) -> None:
        if not self._begun:
            return
        while self._queue:
            first = self._queue[0]
            if isinstance(first, Frame):
                if first.number not in self._comments:
                    break
                self._write_frame(first)
            else:
                self._take(first)
            self._queue.popleft()
        self._writer.flush()

    def _write_frame(self, frame: Frame) -> None:
        if frame.number != self._writer.frames + 1:
            self._customs += replay.parts(replay.number_object(frame.number))
        fate = self._comments.pop(frame.number)
        comments = [] if fate is None else [fate]
        if self._lines:
            comments.append("\n".join(["before it left:", *_few(self._lines)]))
        self._writer.write(frame, comments, customs=self._customs)
        self._sent[frame.interface] += 1
        self._last_ns = frame.time_ns
        self._forget()

    def _take(self, record: Record) -> None:
        made = replay.record_object(record, self._packets)
        parts = replay.parts(made)
        if not parts:
            gap = Gap(record.time_ns, None, f"the recording: too long a {made['k']} record")
            parts = replay.parts(replay.record_object(gap, {}))
        self._customs += parts
        self._lines += self._said(record)
        self._last_ns = max(self._last_ns, record.time_ns)
        self._size += sum(map(len, parts))
        if self._size >= _MOST_WAITING:
            self._write_customs()

    def _write_customs(self, *, last: bool = False) -> None:
        """Where there is no frame to put them before, and at the end."""
        for interface, count in enumerate(self._sent):
            customs = self._customs if interface == 0 else []
            if last or customs:
                seen = count if last else None
                self._writer.write_statistics(
                    interface, seen, 0 if last else None, self._last_ns, customs
                )
        self._forget()

    def _forget(self) -> None:
        self._customs, self._size, self._lines = [], 0, []

    # -- comments for people ------------------------------------------------

    def _said(self, record: Record) -> Iterator[str]:
        if isinstance(record, Note):
            yield f"note: {record.text}"
        elif isinstance(record, Call):
            name = f"{record.side}: {record.name}"
            yield (
                f"{name}() = {record.result}" if record.returned else f"{name}({record.arguments})"
            )
        elif isinstance(record, KernelReading):
            for one in record.sockets:
                place = (one.side, one.local, one.peer)
                if self._states.get(place) is not one.state:
                    self._states[place] = one.state
                    state = "no socket" if one.state is None else one.state.value
                    yield f"kernel: {one.side} {state}"


def _few(lines: list[str]) -> list[str]:
    lines = [line[:200] for line in lines]
    more = len(lines) - _MOST_LINES
    return lines if more <= 0 else [*lines[:_MOST_LINES], f"and {more} more"]

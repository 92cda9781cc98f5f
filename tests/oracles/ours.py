"""One reading of a capture for all oracles: each connection with every view of ours on it."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from tcpviz.core.completeness import Completeness
from tcpviz.core.connection import Connection
from tcpviz.core.marks import MarkAnalyzer, MarkName, Observation
from tcpviz.core.records import SegmentRecord, Side
from tcpviz.core.segment import Endpoint, Segment
from tcpviz.core.tracker import Tracker
from tcpviz.core.zeek import ZeekView
from tcpviz.sources.files import open_capture
from tcpviz.wire.decoder import Decoder

COPY = MarkName.CAPTURED_TWICE.value
Ends = frozenset[Endpoint]


@dataclass
class Seen:
    """A connection of the tracker's.

    ``marks``   frames by mark; ``plain`` the same as Wireshark would have it, which does not
                tell packets captured twice from packets sent twice
    ``told``    by frame, what there is to say besides (of ``plain``)
    """

    connection: Connection
    reused: bool
    segments: list[tuple[Segment, Side]] = field(default_factory=list)
    marks: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    plain: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    told: dict[int, Observation] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._own = MarkAnalyzer(reused_ports=self.reused)
        self._wireshark = MarkAnalyzer(reused_ports=self.reused, spot_copies=False)
        self.completeness = Completeness()

    @property
    def ends(self) -> Ends:
        return frozenset((self.connection.client.endpoint, self.connection.server.endpoint))

    @property
    def frames(self) -> list[int]:
        return [segment.frame for segment, _ in self.segments]

    def observe(self, segment: Segment, side: Side) -> None:
        self.segments.append((segment, side))
        for mark in self._own.observe(segment, side):
            self.marks[mark.name.value].append(segment.frame)
        for mark in self._wireshark.observe(segment, side):
            self.plain[mark.name.value].append(segment.frame)
        if self._wireshark.last is not None:
            self.told[segment.frame] = self._wireshark.last
        self.completeness.observe(segment, side)

    def zeek(self, *, ignore_checksums: bool) -> ZeekView:
        view = ZeekView(ignore_checksums=ignore_checksums)
        for segment, side in self.segments:
            view.observe(segment, side)
        return view


def read(path: Path) -> list[Seen]:
    """Every connection of a capture, in the order of their first segments."""
    decoder, tracker = Decoder(), Tracker(keep=False)
    found: dict[int, Seen] = {}
    tuples: set[object] = set()

    def take(segment: Segment) -> None:
        for step in tracker.feed(SegmentRecord(segment.time_ns, segment)):
            if step.segment is None or step.connection is None or step.side is None:
                continue
            if step.connection not in found:
                reused = segment.key in tuples
                tuples.add(segment.key)
                found[step.connection] = Seen(tracker.connections[step.connection], reused)
            found[step.connection].observe(segment, step.side)

    with open_capture(str(path)) as frames:
        for frame in frames:
            segment = decoder.decode(frame)
            if segment is not None:
                take(segment)
            while decoder.extra:
                take(decoder.extra.popleft())
    decoder.finish()
    while decoder.extra:
        take(decoder.extra.popleft())
    return list(found.values())

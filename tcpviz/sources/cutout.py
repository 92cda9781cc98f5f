"""One connection cut out of a capture file, into a pcapng of its own.

The file is read a second time, frame by frame, and each frame is kept that
carries a segment of the connection, or an ICMP error about one. Frames are
copied as they are. Fragments are kept where they became whole only.
"""

from __future__ import annotations

from tcpviz.core.connection import Connection
from tcpviz.core.segment import FlowKey, Segment
from tcpviz.sources.files import open_capture
from tcpviz.sources.parser import Interface
from tcpviz.sources.writer import PcapngWriter
from tcpviz.wire.decoder import Decoder
from tcpviz.wire.frame import Frame


def cut_out(path: str, connection: Connection, out: str) -> int:
    """Copy the frames of ``connection`` from ``path`` to ``out``; returns how many.

    Raises SourceError where either cannot be read or written.
    """
    capture = open_capture(path)
    decoder = Decoder()
    known: dict[int, int] = {}
    try:
        with PcapngWriter(out) as writer:
            for frames in capture.pieces():
                for frame in frames:
                    if not wanted(decoder, frame, connection):
                        continue
                    index = known.get(frame.interface)
                    if index is None:
                        index = known[frame.interface] = _described(
                            writer, capture.stream.interfaces, frame
                        )
                    writer.write(frame, interface=index)
            return writer.frames
    finally:
        capture.close()


def _described(writer: PcapngWriter, interfaces: list[Interface], frame: Frame) -> int:
    name = f"if{frame.interface}"
    if frame.interface < len(interfaces):
        name = interfaces[frame.interface].name or name
    return writer.add_interface(name, frame.link_type)


def wanted(decoder: Decoder, frame: Frame, connection: Connection) -> bool:
    """Whether the frame carries a segment of the connection, or an ICMP error about one."""
    segment = decoder.decode(frame)
    found = segment is not None and _is_of(segment, connection)
    while decoder.extra:
        found |= _is_of(decoder.extra.popleft(), connection)
    while decoder.errors:
        error = decoder.errors.popleft()
        keys = {FlowKey.of(key.low, key.high) for key in error.keys(())}
        mine = FlowKey.of(connection.key.low, connection.key.high)
        found |= mine in keys and _within(error.time_ns, connection)
    return found


def _is_of(segment: Segment, connection: Connection) -> bool:
    return segment.key == connection.key and _within(segment.time_ns, connection)


def _within(time_ns: int, connection: Connection) -> bool:
    """Whether it was in the connection's time: the same four-tuple may have served others."""
    return connection.first_ns <= time_ns <= connection.last_ns

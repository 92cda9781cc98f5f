"""Slices: some of a source's frames as a pcapng of their own, with a person's marks as comments.

Nothing is ever overwritten: a name that is taken is an error, whoever took it and when.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from tcpviz.core.connection import Connection
from tcpviz.sources.cutout import wanted
from tcpviz.sources.files import open_capture
from tcpviz.sources.recent import Kept
from tcpviz.sources.writer import PcapngWriter
from tcpviz.wire.decoder import Decoder
from tcpviz.wire.frame import Frame


def of_file(path: str) -> Kept:
    """A capture file's frames. Raises SourceError while they are read."""

    def frames() -> Iterator[Frame]:
        with open_capture(path) as capture:
            yield from capture

    return Kept(frames())


def between(first_ns: int, last_ns: int) -> Callable[[Frame], bool]:
    """Whether a frame is of this time, both ends with it."""
    return lambda frame: first_ns <= frame.time_ns <= last_ns


def of(connection: Connection) -> Callable[[Frame], bool]:
    """Whether a frame carries a segment of this connection, or an ICMP error about one."""
    decoder = Decoder(verify=False)
    return lambda frame: wanted(decoder, frame, connection)


def save(
    kept: Kept,
    path: str,
    chosen: Callable[[Frame], bool] = lambda _: True,
    marks: Sequence[tuple[int, str]] = (),
) -> int:
    """Write the frames that are ``chosen`` to a new file; returns how many.

    ``marks``  (moment, text): each becomes a comment of the first frame from its moment on,
               or of the last one
    Raises SourceError: the name is taken, or it cannot be written.
    """
    waiting = sorted(marks)
    known: dict[tuple[int, int], int] = {}
    with PcapngWriter(path, fresh=True) as writer:
        # One behind, so that the last frame can take the marks that come after it.
        held: tuple[Frame, int] | None = None
        comments: list[str] = []
        first: int | None = None
        for frame in kept.frames:
            if not chosen(frame):
                continue
            if held is not None:
                writer.write(held[0], comments, interface=held[1])
            if first is None:
                first = frame.time_ns
                waiting = [mark for mark in waiting if mark[0] >= first]
            comments = []
            while waiting and waiting[0][0] <= frame.time_ns:
                comments.append(waiting.pop(0)[1])
            held = frame, _interface(writer, known, kept.names, frame)
        if held is not None:
            writer.write(held[0], [*comments, *(text for _, text in waiting)], interface=held[1])
        return writer.frames


def _interface(
    writer: PcapngWriter, known: dict[tuple[int, int], int], names: Sequence[str], frame: Frame
) -> int:
    key = frame.interface, frame.link_type
    if key not in known:
        number = frame.interface
        name = names[number] if number < len(names) else f"if{number}"
        known[key] = writer.add_interface(name, frame.link_type)
    return known[key]

"""Frames: captured bytes with the moment, the link type and the place they came from."""

from __future__ import annotations

from tcpviz.core.facts import dataclass


@dataclass(frozen=True, slots=True)
class Frame:
    """One captured frame.

    ``time_ns``    since the epoch, by the clock of whoever captured it
    ``link_type``  number of the LINKTYPE_ registry (1 Ethernet, 101 raw IP, 113 cooked, ...)
    ``data``       what was captured, perhaps cut at the snapshot length
    ``wire_len``   how long it was on the wire, bytes
    ``number``     place in its source, from 1, over all interfaces
    ``interface``  index of the interface within its source
    ``comment``    a packet comment from a pcapng file, if there was one
    """

    time_ns: int
    link_type: int
    data: bytes
    wire_len: int
    number: int
    interface: int = 0
    comment: str | None = None

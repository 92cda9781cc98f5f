"""The pcap format: one header, then records, in either byte order.

Source: draft-ietf-opsawg-pcap, libpcap's ``sf-pcap.c`` and Wireshark's
``wiretap/libpcap.c`` for the variants.
"""

from __future__ import annotations

import struct

from tcpviz.sources.feed import SourceError
from tcpviz.sources.parser import CaptureParser, Interface
from tcpviz.wire.frame import Frame

MICROSECONDS = 0xA1B2C3D4
NANOSECONDS = 0xA1B23C4D
KUZNETZOV = 0xA1B2CD34  # patched libpcap of old Linux distributions: longer record headers
IXIA_HARDWARE = 0x1C0001AC  # "lcap": nanoseconds, and a size behind the file header
IXIA_SOFTWARE = 0x1C0001AB  # "lcap": the same with microseconds

MAX_FRAME = 1024 * 1024
"""Longest frame that is believed, bytes: twice the largest that Linux's BIG TCP can show.

A format of bare records has nothing else to tell a damaged length by.
"""

_FILE_HEADER = 24
_LINK_TYPE = 0xFFFF  # above it: whether frames end in a checksum (FCS), and its length


_MAGICS = (MICROSECONDS, NANOSECONDS, KUZNETZOV, IXIA_HARDWARE, IXIA_SOFTWARE)


def is_pcap(head: bytes) -> bool:
    """Whether a file that begins with these four bytes or more is a pcap file."""
    return _byte_order(head) is not None


def _byte_order(head: bytes) -> str | None:
    return next(
        (order for order in "<>" if struct.unpack_from(order + "I", head)[0] in _MAGICS), None
    )


def header_size(head: bytes) -> int:
    """Bytes of the file's header, told from its first four."""
    magic = struct.unpack_from((_byte_order(head) or "<") + "I", head)[0]
    return _FILE_HEADER + (4 if magic in (IXIA_HARDWARE, IXIA_SOFTWARE) else 0)


class PcapParser(CaptureParser):
    """pcap with microseconds or nanoseconds, and Kuznetzov's and Ixia's variants.

    Raises SourceError for a version that nobody can read, and for a file that
    ends within its header.
    """

    format = "pcap"

    def __init__(self) -> None:
        super().__init__()
        self._need = _FILE_HEADER
        self._link_type: int | None = None
        self._record = struct.Struct("<IIII")
        self._header_size = 16
        self._tick_ns = 1000
        self._swapped = "no"

    def finish(self) -> None:
        if self._link_type is None:
            raise SourceError("cut inside the header of the pcap file; there is nothing to show")
        super().finish()

    def _take(self, data: bytes, frames: list[Frame]) -> tuple[int, int]:
        offset = 0
        if self._link_type is None:
            offset = header_size(data)
            if offset > len(data):
                return 0, offset
            self._read_header(data)
        link_type = self._link_type or 0
        unpack = self._record.unpack_from
        head = self._header_size
        tick = self._tick_ns
        number = self.number
        last = len(data) - head
        need = head
        while offset <= last:
            seconds, fraction, captured, length = unpack(data, offset)
            if self._swapped != "no" and (self._swapped == "yes" or captured > length):
                captured, length = length, captured
            if captured > MAX_FRAME:
                self.number = number
                self._stop(f"a record claims {captured} bytes", offset)
                return offset, 0
            start = offset + head
            end = start + captured
            if end > len(data):
                need = head + captured
                break
            number += 1
            frames.append(
                Frame(
                    seconds * 1_000_000_000 + fraction * tick,
                    link_type,
                    data[start:end],
                    # What was captured was there, whatever the record says of its length.
                    length if length > captured else captured,
                    number,
                )
            )
            offset = end
        self.number = number
        return offset, need

    def _read_header(self, data: bytes) -> None:
        order = _byte_order(data) or "<"
        magic, major, minor, _, _, snaplen, link = struct.unpack_from(order + "IHHiIII", data)
        if (major, minor) != (543, 0) and major != 2:
            raise SourceError(
                f"pcap version {major}.{minor} is not known; convert it with editcap or tcpdump"
            )
        # libpcap before 2.3, and DG/UX's, wrote the two lengths the other way round; 2.3 either.
        if major == 543 or minor < 3:
            self._swapped = "yes"
        elif minor == 3:
            self._swapped = "perhaps"
        if magic == KUZNETZOV:
            self._header_size = 24  # 8 more bytes: interface index, protocol, packet type
        self._tick_ns = 1 if magic in (NANOSECONDS, IXIA_HARDWARE) else 1000
        self._record = struct.Struct(order + "IIII")
        self._link_type = link & _LINK_TYPE
        self.interfaces.append(Interface("", self._link_type, snaplen=snaplen))

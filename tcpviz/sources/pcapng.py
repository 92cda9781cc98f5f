"""The pcapng format: sections of blocks, several interfaces, comments and drop counters.

Source: draft-ietf-opsawg-pcapng; block and option numbers are its own.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from tcpviz.sources.feed import SourceError
from tcpviz.sources.parser import MAX_BLOCK, CaptureParser, Interface, clean, fit_time
from tcpviz.wire.frame import Frame

SECTION = 0x0A0D0D0A
INTERFACE = 1
OLD_PACKET = 2
SIMPLE_PACKET = 3
STATISTICS = 5
ENHANCED_PACKET = 6

BYTE_ORDER = 0x1A2B3C4D
_NS = 1_000_000_000
_SIGN = 1 << 63

# Options.
COMMENT = 1
SHB_OS, SHB_USERAPPL = 3, 4
IF_NAME, IF_DESCRIPTION, IF_TSRESOL, IF_FILTER, IF_TSOFFSET = 2, 3, 9, 11, 14
EPB_DROPCOUNT = 4
CUSTOM = 19373  # binary, and not to be copied into a changed file
ISB_IFRECV, ISB_IFDROP, ISB_OSDROP = 4, 5, 7

# Why a packet's block could not be used.
_TOO_SHORT = "pcapng packet block too short"
_TOO_LONG = "pcapng packet longer than its block"
_NO_INTERFACE = "pcapng packet of an unknown interface"

ENTERPRISE = 32473
"""Private Enterprise Number of our custom options: RFC 5612's, as we have none of our own."""

MAX_INTERFACES = 65536
"""Interfaces that are remembered, over all sections; a file may describe any number."""


@dataclass(slots=True)
class _Clock:
    """How one interface writes times: ticks times ``multiply`` by ``divide``, plus ``offset``."""

    multiply: int = 1000
    divide: int = 1
    offset_ns: int = 0

    def time_ns(self, ticks: int) -> int:
        """Nanoseconds since the epoch for a 64-bit count of ticks.

        The format's counts have no sign, but programs have written moments before
        1970. Read so, such a frame keeps its distance from the next; the other
        reading is a moment some 300 000 years from now.
        """
        if ticks >= _SIGN:
            ticks -= 1 << 64
        return fit_time(ticks * self.multiply // self.divide + self.offset_ns)

    @classmethod
    def of(cls, resolution: int, offset_s: int) -> _Clock:
        """From ``if_tsresol`` (the high bit: powers of two instead of ten) and ``if_tsoffset``."""
        exponent = resolution & 0x7F
        offset = offset_s * _NS
        if resolution & 0x80:
            return cls(_NS, 1 << exponent, offset)
        if exponent <= 9:
            return cls(10 ** (9 - exponent), 1, offset)
        return cls(1, 10 ** (exponent - 9), offset)


class PcapngParser(CaptureParser):
    """pcapng: any number of sections in either byte order, unknown blocks skipped.

    A block whose inside is wrong is counted in ``bad`` and skipped; a block
    whose length is wrong ends the reading, as nobody knows where the next begins.
    """

    format = "pcapng"

    def __init__(self) -> None:
        super().__init__()
        self._need = 12
        self._order: Literal["<", ">"] = "<"
        self._in_section = False
        self._base = 0  # index of the section's first interface
        self._clocks: list[_Clock] = []  # of the section's interfaces
        self._said_drops: dict[int, int] = {}  # by interface: its latest statistics
        self._seen_drops = 0  # by the packets' own counts
        self._last_ns = 0
        self._frames: list[Frame] = []  # those of this piece
        self._skip = 0  # bytes of an unknown block still to come
        self._set_order("<")

    def finish(self) -> None:
        if not self._in_section and not self.ended:
            raise SourceError("cut inside the header of the pcapng file; there is nothing to show")
        if not self.ended and self._skip:
            self.note_cut()
            self.ended = True
        super().finish()

    @property
    def state(self) -> tuple[object, ...]:
        section = self._order, self._in_section, self._base, len(self._clocks)
        return *super().state, *section, bool(self._skip)

    @property
    def traces(self) -> tuple[object, ...]:
        return *super().traces, *self._said_drops.values()

    def _set_order(self, order: Literal["<", ">"]) -> None:
        self._order = order
        self._block = struct.Struct(order + "II")
        self._enhanced = struct.Struct(order + "IIIII")
        self._old = struct.Struct(order + "HHIIII")
        self._option = struct.Struct(order + "HH")
        self._word = struct.Struct(order + "I")
        self._readers: dict[int, Callable[[bytes], None]] = {
            INTERFACE: self._read_interface,
            OLD_PACKET: self._read_old_packet,
            SIMPLE_PACKET: self._read_simple_packet,
            STATISTICS: self._read_statistics,
            ENHANCED_PACKET: self._read_enhanced_packet,
        }

    def _take(self, data: bytes, frames: list[Frame]) -> tuple[int, int]:
        self._frames = frames
        offset = 0
        size = len(data)
        while True:
            if self._skip:
                step = min(self._skip, size - offset)
                self._skip -= step
                offset += step
                if self._skip:
                    return offset, 1
            if size - offset < 12:
                return offset, 12
            kind, length = self._block.unpack_from(data, offset)
            if kind == SECTION:
                if not self._read_byte_order(data, offset):
                    return offset, 0
                length = self._word.unpack_from(data, offset + 4)[0]
            elif not self._in_section:
                raise SourceError("no section header; not a pcapng file")
            if length < 12 or length % 4 or (kind == SECTION and length < 28):
                self._stop(f"a block claims {length} bytes", offset)
                return offset, 0
            reader = self._readers.get(kind)
            if reader is None and kind != SECTION:
                self._skip = length
                continue
            if length > MAX_BLOCK:
                self._stop(f"a block claims {length} bytes", offset)
                return offset, 0
            if size - offset < length:
                return offset, length
            # The length at the block's end repeats the one at its beginning; where they
            # differ, one of them is damaged, and so perhaps what is between.
            if self._word.unpack_from(data, offset + length - 4)[0] != length:
                self._stop("the two lengths of a block differ", offset)
                return offset, 0
            if reader is None:
                if not self._read_section(data, offset):
                    return offset, 0
            else:
                reader(data[offset + 8 : offset + length - 4])
            offset += length

    def _read_byte_order(self, data: bytes, offset: int) -> bool:
        for order in ("<", ">"):
            if struct.unpack_from(order + "I", data, offset + 8)[0] == BYTE_ORDER:
                if order != self._order:
                    self._set_order("<" if order == "<" else ">")
                return True
        self._stop("a section header without a byte order", offset)
        return False

    def _read_section(self, data: bytes, offset: int) -> bool:
        major, minor = struct.unpack_from(self._order + "HH", data, offset + 12)
        if major != 1:
            text = f"pcapng version {major}.{minor} is not known"
            if not self._in_section:
                raise SourceError(text + "; convert it with editcap")
            self._stop(text, offset)
            return False
        self._in_section = True
        self._base = len(self.interfaces)
        self._clocks = []
        return True

    def _options(self, body: bytes, offset: int) -> dict[int, bytes]:
        """The options from ``offset`` on; ends where a length lies.

        Of several comments all, as lines; of anything else the first.
        """
        found: dict[int, bytes] = {}
        while offset + 4 <= len(body):
            code, length = self._option.unpack_from(body, offset)
            offset += 4
            if code == 0 or offset + length > len(body):
                break
            value = body[offset : offset + length]
            if code == COMMENT and code in found:
                found[code] += b"\n" + value
            else:
                found.setdefault(code, value)
            offset += (length + 3) & ~3
        return found

    def _read_customs(self, body: bytes, offset: int) -> None:
        """Keep the custom options that may be ours; others' are theirs."""
        while offset + 4 <= len(body):
            code, length = self._option.unpack_from(body, offset)
            offset += 4
            if code == 0 or offset + length > len(body):
                break
            ours = code == CUSTOM and length >= 4
            if ours and self._word.unpack_from(body, offset)[0] == ENTERPRISE:
                self.customs.append((self.number, body[offset + 4 : offset + length]))
            offset += (length + 3) & ~3

    def _number(self, value: bytes | None, size: int, *, signed: bool = False) -> int | None:
        if value is None or len(value) != size:
            return None
        return int.from_bytes(value, "little" if self._order == "<" else "big", signed=signed)

    def _read_interface(self, body: bytes) -> None:
        if len(body) < 8:
            self.bad["pcapng interface too short"] += 1
            return
        if len(self.interfaces) >= MAX_INTERFACES:
            self.bad["pcapng interface beyond the limit"] += 1
            return
        link_type, _, snaplen = struct.unpack_from(self._order + "HHI", body)
        options = self._options(body, 8)
        name, description = (
            clean(options.get(code, b"").split(b"\0")[0].decode(errors="replace"))
            for code in (IF_NAME, IF_DESCRIPTION)
        )
        self.interfaces.append(Interface(name, link_type, description, snaplen))
        resolution = self._number(options.get(IF_TSRESOL), 1)
        offset_s = self._number(options.get(IF_TSOFFSET), 8, signed=True)
        self._clocks.append(_Clock.of(6 if resolution is None else resolution, offset_s or 0))

    def _read_enhanced_packet(self, body: bytes) -> None:
        if len(body) < 20:
            self._bad_packet(_TOO_SHORT)
            return
        interface, high, low, captured, length = self._enhanced.unpack_from(body)
        self._packet(body, 20, (interface, (high << 32) | low, captured, length))

    def _read_old_packet(self, body: bytes) -> None:
        if len(body) < 20:
            self._bad_packet(_TOO_SHORT)
            return
        interface, drops, high, low, captured, length = self._old.unpack_from(body)
        if drops not in (0, 0xFFFF):  # 0xFFFF: not known
            self._lost(drops)
        self._packet(body, 20, (interface, (high << 32) | low, captured, length))

    def _read_simple_packet(self, body: bytes) -> None:
        if len(body) < 4 or not self._clocks:
            short = len(body) < 4
            self._bad_packet(_TOO_SHORT if short else _NO_INTERFACE)
            return
        length = self._word.unpack_from(body)[0]
        interface = self.interfaces[self._base]
        captured = min(length, interface.snaplen) if interface.snaplen else length
        if captured > len(body) - 4:
            self._bad_packet(_TOO_LONG)
            return
        if not any("carry no time" in note for note in self.notes):
            self.notes.append(
                f"some packets carry no time (first: frame {self.number + 1}); "
                "they are shown at the time of the one before"
            )
        self.number += 1
        data = body[4 : 4 + captured]
        self._frames.append(
            Frame(self._last_ns, interface.link_type, data, length, self.number, self._base)
        )

    def _packet(self, body: bytes, start: int, head: tuple[int, int, int, int]) -> None:
        interface, ticks, captured, length = head
        end = start + captured
        if end > len(body):
            self._bad_packet(_TOO_LONG)
            return
        if interface >= len(self._clocks):
            self._bad_packet(_NO_INTERFACE)
            return
        comment = None
        options_at = (end + 3) & ~3
        if options_at < len(body):
            options = self._options(body, options_at)
            if COMMENT in options:
                comment = clean(options[COMMENT].decode(errors="replace"), lines=True)
            if CUSTOM in options:
                self._read_customs(body, options_at)
            drops = self._number(options.get(EPB_DROPCOUNT), 8)
            if drops:
                self._lost(drops)
        self.number += 1
        self._last_ns = self._clocks[interface].time_ns(ticks)
        self._frames.append(
            Frame(
                self._last_ns,
                self.interfaces[self._base + interface].link_type,
                body[start:end],
                length if length > captured else captured,
                self.number,
                self._base + interface,
                comment,
            )
        )

    def _bad_packet(self, reason: str) -> None:
        self.number += 1
        self.bad[reason] += 1

    def _lost(self, count: int) -> None:
        """Packets were lost before the one that comes now."""
        self._seen_drops += count
        self.losses[self.number + 1] = self.losses.get(self.number + 1, 0) + count
        self._count_drops()

    def _read_statistics(self, body: bytes) -> None:
        if len(body) < 12:
            self.bad["pcapng statistics too short"] += 1
            return
        options = self._options(body, 12)
        if CUSTOM in options:
            self._read_customs(body, 12)
        interface = self._base + self._word.unpack_from(body)[0]
        if interface >= len(self.interfaces):
            self.bad["pcapng statistics of an unknown interface"] += 1
            return
        # They count from the capture's start, so that the latest one holds.
        self._said_drops[interface] = sum(
            self._number(options.get(code), 8) or 0 for code in (ISB_IFDROP, ISB_OSDROP)
        )
        self._count_drops()

    def _count_drops(self) -> None:
        # Packets' own counts and the interfaces' statistics tell of the same losses.
        self.dropped = max(self._seen_drops, sum(self._said_drops.values()))

"""Builds captures byte by byte, so that tests can lie in any field."""

from __future__ import annotations

import struct
from dataclasses import dataclass


def pcap_header(order: str = "<", magic: int = 0xA1B2C3D4, link: int = 1, minor: int = 4) -> bytes:
    return struct.pack(order + "IHHiIII", magic, 2, minor, 0, 0, 262144, link)


def pcap_record(
    data: bytes,
    seconds: int = 1,
    fraction: int = 2,
    order: str = "<",
    captured: int | None = None,
    length: int | None = None,
    extra: bytes = b"",
) -> bytes:
    captured = len(data) if captured is None else captured
    length = len(data) if length is None else length
    return struct.pack(order + "IIII", seconds, fraction, captured, length) + extra + data


@dataclass
class Ng:
    """pcapng blocks in one byte order."""

    order: str = "<"

    def options(self, *pairs: tuple[int, bytes]) -> bytes:
        packed = b"".join(
            struct.pack(self.order + "HH", code, len(value)) + value + bytes(-len(value) % 4)
            for code, value in pairs
        )
        return packed + bytes(4) if pairs else b""

    def block(self, kind: int, body: bytes, first: int | None = None, last: int | None = None):
        body += bytes(-len(body) % 4)
        length = 12 + len(body)
        return (
            struct.pack(self.order + "II", kind, length if first is None else first)
            + body
            + struct.pack(self.order + "I", length if last is None else last)
        )

    def section(self, major: int = 1) -> bytes:
        return self.block(0x0A0D0D0A, struct.pack(self.order + "IHHq", 0x1A2B3C4D, major, 0, -1))

    def interface(self, link: int = 1, snaplen: int = 0, *pairs: tuple[int, bytes]) -> bytes:
        head = struct.pack(self.order + "HHI", link, 0, snaplen)
        return self.block(1, head + self.options(*pairs))

    def packet(
        self,
        data: bytes,
        ticks: int = 0,
        interface: int = 0,
        *pairs: tuple[int, bytes],
        captured: int | None = None,
        length: int | None = None,
    ) -> bytes:
        captured = len(data) if captured is None else captured
        length = len(data) if length is None else length
        head = struct.pack(
            self.order + "IIIII", interface, ticks >> 32, ticks & 0xFFFFFFFF, captured, length
        )
        return self.block(6, head + data + bytes(-len(data) % 4) + self.options(*pairs))

    def old_packet(
        self,
        data: bytes,
        ticks: int = 0,
        interface: int = 0,
        drops: int = 0,
        length: int | None = None,
    ) -> bytes:
        head = struct.pack(
            self.order + "HHIIII",
            interface,
            drops,
            ticks >> 32,
            ticks & 0xFFFFFFFF,
            len(data),
            len(data) if length is None else length,
        )
        return self.block(2, head + data)

    def simple(self, data: bytes, length: int | None = None) -> bytes:
        return self.block(
            3, struct.pack(self.order + "I", len(data) if length is None else length) + data
        )

    def statistics(self, interface: int, *pairs: tuple[int, bytes]) -> bytes:
        return self.block(
            5, struct.pack(self.order + "III", interface, 0, 0) + self.options(*pairs)
        )

    def u64(self, number: int) -> bytes:
        return struct.pack(self.order + "Q", number)

"""Netlink messages and attributes: how Linux is asked about sockets and links (netlink(7))."""

from __future__ import annotations

import struct
from collections.abc import Iterator

NLM_F_REQUEST, NLM_F_ACK = 0x1, 0x4
NLM_F_CREATE, NLM_F_EXCL = 0x400, 0x200
NLM_F_DUMP = 0x300
NLM_F_DUMP_INTR = 0x10
NLMSG_ERROR, NLMSG_DONE = 2, 3


def attribute(kind: int, value: bytes) -> bytes:
    """One netlink attribute, padded to four bytes (``struct nlattr``)."""
    return struct.pack("HH", len(value) + 4, kind) + value + b"\0" * (-len(value) % 4)


def attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The attributes in ``data``; stops at the first that does not fit."""
    while len(data) >= 4:
        length, kind = struct.unpack_from("HH", data)
        if not 4 <= length <= len(data):
            return
        yield kind & 0x3FFF, data[4:length]
        data = data[(length + 3) & ~3 :]


def messages(data: bytes) -> Iterator[tuple[int, bytes]]:
    """``(type, body)`` of each netlink message in one datagram."""
    while len(data) >= 16:
        length, kind = struct.unpack_from("IH", data)
        if not 16 <= length <= len(data):
            return
        yield kind, data[16:length]
        data = data[(length + 3) & ~3 :]

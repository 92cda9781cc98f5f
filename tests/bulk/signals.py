"""Captures changed: with signals of congestion, or an option on every segment."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable, Sequence
from dataclasses import replace

from tcpviz.wire.frame import Frame

SYN = 2
_AE, _CWR, _ECE, _ALL = 0x100, 0x80, 0x40, 0x1C0

Signals = Callable[[int, bool, random.Random], tuple[int, int]]
"""By a segment's flags, and whether the server sent it: flags to set, and ECN's two bits."""


def changed(data: bytes, flags: int = 0, ecn: int = 0, option: bytes = b"") -> bytes:
    """An Ethernet frame with more flags and options, its checksum brought up to date (RFC 1624)."""
    head = data[46] >> 4
    (old,) = struct.unpack_from("!H", data, 46)
    total = struct.unpack_from("!H", data, 16)[0] + len(option)
    new = (old | flags) + (len(option) // 4 << 12)
    told = int.from_bytes(data[50:52], "big")
    more = sum(struct.unpack(f"!{len(option) // 2}H", option)) + len(option)
    sum_ = 65535 - (65535 - told + 65535 - old + new + more) % 65535
    made = bytearray(data[: 34 + 4 * head] + option + data[34 + 4 * head :])
    made[15] = made[15] & 0xFC | ecn
    struct.pack_into("!H", made, 16, total)
    struct.pack_into("!H", made, 46, new)
    struct.pack_into("!H", made, 50, sum_)
    return bytes(made)


def classic(flags: int, server: bool, dice: random.Random) -> tuple[int, int]:
    """ECN as RFC 3168 has it, on a link that marks much."""
    if flags & SYN:
        return (_ECE if server else _ECE | _CWR), 0
    extra = (_ECE if dice.random() < 0.3 else 0) | (_CWR if dice.random() < 0.1 else 0)
    return extra, 3 if dice.random() < 0.3 else 2


def accurate(flags: int, server: bool, dice: random.Random) -> tuple[int, int]:
    """A counter in three flags of every segment (RFC 9768)."""
    if flags & SYN:
        return (_CWR if server else _ALL), 1
    return dice.randrange(8) << 6, 3 if dice.random() < 0.05 else 1


def refused(flags: int, server: bool, dice: random.Random) -> tuple[int, int]:
    """Accurate ECN was asked for, and nobody has heard of it."""
    return (_ALL if flags & SYN and not server else 0), 0


def signalled(frames: Sequence[Frame], signals: Signals, seed: int) -> list[Frame]:
    """Ethernet frames of IPv4 and TCP with these signals; a server's port is the lower one."""
    dice = random.Random(seed)
    made = []
    for each in frames:
        flags, server = each.data[47], each.data[34:36] < each.data[36:38]
        made.append(replace(each, data=changed(each.data, *signals(flags, server, dice))))
    return made


OPTIONS: dict[str, tuple[bytes, bytes]] = {  # of a SYN, of all others
    "a signature": (b"\1\1\x13\x12" + bytes(range(16)),) * 2,
    "a user timeout": (b"\x1c\4\0\x10",) * 2,
    "an experiment": (b"\xfd\4\x12\x34",) * 2,
    "Fast Open's experiment": (b"\xfe\4\xf9\x89", b"\xfe\4\xf9\x89"),
    "MPTCP": (b"\x1e\x0c\1\x81" + bytes(8), b"\x1e\x08\x20\1" + bytes(4)),
    "MPTCP, DSS on a SYN": (b"\x1e\x08\x20\1" + bytes(4),) * 2,
    "MPTCP, empty": (b"\x1e\2\1\1",) * 2,
    "MPTCP without DSS": (b"\x1e\4\1\x81", b"\x1e\4\x30\1"),
    "one that nobody knows": (b"\x63\4ab",) * 2,
    "a known one of another length": (b"\2\5\5\xb4\1\1\1\1",) * 2,
    "no length": (b"\x63\0\0\0",) * 2,
}


def with_option(frames: Sequence[Frame], kind: str) -> list[Frame]:
    """The same with one of :data:`OPTIONS` on every segment that has room for it."""
    syn, other = OPTIONS[kind]
    made = []
    for each in frames:
        option = syn if each.data[47] & SYN else other
        if 4 * (each.data[46] >> 4) + len(option) > 60:
            made.append(each)
            continue
        longer = changed(each.data, option=option)
        made.append(replace(each, data=longer, wire_len=each.wire_len + len(option)))
    return made


def _to_port_0(data: bytes) -> bytes:
    """The same, to or from port 0 instead of the lower one."""
    place = 34 if data[34:36] < data[36:38] else 36
    was = int.from_bytes(data[place : place + 2], "big")
    told = int.from_bytes(data[50:52], "big")
    sum_ = 65535 - (65535 - told + 65535 - was) % 65535
    made = bytearray(data)
    made[place : place + 2], made[50:52] = bytes(2), sum_.to_bytes(2, "big")
    return bytes(made)


_SOME = (
    *(b"\x1e\x0c\1\x81" + bytes(8), b"\x1e\4\1\x81", b"\x1e\x08\x20\1" + bytes(4)),
    *(b"\x1e\4\x30\1", b"\x1e\x08\x20\1" + bytes(4) + b"\x1e\4\x30\1", b"\x1e\2\1\1"),
    *(b"\xfd\4\x12\x34", b"\x63\4ab", b"\x1e\4\1\x81\x63\0\0\0"),
)


def anything(frames: Sequence[Frame], seed: int) -> list[Frame]:
    """The same with whatever signals and options, on many segments or few, each flow its own.

    And with other TTLs of SYNs, resets and all else, and ports of 0.
    """
    dice = random.Random(seed)
    habits: dict[tuple[bytes, ...], tuple[float, ...]] = {}
    made = []
    for each in frames:
        data = each.data
        if len(data) < 54 or data[12:15] != b"\x08\0E" or data[23] != 6 or data[46] >> 4 > 11:
            made.append(each)
            continue
        flow = tuple(sorted((data[26:30] + data[34:36], data[30:34] + data[36:38])))
        if flow not in habits:
            habits[flow] = (
                *(dice.choice((0, 0, 0.1, 0.5, 1)) for _ in range(5)),
                *(dice.choice((0, 0, 0, 1, 9)) for _ in range(6)),
                dice.choice((0, 0, 0, 0, 0.01)),
                dice.random() < 0.1,
            )
        odd, told, marked, option, agreed, *hops, other, zero = habits[flow]
        flags = dice.randrange(8) << 6 if dice.random() < odd else 0
        if data[47] & SYN and agreed:
            flags = _CWR if data[47] & 16 else _ALL
        flags |= _ECE if dice.random() < told else 0
        ecn = 3 if dice.random() < marked else dice.randrange(3)
        more = dice.choice(_SOME[:3] if dice.random() < 0.9 else _SOME)
        kind = 2 if data[47] & 4 else data[47] & SYN and 1
        ttl = data[22] + hops[kind + 3 * (data[34:36] < data[36:38])] + (dice.random() < other)
        longer = changed(data, flags, ecn, more if dice.random() < option else b"")
        longer = longer[:22] + bytes([int(ttl) & 0xFF]) + longer[23:]
        longer = _to_port_0(longer) if zero else longer
        made.append(replace(each, data=longer, wire_len=each.wire_len + len(longer) - len(data)))
    return made

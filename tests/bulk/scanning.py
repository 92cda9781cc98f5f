"""Scans and visits that ICMP errors answer, over IPv4 and IPv6, in any number and of any kind."""

from __future__ import annotations

import random
from collections.abc import Iterator

from tcpviz.wire.frame import Frame
from tests.wire import packets

BEGIN = 1_700_000_000_000_000_000
MS = 1_000_000

_KINDS = {
    4: [(3, 1), (3, 3), (3, 13), (3, 4), (11, 0), (12, 0)],
    6: [(1, 0), (1, 4), (2, 0), (3, 0)],
}
_TALK = (
    # flags, who, its number and what it acknowledges, both counted from the first ones, data
    (0x02, 0, 0, None, b""),
    (0x12, 1, 0, 1, b""),
    (0x10, 0, 1, 1, b""),
    (0x18, 0, 1, 1, b"question"),
    (0x18, 1, 1, 9, b"a longer answer"),
    (0x11, 0, 9, 16, b""),
    (0x11, 1, 16, 10, b""),
    (0x10, 0, 10, 17, b""),
)
_REFUSED = ((0x02, 0, 0, None, b""), (0x14, 1, None, 1, b""))


def error(
    version: int, quoted: bytes, kind: tuple[int, int], mtu: int, src: str, dst: str
) -> bytes:
    """An ICMP error with its checksum right, in an IP packet."""
    size = 28 if version == 4 else 48
    rest = mtu.to_bytes(4, "big")
    inside = bytes([*kind, 0, 0]) + rest + quoted[:size]
    if version == 4:
        total = ~packets.fold(inside) & 0xFFFF
        inside = inside[:2] + total.to_bytes(2, "big") + inside[4:]
        return packets.ipv4(inside, protocol=1, src=src, dst=dst)
    whole = packets.ipv6(inside, following=58, src=src, dst=dst)
    pseudo = whole[8:40] + len(inside).to_bytes(4, "big") + b"\0\0\0\x3a"
    total = ~packets.fold(pseudo + inside) & 0xFFFF
    inside = inside[:2] + total.to_bytes(2, "big") + inside[4:]
    return packets.ipv6(inside, following=58, src=src, dst=dst)


def _said(
    dice: random.Random,
    strangers: float,
    version: int,
    ends: tuple[str, str],
    ports: tuple[int, int],
) -> Iterator[tuple[bytes, bool]]:
    """A connection's packets and the errors about them."""
    iss = dice.getrandbits(32), dice.getrandbits(32)
    talk = dice.choice((_TALK[:1], _TALK[:1], _TALK[:1], _REFUSED, _TALK, _TALK[:4]))
    wrap = packets.ipv4 if version == 4 else packets.ipv6
    kinds = [dice.choice(_KINDS[version]) for _ in range(2)]
    routers = [dice.choice((ends[1], *_routers(version))) for _ in range(2)]
    sent: list[tuple[bytes, int]] = []
    for flags, who, seq, ack, data in talk:
        there = ends[1 - who]
        segment = packets.tcp(
            data,
            seq=0 if seq is None else (iss[who] + seq) & 0xFFFFFFFF,
            ack=0 if ack is None else (iss[1 - who] + ack) & 0xFFFFFFFF,
            flags=flags,
            sport=ports[who],
            dport=ports[1 - who],
            src=ends[who],
            dst=there,
        )
        whole = wrap(segment, src=ends[who], dst=there)
        sent.append((whole, who))
        yield whole, False
        while dice.random() < 0.4:
            quoted, whose = dice.choice(sent)
            if dice.random() < 0.1:  # of something that was never sent
                at = 24 if version == 4 else 44
                quoted = quoted[:at] + dice.randbytes(4) + quoted[at + 4 :]
            router = dice.choice(routers) if dice.random() < strangers else routers[0]
            kind, mtu = dice.choice(kinds), dice.choice((0, 1280))
            yield error(version, quoted, kind, mtu, router, ends[whose]), True


def _routers(version: int) -> tuple[str, ...]:
    return ("192.0.2.1", "192.0.2.2") if version == 4 else ("2001:db8:f::1", "2001:db8:f::2")


def scan(dice: random.Random, count: int, strangers: float = 0.1) -> list[Frame]:
    """So many connections, in turn; one in fifty has the addresses and ports of another.

    Of the errors about one so many, as a share, are another router's.
    """
    out: list[Frame] = []
    waiting: list[Iterator[tuple[bytes, bool]]] = []
    known: list[tuple[int, tuple[str, str], tuple[int, int]]] = []
    now = BEGIN
    while len(known) < count or waiting:
        if len(known) < count and (len(waiting) < 5 or dice.random() < 0.3):
            version = dice.choice((4, 4, 6))
            net = "10.0.0.{}" if version == 4 else "2001:db8::{:x}"
            ends = net.format(250), net.format(dice.randrange(1, 40))
            ports = dice.randrange(1024, 60000), dice.choice((22, 80, 443, dice.randrange(1, 1000)))
            one = version, ends, ports
            if known and dice.random() < 0.02:
                one = dice.choice(known)
            known.append(one)
            waiting.append(_said(dice, strangers, *one))
        which = dice.choice(waiting)
        made = next(which, None)
        if made is None:
            waiting.remove(which)
            continue
        now += dice.choice((1, 3, 40)) * MS // 10
        data = packets.ethernet(made[0], ethertype=0x86DD if made[0][0] >> 4 == 6 else 0x0800)
        out.append(Frame(now, 1, data, len(data), len(out) + 1))
    return out

"""A capture of connections of every sort, drawn by dice: for what is written of many at once."""

from __future__ import annotations

import random
import struct
from pathlib import Path

from tests.wire import packets

SYN, ACK, PSH, FIN, RST = 0x02, 0x10, 0x08, 0x01, 0x04

Talk = list[tuple[int, int, int, int, bool]]
"""Microseconds after the one before, side, flags, data, whether it repeats its sender's latest."""

_US, _MS, _S = 1, 1000, 1_000_000
_ENDS4 = (("10.0.0.1", "10.0.0.7", "192.168.3.4"), ("10.128.0.1", "10.128.0.2"))
_ENDS6 = (("2001:db8::1", "2001:db8::7"), ("2001:db8::80", "fe80::1"))


def various(path: Path, count: int, seed: int, tail_s: int = 0) -> None:
    """Write ``count`` connections; ``tail_s`` after the last segment there is one more SYN.

    Without a tail the capture breaks off while many of them go on.
    """
    dice = random.Random(seed)
    records: list[tuple[int, int, bytes]] = []
    ident = 0
    for number in range(count):
        now = 1_700_000_000 * _S + dice.randrange(20 * _S)
        six = dice.random() < 0.2
        clients, servers = _ENDS6 if six else _ENDS4
        ends = (dice.choice(clients), dice.choice(servers))
        ports = (dice.choice((0, *range(2000, 2100))), dice.choice((22, 80, 80, 443)))
        numbers = [dice.getrandbits(32), dice.getrandbits(32)]
        latest = [(numbers[side], 0) for side in (0, 1)]
        broken = dice.random() < 0.1  # a card fills the client's checksums in
        for pause, side, flags, data, again in _talk(dice):
            now += pause
            ident = ident % 65_000 + 1
            before, size = latest[side]
            at = before if again else numbers[side]
            length = size if again else data
            ack = numbers[1 - side] if flags & ACK else 0
            if flags & RST and flags & ACK and latest[side] == (numbers[side], 0) and side:
                at = 0  # refused
            head = packets.tcp(
                bytes(length), src=ends[side], dst=ends[1 - side], sport=ports[side],
                dport=ports[1 - side], seq=at & 0xFFFFFFFF, ack=ack & 0xFFFFFFFF, flags=flags,
            )  # fmt: skip
            if broken and side == 0:
                head = head[:16] + b"\x12\x34" + head[18:]
            build = packets.ipv6 if six else packets.ipv4
            more = {} if six else {"ident": ident}
            data_link = build(head, src=ends[side], dst=ends[1 - side], **more)
            records.append((now, number, data_link))
            if not again:
                latest[side] = (numbers[side], length)
                numbers[side] += length + bool(flags & (SYN | FIN))
    records.sort(key=lambda each: each[:2])
    if not tail_s:
        end = 1_700_000_000 * _S + 15 * _S
        records = [each for each in records if each[0] < end]
    last = records[-1][0] + tail_s * _S
    records.append((last, count, packets.ipv4(packets.tcp(flags=SYN, ack=0))))
    with path.open("wb") as out:
        out.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 101))
        for time, _, data_link in records:
            head = struct.pack("<IIII", time // _S, time % _S, len(data_link), len(data_link))
            out.write(head + data_link)


def _talk(dice: random.Random) -> Talk:
    def pause() -> int:
        return dice.choice((50 * _US, 70 * _US, 1 * _MS, 30 * _MS, 400 * _MS, 2 * _S, 12 * _S))

    rtt = dice.choice((200 * _US, 9 * _MS, 40 * _MS, 700 * _MS, 1200 * _MS))
    talk: Talk = [(0, 0, SYN, 0, False)]
    for wait in (1, 2, 4):
        if dice.random() > 0.15:
            break
        talk.append((wait * _S, 0, SYN, 0, True))
    kind = dice.random()
    if kind < 0.12:
        return talk
    if kind < 0.2:
        return [*talk, (rtt, 1, RST | ACK, 0, False)]
    talk.append((rtt, 1, SYN | ACK, 0, False))
    if dice.random() < 0.1:
        talk.append((1 * _S, 1, SYN | ACK, 0, True))
    if kind < 0.26:
        return talk
    if kind < 0.3:
        return [*talk, (60, 0, dice.choice((RST, RST | ACK)), 0, False)]
    talk.append((dice.choice((60, 60, 600 * _MS)), 0, ACK, 0, False))
    for _ in range(dice.choice((0, 1, 1, 2, 4))):
        side = dice.randint(0, 1)
        for _ in range(dice.choice((1, 1, 2))):
            talk.append((pause(), side, PSH | ACK, dice.randint(1, 1400), False))
            if dice.random() < 0.15:
                talk.append((300 * _MS, side, PSH | ACK, 0, True))
        if dice.random() < 0.85:
            talk.append((rtt, 1 - side, ACK, 0, False))
            if dice.random() < 0.1:
                talk.append((80, 1 - side, ACK, 0, False))
            if dice.random() < 0.1:
                talk.append((pause(), side, PSH | ACK, 0, True))
                talk.append((rtt, 1 - side, ACK, 0, False))
    if kind < 0.42:
        return talk
    first = dice.randint(0, 1)
    if kind < 0.52:
        return [*talk, (pause(), first, dice.choice((RST, RST | ACK)), 0, False)]
    talk.append((pause(), first, FIN | ACK, 0, False))
    for _ in range(dice.choice((0, 0, 0, 1, 3))):
        talk.append((1 * _S, first, FIN | ACK, 0, True))
    if dice.random() < 0.5:
        talk.append((rtt, 1 - first, ACK, 0, False))
        if dice.random() < 0.3:
            talk.append((pause(), 1 - first, PSH | ACK, 90, False))
            talk.append((rtt, first, ACK, 0, False))
    if kind < 0.62:
        return talk
    if kind < 0.67:
        return [*talk, (pause(), dice.randint(0, 1), RST | ACK, 0, False)]
    closing = dice.choice((300, 300, 2 * _S, 7 * _S, 58 * _S))
    talk.append((closing, 1 - first, FIN | ACK, 0, False))
    if dice.random() < 0.85:
        talk.append((rtt, first, ACK, 0, False))
    return talk

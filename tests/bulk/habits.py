"""Captures changed: ends and middleboxes with unusual habits, each connection its own.

One identification on all packets, routes that change, timestamps taken out, urgent data, TCP Fast
Open, crossing SYNs. Of Ethernet frames of IPv4 and TCP, whose checksums still fit; a server's
port is the lower one.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Callable, Sequence
from dataclasses import replace

from tcpviz.wire.frame import Frame
from tests.bulk import signals

SYN, RST, ACK, URG = 2, 4, 16, 32
MASK = 0xFFFFFFFF

Flow = list[tuple[Frame, bool]]
"""A connection's frames, each with whether the server sent it."""


def patched(data: bytes, at: int, new: bytes) -> bytes:
    """With other bytes at an even place of the TCP segment; its checksum fits as it did before."""
    old = data[at : at + len(new)]
    words = f"!{len(new) // 2}H"
    told = int.from_bytes(data[50:52], "big")
    more = sum(struct.unpack(words, new)) - sum(struct.unpack(words, old))
    made = bytearray(data)
    made[at : at + len(new)] = new
    made[50:52] = (65535 - (65535 - told + more) % 65535).to_bytes(2, "big")
    return bytes(made)


def flows(frames: Sequence[Frame]) -> dict[bytes, list[int]]:
    """Places of each pair of ends' frames, of those that are TCP."""
    out: dict[bytes, list[int]] = {}
    for at, each in enumerate(frames):
        data = each.data
        if len(data) >= 54 and data[12:15] == b"\x08\0E" and data[23] == 6:
            ends = sorted((data[26:30] + data[34:36], data[30:34] + data[36:38]))
            out.setdefault(b"".join(ends), []).append(at)
    return out


def changed(
    frames: Sequence[Frame],
    seed: int,
    habit: Callable[[list[bytes], list[bool], random.Random], list[bytes]],
    share: float = 1.0,
) -> list[Frame]:
    """The same frames, a share of the connections with this habit."""
    dice, made = random.Random(seed), list(frames)
    for places in flows(frames).values():
        if dice.random() >= share:
            continue
        said = [frames[at].data for at in places]
        there = [data[34:36] < data[36:38] for data in said]
        for at, data in zip(places, habit(said, there, dice), strict=True):
            more = len(data) - len(frames[at].data)
            made[at] = replace(made[at], data=data, wire_len=made[at].wire_len + more)
    return made


def one_ident(said: list[bytes], there: list[bool], dice: random.Random) -> list[bytes]:
    """Each end, or one of them, puts one and the same identification on all packets, or on most."""
    ident = [dice.choice((None, dice.randrange(1, 1 << 16), 0)) for _ in range(2)]
    if dice.random() < 0.6:
        ident = [dice.randrange(1, 1 << 16)] * 2
    other = dice.choice((0, 0, 0.1))
    out = []
    for data, server in zip(said, there, strict=True):
        mine = ident[server]
        if mine is not None and dice.random() >= other:
            data = data[:18] + mine.to_bytes(2, "big") + data[20:]
        out.append(data)
    return out


def rerouted(said: list[bytes], there: list[bool], dice: random.Random) -> list[bytes]:
    """The TTL of an end changes on the way, once or more often."""
    out = list(said)
    for server in (False, True):
        mine = [at for at, who in enumerate(there) if who == server]
        for _ in range(dice.choice((0, 1, 1, 2, 5))):
            new = dice.choice((64, 63, 62, 50, 128, dice.randrange(1, 256)))
            for at in mine[dice.randrange(len(mine) + 1) :]:
                out[at] = out[at][:22] + bytes([new]) + out[at][23:]
    return out


def _without_stamps(data: bytes) -> bytes:
    at = 54
    while at + 1 < 34 + 4 * (data[46] >> 4) <= len(data):
        kind = data[at]
        if kind == 0:
            break
        if kind == 1:
            at += 1
            continue
        size = data[at + 1]
        if kind == 8 and size == 10 and at % 2 == 0:
            return patched(data, at, b"\1" * 10)
        at += max(size, 2)
    return data


def unstamped(said: list[bytes], there: list[bool], dice: random.Random) -> list[bytes]:
    """Something takes out the timestamps of one end: all, those of SYNs, or all others."""
    whose, way = dice.random() < 0.5, dice.choice("aaason")
    begin = dice.randrange(len(said)) if way == "n" else 0
    out = []
    for at, (data, server) in enumerate(zip(said, there, strict=True)):
        syn = bool(data[47] & SYN)
        if server == whose and at >= begin and (way in "an" or syn == (way == "s")):
            data = _without_stamps(data)
        out.append(data)
    return out


def urgent(said: list[bytes], there: list[bool], dice: random.Random) -> list[bytes]:
    """Some segments, with data or any, have urgent data, or say so."""
    share, anything = dice.choice((0.1, 0.5, 1.0)), dice.choice((0, 0, 0, 0.1))
    whose = dice.choice(((False,), (True,), (False, True)))
    out = []
    for data, server in zip(said, there, strict=True):
        full = int.from_bytes(data[16:18], "big") > 20 + 4 * (data[46] >> 4)
        plain = not data[47] & (SYN | RST) and full
        if server in whose and dice.random() < share and (plain or dice.random() < anything):
            data = patched(data, 46, bytes([data[46], data[47] | URG]))
            data = patched(data, 52, dice.choice((b"\0\1", b"\0\0", b"\1\0")))
        out.append(data)
    return out


def said_again(
    frames: Sequence[Frame], seed: int, share: float = 0.3, *, soon: bool = False
) -> list[Frame]:
    """Behind some ACKs without data one with another window, or the same once more."""
    dice, made = random.Random(seed), list(frames)
    for each in frames:
        data = each.data
        empty = len(data) >= 54 and int.from_bytes(data[16:18], "big") == 20 + 4 * (data[46] >> 4)
        if not empty or data[12:15] != b"\x08\0E" or data[47] != ACK or dice.random() >= share:
            continue
        window = data[48:50] if dice.random() < 0.4 else dice.randrange(1, 900).to_bytes(2, "big")
        ident = data[18:20] if dice.random() < 0.5 else dice.randrange(1 << 16).to_bytes(2, "big")
        more = patched(data[:18] + ident + data[20:], 48, window)
        after = dice.choice((0, 2000, 9_000, *((2_000_000, 150_000_000) if not soon else ())))
        made.append(replace(each, data=more, time_ns=each.time_ns + after))
    made.sort(key=lambda each: each.time_ns)
    return [replace(each, number=at) for at, each in enumerate(made, 1)]


_COOKIE = bytes(range(8))


def _with_option(data: bytes, option: bytes) -> bytes:
    """With another option behind the others; these are whole words."""
    return signals.changed(data, option=option) if data[46] >> 4 < 12 else data


def _with_data(data: bytes, size: int) -> bytes:
    """With so many zeros behind all else."""
    data = data[:16] + (int.from_bytes(data[16:18], "big") + size).to_bytes(2, "big") + data[18:]
    told = 65535 - (65535 - int.from_bytes(data[50:52], "big") + size) % 65535
    return data[:50] + told.to_bytes(2, "big") + data[52:] + bytes(size)


def _moved(data: bytes, at: int, by: int) -> bytes:
    """With a larger number there; where it tells one."""
    if at == 42 and not data[47] & ACK:
        return data
    return patched(
        data, at, (int.from_bytes(data[at : at + 4], "big") + by & MASK).to_bytes(4, "big")
    )


def fast_open(said: list[bytes], there: list[bool], dice: random.Random) -> list[bytes]:
    """The client asks for a cookie, or has one; by the option, or by the experiment.

    Its SYN may have data, with which the server does something or not.
    """
    asked, tried = dice.random() < 0.5, dice.random() < 0.3
    kind, least = (b"\xfe", b"\xf9\x89") if tried else (b"\x22", b"")
    empty = kind + bytes([2 + len(least)]) + least
    whole = kind + bytes([10 + len(least)]) + least + _COOKIE
    given = dice.random() < 0.7
    size = dice.choice((0, 0, 1, 200, 1400))
    taken = dice.random() < 0.7
    out = []
    for data, server in zip(said, there, strict=True):
        if data[47] & SYN:
            option = whole if server == asked and (asked or not server) else empty
            if not server or (asked and given) or dice.random() < 0.1:
                data = _with_option(data, b"\1" * (-len(option) % 4) + option)
        if size and not data[47] & ACK and data[47] & SYN and not server:
            data = _with_data(data, size)
        elif size and taken:
            data = _moved(data, 42 if server else 38, size)
        out.append(data)
    return out


ALL = one_ident, rerouted, unstamped, urgent, fast_open

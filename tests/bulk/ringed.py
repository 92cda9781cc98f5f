"""Frames laid out as the kernel lays them into a ring: TPACKET_V2, or blocks of TPACKET_V3."""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Sequence

from hypothesis import strategies as st

from tcpviz.bulk.live.stretches import Stretch
from tcpviz.sources.blockring import DESCRIPTOR, FRAME, SHIFT
from tcpviz.sources.ring import LINK_AT, frame_size
from tcpviz.wire.frame import Frame

USER, LOSING, VLAN = 1, 4, 0x50
TAGGED, WITH_TPID = 0x10, 0x40
ETHERNET, COOKED, RAW = (1, False), (276, True), (101, False)

Packet = tuple[int, bytes, int, int, int, int]
"""Interface, what was captured, how many bytes more it had, status, TCI and TPID."""

packets = st.tuples(
    st.integers(0, 2),
    st.binary(max_size=12)
    | st.binary(min_size=150, max_size=330)
    | st.sampled_from([b"\x45", b"\x60", b"\0\1\x08\0\x45", b"\0\1\x81\0"]).map(
        lambda head: head + bytes(60)
    ),
    st.integers(0, 2000),
    st.sampled_from([0, 0, TAGGED, TAGGED | WITH_TPID, LOSING]),
    st.integers(0, 0xFFFF),
    st.sampled_from([0x8100, 0x88A8]),
)

_head = struct.Struct("=IIIHHIIHH")


def stretch(
    frames: Sequence[Frame], *, snaplen: int = 128, number: int = 1, lost_at: int | None = None
) -> Stretch:
    """A stretch of these frames, cut at ``snaplen``; packets were lost before ``lost_at``."""
    size = frame_size(snaplen)
    made = bytearray(len(frames) * size)
    for place, frame in enumerate(frames):
        data = frame.data[:snaplen]
        seconds, fraction = divmod(frame.time_ns, 1_000_000_000)
        status = USER | (LOSING if place == lost_at else 0)
        row = (status, frame.wire_len, len(data), LINK_AT, LINK_AT + 14, seconds & 0xFFFFFFFF)
        _head.pack_into(made, place * size, *row, fraction, 0, 0)
        made[place * size + LINK_AT : place * size + LINK_AT + len(data)] = data
    return Stretch(made, size, number=number, lost=0 if lost_at is None else 7)


def _address(place: int) -> bytes:
    """A ``struct sockaddr_ll``."""
    protocol = socket.htons(0x86DD if place % 3 == 2 else 0x0800)
    told = (17, protocol, place + 1, 1, place % 5, place % 9, b"\2hardwar")
    return struct.pack("=HHiHBB8s", *told)


def laid(
    rows: Sequence[Packet],
    snaplen: int,
    links: Sequence[tuple[int, bool]] = (ETHERNET,),
    *,
    lost: int = 0,
) -> Stretch:
    """A stretch of these, with what was in its place before around them."""
    size = frame_size(snaplen)
    whole = bytearray(os.urandom(len(rows) * size))
    for place, (interface, data, more, status, tci, tpid) in enumerate(rows):
        mac = LINK_AT if links[interface] == ETHERNET else LINK_AT + 14
        kept = data[: min(snaplen, size - mac)]
        when = (1_700_000_000 + place, 999_999_999)
        at = place * size
        numbers = (status | USER, len(data) + more, len(kept), mac, LINK_AT + 14, *when, tci, tpid)
        _head.pack_into(whole, at, *numbers)
        whole[at + 28 : at + 32] = bytes([interface, 0, 0, 0])
        whole[at + 32 : at + 52] = _address(place)
        whole[at + mac : at + mac + len(kept)] = kept
    return Stretch(bytes(whole), size, links=links, lost=lost)


def blocks(rows: Sequence[Packet], each: int, link: tuple[int, bool] = ETHERNET) -> bytes:
    """The same as blocks of ``each`` packets of one interface; a loss begins a block."""
    made = bytearray()
    groups: list[list[tuple[int, Packet]]] = []
    for place, row in enumerate(rows):
        if not groups or len(groups[-1]) == each or row[3] & LOSING:
            groups.append([])
        groups[-1].append((place, row))
    for number, group in enumerate(groups, 1):
        begin = len(made)
        made += bytes(48)
        for place, (_, data, more, status, tci, tpid) in group:
            at = len(made)
            mac = SHIFT + (LINK_AT if link == ETHERNET else LINK_AT + 14)
            size = mac + len(data) + 7 & ~7
            made += os.urandom(size)
            when = (1_700_000_000 + place, 999_999_999)
            numbers = (len(data), len(data) + more, status & ~LOSING | USER, mac, SHIFT + 80)
            last = place == group[-1][0]
            FRAME.pack_into(made, at, 0 if last else size, *when, *numbers, 7, tci, tpid, 0)
            made[at + FRAME.size : at + FRAME.size + 20] = _address(place)
            made[at + mac : at + mac + len(data)] = data
        losing = LOSING if group[0][1][3] & LOSING else 0
        told = (1, 0, USER | losing, len(group), 48, len(made) - begin, number)
        DESCRIPTOR.pack_into(made, begin, *told)
    return bytes(made)

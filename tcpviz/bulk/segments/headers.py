"""Headers of many frames at once: from the link layer to TCP, where they are ordinary.

Taken here: what :mod:`tcpviz.bulk.segments.links` knows the way through; IPv4 without
options and IPv6 without extension headers, whole; TCP whose header was
captured. Whatever else a frame is, :func:`gather` leaves it to
:mod:`tcpviz.wire`, record by record; every condition here is one under which
that would come to the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tcpviz.bulk.segments import links, options, plain, sums
from tcpviz.bulk.segments.columns import (
    ECN_SHIFT,
    HEADS,
    ODD,
    SACKED,
    STAMPED,
    SUM_SHIFT,
    Piece,
    Tables,
)
from tcpviz.bulk.segments.flows import distinct
from tcpviz.bulk.segments.links import Reader
from tcpviz.bulk.segments.plain import LONGEST
from tcpviz.bulk.segments.records import Batch
from tcpviz.wire.numbers import ETHERTYPES
from tcpviz.wire.tunnels import TUNNEL_PORTS

Longs = NDArray[Any]

_TCP, _UDP = 6, 17
_PLAIN_TYPES = np.array(sorted(ETHERTYPES), np.int64)
_TUNNELS = np.array(sorted(TUNNEL_PORTS), np.int64)


@dataclass(slots=True)
class Gathered:
    """``rows``: of these frames of the batch ``piece`` has the segments, in order.

    ``alike``  frames without a segment: of each group, the first and their number;
               all of a group are skipped for the same reason
    ``slow``   the other frames, in order
    """

    rows: Longs
    piece: Piece
    alike: list[tuple[int, int]]
    slow: Longs


def gather(batch: Batch, tables: Tables, taken: plain.Taken | None) -> Gathered:
    """What can be taken of a batch; ``taken`` is what :func:`plain.take` has of it."""
    found: list[_Found] = []
    left = np.ones(len(batch), np.bool_)
    if taken is not None:
        rows, piece = taken
        piece = plain.named(batch, piece, tables)
        if len(rows) == len(batch):
            return Gathered(rows, piece, [], rows[:0])
        found.append((rows, piece, []))
        left[rows] = False
    reader = Reader(batch.data)
    link = plain.alike(batch.link_type)
    kinds = distinct(batch.link_type) if link is None else [link]
    found += [_of_link(batch, reader, tables, link, left) for link in kinds]
    rows, piece = _merged([each[:2] for each in found])
    alike = [group for each in found for group in each[2]]
    slow = np.ones(len(batch), np.bool_)
    slow[rows] = False
    for group in alike:
        slow[group] = False
    counted = [(int(group[0]), len(group)) for group in alike]
    return Gathered(rows, piece, counted, np.flatnonzero(slow))


def _merged(found: list[tuple[Longs, Piece]]) -> tuple[Longs, Piece]:
    """What was found in several ways, in the order of the frames."""
    some = [each for each in found if len(each[0])] or found[:1]
    if not some:
        return np.zeros(0, np.int64), {"time": np.zeros(0, np.int64)}
    if len(some) == 1:
        return some[0]
    rows = np.concatenate([each[0] for each in some])
    order = np.argsort(rows, kind="stable")
    names = some[0][1]
    piece = {name: np.concatenate([each[1][name] for each in some])[order] for name in names}
    return rows[order], piece


_Found = tuple[Longs, Piece, list[Longs]]


def _of_link(batch: Batch, reader: Reader, tables: Tables, link: int, left: NDArray[Any]) -> _Found:
    """Of the frames of a link type that are ``left``."""
    rows = np.flatnonzero(
        left & (batch.link_type == link) & (batch.wire <= LONGEST) & (batch.captured >= links.LEAST)
    )
    way = links.way(reader, link, batch.start[rows], batch.captured[rows], batch.wire[rows])
    alike = _unknown(rows, way.kind) if link == links.ETHERNET else []
    found = []
    for version, size in ((4, 40), (6, 60)):
        number = links.V4 if version == 4 else links.V6
        fits = (way.kind == number) | (way.kind == links.ANY)
        mine = np.flatnonzero(fits & (way.inside + size <= way.limit))
        part = _Part(rows[mine], way.inside[mine], way.limit[mine], way.end[mine])
        good, piece, udp = _ip(batch, reader, tables, part, version)
        alike += udp
        scope = way.scopes(tables, version, mine[good])
        found.append((part.rows[good], {**piece, "scope": scope}))
    taken, piece = _merged(found)
    piece["source"] = plain.sources(tables, link, batch.interface[taken])
    return taken, piece, alike


def _unknown(rows: Longs, kind: Longs) -> list[Longs]:
    """Frames of EtherTypes that lead nowhere, by EtherType: skipped for the same reason."""
    lost = np.flatnonzero((kind >= 0x0600) & ~np.isin(kind, _PLAIN_TYPES))
    if not len(lost):
        return []
    kinds = kind[lost]
    return [rows[lost[kinds == one]] for one in distinct(kinds)]


@dataclass(slots=True)
class _Part:
    """Frames with IP at ``inside``; ``limit``: end of what was captured, ``wire``: of all."""

    rows: Longs
    inside: Longs
    limit: Longs
    wire: Longs


_V4_KIND = np.dtype(
    [("first", "u1"), ("tos", "u1"), ("total", ">u2"), ("ident", ">u2"), ("fragment", ">u2"),
     ("ttl", "u1"), ("protocol", "u1"), ("sum", ">u2"), ("src", ">u4"), ("dst", ">u4")]
)  # fmt: skip
_V6_KIND = np.dtype(
    [("first", ">u4"), ("length", ">u2"), ("following", "u1"), ("ttl", "u1"), ("src", "V16"),
     ("dst", "V16")]
)  # fmt: skip
_TCP_KIND = np.dtype(
    [("sport", ">u2"), ("dport", ">u2"), ("seq", ">u4"), ("ack", ">u4"), ("bits", ">u2"),
     ("window", ">u2"), ("sum", ">u2"), ("urgent", ">u2")]
)  # fmt: skip


def _ip(
    batch: Batch, reader: Reader, tables: Tables, part: _Part, version: int
) -> tuple[Longs, Piece, list[Longs]]:
    """(which of the part's rows hold a segment, their columns, groups of alike UDP frames)."""
    size = 20 if version == 4 else 40
    ip = reader.take(part.inside, size).view(_V4_KIND if version == 4 else _V6_KIND)
    if version == 4:
        total = ip["total"].astype(np.int64)
        fine = (ip["first"] == 0x45) & ((ip["fragment"] & 0x3FFF) == 0)
        protocol = ip["protocol"]
    else:
        total = ip["length"].astype(np.int64) + 40
        fine = (ip["first"] >> 28 == 6) & (ip["length"] != 0)
        protocol = ip["following"]
    end = part.inside + total
    fine &= end <= part.wire
    inner = part.inside + size
    head = reader.take(inner, 20).view(_TCP_KIND)
    alike = []
    udp = fine & (protocol == _UDP) & (total >= size + 8)
    if udp.any():
        ports = np.isin(head["sport"], _TUNNELS) | np.isin(head["dport"], _TUNNELS)
        group = part.rows[udp & ~ports]
        if len(group):
            alike.append(group)
    length = (head["bits"] >> 12).astype(np.int64) * 4
    inside = inner + length
    fine &= (protocol == _TCP) & (length >= 20) & (inside <= end) & (inside <= part.limit)
    if version == 6 and fine.any():
        src, sure = _long(tables, ip["src"], fine)
        dst, sure2 = _long(tables, ip["dst"], fine)
        fine &= sure & sure2
    elif version == 4:
        src, dst = ip["src"].astype(np.int64), ip["dst"].astype(np.int64)
    else:
        src = dst = np.zeros(len(fine), np.int64)
    good = np.flatnonzero(fine)
    ip, head, length = ip[good], head[good], length[good]
    end, inner, inside, limit = end[good], inner[good], inside[good], part.limit[good]
    rows = part.rows[good]
    seen = options.read(batch.data, inner + 20, length - 20, head["ack"])
    ecn = ip["tos"] & 3 if version == 4 else ((ip["first"] >> 20) & 3).astype(np.uint8)
    right = _sums(batch.data, head, inner, end, limit, version)
    bits = seen.stamped * STAMPED + seen.odd * ODD + seen.sacked * SACKED
    bits += (right << SUM_SHIFT) + (ecn << ECN_SHIFT)
    piece: Piece = {
        "time": batch.time_ns[rows],
        "captured": batch.captured[rows],
        "wire": batch.wire[rows],
        "frame": batch.first + rows,
        "src": src[good],
        "dst": dst[good],
        "sport": head["sport"],
        "dport": head["dport"],
        "seq": head["seq"],
        "ack": head["ack"],
        "flags": head["bits"] & 0x0FFF,
        "window": head["window"],
        "length": end - inside,
        HEADS: inside - part.inside[good],
        "ident": ip["ident"] if version == 4 else np.zeros(len(rows), np.int64),
        "ttl": ip["ttl"],
        "bits": bits,
        "scale": seen.scale,
        "value": seen.value,
        "echo": seen.echo,
    }
    return good, piece, alike


def _sums(
    data: bytes, head: NDArray[Any], inner: Longs, end: Longs, limit: Longs, version: int
) -> NDArray[Any]:
    out = np.full(len(inner), sums.UNKNOWN, np.uint8)
    whole = np.flatnonzero(end <= limit)
    if len(whole):
        addresses = 8 if version == 4 else 32  # bytes of both, right before TCP
        inner = inner[whole]
        out[whole] = sums.check(data, inner - addresses, inner, end[whole], head["sum"][whole])
    return out


def _long(
    tables: Tables, addresses: NDArray[Any], fine: NDArray[Any]
) -> tuple[Longs, NDArray[Any]]:
    """Numbers of IPv6 addresses; false where two different ones could not be told apart here."""
    halves = np.ascontiguousarray(addresses).view("<u8").reshape(-1, 2)
    mixed = halves[:, 0] * np.uint64(0x9E3779B97F4A7C15) ^ halves[:, 1]
    which = np.flatnonzero(fine)
    _, first, back = np.unique(mixed[which], return_index=True, return_inverse=True)
    numbers = np.array([tables.address(addresses[at].tobytes()) for at in which[first].tolist()])
    out = np.zeros(len(fine), np.int64)
    sure = np.zeros(len(fine), np.bool_)
    out[which] = numbers[back]
    sure[which] = (halves[which] == halves[which[first]][back]).all(axis=1)
    return out, sure

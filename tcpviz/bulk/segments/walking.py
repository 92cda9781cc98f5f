"""The decoder's steps, each taken by many frames at once: whatever is not of the plainest kind.

As :mod:`tcpviz.wire.decoder` takes one frame from header to header, :func:`walk` takes a crowd of
them (:mod:`tcpviz.bulk.segments.steps.crowd`); all that stand before the same layer take its step
together. What no step here knows is left to the decoder, frame by frame, in the capture's order:
fragments of TCP, jumbograms, aggregated 802.11 frames, and headers that hardly anybody writes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tcpviz.bulk.segments import options, sums
from tcpviz.bulk.segments.columns import (
    ECN_SHIFT,
    HEADS,
    MULTIPATH,
    ODD,
    SACKED,
    STAMPED,
    SUM_SHIFT,
    Piece,
    Tables,
)
from tcpviz.bulk.segments.flows import distinct, grouped, mixed
from tcpviz.bulk.segments.icmp import Errors
from tcpviz.bulk.segments.pieces import at_every
from tcpviz.bulk.segments.plain import sources
from tcpviz.bulk.segments.quoted import Quoted, errors
from tcpviz.bulk.segments.records import Batch
from tcpviz.bulk.segments.steps.by_layer import BY_VALUE, KNOWN
from tcpviz.bulk.segments.steps.crowd import TAKEN, Crowd, Octets, Why
from tcpviz.wire.decoder import MAX_STEPS
from tcpviz.wire.numbers import LINK_TYPES

Array = NDArray[Any]

TCP_KIND = np.dtype(
    [("sport", ">u2"), ("dport", ">u2"), ("seq", ">u4"), ("ack", ">u4"), ("bits", ">u2"),
     ("window", ">u2"), ("sum", ">u2"), ("urgent", ">u2")]
)  # fmt: skip


@dataclass(slots=True)
class Walked:
    """``rows``: of these frames ``piece`` has the segments, in order.

    ``alike``  groups of those that hold none, of each all for the same reason
    ``errors``  of those ICMP errors about TCP, if there are any
    """

    rows: Array
    piece: Piece
    alike: list[Array]
    errors: Quoted | None


def walk(batch: Batch, tables: Tables, rows: Array, told: Errors) -> Walked:
    """Take these frames of a batch as far as they go; ``told`` numbers what errors came in."""
    captured = batch.captured[rows]
    crowd = Crowd(Octets(batch.data), batch.start[rows], captured, batch.wire[rows])
    onward(crowd, batch.link_type[rows])
    taken, piece = _segments(batch, tables, crowd, rows)
    quoted = errors(batch, crowd, rows, tables, told)
    return Walked(rows[taken], piece, [rows[group] for group in crowd.groups()], quoted)


def onward(crowd: Crowd, link: Array) -> None:
    """Lead frames of these link types from header to header, until no step knows the next one."""
    for number, layer in LINK_TYPES.items():
        crowd.layer[link == number] = layer.value
    for _ in range(MAX_STEPS):
        met = np.bincount(crowd.layer, minlength=256).astype(np.bool_) & KNOWN
        layers = np.flatnonzero(met).tolist()
        if not layers:
            break
        # All of them first: a step moves frames to layers that have not been asked yet.
        standing = [np.flatnonzero(crowd.layer == value) for value in layers]
        for value, which in zip(layers, standing, strict=True):
            BY_VALUE[value](crowd, which)
    else:
        crowd.skip(np.flatnonzero(KNOWN[crowd.layer]), Why.TOO_DEEP)


def _segments(batch: Batch, tables: Tables, crowd: Crowd, rows: Array) -> tuple[Array, Piece]:
    """The columns of those that came to a TCP header."""
    taken = np.flatnonzero(crowd.layer == TAKEN)
    src, dst, sure = _addresses(tables, crowd, taken)
    if not sure.all():
        crowd.leave(taken[~sure])
        taken, src, dst = taken[sure], src[sure], dst[sure]
    octets = crowd.octets
    place, ip, six = crowd.place[taken], crowd.ip[taken], crowd.six[taken]
    end, limit = crowd.end[taken], crowd.limit[taken]
    data = at_every(octets.data, 20)
    head = data[place].view(TCP_KIND)
    length = (head["bits"] >> 12).astype(np.int64) * 4
    inside = place + length
    there = np.minimum(inside, limit)
    size = there - place - 20
    seen = options.read(batch.data, place + 20, size, head["ack"], head["bits"], inside > limit)
    first = octets.word(ip)
    traffic = np.where(six, first >> 4, first)
    bits = seen.stamped * STAMPED + seen.odd * ODD + seen.sacked * SACKED
    bits += seen.multipath * MULTIPATH
    bits += (_sums(crowd, taken, head) << SUM_SHIFT) + ((traffic & 3) << ECN_SHIFT)
    frames = rows[taken]
    return taken, {
        "time": batch.time_ns[frames],
        "captured": batch.captured[frames],
        "wire": batch.wire[frames],
        "frame": batch.first + frames,
        "src": src,
        "dst": dst,
        "sport": head["sport"],
        "dport": head["dport"],
        "seq": head["seq"],
        "ack": head["ack"],
        "flags": head["bits"] & 0x0FFF,
        "window": head["window"],
        "length": end - inside,
        HEADS: inside - ip,
        "ident": np.where(six, 0, octets.word(ip + 4)),
        "ttl": octets.octet(ip + np.where(six, 7, 8)),
        "bits": bits,
        "scale": seen.scale,
        "value": seen.value,
        "echo": seen.echo,
        "scope": _scopes(tables, crowd, taken),
        "source": _sources(tables, batch, frames),
    }


def _sums(crowd: Crowd, taken: Array, head: Array) -> Array:
    """What is known of their checksums; nothing is proved where an address may be another."""
    out = np.full(len(taken), sums.UNKNOWN, np.uint8)
    whole = np.flatnonzero(crowd.end[taken] <= crowd.limit[taken])
    for six, begin, size in ((False, 12, 8), (True, 8, 32)):
        mine = whole[crowd.six[taken[whole]] == six]
        if not len(mine):
            continue
        which = taken[mine]
        place = crowd.ip[which] + begin
        out[mine] = sums.apart(
            crowd.octets.data,
            (place, place + size),
            crowd.place[which],
            crowd.end[which],
            head["sum"][mine],
        )
    out[(out == sums.WRONG) & ~crowd.sure[taken]] = sums.UNKNOWN
    return out


def _addresses(tables: Tables, crowd: Crowd, taken: Array) -> tuple[Array, Array, Array]:
    """Both addresses' numbers; false where two different ones could not be told apart here."""
    place, six = crowd.ip[taken], crowd.six[taken]
    sure = np.ones(len(taken), np.bool_)
    src, dst = crowd.octets.long(place + 12), crowd.octets.long(place + 16)
    which = np.flatnonzero(six)
    if len(which):
        data = crowd.octets.data
        view = at_every(data, 32)
        both = view[place[which] + 8].view("V16").reshape(-1, 2)
        for side, out in enumerate((src, dst)):
            out[which], known = long_numbers(tables, both[:, side])
            sure[which] &= known
    return src, dst, sure


def long_numbers(tables: Tables, addresses: Array) -> tuple[Array, Array]:
    """Numbers of IPv6 addresses; false where two different ones could not be told apart here."""
    halves = np.ascontiguousarray(addresses).view("<u8").reshape(-1, 2)
    codes = mixed(halves[:, 0]) ^ mixed(halves[:, 1], 1)
    _, first, back = np.unique(codes, return_index=True, return_inverse=True)
    numbers = np.array([tables.address(addresses[at].tobytes()) for at in first.tolist()], np.int64)
    return numbers[back], (halves == halves[first][back]).all(axis=1)


def _scopes(tables: Tables, crowd: Crowd, taken: Array) -> Array:
    different, _, back = grouped(crowd.scope[taken] << 1 | crowd.six[taken])
    numbers = [
        tables.scope(6 if key & 1 else 4, crowd.scopes[key >> 1]) for key in different.tolist()
    ]
    return np.array(numbers, np.int64)[back]


def _sources(tables: Tables, batch: Batch, frames: Array) -> Array:
    link, interface = batch.link_type[frames], batch.interface[frames]
    out = np.zeros(len(frames), np.int64)
    for one in distinct(link):
        mine = link == one
        out[mine] = sources(tables, one, interface[mine])
    return out

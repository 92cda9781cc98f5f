"""Frames of the plainest kind, many at once: every field of every header at the same place.

That is TCP in IPv4 without options, right behind a link layer header of fixed
size: nearly all there is. :mod:`tcpviz.bulk.segments.headers` takes what is not quite so
plain; each condition here is one under which that would come to the same.
"""

from __future__ import annotations

import functools
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
from tcpviz.bulk.segments.flows import distinct
from tcpviz.bulk.segments.pieces import at_every
from tcpviz.bulk.segments.records import Batch

Array = NDArray[Any]

LONGEST = 1 << 24
"""Frames that say they were longer, bytes, are read one by one."""

_V4, _TCP = 0x0800, 6
_USUAL_STAMPS = 0x0101080A

_BASES: dict[int, tuple[int, int | None]] = {
    1: (14, 12),  # Ethernet
    12: (0, None),  # raw IP, by three numbers
    14: (0, None),
    101: (0, None),
    228: (0, None),  # IPv4
}
"""By link type: where IP begins, and where its EtherType stands."""


@functools.cache
def _layout(base: int, typed: int | None) -> np.dtype[Any]:
    ip, tcp = base, base + 20
    fields = {
        "first": (ip, "u1"),
        "tos": (ip + 1, "u1"),
        "total": (ip + 2, ">u2"),
        "ident": (ip + 4, ">u2"),
        "fragment": (ip + 6, ">u2"),
        "ttl": (ip + 8, "u1"),
        "protocol": (ip + 9, "u1"),
        "src": (ip + 12, ">u4"),
        "dst": (ip + 16, ">u4"),
        "sport": (tcp, ">u2"),
        "dport": (tcp + 2, ">u2"),
        "seq": (tcp + 4, ">u4"),
        "ack": (tcp + 8, ">u4"),
        "bits": (tcp + 12, ">u2"),
        "window": (tcp + 14, ">u2"),
        "sum": (tcp + 16, ">u2"),
        "options": (tcp + 20, ">u4"),
        "value": (tcp + 24, ">u4"),
        "echo": (tcp + 28, ">u4"),
    }
    if typed is not None:
        fields["type"] = typed, ">u2"
    return np.dtype(
        {
            "names": list(fields),
            "formats": [kind for _, kind in fields.values()],
            "offsets": [at for at, _ in fields.values()],
            "itemsize": tcp + 32,
        }
    )


Taken = tuple[Array, Piece]
"""Which frames of a batch were taken, and their columns."""


def take(batch: Batch) -> Taken | None:
    """Which frames of a batch that is all of one link type are plain, and their columns.

    All but those that :func:`named` adds; in any thread.
    """
    link = alike(batch.link_type)
    if link is None or link not in _BASES:
        return None
    base, typed = _BASES[link]
    kind = _layout(base, typed)
    start, captured = batch.start, batch.captured
    heads = _heads(batch.data, start, kind)
    bits = heads["bits"].astype(np.int32)
    size = bits >> 10 & 0x3C
    inside = size + (base + 20)
    end = heads["total"] + np.int32(base)
    fine = heads["first"] == 0x45
    if typed is not None:
        fine &= heads["type"] == _V4
    fine &= heads["protocol"] == _TCP
    fine &= heads["fragment"] & 0x3FFF == 0
    fine &= size >= 20
    fine &= inside <= end
    fine &= inside <= captured
    fine &= (end <= batch.wire) & (batch.wire <= LONGEST)
    time, wire, interface = batch.time_ns, batch.wire, batch.interface
    if fine.all():
        rows = np.arange(len(fine))
    else:
        rows = np.flatnonzero(fine)
        if not len(rows):
            return None
        heads, bits, size, inside, end = (each[rows] for each in (heads, bits, size, inside, end))
        start, captured, time, wire = (each[rows] for each in (start, captured, time, wire))
        interface = interface[rows]
    found = _options(batch.data, heads, size, start + (base + 40))
    piece: Piece = {name: heads[name] for name in _AS_THEY_ARE}
    marks = found.stamped.view(np.uint8) * np.uint8(STAMPED)
    marks |= found.odd.view(np.uint8) * np.uint8(ODD)
    marks |= found.sacked.view(np.uint8) * np.uint8(SACKED)
    marks |= found.multipath * np.uint8(MULTIPATH)
    marks |= _sums(batch.data, heads, start, base, end, captured) << np.uint8(SUM_SHIFT)
    marks |= (heads["tos"] & 3) << np.uint8(ECN_SHIFT)
    piece |= {
        "time": time,
        "captured": captured,
        "wire": wire,
        "frame": rows + batch.first,
        "flags": bits & 0x0FFF,
        "length": end - inside,
        HEADS: size + np.int32(20),
        "bits": marks,
        "scale": found.scale,
        "value": found.value,
        "echo": found.echo,
        "source": interface,
    }
    return rows, piece


def named(batch: Batch, piece: Piece, tables: Tables) -> Piece:
    """What :func:`take` found, with the numbers of scope and source."""
    interface = piece["source"]
    return piece | {
        "scope": np.broadcast_to(np.int64(tables.scope(4, ())), interface.shape),
        "source": sources(tables, int(batch.link_type[0]), interface),
    }


def alike(values: Array) -> int | None:
    """What all of these are; ``None`` if they differ, or there are none."""
    if not len(values):
        return None
    one = int(values[0])
    return one if values.strides == (0,) or (values == one).all() else None


_AS_THEY_ARE = ("src", "dst", "sport", "dport", "seq", "ack", "window", "ident", "ttl")


def sources(tables: Tables, link: int, interface: Array) -> Array:
    """The number of each frame's link type and interface."""
    if not len(interface):
        return np.zeros(0, np.int64)
    first = int(interface[0])
    if interface.strides == (0,) or (interface == first).all():
        return np.broadcast_to(np.int64(tables.source(link, first)), interface.shape)
    out = np.zeros(len(interface), np.int64)
    for one in distinct(interface):
        out[interface == one] = tables.source(link, one)
    return out


def _heads(data: bytes, start: Array, kind: np.dtype[Any]) -> Array:
    """The first bytes of each frame; behind the data there are zeros."""
    size = kind.itemsize
    there = int(np.searchsorted(start, len(data) - size, "right"))
    view = at_every(data, size)
    out = np.zeros(len(start), f"V{size}")
    out[:there] = view[start[:there]]
    for place in range(there, len(start)):
        at = int(start[place])
        out[place] = np.void(data[at : at + size].ljust(size, b"\0"))
    return out.view(kind)


def _options(data: bytes, heads: Array, size: Array, start: Array) -> options.Read:
    """Timestamps in their usual place; whatever else there is one after the other."""
    usual = (size == 32) & (heads["options"] == _USUAL_STAMPS)
    count = len(heads)
    out = options.Read(
        usual,
        heads["value"] * usual,
        heads["echo"] * usual,
        np.full(count, options.NO_SCALE, np.uint8),
        np.zeros(count, np.bool_),
        np.zeros(count, np.bool_),
        np.zeros(count, np.uint8),
    )
    others = np.flatnonzero((size > 20) & ~usual)
    if len(others):
        length = size[others].astype(np.int64) - 20
        ack, flags = heads["ack"][others], heads["bits"][others]
        read = options.read(data, start[others], length, ack, flags)
        out.stamped[others] = read.stamped
        out.value[others], out.echo[others] = read.value, read.echo
        out.scale[others], out.odd[others] = read.scale, read.odd
        out.sacked[others], out.multipath[others] = read.sacked, read.multipath
    return out


def _sums(data: bytes, heads: Array, start: Array, base: int, end: Array, captured: Array) -> Array:
    whole = end <= captured
    field = heads["sum"]
    if whole.all():
        inner = start + (base + 20)
        return sums.check(data, inner - 8, inner, start + end, field)
    out = np.full(len(start), sums.UNKNOWN, np.uint8)
    which = np.flatnonzero(whole)
    if len(which):
        begin = start[which]
        inner = begin + (base + 20)
        out[which] = sums.check(data, inner - 8, inner, begin + end[which], field[which])
    return out

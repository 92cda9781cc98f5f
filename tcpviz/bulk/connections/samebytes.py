"""Whether two packets are the same but for what a router, a bridge or the capture puts in front.

Compared are all bytes from the IP header on, without TTL, ECN and the rest of that byte, and the
header's checksum: what TCP says is the same in both then, with every option and byte of data.
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tcpviz.bulk.segments.reading import Reading

Array = NDArray[Any]

AT_ONCE = 1 << 12
"""Pairs of which the bytes are there at a time."""

_SPARSE = 1 << 11
"""Bytes between two packets that are not worth being read."""

_APART = 1 << 16
"""Pairs that lie so far from each other are read one by one."""

_HEADS = {1: (12, 14), 113: (14, 16), 276: (0, 20)}
"""By link type (Ethernet, Linux' cooked ones): where it tells what follows, where that begins."""

_IPV4, _IPV6, _VLAN = 0x0800, 0x86DD, 0x8100


def same(reading: Reading, one: Array, other: Array) -> Array:
    """Of these pairs of rows, which hold the same packet for certain."""
    count = len(one)
    reading, both = reading.origin(np.concatenate([one, other]))
    rows = both.reshape(2, count)
    columns = reading.columns
    array = columns.array
    where, size = array["where"][rows], array["captured"][rows[0]].astype(np.int64)
    # What was put together of fragments lies nowhere.
    fine: Array = (where != -1).all(axis=0) & (size > 0)
    for name in ("captured", "wire", "source"):
        fine &= array[name][rows[0]] == array[name][rows[1]]
    links = np.array([link for link, _ in columns.tables.sources] or [0])
    link = links[array["source"][rows[0]]]
    far = np.abs(where[0] - where[1]) > _APART
    if reading.file is None:
        far[:] = True
    for at in np.flatnonzero(fine & far).tolist():
        first, second = (
            np.frombuffer(reading.data(int(row)), np.uint8)[None] for row in rows[:, at]
        )
        fine[at] = first.shape == second.shape and bool(alike(first, second, int(link[at]))[0])
    which = np.flatnonzero(fine & ~far)
    which = which[np.argsort(where[0, which], kind="stable")]
    for at in range(0, len(which), AT_ONCE):
        _compare(reading.file or 0, which[at : at + AT_ONCE], where, size, link, fine)
    return fine


def _compare(file: int, which: Array, where: Array, size: Array, link: Array, fine: Array) -> None:
    """Tell in ``fine`` of these pairs of a file, in its order, whether they are the same."""
    low = where[:, which].min(axis=0)
    high = where[:, which].max(axis=0) + size[which]
    np.minimum.accumulate(low[::-1], out=low[::-1])
    np.maximum.accumulate(high, out=high)
    begins = np.append(0, np.flatnonzero(low[1:] - high[:-1] > _SPARSE) + 1)
    ends = np.append(begins[1:], len(which)) - 1
    first, wanted = low[begins], high[ends] - low[begins]
    data = b"".join(
        os.pread(file, want, at) for at, want in zip(first.tolist(), wanted.tolist(), strict=True)
    )
    if len(data) != int(wanted.sum()):
        fine[which] = False  # the file has been cut meanwhile
        return
    moved = np.repeat(np.cumsum(wanted) - wanted - first, ends - begins + 1)
    # Those of one length lie below each other.
    kinds = size[which] << 16 | link[which]
    order = np.argsort(kinds, kind="stable")
    edges = np.flatnonzero(np.diff(kinds[order], prepend=-1, append=-1))
    for begin, end in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        these = order[begin:end]
        pairs, length = which[these], int(size[which[these[0]]])
        view: Array = np.ndarray((len(data) - length + 1,), f"V{length}", data, strides=(1,))
        one, other = (
            view[where[n, pairs] + moved[these]].view(np.uint8).reshape(-1, length) for n in (0, 1)
        )
        fine[pairs] = alike(one, other, int(link[pairs[0]]))


def alike(one: Array, other: Array, link: int) -> Array:
    """Of frames of one length, a row each, which hold the same packet."""
    differ = one != other
    some = np.flatnonzero(differ.any(axis=1))
    if link in _HEADS and len(some):
        differ[some] = _but_front(one[some], other[some], differ[some], *_HEADS[link])
    out: Array = ~differ.any(axis=1)
    return out


def _but_front(one: Array, other: Array, differ: Array, told: int, head: int) -> Array:
    """Where they differ, without what may."""
    length = one.shape[1]
    if length < head + 24:
        return differ
    kind = one[:, told].astype(np.int64) << 8 | one[:, told + 1]
    for tag in (0, 4) if told + 2 == head else (0,):
        at = head + tag
        if tag:
            tagged = kind == _VLAN
            kind = np.where(tagged, one[:, told + 4].astype(np.int64) << 8 | one[:, told + 5], 0)
        for version, may in ((_IPV4, (1, 8, 10, 11)), (_IPV6, (7,))):
            which = np.flatnonzero(
                (kind == version) & (one[:, at] >> 4 == (4 if may[0] == 1 else 6))
            )
            if not len(which):
                continue
            mine = differ[which]
            said = mine[:, told : told + 2 + tag].copy()
            mine[:, :at] = False
            mine[:, told : told + 2 + tag] = said
            mine[:, [at + place for place in may]] = False
            if version == _IPV6:  # the class of traffic is half of two bytes
                mine[:, at] = (one[which, at] ^ other[which, at]) & 0xF0 != 0
                mine[:, at + 1] = (one[which, at + 1] ^ other[which, at + 1]) & 0x0F != 0
            differ[which] = mine
    return differ

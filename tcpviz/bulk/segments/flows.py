"""All segments of one pair of ends together: one sort of 64-bit keys, checked for collisions."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tcpviz.bulk.segments.columns import ROW, Columns, rows_at
from tcpviz.core.segment import SYN

Array = NDArray[Any]

# Odd, and drawn anew in each run, so that nobody can write a capture whose keys collide.
_ODD: tuple[np.uint64, ...] = tuple(np.frombuffer(os.urandom(32), np.uint64) | np.uint64(1))


_STEP = 1 << 16
"""Rows that are worked on at a time; they stay in the processor's caches."""

_AT: Any = ROW.fields
_LAYOUT: Any = {
    "names": ["hosts", "ports", "scope"],
    "formats": ["u8", "u4", "u2"],
    "offsets": [_AT["src"][1], _AT["sport"][1], _AT["scope"][1]],
    "itemsize": ROW.itemsize,
}
_ENDS = np.dtype(_LAYOUT)
"""What tells a row's flow: source and destination lie side by side, and so do the ports."""


def mixed(numbers: Array, which: int = 0) -> Array:
    """64-bit numbers scattered over all of 64 bits, each to another one."""
    out = numbers.astype(np.uint64) * _ODD[which]
    out ^= out >> np.uint64(29)
    out *= _ODD[3]
    out ^= out >> np.uint64(32)
    return out


@dataclass(slots=True)
class Flows:
    """``order`` are rows, those of one flow together, and of a flow in their order.

    ``begin``  where in ``order`` each flow begins, and at the end its length
    ``sure``   whether that is certain; else flows of the same :func:`codes` count as one
    """

    order: Array
    begin: Array
    sure: bool = True

    def __len__(self) -> int:
        return len(self.begin) - 1

    def rows(self, flow: int) -> Array:
        """The rows of a flow."""
        return self.order[self.begin[flow] : self.begin[flow + 1]]

    def flow_of(self, row: int) -> int:
        """The flow that has a row."""
        step = 1 << 20
        for at in range(0, len(self.order), step):
            found = np.flatnonzero(self.order[at : at + step] == row)
            if len(found):
                return int(np.searchsorted(self.begin, at + int(found[0]), "right")) - 1
        raise KeyError(row)


def ends(array: dict[str, Array] | Array, rows: Array | slice) -> tuple[Array, Array]:
    """Sender and receiver of each row: address and port in one number of 48 bits."""
    out = []
    for address, port in (("src", "sport"), ("dst", "dport")):
        number = array[address][rows].astype(np.uint64) << np.uint64(16)
        number |= array[port][rows]
        out.append(number)
    return out[0], out[1]


def codes(one: Array, other: Array, scope: Array | None) -> Array:
    """Of each row with these :func:`ends` a number that is the same in all of its flow.

    Whichever end is which, the sum is the same; no ``scope`` where there is only one.
    """
    code = mixed(one)
    code += mixed(other)
    if scope is not None:
        code += mixed(scope, 2)
    return code


def _keys(array: dict[str, Array] | Array, rows: Array | slice) -> tuple[Array, Array, Array]:
    """The same for both directions: the two ends, and the scope."""
    one, other = ends(array, rows)
    return np.minimum(one, other), np.maximum(one, other), array["scope"][rows]


def counted_on(numbers: Array, before: int | None = None) -> Array:
    """How far each lies from ``before`` (the first one), by the shortest way from the one before.

    ``numbers`` as in headers, of which no two that follow upon each other are half a round apart.
    """
    start = numbers[:1] if before is None else np.uint32(before)
    steps = np.diff(numbers, prepend=start).view(np.int32)
    gone: Array = np.cumsum(steps, dtype=np.int64)
    return gone


def changes(values: Array) -> Array:
    """Where one is another than the one before; so is the first."""
    other = np.ones(len(values), np.bool_)
    np.not_equal(values[1:], values[:-1], out=other[1:])
    return other


def distinct(values: Array) -> list[int]:
    """The different ones, ascending."""
    ordered = np.sort(values)
    out: list[int] = ordered[changes(ordered)].tolist()
    return out


def counted(values: Array) -> tuple[Array, Array]:
    """The different ones, ascending, and how many there are of each.

    (numpy's ``unique`` imports all of its masked arrays first, where nothing else is asked of it:
    10 to 20 ms in which no key is answered.)
    """
    if (values[1:] < values[:-1]).any():  # times mostly stand in their order
        values = np.sort(values)
    begins = np.flatnonzero(changes(values))
    return values[begins], np.diff(begins, append=len(values))


def grouped(values: Array) -> tuple[Array, Array, Array]:
    """The different ones, ascending; the first place of each; and of each value which it is."""
    count = len(values)
    top = int(values.max(initial=0))
    if int(values.min(initial=0)) < 0 or top >= max(count, 1 << 16):
        return np.unique(values, return_index=True, return_inverse=True)
    # Few enough to look each up, and no need to sort.
    first = np.full(top + 1, count, np.uint32)
    first[values[::-1]] = np.arange(count - 1, -1, -1, dtype=np.uint32)
    different = np.flatnonzero(first < count)
    which = np.zeros(top + 1, np.uint32)
    which[different] = np.arange(len(different), dtype=np.uint32)
    return different, first[different], which[values]


def spans(begin: Array, size: Array) -> Array:
    """So many numbers from each ``begin`` on, one span behind the other."""
    inner = np.cumsum(size) - size
    numbers: Array = np.repeat(begin - inner, size) + np.arange(int(size.sum()))
    return numbers


def together(size: Array, most: int) -> list[Array]:
    """Which of the flows of these sizes to take together: ``most`` segments, or somewhat fewer.

    None is parted, so that a portion's first flow may come on top of that.
    """
    number = np.cumsum(size) // most
    parts = np.split(np.arange(len(size)), np.flatnonzero(np.diff(number)) + 1)
    return [part for part in parts if len(part)]


def syns(flags: Array) -> int:
    """How many segments have SYN: so many connections may begin where no flow does."""
    return sum(int(np.count_nonzero(flags[part] & SYN)) for part in _parts(len(flags)))


class Mixed(Exception):  # noqa: N818 - it is no failure: there is another way
    """Two flows have the same code."""


def flows_of(columns: Columns, *, sure: bool = True) -> Flows:
    """Sort all rows by flow.

    To be ``sure`` takes a look at all rows in that order. Whoever looks at each flow anyway can ask
    :func:`unmixed` then.
    """
    count, array = columns.count, columns.array
    kind = np.uint32 if count < 1 << 32 else np.uint64
    if _all_one(array["row"]):
        return Flows(np.arange(count, dtype=kind), np.array([0, count]))
    bits = np.uint64(max(count, 1).bit_length())
    several = len(columns.tables.scopes) > 1
    packed = np.empty(count, np.uint64)
    for part in _parts(count):
        code = codes(*ends(array, part), array["scope"][part] if several else None)
        code *= _ODD[1]
        code >>= bits
        code <<= bits
        code |= np.arange(part.start, part.stop, dtype=np.uint64)
        packed[part] = code
    packed.sort()
    order = (packed & np.uint64((1 << int(bits)) - 1)).astype(kind)
    packed >>= bits
    begins = changes(packed)
    del packed
    if not sure:
        return Flows(order, np.append(np.flatnonzero(begins), count), sure=False)
    new = _changes(array, order)
    if (new & ~begins).any():
        _part_collisions(array, order, new & ~begins, begins)
        new = _changes(array, order)
    return Flows(order, np.append(np.flatnonzero(new), count))


def unmixed(row: Array, begin: Array) -> bool:
    """Whether the rows of each flow are all between the same ends; ``begin`` as in :class:`Flows`.

    The rows are of :data:`~tcpviz.bulk.segments.columns.ROW`.
    """
    same = _goes_on(row)
    same[begin[1:-1] - 1] = True
    return bool(same.all())


def _goes_on(row: Array) -> Array:
    """Of each row but the first whether it is between the same ends as the one before it."""
    ends = row.view(_ENDS)
    hosts, ports, scope = (np.ascontiguousarray(ends[name]) for name in _ENDS.names or ())
    same: Array = (hosts[1:] == hosts[:-1]) & (ports[1:] == ports[:-1])
    # What goes the other way has source and destination the other way round.
    back = hosts[1:] << np.uint64(32) | hosts[1:] >> np.uint64(32)
    turned = back == hosts[:-1]
    back = ports[1:] << np.uint32(16) | ports[1:] >> np.uint32(16)
    same |= turned & (back == ports[:-1])
    same &= scope[1:] == scope[:-1]
    return same


def check(columns: Columns, order: Array) -> None:
    """That these rows are all between the same ends. Raises Mixed."""
    for part in _parts(len(order)):
        row = rows_at(columns.array, order[max(part.start - 1, 0) : part.stop])
        if not unmixed(row, np.array([0, len(row)])):
            raise Mixed


def _parts(count: int) -> list[slice]:
    return [slice(at, min(at + _STEP, count)) for at in range(0, count, _STEP)]


def _all_one(row: Array) -> bool:
    """Whether all are of one flow. Where they are not, the first ones mostly tell."""
    if not len(row):
        return False
    turned = row[:1].copy()
    for one, other in (("src", "dst"), ("sport", "dport")):
        turned[one], turned[other] = row[other][0], row[one][0]
    ways = [each.view(_ENDS)[0] for each in (row[:1], turned)]
    for part in _parts(len(row)):
        ends = row[part].view(_ENDS)
        hosts, ports = ends["hosts"], ends["ports"]
        one, other = ((hosts == way["hosts"]) & (ports == way["ports"]) for way in ways)
        if not ((one | other) & (ends["scope"] == ways[0]["scope"])).all():
            return False
    return True


def _changes(array: dict[str, Array], order: Array) -> Array:
    """Where another flow begins than the one before."""
    new = np.ones(len(order), np.bool_)
    for part in _parts(len(order)):
        before = max(part.start - 1, 0)
        new[before + 1 : part.stop] = ~_goes_on(rows_at(array, order[before : part.stop]))
    return new


def _part_collisions(array: dict[str, Array], order: Array, clash: Array, begins: Array) -> None:
    """Several flows share a code: sort each such stretch by the keys themselves."""
    edges = np.append(np.flatnonzero(begins), len(order))
    for place in np.unique(np.searchsorted(edges, np.flatnonzero(clash), "right")).tolist():
        stretch = slice(int(edges[place - 1]), int(edges[place]))
        low, high, scope = _keys(array, order[stretch])
        order[stretch] = order[stretch][np.lexsort((order[stretch], scope, high, low))]

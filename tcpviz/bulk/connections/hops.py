"""TTLs of connections' ends: of its SYNs, of its resets, and of all else, which may change.

Another host may have answered the SYN, or reset the connection, than the one that talks; and the
route may change. The verdicts compare these TTLs (:mod:`tcpviz.core.findings`), so where they
differ in a connection what follows from them is a part of what its signature stands for. Which ones
they are each connection tells by itself, but for a shape's example, which is told.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tcpviz.bulk.connections.work import Work
from tcpviz.bulk.segments.flows import changes, distinct
from tcpviz.core.connection import Connection
from tcpviz.core.records import Side
from tcpviz.core.segment import RST, SYN
from tcpviz.core.vitals import MAX_TTLS, Signs

Array = NDArray[Any]

_SYN, _RST, _OTHERS = 0, 1, 2
_KINDS = _OTHERS + MAX_TTLS
_NONE = -1
_CODE = 27
"""Bits of what :func:`_code` gives."""
_ANY = 1 << 62


class Hops(NamedTuple):
    """TTLs of those connections, among some, where those of an end differ.

    ``codes``  of each connection a number that tells what follows from them; 0 where none differ
    ``parts``  the others, in order, and of each and both ends the TTLs ``seen``: of its SYN, of its
               reset, and the first different ones of all else; -1 where there is none
    """

    codes: Array
    parts: Array
    seen: Array

    def packed(self, part: int) -> int:
        """A connection's TTLs as one number, 0 where they do not differ."""
        if not self.codes[part]:
            return 0
        return int.from_bytes(self.seen[np.searchsorted(self.parts, part)].tobytes(), "little")


def same_ttl(w: Work) -> Array:
    """Which SYNs and resets came with the TTL of their sender's first; and all that is neither."""
    _, same = _same(w)
    odd = np.flatnonzero(~same)
    if len(odd):
        same[odd] = True
        some = np.flatnonzero(_of_parts(w, odd) & (w.flags & (SYN | RST) != 0))
        ttl, kind = w.row["ttl"][some], (w.flags[some] & RST != 0) + 2 * w.side[some]
        kind += 4 * w.part[some].astype(np.intp)
        first = np.zeros(4 * len(w.first), np.uint8)
        first[kind[::-1]] = ttl[::-1]  # the first one stays
        same[some] = ttl == first[kind]
    return same


def different(w: Work) -> Hops | None:
    """Of connections where :func:`same_ttl` holds for all segments; ``None`` if none differ."""
    ttl, same = _same(w)
    odd = np.flatnonzero(~same)
    if not len(odd):
        return None
    parts = np.array(distinct(w.part[odd]))
    some = np.flatnonzero(_of_parts(w, odd))
    sender = 2 * np.searchsorted(parts, w.part[some]) + w.side[some]
    seen = _seen(sender, ttl[some], w.flags[some], 2 * len(parts))
    codes = np.zeros(len(w.first), np.int64)
    code = _code(seen)
    code = code[::2] | code[1::2] << _CODE
    codes[parts] = code | (code != 0) * _ANY
    return Hops(codes, parts, seen.reshape(-1, 2, _KINDS))


def tell(connection: Connection, packed: int) -> None:
    """Give a shape's example the TTLs that were packed into a number."""
    assert connection.analysis is not None
    seen = np.frombuffer(packed.to_bytes(4 * _KINDS, "little"), np.int16).reshape(2, _KINDS)
    for side, mine in zip(Side, seen.tolist(), strict=True):
        if max(mine) != _NONE:
            _put(connection.analysis.vitals.of(side), mine)


def new(w: Work, met: Array) -> Array:
    """The first ones of an end, neither SYN nor reset, with a TTL that is not ``met``, and now is.

    ``met``  of client and server whether each TTL is
    """
    named = w.side.astype(np.intp) << 8 | w.row["ttl"]
    fresh = np.flatnonzero(~met.ravel()[named] & (w.flags & (SYN | RST) == 0))
    met.ravel()[named[fresh]] = True
    places: Array = fresh[np.unique(named[fresh], return_index=True)[1]]
    return places


def differ(signs: Signs) -> bool:
    """Whether an end's TTLs do."""
    return len({signs.syn_ttl, signs.rst_ttl, *signs.ttls} - {None}) > 1


def take(signs: Signs, ttl: Array, flags: Array) -> None:
    """Give an end its own TTLs, by those of all its segments and their flags."""
    _put(signs, _seen(np.zeros(len(ttl), np.intp), ttl, flags, 1)[0].tolist())


def _put(signs: Signs, seen: list[int]) -> None:
    syn, rst, *others = (None if ttl == _NONE else ttl for ttl in seen)
    signs.syn_ttl, signs.rst_ttl = syn, rst
    signs.ttls = tuple(ttl for ttl in others if ttl is not None)


def _same(w: Work) -> tuple[Array, Array]:
    """Every segment's TTL, and whether it is that of its sender's first."""
    ttl = np.ascontiguousarray(w.row["ttl"])
    same: Array = ttl == w.of_sender(ttl[w.first], ttl[w.answer_at])
    return ttl, same


def _of_parts(w: Work, which: Array) -> Array:
    """Which segments are of the same connections as these."""
    parts = np.zeros(len(w.first), np.bool_)
    parts[w.part[which]] = True
    mine: Array = parts[w.part]
    return mine


def _seen(sender: Array, ttl: Array, flags: Array, count: int) -> Array:
    """Of so many senders the TTLs of these segments, as :class:`Hops` has them."""
    seen = np.full((count, _KINDS), _NONE, np.int16)
    syn, rst = flags & SYN != 0, flags & RST != 0
    seen[sender[rst], _RST] = ttl[rst]  # the last one stays
    seen[sender[syn & ~rst], _SYN] = ttl[syn & ~rst]
    others = np.flatnonzero(~(syn | rst))
    sender = sender[others]
    _, first = np.unique(sender << 8 | ttl[others], return_index=True)
    first.sort()
    first = first[np.argsort(sender[first], kind="stable")]
    whose = sender[first]
    begin = np.flatnonzero(changes(whose))
    rank = np.arange(len(whose)) - np.repeat(begin, np.diff(begin, append=len(whose)))
    few = rank < MAX_TTLS
    seen[whose[few], _OTHERS + rank[few]] = ttl[others[first[few]]]
    return seen


def _code(seen: Array) -> Array:
    """What follows for a verdict: which TTLs it compares, if they are far from each other."""
    seen = seen.astype(np.int64)
    syn, rst, usual, others = seen[:, _SYN], seen[:, _RST], seen[:, _OTHERS], seen[:, _OTHERS:]
    there = seen != _NONE
    far = there[:, _SYN] & there[:, _OTHERS] & ~there[:, _OTHERS + 1] & (np.abs(syn - usual) > 1)
    usual = np.where(there[:, _OTHERS], usual, syn)
    reset = there[:, _RST] & (usual != _NONE) & (np.abs(rst - usual) > 1)
    reset &= ((others == _NONE) | (np.abs(rst[:, None] - others) > 1)).all(axis=1)
    low, high = np.where(there, seen, 256).min(axis=1), seen.max(axis=1)
    code: Array = (there.any(axis=1) & (low != high)) | far << 1 | reset << 2
    code |= np.where(far | reset, usual, 0) << 3 | np.where(far, syn, 0) << 11
    code |= np.where(reset, rst, 0) << 19
    return code

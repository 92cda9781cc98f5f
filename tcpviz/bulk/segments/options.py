"""TCP options of many segments at once: timestamps, window scale, and whether all is ordinary."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tcpviz.bulk.segments.pieces import at_every
from tcpviz.core.segment import ACK, SYN
from tcpviz.core.vitals import FAR

Longs = NDArray[Any]

_END, _NOP, _MSS, _SCALE, _PERMITTED, _SACK, _STAMPS = 0, 1, 2, 3, 4, 5, 8
_MPTCP, _FAST_OPEN, _EXPERIMENTS = 30, 34, (253, 254)
_MAGIC = 0xF9, 0x89
"""What an option for experiments begins with that is Fast Open's (RFC 7413 appendix A)."""

_DSS = 2
"""MPTCP's subtype that stands on data and its acknowledgements (RFC 8684 section 3.3)."""
_STANDS_ON_DATA, _TELLS = np.uint8(1), np.uint8(2)
"""What MPTCP's options of a segment are, while they are read: that one, others, or both."""
_COOKIE = np.uint8(4)
"""The same, of a SYN that has Fast Open's cookie."""
_USUAL_STAMPS = 0x0101080A
_USUAL_SYN = 0x0204, 0x0402080A, 0x010303  # MSS; SACK-permitted and timestamps; NOP and scale
CUT_SCALE, NO_SCALE = 254, 255
"""In ``scale``: the capture ends before the options do; the option was absent.

A SYN may really ask for these, which counts as odd.
"""


@dataclass(slots=True)
class Read:
    """What the options of each segment say.

    ``stamped`` whether there are timestamps, ``value`` and ``echo`` which, the ``scale`` as sent,
    and ``odd`` for anything besides MSS, window scale, SACK-permitted, timestamps, and what is
    :func:`ignored`. Where that is nothing but SACK blocks near what is acknowledged, it is
    ``sacked``, too; and ``multipath``, where it is nothing but MPTCP's. A SYN that has Fast Open's
    cookie, and nothing else that is odd, is both.
    """

    stamped: NDArray[Any]
    value: NDArray[Any]
    echo: NDArray[Any]
    scale: NDArray[Any]
    odd: NDArray[Any]
    sacked: NDArray[Any]
    multipath: NDArray[Any]


def read(
    data: bytes,
    start: Longs,
    size: Longs,
    ack: Longs,
    flags: Longs,
    cut: NDArray[Any] | None = None,
) -> Read:
    """The options in ``data[start : start + size]``, by segments with this ``ack`` and ``flags``.

    The bytes are there. Of those that are ``cut`` there were more, which the snapshot lacks.
    """
    count = len(start)
    out = Read(
        np.zeros(count, np.bool_),
        np.zeros(count, np.uint32),
        np.zeros(count, np.uint32),
        np.full(count, NO_SCALE, np.uint8),
        np.zeros(count, np.bool_),
        np.zeros(count, np.bool_),
        np.zeros(count, np.uint8),
    )
    if cut is not None:
        out.scale[cut] = CUT_SCALE
    if not size.any():
        return out
    words = at_every(data, 4)
    rest = np.flatnonzero(size)
    twelve = rest[size[rest] == 12]
    if len(twelve):
        usual = twelve[words[start[twelve]].view(">u4") == _USUAL_STAMPS]
        _stamps(out, words, usual, start[usual] + 4)
        others = np.ones(count, np.bool_)
        others[usual] = False
        rest = rest[others[rest]]
    twenty = rest[size[rest] == 20]
    if len(twenty):
        place = start[twenty]
        usual = words[place].view(">u4") >> 16 == _USUAL_SYN[0]
        usual &= words[place + 4].view(">u4") == _USUAL_SYN[1]
        usual &= words[place + 16].view(">u4") >> 8 == _USUAL_SYN[2]
        asked = np.frombuffer(data, np.uint8)[place + 19]
        usual &= asked < CUT_SCALE
        known = twenty[usual]
        _stamps(out, words, known, place[usual] + 8)
        out.scale[known] = asked[usual]
        others = np.ones(count, np.bool_)
        others[known] = False
        rest = rest[others[rest]]
    longest = size[rest] if cut is None else np.where(cut[rest], 40, size[rest])
    begin = start[rest]
    where = begin, begin + size[rest], begin + longest
    _one_by_one(out, data, words, rest, where, ack, flags & (SYN | ACK) == SYN)
    _which_odd(out, flags)
    return out


def _which_odd(out: Read, flags: Longs) -> None:
    """Whatever has SACK blocks or MPTCP's options is odd; where it has nothing else, that is told.

    A SYN says by any of MPTCP's that it speaks it; of others, by those that stand on data nothing.
    """
    several = np.flatnonzero(out.multipath)
    cookies = several[out.multipath[several] == _COOKIE]
    cookies = cookies[~(out.odd[cookies] | out.sacked[cookies])]
    mixed = several[out.multipath[several] > _COOKIE]
    if len(several):
        out.odd[mixed] = True
        ordinary = (out.multipath[several] == _STANDS_ON_DATA) & (flags[several] & SYN == 0)
        out.multipath[several[ordinary]] = 0
        several = several[~ordinary]
        out.multipath[several] = ~(out.odd[several] | out.sacked[several])
    blocks = np.flatnonzero(out.sacked)
    if len(blocks):
        out.sacked[blocks] = ~out.odd[blocks]
        out.odd[blocks] = True
        out.sacked[several] = False
    out.odd[several] = True
    out.sacked[cookies] = True


_IGNORED = np.ones(256, np.bool_)
_IGNORED[[_END, _NOP, _MSS, _SCALE, _PERMITTED, _SACK, _STAMPS]] = False
_IGNORED[[_MPTCP, _FAST_OPEN, *_EXPERIMENTS]] = False


def ignored(kind: int) -> bool:
    """Whether nothing depends on an option: a signature (RFC 2385), a user timeout, an unknown one.

    Something does on Fast Open's cookie in a SYN, and on MPTCP's (:func:`multipath`).
    """
    if kind == _MPTCP:
        return True
    return bool(_IGNORED[kind]) or kind in _EXPERIMENTS  # those that are Fast Open's are no unknown


def multipath(kinds: Iterable[tuple[int, bytes]], *, syn: bool) -> bool | None:
    """Whether MPTCP's among the options of a segment say something; ``None`` if one is empty.

    A SYN says by any of them that it speaks it; others by those that do not stand on data.
    """
    mine = [data for kind, data in kinds if kind == _MPTCP]
    if not all(mine):
        return None
    return bool(mine) if syn else any(data[0] >> 4 != _DSS for data in mine)


def _fast_open(octets: NDArray[Any], place: Longs) -> NDArray[Any]:
    """Whether an option for experiments may be Fast Open's, by its first two bytes."""
    first, second = (octets[np.minimum(place + at, len(octets) - 1)] for at in (2, 3))
    magic: NDArray[Any] = (first == _MAGIC[0]) & (second == _MAGIC[1])
    return magic


def _stamps(out: Read, words: NDArray[Any], rows: Longs, place: Longs) -> None:
    out.stamped[rows] = True
    out.value[rows] = words[place].view(">u4")
    out.echo[rows] = words[place + 4].view(">u4")


def _blocks(
    out: Read, words: NDArray[Any], rows: Longs, place: Longs, length: Longs, ack: Longs
) -> None:
    """SACK blocks; odd are those that begin far from what is acknowledged, and D-SACKs.

    What came twice may have been sent again for nothing: see ``vitals.Signs``.
    """
    out.sacked[rows] = True
    first, above = (_block(words, place, at) for at in (2, 10))
    double = _reaches(first[1], ack[rows])
    within = _reaches(above[0], first[0]) & _reaches(first[1], above[1])
    out.odd[rows[double | ((length >= 18) & within)]] = True
    for at in range(2, int(length.max()) - 7, 8):
        there = length > at
        left = words[place[there] + at].view(">u4").astype(np.uint32)
        off = (left - ack[rows[there]].astype(np.uint32)).view(np.int32).astype(np.int64)
        out.odd[rows[there][np.abs(off) > FAR]] = True


def _block(words: NDArray[Any], place: Longs, at: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """From and up to where a block reaches; anything where there is none."""
    there = np.minimum(place + at, len(words) - 5)
    left, right = (words[each].view(">u4").astype(np.uint32) for each in (there, there + 4))
    return left, right


def _reaches(one: NDArray[Any], other: NDArray[Any]) -> NDArray[Any]:
    """Whether one number does not lie behind the other (``seqno.le``)."""
    behind = other.astype(np.uint32) - one
    reaches: NDArray[Any] = behind <= 1 << 31
    return reaches


def _one_by_one(
    out: Read,
    data: bytes,
    words: NDArray[Any],
    rows: Longs,
    where: tuple[Longs, Longs, Longs],
    ack: Longs,
    opens: NDArray[Any],
) -> None:
    """The first option of every segment, then the second of every one, and so on.

    ``where`` they begin, where what is there of them ends, and where they can end at most: what
    reaches beyond the one but not beyond the other ends the reading, and is not odd. Only what
    ``opens`` a connection has use for a cookie; without one it asks for it.
    """
    place, end, most = where
    octets = np.frombuffer(data, np.uint8)
    while len(rows):
        kind = octets[place]
        single = kind == _NOP
        done = kind == _END
        # The length's byte may lie outside of everything; what is read there is not used.
        length = octets[np.minimum(place + 1, len(octets) - 1)].astype(np.int64)
        length[single] = 1
        lone = place + 1 >= end
        beyond = ~single & ~done & (lone | (place + length > end))
        short = ~single & ~done & ~lone & (length < 2)
        # Of a kind without its length nothing is known where the snapshot was cut.
        done |= beyond & ~short & (most > end) & (lone | (place + length <= most))
        wrong = (beyond & ~done) | short
        # Behind the list's own end, or where it cannot be read any more, there is nothing.
        ended = rows[wrong | (kind == _END)]
        out.scale[ended[out.scale[ended] == CUT_SCALE]] = NO_SCALE
        known = (
            single
            | done
            | ((kind == _MSS) & (length == 4))
            | ((kind == _SCALE) & (length == 3))
            | ((kind == _PERMITTED) & (length == 2))
            | ((kind == _STAMPS) & (length == 10))
        )
        blocks = (kind == _SACK) & (length >= 10) & (length % 8 == 2)
        known |= blocks
        known |= _IGNORED[kind]
        several = np.flatnonzero((kind == _MPTCP) & (length > 2) & ~wrong & ~done)
        known[several] = True
        stands = octets[place[several] + 2] >> 4 == _DSS
        out.multipath[rows[several]] |= np.where(stands, _STANDS_ON_DATA, _TELLS)
        tried = (kind >= _EXPERIMENTS[0]) & (kind <= _EXPERIMENTS[1])
        fast = np.where(kind == _FAST_OPEN, 2, 4 * (tried & _fast_open(octets, place)))
        known |= tried & (fast == 0)
        known |= (fast > 0) & (length >= fast)
        # The last one counts.
        again = (fast > 0) & (length == fast) & (out.multipath[rows] & _COOKIE > 0)
        out.odd[rows[again]] = True
        cookies = rows[(fast > 0) & (length > fast) & opens[rows] & ~wrong & ~done]
        out.multipath[cookies] |= _COOKIE
        out.odd[rows[wrong | ~known]] = True
        whole = ~wrong & ~done
        mine = whole & known
        scales = np.flatnonzero((kind == _SCALE) & mine)
        if len(scales):
            asked = octets[place[scales] + 2]
            out.scale[rows[scales]] = asked
            out.odd[rows[scales[asked >= CUT_SCALE]]] = True
        stamps = np.flatnonzero((kind == _STAMPS) & mine)
        if len(stamps):
            _stamps(out, words, rows[stamps], place[stamps] + 2)
        sacks = np.flatnonzero(blocks & mine)
        if len(sacks):
            _blocks(out, words, rows[sacks], place[sacks], length[sacks], ack)
        place = place + length
        on = whole & (place < end)
        rows, place, end, most = rows[on], place[on], end[on], most[on]

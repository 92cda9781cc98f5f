"""Signatures: the order of those segments on which the core's answer rests.

Of a regular connection (:mod:`tcpviz.bulk.connections.regular`) the states, the letters and
the bits depend on who sends what kind of segment after which others: SYNs, the
first data and the first plain ACK of each end, what follows upon the handshake,
data sent again, keep-alives and what comes upon them, FINs and what is
acknowledged then, a reset; and on what is so in all of it (:mod:`.common`).
They do not depend on how often the same is repeated: of each kind of segment
only the first counts, and once an end has closed the first two between two new
things. That connections of one signature
are of one kind is what the tests hold against the core, connection by connection.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tcpviz.bulk.connections.aftermath import OVER, below, first_resets
from tcpviz.bulk.connections.work import Work
from tcpviz.bulk.segments.columns import COOKIE
from tcpviz.bulk.segments.flows import changes, mixed
from tcpviz.bulk.segments.options import CUT_SCALE, NO_SCALE
from tcpviz.core.segment import SYN

Array = NDArray[Any]

_TALK, _SYN, _SYN_ACK, _RESET, _CLOSE, _AFTER, _AGAIN, _ALIVE, _ANSWER = (
    np.uint16(n << 9) for n in range(9)
)
_GROUP = np.uint16(0xFE00)
_PLAIN = 7
"""The greatest token of segments that do nothing but talk, most of all."""
_TORN = np.uint64(1 << 15)
"""Packets were lost right before it."""
_CUT = np.uint64(1 << 14)
"""A SYN's options were cut off where they may tell a window scale."""


def signatures(work: Work) -> tuple[Array, Array]:
    """One number for each connection, equal only where the orders are; and which segments count.

    In connections of one signature the first that counts does the same, and so on.
    """
    token = tokens(work)
    group = token & _GROUP
    new = _new(work, token)
    kept = (group != _TALK) & (group != _AFTER) | new
    kept |= _twice(token, group, new | work.refin)
    if not work.losing:  # its example is not thinned
        kept[work.mine_at[np.flatnonzero(work.resent)]] = True
    # How far the sender of a keep-alive has come; and the window that its answer repeats, or not.
    idle = np.flatnonzero(work.alive | work.answers | work.goes_on)
    kept[work.mine_at[idle]] = True
    # What such a reset answers.
    kept[work.theirs_at[below(work)]] = True
    # With whatever follows upon the handshake the data phase begins.
    third = work.third
    kept[third[third < work.last] + 1] = True
    if work.torn is not None:
        kept |= work.torn
    if work.also is not None:
        kept[work.also] = True
    counting = np.flatnonzero(kept)
    part = work.part[counting]
    begin = np.flatnonzero(changes(part))  # the first one of each counts
    place = np.arange(len(counting)) - begin[part]
    said = token[counting] | place.astype(np.uint64) << np.uint64(16)
    if work.torn is not None:
        said[work.torn[counting]] |= _TORN
    said[_unknown_scale(work)[counting]] |= _CUT
    codes = mixed(said)
    codes = np.add.reduceat(codes, begin)
    if work.common.any():
        codes ^= mixed(work.common, 2)
    if work.hops is not None:
        codes ^= mixed(work.hops.codes, 2)
    if work.variety is not None:
        codes ^= mixed(work.variety, 2)
    return codes, kept


def _unknown_scale(w: Work) -> Array:
    """SYNs of ends whose window scale the capture has cut off: as ``End.scale_cut`` is left."""
    unknown = np.zeros(w.count, np.bool_)
    syns = w.syns
    mine = w.array["scale"][w.rows[syns]]
    if (mine == CUT_SCALE).any():
        part = w.part[syns]
        answer = w.answer_at[part]
        answered = w.answered[part] & (w.flags[answer] & SYN != 0)
        theirs = np.where(w.side[syns], w.first[part], answer)
        # Nobody scales unless both do.
        none = (w.array["scale"][w.rows[theirs]] == NO_SCALE) & (w.side[syns] | answered)
        unknown[syns] = (mine == CUT_SCALE) & ~none
    return unknown


def tokens(w: Work) -> Array:
    """What kind of segment each is, as a number."""
    one, two, three = np.uint16(1), np.uint16(2), np.uint16(3)
    token = w.side.astype(np.uint16)
    token |= (w.length > 0).astype(np.uint16) << one
    token |= w.more.astype(np.uint16) << two
    token[w.resent] |= _AGAIN
    if w.classes is not None:
        token |= w.classes << three
    if w.alive.any():
        token[w.alive] |= _ALIVE
        answers = np.flatnonzero(w.answers & ~w.alive)
        same = w.at_once[answers] & (w.window[answers] == w.window[w.mine_at[answers]])
        token[answers] |= _ANSWER | same.astype(np.uint16) << three
        # Once its sender goes on, nothing answers it any more.
        token[w.goes_on] |= _ANSWER | one << np.uint16(4)
    syns = w.syns
    token[syns] |= np.where(w.opening[syns], _SYN, _SYN_ACK)
    token[syns[w.bits[syns] & COOKIE == COOKIE]] |= one << three
    late = w.closed | w.ended | w.fin | w.rst
    over = first_resets(w)
    if over is not None:
        late |= over >= 0
    late = np.flatnonzero(late)
    fin, rst, closed, ended = w.fin[late], w.rst[late], w.closed[late], w.ended[late]
    has_ack, back, theirs = w.has_ack[late], w.back[late], w.theirs[late]
    said = token[late] & np.uint16(7)
    said |= np.where(rst, _RESET, np.where(fin, _CLOSE, _AFTER))
    whole = ended & has_ack & (back == theirs)
    said |= closed.astype(np.uint16) << three | ended.astype(np.uint16) << np.uint16(4)
    said |= whole.astype(np.uint16) << np.uint16(5)
    heard = np.where(has_ack, back, w.acked[late])
    waiting = (w.mine[late] > w.heard[late]).astype(np.uint16) << np.uint16(6)
    waiting |= (theirs > heard).astype(np.uint16) << np.uint16(7)
    waiting |= has_ack.astype(np.uint16) << np.uint16(8)
    tells = rst | w.refin[late]
    if over is not None:
        after = over[late] >= 0
        said[after] |= OVER
        tells |= after
    said[tells] |= waiting[tells]
    token[late] = said
    token[below(w)] |= one << one
    made: Array = token
    return made


def talk_token(*, server: bool, data: bool, more: bool) -> int:
    """The same of a plain segment before anybody has closed.

    ``more``  the server acknowledges more than the SYN
    """
    return int(server) | int(data) << 1 | int(more) << 2


def rests(token: Array) -> Array:
    """Which kinds of segments are told by what was said right before them, too."""
    group = token & _GROUP
    kinds: Array = (group == _RESET) | (group == _CLOSE) | (group == _AFTER)
    return kinds


def counting(work: Work, token: Array, met: set[int], skip: int) -> Array:
    """Places from ``skip`` on that may count in a connection in which these kinds were ``met``."""
    group = token & _GROUP
    new = _new(work, token)
    new &= ~np.isin(token, np.array(sorted(met), np.uint16))
    kept = (group != _TALK) & (group != _AFTER) | new
    kept |= _twice(token, group, new | work.refin)
    kept[:skip] = False
    places: Array = np.flatnonzero(kept)
    return places


def _twice(token: Array, group: Array, new: Array) -> Array:
    """Of what comes once an end has closed, the first two of each kind between new kinds."""
    kept = np.zeros(len(token), np.bool_)
    after = np.flatnonzero(group == _AFTER)
    if len(after):
        stage = np.cumsum(new, dtype=np.int32)
        said = token[after]
        for one in _present(said):
            where = after[said == one]
            stages = stage[where]
            kept[where[:2]] = True
            kept[where[2:][stages[2:] != stages[:-2]]] = True
    return kept


def _new(work: Work, token: Array) -> Array:
    """The first of each kind of segment in each connection, and wherever that begins anew."""
    new = np.zeros(work.count, np.bool_)
    part = work.part
    for anew in (work.torn, work.anew):
        if anew is not None:
            # Nothing is as sure as before, and whatever comes may make it so again.
            part = part + np.cumsum(anew, dtype=np.int32)
    for one in range(_PLAIN + 1):
        where = np.flatnonzero(token == one)
        new[where[np.flatnonzero(changes(part[where]))]] = True
    # The others are many kinds, and few segments.
    others = np.flatnonzero(token > _PLAIN)
    others = others[np.argsort(token[others], kind="stable")]
    fresh = changes(token[others]) | changes(part[others])
    new[others[np.flatnonzero(fresh)]] = True
    return new


def _present(token: Array) -> list[np.uint16]:
    """The different ones."""
    met: Array = np.bincount(token)
    return [np.uint16(one) for one in np.flatnonzero(met).tolist()]

"""Signatures: the order of those segments on which the core's answer rests.

Of a regular connection (:mod:`tcpviz.bulk.regular`) the states, the letters and
the bits depend on who sends what kind of segment after which others: SYNs, the
first data and the first plain ACK of each end, data sent again, FINs and what
is acknowledged then, a reset; and on whether all checksums of an end are wrong.
They do not depend on how often the same is repeated: of each kind of segment
only the first counts, and once an end has closed the first two between two new
things. That connections of one signature are of one kind is what the tests hold
against the core, connection by connection.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tcpviz.bulk.flows import mixed
from tcpviz.bulk.regular import SYN, Work

Array = NDArray[Any]

_TALK, _SYN, _SYN_ACK, _RESET, _CLOSE, _AFTER, _AGAIN = range(7)


def signatures(work: Work) -> tuple[Array, Array]:
    """One number for each connection, equal only where the orders are; and which segments count.

    In connections of one signature the first that counts does the same, and so on.
    """
    token = _tokens(work)
    group = token >> 9
    new = _new(work, token)
    kept = (group != _TALK) & (group != _AFTER) | new
    after = np.flatnonzero(group == _AFTER)
    if len(after):
        stage = np.cumsum(new)
        for one in _present(token[after]):
            where = after[token[after] == one]
            stages = stage[where]
            kept[where[:2]] = True
            kept[where[2:][stages[2:] != stages[:-2]]] = True
    again = np.flatnonzero(work.resent)
    kept[work.first[work.part[again]] + work.mine_at[again]] = True
    order = np.cumsum(kept)
    before = np.zeros(len(work.first), np.int64)
    before[1:] = order[work.first[1:] - 1]
    place = order - before[work.part]
    codes = mixed(token.astype(np.uint64) | place.astype(np.uint64) << np.uint64(16))
    codes[~kept] = 0
    codes = np.add.reduceat(codes, work.first)
    if work.offload.any():
        codes ^= mixed(work.offload[0] + 2 * work.offload[1].astype(np.int64), 2)
    return codes, kept


def _tokens(w: Work) -> Array:
    side, data = w.side.astype(np.int64), (w.length > 0).astype(np.int64)
    syn, opening = w.flags & SYN != 0, w.opening
    # Whether the server acknowledges more than the SYN: the client's own ACKs always do.
    beyond = (w.side & w.has_ack & (w.back > 1)).astype(np.int64)
    token = np.full(w.count, _TALK << 9, np.int64)
    closing = w.closed | w.ended
    token[closing] = _AFTER << 9
    token[w.resent] = _AGAIN << 9
    token[w.fin] = _CLOSE << 9
    token[w.rst] = _RESET << 9
    token[syn] = _SYN_ACK << 9
    token[opening] = _SYN << 9
    token |= side | data << 1 | beyond << 2
    late = closing | w.fin | w.rst
    whole = w.ended & w.has_ack & (w.back == w.theirs)
    token |= np.where(
        late, w.closed.astype(np.int64) << 3 | w.ended.astype(np.int64) << 4 | whole << 5, 0
    )
    heard = np.where(w.has_ack, w.back, w.acked)
    waiting = (w.mine > w.heard).astype(np.int64) << 6 | (w.theirs > heard).astype(np.int64) << 7
    token |= np.where(w.rst, waiting | w.has_ack.astype(np.int64) << 8, 0)
    return token


def _new(work: Work, token: Array) -> Array:
    """The first of each kind of segment in each connection."""
    new = np.zeros(work.count, np.bool_)
    for one in _present(token):
        where = np.flatnonzero(token == one)
        parts = work.part[where]
        fresh = np.ones(len(where), np.bool_)
        fresh[1:] = parts[1:] != parts[:-1]
        new[where[fresh]] = True
    return new


def _present(token: Array) -> list[int]:
    """The different ones."""
    return np.flatnonzero(np.bincount(token)).tolist()

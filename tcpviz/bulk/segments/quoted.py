"""ICMP errors about TCP, many at once: what :mod:`tcpviz.wire.icmp` makes of each, as columns."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tcpviz.bulk.segments import sums
from tcpviz.bulk.segments.columns import Tables
from tcpviz.bulk.segments.icmp import Errors, Piece
from tcpviz.bulk.segments.pieces import at_every
from tcpviz.bulk.segments.records import Batch
from tcpviz.bulk.segments.steps.crowd import LEFT, Crowd, Why

Array = NDArray[Any]

Quoted = tuple[Array, Piece]
"""The places of their frames in the batch, and columns without ``row``."""

_NEEDED = 0x0304
"""Type and code of "fragmentation needed", which tells an MTU (RFC 1191)."""

_TOO_BIG = 2
"""ICMPv6's type that does (RFC 4443)."""

_ICMP6 = 58


def errors(batch: Batch, crowd: Crowd, rows: Array, tables: Tables, into: Errors) -> Quoted | None:
    """Those that were left in the crowd, with numbers of ``into`` for VLANs and tunnels.

    They are skipped then, as the decoder does; those whose checksum is wrong stay with it.
    """
    if not crowd.quoting:
        return None
    which = np.concatenate([each for each, _ in crowd.quoting])
    tcp = np.concatenate([each for _, each in crowd.quoting])
    order = np.argsort(which, kind="stable")
    which, tcp = which[order], tcp[order]
    left = crowd.layer[which] == LEFT
    which, tcp = which[left], tcp[left]
    fine = _summed(batch, crowd, which)
    which, tcp = which[fine], tcp[fine]
    if not len(which):
        return None
    six = crowd.six[which]
    crowd.skip(which[~six], Why.ICMP_ERROR)
    crowd.skip(which[six], Why.ICMP6_ERROR)
    octets, ip, begin, frames = crowd.octets, crowd.ip[which], crowd.place[which], rows[which]
    kinds = octets.word(begin)
    mtu = np.where(kinds == _NEEDED, octets.word(begin + 6), 0)
    mtu = np.where(six, np.where(kinds >> 8 == _TOO_BIG, octets.long(begin + 4), 0), mtu)
    quoted = begin + 8
    piece = {
        "time": batch.time_ns[frames],
        "frame": batch.first + frames,
        "sport": octets.word(tcp),
        "dport": octets.word(tcp + 2),
        "seq": octets.long(tcp + 4),
        "version": np.where(six, 6, 4),
        "type": kinds >> 8,
        "code": kinds & 0xFF,
        "ttl": octets.octet(quoted + np.where(six, 7, 8)),
        "mtu": mtu,
        "scope": _scopes(crowd, which, into),
    }
    for name, header, at in (
        ("reporter", ip, 0),
        ("told", ip, 1),
        ("src", quoted, 0),
        ("dst", quoted, 1),
    ):
        piece[name] = _addresses(tables, crowd, header, six, at)
    return frames, piece


def _summed(batch: Batch, crowd: Crowd, which: Array) -> Array:
    """Whether their checksums are right, as far as that can be told."""
    begin, end, six = crowd.place[which], crowd.end[which], crowd.six[which]
    whole = end <= crowd.limit[which]
    fine = np.ones(len(which), np.bool_)
    mine = np.flatnonzero(whole & ~six)
    if len(mine):
        fine[mine] = sums.spans(batch.data, begin[mine], end[mine]) % 65535 == 0
    mine = np.flatnonzero(whole & six & crowd.sure[which])
    if len(mine):
        place = crowd.ip[which[mine]] + 8
        total = sums.spans(batch.data, place, place + 32)
        total += sums.spans(batch.data, begin[mine], end[mine])
        size = end[mine] - begin[mine]
        fine[mine] = (total + (size >> 16) + (size & 0xFFFF) + _ICMP6) % 65535 == 0
    return fine


def _addresses(tables: Tables, crowd: Crowd, header: Array, six: Array, at: int) -> Array:
    """The numbers of the ``at``-th address in each of these IP headers."""
    out = crowd.octets.long(header + 12 + 4 * at)
    mine = np.flatnonzero(six)
    if len(mine):
        view = at_every(crowd.octets.data, 16)
        texts = view[header[mine] + 8 + 16 * at].tobytes()
        known = {each: tables.address(each) for each in {
            texts[place : place + 16] for place in range(0, len(texts), 16)
        }}  # fmt: skip
        out[mine] = [known[texts[place : place + 16]] for place in range(0, len(texts), 16)]
    return out


def _scopes(crowd: Crowd, which: Array, into: Errors) -> Array:
    mine = crowd.scope[which]
    out = np.zeros(len(mine), np.int64)
    for number in np.unique(mine).tolist():
        out[mine == number] = into.scope(crowd.scopes[number])
    return out

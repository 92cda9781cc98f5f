"""Link layers of many frames at once: where IP begins, and in which VLANs and sessions.

Ethernet, Linux cooked captures, BSD loopback, raw IP and PPP; in them up to two VLAN tags, a PPPoE
session, a few MPLS labels. What comes out is what :mod:`tcpviz.wire.link` says; what is not known
here is left to it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tcpviz.bulk.segments.columns import Tables
from tcpviz.bulk.segments.flows import grouped
from tcpviz.wire.numbers import VLAN_TAGS

Longs = NDArray[Any]

V4, V6 = 0x0800, 0x86DD
ANY, NONE = -3, -1
"""In ``kind``: IP of either version, and nothing that is read here."""

LEAST = 40
"""Bytes of a frame of which fewer are not looked at: all that is read here lies within them."""

ETHERNET = 1
_RAW, _IPV4, _IPV6 = (12, 14, 101), 228, 229
_LOOPBACK, _COOKED, _COOKED2, _PPP = (0, 108), 113, 276, 9
_PPPOE, _MPLS = 0x8864, (0x8847, 0x8848)
_AT_PPP = -2
_TAGS = np.array(sorted(VLAN_TAGS), np.int64)
_NO_FAMILY = np.array((801, 803, 824), np.int64)  # cooked frames of radio and netlink
_SIX = (10, 23, 24, 28, 30)
_LABELS = 4  # so that they lie within LEAST bytes, whatever is before them


class Reader:
    """Numbers at any places in a batch's bytes."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.octets = np.frombuffer(data, np.uint8)
        self._views: dict[int, NDArray[Any]] = {}

    def take(self, place: Longs, size: int) -> NDArray[Any]:
        """So many bytes at each place."""
        view = self._views.get(size)
        if view is None:
            count = max(len(self._data) - size + 1, 0)
            view = np.ndarray((count,), f"V{size}", self._data, strides=(1,))
            self._views[size] = view
        return view[place]

    def word(self, place: Longs) -> Longs:
        """The 16 bits there."""
        return self.take(place, 2).view(">u2").astype(np.int64)


@dataclass(slots=True)
class Way:
    """Of each frame the EtherType of what lies at ``inside`` (:data:`ANY`, :data:`NONE`).

    ``limit``  where what was captured of it ends, ``end`` where it ends itself
    ``tags``   outer and inner VLAN id, 0 for none; ``session`` of PPPoE, -1 for none
    """

    kind: Longs
    inside: Longs
    limit: Longs
    end: Longs
    tags: tuple[Longs, Longs]
    session: Longs

    def scopes(self, tables: Tables, version: int, which: Longs) -> Longs:
        """Scope numbers of some; VLAN id 0 is a priority, and no VLAN."""
        outer, inner = (tag[which] for tag in self.tags)
        both, _, back = grouped((self.session[which] + 1) << 24 | outer << 12 | inner)
        numbers = [_scope(tables, version, each) for each in both.tolist()]
        return np.array(numbers, np.int64)[back]


def _scope(tables: Tables, version: int, of: int) -> int:
    names = [f"vlan {tag}" for tag in (of >> 12 & 0xFFF, of & 0xFFF) if tag]
    if of >> 24:
        names.append(f"pppoe {(of >> 24) - 1}")
    return tables.scope(version, tuple(names))


def way(reader: Reader, link: int, start: Longs, captured: Longs, wire: Longs) -> Way:
    """From the first bytes of frames of a link type, of which at least :data:`LEAST` are there."""
    count = len(start)
    kind = np.full(count, NONE, np.int64)
    inside = start.copy()
    if link == ETHERNET:
        kind, inside = reader.word(start + 12), start + 14
    elif link in _RAW:
        kind[:] = ANY
    elif link in (_IPV4, _IPV6):
        kind[:] = V4 if link == _IPV4 else V6
    elif link in _LOOPBACK:
        family = reader.take(start, 4).view(">u4").astype(np.int64)
        kind[(family == 2) | (family == 2 << 24)] = V4
        for six in _SIX:
            kind[(family == six) | (family == six << 24)] = V6
        inside = start + 4
    elif link == _COOKED:
        kind, inside = reader.word(start + 14), start + 16
        kind[np.isin(reader.word(start + 2), _NO_FAMILY)] = NONE
    elif link == _COOKED2:
        kind, inside = reader.word(start), start + 20
        kind[np.isin(reader.word(start + 8), _NO_FAMILY)] = NONE
    elif link == _PPP:
        kind[:] = _AT_PPP
    no_tag = np.zeros(count, np.int64)
    made = Way(
        kind,
        inside,
        start + captured,
        start + np.maximum(wire, captured),
        (no_tag, no_tag),
        np.full(count, -1, np.int64),
    )
    if link in (ETHERNET, _COOKED, _COOKED2):
        made.tags = _tag(reader, made), _tag(reader, made)
        _sessions(reader, made)
        _labels(reader, made)
    _ppp(reader, made)
    return made


def _tag(reader: Reader, made: Way) -> Longs:
    """Step over a VLAN tag; its id, 0 where there is none."""
    tag = np.zeros(len(made.kind), np.int64)
    tagged = np.flatnonzero(np.isin(made.kind, _TAGS))
    if len(tagged):
        place = made.inside[tagged]
        tag[tagged] = reader.word(place) & 0x0FFF
        made.kind[tagged] = reader.word(place + 2)
        made.inside[tagged] += 4
    return tag


def _sessions(reader: Reader, made: Way) -> None:
    """PPPoE (RFC 2516 section 4): a session's frames, and how long they say that they are."""
    which = np.flatnonzero(made.kind == _PPPOE)
    if not len(which):
        return
    place = made.inside[which]
    made.kind[which] = np.where(reader.word(place) == 0x1100, _AT_PPP, NONE)
    made.session[which] = reader.word(place + 2)
    end = place + 6 + reader.word(place + 4)
    made.end[which] = np.minimum(made.end[which], end)
    made.limit[which] = np.minimum(made.limit[which], end)
    made.inside[which] += 6


def _labels(reader: Reader, made: Way) -> None:
    """MPLS (RFC 3032), and IP behind it by its first four bits."""
    which = np.flatnonzero((made.kind == _MPLS[0]) | (made.kind == _MPLS[1]))
    if not len(which):
        return
    place = made.inside[which]
    open_ = np.ones(len(which), np.bool_)
    for _ in range(_LABELS):
        bottom = reader.octets[place + 2] & 1 != 0
        place = place + 4 * open_
        open_ &= ~bottom
    version = reader.octets[place] >> 4
    kind = np.where(version == 4, V4, np.where(version == 6, V6, NONE))
    made.kind[which] = np.where(open_, NONE, kind)
    made.inside[which] = place


def _ppp(reader: Reader, made: Way) -> None:
    """PPP with or without HDLC's address and control, its protocol in one byte or two."""
    which = np.flatnonzero(made.kind == _AT_PPP)
    if not len(which):
        return
    place = made.inside[which]
    place = place + 2 * (reader.word(place) == 0xFF03)
    first = reader.octets[place].astype(np.int64)
    protocol = np.where(first == 0, reader.word(place), first)
    kind = np.where(protocol == 0x21, V4, np.where(protocol == 0x57, V6, NONE))
    made.kind[which] = kind
    made.inside[which] = place + 1 + (first == 0)

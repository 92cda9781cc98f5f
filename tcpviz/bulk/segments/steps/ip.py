"""Steps of a crowd through IPv4 and IPv6, their options, extension headers and fragments.

Each does what its namesake in :mod:`tcpviz.wire.ip` does, which gives the sources. Fragments of
TCP and jumbograms are left to it, and ICMP (:mod:`tcpviz.wire.icmp`) where it may be about TCP.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tcpviz.bulk.segments.steps.crowd import Crowd, Why
from tcpviz.bulk.segments.steps.link import table
from tcpviz.wire.ip import MAX_EXTENSIONS
from tcpviz.wire.numbers import IP_PROTOCOLS
from tcpviz.wire.walk import Layer

Array = NDArray[Any]

TCP = 6
_BY_PROTOCOL = table(IP_PROTOCOLS, 1 << 8)
_HOP_BY_HOP, _FRAGMENT, _AUTHENTICATION = 0, 44, 51
_EXTENSIONS = (0, 43, 60, 135, 139, 140)
_EXTENDS = np.isin(np.arange(256), _EXTENSIONS)
_BEFORE_TCP = np.isin(np.arange(256), (*_EXTENSIONS, TCP, _AUTHENTICATION))
_UNFINISHED = 1 << 20
_ICMP_ERRORS = np.isin(np.arange(256), (3, 11, 12))
_ICMP6_ERRORS = np.isin(np.arange(256), (1, 2, 3, 4))


def ip(crowd: Crowd, which: Array) -> None:
    """IP of either version, told by its first four bits."""
    place = crowd.place[which]
    there = crowd.has(which, Why.IP, place + 1)
    which, place = which[there], place[there]
    version = crowd.octets.octet(place) >> 4
    six, four = version == 6, version == 4
    crowd.go(which[four], Layer.IPV4, place[four])
    crowd.go(which[six], Layer.IPV6, place[six])
    crowd.unless(which, ~four & ~six, Why.VERSION, version)


def ipv4(crowd: Crowd, which: Array) -> None:
    """An IPv4 header, its options skipped."""
    octets, place = crowd.octets, crowd.place[which]
    there = crowd.has(which, Why.V4, place + 20)
    which, place = which[there], place[there]
    head = octets.long(place)
    first, total = head >> 24, head & 0xFFFF
    fine = crowd.unless(which, first >> 4 != 4, Why.V4_VERSION, first >> 4)
    which, place, first, total = which[fine], place[fine], first[fine], total[fine]
    length = (first & 0x0F) * 4
    fine = crowd.unless(which, length < 20, Why.V4_HEADER)
    which, place, total, length = which[fine], place[fine], total[fine], length[fine]
    fine = crowd.unless(which, (total > 0) & (total < length), Why.V4_TOTAL)
    which, place, total, length = which[fine], place[fine], total[fine], length[fine]
    crowd.narrow(which, np.where(total > 0, place + total, crowd.end[which]))
    inside = place + length
    there = crowd.has(which, Why.V4_OPTIONS, inside)
    which, place, length, inside = which[there], place[there], length[there], inside[there]
    crowd.ip[which] = place
    crowd.six[which] = False
    crowd.sure[which] = length == 20
    fragment = octets.word(place + 6)
    protocol = octets.octet(place + 9)
    part = fragment & 0x3FFF != 0
    if part.any():
        crowd.leave(which[part & (protocol == TCP)])
        part &= protocol != TCP
        on = _fragments(
            crowd, which[part], inside[part], fragment[part] & 0x1FFF, Why.V4_LATER, protocol[part]
        )
        goes_on = fragment & 0x3FFF == 0
        goes_on[np.flatnonzero(part)[on]] = True
        which, inside, protocol = which[goes_on], inside[goes_on], protocol[goes_on]
    by_protocol(crowd, which, protocol, inside)


def _fragments(
    crowd: Crowd, which: Array, inside: Array, start: Array, why: Why, protocol: Array
) -> Array:
    """Fragments of something else than TCP; which of them are the first, and go on."""
    first = crowd.unless(which, start != 0, why, protocol)
    # Its own bytes end here, but what it is part of goes on.
    mine = which[first]
    crowd.end[mine] = np.maximum(crowd.end[mine], inside[first] + _UNFINISHED)
    return first


def by_protocol(crowd: Crowd, which: Array, protocol: Array, place: Array) -> None:
    """What IP protocol numbers lead to, inside the IP header that each has just passed."""
    layer = _BY_PROTOCOL[protocol]
    crowd.layer[which] = layer
    crowd.place[which] = place
    lost = layer == 0
    if lost.any():
        crowd.skip(which[lost], Why.PROTOCOL, protocol[lost])
    for inner, names in ((Layer.IPV4, ("ipip", "4in6")), (Layer.IPV6, ("6in4", "6in6"))):
        tunnel = which[layer == inner.value]
        if len(tunnel):
            six = crowd.six[tunnel]
            crowd.enter(tunnel[~six], names[0])
            crowd.enter(tunnel[six], names[1])


def ipv6(crowd: Crowd, which: Array) -> None:
    """An IPv6 header and its chain of extension headers, of bounded length."""
    octets, place = crowd.octets, crowd.place[which]
    there = crowd.has(which, Why.V6, place + 40)
    which, place = which[there], place[there]
    version = octets.octet(place) >> 4
    fine = crowd.unless(which, version != 6, Why.V6_VERSION, version)
    which, place = which[fine], place[fine]
    crowd.ip[which] = place
    crowd.six[which] = True
    crowd.sure[which] = True
    length, following = octets.word(place + 4), octets.octet(place + 6)
    place = place + 40
    jumbo = (length == 0) & (following == _HOP_BY_HOP)
    if jumbo.any():
        crowd.leave(which[jumbo])
        which, place, length, following = (
            each[~jumbo] for each in (which, place, length, following)
        )
    crowd.narrow(which, np.where(length > 0, place + length, crowd.end[which]))
    for count in range(MAX_EXTENSIONS + 1):
        parts, extends = following == _FRAGMENT, _EXTENDS[following]
        done = ~parts & ~extends
        by_protocol(crowd, which[done], following[done], place[done])
        if done.all():
            return
        at, after = _extended(
            crowd, which[extends], place[extends], following[extends], late=count > 0
        )
        place[extends], following[extends] = at, after
        at, after = _fragmented(crowd, which[parts], place[parts])
        place[parts], following[parts] = at, after
        on = ~done & (following >= 0)
        which, place, following = which[on], place[on], following[on]
        if not len(which):
            return
    crowd.skip(which, Why.V6_TOO_MANY)


def _extended(
    crowd: Crowd, which: Array, place: Array, kind: Array, *, late: bool
) -> tuple[Array, Array]:
    """Behind an extension header: (where, what follows); -1 for those that do not go on."""
    out = np.full(len(which), -1, np.int64)
    rest = np.arange(len(which))
    if late:
        fine = crowd.unless(which, kind == _HOP_BY_HOP, Why.V6_LATE_OPTIONS)
        rest = rest[fine]
    rest = rest[crowd.has(which[rest], Why.V6_EXTENSION, place[rest] + 8)]
    crowd.sure[which[rest]] &= kind[rest] == _HOP_BY_HOP
    head = crowd.octets.word(place[rest])
    place[rest] += 8 + (head & 0xFF) * 8
    there = crowd.has(which[rest], Why.V6_BEHIND, place[rest])
    out[rest[there]] = head[there] >> 8
    return place, out


def _fragmented(crowd: Crowd, which: Array, place: Array) -> tuple[Array, Array]:
    """Behind a fragment header: likewise."""
    out = np.full(len(which), -1, np.int64)
    rest = np.flatnonzero(crowd.has(which, Why.V6_FRAGMENT, place + 8))
    following = crowd.octets.octet(place[rest])
    shift = crowd.octets.word(place[rest] + 2)
    place[rest] += 8
    whole = shift & 0xFFF9 == 0
    part = rest[~whole]
    tcp = _BEFORE_TCP[following[~whole]]
    crowd.leave(which[part[tcp]])
    other = part[~tcp]
    protocol = following[~whole][~tcp]
    on = _fragments(
        crowd, which[other], place[other], shift[~whole][~tcp] & 0xFFF8, Why.V6_LATER, protocol
    )
    out[rest[whole]] = following[whole]
    out[other[on]] = protocol[on]
    return place, out


def authentication(crowd: Crowd, which: Array) -> None:
    """IPsec's authentication header."""
    place = crowd.place[which]
    there = crowd.has(which, Why.AUTHENTICATION, place + 12)
    which, place = which[there], place[there]
    head = crowd.octets.word(place)
    inside, following = place + ((head & 0xFF) + 2) * 4, head >> 8
    there = crowd.has(which, Why.AUTHENTICATED, inside)
    which, inside, following = which[there], inside[there], following[there]
    chained = _EXTENDS[following] | (following == _FRAGMENT)
    fine = crowd.unless(which, chained, Why.AUTHENTICATION_CHAIN)
    by_protocol(crowd, which[fine], following[fine], inside[fine])


def icmp(crowd: Crowd, which: Array) -> None:
    """An error about TCP is left; who has a use for it finds it in ``quoting``."""
    tells = _tells(crowd, which, _ICMP_ERRORS)
    place, limit = crowd.place[which] + 8, crowd.limit[which]
    first = crowd.octets.octet(place)
    size = (first & 0x0F) * 4
    tells &= (first >> 4 == 4) & (size >= 20) & (place + size + 8 <= limit)
    tells &= crowd.octets.word(place + 6) & 0x1FFF == 0
    tells &= crowd.octets.octet(place + 9) == TCP
    crowd.skip(which[~tells], Why.ICMP)
    crowd.leave(which[tells])
    crowd.quoting.append((which[tells], (place + size)[tells]))


def icmp6(crowd: Crowd, which: Array) -> None:
    """The same of IPv6, where extension headers may stand before what is quoted."""
    octets = crowd.octets
    tells = _tells(crowd, which, _ICMP6_ERRORS)
    start, limit = crowd.place[which] + 8, crowd.limit[which]
    tells &= (start + 40 <= limit) & (octets.octet(start) >> 4 == 6)
    following, place = octets.octet(start + 6), start + 40
    tcp = np.zeros(len(which), np.bool_)
    rest = np.flatnonzero(tells)
    for _ in range(MAX_EXTENSIONS):
        rest = rest[place[rest] + 8 <= limit[rest]]
        found = following[rest] == TCP
        tcp[rest[found]] = True
        rest = rest[~found]
        if not len(rest):
            break
        at, kind = place[rest], following[rest]
        head = octets.word(at)
        fragment, signed = kind == _FRAGMENT, kind == _AUTHENTICATION
        first = ~fragment | (octets.word(at + 2) & 0xFFF8 == 0)
        size = np.where(signed, ((head & 0xFF) + 2) * 4, ((head & 0xFF) + 1) * 8)
        place[rest] = at + np.where(fragment, 8, size)
        following[rest] = head >> 8
        rest = rest[(fragment & first) | signed | _EXTENDS[kind]]
    crowd.skip(which[~tcp], Why.ICMP6)
    crowd.leave(which[tcp])
    crowd.quoting.append((which[tcp], place[tcp]))


def _tells(crowd: Crowd, which: Array, errors: Array) -> Array:
    """Which of these are errors."""
    place = crowd.place[which]
    tells: Array = (place + 8 <= crowd.limit[which]) & errors[crowd.octets.octet(place)]
    return tells

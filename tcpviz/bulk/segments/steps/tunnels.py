"""Steps of a crowd through tunnels: each does what its namesake in :mod:`tcpviz.wire.tunnels` does.

That gives the sources. TZSP, whose tags are of any number, is left to it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tcpviz.bulk.segments.steps.crowd import Crowd, Why
from tcpviz.bulk.segments.steps.link import by_ethertype, table
from tcpviz.wire.tunnels import EITHER_PORT, GRE_ARUBA, PORTS
from tcpviz.wire.walk import Layer

Array = NDArray[Any]

_BY_PORT, _BY_EITHER = table(PORTS, 1 << 16), table(EITHER_PORT, 1 << 16)
_ARUBA = np.isin(np.arange(1 << 16), sorted(GRE_ARUBA))
_GPE = table({1: Layer.IPV4, 2: Layer.IPV6, 3: Layer.ETHERNET, 5: Layer.MPLS}, 1 << 8)
_EXTENSIONS = 4
"""GTP-U extension headers that are followed here."""


def udp(crowd: Crowd, which: Array) -> None:
    """UDP: only the ports of tunnels are followed."""
    place = crowd.place[which]
    limit = crowd.limit[which]
    ports = crowd.octets.long(place)
    source, destination = ports >> 16, ports & 0xFFFF
    layer = _BY_PORT[destination]
    layer = np.where(layer == 0, _BY_EITHER[destination], layer)
    layer = np.where(layer == 0, _BY_EITHER[source], layer)
    follows = (layer != 0) & (place + 8 <= limit)
    crowd.skip(which[~follows], Why.UDP)
    if follows.any():
        which = which[follows]
        crowd.layer[which] = layer[follows]
        crowd.place[which] = place[follows] + 8


def gre(crowd: Crowd, which: Array) -> None:
    """GRE, with checksum, key and sequence number; version 1 is PPTP's."""
    octets, place = crowd.octets, crowd.place[which]
    there = crowd.has(which, Why.GRE, place + 4)
    which, place = which[there], place[there]
    head = octets.long(place)
    flags, protocol = head >> 16, head & 0xFFFF
    version = flags & 7
    fine = crowd.unless(which, version > 1, Why.GRE_VERSION, version)
    which, place, flags, protocol = which[fine], place[fine], flags[fine], protocol[fine]
    fine = crowd.unless(which, flags & 0x4000 != 0, Why.GRE_ROUTING)
    which, place, flags, protocol = which[fine], place[fine], flags[fine], protocol[fine]
    key = place + 4 + 4 * (flags >> 15)
    inside = key + 4 * (flags >> 13 & 1) + 4 * (flags >> 12 & 1)
    inside += 4 * ((flags & 7 == 1) & (flags & 0x80 != 0))
    there = crowd.has(which, Why.GRE_FIELDS, inside)
    which, inside, key = which[there], inside[there], key[there]
    flags, protocol = flags[there], protocol[there]
    pptp = flags & 7 == 1
    if pptp.any():
        mine, at = which[pptp], inside[pptp]
        fine = crowd.unless(mine, flags[pptp] & 0x1000 == 0, Why.PPTP_ACK)
        crowd.enter(mine[fine], "pptp")
        crowd.go(mine[fine], Layer.PPP, at[fine])
        rest = ~pptp
        which, inside, key, flags, protocol = (
            each[rest] for each in (which, inside, key, flags, protocol)
        )
    mirror = (protocol == 0x88BE) | (protocol == 0x22EB)
    if mirror.any():
        _mirrors(crowd, which[mirror], inside[mirror], protocol[mirror], flags[mirror])
        rest = ~mirror
        which, inside, key, flags, protocol = (
            each[rest] for each in (which, inside, key, flags, protocol)
        )
    keyed = flags & 0x2000 != 0
    crowd.enter(which[keyed], "gre", octets.long(key[keyed]))
    crowd.enter(which[~keyed], "gre")
    _carried(crowd, which, inside, protocol)


def _mirrors(crowd: Crowd, which: Array, inside: Array, protocol: Array, flags: Array) -> None:
    """ERSPAN: type I has no header of its own, and no sequence number in GRE's."""
    third = protocol == 0x22EB
    second = ~third & (flags & 0x1000 != 0)
    first = ~third & ~second
    crowd.go(which[third], Layer.ERSPAN_3, inside[third])
    crowd.go(which[second], Layer.ERSPAN_2, inside[second])
    crowd.enter(which[first], "erspan")
    crowd.go(which[first], Layer.ETHERNET, inside[first])


def _carried(crowd: Crowd, which: Array, inside: Array, protocol: Array) -> None:
    """What GRE itself carries."""
    wireless, wccp = _ARUBA[protocol], protocol == 0x883E
    crowd.go(which[wireless], Layer.WLAN, inside[wireless])
    if wccp.any():
        at = inside[wccp]
        redirected = (at + 1 <= crowd.limit[which[wccp]]) & (crowd.octets.octet(at) >> 4 != 4)
        crowd.go(which[wccp], Layer.IPV4, at + 4 * redirected)
    small = protocol < 0x0600
    crowd.unless(which, small, Why.GRE_PROTOCOL, protocol)
    rest = ~wireless & ~wccp & ~small
    by_ethertype(crowd, which[rest], protocol[rest], inside[rest])


def erspan2(crowd: Crowd, which: Array) -> None:
    """ERSPAN type II: eight bytes with the session's id, then the mirrored frame."""
    place = crowd.place[which]
    there = crowd.has(which, Why.ERSPAN, place + 8)
    which, place = which[there], place[there]
    crowd.enter(which, "erspan", crowd.octets.word(place + 2) & 0x3FF)
    crowd.go(which, Layer.ETHERNET, place + 8)


def erspan3(crowd: Crowd, which: Array) -> None:
    """ERSPAN type III: twelve bytes, eight more where its last bit says so."""
    place = crowd.place[which]
    there = crowd.has(which, Why.ERSPAN, place + 12)
    which, place = which[there], place[there]
    crowd.enter(which, "erspan", crowd.octets.word(place + 2) & 0x3FF)
    crowd.go(which, Layer.ETHERNET, place + 12 + 8 * (crowd.octets.octet(place + 11) & 1))


def ether_ip(crowd: Crowd, which: Array) -> None:
    """Ethernet in IP: two bytes, of which four bits are the version, 3."""
    place = crowd.place[which]
    there = crowd.has(which, Why.ETHER_IP, place + 2)
    which, place = which[there], place[there]
    fine = crowd.unless(which, crowd.octets.octet(place) >> 4 != 3, Why.ETHER_IP_VERSION)
    crowd.enter(which[fine], "etherip")
    crowd.go(which[fine], Layer.ETHERNET, place[fine] + 2)


def vxlan(crowd: Crowd, which: Array) -> None:
    """VXLAN: flags of which I says that the network's id is there, then Ethernet."""
    octets, place = crowd.octets, crowd.place[which]
    there = (place + 8 <= crowd.limit[which]) & (octets.octet(place) & 0x08 != 0)
    crowd.skip(which[~there], Why.UDP)
    which, place = which[there], place[there]
    crowd.enter(which, "vxlan", octets.long(place + 4) >> 8)
    crowd.go(which, Layer.ETHERNET, place + 8)


def vxlan_gpe(crowd: Crowd, which: Array) -> None:
    """The same with a next protocol, if P says so."""
    octets, place = crowd.octets, crowd.place[which]
    flags = octets.octet(place)
    there = (place + 8 <= crowd.limit[which]) & (flags & 0x08 != 0)
    crowd.skip(which[~there], Why.UDP)
    which, place, flags = which[there], place[there], flags[there]
    number = np.where(flags & 0x04 != 0, octets.octet(place + 3), 3)
    layer = _GPE[number]
    fine = crowd.unless(which, layer == 0, Why.GPE_PROTOCOL, number)
    which, place, layer = which[fine], place[fine], layer[fine]
    crowd.enter(which, "vxlan", octets.long(place + 4) >> 8)
    crowd.layer[which] = layer
    crowd.place[which] = place + 8


def geneve(crowd: Crowd, which: Array) -> None:
    """Geneve: version 0, options of a length it tells, an EtherType, the network's id."""
    octets, place = crowd.octets, crowd.place[which]
    first = octets.octet(place)
    there = (place + 8 <= crowd.limit[which]) & (first >> 6 == 0)
    crowd.skip(which[~there], Why.UDP)
    which, place, first = which[there], place[there], first[there]
    inside = place + 8 + (first & 0x3F) * 4
    there = crowd.has(which, Why.GENEVE, inside)
    which, place, inside = which[there], place[there], inside[there]
    protocol = octets.word(place + 2)
    fine = crowd.unless(which, protocol < 0x0600, Why.GENEVE_PROTOCOL, protocol)
    which, place, inside, protocol = which[fine], place[fine], inside[fine], protocol[fine]
    crowd.enter(which, "geneve", octets.long(place + 4) >> 8)
    by_ethertype(crowd, which, protocol, inside)


def gtp(crowd: Crowd, which: Array) -> None:
    """GTP-U: version 1, message 255 carries a user's packet; extension headers before it."""
    octets, place = crowd.octets, crowd.place[which]
    first = octets.octet(place)
    there = (place + 8 <= crowd.limit[which]) & (first & 0xF0 == 0x30)
    crowd.skip(which[~there], Why.UDP)
    which, place, first = which[there], place[there], first[there]
    fine = crowd.unless(which, octets.octet(place + 1) != 255, Why.GTP_SIGNALLING)
    which, place, first = which[fine], place[fine], first[fine]
    inside = place + 8 + 4 * (first & 0x07 != 0)
    follows = (first & 0x04 != 0) & (inside <= crowd.limit[which])
    follows &= octets.octet(inside - 1) != 0
    for _ in range(_EXTENSIONS):
        if not follows.any():
            break
        mine, at = which[follows], inside[follows]
        size = np.where(at < crowd.limit[mine], octets.octet(at) * 4, 0)
        there = crowd.has(mine, Why.GTP_EXTENSION, at + np.maximum(size, 4))
        there[there] = crowd.unless(mine[there], size[there] == 0, Why.GTP_EMPTY)
        inside[follows] = at + size
        keep = np.ones(len(which), np.bool_)
        keep[np.flatnonzero(follows)[~there]] = False
        follows[follows] = there & (octets.octet(at + size - 1) != 0)
        which, inside, follows = which[keep], inside[keep], follows[keep]
    crowd.leave(which[follows])
    which, inside = which[~follows], inside[~follows]
    there = crowd.has(which, Why.GTP_PAYLOAD, inside + 1)
    which, inside = which[there], inside[there]
    version = octets.octet(inside) >> 4
    fine = crowd.unless(which, (version != 4) & (version != 6), Why.GTP_OTHER)
    crowd.enter(which[fine], "gtp")
    crowd.go(which[fine], Layer.IP, inside[fine])


def l2tp(crowd: Crowd, which: Array) -> None:
    """L2TP version 2: data messages carry PPP behind optional fields."""
    octets, place = crowd.octets, crowd.place[which]
    flags = octets.word(place)
    there = (place + 6 <= crowd.limit[which]) & (flags & 0x0F == 2)
    crowd.skip(which[~there], Why.UDP)
    which, place, flags = which[there], place[there], flags[there]
    fine = crowd.unless(which, flags & 0x8000 != 0, Why.L2TP_CONTROL)
    which, place, flags = which[fine], place[fine], flags[fine]
    inside = place + 6 + 2 * (flags >> 14 & 1) + 4 * (flags >> 11 & 1)
    offset = flags & 0x0200 != 0
    there = crowd.has(which, Why.L2TP_OFFSET, np.where(offset, inside + 2, place))
    which, inside, offset = which[there], inside[there], offset[there]
    inside = inside + np.where(offset, 2 + octets.word(inside), 0)
    there = crowd.has(which, Why.L2TP, inside)
    which, inside = which[there], inside[there]
    crowd.enter(which, "l2tp")
    crowd.go(which, Layer.PPP, inside)


def teredo(crowd: Crowd, which: Array) -> None:
    """Teredo: IPv6 in UDP, perhaps behind an origin indication of eight bytes."""
    octets, place, limit = crowd.octets, crowd.place[which], crowd.limit[which]
    place = place + 8 * ((place + 8 <= limit) & (octets.word(place) == 0))
    there = (place + 1 <= limit) & (octets.octet(place) >> 4 == 6)
    crowd.skip(which[~there], Why.UDP)
    crowd.enter(which[there], "teredo")
    crowd.go(which[there], Layer.IPV6, place[there])

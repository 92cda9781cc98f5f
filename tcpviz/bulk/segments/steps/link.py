"""Steps of a crowd through link layers: each does what its namesake in :mod:`tcpviz.wire` does.

They have the order of :mod:`tcpviz.wire.link` and :mod:`tcpviz.wire.wlan`, which give the sources.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tcpviz.bulk.segments.steps.crowd import Crowd, Why
from tcpviz.wire.link import MAX_LABELS
from tcpviz.wire.numbers import ETHERTYPES
from tcpviz.wire.walk import Layer

Array = NDArray[Any]


def table(layers: dict[int, Layer], size: int) -> Array:
    """The layers' values by number, 0 where there is none."""
    out = np.zeros(size, np.uint8)
    for number, layer in layers.items():
        out[number] = layer.value
    return out


_BY_ETHERTYPE = table(ETHERTYPES, 1 << 16)
_BY_PPP = table({0x21: Layer.IPV4, 0x57: Layer.IPV6, 0x281: Layer.MPLS, 0x283: Layer.MPLS}, 1 << 16)
_BY_FAMILY = table({2: Layer.IPV4, **dict.fromkeys((10, 23, 24, 28, 30), Layer.IPV6)}, 1 << 16)


def by_ethertype(crowd: Crowd, which: Array, number: Array, place: Array) -> None:
    """What EtherTypes, or 802.3 lengths in their place, lead to."""
    layer = _BY_ETHERTYPE[number]
    crowd.layer[which] = layer
    crowd.place[which] = place
    if layer.all():
        return
    odd = layer == 0
    which, number, place = which[odd], number[odd], place[odd]
    crowd.skip(which, Why.ETHERTYPE, number)
    small = number < 0x0600
    if small.any():
        which, number, place = which[small], number[small], place[small]
        fine = crowd.unless(which, number > 1500, Why.LENGTH_FIELD)
        which, number, place = which[fine], number[fine], place[fine]
        crowd.narrow(which, place + number)
        crowd.go(which, Layer.LLC, place)


def ethernet(crowd: Crowd, which: Array) -> None:
    """Two addresses and an EtherType, or an 802.3 length and LLC."""
    place = crowd.place[which] + 14
    there = crowd.has(which, Why.ETHERNET, place)
    which, place = which[there], place[there]
    by_ethertype(crowd, which, crowd.octets.word(place - 2), place)


def vlan(crowd: Crowd, which: Array) -> None:
    """A VLAN tag after its TPID; id 0 is a priority without a VLAN."""
    place = crowd.place[which] + 4
    there = crowd.has(which, Why.VLAN, place)
    which, place = which[there], place[there]
    tag = crowd.octets.word(place - 4) & 0x0FFF
    named = tag != 0
    crowd.enter(which[named], "vlan", tag[named])
    by_ethertype(crowd, which, crowd.octets.word(place - 2), place)


def backbone(crowd: Crowd, which: Array) -> None:
    """An I-tag, then a customer's frame."""
    place = crowd.place[which] + 4
    there = crowd.has(which, Why.BACKBONE, place)
    which, place = which[there], place[there]
    crowd.enter(which, "pbb", crowd.octets.long(place - 4) & 0xFFFFFF)
    crowd.go(which, Layer.ETHERNET, place)


def mpls(crowd: Crowd, which: Array) -> None:
    """A label stack, then what its first bits look like."""
    place = crowd.place[which]
    for _ in range(MAX_LABELS):
        there = crowd.has(which, Why.LABEL, place + 4)
        which, place = which[there], place[there]
        bottom = crowd.octets.octet(place + 2) & 1 != 0
        place = place + 4
        _labelled(crowd, which[bottom], place[bottom])
        which, place = which[~bottom], place[~bottom]
        if not len(which):
            return
    crowd.skip(which, Why.NO_BOTTOM)


def _labelled(crowd: Crowd, which: Array, place: Array) -> None:
    """What is below the labels."""
    there = crowd.has(which, Why.LABELLED, place + 1)
    which, place = which[there], place[there]
    nibble = crowd.octets.octet(place) >> 4
    ip = (nibble == 4) | (nibble == 6)
    crowd.go(which[ip], Layer.IP, place[ip])
    which, place, nibble = which[~ip], place[~ip], nibble[~ip]
    if not len(which):
        return
    control = (nibble == 0) & _like_ethernet(crowd, which, place + 4)
    place = place + 4 * control
    frame = control | _like_ethernet(crowd, which, place)
    crowd.go(which[frame], Layer.ETHERNET, place[frame])
    crowd.skip(which[~frame], Why.PSEUDOWIRE)


def _like_ethernet(crowd: Crowd, which: Array, place: Array) -> Array:
    like: Array = _BY_ETHERTYPE[crowd.octets.word(place + 12)] != 0
    like &= place + 14 <= crowd.limit[which]
    return like


def llc(crowd: Crowd, which: Array) -> None:
    """802.2 LLC: SNAP with an EtherType inside, or IPv4 under its own address."""
    place = crowd.place[which]
    there = crowd.has(which, Why.LLC, place + 3)
    which, place = which[there], place[there]
    points = crowd.octets.word(place)
    ip, snap = points == 0x0606, points == 0xAAAA
    crowd.go(which[ip], Layer.IPV4, place[ip] + 3)
    others = ~ip & ~snap
    # The reason depends on both addresses at most.
    crowd.skip(which[others], Why.SAP, points[others])
    which, place = which[snap], place[snap] + 8
    there = crowd.has(which, Why.SNAP, place)
    which, place = which[there], place[there]
    number = crowd.octets.word(place - 2)
    organisation = (crowd.octets.octet(place - 5) << 16) | crowd.octets.word(place - 4)
    known = (organisation == 0) | (organisation == 0xF8)
    crowd.unless(which, ~known, Why.ORGANISATION, organisation)
    which, place, number = which[known], place[known], number[known]
    fine = crowd.unless(which, number < 0x0600, Why.SNAP_TYPE)
    by_ethertype(crowd, which[fine], number[fine], place[fine])


def pppoe(crowd: Crowd, which: Array) -> None:
    """A PPPoE session's header: code 0, session id, length."""
    octets, place = crowd.octets, crowd.place[which] + 6
    there = crowd.has(which, Why.PPPOE, place)
    which, place = which[there], place[there]
    fine = crowd.unless(which, octets.octet(place - 6) != 0x11, Why.PPPOE_VERSION)
    which, place = which[fine], place[fine]
    fine = crowd.unless(which, octets.octet(place - 5) != 0, Why.PPPOE_CODE)
    which, place = which[fine], place[fine]
    crowd.narrow(which, place + octets.word(place - 2))
    crowd.enter(which, "pppoe", octets.word(place - 4))
    crowd.go(which, Layer.PPP, place)


def ppp(crowd: Crowd, which: Array) -> None:
    """PPP, with or without HDLC's address and control; Cisco's HDLC by its address."""
    place = crowd.place[which]
    there = crowd.has(which, Why.PPP, place + 2)
    which, place = which[there], place[there]
    head = crowd.octets.word(place)
    cisco = (head == 0x0F00) | (head == 0x8F00)
    crowd.go(which[cisco], Layer.CISCO_HDLC, place[cisco])
    rest = ~cisco
    _ppp_protocol(crowd, which[rest], place[rest] + 2 * (head[rest] == 0xFF03))


def ppp_with_direction(crowd: Crowd, which: Array) -> None:
    """A byte for the direction in front of, or as, the address."""
    place = crowd.place[which]
    there = crowd.has(which, Why.PPP, place + 3)
    which, place = which[there], place[there]
    instead = crowd.octets.octet(place + 1) == 0x03
    crowd.go(which[~instead], Layer.PPP, place[~instead] + 1)
    _ppp_protocol(crowd, which[instead], place[instead] + 2)


def _ppp_protocol(crowd: Crowd, which: Array, place: Array) -> None:
    there = crowd.has(which, Why.PPP_PROTOCOL, place + 1)
    which, place = which[there], place[there]
    first = crowd.octets.octet(place)
    one = first & 1
    there = crowd.has(which, Why.PPP_PROTOCOL, place + 2 - one)
    which, place, first, one = which[there], place[there], first[there], one[there]
    number = np.where(one == 1, first, crowd.octets.word(place))
    layer = _BY_PPP[number]
    crowd.layer[which] = layer
    crowd.place[which] = place + 2 - one
    lost = layer == 0
    if lost.any():
        crowd.skip(which[lost], Why.PPP_PROTOCOL, number[lost])


def cisco_hdlc(crowd: Crowd, which: Array) -> None:
    """Address, control, EtherType."""
    place = crowd.place[which] + 4
    there = crowd.has(which, Why.HDLC, place)
    which, place = which[there], place[there]
    number = crowd.octets.word(place - 2)
    own = (number == 0x8035) | (number == 0x2000) | (number < 0x0600)
    fine = crowd.unless(which, own, Why.HDLC_PROTOCOL, number)
    by_ethertype(crowd, which[fine], number[fine], place[fine])


def loopback(crowd: Crowd, which: Array) -> None:
    """BSD null and loopback: an address family, in either byte order."""
    place = crowd.place[which] + 4
    there = crowd.has(which, Why.LOOPBACK, place)
    which, place = which[there], place[there]
    family = crowd.octets.long(place - 4)
    turned = family.astype(np.uint32).byteswap().astype(np.int64)
    family = np.where(family > 0xFFFF, turned, family)
    ipx = (family == 23) & (place < crowd.limit[which]) & (crowd.octets.octet(place) >> 4 != 6)
    fine = crowd.unless(which, ipx, Why.LOOPBACK_IPX)
    which, place, family = which[fine], place[fine], family[fine]
    layer = np.where(family > 0xFFFF, 0, _BY_FAMILY[family & 0xFFFF]).astype(np.uint8)
    crowd.layer[which] = layer
    crowd.place[which] = place
    other = layer == 0
    if not other.any():
        return
    which, place, family = which[other], place[other], family[other]
    typed = (family >= 0x0600) & (family <= 0xFFFF)
    crowd.skip(which[~typed], Why.FAMILY, family[~typed])
    by_ethertype(crowd, which[typed], family[typed], place[typed])


def cooked(crowd: Crowd, which: Array) -> None:
    """Linux cooked capture: type, ARPHRD, address, protocol."""
    place = crowd.place[which]
    there = crowd.has(which, Why.COOKED, place + 16)
    which, place = which[there], place[there]
    word = crowd.octets.word
    _cooked(crowd, which, word(place + 2), word(place + 14), place + 16)


def cooked2(crowd: Crowd, which: Array) -> None:
    """The same, version 2: protocol first, interface index."""
    place = crowd.place[which]
    there = crowd.has(which, Why.COOKED, place + 20)
    which, place = which[there], place[there]
    word = crowd.octets.word
    _cooked(crowd, which, word(place + 8), word(place), place + 20)


def _cooked(crowd: Crowd, which: Array, hardware: Array, protocol: Array, place: Array) -> None:
    for number, layer in ((803, Layer.RADIOTAP), (801, Layer.WLAN)):
        radio = hardware == number
        if radio.any():
            crowd.go(which[radio], layer, place[radio])
    crowd.unless(which, hardware == 824, Why.NETLINK)
    rest = (hardware != 803) & (hardware != 801) & (hardware != 824)
    llc_there = rest & (protocol == 4)
    crowd.go(which[llc_there], Layer.LLC, place[llc_there])
    rest &= protocol != 4
    small = rest & (protocol < 0x0600)
    crowd.skip(which[small], Why.COOKED_PROTOCOL, protocol[small])
    rest &= protocol >= 0x0600
    by_ethertype(crowd, which[rest], protocol[rest], place[rest])


def fddi(crowd: Crowd, which: Array) -> None:
    """Frame control, two addresses, then LLC where the frame carries data."""
    place = crowd.place[which]
    there = crowd.has(which, Why.FDDI, place + 13)
    which, place = which[there], place[there]
    other = crowd.octets.octet(place) & 0x70 != 0x50
    fine = crowd.unless(which, other, Why.FDDI_CONTROL)
    crowd.go(which[fine], Layer.LLC, place[fine] + 13)


def wlan(crowd: Crowd, which: Array) -> None:
    """An 802.11 header without padding."""
    _wlan(crowd, which, crowd.place[which], np.zeros(len(which), np.bool_))


def _wlan(crowd: Crowd, which: Array, place: Array, padded: Array) -> None:
    octets = crowd.octets
    control = octets.octet(place)
    kind = control >> 2 & 3
    limit = crowd.limit[which]
    brief = (place + 24 > limit) & (place + 2 <= limit) & (kind == 1)  # control frames are shorter
    crowd.skip(which[brief], Why.WLAN_KIND, 1)
    which, place, padded, control, kind = _those(~brief, which, place, padded, control, kind)
    there = crowd.has(which, Why.WLAN, place + 24)
    which, place, padded, control, kind = _those(there, which, place, padded, control, kind)
    fine = crowd.unless(which, kind != 2, Why.WLAN_KIND, np.minimum(kind, 2))
    which, place, padded, control = _those(fine, which, place, padded, control)
    fine = crowd.unless(which, control & 0x40 != 0, Why.WLAN_EMPTY)
    which, place, padded, control = _those(fine, which, place, padded, control)
    flags = octets.octet(place + 1)
    fine = crowd.unless(which, flags & 0x40 != 0, Why.WLAN_ENCRYPTED)
    which, place, padded, control, flags = _those(fine, which, place, padded, control, flags)
    parts = (octets.octet(place + 22) & 0x0F != 0) | (flags & 0x04 != 0)
    fine = crowd.unless(which, parts, Why.WLAN_FRAGMENT)
    which, place, padded, control, flags = _those(fine, which, place, padded, control, flags)
    length = 24 + 6 * (flags & 3 == 3)
    quality = control & 0x80 != 0
    there = crowd.has(which, Why.WLAN_QOS, np.where(quality, place + length + 2, place))
    which, place, padded, flags, length, quality = _those(
        there, which, place, padded, flags, length, quality
    )
    several = quality & (octets.octet(place + length) & 0x80 != 0)
    length = length + np.where(quality, np.where(flags & 0x80 != 0, 6, 2), 0)
    length = np.where(padded, length + 3 & ~3, length)
    crowd.leave(which[several])
    crowd.go(which[~several], Layer.LLC, (place + length)[~several])


def _those(which: Array, *arrays: Array) -> tuple[Array, ...]:
    return tuple(each[which] for each in arrays)


def radiotap(crowd: Crowd, which: Array) -> None:
    """Radiotap: its own length is enough, but its flags tell of padding and a bad check sum."""
    octets, place = crowd.octets, crowd.place[which]
    there = crowd.has(which, Why.RADIOTAP, place + 8)
    which, place = which[there], place[there]
    length = octets.octet(place + 2) | octets.octet(place + 3) << 8
    wrong = (octets.octet(place) != 0) | (length < 8)
    fine = crowd.unless(which, wrong, Why.RADIOTAP_FORM)
    which, place, length = _those(fine, which, place, length)
    there = crowd.has(which, Why.RADIOTAP_LENGTH, place + length)
    which, place, length = _those(there, which, place, length)
    present = octets.octet(place + 4)
    field = place + 8
    more = octets.octet(place + 7) & 0x80 != 0
    for _ in range(4):
        more &= field + 4 <= place + length
        further = octets.octet(field + 3) & 0x80 != 0
        field = field + 4 * more
        more &= further
        if not more.any():
            break
    timed = present & 1 != 0
    field = np.where(timed, place + (field - place + 7 & ~7) + 8, field)
    flagged = (present & 2 != 0) & (field < place + length)
    flags = np.where(flagged, octets.octet(field), 0)
    crowd.leave(which[more])  # more words of what is present than anybody writes
    rest = ~more
    which, place, length, flags = _those(rest, which, place, length, flags)
    fine = crowd.unless(which, flags & 0x40 != 0, Why.RADIOTAP_FCS)
    which, place, length, flags = _those(fine, which, place, length, flags)
    _wlan(crowd, which, place + length, flags & 0x20 != 0)

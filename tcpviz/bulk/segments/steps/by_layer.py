"""Which step takes a crowd past which layer's header; TCP's is the last one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tcpviz.bulk.segments.steps import ip, link, tunnels
from tcpviz.bulk.segments.steps.crowd import TAKEN, Crowd, Why
from tcpviz.wire.walk import Layer

Array = NDArray[Any]
Step = Callable[[Crowd, Array], None]


def _tcp(crowd: Crowd, which: Array) -> None:
    """A TCP header; the fixed 20 bytes are enough."""
    place = crowd.place[which]
    there = crowd.has(which, Why.TCP, place + 20)
    which, place = which[there], place[there]
    length = (crowd.octets.octet(place + 12) >> 4) * 4
    fine = crowd.unless(which, length < 20, Why.TCP_OFFSET_LOW)
    which, place, length = which[fine], place[fine], length[fine]
    fine = crowd.unless(which, place + length > crowd.end[which], Why.TCP_OFFSET_HIGH)
    crowd.layer[which[fine]] = TAKEN


_STEPS: dict[Layer, Step] = {
    Layer.ETHERNET: link.ethernet,
    Layer.VLAN: link.vlan,
    Layer.BACKBONE: link.backbone,
    Layer.MPLS: link.mpls,
    Layer.LLC: link.llc,
    Layer.PPPOE: link.pppoe,
    Layer.PPP: link.ppp,
    Layer.PPP_WITH_DIRECTION: link.ppp_with_direction,
    Layer.CISCO_HDLC: link.cisco_hdlc,
    Layer.LOOPBACK: link.loopback,
    Layer.COOKED: link.cooked,
    Layer.COOKED2: link.cooked2,
    Layer.FDDI: link.fddi,
    Layer.WLAN: link.wlan,
    Layer.RADIOTAP: link.radiotap,
    Layer.IP: ip.ip,
    Layer.IPV4: ip.ipv4,
    Layer.IPV6: ip.ipv6,
    Layer.AUTHENTICATION: ip.authentication,
    Layer.ICMP: ip.icmp,
    Layer.ICMP6: ip.icmp6,
    Layer.UDP: tunnels.udp,
    Layer.GRE: tunnels.gre,
    Layer.ERSPAN_2: tunnels.erspan2,
    Layer.ERSPAN_3: tunnels.erspan3,
    Layer.ETHER_IP: tunnels.ether_ip,
    Layer.VXLAN: tunnels.vxlan,
    Layer.VXLAN_GPE: tunnels.vxlan_gpe,
    Layer.GENEVE: tunnels.geneve,
    Layer.GTP: tunnels.gtp,
    Layer.L2TP: tunnels.l2tp,
    Layer.TEREDO: tunnels.teredo,
    Layer.TCP: _tcp,
}

BY_VALUE = {layer.value: step for layer, step in _STEPS.items()}
"""Steps by their layers' numbers in ``Crowd.layer``."""

KNOWN = np.isin(np.arange(256), list(BY_VALUE))
"""Of each such number, whether it has a step."""

"""Links, addresses and neighbours by rtnetlink, as far as the lab needs them. Linux only.

pyroute2 does all this and more, but its import alone (0.2 s) is a third of the
time in which the demo's first frame should be on the screen.
"""

from __future__ import annotations

import os
import socket
import struct

from tcpviz.sources.netlink import (
    NLM_F_ACK,
    NLM_F_CREATE,
    NLM_F_EXCL,
    NLM_F_REQUEST,
    NLMSG_ERROR,
    attribute,
    messages,
)

RTM_NEWLINK, RTM_NEWADDR, RTM_NEWNEIGH = 16, 20, 28
IFLA_ADDRESS, IFLA_IFNAME, IFLA_MTU, IFLA_LINKINFO, IFLA_NET_NS_FD = 1, 3, 4, 18, 28
IFLA_INFO_KIND, IFLA_INFO_DATA, VETH_INFO_PEER = 1, 2, 1
IFA_ADDRESS, IFA_LOCAL, IFA_FLAGS = 1, 2, 8
NDA_DST, NDA_LLADDR = 1, 2
IFF_UP = 1
IFA_F_NODAD = 0x02
NUD_PERMANENT = 0x80


class Links:
    """An rtnetlink socket of the network namespace in which it was made. Use as a context."""

    def __init__(self) -> None:
        self._socket = socket.socket(
            socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE
        )
        self._sequence = 0

    def __enter__(self) -> Links:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def _ask(self, what: str, kind: int, body: bytes, flags: int = 0) -> None:
        self._sequence += 1
        flags |= NLM_F_REQUEST | NLM_F_ACK
        header = struct.pack("IHHII", 16 + len(body), kind, flags, self._sequence, 0)
        self._socket.send(header + body)
        for answer, rest in messages(self._socket.recv(65536)):
            if answer == NLMSG_ERROR:
                (number,) = struct.unpack_from("i", rest)
                if number:
                    raise OSError(-number, os.strerror(-number), what)
                return

    def veth(self, name: str, far_name: str, far_mac: str, far_namespace: int) -> None:
        """A veth pair: ``name`` here, ``far_name`` in the namespace of descriptor ``far_...``."""
        far = (
            struct.pack("BxHiII", 0, 0, 0, 0, 0)
            + attribute(IFLA_IFNAME, far_name.encode() + b"\0")
            + attribute(IFLA_ADDRESS, mac_bytes(far_mac))
            + attribute(IFLA_NET_NS_FD, struct.pack("I", far_namespace))
        )
        info = attribute(IFLA_INFO_KIND, b"veth\0") + attribute(
            IFLA_INFO_DATA, attribute(VETH_INFO_PEER, far)
        )
        body = (
            struct.pack("BxHiII", 0, 0, 0, 0, 0)
            + attribute(IFLA_IFNAME, name.encode() + b"\0")
            + attribute(IFLA_LINKINFO, info)
        )
        self._ask("veth pair", RTM_NEWLINK, body, NLM_F_CREATE | NLM_F_EXCL)

    def up(self, name: str) -> None:
        """Bring the link up."""
        index = socket.if_nametoindex(name)
        self._ask(f"{name} up", RTM_NEWLINK, struct.pack("BxHiII", 0, 0, index, IFF_UP, IFF_UP))

    def mtu(self, name: str, size: int) -> None:
        """Set the largest IP packet that the link takes, in bytes."""
        index = socket.if_nametoindex(name)
        body = struct.pack("BxHiII", 0, 0, index, 0, 0)
        self._ask(f"mtu {size}", RTM_NEWLINK, body + attribute(IFLA_MTU, struct.pack("I", size)))

    def address(self, name: str, address: str, prefix: int) -> None:
        """Give the link an address; an IPv6 one is usable at once (no duplicate detection)."""
        family, raw = packed(address)
        body = struct.pack("BBBBi", family, prefix, 0, 0, socket.if_nametoindex(name))
        body += attribute(IFA_LOCAL, raw) + attribute(IFA_ADDRESS, raw)
        if family == socket.AF_INET6:
            body += attribute(IFA_FLAGS, struct.pack("I", IFA_F_NODAD))
        self._ask(f"address {address}", RTM_NEWADDR, body, NLM_F_CREATE)

    def neighbour(self, name: str, address: str, mac: str) -> None:
        """Say once and for ever which MAC an address has, so that nobody needs to ask."""
        family, raw = packed(address)
        index = socket.if_nametoindex(name)
        body = struct.pack("BxxxiHBB", family, index, NUD_PERMANENT, 0, 0)
        body += attribute(NDA_DST, raw) + attribute(NDA_LLADDR, mac_bytes(mac))
        self._ask(f"neighbour {address}", RTM_NEWNEIGH, body, NLM_F_CREATE)


def packed(address: str) -> tuple[int, bytes]:
    """The address family and the bytes of an IP address."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return family, socket.inet_pton(family, address)


def mac_bytes(mac: str) -> bytes:
    """``02:00:00:00:00:01`` as six bytes."""
    return bytes.fromhex(mac.replace(":", ""))

"""Network interfaces: which there are, what they are, and which to watch when none is named.

Read with the C library's ``getifaddrs(3)``, which Linux, macOS and the BSDs
share and which tells of the network namespace that the process is in
(``/sys/class/net`` tells of the one in which ``/sys`` was mounted).
"""

from __future__ import annotations

import ctypes
import os
import socket
import struct
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tcpviz.sources.feed import SourceError

LINKTYPE_NULL = 0
LINKTYPE_ETHERNET = 1
LINKTYPE_RAW = 101
LINKTYPE_IEEE802_11 = 105
LINKTYPE_RADIOTAP = 127
LINKTYPE_LINUX_SLL2 = 276
"""Numbers of the LINKTYPE_ registry (www.tcpdump.org/linktypes.html)."""

_IFF_UP, _IFF_LOOPBACK = 0x1, 0x8
_AF_PACKET, _AF_LINK = 17, 18
_SIOCGIFHWADDR = 0x8927

# include/uapi/linux/if_arp.h -> link type, for frames read with SOCK_RAW. Whatever is not here
# is read "cooked": the kernel takes the link header off and says which protocol comes next.
_ARPHRD = {
    1: (LINKTYPE_ETHERNET, "Ethernet"),
    772: (LINKTYPE_ETHERNET, "loopback"),
    519: (LINKTYPE_RAW, "raw IP"),
    65534: (LINKTYPE_RAW, "tunnel, raw IP"),
    768: (LINKTYPE_RAW, "IP in IP tunnel"),
    769: (LINKTYPE_RAW, "IPv6 tunnel"),
    776: (LINKTYPE_RAW, "IPv6 in IPv4 tunnel"),
    801: (LINKTYPE_IEEE802_11, "802.11"),
    803: (LINKTYPE_RADIOTAP, "802.11 with radiotap"),
}
_COOKED_NAMES = {512: "PPP", 778: "GRE tunnel", 823: "GRE tunnel over IPv6"}

# <net/if_types.h> of macOS and the BSDs; Ethernet, loopback and everything else.
_IFT_ETHERNET, _IFT_LOOPBACK, _IFT_WIFI = 6, 24, 71


@dataclass(frozen=True, slots=True)
class Interface:
    """One interface.

    ``index``      the kernel's number; 0 for ``any``
    ``addresses``  IPv4 first, as text, without prefix length
    ``link_type``  of the frames that capturing on it gives
    ``cooked``     the kernel takes the link header off and tcpviz writes a cooked one
    ``description``  what kind it is, in a few words
    """

    name: str
    index: int
    addresses: tuple[str, ...] = ()
    up: bool = True
    link_type: int = LINKTYPE_ETHERNET
    description: str = ""
    is_loopback: bool = False
    cooked: bool = False


ANY = Interface("any", 0, (), True, LINKTYPE_LINUX_SLL2, "all interfaces", False, True)
"""Linux's pseudo-interface: one socket that sees every interface, also those still to come."""


class _IfAddrs(ctypes.Structure):
    pass


_IfAddrs._fields_ = [
    ("next", ctypes.POINTER(_IfAddrs)),
    ("name", ctypes.c_char_p),
    ("flags", ctypes.c_uint),
    ("addr", ctypes.c_void_p),
    ("netmask", ctypes.c_void_p),
    ("destination", ctypes.c_void_p),
    ("data", ctypes.c_void_p),
]


def list_interfaces() -> list[Interface]:
    """Every interface, in the order of the kernel's numbers. Raises SourceError."""
    flags: dict[str, int] = {}
    hardware: dict[str, int] = {}
    found: dict[str, set[tuple[int, str]]] = {}
    for name, flag, address in _entries():
        flags[name] = flag
        found.setdefault(name, set())
        if not address:
            continue
        family = _family(address)
        if family == socket.AF_INET:
            found[name].add((4, socket.inet_ntop(socket.AF_INET, address[4:8])))
        elif family == socket.AF_INET6:
            found[name].add((6, socket.inet_ntop(socket.AF_INET6, address[8:24])))
        elif sys.platform == "linux" and family == _AF_PACKET:
            hardware[name] = struct.unpack_from("=H", address, 8)[0]
        elif sys.platform != "linux" and family == _AF_LINK:
            hardware[name] = address[4]
    try:
        indexes = {name: index for index, name in socket.if_nameindex()}
    except OSError as error:
        raise SourceError(f"cannot list the network interfaces: {error.strerror}") from error
    interfaces = []
    for name, index in indexes.items():
        # Without a hardware address (a tunnel), getifaddrs does not tell the type either.
        kind = hardware[name] if name in hardware else _hardware_type(name)
        link_type, cooked, description = _kind(kind)
        flag = flags.get(name, 0)
        up, loopback = bool(flag & _IFF_UP), bool(flag & _IFF_LOOPBACK)
        addresses = tuple(text for _, text in sorted(found.get(name, ())))
        interfaces.append(
            Interface(name, index, addresses, up, link_type, description, loopback, cooked)
        )
    return sorted(interfaces, key=lambda interface: interface.index)


def default_interfaces() -> list[Interface]:
    """Those to watch when none is named: the default route's; without one, all that are up."""
    interfaces = list_interfaces()
    routed = _default_route_names()
    return [i for i in interfaces if i.name in routed and i.up] or [i for i in interfaces if i.up]


def find_interface(wanted: str) -> Interface:
    """The interface of that name or number. Raises SourceError (exit code 2) with those there are.

    ``any`` is Linux's pseudo-interface.
    """
    if wanted == "any" and sys.platform == "linux":
        return ANY
    interfaces = list_interfaces()
    for interface in interfaces:
        if interface.name == wanted:
            return interface
    for interface in interfaces:
        if wanted.isascii() and wanted.isdigit() and interface.index == int(wanted):
            return interface
    names = ", ".join(interface.name for interface in interfaces) or "none"
    shown = "".join(c if c.isprintable() else "?" for c in wanted)
    raise SourceError(f"no interface {shown!r} here; there are: {names}", exit_code=2)


def _entries() -> Iterator[tuple[str, int, bytes]]:
    """What getifaddrs gives: name, flags, and the raw socket address (perhaps empty)."""
    libc = ctypes.CDLL(None, use_errno=True)
    head = ctypes.POINTER(_IfAddrs)()
    libc.freeifaddrs.argtypes = [ctypes.POINTER(_IfAddrs)]
    libc.freeifaddrs.restype = None
    if libc.getifaddrs(ctypes.byref(head)) != 0:
        reason = os.strerror(ctypes.get_errno())
        raise SourceError(f"cannot list the network interfaces: {reason}")
    try:
        node = head
        while node:
            entry = node.contents
            raw = b""
            if entry.addr:
                # The family decides how long it is; reading further could leave the page.
                family = _family(ctypes.string_at(entry.addr, 2))
                size = 28 if family == socket.AF_INET6 else 16 if family == socket.AF_INET else 12
                raw = ctypes.string_at(entry.addr, size)
            yield entry.name.decode(errors="replace"), entry.flags, raw
            node = entry.next
    finally:
        libc.freeifaddrs(head)


def _family(address: bytes) -> int:
    """A socket address's family: 16 bits on Linux; a length and 8 bits on the BSDs."""
    if sys.platform == "linux":
        return int(struct.unpack_from("=H", address)[0])
    return address[1]


def _hardware_type(name: str) -> int | None:
    """Linux's ARPHRD number of an interface, from SIOCGIFHWADDR."""
    if sys.platform != "linux":
        return None
    import fcntl

    request = struct.pack("16s24x", name.encode(errors="surrogateescape")[:15])
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            answer = fcntl.ioctl(probe, _SIOCGIFHWADDR, request)
    except OSError:
        return None
    return int(struct.unpack_from("=H", answer, 16)[0])


def _kind(hardware: int | None) -> tuple[int, bool, str]:
    """Link type, whether it is read cooked, and a description."""
    if sys.platform == "linux":
        if hardware in _ARPHRD:
            link_type, description = _ARPHRD[hardware]
            return link_type, False, description
        unknown = "unknown" if hardware is None else f"hardware type {hardware}"
        return LINKTYPE_LINUX_SLL2, True, _COOKED_NAMES.get(hardware or 0, unknown)
    if hardware in (_IFT_ETHERNET, _IFT_WIFI):
        return LINKTYPE_ETHERNET, False, "Ethernet"
    if hardware == _IFT_LOOPBACK:
        return LINKTYPE_NULL, False, "loopback"
    # utun and gif write the BSD loopback header, too.
    return LINKTYPE_NULL, False, "tunnel"


def _default_route_names(proc: Path = Path("/proc/net")) -> set[str]:
    """Interfaces of the default routes, of each address family the one with the lowest metric."""
    names: set[str] = set()
    routes: list[tuple[int, str]] = []
    for fields in _rows(proc / "route"):
        # Iface Destination Gateway Flags RefCnt Use Metric Mask ...
        if len(fields) > 7 and fields[1] == fields[7] == "00000000" and int(fields[3], 16) & 1:
            routes.append((int(fields[6]), fields[0]))
    names.update(name for _, name in sorted(routes)[:1])
    routes = []
    for fields in _rows(proc / "ipv6_route"):
        # destination, its length, source, its length, next hop, metric, refs, uses, flags, device
        if len(fields) > 9 and fields[0] == "0" * 32 and fields[1] == "00" and fields[9] != "lo":
            routes.append((int(fields[5], 16), fields[9]))
    names.update(name for _, name in sorted(routes)[:1])
    if not names and sys.platform != "linux":
        names.update(_default_route_by_socket())
    return names


def _rows(path: Path) -> list[list[str]]:
    try:
        lines = path.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return []
    return [line.split() for line in lines if line and not line.startswith("Iface")]


def _default_route_by_socket() -> set[str]:
    """Where there is no /proc: the address a datagram to the world would leave from.

    Connecting a UDP socket sends nothing; it only asks for a route.
    """
    addresses = set()
    for family, far in ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1")):
        try:
            with socket.socket(family, socket.SOCK_DGRAM) as probe:
                probe.connect((far, 9))
                addresses.add(probe.getsockname()[0].split("%")[0])
        except OSError:
            continue
    return {i.name for i in list_interfaces() if addresses & set(i.addresses)}


def resolve(names: Sequence[str | Interface]) -> list[Interface]:
    """The interfaces of these names, each once. Raises SourceError."""
    found = [n if isinstance(n, Interface) else find_interface(n) for n in names]
    found = found or default_interfaces()
    if not found:
        raise SourceError("no interface is up; bring one up: ip link set lo up")
    unique = list({interface.name: interface for interface in found}.values())
    if ANY in unique and len(unique) > 1:
        raise SourceError("'any' is all interfaces; name it alone", exit_code=2)
    if not any(interface.up for interface in unique):
        down = ", ".join(interface.name for interface in unique)
        first = unique[0].name
        how = f"ip link set {first} up" if sys.platform == "linux" else f"ifconfig {first} up"
        raise SourceError(f"{down}: down, so that nothing passes; bring it up: {how}")
    return unique

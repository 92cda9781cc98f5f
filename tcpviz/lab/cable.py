"""The cable: two hosts in namespaces of their own, and every frame between them in our hands.

Each host is a network namespace with one end of a veth pair. The other ends lie
in the lab's namespace, where a frame that comes out of one is recorded as sent,
kept for the cable's delay, and handed to the other as arrived. It may also be
held back, or die on the way. There is no other path between the two kernels'
stacks, and no ARP: each knows the other's MAC address for ever.
"""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Callable, Iterator

from tcpviz.core.records import Side
from tcpviz.core.segment import Endpoint
from tcpviz.lab import system
from tcpviz.lab.diag import Asker, Diag
from tcpviz.lab.frames import glance
from tcpviz.lab.ground import (
    CLIENT_PORT,
    SERVER_PORT,
    Event,
    Place,
    Tap,
    UnavailableError,
    await_stamps,
)
from tcpviz.lab.netlink import Links
from tcpviz.lab.tampering import made_up, syn, too_big
from tcpviz.lab.traffic import Traffic

MILLISECOND = 1_000_000
_HOST_END = "eth0"
_MACS = {Side.CLIENT: "02:00:00:00:00:01", Side.SERVER: "02:00:00:00:00:02"}
_V4 = {Side.CLIENT: "10.0.0.1", Side.SERVER: "10.0.0.2"}
_V6 = {Side.CLIENT: "fd00::1", Side.SERVER: "fd00::2"}
_MARKER = 0x88B5  # IEEE 802's EtherType for local experiments

_ROUTER = {4: "10.0.0.254", 6: "fd00::fe"}
_ROUTER_MAC = "02:00:00:00:00:fe"

_SETTINGS = {"net.ipv4.tcp_no_metrics_save": 1}
TIMERS = {
    # A busy machine's delays must not look like loss: no retransmission and no tail
    # loss probe within the first second of a wait.
    "calm": {"net.ipv4.tcp_rto_min_us": 1_000_000, "net.ipv4.tcp_early_retrans": 0},
    # A person holds segments for longer than that. What is sent again all the same is
    # swallowed; but who drops a segment wants to see it repeated before the class sleeps.
    "held": {
        "net.ipv4.tcp_rto_min_us": 10_000_000,
        "net.ipv4.tcp_early_retrans": 0,
        "net.ipv4.tcp_syn_retries": 20,
        "net.ipv4.tcp_synack_retries": 20,
        "net.ipv4.tcp_retries2": 30,
        "net.ipv4.tcp_orphan_retries": 30,
        "net.ipv4.tcp_fin_timeout": 3600,
    },
    # For scenarios that are about retransmission.
    "linux": {"net.ipv4.tcp_rto_min_us": 200_000, "net.ipv4.tcp_early_retrans": 3},
}
"""How the kernels' own timers are set, by name."""
_QUIET_V6 = {"addr_gen_mode": 1, "accept_dad": 0, "accept_ra": 0, "router_solicitations": 0}


class _Host:
    """One end: its namespace, the cable's end to it, and who answers for its kernel."""

    def __init__(self, side: Side) -> None:
        self.side = side
        self.namespace = -1
        self.tap: Tap
        self.marker: Tap
        self.asker: Asker

    @property
    def cable_end(self) -> str:
        return f"cable-{self.side}"


class Cable:
    """The ground named ``cable``. Raises :class:`UnavailableError`. Takes over the whole process.

    ``delay_ns``  one way's time, by who sends
    ``traffic``   what is under way, and what is to be done to it
    ``version``   grows whenever what lies in a hand changes
    """

    name = "cable"
    lockstep = True
    asks = "inet_diag"

    def __init__(
        self, *, delay_ns: dict[Side, int] | int, ipv6: bool = False, step: bool = False
    ) -> None:
        self.family: int = socket.AF_INET6 if ipv6 else socket.AF_INET
        addresses = _V6 if ipv6 else _V4
        ports = {Side.CLIENT: CLIENT_PORT, Side.SERVER: SERVER_PORT}
        self.places = {
            side: Place(side, side.value, Endpoint(addresses[side], ports[side])) for side in Side
        }
        if isinstance(delay_ns, int):
            delay_ns = dict.fromkeys(Side, delay_ns)
        self.traffic = Traffic(delay_ns)
        self.traffic.step = step
        self._markers = 0
        self._usual: dict[str, object] = {}
        self._scripts: set[tuple[Side, str]] = set()
        self._off: Side | None = None
        self._flood = 0
        self._foreign: list[Event] = []
        self._hosts = {side: _Host(side) for side in Side}
        self.interfaces = tuple(place.name for place in self.places.values())
        try:
            self._build()
        except OSError as error:
            raise UnavailableError(system.why_refused(error)) from error

    # -- building -----------------------------------------------------------

    def _build(self) -> None:
        system.stay_on_one_cpu()
        system.own_network()
        lab = system.network_fd()
        for host in self._hosts.values():
            system.unshare(system.CLONE_NEWNET)
            host.namespace = system.network_fd()
        system.setns(lab)
        for name in ("all", "default"):
            system.set_sysctl(f"net.ipv6.conf.{name}.disable_ipv6", 1)
        with Links() as links:
            for host in self._hosts.values():
                links.veth(host.cable_end, _HOST_END, _MACS[host.side], host.namespace)
                links.up(host.cable_end)
        for host in self._hosts.values():
            system.setns(host.namespace)
            self._furnish(host)
        system.setns(lab)
        self._lab = lab
        for host in self._hosts.values():
            host.tap = Tap(host.cable_end)

    def _furnish(self, host: _Host) -> None:
        """Set up one host from within its namespace."""
        mine, other = self.places[host.side], self.places[host.side.other]
        timers = TIMERS["held" if self.traffic.step else "calm"]
        for name in TIMERS["held"]:
            with contextlib.suppress(OSError):  # older kernels have fewer
                self._usual[name] = system.get_sysctl(name)
        for name, value in {**_SETTINGS, **timers}.items():
            system.set_sysctl(name, value)
        if self.family == socket.AF_INET6:
            for name, value in _QUIET_V6.items():
                system.set_sysctl(f"net.ipv6.conf.{_HOST_END}.{name}", value)
        else:
            for name in ("default", _HOST_END):
                system.set_sysctl(f"net.ipv6.conf.{name}.disable_ipv6", 1)
        prefix = 64 if self.family == socket.AF_INET6 else 24
        with Links() as links:
            links.up("lo")
            system.no_offload(_HOST_END)
            links.address(_HOST_END, mine.endpoint.addr, prefix)
            links.up(_HOST_END)
            links.neighbour(_HOST_END, other.endpoint.addr, _MACS[host.side.other])
        host.marker = Tap(_HOST_END, _MARKER)
        await_stamps()
        host.asker = Asker()
        host.asker.sockets(self.family)  # a kernel without tcp_diag says so now

    # -- the ground ---------------------------------------------------------

    def enter(self, side: Side) -> Callable[[], None] | None:
        namespace = self._hosts[side].namespace
        return lambda: system.setns(namespace)

    def source_port(self, real: socket.socket, count: int) -> None:
        del real
        # A range of one port: the kernel then has no choice, and no bind() is needed.
        port = CLIENT_PORT + count
        system.set_sysctl("net.ipv4.ip_local_port_range", f"{port} {port}")

    def watched(self) -> list[int]:
        return [host.tap.fileno() for host in self._hosts.values()]

    def flush(self) -> None:
        """Send a marker behind what was delivered, twice, and see it arrive.

        The first comes out behind the frame itself, the second behind what the
        receiving kernel sent in answer to it (see :func:`system.stay_on_one_cpu`).
        """
        for _ in range(2):
            self._markers += 1
            body = self._markers.to_bytes(8, "big") + bytes(38)
            for side, host in self._hosts.items():
                mac = bytes.fromhex(_MACS[side].replace(":", ""))
                host.tap.send(mac + mac + _MARKER.to_bytes(2, "big") + body)
            for host in self._hosts.values():
                while host.marker.wait(1.0):
                    came = host.marker.receive()
                    if came is not None and came[1][14:] == body:
                        break

    def collect(self) -> list[Event]:
        events, self._foreign = self._foreign, []
        came = []
        for index, (side, host) in enumerate(self._hosts.items()):
            while (one := host.tap.receive()) is not None:
                came.append((*one, index, side))
        # In the order in which they left: a repetition is to be judged after the answer to it.
        came.sort(key=lambda one: one[0])
        for stamp, data, index, side in came:
            if self._off is side:
                continue  # its card is off
            seen = glance(data)
            if seen is None:
                self._hosts[side.other].tap.send(data)  # not the scenario's; not told
                continue
            nobody = seen.dst.addr != self.places[side.other].endpoint.addr
            events += self.traffic.take(side, index, stamp, data, seen, passes=nobody)
            events += self._answer_too_big(index)
        self.traffic.pause(time.time_ns())
        return events

    def _answer_too_big(self, index: int) -> list[Event]:
        """Say to the sender, as a router does, how large a packet may be."""
        events: list[Event] = []
        for one in self.traffic.too_big:
            if self.traffic.mtu_told and self.traffic.mtu is not None:
                router = _ROUTER[6 if self.family == socket.AF_INET6 else 4]
                answer = too_big(one.data, self.traffic.mtu, router, _ROUTER_MAC)
                message = {"k": "frame", "n": 0, "t": time.time_ns(), "if": index}
                self._hosts[one.sender].tap.send(answer)
                events.append(({**message, "moment": "seen"}, answer))
        self.traffic.too_big.clear()
        return events

    def due(self) -> int | None:
        return self.traffic.due(time.time_ns())

    def deliver(self) -> list[Event]:
        now = time.time_ns()
        one = self.traffic.pop(now)
        if one is None:
            return []
        home = self.places[one.sender.other].endpoint.addr
        message = {"k": "arrived", "n": one.number, "t": now, "held_ns": one.held_so_far(now)}
        if one.seen.dst.addr != home:
            del message["held_ns"]
            return [({**message, "k": "lost", "why": "nobody has that address"}, b"")]
        if one.copy:
            message["again"] = True
        self._hosts[one.sender.other].tap.send(one.data)
        one.landed_ns = time.time_ns()
        return [(message, one.data if one.changed else b"")]

    def diags(self) -> list[tuple[Side, Diag]]:
        return [
            (side, one)
            for side, host in self._hosts.items()
            for one in host.asker.sockets(self.family)
        ]

    def any_family(self) -> None:
        """Know sockets of both families: programs are not ours, and often take IPv6 for all."""
        for side, host in self._hosts.items():
            host.asker.home = self.places[side].endpoint.addr

    def syn_limits(self, side: Side) -> tuple[int, bool] | None:
        """``tcp_max_syn_backlog`` of a host, and whether SYN cookies step in."""
        with self.on(side):
            try:
                most = int(system.get_sysctl("net.ipv4.tcp_max_syn_backlog"))
                return most, int(system.get_sysctl("net.ipv4.tcp_syncookies")) != 0
            except (OSError, ValueError):
                return None

    def close(self) -> None:
        for host in self._hosts.values():
            host.tap.close()
            host.marker.close()
            host.asker.close()
            os.close(host.namespace)
        os.close(self._lab)

    # -- the hosts' kernels -------------------------------------------------

    @contextlib.contextmanager
    def on(self, side: Side) -> Iterator[None]:
        """Do something as that host: the calling thread is in its namespace meanwhile."""
        system.setns(self._hosts[side].namespace)
        try:
            yield
        finally:
            system.setns(self._lab)

    def sysctl(self, side: Side, name: str, value: object) -> bool:
        """Set one of a host's network settings; false if the kernel refuses."""
        self._scripts.add((side, name))
        with self.on(side):
            return system.set_sysctl(name, value)

    def timers(self, kind: str) -> None:
        """Set the kernels' retransmission timers, for sockets made from now on.

        In step mode ``calm`` means ``held``. Under ``linux`` nothing is swallowed.
        What the scenario has set itself stays.
        """
        if kind == "calm" and self.traffic.step:
            kind = "held"
        self.traffic.swallows = kind != "linux"
        for side in Side:
            with self.on(side):
                for name, value in {**self._usual, **TIMERS[kind]}.items():
                    if (side, name) not in self._scripts:
                        system.set_sysctl(name, value)

    def link_mtu(self, side: Side, size: int) -> None:
        """Set the MTU of a host's own link. Raises OSError."""
        with self.on(side), Links() as links:
            links.mtu(_HOST_END, size)

    def power_off(self, side: Side) -> None:
        """From now on nothing leaves that host, and nobody is told."""
        self._off = side

    def forget(self, side: Side) -> None:
        """Have a host's kernel drop every socket that is left, TIME-WAIT ones too."""
        with contextlib.suppress(OSError), self.on(side):
            self._hosts[side].asker.destroy_all(self.family)

    def power_on(self) -> None:
        """What the host sends is cabled again; what it sent meanwhile is gone."""
        self.flush()
        self.collect()
        self._off = None

    # -- frames of the cable's own ------------------------------------------

    def flood(self, count: int, port: int) -> None:
        """Hand ``count`` SYNs to the server, from addresses at which nobody is."""
        target = Endpoint(self.places[Side.SERVER].endpoint.addr, port)
        home = self.places[Side.CLIENT].endpoint.addr
        addresses = made_up(home, 100)
        if not self._flood:
            with self.on(Side.SERVER), Links() as links:
                for address in addresses:
                    links.neighbour(_HOST_END, address, _MACS[Side.CLIENT])
        index = list(self._hosts).index(Side.CLIENT)
        for _ in range(count):
            number = self._flood
            self._flood += 1
            src = Endpoint(addresses[number % len(addresses)], 20_000 + number // len(addresses))
            frame = syn(src, target, 1_000_000 + number, _MACS[Side.CLIENT], _MACS[Side.SERVER])
            seen = glance(frame)
            if seen is not None:
                now = time.time_ns()
                self._foreign += self.traffic.take(
                    Side.CLIENT, index, now, frame, seen, passes=True
                )

    @property
    def held(self) -> bool:
        """What the kernels wait for may lie in a hand, or wait for what comes next."""
        return bool(self.traffic.held()) or self.traffic.parked_due() is not None

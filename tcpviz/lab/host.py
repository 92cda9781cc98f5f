"""A host in a scenario's script: the socket calls of its applications, its kernel, its accidents.

A call on a host is a real socket call of a thread on that host. The script goes
on when the call has returned, or when it blocks and nothing else moves. The
next call of the same application waits for the former one to return. A call
that fails is no error of the script: its result is what the scenario shows.
"""

from __future__ import annotations

import difflib
import socket
import struct
import time
from collections.abc import Callable

from tcpviz.core.records import Call, Side
from tcpviz.core.segment import Endpoint
from tcpviz.core.states import State
from tcpviz.lab.cable import Cable as CableGround
from tcpviz.lab.peers import Pending, Sock, Worker, endpoint_of
from tcpviz.lab.stage import CALL_LIMIT_S, MistakeError, ScenarioError, Stage

RealSocket = socket.socket
"""Under another name: in :class:`Host`, ``socket`` is a word of the script."""

_DIRECTIONS = {"SHUT_RD": socket.SHUT_RD, "SHUT_WR": socket.SHUT_WR, "SHUT_RDWR": socket.SHUT_RDWR}
_OPTION_LEVELS = {
    "SO_": socket.SOL_SOCKET,
    "TCP_": socket.IPPROTO_TCP,
    "IPV6_": socket.IPPROTO_IPV6,
    "IP_": socket.IPPROTO_IP,
}
_MORE_OPTIONS = {  # include/uapi/linux: those that Python has no names for
    "IP_MTU_DISCOVER": 10,
    "IP_MTU": 14,
    "IPV6_MTU_DISCOVER": 23,
    "TCP_THIN_LINEAR_TIMEOUTS": 16,
    "TCP_NOTSENT_LOWAT": 25,
    "TCP_FASTOPEN_CONNECT": 30,
    "SO_RCVBUFFORCE": 33,
    "SO_SNDBUFFORCE": 32,
}
_MOST_BYTES = 64 * 1024 * 1024


def cable_of(stage: Stage, what: str) -> CableGround:
    """The cable; raises MistakeError where the scenario runs on another ground."""
    if not isinstance(stage.ground, CableGround):
        raise MistakeError(f'{what} needs the cable (say NEEDS = "cable" in the script)')
    return stage.ground


class Words:
    """Says what words there are when a script uses one that does not exist."""

    _what = ""

    def __getattr__(self, name: str) -> object:
        words = sorted(word for word in dir(type(self)) if not word.startswith("_"))
        words += sorted(word for word in vars(self) if not word.startswith("_"))
        near = difflib.get_close_matches(name, words, 1)
        hint = f"did you mean {near[0]}?" if near else "there are: " + ", ".join(words)
        raise MistakeError(f"{self._what} has no {name!r}; {hint}")


class Host(Words):
    """One application on a host: a thread that makes one socket call at a time.

    Calls act on its current socket: the one made last, the one that accept() gave,
    or the one that :meth:`use` names; after close(), the listening socket.
    """

    def __init__(self, stage: Stage, worker: Worker, side: Side) -> None:
        self._what = f"lab.{worker.called}"
        self._stage = stage
        self._worker = worker
        self._side = side
        self._place = stage.ground.places[side]
        self._socks: list[Sock] = []
        self._others: dict[str, Host] = {}
        self._sock: Sock | None = None
        self._listener: Sock | None = None

    # -- what a script may ask ----------------------------------------------

    @property
    def address(self) -> str:
        """The host's IP address."""
        return self._place.endpoint.addr

    @property
    def port(self) -> int:
        """The server's port, or the client's first one."""
        return self._place.endpoint.port

    @property
    def received(self) -> bytes:
        """What the last recv() gave."""
        self._stage.finish(self._worker, CALL_LIMIT_S)
        return self._worker.received

    def wait(self, seconds: float = 10.0) -> None:
        """Wait until the call that blocks has returned."""
        self._stage.finish(self._worker, float(seconds))

    # -- calls --------------------------------------------------------------

    def socket(self, name: str = "") -> None:
        """Make a TCP socket; with a name, :meth:`use` can come back to it."""
        self._free("socket")
        sock = Sock(name=str(name))
        family = self._stage.ground.family

        def act() -> str:
            sock.real = RealSocket(family, socket.SOCK_STREAM)
            return f"fd {sock.fd}"

        self._make("socket", "", sock, act)
        self._keep(sock)

    def setsockopt(self, option: str, value: int | bool = True) -> None:
        """Set ``SO_REUSEADDR``, ``SO_LINGER`` (seconds), ``TCP_NODELAY``, ..., by its name."""
        sock, real = self._current("setsockopt")
        level, number, name = self._option(option, "setsockopt")
        count = int(value)
        raw: int | bytes = count
        text = f"{name}, {count}"
        if name == "SO_LINGER":
            raw, text = struct.pack("ii", 1, count), f"SO_LINGER, {count} s"
            sock.lingers = count > 0

        def act() -> str:
            real.setsockopt(level, number, raw)
            return "0"

        self._make("setsockopt", text, sock, act)

    def getsockopt(self, option: str) -> int:
        """Ask for an option; recorded as a call, and given back as a number."""
        sock, real = self._current("getsockopt")
        level, number, name = self._option(option, "getsockopt")
        found: list[int] = []

        def act() -> str:
            found.append(real.getsockopt(level, number))
            return str(found[0])

        self._make("getsockopt", name, sock, act)
        return found[0] if found else -1

    def bind(self, port: int | None = None) -> None:
        """Bind to the host's address and ``port`` (its own if none is named)."""
        sock, real = self._current("bind")
        wanted = self._endpoint(self._place.endpoint, port, "bind")

        def act() -> str:
            real.bind((wanted.addr, wanted.port))
            return "0"

        self._make("bind", str(wanted), sock, act)

    def listen(self, backlog: int = 128) -> None:
        """Become a listening socket, with room for ``backlog`` connections."""
        sock, real = self._current("listen")
        room = int(backlog)

        def act() -> str:
            real.listen(room)
            sock.listens = True
            return "0"

        self._make("listen", str(room), sock, act)
        self._listener = sock

    def accept(self, name: str = "") -> None:
        """Take a connection from the listening socket; blocks until there is one."""
        self._free("accept")
        sock = self._listener or self._sock
        if sock is None or sock.real is None:
            raise MistakeError(f"{self._what}.accept(): no listening socket; listen() comes first")
        real = sock.real

        def act() -> str:
            taken, address = real.accept()
            self._keep(Sock(taken, name=str(name)))
            return f"fd {taken.fileno()} from {endpoint_of(address)}"

        self._make("accept", "", sock, act)

    def connect(self, port: int | None = None) -> None:
        """Connect to the other host; blocks until it answers."""
        sock, real = self._current("connect")
        far = self._stage.ground.places[self._side.other].endpoint
        target = self._endpoint(far, port, "connect")
        bound = endpoint_of(real.getsockname()) is not None
        before = self._stage.connects() if not bound and self._side is Side.CLIENT else None

        def prepare() -> None:
            if before is not None:
                self._stage.ground.source_port(real, before)

        def act() -> str:
            real.connect((target.addr, target.port))
            return "0"

        self._make("connect", str(target), sock, act, peer=target, prepare=prepare)

    def send(self, data: str | bytes) -> None:
        """Send all of ``data`` (text goes as UTF-8)."""
        sock, real = self._current("send")
        raw = data.encode() if isinstance(data, str) else bytes(data)
        if len(raw) > _MOST_BYTES:
            raise MistakeError(f"{self._what}.send(): at most {_MOST_BYTES} bytes at once")

        def act() -> str:
            return f"{real.send(raw)} bytes"

        self._make("send", _quoted(raw), sock, act)

    def recv(self, size: int = 65536) -> None:
        """Receive up to ``size`` bytes; blocks until there are some, or the end."""
        sock, real = self._current("recv")
        most = int(size)

        def act() -> str:
            self._worker.received = b""
            self._worker.received = real.recv(most)
            count = len(self._worker.received)
            return f"{count} bytes" if count else "0 (end of file)"

        self._make("recv", str(most), sock, act)

    def shutdown(self, how: str = "SHUT_WR") -> None:
        """Close one direction: ``SHUT_WR`` sends the FIN and still receives."""
        sock, real = self._current("shutdown")
        direction = _DIRECTIONS.get(str(how))
        if direction is None:
            raise MistakeError(f"{self._what}.shutdown(): {how!r} is none of SHUT_RD, _WR, _RDWR")

        def act() -> str:
            real.shutdown(direction)
            return "0"

        self._make("shutdown", str(how), sock, act)

    def close(self) -> None:
        """Close the current socket."""
        sock, real = self._current("close")

        def act() -> str:
            try:
                real.close()
            finally:
                sock.real = None
            return "0"

        self._make("close", "", sock, act)
        self._sock = None if sock is self._listener else self._listener
        if sock is self._listener:
            self._listener = None

    # -- several sockets, several applications ------------------------------

    def use(self, name: str) -> None:
        """Go on with the open socket of that name (``"listener"``: the listening one)."""
        self._free("use")
        if name == "listener" and self._listener is not None:
            self._sock = self._listener
            return
        for sock in self._socks:
            if sock.name == name and sock.real is not None:
                self._sock = sock
                return
        names = sorted({sock.name for sock in self._socks if sock.name and sock.real is not None})
        there = ", ".join(names) or "none with a name"
        raise MistakeError(f"{self._what}.use(): no open socket {name!r}; there are: {there}")

    def another(self, name: str) -> Host:
        """Another application on the same host, with sockets and a thread of its own."""
        name = str(name)
        if name not in self._others:
            ground = self._stage.ground
            worker = self._stage.peers.add(
                self._side, self._place.endpoint.addr, ground.enter(self._side), name
            )
            self._others[name] = Host(self._stage, worker, self._side)
        return self._others[name]

    # -- accidents ----------------------------------------------------------

    def kill(self) -> None:
        """The program dies where it is: its kernel closes its sockets as best it can."""
        self._stage.note(f"the {self._worker.called}'s program is killed")
        self._die()
        self._stage.settle()

    def reboot(self) -> None:
        """The host is switched off and on: nothing leaves it, and its kernel forgets everything."""
        cable = self._cable("reboot")
        self._stage.settle()
        cable.power_off(self._side)
        for one in (self, *self._others.values()):
            one._die(silently=True)
        cable.forget(self._side)
        cable.power_on()
        self._stage.tell(({"k": "reboot", "t": time.time_ns(), "side": self._side.value}, b""))
        self._stage.settle()

    def _die(self, *, silently: bool = False) -> None:
        self._worker.kill(self._socks, silently=silently)
        self._socks.clear()
        self._sock = self._listener = None

    # -- its kernel ---------------------------------------------------------

    def sysctl(self, name: str, value: object) -> None:
        """Set one of the host's network settings, such as ``net.ipv4.tcp_syncookies``."""
        if not str(name).startswith("net."):
            raise MistakeError(f"{self._what}.sysctl(): {name!r} does not begin with net.")
        cable = self._cable("sysctl")
        if not cable.sysctl(self._side, str(name), value):
            raise ScenarioError(f"{self._side}: the kernel refuses {name} = {value}")
        self._stage.note(f"{self._side}: {name} = {value}")

    def mtu(self, size: int) -> None:
        """Set the MTU of the host's own link, in bytes: its MSS follows."""
        least = 1280 if self._stage.ground.family == socket.AF_INET6 else 68
        if not least <= int(size) <= 1500:
            raise MistakeError(f"{self._what}.mtu(): {size} is not from {least} to 1500")
        self._cable("mtu").link_mtu(self._side, int(size))
        self._stage.note(f"{self._side}: the MTU of its link is {int(size)} bytes")

    def states(self) -> list[str]:
        """The states of the host's connections as the kernel told them last, in order."""
        return [
            one.state.value
            for one in self._stage.reader.last
            if one.side is self._side and one.peer is not None and one.state is not None
        ]

    def await_state(self, state: str, seconds: float = 10.0) -> None:
        """Wait until a connection of this host is in that state; ``CLOSED``: until all are gone."""
        wanted = str(state).upper().replace("_", "-")
        names = [one.value for one in State]
        if wanted not in names:
            near = difflib.get_close_matches(wanted, names, 1)
            hint = f"did you mean {near[0]}?" if near else f"there are: {', '.join(names)}"
            raise MistakeError(f"{self._what}.await_state(): no state {state!r}; {hint}")

        def reached() -> bool:
            self._stage.reader.read()
            states = self.states()
            return not states if wanted == "CLOSED" else wanted in states

        what = f"the {self._side} does not come to {wanted}"
        self._stage.until(reached, float(seconds), what)
        self._stage.read()

    # -- how ----------------------------------------------------------------

    def _keep(self, sock: Sock) -> None:
        self._sock = sock
        self._socks.append(sock)
        self._stage.sockets.append((self._side, sock))

    def _cable(self, name: str) -> CableGround:
        return cable_of(self._stage, f"{self._what}.{name}()")

    def _option(self, option: str, call: str) -> tuple[int, int, str]:
        name = str(option).upper()
        level = next((lev for head, lev in _OPTION_LEVELS.items() if name.startswith(head)), None)
        number = getattr(socket, name, _MORE_OPTIONS.get(name))
        if level is None or not isinstance(number, int):
            near = difflib.get_close_matches(name, [*dir(socket), *_MORE_OPTIONS], 1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise MistakeError(f"{self._what}.{call}(): no option {option!r} on this system{hint}")
        return level, number, name

    def _free(self, name: str) -> None:
        self._stage.finish(
            self._worker, CALL_LIMIT_S, f"{self._worker.called}.{name}() cannot begin: "
        )

    def _current(self, name: str) -> tuple[Sock, RealSocket]:
        self._free(name)
        if self._sock is None or self._sock.real is None:
            raise MistakeError(f"{self._what}.{name}(): no open socket; socket() comes first")
        return self._sock, self._sock.real

    def _endpoint(self, place: Endpoint, port: int | None, name: str) -> Endpoint:
        if port is None:
            return place
        if not 0 <= int(port) <= 65535:
            raise MistakeError(f"{self._what}.{name}(): {port} is no port (0 to 65535)")
        return Endpoint(place.addr, int(port))

    def _make(
        self,
        name: str,
        arguments: str,
        sock: Sock,
        act: Callable[[], str],
        *,
        peer: Endpoint | None = None,
        prepare: Callable[[], None] | None = None,
    ) -> None:
        ident = self._stage.peers.next_id()
        call = Call(ident, self._side, name, arguments, peer=peer, app=self._worker.app)
        self._stage.call(self._worker, Pending(call, act, sock, prepare))


def _quoted(raw: bytes) -> str:
    """Short text as it is, anything else by its length."""
    text = raw.decode("ascii", "replace")
    if len(raw) <= 24 and text.isprintable():
        return f'"{text}"'
    return f"{len(raw)} bytes"

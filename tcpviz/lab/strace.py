"""A program's real socket calls, read from ``strace`` while they are made.

strace writes a call's beginning at once and its end when it returns, so a call
that blocks is seen blocking: the unfinished last line counts. Times are
CLOCK_REALTIME, as the packets' are. Only calls on TCP sockets are told;
arguments and results are made readable: ``connect(10.0.0.2:7777)``,
``send("hello" 5 bytes)``, ``0 (end of file)``.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from tcpviz.core.records import Call, Side
from tcpviz.core.segment import Endpoint

_CALLS = (
    "network,read,write,readv,writev,sendfile,close,poll,?ppoll,?select,pselect6",
    "network,read,write,readv,writev,sendfile,close,ppoll,pselect6",  # no poll() on newer CPUs
)
_TIMES = (
    ("--absolute-timestamps=format:unix,precision:ns", "--syscall-times=ns"),  # strace 5.6
    ("-ttt", "-T"),  # microseconds
)
_TRIAL_S = 5.0

_NAMES = {"accept4": "accept", "sendto": "send", "recvfrom": "recv", "ppoll": "poll"} | {
    "pselect6": "select",
    "_newselect": "select",
}
_SENDS = frozenset({"send", "sendmsg", "sendmmsg", "write", "writev", "sendfile"})
_RECEIVES = frozenset({"recv", "recvmsg", "recvmmsg", "read", "readv"})
_WAITS = frozenset({"poll", "select"})
_PLAIN = frozenset({"bind", "listen", "accept", "connect", "shutdown", "close", "setsockopt"})
_TOLD = _SENDS | _RECEIVES | _WAITS | _PLAIN | {"socket", "getsockopt"}

_LONGEST = 1 << 20
"""Bytes of one line; a longer one is no call that we could tell."""

_MOST_TASKS = 10_000

_LINE = re.compile(r"(\d+) +(\d+)\.(\d+) (.*)", re.DOTALL)
_CALL = re.compile(r"(\w+)\((.*)", re.DOTALL)
_RESUMED = re.compile(r"<\.\.\. (\w+) resumed>(.*)", re.DOTALL)
_END = re.compile(r"(.*)\) += (.+?)(?: <(\d+)\.(\d+)>)?", re.DOTALL)
_SOCKET = re.compile(r"(\d+)<TCP(?:v6)?:\[(.*?)\]>(?=[,\]})\s(]|$)", re.DOTALL)
_TARGET = re.compile(r"sin6?_port=htons\((\d+)\).*?\"([0-9a-fA-F.:]+)\"", re.DOTALL)
_ENDED = ("+++ exited", "+++ killed", "+++ superseded")


def command(out: str) -> list[str] | None:
    """What to put before a program to have its calls written to ``out``.

    ``None`` where strace is not installed, or may not trace.
    """
    found = shutil.which("strace")
    if found is None:
        return None
    for times in _TIMES:
        for calls in _CALLS:
            options = ["-f", "-q", *times, "-yy", "-s", "32"]
            options += ["-e", f"trace={calls}", "-e", "signal=none", "-o"]
            try:
                done = subprocess.run(  # noqa: S603 - found on the person's own path
                    [found, *options, "/dev/null", "true"],
                    stdin=subprocess.DEVNULL,
                    capture_output=True,
                    timeout=_TRIAL_S,
                )
            except (OSError, subprocess.TimeoutExpired):
                return None
            if done.returncode == 0 and not done.stderr:
                # The tracer as a grandchild: the program's status and signals are its own.
                return [found, "-DD", *options, out]
    return None


def why_not() -> str:
    """Why :func:`command` gave nothing, in a few words."""
    if shutil.which("strace") is None:
        return "strace is not installed"
    return "strace may not trace here"


@dataclass
class _Task:
    """One thread of the program: the call that it is in, as far as it was told."""

    text: str = ""
    began_ns: int = 0
    call: Call | None = None
    told: bool = False
    waited: Call | None = None  # a poll() whose time was up: perhaps it is made again at once


class Trace:
    """Takes strace's output in pieces of any size; gives the calls as they begin and return.

    ``next_id``  gives a call its number
    ``ours``     whether a socket with these addresses (``None``: not known) is to be told
    """

    def __init__(
        self,
        side: Side,
        next_id: Callable[[], int],
        ours: Callable[[Endpoint | None, Endpoint | None], bool],
    ) -> None:
        self._side = side
        self._next_id = next_id
        self._ours = ours
        self._pending = ""
        self._tasks: dict[str, _Task] = {}
        self._apps: dict[str, str] = {}
        self._out: list[Call] = []
        self._skipping = False

    def feed(self, data: bytes) -> list[Call]:
        """The calls that these bytes tell of, as far as their lines are whole."""
        self._out = []
        *lines, self._pending = (self._pending + data.decode("latin-1")).split("\n")
        for line in lines:
            if not self._skipping:
                self._line(line, whole=True)
            self._skipping = False
        if len(self._pending) > _LONGEST:
            self._skipping, self._pending = True, ""
        return self._out

    def look(self) -> list[Call]:
        """The call whose line is not whole: it has begun. Ask when nothing more is there to read.

        strace hands over the beginning of a line at once and in one piece.
        """
        self._out = []
        if self._pending and not self._skipping:
            self._line(self._pending, whole=False)
        return self._out

    def finish(self) -> list[Call]:
        """The program is gone: what was still held back."""
        self._out = []
        for task in self._tasks.values():
            self._tell_waited(task)
        self._tasks.clear()
        return self._out

    def _line(self, line: str, *, whole: bool) -> None:
        found = _LINE.fullmatch(line)
        if found is None:
            return
        ident, seconds, fraction, rest = found.groups()
        time_ns = _nanoseconds(seconds, fraction)
        if rest.startswith(_ENDED):
            gone = self._tasks.pop(ident, None)
            if gone is not None:
                self._tell_waited(gone)
            return
        task = self._tasks.get(ident)
        if task is None:
            if len(self._tasks) >= _MOST_TASKS:
                return
            task = self._tasks[ident] = _Task()
        resumed = _RESUMED.fullmatch(rest)
        if resumed is not None:
            if whole and task.text:
                self._returned(task, task.text + resumed[2], ident, time_ns)
            return
        if whole and rest.endswith("<unfinished ...>"):
            rest = rest.removesuffix("<unfinished ...>").rstrip()
            self._begun(task, rest, time_ns, ident)
            task.text = rest
        elif whole:
            self._begun(task, rest, time_ns, ident)
            self._returned(task, rest, ident, None)
        else:
            self._begun(task, rest, time_ns, ident)

    # -- a call begins ------------------------------------------------------

    def _begun(self, task: _Task, text: str, time_ns: int, ident: str) -> None:
        """``text`` is as much of it as there is; told once it is known to be about TCP."""
        if task.told and task.began_ns == time_ns:
            return
        if task.began_ns != time_ns:
            task.began_ns, task.call, task.told, task.text = time_ns, None, False, ""
        found = _CALL.fullmatch(text)
        if found is None:
            return
        name = _NAMES.get(found[1], found[1])
        if name not in _TOLD or name in ("socket", "getsockopt"):
            return
        sock = _SOCKET.search(found[2])
        if sock is None or (name not in _WAITS and sock.start() != 0):
            return
        local, peer = _addresses(sock[2])
        words = _split(_until_end(found[2]))
        if name == "connect":
            peer = _target(found[2]) or peer
            if peer is None:
                return  # the address is not there yet, or is none
        if not self._ours(local, peer):
            return
        waited = task.waited
        if waited is not None:
            if name == waited.name and waited.fd == int(sock[1]):
                # The same wait, made again because its time was up: one to whoever looks.
                task.call, task.told, task.waited = replace(waited, result=None), True, None
                return
            self._tell_waited(task)
        call = Call(
            self._next_id(),
            self._side,
            name,
            _arguments(name, words),
            int(sock[1]),
            time_ns,
            local=local,
            peer=peer,
            app=self._app(ident),
        )
        task.call, task.told = call, True
        self._out.append(call)

    def _app(self, ident: str) -> str:
        """Which process or thread it is: the first one that has sockets needs no name."""
        number = len(self._apps) + 1
        return self._apps.setdefault(ident, f"task {number}" if number > 1 else "")

    # -- a call returns -----------------------------------------------------

    def _returned(self, task: _Task, text: str, ident: str, resumed_ns: int | None) -> None:
        end = _END.fullmatch(text)
        found = None if end is None else _CALL.fullmatch(end[1])
        call, task.call, task.told, task.text = task.call, None, False, ""
        if end is None or found is None:
            return
        if end[3] is not None:
            returned = task.began_ns + _nanoseconds(end[3], end[4])
        else:
            returned = resumed_ns if resumed_ns is not None else task.began_ns
        name = _NAMES.get(found[1], found[1])
        words = _split(found[2])
        if call is None:
            call = self._short(task, name, found[2], end[2], ident)
            if call is None:
                return
        failed, result = _result(name, end[2], found[2])
        if name in _WAITS and result == "0 (time is up)":
            task.waited = replace(call, returned_ns=returned, result=result)
            return
        if name == "getsockopt":
            error = words[3].strip("[]") if len(words) > 3 else "0"
            failed, result = error not in ("0", ""), error
        self._out.append(
            replace(
                call,
                arguments=_arguments(name, words) or call.arguments,
                returned_ns=max(returned, call.began_ns),
                result=result,
                failed=failed,
            )
        )

    def _short(self, task: _Task, name: str, text: str, result: str, ident: str) -> Call | None:
        """A call that can only be told when it has returned, and never blocks."""
        sock = _SOCKET.search(text if name == "getsockopt" else result)
        if sock is None or name not in ("socket", "getsockopt"):
            return None
        if name == "getsockopt" and "SO_ERROR" not in text:
            return None
        local, peer = _addresses(sock[2])
        if not self._ours(local, peer):
            return None
        self._tell_waited(task)
        call = Call(
            self._next_id(),
            self._side,
            name,
            _arguments(name, _split(text)),
            int(sock[1]),
            task.began_ns,
            local=local,
            peer=peer,
            app=self._app(ident),
        )
        self._out.append(call)
        return call

    def _tell_waited(self, task: _Task) -> None:
        if task.waited is not None:
            self._out.append(task.waited)
            task.waited = None


def _nanoseconds(seconds: str, fraction: str) -> int:
    return int(seconds) * 1_000_000_000 + int(fraction[:9].ljust(9, "0"))


def _until_end(text: str) -> str:
    """The arguments alone, where the result stands behind them already."""
    end = _END.fullmatch(text)
    return text if end is None else end[1]


def _addresses(text: str) -> tuple[Endpoint | None, Endpoint | None]:
    """What ``-yy`` shows of a socket: ``A:1->B:2``, ``A:1``, or an inode's number."""
    near, _, far = text.partition("->")
    return _endpoint(near), _endpoint(far)


def _endpoint(text: str) -> Endpoint | None:
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdigit() or int(port) > 65535:
        return None
    return Endpoint(_plain(host.strip("[]")), int(port))


def _plain(address: str) -> str:
    """IPv4 as such, where a socket for both families shows it within IPv6."""
    mapped = address.lower().removeprefix("::ffff:")
    return mapped if mapped.count(".") == 3 else address


def _target(text: str) -> Endpoint | None:
    found = _TARGET.search(text)
    return None if found is None else Endpoint(_plain(found[2]), int(found[1]))


def _split(text: str) -> list[str]:
    """Arguments at their commas, those within quotes, brackets and braces left alone."""
    words, depth, quoted, start, place = [], 0, False, 0, 0
    while place < len(text):
        char = text[place]
        if quoted:
            if char == "\\":
                place += 1
            quoted = char != '"'
        elif char == '"':
            quoted = True
        elif char in "[{(":
            depth += 1
        elif char in "]})":
            depth -= 1
        elif char == "," and depth <= 0:
            words.append(text[start:place].strip())
            start = place + 1
        place += 1
    words.append(text[start:].strip())
    return words


def _arguments(name: str, words: Sequence[str]) -> str:
    """As a person writes them, without the descriptor."""
    rest = list(words[1:])
    if name in ("accept", "close") or (not rest and name != "socket"):
        return ""
    if name == "socket":
        return ", ".join(words[:2])
    if name in ("connect", "bind"):
        target = _target(rest[0])
        return str(target) if target is not None else rest[0]
    if name in ("send", "write"):
        size = rest[1] if len(rest) > 1 and rest[1].isdigit() else ""
        return f"{rest[0]} {size} bytes" if size else rest[0]
    if name in ("recv", "read"):
        return rest[1] if len(rest) > 1 and rest[1].isdigit() else ""
    if name == "setsockopt" and len(rest) > 2:
        value = rest[2].strip("[]")
        linger = re.search(r"l_onoff=(\d+), l_linger=(\d+)", rest[2])
        if linger is not None:
            value = f"{linger[2]} s" if linger[1] != "0" else "off"
        return f"{rest[1]}, {value}"
    if name == "getsockopt":
        return "SO_ERROR"
    if name in _WAITS or name not in _PLAIN:
        return ""
    return ", ".join(rest)


def _result(name: str, text: str, arguments: str) -> tuple[bool, str]:
    """Whether it failed, and the result as a person writes it."""
    if text.startswith("-1 "):
        return True, text.split()[1]
    if text.startswith("?"):
        word = text.split()
        return True, "interrupted" if len(word) < 2 else word[1]
    number = text.split("<")[0].split()[0]
    if name in ("socket", "accept"):
        source = _target(arguments) if name == "accept" else None
        return False, f"fd {number}" + (f" from {source}" if source else "")
    if name in _RECEIVES and number == "0":
        return False, "0 (end of file)"
    if name in _SENDS | _RECEIVES:
        return False, f"{number} bytes"
    if name in _WAITS:
        return False, "0 (time is up)" if number == "0" else f"{number} ready"
    return False, number

"""``tcpviz doctor``: what this machine allows, tried for real, and how to get more.

Nothing here changes anything: namespaces are made in a process that ends at
once, helpers are started for a moment on loopback.
"""

from __future__ import annotations

import contextlib
import enum
import importlib.metadata
import locale
import os
import platform
import shutil
import socket
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import tcpviz
from tcpviz.sources import (
    access,
    bpf,
    helpers,
    kerneltrace,
    privileges,
    ringhand,
    spool,
    ssh,
    tracepoints,
)
from tcpviz.sources.feed import SourceError
from tcpviz.sources.interfaces import default_interfaces, list_interfaces
from tcpviz.sources.live import SNAPLEN

_PACKAGES = ("textual", "rich", "scapy", "pyroute2")
_SOCK_DIAG = 4  # NETLINK_SOCK_DIAG
_TCP_INFO = 11
_SMALLEST, _GOOD = (80, 24), (120, 40)
_PATIENCE = 10.0  # seconds for anything that is tried in another process

# What the lab does first of all, in a process of its own. (LAB.md: an ordinary user may.)
_NAMESPACE_TRIAL = """
import ctypes, os, socket, sys
uid, gid = os.geteuid(), os.getegid()
libc = ctypes.CDLL(None, use_errno=True)
if libc.unshare(0x10000000 | 0x40000000):
    sys.exit("unshare: " + os.strerror(ctypes.get_errno()))
try:
    for name, text in (("setgroups", "deny"), ("uid_map", f"0 {uid} 1"), ("gid_map", f"0 {gid} 1")):
        with open("/proc/self/" + name, "w") as file:
            file.write(text)
    socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0).close()
except OSError as error:
    sys.exit(f"{error.filename or 'AF_PACKET'}: {error.strerror}")
"""


class Mark(enum.Enum):
    """How a thing stands; the values are the sign and its ASCII form."""

    YES = ("✓", "+")
    PARTLY = ("~", "~")
    NO = ("✗", "x")


@dataclass(frozen=True, slots=True)
class Fact:
    """One line: what it is about, what was found, and the way to more where there is one."""

    mark: Mark
    name: str
    text: str
    remedy: str = ""


def run(stream: TextIO) -> int:
    """Print what this machine allows; returns the exit code, 0. Raises OSError."""
    for line in lines(getattr(stream, "encoding", None) or "ascii"):
        stream.write(line + "\n")
        stream.flush()
    return 0


def lines(encoding: str) -> Iterator[str]:
    """The table's lines, as each is found out, in characters that the encoding has."""
    plain = not _can(encoding, "✓✗→")
    yield _encodable(f"tcpviz {tcpviz.__version__} on {platform.platform()}", encoding)
    for check in _CHECKS:
        for fact in _safely(check):
            sign = fact.mark.value[1 if plain else 0]
            text = f"{fact.text}; {fact.remedy}" if fact.remedy else fact.text
            yield _encodable(f" {sign} {fact.name:<16} {text}", encoding)


def _safely(check: Callable[[], list[Fact]]) -> list[Fact]:
    """A check's facts; whatever goes wrong in it is itself a fact."""
    try:
        return check()
    except Exception as error:
        name = check.__name__.strip("_").replace("_", " ")
        reason = " ".join(str(error).split()) or type(error).__name__
        return [Fact(Mark.NO, name, f"could not be found out ({reason})")]


def _can(encoding: str, text: str) -> bool:
    try:
        text.encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def _encodable(text: str, encoding: str) -> str:
    text = "".join(c if c.isprintable() else "?" for c in text)
    if _can(encoding, text):
        return text
    return text.encode("ascii", "replace").decode("ascii")


# -- capturing


def _capture() -> list[Fact]:
    allowed, reason = access.own_access()
    if allowed:
        return [Fact(Mark.YES, "capture", f"allowed to this user ({reason})")]
    return [Fact(Mark.NO, "capture", reason, "run with sudo, or let a helper below do it")]


def _ring() -> list[Fact]:
    """Whether more than some ten thousand packets a second can be captured without drops."""
    if not access.own_access()[0]:
        return []
    found = (("packet ring", ringhand.told(SNAPLEN)), ("ring of blocks", ringhand.told(0)))
    return [Fact(Mark.YES if good else Mark.PARTLY, name, text) for name, (good, text) in found]


# What every capturing process does with itself, tried in one that ends at once.
_GIVING_UP = """
import sys
sys.path.append({root!r})
from tcpviz.sources import confine, privileges
privileges.drop({caller!r})
left = sum(value for name, value in privileges.held().items() if name != "CapBnd")
held = confine.confine()
print(__import__("os").getuid(), left, confine.landlock_abi(), *held.values())
"""


def _giving_up() -> list[Fact]:
    """Who a capturing process is after its start, and what confines it."""
    name = "privilege"
    if not sys.platform.startswith("linux"):
        return [
            Fact(Mark.PARTLY, name, "a capture gives up its user, and nothing more is to be had")
        ]
    root = str(Path(tcpviz.__file__).resolve().parent.parent)
    trial = _GIVING_UP.format(root=root, caller=privileges.sudo_caller())
    done = _try([sys.executable, "-I", "-S", "-c", trial])
    words = done.stdout.split() if done is not None and done.returncode == 0 else []
    if len(words) != 5:
        reason = "it did not end" if done is None else " ".join(done.stderr.split()[-12:])
        return [Fact(Mark.NO, name, f"cannot be given up here ({reason})")]
    uid, left, abi, landlock, seccomp = words
    user = "becomes" if os.geteuid() == 0 else "stays"
    text = f"a capture {user} user {uid}, {'no' if left == '0' else 'SOME'} capability left"
    if landlock == seccomp == "True":
        return [Fact(Mark.YES, name, f"{text}; Landlock (ABI {abi}) and seccomp confine it")]
    missing = [
        word for word, has in (("Landlock", landlock), ("seccomp", seccomp)) if has != "True"
    ]
    remedy = "switch it on with lsm=landlock,... at boot" if "Landlock" in missing else ""
    return [Fact(Mark.PARTLY, name, f"{text}; without {' and '.join(missing)} here", remedy)]


def _processes() -> list[Fact]:
    """Whose sockets can be told."""
    if not sys.platform.startswith("linux"):
        return []
    if os.geteuid() == 0:
        text = "those of all users when a capture begins; later ones with --processes"
        return [Fact(Mark.YES, "processes", text)]
    text = "only your own; of others the user and the service"
    return [Fact(Mark.PARTLY, "processes", text, "run the capture with sudo")]


def _capture_helpers() -> list[Fact]:
    facts = []
    loopback = next((i.name for i in list_interfaces() if i.is_loopback and i.up), None)
    for name in helpers.NAMES:
        program = helpers.find(name)
        if program is None:
            package = "wireshark-common (Debian), wireshark-cli (Fedora)"
            package = package if name == "dumpcap" else "tcpdump"
            facts.append(Fact(Mark.PARTLY, name, "not installed", f"package {package}"))
            continue
        if loopback is None:
            facts.append(Fact(Mark.PARTLY, name, f"{program}, not tried: loopback is down"))
            continue
        works, reason = helpers.may_capture(program, loopback)
        if works:
            facts.append(Fact(Mark.YES, name, f"{program} may capture"))
        else:
            grant = f"sudo setcap cap_net_raw,cap_net_admin=ep {program}"
            facts.append(Fact(Mark.NO, name, f"may not capture ({reason.rstrip('.')})", grant))
    return facts


def _capture_filter() -> list[Fact]:
    found = bpf.compiler()
    if found:
        return [Fact(Mark.YES, "filter compiler", found)]
    text = "none: only simple filters work, in tcpviz itself"
    return [Fact(Mark.PARTLY, "filter compiler", text, "install libpcap (Debian: libpcap0.8)")]


def _interfaces() -> list[Fact]:
    try:
        found = list_interfaces()
        watched = ", ".join(interface.name for interface in default_interfaces())
    except SourceError as error:
        return [Fact(Mark.NO, "interfaces", str(error))]
    names = ", ".join(i.name if i.up else f"{i.name} (down)" for i in found)
    if not watched:
        text = f"none is up of {names or 'none'}"
        return [Fact(Mark.NO, "interfaces", text, "ip link set lo up")]
    return [Fact(Mark.YES, "interfaces", f"{names}; watched unless told: {watched}")]


def _own_ssh() -> list[Fact]:
    sessions = ssh.own_sessions()
    if not sessions:
        return [Fact(Mark.YES, "ssh", "no: nothing is left out of a capture")]
    named = ", ".join(str(session) for session in sessions)
    return [Fact(Mark.YES, "ssh", f"this session is left out of captures: {named}")]


# -- the lab and the kernel


def _namespaces() -> list[Fact]:
    name = "namespaces"
    if not sys.platform.startswith("linux"):
        text = f"{platform.system()} has none: the demo runs on plain loopback"
        return [Fact(Mark.PARTLY, name, text)]
    done = _try([sys.executable, "-I", "-S", "-c", _NAMESPACE_TRIAL])
    if done is None:
        return [Fact(Mark.NO, name, "the trial did not end")]
    if done.returncode == 0:
        who = "tried as root" if os.geteuid() == 0 else "without root"
        return [Fact(Mark.YES, name, f"user + network, with capture in them, {who}")]
    reason = " ".join(done.stderr.split()) or f"failed with code {done.returncode}"
    return [Fact(Mark.NO, name, f"refused ({reason})", _namespace_remedy())]


def _namespace_remedy() -> str:
    """The switch that is off here, of the several that distributions have."""
    for setting, off, on in (
        ("kernel.unprivileged_userns_clone", "0", "1"),
        ("kernel.apparmor_restrict_unprivileged_userns", "1", "0"),
        ("user.max_user_namespaces", "0", "15000"),
        ("user.max_net_namespaces", "0", "15000"),
    ):
        if _sysctl(setting) == off:
            return f"sudo sysctl {setting}={on}"
    return "in a container: run it with --privileged or on the host"


def _kernel_sockets() -> list[Fact]:
    facts = []
    if sys.platform.startswith("linux"):
        reason = _inet_diag()
        if reason:
            remedy = "sudo modprobe tcp_diag"
            facts.append(Fact(Mark.NO, "inet_diag", f"refused ({reason})", remedy))
        else:
            facts.append(Fact(Mark.YES, "inet_diag", "the kernel tells the states of all sockets"))
    with socket.socket() as probe:
        try:
            option = _TCP_INFO if sys.platform.startswith("linux") else 0x106
            probe.getsockopt(socket.IPPROTO_TCP, option, 256)
        except OSError as error:
            text = f"no ({error.strerror})"
            facts.append(Fact(Mark.NO, "TCP_INFO", text, "states are inferred from segments"))
        else:
            facts.append(Fact(Mark.YES, "TCP_INFO", "the kernel tells the state of own sockets"))
    return facts


def _inet_diag() -> str:
    """Ask for all TCP sockets over IPv4; the empty text when the kernel answers."""
    try:
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _SOCK_DIAG) as link:
            link.settimeout(2)
            # struct inet_diag_req_v2: family, protocol, extensions, states, then the socket.
            request = struct.pack("=BBBxI48x", socket.AF_INET, socket.IPPROTO_TCP, 0, 0xFFF)
            # SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST | NLM_F_DUMP
            head = struct.pack("=IHHII", 16 + len(request), 20, 0x301, 1, 0)
            link.send(head + request)
            answer = link.recv(65536)
    except OSError as error:
        return error.strerror or str(error)
    _, kind = struct.unpack_from("=IH", answer)
    if kind == 2 and len(answer) >= 20:  # NLMSG_ERROR
        return os.strerror(-struct.unpack_from("=i", answer, 16)[0])
    return ""


def _kernel_events() -> list[Fact]:
    """Whether the kernel tells every change of state at its moment, and who called."""
    if not sys.platform.startswith("linux"):
        return []
    name = "kernel events"
    if os.geteuid() != 0:
        text = (
            "only root is told of every state change as it happens; the table tells once a second"
        )
        return [Fact(Mark.PARTLY, name, text, "run the capture with sudo")]
    told, reason = kerneltrace.try_it(_PATIENCE)
    if not told:
        remedy = "it takes tracefs, perf events, and root outside of containers"
        return [Fact(Mark.PARTLY, name, f"none ({reason})", remedy)]
    missing = [one.partition("/")[2] for one in tracepoints.WANTED if one not in told]
    if missing:
        text = f"states, but this kernel has no {', '.join(missing)}"
        return [Fact(Mark.PARTLY, name, text)]
    text = "state changes, repetitions and resets, each at its moment, with who called"
    return [Fact(Mark.YES, name, text)]


def _strace() -> list[Fact]:
    if not sys.platform.startswith("linux"):
        return []
    program = shutil.which("strace")
    if not program:
        return [Fact(Mark.PARTLY, "strace", "not installed", "package strace")]
    done = _try(
        [program, "-o", os.devnull, "-e", "trace=none", sys.executable, "-I", "-S", "-c", ""]
    )
    if done is not None and done.returncode == 0:
        return [Fact(Mark.YES, "strace", f"{program} may trace own programs")]
    reason = " ".join(done.stderr.split()) if done else "it did not end"
    remedy = ""
    if _sysctl("kernel.yama.ptrace_scope") in ("2", "3"):
        remedy = "kernel.yama.ptrace_scope forbids it to users: run with sudo"
    return [Fact(Mark.NO, "strace", f"may not trace ({reason})", remedy)]


def _sysctl(name: str) -> str:
    with contextlib.suppress(OSError):
        path = os.path.join("/proc/sys", *name.split("."))  # noqa: PTH118
        with open(path, encoding="ascii") as file:  # noqa: PTH123
            return file.read().strip()
    return ""


def _try(command: list[str]) -> subprocess.CompletedProcess[str] | None:
    try:
        return subprocess.run(  # noqa: S603 - no shell, by full path
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_PATIENCE,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return None


# -- the terminal and the program


def _terminal() -> list[Fact]:
    size = _terminal_size()
    if size is None:
        return [Fact(Mark.PARTLY, "terminal", "none: demo, capture and read print text")]
    columns, rows = size
    facts = []
    if columns < _SMALLEST[0] or rows < _SMALLEST[1]:
        text = f"{columns}x{rows}: too small for three panes"
        facts.append(Fact(Mark.PARTLY, "terminal", text, "make it at least 80x24"))
    elif columns < _GOOD[0] or rows < _GOOD[1]:
        text = f"{columns}x{rows}: enough; 120x40 shows more"
        facts.append(Fact(Mark.YES, "terminal", text))
    else:
        facts.append(Fact(Mark.YES, "terminal", f"{columns}x{rows}"))
    facts.append(_colours())
    encoding = locale.getpreferredencoding(False)
    if encoding.lower().replace("-", "") == "utf8":
        facts.append(Fact(Mark.YES, "characters", "UTF-8"))
    else:
        remedy = "export LC_ALL=C.UTF-8"
        facts.append(Fact(Mark.PARTLY, "characters", f"{encoding}: lines are ASCII", remedy))
    around = [name for name, sign in (("tmux", "TMUX"), ("screen", "STY")) if os.environ.get(sign)]
    if os.environ.get("SSH_CONNECTION") or os.environ.get("SSH_TTY"):
        around.append("SSH: frame rate and animation are lowered")
    if around:
        facts.append(Fact(Mark.YES, "seen through", ", ".join(around)))
    return facts


def _terminal_size() -> tuple[int, int] | None:
    for descriptor in (1, 2, 0):
        with contextlib.suppress(OSError, ValueError):
            if os.isatty(descriptor):
                size = os.get_terminal_size(descriptor)
                return size.columns, size.lines
    return None


def _colours() -> Fact:
    term = os.environ.get("TERM", "")
    if os.environ.get("NO_COLOR"):
        return Fact(Mark.YES, "colours", "none, as NO_COLOR asks")
    if os.environ.get("COLORTERM") in ("truecolor", "24bit"):
        return Fact(Mark.YES, "colours", f"16 million (COLORTERM; TERM={term})")
    count = -1
    with contextlib.suppress(Exception):
        import curses

        curses.setupterm(term or None, 1)
        count = curses.tigetnum("colors")
    if count >= 256:
        return Fact(Mark.YES, "colours", f"{count} (TERM={term})")
    if count >= 8:
        remedy = "export TERM=xterm-256color if your terminal can"
        return Fact(Mark.PARTLY, "colours", f"{count} (TERM={term})", remedy)
    remedy = "export TERM=xterm-256color if your terminal can"
    return Fact(Mark.PARTLY, "colours", f"not known for TERM={term or 'unset'}", remedy)


def _python() -> list[Fact]:
    facts = [Fact(Mark.YES, "Python", f"{platform.python_version()} ({sys.executable})")]
    for package in _PACKAGES:
        if package == "pyroute2" and not sys.platform.startswith("linux"):
            continue
        try:
            facts.append(Fact(Mark.YES, package, importlib.metadata.version(package)))
        except importlib.metadata.PackageNotFoundError:
            remedy = f"{sys.executable} -m pip install {package}"
            facts.append(Fact(Mark.NO, package, "not installed", remedy))
    return facts


def _large_captures() -> list[Fact]:
    on_disk, text = spool.room()
    remedy = "" if on_disk else "TMPDIR=/a/directory/on/a/disk before the command"
    return [Fact(Mark.YES if on_disk else Mark.PARTLY, "large captures", text, remedy)]


_CHECKS: tuple[Callable[[], list[Fact]], ...] = (
    _capture,
    _giving_up,
    _ring,
    _capture_helpers,
    _capture_filter,
    _interfaces,
    _own_ssh,
    _namespaces,
    _kernel_sockets,
    _kernel_events,
    _processes,
    _strace,
    _large_captures,
    _terminal,
    _python,
)

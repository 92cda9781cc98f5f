"""The doctor on the kernel: namespaces for the lab, and what it tells of sockets and calls."""

from __future__ import annotations

import os
import platform
import shutil
import socket
import struct
import sys

from tcpviz.commands.doctor_facts import PATIENCE_S, Fact, Mark, sysctl, tried
from tcpviz.sources import kerneltrace, tracepoints

_SOCK_DIAG = 4  # NETLINK_SOCK_DIAG
_TCP_INFO = 11

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


def namespaces() -> list[Fact]:
    """Whether the demo can have its two hosts."""
    name = "namespaces"
    if not sys.platform.startswith("linux"):
        text = f"{platform.system()} has none: the demo runs on plain loopback"
        return [Fact(Mark.PARTLY, name, text)]
    done = tried([sys.executable, "-I", "-S", "-c", _NAMESPACE_TRIAL])
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
        if sysctl(setting) == off:
            return f"sudo sysctl {setting}={on}"
    return "in a container: run it with --privileged or on the host"


def kernel_sockets() -> list[Fact]:
    """Whether the kernel tells the states of sockets."""
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


def kernel_events() -> list[Fact]:
    """Whether the kernel tells every change of state at its moment, and who called."""
    if not sys.platform.startswith("linux"):
        return []
    name = "kernel events"
    if os.geteuid() != 0:
        text = (
            "only root is told of every state change as it happens; the table tells once a second"
        )
        return [Fact(Mark.PARTLY, name, text, "run the capture with sudo")]
    told, reason = kerneltrace.try_it(PATIENCE_S)
    if not told:
        remedy = "it takes tracefs, perf events, and root outside of containers"
        return [Fact(Mark.PARTLY, name, f"none ({reason})", remedy)]
    missing = [one.partition("/")[2] for one in tracepoints.WANTED if one not in told]
    if missing:
        text = f"states, but this kernel has no {', '.join(missing)}"
        return [Fact(Mark.PARTLY, name, text)]
    text = "state changes, repetitions and resets, each at its moment, with who called"
    return [Fact(Mark.YES, name, text)]


def strace() -> list[Fact]:
    """Whether calls of own programs can be traced."""
    if not sys.platform.startswith("linux"):
        return []
    program = shutil.which("strace")
    if not program:
        return [Fact(Mark.PARTLY, "strace", "not installed", "package strace")]
    done = tried(
        [program, "-o", os.devnull, "-e", "trace=none", sys.executable, "-I", "-S", "-c", ""]
    )
    if done is not None and done.returncode == 0:
        return [Fact(Mark.YES, "strace", f"{program} may trace own programs")]
    reason = " ".join(done.stderr.split()) if done else "it did not end"
    remedy = ""
    if sysctl("kernel.yama.ptrace_scope") in ("2", "3"):
        remedy = "kernel.yama.ptrace_scope forbids it to users: run with sudo"
    return [Fact(Mark.NO, "strace", f"may not trace ({reason})", remedy)]

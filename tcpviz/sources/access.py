"""Who may capture here: this program itself, a helper, or nobody; and the ways out."""

from __future__ import annotations

import errno
import os
import socket
import sys
from dataclasses import dataclass, field
from pathlib import Path

from tcpviz.sources import helpers
from tcpviz.sources.feed import SourceError
from tcpviz.sources.interfaces import Interface

WAYS_OUT = (
    "no permission to capture: run it with sudo, or let a helper do it "
    '(sudo setcap cap_net_raw,cap_net_admin=ep "$(command -v dumpcap)"; on Debian: '
    "dpkg-reconfigure wireshark-common and the group wireshark), "
    "or pipe: sudo tcpdump -U -w - tcp | tcpviz read -"
)
_WAYS_OUT_BSD = (
    "no permission to capture: run it with sudo, or install Wireshark's ChmodBPF (which lets "
    "administrators read /dev/bpf*), or pipe: sudo tcpdump -U -w - tcp | tcpviz read -"
)


@dataclass(frozen=True)
class Access:
    """``helper``: the program that is to capture; None where we do it ourselves."""

    helper: str | None = None
    notes: list[str] = field(default_factory=list)


def own_access() -> tuple[bool, str]:
    """Whether this process may open capture sockets, and if not, why."""
    if not hasattr(socket, "AF_PACKET"):
        return _bpf_devices()
    try:
        socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0).close()
    except OSError as error:
        if error.errno in (errno.EPERM, errno.EACCES):
            return False, "AF_PACKET needs root or CAP_NET_RAW"
        return False, f"AF_PACKET: {error.strerror}"
    return True, "AF_PACKET"


def _bpf_devices() -> tuple[bool, str]:
    devices = sorted(Path("/dev").glob("bpf*"))
    if not devices:
        return False, "no /dev/bpf here"
    if any(os.access(device, os.R_OK) for device in devices):
        return True, "/dev/bpf"
    return False, "/dev/bpf* may be read by root only"


def find_access(interfaces: list[Interface]) -> Access:
    """How these interfaces can be captured. Raises SourceError with each way out."""
    allowed, reason = own_access()
    if allowed:
        return Access()
    up = [interface for interface in interfaces if interface.up] or interfaces
    program, _ = helpers.usable(up[0].name)
    if program:
        return Access(program, [f"{reason}; {program} captures for us"])
    if "needs root" in reason or "root only" in reason:
        raise SourceError(WAYS_OUT if sys.platform == "linux" else _WAYS_OUT_BSD)
    raise SourceError(f"cannot capture here: {reason}")


def can_capture() -> tuple[bool, str]:
    """Whether a live capture would work, and by what, or what to do. Tries it for real."""
    allowed, reason = own_access()
    if allowed:
        return True, reason
    loopback = "lo" if sys.platform == "linux" else "lo0"
    program, _ = helpers.usable(loopback)
    if program:
        return True, f"through {program}"
    return False, WAYS_OUT if sys.platform == "linux" else _WAYS_OUT_BSD

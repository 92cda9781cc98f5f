"""The doctor on captures: who may, by which way, of what, and what is given up for it."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import tcpviz
from tcpviz.commands.doctor_facts import Fact, Mark, tried
from tcpviz.sources import access, bpf, helpers, privileges, ringhand, spool, ssh
from tcpviz.sources.feed import SourceError
from tcpviz.sources.interfaces import default_interfaces, list_interfaces
from tcpviz.sources.live import SNAPLEN


def capture() -> list[Fact]:
    """Whether this user may capture."""
    allowed, reason = access.own_access()
    if allowed:
        return [Fact(Mark.YES, "capture", f"allowed to this user ({reason})")]
    return [Fact(Mark.NO, "capture", reason, "run with sudo, or let a helper below do it")]


def ring() -> list[Fact]:
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


def giving_up() -> list[Fact]:
    """Who a capturing process is after its start, and what confines it."""
    name = "privilege"
    if not sys.platform.startswith("linux"):
        return [
            Fact(Mark.PARTLY, name, "a capture gives up its user, and nothing more is to be had")
        ]
    root = str(Path(tcpviz.__file__).resolve().parent.parent)
    trial = _GIVING_UP.format(root=root, caller=privileges.sudo_caller())
    done = tried([sys.executable, "-I", "-S", "-c", trial])
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


def processes() -> list[Fact]:
    """Whose sockets can be told."""
    if not sys.platform.startswith("linux"):
        return []
    if os.geteuid() == 0:
        text = "those of all users when a capture begins; later ones with --processes"
        return [Fact(Mark.YES, "processes", text)]
    text = "only your own; of others the user and the service"
    return [Fact(Mark.PARTLY, "processes", text, "run the capture with sudo")]


def capture_helpers() -> list[Fact]:
    """Which programs may capture for this user."""
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


def capture_filter() -> list[Fact]:
    """What compiles BPF filters."""
    found = bpf.compiler()
    if found:
        return [Fact(Mark.YES, "filter compiler", found)]
    text = "none: only simple filters work, in tcpviz itself"
    return [Fact(Mark.PARTLY, "filter compiler", text, "install libpcap (Debian: libpcap0.8)")]


def interfaces() -> list[Fact]:
    """Which interfaces there are, and are watched unless told."""
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


def own_ssh() -> list[Fact]:
    """Which connections are left out because they carry this session."""
    sessions = ssh.own_sessions()
    if not sessions:
        return [Fact(Mark.YES, "ssh", "no: nothing is left out of a capture")]
    named = ", ".join(str(session) for session in sessions)
    return [Fact(Mark.YES, "ssh", f"this session is left out of captures: {named}")]


def large_captures() -> list[Fact]:
    """Where columns go that memory does not hold."""
    on_disk, text = spool.room()
    remedy = "" if on_disk else "TMPDIR=/a/directory/on/a/disk before the command"
    return [Fact(Mark.YES if on_disk else Mark.PARTLY, "large captures", text, remedy)]

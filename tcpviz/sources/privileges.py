"""Privileges: giving them up for good, and who it was that called sudo.

Every process of a capture does this before it parses a byte, the screen's too:
whoever called sudo is whom it runs as afterwards, with no capability left in any
set and no way to get one (credentials(7), capabilities(7)). What a process may
then still ask of the kernel is narrowed further in :mod:`tcpviz.sources.confine`.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

NOBODY = 65534
"""User and group of a process that has nothing of its own (kernel.overflowuid)."""

CAP_DAC_READ_SEARCH, CAP_SYS_PTRACE = 2, 19
"""What it takes to see whose a socket is, in /proc/PID/fd of other users."""

_PR_SET_PDEATHSIG, _PR_CAPBSET_DROP, _PR_SET_NO_NEW_PRIVS, _PR_CAP_AMBIENT = 1, 24, 38, 47
_PR_SET_KEEPCAPS = 8
_PR_CAP_AMBIENT_CLEAR_ALL = 4
_CAPABILITY_VERSION_3 = 0x20080522
_MOST_CAPABILITIES = 64


class PrivilegeError(Exception):
    """Something that root may is still there after giving it up: going on would be unsafe."""


def sudo_caller(environ: Mapping[str, str] | None = None) -> tuple[int, int] | None:
    """User and group of whoever called sudo (or doas), where we are root through it."""
    if os.geteuid() != 0:
        return None
    environ = os.environ if environ is None else environ
    try:
        user, group = int(environ["SUDO_UID"]), int(environ["SUDO_GID"])
    except (KeyError, ValueError):
        return _doas_caller(environ)
    return (user, group) if user > 0 and group >= 0 else None


def _doas_caller(environ: Mapping[str, str]) -> tuple[int, int] | None:
    """The same of doas, which tells a name only."""
    import pwd

    try:
        entry = pwd.getpwnam(environ["DOAS_USER"])
    except KeyError:
        return None
    return (entry.pw_uid, entry.pw_gid) if entry.pw_uid > 0 else None


def groups_of(caller: tuple[int, int]) -> list[int]:
    """The groups that the user is in, its own first; only its own where it has no name."""
    import pwd

    user, group = caller
    try:
        return os.getgrouplist(pwd.getpwuid(user).pw_name, group)
    except (KeyError, OSError):
        return [group]


def drop(
    caller: tuple[int, int] | None, groups: Iterable[int] = (), keep: Iterable[int] = ()
) -> None:
    """Give up for good what root may: become the caller of sudo, or nobody; no capabilities.

    ``groups`` are the supplementary groups to be in afterwards; ``keep`` the
    capabilities that stay in the permitted and effective sets (never a process
    that reads packets). Must be called before there is a second thread: the
    kernel keeps capabilities for each. Where user numbers cannot be changed (a
    user namespace with one user, or no privilege to begin with), only the
    capabilities go. Raises PrivilegeError where something is left.
    """
    _drop_as(caller or (NOBODY, NOBODY), groups, keep)


def drop_capabilities() -> None:
    """Stay who we are, without a capability in any set. Raises PrivilegeError."""
    _drop_as(None, (), ())


def _drop_as(become: tuple[int, int] | None, groups: Iterable[int], keep: Iterable[int]) -> None:
    kept = tuple(keep)
    linux = sys.platform == "linux"
    if linux:
        _empty_bounding_set()
        if kept:
            _libc().prctl(_PR_SET_KEEPCAPS, 1, 0, 0, 0)
    if become is not None and os.geteuid() == 0:
        _become(become, groups)
    if linux:
        libc = _libc()
        libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        _set_capabilities(kept)
        libc.prctl(_PR_SET_KEEPCAPS, 0, 0, 0, 0)
        left = {name: value for name, value in held().items() if value & ~_bits(kept)}
        left.pop("CapBnd", None)  # of no use to one that can never get new privileges
        if left:
            raise PrivilegeError(f"capabilities are left: {left}")


def _become(who: tuple[int, int], groups: Iterable[int]) -> None:
    user, group = who
    with contextlib.suppress(OSError):
        os.setgroups(list(groups))
    with contextlib.suppress(OSError):
        os.setresgid(group, group, group)
        os.setresuid(user, user, user)
    if os.getresuid() != (user, user, user) and _may_change_user():
        raise PrivilegeError("the user cannot be changed")


def _may_change_user() -> bool:
    """Whether the kernel would let us be anybody: not so in a user namespace of one user."""
    try:
        lines = Path("/proc/self/uid_map").read_text(encoding="ascii").splitlines()
        ranges = [tuple(map(int, line.split())) for line in lines]
    except (OSError, ValueError):
        return False
    effective = held().get("CapEff", 0)
    return any(size > 1 for _, _, size in ranges) and bool(effective & 1 << 7)  # CAP_SETUID


def held() -> dict[str, int]:
    """This thread's capability sets as /proc tells them: CapInh, CapPrm, CapEff, CapBnd, CapAmb."""
    found = {}
    try:
        lines = Path("/proc/thread-self/status").read_text(errors="replace").splitlines()
    except OSError:
        return {}
    for line in lines:
        if line.startswith("Cap"):
            name, _, value = line.partition(":")
            found[name] = int(value, 16)
    return found


def _bits(capabilities: Iterable[int]) -> int:
    return sum(1 << each for each in set(capabilities))


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _empty_bounding_set() -> None:
    """Needs CAP_SETPCAP; without it no_new_privs alone keeps what is gone from coming back."""
    with contextlib.suppress(OSError, AttributeError):
        libc = _libc()
        libc.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
        for capability in range(_MOST_CAPABILITIES):
            if libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0) != 0:
                break  # not allowed, or one more than the kernel has


def _set_capabilities(kept: Iterable[int]) -> None:
    """The permitted and effective sets become ``kept``; the inheritable one empty (capset(2))."""
    bits = _bits(kept)
    low, high = bits & 0xFFFFFFFF, bits >> 32
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    sets = (ctypes.c_uint32 * 6)(low, low, 0, high, high, 0)
    with contextlib.suppress(OSError, AttributeError):
        _libc().capset(header, sets)


def be_nice(by: int = 5) -> None:
    """Let whatever else the machine has to do go first (nice(2))."""
    with contextlib.suppress(OSError):
        os.nice(by)


def die_with_parent(signal_number: int) -> None:
    """Ask the kernel for this signal when the thread that started us ends (Linux only).

    To be called after :func:`drop`, as a change of user clears the wish.
    """
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            _libc().prctl(_PR_SET_PDEATHSIG, signal_number, 0, 0, 0)

"""Privileges: giving them up, and who it was that called sudo."""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
from collections.abc import Mapping

_NOBODY = 65534
_PR_SET_NO_NEW_PRIVS = 38
_CAPABILITY_VERSION_3 = 0x20080522


def sudo_caller(environ: Mapping[str, str] | None = None) -> tuple[int, int] | None:
    """User and group of whoever called sudo (or doas), where we are root through it."""
    if os.geteuid() != 0:
        return None
    environ = os.environ if environ is None else environ
    try:
        user, group = int(environ["SUDO_UID"]), int(environ["SUDO_GID"])
    except (KeyError, ValueError):
        return None
    return (user, group) if user > 0 and group >= 0 else None


def drop(caller: tuple[int, int] | None) -> None:
    """Give up for good what root may: become the caller of sudo, or nobody; no capabilities.

    Where user numbers cannot be changed (a user namespace with one user, or no
    privilege to begin with), only the capabilities go.
    """
    if os.geteuid() == 0:
        user, group = caller or (_NOBODY, _NOBODY)
        with contextlib.suppress(OSError):
            os.setgroups([])
        with contextlib.suppress(OSError):
            os.setresgid(group, group, group)
            os.setresuid(user, user, user)
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            libc = ctypes.CDLL(None, use_errno=True)
            libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
            header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
            nothing = (ctypes.c_uint32 * 6)()
            libc.capset(header, nothing)


def die_with_parent(signal_number: int) -> None:
    """Ask the kernel for this signal when the thread that started us ends (Linux only).

    To be called after :func:`drop`, as a change of user clears the wish.
    """
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None, use_errno=True).prctl(1, signal_number, 0, 0, 0)

"""Confining a process that reads hostile bytes: Landlock and seccomp, where the kernel has them.

Without privilege a process may still do what its user may: read that user's
files, start programs, connect to anywhere. A process that only carries bytes
from sockets that are open already to a pipe needs none of it, so it asks the
kernel to refuse it from now on (landlock(7), seccomp(2)). Both are for good,
and hold for whatever the process might start.

Linux only, with the standard library alone. Each function tells whether it holds.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
import sys
from collections.abc import Iterable

_PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP, _MODE_FILTER = 38, 22, 2

# -- Landlock: include/uapi/linux/landlock.h -------------------------------------

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446  # the same on every architecture
_VERSION = 1  # LANDLOCK_CREATE_RULESET_VERSION
_PATH_BENEATH = 1
_READ_FILE, _READ_DIR = 1 << 2, 1 << 3
# Rights to files that each ABI knows: 2 moves between folders, 3 truncation, 5 device ioctls.
_FILE_RIGHTS = {1: 0x1FFF, 2: 0x3FFF, 3: 0x7FFF, 4: 0x7FFF}
_ALL_FILE_RIGHTS = 0xFFFF
_NET_RIGHTS = 0x3  # bind and connect of TCP, from ABI 4
_SCOPES = 0x3  # abstract Unix sockets and signals to outside, from ABI 6


def landlock_abi() -> int:
    """Which version of Landlock the kernel has; 0: none, or switched off."""
    if sys.platform != "linux":
        return 0
    version = _libc().syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), _VERSION)
    return max(0, int(version))


def landlock(readable: Iterable[str] = (), *, signals: bool = False) -> bool:
    """Refuse this thread every file, except reading below ``readable``; and new TCP, by address.

    What is open stays open. ``signals``: it may still signal processes that it did not start
    since. Needs ``no_new_privs`` (or CAP_SYS_ADMIN), which it sets.
    """
    abi = landlock_abi()
    if not abi:
        return False
    libc = _libc()
    rights = _FILE_RIGHTS.get(abi, _ALL_FILE_RIGHTS)
    attributes = struct.pack("=Q", rights)
    if abi >= 4:
        attributes += struct.pack("=Q", _NET_RIGHTS)
    if abi >= 6:
        attributes += struct.pack("=Q", _SCOPES & ~2 if signals else _SCOPES)
    ruleset = libc.syscall(_CREATE_RULESET, attributes, ctypes.c_size_t(len(attributes)), 0)
    if ruleset < 0:
        return False
    try:
        for path in readable:
            _allow_reading(libc, ruleset, path)
        libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        return int(libc.syscall(_RESTRICT_SELF, ruleset, 0)) == 0
    finally:
        os.close(ruleset)


def _allow_reading(libc: ctypes.CDLL, ruleset: int, path: str) -> None:
    try:
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return  # what is not there need not be read
    try:
        rule = struct.pack("=Qi", _READ_FILE | _READ_DIR, place)
        libc.syscall(_ADD_RULE, ruleset, _PATH_BENEATH, rule, 0)
    finally:
        os.close(place)


# -- seccomp: include/uapi/linux/seccomp.h, filter.h, audit.h --------------------

_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16  # offsets in struct seccomp_data
_ALLOW, _ERRNO, _KILL = 0x7FFF0000, 0x00050000, 0x80000000
_X32 = 0x40000000  # the other ABI of x86-64, whose numbers have this bit

_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND

_CALLS = """
execve 59 221, execveat 322 281,
clone 56 220, clone3 435 435, fork 57 -, vfork 58 -, unshare 272 97, setns 308 268,
personality 135 92,
socket 41 198, socketpair 53 199, connect 42 203, bind 49 200, listen 50 201,
accept 43 202, accept4 288 242,
creat 85 -, openat2 437 437, truncate 76 45, rename 82 -, renameat 264 38,
renameat2 316 276, mkdir 83 -, mkdirat 258 34, rmdir 84 -, link 86 -, linkat 265 37,
unlink 87 -, unlinkat 263 35, symlink 88 -, symlinkat 266 36, mknod 133 -,
mknodat 259 33, chmod 90 -, fchmod 91 52, fchmodat 268 53, fchmodat2 452 452,
chown 92 -, fchown 93 55, fchownat 260 54, lchown 94 -, name_to_handle_at 303 264,
open_by_handle_at 304 265, memfd_create 319 279,
setuid 105 146, setgid 106 144, setreuid 113 145, setregid 114 143, setgroups 116 159,
setresuid 117 147, setresgid 119 149, setfsuid 122 151, setfsgid 123 152, capset 126 91,
ptrace 101 117, process_vm_readv 310 270, process_vm_writev 311 271,
process_madvise 440 440, kcmp 312 272, pidfd_getfd 438 438,
mount 165 40, umount2 166 39, pivot_root 155 41, chroot 161 51, acct 163 89,
swapon 167 224, swapoff 168 225, reboot 169 142, sethostname 170 161,
setdomainname 171 162, quotactl 179 60, open_tree 428 428, move_mount 429 429,
fsopen 430 430, fsconfig 431 431, fsmount 432 432, fspick 433 433,
mount_setattr 442 442, iopl 172 -, ioperm 173 -, init_module 175 105,
finit_module 313 273, delete_module 176 106, kexec_load 246 104, kexec_file_load 320 294,
bpf 321 280, perf_event_open 298 241, userfaultfd 323 282, add_key 248 217,
request_key 249 218, keyctl 250 219, io_uring_setup 425 425, io_uring_enter 426 426,
io_uring_register 427 427
"""
"""Refused to everyone: the call, its number on x86-64 and on 64-bit ARM.

From asm/unistd_64.h and asm-generic/unistd.h of Linux 6.1, fchmodat2 of 6.6: programs, processes,
sockets, files, users, other processes' memory, the system, and the wide doors into the kernel.
"""

_SIGNALS = """
kill 62 129, tkill 200 130, tgkill 234 131, rt_sigqueueinfo 129 138,
rt_tgsigqueueinfo 297 240, pidfd_send_signal 424 424
"""

_ARCHITECTURES = {"x86_64": (0xC000003E, 1), "aarch64": (0xC00000B7, 2)}
"""AUDIT_ARCH_* (include/uapi/linux/audit.h), and the column of the tables."""

_OPENING = {"x86_64": ((2, 1), (257, 2)), "aarch64": ((56, 2),)}
"""open() and openat(): the number, and which argument has the flags."""

Row = tuple[int, int, int, int]


def refused_calls(machine: str, *, signals: bool = False) -> dict[str, int]:
    """What is refused altogether, by name; ``signals``: those may be sent."""
    column = _ARCHITECTURES[machine][1]
    text = _CALLS if signals else f"{_CALLS},{_SIGNALS}"
    rows = (entry.split() for entry in text.split(","))
    return {row[0]: int(row[column]) for row in rows if row[column] != "-"}


def seccomp_program(machine: str, *, signals: bool = False) -> list[Row] | None:
    """The filter for that architecture; ``None`` where its numbers are not known here.

    What is refused gives EPERM, also opening for writing; the calls of another
    architecture end the process.
    """
    if machine not in _ARCHITECTURES:
        return None
    denial: Row = (_RETURN, 0, 0, _ERRNO | errno.EPERM)
    rows: list[Row] = [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_EQUAL, 1, 0, _ARCHITECTURES[machine][0]),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, _NUMBER),
        (_AT_LEAST, 0, 1, _X32),
        denial,
    ]
    for number in sorted(refused_calls(machine, signals=signals).values()):
        rows += [(_EQUAL, 0, 1, number), denial]
    for number, argument in _OPENING[machine]:
        rows += [
            (_EQUAL, 0, 4, number),
            (_LOAD, 0, 0, _ARGUMENTS + 8 * argument),  # its lower half: little-endian
            (_ANY_BIT, 0, 1, _WRITING),
            denial,
            (_RETURN, 0, 0, _ALLOW),
        ]
    rows.append((_RETURN, 0, 0, _ALLOW))
    return rows


def seccomp(*, signals: bool = False) -> bool:
    """Put the filter on this thread and all that it starts."""
    if sys.platform != "linux" or sys.byteorder != "little" or sys.maxsize < 2**32:
        return False
    program = seccomp_program(platform.machine(), signals=signals)
    if program is None:
        return False
    packed = b"".join(struct.pack("=HBBI", *row) for row in program)
    held = ctypes.create_string_buffer(packed, len(packed))
    request = struct.pack("@HP", len(program), ctypes.addressof(held))
    libc = _libc()
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    return int(libc.prctl(_PR_SET_SECCOMP, _MODE_FILTER, request, 0, 0)) == 0


def confine(readable: Iterable[str] = (), *, signals: bool = False) -> dict[str, bool]:
    """Both; what holds, for those who ask."""
    return {
        "landlock": landlock(readable, signals=signals),
        "seccomp": seccomp(signals=signals),
    }


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)

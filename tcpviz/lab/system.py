"""What the lab asks of Linux beyond Python's library: namespaces, death with the parent, ethtool.

Linux only. Every failure is an :class:`OSError` from the kernel, with what was
tried as its file name, so that a fallback can say why.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import signal
import socket
import struct
from collections.abc import Callable
from pathlib import Path

CLONE_NEWUSER = 0x10000000  # include/uapi/linux/sched.h
CLONE_NEWNET = 0x40000000
PR_SET_PDEATHSIG = 1  # include/uapi/linux/prctl.h

SIOCETHTOOL = 0x8946  # include/uapi/linux/sockios.h
_OFFLOADS = {  # include/uapi/linux/ethtool.h: the commands that set one thing each
    "receive checksum": 0x15,
    "transmit checksum": 0x17,
    "scatter-gather": 0x19,
    "TSO": 0x1F,
    "GSO": 0x24,
    "GRO": 0x2C,
}

_libc = ctypes.CDLL(None, use_errno=True)


def _call(what: str, function: Callable[..., int], *arguments: int) -> None:
    if function(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), what)


def unshare(flags: int) -> None:
    """Give the calling thread new namespaces; a new user one needs a single-threaded process."""
    _call("unshare()", _libc.unshare, flags)


def setns(fd: int) -> None:
    """Move the calling thread into the network namespace that ``fd`` refers to."""
    _call("setns()", _libc.setns, fd, CLONE_NEWNET)


def die_with_parent(parent: int) -> None:
    """Ask the kernel for SIGKILL when the parent dies; exits at once if it is dead already.

    ``parent`` is its process id as it told us. Must be asked again after a new
    user namespace: the kernel forgets it when credentials grow
    (``commit_creds()`` in kernel/cred.c).
    """
    _call("prctl()", _libc.prctl, PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


def stay_on_one_cpu() -> None:
    """Keep this process on the CPU it is on, with every thread it makes later.

    A packet that a thread sends over a veth pair waits in the backlog of that
    thread's CPU. With one CPU there is one backlog, first in, first out, so a
    frame sent behind another has proof that the other was dealt with.
    """
    try:
        here = _libc.sched_getcpu()
        if here >= 0:
            os.sched_setaffinity(0, {here})
    except OSError:
        pass  # a sandbox that forbids it; the order is then only very probable


def own_network() -> None:
    """Put this process into a network namespace of its own, in which it may do everything.

    With the privilege to do so, a network namespace alone; otherwise a user
    namespace around it, in which the present user is root. Raises OSError.
    """
    uid, gid = os.geteuid(), os.getegid()
    if uid == 0:
        try:
            unshare(CLONE_NEWNET)
        except PermissionError:
            pass  # root without CAP_SYS_ADMIN, as in most containers
        else:
            return
    unshare(CLONE_NEWUSER | CLONE_NEWNET)
    me = Path("/proc/self")
    # Without "deny" the kernel refuses an unprivileged gid map (user_namespaces(7)).
    (me / "setgroups").write_text("deny")
    (me / "uid_map").write_text(f"0 {uid} 1")
    (me / "gid_map").write_text(f"0 {gid} 1")


def network_fd() -> int:
    """A descriptor of the calling thread's network namespace; keeps it alive while open."""
    return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


def why_refused(error: OSError) -> str:
    """Why namespaces or capture are refused here, and the way out, in one line."""
    for path, refusing, advice in _REFUSALS:
        try:
            if int(Path(path).read_text()) == refusing:
                return advice
        except (OSError, ValueError):
            continue
    name = errno.errorcode.get(error.errno or 0, str(error.errno))
    what = error.filename or "the kernel"
    if error.errno in (errno.EPERM, errno.EACCES):
        return f"network namespaces are not allowed here ({what}: {name}); root may have them"
    return f"{what}: {error.strerror} ({name})"


_REFUSALS = (
    (
        "/proc/sys/kernel/unprivileged_userns_clone",
        0,
        "user namespaces are off here (sysctl kernel.unprivileged_userns_clone=1 allows them)",
    ),
    (
        "/proc/sys/user/max_user_namespaces",
        0,
        "user namespaces are off here (sysctl user.max_user_namespaces is 0)",
    ),
    (
        "/proc/sys/kernel/apparmor_restrict_unprivileged_userns",
        1,
        "AppArmor refuses user namespaces here"
        " (sysctl kernel.apparmor_restrict_unprivileged_userns=0 allows them, or run as root)",
    ),
)


def set_sysctl(name: str, value: object) -> bool:
    """Set ``net.ipv4.tcp_...`` in the calling thread's network namespace; false if refused."""
    try:
        Path("/proc/sys", *name.split(".")).write_text(str(value))
    except OSError:
        return False  # /proc/sys is read-only in many containers
    return True


def get_sysctl(name: str) -> str:
    """Read it in the calling thread's network namespace. Raises OSError."""
    return Path("/proc/sys", *name.split(".")).read_text().strip()


def no_offload(interface: str) -> None:
    """Make the kernel itself cut segments and compute checksums on ``interface``.

    Otherwise what comes out of a veth pair has no checksum, and may be a
    64 KB segment that never existed on a wire. Raises OSError where the checksum
    cannot be had; the others may be unknown to the driver.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker:
        for name, command in _OFFLOADS.items():
            value = bytearray(struct.pack("II", command, 0))
            address, _ = _address_of(value)
            request = struct.pack("16sP16x", interface.encode(), address)
            try:
                fcntl.ioctl(asker.fileno(), SIOCETHTOOL, request)
            except OSError as error:
                if name == "transmit checksum":
                    raise OSError(error.errno, error.strerror, "ethtool") from None


def _address_of(buffer: bytearray) -> tuple[int, object]:
    """Where the buffer lies; the second value keeps it there while it is referred to."""
    view = (ctypes.c_char * len(buffer)).from_buffer(buffer)
    return ctypes.addressof(view), view

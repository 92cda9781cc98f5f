"""A program's keeper: starts it, tells when it ended, and ends with it all that it started.

A program may start others, which may leave its process group; and the lab may be
killed, so that it can end nobody. So each program has a keeper, forked from the
lab, to which orphans of the program fall (PR_SET_CHILD_SUBREAPER), and which ends
everything as soon as the lab's end of its channel is closed.

To the lab goes ``x STATUS`` (as of os.waitpid) when the program has ended, or
``e TEXT`` where it cannot be started; from the lab comes ``t`` (be so kind as to
end) and ``k`` (end).
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import select
import signal
import socket
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

PR_SET_PDEATHSIG = 1  # include/uapi/linux/prctl.h
PR_SET_DUMPABLE = 4
PR_SET_CHILD_SUBREAPER = 36

TRACE = "{trace}"
"""In a command: a path to which strace can write."""

_CONTROL, _TRACE, _FREE = 3, 4, 5  # the keeper's descriptors

_libc = ctypes.CDLL(None)


def fork(
    words: Sequence[str],
    environment: Mapping[str, str],
    *,
    control: int,
    trace: int | None,
    out: int,
    err: int,
) -> int:
    """Start a keeper with the program ``words``; returns the keeper's process id.

    The others are descriptors: of the channel, for strace's output, for the
    program's own. A fork and no new Python: in its namespace the lab may have lost
    the right to read one.
    """
    pid = os.fork()
    if pid:
        return pid
    try:
        os.setsid()
        given = [os.open(os.devnull, os.O_RDWR), out, err, control, out if trace is None else trace]
        # All of them away from the low numbers first, so that none takes another's place.
        high = [fcntl.fcntl(fd, fcntl.F_DUPFD, 512) for fd in given]
        for place, fd in enumerate(high):
            os.dup2(fd, place, inheritable=place < _CONTROL)
        os.closerange(_FREE, os.sysconf("SC_OPEN_MAX"))
        _libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        _libc.prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)  # or strace could not open our descriptor
        path = f"/proc/{os.getpid()}/fd/{_TRACE}"
        _keep_it([path if word == TRACE else word for word in words], environment)
    finally:
        os._exit(0)


def _keep_it(words: list[str], environment: Mapping[str, str]) -> None:
    channel = socket.socket(fileno=_CONTROL)
    try:
        pid = start(words, environment)
    except OSError as error:
        with contextlib.suppress(OSError):
            channel.sendall(f"e {error.filename}: {error.strerror}\n".encode())
        return
    null = os.open(os.devnull, os.O_RDWR)
    for fd in (1, 2):  # the pipes' ends are the program's alone
        os.dup2(null, fd)
    try:
        keep(channel, pid)
    except OSError:
        pass  # the lab is gone
    finally:
        end_all()


def descendants_of(pid: int) -> list[int]:
    """Everything below a process, parents first."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError, ValueError, IndexError):
                words = (entry / "stat").read_text(errors="replace").rpartition(")")[2].split()
                parents.setdefault(int(words[1]), []).append(int(entry.name))
    found = list(parents.get(pid, []))
    for each in found:
        found += parents.get(each, [])
    return found


def end_all() -> None:
    """Kill everything below this process, and see it gone."""
    until = time.monotonic() + 5.0
    while time.monotonic() < until:
        for pid in descendants_of(os.getpid()):
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return
        time.sleep(0.005)


def start(words: list[str], environment: Mapping[str, str]) -> int:
    """Start the program in a session of its own; returns its process id. Raises OSError."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        with contextlib.suppress(OSError):
            os.setsid()
            _libc.prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
            for each in (signal.SIGPIPE, signal.SIGINT, signal.SIGXFSZ):
                signal.signal(each, signal.SIG_DFL)
        number = 0
        try:
            os.execvpe(words[0], words, dict(environment))  # noqa: S606 - the person's own program
        except OSError as error:
            number = error.errno or 1
        os.write(write, str(number).encode())
        os._exit(127)
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        failed = pipe.read()
    if failed:
        os.waitpid(pid, 0)
        raise OSError(int(failed), os.strerror(int(failed)), words[0])
    return pid


def keep(channel: socket.socket, pid: int) -> None:
    """Wait for the program and for orders; returns when the lab is gone or says so."""
    wake_read, wake_write = os.pipe()
    os.set_blocking(wake_write, False)
    os.set_blocking(wake_read, False)
    signal.set_wakeup_fd(wake_write)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    poll = select.poll()
    poll.register(channel, select.POLLIN)
    poll.register(wake_read, select.POLLIN)
    running = True
    while True:
        with contextlib.suppress(ChildProcessError):
            while (gone := os.waitpid(-1, os.WNOHANG))[0]:
                if gone[0] == pid:
                    running = False
                    channel.sendall(f"x {gone[1]}\n".encode())
        for fd, _ in poll.poll():
            if fd == wake_read:
                with contextlib.suppress(BlockingIOError):
                    os.read(wake_read, 4096)
            else:
                order = channel.recv(1)
                if order == b"t" and running:
                    with contextlib.suppress(OSError):
                        os.killpg(pid, signal.SIGTERM)
                elif order != b"t":
                    return

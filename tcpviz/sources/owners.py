"""Whose a socket is: process, user, service and container, from /proc and the control groups.

A socket's inode number is known from ``inet_diag``; the process that has it is
found by looking through ``/proc/PID/fd``, which shows other users' processes
only to root (or CAP_SYS_PTRACE with CAP_DAC_READ_SEARCH). User and control group
come with the socket itself and need no privilege. Linux only.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from tcpviz.core.hosts import Process

MOST_GROUPS = 20_000
"""Control groups that are looked at when one is to be named."""

_CONTAINER = re.compile(
    r"(?:^|[/:])(?:(?:docker|cri-containerd|crio|libpod|containerd)-)?([0-9a-f]{64})(?:\.scope)?(?:/|$)"
)
_LXC = re.compile(r"/(?:lxc\.payload|lxc|machine\.slice/machine)[./-]([^/]+)")
_UNIT = re.compile(r"([^/]+\.(?:service|scope|socket))(?:/|$)")


def printable(name: str) -> str:
    """Fit to be shown: a process may call itself what it likes."""
    return "".join(c if c.isprintable() else "?" for c in name)


def group_names(path: str) -> tuple[str | None, str | None]:
    """``(unit, container)`` that a control group's path names, as far as it does."""
    units = _UNIT.findall(path)
    unit = printable(units[-1]) if units else None
    found = _CONTAINER.findall(path)
    if found:
        return unit, found[-1][:12]
    boxes = _LXC.findall(path)
    return unit, printable(boxes[-1].removesuffix(".scope")) if boxes else None


def users(passwd: Path = Path("/etc/passwd")) -> dict[int, str]:
    """Names of the local users. No directory service is asked: that could take long."""
    names: dict[int, str] = {}
    try:
        lines = passwd.read_text(errors="replace").splitlines()
    except OSError:
        return names
    for line in lines:
        fields = line.split(":")
        if len(fields) > 2 and fields[2].isdecimal():
            names.setdefault(int(fields[2]), printable(fields[0]))
    return names


class Groups:
    """Control groups by the id that the kernel gives a socket's: the inode of its folder."""

    def __init__(self, root: Path | None = None) -> None:
        roots = (Path("/sys/fs/cgroup"), Path("/sys/fs/cgroup/unified"))
        here = [each for each in roots if (each / "cgroup.controllers").exists()]
        self._root = root or (here[0] if here else None)
        self._paths: dict[int, str] = {}
        self._missed: set[int] = set()

    def path(self, ident: int) -> str | None:
        """Its path below the root, or ``None`` where it is not found (any more)."""
        if ident in self._paths or self._root is None:
            return self._paths.get(ident)
        if ident in self._missed:
            return None
        self._paths = dict(self._walk(self._root))
        if ident not in self._paths and len(self._missed) < MOST_GROUPS:
            self._missed.add(ident)
        return self._paths.get(ident)

    def _walk(self, root: Path) -> Iterator[tuple[int, str]]:
        waiting = [(str(root), "/")]
        seen = 0
        while waiting and seen < MOST_GROUPS:
            folder, name = waiting.pop()
            try:
                yield os.stat(folder).st_ino, name  # noqa: PTH116 - many of them
                with os.scandir(folder) as entries:
                    waiting += [
                        (entry.path, f"{name.rstrip('/')}/{entry.name}")
                        for entry in entries
                        if entry.is_dir(follow_symlinks=False)
                    ]
            except OSError:
                continue
            seen += 1


class Owners:
    """The processes of sockets, by the sockets' inode numbers.

    ``hidden``  processes whose descriptors we may not see, at the latest look
    """

    def __init__(self, proc: Path = Path("/proc")) -> None:
        self.hidden = 0
        self._proc = str(proc)
        self._known: dict[int, Process] = {}

    def get(self, inode: int) -> Process | None:
        return self._known.get(inode)

    def forget(self, inodes: Iterable[int]) -> None:
        """These sockets are gone."""
        for inode in inodes:
            self._known.pop(inode, None)

    def look(self, wanted: set[int], uids: set[int]) -> None:
        """Look through the processes for the sockets ``wanted``, which belong to ``uids``.

        A process of another user may have such a socket, too, if root opened it: so root's
        are always looked at.
        """
        self.hidden = 0
        found: dict[int, list[tuple[int, int]]] = {}
        for pid in self._pids():
            folder = f"{self._proc}/{pid}/fd"
            try:
                if os.stat(f"{self._proc}/{pid}").st_uid not in uids | {0}:  # noqa: PTH116
                    continue
                names = os.listdir(folder)  # noqa: PTH208
            except PermissionError:
                self.hidden += 1
                continue
            except OSError:
                continue  # it has ended
            for name in names:
                try:
                    target = os.readlink(f"{folder}/{name}")  # noqa: PTH115
                except OSError:
                    continue
                if target.startswith("socket:["):
                    inode = int(target[8:-1])
                    if inode in wanted:
                        found.setdefault(inode, []).append((pid, int(name)))
        names_of: dict[int, str] = {}
        for inode, places in found.items():
            pid, fd = places[0]
            if pid not in names_of:
                names_of[pid] = self._name(pid)
            others = len({each for each, _ in places}) - 1
            self._known[inode] = Process(names_of[pid], pid, fd, others=others)

    def group(self, pid: int) -> str | None:
        """The path of a process's control group, of the one hierarchy or the most telling."""
        try:
            text = Path(self._proc, str(pid), "cgroup").read_text(errors="replace")
        except OSError:
            return None
        paths = [line.split(":", 2)[2] for line in text.splitlines() if line.count(":") >= 2]
        return max(paths, key=len, default=None)

    def _pids(self) -> list[int]:
        try:
            names = os.listdir(self._proc)  # noqa: PTH208
        except OSError:
            return []
        # Ascending: of those that share a socket the eldest is named, which opened it.
        return sorted(int(name) for name in names if name.isdecimal())

    def _name(self, pid: int) -> str:
        try:
            raw = Path(self._proc, str(pid), "comm").read_bytes()
        except OSError:
            return f"pid {pid}"
        return printable(raw.decode(errors="replace").rstrip("\n"))

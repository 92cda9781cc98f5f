"""Network namespaces: finding a process's, a container's or a named one, and going in.

Whoever goes in takes every process with it that is started afterwards: the
interfaces, sockets, routes and counters that are then seen are those in there.
The namespace lives on as long as somebody is in it. Linux only.
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
import re
from collections.abc import Iterable
from pathlib import Path

from tcpviz.sources.feed import SourceError
from tcpviz.sources.owners import group_names, printable

_CLONE_NEWNET = 0x40000000
_NAMED = (Path("/run/netns"), Path("/var/run/netns"))
_HEX = re.compile(r"[0-9a-f]{3,64}\Z")
_MOST_SHOWN = 8

# Where container engines keep the names of what they run, for who may read it.
_DOCKER = Path("/var/lib/docker/containers")
_PODMAN = Path("/var/lib/containers/storage/overlay-containers/containers.json")


def of_process(pid: int, proc: Path = Path("/proc")) -> Path:
    """The network namespace of a process. Raises SourceError (2) if there is none such."""
    place = proc / str(pid)
    if not place.exists():
        raise SourceError(f"no process {pid} here", exit_code=2)
    return place / "ns" / "net"


def named(name: str, folders: Iterable[Path] = _NAMED) -> Path:
    """A namespace by its name of ``ip netns``, or by a path. Raises SourceError (2)."""
    if "/" in name:
        place = Path(name)
        if not place.exists():
            raise SourceError(f"{printable(name)}: no such network namespace", exit_code=2)
        return place
    known: list[str] = []
    for folder in folders:
        if name not in ("", ".", "..") and (folder / name).exists():
            return folder / name
        if folder.is_dir():
            known += sorted(each.name for each in folder.iterdir())
    there = _some(known) or "none (ip netns add makes one)"
    raise SourceError(f"no network namespace {printable(name)!r}; there are: {there}", exit_code=2)


def of_name(name: str, proc: Path = Path("/proc")) -> list[int]:
    """The processes of that name, as the kernel has it or as they were started."""
    found = []
    for pid in _pids(proc):
        try:
            comm = (proc / str(pid) / "comm").read_bytes().rstrip(b"\n").decode(errors="replace")
            line = (proc / str(pid) / "cmdline").read_bytes().split(b"\0")[0]
        except OSError:
            continue
        started = os.path.basename(line.decode(errors="replace"))  # noqa: PTH119
        if name in (comm, started):
            found.append(pid)
    return found


def of_container(wanted: str, proc: Path = Path("/proc")) -> int:
    """A process in the container of that id (its beginning will do) or name.

    Raises SourceError (2) where there is none, or where several fit.
    """
    boxes: dict[str, int] = {}
    for pid in _pids(proc):
        try:
            text = (proc / str(pid) / "cgroup").read_text(errors="replace")
        except OSError:
            continue
        for ident in _containers(text):
            boxes.setdefault(ident, pid)
    names = {ident for ident in boxes if ident == wanted}
    if not names and _HEX.match(wanted):
        names = {ident for ident in boxes if ident.startswith(wanted)}
    if not names:
        names = {ident for ident in boxes if ident == _ident_of(wanted)}
    if len(names) == 1:
        return boxes[names.pop()]
    shown = printable(wanted)
    if names:
        raise SourceError(
            f"several containers begin with {shown!r}: {_some(sorted(names))}; write more of it",
            exit_code=2,
        )
    there = _some(sorted(each[:12] for each in boxes)) or "none"
    raise SourceError(f"no container {shown!r} runs here; there are: {there}", exit_code=2)


def _containers(text: str) -> set[str]:
    """The ids in a ``/proc/PID/cgroup``, whole; or the name, of what has no id."""
    found = set(re.findall(r"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])", text))
    if not found:
        for line in text.splitlines():
            _, container = group_names(line.split(":", 2)[-1])
            if container:
                found.add(container)
    return found


def _ident_of(name: str) -> str | None:
    """The id of a container of that name, as Docker or Podman have it."""
    try:
        for file in _DOCKER.glob("*/config.v2.json"):
            if json.loads(file.read_text()).get("Name") == f"/{name}":
                return file.parent.name
    except (OSError, ValueError, AttributeError):
        pass
    try:
        for entry in json.loads(_PODMAN.read_text()):
            if name in entry.get("names", ()):
                return str(entry["id"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        pass
    return None


def enter(place: Path) -> bool:
    """Move this process into it; false if it is the one where we are. Raises SourceError."""
    shown = printable(str(place))
    try:
        descriptor = os.open(place, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        raise SourceError(f"{shown}: the process or namespace is gone", exit_code=1) from None
    except OSError as error:
        raise SourceError(f"{shown}: {error.strerror}; run it with sudo") from error
    try:
        here = os.stat("/proc/self/ns/net")  # noqa: PTH116 - a link of the kernel's
        there = os.fstat(descriptor)
        if (here.st_dev, here.st_ino) == (there.st_dev, there.st_ino):
            return False
        if ctypes.CDLL(None, use_errno=True).setns(descriptor, _CLONE_NEWNET) == 0:
            return True
        number = ctypes.get_errno()
    finally:
        os.close(descriptor)
    if number == errno.EINVAL:
        raise SourceError(f"{shown} is not a network namespace", exit_code=2)
    if number == errno.EPERM:
        raise SourceError(f"{shown}: entering it takes root; run it with sudo")
    raise SourceError(f"{shown}: {os.strerror(number)}")


def _pids(proc: Path) -> list[int]:
    return sorted(int(each.name) for each in proc.iterdir() if each.name.isdecimal())


def _some(names: list[str]) -> str:
    shown = [printable(each) for each in names[:_MOST_SHOWN]]
    return ", ".join(shown) + (" ..." if len(names) > _MOST_SHOWN else "")

"""Where ``tcpviz capture`` is to look: a process's, a container's or a named network namespace."""

from __future__ import annotations

import argparse
import os

from tcpviz.sources import namespaces
from tcpviz.sources.feed import SourceError
from tcpviz.sources.owners import printable

_LONGEST = 15
"""Of a process's name the kernel keeps so much (TASK_COMM_LEN without its end)."""


def go_there(options: argparse.Namespace) -> tuple[str, list[str]]:
    """Enter the namespace that the options name; a display filter and notes for the person.

    The filter is empty where no process was asked for. Raises SourceError.
    """
    asked = _asked(options)
    if len(asked) > 1:
        words = " and ".join(f"--{name}" for name in asked)
        raise SourceError(f"{words}: name one place to look", exit_code=2)
    if not asked:
        return "", []
    if not hasattr(os, "O_PATH"):
        raise SourceError(f"--{asked[0]}: network namespaces are Linux's", exit_code=2)
    if asked[0] == "process":
        return _processes(options.process)
    if asked[0] == "pid":
        entered = namespaces.enter(namespaces.of_process(options.pid))
        return f"pid:{options.pid}", _entered(entered, f"process {options.pid}")
    if asked[0] == "netns":
        return "", _entered(
            namespaces.enter(namespaces.named(options.netns)), printable(options.netns)
        )
    pid = namespaces.of_container(options.container)
    entered = namespaces.enter(namespaces.of_process(pid))
    return "", _entered(entered, f"container {printable(options.container)}")


def not_at(options: argparse.Namespace, source: str) -> None:
    """Another host's processes and namespaces are not ours to enter. Raises SourceError (2)."""
    for name in _asked(options):
        raise SourceError(f"--{name} looks on this machine, and not at {source}", exit_code=2)


def _asked(options: argparse.Namespace) -> list[str]:
    names = ("pid", "process", "netns", "container")
    return [name for name in names if getattr(options, name, None) is not None]


def _processes(name: str) -> tuple[str, list[str]]:
    shown = printable(name)
    words = f"process={quoted(name[:_LONGEST])}"
    pids = [pid for pid in namespaces.of_name(name) if pid != os.getpid()]
    places: dict[int, int] = {}
    for pid in pids:
        try:
            places.setdefault(os.stat(namespaces.of_process(pid)).st_ino, pid)  # noqa: PTH116
        except (OSError, SourceError):
            continue
    if len(places) > 1:
        some = ", ".join(str(pid) for pid in sorted(places.values())[:8])
        raise SourceError(
            f"processes named {shown!r} are in {len(places)} network namespaces; "
            f"choose one with --pid: {some}",
            exit_code=2,
        )
    if not places:
        return words, [f"no process named {shown!r} runs yet (or none that we may see)"]
    entered = namespaces.enter(namespaces.of_process(next(iter(places.values()))))
    return words, _entered(entered, f"{shown} (process {next(iter(places.values()))})")


def _entered(entered: bool, whose: str) -> list[str]:
    return [f"in the network namespace of {whose}"] if entered else []


def quoted(text: str) -> str:
    """As a value of the display filter."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'

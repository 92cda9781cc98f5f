"""What the doctor finds: a fact a line, and how things are tried in another process."""

from __future__ import annotations

import contextlib
import enum
import os
import subprocess
from dataclasses import dataclass
from typing import Final

PATIENCE_S: Final = 10.0
"""Seconds for anything that is tried in another process."""


class Mark(enum.Enum):
    """How a thing stands; the values are the sign and its ASCII form."""

    YES = ("✓", "+")
    PARTLY = ("~", "~")
    NO = ("✗", "x")


@dataclass(frozen=True, slots=True)
class Fact:
    """One line: what it is about, what was found, and the way to more where there is one."""

    mark: Mark
    name: str
    text: str
    remedy: str = ""


def sysctl(name: str) -> str:
    """A setting of the kernel, by its dotted name; empty where there is none."""
    with contextlib.suppress(OSError):
        path = os.path.join("/proc/sys", *name.split("."))  # noqa: PTH118
        with open(path, encoding="ascii") as file:  # noqa: PTH123
            return file.read().strip()
    return ""


def tried(command: list[str]) -> subprocess.CompletedProcess[str] | None:
    """What a command came to; ``None`` if it did not end."""
    try:
        return subprocess.run(  # noqa: S603 - no shell, by full path
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=PATIENCE_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return None

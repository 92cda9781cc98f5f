"""Stepping down: what the program's own process gives up once others have opened what needs root.

Under sudo it becomes whoever called it, with that person's groups and home, so
that it reads hostile bytes with no more than the person's own rights, and
what it writes is the person's. Started by root itself it stays root's, as its
files are root's, without a capability. Either way nothing leads back.
"""

from __future__ import annotations

import os
import pwd
import stat
import sys
from collections.abc import Iterable
from pathlib import Path

import tcpviz
from tcpviz.sources import privileges
from tcpviz.sources.feed import SourceError


def step_down() -> list[str]:
    """Give up what this process may beyond the caller's rights; returns notes for the person.

    To be called before there is a second thread. Raises SourceError where the
    kernel leaves us something: decoding as root is not an option.
    """
    caller = privileges.sudo_caller()
    notes: list[str] = []
    try:
        if caller is None:
            privileges.drop_capabilities()
            return notes
        groups = privileges.groups_of(caller)
        hidden = first_hidden(_needed(), caller[0], groups)
        if hidden is not None:
            privileges.drop_capabilities()
            shown = "".join(c if c.isprintable() else "?" for c in str(hidden))
            notes.append(
                f"this process stays root, without capabilities: {_name(caller[0])} "
                f"cannot read {shown}, where tcpviz is installed"
            )
            return notes
        privileges.drop(caller, groups)
        _be_at_home(caller[0])
    except privileges.PrivilegeError as error:
        raise SourceError(f"cannot give up root's privileges ({error}); not going on") from error
    return notes


def _needed() -> set[Path]:
    """What is imported later on comes from here."""
    paths = {Path(tcpviz.__file__).resolve(), Path(os.__file__).resolve()}
    paths.update(
        Path(module.__file__).resolve()
        for name in ("textual", "rich")
        if (module := sys.modules.get(name)) is not None and module.__file__
    )
    return paths


def first_hidden(paths: Iterable[Path], user: int, groups: list[int]) -> Path | None:
    """The first of these files, or of the folders above them, that the user may not read.

    By owner, group and mode; access lists may allow more.
    """
    for path in paths:
        for place in (*reversed(path.parents), path):
            wanted = stat.S_IROTH if place == path else stat.S_IXOTH
            try:
                status = place.stat()
            except OSError:
                return place
            if status.st_uid == user:
                wanted <<= 6
            elif status.st_gid in groups:
                wanted <<= 3
            if not status.st_mode & wanted:
                return place
    return None


def _name(user: int) -> str:
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return f"user {user}"


def _be_at_home(user: int) -> None:
    """Settings and logs are looked for in the caller's home, not in root's."""
    try:
        entry = pwd.getpwuid(user)
    except KeyError:
        return
    os.environ.update(HOME=entry.pw_dir, USER=entry.pw_name, LOGNAME=entry.pw_name)
    for name in [name for name in os.environ if name.startswith("XDG_")]:
        del os.environ[name]

"""All that the core keeps of a connection, compared variable by variable."""

from __future__ import annotations

import enum
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tcpviz.bulk.connections.clock import Clock
from tcpviz.bulk.connections.following import Follower
from tcpviz.bulk.connections.jobs import LONG
from tcpviz.bulk.connections.skipping import Skipping
from tcpviz.bulk.segments.flows import flows_of
from tcpviz.bulk.segments.reading import Reading
from tcpviz.core.connection import Connection

_ELSEWHERE = {"_twice", "log", "contents"}
"""Kept in another form by columns: compared by what they know."""


def unlike(path: Path) -> tuple[list[str], int, int]:
    """Where the core differs that was carried over what is plain; segments, and those it took."""
    reading = Reading(str(path))
    reading.read()
    clock = Clock(reading.columns.array["time"], reading.errors)
    flows = flows_of(reading.columns)
    found: list[str] = []
    segments = taken = 0
    for flow in range(len(flows)):
        rows = flows.rows(flow)
        if len(rows) < LONG:
            continue
        skipping = Skipping(reading, clock, rows)
        mine = skipping.follow()
        _, theirs = Follower(reading, clock).follow(rows.tolist())
        segments, taken = segments + len(rows), taken + skipping.segments
        if [row for row, _ in mine] != [row for row, _ in theirs]:
            found.append("other connections")
        for (_, one), (_, other) in zip(mine, theirs, strict=False):
            _compare(one, other, f"{path.name} {one.id}", found, set())
            _remembered(one, other, found)
    reading.close()
    return found, segments, taken


def _remembered(one: Connection, other: Connection, found: list[str]) -> None:
    """What both know of the latest packets and of what is not acknowledged."""
    assert one.analysis is not None
    assert other.analysis is not None
    marks, theirs = one.analysis.marks, other.analysis.marks
    for mine, there in ((marks._client, theirs._client), (marks._server, theirs._server)):
        log, known = mine.log, there.log
        if hasattr(log, "settle"):
            log.settle()
        for name in ("_unacked", "_holes", "_unseen"):
            _compare(getattr(log, name), getattr(known, name), name, found, set())
        if known._unacked:
            _compare(log.high, known.high, "high", found, set())
    twice, known_twice = marks._twice, theirs._twice
    assert twice is not None
    assert known_twice is not None
    if hasattr(twice, "settle"):
        twice.settle()
    for name in ("_recent", "copies", "meaningless", "rewritten"):
        _compare(getattr(twice, name), getattr(known_twice, name), name, found, set())


def compared(one: Any, other: Any, where: str, skip: Iterable[str] = ()) -> list[str]:
    """Where one of two is not as the other, but for what is kept elsewhere and these names."""
    found: list[str] = []
    _compare(one, other, where, found, set(), _ELSEWHERE | {*skip})
    return found


def _compare(
    one: Any,
    other: Any,
    where: str,
    found: list[str],
    met: set[tuple[int, int]],
    skip: set[str] = _ELSEWHERE,
) -> None:
    if len(found) > 20 or (id(one), id(other)) in met:
        return
    if type(one) is not type(other):
        found.append(f"{where}: {one!r}, not {other!r}")
    elif isinstance(one, dict):
        if one.keys() != other.keys():
            found.append(f"{where}: {one!r}, not {other!r}")
        for key in one.keys() & other.keys():
            _compare(one[key], other[key], f"{where}[{key}]", found, met, skip)
    elif isinstance(one, list | tuple):
        if len(one) != len(other):
            found.append(f"{where}: {one!r}, not {other!r}")
        for at, (mine, theirs) in enumerate(zip(one, other, strict=False)):
            _compare(mine, theirs, f"{where}[{at}]", found, met, skip)
    elif one is None or isinstance(one, int | float | str | bytes | frozenset | enum.Enum):
        if one != other:
            found.append(f"{where}: {one!r}, not {other!r}")
    else:
        met.add((id(one), id(other)))
        slots = [name for kind in type(one).__mro__ for name in getattr(kind, "__slots__", ())]
        for name in slots or vars(one):
            if name not in skip:
                there = getattr(one, name, None), getattr(other, name, None)
                _compare(*there, f"{where}.{name}", found, met, skip)

"""Verdicts as filters ask for them: codes, severity and sentences, found once and remembered.

Finding a connection's verdicts takes some ten microseconds, and a filter that is
being typed asks a hundred thousand connections at each key. They are found
again only after something has happened, or, while a connection is not over, in
another second.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from weakref import WeakKeyDictionary

from tcpviz.core.connection import Connection
from tcpviz.core.verdicts import Code, Severity, Verdict, verdicts
from tcpviz.views.verdict import TEXTS, sentence

SECOND: Final = 1_000_000_000

CODES: Final[Mapping[str, str]] = {
    str(code): next(text for key, text in TEXTS.items() if key.partition("/")[0] == code)
    for code in Code
}
"""Every code with one of its sentences."""

SEVERITIES: Final[Mapping[str, Severity]] = {str(each): each for each in Severity}

Stamp = tuple[object, ...]

_remembered: WeakKeyDictionary[Connection, tuple[Stamp, list[Verdict]]] = WeakKeyDictionary()
_told: WeakKeyDictionary[Connection, tuple[list[Verdict], str]] = WeakKeyDictionary()


def stamp(connection: Connection, now_ns: int) -> Stamp:
    """Something that changes whenever a verdict may: what happened, and where time counts, when."""
    c = connection
    return (
        c.client.segments + c.server.segments,
        c.client.claim,
        c.server.claim,
        c.disagreements,
        c.crowd,
        0 if c.over else now_ns // SECOND,
    )


def found(connection: Connection, now_ns: int) -> list[Verdict]:
    """All its verdicts at ``now_ns``, the most severe first."""
    now = stamp(connection, now_ns)
    known = _remembered.get(connection)
    if known is not None and known[0] == now:
        return known[1]
    said = verdicts(connection, now_ns)
    _remembered[connection] = (now, said)
    return said


def codes(connection: Connection, now_ns: int) -> list[Code]:
    """The codes of all its verdicts."""
    return [each.code for each in found(connection, now_ns)]


def severity(connection: Connection, now_ns: int) -> Severity:
    """That of the most severe."""
    return found(connection, now_ns)[0].severity


def headline(connection: Connection, now_ns: int) -> str:
    """The sentence that the list shows."""
    said = found(connection, now_ns)
    known = _told.get(connection)
    if known is not None and known[0] is said:
        return known[1]
    text = sentence(said[0], midstream=connection.midstream)
    _told[connection] = (said, text)
    return text


def sentences(connection: Connection, now_ns: int) -> list[str]:
    """All sentences, the most severe verdict's first."""
    midstream = connection.midstream
    return [sentence(each, midstream=midstream) for each in found(connection, now_ns)]

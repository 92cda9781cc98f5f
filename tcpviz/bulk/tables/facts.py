"""Facts of verdicts that differ between connections that are told alike, and their sentences.

What a verdict's facts (:mod:`tcpviz.core.verdict_codes`) are for one connection is here for all
of a kind. Facts that are not listed here are nobody's guess: :class:`Unfit` is raised, and the
connections of that kind are looked at one by one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tcpviz.bulk.tables.branches import Kind
from tcpviz.bulk.tables.portions import CLIENT, SERVER, Portion
from tcpviz.core.records import Side
from tcpviz.core.verdict_codes import Code, Fact, Verdict
from tcpviz.views.verdict import TEXTS, sentence, text_key

Array = NDArray[Any]
Column = Callable[[Portion], Array]

Fill = Callable[[Portion, Array], list[Any]]
"""What there is of some connections of a portion, given by their places in it."""

MOST_TEXTS: Final = 1 << 14
"""Sentences of one kind that are remembered."""


class Unfit(Exception):  # noqa: N818 - nobody has done anything wrong
    """This kind is looked at, or written, one by one."""


_SAME: Final = frozenset(
    {
        *("how", "tries", "again", "before_capture", "members", "targets", "source", "target"),
        *("ttl", "odd_ttl"),
        *("keep_alives", "bad", "checked", "reason", "mtu", "errors"),
    }
)
"""Facts that are the same in all connections of a kind."""


def _end(side: Side | None) -> int:
    return SERVER if side is Side.SERVER else CLIENT


def _syns(side: int) -> Column:
    return lambda p: p.between(("first_syn", side), ("last_syn", side))


def _silent(p: Portion) -> Array:
    silent: Array = np.maximum(p.now - p.last_ns, 0)
    return silent


def _completed(p: Portion) -> Array:
    took: Array = np.maximum(np.maximum(p.rtt, 0) - p.answered(), 0)
    return took


def _outstanding(side: int) -> Column:
    return lambda p: p.outstanding(side)


_OF: Final[dict[tuple[Code, str], Callable[[int], Column]]] = {
    # by the end that the verdict speaks of
    (Code.NO_ANSWER, "span_ns"): lambda _: _syns(CLIENT),
    (Code.UNREACHABLE, "span_ns"): lambda _: _syns(CLIENT),
    (Code.CHALLENGED, "span_ns"): lambda _: _syns(CLIENT),
    (Code.SIMULTANEOUS_OPEN, "span_ns"): lambda _: _syns(CLIENT),
    (Code.HALF_OPEN, "span_ns"): lambda _: _syns(SERVER),
    (Code.SYN_ACK_ALONE, "span_ns"): lambda _: _syns(SERVER),
    (Code.FIN_UNANSWERED, "span_ns"): lambda who: (
        lambda p: p.between(("first_fin", who), ("last_fin", who))
    ),
    (Code.FIN_UNANSWERED, "waiting_ns"): lambda who: lambda p: p.since("first_fin", who),
    (Code.NEVER_CLOSED, "waiting_ns"): lambda who: lambda p: p.since("first_fin", 1 - who),
    (Code.HALF_CLOSED, "waiting_ns"): lambda who: lambda p: p.since("first_fin", 1 - who),
    (Code.CAPTURED_TWICE, "copies"): lambda _: lambda p: p.column("copies"),
    (Code.CAPTURED_TWICE, "segments"): lambda _: lambda p: p.column("size").astype(np.int64),
    (Code.OPEN, "silent_ns"): lambda _: _silent,
    (Code.ABANDONED, "silent_ns"): lambda _: _silent,
    (Code.ASYMMETRIC, "segments"): lambda who: lambda p: p.segments(who),
    (Code.STRAY, "segments"): lambda who: lambda p: p.segments(1 - who),
    (Code.NULL_SCAN, "segments"): lambda _: lambda p: p.segments(CLIENT),
    (Code.FIN_SCAN, "segments"): lambda _: lambda p: p.segments(CLIENT),
    (Code.XMAS_SCAN, "segments"): lambda _: lambda p: p.segments(CLIENT),
    (Code.URGENT_DATA, "segments"): lambda who: lambda p: p.signals("urgent", who),
    (Code.RESET, "idle_ns"): lambda who: lambda p: p.idle(who),
    (Code.LOSSY, "data"): lambda who: lambda p: p.data(who),
    (Code.NEEDLESS_RETRANSMISSIONS, "data"): lambda who: lambda p: p.data(who),
    (Code.SLOW_HANDSHAKE, "took_ns"): lambda _: lambda p: p.handshake(),
    (Code.SLOW_HANDSHAKE, "answered_ns"): lambda _: lambda p: p.answered(),
    (Code.SLOW_HANDSHAKE, "completed_ns"): lambda _: _completed,
    (Code.KEEP_ALIVE_ONLY, "span_ns"): lambda _: lambda p: np.maximum(p.last_ns - p.first_ns, 0),
}


_SIGNALS: Final[dict[str, Callable[[int], Column]]] = {
    "packets": lambda end: lambda p: p.signals("marked", end),
    "echoes": lambda end: lambda p: p.signals("echoed", end),
}
"""Facts of Code.CONGESTION_MARKED, where they are not zero: that they are the shape tells."""


def facts(verdict: Verdict) -> dict[str, Column]:
    """Those facts of a verdict that differ within its kind. Raises Unfit."""
    who = _end(verdict.side)
    found: dict[str, Column] = {}
    for name in verdict.facts:
        of = _OF.get((verdict.code, name))
        if of is not None:
            found[name] = of(who)
        elif verdict.code is Code.RESET and name == "bytes":
            sender = who if verdict.how == "sending" else 1 - who
            found[name] = _outstanding(sender)
        elif verdict.code is Code.CONGESTION_MARKED:
            # It is about the signs of who sent what was marked, or of who tells of it.
            end = who if verdict.facts["packets"] else 1 - who
            if verdict.facts[name]:
                found[name] = _SIGNALS[name](end)
        elif name == "reporter":
            found[name] = lambda p: p.reporter()
        elif name not in _SAME:
            raise Unfit
    return found


def text(kind: Kind, verdict: Verdict, written: Callable[[str], str]) -> Fill | None:
    """A verdict's sentence, as ``written`` writes it; ``None`` if all of the kind share it.

    Has to be called in English, and filled in it. Raises Unfit.
    """
    words = TEXTS[text_key(verdict)]
    differ = {
        name: column
        for name, column in facts(verdict).items()
        if f"{{{name.removesuffix('_ns')}}}" in words
    }
    if not differ:
        return None
    midstream = kind.connection.midstream
    known: dict[tuple[Fact, ...], str] = {}

    def said(values: tuple[Fact, ...]) -> str:
        made = known.get(values)
        if made is None:
            own: dict[str, Fact] = dict(zip(differ, values, strict=True))
            one = Verdict(verdict.code, verdict.severity, verdict.side, {**verdict.facts, **own})
            if len(known) >= MOST_TEXTS:
                known.clear()
            made = known[values] = written(sentence(one, midstream=midstream))
        return made

    def fill(portion: Portion, which: Array) -> list[Any]:
        columns = (column(portion)[which].tolist() for column in differ.values())
        return [said(each) for each in zip(*columns, strict=True)]

    return fill

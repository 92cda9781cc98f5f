"""Two capture points as JSON: the clocks and each direction, and one segment's way."""

from __future__ import annotations

import math
from typing import Any

from tcpviz.core.passages import Passage
from tcpviz.core.points.ledger import Direction, Ledger, Skew

Object = dict[str, Any]

_COUNTS = (
    *("sent", "arrived", "lost", "part", "unseen", "unsent", "foreign", "missed"),
    *("late", "copies", "reordered", "cut", "joined", "changed", "bytes_lost"),
)


def points_object(ledger: Ledger, known: Skew | None, names: tuple[str, str]) -> Object:
    """``points`` of the summary of ``read --json``; times in nanoseconds.

    ``clock.offset_ns`` is how far the second point's is ahead, wrong by at most ``error_ns``
    (``null``: one direction only was seen, so nobody knows).
    """
    clock = None
    if known is not None:
        clock = {
            "offset_ns": round(known.ahead_ns),
            "error_ns": None if math.isinf(known.error_ns) else round(known.error_ns),
            "drift_ppm": round(known.ppm, 3),
            "drift_ppm_least": round(known.least_ppm, 3),
            "drift_ppm_most": round(known.most_ppm, 3),
            "round_trip_ns": None if known.round_trip_ns is None else round(known.round_trip_ns),
            "set": known.settings,
            "segments": known.segments,
            "contradict": known.mistakes,
        }
    return {
        "names": list(names),
        "connections": ledger.pairs,
        "clock": clock,
        "forward": _direction(ledger.ways[0]),
        "backward": _direction(ledger.ways[1]),
        "alone": ledger.alone,
        "outside": ledger.outside,
        "captured_twice": list(ledger.doubles),
        "hurried": ledger.hurried,
        "findings": dict(ledger.remarks),
    }


def _direction(count: Direction) -> Object:
    delays = None
    if count.delays:
        delays = {
            "segments": count.delays,
            "least_ns": count.least_ns,
            "mean_ns": round(count.total_ns / count.delays),
            "median_ns": count.percentile(0.5),
            "p95_ns": count.percentile(0.95),
            "most_ns": count.most_ns,
        }
    return {**{name: getattr(count, name) for name in _COUNTS}, "delay": delays}


def passage_object(passage: Passage) -> Object:
    """``passage`` of a step."""
    return {
        "left": _place(passage.left),
        "arrived": _place(passage.arrived),
        "delay_ns": passage.delay_ns,
        "error_ns": passage.error_ns,
        "pieces": passage.pieces,
        "joined_bytes": passage.joined,
        "bytes": passage.bytes,
        "changed": list(passage.changed),
        "doubt": None if passage.doubt is None else passage.doubt.value,
    }


def _place(place: tuple[str, int] | None) -> Object | None:
    return None if place is None else {"at": place[0], "frame": place[1]}

"""What something between two capture points has written anew in a segment, in words."""

from __future__ import annotations

from collections.abc import Iterator

from tcpviz.core.points.sightings import Pair, Sighting
from tcpviz.core.segment import Flags, Segment

_CONGESTION = Flags.ECE | Flags.CWR | Flags.AE


def changes(pair: Pair, left: Sighting, arrived: Sighting) -> tuple[str, ...]:
    """Of a segment at the point that it left and the one where it arrived; empty: nothing.

    Addresses and ports are not among them (:func:`translation` tells them once), nor is the
    TTL, which every router counts down.
    """
    return tuple(_changes(pair, left.segment, arrived.segment, pair.as_first(arrived)))


def _changes(pair: Pair, left: Segment, arrived: Segment, read: Segment) -> Iterator[str]:
    if left.syn and pair.rewritten:
        yield f"initial sequence number {left.seq} to {arrived.seq}"
    if left.window != arrived.window:
        yield f"window {left.window} to {arrived.window}"
    one, other = left.options, arrived.options
    # What one of two captures has cut off was not taken out.
    if one is not other and one != other and not (one.cut or other.cut):
        if one.mss != other.mss:
            yield _option("MSS", one.mss, other.mss)
        if one.window_scale != other.window_scale:
            yield _option("window scale", one.window_scale, other.window_scale)
        if one.sack_permitted != other.sack_permitted:
            yield "SACK permitted " + ("taken out" if one.sack_permitted else "put in")
        if (one.timestamps is None) != (other.timestamps is None):
            yield "timestamps " + ("taken out" if one.timestamps else "put in")
        if one.fast_open != other.fast_open:
            yield "fast open " + ("taken out" if other.fast_open is None else "changed")
        if one.sack and one.sack != read.options.sack and one.sack != other.sack:
            yield "SACK blocks changed"
        if one.unknown != other.unknown:
            yield "other options changed"
    if (left.flags ^ arrived.flags) & _CONGESTION:
        yield f"flags {left.flags.names()} to {arrived.flags.names()}"
    if left.ecn != arrived.ecn:
        yield "marked: congestion experienced" if arrived.ecn == 3 else "ECN codepoint changed"


def _option(name: str, before: int | None, after: int | None) -> str:
    if after is None:
        return f"{name} {before} taken out"
    return f"{name} {after} put in" if before is None else f"{name} {before} to {after}"


def translation(pair: Pair, names: tuple[str, str]) -> str | None:
    """Which addresses became which others; ``None`` where none did."""
    if not pair.translated:
        return None
    ours, theirs = (flow.key for flow in pair.flows)
    there = (theirs.high, theirs.low) if pair.crossed else (theirs.low, theirs.high)
    said = []
    for one, other in zip((ours.low, ours.high), there, strict=True):
        if one != other:
            whole = one.port != other.port
            here, away = (str(one), str(other)) if whole else (one.addr, other.addr)
            said.append(f"{here} at {names[0]} is {away} at {names[1]}")
    return "address translation: " + ", ".join(said)

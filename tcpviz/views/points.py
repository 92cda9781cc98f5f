"""Two capture points in words: the clocks, each direction, one segment's way.

For the screen in its language; :func:`report` is what ``--text`` prints.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Protocol, cast

from tcpviz.core.passages import Doubt, Passage
from tcpviz.views.numbers import duration, plural, size
from tcpviz.words import _

if TYPE_CHECKING:
    from tcpviz.core.points.ledger import Direction, Ledger, Skew

MANY_REMARKS = 20
"""Findings that a report lists."""

DOUBTS = {
    Doubt.UNSENT: "Nobody saw it leave at {left}: something put it in on the way, or the capture "
    "there missed it.",
    Doubt.FOREIGN: "Nobody saw it leave at {left}, and its TTL is not that of the other segments "
    "of its sender: somebody else has sent it.",
    Doubt.ARRIVED: "The capture at {arrived} missed it: it arrived there, for what it carries was "
    "acknowledged.",
    Doubt.LEFT: "The capture at {left} missed it: its sender goes on behind it.",
    Doubt.OUTSIDE: "The capture at the other point did not run then, or lost packets: whether it "
    "got there nobody knows.",
    Doubt.PART: "{bytes} of what left as one segment.",
}


class TwoPoints(Protocol):
    """What joins the captures of two points: what they are called, and their clocks' difference."""

    names: tuple[str, str]
    skew: Skew | None


def two_points(feed: object) -> TwoPoints | None:
    """``feed`` if it is of two points; to ask so costs no import of what joins them."""
    return cast("TwoPoints", feed) if hasattr(feed, "skew") else None


def signed(ns: float) -> str:
    """A difference of clocks with its sign: ``+1.23 s``, ``-4 µs``."""
    whole = round(ns)
    return ("+" if whole >= 0 else "") + duration(whole)


def pace(known: Skew) -> str:
    """How much faster a clock runs: ``+37 ppm ±2``; empty where that is not known."""
    if not known.pace_known:
        return ""
    error = max(known.most_ppm - known.ppm, known.ppm - known.least_ppm)
    decimals = 1 if error < 10 else 0
    return f"{known.ppm:+.{decimals}f} ppm ±{error:.{decimals}f}"


def offset(known: Skew) -> str:
    """How far a clock is ahead, and how well that is known: ``+1.23 s ±4 ms``."""
    if math.isinf(known.error_ns):
        return f"{signed(known.ahead_ns)} ±?"
    return f"{signed(known.ahead_ns)} ±{duration(round(known.error_ns))}"


def clocks(known: Skew | None, names: tuple[str, str], *, short: bool = False) -> str:
    """For a line of the screen: the second point's clock beside the first one's."""
    if known is None:
        return _("clocks not compared yet")
    told = offset(known)
    runs = pace(known)
    if short:
        return told
    if runs:
        told += _(", drift {pace}").format(pace=runs)
    return _("clock at {name} {told}").format(name=names[1], told=told)


# -- one segment ----------------------------------------------------------------


TAGS = {
    Doubt.UNSENT: "not seen leaving",
    Doubt.FOREIGN: "not seen leaving, another TTL",
    Doubt.ARRIVED: "missed by that capture, but acknowledged there",
    Doubt.LEFT: "missed by the capture at its sender",
    Doubt.OUTSIDE: "the other capture did not run then",
    Doubt.PART: "in part",
}


def tags(passage: Passage) -> list[str]:
    """For a line of text, English: how long it took, and what is doubtful."""
    made = []
    if passage.delay_ns is not None:
        error = "?" if passage.error_ns is None else duration(passage.error_ns)
        made.append(f"[one way {duration(passage.delay_ns)} ±{error}]")
    if passage.pieces > 1:
        made.append(f"[in {passage.pieces} pieces]")
    if passage.joined:
        made.append(f"[as part of {size(passage.joined)}]")
    made += [f"[{each}]" for each in passage.changed]
    if passage.doubt is not None:
        made.append(f"[{TAGS[passage.doubt]}]")
    return made


def short_doubt(passage: Passage) -> str:
    """A few words for the end of an arrow that began on the way; empty: nothing to say."""
    if passage.doubt is Doubt.PART:
        return _("{bytes} of it").format(bytes=size(passage.bytes))
    if passage.left is None:
        foreign = passage.doubt is Doubt.FOREIGN
        return _("from elsewhere") if foreign else _("not seen leaving")
    return ""


def way_time(passage: Passage) -> str:
    """One way's time for a chart: ``12.3 ms``; empty where it is not known."""
    return "" if passage.delay_ns is None else duration(passage.delay_ns)


def told(passage: Passage) -> Iterator[str]:
    """What is to be said where a segment ends: all but in which frames it is."""
    yield from _times(passage)
    yield from _oddities(passage)


def sentences(passage: Passage) -> Iterator[str]:
    """What is known of a segment's way, a sentence each."""
    yield from _times(passage)
    yield from _frames(passage)
    yield from _oddities(passage)


def _times(passage: Passage) -> Iterator[str]:
    if passage.delay_ns is not None:
        if passage.error_ns is None:
            text = _("One way it took {time}, if the clocks agree: one direction only was seen.")
            yield text.format(time=duration(passage.delay_ns))
        else:
            text = _("One way it took {time}, give or take {error}.")
            yield text.format(time=duration(passage.delay_ns), error=duration(passage.error_ns))


def _frames(passage: Passage) -> Iterator[str]:
    places = (passage.left, passage.arrived)
    if passage.left and passage.arrived:
        text = _("Frame {one} at {left} is frame {other} at {arrived}.")
        yield text.format(
            one=passage.left[1],
            left=passage.left[0],
            other=passage.arrived[1],
            arrived=passage.arrived[0],
        )
    elif any(places):
        where = passage.left or passage.arrived
        assert where is not None
        yield _("Frame {one} at {left}.").format(one=where[1], left=where[0])


def _oddities(passage: Passage) -> Iterator[str]:
    if passage.pieces > 1:
        text = _("It arrived in {pieces} pieces: segmentation was left to the network card.")
        yield text.format(pieces=passage.pieces)
    if passage.joined:
        text = _("It arrived with others as one of {bytes}: the receiver's card has joined them.")
        yield text.format(bytes=size(passage.joined))
    if passage.changed:
        text = _("On the way it was changed: {what}.")
        yield text.format(what="; ".join(passage.changed))
    if passage.doubt is not None:
        yield _(DOUBTS[passage.doubt]).format(
            left=_("the other point") if passage.left is None else passage.left[0],
            arrived=_("the other point") if passage.arrived is None else passage.arrived[0],
            bytes=size(passage.bytes),
        )


# -- the whole --------------------------------------------------------------------


def report(ledger: Ledger, known: Skew | None, names: tuple[str, str]) -> list[str]:
    """Both points together, a line each finding; English, for text that is searched."""
    one, two = names
    lines = [f"two points: {plural(ledger.pairs, 'connection')} at both {one} and {two}"]
    lines += _clock_lines(known, names)
    for count, whence, where in ((ledger.ways[0], one, two), (ledger.ways[1], two, one)):
        lines.append(f"{whence} to {where}: {_counts(count)}")
        if count.delays:
            lines.append(f"{whence} to {where}: one way {_delays(count)}")
    if ledger.alone:
        lines.append(f"{plural(ledger.alone, 'segment')} of connections seen at one point only")
    if ledger.outside:
        lines.append(
            f"{plural(ledger.outside, 'segment')} while the other capture did not run, or lost "
            "packets: their fate is not known"
        )
    for name, doubles in zip(names, ledger.doubles, strict=True):
        if doubles:
            lines.append(f"{name} has captured {plural(doubles, 'packet')} twice")
    if ledger.hurried:
        lines.append(f"too much at once, {ledger.hurried} times: some were decided early")
    remarks = list(ledger.remarks.items())
    lines += [f"{text} ({count} times)" if count > 1 else text for text, count in remarks][
        :MANY_REMARKS
    ]
    if len(remarks) > MANY_REMARKS:
        lines.append(f"and {len(remarks) - MANY_REMARKS} more such findings")
    return lines


def _clock_lines(known: Skew | None, names: tuple[str, str]) -> Iterator[str]:
    if known is None:
        yield "clocks: not compared, for no segment was seen at both points"
        return
    line = f"clock at {names[1]}: {offset(known)} beside {names[0]}"
    runs = pace(known)
    line += f", drift {runs}" if runs else ", drift not known (too short)"
    if math.isinf(known.error_ns):
        line += "; one direction only was seen at both, so delays are counted from its quickest"
    elif known.round_trip_ns is not None:
        line += f"; least round trip {duration(max(round(known.round_trip_ns), 0))}"
        line += ", taken as equally long both ways"
    yield f"{line} ({plural(known.segments, 'segment')})"
    if known.settings:
        yield f"one of the clocks was set, or changed its pace, {plural(known.settings, 'time')}"
    if known.mistakes:
        yield f"{plural(known.mistakes, 'segment')} contradict the clocks and were not counted"


def _counts(count: Direction) -> str:
    told = [f"{count.sent} left, {count.arrived} arrived"]
    share = 100 * count.lost / count.sent if count.sent else 0.0
    told.append(f"{count.lost} lost" + (f" ({share:.2g} %)" if count.lost else ""))
    for number, what in (
        (count.part, "lost in part"),
        (count.unseen, "arrived unseen (missed by the capture there)"),
        (count.missed, "left unseen (missed by the capture there)"),
        (count.unsent, "arrived that nobody saw leave"),
        (count.foreign, "of them with another TTL"),
        (count.late, "of the lost arrived later"),
        (count.copies, "copies"),
        (count.reordered, "overtaken"),
        (count.cut, "cut into pieces"),
        (count.joined, "joined with others"),
        (count.changed, "changed on the way"),
    ):
        if number:
            told.append(f"{number} {what}")
    if count.bytes_lost:
        told.append(f"{size(count.bytes_lost)} lost")
    return ", ".join(told)


def _delays(count: Direction) -> str:
    middle, high = count.percentile(0.5), count.percentile(0.95)
    assert count.least_ns is not None
    assert middle is not None
    assert high is not None
    return (
        f"{duration(count.least_ns)} at least, {duration(middle)} half of them, "
        f"{duration(high)} 95 %, {duration(count.most_ns)} at most"
    )

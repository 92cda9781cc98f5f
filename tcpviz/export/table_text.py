"""The table of connections as text: one line each, and what closes it."""

from __future__ import annotations

import codecs
from collections.abc import Callable, Sequence
from typing import Final, TypeVar

from tcpviz.core.connection import Connection
from tcpviz.core.crowds import Crowd
from tcpviz.core.halfconn import End
from tcpviz.core.segment import scope_text
from tcpviz.core.watch import Watch
from tcpviz.sources.feed import FeedStatus
from tcpviz.views import numbers, roles
from tcpviz.views.spans import clean, text_width
from tcpviz.views.verdict import crowd_sentence, verdict

T = TypeVar("T")

CROWDS: Final = 10
"""Floods and scans under a table; the largest come first."""

TITLES: Final[tuple[str, ...]] = (
    "#", "client", "server", "inside", "client is", "server is", "phase", "start", "time",
    "segs", "bytes", "RTT", "verdict",
)  # fmt: skip
INSIDE: Final = TITLES.index("inside")
"""This column is there if one of the connections is in a VLAN or tunnel."""
RIGHT: Final = frozenset({"#", "start", "time", "segs", "bytes", "RTT"})


def encodes(encoding: str | None) -> bool:
    """Whether text in ``encoding`` can hold our arrows; if not, write ``ascii_only``."""
    try:
        "▶─╲✖µ…".encode(codecs.lookup(encoding or "ascii").name)
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def connection_table(
    connections: Sequence[Connection],
    status: FeedStatus | None = None,
    *,
    ascii_only: bool = False,
    fits: Callable[[Connection, int], bool] | None = None,
    crowds: Sequence[Crowd] = (),
) -> str:
    """All connections, one a line, nothing cut off; a closing line with the counts.

    ``fits`` (a display filter's ``matches``): only those that fit, "2 of 14 connections".
    ``crowds`` what many of them show together, a line each at the end.
    ``start`` is counted from the first connection's; a state that is inferred
    is written ``~ESTABLISHED``, one that nobody knows ``ESTABLISHED?``.
    """
    origin = min((c.first_ns for c in connections), default=0)
    watch = Watch(connections)
    moments = ((each, watch.until(each)) for each in connections)
    shown = [(each, now) for each, now in moments if fits is None or fits(each, now)]
    return connection_rows(
        shown,
        origin,
        len(connections),
        status,
        ascii_only=ascii_only,
        filtered=fits is not None,
        crowds=crowds,
    )


def connection_rows(
    shown: Sequence[tuple[Connection, int]],
    origin: int,
    count: int,
    status: FeedStatus | None,
    *,
    ascii_only: bool = False,
    filtered: bool = False,
    crowds: Sequence[Crowd] = (),
) -> str:
    """The same of connections that were chosen, each with the moment up to which it is judged.

    ``origin`` is when the first of all ``count`` began.
    """
    rows = [TITLES, *(_cells(each, origin, now) for each, now in shown)]
    titles = TITLES
    if not any(row[INSIDE] for row in rows[1:]):
        rows = [without_inside(row) for row in rows]
        titles = without_inside(TITLES)
    sizes = [max(text_width(cell) for cell in column) for column in zip(*rows, strict=True)]
    lines = []
    if shown:
        for row in rows:
            cells = [
                " " * (size - text_width(cell)) + cell
                if title in RIGHT
                else cell + " " * (size - text_width(cell))
                for title, cell, size in zip(titles, row, sizes, strict=True)
            ]
            lines.append("  ".join(cells).rstrip())
    of_all = f"{len(shown)} of " if filtered else ""
    closing = closing_lines(count, status, crowds)
    lines += [of_all + closing[0], *closing[1:]]
    text = "\n".join(lines) + "\n"
    if not ascii_only:
        return text
    from tcpviz.views.ladder_canvas import ascii_text  # all of the chart's drawing comes along

    return ascii_text(text)


def without_inside(row: tuple[T, ...]) -> tuple[T, ...]:
    """A row of which each connection would have nothing in that column."""
    return row[:INSIDE] + row[INSIDE + 1 :]


def closing_lines(
    connections: int, status: FeedStatus | None, crowds: Sequence[Crowd]
) -> list[str]:
    """What stands under a table: the counts, and what many connections show together."""
    lines = [summary_line(connections, status)]
    lines += [crowd_sentence(each) for each in crowds[:CROWDS]]
    if len(crowds) > CROWDS:
        lines.append(f"and {len(crowds) - CROWDS} more floods and scans (--json has them)")
    return lines


def state_cell(c: Connection, end: End) -> str:
    """A state in the table: ``~`` before it where it is inferred, ``?`` behind if unknown.

    ``unknown`` where nothing at all is known of the end.
    """
    if roles.says_nothing(end.claim, midstream=c.midstream):
        return "unknown"
    before, after = {"seen": ("", ""), "inferred": ("~", ""), "unknown": ("", "?")}[
        end.claim.certainty.value
    ]
    return f"{before}{end.state}{after}"


def _cells(c: Connection, origin: int, now_ns: int) -> tuple[str, ...]:
    return (
        str(c.id),
        str(c.client.endpoint),
        str(c.server.endpoint),
        scope_text(c.key.scope),
        state_cell(c, c.client),
        state_cell(c, c.server),
        str(c.phase),
        numbers.seconds(c.first_ns - origin, decimals=3),
        numbers.duration(c.last_ns - c.first_ns),
        str(c.client.segments + c.server.segments),
        str(c.client.bytes + c.server.bytes),
        "-" if c.handshake_rtt_ns is None else numbers.duration(c.handshake_rtt_ns),
        verdict(c, now_ns),
    )


def summary_line(connections: int, status: FeedStatus | None) -> str:
    """``2 connections, 20 segments in 22 frames; skipped: 2 (1 not TCP, 1 IP fragment)``."""
    text = numbers.plural(connections, "connection")
    if status is None:
        return text
    text += f", {numbers.plural(status.segments, 'segment')}"
    text += f" in {numbers.plural(status.frames, 'frame')}"
    skipped = sum(status.skipped.values())
    if skipped:
        reasons = ", ".join(f"{n} {clean(why)}" for why, n in status.skipped.most_common())
        text += f"; skipped {skipped}: {reasons}"
    if status.dropped:
        text += f"; dropped {status.dropped}"
    return text

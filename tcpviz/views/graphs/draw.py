"""The connection's page: its time-sequence graph, and rates and times under it.

The graph is Stevens' and tcptrace's. Each segment stands as a bar from its first
number to the one after its last, at the moment it was seen; below runs the line
of what is acknowledged, above that of what the receiver's window allows: between
data and acknowledgement lie the bytes in flight, between data and window what
may still be sent. Letters stand for what is not plain.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from tcpviz.core.records import Side
from tcpviz.views import roles
from tcpviz.views.graphs import axes
from tcpviz.views.graphs.dots import Grain, Pen
from tcpviz.views.graphs.plot import MARGIN, Plot, Window
from tcpviz.views.graphs.series import SIGNS, Flow, Series
from tcpviz.views.graphs.tracks import Track
from tcpviz.views.ladder_canvas import ascii_line
from tcpviz.views.numbers import duration, plural, size
from tcpviz.views.spans import Line, Span, fit, line, text_width, width
from tcpviz.words import _

ACK: Final = Pen(roles.GRAPH_ACK, 3, "_")
WINDOW: Final = Pen(roles.GRAPH_WINDOW, 2, "~", gap=2)
SACK: Final = Pen(roles.GRAPH_SACK, 4, "s")
AGAIN: Final = Pen(roles.MARK_BAD, 6, "R")
RTT: Final = Pen(roles.TIME, 3, "*")
DATA: Final = {
    Side.CLIENT: Pen(roles.TRAIL_CLIENT, 5, "|"),
    Side.SERVER: Pen(roles.TRAIL_SERVER, 5, "|"),
}

FAR = 4
"""The window's line is fitted in if it is at most so many times as far as the data."""


class Lower(enum.Enum):
    """What can stand under the time-sequence graph."""

    RATE = "throughput"
    RTT = "round-trip time"
    FLIGHT = "bytes in flight, window"


@dataclass(frozen=True, slots=True)
class View:
    """How the page is looked at.

    ``side``    whose data is shown; ``window``: which stretch of time
    ``lower``   which graphs stand under it, if there is room for more than none: the first ones
    ``whole_window``  fit the receiver's window in, however far it is
    ``cursor_ns``  the moment at the cursor, ``None`` before anything
    ``until_ns``   what comes later is not shown (a story does not tell its end)
    """

    side: Side
    window: Window
    cursor_ns: int | None = None
    until_ns: int | None = None
    lower: tuple[Lower, ...] = tuple(Lower)
    whole_window: bool = False
    grain: Grain = Grain.BRAILLE

    @property
    def ascii(self) -> bool:
        return self.grain is Grain.ASCII


@dataclass(frozen=True, slots=True)
class Page:
    """What is drawn, and how many cells stand left of the plots: the mouse needs to know."""

    lines: list[Line]
    left: int
    width: int


def whole(series: Series, until_ns: int | None = None) -> Window:
    """All of the connection (up to a moment), with a little air at its end."""
    if series.first_ns is None:
        return Window(0, 1_000_000_000)
    last = series.last_ns if until_ns is None else min(series.last_ns, until_ns)
    span = max(last - series.first_ns, 1000)
    return Window(series.first_ns, series.first_ns + span + span // 40 + 1)


def page(series: Series, view: View, cells: int, rows: int) -> Page:
    """Exactly ``rows`` lines of ``cells``: graph, lower graphs, time axis, legend, values."""
    inner = max(cells - MARGIN - 1, 4)
    flow = series.flows[view.side]
    lowers = _share(view.lower, rows)
    main = rows - sum(height for _name, height in lowers) - 5
    made: list[Line] = []
    plot = _sequence(series, view, inner, max(main, 2))
    made += _head(series, flow, view, plot, cells)
    made += plot.lines(None, ascii_only=view.ascii)
    for lower, height in lowers:
        made += _lower(series, lower, view, inner, height)
    made += _time_axis(series, view, inner)
    made.append(_values(series, flow, view, cells))
    made = [fit(one, cells) for one in made]
    if view.ascii:
        made = [ascii_line(one) for one in made]
    made = made[:rows] + [fit((), cells)] * (rows - len(made))
    return Page(made, MARGIN, inner)


def _share(lower: tuple[Lower, ...], rows: int) -> list[tuple[Lower, int]]:
    """How many rows each lower graph gets, its heading included."""
    count = 0 if rows < 16 else 1 if rows < 26 else 2 if rows < 34 else 3
    count = min(count, len(lower))
    height = max(5, min((rows - 5) // (count + 2), 12)) if count else 0
    return [(each, height) for each in lower[:count]]


# -- the time-sequence graph --------------------------------------------------------


def _last(series: Series, view: View) -> int:
    """The moment up to which there is something to show."""
    return series.last_ns if view.until_ns is None else min(series.last_ns, view.until_ns)


def _sequence(series: Series, view: View, cells: int, rows: int) -> Plot:
    flow = series.flows[view.side]
    low, high = _extent(flow, view)
    plot = Plot(cells, rows, view.grain, view.window, low, high, _last(series, view))
    if view.cursor_ns is not None:
        plot.cursor(view.cursor_ns, view.ascii)
    plot.steps(flow.window, WINDOW)
    plot.steps(flow.acks, ACK)
    plot.bars(flow.sacks, SACK)
    plot.bars(flow.data, DATA[view.side])
    plot.bars(flow.again, AGAIN)
    for kind, sign in sorted(SIGNS.items(), key=lambda item: item[1].rank):
        plot.points(flow.points[kind], sign.plain if view.ascii else sign.letter, sign.role)
    _names(plot, flow, view)
    return plot


def _extent(flow: Flow, view: View) -> tuple[int, int]:
    """The numbers from the least to the greatest that are seen in this stretch of time."""
    window = _shown(view)
    found: list[int] = []
    for track in (flow.data, flow.again, flow.acks, flow.sacks, flow.points["lost"]):
        found += track.span(window.start_ns, window.end_ns) or ()
    for track in (flow.acks, flow.data):
        carried = track.before(window.start_ns)
        if carried is not None:
            found.append(carried)
    if not found:
        return 0, 1
    low, high = min(found), max(found)
    edge = flow.window.span(window.start_ns, window.end_ns)
    most = max(edge[1] if edge else 0, flow.window.before(window.start_ns) or 0)
    if most > high and (view.whole_window or most - low <= FAR * max(high - low, 1)):
        high = most
    return low, high + max((high - low) // 20, 1)


def _shown(view: View) -> Window:
    """The window without what is not told yet."""
    end = view.window.end_ns
    if view.until_ns is not None:
        end = min(end, view.until_ns + 1)
    return Window(view.window.start_ns, max(end, view.window.start_ns + 1))


def _names(plot: Plot, flow: Flow, view: View) -> None:
    """What the lines are called, at their right ends, where there is room."""
    at = _shown(view).end_ns
    for track, name, pen in ((flow.window, "window", WINDOW), (flow.acks, "ACK", ACK)):
        value = track.before(at)
        if value is None or not plot.low <= value <= plot.high:
            continue
        row = plot.y(value) // plot.dots.down
        cell = plot.dots.cells - len(name)
        for place in (row - 1, row + 1):
            if plot.dots.free(cell - 1, place, len(name) + 1):
                plot.dots.letter(cell, place, name, pen.role)
                break


def _head(series: Series, flow: Flow, view: View, plot: Plot, cells: int) -> list[Line]:
    """Whose data this is, and what the signs mean that are on it."""
    connection = series.connection
    me, peer = connection.end(view.side), connection.end(view.side.other)
    arrow = "->" if view.ascii else "→"
    end = _last(series, view) + 1
    sent = sum(track.places(0, end)[1] for track in (flow.data, flow.again))
    # Pure ACKs are no bars here, so this is less than the list's number of segments.
    total = _("{segments} with data, SYN or FIN").format(segments=plural(sent, "segment"))
    first = line(
        Span(f" {view.side} {me.endpoint} ", roles.of_side(view.side)),
        Span(f"{arrow} {peer.endpoint}", roles.of_side(view.side.other)),
    )
    much = size(flow.sent.before(end) or 0)
    said = next(
        (
            each
            for each in (f"{total}, {much}", much)
            if width(first) + text_width(each) + 3 <= cells
        ),
        "",
    )
    first = line(*first, Span(f"   {said}", roles.TIME))
    spans: list[Span] = [Span(" ")]
    for name, pen in ((_("data"), DATA[view.side]), ("ACK", ACK), (_("window"), WINDOW)):
        spans += [Span(_sample(pen, view), pen.role), Span(f" {name}  ", roles.DIM)]
    if flow.sacks:
        spans += [Span(_sample(SACK, view), SACK.role), Span(" SACK  ", roles.DIM)]
    for kind, sign in SIGNS.items():
        letter = sign.plain if view.ascii else sign.letter
        room = cells - width(spans) - text_width(_(sign.name)) - 2
        if flow.points[kind].span(0, end) and room >= 0:
            spans += [Span(letter, sign.role), Span(f" {_(sign.name)}  ", roles.DIM)]
    shown = _shown(view)
    beyond = flow.window.span(shown.start_ns, shown.end_ns)
    if beyond and beyond[1] > plot.high:
        note = _("w: the window is far above")
        if width(spans) + text_width(note) < cells:
            spans.append(Span(note, roles.TIME))
    elif flow.unscaled and flow.window:
        spans.append(Span(_("window as in the header: its scale was not captured"), roles.TIME))
    return [first, line(*spans)]


def _sample(pen: Pen, view: View) -> str:
    """A pen's sign for the legend."""
    if view.ascii:
        return pen.sign
    return {"|": "┃", "_": "──", "~": "╌╌", "s": "┇"}[pen.sign]


# -- below ----------------------------------------------------------------------


def _lower(series: Series, lower: Lower, view: View, cells: int, height: int) -> list[Line]:
    rows = height - 1
    if lower is Lower.RATE:
        return _rate(series, view, cells, rows)
    if lower is Lower.RTT:
        return _times(series, view, cells, rows)
    return _flight(series, view, cells, rows)


def _greatest(window: Window, *tracks: Track) -> int:
    """The greatest value in this stretch of time, and of what holds at its beginning."""
    found = [0]
    for track in tracks:
        span = track.span(window.start_ns, window.end_ns)
        found += [span[1]] if span else []
        carried = track.before(window.start_ns)
        found += [carried] if carried is not None else []
    return max(found)


def _title(text: str, more: str, role: str = roles.TITLE) -> Line:
    return line(Span(" " * MARGIN), Span(text, role), Span(f"  {more}", roles.DIM))


def _rate(series: Series, view: View, cells: int, rows: int) -> list[Line]:
    """Bits a second, in bins of a round length: sent as bars, acknowledged as a line."""
    flow, window, known = series.flows[view.side], view.window, _shown(view)
    width_ns = axes.step_of_time(window.span_ns, max(cells // 2, 8))
    sent, got = Track(), Track()
    start = window.start_ns // width_ns * width_ns
    while start < known.end_ns:
        for track, kept in ((flow.sent, sent), (flow.got, got)):
            if not track:
                continue
            end = min(start + width_ns, known.end_ns)
            before, after = track.before(start) or 0, track.before(end) or 0
            kept.add(start, max(after - before, 0) * 8_000_000_000 // width_ns)
        start += width_ns
    top = axes.top(_greatest(window, sent, got))
    plot = Plot(cells, rows, view.grain, window, 0, top, _last(series, view))
    for place, value in enumerate(sent.low):
        first, last = plot.x(sent.times[place]), plot.x(sent.times[place] + width_ns) - 1
        for x in range(max(first, 0), min(max(last, first), plot.dots.width - 1) + 1):
            if value:
                plot.dots.upright(x, plot.y(0), plot.y(value), DATA[view.side])
    plot.steps(got, ACK)
    if view.cursor_ns is not None:
        plot.cursor(view.cursor_ns, view.ascii)
    more = _("sent (filled) and acknowledged (line), in steps of {time}").format(
        time=duration(width_ns)
    )
    return [_title(_("throughput"), more), *plot.lines(axes.RATE, ascii_only=view.ascii, most=2)]


def _times(series: Series, view: View, cells: int, rows: int) -> list[Line]:
    flow, window = series.flows[view.side], view.window
    top = axes.top(max(_greatest(_shown(view), flow.rtt), 1))
    plot = Plot(cells, rows, view.grain, window, 0, top, _last(series, view))
    plot.bars(flow.rtt, RTT)
    if view.cursor_ns is not None:
        plot.cursor(view.cursor_ns, view.ascii)
    said = _("from a segment to its ACK, where it was captured")
    if series.connection.watched:
        said = _("from sending a segment to getting its ACK")
    if not flow.rtt:
        said = _("no segment's ACK was seen")
    drawn = plot.lines(axes.TIME, ascii_only=view.ascii, most=2)
    return [_title(_("round-trip time"), said), *drawn]


def _flight(series: Series, view: View, cells: int, rows: int) -> list[Line]:
    flow, window = series.flows[view.side], view.window
    known = _shown(view)
    data, offered = _greatest(known, flow.flight), _greatest(known, flow.offered)
    fits = view.whole_window or offered <= FAR * max(data, 1) or not data
    top = axes.top(max(data, offered if fits else 0, 1))
    plot = Plot(cells, rows, view.grain, window, 0, top, _last(series, view))
    plot.steps(flow.offered, WINDOW)
    plot.bars(flow.flight, DATA[view.side])
    plot.steps(flow.flight, DATA[view.side])
    if view.cursor_ns is not None:
        plot.cursor(view.cursor_ns, view.ascii)
    said = _("sent and not acknowledged; the dashed line is the receiver's window")
    if not fits:
        said = _("sent and not acknowledged; the window, up to {size}, is far above").format(
            size=size(offered)
        )
    drawn = plot.lines(None, ascii_only=view.ascii, most=2)
    return [_title(_("bytes in flight"), said), *drawn]


# -- the foot -------------------------------------------------------------------


def _time_axis(series: Series, view: View, cells: int) -> list[Line]:
    """The axis, with the cursor's place on it, and round times since the first segment."""
    window, zero = view.window, series.first_ns or 0
    rule, tick, here, beyond = ("-", "+", "^", "<>") if view.ascii else ("─", "┬", "▲", "◂▸")
    marks = [rule] * cells
    labels = [" "] * cells
    by = axes.step_of_time(window.span_ns, max(cells // 12, 1))
    free = 0
    for value in axes.ticks(window.start_ns - zero, window.end_ns - zero, by):
        cell = (value + zero - window.start_ns) * cells // window.span_ns
        if not 0 <= cell < cells:
            continue
        marks[cell] = tick
        text = duration(value)
        start = max(cell - len(text) // 2, 0)
        if start >= free and start + len(text) <= cells:
            labels[start : start + len(text)] = text
            free = start + len(text) + 1
    spans = [Span(" " * (MARGIN - 1)), Span("+" if view.ascii else "└", roles.FRAME)]
    cursor = None
    if view.cursor_ns is not None:
        cursor = (view.cursor_ns - window.start_ns) * cells // window.span_ns
        if not 0 <= cursor < cells:  # it stands outside: on that side
            here = beyond[cursor >= cells]
            cursor = 0 if cursor < 0 else cells - 1
    for cell, char in enumerate(marks):
        if cell == cursor:
            spans.append(Span(here, roles.LIT))
        else:
            spans.append(Span(char, roles.FRAME))
    return [line(*spans), line(" " * MARGIN, Span("".join(labels), roles.TIME))]


def _values(series: Series, flow: Flow, view: View, cells: int) -> Line:
    """What holds at the cursor, in numbers."""
    at = view.cursor_ns
    if at is None or series.first_ns is None:
        return line(Span(_(" before the first segment"), roles.DIM))
    spans: list[Span] = [
        Span(f" {duration(max(at - series.first_ns, 0))} ", roles.LIT),
    ]
    for name, text in _numbers(flow, at):
        if width(spans) + text_width(name) + len(text) + 3 <= cells:
            spans += [Span(f" {name} ", roles.DIM), Span(text, roles.NUMBER)]
    return line(*spans)


def _numbers(flow: Flow, at: int) -> Iterator[tuple[str, str]]:
    for name, track in ((_("sent"), flow.data), (_("acked"), flow.acks)):
        value = track.at(at)
        if value is not None:
            yield name, str(value)
    sent, acked = flow.data.at(at), flow.acks.at(at)
    if sent is not None and acked is not None:
        yield _("in flight"), size(max(sent - acked, 0))
    offered = flow.offered.at(at)
    if offered is not None:
        yield _("window"), size(offered)
    rtt = flow.rtt.at(at)
    if rtt is not None:
        yield "RTT", duration(rtt)

"""The graphs' sheet: the connection over time, zoomed by keys and wheel, cursor shared."""

from __future__ import annotations

from dataclasses import replace
from time import monotonic
from typing import ClassVar

from textual import events
from textual.binding import BindingType

from tcpviz.core.records import Side
from tcpviz.ui.keys import Action
from tcpviz.ui.looks import Looks
from tcpviz.ui.sheet import CLOSING, SHARED, SheetScreen, bindings
from tcpviz.views import roles
from tcpviz.views.graphs import draw
from tcpviz.views.graphs.dots import Grain
from tcpviz.views.graphs.plot import Window
from tcpviz.views.graphs.series import SIGNS, Series
from tcpviz.views.spans import Line, Span, line
from tcpviz.words import _

READ_S = 0.05
"""Time for reading steps in one beat."""

ZOOM = 0.5
WHEEL_ZOOM = 0.7
CLOSEST_NS = 200
"""Nothing is finer than a capture's clock."""


class GraphsScreen(SheetScreen):
    """The connection that is selected; time runs from left to right.

    ``side``    whose data is shown; ``None`` until a person chooses: who sent more
    ``window``  the stretch of time that is shown; ``None``: all of it, however it grows
    """

    actions: ClassVar[tuple[Action, ...]] = (
        *SHARED,
        Action(
            "zoom(1)",
            ("up", "k", "plus"),
            "↑ k +",
            "Zoom in",
            "A shorter stretch of time, about the cursor (the mouse wheel: about the pointer)",
            "zoom",
            plain="Up k +",
            hint_key=("↑ ↓", "Up Down"),
        ),
        Action(
            "zoom(-1)",
            ("down", "j", "minus"),
            "↓ j -",
            "Zoom out",
            "A longer stretch of time",
            plain="Down j -",
        ),
        Action(
            "pan(1)",
            ("full_stop", "shift+right"),
            ".",
            "Later",
            "The stretch moves to later times (Shift and the wheel: either way)",
            "pan",
            hint_key=(", .", ", ."),
        ),
        Action("pan(-1)", ("comma", "shift+left"), ",", "Earlier", "To earlier times"),
        Action("whole", ("0",), "0", "All of it", "The whole connection again", "all"),
        Action(
            "direction", ("tab",), "Tab", "Other direction", "The other end's data", "direction"
        ),
        Action("lower", ("b",), "b", "Graphs below", "Another graph under the first one", "below"),
        Action(
            "window", ("w",), "w", "Fit the window in", "The receiver's window to its top", "window"
        ),
        Action(
            "grain",
            ("f",),
            "f",
            "Finer or coarser",
            "Braille dots, or half blocks for fonts without them",
        ),
        Action(
            "segment",
            ("enter", "i"),
            "Enter i",
            "The segment",
            "The segment at the cursor",
            "segment",
        ),
        *CLOSING,
    )
    BINDINGS: ClassVar[list[BindingType]] = bindings(actions)
    about = (
        "Each segment stands as a bar from its first number to the one after its last, at its "
        "moment. Between data and ACK lie the bytes in flight, between data and window what may "
        "still be sent: a sender that waits is held by the line that it touches."
    )

    def __init__(self, looks: Looks, *, ascii_only: bool) -> None:
        super().__init__(looks, ascii_only=ascii_only)
        self.side: Side | None = None
        self.window: Window | None = None
        self._series: Series | None = None
        self._grain = Grain.ASCII if ascii_only else Grain.BRAILLE
        self._lower = tuple(draw.Lower)
        self._whole_window = False
        self._page: draw.Page | None = None
        self._at: int | None = None
        self._left = 0

    # -- what is shown ------------------------------------------------------

    def work(self) -> None:
        """Read on in the timeline; another connection, if another one was selected."""
        session = self.session
        selected = session.selected
        connection = None if selected is None else session.tracker.connections.get(selected)
        if connection is None:
            self._series = None
            return
        if self._series is None or self._series.connection is not connection:
            self._series = Series(session.timeline, connection)
            self.window, self.side = None, None
        until = monotonic() + READ_S
        done = self._series.extend(lambda: monotonic() > until)
        self._left = 0 if done else self._series.left

    def key(self) -> object:
        series = self._series
        if self._left:  # drawing takes its time too: while reading, twice a second will do
            return int(monotonic() * 2)
        read = 0 if series is None else len(series.moments)
        return (self.view, read, self._left)

    @property
    def view(self) -> draw.View | None:
        """How it is looked at now."""
        series = self._series
        if series is None:
            return None
        now = self.session.now_ns if self.session.cursor.index >= 0 else None
        if series.first_ns is None or (now is not None and now < series.first_ns):
            now = None
        until = self._until(now)
        window = self.window or draw.whole(series, until)
        if now is not None and now != self._at and self.window is not None:
            window = self.window = _in_sight(window, now)
        self._at = now
        return draw.View(
            self._side(series), window, now, until, self._lower, self._whole_window, self._grain
        )

    def _until(self, now: int | None) -> int | None:
        """In a story what comes later is not there yet."""
        return (now or 0) if self.session.story else None

    def _side(self, series: Series) -> Side:
        if self.side is not None:
            return self.side
        client, server = (series.connection.end(side).bytes for side in Side)
        return Side.SERVER if server > client else Side.CLIENT

    def lines(self, cells: int, rows: int) -> list[Line]:
        view, series = self.view, self._series
        if view is None or series is None:
            said = _(" no connection selected")
            if self.session.selected is not None:
                said = _(" no segment of this connection is kept")
            return [(), line(Span(said, roles.DIM))]
        part = self.session.part  # of a long connection in a large file
        self._page = draw.page(series, view, cells, rows - bool(part))
        made = self._page.lines
        if part:
            made = [*made, line(Span(f" {part}", roles.DIM))]
        if self._left:
            made[0] = line(Span(f" reading: {self._left} steps are left", roles.LIT))
        return made

    def signs(self) -> list[tuple[Line, str]]:
        """The letters."""
        made: list[tuple[Line, str]] = [
            (line(Span("ACK", draw.ACK.role)), "up to where everything is acknowledged"),
            (line(Span("window", draw.WINDOW.role)), "up to where the receiver's window allows"),
            (line(Span("SACK", draw.SACK.role)), "what the receiver has beyond a hole"),
        ]
        for sign in SIGNS.values():
            letter = sign.plain if self.ascii_only else sign.letter
            made.append((line(Span(letter, sign.role)), sign.name))
        return made

    # -- keys ---------------------------------------------------------------

    def action_zoom(self, way: int) -> None:
        view = self.view
        if view is None:
            return
        about = view.cursor_ns
        if about is None or not view.window.start_ns <= about < view.window.end_ns:
            about = view.window.start_ns + view.window.span_ns // 2
        self._zoom(ZOOM if way > 0 else 1 / ZOOM, about)

    def _zoom(self, factor: float, about_ns: int) -> None:
        view, series = self.view, self._series
        if view is None or series is None:
            return
        made = view.window.zoomed(factor, about_ns)
        all_of_it = draw.whole(series, view.until_ns)
        if made.span_ns >= all_of_it.span_ns:
            self.window = None
        elif made.span_ns >= CLOSEST_NS:
            self.window = _within(made, all_of_it)
        self.redraw()

    def action_pan(self, way: int) -> None:
        view, series = self.view, self._series
        if view is not None and series is not None and self.window is not None:
            self.window = _within(view.window.moved(way / 4), draw.whole(series, view.until_ns))
            self.redraw()

    def action_whole(self) -> None:
        self.window = None
        self.redraw()

    def action_direction(self) -> None:
        if self._series is not None:
            self.side = self._side(self._series).other
            self.redraw()

    def action_lower(self) -> None:
        self._lower = (*self._lower[1:], self._lower[0])
        self.redraw()

    def action_window(self) -> None:
        self._whole_window = not self._whole_window
        self.redraw()

    def action_grain(self) -> None:
        if not self.ascii_only:
            self._grain = Grain.BLOCKS if self._grain is Grain.BRAILLE else Grain.BRAILLE
            self.redraw()

    async def action_segment(self) -> None:
        await self.main.run_action("segment")

    # -- the mouse ----------------------------------------------------------

    def moment_at(self, x: int) -> int | None:
        """The moment that a column of the screen stands for, ``None`` left or right of the plot."""
        page, view = self._page, self.view
        if page is None or view is None or not 0 <= x - page.left < page.width:
            return None
        window: Window = view.window
        return window.start_ns + (2 * (x - page.left) + 1) * window.span_ns // (2 * page.width)

    async def on_click(self, event: events.Click) -> None:
        await super().on_click(event)
        at = self.moment_at(event.x) if event.widget is self._sheet else None
        index = None if at is None or self._series is None else self._series.index_at(at)
        if index is not None:
            self.main.go_to(index)
            self.redraw()

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        self._wheel(event, 1)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        self._wheel(event, -1)

    def _wheel(self, event: events.MouseEvent, way: int) -> None:
        event.stop()
        if event.shift or event.ctrl:
            self.action_pan(-way)
            return
        at = self.moment_at(event.x)
        if at is not None:
            self._zoom(WHEEL_ZOOM if way > 0 else 1 / WHEEL_ZOOM, at)


def _in_sight(window: Window, now_ns: int) -> Window:
    """The stretch, moved so that the cursor is in it."""
    if window.start_ns <= now_ns < window.end_ns:
        return window
    start = now_ns - window.span_ns // 2
    return replace(window, start_ns=start, end_ns=start + window.span_ns)


def _within(window: Window, limits: Window) -> Window:
    """The stretch, moved so that nothing is shown that lies outside of the connection."""
    start = min(max(window.start_ns, limits.start_ns), max(limits.end_ns - window.span_ns, 0))
    start = max(start, limits.start_ns)
    return Window(start, start + window.span_ns)

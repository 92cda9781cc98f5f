"""The three panes: what each shows of the session, and how it scrolls and is clicked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Any, ClassVar, cast

from textual import events
from textual.message import Message

from tcpviz.core.connection import Connection
from tcpviz.core.rows import ConnectionRows
from tcpviz.ui.bulklist import BulkSifter
from tcpviz.ui.lines import LinesView, Row, signed
from tcpviz.ui.looks import RULE, RULE_FOCUS, TITLE_FOCUS, Looks
from tcpviz.ui.plan import Pane
from tcpviz.ui.session import Session
from tcpviz.views import roles, table
from tcpviz.views.filter.verdicts import headline
from tcpviz.views.numbers import thousands
from tcpviz.views.owners import whose
from tcpviz.views.spans import Line, Span, clean, crop, fit_text, line, width
from tcpviz.words import _

WHEEL = 3
"""Rows that one notch of the mouse's wheel scrolls."""

MANY = 2_000
"""From this many connections on, the filter looks through them once a second only."""


@dataclass(frozen=True, slots=True)
class Signs:
    """The characters of a title rule."""

    rule: str = "─"
    heavy: str = "━"
    up: str = "▲"
    down: str = "▼"
    pointer: str = "►"


UNICODE = Signs()
ASCII = Signs("-", "=", "^", "v", ">")


class PaneView(LinesView, can_focus=True):
    """A pane with a title row; whoever derives fills the rows under it.

    ``active``   it has the focus
    ``tabs``     the panes that take turns in this place, named in the title
    """

    pane: ClassVar[Pane]
    name_shown: ClassVar[str]

    class Picked(Message):
        """Something in the pane was clicked; ``step`` is the step to go to, if any."""

        def __init__(self, step: int | None = None) -> None:
            super().__init__()
            self.step = step

    class Titled(Message):
        """A pane's name was clicked; ``whole``: it is to be maximised, or not any more."""

        def __init__(self, pane: Pane, *, whole: bool) -> None:
            super().__init__()
            self.pane = pane
            self.whole = whole

    class Closer(Message):
        """Somebody wants to see the segment at the cursor field by field."""

    class Asked(Message):
        """Somebody wants to know more: ``text`` in paragraphs, a line each."""

        def __init__(self, title: str, text: str) -> None:
            super().__init__()
            self.title = title
            self.text = text

    def __init__(self, session: Session, looks: Looks, *, ascii_only: bool) -> None:
        super().__init__(looks, id=self.pane.value, ascii_only=ascii_only)
        self.session = session
        self.signs = ASCII if ascii_only else UNICODE
        self.active = False
        self.maximised = False
        self.flashing: int | None = None
        self.tabs: tuple[Pane, ...] = ()
        self.top = 0
        self._places: list[tuple[int, Pane]] = []
        self._all_at = -1

    def begin(self, session: Session) -> None:
        """Show another session from now on."""
        self.session, self.top = session, 0

    # -- to be filled in ----------------------------------------------------

    def body(self, cells: int, rows: int) -> list[Row]:
        """The rows under the title."""
        raise NotImplementedError

    def heading(self) -> str:
        """What the title says behind the pane's name."""
        return ""

    def move(self, rows: int) -> None:
        """Up or down by so many rows, by key."""

    def wheel(self, rows: int) -> None:
        """Up or down by so many rows, by the mouse."""
        self.move(rows)

    def enter(self) -> Message | None:
        """Enter was pressed; returns what to tell."""
        return None

    def pick(self, x: int, row: int) -> Message | None:  # noqa: ARG002
        """Row ``row`` under the title was clicked, at column ``x``; returns what to tell."""
        return self.Picked()

    # -- drawing ------------------------------------------------------------

    def draw(self) -> None:
        """Show the pane as the session is now."""
        cells, rows = self.size
        if cells < 1 or rows < 1:
            return
        body = self.body(cells, rows - 1)  # first: it settles what the title tells
        self.show([Row(self._title(cells)), *body[: rows - 1]])

    def _title(self, cells: int) -> Line:
        rule = RULE_FOCUS if self.active else RULE
        stroke = self.signs.heavy if self.active else self.signs.rule
        spans: list[Span] = [Span(stroke, rule)]
        self._places = []
        for number, pane in enumerate(Pane, 1):
            here = pane is self.pane
            if not here and pane not in self.tabs:
                continue
            role = (TITLE_FOCUS if self.active else roles.TITLE) if here else roles.DIM
            self._places.append((width(spans), pane))
            spans += [Span(f" {number} {_(NAMES[pane])} ", role), Span(stroke, rule)]
        more = self.heading()
        room = cells - width(spans) - 3
        if more and room > 3:
            spans.append(Span(f" {fit_text(clean(more, self.ascii_only), room)} ", roles.TIME))
        self._all_at = -1
        if self.maximised and cells - width(spans) > 22:
            self._all_at = width(spans)
            spans += [Span(stroke, rule), Span(_(" z: all panes "), roles.DIM)]
        spans.append(Span(stroke * max(cells - width(spans), 0), rule))
        return line(*crop(spans, cells))

    # -- events -------------------------------------------------------------

    def on_focus(self, event: events.Focus) -> None:
        """As Textual does, but for drawing all of it: the screen sees what has changed."""
        event.prevent_default()
        self.has_focus = True
        if self.parent is not None:
            self.parent.post_message(events.DescendantFocus(self))

    def on_blur(self, event: events.Blur) -> None:
        """See :meth:`on_focus`."""
        event.prevent_default()
        self.has_focus = False
        if self.parent is not None:
            self.parent.post_message(events.DescendantBlur(self))

    def on_resize(self) -> None:
        self.draw()

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        event.stop()
        self.wheel(-WHEEL)
        self.draw()

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        event.stop()
        self.wheel(WHEEL)
        self.draw()

    def on_click(self, event: events.Click) -> None:
        """A row is picked; in the title a name brings its pane to the front, twice maximises."""
        if event.y == 0:
            before = [pane for start, pane in self._places if start <= event.x]
            whole = event.chain == 2 or 0 <= self._all_at <= event.x
            self.post_message(self.Titled(before[-1] if before else self.pane, whole=whole))
        else:
            told = self.pick(event.x, event.y - 1)
            if told is not None:
                self.post_message(told)


SIFT_S = 0.05
"""Time for asking connections whether they fit the filter; the rest is asked at the next beat."""

NAMES = {Pane.LIST: "Connections", Pane.DIAGRAM: "States", Pane.CHART: "Sequence"}


class ConnectionPane(PaneView):
    """The connections that there are at the cursor, one a row."""

    pane = Pane.LIST

    class Sorted(Message):
        """A heading was clicked: the list by that column."""

        def __init__(self, column: str) -> None:
            super().__init__()
            self.column = column

    def __init__(self, session: Session, looks: Looks, *, ascii_only: bool) -> None:
        super().__init__(session, looks, ascii_only=ascii_only)
        self._shown: Sequence[Connection] = []
        self._all = 0
        self._digits = 1
        self._scopes = False
        self._ends: table.Needs = (0, 0)
        self._sought: tuple[object, ...] = ()
        self._said = ""

    @property
    def filter(self) -> str:
        """What has been typed; as long as it cannot be read, the last that could be counts."""
        return self.session.sifter.typed

    @filter.setter  # noqa: A003 - the word for it
    def filter(self, text: str) -> None:
        self.session.sifter.type(text)

    @property
    def trouble(self) -> Line | None:
        """What is wrong with the filter, if anything is."""
        error = self.session.sifter.error
        if error is None:
            return None
        return line(Span(clean(str(error), self.ascii_only), roles.DIM))

    def heading(self) -> str:
        sifter = self.session.sifter
        if not (sifter.typed if sifter.error is None else sifter.filter.text):
            said = thousands(self._all) if self._all else ""
            return ", ".join(each for each in (said, self._said) if each)
        used = sifter.typed if sifter.error is None else f"{sifter.filter.text} ..."
        if sifter.pending and isinstance(sifter, BulkSifter):
            looking = _("{all}, looking for: {words}")
            return looking.format(all=thousands(self._all), words=used)
        more = "+" if sifter.pending else ""
        said = _("{shown} of {all}, filter: {words}")
        shown = f"{thousands(len(self._shown))}{more}"
        return said.format(shown=shown, all=thousands(self._all), words=used)

    def body(self, cells: int, rows: int) -> list[Row]:
        self._settle()
        space = max(rows - 1, 0)
        place = self.place
        if place is None:
            place = 0
        if self.top > place or place >= self.top + space:
            self.top = (
                place - space // 2
                if abs(place - self.top) > space
                else (place if place < self.top else place - space + 1)
            )
        self.top = max(min(self.top, len(self._shown) - space), 0)
        order = self.session.order
        seen = self._shown[self.top : self.top + space]
        self._scopes = self._scopes or any(one.key.scope for one in seen)
        self._ends = table.needs(seen, self._ends)
        fields: dict[str, Any] = {"ascii_only": self.ascii_only, **self._fields()}
        made = [Row(table.header(cells, order=order, **fields))]
        now = self.session.list_ns
        colours, self._said = self.session.colouring.connections, ""
        for one in seen:
            selected = one.id == self.session.selected
            shown = self.session.as_of_cursor(one) if selected or self.session.hides_future else one
            role = colours.role(shown, now)
            drawn = table.row(shown, cells, now, selected, role=role, **fields)
            if selected:
                said = (f"#{one.id} {headline(shown, now)}", whose(shown))
                self._said = "  ".join(each for each in said if each)
            if one.id in self.session.marked:
                drawn = signed(drawn, "m")
            made.append(Row(drawn, roles.SELECTED if selected else None))
        if not self._shown:
            made.append(Row(line(Span(self._empty(), roles.DIM))))
        return made

    def _settle(self) -> None:
        everyone = self.session.visible()
        self._all = len(everyone)
        # Of rows that are made when they are looked at none is made for its number alone.
        if isinstance(everyone, ConnectionRows):
            last = everyone.last_id() if self._all else 0
        else:
            last = everyone[-1].id if self._all else 0
        self._digits = len(str(max(last, self._all, 1)))
        sifter = self.session.sifter
        # Looking through very many takes its time: not more often than each second.
        now = int(self.session.clock()) if self._all > MANY else self.session.clock()
        order, at_ns = self.session.order, self.session.list_ns
        table_of = getattr(everyone, "snapshot", None)
        wanted = (sifter.filter, now, order, table_of)
        if self._sought != wanted or sifter.pending:
            self._sought = wanted
            until = monotonic() + SIFT_S
            self._shown = sifter.sift(everyone, at_ns, lambda: monotonic() > until)
            if order != ("id", False) and not hasattr(self._shown, "place_of"):
                by, reverse = order
                self._shown = table.ordered(self._shown, by, reverse=reverse, now_ns=at_ns)

    def _empty(self) -> str:
        if self.session.sifter.pending:
            return _(" looking ...")
        if self.filter and self._all:
            return _(" no connection fits the filter; Esc clears it")
        over = self.session.pump.done and self.session.cursor.at_end
        return _(" no connection") if over else _(" no connection yet")

    @property
    def place(self) -> int | None:
        """Where the selected connection is in the list, ``None`` if it is not."""
        selected = self.session.selected
        if selected is None:
            return None
        find = getattr(self._shown, "place_of", None)
        if find is not None:
            return cast("int | None", find(selected))
        return next((n for n, one in enumerate(self._shown) if one.id == selected), None)

    def move(self, rows: int) -> None:
        self._settle()
        if not self._shown:
            return
        place = self.place
        place = (0 if rows > 0 else len(self._shown) - 1) if place is None else place + rows
        self.session.select(self._shown[min(max(place, 0), len(self._shown) - 1)].id)

    def go(self, place: int) -> None:
        """Select the row at a place, from behind where it is negative."""
        self._settle()
        if self._shown:
            last = len(self._shown) - 1
            self.session.select(
                self._shown[min(place if place >= 0 else last + 1 + place, last)].id
            )

    def turn_page(self, way: int) -> None:
        """Down (1) or up (-1) by what is in sight."""
        self.move(way * max(self.size.height - 3, 1))

    def columns(self) -> tuple[tuple[table.Column, int], ...]:
        """The columns that there are, with their widths."""
        return table.columns(self.size.width, **self._fields())

    def _fields(self) -> dict[str, Any]:
        owners = self.session.tracker.host.latest is not None
        return {
            "owners": owners,
            "scopes": self._scopes,
            "digits": self._digits,
            "ends": self._ends,
        }

    def _column_at(self, x: int) -> str | None:
        at = 1
        for column, size in self.columns():
            if at <= x < at + size:
                return column.name
            at += size + 1
        return None

    def choose(self) -> bool:
        """Enter: the selected row is chosen, the first one if none is; false if there is none."""
        self._settle()
        if not self._shown:
            return False
        place = self.place
        self.session.select(self._shown[place or 0].id)
        return True

    def pick(self, x: int, row: int) -> Message | None:
        if row == 0:
            column = self._column_at(x)
            return self.Sorted(column) if column is not None else self.Picked()
        place = self.top + row - 1
        if row >= 1 and place < len(self._shown):
            self.session.select(self._shown[place].id)
        return self.Picked()

"""The sheet of troubles: what goes wrong among all connections; Enter lists the ones meant."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from textual.binding import BindingType

from tcpviz.core.connection import Connection
from tcpviz.core.troubles import Gathering, Trouble
from tcpviz.core.watch import Watch
from tcpviz.ui.keys import Action
from tcpviz.ui.plan import Pane
from tcpviz.ui.sheet import CLOSING, SheetScreen, bindings
from tcpviz.views import roles, troubles
from tcpviz.views.spans import Line, Span, fit, line
from tcpviz.words import _

_A_BEAT = 400
"""Connections that are judged at a beat, so that no key waits for it."""

_TITLE = "Troubles"


class TroublesScreen(SheetScreen):
    """One line a trouble, the gravest first."""

    about = _TITLE
    actions: ClassVar[tuple[Action, ...]] = (
        Action("up", ("up", "k"), "↑ k", "Up", "The trouble above", plain="Up k"),
        Action("down", ("down", "j"), "↓ j", "Down", "The trouble below", plain="Down j"),
        Action(
            "list", ("enter",), "Enter", "Its connections", "List the connections meant", "list"
        ),
        *CLOSING,
    )
    BINDINGS: ClassVar[list[BindingType]] = bindings(actions)

    found: tuple[Trouble, ...] = ()
    chosen = 0
    judged = 0

    def __init__(self, *args: object, **fields: object) -> None:
        super().__init__(*args, **fields)  # type: ignore[arg-type]
        self._gathering = Gathering()
        self._left: Iterator[Connection] | None = None
        self._watch: Watch | None = None
        self._known = -1
        self._complete = False

    def key(self) -> object:
        return self.found, self.chosen, self._complete

    def work(self) -> None:
        """Judge some more connections; begin anew when there are others."""
        session = self.session
        connections = session.tracker.connections
        if self._left is None:
            if self._known == len(session.timeline):
                return
            self._known = len(session.timeline)
            self._gathering, self.judged = Gathering(), 0
            self._left = iter(list(connections.values()))
            # Of a file that was put together from several, not every stretch lasts to its end.
            self._watch = None if session.live else Watch(connections.values())
        for _number in range(_A_BEAT):
            connection = next(self._left, None)
            if connection is None:
                self._left, self._complete = None, True
                self.found = tuple(self._gathering.troubles())
                return
            until = session.latest_ns if self._watch is None else self._watch.until(connection)
            self._gathering.add(connection, until)
            self.judged += 1
        if not self._complete:
            self.found = tuple(self._gathering.troubles())

    def lines(self, cells: int, rows: int) -> list[Line]:
        self.chosen = min(max(self.chosen, 0), max(len(self.found) - 1, 0))
        count = len(self.session.tracker.connections)
        said = _("in {count} connections").format(count=count)
        if not self._complete:
            said = _("{judged} of {count} connections judged").format(
                judged=self.judged, count=count
            )
        lines = [line(Span(f" {_(_TITLE)} ", roles.TITLE), Span(said, roles.DIM)), ()]
        if not self.found:
            quiet = _("no trouble found: no verdict asks for a look")
            lines.append(line(f" {quiet if self._complete else '…'}"))
            return lines
        room = max(rows - 4, 1)
        top = max(0, self.chosen - room + 1)
        shown = list(self.found[top : top + room])
        lines += troubles.rows(shown, cells, self.chosen - top)
        lines += [()] * max(0, rows - 1 - len(lines))
        seek = troubles.words(self.found[self.chosen])
        lines.append(fit(line(Span(f" {_('Enter lists')} ", roles.DIM), seek), cells))
        return lines

    def action_up(self) -> None:
        self.chosen -= 1
        self.redraw()

    def action_down(self) -> None:
        self.chosen += 1
        self.redraw()

    def action_list(self) -> None:
        if not self.found:
            return
        self.session.sifter.type(troubles.words(self.found[self.chosen]))
        self.main.focus_pane(Pane.LIST)
        self.dismiss()

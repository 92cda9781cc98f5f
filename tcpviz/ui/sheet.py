"""A sheet: a page of the session that lies over the panes and moves with the cursor.

What has the same meaning as on the main screen is done by the main screen (time,
the cable, looks), so that both are always in step.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, ClassVar, cast

from textual import events
from textual.app import ComposeResult, SystemCommand
from textual.binding import Binding, BindingType
from textual.screen import Screen

from tcpviz.ui import bars
from tcpviz.ui.action import THEMES_TOLD
from tcpviz.ui.keys import Action
from tcpviz.ui.lines import LinesView, Row
from tcpviz.ui.looks import BAR, Looks
from tcpviz.ui.page import PageScreen
from tcpviz.ui.session import Session
from tcpviz.ui.sparing import SparingCompositor
from tcpviz.ui.words import wrap
from tcpviz.views import roles
from tcpviz.views.spans import Line, Span, fit, line, pad
from tcpviz.words import _

if TYPE_CHECKING:
    from tcpviz.ui.app import TcpvizApp
    from tcpviz.ui.screen import MainScreen

SIGN_WIDTH = 15

PERIOD_S = 0.1
"""How often a sheet looks whether there is something new."""

SHARED: tuple[Action, ...] = (
    Action(
        "step",
        ("right", "l", "n", "pagedown"),
        "→ l n",
        "Step forward",
        "One step forward; the chart behind moves along",
        "step",
        plain="Right l n",
        hint_key=("← →", "Left Right"),
    ),
    Action("back", ("left", "h", "p", "pageup"), "← h p", "Step back", "One step back"),
    Action("first", ("home", "g"), "Home g", "Go to the first step", "The first step"),
    Action("end", ("end", "G"), "End G", "Go to the end", "The last step; what comes is followed"),
    Action("pause", ("space",), "Space", "Pause or go on", "As on the main screen", ""),
)
"""What every sheet has, and the main screen does."""

SCROLLING: tuple[Action, ...] = (
    Action(
        "scroll(1)",
        ("down", "j"),
        "↓ j",
        "Down",
        "Further down",
        "scroll",
        plain="Down j",
        hint_key=("↑ ↓", "Up Down"),
    ),
    Action("scroll(-1)", ("up", "k"), "↑ k", "Up", "Further up", plain="Up k"),
)
"""What a sheet has that may be longer than the screen."""

CLOSING: tuple[Action, ...] = (
    Action("theme", ("d",), "d", "Change the colours", THEMES_TOLD),
    Action(
        "help", ("question_mark", "f1"), "?", "Help", "What is shown here, and its keys", "help"
    ),
    Action(
        "palette",
        ("ctrl+p", "colon"),
        "Ctrl+P :",
        "Command palette",
        "All of this in one list; find it by its name",
        "menu",
        hint_key=(":", ":"),
    ),
    Action("close", ("escape", "q"), "Esc q", "Back", "Back to the panes", "back"),
)


def bindings(actions: tuple[Action, ...]) -> list[BindingType]:
    """The sheet's bindings, made of its table."""
    return [
        Binding(",".join(action.keys), action.name, action.title, show=False, priority=True)
        for action in actions
    ]


class SheetScreen(Screen[None]):
    """Whoever derives fills :meth:`lines`, and says by :meth:`key` what they depend on.

    ``actions``  every key of the sheet, :data:`SHARED` and :data:`CLOSING` with it
    ``about``    the heading of its help: what it shows
    """

    actions: ClassVar[tuple[Action, ...]] = (*SHARED, *CLOSING)
    BINDINGS: ClassVar[list[BindingType]] = bindings(actions)
    AUTO_FOCUS = ""
    CSS = """
    SheetScreen { layout: vertical; overflow: hidden; background: $background; }
    #sheet { width: 1fr; height: 1fr; }
    #foot { width: 1fr; height: 1; }
    """
    about: ClassVar[str] = ""

    def __init__(self, looks: Looks, *, ascii_only: bool) -> None:
        super().__init__()
        self._compositor = SparingCompositor()
        self.looks = looks
        self.ascii_only = ascii_only
        self._sheet = LinesView(looks, id="sheet", ascii_only=ascii_only)
        self._foot = LinesView(looks, id="foot", ascii_only=ascii_only)
        self._hints: list[bars.Hint] = []
        self._seen: object = None

    # -- to be filled in ----------------------------------------------------

    def lines(self, cells: int, rows: int) -> list[Line]:
        """The sheet."""
        raise NotImplementedError

    def signs(self) -> list[tuple[Line, str]]:
        """What the signs on it mean, for its help."""
        return []

    def key(self) -> object:
        """What :meth:`lines` depends on beyond the cursor; equal: nothing has changed."""
        return None

    def work(self) -> None:
        """Do what takes time, a little at each beat."""

    def words(self) -> dict[str, str]:
        """Hints that are other than the table's."""
        return {}

    # -- the session --------------------------------------------------------

    @property
    def app_(self) -> TcpvizApp:
        return cast("TcpvizApp", self.app)

    @property
    def main(self) -> MainScreen:
        return cast("MainScreen", self.app.screen_stack[0])

    @property
    def session(self) -> Session:
        return self.main.session

    # -- drawing ------------------------------------------------------------

    def compose(self) -> ComposeResult:
        yield self._sheet
        yield self._foot

    def on_mount(self) -> None:
        self.set_interval(PERIOD_S, self.beat)
        self.redraw()

    def on_resize(self) -> None:
        self._seen = None
        self.call_after_refresh(self.beat)

    def beat(self) -> None:
        """Draw, if anything is other than when it was last drawn."""
        self.work()
        session = self.session
        now = (
            len(session.timeline),
            session.timeline.dropped,
            session.cursor.index,
            session.selected,
            session.mode,
            self.app.size,
            self.key(),
        )
        if now != self._seen:
            self._seen = now
            self._draw()

    def redraw(self) -> None:
        self._seen = None
        self.beat()

    def _draw(self) -> None:
        width, height = self.app.size
        self._sheet.show([Row(one) for one in self.lines(width, max(height - 1, 1))])
        shown = [action for action in self.actions if action.hint]
        foot, self._hints = bars.hints(shown, width, self.words(), ascii_only=self.ascii_only)
        self._foot.show([Row(fit(foot, width, BAR))])

    async def on_click(self, event: events.Click) -> None:
        if event.widget is self._foot:
            for hint in self._hints:
                if hint.start <= event.x < hint.end:
                    await self.run_action(hint.action)

    # -- what every sheet can -------------------------------------------------

    async def _let_main(self, action: str) -> None:
        await self.main.run_action(action)
        self.redraw()

    async def action_step(self) -> None:
        await self._let_main("step")

    async def action_back(self) -> None:
        await self._let_main("back")

    async def action_first(self) -> None:
        await self._let_main("first")

    async def action_end(self) -> None:
        await self._let_main("end")

    async def action_pause(self) -> None:
        await self._let_main("pause")

    def action_theme(self) -> None:
        self.app_.next_looks()
        self.redraw()

    def action_close(self) -> None:
        self.dismiss()

    def commands(self) -> Iterator[SystemCommand]:
        """The sheet's own actions for the palette; what every sheet has is on the main screen."""
        for action in self.actions:
            if action not in (*SHARED, *SCROLLING, *CLOSING):
                shown = action.shown_plain if self.ascii_only else action.shown
                here = _("on this page")
                yield SystemCommand(
                    _(action.what), f"{here} ({shown})", partial(self.run_action, action.name)
                )

    def action_palette(self) -> None:
        """Every action of this sheet, and of the main screen."""
        self.app.action_command_palette()

    def action_help(self) -> None:
        """What is shown here, and its keys."""
        self.app.push_screen(SheetHelp(self))


class SheetHelp(PageScreen):
    """The help of one sheet."""

    def __init__(self, sheet: SheetScreen) -> None:
        super().__init__(sheet.looks, _("Help"), ascii_only=sheet.ascii_only)
        self._of = sheet

    def page(self, cells: int) -> list[Line]:
        keys = [
            (line(Span(a.shown_plain if self.ascii_only else a.shown, roles.KEY)), a.what)
            for a in self._of.actions
        ]
        made: list[Line] = []
        for heading, entries in ((self._of.about, self._of.signs()), ("Keys", keys)):
            for one in wrap(line(Span(_(heading), roles.TITLE)), cells, 9):
                made.append(one)
            for sign, words in entries:
                left = pad((Span("  "), *sign, Span("  ")), SIGN_WIDTH)
                rows = wrap(line(_(words)), max(cells - SIGN_WIDTH, 10), 9)
                for number, row in enumerate(rows):
                    made.append(line(*(left if not number else (Span(" " * SIGN_WIDTH),)), *row))
            made.append(())
        return made

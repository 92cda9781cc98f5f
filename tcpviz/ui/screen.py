"""The main screen: three panes over one timeline, and the rows under them."""

from __future__ import annotations

from time import monotonic
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Container
from textual.reactive import Reactive
from textual.screen import Screen
from textual.timer import Timer
from textual.widget import Widget

from tcpviz.ui import counted, keys
from tcpviz.ui.beating import Beating
from tcpviz.ui.chartactions import ChartActions
from tcpviz.ui.chartpane import ChartPane
from tcpviz.ui.diagrampane import DiagramPane
from tcpviz.ui.filter_entry import FilterEntry
from tcpviz.ui.filteractions import FilterActions
from tcpviz.ui.help import HelpScreen
from tcpviz.ui.insights import InsightActions
from tcpviz.ui.listactions import ListActions
from tcpviz.ui.looks import Looks
from tcpviz.ui.lowerbars import LowerBars
from tcpviz.ui.paneactions import PaneActions
from tcpviz.ui.panes import ConnectionPane, PaneView
from tcpviz.ui.placing import Placing
from tcpviz.ui.plan import Pane, Plan, plan
from tcpviz.ui.presenting import PresentingActions
from tcpviz.ui.session import Session
from tcpviz.ui.sparing import SparingCompositor

FLASH_S = 0.45

COUNTING_S = 0.5
"""Seconds between two drawings of a storm at least, where no key asks for one."""

RUSH = 40
"""So many steps more than were drawn last are more than anybody reads one by one ..."""

RUSHING_S = 0.17
"""... so that drawing them five times a second, where no key asks for it, shows as much."""


class MainScreen(
    Placing,
    Beating,
    ListActions,
    FilterActions,
    ChartActions,
    PaneActions,
    PresentingActions,
    InsightActions,
    Screen[None],
):
    """Shows a :class:`Session`.

    ``active``     the pane that was focused last; shown where only one can be
    ``maximised``  the pane that has the whole screen, if one has
    """

    BINDINGS: ClassVar[list[BindingType]] = list(keys.bindings())
    AUTO_FOCUS = ""
    # Textual draws the whole screen anew when the focus moves; here two rules change.
    focused = Reactive[Widget | None](None, repaint=False)
    CSS = """
    MainScreen { layout: vertical; overflow: hidden; background: $background; }
    #lower { overflow: hidden; }
    .bar { width: 1fr; height: 1; }
    #divider { width: 1; height: 1fr; }
    """

    def __init__(self, session: Session, looks: Looks, *, ascii_only: bool, motion: bool) -> None:
        super().__init__()
        self._compositor = SparingCompositor()
        self.session = session
        self.ascii_only = ascii_only
        self.motion = motion
        self.active = Pane.CHART if session.story else Pane.LIST
        self.maximised: Pane | None = None
        self.plan: Plan = plan(80, 24, self.active)
        self.memory: int | None = None
        self.banner, self.alarm = "", False
        self.flashing: int | None = None
        self._seen: tuple[object, ...] = ()
        self._second = -1
        self._generation = session.generation
        self._stale = False
        self._drawn_for: Widget | None = None
        self._drawn_at = 0.0
        self._drawn_steps = 0
        self._flash: Timer | None = None
        self._lit_until = 0.0
        self._planned_for: int | None = None
        self._catching_up = False
        self._failed = False
        self._notes = 0
        self._handed = False
        self._list = ConnectionPane(session, looks, ascii_only=ascii_only)
        self._diagram = DiagramPane(session, looks, ascii_only=ascii_only)
        self._chart = ChartPane(session, looks, ascii_only=ascii_only)
        self.views: dict[Pane, PaneView] = {
            Pane.LIST: self._list,
            Pane.DIAGRAM: self._diagram,
            Pane.CHART: self._chart,
        }
        self.make_lesson(looks, ascii_only=ascii_only)
        self.make_presenting(looks, ascii_only=ascii_only)
        self._lower = LowerBars(session, looks, ascii_only=ascii_only)
        self._lower.instead = self.key_line
        self._lower.track = lambda: self.track
        self._bars = self._lower.views

    def begin(self, session: Session) -> None:
        """Show another session from its beginning."""
        self.session = session
        self._lower.begin(session)
        self.lesson.begin(session)
        for view in self.views.values():
            view.begin(session)
        self._seen, self._notes, self._failed = (), 0, False
        self.banner, self.flashing = "", None
        self._lay_out(self.app.size)

    # -- building and laying out --------------------------------------------

    def compose(self) -> ComposeResult:
        self.large_view.add_class("bar")
        yield self.large_view
        yield self._list
        with Container(id="lower"):
            yield self._diagram
            yield self._bars["divider"]
            yield self._chart
        for name in ("scrubber", "banner", "hand", "lesson", "explain", "status", "keys"):
            bar = self.panel_view if name == "lesson" else self._bars[name]
            bar.add_class("bar")
            yield bar
        yield FilterEntry()
        yield self._bars["small"]

    def on_mount(self) -> None:
        self._lay_out(self.app.size)
        self.teach(self.app_.teaching)
        self.focus_pane(self.active)
        self.begin_lookout()

    def on_resize(self, event: events.Resize) -> None:
        self._lay_out(event.size)

    def on_screen_resume(self) -> None:
        self._lay_out(self.app.size)

    def wear(self, looks: Looks) -> None:
        """Put other looks on everything."""
        for view in (*self.views.values(), *self._bars.values(), self.panel_view, self.large_view):
            view.wear(looks)

    def begin_again(self, *, step: bool) -> str | None:
        return self.app_.begin_again(step=step)

    def language_changed(self) -> None:
        self._chart.ladder = None
        self._lay_out(self.app.size)

    def _moved(self, before: int) -> None:
        """The cursor has moved by itself or by hand: the newest edge lights up once."""
        step = self.session.step
        if self.motion and step is not None and step.index > before and step.changes:
            self.flashing = step.index
            # While steps rush in it stays lit: no drawing for each, and no timer. A live capture's
            # beat looks whether it is over (each waking costs more than what it does then).
            self._lit_until = monotonic() + FLASH_S
            if self._flash is None and not self._beat_ends_flash:
                self._flash = self.set_timer(FLASH_S, self._flash_over)
        self._chart.show_cursor()

    @property
    def _beat_ends_flash(self) -> bool:
        return self.session.live and not self.session.story and not self.session.pump.done

    def _flash_over(self) -> None:
        left = self._lit_until - monotonic()
        if left > 0.001:
            self._flash = self.set_timer(left, self._flash_over)
            return
        self.flashing = self._flash = None
        self.redraw()

    # -- drawing ------------------------------------------------------------

    def redraw_if_changed(self) -> None:
        """Draw, if anything that is drawn is other than when it was last drawn."""
        if not self.app.is_running:
            return  # the widgets are being taken away
        session, feed = self.session, self.session.feed.status
        if self.flashing is not None and self._flash is None and monotonic() >= self._lit_until:
            self._flash_over()
        # Of a storm that is counted every figure changes at each beat: twice a second will do.
        # Of a rush of segments one sees no more by looking twice as often.
        if session.live and not session.pump.done:
            counting = session.counted is not None and not session.resumed
            rushing = len(session.timeline) - self._drawn_steps >= RUSH
            pause = COUNTING_S if counting else RUSHING_S if rushing else 0.0
            if monotonic() - self._drawn_at < pause:
                return
        progress = session.progress  # a large file's goes on a few times a second only
        now = (
            len(session.timeline),
            session.timeline.dropped,
            session.cursor.index,
            session.selected,
            session.generation,
            session.count,
            session.mode,
            session.playback.pace,
            session.pump.done,
            progress or (feed.frames, feed.position),
            feed.dropped,
            sum(feed.skipped.values()),
            self.memory,
            self.flashing,
            self.session.sifter.pending,
            self.session.order,
            self._second if session.live else 0,
            self.lesson_state,
            self._lower.ticking(fast=self._chart.travelling),
        )
        if now != self._seen:
            self._seen = now
            planned = (self._planned_for, self._handed, self.plan.host)
            if planned != (self._wanted, self._lower.hand_shown, self.session.whole):
                self._lay_out(self.app.size)
            else:
                self.redraw()

    @property
    def _covered(self) -> bool:
        above = self.app.screen
        return above is not self and above.styles.background.a == 1

    def _compositor_refresh(self) -> None:
        """Textual would write out the sheet above us wherever we are not as we were, for ever."""
        if not self._covered:
            super()._compositor_refresh()

    def redraw_soon(self) -> None:
        """Draw everything once all that has happened is dealt with, if nobody did meanwhile."""
        if not self._stale and self.focused is not self._drawn_for:
            self._stale = True
            self.call_later(lambda: self.redraw() if self._stale else None)

    def redraw(self) -> None:
        """Draw everything; rows that are as they were are not written out.

        Nothing below a sheet that hides all of it: Textual would write out the sheet each time.
        """
        self._stale = False
        counted.before_drawing(self.session)
        if not self.is_mounted or self._covered:
            return
        self._drawn_for, self._drawn_at = self.focused, monotonic()
        self._drawn_steps = len(self.session.timeline)
        if self._generation != self.session.generation:
            self._generation = self.session.generation
            for pane, view in self.views.items():
                if pane is not Pane.LIST:
                    view.begin(self.session)
        with self.app.batch_update():
            width, height = self.plan.width, self.plan.height
            self.draw_panel(width, self.panel_rows(height))
            self.draw_large(width, self.large_rows(width, height))
            for pane, view in self.views.items():
                if pane in self.plan.panes:
                    view.active = pane is self.focused_pane
                    view.flashing = self.flashing
                    view.draw()
            self._draw_bars()  # last: the dashboard says what is told below it
        self.look_again_soon()

    def _draw_bars(self) -> None:
        if self.plan.too_small:
            self._lower.draw_small(self.app.size.width)
            return
        self._lower.draw(
            self.plan,
            banner=self.banner,
            alarm=self.alarm,
            wrong=self._list.trouble if self._filtering else None,
            memory=self.memory,
            focused=self.focused_pane,
            active=self.active,
        )

    # -- focus and panes ----------------------------------------------------

    @property
    def focused_pane(self) -> Pane | None:
        focused = self.focused
        return focused.pane if isinstance(focused, PaneView) else None

    def focus_pane(self, pane: Pane) -> None:
        """Go to a pane, bringing it to the front where panes take turns."""
        self.show_pane(pane)
        if pane is Pane.CHART and self.session.whole:
            self.session.overlook(False)
        self.active = pane
        if self.maximised is not None:
            self.maximised = pane
        self._place(self.app.size)  # only what is displayed can have the focus
        self.set_focus(self.views[pane], scroll_visible=False)
        self._lay_out(self.app.size)

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        if isinstance(event.widget, PaneView) and event.widget.pane is not self.active:
            self.active = event.widget.pane
            self._lay_out(self.app.size)
        else:
            self.redraw_soon()

    def on_descendant_blur(self) -> None:
        self.redraw_soon()

    def action_up(self) -> None:
        self._scroll(-1)

    def action_down(self) -> None:
        self._scroll(1)

    def _scroll(self, rows: int) -> None:
        if self._filtering:
            self.focus_pane(Pane.LIST)
        self.views[self.active].move(rows)
        self.redraw()

    def action_enter(self) -> None:
        if self.active is Pane.LIST:
            if self._list.choose():
                self.focus_pane(Pane.CHART)
        else:
            told = self.views[self.active].enter()
            if told is not None:
                self.views[self.active].post_message(told)
        self.redraw()

    def action_escape(self) -> None:
        """One thing at a time, the latest first."""
        if self._filtering:
            self._clear_filter()
            self.focus_pane(Pane.LIST)
        elif self.session.hand.cancel_delay() or self.undo_choosing():
            pass
        elif self.banner:
            self.banner = ""
        elif self.maximised is not None:
            self.maximised = None
        elif self._list.filter:
            self._clear_filter()
        elif self.session.chosen:
            self.unchoose()
        else:
            self.undo_hiding()
        self._lay_out(self.app.size)

    def stepped(self, before: int) -> None:
        self.session.follow_selection()
        self._moved(before)
        self.redraw()

    # -- how it is shown ----------------------------------------------------

    def action_theme(self) -> None:
        self.app_.next_looks()

    def action_help(self) -> None:
        self.app.push_screen(HelpScreen(self.app_.looks, ascii_only=self.ascii_only))

    def action_palette(self) -> None:
        self.app.action_command_palette()

    def action_quit(self) -> None:
        self.app.exit()

    # -- the mouse ----------------------------------------------------------

    async def on_click(self, event: events.Click) -> None:
        if event.widget is self._bars["keys"]:
            for hint in self._lower.hints:
                if hint.start <= event.x < hint.end:
                    await self.run_action(hint.action)
        elif event.widget is self._bars["banner"]:
            self.action_escape()
        elif event.widget is self.panel_view:
            self.panel_clicked(event.x, event.y)

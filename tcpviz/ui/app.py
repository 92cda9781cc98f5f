"""The Textual application: themes, the timer, and ways out; the screen does the rest."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from time import perf_counter
from typing import Any, ClassVar

from textual import events
from textual.app import App, SystemCommand
from textual.await_complete import AwaitComplete
from textual.binding import Binding, BindingType
from textual.screen import Screen

from tcpviz.core.onlooker import Onlooker
from tcpviz.sources.feed import Feed, SourceError
from tcpviz.ui import looks as all_looks
from tcpviz.ui.bulkfeed import BulkFeed
from tcpviz.ui.bulksession import BulkSession
from tcpviz.ui.driver import SleepingDriver, StillDriver
from tcpviz.ui.keyoverlay import PressedKeys
from tcpviz.ui.keys import ACTIONS
from tcpviz.ui.lines import LinesView
from tcpviz.ui.looks import Looks
from tcpviz.ui.menu import Menu
from tcpviz.ui.playback import Pace
from tcpviz.ui.rubbish import Rubbish
from tcpviz.ui.screen import MainScreen
from tcpviz.ui.session import Session
from tcpviz.ui.sheet import SheetScreen
from tcpviz.ui.teaching import Teaching
from tcpviz.ui.terminal import Manners, hung_up, in_browser, manners
from tcpviz.words import _


class TcpvizApp(App[int]):
    """Shows what ``feed`` gives.

    ``pace``     not ``None``: a scenario, played back from its beginning at this pace
    ``title``    of the terminal's window; the feed's own title is in the status line
    ``live``     the records happen now
    ``looks``    name of the looks to begin with
    ``limit``    steps that the timeline keeps; ``None``: the usual number
    ``filter_text``  the display filter to begin with
    ``memory``   bytes that a live capture may take
    ``again``    makes the same scenario's feed once more, in step mode or not. Raises SourceError
    ``teaching`` the register, what to ask, and where the teacher's notes go
    ``onlooker`` is told of every step too
    ``painted``  the first rows stand on the terminal already, on its alternate screen
    ``on_signal`` is told of a signal that ends the program, before it ends

    Afterwards ``trouble`` is what the source complained of, ``failure`` an
    exception that nobody expected; both are for whoever ran the application.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q,ctrl+c", "quit", "Quit", show=False),
        # To the shell, as everywhere; fg comes back.
        Binding("ctrl+z", "suspend_process", "Suspend", show=False, priority=True),
    ]
    ENABLE_COMMAND_PALETTE = True
    ESCAPE_TO_MINIMIZE = False
    CSS = """
    Screen { background: $background; color: $foreground; layers: default pressed; }
    SearchIcon { display: none; }
    """

    def __init__(
        self,
        feed: Feed,
        *,
        pace: Pace | None = None,
        title: str | None = None,
        live: bool = False,
        looks: str = "dark",
        behaviour: Manners | None = None,
        limit: int | None = None,
        filter_text: str = "",
        memory: int | None = None,
        on_signal: Callable[[int], None] | None = None,
        again: Callable[[bool], Feed] | None = None,
        teaching: Teaching | None = None,
        painted: bool = False,
        onlooker: Onlooker | None = None,
    ) -> None:
        self.teaching = teaching or Teaching()
        self._again = again
        self._pace = pace
        self._limit = limit
        self._on_signal = on_signal
        self.behaviour = behaviour or manners()
        choices = all_looks.every()
        if not self.behaviour.colours:
            looks = "mono"
        self._choices = choices
        self.looks: Looks = next((one for one in choices if one.name == looks), choices[0])
        # Sixteen colours and none are for terminals whose own colours are to be kept.
        super().__init__(
            driver_class=None if in_browser() else StillDriver if painted else SleepingDriver,
            ansi_color=True if self.looks.theme.ansi else None,
        )
        for one in choices:
            self.register_theme(one.theme)
        self.theme = self.looks.theme.name
        self.title = title or f"tcpviz: {feed.title}"
        self.animation_level = "none"
        made: type[Session] = BulkSession if isinstance(feed, BulkFeed) else Session
        self.session = made(
            feed,
            pace=pace,
            live=live,
            limit=limit,
            filter_text=filter_text,
            memory=memory,
            onlooker=onlooker,
        )
        self.pressed = PressedKeys(self, ascii_only=self.behaviour.ascii)
        self.rubbish = Rubbish()
        self._early: list[events.InputEvent] | None = []
        self.trouble: SourceError | None = None
        self.failure: BaseException | None = None
        self._main = MainScreen(
            self.session,
            self.looks,
            ascii_only=self.behaviour.ascii,
            motion=self.behaviour.motion,
        )

    def begin_again(self, *, step: bool) -> str | None:
        """Run the scenario anew, as it happens; returns why that cannot be, or ``None``."""
        if self._again is None:
            return _("this is for the demo: tcpviz demo --step")
        try:
            feed = self._again(step)
        except SourceError as error:
            return str(error)
        self.session.pump.stop(0.5)
        plain = self.session.plain_words
        self.session = Session(feed, pace=self._pace, live=True, limit=self._limit)
        self.session.plain_words = plain
        self.trouble = None
        self._main.begin(self.session)
        self.session.pump.start()
        return None

    def get_default_screen(self) -> Screen[None]:
        return self._main

    def on_mount(self) -> None:
        self.session.pump.start()
        self._hear_signals()
        beats = self.set_interval(self.behaviour.period_s, self._main.beat)
        self._main.beats = beats
        self.call_after_refresh(self._main.beat)
        self.call_after_refresh(self._answer_early)
        if not self.is_headless:
            self.set_interval(1.0, self._watch_terminal)
            self.rubbish.begin()

    async def on_event(self, event: events.Event) -> None:
        """Every key comes by here before anything is done with it.

        What was typed before the panes stood waits for them: half made, they would take what it
        did (the filter's prompt, the focus) back.
        """
        if self._early is not None and isinstance(event, events.InputEvent):
            self._early.append(event)
            return
        if isinstance(event, events.InputEvent):
            self.rubbish.touched = perf_counter()
        self._main.wake()
        # What no widget wants comes by a second time.
        again = isinstance(event, events.Key) and event.is_forwarded
        await super().on_event(event)
        if isinstance(event, events.Key) and not again:
            self.pressed.pressed(event.key, event.character)

    def _answer_early(self) -> None:
        """Do what was typed before the panes stood, in its order."""
        if not self._main.is_mounted:
            self.call_after_refresh(self._answer_early)
            return
        early, self._early = self._early or (), None
        for event in early:
            self.post_message(event)

    def on_unmount(self) -> None:
        self.session.pump.stop(0.5)
        self.rubbish.end()
        self.session.close()

    def _hear_signals(self) -> None:
        """Ask to be ended in good order: the driver restores the terminal only then."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            before = signal.getsignal(number)
            try:
                loop.add_signal_handler(number, self._signalled, number)
            except (ValueError, RuntimeError, NotImplementedError):
                return  # not the main thread: whoever runs us hears them
            if getattr(before, "asked", 0):  # and the exception was lost
                self._signalled(number)
        if isinstance(self._driver, SleepingDriver):
            self._driver.hear_stops()

    def _watch_terminal(self) -> None:
        self.rubbish.look()
        if hung_up():
            self._signalled(signal.SIGHUP)

    def _signalled(self, number: signal.Signals) -> None:
        if self._on_signal is not None:
            self._on_signal(number)
        self._end_by(number)

    def _end_by(self, number: signal.Signals) -> None:
        if not self._main.is_mounted:  # it would go on to lay out what is not there any more
            self.call_after_refresh(self._end_by, number)
            return
        code = 0 if number is signal.SIGINT else 128 + number
        self.exit(code, return_code=code)

    # -- the ways out -------------------------------------------------------

    async def action_quit(self) -> None:
        self.exit(0)

    def give_up(self, trouble: SourceError) -> None:
        """The source failed before there was anything to show."""
        self.trouble = trouble
        self.exit(trouble.exit_code, return_code=trouble.exit_code)

    def _handle_exception(self, error: Exception) -> None:
        """End quietly: a traceback on the screen helps nobody who is not a programmer.

        Overrides Textual's, which prints one. Whoever ran the application finds
        the exception in ``failure`` and writes it where it is of use; the test
        pilot raises it.
        """
        self._return_code = 1
        if self._exception is None:
            self._exception = error
            self._exception_event.set()
        if self.failure is None:
            self.failure = error
        self._close_messages_no_wait()

    # -- looks --------------------------------------------------------------

    def next_looks(self) -> None:
        """The next looks; with NO_COLOR or sixteen colours asked for, there are no others."""
        if self.ansi_color or self.no_color:
            self._main.say_briefly(_("the colours were chosen when the program was started"))
            return
        place = self._choices.index(self.looks)
        self.wear(self._choices[(place + 1) % len(self._choices)])

    def wear(self, looks: Looks) -> None:
        """Put other looks on everything, sheets that lie over the panes too."""
        self.looks = looks
        self.theme = looks.theme.name
        self._main.wear(looks)
        for screen in self.screen_stack[1:]:
            if isinstance(screen, SheetScreen):
                screen.looks = looks
            for view in screen.query(LinesView):
                view.wear(looks)
            # Textual passes over the screen that is on top.
            self.call_next(partial(self.stylesheet.update, screen, animate=False))

    def pop_screen(self) -> AwaitComplete:
        """Take away what lies over the main screen, which itself stays.

        A second key or click that came at once is still answered by what it has closed.
        """
        if len(self.screen_stack) == 1:
            return AwaitComplete()
        return super().pop_screen()

    def action_command_palette(self) -> None:
        if not isinstance(self.screen, Menu):
            self.push_screen(Menu())

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        """The palette: the sheet's own actions, then all of the main screen, with their keys."""
        plain = self.behaviour.ascii
        if isinstance(screen, SheetScreen):
            yield from screen.commands()
        for action in ACTIONS:
            if action.name == "palette":
                continue
            shown = action.shown_plain if plain else action.shown
            yield SystemCommand(
                _(action.title), f"{_(action.what)} ({shown})", self._doer(action.name)
            )

    def _doer(self, name: str) -> Callable[[], Awaitable[None]]:
        async def run() -> None:
            await self._main.run_action(name)

        return run

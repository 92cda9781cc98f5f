"""A capture's lookout: opens on the troubles that there are, and later counts them in passing."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from tcpviz.core.troubles_many import HERE
from tcpviz.ui.troubles import Judge, TroublesScreen

if TYPE_CHECKING:
    from tcpviz.ui.screen import MainScreen

BEAT_S = 0.25
"""Seconds between two looks."""

OPENS_FOR_S = 4.0
"""So long after the start the sheet may still come by itself, if nobody has touched anything."""

SETTLED_S = 1.5
"""By then the host's table has been read, where there is one."""

PASSING_AGAIN_S = 5.0
"""Seconds between two countings in passing at least."""

BUDGET_S = 0.06
PASSING_S = 0.004
"""Seconds that judging may take at a look: at first, and when it goes on in passing (1.6 %)."""


class Lookout:
    """Looks again and again; ``open_sheet`` is called once at most, with what was judged."""

    def __init__(self, screen: MainScreen, open_sheet: Callable[[Judge], None]) -> None:
        self._screen = screen
        self._open_sheet = open_sheet
        self._judge = Judge(screen.session)
        self._began = screen.session.clock()
        self._untouched = self._signature()
        self._opens = bool(getattr(screen.session.feed, "opens_on_troubles", True))

    def _signature(self) -> object:
        screen, session = self._screen, self._screen.session
        return (
            session.cursor.following, session.sifter.typed, session.chosen, screen.active,
            screen.maximised, len(screen.app.screen_stack),
        )  # fmt: skip

    def beat(self) -> None:
        """Judge a little; open the sheet, or count."""
        screen, session = self._screen, self._screen.session
        if self._judge.session is not session or session.pump.done:
            self._opens = False
        if isinstance(screen.app.screen, TroublesScreen):
            return  # it judges by itself
        passed = session.clock() - self._began
        if self._opens and (passed > OPENS_FOR_S or self._signature() != self._untouched):
            self._opens = False
        if passed < SETTLED_S and session.tracker.host.latest is None:
            return
        if not self._opens:
            self._judge.again_s = PASSING_AGAIN_S
        self._judge.work(BUDGET_S if self._opens else PASSING_S)
        session.troubles = len(self._judge.found)
        # What is wrong with the host at large is counted; what was captured is why one is here.
        found = [each for each in self._judge.found if each.where != HERE]
        if self._opens and self._judge.complete and found:
            self._opens = False
            self._open_sheet(self._judge)

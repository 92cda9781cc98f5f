"""The main screen's actions that keep something: marks, and packets as files."""

from __future__ import annotations

from typing import Any

from tcpviz.ui import bookmarks
from tcpviz.ui.timeactions import TimeActions
from tcpviz.words import _


class SavingActions(TimeActions):
    """Mixed into the screen."""

    app: Any
    ascii_only: bool

    def say_briefly(self, message: str) -> None:
        """A line above the explanation that goes away by itself."""
        raise NotImplementedError

    def action_mark_moment(self) -> None:
        """Mark this moment."""
        marks = bookmarks.of(self.session)
        made = marks.set(self.session)
        if made is not None:
            said = _("mark {n} at {time}; Y lists the marks and saves from them")
            self.say_briefly(said.format(n=made.number, time=made.clock))
        elif len(marks.all) >= bookmarks.MOST:
            self.say_briefly(_("that is enough marks: nobody finds one again among so many"))
        else:
            self.say_briefly(_("nothing has happened yet that could be marked"))
        self.redraw()

    def action_save(self) -> None:
        """Packets as a file; the marks."""
        from tcpviz.ui.saving import SaveScreen

        if not isinstance(self.app.screen, SaveScreen):
            self.app.push_screen(SaveScreen(self.app.looks, ascii_only=self.ascii_only))

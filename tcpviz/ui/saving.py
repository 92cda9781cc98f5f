"""The sheet that saves packets as pcapng: the last seconds, since a mark, or one connection."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import ClassVar, Final

from textual.binding import BindingType

from tcpviz.sources import slices
from tcpviz.sources.feed import SourceError
from tcpviz.sources.recent import Kept
from tcpviz.ui import bookmarks
from tcpviz.ui.exporting import here
from tcpviz.ui.keys import Action
from tcpviz.ui.sheet import CLOSING, SCROLLING, SheetScreen, bindings
from tcpviz.ui.words import wrap
from tcpviz.views import roles
from tcpviz.views.numbers import count
from tcpviz.views.spans import Line, Span, fit, fit_text, line, pad
from tcpviz.wire.frame import Frame
from tcpviz.words import _

_SAVE = "Save packets as pcapng"

SPANS: Final = (("1", 10), ("2", 60), ("3", 300))
"""Keys and seconds back."""

_SECOND = 1_000_000_000
_EVER = 1 << 62

Chosen = Callable[[Frame], bool]


class SaveScreen(SheetScreen):
    """What can be saved, each by one key, into the folder where tcpviz runs; and the marks."""

    about = _SAVE
    actions: ClassVar[tuple[Action, ...]] = (
        Action("last(10)", ("1",), "1", "Save 10 s", "The 10 seconds up to the cursor"),
        Action("last(60)", ("2",), "2", "Save a minute", "The minute up to the cursor"),
        Action("last(300)", ("3",), "3", "Save 5 minutes", "The 5 minutes up to the cursor"),
        Action("since", ("4",), "4", "Save since the mark", "All since the chosen mark"),
        Action("own", ("5",), "5", "Save the connection", "The selected connection"),
        Action("everything", ("6",), "6", "Save all", "All packets that are kept"),
        Action("mark", ("M",), "M", "Mark this moment", "Set one more mark", "mark"),
        *SCROLLING,
        Action("go", ("enter",), "Enter", "Go to the mark", "Go to the chosen mark", "go there"),
        *CLOSING,
    )
    BINDINGS: ClassVar[list[BindingType]] = bindings(actions)

    told = ""
    failed = False
    chosen: int | None = None
    _saving: threading.Thread | None = None

    def key(self) -> object:
        return self.told, self.failed, self.chosen, len(self._marks.all)

    @property
    def _marks(self) -> bookmarks.Bookmarks:
        return bookmarks.of(self.session)

    @property
    def _mark(self) -> bookmarks.Bookmark | None:
        """The chosen mark: the latest, if nobody chose another."""
        marks = self._marks.all
        if not marks:
            return None
        return marks[-1 if self.chosen is None else min(self.chosen, len(marks) - 1)]

    # -- what is there ----------------------------------------------------------

    def lines(self, cells: int, rows: int) -> list[Line]:
        made: list[Line] = [line(Span(f" {_('Save packets as pcapng')}", roles.TITLE)), ()]
        why = self._why_not()
        if why:
            made.append(line(f" {why}"))
        else:
            made += [self._entry(*each, cells) for each in self._entries()]
            where = fit_text(here(), max(cells - 12, 8))
            made += [(), line(Span(f" {_('Files go to')} {where}", roles.DIM))]
            made.append(line(Span(f" {self._reach()}", roles.DIM)))
        if self.told:
            role = roles.MARK_BAD if self.failed else roles.LIT
            made.append(())
            made += [
                line(" ", *each)
                for each in wrap(line(Span(self.told, role)), max(cells - 2, 10), 3)
            ]
        made += [(), *self._listed(rows)]
        return [fit(each, cells) for each in made[:rows]]

    def _entries(self) -> list[tuple[str, str, str]]:
        """(key, words, what the name says)."""
        entries = [
            (key, _("the last {n} s, up to the cursor").format(n=seconds), f"{seconds}s")
            for key, seconds in SPANS
        ]
        mark, own = self._mark, self.session.selected
        if mark is not None:
            text = _("since mark {n}, {time}").format(n=mark.number, time=mark.clock)
            entries.append(("4", text, f"since-mark-{mark.number}"))
        if own is not None:
            text = _("the selected connection, #{n}").format(n=own)
            entries.append(("5", text, f"connection-{own}"))
        entries.append(("6", _("all that is kept"), "all"))
        return entries

    def _entry(self, key: str, text: str, what: str, cells: int) -> Line:
        left = line(Span(f" {key} ", roles.KEY), f" {text}")
        name = Span(f"tcpviz-{what}-{_('DATE')}.pcapng", roles.DIM)
        return fit(line(*pad(left, 42), name), cells)

    def _listed(self, rows: int) -> list[Line]:
        """The marks, the chosen one in sight."""
        marks = self._marks.all
        if not marks:
            return [line(Span(f" {_('no marks yet: M sets one')}", roles.DIM))]
        made: list[Line] = [line(Span(f" {_('Marks')}", roles.TITLE))]
        at = marks.index(self._mark) if self._mark is not None else 0
        room = max(rows - 16, 3)
        first = max(0, min(at - room // 2, len(marks) - room))
        for place, mark in enumerate(marks[first : first + room], first):
            role = roles.SELECTED if place == at else roles.TEXT
            sign = ">" if place == at else " "
            made.append(line(Span(f" {sign} {mark.number:>3}  {mark.clock}", role)))
        return made

    def _why_not(self) -> str:
        """Why nothing can be saved; empty where something can."""
        feed = self.session.feed
        if getattr(feed, "path", None) or hasattr(feed, "kept"):
            return ""
        return _("nothing is kept of this that could be saved; a demo saves itself: demo -w FILE")

    def _reach(self) -> str:
        """How far back what is kept goes."""
        feed = self.session.feed
        if getattr(feed, "path", None):
            return _("the file is read again for it")
        return _("kept are the latest packets, as many as the memory allows, headers as captured")

    # -- saving ---------------------------------------------------------------------

    def _kept(self) -> Kept:
        feed = self.session.feed
        path = getattr(feed, "path", None)
        kept = slices.of_file(path) if path else feed.kept()  # type: ignore[attr-defined]
        if kept is None:
            raise SourceError(_("nothing is kept of this that could be saved"))
        found: Kept = kept
        return found

    def _begin(self, what: str, chosen: Chosen, since_ns: int | None = None) -> None:
        """Save in a thread of its own: a large file takes its time."""
        if self._why_not() or self._saving is not None:
            return
        marks = self._marks.comments()
        name = _free_name(what)

        def work() -> None:
            try:
                kept = self._kept()
                frames = _Watched(kept.frames)
                number = slices.save(Kept(iter(frames), kept.names), name, chosen, marks)
                said = _("wrote {name}: {n} packets").format(name=name, n=count(number))
                missing = not kept.whole and since_ns is not None and frames.first > since_ns
                if missing:
                    said += _(", from {time} on: earlier ones are not kept any more").format(
                        time=_clock(frames.first)
                    )
                self.told, self.failed = said, False
            except SourceError as error:
                self.told, self.failed = str(error), True
            finally:
                self._saving = None

        self.told, self.failed = _("saving..."), False
        self._saving = threading.Thread(target=work, name="tcpviz-save", daemon=True)
        self._saving.start()
        self.redraw()

    def _up_to_ns(self) -> int:
        session = self.session
        return session.latest_ns if session.cursor.following else session.now_ns

    def action_last(self, seconds: int) -> None:
        last = self._up_to_ns()
        first = last - seconds * _SECOND
        self._begin(f"{seconds}s", slices.between(first, last), first)

    def action_since(self) -> None:
        mark = self._mark
        if mark is not None:
            chosen = slices.between(mark.time_ns, _EVER)
            self._begin(f"since-mark-{mark.number}", chosen, mark.time_ns)

    def action_own(self) -> None:
        session = self.session
        connection = session.tracker.connections.get(session.selected or 0)
        if connection is not None:
            chosen = slices.of(connection)
            self._begin(f"connection-{connection.id}", chosen, connection.first_ns)

    def action_everything(self) -> None:
        self._begin("all", slices.between(-_EVER, _EVER))

    # -- marks ------------------------------------------------------------------------

    def action_scroll(self, rows: int) -> None:
        marks = self._marks.all
        if marks:
            at = len(marks) - 1 if self.chosen is None else self.chosen
            self.chosen = max(0, min(at + rows, len(marks) - 1))
            self.redraw()

    def action_mark(self) -> None:
        self.main.action_mark_moment()
        self.chosen = None
        self.redraw()

    def action_go(self) -> None:
        mark = self._mark
        if mark is None:
            return
        at = bookmarks.last_step(self.session.timeline, mark.time_ns)
        if at is None:
            self.told, self.failed = _("what was there at that mark is not kept any more"), True
            self.redraw()
            return
        self.main.go_to(at)
        self.dismiss()


class _Watched:
    """Frames that pass; ``first`` is the time of the first, or far in the future."""

    def __init__(self, frames: Iterable[Frame]) -> None:
        self._frames = frames
        self.first = _EVER

    def __iter__(self) -> Iterator[Frame]:
        for frame in self._frames:
            if self.first == _EVER:
                self.first = frame.time_ns
            yield frame


def _clock(time_ns: int) -> str:
    return time.strftime("%H:%M:%S", time.localtime(time_ns // _SECOND))


def _free_name(what: str) -> str:
    """A name that nothing has yet."""
    stem = f"tcpviz-{what}-{time.strftime('%Y%m%d-%H%M%S')}"
    number = 1
    while True:
        name = f"{stem}.pcapng" if number == 1 else f"{stem}-{number}.pcapng"
        if not os.path.lexists(name):
            return name
        number += 1

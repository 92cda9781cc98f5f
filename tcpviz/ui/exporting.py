"""The sheet that hands a connection on: as a file in one of several forms, or as text copied."""

from __future__ import annotations

from io import StringIO
from pathlib import Path
from typing import ClassVar

from textual.binding import BindingType

from tcpviz.browser import in_browser
from tcpviz.core.connection import Connection
from tcpviz.export.documents import document, redacted, write_file
from tcpviz.sources.feed import SourceError
from tcpviz.ui.keys import Action
from tcpviz.ui.sheet import CLOSING, SheetScreen, bindings
from tcpviz.views import roles
from tcpviz.views.ladder_labels import Notation
from tcpviz.views.spans import Line, Span, clean, fit, fit_text, line, pad
from tcpviz.words import _

FORMS: tuple[tuple[str, str, str, str, str], ...] = (
    # key, form, what of it, suffix, in words
    ("1", "svg", "chart", ".svg", "the sequence chart as a picture (SVG)"),
    ("2", "svg", "diagram", "-states.svg", "the state diagram as a picture (SVG)"),
    ("3", "html", "chart", ".html", "a page that needs nothing else (HTML)"),
    ("4", "markdown", "chart", ".md", "for a ticket (Markdown)"),
    ("5", "mermaid", "chart", ".mmd", "the chart for a wiki (Mermaid)"),
    ("6", "plantuml", "chart", ".puml", "the chart for a document (PlantUML)"),
    ("7", "text", "chart", ".txt", "the chart as text"),
    ("8", "json", "chart", ".json", "everything, for programs (JSON lines)"),
)

_EXPORT = "Export the connection"


def here() -> str:
    """The folder that files go to; it may have been removed under our feet."""
    try:
        return clean(str(Path.cwd()))
    except OSError:
        return _("a folder that is gone")


class ExportScreen(SheetScreen):
    """What may be made of the selected connection; each key makes one file where tcpviz runs."""

    about = _EXPORT
    actions: ClassVar[tuple[Action, ...]] = (
        *(
            Action(f"write_{place}", (key,), key, text.capitalize(), text)
            for place, (key, _form, _what, _suffix, text) in enumerate(FORMS)
        ),
        Action("copy", ("y",), "y", "Copy for a ticket", "Copy the Markdown form", "copy"),
        Action("redact", ("x",), "x", "Other addresses", "Redact, or not", "redact"),
        Action("ground", ("b",), "b", "Light or dark pictures", "Their background", "ground"),
        *CLOSING,
    )
    BINDINGS: ClassVar[list[BindingType]] = bindings(actions)

    redacting = False
    theme = "light"
    told = ""
    failed = False

    def key(self) -> object:
        return self.redacting, self.theme, self.told

    def connection(self) -> Connection | None:
        chosen = self.session.selected
        return None if chosen is None else self.session.tracker.connections.get(chosen)

    def lines(self, cells: int, rows: int) -> list[Line]:
        connection = self.connection()
        lines = [line(Span(f" {_(_EXPORT)}", roles.TITLE)), ()]
        if connection is None:
            lines.append(line(f" {_('no connection is selected: choose one in the list')}"))
        else:
            ends = f"{connection.client.endpoint} → {connection.server.endpoint}"
            lines += [line(f" #{connection.id}  {ends}")]
            if self.session.part:  # of a long one in a large file
                lines += [line(Span(f" {self.session.part}", roles.MARK_WARNING))]
            lines += [()]
            for key, _form, _what, suffix, text in FORMS:
                name = Span(self._free_name(connection, suffix), roles.DIM)
                left = line(Span(f" {key} ", roles.KEY), f" {_(text)}")
                lines.append(fit(line(*pad(left, 48), name), cells))
            lines.append(line(Span(" y ", roles.KEY), f" {_('copy the form for a ticket')}"))
            lines += [(), *self._switches(), ()]
            place = _("your browser") if in_browser() else here()
            where = fit_text(place, max(cells - 12, 8))
            lines.append(line(Span(f" {_('Files go to')} {where}", roles.DIM)))
        if self.told:
            role = roles.MARK_BAD if self.failed else roles.LIT
            lines += [(), line(Span(f" {self.told}", role))]
        return lines[:rows]

    def _switches(self) -> list[Line]:
        redact = _("yes") if self.redacting else _("no")
        ground = _("light") if self.theme == "light" else _("dark")
        said = _("other addresses and ports in place of the real ones, data left out:")
        return [
            line(Span(" x ", roles.KEY), f" {said} ", Span(redact, roles.TITLE)),
            line(Span(" b ", roles.KEY), f" {_('pictures are')} ", Span(ground, roles.TITLE)),
        ]

    def _free_name(self, connection: Connection, suffix: str) -> str:
        """A name that nothing has yet: ``tcpviz-3.svg``, ``tcpviz-3-2.svg``."""
        stem, number = f"tcpviz-{connection.id}", 1
        while True:
            again = f"-{number}" if number > 1 else ""
            name = f"{stem}{again}{suffix}"
            if not Path(name).exists():
                return name
            number += 1

    def _made(self, connection: Connection, form: str, what: str) -> str:
        tracker = self.session.tracker
        source = str(self.session.feed.title)
        if self.redacting:
            tracker, connection = redacted(tracker, connection)
            source = "a capture"
        numbers = getattr(self.main, "notation", Notation.RELATIVE)
        notation = numbers if isinstance(numbers, Notation) else Notation.RELATIVE
        return document(
            tracker, connection, form, source=source, what=what, theme=self.theme,
            notation=notation, ascii_only=self.ascii_only,
        )  # fmt: skip

    def _write(self, place: int) -> None:
        connection = self.connection()
        if connection is None:
            return
        _key, form, what, suffix, _text = FORMS[place]
        name = self._free_name(connection, suffix)
        try:
            made = self._made(connection, form, what)
            if in_browser():  # who looks is elsewhere, and has no business in our folders
                self.app.deliver_text(StringIO(made), save_filename=name)
                self._tell(_("{name} goes to your browser").format(name=name))
                return
            write_file(name, made)
        except SourceError as error:
            self._tell(str(error), failed=True)
        else:
            self._tell(_("wrote {name}").format(name=name))

    def _tell(self, text: str, *, failed: bool = False) -> None:
        self.told, self.failed = text, failed
        self.redraw()

    def action_copy(self) -> None:
        connection = self.connection()
        if connection is None:
            return
        try:
            made = self._made(connection, "markdown", "chart")
        except SourceError as error:
            self._tell(str(error), failed=True)
            return
        self.app.copy_to_clipboard(made)
        self._tell(_("copied, if this terminal lets programs copy (OSC 52)"))

    def action_redact(self) -> None:
        self.redacting = not self.redacting
        self.redraw()

    def action_ground(self) -> None:
        self.theme = "dark" if self.theme == "light" else "light"
        self.redraw()

    def action_write_0(self) -> None:
        self._write(0)

    def action_write_1(self) -> None:
        self._write(1)

    def action_write_2(self) -> None:
        self._write(2)

    def action_write_3(self) -> None:
        self._write(3)

    def action_write_4(self) -> None:
        self._write(4)

    def action_write_5(self) -> None:
        self._write(5)

    def action_write_6(self) -> None:
        self._write(6)

    def action_write_7(self) -> None:
        self._write(7)

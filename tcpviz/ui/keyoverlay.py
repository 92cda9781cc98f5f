"""The keys just pressed, in a corner, for a class that wants to know how that was done."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from textual.screen import Screen
from textual.timer import Timer

from tcpviz.ui.keys import ACTIONS
from tcpviz.ui.lines import LinesView, Row
from tcpviz.ui.looks import BAR_STRONG, FLASH, Looks
from tcpviz.views.spans import Line, Span, line, text_width
from tcpviz.words import _

if TYPE_CHECKING:
    from textual.app import App

MOST: Final = 4
"""Keys that are shown beside each other, the newest last."""

STAYS_S: Final = 3.0

SETTLED_S: Final = 0.2
"""After so long whatever a key does to the screens has been done."""

NARROW: Final = 40
"""On fewer cells the title of what a key does is left out."""


_NAMES: Final = {
    "space": ("Space", "Space"),
    "enter": ("Enter", "Enter"),
    "escape": ("Esc", "Esc"),
    "tab": ("Tab", "Tab"),
    "shift+tab": ("Shift+Tab", "Shift+Tab"),
    "pagedown": ("PgDn", "PgDn"),
    "pageup": ("PgUp", "PgUp"),
    "left": ("←", "Left"),
    "right": ("→", "Right"),
    "up": ("↑", "Up"),
    "down": ("↓", "Down"),
    "backspace": ("⌫", "Backspace"),
}


def shown_key(key: str, character: str | None = None, *, ascii_only: bool = False) -> str:
    """A key as people write it; ``key`` is Textual's name, ``character`` what it types."""
    char = character or ""
    if len(char) == 1 and char.isprintable() and char != " " and (char.isascii() or not ascii_only):
        return char
    if key in _NAMES:
        return _NAMES[key][ascii_only]
    before, plus, last = key.rpartition("+")
    if plus:
        letter = last.upper() if len(last) == 1 else shown_key(last, ascii_only=ascii_only)
        return f"{before.title()}+{letter}"
    return key.title() if len(key) > 1 else key


def titles(does: Callable[[str], bool]) -> dict[str, str]:
    """What each key of the main screen does now, by its name as Textual has it."""
    return {key: one.title for one in ACTIONS if does(one.name) for key in one.keys}


def drawn(keys: list[tuple[str, str]], cells: int, does: Mapping[str, str]) -> Line:
    """The newest keys and what the last of them does, in at most ``cells``.

    ``keys``  each as Textual names it and as it is written
    """
    if not keys:
        return ()
    caps = [Span(f" {shown} ", FLASH) for _key, shown in keys]
    title = does.get(keys[-1][0], "")
    said = f" {_(title)} " if title and cells >= NARROW else ""
    while len(caps) > 1 and _width(caps) + text_width(said) > cells:
        del caps[0]
    if _width(caps) + text_width(said) > cells:
        said = ""
    spans: list[Span] = []
    for cap in caps:
        spans += [Span(" ", BAR_STRONG), cap]
    return line(*spans, Span(said or " ", BAR_STRONG))


def _width(caps: list[Span]) -> int:
    return sum(text_width(cap.text) + 1 for cap in caps)


class KeyOverlay(LinesView):
    """One row over the upper right corner of whatever screen is shown."""

    DEFAULT_CSS = """
    KeyOverlay { layer: pressed; position: absolute; height: 1; width: auto; }
    """


class PressedKeys:
    """Remembers what was pressed, and shows it while ``on``."""

    def __init__(self, app: App[Any], *, ascii_only: bool) -> None:
        self.on = False
        self._app = app
        self._ascii = ascii_only
        self._keys: list[tuple[str, str]] = []
        self._timer: Timer | None = None

    def turn(self) -> None:
        """On, or off again."""
        self.on = not self.on
        if not self.on:
            self._forget()

    def pressed(self, key: str, character: str | None) -> None:
        """A key came, and the screen's own actions have been done."""
        if not self.on:
            return
        shown = shown_key(key, character, ascii_only=self._ascii)
        self._keys = [*self._keys, (key, shown)][-MOST:]
        if self._timer is not None:
            self._timer.stop()
        self._timer = self._app.set_timer(STAYS_S, self._forget)
        self._app.call_later(self._show)
        # What a widget does with it comes later, and may change the screen.
        self._app.set_timer(SETTLED_S, self._show)

    def _forget(self) -> None:
        self._keys = []
        self._show()

    def _show(self) -> None:
        stack = self._app.screen_stack
        for screen in stack:
            if screen is not stack[-1] or not self._keys:
                for overlay in screen.query(KeyOverlay):
                    overlay.display = False
        if not self._keys or not stack:  # while the program ends there is no screen any more
            return
        width = self._app.size.width
        does: dict[str, str] = {}
        if stack[-1] is stack[0]:  # a sheet's keys may mean something else
            does = titles(lambda name: bool(stack[0].check_action(name, ())))
        made = drawn(self._keys, max(width // 2, 10), does)
        cells = sum(text_width(span.text) for span in made)
        overlay = self._overlay(stack[-1])
        overlay.styles.width = cells
        overlay.styles.offset = (max(width - cells, 0), 0)
        overlay.display = True
        overlay.show([Row(made)])

    def _overlay(self, screen: Screen[Any]) -> KeyOverlay:
        looks: Looks = self._app.looks  # type: ignore[attr-defined]
        for overlay in screen.query(KeyOverlay):
            overlay.wear(looks)
            return overlay
        made = KeyOverlay(looks, ascii_only=self._ascii)
        screen.mount(made)
        return made

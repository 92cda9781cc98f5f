"""The prompt behind ``/``: a line to type a display filter in, with what could come next, faint."""

from __future__ import annotations

from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.suggester import Suggester
from textual.widgets import Input

from tcpviz.views import filter as language


class FilterSuggester(Suggester):
    """Completes the field or the value that is being typed; Right takes what is shown."""

    async def get_suggestion(self, value: str) -> str | None:
        # An empty word would be completed by whatever comes first in the alphabet.
        if not value or value[-1].isspace() or value[-1] in "()!":
            return None
        for each in language.complete(value, len(value)):
            done, _ = each.apply(value)
            # What is shown stands behind what has been typed, letter for letter.
            if done.startswith(value) and done != value:
                return done
        return None


class FilterEntry(Input):
    """The prompt; hidden until it is wanted.

    Right takes what is suggested. Tab too, and then goes through what else could stand
    there; Shift+Tab goes back through it, as in a shell.
    """

    DEFAULT_CSS = """
    FilterEntry { height: 1; width: 1fr; border: none; padding: 0 1; background: $surface; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab", "complete(1)", show=False),
        Binding("shift+tab", "complete(-1)", show=False),
    ]

    def __init__(self) -> None:
        super().__init__(
            placeholder="words, port:443, state:close-wait, rtt>200ms, not ...",
            suggester=FilterSuggester(use_cache=False, case_sensitive=True),
            id="filter",
        )
        self.compact = True
        self.display = False
        self._round: list[tuple[str, int]] = []
        self._place = -1

    def action_complete(self, by: int) -> None:
        """The next thing that could stand at the cursor; a bell where there is none."""
        here = (self.value, self.cursor_position)
        if self._place < 0 or here != self._round[self._place]:
            found = language.complete(*here)
            # What was typed stands at the end of the round, so that nothing is lost by looking.
            self._round = [each.apply(self.value) for each in found]
            self._round = [*dict.fromkeys(each for each in self._round if each != here), here]
            self._place = -1 if by > 0 else len(self._round) - 1
            if len(self._round) == 1:
                self.app.bell()
                return
        self._place = (self._place + by) % len(self._round)
        self.value, self.cursor_position = self._round[self._place]

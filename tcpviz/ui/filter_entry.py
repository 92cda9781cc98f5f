"""The prompt behind ``/``: a line to type a display filter in, with what could come next, faint."""

from __future__ import annotations

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
    """The prompt; hidden until it is wanted."""

    DEFAULT_CSS = """
    FilterEntry { height: 1; width: 1fr; border: none; padding: 0 1; background: $surface; }
    """

    def __init__(self) -> None:
        super().__init__(
            placeholder="words, port:443, state:close-wait, rtt>200ms, not ...",
            suggester=FilterSuggester(use_cache=False, case_sensitive=True),
            id="filter",
        )
        self.compact = True
        self.display = False

"""The menu of all commands: Textual's palette, where no key fails while its list has no room."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from textual import work
from textual.command import CommandList, CommandPalette
from textual.css.query import NoMatches

_gather: Any = CommandPalette._gather_commands.__wrapped__  # type: ignore[attr-defined]


class Menu(CommandPalette):
    """In a window of a few rows the list of commands has none, and nowhere to move."""

    def _action_command_list(self, action: str) -> None:
        if self.query_one(CommandList).scrollable_content_region:
            super()._action_command_list(action)

    @work(exclusive=True, group=CommandPalette._GATHER_COMMANDS_GROUP)
    async def _gather_commands(self, search_value: str) -> None:
        """Look for commands; closed meanwhile, it has nowhere to put them, and nobody asks."""
        with suppress(NoMatches):
            await _gather(self, search_value)

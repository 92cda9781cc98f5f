"""The menu of all commands: Textual's palette, where no key fails while its list has no room."""

from __future__ import annotations

from textual.command import CommandList, CommandPalette


class Menu(CommandPalette):
    """In a window of a few rows the list of commands has none, and nowhere to move."""

    def _action_command_list(self, action: str) -> None:
        if self.query_one(CommandList).scrollable_content_region:
            super()._action_command_list(action)

"""An empty screen: the class looks at the teacher. Any key or click brings the other one back."""

from __future__ import annotations

from textual import events
from textual.screen import Screen


class BlankScreen(Screen[None]):
    """Nothing but the background; hears every key before anybody else does."""

    CSS = "BlankScreen { background: $background; overflow: hidden; }"

    def on_key(self, event: events.Key) -> None:
        """Any key."""
        event.stop()
        event.prevent_default()
        self._leave()

    def on_click(self) -> None:
        """Or the mouse."""
        self._leave()

    def _leave(self) -> None:
        if self.app.screen is self:  # a second key that came at once finds it gone
            self.dismiss()

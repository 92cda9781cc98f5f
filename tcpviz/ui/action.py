"""An action: one thing that a person can do, with its keys, its names and what it does."""

from __future__ import annotations

from dataclasses import dataclass

from tcpviz.ui.plan import Pane

THEMES_TOLD = "Dark, light, high contrast, for colour-blind eyes, 16 colours, none"
"""What the key of the colours goes through, in the order of ``--theme``'s names."""


@dataclass(frozen=True, slots=True)
class Action:
    """One thing that a person can do on the main screen.

    ``name``   of the screen's ``action_`` method
    ``keys``   in Textual's names, the first being the one that hints show
    ``shown``  how the keys are written for people
    ``title``  in the command palette; ``hint``: in the bottom line (empty: not there)
    ``what``   a sentence for help and palette
    ``plain``  ``shown`` without a character outside of ASCII
    ``hint_key`` the bottom line's name for the key, and the same in ASCII
    ``panes``  with which pane focused it is hinted (empty: with every one)
    ``group``  its heading in the help
    """

    name: str
    keys: tuple[str, ...]
    shown: str
    title: str
    what: str
    hint: str = ""
    panes: tuple[Pane, ...] = ()
    group: str = "Moving through time"
    plain: str = ""
    hint_key: tuple[str, str] = ("", "")

    @property
    def shown_plain(self) -> str:
        """The keys without a character outside of ASCII."""
        return self.plain or self.shown

    def hint_name(self, ascii_only: bool) -> str:
        """The key as the bottom line names it."""
        own = self.hint_key[1 if ascii_only else 0]
        return own or (self.shown_plain if ascii_only else self.shown).split(" ")[0]

"""One pass of every key, as bytes on a real pseudo-terminal of 80x24, in Chinese as in English.

The key overlay is on (V): that a key's name stands in the corner tells that the
program has read it, so that nothing has to be waited for by the clock.
"""

from __future__ import annotations

import sys

import pytest
from textual.keys import _character_to_key

if not sys.platform.startswith("linux"):
    pytest.skip("pseudo-terminals are tested on Linux", allow_module_level=True)

from tcpviz.ui.keyoverlay import shown_key
from tcpviz.ui.keys import ACTIONS
from tests.terminal.pseudo import Terminal, terminal

NAMED = {
    "up": "\x1b[A",
    "down": "\x1b[B",
    "right": "\x1b[C",
    "left": "\x1b[D",
    "home": "\x1b[H",
    "end": "\x1b[F",
    "pageup": "\x1b[5~",
    "pagedown": "\x1b[6~",
    "shift+up": "\x1b[1;2A",
    "shift+down": "\x1b[1;2B",
    "shift+right": "\x1b[1;2C",
    "shift+left": "\x1b[1;2D",
    "shift+tab": "\x1b[Z",
    "tab": "\t",
    "enter": "\r",
    "space": " ",
    "f1": "\x1bOP",
    "f5": "\x1b[15~",
    "ctrl+p": "\x10",
}
"""What a terminal like xterm sends for keys that type nothing."""

TYPED = {_character_to_key(chr(code)): chr(code) for code in range(33, 127)}

LATER = ("step_mode", "again")
"""These begin the scenario anew: after all the others, which look at what has happened."""


def keys() -> list[str]:
    """Every key but those that leave the program, or its language."""
    actions = sorted(ACTIONS, key=lambda one: one.name in LATER)
    left_out = ("quit", "show_keys", "escape", "language")
    return [key for one in actions if one.name not in left_out for key in one.keys]


def caps(text: str) -> list[str]:
    """The first row, where the keys stand."""
    return text.split("\n", 1)[0].split()


def press(made: Terminal, sent: str, shown: str, behind: str = "") -> None:
    """Send a key; read until it stands in the corner, behind another one if that is told.

    Where an older one of the same name may stand there still, it has to be: what is sent
    right behind an Esc that nobody has read is taken for one key with it.
    """

    def there(text: str) -> bool:
        row = caps(text)[::-1]
        return shown in row and (behind not in row or row.index(shown) < row.index(behind))

    made.type(sent)
    try:
        made.wait_for(there)
    except AssertionError as error:
        raise AssertionError(f"{shown} ({sent!r}) is not in the corner: {error}") from None


@pytest.mark.parametrize(
    ("lang", "quit_", "home"), [("en", "q quit", "2 States"), ("zh", "q 退出", "2 状态")]
)
def test_every_key_on_a_real_terminal(lang: str, quit_: str, home: str) -> None:
    argv = ["-m", "tcpviz.cli", "demo", "handshake", "--pace", "0.01", "--lang", lang]
    with terminal(argv, env={"TCPVIZ_CONFIG": ""}) as made:
        made.wait_for(quit_)
        made.wait_for("18/18")
        press(made, "V", "V")
        for number, key in enumerate(keys()):
            sent = NAMED.get(key) or TYPED[key]
            shown = shown_key(key, sent if len(sent) == 1 and sent.isprintable() else None)
            # Between two of them another one: so that no name is an older key's.
            other, name = ("\x1b[17~", "F6") if number % 2 else ("\x1b[18~", "F7")
            press(made, sent, shown)
            if quit_ not in made.text or home not in made.text:
                press(made, "\x1b", "Esc", behind=shown)
            press(made, other, name)
            assert "Traceback" not in made.text
        made.wait_for(quit_)
        made.type("q")
        assert made.ends() == 0
        assert made.restored
        assert b"Traceback" not in made.written

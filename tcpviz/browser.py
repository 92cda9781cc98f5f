"""Whether the terminal is a browser: the one fact that commands, screens and the server share."""

from __future__ import annotations

import os
from collections.abc import Mapping

WEB_DRIVER = "textual.drivers.web_driver:WebDriver"
"""What ``TEXTUAL_DRIVER`` says where a web server holds the other end (textual-serve)."""


def in_browser(environ: Mapping[str, str] | None = None) -> bool:
    """Whether a browser is the terminal: keys and screen go through pipes then."""
    env = os.environ if environ is None else environ
    return env.get("TEXTUAL_DRIVER") == WEB_DRIVER

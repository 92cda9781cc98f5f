"""What nobody foresaw: one line for the person, the rest in a file."""

from __future__ import annotations

import os
import sys
import tempfile
import time
import traceback
from pathlib import Path


def report(error: BaseException, more: str = "") -> int:
    """Tell of ``error`` in one line on standard error; returns the exit code, 1.

    The traceback and ``more`` go into a file that the line names.
    """
    what = f"{type(error).__name__}: {error}".splitlines()[0][:200]
    what = "".join(letter if letter.isprintable() else "?" for letter in what)
    place = write_log("".join(traceback.format_exception(error)) + more)
    where = f"; details are in {place}" if place else ""
    print(f"tcpviz: unexpected error, please report it: {what}{where}", file=sys.stderr)  # noqa: T201
    return 1


def write_log(details: str) -> Path | None:
    """Keep the details of a failure; returns where, ``None`` where nothing can be written.

    In the user's state directory (XDG_STATE_HOME), else in the temporary one,
    always under a new name that nobody else can have prepared.
    """
    for which in ("state", "temporary"):
        try:
            if which == "state":
                base = Path(os.environ.get("XDG_STATE_HOME") or "~/.local/state").expanduser()
                folder = base / "tcpviz"
                folder.mkdir(parents=True, exist_ok=True)
            else:
                folder = Path(tempfile.gettempdir())
            prefix = time.strftime("tcpviz-error-%Y%m%d-%H%M%S-")
            descriptor, name = tempfile.mkstemp(".log", prefix, folder)
            with os.fdopen(descriptor, "w", encoding="utf-8", errors="replace") as file:
                file.write(details)
        except (OSError, RuntimeError):  # the latter: nobody knows where home is
            continue
        return Path(name)
    return None

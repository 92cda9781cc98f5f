"""What the program itself takes of the machine."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

_STATM = Path("/proc/self/statm")


def resident_bytes() -> int | None:
    """Memory that the program takes, where the system says so (Linux's proc(5), statm)."""
    with suppress(OSError, ValueError, IndexError):
        return int(_STATM.read_text("ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return None

"""A driver that takes over a terminal on which the first rows stand already."""

from __future__ import annotations

from textual.drivers.linux_driver import LinuxDriver

from tcpviz.ui.firstpaint import taken_over

_ALTERNATE = "\x1b[?1049h"


class StillDriver(LinuxDriver):
    """Does not enter the alternate screen the first time: it is there, and would be wiped."""

    _there = True

    def write(self, data: str) -> None:
        if self._there and data == _ALTERNATE:
            self._there = False
            taken_over()
            return
        super().write(data)

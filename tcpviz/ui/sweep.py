"""A large file's troubles: all its connections judged by column, in a thread of their own."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tcpviz.core.host import Host
from tcpviz.core.troubles_many import Trouble
from tcpviz.ui.latest import Enough, Latest

if TYPE_CHECKING:
    from tcpviz.bulk.tables.growing import Snapshot

AT_ONCE = 8192
"""Connections between two looks at whether somebody has left."""

TOLD_S = 0.3
"""How often what has been found so far is told."""


class Sweep:
    """Judges one table after another.

    ``found``   the troubles so far, ``judged`` of so many connections
    """

    def __init__(self) -> None:
        self._worker: Latest[tuple[Trouble, ...]] = Latest("tcpviz-troubles")
        self.found: tuple[Trouble, ...] = ()
        self.judged = 0

    def begin(self, snapshot: Snapshot, host: Host) -> None:
        """Judge this one now; what was going on is broken off."""
        self.judged = 0
        self._worker.ask(lambda stop: self._judge(snapshot, host, stop))

    def ended(self, patience_s: float = 0.0) -> bool:
        """All have been judged, and ``found`` is what came of it; true once."""
        made = self._worker.take(patience_s)
        self._worker.check()
        if made is not None:
            self.found = made
        return made is not None

    def stop(self) -> None:
        """No more is wanted."""
        self._worker.stop()

    def _judge(self, snapshot: Snapshot, host: Host, stop: Enough) -> tuple[Trouble, ...] | None:
        import numpy as np

        from tcpviz.export.gathering_columns import Gatherer

        table = snapshot.table
        gatherer = Gatherer(table, lock=snapshot.lock)
        gathering, told = gatherer.gather(np.arange(0)), time.monotonic()
        for begin in range(0, len(table), AT_ONCE):
            if stop():
                return None
            judged = min(begin + AT_ONCE, len(table))
            gathering = gatherer.gather(np.arange(begin, judged))
            self.judged = judged
            if time.monotonic() - told > TOLD_S:
                self.found = tuple(gathering.troubles(host, table.crowds))
                told = time.monotonic()
        return tuple(gathering.troubles(host, table.crowds))

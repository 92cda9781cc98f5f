"""The list of a large file: filtered and sorted by columns, in a thread, while one types."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from tcpviz.core.connection import Connection
from tcpviz.ui.latest import Enough, Latest
from tcpviz.views.filter import Filter
from tcpviz.views.filter.sifting import Sifter
from tcpviz.views.numbers import count
from tcpviz.words import _

if TYPE_CHECKING:
    from tcpviz.bulk.tables.filerows import FileRows
    from tcpviz.bulk.tables.sorting import Keys


class BulkSifter(Sifter):
    """As :class:`Sifter`, but what has been typed is asked of a table, elsewhere, and sorted.

    ``pending``    1 while that is done; once it is, and until :meth:`sift` gives it, another
                   number each time
    ``complaint``  why something cannot be asked of so many, until somebody has said it
    """

    def __init__(self, text: str = "") -> None:
        self._worker: Latest[FileRows] = Latest("tcpviz-list")
        self._keys: Keys | None = None
        self._asked: tuple[object, ...] = ()
        self._shown: FileRows | None = None
        self._lists = 0
        self.complaint = ""
        super().__init__(text)

    def stop(self) -> None:
        """No more lists are wanted."""
        self._worker.stop()

    def look(self) -> None:
        """See whether what was asked for is there: ``pending`` changes, so that it is drawn."""
        if self.pending == 1 and self._worker.ready:
            self._lists += 1
            self.pending = 1 + self._lists

    def expect(self, connections: Sequence[Connection]) -> None:
        """In the thread, while nothing else is done there: a first letter is then like the others.

        Where there was a filter before, or another order, it has been done.
        """
        snapshot = getattr(connections, "snapshot", None)
        nothing = self.filter.everything and self.order == ("id", False)
        if snapshot is None or not nothing or self._worker.owes:
            return
        rows: FileRows = connections  # type: ignore[assignment]

        def work(stop: Enough) -> None:
            self._keys_of(rows).expect(stop)

        self._worker.ask(work)

    def sift(
        self,
        connections: Sequence[Connection],
        now_ns: int,
        enough: Callable[[], bool] | None = None,
    ) -> Sequence[Connection]:
        """Those that fit, sorted; until that is known the list as it was, ``pending`` set."""
        snapshot = getattr(connections, "snapshot", None)
        if snapshot is None:
            return super().sift(connections, now_ns, enough)
        rows: FileRows = connections  # type: ignore[assignment]
        self.pending = 0
        if self.filter.everything and self.order == ("id", False):
            self._asked, self._shown = (), None
            return rows
        wanted = (snapshot.version, self.filter.node, self.order)
        if wanted != self._asked:
            self._asked = wanted
            chosen, order = self.filter, self.order
            self._worker.ask(lambda stop: self._arrange(rows, chosen, order, stop))
            made = self._worker.take(0.01)
        else:
            made = self._worker.take()
        if made is not None:
            self._shown = made
        self._worker.check()
        self.pending = int(self._worker.owes)
        return [] if self._shown is None else self._shown

    def _arrange(
        self, rows: FileRows, chosen: Filter, order: tuple[str, bool], stop: Enough
    ) -> FileRows | None:
        """In the thread: those that fit, in that order; ``None`` if something else is wanted."""
        import numpy as np

        from tcpviz.bulk.tables.sieve import Interrupted, Sieve, TooMany
        from tcpviz.bulk.tables.stories import Stories

        snapshot, keys = rows.snapshot, self._keys_of(rows)
        column, reverse = order
        try:
            if chosen.everything:
                return rows.arranged(keys.order(column, reverse=reverse))
            stories = Stories(snapshot)

            def whole(place: int) -> Connection:
                return stories.tell(place + 1).tracker.connections[place + 1]

            places = Sieve(keys, rows.at, whole, stop).places(chosen)
        except Interrupted:
            return None
        except TooMany as field:
            self.complaint = _(
                "{field} is in no column: narrow these {n} connections by other words"
            ).format(field=field, n=count(len(snapshot)))
            return rows.arranged(np.zeros(0, np.int64))
        if order == ("id", False):
            return rows.arranged(places)
        fits = np.zeros(len(snapshot), np.bool_)
        fits[places] = True
        sorted_ = keys.order(column, reverse=reverse)
        return rows.arranged(sorted_[fits[sorted_]])

    def _keys_of(self, rows: FileRows) -> Keys:
        """In the thread."""
        from tcpviz.bulk.tables.sorting import Keys

        snapshot, keys = rows.snapshot, self._keys
        if keys is None or keys.table is not snapshot.table:
            keys = self._keys = Keys(snapshot.table, snapshot.end_ns)
        return keys

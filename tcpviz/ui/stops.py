"""Where stepping stops."""

from __future__ import annotations

import bisect

from tcpviz.core.timeline import Step


class Stops:
    """Indexes of the steps at which stepping stops, so that "n of m" costs a bisection."""

    def __init__(self) -> None:
        self._all: list[int] = []
        self._own: dict[int | None, list[int]] = {}

    def add(self, step: Step) -> None:
        if step.segment is not None or not step.quiet:  # no segment is quiet
            self._all.append(step.index)
            own = self._own.get(step.connection)
            if own is None:
                self._own[step.connection] = [step.index]
            else:
                own.append(step.index)

    def place(self, index: int, connection: int | None) -> tuple[int, int]:
        """(n, m): how many stops there are up to ``index``, and in all."""
        if connection is None:
            return bisect.bisect_right(self._all, index), len(self._all)
        lists = (self._own.get(connection, []), self._own.get(None, []))
        return sum(bisect.bisect_right(one, index) for one in lists), sum(map(len, lists))

    def last(self, index: int, connection: int | None) -> int | None:
        """The latest stop at or before ``index``."""
        lists = [self._all]
        if connection is not None:
            lists = [self._own.get(connection, []), self._own.get(None, [])]
        found = [one[place - 1] for one in lists if (place := bisect.bisect_right(one, index))]
        return max(found, default=None)

    def forget(self, before: int) -> None:
        """Drop everything below ``before``."""
        for one in (self._all, *self._own.values()):
            del one[: bisect.bisect_left(one, before)]
        self._own = {key: one for key, one in self._own.items() if one}

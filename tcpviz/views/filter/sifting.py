"""A list that is kept sifted while connections come and change and the filter is being typed.

Asking a hundred thousand connections takes up to half a second, and several the
first time that verdicts are needed. So an answer is kept until something has
happened to its connection, and asking can be broken off and gone on with at the
next beat.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Final

from tcpviz.core.claims import Claim
from tcpviz.core.connection import Connection
from tcpviz.views import filter as language
from tcpviz.views.filter import Filter, FilterError
from tcpviz.views.filter.completion import begin

CHUNK: Final = 64
"""Connections asked between two looks at whether it is enough."""

SECOND: Final = 1_000_000_000

Answer = tuple[int, Claim, Claim, int, bool]
"""Segments, both claims and the second at which it was asked, and whether it fits."""


class Sifter:
    """Which connections fit what has been typed.

    ``typed``    what stands in the prompt
    ``filter``   what counts: what was typed, without its last condition while that is unfinished;
                 where something else is wrong, the latest that could be read
    ``error``    what is wrong with ``typed``, if anything is
    ``order``    the column by which the list is to be sorted, and whether the other way round
    ``pending``  connections that have not been asked yet (the latest :meth:`sift` was broken off)
    """

    def __init__(self, text: str = "") -> None:
        self.typed = ""
        self.order: tuple[str, bool] = ("id", False)
        self.filter: Filter = language.compile("")
        self.error: FilterError | None = None
        self.pending = 0
        self._answers: dict[int, Answer] = {}
        self.type(text)

    def type(self, text: str) -> bool:
        """The prompt's text is now ``text``; whether it could be read."""
        self.typed = text
        try:
            made = language.compile(text)
        except FilterError as error:
            self.error = error
            whole = _without_last(text, error)
            if whole is not None:
                self._use(whole)
            return False
        self.error = None
        self._use(made)
        return True

    def _use(self, made: Filter) -> None:
        if made.node != self.filter.node:
            self._answers.clear()
            self.pending = 0
        self.filter = made

    def expect(self, connections: Sequence[Connection]) -> None:
        """A filter for these is about to be typed: what it will ask may be worked out before."""

    def sift(
        self,
        connections: Sequence[Connection],
        now_ns: int,
        enough: Callable[[], bool] | None = None,
    ) -> Sequence[Connection]:
        """Those that fit, in their order.

        After ``enough()`` has said so, no further questions are asked: a connection
        keeps the answer that it had, and one without is left out and counted in
        ``pending``. Call it again to go on.
        """
        self.pending = 0
        if self.filter.everything:
            return connections
        answers, matches = self._answers, self.filter.matches
        if len(answers) > 2 * len(connections) + 1000:
            there = {connection.id for connection in connections}
            answers = self._answers = {k: a for k, a in answers.items() if k in there}
        second = now_ns // SECOND if self.filter.timely else 0
        found: list[Connection] = []
        asked, stopped = 0, False
        for c in connections:
            client, server = c.client, c.server
            segments = client.segments + server.segments
            known = answers.get(c.id)
            if (
                known is None
                or known[0] != segments
                or known[1] is not client.claim
                or known[2] is not server.claim
                or known[3] != second
            ):
                if stopped:
                    self.pending += 1
                    if known is None:
                        continue
                else:
                    fits = matches(c, now_ns)
                    known = (segments, client.claim, server.claim, second, fits)
                    answers[c.id] = known
                    asked += 1
                    if enough is not None and asked % CHUNK == 0:
                        stopped = enough()
            if known[4]:
                found.append(c)
        return found


_JOINT: Final = re.compile(r"(?:\s|\(|!|&&|\|\||\b(?:and|or|not))*\Z", re.IGNORECASE)


def _without_last(text: str, error: FilterError) -> Filter | None:
    """The filter without the condition at its end, if that is what is wrong with it."""
    start = begin(text)
    if start is None or error.start < start:
        return None
    try:
        return language.compile(_JOINT.sub("", text[:start]))
    except FilterError:
        return None

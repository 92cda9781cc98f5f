"""What the rows of a busy link say is wrong, all at once: floods, refusals, resets, losses.

The same troubles as :mod:`tcpviz.core.troubles` tells, as far as totals show them; a flood of
hundreds of thousands takes some hundredths of a second, and where all is well some thousandths.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from tcpviz.bulk.live.current import (
    AGAIN,
    DONE,
    OPENED,
    REFUSED,
    RESET,
    SLOW,
    TIMED,
    WAITS,
    bring_up_to_date,
)
from tcpviz.bulk.live.rows import endpoint
from tcpviz.bulk.live.table import LiveTable
from tcpviz.bulk.segments.flows import counted
from tcpviz.core.crowds import FLOOD, FLOOD_NS, SCAN
from tcpviz.core.troubles_many import ENOUGH, SLOW_NS, Trouble, mostly_answers
from tcpviz.core.verdict_codes import BAD, SECOND, WARNING, Fact, Severity

Ints = npt.NDArray[np.int64]
Keys = npt.NDArray[np.uint64]

MOST_IDS = 1000
MOST_PLACES = 50
"""Of each kind so many places are told, the most frequent ones."""

LONG_NS = 60 * SECOND
"""So long an end must not have closed after the other (core.outcomes.LONG_CLOSE_WAIT_NS)."""


def troubles(table: LiveTable) -> list[Trouble]:
    """All that its rows show now. Whoever changes the table must not do so meanwhile."""
    rows = table.rows()
    if not len(rows):
        return []
    look = _Look(table, rows)
    return [
        *look.scans(),  # first: what belongs to a scan is not told once more
        *look.unanswered(),
        *look.refused(),
        *look.resets(),
        *look.never_closed(),
        *look.lossy(),
        *look.slow(),
    ]


class _By:
    """Keys by which rows are put together: bytes of the ends of one side.

    Made for those rows that are asked about; most are well and nobody asks.
    """

    def __init__(self, table: LiveTable, rows: Ints, side: int, size: int) -> None:
        self._table, self._rows, self._side, self._size = table, rows, side, size

    def of(self, place: Ints) -> Keys:
        return _key(self._table.ends[self._rows[place], self._side, : self._size])

    @functools.cached_property
    def all(self) -> Keys:
        """Those of every row."""
        return self.of(np.arange(len(self._rows)))


class _Look:
    """What is known of the rows in use, and keys by which they are put together."""

    def __init__(self, table: LiveTable, rows: Ints) -> None:
        self.table, self.rows = table, rows
        bring_up_to_date(table)
        self.marks = table.marks[rows] if table.evicted else table.marks[: len(rows)]
        self.server, self.client = _By(table, rows, 1, 18), _By(table, rows, 0, 16)
        self.server_host = _By(table, rows, 1, 16)
        self.scanned = np.zeros(len(rows), np.bool_)

    def _are(self, those: int, others: int = 0) -> Ints:
        """The places whose marks are these, and none of the others."""
        return np.asarray((self.marks & (those | others) == those).nonzero()[0], np.int64)

    def _still(self, place: Ints) -> Ints:
        """For how long nothing has come of them, in nanoseconds."""
        return np.asarray(self.table.now_ns - self.table.last_ns[self.rows[place]], np.int64)

    # -- kinds --------------------------------------------------------------

    def unanswered(self) -> Iterator[Trouble]:
        """Handshakes that stand still: a flood, if they are many at once and from nobody."""
        waits = self._are(OPENED, DONE | RESET[0] | RESET[1])
        waits = waits[(self._still(waits) > SECOND) & ~self.scanned[waits]]
        for place in self._places(self.server, waits):
            rows = self.rows[place]
            once = self.table.syns[rows, 0] == 1
            sources = len(counted(self.client.of(place))[0])
            first = self.table.first_ns[rows[once]]
            burst = counted(first // FLOOD_NS)[1]
            where, total = self._service(place), self._total(self.server, place)
            half = int((self.table.iss[rows, 1] >= 0).sum())
            if burst.max(initial=0) >= FLOOD and once.sum() * 2 >= len(place):
                who = self._client(place) if sources == 1 else ""
                facts: dict[str, Fact] = {"who": who, "target": where, "targets": sources}
                yield self._made("syn-flood", BAD, where, place, total, facts)
            elif half * 2 >= len(place):
                facts = {"sources": sources}
                if sources == 1:
                    facts["source"] = self._client(place)
                yield self._made("half-open", WARNING, where, place, total, facts)
            else:
                tries = int(self.table.syns[rows, 0].sum())
                severity = WARNING if mostly_answers(len(place), total) else BAD
                yield self._made("no-answer", severity, where, place, total, {"tries": tries})

    def scans(self) -> Iterator[Trouble]:
        """Ports of one host, each tried by one source without a connection."""
        at = self._are(OPENED, DONE)
        pair = _mix(self.client.of(at), self.server_host.of(at))
        for place in _groups(at, pair):
            ports = len(counted(self.server.of(place))[0])
            if ports >= SCAN:
                self.scanned[place] = True
                who, target = self._client(place), self._host(place)
                facts: dict[str, Fact] = {"who": who, "target": target, "targets": ports}
                yield self._made("port-scan", BAD, target, place, len(place), facts)

    def refused(self) -> Iterator[Trouble]:
        refused = self._are(REFUSED)
        for place in self._places(self.server, refused[~self.scanned[refused]]):
            total = self._total(self.server, place)
            yield self._made("refused", WARNING, self._service(place), place, total, {})

    def resets(self) -> Iterator[Trouble]:
        """Of connections that were open; whose reset it was."""
        for side, keys in ((0, self.client), (1, self.server)):
            for place in self._places(keys, self._are(DONE | RESET[side])):
                where = self._service(place) if side else self._client(place)
                yield self._made("reset", WARNING, where, place, self._total(keys, place), {})

    def never_closed(self) -> Iterator[Trouble]:
        for side, keys in ((0, self.client), (1, self.server)):
            waits = self._are(WAITS[side])
            for place in self._places(keys, waits[self._still(waits) > LONG_NS]):
                where = self._service(place) if side else self._client(place)
                worst = int(self._still(place).max())
                total = self._total(keys, place)
                yield self._made("never-closed", WARNING, where, place, total, {}, worst)

    def lossy(self) -> Iterator[Trouble]:
        """By the far host: segments that were sent before."""
        for side, keys in ((0, self.server_host), (1, self.client)):
            for place in self._places(keys, self._are(AGAIN[side])):
                rows = self.rows[place]
                lost = int(self.table.again[rows, side].sum())
                of = int(self.table.packets[rows, side].sum())
                if lost >= 3 and lost * 100 >= of:
                    where = self._client(place) if side else self._host(place)
                    facts: dict[str, Fact] = {"again": lost, "data": of}
                    severity = BAD if lost * 10 >= of else WARNING
                    total = self._total(keys, place)
                    yield self._made("lossy", severity, where, place, total, facts)

    def slow(self) -> Iterator[Trouble]:
        """Percentiles of the handshakes' times, by service."""
        for several in self._places(self.server, self._are(SLOW)):
            # Of those with a slow one, all; where there is none all is well.
            alike = self.server.all == self.server.of(several[:1])[0]
            place = (alike & (self.marks & TIMED != 0)).nonzero()[0]
            if len(place) < ENOUGH:
                continue
            rows = self.rows[place]
            took = self.table.third_ns[rows] - self.table.syn_ns[rows]
            times = np.sort(took)
            half, most, nearly = (int(times[len(times) * p // 100]) for p in (50, 95, 99))
            if most > SLOW_NS and most > 3 * half:
                slow = place[took > 3 * half]
                facts: dict[str, Fact] = {"half_ns": half, "most_ns": most, "nearly_ns": nearly}
                made = ("slow-handshakes", WARNING, self._service(place), slow, len(place))
                yield self._made(*made, facts, int(times[-1]))

    # -- how ----------------------------------------------------------------

    @staticmethod
    def _places(keys: _By, at: Ints) -> list[Ints]:
        """These places by their keys, the most frequent keys first."""
        return _groups(at, keys.of(at))

    @staticmethod
    def _total(keys: _By, place: Ints) -> int:
        return int((keys.all == keys.of(place[:1])[0]).sum())

    def _ends(self, place: Ints) -> npt.NDArray[np.uint8]:
        return np.asarray(self.table.ends[self.rows[place[0]]], np.uint8)

    def _service(self, place: Ints) -> str:
        return str(endpoint(self._ends(place)[1].tobytes()))

    def _host(self, place: Ints) -> str:
        return endpoint(self._ends(place)[1].tobytes()).addr

    def _client(self, place: Ints) -> str:
        return endpoint(self._ends(place)[0].tobytes()).addr

    def _made(
        self,
        code: str,
        severity: Severity,
        where: str,
        place: Ints,
        of: int,
        facts: dict[str, Fact],
        worst_ns: int = 0,
    ) -> Trouble:
        ids = tuple(self.table.ident[self.rows[place[:MOST_IDS]]].tolist())
        still = self._still(place)
        worst = int(self.table.ident[self.rows[place[np.argmax(still)]]])
        worst_ns = worst_ns or int(still.max())
        return Trouble(code, severity, where, len(place), of, worst_ns, facts, ids, worst)


def _groups(at: Ints, keys: Keys) -> list[Ints]:
    """These places by their keys, the most frequent keys first."""
    if not len(at):
        return []
    if (keys == keys[0]).all():  # one service has it all: nothing to sort
        return [at]
    order = np.argsort(keys, kind="stable")
    cuts = np.flatnonzero(np.diff(keys[order])) + 1
    groups = np.split(at[order], cuts)
    return sorted(groups, key=len, reverse=True)[:MOST_PLACES]


def _key(octets: npt.NDArray[np.uint8]) -> Keys:
    """One number for so many bytes each; equal bytes give equal ones."""
    wide = octets.shape[1]
    padded = np.zeros((len(octets), -(-wide // 8) * 8), np.uint8)
    padded[:, :wide] = octets
    words = padded.view(np.uint64)
    made = np.zeros(len(octets), np.uint64)
    for column in range(words.shape[1]):
        made = _mix(made, words[:, column])
    return made


def _mix(one: Keys, two: Keys) -> Keys:
    """Two numbers as one (the finish of MurmurHash3 between them)."""
    with np.errstate(over="ignore"):
        made = one ^ (two + np.uint64(0x9E3779B97F4A7C15) + (one << np.uint64(6)))
        made ^= made >> np.uint64(33)
        made *= np.uint64(0xFF51AFD7ED558CCD)
        made ^= made >> np.uint64(33)
        return np.asarray(made, np.uint64)

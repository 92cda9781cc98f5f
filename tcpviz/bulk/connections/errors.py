"""ICMP errors: which flow each is about, and what they say of connections that columns tell.

An error moves nobody. It is told of the connection that has its addresses and ports when it comes
(:meth:`tcpviz.core.followed.Followed.quoted`), and believed if it quotes a number that is on its
way (:meth:`tcpviz.core.analysis.Analysis.take_error`); both can be asked of columns.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tcpviz.bulk.segments.flows import Flows, ends, grouped, mixed
from tcpviz.bulk.segments.icmp import Errors
from tcpviz.bulk.segments.reading import Reading, Unsuited
from tcpviz.core.analysis import MAX_ERRORS
from tcpviz.core.followed import MAX_SCOPES
from tcpviz.core.records import Unreachable

Array = NDArray[Any]

_NOBODY = -1

MOST = 100_000
"""Errors about one flow of which records are made: some 600 bytes each."""


@dataclass(slots=True)
class Told:
    """The errors about a capture's flows, those of a flow together and in their order.

    ``flow``     the flow of each, ascending; ``which`` its place among the capture's
    ``believed`` of connections that columns tell: whether it quotes what was on its way
    """

    errors: Errors
    flow: Array
    which: Array
    believed: Array

    def __len__(self) -> int:
        return len(self.flow)

    @property
    def flows(self) -> Array:
        """The flows that any is about, ascending."""
        return grouped(self.flow)[0].astype(np.int64)

    def count(self, flow: int) -> int:
        """How many are about a flow."""
        begin, end = np.searchsorted(self.flow, [flow, flow + 1]).tolist()
        return int(end - begin)

    def of(self, flow: int) -> list[tuple[int, Unreachable]]:
        """Those about a flow, each with the row before which it came; of very many the latest."""
        begin, end = np.searchsorted(self.flow, [flow, flow + 1]).tolist()
        which = self.which[max(begin, end - MOST) : end]
        return [self.errors[at] for at in which.tolist()]

    def kept(self, flow: int) -> tuple[tuple[Unreachable, ...], int, int]:
        """As :class:`tcpviz.core.analysis.Analysis` has them: the errors, and both counts."""
        begin, end = np.searchsorted(self.flow, [flow, flow + 1]).tolist()
        believed = self.which[begin:end][self.believed[begin:end]]
        records = tuple(self.errors[at][1] for at in believed[-MAX_ERRORS:].tolist())
        return records, len(believed), end - begin - len(believed)

    def latest(self, flows: Array, place: int) -> Array:
        """Of each of these flows, which all have so many, the ``place``-th error that is kept."""
        edges = np.append(0, np.cumsum(self.believed))
        begin = edges[np.searchsorted(self.flow, flows)]
        end = edges[np.searchsorted(self.flow, flows, "right")]
        which = self.which[self.believed]
        found: Array = which[np.maximum(begin, end - MAX_ERRORS) + place]
        return found

    def moved(self, flows: int) -> Told:
        """The same, where so many flows come before."""
        return Told(self.errors, self.flow + flows, self.which, self.believed)


def joined(errors: Errors, parts: Iterable[Told]) -> Told:
    """Those about the flows of several parts, which have all of the capture's ``errors``."""
    some = list(parts)
    flow = np.concatenate([each.flow for each in some] or [np.zeros(0, np.int64)])
    which = np.concatenate([each.which for each in some] or [np.zeros(0, np.int64)])
    believed = np.concatenate([each.believed for each in some] or [np.zeros(0, np.bool_)])
    order = np.argsort(flow, kind="stable")
    return Told(errors, flow[order], which[order], believed[order])


def told(reading: Reading, flows: Flows, met: Iterable[tuple[str, ...]]) -> Told:
    """Which flows a capture's errors are about; ``met`` are the scopes as the core met them."""
    whose = _whose(reading, flows, met)
    which = np.flatnonzero(whose != _NOBODY)
    order = which[np.argsort(whose[which], kind="stable")]
    return Told(reading.errors, whose[order], order, np.zeros(len(order), np.bool_))


def _whose(reading: Reading, flows: Flows, met: Iterable[tuple[str, ...]]) -> Array:
    """The flow that each error is about, or -1: in its own scope first, then in those ``met``."""
    errors, columns = reading.errors, reading.columns
    whose = np.full(len(errors), _NOBODY, np.int64)
    if not len(errors) or not len(flows):
        return whose
    leads = flows.order[flows.begin[:-1]].astype(np.int64)
    one, other = ends(columns.array, leads)
    flow = _Keys(np.minimum(one, other), np.maximum(one, other), columns.array["scope"][leads])
    numbers = {key: number for number, key in enumerate(columns.tables.scopes)}
    version, row = errors.column("version"), errors.column("row")
    pairs = [_pair(errors, name) for name in ("dst", "reporter")]

    def look(open_: Array, scope: Array) -> None:
        """Find those that nobody is found for yet in these scopes; -1 is none."""
        for low, high in pairs:
            mine = open_[(whose[open_] == _NOBODY) & (scope[open_] >= 0)]
            if len(mine):
                found = flow.find(low[mine], high[mine], scope[mine])
                begun = (found != _NOBODY) & (leads[found] < row[mine])
                whose[mine[begun]] = found[begun]

    everybody = np.arange(len(errors))
    look(everybody, _scopes(errors, version, numbers, errors.scopes))
    for names in met:
        left = everybody[whose == _NOBODY]
        look(left, _scopes(errors, version, numbers, [names] * max(len(errors.scopes), 1)))
    return whose


def _scopes(
    errors: Errors,
    version: Array,
    numbers: dict[tuple[int, tuple[str, ...]], int],
    names: list[tuple[str, ...]],
) -> Array:
    """The scope, by IP version, for which each of the errors' scopes stands in ``names``."""
    table = np.array([[numbers.get((each, one), -1) for one in names] for each in (4, 6)])
    found: Array = table[(version == 6).astype(np.int64), errors.column("scope")]
    return found


def _pair(errors: Errors, receiver: str) -> tuple[Array, Array]:
    """The ends under which the quoted connection may be known: as ``Unreachable.keys``."""
    both = []
    for address, port in (("src", "sport"), (receiver, "dport")):
        number = errors.column(address).astype(np.uint64) << np.uint64(16)
        both.append(number | errors.column(port))
    return np.minimum(*both), np.maximum(*both)


class _Keys:
    """Flows by their ends and scope."""

    def __init__(self, low: Array, high: Array, scope: Array) -> None:
        self._low, self._high, self._scope = low, high, scope
        codes = self._codes(low, high, scope)
        self._order = np.argsort(codes)
        self._sorted = codes[self._order]
        if (self._sorted[1:] == self._sorted[:-1]).any():  # as good as never
            raise Unsuited("two flows could not be told apart")

    @staticmethod
    def _codes(low: Array, high: Array, scope: Array) -> Array:
        codes: Array = mixed(low) + mixed(high, 1) + mixed(scope, 2)
        return codes

    def find(self, low: Array, high: Array, scope: Array) -> Array:
        """Which flow each is, or -1."""
        codes = self._codes(low, high, scope)
        at = np.minimum(np.searchsorted(self._sorted, codes), len(self._sorted) - 1)
        found = self._order[at]
        same = (self._low[found] == low) & (self._high[found] == high)
        same &= self._scope[found] == scope
        return np.where(same, found, _NOBODY)


def named(errors: Errors) -> Array:
    """The lower ends under which any connection that they quote may be known, ascending."""
    if not len(errors):
        return np.zeros(0, np.uint64)
    return np.unique(np.concatenate([_pair(errors, name)[0] for name in ("dst", "reporter")]))


def scopes_met(reading: Reading) -> dict[tuple[str, ...], None]:
    """The VLANs and tunnels in the order in which the core meets them, as far as it remembers.

    An ICMP error is about the first of its connections in this order.
    """
    columns = reading.columns
    numbers, first, _ = grouped(columns.array["scope"][: columns.count].astype(np.int64))
    order = np.argsort(first)
    names = (columns.tables.scopes[int(number)][1] for number in numbers[order])
    return dict.fromkeys(list(dict.fromkeys(names))[:MAX_SCOPES])

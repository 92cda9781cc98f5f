"""ICMP errors: which flows they may be about, so that those are followed together with them."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field

import numpy as np

from tcpviz.bulk.segments.columns import Tables
from tcpviz.bulk.segments.flows import Flows, ends
from tcpviz.bulk.segments.reading import Reading, Unsuited
from tcpviz.core.records import Unreachable
from tcpviz.core.segment import Endpoint


@dataclass(slots=True)
class Unit:
    """Flows that have to be followed together, and the errors about them by row."""

    flows: set[int] = field(default_factory=set)
    errors: list[tuple[int, Unreachable]] = field(default_factory=list)


def units(reading: Reading, flows: Flows) -> dict[int, Unit]:
    """By flow: the unit that it belongs to. Flows that no error names are not in it.

    Raises Unsuited where it cannot be told which of several connections is meant
    without following all.
    """
    if not reading.errors or not len(flows):
        return {}
    columns = reading.columns
    leads = flows.order[flows.begin[:-1]].astype(np.int64)
    one, other = ends(columns.array, leads)
    low, high = np.minimum(one, other), np.maximum(one, other)
    pairs = [pairs_of(error, columns.tables) for _, error in reading.errors]
    wanted = np.array(sorted({low for each in pairs for low, _ in each}), np.uint64)
    found: dict[tuple[int, int], list[int]] = {}
    for flow in np.flatnonzero(np.isin(low, wanted)).tolist():
        found.setdefault((int(low[flow]), int(high[flow])), []).append(flow)
    out: dict[int, Unit] = {}
    for (row, error), each in zip(reading.errors, pairs, strict=True):
        named = {flow for pair in each for flow in found.get(pair, ())}
        scopes = {int(columns.array["scope"][leads[flow]]) for flow in named}
        if len(scopes) > 1:
            raise Unsuited("an ICMP error may be about connections in several VLANs or tunnels")
        unit = Unit(set(named), [(row, error)])
        for flow in named:
            before = out.get(flow)
            if before is not None and before is not unit:
                unit.flows |= before.flows
                unit.errors += before.errors
        for flow in unit.flows:
            out[flow] = unit
    came = {id(error): at for at, (_, error) in enumerate(reading.errors)}
    for unit in out.values():
        once = {came[id(error)]: (row, error) for row, error in unit.errors}
        unit.errors = [once[at] for at in sorted(once)]
    return out


def pairs_of(error: Unreachable, tables: Tables) -> list[tuple[int, int]]:
    """The pairs of ends under which the quoted connection may be known."""
    out = []
    for key in error.keys(()):
        numbers = [_number(end, tables) for end in (key.low, key.high)]
        if None not in numbers:
            low, high = sorted(number for number in numbers if number is not None)
            out.append((low, high))
    return out


def _number(end: Endpoint, tables: Tables) -> int | None:
    packed = ipaddress.ip_address(end.addr).packed
    address = tables.known(packed)
    return None if address is None else address << 16 | end.port

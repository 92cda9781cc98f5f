"""ICMP errors: which flows they may be about, so that those are followed together with them."""

from __future__ import annotations

from dataclasses import dataclass, field
from socket import AF_INET6, inet_aton, inet_pton

import numpy as np

from tcpviz.bulk.segments.columns import Tables
from tcpviz.bulk.segments.flows import Flows, ends, grouped
from tcpviz.bulk.segments.reading import Reading, Unsuited
from tcpviz.core.followed import MAX_SCOPES
from tcpviz.core.records import Unreachable


@dataclass(slots=True)
class Unit:
    """Flows that have to be followed together, and the errors about them by row."""

    flows: set[int] = field(default_factory=set)
    errors: list[tuple[int, Unreachable]] = field(default_factory=list)


def units(reading: Reading, flows: Flows) -> dict[int, Unit]:
    """By flow: the unit that it belongs to. Flows that no error names are not in it.

    Raises Unsuited where there are more VLANs and tunnels than the core looks for one in.
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
    several = len({names for _, names in columns.tables.scopes}) > MAX_SCOPES
    for (row, error), each in zip(reading.errors, pairs, strict=True):
        named = {flow for pair in each for flow in found.get(pair, ())}
        if several and len({int(columns.array["scope"][leads[flow]]) for flow in named}) > 1:
            raise Unsuited("an ICMP error may be about connections in several VLANs or tunnels")
        known = {id(out[flow]): out[flow] for flow in named if flow in out}
        unit = max(known.values(), key=lambda one: len(one.errors), default=Unit())
        for joined in known.values():
            if joined is not unit:
                unit.flows |= joined.flows
                unit.errors += joined.errors
                out |= dict.fromkeys(joined.flows, unit)
        unit.flows |= named
        unit.errors.append((row, error))
        out |= dict.fromkeys(named, unit)
    came = {id(error): at for at, (_, error) in enumerate(reading.errors)}
    for unit in {id(each): each for each in out.values()}.values():
        unit.errors.sort(key=lambda told: came[id(told[1])])
    return out


def scopes_met(reading: Reading) -> dict[tuple[str, ...], None]:
    """The VLANs and tunnels in the order in which the core meets them, as far as it remembers.

    An ICMP error is about the first of its connections in this order.
    """
    columns = reading.columns
    numbers, first, _ = grouped(columns.array["scope"][: columns.count].astype(np.int64))
    order = np.argsort(first)
    names = (columns.tables.scopes[int(number)][1] for number in numbers[order])
    return dict.fromkeys(list(dict.fromkeys(names))[:MAX_SCOPES])


def pairs_of(error: Unreachable, tables: Tables) -> list[tuple[int, int]]:
    """The pairs of ends under which the quoted connection may be known: as ``error.keys``."""
    src = _number(error.src.addr, error.src.port, tables)
    out = []
    for addr in (error.dst.addr, error.reporter):
        dst = _number(addr, error.dst.port, tables)
        if src is not None and dst is not None:
            out.append((src, dst) if src <= dst else (dst, src))
    return out


def _number(addr: str, port: int, tables: Tables) -> int | None:
    packed = inet_pton(AF_INET6, addr) if ":" in addr else inet_aton(addr)
    address = tables.known(packed)
    return None if address is None else address << 16 | port

"""Crowds among a table's connections: what :mod:`tcpviz.core.crowds` finds, by columns.

The rules are that module's, counted over arrays instead of objects; a test holds
both together.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tcpviz.bulk.segments.flows import counted, mixed
from tcpviz.core.crowds import BACKSCATTER, FLOOD, FLOOD_NS, SCAN, Crowd

Array = NDArray[Any]

FATES = ("", "silent", "half-open", "refused", "scanned", "odd")
"""What :func:`tcpviz.core.crowds.fate` says, by number."""

_WAITING = (1, 2)

_BUCKETS = 20  # bits
_ODD = np.frombuffer(os.urandom(16), np.uint64) | np.uint64(1)


@dataclass(slots=True)
class Facts:
    """What is asked of each connection, in their order.

    ``fate`` is a place in :data:`FATES`, -1 of an answer to a SYN that was not captured; ends
    are numbers, ``syns`` the client's.
    """

    fate: Array
    client: Array
    server: Array
    client_port: Array
    server_port: Array
    syns: Array
    first_ns: Array
    name: Callable[[int], str]
    """The text of an address's number."""


def crowds_of(facts: Facts) -> tuple[list[Crowd], Array]:
    """The crowds, in the order in which they are found, and of each connection its crowd or -1."""
    member = np.full(len(facts.fate), -1, np.int64)
    found: list[Crowd] = []
    if (facts.fate > 0).any():
        _failures(facts, found, member)
    for members in _answers(facts):
        crowd = _backscatter(facts, members)
        if crowd is not None:
            member[members] = len(found)
            found.append(crowd)
    return found, member


def _failures(facts: Facts, found: list[Crowd], member: Array) -> None:
    """Enter the crowds among those that failed."""
    kinds = (
        (facts.server, facts.server_port, FLOOD, _flood),
        (facts.client, facts.server, SCAN, _port_scan),
        (facts.client, facts.server_port, SCAN, _host_scan),
    )
    for one, other, least, judge in kinds:
        for members, places in _groups(facts, one, other, member, least):
            if judge is _flood:
                members = _strangers(facts, members, places)
            crowd = judge(facts, members, len(places)) if len(members) else None
            if crowd is not None:
                member[members] = len(found)
                found.append(crowd)


def _answers(facts: Facts) -> list[Array]:
    """Answers to SYNs that were not captured, by who gives them: the first to do so first."""
    answers = np.flatnonzero(facts.fate < 0)
    if len(answers) < BACKSCATTER:
        return []
    _, first, whose = np.unique(facts.server[answers], return_index=True, return_inverse=True)
    order = np.argsort(whose, kind="stable")
    groups = np.split(answers[order], np.cumsum(np.bincount(whose))[:-1])
    return [groups[at] for at in np.argsort(first).tolist() if len(groups[at]) >= BACKSCATTER]


def _backscatter(facts: Facts, members: Array) -> Crowd | None:
    hosts = _different(facts.client[members])
    if hosts < BACKSCATTER:
        return None
    who, count = facts.name(int(facts.server[members[0]])), len(members)
    return Crowd("backscatter", who, "", count, count, hosts, *_times(facts, members))


def _strangers(facts: Facts, members: Array, places: Array) -> Array:
    """Those that failed, without sources of which most come about: on a lossy link, some wait."""
    fine = facts.fate[places] == 0
    if not fine.any():
        return members
    sources, which = np.unique(facts.client[places], return_inverse=True)
    came, failed = (np.bincount(which[some], minlength=len(sources)) for some in (fine, ~fine))
    few = sources[came <= failed]
    return members[np.isin(facts.client[members], few)]


def _groups(
    facts: Facts, one: Array, other: Array, member: Array, least: int
) -> list[tuple[Array, Array]]:
    """Those that failed and are in no crowd yet, by key, and all with it that are asked about.

    Only groups large enough; counted from the first failure on.
    """
    failed = (facts.fate > 0) & (member < 0)
    asked = _perhaps(facts.fate, one, other, failed, least)
    if not len(asked):
        return []
    order, fresh = _sorted(one[asked], other[asked])
    edges = np.append(np.flatnonzero(fresh), len(order))
    asked = asked[order]
    counts = np.add.reduceat(failed[asked], edges[:-1], dtype=np.int64)
    out = []
    for at in np.flatnonzero(counts >= least).tolist():
        places = asked[edges[at] : edges[at + 1]]
        # Membership in an earlier crowd does not matter for how many there are.
        first = places[facts.fate[places] > 0][0]
        places = places[places >= first]
        members = places[(facts.fate[places] > 0) & (member[places] < 0)]
        out.append((int(first), members, places))
    out.sort(key=lambda each: each[0])
    return [(members, places) for _, members, places in out]


def _perhaps(fate: Array, one: Array, other: Array, failed: Array, least: int) -> Array:
    """Those that were asked and may be of so many that failed: counted by a part of the key."""
    where, asked = np.flatnonzero(failed), np.flatnonzero(fate >= 0)
    # More of it tell more apart, but cost more than they spare.
    bits = min(len(where).bit_length() + 3, _BUCKETS)
    code = _bucket(one[where], other[where], bits)
    counts = np.bincount(code, minlength=1 << bits)
    if counts.max() < least:
        return where[:0]
    if len(asked) > len(where):
        code = _bucket(one[asked], other[asked], bits)
    there: Array = asked[counts[code] >= least]
    return there


def _bucket(one: Array, other: Array, bits: int) -> Array:
    code = one.astype(np.uint64) * _ODD[0]
    code += other.astype(np.uint64) * _ODD[1]
    code >>= np.uint64(64 - bits)
    number: Array = code.astype(np.int64)
    return number


def _sorted(one: Array, other: Array) -> tuple[Array, Array]:
    """The order that brings equal pairs together, each in its own order; where a new one begins."""
    count = len(one)
    if (one == one[0]).all() and (other == other[0]).all():  # a flood, say
        return np.arange(count), np.arange(count) == 0
    bits = np.uint64(count.bit_length())
    packed = (mixed(one) ^ mixed(other, 1)) >> bits << bits
    packed |= np.arange(count, dtype=np.uint64)
    packed.sort()
    order = (packed & np.uint64((1 << int(bits)) - 1)).astype(np.int64)
    packed >>= bits
    for again in (False, True):
        if again:
            order = np.lexsort((np.arange(count), other, one))
        fresh = np.ones(count, np.bool_)
        fresh[1:] = (one[order[1:]] != one[order[:-1]]) | (other[order[1:]] != other[order[:-1]])
        # As many stretches as codes, or else two pairs share one.
        if again or int(fresh.sum()) == 1 + int((packed[1:] != packed[:-1]).sum()):
            break
    return order, fresh


def _different(values: Array) -> int:
    """How many different ones there are."""
    # Half as wide is sorted in half the time.
    narrow = values.min() >= 0 and values.max() < 1 << 32
    ordered = np.sort(values.astype(np.uint32) if narrow else values)
    return 1 + int((ordered[1:] != ordered[:-1]).sum())


def _times(facts: Facts, members: Array) -> tuple[int, int]:
    begun = facts.first_ns[members]
    return int(begun.min()), int(begun.max())


def _flood(facts: Facts, members: Array, total: int) -> Crowd | None:
    fate = facts.fate[members]
    waits = (fate == _WAITING[0]) | (fate == _WAITING[1])
    once = members[waits & (facts.syns[members] == 1)]
    if len(once) < FLOOD or len(once) * 2 < len(members):
        return None
    at, bursts = counted(facts.first_ns[once] // FLOOD_NS)
    following = np.zeros(len(at), np.int64)
    following[:-1] = np.where(np.diff(at) == 1, bursts[1:], 0)
    if (bursts + following).max() < FLOOD:
        return None
    many = _different(facts.client[once])
    who = facts.name(int(facts.client[once[0]])) if many == 1 else ""
    target = _end(facts, int(members[0]))
    count = len(members)
    return Crowd("syn-flood", who, target, count, total, many, *_times(facts, members))


def _end(facts: Facts, place: int) -> str:
    address = facts.name(int(facts.server[place]))
    port = int(facts.server_port[place])
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def _port_scan(facts: Facts, members: Array, total: int) -> Crowd | None:
    ports = _different(facts.server_port[members])
    if ports < SCAN or len(members) * 2 < total:
        return None
    who, target = (facts.name(int(each[members[0]])) for each in (facts.client, facts.server))
    count = len(members)
    return Crowd("port-scan", who, target, count, total, ports, *_times(facts, members))


def _host_scan(facts: Facts, members: Array, total: int) -> Crowd | None:
    hosts = _different(facts.server[members])
    if hosts < SCAN or len(members) * 2 < total:
        return None
    who, count = facts.name(int(facts.client[members[0]])), len(members)
    port = str(int(facts.server_port[members[0]]))
    return Crowd("host-scan", who, port, count, total, hosts, *_times(facts, members))

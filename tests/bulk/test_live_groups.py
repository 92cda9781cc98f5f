"""Segments sorted by flow and direction: as a dictionary would put them together."""

from __future__ import annotations

import random

import pytest

pytest.importorskip("numpy")

import numpy as np

from tcpviz.bulk.live.groups import divided, group
from tcpviz.bulk.live.stretches import Columns


def columns(ends: list[tuple[int, int]]) -> Columns:
    count = len(ends)
    src, dst = (np.array(side, np.uint64) for side in zip(*ends, strict=True))
    zeros = np.zeros(count, np.uint32)
    place = np.arange(count)
    return Columns(place, place, src, dst, zeros, zeros, zeros, zeros.view(np.int32))


@pytest.mark.parametrize("alike", [16, 48, 62])
@pytest.mark.parametrize("seed", range(3))
def test_flows_come_together_even_where_their_numbers_begin_alike(seed, alike):
    """``alike``: the lowest bit by which the flows' numbers differ."""
    dice = random.Random(seed)
    ends = [(dice.randrange(1, 9), dice.randrange(1, 9)) for _ in range(dice.randrange(1, 400))]
    made = columns(ends)
    numbers = {(a, b): (a * 16 + b) << alike & (1 << 64) - 1 for a in range(9) for b in range(a, 9)}
    pairs = [numbers[min(pair), max(pair)] for pair in ends]
    groups = group(made, np.array(pairs, np.uint64))
    expected: dict[int, dict[int, list[int]]] = {}
    for at, (number, (src, dst)) in enumerate(zip(pairs, ends, strict=True)):
        expected.setdefault(number, {}).setdefault(src > dst, []).append(at)
    found: dict[int, dict[int, list[int]]] = {}
    for number, (start, count) in enumerate(zip(groups.starts, groups.counts, strict=True)):
        part = groups.order[start : start + count].tolist()
        src, dst = ends[part[0]]
        of = int(groups.owner[number])
        found.setdefault(int(groups.flow[of]), {})[src > dst] = part
        assert groups.src[number] == src
        assert set(groups.whose[start : start + count].tolist()) == {number}
    assert found == expected
    for of, number in enumerate(groups.flow.tolist()):
        times = [at for part in expected[number].values() for at in part]
        assert groups.order[groups.first[of]] == min(times)
        assert groups.order[groups.last[of]] == max(times)


def test_a_flow_is_divided_where_another_connection_begins():
    ends = [(1, 2), (2, 1), (3, 4), (1, 2), (2, 1), (1, 2), (4, 3), (1, 2)]
    made = columns(ends)
    groups = group(made, np.array([2 if 1 in pair else 1 << 40 for pair in ends], np.uint64))
    (again, later) = (int(np.flatnonzero(groups.order == at)[0]) for at in (3, 5))
    parts, former, anew = divided(groups, made, np.array([again, later]))
    told = {
        tuple(sorted(parts.order[parts.owner[parts.whose] == of].tolist())): bool(anew[of])
        for of in range(len(parts.flow))
    }
    assert told == {(0, 1): False, (3, 4): True, (5, 7): True, (2, 6): False}
    assert parts.flow.tolist() == groups.flow[former].tolist()

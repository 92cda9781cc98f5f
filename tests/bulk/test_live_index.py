"""Rows found by flow: as a dictionary would find them, whatever is given away and made anew."""

from __future__ import annotations

import random

import pytest

pytest.importorskip("numpy")

import numpy as np

from tcpviz.bulk.live.index import SHIFT, FlowIndex


@pytest.mark.parametrize("seed", range(4))
def test_it_finds_what_a_dictionary_finds(seed):
    """Few different places, so that flows push one another away; rows are given to others."""
    dice = random.Random(seed)
    index, rows = FlowIndex(), 600
    flows = np.zeros(rows, np.uint64)
    held: dict[int, int] = {}
    at = 0
    for _ in range(120):
        count = dice.randint(1, 90)
        new = (at + np.arange(count)) % rows
        at += count
        for key in flows[new].tolist():
            held.pop(key, None)
        # A dozen bits of place and as many of the rest: some want the same slot.
        fresh = {dice.getrandbits(12) | dice.getrandbits(12) << 30 for _ in range(3 * count)}
        keys = sorted(key << int(SHIFT) for key in fresh - {k >> int(SHIFT) for k in held})[:count]
        new = new[: len(keys)]
        flows[(at - count + np.arange(count)) % rows] = 0
        flows[new] = keys
        held.update(zip(keys, new.tolist(), strict=True))
        if index.full(len(keys)):
            index.make(np.flatnonzero(flows), flows)
        else:
            index.put(np.array(keys, np.uint64), new, flows)
        asked = [*held, *(dice.getrandbits(12) << int(SHIFT) for _ in range(20))]
        found = index.find(np.array(asked, np.uint64), flows)[0].tolist()
        assert found == [held.get(key, -1) for key in asked]
    assert index.made >= 1


def test_of_two_rows_with_one_flow_the_later_is_found():
    index = FlowIndex()
    flows = np.array([1, 2, 1, 0], np.uint64) << SHIFT
    index.put(flows[:2], np.array([0, 1]), flows)
    index.put(flows[2:3], np.array([2]), flows)
    assert index.find(flows[:2], flows)[0].tolist() == [2, 1]
    index.make(np.arange(3), flows)
    assert index.find(flows[:2], flows)[0].tolist() == [2, 1]


@pytest.mark.parametrize("seed", range(3))
def test_made_anew_each_flow_has_its_last_row_however_many_want_a_slot(seed):
    dice = np.random.default_rng(seed)
    # All flows want one of four slots, and go on from there in steps of their own.
    some = dice.integers(0, 4, 300).astype(np.uint64) + (dice.permutation(300) << 40).astype("u8")
    flows = some[dice.integers(0, 300, 1200)] << SHIFT
    rows = np.arange(1200)
    index = FlowIndex()
    index.make(rows, flows)
    last = dict(zip(flows.tolist(), rows.tolist(), strict=True))
    found = index.find(np.array(list(last), np.uint64), flows)[0].tolist()
    assert found == list(last.values())

"""Ends by state of a live table: what each row by itself says, whenever it is asked."""

from __future__ import annotations

import random
from collections import Counter

import pytest

pytest.importorskip("numpy")

from tcpviz.bulk.live.rows import LiveRows
from tcpviz.bulk.live.table import LiveTable
from tcpviz.bulk.live.tally import tallies
from tcpviz.core.claims import Certainty
from tcpviz.core.states import State
from tcpviz.wire.frame import Frame
from tests.bulk.ringed import stretch
from tests.bulk.test_live_table import _moved, generated


def one_by_one(rows: LiveRows) -> tuple[Counter, dict]:
    """The same from the connections that are made of the rows, each anew."""
    rows = LiveRows(rows.table)
    counts, since = Counter(), {}
    for connection in rows:
        for end in (connection.client, connection.server):
            if end.claim.certainty is Certainty.UNKNOWN:
                counts[None] += 1
                continue
            counts[end.state] += 1
            opened = end.state is State.ESTABLISHED
            time_ns = connection.first_ns if opened else connection.last_ns
            since[end.state] = min(time_ns, since.get(end.state, time_ns))
    since.pop(State.CLOSED, None)
    return counts, since


@pytest.mark.parametrize("seed", range(3))
def test_it_is_what_all_rows_say_one_by_one(seed):
    dice = random.Random(seed)
    table = LiveTable(rows=dice.choice([48, 1 << 12]))
    rows = LiveRows(table)
    again = [
        Frame(f.time_ns + 61 * 10**9, 1, _moved(f.data), f.wire_len, f.number) for f in generated()
    ]
    for frames in (generated(), again):  # TIME-WAIT is over for the first by then
        at = 0
        while at < len(frames) * dice.choice([0.5, 1]):
            size = dice.randint(1, 20)
            if dice.random() < 0.03:
                table.note_gap()
            made = stretch([f for f in frames[at : at + size] if dice.random() < 0.97])
            if len(made):
                table.take(made, made.columns(table.mixer)[0])
            at += size
            if dice.random() < 0.15:
                counts, since = one_by_one(rows)
                found = tallies(rows)
                assert {tally.state: tally.count for tally in found if tally.count} == counts
                told = {tally.state: tally.since_ns for tally in found if tally.since_ns}
                assert told == since

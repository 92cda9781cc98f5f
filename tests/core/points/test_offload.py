"""Segments that one capture has in one piece and the other in several: TSO, GRO, LRO."""

from dataclasses import replace

import pytest

from tcpviz.core.passages import Doubt
from tcpviz.core.records import Moment
from tcpviz.core.tracker import Tracker
from tests.core.points.test_joiner import talk
from tests.core.points.twopoints import TwoPoints
from tests.core.twoends import CLIENT, MS


def offloaded(capture, most, within=MS):
    """Data that follows one another at once becomes one segment, as network cards show it."""
    made = []
    for one in capture:
        last = next((each for each in reversed(made) if each.src == one.src), None)
        mine = one.src == CLIENT
        if (
            mine
            and last is not None
            and one.payload_len
            and last.payload_len
            and last.seq + last.payload_len == one.seq
            and last.options == one.options
            and last.ack == one.ack
            and one.time_ns - last.time_ns <= within
            and last.payload_len + one.payload_len <= most
        ):
            arrives = within > MS
            made[made.index(last)] = replace(
                last,
                payload_len=last.payload_len + one.payload_len,
                time_ns=one.time_ns if arrives else last.time_ns,
            )
        else:
            made.append(one)
    made.sort(key=lambda one: one.time_ns)
    return [replace(one, frame=number) for number, one in enumerate(made, 1)]


def of_client(records, moment):
    return [one for one in records if one.moment is moment and one.segment.src == CLIENT]


def world_of(seed, **others):
    return talk(TwoPoints(seed, stamps=True, ids=False, **others), count=16_000)


@pytest.mark.parametrize("most", [300, 800])
def test_one_that_left_whole_and_arrived_cut(most):
    world = world_of(1, jitter=0.2)
    world.captures[0][:] = offloaded(world.captures[0], most)
    joiner, records = world.joined()
    there = joiner.ledger.ways[0]
    assert there.cut > 10
    assert there.lost == there.part == there.unsent == there.missed == 0
    cut = [one.passage for one in of_client(records, Moment.ARRIVED) if one.passage.pieces > 1]
    assert {one.pieces for one in cut} <= set(range(2, 9))
    assert ends_as_it_did(world, records)


@pytest.mark.parametrize("most", [300, 800])
def test_those_that_left_apart_and_arrived_as_one(most):
    world = world_of(2)
    world.captures[1][:] = offloaded(world.captures[1], most, 2 * MS)
    joiner, records = world.joined()
    there = joiner.ledger.ways[0]
    assert there.joined > 20
    assert there.lost == there.part == there.unsent == there.missed == 0
    joined = [one.passage.joined for one in of_client(records, Moment.ARRIVED)]
    assert most - 100 <= max(joined) <= most
    assert ends_as_it_did(world, records)


def test_cut_at_both_in_different_places():
    world = world_of(3, jitter=0.2)
    world.captures[0][:] = offloaded(world.captures[0], 800)
    world.captures[1][:] = offloaded(world.captures[1], 300, 2 * MS)
    joiner, records = world.joined()
    there = joiner.ledger.ways[0]
    assert there.lost == there.part == there.unsent == there.missed == 0
    assert ends_as_it_did(world, records)


@pytest.mark.parametrize("seed", range(4))
def test_pieces_that_are_lost_are_told_in_bytes(seed):
    world = world_of(20 + seed, lost=0.06)
    bytes_lost = sum(
        world.captures[0][one.left - 1].payload_len
        for one in world.truths
        if one.lost and at_client(world, one)
    )
    world.captures[0][:] = offloaded(world.captures[0], 800)
    joiner, records = world.joined()
    there = joiner.ledger.ways[0]
    assert there.part > 2
    assert there.bytes_lost == bytes_lost
    parts = [one for one in of_client(records, Moment.ARRIVED) if one.passage.doubt is Doubt.PART]
    assert all(one.segment.payload_len == one.passage.bytes for one in parts)
    assert ends_as_it_did(world, records)


def at_client(world, truth):
    mine = world.captures[0]
    return truth.left <= len(mine) and mine[truth.left - 1].time_ns == truth.left_ns


def ends_as_it_did(world, records):
    tracker = Tracker()
    for record in records:
        tracker.feed(record)
    (connection,) = tracker.connections.values()
    stand = [connection.client.state, connection.server.state]
    return stand == [end.state for end in world.ends]

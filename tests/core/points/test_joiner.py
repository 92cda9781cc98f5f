"""Two captures of the same traffic, joined, against what really became of each packet."""

import math
from dataclasses import fields, replace

import pytest

from tcpviz.core.passages import Doubt
from tcpviz.core.points.ledger import skew
from tcpviz.core.points.sightings import restamped
from tcpviz.core.records import Moment
from tcpviz.core.segment import Flags, Options, Segment
from tcpviz.core.tracker import Tracker
from tests.core.points.twopoints import TwoPoints, fates
from tests.core.twoends import CLIENT, MS, SERVER


def talk(world, *, count=8000, until=60_000):
    client, server = world.ends
    world.after(0, client.connect)
    for turn in range(20):
        world.after(300 + 150 * turn, lambda: client.send(count // 20))
        world.after(380 + 150 * turn, lambda: server.send(count // 20))
    world.after(5000, client.close)
    world.after(5600, server.close)
    world.run(until)
    return world


def compare(world, records):
    """How many fates are told as they were, and those that are not.

    Of packets that nobody could tell apart (alike to the last bit, and closer together than
    delays differ) only how many were lost counts.
    """
    told, wrong, right = fates(records), [], 0
    for number, truth in enumerate(world.truths):
        if truth.left is None:
            continue
        point = 0 if same(world, 0, truth) else 1
        said = told.get((point, truth.left))
        if truth.lost:
            true = ("lost", None)
        elif truth.arrived[:1] == [None] or not truth.arrived:
            continue  # missed there: judged by other tests
        else:
            true = ("arrived", (1 - point, truth.arrived[0]))
        if said == true:
            right += 1
        elif not twins(world, point, truth):
            wrong.append((number, truth, said))
    return right, wrong


def twins(world, point, truth):
    mine = world.captures[point][truth.left - 1]
    alike = [replace(one, time_ns=0, frame=0) for one in world.captures[point]]
    return any(
        one is not mine
        and other == replace(mine, time_ns=0, frame=0)
        and abs(one.time_ns - mine.time_ns) < 6 * MS
        for one, other in zip(world.captures[point], alike, strict=True)
    )


def same(world, point, truth):
    """Whether the packet left at that point."""
    mine = world.captures[point]
    return truth.left <= len(mine) and mine[truth.left - 1].time_ns == world.clock(
        point, truth.left_ns
    )


@pytest.mark.parametrize("ids", [True, False])
@pytest.mark.parametrize("stamps", [True, False])
@pytest.mark.parametrize("ahead", [0, 37_000 * MS, -3600_000 * MS])
def test_every_packet_is_found_again_or_told_lost(ids, stamps, ahead):
    world = TwoPoints(3, lost=0.05, jitter=3, ids=ids, stamps=stamps, ahead_ns=ahead, drift=30e-6)
    talk(world)
    joiner, records = world.joined()
    right, wrong = compare(world, records)
    assert not wrong
    assert right > 100
    lost = sum(one.lost for one in world.truths)
    assert lost > 3
    assert sum(way.lost for way in joiner.ledger.ways) == lost
    reading = joiner.clock.at(world.captures[0][50].time_ns)
    true = ahead + round(30e-6 * (world.captures[0][50].time_ns - world.captures[0][0].time_ns))
    assert reading.low <= true <= reading.high
    assert reading.uncertainty < 30 * MS


def test_addresses_that_are_translated_are_known_by_the_numbers():
    joiner, records = talk(world := TwoPoints(5, lost=0.03, nat=True, stamps=True)).joined()
    right, wrong = compare(world, records)
    assert right > 100
    assert not wrong
    assert list(joiner.ledger.remarks) == [
        "address translation: 10.0.0.1:40000 at first is 203.0.113.9:1234 at second"
    ]
    keys = {record.segment.key for record in records}
    assert len(keys) == 1  # one connection, by the names that the first point has for it


@pytest.mark.parametrize("nat", [False, True])
def test_numbers_that_are_written_anew_are_known_by_their_shift(nat):
    world = TwoPoints(6, lost=0.03, nat=nat, stamps=True, shift=(123_456_789, 0xFFFF0000))
    joiner, records = talk(world).joined()
    right, wrong = compare(world, records)
    assert right > 100
    assert not wrong
    assert "sequence numbers are written anew on the way" in joiner.ledger.remarks
    tracker = Tracker()
    for record in records:
        tracker.feed(record)
    (connection,) = tracker.connections.values()
    assert connection.complete


@pytest.mark.parametrize("seed", range(6))
def test_what_a_capture_has_missed_is_not_told_lost(seed):
    world = TwoPoints(seed, missed=0.04, stamps=True, jitter=2)
    joiner, records = talk(world).joined()
    told = fates(records)
    called_lost = [key for key, (fate, _) in told.items() if fate == "lost"]
    # Nothing was lost. What carries data, SYN or FIN is proved to have arrived; an ACK is not.
    for point, frame in called_lost:
        assert not world.captures[point][frame - 1].seq_len
    unseen = sum(way.unseen for way in joiner.ledger.ways)
    missed = sum(way.missed for way in joiner.ledger.ways)
    assert unseen > 2
    assert missed > 2
    assert not any(
        record.passage.doubt is Doubt.UNSENT and record.segment.seq_len
        for record in records
        if record.passage
    )


def test_copies_that_the_network_makes_arrive_again():
    world = TwoPoints(8, copies=0.1, stamps=True)
    joiner, records = talk(world).joined()
    copies = sum(len(one.arrived) > 1 for one in world.truths)
    assert copies > 10
    assert sum(way.copies for way in joiner.ledger.ways) == copies
    assert sum(record.again for record in records) == copies
    assert not sum(way.lost + way.unsent for way in joiner.ledger.ways)


def test_both_ends_stand_where_they_stood():
    for seed in range(8):
        world = TwoPoints(seed, lost=0.08, jitter=4, stamps=bool(seed & 1), drift=50e-6)
        talk(world)
        _, records = world.joined()
        times = [record.time_ns for record in records]
        assert times == sorted(times)
        tracker = Tracker()
        for record in records:
            tracker.feed(record)
        (connection,) = tracker.connections.values()
        assert connection.watched
        truth = [end.state for end in world.ends]
        assert [connection.client.state, connection.server.state] == truth, seed


def test_one_from_elsewhere_is_told_by_its_ttl():
    world = talk(TwoPoints(9, stamps=True))
    theirs = world.captures[1]
    victim = next(one for one in theirs if one.ttl == 61 and one.payload_len)
    forged = replace(victim, flags=Flags.RST, payload_len=0, ip_id=7, ttl=241, options=Options())
    theirs.insert(theirs.index(victim) + 1, forged)
    joiner, records = world.joined()
    strange = [one for one in records if one.passage.doubt is Doubt.FOREIGN]
    assert [one.segment.rst for one in strange] == [True]
    assert strange[0].moment is Moment.ARRIVED
    assert strange[0].passage.left is None
    assert joiner.ledger.ways[0].foreign == 1


def test_a_capture_that_ran_too_short_says_nothing_of_the_rest():
    world = talk(TwoPoints(10, stamps=True))
    whole = len(world.captures[1])
    del world.captures[1][whole // 2 :]
    joiner, records = world.joined()
    assert not sum(way.lost for way in joiner.ledger.ways)
    outside = [one for one in records if one.passage.doubt is Doubt.OUTSIDE]
    assert len(outside) > 50
    assert {one.moment for one in outside} == {Moment.SEEN}


def test_syns_that_get_nowhere_are_lost_where_the_path_is_known():
    world = talk(TwoPoints(11, stamps=True))
    start = world.captures[0][20].time_ns
    for number in range(3):
        world.captures[0].append(
            Segment(
                start + number * 1000 * MS, CLIENT, SERVER._replace(port=81), 7, 0, Flags.SYN, 0
            )
        )
    world.captures[0].sort(key=lambda one: one.time_ns)
    joiner, records = world.joined()
    assert joiner.ledger.ways[0].lost == 3
    lost = [one.segment.dst.port for one in records if one.moment is Moment.LOST]
    assert lost == [81, 81, 81]


def test_reordering_is_counted():
    world = talk(TwoPoints(12, jitter=15, stamps=True, ids=True))
    joiner, _ = world.joined()
    numbered = [(one.arrived_ns, n, one) for n, one in enumerate(world.truths)]
    true, latest = [0, 0], [0, 0]
    for _, number, one in sorted(each for each in numbered if each[0]):
        point = 0 if same(world, 0, one) else 1
        true[point] += number < latest[point]
        latest[point] = max(latest[point], number)
    assert sum(true) > 5
    assert [way.reordered for way in joiner.ledger.ways] == true


def test_a_segment_with_other_stamps_is_the_same_otherwise():
    options = Options(mss=1)
    one = Segment(
        1, CLIENT, SERVER, 2, 3, Flags.ACK, 4, 5, options, b"6", 7, 8, ("9",), 10, 11, 12, 13,
        14, True, True, 15, 16,
    )  # fmt: skip
    assert restamped(one, 20, 21, 22) == replace(one, time_ns=20, frame=21, interface=22)
    assert restamped(one, 20, 21, 22, 23).ttl == 23
    assert len({id(getattr(one, each.name)) for each in fields(Segment)}) > 15  # none is a default


@pytest.mark.parametrize("apart", [0, 12_345 * MS])
def test_two_captures_at_one_place_differ_by_their_clocks_alone(apart):
    world = talk(TwoPoints(13, stamps=True))
    here = world.captures[0]
    world.captures[1][:] = [replace(one, time_ns=one.time_ns + apart) for one in here]
    joiner, _ = world.joined()
    assert abs(joiner.clock.at(here[9].time_ns).ahead - apart) < 2_000
    ways = joiner.ledger.ways
    assert sum(way.arrived for way in ways) == len(here)
    assert not sum(way.lost + way.unsent + way.missed for way in ways)


def test_of_one_direction_alone_the_delays_count_from_the_quickest():
    world = talk(TwoPoints(14, stamps=True, jitter=4, ahead_ns=77 * MS))
    for capture in world.captures:
        capture[:] = [one for one in capture if one.src == CLIENT]
        capture[:] = [replace(one, frame=number) for number, one in enumerate(capture, 1)]
    joiner, records = world.joined()
    assert skew(joiner.clock).error_ns == math.inf
    delays = [one.passage.delay_ns for one in records if one.moment is Moment.ARRIVED]
    assert min(delays) < 10_000
    assert max(delays) < 6 * MS
    assert all(one.passage.error_ns is None for one in records)
    assert joiner.ledger.ways[0].lost == 0

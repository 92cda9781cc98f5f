"""Simulated hosts counted live: rows stand where the tracker has the connections.

Wherever each connection is broken off; on networks that lose, double or delay, and with segments
in the names of others whose numbers do not fit. What differs knowingly:

- a handshake with crossing SYNs, of which rows tell a time and the tracker none;
- of some 1200 connections 3, crossing FINs that were broken off or sent again, which rows take for
  heard sooner; and of 534 on a network that reorders 2, FINs that cross out of order;
- of 534 with copies seconds late 2, where the tracker takes a late copy for its sender's going on
  after a reset, and rows do not;
- somebody else's SYN with another number: a row begins another connection and gives it what
  comes from then on; the tracker tells by the numbers whose that is, with a history of both;
- somebody else's FIN far beyond: a row does not know the windows, and so not whether the capture
  has missed what is before it;
- what nothing but a timestamp from the past shows to be forged: rows keep none.

Of these, as of all, every segment is counted; following the connection tells the rest.
"""

from __future__ import annotations

import random

import pytest

pytest.importorskip("numpy")

from tcpviz.wire.frame import Frame
from tests.bulk import worlds
from tests.bulk.test_live_table import counted, followed, told
from tests.core.twoends import SERVER, scene


def frames(dice: random.Random, breaks: float = 0.4, **network: object) -> list[Frame]:
    """Some connections, each whole or up to some segment."""
    made = []
    for port in range(dice.randint(1, 6)):
        world = scene(dice.randrange(1 << 20), stamps=dice.random() < 0.5, **network)
        world.run(60_000)
        segments = [one.segment for one in world.capture]
        if any(one.src == SERVER and one.syn and not one.has_ack for one in segments):
            continue
        if dice.random() < breaks:
            segments = segments[: dice.randint(1, max(len(segments), 1))]
        six = dice.random() < 0.3
        ends = ("2001:db8::1", "2001:db8::2") if six else ("10.0.0.1", "10.0.0.2")
        made += [
            (worlds.BEGIN + one.time_ns, worlds.packet(one, ends, 2000 + port, at))
            for at, one in enumerate(segments, 1)
        ]
    made.sort(key=lambda each: each[0])
    return [Frame(time, 1, data, len(data), at) for at, (time, data) in enumerate(made, 1)]


def test_rows_stand_where_the_tracker_has_them() -> None:
    for seed in range(70):
        dice = random.Random(seed)
        captured = frames(dice)
        sizes = [dice.choice((1, 7, 50, 500)) for _ in range(3)]
        rows, taken = counted(captured, sizes)
        assert len(taken) == len(captured)
        assert [told(each) for each in rows] == [told(each) for each in followed(captured)], seed


GUESSED = ("rst", "rst far", "rst zero", "syn ack", "ack far", "fin near", "no ack")
"""Kinds of forged segments that rows know for what they are."""

MISLEADING = ("syn", "syn fin", "syn near", "fin far", "stale", "data near")


@pytest.mark.parametrize(
    ("network", "misled"),
    [
        ({"lost_before": 0.05, "lost_after": 0.05}, []),
        ({"copies": 0.1}, []),
        ({"late": 0.05}, [(19, 4)]),  # a late copy that looks like going on after a reset
        ({"forged": 0.06, "forgers": GUESSED}, []),
    ],
    ids=["lost", "doubled", "late", "forged"],
)
def test_so_they_do_where_segments_are_lost_doubled_late_or_guessed(network, misled):
    differ = []
    for seed in range(24):
        dice = random.Random(seed)
        captured = frames(dice, 0.0, **network)
        rows, _ = counted(captured, [dice.choice((1, 7, 50, 500)) for _ in range(3)])
        pairs = zip(rows, followed(captured), strict=True)
        differ += [(seed, one.id) for one, other in pairs if told(one) != told(other)]
    assert differ == misled


def test_whatever_is_forged_every_segment_is_counted():
    for seed in range(16):
        dice = random.Random(seed)
        captured = frames(dice, 0.0, forged=0.1, forgers=MISLEADING)
        rows, _ = counted(captured, [dice.choice((7, 500))])
        assert len(rows) == len(followed(captured))
        assert sum(each.client.segments + each.server.segments for each in rows) == len(captured)

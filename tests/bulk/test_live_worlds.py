"""Simulated hosts counted live: rows stand where the tracker has the connections.

On a network that loses nothing, wherever each connection is broken off. What differs knowingly is
a handshake with crossing SYNs, of which rows tell a time and the tracker none, and, of some 1200
connections 3, crossing FINs that were broken off or sent again, which rows take for heard sooner.
Where segments are lost, doubled or forged, rows tell what the latest numbers look like, and
following the connection tells the rest.
"""

from __future__ import annotations

import random

import pytest

pytest.importorskip("numpy")

from tcpviz.wire.frame import Frame
from tests.bulk import worlds
from tests.bulk.test_live_table import counted, followed, told
from tests.core.twoends import SERVER, scene


def frames(dice: random.Random) -> list[Frame]:
    """Some connections, each whole or up to some segment."""
    made = []
    for port in range(dice.randint(1, 6)):
        world = scene(dice.randrange(1 << 20), stamps=dice.random() < 0.5)
        world.run(60_000)
        segments = [one.segment for one in world.capture]
        if any(one.src == SERVER and one.syn and not one.has_ack for one in segments):
            continue
        if dice.random() < 0.4:
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

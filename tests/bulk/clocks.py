"""Clocks that do not run as they should: set, leaping, two of them, and cards that mix up order.

What comes out are the same packets in the same order, or two captures one behind the other, with
other times.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import replace

from tcpviz.wire.frame import Frame

SECOND = 1_000_000_000
DAY = 86_400 * SECOND
_US = 1000

Frames = Sequence[Frame]


def stepped(frames: Frames, dice: random.Random, share: float, most_ns: int) -> list[Frame]:
    """A ``share`` of them seen a little earlier than those before: several queues of a card."""
    return [
        replace(each, time_ns=each.time_ns - dice.randint(1, most_ns))
        if dice.random() < share
        else each
        for each in frames
    ]


def moved(frames: Frames, at: Sequence[int], by_ns: Callable[[], int]) -> list[Frame]:
    """The clock is set at some places."""
    out, off = [], 0
    places = set(at)
    for place, each in enumerate(frames):
        if place in places:
            off += by_ns()
        out.append(replace(each, time_ns=each.time_ns + off))
    return out


def slower(frames: Frames, factor: float) -> list[Frame]:
    """The same over a longer time, so that timers run out between."""
    first = frames[0].time_ns if frames else 0
    return [replace(f, time_ns=first + int((f.time_ns - first) * factor)) for f in frames]


def apart(frames: Frames, skew_ns: int, which: Callable[[Frame], bool]) -> list[Frame]:
    """Some of them by another clock: of another card, or another host."""
    return [
        replace(each, time_ns=each.time_ns + skew_ns) if which(each) else each for each in frames
    ]


def _numbered(frames: Frames) -> list[Frame]:
    return [replace(each, number=at) for at, each in enumerate(frames, 1)]


def strange(frames: Frames, dice: random.Random) -> list[Frame]:
    """One or two of these at a time."""
    made = slower(frames, dice.choice((1, 1, 5, 30, 300)))
    for _ in range(dice.choice((1, 1, 2))):
        places = dice.sample(range(len(made)), min(len(made), dice.choice((1, 1, 2, 8))))
        kind = dice.randrange(7)
        if kind == 0:
            made = stepped(made, dice, dice.choice((0.01, 0.1, 0.5)), 50 * _US)
        elif kind == 1:
            far = dice.choice((SECOND // 20, SECOND, 40 * SECOND, 60 * SECOND, 3600 * SECOND))
            made = moved(made, places, lambda far=far: -dice.randint(1, far))
        elif kind == 2:
            far = dice.choice((DAY + 1, DAY + SECOND, 30 * DAY))
            made = moved(made, places, lambda far=far: far + dice.choice((0, 1, 50)) * SECOND)
        elif kind == 3:
            far = dice.choice((50, 62, 70, 126, 128)) * SECOND
            made = moved(made, places, lambda far=far: far)
        elif kind == 4:
            skew = dice.choice((50 * _US, SECOND // 100, SECOND, 30 * SECOND, 57 * SECOND))
            other = dice.choice((lambda f: f.data[-1] & 1, lambda f: f.interface == 1))
            made = apart(made, skew * dice.choice((1, -1)), other)
        elif kind == 5:
            made = [*made[places[0] :], *made[: places[0]]]
        else:
            both = (DAY + SECOND, -dice.choice((SECOND, 59 * SECOND, 2 * DAY)))
            turn = dice.randrange(2)
            steps = [both[(turn + at) % 2] for at in range(len(places))]
            made = moved(made, places, steps.pop)
    return _numbered([each for each in made if each.time_ns >= 0])

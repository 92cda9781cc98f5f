"""The search for dead cycles waits until nobody waits."""

from __future__ import annotations

import gc
import weakref

from tcpviz.ui.rubbish import LEAST_S, QUIET_S, SHARE, YOUNG, Rubbish


class Knot:
    """Two that hold each other: nothing but a search finds that they are dead."""

    def __init__(self) -> None:
        self.other = self


def test_all_is_looked_through_when_nobody_touches_anything_and_seldom():
    now = [1000.0]
    rubbish = Rubbish(lambda: now[0])
    former = gc.get_threshold()
    assert not rubbish.look()  # before it begins it does nothing
    rubbish.begin()
    try:
        assert gc.get_threshold() == YOUNG
        knot = Knot()
        gc.collect(1)  # now it is old, and only a search through everything finds it
        told = weakref.ref(knot)
        del knot
        now[0] += LEAST_S + 1
        rubbish.touched = now[0] - QUIET_S / 2
        assert not rubbish.look()
        assert told() is not None
        now[0] += QUIET_S
        assert rubbish.look()
        assert told() is None
        assert not rubbish.look()
        assert rubbish.times == 1
    finally:
        rubbish.end()
    assert gc.get_threshold() == former
    assert gc.get_freeze_count() == 0


def test_a_search_that_takes_long_is_made_the_more_seldom():
    now = [0.0]

    def clock() -> float:
        now[0] += 0.5  # each look at the clock: a search takes half a second
        return now[0]

    rubbish = Rubbish(clock)
    rubbish.begin()
    try:
        now[0] = LEAST_S + QUIET_S + 1
        assert rubbish.look()
        now[0] += SHARE * 0.5 - 10
        assert not rubbish.look()
        now[0] += 10
        gc.disable()  # a young search of Python's own would count as something that came
        assert not rubbish.look()  # nothing has come since
        gc.collect(0)
        assert rubbish.look()
    finally:
        gc.enable()
        rubbish.end()

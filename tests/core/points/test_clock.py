"""Two simulated clocks whose truth is known: it lies within what is called possible."""

import math
import random

from hypothesis import given, settings
from hypothesis import strategies as st

from tcpviz.core.points.clock import PairClock

SECOND = 1_000_000_000
START = 1_700_000_000 * SECOND


class Clocks:
    """A second clock that is ``ahead`` at the start and gains ``drift`` (1e-6: one ppm)."""

    def __init__(self, ahead: int, drift: float) -> None:
        self.ahead, self.drift = ahead, drift

    def second(self, time_ns: int) -> int:
        return time_ns + self.at(time_ns)

    def at(self, time_ns: int) -> int:
        return self.ahead + round(self.drift * (time_ns - START))


def run(clocks, *, seconds, count, least, jitter, chance, clock=None, start=START):
    """``count`` segments to and fro; their delays are ``least`` and more."""
    clock = clock or PairClock()
    for number in range(count):
        true = start + number * seconds * SECOND // count
        delay = least + round(chance.expovariate(1) * jitter)
        if chance.random() < 0.5:
            clock.add(True, true, clocks.second(true + delay) - true)
        else:
            clock.add(False, true + delay, clocks.second(true) - (true + delay))
    return clock


@settings(max_examples=12, deadline=None)
@given(
    ahead=st.integers(-(10**15), 10**15),
    ppm=st.integers(-400, 400),
    least=st.integers(1_000, 50_000_000),
    jitter=st.integers(0, 30_000_000),
    seconds=st.integers(1, 3600),
    seed=st.integers(0, 10**6),
)
def test_the_truth_is_within_what_is_possible(ahead, ppm, least, jitter, seconds, seed):
    clocks = Clocks(ahead, ppm * 1e-6)
    clock = run(
        clocks, seconds=seconds, count=300, least=least, jitter=jitter, chance=random.Random(seed)
    )
    assert clock.mistakes == 0
    (piece,) = clock.pieces
    for part in range(-1, 12):
        moment = START + part * seconds * SECOND // 10
        reading = clock.at(moment)
        assert reading.low - 2 <= clocks.at(moment) <= reading.high + 2
    if piece.round_trip is not None:
        assert piece.slopes[0] - 1e-9 <= ppm * 1e-6 <= piece.slopes[1] + 1e-9
        assert piece.round_trip >= 0.98 * 2 * least - 10


def test_a_long_capture_knows_the_drift_and_the_offset_to_half_the_round_trip():
    clocks = Clocks(1_234_567_890, 37e-6)
    chance = random.Random(1)
    clock = run(clocks, seconds=600, count=6000, least=10_000_000, jitter=4_000_000, chance=chance)
    (piece,) = clock.pieces
    assert abs(piece.slope - 37e-6) < 1e-6
    reading = clock.at(START + 300 * SECOND)
    assert abs(reading.ahead - clocks.at(START + 300 * SECOND)) < 200_000
    assert 9_900_000 < reading.uncertainty < 10_500_000
    back = clocks.second(START + 100 * SECOND)
    assert abs(clock.first_clock(back) - (START + 100 * SECOND)) < 400_000


def test_delays_that_differ_by_direction_shift_the_estimate_but_not_out_of_the_bounds():
    clock = PairClock()
    for number in range(100):
        now = START + number * SECOND
        clock.add(True, now, 30_000_000)
        clock.add(False, now, -2_000_000)
    reading = clock.at(START)
    assert abs(reading.ahead - 14_000_000) < 10  # half of 28 ms, though the truth is 0
    assert reading.low <= 0 <= reading.high


def test_one_direction_alone_bounds_one_side():
    clock = PairClock()
    clock.add(True, START, 5_000_000)
    reading = clock.at(START)
    assert reading.high == 5_000_000
    assert reading.low == -math.inf
    assert reading.uncertainty == math.inf
    assert not clock.known


def test_a_clock_that_is_set_begins_a_new_piece():
    chance = random.Random(2)
    clock = PairClock()
    common = {"seconds": 60, "count": 400, "least": 5_000_000, "jitter": 1_000_000}
    run(Clocks(0, 0), clock=clock, chance=chance, **common)
    for far in (SECOND, -3 * SECOND):
        later = clock.pieces[-1].last_ns + SECOND
        run(Clocks(far, 0), clock=clock, chance=chance, start=later, **common)
        clock.settle()
        assert abs(clock.at(later + 30 * SECOND).ahead - far) < 6_000_000
    assert len(clock.pieces) == 3
    assert abs(clock.at(START + 30 * SECOND).ahead) < 6_000_000


def test_a_few_mistaken_pairs_change_nothing():
    chance = random.Random(3)
    clocks = Clocks(7_000_000, 10e-6)
    clock = run(clocks, seconds=30, count=500, least=5_000_000, jitter=100_000, chance=chance)
    before = clock.at(START + 31 * SECOND).ahead
    for _ in range(3):
        clock.add(True, START + 31 * SECOND, -SECOND)
    run(
        clocks,
        seconds=30,
        count=500,
        least=5_000_000,
        jitter=100_000,
        chance=chance,
        clock=clock,
        start=START + 31 * SECOND,
    )
    assert len(clock.pieces) == 1
    assert clock.mistakes == 3
    assert abs(clock.at(START + 31 * SECOND).ahead - before) < 5_000_000

"""The census against counting everything anew, at every step and in any order."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from tcpviz.core.census import STATES, Census, code_of
from tcpviz.core.claims import Certainty, Claim, Phase, PhaseName
from tcpviz.core.records import Side
from tcpviz.core.states import State
from tcpviz.core.timeline import Step, StepKind

SECOND = 1_000_000_000
EPOCH = 1_800_000_000 * SECOND
PHASE = Phase(PhaseName.DATA)


def steps(count: int, seed: int) -> list[Step]:
    """Ends that move at random, a step each quarter of a second."""
    chance = random.Random(seed)
    claims: dict[int, list[Claim]] = {}
    made = []
    for index in range(count):
        ident = chance.randint(1, 12)
        pair = claims.setdefault(ident, [Claim(State.CLOSED, Certainty.SEEN)] * 2)
        sure = chance.choice([Certainty.SEEN, Certainty.INFERRED, Certainty.UNKNOWN])
        pair[chance.randrange(2)] = Claim(chance.choice(list(State)), sure)
        made.append(
            Step(
                index,
                EPOCH + index * SECOND // 4,
                StepKind.SEGMENT,
                ident,
                Side.CLIENT,
                pair[0],
                pair[1],
                PHASE,
            )
        )
    return made


def counted(upto: list[Step]) -> tuple[Counter, dict]:
    """(ends by state, when the oldest came to each) by going through all the steps."""
    now: dict[tuple[int, int], tuple[int, int]] = {}
    for step in upto:
        for side, claim in enumerate((step.client, step.server)):
            key = (step.connection or 0, side)
            if key not in now or now[key][0] != code_of(claim):
                now[key] = (code_of(claim), step.time_ns)
    oldest: dict[int, int] = {}
    for code, since in now.values():
        oldest[code] = min(since, oldest.get(code, since))
    return Counter(code for code, _ in now.values()), oldest


@pytest.mark.parametrize("seed", range(5))
def test_counts_and_ages_at_any_step_in_any_order(seed):
    made, census = steps(400, seed), Census()
    for step in made:
        census.add(step)
    order = [*range(-1, 400, 7), *random.Random(seed).choices(range(400), k=150), 399, 0]
    for index in order:
        assert census.seek(index)
        counts, oldest = counted(made[: index + 1])
        for code, tally in enumerate(census.tallies(made[max(index, 0)].time_ns)):
            assert tally.count == counts[code]
            if tally.state is not State.CLOSED:
                assert tally.since_ns == oldest.get(code)


def test_rates_count_what_came_in_the_last_seconds():
    census = Census()
    listen, here = Claim(State.LISTEN, Certainty.SEEN), Claim(State.SYN_RECEIVED, Certainty.SEEN)
    for second in range(30):  # five a second, from second 10 on
        for number in range(5 if second >= 10 else 1):
            at = second * SECOND + number
            ident = second * 5 + number + 1
            claims = (listen, here if second >= 10 else listen)
            kind = StepKind.SEGMENT
            census.add(Step(ident, at, kind, ident, Side.CLIENT, *claims, PHASE))
    census.seek(10_000)
    by_state = {each.state: each for each in census.tallies(30 * SECOND)}
    assert by_state[State.SYN_RECEIVED].rate == 5.0
    assert by_state[State.SYN_RECEIVED].count == 100
    assert census.recent(State.SYN_RECEIVED, 12 * SECOND, 4) == [0, 0, 5, 5]


def test_a_forgotten_connection_leaves_and_can_be_gone_back_to():
    made, census = steps(60, 1), Census()
    for step in made:
        census.add(step)
    census.keep_only({1, 2}, 59, made[-1].time_ns)
    census.seek(59)
    assert census.ends == 4
    census.seek(58)
    assert census.ends == sum(counted(made[:59])[0].values())


def test_what_the_timeline_forgot_stays_counted():
    made, census = steps(9000, 2), Census()
    for step in made:
        census.add(step)
    census.seek(8999)
    before = [each.count for each in census.tallies(0)]
    census.forget(8000)
    assert len(census._index) < 3000
    census.seek(8000)
    census.seek(8999)
    assert [each.count for each in census.tallies(0)] == before


def test_it_breaks_off_and_goes_on():
    made, census = steps(3000, 3), Census()
    for step in made:
        census.add(step)
    assert not census.seek(2999, lambda: True)
    while not census.seek(2999, lambda: True):
        pass
    counts, _ = counted(made)
    assert [each.count for each in census.tallies(0)] == [counts[n] for n in range(len(STATES))]

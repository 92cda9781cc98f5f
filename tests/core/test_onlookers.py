"""Who looks on: connections that have ended, each once; counts; several as one."""

from __future__ import annotations

import pytest

from tcpviz.core.ended import LINGER_NS, Ended
from tcpviz.core.meter import UNKNOWN, Meter
from tcpviz.core.onlooker import Onlookers
from tcpviz.core.segment import Endpoint
from tcpviz.core.tracker import Tracker
from tcpviz.core.verdicts import Code
from tests.core.dialogue import MS, Talk

SECOND = 1_000_000_000


def closed(talk: Talk) -> Talk:
    talk.client("FA")
    talk.server("FA")
    talk.client("A")
    return talk


def test_a_connection_is_given_once_and_some_time_after_its_end() -> None:
    talk, ended = Talk(), Ended()
    closed(talk.handshake())
    ended.steps(talk.steps, talk.tracker)
    assert ended.look(talk.tracker, talk.now) == []
    last = talk.server("A")  # what comes late is counted still
    ended.steps(talk.steps[-1:], talk.tracker)
    assert last.frame == 7
    given = ended.look(talk.tracker, talk.now + LINGER_NS)
    assert [each.id for each in given] == [1]
    assert given[0].server.segments == 3
    talk.server("A")
    ended.steps(talk.steps[-1:], talk.tracker)
    assert ended.look(talk.tracker, talk.now + 10 * LINGER_NS) == ended.rest() == []


def test_what_has_not_ended_comes_at_the_end() -> None:
    talk, ended = Talk(), Ended()
    talk.handshake()
    ended.steps(talk.steps, talk.tracker)
    assert ended.look(talk.tracker, talk.now + 100 * LINGER_NS) == []
    assert [each.id for each in ended.rest()] == [1]


def test_what_is_evicted_is_given_all_the_same_and_no_more_is_kept_than_followed() -> None:
    tracker, ended = Tracker(keep=False, max_connections=32), Ended()
    given: list[int] = []
    for port in range(1000):
        talk = Talk(client=Endpoint("10.0.0.1", 1024 + port), tracker=tracker)
        talk.now += port * MS
        talk.client("S")
        ended.steps(talk.steps, tracker)
        given += [each.id for each in ended.look(tracker, talk.now)]
        assert len(ended._known) <= 32 + 4
    given += [each.id for each in ended.rest()]
    assert sorted(given) == list(range(1, 1001))
    assert len(given) == len(set(given))
    assert len(ended._given) <= 2 * 32 + 1000


def test_the_meter_counts_marks_states_and_verdicts() -> None:
    talk, meter = Talk(), Meter(lambda: 0.0)
    talk.handshake()
    talk.client("PA", 5)
    talk.now += SECOND
    talk.client("PA", 5, seq=1)
    talk.server("R")
    meter.steps(talk.steps, talk.tracker)
    meter.look(talk.tracker, talk.now)
    assert meter.connections == 1
    assert meter.marks == {"retransmission": 1}
    assert meter.resets == 1
    assert meter.entered["ESTABLISHED"] == 2
    assert meter.states(talk.tracker) == {("client", "CLOSED"): 1, ("server", "CLOSED"): 1}
    meter.look(talk.tracker, talk.now + LINGER_NS)
    assert +meter.ended == {Code.RESET: 1}
    assert +meter.open == {}
    assert sum(meter.handshakes) == 1
    assert meter.handshakes_ns == 2 * MS


def test_open_connections_change_their_verdict_and_go() -> None:
    talk, meter = Talk(tracker=Tracker(max_connections=1)), Meter(lambda: 0.0)
    talk.client("S")
    meter.steps(talk.steps, talk.tracker)
    meter.look(talk.tracker, talk.now)
    (before,) = +meter.open
    talk.server("SA")
    talk.client("A")
    meter.steps(talk.steps[1:], talk.tracker)
    meter.look(talk.tracker, talk.now)
    assert +meter.open == {Code.OPEN: 1}
    assert before is not Code.OPEN
    other = Talk(client=Endpoint("10.0.0.9", 9), tracker=talk.tracker, start_ns=talk.now)
    other.client("A")
    meter.steps(other.steps, talk.tracker)
    meter.look(talk.tracker, other.now)
    meter.forget_gone(talk.tracker)
    assert sum(meter.open.values()) == 1
    assert meter.states(talk.tracker)["server", UNKNOWN] <= 1


def test_verdicts_take_no_longer_than_their_budget() -> None:
    ticks = iter(range(10**9))
    meter = Meter(lambda: next(ticks) / 1000)  # each look at the clock is a millisecond later
    tracker = Tracker(keep=False)
    for port in range(50):
        talk = Talk(client=Endpoint("10.0.0.1", 1024 + port), tracker=tracker)
        talk.client("S")
        meter.steps(talk.steps, tracker)
    meter.look(tracker, talk.now)
    assert 0 < sum(meter.open.values()) < 10
    for _ in range(40):
        meter.look(tracker, talk.now)
    assert sum(meter.open.values()) == 50


def test_the_end_is_told_to_each_even_if_one_fails() -> None:
    told: list[str] = []

    class Eye:
        done = False
        attention = None

        def __init__(self, name: str, fails: bool = False) -> None:
            self.name, self.fails = name, fails

        def steps(self, steps, tracker) -> None: ...
        def look(self, tracker, now_ns) -> None: ...

        def end(self, tracker, now_ns) -> None:
            told.append(self.name)
            if self.fails:
                raise BrokenPipeError

    eyes = Onlookers([Eye("a"), Eye("b", fails=True), Eye("c")])
    with pytest.raises(BrokenPipeError):
        eyes.end(Tracker(), 0)
    assert sorted(told) == ["a", "b", "c"]

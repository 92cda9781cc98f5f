"""Troubles: verdicts of many connections put together, and what none of them shows alone."""

from __future__ import annotations

from tcpviz.core.segment import Endpoint
from tcpviz.core.troubles import EPHEMERAL, Gathering
from tcpviz.core.verdict_codes import Severity
from tcpviz.views import troubles
from tcpviz.views.filter import compile as filter_of
from tests.core.dialogue import Talk

MS = 1_000_000
WEB, SLOW = Endpoint("10.0.0.80", 80), Endpoint("10.0.0.81", 80)


def talk(number, server=WEB, client="10.1.0.1"):
    return Talk(client=Endpoint(client, 20000 + number), server=server, start_ns=number * 1000 * MS)


def connection(talked):
    (made,) = talked.tracker.connections.values()
    return made


def refused(number):
    made = talk(number)
    made.client("S")
    made.server("RA")
    return connection(made)


def opened(number, rtt_ms, server=WEB):
    made = talk(number, server)
    made.client("S")
    made.now += rtt_ms * MS
    made.server("SA")
    made.client("A")
    return connection(made)


def closed(number, client="10.1.0.1"):
    made = talk(number, client=client)
    made.handshake()
    made.client("FA")
    made.server("A")
    made.server("FA")
    made.client("A")
    return connection(made)


def gathered(*connections, now=None):
    gathering = Gathering()
    for one in connections:
        gathering.add(one, now)
    return gathering.troubles()


def test_the_same_wrong_in_one_place_is_one_trouble():
    bad = [refused(number) for number in range(3)]
    (found,) = gathered(*bad, closed(7), closed(8))
    assert (found.code, found.where, found.count, found.of) == ("refused", "10.0.0.80:80", 3, 5)
    assert troubles.sentence(found) == ("10.0.0.80:80 refuses: 3 of 5 connections answered by RST")
    fits = filter_of(troubles.words(found)).matches
    assert [fits(one, one.last_ns) for one in (*bad, closed(7))] == [True, True, True, False]


def test_what_ends_well_is_no_trouble():
    assert gathered(*(closed(number) for number in range(30))) == []
    assert "no trouble" in troubles.text([])


def test_slow_for_some_is_seen_only_among_many():
    quick = [opened(number, 10, SLOW) for number in range(90)]
    slow = [opened(100 + number, 900, SLOW) for number in range(10)]
    few = gathered(*quick[:9], slow[0])
    assert all(each.code != "slow-handshakes" for each in few)
    found = {each.code: each for each in gathered(*quick, *slow)}["slow-handshakes"]
    assert (found.where, found.count, found.of) == ("10.0.0.81:80", 10, 100)
    assert 10 * MS <= found.facts["half_ns"] < 20 * MS
    assert found.facts["most_ns"] >= 900 * MS
    said = troubles.sentence(found)
    assert said.startswith("handshakes with 10.0.0.81:80 take 1")
    fits = filter_of(troubles.words(found)).matches
    assert sum(fits(one, one.last_ns) for one in (*quick, *slow)) == 10


def test_ports_that_run_out():
    one = closed(1)
    gathering = Gathering()
    for _ in range(EPHEMERAL * 6 // 10):
        gathering.add(one)
    (found,) = gathering.troubles()
    assert (found.code, found.severity) == ("ports-running-out", Severity.WARNING)
    assert found.where == "10.1.0.1 to 10.0.0.80:80"
    assert "59 %" in troubles.sentence(found) or "60 %" in troubles.sentence(found)
    assert filter_of(troubles.words(found)).matches(one, one.last_ns)


def test_places_are_bounded_and_what_is_left_out_is_counted(monkeypatch):
    monkeypatch.setattr("tcpviz.core.troubles.MOST_GROUPS", 2)
    gathering = Gathering()
    for number in range(5):
        made = talk(number, Endpoint("10.0.0.9", 100 + number))
        made.client("S")
        made.server("RA")
        gathering.add(connection(made))
    assert len(gathering.troubles()) == 2
    assert gathering.left_out == 3


def test_every_text_takes_what_it_is_given():
    for code in (*troubles.TEXTS, "middlebox-suspected"):
        where = "[2001:db8::1]:80"
        if code == "ports-running-out":
            where = f"10.1.0.1 to {where}"
        found = troubles.Trouble(
            code, Severity.BAD, where, 2, 3, 5 * MS,
            {"half_ns": 1, "most_ns": 2, "share": 60},
        )  # fmt: skip
        assert "2001:db8::1" in troubles.sentence(found)
        filter_of(troubles.words(found))

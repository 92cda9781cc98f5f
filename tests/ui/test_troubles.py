"""!: what goes wrong among all connections, and Enter lists the ones meant."""

from __future__ import annotations

import itertools

import pytest

from tcpviz.core.segment import Endpoint
from tcpviz.ui import lookout
from tcpviz.ui.app import TcpvizApp
from tcpviz.ui.troubles import TroublesScreen
from tests.ui.fakes import FakeFeed, Recorder, conversation
from tests.ui.test_app import QUIET, running, settle, text

SERVER = Endpoint("10.9.9.9", 81)


def refused(number):
    talk = Recorder(client=Endpoint("10.3.3.3", 30000 + number), server=SERVER, start_ns=2 * 10**9)
    talk.client("S")
    talk.server("RA")
    return talk.records


def app_of(bad):
    good = itertools.chain.from_iterable(conversation(n) for n in range(5))
    wrong = itertools.chain.from_iterable(refused(n) for n in range(bad))
    return TcpvizApp(FakeFeed([*good, *wrong], title="trace.pcapng"), behaviour=QUIET)


def sheet(app):
    assert isinstance(app.screen, TroublesScreen)
    return "\n".join("".join(span.text for span in each) for each in app.screen.lines(80, 23))


async def test_troubles_lead_to_their_connections():
    app = app_of(3)
    async with running(app) as pilot:
        await pilot.press("exclamation_mark")
        await settle(pilot, lambda: "in 8 connections" in sheet(app))
        assert "▸! 3  10.9.9.9:81 refuses: 3 of 3 connections answered by RST" in sheet(app)
        assert "Enter lists verdict:refused server:10.9.9.9 server.port:81" in sheet(app)
        await pilot.press("down", "up", "enter")
        assert not isinstance(app.screen, TroublesScreen)
        assert "3 of 8" in text(app, "connections")


async def test_nothing_wrong_is_said():
    app = app_of(0)
    async with running(app) as pilot:
        await pilot.press("exclamation_mark")
        await settle(pilot, lambda: "no trouble found" in sheet(app))
        await pilot.press("enter", "escape")
        assert not isinstance(app.screen, TroublesScreen)


async def test_it_leads_to_the_ladder_of_the_worst_one():
    app = app_of(3)
    async with running(app) as pilot:
        await pilot.press("exclamation_mark")
        await settle(pilot, lambda: "l shows connection" in sheet(app))
        await pilot.press("l")
        assert not isinstance(app.screen, TroublesScreen)
        chosen = app.session.tracker.connections[app.session.selected]
        assert chosen.refused
        assert "RST" in text(app, "chart")


async def test_one_connection_is_one():
    app = TcpvizApp(FakeFeed(refused(0)), behaviour=QUIET)
    async with running(app) as pilot:
        await pilot.press("exclamation_mark")
        await settle(pilot, lambda: "in 1 connection" in sheet(app))
        assert "in 1 connections" not in sheet(app)
        assert "A host answers so where nobody listens" in sheet(app)


def capture_of(monkeypatch):
    monkeypatch.setattr(lookout, "SETTLED_S", 0.0)
    feed = FakeFeed([*itertools.chain.from_iterable(refused(n) for n in range(3))], hold=True)
    feed.interfaces = []
    return TcpvizApp(feed, live=True, behaviour=QUIET)


def came(app):
    return lambda: len(app.session.tracker.connections) == 3


async def test_a_capture_opens_on_its_troubles(monkeypatch):
    app = capture_of(monkeypatch)
    async with running(app, until=came(app)) as pilot:
        await settle(pilot, lambda: isinstance(app.screen, TroublesScreen))
        assert "10.9.9.9:81 refuses" in sheet(app)
        await pilot.press("escape")
        assert not isinstance(app.screen, TroublesScreen)
        await settle(pilot, lambda: "! 1 trouble" in text(app, "status"))


async def test_it_does_not_come_over_what_somebody_is_doing_already(monkeypatch):
    monkeypatch.setattr(lookout, "BEAT_S", 1000.0)
    app = capture_of(monkeypatch)
    async with running(app, until=came(app)) as pilot:
        screen = app.screen_stack[0]
        watch = lookout.Lookout(screen, lambda judge: pytest.fail("it came"))
        await pilot.press("z")
        while not app.session.troubles:
            watch.beat()
        assert not isinstance(app.screen, TroublesScreen)


async def test_what_is_chosen_stays_chosen_when_worse_comes_before_it(monkeypatch):
    app = capture_of(monkeypatch)
    monkeypatch.setattr("tcpviz.ui.troubles.AGAIN_S", 0.0)
    async with running(app, until=came(app)) as pilot:
        await settle(pilot, lambda: isinstance(app.screen, TroublesScreen))
        assert "▸! 3  10.9.9.9:81 refuses" in sheet(app)
        other = Endpoint("10.9.9.8", 82)
        for number in range(5):
            talk = Recorder(client=Endpoint("10.4.4.4", 20000 + number), server=other)
            talk.client("S")
            talk.server("RA")
            app.session.feed.more(talk.records)
        await settle(pilot, lambda: "! 5  10.9.9.8:82 refuses" in sheet(app))
        assert "▸! 3  10.9.9.9:81 refuses" in sheet(app)

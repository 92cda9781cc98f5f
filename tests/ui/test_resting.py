"""Nothing runs while nothing happens: no beat, and nobody looks whether a key was pressed."""

from __future__ import annotations

import selectors

import pytest

pytest.importorskip("textual.drivers.linux_driver")

from textual._xterm_parser import XTermParser

from tcpviz.ui import beating, screen
from tcpviz.ui.app import TcpvizApp
from tcpviz.ui.driver import Ending, _patience
from tcpviz.ui.playback import Mode, Pace
from tcpviz.ui.terminal import Manners
from tests.ui.fakes import FakeFeed, conversation, scenario
from tests.ui.test_app import running, settle


def beats(app: TcpvizApp) -> bool:
    timer = app._main.beats
    assert timer is not None
    return timer._active.is_set()


async def test_a_file_that_has_been_read_lets_the_beat_rest_and_a_key_wakes_it(monkeypatch):
    monkeypatch.setattr(beating, "REST_AFTER_S", 0.0)
    feed = FakeFeed([record for n in range(3) for record in conversation(n, 4)])
    app = TcpvizApp(feed, behaviour=Manners(motion=False, period_s=0.01))
    async with running(app) as pilot:
        await settle(pilot, lambda: not beats(app))
        monkeypatch.setattr(beating, "REST_AFTER_S", 1000.0)
        await pilot.press("down")
        assert beats(app)
        # What plays by itself goes on however long nobody touches anything.
        monkeypatch.setattr(beating, "REST_AFTER_S", 0.0)
        app.session.playback.replay(0.0)
        assert app.session.mode is Mode.PLAYING
        await settle(pilot, lambda: app.session.cursor.index >= 2)
        assert not app.session.resting
        await pilot.press("space")
        await settle(pilot, lambda: not beats(app))


async def test_a_beat_while_the_program_ends_finds_no_widgets_and_asks_for_none():
    feed = FakeFeed([record for n in range(3) for record in conversation(n, 4)])
    app = TcpvizApp(feed, behaviour=Manners(motion=False, period_s=1000.0))
    async with running(app):
        main = app._main
        await main.query_one("#lower").remove()
        app._running = False  # as App._shutdown has it, before it takes the widgets away
        main._seen, main._planned_for = (), None
        main.beat()
        main.redraw_if_changed()
        app._running = True


async def test_a_lesson_and_a_feed_that_goes_on_are_not_left_alone(monkeypatch):
    monkeypatch.setattr(beating, "REST_AFTER_S", 0.0)
    feed = FakeFeed(scenario())
    app = TcpvizApp(feed, pace=Pace(), behaviour=Manners(motion=False, period_s=0.01))
    async with running(app) as pilot:
        for _ in range(20):
            await pilot.pause(0.01)
        assert beats(app)
        assert not app.session.resting


def test_only_what_may_be_a_longer_keys_beginning_is_waited_for():
    parser = XTermParser()
    assert _patience(parser) is None
    list(parser.feed("a"))
    assert _patience(parser) is None
    list(parser.feed("\x1b"))
    patience = _patience(parser)
    assert patience is not None
    assert 0 <= patience < 1
    list(parser.feed("[A"))
    assert _patience(parser) is None


def test_the_end_wakes_whoever_waits_for_a_key():
    ending = Ending()
    with selectors.SelectSelector() as selector:
        selector.register(ending.ear, selectors.EVENT_READ)
        assert selector.select(0) == []
        ending.set()
        assert selector.select(None)
        assert ending.is_set()
        ending.clear()
        assert selector.select(0) == []
        assert not ending.is_set()


async def test_a_rush_is_drawn_now_and_then_and_a_key_is_answered_at_once(monkeypatch):
    monkeypatch.setattr(screen, "RUSHING_S", 1000.0)
    monkeypatch.setattr(beating, "BUDGET_S", 10.0)  # what comes together is taken together
    feed = FakeFeed(conversation(0), hold=True)
    app = TcpvizApp(feed, live=True, behaviour=Manners(motion=False, period_s=0.01))
    async with running(app, until=lambda: len(app.session.timeline) > 0) as pilot:
        drawn, main = [], app._main
        redraw = main.redraw
        monkeypatch.setattr(main, "redraw", lambda: (drawn.append(1), redraw())[1])
        before = len(app.session.timeline)
        feed.more(conversation(1))  # a few: each is seen
        await settle(pilot, lambda: bool(drawn))
        await settle(pilot, lambda: main._drawn_steps == len(app.session.timeline) > before)
        drawn.clear()
        before = len(app.session.timeline)
        feed.more([one for n in range(2, 12) for one in conversation(n)])
        await settle(pilot, lambda: len(app.session.timeline) >= before + screen.RUSH)
        for _ in range(10):
            main.beat()
            await pilot.pause()
        assert drawn == []
        await pilot.press("down")
        assert drawn
        monkeypatch.setattr(screen, "RUSHING_S", 0.0)
        drawn.clear()
        feed.more([one for n in range(12, 22) for one in conversation(n)])
        await settle(pilot, lambda: bool(drawn))

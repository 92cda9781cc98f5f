"""The hand and the keys about it: with the lab's own control, and with the lab itself."""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from tcpviz.core.records import Doer, Side
from tcpviz.core.segment import Endpoint, Flags, Segment
from tcpviz.core.states import State
from tcpviz.core.timeline import Timeline
from tcpviz.lab.control import LabControl
from tcpviz.lab.feed import LabFeed
from tcpviz.lab.scenarios import load
from tcpviz.sources.feed import Feed, FeedStatus, SourceError
from tcpviz.ui.app import TcpvizApp
from tcpviz.ui.hand import Hand
from tcpviz.ui.keys import hinted
from tcpviz.ui.plan import Pane
from tcpviz.ui.playback import Mode
from tcpviz.views.spans import plain_line, width
from tests.ui.test_app import QUIET, SLOW, screen, settle, state_of, text

CLIENT, SERVER = Endpoint("10.0.0.1", 40001), Endpoint("10.0.0.2", 7777)


# -- the model, with the lab's control and a channel that only listens ----------


class Wire:
    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []

    def send(self, message: dict[str, Any], data: bytes = b"") -> None:
        assert not data
        self.sent.append({name: value for name, value in message.items() if name != "k"})


class Held2:
    """A feed's shadow with two segments in the person's hand: the client's 3, the server's 4."""

    def __init__(self) -> None:
        self.title = "test"
        self.status = FeedStatus()
        self.control = LabControl(step=True, delay_ms=(5, 5), loss=(0, 0), jitter_ms=0, seed=1)
        self.wire = Wire()
        self.control.begin(self.wire)  # type: ignore[arg-type]
        self.hold(3, 4)

    def hold(self, *numbers: int, **more: object) -> None:
        segments = {
            number: Segment(
                time_ns=1, src=CLIENT, dst=SERVER, seq=1, ack=1, flags=Flags.FIN | Flags.ACK,
                window=1, payload_len=0, frame=number, interface=number % 2 == 0,
            )
            for number in numbers
        }  # fmt: skip
        usual = {"since_ns": 10, "by": "person", "swallowed": 0}
        usual |= {"behind": False, "copy": False, "changed": False, **more}
        held = [{"n": number, **usual} for number in numbers]
        self.control.take({"held": held, "paused_ns": 7}, segments)


def hand_of(feed: Held2, now: int = 12_300_000_010) -> Hand:
    return Hand(feed, clock_ns=lambda: now)  # type: ignore[arg-type]


def test_orders_are_about_the_chosen_segment() -> None:
    feed = Held2()
    hand = hand_of(feed)
    assert hand.blocks
    for what in ("drop", "duplicate", "behind_next", "corrupt"):
        assert hand.order(what)
    assert hand.choose_next()
    assert hand.let_go()
    done = [(one["do"], one["n"]) for one in feed.wire.sent]
    assert done == [("drop", 3), ("duplicate", 3), ("behind", 3), ("corrupt", 3), ("deliver", 4)]


def test_a_delay_is_chosen_in_steps_and_given_when_it_is_let_go() -> None:
    feed = Held2()
    hand = hand_of(feed)
    assert hand.more_delay()
    assert hand.more_delay()
    assert hand.more_delay()
    assert feed.wire.sent == []
    said = plain_line(hand.line(Timeline(), 100, at_end=True, ascii_only=False))
    assert "arrives 1.5 s after you let it go" in said
    assert hand.let_go()
    assert feed.wire.sent == [{"do": "delay", "n": 3, "ms": 1500.0}]
    hand.more_delay()
    assert hand.cancel_delay()
    assert not hand.cancel_delay()
    assert hand.let_go()
    assert feed.wire.sent[-1] == {"do": "deliver", "n": 3}


def test_what_left_the_hand_meanwhile_is_not_meant_any_more() -> None:
    feed = Held2()
    hand = hand_of(feed)
    hand.choose_next()
    feed.hold(5)
    assert hand.chosen is not None
    assert hand.chosen.frame == 5
    feed.hold()
    assert not hand.order("drop")
    assert not hand.let_go()
    assert not hand.more_delay()
    assert not hand.choose_next()


def test_the_scripts_hand_is_not_the_persons() -> None:
    feed = Held2()
    feed.hold(3, by=Doer.SCRIPT.value)
    assert hand_of(feed).chosen is None


def test_the_cable_gets_slower_and_faster_between_its_limits() -> None:
    feed = Held2()
    hand = hand_of(feed)
    ways = [hand.change_way(True) for _ in range(12)]
    assert ways == sorted(ways, key=float)  # type: ignore[arg-type]
    assert ways[0] == 20
    assert ways[-1] == ways[-2] == 10_000
    for _ in range(20):
        hand.change_way(False)
    assert feed.control.delay_ms(Side.CLIENT) == 0
    assert {one["side"] for one in feed.wire.sent} == {"client", "server"}


@pytest.mark.parametrize("ascii_only", [False, True])
def test_the_row_says_what_is_held_since_when_and_what_was_done(ascii_only: bool) -> None:
    feed = Held2()
    feed.hold(3, swallowed=3, changed=True, copy=True)
    line = hand_of(feed).line(Timeline(), 200, at_end=False, ascii_only=ascii_only)
    said = plain_line(line)
    for words in ("12.3 s", "client's FIN", "End returns", "3 times", "corrupted", "a copy"):
        assert words in said
    assert not ascii_only or said.isascii()
    for cells in range(60, 200):
        line = hand_of(feed).line(Timeline(), cells, at_end=False, ascii_only=ascii_only)
        assert width(line) <= max(cells, 60)


def test_without_a_lab_every_question_has_an_answer() -> None:
    feed = Held2()
    feed.status.done = True
    hand = hand_of(feed)
    assert not hand.stepping
    assert not hand.blocks
    assert hand.held == ()
    assert hand.change_way(True) is None
    assert hand.line(Timeline(), 80, at_end=True, ascii_only=False) == ()


def test_the_hints_name_what_can_be_done_now() -> None:
    named = {action.name for action in hinted(Pane.CHART)}
    assert "drop" not in named
    assert "step_mode" not in named
    assert "step_mode" in {action.name for action in hinted(Pane.CHART, lab=True)}
    assert {"pause", "drop", "duplicate", "delay", "behind", "corrupt"} <= {
        action.name for action in hinted(None, holding=True)
    }


# -- the screen over the real lab ------------------------------------------------


def lab(name: str = "handshake", **options: Any) -> LabFeed:
    return LabFeed(load(name), on="cable", **{"step": True, **options})


@asynccontextmanager
async def at_the_cable(
    feed: LabFeed, size: tuple[int, int] = (120, 40), **more: Any
) -> AsyncIterator[tuple[TcpvizApp, Pilot[int]]]:
    if not sys.platform.startswith("linux"):
        pytest.skip("the cable needs Linux")
    app = TcpvizApp(feed, pace=SLOW, live=True, behaviour=QUIET, **more)
    async with app.run_test(size=size) as pilot:
        await settle(pilot, lambda: app.session.hand.blocks or app.session.pump.done)
        if feed.ground != "cable":
            pytest.skip(f"no cable on this machine: {feed.status.notes}")
        yield app, pilot


async def let_go(app: TcpvizApp, pilot: Pilot[int], key: str) -> None:
    """Press, and wait until the segment in hand is another one, or none."""
    before = app.session.hand.chosen
    assert before is not None
    await pilot.press(key)
    hand = app.session.hand
    await settle(
        pilot,
        lambda: (
            app.session.pump.done or (hand.chosen is not None and hand.chosen.frame != before.frame)
        ),
    )


async def test_space_and_a_clicker_let_one_segment_go_each() -> None:
    s = State
    async with at_the_cable(lab()) as (app, pilot):
        assert state_of(app) == (s.SYN_SENT, s.LISTEN)
        assert "in your hand" in text(app, "hand")
        assert "client's SYN 0" in text(app, "hand")
        assert "☛ in your hand" in text(app, "chart")
        assert "step mode" in text(app, "status")
        assert "real " in text(app, "status")
        assert "x drop" in text(app, "keys")
        assert "syn queue 0/" in text(app, "chart") or "syn q 0/" in text(app, "chart")
        await let_go(app, pilot, "space")
        assert state_of(app) == (s.SYN_SENT, s.SYN_RECEIVED)
        assert "server's SYN 0, ACK 1" in text(app, "hand")
        assert "syn q 1/" in text(app, "chart") or "syn queue 1/" in text(app, "chart")
        await let_go(app, pilot, "pagedown")
        assert state_of(app) == (s.ESTABLISHED, s.SYN_RECEIVED)


def frame(app: TcpvizApp) -> int:
    """The segment in the hand; how often it was sent again meanwhile is the kernel's matter."""
    chosen = app.session.hand.chosen
    assert chosen is not None
    return chosen.frame


async def test_going_back_does_not_lose_the_hand_and_end_returns() -> None:
    async with at_the_cable(lab()) as (app, pilot):
        await let_go(app, pilot, "space")
        held = frame(app)
        await pilot.press("left", "left")
        assert "looking back" in text(app, "status")
        assert "End returns" in text(app, "hand")
        assert frame(app) == held
        await pilot.press("pagedown")  # forward through what has been, not into the cable
        assert frame(app) == held
        await pilot.press("left", "space")  # back to the hand: nothing is let go yet
        assert app.session.cursor.following
        assert frame(app) == held
        await pilot.press("left", "end")
        assert app.session.mode is Mode.FOLLOWING
        await let_go(app, pilot, "space")


async def test_a_dropped_syn_is_sent_again_by_the_kernel() -> None:
    async with at_the_cable(lab()) as (app, pilot):
        await let_go(app, pilot, "x")
        assert "dropped by you" in text(app, "chart")
        assert state_of(app) == (State.SYN_SENT, State.LISTEN)
        assert "SYN 0" in text(app, "hand")


async def test_a_copy_a_corrupted_byte_and_a_delay() -> None:
    async with at_the_cable(lab()) as (app, pilot):
        await pilot.press("u")
        await settle(pilot, lambda: len(app.session.hand.held) == 2)
        assert "doubled by you" in text(app, "chart")
        await pilot.press("c")
        hand = app.session.hand
        await settle(pilot, lambda: any(one.corrupted for one in hand.held))
        assert "corrupted" in text(app, "hand")
        await pilot.press("w")
        assert "arrives 0.5 s after you let it go" in text(app, "hand")
        await pilot.press("escape")
        assert "after you let it go" not in text(app, "hand")
        before = len(app.session.timeline)
        await pilot.press("w", "space")
        await settle(pilot, lambda: "delayed by you" in text(app, "chart"))
        assert len(app.session.timeline) > before


async def test_s_lets_all_go_and_takes_up_again_what_is_over() -> None:
    feeds: list[bool] = []

    def again(step: bool) -> Feed:
        feeds.append(step)
        return lab(step=step)

    async with at_the_cable(lab(), again=again) as (app, pilot):
        await pilot.press("s")
        assert not app.session.hand.stepping
        await settle(pilot, lambda: app.session.pump.done)
        assert state_of(app) == (State.ESTABLISHED, State.ESTABLISHED)
        assert "end of scenario" in text(app, "status")
        await pilot.press("x")
        assert "tcpviz demo --step" in text(app, "banner")
        await pilot.press("s")
        await settle(pilot, lambda: app.session.hand.blocks)
        assert feeds == [True]
        assert state_of(app) == (State.SYN_SENT, State.LISTEN)
        await pilot.press("R")
        await settle(pilot, lambda: len(feeds) == 2 and app.session.hand.blocks)
        assert feeds == [True, True]


async def test_what_cannot_be_run_again_says_why() -> None:
    def again(step: bool) -> Feed:
        raise SourceError(f"no ({step})", 1)

    async with at_the_cable(lab(step=False), again=again) as (app, pilot):
        await settle(pilot, lambda: app.session.pump.done)
        await pilot.press("s")
        assert "no (True)" in text(app, "banner")


async def test_a_slow_cable_is_watched_as_it_happens() -> None:
    async with at_the_cable(lab(step=False, delay_ms=100.0)) as (app, pilot):
        await settle(pilot, lambda: app.session.pump.done)
        assert state_of(app) == (State.ESTABLISHED, State.ESTABLISHED)
        session = app.session
        assert session.real_ns > 250_000_000
        assert "real" in text(app, "status")


@pytest.mark.parametrize("size", [(80, 24), (60, 50), (40, 10), (200, 60), (60, 14)])
async def test_a_held_segment_at_every_size(size: tuple[int, int]) -> None:
    async with at_the_cable(lab(), size) as (app, pilot):
        assert "in your hand" in text(app, "hand")
        await pilot.resize_terminal(120, 40)
        await pilot.pause()
        assert "in your hand" in text(app, "chart")
        assert screen(app).plan.height == 40


async def test_leaving_while_a_segment_is_held_leaves_no_process() -> None:
    feed = lab()
    async with at_the_cable(feed) as (app, pilot):
        child = feed._child
        assert child is not None
        pid = child.pid
        assert Path(f"/proc/{pid}").exists()
        await pilot.press("q")
        assert not app.is_running or app._exit
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)

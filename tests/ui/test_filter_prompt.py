"""The prompt behind /: half a filter changes nothing, its error is said, completions come."""

from __future__ import annotations

import itertools

from tcpviz.ui.app import TcpvizApp
from tcpviz.ui.filter_entry import FilterEntry, FilterSuggester
from tests.ui.fakes import FakeFeed, conversation
from tests.ui.test_app import QUIET, running, screen, settle, text


def capture_file(count: int = 12, **fields: object) -> TcpvizApp:
    records = list(itertools.chain.from_iterable(conversation(n, n % 3) for n in range(count)))
    feed = FakeFeed(records, title="trace.pcapng")
    return TcpvizApp(feed, behaviour=QUIET, **fields)  # type: ignore[arg-type]


async def test_half_a_filter_keeps_what_is_shown_and_says_what_is_expected() -> None:
    app = capture_file()
    async with running(app) as pilot:
        await pilot.press("/", *"id:2-4")
        assert "3 of 12, filter: id:2-4" in text(app, "connections")
        await pilot.press("space", *"state:")
        assert "3 of 12, filter: id:2-4 ..." in text(app, "connections")
        assert "a state: closed, listen" in text(app, "explain")
        await pilot.press(*"listen")
        assert "0 of 12" in text(app, "connections")
        assert "no connection fits" in text(app, "connections")
        assert "a state:" not in text(app, "explain")
        await pilot.press("escape")
        assert "filter" not in text(app, "connections")


async def test_enter_leaves_no_filter_behind_that_cannot_be_read() -> None:
    app = capture_file()
    async with running(app) as pilot:
        await pilot.press("/", *"verdict:stall")
        assert "filter" not in text(app, "connections")
        await pilot.press("enter")
        assert "did you mean zero-window-stall?" in text(app, "explain")
        assert screen(app).query_one(FilterEntry).has_focus
        await pilot.press(*["backspace"] * 5, *"refused", "enter")
        assert "filter: verdict:refused" in text(app, "connections")
        assert not screen(app).query_one(FilterEntry).has_focus


async def test_right_takes_what_is_suggested() -> None:
    app = capture_file()
    async with running(app) as pilot:
        await pilot.press("/", *"client.sta")
        entry = screen(app).query_one(FilterEntry)
        await settle(pilot, lambda: bool(entry._suggestion))
        await pilot.press("right")
        assert entry.value == "client.state:"
        await pilot.press(*"time-w")
        await settle(pilot, lambda: bool(entry._suggestion))
        await pilot.press("right")
        assert entry.value == "client.state:time-wait"
        assert "12 of 12" in text(app, "connections")


async def test_tab_goes_through_what_could_stand_there_and_back_to_what_was_typed() -> None:
    app = capture_file()
    async with running(app) as pilot:
        await pilot.press("/", *"client.sta", "tab")
        entry = screen(app).query_one(FilterEntry)
        assert entry.value == "client.state:"
        assert entry.has_focus
        await pilot.press(*"time-w", "tab")
        assert entry.value == "client.state:time-wait"
        assert "12 of 12" in text(app, "connections")
        # Several: each in turn, what was typed last of all, and backwards the same.
        await pilot.press("space", *"verdict:re")
        typed, round_ = entry.value, []
        while not round_ or round_[-1] != typed:
            await pilot.press("tab")
            round_.append(entry.value)
        offered = [each.rpartition(":")[2] for each in round_]
        assert offered[:3] == ["refused", "reset", "resets-ignored"]
        assert offered[-1] == "re"
        assert len(set(offered)) == len(offered)
        await pilot.press("shift+tab")
        assert entry.value == round_[-2]
        # In the middle too, and nothing where nothing could stand.
        await pilot.press("home", *"por", "tab")
        assert entry.value.startswith("port:client.state")
        before = entry.value
        await pilot.press("end", "space", *"nonsense:", "tab")
        assert entry.value == before + " nonsense:"


async def test_the_command_lines_filter_is_there_from_the_start() -> None:
    app = capture_file(filter_text="id:3 or id:5")
    async with running(app) as pilot:
        assert "2 of 12, filter: id:3 or id:5" in text(app, "connections")
        await pilot.press("/", "end", "space", *"or", "space", *"id:7")
        assert "3 of 12, filter: id:3 or id:5 or id:7" in text(app, "connections")


async def test_suggestions_go_on_from_what_was_typed() -> None:
    suggest = FilterSuggester().get_suggestion
    assert await suggest("not sta") == "not state:"
    assert await suggest("verdict:refu") == "verdict:refused"
    for nothing in ("", "port:1 ", "(", "state:closed", '"sta', "zzz", "STA"):
        assert await suggest(nothing) is None

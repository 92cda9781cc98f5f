"""The menu of commands where there is hardly any room for it."""

from __future__ import annotations

from textual.command import CommandList
from textual.events import Click

from tcpviz.ui.menu import Menu
from tests.ui.test_app import capture_file, running, settle


async def test_keys_in_it_do_nothing_where_the_list_has_no_rows() -> None:
    app = capture_file(2)
    async with running(app, size=(40, 10)) as pilot:
        await pilot.press("colon")
        await settle(pilot, lambda: isinstance(app.screen, Menu))
        commands = app.screen.query_one(CommandList)
        await settle(pilot, lambda: commands.option_count > 0)
        await pilot.resize_terminal(10, 2)
        await settle(pilot, lambda: not commands.scrollable_content_region)
        await pilot.press("pagedown", "pageup", "end", "home", "down", "up", "pagedown")
        await pilot.resize_terminal(80, 24)
        await settle(pilot, lambda: bool(commands.scrollable_content_region))
        await pilot.press("pagedown")
        assert commands.highlighted is not None
        await pilot.press("escape")
        await settle(pilot, lambda: not isinstance(app.screen, Menu))


async def test_of_two_clicks_beside_it_the_second_finds_it_gone() -> None:
    app = capture_file(2)
    async with running(app) as pilot:
        for _ in range(2):
            await pilot.press("colon")
            await settle(pilot, lambda: isinstance(app.screen, Menu))
            menu = app.screen
            for _ in range(2):  # both wait in its queue before it answers either
                menu.post_message(Click(menu, 1, 38, 0, 0, 1, False, False, False, 1, 38))
            await settle(pilot, lambda: not isinstance(app.screen, Menu))
            await pilot.pause()
            assert len(app.screen_stack) == 1


async def test_asked_for_again_while_it_is_being_taken_away() -> None:
    app = capture_file(2)
    async with running(app) as pilot:
        await pilot.press("colon")
        await settle(pilot, lambda: isinstance(app.screen, Menu))
        first = app.screen
        app.pop_screen()  # not awaited: it is still in the tree
        app.action_command_palette()
        await settle(pilot, lambda: isinstance(app.screen, Menu) and app.screen is not first)
        assert len(app.screen_stack) == 2


async def test_closed_before_it_has_begun_to_look_for_commands() -> None:
    app = capture_file(2)
    async with running(app) as pilot:
        await pilot.press("colon")
        await settle(pilot, lambda: isinstance(app.screen, Menu) and app.screen.is_mounted)
        menu = app.screen
        assert isinstance(menu, Menu)
        gone = app.pop_screen()
        await gone
        menu._gather_commands("x")  # what it does once it stands, and at each letter
        await settle(pilot, lambda: not list(app.workers))
        assert len(app.screen_stack) == 1

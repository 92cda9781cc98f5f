"""E: the selected connection as a file where the program runs, redacted or not, or copied."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from tcpviz.ui.exporting import FORMS, ExportScreen
from tests.ui.test_app import running
from tests.ui.test_filter_prompt import capture_file


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def sheet(app):
    assert isinstance(app.screen, ExportScreen)
    return "\n".join("".join(span.text for span in each) for each in app.screen.lines(80, 23))


async def test_each_form_becomes_a_file_that_nothing_had_before(here):
    app = capture_file(1)
    async with running(app) as pilot:
        await pilot.press("E")
        assert "Export the connection" in sheet(app)
        for key, *_ in FORMS:
            await pilot.press(key)
        await pilot.press("1")
        assert "wrote tcpviz-1-2.svg" in sheet(app)
        names = {f"tcpviz-1{suffix}" for *_, suffix, _text in FORMS}
        assert {each.name for each in here.iterdir()} == {*names, "tcpviz-1-2.svg"}
        for name in ("tcpviz-1.svg", "tcpviz-1-states.svg"):
            assert ElementTree.fromstring((here / name).read_text()).tag.endswith("svg")
        assert "10.0.0.1" in (here / "tcpviz-1.svg").read_text()
        await pilot.press("escape")
        assert not isinstance(app.screen, ExportScreen)


async def test_redacted_none_of_it_names_the_hosts(here):
    app = capture_file(1)
    async with running(app) as pilot:
        await pilot.press("E", "x")
        assert "in place of the real ones, data left out: yes" in sheet(app)
        for key, *_ in FORMS:
            await pilot.press(key)
        for made in here.iterdir():
            text = made.read_text().replace("\\", "")
            assert "10.0.0." not in text
            assert "trace.pcapng" not in text
            assert made.name.endswith("-states.svg") or "192.0.2." in text


async def test_copied_is_what_a_ticket_takes():
    app = capture_file(1)
    copied = []
    app.copy_to_clipboard = copied.append
    async with running(app) as pilot:
        await pilot.press("E", "y")
        assert copied
        assert copied[0].startswith("## 10\\.0\\.0\\.1:40000")
        assert "copied, if this terminal" in sheet(app)


async def test_what_cannot_be_written_is_said_and_nothing_is_lost(here, monkeypatch):
    app = capture_file(1)
    async with running(app) as pilot:
        await pilot.press("E")
        (here / "gone").mkdir()
        monkeypatch.chdir(here / "gone")
        (here / "gone").rmdir()
        await pilot.press("1")
        assert "cannot be written" in sheet(app)
        monkeypatch.chdir(here)
        await pilot.press("1")
        assert "wrote" in sheet(app)

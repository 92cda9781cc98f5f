"""Predict, story, registers, languages and notes through the pilot: keys, mouse, what is shown."""

from __future__ import annotations

import os
import pty
import stat
from pathlib import Path

import pytest
from textual.pilot import Pilot

from tcpviz import words
from tcpviz.sources.feed import SourceError
from tcpviz.ui.app import TcpvizApp
from tcpviz.ui.lesson import Stage, Story
from tcpviz.ui.notes import NotesSink
from tcpviz.ui.playback import Pace
from tcpviz.ui.teaching import Teaching
from tcpviz.views.story import point
from tests.ui.fakes import FakeFeed, conversation, scenario
from tests.ui.test_app import QUIET, running, screen, text

TOLD = Story(
    "The handshake",
    "Three segments open a connection.",
    "Who is sure first?",
    (
        point("client sends SYN", "What leaves first?", "A SYN."),
        point("server ESTABLISHED", "", "Now both are sure."),
    ),
)
SMALL = (80, 24)


def lesson(size: tuple[int, int] = SMALL, pace: float = 0.0, **choices: object) -> TcpvizApp:
    feed = FakeFeed(scenario(), title="demo handshake")
    teaching = Teaching(story=TOLD, **choices)  # type: ignore[arg-type]
    return TcpvizApp(feed, pace=Pace(pace), behaviour=QUIET, teaching=teaching)


async def until(pilot: Pilot[int], app: TcpvizApp, *stages: Stage) -> None:
    """Let playback run until the lesson stops; fails if it never does."""
    for _ in range(300):
        if screen(app).lesson.stage in stages:
            return
        screen(app).beat()
        await pilot.pause(0.005)
    raise AssertionError(screen(app).lesson.stage)


async def press(pilot: Pilot[int], *keys: str) -> None:
    await pilot.press(*keys)
    await pilot.pause()


def right(app: TcpvizApp) -> str:
    """The key of the right answer to the question that is asked now."""
    question = screen(app).lesson.question
    assert question is not None
    return str(question.right + 1)


# -- predict --------------------------------------------------------------------


async def test_predicting_asks_before_it_shows_and_keeps_the_score() -> None:
    app = lesson(predict=True)
    async with running(app, SMALL) as pilot:
        await until(pilot, app, Stage.ASKING)
        assert "? listen() is under way. Which state does the server go to?" in text(app, "lesson")
        assert "right: 0 of 0" in text(app, "lesson")
        assert "1 2 3 4 answer  0 show it" in text(app, "keys")
        assert "= 0" not in text(app, "chart")  # not told before it is answered
        await press(pilot, right(app))
        assert "✓ LISTEN" in text(app, "lesson")
        assert "right: 1 of 1" in text(app, "lesson")
        await press(pilot, "space")
        await until(pilot, app, Stage.ASKING)
        assert "? 1/3 Who sends the next segment, and what?" in text(app, "lesson")
        assert "SYN 0" not in text(app, "chart")
        wrong = "1" if right(app) != "1" else "2"
        answer = screen(app).lesson.question.answer  # type: ignore[union-attr]
        await press(pilot, wrong)
        assert "? 2/3 With which numbers" in text(app, "lesson")
        await press(pilot, right(app))
        await press(pilot, right(app))
        assert f"✗ {answer} (not " in text(app, "lesson")
        assert "✓ seq 0, no ACK" in text(app, "lesson")
        assert "right: 3 of 4" in text(app, "lesson")
        assert "SYN 0" in text(app, "chart")


async def test_what_is_not_known_can_be_shown_without_a_point_and_the_end_tells_the_score() -> None:
    app = lesson(predict=True)
    async with running(app, SMALL) as pilot:
        for _ in range(40):
            await until(pilot, app, Stage.ASKING, Stage.CLOSING)
            if screen(app).lesson.stage is Stage.CLOSING:
                break
            await press(pilot, "0")
            assert screen(app).lesson.stage is Stage.REVEALED
            assert "▸ " in text(app, "lesson")
            await press(pilot, "space")
        assert "0 of 0 were right. Three segments open a connection." in text(app, "lesson")
        await press(pilot, "space")
        await press(pilot, "space")  # a story that is over is played again
        await until(pilot, app, Stage.ASKING)
        assert app.session.place[0] < 5


async def test_letters_and_clicks_answer_too_and_other_keys_do_not_show_the_answer() -> None:
    app = lesson(predict=True)
    async with running(app, SMALL) as pilot:
        await until(pilot, app, Stage.ASKING)
        before = app.session.cursor.index
        await press(pilot, "space", "right", "pagedown")
        assert app.session.cursor.index == before
        assert "answer with 1, 2, 3 or 4; 0 shows it" in text(app, "banner")
        await press(pilot, "escape")
        await press(pilot, "abcd"[int(right(app)) - 1])
        assert "right: 1 of 1" in text(app, "lesson")
        panel = screen(app).query_one("#lesson")
        await pilot.click(panel, offset=(5, 1))  # goes on
        await until(pilot, app, Stage.ASKING)
        hit = screen(app)._hits[int(right(app)) - 1]
        await pilot.click(panel, offset=(hit.start + 1, hit.row))
        assert screen(app).lesson.right == 2


async def test_going_back_and_leaving_lose_nothing() -> None:
    app = lesson(predict=True)
    async with running(app, SMALL) as pilot:
        await until(pilot, app, Stage.ASKING)
        await press(pilot, "left")
        assert screen(app).lesson.stage is Stage.RUNNING
        await press(pilot, "space")
        await until(pilot, app, Stage.ASKING)
        assert "listen() is under way" in text(app, "lesson")
        await press(pilot, "P")
        assert not screen(app).query_one("#lesson").display
        await press(pilot, "end")
        assert app.session.remaining == 0


async def test_a_file_is_predicted_from_its_beginning_and_hides_what_comes() -> None:
    feed = FakeFeed(conversation(data=6), title="trace.pcapng")
    app = TcpvizApp(feed, behaviour=QUIET)
    app.session.playback.pace = Pace(0.0)
    async with running(app, SMALL) as pilot:
        await press(pilot, "3")
        assert "FIN" in text(app, "chart")
        await press(pilot, "P")
        await until(pilot, app, Stage.ASKING)
        assert "Who sends the next segment" in text(app, "lesson")
        assert "FIN" not in text(app, "chart")
        assert "closed normally" not in text(app, "connections")
        asked = 0
        while screen(app).lesson.stage is Stage.ASKING and asked < 30:
            asked += 1
            await press(pilot, "0", "space")
            for _ in range(60):
                screen(app).beat()
                await pilot.pause(0.002)
                if screen(app).lesson.stage is Stage.ASKING or not app.session.remaining:
                    break
        assert asked == 3 + 4 + 4  # handshake, as many alike as are enough, the closing


# -- story ----------------------------------------------------------------------


@pytest.mark.parametrize("language", ["en", "zh"])
async def test_a_story_asks_shows_and_goes_on_with_one_key(language: str) -> None:
    words.use(language)
    app = lesson(tell=True)
    async with running(app, SMALL) as pilot:
        assert screen(app).lesson.stage is Stage.OPENING
        assert "Who is sure first?" in text(app, "lesson")
        await press(pilot, "space")
        await until(pilot, app, Stage.POINT)
        assert "What leaves first?" in text(app, "lesson")
        assert "SYN 0" not in text(app, "chart")
        await press(pilot, "space")
        assert "A SYN." in text(app, "lesson")
        assert "SYN 0" in text(app, "chart")
        await press(pilot, "space")
        await until(pilot, app, Stage.TOLD)
        assert "Now both are sure." in text(app, "lesson")
        await press(pilot, "pagedown")  # a clicker goes on as well
        await until(pilot, app, Stage.CLOSING)
        assert "Three segments open a connection." in text(app, "lesson")


async def test_without_a_scenario_there_is_no_story_and_it_is_said() -> None:
    app = TcpvizApp(FakeFeed(conversation()), behaviour=QUIET)
    async with running(app, SMALL) as pilot:
        await press(pilot, "S")
        assert "a story is told of a scenario: tcpviz demo --story" in text(app, "banner")


# -- registers and languages ------------------------------------------------------


async def test_w_turns_to_plain_words_and_l_to_chinese_and_back() -> None:
    app = lesson(pace=1e6)
    async with running(app, SMALL) as pilot:
        await press(pilot, "home")
        while "SYN 0" not in text(app, "chart"):
            await press(pilot, "right")
        precise = text(app, "explain")
        await press(pilot, "W")
        assert 'The client: "I\'m coming in."' in text(app, "explain")
        await press(pilot, "L")
        assert "客户端：“我要进来了。”" in text(app, "explain")
        assert "? 帮助" in text(app, "keys")
        assert "第" in text(app, "status") or "/14" in text(app, "status")
        assert "● 客户端" in text(app, "chart")
        await press(pilot, "W", "L")
        assert text(app, "explain") == precise


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (60, 20), (40, 14)])
async def test_every_row_is_as_wide_in_chinese(size: tuple[int, int]) -> None:
    from tcpviz.views.spans import width

    words.use("zh")
    app = lesson(predict=True)
    async with running(app, size) as pilot:
        await until(pilot, app, Stage.ASKING)
        for name in ("connections", "chart", "diagram", "lesson", "explain", "status", "keys"):
            view = screen(app).query_one(f"#{name}")
            if view.display:
                rows = view.rows  # type: ignore[attr-defined]
                assert max(width(row.line) for row in rows) <= size[0], name


# -- the teacher's notes ----------------------------------------------------------


async def test_notes_tell_the_question_its_answer_and_what_comes_next(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    app = lesson(predict=True, notes=NotesSink(str(path)))
    async with running(app, SMALL) as pilot:
        await until(pilot, app, Stage.ASKING)
        told = path.read_text()
        assert "question:" in told
        assert "listen() is under way. Which state does the server go to?" in told
        assert "answer:         LISTEN" in told
        assert "comes next:     the server: listen() returns 0; the server: CLOSED → LISTEN" in told
        assert "LISTEN" not in text(app, "explain")
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        length = len(told)
        await press(pilot, "0")
        assert len(path.read_text()) > length


def test_notes_go_to_another_terminal_cleanly() -> None:
    master, slave = pty.openpty()
    try:
        sink = NotesSink(os.ttyname(slave))
        assert sink.terminal
        assert sink.width >= 30
        sink.write(["one", "two"])
        shown = os.read(master, 100)
        assert shown.startswith(b"\x1b[H\x1b[2J")
        assert shown.replace(b"\r\r\n", b"\r\n").split(b"\r\n")[1:3] == [b"one", b"two"]
        sink.close()
    finally:
        os.close(master)
        os.close(slave)


def test_notes_never_wait_for_a_reader(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(SourceError, match="nobody reads it"):
        NotesSink(str(pipe))
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    sink = NotesSink(str(pipe))
    for _ in range(400):
        sink.write(["x" * 1000])
    assert sink.left_out > 0
    sink.close()
    os.close(reader)


def test_notes_that_cannot_be_written_are_refused_in_one_line(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "missing" / "notes"):
        with pytest.raises(SourceError, match="cannot be written") as caught:
            NotesSink(str(path))
        assert caught.value.exit_code == 1
        assert "\n" not in str(caught.value)


def test_options_that_exclude_each_other_are_refused() -> None:
    import argparse

    options = argparse.Namespace(predict=True, story=True, lang=None, plain=False, notes=None)
    with pytest.raises(SourceError, match="either --predict or --story"):
        Teaching.of(options, None)
    with pytest.raises(SourceError, match="more than ASCII"):
        Teaching(lang="zh").speak(ascii_only=True)


async def test_the_palette_finds_lessons_by_their_chinese_names() -> None:
    words.use("zh")
    app = lesson(pace=1e6)
    async with running(app, SMALL) as pilot:
        commands = {one.title: one for one in app.get_system_commands(screen(app))}
        assert {"预测接下来会怎样", "故事模式", "通俗或精确的说法", "英文或中文"} <= set(commands)
        await commands["故事模式"].callback()
        await pilot.pause()
        assert screen(app).lesson.stage is Stage.OPENING
        assert "Who is sure first?" in text(app, "lesson")

"""A teacher's notes on a second terminal: what is written by one program and shown by the other."""

from __future__ import annotations

import argparse
import os
import stat
import sys
from pathlib import Path

import pytest

from tcpviz.commands import notes
from tcpviz.commands.demo import _sort_out
from tcpviz.sources.feed import SourceError
from tcpviz.ui.notes import NotesSink, usual_place
from tcpviz.views.spans import text_width


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    return tmp_path / "tcpviz" / "notes"


def now(path: Path) -> list[str]:
    return next(notes.blocks(path, once=True))


def test_without_a_name_both_programs_mean_the_same_place_which_is_ours_alone(place: Path) -> None:
    assert usual_place() == place
    assert now(place) == []
    sink = NotesSink("")
    sink.write(["== step 1 of 9 ==", "answer:  SYN"])
    sink.write(["== step 2 of 9 ==", "answer:  SYN, ACK", "comes next: ACK"])
    assert now(place) == ["== step 2 of 9 ==", "answer:  SYN, ACK", "comes next: ACK"]
    assert stat.S_IMODE(place.stat().st_mode) == 0o600
    assert stat.S_IMODE(place.parent.stat().st_mode) == 0o700
    sink.close()
    NotesSink("").close()  # the next lesson begins anew
    assert place.read_text() == ""


def test_a_link_in_the_usual_place_is_not_followed(place: Path, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    place.parent.mkdir()
    place.symlink_to(victim)
    with pytest.raises(SourceError, match="cannot be written"):
        NotesSink("")
    assert victim.read_text() == "precious"


def test_a_block_that_is_being_written_is_not_shown_yet() -> None:
    whole = "== step 1 ==\nanswer: a\n\n"
    assert notes.last_block(whole) == ["== step 1 ==", "answer: a"]
    assert notes.last_block(whole + "== step 2 ==\nansw") == ["== step 1 ==", "answer: a"]
    assert notes.last_block("") == []
    assert notes.last_block("no heading\n\n") == []


def test_nothing_in_a_file_moves_the_cursor() -> None:
    (heading, said) = notes.last_block("== a\x1b[2J ==\nb\x1b]0;x\x07\n\n")
    assert "\x1b" not in heading + said
    assert "\x07" not in said


@pytest.mark.parametrize("width", [20, 40, 79])
def test_a_narrow_terminal_wraps_beneath(width: int) -> None:
    line = (
        "               the client: connect() returns 0; the server: LISTEN → SYN-RECEIVED; 服务器"
    )
    rows = notes.wrapped(line, width)
    assert all(text_width(row) <= width for row in rows)
    assert "".join("".join(rows).split()) == "".join(line.split())
    assert all(row.startswith(" ") for row in rows)


def test_a_scenarios_name_behind_notes_is_the_scenario(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    options = argparse.Namespace(notes="handshake", scenario=None)
    _sort_out(options)
    assert (options.notes, options.scenario) == ("", "handshake")
    Path("echo").touch()
    for given in ("echo", "notes.txt", "/dev/pts/3"):
        options = argparse.Namespace(notes=given, scenario=None)
        _sort_out(options)
        assert (options.notes, options.scenario) == (given, None)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="pseudo-terminals, on Linux")
def test_the_class_sees_nothing_of_what_the_teacher_reads(tmp_path: Path) -> None:
    from tests.terminal.pseudo import terminal

    env = {"XDG_RUNTIME_DIR": str(tmp_path), "TCPVIZ_CONFIG": ""}
    with terminal(["-m", "tcpviz.cli", "notes"], env=env) as teacher:
        teacher.wait_for("waiting for: tcpviz demo --notes")
        lesson = ["-m", "tcpviz.cli", "demo", "--notes", "handshake", "--predict"]
        with terminal(lesson, env=env) as shown:
            shown.wait_for("0 show it")
            told = teacher.wait_for("comes next:")
            assert "question:" in told
            answer = told.partition("answer:")[2].split("\n")[0].strip()
            assert answer
            assert f"answer: {answer}" not in shown.text
            before = teacher.text
            shown.type("0 ")
            teacher.wait_for(lambda text: text != before and "comes next:" in text)
            shown.type("q")
            assert shown.ends() == 0
        teacher.type("\x03")
        assert teacher.ends() == 0


def test_what_is_no_file_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for wrong in (tmp_path, pipe):
        assert notes.run(argparse.Namespace(file=str(wrong)), sys.stdout) == 2
        assert capsys.readouterr().err == f"tcpviz: {wrong} is no file of notes\n"


def test_a_folder_that_does_not_exist_is_not_waited_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = tmp_path / "missing" / "notes.txt"
    assert notes.run(argparse.Namespace(file=str(wrong)), sys.stdout) == 2
    told = f"tcpviz: {wrong}: there is no folder {wrong.parent}\n"
    assert capsys.readouterr().err == told

"""What the environment says of the terminal, and what is kept of a failure."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from tcpviz import failure
from tcpviz.ui.terminal import manners


def test_a_plain_terminal() -> None:
    how = manners({"LANG": "C.UTF-8", "TERM": "xterm-256color"})
    assert how.motion
    assert how.colours
    assert not how.ascii


@pytest.mark.parametrize("name", ["SSH_CONNECTION", "SSH_TTY"])
def test_over_ssh_it_is_drawn_less_often_and_without_motion(name: str) -> None:
    near, far = manners({}), manners({name: "10.0.0.1 5 10.0.0.2 22"})
    assert far.frames < near.frames
    assert far.period_s > near.period_s
    assert not far.motion
    asked = manners({name: "10.0.0.1 5 10.0.0.2 22"}, fps=4)
    assert (asked.frames, asked.period_s, asked.motion) == (4, 0.25, False)


@pytest.mark.parametrize(
    ("environ", "colours"), [({}, True), ({"NO_COLOR": ""}, True), ({"NO_COLOR": "1"}, False)]
)
def test_no_color_counts_only_where_it_is_not_empty(environ: dict[str, str], colours: bool) -> None:
    assert manners(environ).colours is colours


@pytest.mark.parametrize(
    ("environ", "ascii_only"),
    [
        ({}, False),
        ({"LANG": "en_GB.UTF-8"}, False),
        ({"LANG": "en_GB.utf8"}, False),
        ({"LANG": "en_GB.ISO-8859-1"}, True),
        ({"LC_ALL": "de_DE@euro", "LANG": "C.UTF-8"}, True),
        ({"LANG": "C.UTF-8", "TERM": "linux"}, True),
        ({"LC_CTYPE": "zh_CN.GB18030", "LANG": "zh_CN.UTF-8"}, True),
    ],
)
def test_the_locale_says_whether_there_is_more_than_ascii(
    environ: dict[str, str], ascii_only: bool
) -> None:
    assert manners(environ).ascii is ascii_only
    assert manners(environ, ascii_only=True).ascii


def test_a_failure_is_kept_where_only_its_owner_reads_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    log = failure.write_log("details \udcff\n")
    assert log is not None
    assert log.parent == tmp_path / "state" / "tcpviz"
    assert stat.S_IMODE(log.stat().st_mode) == 0o600
    assert "details" in log.read_text()


def test_where_there_is_no_state_directory_it_goes_to_the_temporary_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))
    log = failure.write_log("details")
    assert log is not None
    assert log.parent == tmp_path

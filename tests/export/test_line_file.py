"""Lines that are there whole or not at all, through a full disk and a removal."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from tcpviz.export import line_file
from tcpviz.export.line_file import RETRY_S, LineFile
from tcpviz.sources.feed import SourceError


class Clock:
    at = 0.0

    def __call__(self) -> float:
        return self.at


def made(path: Path, told: list[str], clock: Clock, **more: bool) -> LineFile:
    return LineFile(
        str(path),
        head=lambda: "head\n",
        tail=lambda: "tail\n",
        tell=told.append,
        clock=clock,
        **more,
    )


def test_head_lines_tail_for_the_owner_only(tmp_path: Path) -> None:
    path, told = tmp_path / "a.log", []
    file = made(path, told, Clock())
    file.write("one\n")
    assert path.read_text() == "head\n"
    file.flush()
    file.write("two\n")
    file.close()
    file.close()
    assert path.read_text() == "head\none\ntwo\ntail\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert (file.written, file.lost, told) == (2, 0, [])


def test_it_replaces_or_appends(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_text("before\n")
    made(path, [], Clock(), append=True).close()
    assert path.read_text() == "before\nhead\ntail\n"
    made(path, [], Clock()).close()
    assert path.read_text() == "head\ntail\n"


def test_a_full_disk_leaves_no_half_line_and_is_tried_again(tmp_path, monkeypatch) -> None:
    path, told, clock = tmp_path / "a.log", [], Clock()
    file = made(path, told, clock)
    room = [3]
    real = os.write

    def write(descriptor: int, data: bytes) -> int:
        if not room[0]:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        piece = bytes(data[: room[0]])
        room[0] -= len(piece)
        return real(descriptor, piece)

    monkeypatch.setattr(line_file.os, "write", write)
    file.write("one\n")
    file.flush()
    assert path.read_text() == "head\n"
    assert len(told) == 1
    assert "no space left on the disk; make room, or write elsewhere; trying again" in told[0]
    room[0] = 10**6
    file.write("two\n")
    file.flush()  # not yet
    clock.at += RETRY_S
    file.write("three\n")
    file.flush()
    file.close()
    assert path.read_text() == "head\nthree\ntail\n"
    assert file.lost == 2
    assert "can be written again; 2 lines are missing" in told[1]


def test_a_removed_file_is_begun_anew(tmp_path: Path) -> None:
    path, told, clock = tmp_path / "a.log", [], Clock()
    file = made(path, told, clock)
    path.unlink()
    clock.at += 2
    file.write("one\n")
    file.close()
    assert path.read_text() == "head\none\ntail\n"
    assert "a new one is begun" in told[0]


def test_where_nothing_can_be_made(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="cannot be written: its folder does not exist"):
        LineFile(str(tmp_path / "no" / "a.log"))
    with pytest.raises(SourceError, match="not a file name"):
        LineFile("\0")

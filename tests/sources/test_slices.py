"""Slices: what is still kept becomes a file of its own, with marks, and overwrites nothing."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from tcpviz.core.records import Note
from tcpviz.sources.feed import SourceError
from tcpviz.sources.files import FileFeed, open_capture
from tcpviz.sources.recent import OVERHEAD, Kept, Recent
from tcpviz.sources.slices import between, of_file, save
from tcpviz.wire.frame import Frame
from tests.bench.generate import connections


def frames(count: int) -> list[Frame]:
    return [Frame(10**18 + n, 1 + (n % 2) * 112, bytes(60), 60, n, n % 2) for n in range(count)]


def told(path: Path) -> list[tuple[int, str | None]]:
    with open_capture(str(path)) as capture:
        return [(frame.time_ns - 10**18, frame.comment) for frame in capture]


def test_the_latest_frames_within_the_memory_that_they_may_take() -> None:
    recent = Recent(10 * (60 + OVERHEAD))
    for frame in frames(25):
        recent.add(frame)
    assert [frame.number for frame in recent.frames()] == list(range(15, 25))
    assert recent.gone == 15
    recent.add(Frame(0, 1, bytes(10**6), 10**6, 99, 0))
    assert [frame.number for frame in recent.frames()] == [99]


def test_chosen_frames_with_the_marks_that_fall_among_them(tmp_path: Path) -> None:
    path = tmp_path / "a.pcapng"
    marks = [(10**18 + at, f"tcpviz mark {at}") for at in (1, 5, 6, 20)]
    count = save(Kept(frames(10), ["eth0"]), str(path), between(10**18 + 3, 10**18 + 8), marks)
    assert count == 6
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert told(path) == [
        (3, None), (4, None), (5, "tcpviz mark 5"), (6, "tcpviz mark 6"), (7, None),
        (8, "tcpviz mark 20"),
    ]  # fmt: skip
    with open_capture(str(path)) as capture:
        list(capture)
        assert [each.name for each in capture.interfaces] == ["if1", "eth0"]
        assert [each.link_type for each in capture.interfaces] == [113, 1]


def test_what_is_there_stays(tmp_path: Path) -> None:
    path = tmp_path / "a.pcapng"
    path.write_text("mine")
    with pytest.raises(SourceError, match="is there already, and stays as it is"):
        save(Kept(frames(1)), str(path))
    assert path.read_text() == "mine"
    link = tmp_path / "b.pcapng"
    link.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(SourceError, match="is there already"):
        save(Kept(frames(1)), str(link))
    assert not (tmp_path / "elsewhere").exists()


def test_a_file_is_read_again(tmp_path: Path) -> None:
    source, path = tmp_path / "a.pcap", tmp_path / "b.pcapng"
    packets = connections(source, 3)
    assert save(of_file(str(source)), str(path)) == packets
    with pytest.raises(SourceError):
        save(of_file(str(tmp_path / "none")), str(tmp_path / "c"))


def test_a_mark_is_read_again_as_a_note(tmp_path: Path) -> None:
    source, path = tmp_path / "a.pcap", tmp_path / "b.pcapng"
    connections(source, 1)
    at = 1_700_000_000_000_040_000  # of the first packet
    hostile = "tcpviz mark 9: \x1b[2J" + "x" * 5000
    save(of_file(str(source)), str(path), marks=[(at, "tcpviz mark 1: here"), (at, hostile)])
    save(of_file(str(source)), str(tmp_path / "c.pcapng"), marks=[(at, "something else")])
    marks = [(2**62, "tcpviz mark 2: at the end")]
    save(of_file(str(source)), str(tmp_path / "d.pcapng"), marks=marks)

    def notes(path: Path) -> list[str]:
        records = [each for batch in FileFeed(str(path)).batches() for each in batch]
        return [each.text for each in records if isinstance(each, Note)]

    assert notes(tmp_path / "d.pcapng") == ["mark 2: at the end"]
    assert notes(tmp_path / "c.pcapng") == []
    first, second = notes(path)
    assert first == "mark 1: here"
    assert len(second) == 200
    assert second.isprintable()

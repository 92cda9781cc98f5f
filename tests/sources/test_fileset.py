"""Rings of files: names, units, what goes when, and what happens when the disk does not."""

from __future__ import annotations

import errno
import os
import re
import stat
from pathlib import Path

import pytest

from tcpviz.sources import fileset, writer
from tcpviz.sources.feed import SourceError
from tcpviz.sources.files import open_capture
from tcpviz.sources.fileset import RETRY_S, FileSet
from tcpviz.sources.saving import Limits, Saving, parse
from tcpviz.wire.frame import Frame

START = 1_800_000_000.0


class Clock:
    def __init__(self) -> None:
        self.at = START

    def __call__(self) -> float:
        return self.at


def frame(number: int, size: int = 100) -> Frame:
    return Frame(int(START * 1e9) + number, 1, bytes(size), size, number)


def made(folder: Path, clock: Clock, *switch: str, stop: tuple[str, ...] = ()) -> FileSet:
    plan, _ = parse(str(folder / "out.pcapng"), stop, switch)
    assert plan is not None
    files = FileSet(plan, clock=clock, now=clock)
    files.add_interface("lo", 1)
    return files


def numbers(path: Path | str) -> list[int]:
    with open_capture(str(path)) as frames:
        return [each.time_ns - int(START * 1e9) for each in frames]


@pytest.mark.parametrize(
    ("write", "stop", "switch", "says"),
    [
        (None, ("filesize:1",), (), "-a filesize is about the file that -w names"),
        (None, (), ("files:3",), "-b is about the file that -w names"),
        ("-", (), ("filesize:3",), "standard output is one"),
        ("o", (), ("files:3",), "when the next one begins"),
        ("o", ("size:3",), (), "duration:SECONDS, filesize:KB"),
        ("o", ("duration",), (), "duration:SECONDS"),
        ("o", ("duration:-1",), (), "not '-1'"),
        ("o", ("duration:nan",), (), "not 'nan'"),
        ("o", ("filesize:1.5",), (), "a whole number of kB"),
        ("o", ("packets:1", "packets:2"), (), "given twice"),
        ("o", (), ("files:100000", "filesize:1"), "up to 99999"),
        ("o", ("filesize:1",), ("filesize:2",), "differ"),
    ],
)
def test_a_wrong_plan_is_told_in_a_line(write, stop, switch, says) -> None:
    with pytest.raises(SourceError, match=re.escape(says)) as caught:
        parse(write, stop, switch)
    assert caught.value.exit_code == 2
    assert "\n" not in str(caught.value)


def test_units_are_dumpcaps() -> None:
    plan, limits = parse("o", ("duration:0.5", "packets:9"), ("filesize:3", "files:2"))
    assert plan == Saving("o", bytes_each=3000, keep=2)
    assert limits == Limits(0.5, 9)
    assert parse("o", ("filesize:7",)) == (Saving("o", stop_bytes=7000), Limits())
    assert parse(None, ("duration:60",)) == (None, Limits(60.0))


def test_a_ring_keeps_the_latest_files_each_whole(tmp_path: Path) -> None:
    clock = Clock()
    files = made(tmp_path, clock, "packets:3", "files:2")
    for number in range(10):
        files.write(frame(number))
    files.close()
    found = sorted(tmp_path.iterdir())
    assert [re.sub(r"_\d{14}\.", "_DATE.", path.name) for path in found] == [
        "out_00003_DATE.pcapng",
        "out_00004_DATE.pcapng",
    ]
    assert [numbers(path) for path in found] == [[6, 7, 8], [9]]
    assert {stat.S_IMODE(path.stat().st_mode) for path in found} == {0o600}
    assert files.names == [str(path) for path in found]


def test_a_file_ends_with_the_packet_that_fills_it(tmp_path: Path) -> None:
    files = made(tmp_path, Clock(), "filesize:1")
    for number in range(20):
        files.write(frame(number))
    files.close()
    sizes = [path.stat().st_size for path in sorted(tmp_path.iterdir())]
    assert len(sizes) > 2
    assert all(1000 <= size < 1000 + 132 for size in sizes[:-1])
    told = [each for path in sorted(tmp_path.iterdir()) for each in numbers(path)]
    assert told == list(range(20))


def test_time_begins_the_next_file_with_and_without_packets(tmp_path: Path) -> None:
    clock = Clock()
    files = made(tmp_path, clock, "duration:10")
    files.write(frame(0))
    clock.at += 10
    files.write(frame(1))
    clock.at += 10
    assert files.look_after() is None
    files.close()
    assert [numbers(path) for path in sorted(tmp_path.iterdir())] == [[0], [1], []]


def test_an_interval_goes_by_the_clock(tmp_path: Path) -> None:
    clock = Clock()
    clock.at = 3_590.0
    files = made(tmp_path, clock, "interval:3600")
    files.write(frame(0))
    clock.at = 3_600.0
    files.write(frame(1))
    clock.at = 7_199.0
    files.write(frame(2))
    files.close()
    assert [numbers(path) for path in sorted(tmp_path.iterdir())] == [[0], [1, 2]]


def test_so_many_files_and_no_more(tmp_path: Path) -> None:
    files = made(tmp_path, Clock(), "packets:2", stop=("files:2",))
    for number in range(7):
        files.write(frame(number))
    assert files.full
    files.close()
    assert [numbers(path) for path in sorted(tmp_path.iterdir())] == [[0, 1], [2, 3]]


def test_one_file_of_a_size(tmp_path: Path) -> None:
    plan, _ = parse(str(tmp_path / "o.pcapng"), ("filesize:1",))
    assert plan is not None
    files = FileSet(plan)
    files.add_interface("lo", 1)
    for number in range(20):
        files.write(frame(number))
    assert files.full
    files.close()
    assert numbers(tmp_path / "o.pcapng") == list(range(files.frames))


def test_what_is_not_ours_stays(tmp_path: Path) -> None:
    files = made(tmp_path, Clock(), "packets:1", "files:2")
    files.write(frame(0))
    oldest = Path(files.names[0])
    mine = tmp_path / "mine"
    mine.write_text("mine")
    oldest.unlink()
    oldest.symlink_to(mine)
    files.write(frame(1))
    assert mine.read_text() == "mine"
    assert oldest.is_symlink()
    assert "is another file now, and stays" in (files.look_after() or "")
    gone = Path(files.names[0])
    gone.unlink()
    files.write(frame(2))  # removed by somebody: nothing to say
    assert files.look_after() is None
    files.close()


def test_a_name_that_is_taken_is_left_alone(tmp_path: Path) -> None:
    first = made(tmp_path, Clock(), "packets:1")
    second = made(tmp_path, Clock(), "packets:1")
    assert set(first.names).isdisjoint(second.names)
    first.close()
    second.close()


def test_a_removed_file_of_the_ring_is_written_again(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(writer, "LOOK_S", 0.0)
    files = made(tmp_path, Clock(), "packets:2", "files:2")
    files.write(frame(0))
    files.flush()
    Path(files.names[-1]).unlink()
    assert "was removed" in (files.look_after() or "")
    for number in range(1, 6):
        files.write(frame(number))
    files.close()
    assert [numbers(path) for path in sorted(tmp_path.iterdir())] == [[4, 5], []]
    assert files.look_after() is None


class FullDisk:
    """Lets a writer's file be full for a while."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.full = False
        real = writer._create

        def create(path: str, name: str, fresh: bool = False):
            file = real(path, name, fresh)
            disk = self

            class Guarded(type(file)):  # type: ignore[misc]
                def write(self, data) -> int:
                    if disk.full:
                        data.release()
                        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                    return super().write(data) or 0

            with file:
                return Guarded(os.dup(file.fileno()), "wb")

        monkeypatch.setattr(writer, "_create", create)


def test_a_full_disk_costs_what_came_meanwhile_and_no_more(tmp_path, monkeypatch) -> None:
    disk, clock = FullDisk(monkeypatch), Clock()
    files = made(tmp_path, clock, "packets:4", "files:3")
    files.write(frame(0))
    files.flush()
    disk.full = True
    files.write(frame(1))
    files.flush()
    assert "no space left" in (files.look_after() or "")
    files.write(frame(2))
    clock.at += RETRY_S
    assert files.look_after() is None  # still full: nothing new to say
    files.write(frame(3))
    assert files.missed == 3
    disk.full = False
    clock.at += RETRY_S
    assert "3 packets are not saved" in (files.look_after() or "")
    files.write(frame(4))
    assert [numbers(path) for path in sorted(tmp_path.iterdir())] == [[0], []]
    for number in range(5, 15):
        files.write(frame(number))
    files.close()
    assert [numbers(path)[:1] for path in sorted(tmp_path.iterdir())] == [[4], [8], [12]]


def test_one_file_and_a_full_disk(tmp_path, monkeypatch) -> None:
    disk = FullDisk(monkeypatch)
    files = fileset.FileSet(Saving(str(tmp_path / "o.pcapng"), stop_bytes=1000))
    files.add_interface("lo", 1)
    files.write(frame(0))
    files.flush()
    disk.full = True
    files.write(frame(1))
    with pytest.raises(SourceError, match="no space left"):
        files.flush()
    files.close()
    assert numbers(tmp_path / "o.pcapng") == [0]

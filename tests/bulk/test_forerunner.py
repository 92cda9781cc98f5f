"""A process that reads a file before the screen is there: what it hands over, and that none stays.

What comes of a file with one is held against the scalar core, as what comes of it without.
"""

from __future__ import annotations

import mmap
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

if not sys.platform.startswith("linux"):
    pytest.skip("there are forerunners on Linux only", allow_module_level=True)

from tcpviz.bulk import forerunner
from tcpviz.bulk.forerunner import Forerunner
from tcpviz.bulk.segments.reading import Unsuited
from tcpviz.bulk.segments.windows import ROW_BYTES, Windows
from tcpviz.bulk.tables import forerun, growing
from tcpviz.bulk.tables.growing import Growing, Snapshot
from tcpviz.sources import spool
from tcpviz.wire.decoder import Decoder
from tcpviz.wire.frame import Frame
from tests.bench import losses
from tests.bench.generate import visits
from tests.bulk import variants
from tests.bulk.compare import differences
from tests.bulk.drawing import frames_of
from tests.bulk.written import pcap, said

# Of the test's own threads; what runs in the forks here needs none of their locks.
pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")

GIGABYTE = 1 << 30

COMMENT = ((1, b"seen"),)
"""An option of a packet: what has one is read by itself, and kept as it cannot be read again."""


@pytest.fixture(autouse=True)
def able(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever machine this is, and whoever runs the tests: two processors, and one thread."""
    monkeypatch.setattr(forerunner, "processors", lambda: 2)
    monkeypatch.setattr(forerunner, "single", lambda: True)


@pytest.fixture(autouse=True)
def nothing_stays() -> Iterator[None]:
    before = children(), files()
    yield
    assert (children(), files()) == before


def children() -> int:
    """Processes that this one has begun and that have not been waited for."""
    return len(Path(f"/proc/self/task/{os.getpid()}/children").read_text().split())


def files() -> int:
    """Descriptors that are open."""
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


class Heard:
    """A file read with a forerunner: its tables, and whether it was handed over in full."""

    def __init__(
        self, path: Path, *, memory: int | None = None, follow: bool | None = False
    ) -> None:
        self.ahead = forerunner.begun(str(path), memory)
        windows = Windows(GIGABYTE, chosen=False)
        self.growing = Growing(str(path), follow=follow, windows=windows, ahead=self.ahead)
        self.tables: list[Snapshot] = []

    def run(self, told: Callable[[], None] = lambda: None) -> Snapshot:
        def tell() -> None:
            assert self.growing.latest is not None
            self.tables.append(self.growing.latest)
            told()

        self.growing.run(tell)
        assert self.growing.latest is not None
        assert self.growing.latest.whole
        return self.growing.latest

    @property
    def handed_over(self) -> bool:
        """The last table rests on what the other has read."""
        assert self.growing.latest is not None
        base: Any = self.growing.latest.reading.columns.array["time"]
        while isinstance(base, np.ndarray):
            base = base.base
        return isinstance(base, mmap.mmap)

    def close(self) -> None:
        self.growing.close()
        if self.ahead is not None:
            self.ahead.close()


def compared(path: Path) -> Heard:
    heard = Heard(path)
    try:
        latest = heard.run()
        columns = latest.reading.columns
        # What was read there is read again here: each segment, whatever block it was in.
        again = [one.seq for one in latest.reading.segments(range(columns.count), Decoder())]
        assert again == columns.array["seq"][: columns.count].tolist()
        assert differences(path, latest.building) == []
    finally:
        heard.close()
    return heard


def test_what_is_handed_over_is_what_the_core_says(tmp_path: Path) -> None:
    path = tmp_path / "visits"
    losses.write(path, "visits-20", 0.005)
    heard = compared(path)
    assert heard.handed_over
    assert heard.ahead is not None
    assert heard.ahead.pid is None
    latest = heard.tables[-1]
    assert len(latest.building.followed) > 20
    # The columns are not this process's own, but count as if they were.
    rows = latest.reading.columns.count
    assert heard.growing.windows is not None
    assert heard.growing.windows.shared == rows * ROW_BYTES > 0
    status = heard.growing.status
    assert status.done
    assert status.segments == status.frames == latest.reading.columns.count
    assert status.position == status.size == path.stat().st_size


def test_whose_place_a_connection_took_is_known_after_it(tmp_path: Path) -> None:
    path = tmp_path / "twice"
    lines = "> S 0", "< SA 0 1", "> A 1 1", "> PA 101:100 1", "< A 1 1"  # some are not captured
    frames = [said(line, iss=(iss, 7)) for iss in (1000, 90_000) for line in lines]
    pcap(path, enumerate(frames))
    heard = compared(path)
    assert heard.handed_over
    building = heard.tables[-1].building
    assert [each.id for each in building.formers.values()] == [1]
    assert set(building.formers) == {id(building.followed[1][1])}


def six(frames: list[Frame]) -> list[Frame]:
    """The same over IPv6."""
    heads = [each.data[:12] + b"\x86\xdd" for each in frames]
    whole = [head + variants.ipv6(one.data[14:]) for head, one in zip(heads, frames, strict=True)]
    return [
        replace(one, data=data, wire_len=one.wire_len + len(data) - len(one.data))
        for one, data in zip(frames, whole, strict=True)
    ]


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(variants.pcapng, id="pcapng"),
        pytest.param(lambda frames: variants.pcapng(frames, options=COMMENT), id="comments"),
        pytest.param(lambda frames: variants.pcap(six(frames)), id="IPv6"),
        pytest.param(lambda frames: variants.pcap(variants.fragmented(frames)), id="fragments"),
        pytest.param(lambda frames: variants.pcapng(frames) + bytes(9), id="damaged"),
    ],
)
def test_so_is_what_is_not_of_the_plainest_kind(tmp_path: Path, make: Callable[..., bytes]) -> None:
    plain, path = tmp_path / "visits", tmp_path / "capture"
    visits(plain, 60, odd=0.1)
    path.write_bytes(make(frames_of(plain)))
    assert compared(path).handed_over


def test_what_is_kept_in_a_file_is_not_handed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, path = tmp_path / "visits", tmp_path / "capture"
    visits(plain, 60, odd=0.1)
    path.write_bytes(variants.pcapng(frames_of(plain), options=COMMENT))
    monkeypatch.setattr(spool, "IN_MEMORY", 10)
    heard = compared(path)
    assert not heard.handed_over
    assert heard.ahead is not None
    assert heard.ahead.pid is None


def test_tables_come_while_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(growing, "FIRST", 1)
    monkeypatch.setattr(growing, "LEAST_S", 0.0)
    monkeypatch.setattr(growing, "SHARE", 0)
    monkeypatch.setattr("tcpviz.bulk.segments.reading.PIECE", 1 << 16)
    monkeypatch.setattr(Growing, "_is_worth_it", lambda *_: True)
    path = tmp_path / "visits"
    visits(path, 400)
    heard = compared(path)
    assert heard.handed_over
    assert len(heard.tables) > 3
    sizes = [len(each) for each in heard.tables]
    assert sizes == sorted(sizes)
    # Each stays what it was.
    assert [int(each.table.segments.sum()) for each in heard.tables] == [
        each.reading.columns.count for each in heard.tables
    ]


def test_a_file_that_grows_is_followed_from_where_the_other_stood(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(growing, "PATIENCE_S", 0.1)
    monkeypatch.setattr(growing, "LOOK_S", 0.01)
    plain, path, whole = (tmp_path / name for name in ("visits", "grows", "whole"))
    visits(plain, 200)
    data = variants.pcap(variants.fragmented(frames_of(plain)))
    cut = len(data) // 2 + 7  # in the midst of a record, perhaps of a datagram
    path.write_bytes(data[:cut])
    whole.write_bytes(data)
    heard = Heard(path, follow=None)

    def more() -> None:
        if path.stat().st_size == cut:
            with path.open("ab") as out:
                out.write(data[cut:])

    try:
        latest = heard.run(more)
        assert len(heard.tables) >= 2
        first = heard.tables[0]
        assert int(first.table.segments.sum()) == first.reading.columns.count
        assert differences(whole, latest.building) == []
    finally:
        heard.close()


@pytest.mark.parametrize("after", [0, 1, 2])
def test_what_one_that_dies_does_not_give_is_made_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    path = tmp_path / "visits"
    visits(path, 200)
    given: list[object] = []
    give = forerun.Giver.give

    def dying(self: forerun.Giver, made: object) -> None:
        given.append(made)
        if len(given) > after:
            os.write(self._into.fileno(), b"\x80\x05")  # the beginning of something
            os.kill(os.getpid(), signal.SIGKILL)
        give(self, made)

    monkeypatch.setattr(growing, "FIRST", 1)
    monkeypatch.setattr(forerun.Giver, "give", dying)
    assert not compared(path).handed_over


def test_it_is_ended_when_the_reading_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "visits"
    visits(path, 200)
    monkeypatch.setattr(forerun, "run", lambda *_: threading.Event().wait())
    heard = Heard(path)
    thread = threading.Thread(target=heard.growing.run)
    thread.start()
    heard.growing.stop()
    thread.join(60)
    assert not thread.is_alive()
    heard.close()
    assert heard.growing.latest is None


def test_why_columns_are_not_for_it_is_handed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "visits"
    visits(path, 50)

    def unsuited(*_: object) -> None:
        raise Unsuited("of a reason")

    monkeypatch.setattr(forerun._Running, "run", unsuited)
    heard = Heard(path)
    try:
        with pytest.raises(Unsuited, match="of a reason"):
            heard.growing.run()
    finally:
        heard.close()


def test_another_file_of_that_name_is_read_anew(tmp_path: Path) -> None:
    path, other = tmp_path / "visits", tmp_path / "other"
    visits(path, 50)
    visits(other, 60, seed=2)
    ahead = forerunner.begun(str(path), None)
    other.replace(path)
    heard = Growing(str(path), follow=False, windows=Windows(GIGABYTE), ahead=ahead)
    heard.run()
    assert heard.latest is not None
    assert differences(path, heard.latest.building) == []


def test_little_memory_is_not_shared(tmp_path: Path) -> None:
    path = tmp_path / "visits"
    visits(path, 50)
    heard = Heard(path, memory=64 << 20)
    try:
        heard.run()
        assert not heard.handed_over
    finally:
        heard.close()


def test_there_is_none_where_it_would_not_help(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, other = tmp_path / "visits", tmp_path / "other"
    visits(path, 50)

    def none(where: Path) -> bool:
        begun = forerunner.begun(str(where), None)
        if begun is not None:
            begun.close()
        return begun is None

    assert not none(path)
    other.write_bytes(b"\x1f\x8b\x08\0 compressed")
    assert none(other)
    assert none(tmp_path)
    assert none(tmp_path / "missing")
    with monkeypatch.context() as patch:
        patch.setattr(forerunner, "processors", lambda: 1)
        assert none(path)
    with monkeypatch.context() as patch:
        patch.setattr(forerunner, "single", lambda: False)
        assert none(path)
    with monkeypatch.context() as patch:
        patch.setattr(sys, "platform", "darwin")
        assert none(path)

    def fails(*_: object) -> int:
        raise BlockingIOError  # as where there may be no more processes

    monkeypatch.setattr(os, "fork", fails)
    assert none(path)


def test_it_ends_with_the_one_that_began_it(tmp_path: Path) -> None:
    path = tmp_path / "visits"
    visits(path, 50)
    hears, tells = os.pipe()
    pid = os.fork()
    if not pid:
        try:
            os.close(hears)
            forerun.run = lambda *_: threading.Event().wait()  # type: ignore[assignment, misc]
            about = path.stat()
            Forerunner(str(path), about, None)
            # It has this pipe, too: who reads it is told when both are gone.
            os.kill(os.getpid(), signal.SIGKILL)
        finally:
            os._exit(1)
    os.close(tells)
    with os.fdopen(hears, "rb") as end:
        assert end.read() == b""
    os.waitpid(pid, 0)

"""When a table of what has been read so far is made, and when the last one is waited for."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

pytest.importorskip("numpy")

from tcpviz.bulk.tables import growing
from tcpviz.bulk.tables.growing import Growing
from tests.bench import grow


def made(path: Path, monkeypatch: pytest.MonkeyPatch, takes_s: float) -> list[tuple[int, bool]]:
    """(connections, the last one) of each table, where making the first took so long."""
    monkeypatch.setattr(growing, "FIRST", 1)
    monkeypatch.setattr(growing, "LEAST_S", 0.0)
    monkeypatch.setattr(growing, "SHARE", 0)
    told: list[tuple[int, bool]] = []
    reading = Growing(str(path), follow=False)

    def tell() -> None:
        assert reading.latest is not None
        if not told:
            reading._took = takes_s
        told.append((len(reading.latest), reading.latest.whole))

    try:
        reading.run(tell)
        assert reading.latest is not None
        assert reading.latest.whole
        told[-1] = (told[-1][0], reading.latest.whole)
    finally:
        reading.close()
    return told


def test_no_table_is_made_that_would_only_put_off_the_last_one(tmp_path, monkeypatch):
    path = tmp_path / "many.pcap"
    count = grow.many(path, 12_000) // 10  # some pieces of it are read, one after the other
    often = made(path, monkeypatch, 0.0)
    assert len(often) > 2
    assert often[-1] == (count, True)
    assert [n for n, _ in often] == sorted({n for n, _ in often})
    # Making them takes longer than it takes to read what is left, whatever machine this is.
    seldom = made(path, monkeypatch, 1e6)
    assert len(seldom) == 2
    assert seldom[-1] == (count, True)


def test_of_a_file_that_grows_nobody_knows_what_is_left(tmp_path, monkeypatch):
    path = tmp_path / "grows.pcap"
    grow.many(path, 200)
    monkeypatch.setattr(growing, "FIRST", 1)
    monkeypatch.setattr(growing, "LEAST_S", 0.0)
    monkeypatch.setattr(growing, "SHARE", 0)
    monkeypatch.setattr(growing, "LOOK_S", 0.01)
    more = tmp_path / "more.pcap"
    grow.many(more, 200, 100)
    reading = Growing(str(path), follow=True)
    sizes: list[int] = []
    came = threading.Event()

    def tell() -> None:
        assert reading.latest is not None
        reading._took = 1e6
        sizes.append(int(reading.latest.table.segments.sum()))
        if len(sizes) == 1:
            with path.open("ab") as out:
                out.write(more.read_bytes()[24:])
        elif sizes[-1] == 4000:
            came.set()
            reading.stop()

    thread = threading.Thread(target=lambda: reading.run(tell))
    thread.start()
    assert came.wait(60)
    thread.join()
    reading.close()
    assert (sizes[0], sizes[-1]) == (2000, 4000)

"""Parquet: what comes back is what went in, with types and units; and what is said without it."""

from __future__ import annotations

import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tcpviz.cli import main
from tcpviz.export import csv_table, parquet
from tcpviz.sources.feed import SourceError
from tests.bench.generate import connections
from tests.core.dialogue import Talk


def test_without_pyarrow_a_line_says_how_to_get_it(tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    path = tmp_path / "a.pcap"
    connections(path, 1)
    out = tmp_path / "a.parquet"
    assert main(["read", str(path), "--parquet", str(out)]) == 2
    said = capsys.readouterr().err
    assert "pip install pyarrow" in said
    assert said.count("\n") == 1
    assert not out.exists()


def test_every_column_of_the_csv_is_there_in_its_type(tmp_path: Path) -> None:
    pq = pytest.importorskip("pyarrow.parquet")
    talk = Talk().handshake()
    talk.client("PA", 5)
    talk.now += 10**9
    talk.client("PA", 5, seq=1)
    path = tmp_path / "a.parquet"
    sink = parquet.ParquetSink(str(path))
    sink.take(talk.connection, talk.now)
    assert not path.exists()  # a torso has no name
    sink.close()
    sink.close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [each.name for each in tmp_path.iterdir()] == ["a.parquet"]
    table = pq.read_table(path)
    (row,) = table.to_pylist()
    names = {name.removesuffix("_ns") for name in csv_table.COLUMNS} - {"phase_done", "phase_of"}
    assert names <= set(table.column_names)
    assert row["client_addr"] == "10.0.0.1"
    assert dict(row["marks"]) == {"retransmission": 1}
    assert table.column("first").cast("int64").to_pylist() == [talk.connection.first_ns]
    assert row["handshake_rtt"] == talk.connection.handshake_rtt_ns
    assert table.schema.field("handshake_rtt").metadata == {b"unit": b"ns"}
    assert b"tcpviz" in table.schema.metadata[b"creator"]


def test_by_columns_and_one_by_one_it_is_the_same(tmp_path: Path, monkeypatch) -> None:
    pq = pytest.importorskip("pyarrow.parquet")
    from tcpviz.commands import read

    monkeypatch.setattr(parquet, "ROWS", 100)
    path = tmp_path / "a.pcap"
    connections(path, 250)
    one, other = tmp_path / "one.parquet", tmp_path / "other.parquet"
    monkeypatch.setattr(read, "SMALL", 1 << 40)
    assert main(["read", str(path), "--parquet", str(one)]) == 0
    monkeypatch.setattr(read, "SMALL", 0)
    assert main(["read", str(path), "--parquet", str(other)]) == 0
    assert pq.read_metadata(one).num_row_groups == 3
    assert pq.read_table(one).equals(pq.read_table(other))


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    with pytest.raises(SourceError, match="cannot be written: its folder"):
        parquet.ParquetSink(str(tmp_path / "no" / "a.parquet"))


def test_a_disk_that_is_full_is_told_once_and_leaves_nothing(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    path, out = tmp_path / "a.pcap", tmp_path / "a.parquet"
    connections(path, 250)
    code = (
        "import resource, sys\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))\n"
        "from tcpviz.cli import main\n"
        "sys.exit(main(sys.argv[1:]))\n"
    )
    argv = [sys.executable, "-c", code, "read", str(path), "--parquet", str(out)]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=100)
    assert done.returncode == 1
    why = "it would be larger than files may be here"
    assert done.stderr == f"tcpviz: {out}: cannot be written: {why}; it is not there\n"
    assert list(tmp_path.iterdir()) == [path]

"""``tcpviz read`` prints the same by columns as record by record."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tcpviz.cli import BROKEN_PIPE, main
from tcpviz.commands import read
from tcpviz.sources.files import open_capture
from tests.bench.generate import visits
from tests.bulk import tunnels, variants

WAYS = (
    ["--text"],
    ["--text", "--ascii"],
    ["--json"],
    ["--csv"],
    ["--ladder", "2"],
    ["--ladder", "999999"],
    ["--text", "port=80 and bytes>2000"],
    ["--text", "--ascii", "verdict:reset or rtt>30ms"],
    ["--text", "port=1"],
    ["--json", "verdict:reset or mark.retransmission>0"],
    ["--csv", "idle>20ms"],
    ["--csv", "client.mark:retransmission"],
)


@pytest.fixture(scope="module")
def capture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("bulk") / "visits.pcap"
    visits(path, 250, odd=0.03)
    return path


@pytest.mark.parametrize("way", WAYS, ids=" ".join)
def test_both_ways_print_the_same(
    way: list[str],
    capture: Path,
    capfdbinary: pytest.CaptureFixture[bytes],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    said = []
    for small in (0, 1 << 60):
        monkeypatch.setattr(read, "SMALL", small)
        code = main(["read", str(capture), *way])
        out = capfdbinary.readouterr()
        said.append((code, out.out, out.err))
    assert said[0] == said[1]


@pytest.fixture(scope="module")
def tunnelled(capture: Path) -> Path:
    """A part of it in the open, in a VLAN, and in a VXLAN within two."""
    with open_capture(str(capture)) as opened:
        some = [replace(each, comment=None) for each in opened][:700]
    made = list(some)
    for name in ("VLAN", "VXLAN with VLANs on both sides"):
        link, wrap = {**variants.ENVELOPES, **tunnels.TUNNELS}[name]
        made += variants.enveloped(some, link, wrap)
    path = capture.with_name("tunnelled.pcap")
    path.write_bytes(variants.pcap(made))
    return path


INSIDE = (
    ["--text"],
    ["--json"],
    ["--csv"],
    ["--text", "vlan>0"],
    ["--text", "not vlan>0"],
    ["--text", "--ascii", "tunnel~vxlan"],
)


@pytest.mark.parametrize("way", INSIDE, ids=" ".join)
def test_both_ways_tell_of_vlans_and_tunnels(
    way: list[str],
    tunnelled: Path,
    capfdbinary: pytest.CaptureFixture[bytes],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    test_both_ways_print_the_same(way, tunnelled, capfdbinary, monkeypatch)
    main(["read", str(tunnelled), *way])
    out = capfdbinary.readouterr().out
    told = b"vxlan 16777215" in out
    assert told == (way != ["--text", "not vlan>0"])
    if way[0] == "--text":
        assert (b"inside" in out.splitlines()[0]) == told


@pytest.mark.parametrize("way", [[], ["port=80 and bytes>2000"], ["--parquet"]], ids=str)
def test_both_ways_log_the_same(
    way: list[str], capture: Path, capsys: pytest.CaptureFixture[str], monkeypatch: Any
) -> None:
    """But for the moments at which the log was opened and closed."""
    said = []
    more = [*way, str(capture.with_suffix(".parquet"))] if way == ["--parquet"] else way
    for small in (0, 1 << 60):
        monkeypatch.setattr(read, "SMALL", small)
        log = capture.with_suffix(f".{small}.log")
        code = main(["read", str(capture), "--conn-log", str(log), *more])
        lines = [line for line in log.read_text().splitlines() if line[:3] not in ("#op", "#cl")]
        said.append((code, lines, capsys.readouterr().err.replace(f".{small}.log", ".log")))
    assert said[0] == said[1]
    assert len(said[0][1]) > 20


@pytest.mark.parametrize("way", ["--json", "--csv"])
def test_whoever_reads_the_first_line_only_ends_it_quietly(way: str, tmp_path: Path) -> None:
    path = tmp_path / "visits.pcap"
    visits(path, 500)
    assert path.stat().st_size > read.SMALL
    command = [sys.executable, "-m", "tcpviz", "read", str(path), way]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        assert running.stdout is not None
        assert running.stderr is not None
        assert running.stdout.readline()
        running.stdout.close()
        assert running.stderr.read() == b""
    assert running.returncode == BROKEN_PIPE


def test_help_and_small_files_do_without_numpy(capture: Path) -> None:
    program = (
        "import sys; from tcpviz.cli import main; main(sys.argv[1:]); "
        "assert 'numpy' not in sys.modules"
    )
    small = capture.with_name("small.pcap")
    small.write_bytes(capture.read_bytes()[:20_000])
    for words in (["help"], ["read", str(small), "--text"]):
        done = subprocess.run(
            [sys.executable, "-c", program, *words], capture_output=True, check=False
        )
        assert done.returncode == 0, done.stderr

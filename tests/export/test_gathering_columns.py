"""What goes wrong in a large file is told alike by columns and packet by packet."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tcpviz.cli import main
from tcpviz.commands import read
from tcpviz.export import gathering_columns
from tcpviz.wire.frame import Frame
from tests.bench.generate import syns, visits
from tests.bulk import variants
from tests.export.dialogues import various
from tests.wire import packets


@pytest.mark.parametrize(
    "made", ["various", "minutes", "short", "hours", "visits", "flood", "one by one"]
)
def test_both_ways_tell_the_same(
    made: str, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "capture.pcap"
    if made == "visits":
        visits(path, 150, odd=0.2)
    elif made == "flood":
        syns(path, 300)
    elif made == "one by one":
        various(path, 60, 15, 30)
        # None of a kind stands for it: each by itself.
        monkeypatch.setattr(gathering_columns.Gatherer, "_stand", lambda self, kind: None)
    else:
        seed, tail_s = {"short": (11, 0), "various": (12, 3), "minutes": (13, 90)}.get(
            made, (14, 8000)
        )
        various(path, 100, seed, tail_s)
    said = []
    for small in (0, 1 << 60):
        monkeypatch.setattr(read, "SMALL", small)
        for more in ([], ["--json"], ["port=80 and bytes>100"], ["verdict:syn-flood"]):
            code = main(["read", str(path), "--troubles", *more])
            out = capfd.readouterr()
            said.append((code, out.out, out.err))
    assert said[:4] == said[4:]
    assert said[0][1]


def test_what_a_scan_shows_is_told_once(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its refused connections are the scan's, and no trouble beside it; others' are."""
    path = tmp_path / "scan.pcap"
    me, host = {"src": "10.0.0.9", "dst": "10.0.0.1"}, {"src": "10.0.0.1", "dst": "10.0.0.9"}
    frames = []
    for at in range(120):
        one, two = 40_000 + at, 1 + at
        syn = packets.tcp(b"", **me, sport=one, dport=two, seq=at, ack=0, flags=0x02)  # type: ignore[arg-type]
        answer = packets.tcp(b"", **host, sport=two, dport=one, seq=0, ack=at + 1, flags=0x14)  # type: ignore[arg-type]
        frames += [packets.ipv4(syn, **me), packets.ipv4(answer, **host)]  # type: ignore[arg-type]
    alone = {"src": "10.0.0.7", "dst": "10.0.0.2"}
    back = {"src": "10.0.0.2", "dst": "10.0.0.7"}
    syn = packets.tcp(b"", **alone, sport=5000, dport=80, seq=1, ack=0, flags=0x02)  # type: ignore[arg-type]
    answer = packets.tcp(b"", **back, sport=80, dport=5000, seq=0, ack=2, flags=0x14)  # type: ignore[arg-type]
    frames += [packets.ipv4(syn, **alone), packets.ipv4(answer, **back)]  # type: ignore[arg-type]
    path.write_bytes(
        variants.pcap(
            [Frame(at * 1_000_000, 101, each, len(each), at + 1) for at, each in enumerate(frames)]
        )
    )
    for small in (0, 1 << 60):
        monkeypatch.setattr(read, "SMALL", small)
        told = {}
        for words in ("", "port=80", "verdict:port-scan", "port=81"):
            assert main(["read", str(path), "--troubles", "--json", *filter(None, [words])]) == 0
            lines = [json.loads(line)["trouble"] for line in capfd.readouterr().out.splitlines()]
            told[words] = [(each["code"], each["connections"]) for each in lines]
        assert told["verdict:port-scan"] == told["port=81"] == [("port-scan", 120)]
        assert sorted(told[""]) == sorted(told["port=80"]) == [("port-scan", 120), ("refused", 1)]

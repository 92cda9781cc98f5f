"""What goes wrong in a large file is told alike by columns and packet by packet."""

from __future__ import annotations

from pathlib import Path

import pytest

from tcpviz.cli import main
from tcpviz.commands import read
from tcpviz.export import gathering_columns
from tests.bench.generate import syns, visits
from tests.export.dialogues import various


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
        monkeypatch.setattr(gathering_columns._Gatherer, "_stand", lambda self, kind: None)
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

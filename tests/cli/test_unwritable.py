"""A file that cannot be written is told in one way, with one exit code, whatever it is for."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from tcpviz.cli import main
from tests.bench.generate import visits

SAYS = {
    "no/x.svg": "its folder does not exist (or it is a link to nowhere); make it first",
    "a.svg": "it is a directory; name a file in it",
    "a.pcap/x.svg": "Not a directory",
}

OUTLETS = {
    "export -o": "export {capture} -n 1 -o {out}",
    "export to pcapng": "export {capture} -n 1 --to pcapng -o {out}",
    "conn-log": "read {capture} --conn-log {out}",
    "parquet": "read {capture} --parquet {out}",
    "gallery": "demo --gallery {out}",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("unwritable")
    visits(place / "a.pcap", 2)
    (place / "a.svg").mkdir()
    os.mkfifo(place / "pipe.svg")
    return place


@pytest.mark.parametrize("where", SAYS)
@pytest.mark.parametrize("outlet", OUTLETS)
def test_it_is_one_line_and_a_failure(
    outlet: str, where: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if outlet == "parquet":
        pytest.importorskip("pyarrow")
    words = OUTLETS[outlet].split()
    argv = [each.format(capture=folder / "a.pcap", out=folder / where) for each in words]
    assert main(argv) == 1
    told = capsys.readouterr().err
    assert told == f"tcpviz: {folder / where}: cannot be written: {SAYS[where]}\n"


def test_a_chart_does_not_take_the_place_of_what_is_no_file(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pipe = folder / "pipe.svg"
    assert main(["export", str(folder / "a.pcap"), "-n", "1", "-o", str(pipe)]) == 2
    assert "not a file, and would be replaced by one" in capsys.readouterr().err
    assert stat.S_ISFIFO(pipe.lstat().st_mode)


def test_a_file_of_defaults_that_cannot_be_read_is_a_failure(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TCPVIZ_CONFIG", str(folder))
    assert main(["config"]) == 1
    assert capsys.readouterr().err == f"tcpviz: {folder}: cannot be read: Is a directory\n"

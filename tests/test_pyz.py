"""tcpviz.pyz: one file and a Python, nothing else; where it unpacks itself, and where not."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import tcpviz
from tests.bench.generate import connections

ROOT = Path(__file__).resolve().parent.parent
BARE = getattr(sys, "_base_executable", sys.executable)
"""The Python without the virtual environment, whose packages must not be what makes it run."""

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def pyz(tmp_path_factory) -> Path:
    made = tmp_path_factory.mktemp("pyz") / "tcpviz.pyz"
    subprocess.run([sys.executable, str(ROOT / ".ci" / "pyz.py"), str(made)], check=True)
    return made


@pytest.fixture(scope="module")
def cache(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("cache")


def run(pyz: Path, cache: Path, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
    """As ``env -i python3 -I tcpviz.pyz``, but for where it may unpack itself."""
    place = {"TCPVIZ_PYZ_CACHE": str(cache / "here"), "PATH": os.defpath, **more}
    return subprocess.run(
        [BARE, "-I", str(pyz), *words],
        env=place,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        cwd=cache,
        check=False,
        timeout=200,
    )


def test_it_runs_of_itself(pyz: Path, cache: Path) -> None:
    first = run(pyz, cache, "--version")
    assert (first.returncode, first.stdout) == (0, f"tcpviz {tcpviz.__version__}\n")
    assert first.stderr == f"tcpviz: unpacking into {cache / 'here'} (once)\n"
    again = run(pyz, cache, "--version")
    assert (again.returncode, again.stderr) == (0, "")
    (made,) = (cache / "here").iterdir()
    mode = 0o755 if os.geteuid() == 0 else 0o700
    assert {stat.S_IMODE(each.stat().st_mode) for each in (made.parent, made)} == {mode}


def test_it_reads_by_columns_and_otherwise(pyz: Path, cache: Path, tmp_path: Path) -> None:
    capture = tmp_path / "a.pcap"
    connections(capture, 4000)  # long enough for numpy, where that fits
    whole = run(pyz, cache, "read", str(capture))
    assert whole.returncode == 0, whole.stderr
    assert "4000 connections, 40000 segments" in whole.stdout
    other = tmp_path / "other.pyz"
    with zipfile.ZipFile(pyz) as old, zipfile.ZipFile(other, "w", zipfile.ZIP_STORED) as new:
        for entry in old.infolist():
            data = old.read(entry)
            if entry.filename == "about.json":
                about = json.loads(data) | {"python": "cpython-99", "digest": "0" * 32}
                data = json.dumps(about).encode()
            if not entry.filename.startswith("native/"):
                new.writestr(entry, data)
    slow = run(other, cache, "read", str(capture))
    assert slow.returncode == 0, slow.stderr
    assert slow.stdout == whole.stdout


def test_child_processes_find_what_they_need(pyz: Path, cache: Path) -> None:
    done = run(pyz, cache, "demo", "--text", "--on", "loopback")
    assert done.returncode == 0, done.stderr
    assert "ESTABLISHED" in done.stdout
    listed = run(pyz, cache, "capture", "-D")
    assert listed.returncode == 0, listed.stderr
    assert "lo" in listed.stdout
    assert "state" in run(pyz, cache, "help", "states").stdout


def test_what_others_may_write_is_not_run(pyz: Path, tmp_path: Path) -> None:
    place = tmp_path / "here"
    place.mkdir(mode=0o777)
    place.chmod(0o777)
    done = run(pyz, tmp_path, "--version")
    assert done.returncode == 0
    assert "is not used: it is not ours alone" in done.stderr
    assert list(place.iterdir()) == []
    assert not any(Path("/tmp").glob(f"tcpviz-*/{json_digest(pyz)}"))  # and nothing is left behind
    link = tmp_path / "link"
    link.symlink_to(tmp_path)
    done = run(pyz, tmp_path, "--version", TCPVIZ_PYZ_CACHE=str(link))
    assert "is not used" in done.stderr


def json_digest(pyz: Path) -> str:
    with zipfile.ZipFile(pyz) as archive:
        return str(json.loads(archive.read("about.json"))["digest"])


def test_an_older_python_is_told_so(pyz: Path) -> None:
    with zipfile.ZipFile(pyz) as archive:
        start = archive.read("__main__.py").decode()
    names = {"__name__": "start", "__file__": "x"}
    exec(compile(start, "__main__.py", "exec"), names)
    before, sys.version_info = sys.version_info, (3, 9, 2)  # type: ignore[assignment]
    try:
        with pytest.raises(SystemExit) as caught:
            names["main"]()  # type: ignore[operator]
    finally:
        sys.version_info = before  # type: ignore[assignment]
    assert caught.value.code == 1

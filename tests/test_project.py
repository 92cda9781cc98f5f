"""What holds for the project as a whole: its modules, its wheel, its documents, its targets."""

from __future__ import annotations

import ast
import os
import re
import shutil
import stat
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import tcpviz

ROOT = Path(__file__).resolve().parent.parent
MODULES = sorted((ROOT / "tcpviz").rglob("*.py"))
SCENARIOS = sorted((ROOT / "demos").glob("*.py"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())

# Longer than this and a module has more than one reason to exist.
LONGEST = 500

# Marks of what is not finished, and names of the machines we happen to work on. They are
# written in two halves so that this file does not contain them.
UNFINISHED = re.compile(
    r"\b(" + "|".join(["TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK"]) + r")\b"
)
MACHINE = re.compile("|".join(["/wo" + "rk/", r"\.libr" + "ary", "/ro" + "ot/"]))


def text_files() -> list[Path]:
    """The files that make up the project, as git knows them."""
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    command = ["git", "-c", f"safe.directory={ROOT}", "ls-files", "-z"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, text=True)
    paths = [ROOT / name for name in done.stdout.split("\0") if name]
    return [path for path in paths if path.is_file() and b"\0" not in path.read_bytes()]


def test_no_module_has_grown_out_of_its_room() -> None:
    lengths = {path: len(path.read_text().splitlines()) for path in MODULES}
    assert len(lengths) > 30
    assert {str(p.relative_to(ROOT)): n for p, n in lengths.items() if n > LONGEST} == {}


@pytest.mark.parametrize("path", [*MODULES, *SCENARIOS], ids=lambda p: str(p.relative_to(ROOT)))
def test_every_module_says_what_it_is_for(path: Path) -> None:
    docstring = ast.get_docstring(ast.parse(path.read_text()))
    assert docstring
    first = docstring.split("\n", 1)[0]
    assert len(first) >= 20
    assert first.rstrip().endswith((".", "?", "!", ":")), first


def test_nothing_unfinished_and_nothing_of_our_machines() -> None:
    found = {}
    for path in text_files():
        if path.name == "LICENSE":
            continue
        text = path.read_text(errors="replace")
        for pattern in (UNFINISHED, MACHINE):
            if match := pattern.search(text):
                found[str(path.relative_to(ROOT))] = match.group()
    assert found == {}


def test_the_documents_links_lead_somewhere() -> None:
    for document in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md"):
        text = (ROOT / document).read_text()
        for target in re.findall(r"\]\(([^)#]+)\)", text):
            if "://" not in target:
                assert (ROOT / target).exists(), f"{document}: {target}"


def test_the_map_names_rooms_that_exist() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text()
    named = set(re.findall(r"`((?:tcpviz|tests|demos|scripts|\.ci)/[\w/.-]*)`", text))
    assert len(named) > 10
    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []
    rooms = {path.parent.name for path in (ROOT / "tcpviz").glob("*/__init__.py")}
    assert {room for room in rooms if f"`tcpviz/{room}/`" not in text} == set()


def test_the_licence_is_whole() -> None:
    text = (ROOT / "LICENSE").read_text()
    assert PROJECT["project"]["license"] == "GPL-2.0-only"
    assert "GNU GENERAL PUBLIC LICENSE" in text
    assert "Version 2, June 1991" in text
    assert "END OF TERMS AND CONDITIONS" in text


def test_the_makefile_has_the_promised_targets() -> None:
    if shutil.which("make") is None:
        pytest.skip("no make")
    # What a make around us passes down would change what this one prints.
    env = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    for target in ("demo", "test", "lint", "check-all", "bench"):
        done = subprocess.run(
            ["make", "--dry-run", target], cwd=ROOT, env=env, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        # The environment is made before anything in it is used.
        assert ".ci/venv" in done.stdout.splitlines()[0]
        assert ".venv/bin/" in done.stdout
    helped = subprocess.run(
        ["make", "-s"], cwd=ROOT, env=env, capture_output=True, text=True, check=True
    )
    for target in ("demo", "test", "lint", "check-all", "bench"):
        assert f"make {target} " in helped.stdout


@pytest.mark.parametrize(
    ("fake", "says"),
    [
        (None, "Python 3.11 or newer is needed"),
        ("exit 1", "Python 3.11 or newer is needed"),
        ('case "$2" in *version_info*) exit 0;; *) exit 1;; esac', "python3 has no venv module"),
    ],
    ids=["no Python", "an old Python", "a Python without venv"],
)
def test_without_a_python_one_line_says_so(fake: str | None, says: str, tmp_path: Path) -> None:
    # A folder with what the script itself calls, and no Python or a wrong one.
    for tool in ("dirname", "cat"):
        (tmp_path / tool).symlink_to(shutil.which(tool) or "/nowhere")
    if fake is not None:
        (tmp_path / "python3").write_text(f"#!/bin/sh\n{fake}\n")
        (tmp_path / "python3").chmod(0o755)
    copy = tmp_path / "project" / ".ci"
    copy.mkdir(parents=True)
    shutil.copy(ROOT / ".ci/venv", copy)
    done = subprocess.run(
        ["/bin/sh", copy / "venv"], env={"PATH": str(tmp_path)}, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert says in done.stderr


def test_the_scripts_parse_and_may_be_run() -> None:
    for name, shell in ((".ci/run", "bash"), (".ci/venv", "sh")):
        path = ROOT / name
        assert path.stat().st_mode & stat.S_IXUSR
        program = shutil.which(shell)
        if program is None:
            pytest.skip(f"no {shell}")
        done = subprocess.run([program, "-n", path], capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, "")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[zipfile.ZipFile]:
    """The wheel of a copy of the tree, built with what is installed here."""
    pytest.importorskip("build")
    pytest.importorskip("hatchling")
    copy = tmp_path_factory.mktemp("wheel") / "tree"
    copy.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy)
    for name in ("tcpviz", "demos"):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", "dist"]
    done = subprocess.run(command, cwd=copy, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    (built,) = (copy / "dist").glob("*.whl")
    with zipfile.ZipFile(built) as opened:
        yield opened


def test_the_wheel_has_everything_and_nothing_else(wheel: zipfile.ZipFile) -> None:
    names = set(wheel.namelist())
    info = next(name for name in names if name.endswith(".dist-info/METADATA"))
    folder = info.removesuffix("METADATA")
    metadata = wheel.read(info).decode()
    entry_points = wheel.read(folder + "entry_points.txt").decode()
    assert f"\nVersion: {tcpviz.__version__}\n" in metadata
    assert "tcpviz = tcpviz.cli:main" in entry_points
    assert folder + "licenses/LICENSE" in names
    assert "tcpviz/py.typed" in names
    expected = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "tcpviz").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert expected <= names
    assert SCENARIOS
    assert {f"tcpviz/demos/{path.name}" for path in SCENARIOS} <= names
    assert {name.split("/")[0] for name in names} == {"tcpviz", folder.rstrip("/")}

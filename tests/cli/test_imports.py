"""What each command imports: the modules and their number, which no machine's load changes."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from tcpviz.commands.read import SMALL
from tests.bench.generate import connections

ROOT = Path(__file__).resolve().parents[2]

HEAVY = {"asyncio", "numpy", "pyroute2", "rich", "scapy", "textual"}

_RUN = """
import json, sys
from tcpviz.cli import main
try:
    main(sys.argv[1:])
except SystemExit:
    pass
print("\\n" + json.dumps(sorted(sys.modules)))
"""

_NOTHING = """
import json, sys
print("\\n" + json.dumps(sorted(sys.modules)))
"""

_SCREEN = """
import json, sys
import tcpviz.ui.start, tcpviz.ui.app, tcpviz.sources.files, tcpviz.commands.read
print("\\n" + json.dumps(sorted(sys.modules)))
"""


def modules(script: str, *words: str) -> frozenset[str]:
    """What such a process has imported at its end, and the interpreter does not begin with.

    That is another number on each machine: ``sitecustomize``, what ``.pth`` files ask for.
    """
    return imported(script, *words) - bare()


@cache
def bare() -> frozenset[str]:
    return imported(_NOTHING)


def imported(script: str, *words: str) -> frozenset[str]:
    command = [sys.executable, "-I", "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r}){script}"]
    done = subprocess.run(
        [*command, *words], capture_output=True, text=True, check=True, stdin=subprocess.DEVNULL
    )
    return frozenset(json.loads(done.stdout.splitlines()[-1]))


def ours(found: frozenset[str]) -> set[str]:
    return {name for name in found if name.startswith("tcpviz.")}


def standard(found: frozenset[str]) -> set[str]:
    """Python's own; what these import in turn begins with a ``_``, and versions differ in it."""
    tops = {name for name in sys.stdlib_module_names if not name.startswith("_")}
    return {name for name in found if name.split(".")[0] in tops}


def heavy(found: frozenset[str]) -> set[str]:
    return HEAVY & {name.split(".")[0] for name in found}


@pytest.mark.parametrize(
    "words",
    [[], ["--help"], ["--version"], ["read", "--help"], ["capture", "--help"]],
    ids=" ".join,
)
def test_to_be_told_how_it_is_used_takes_the_arguments_alone(words):
    found = modules(_RUN, *words)
    assert ours(found) <= {
        *(
            "tcpviz.cli",
            "tcpviz.arguments",
            "tcpviz.argument_values",
            "tcpviz.output_arguments",
            "tcpviz.presenter_arguments",
        ),
        "tcpviz.point_arguments",
        *("tcpviz.words", "tcpviz.catalogue"),
    }
    assert heavy(found) == set()
    assert not found & {"ctypes", "dataclasses", "inspect", "logging", "socket", "subprocess"}
    assert len(standard(found)) < 24


def test_a_table_of_a_file_needs_no_screen_and_no_scapy(tmp_path):
    path = tmp_path / "small.pcap"
    connections(path, 3)
    found = modules(_RUN, "read", str(path), "--text")
    assert heavy(found) <= {"numpy", "rich"}
    assert "rich.console" not in found  # rich.cells alone tells how wide characters are
    assert not any(name.startswith(("tcpviz.ui", "tcpviz.lab")) for name in found)


def test_a_table_by_columns_needs_nothing_that_keeps_sends_or_shows(tmp_path):
    path = tmp_path / "large.pcap"
    connections(path, 400)
    assert path.stat().st_size > SMALL
    found = modules(_RUN, "read", str(path), "--text")
    assert heavy(found) == {"numpy", "rich"}
    assert "tcpviz.bulk.connections.building" in found
    # What FileFeed, a configuration, --conn-log and a live capture need.
    assert not found & {
        f"tcpviz.sources.{name}" for name in ("keeping", "replay", "writer", "live")
    }
    assert not found & {"tomllib", "platformdirs", "difflib", "tempfile", "logging", "asyncio"}
    assert not any(name.startswith(("tcpviz.ui", "tcpviz.lab", "tcpviz.serve")) for name in found)
    assert "tcpviz.bulk.tables.stories" not in found
    assert len({name for name in ours(found) if not name.startswith("tcpviz.bulk.")}) < 95
    assert len(ours(found)) < 160
    assert len(standard(found)) < 65


@pytest.mark.parametrize("words", [["help", "filter"], ["demo", "--list"]], ids=" ".join)
def test_what_prints_text_needs_no_screen(words):
    assert heavy(modules(_RUN, *words)) == set()


def test_the_screen_of_a_file_needs_nothing_of_captures_and_columns():
    found = modules(_SCREEN)
    assert heavy(found) == {"asyncio", "rich", "textual"}
    # Markdown, syntax colours and big widgets come with Textual's conveniences, at a price.
    assert not found & {"markdown_it", "pygments", "textual.widgets._markdown"}
    assert not found & {"textual.widgets._data_table", "textual.widgets._text_area"}
    assert not any(name.startswith(("tcpviz.core.points", "tcpviz.sources.pair")) for name in found)
    assert len(ours(found)) < 245
    assert len(standard(found)) < 120


def test_modules_are_not_looked_through_for_garbage_while_they_are_imported():
    script = _RUN.replace("sorted(sys.modules)", "[each['collections'] for each in counts]")
    script = "import gc\n" + script.replace("print(", "counts = gc.get_stats()\nprint(", 1)
    young, _, whole = json.loads(
        subprocess.run(
            [sys.executable, "-I", "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r})\n{script}",
             "demo", "--list"],
            capture_output=True, text=True, check=True,
        ).stdout.splitlines()[-1]
    )  # fmt: skip
    assert young < 30  # all but a few before the command line is read
    assert whole == 0

"""The gallery: every scenario on the real kernel, as root and as an ordinary user; its notes."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tcpviz.lab import check, scenarios
from tcpviz.lab.scenarios import SECTIONS, folder, list_scenarios

ROOT = Path(__file__).resolve().parent.parent.parent
LINUX = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the cable needs Linux")
MAIN = "import sys; sys.path.append({root!r}); from tcpviz.cli import main; sys.exit(main())"


def _fast():
    """Scenarios that wait for no real minute."""
    return [one for one in list_scenarios() if not one.slow]


@LINUX
def test_every_scenario_agrees(cable):
    cable("handshake")
    results = list(check.check(_fast()))
    assert {one.scenario.name: one.wrong for one in results if not one.good} == {}
    assert all(one.steps and one.edges for one in results)


@LINUX
@pytest.mark.slow
def test_all_of_them_take_every_edge_that_linux_can_show(cable):
    cable("handshake")
    results = list(check.check(list_scenarios()))
    assert {one.scenario.name: one.wrong for one in results if not one.good} == {}
    assert [check.edge_lines([edge]) for edge in check.edges(results) if not edge.good] == []


@LINUX
def test_every_scenario_agrees_for_an_ordinary_user(cable):
    cable("handshake")
    names = [one.name for one in _fast()]
    command = [*_ordinary_user(), sys.executable, "-B", "-c", MAIN.format(root=str(ROOT))]
    done = subprocess.run(
        [*command, "demo", "--json", "--check", *names],
        capture_output=True,
        text=True,
        timeout=240,
        cwd="/",
    )
    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert [one["name"] for one in told] == names
    assert {one["name"]: one["wrong"] for one in told if one["wrong"]} == {}
    assert (done.returncode, done.stderr) == (0, "")


def _ordinary_user():
    """What makes root an ordinary user that may still read our Python wherever it lies."""
    if os.geteuid() != 0:
        return []
    if shutil.which("setpriv") is None:
        pytest.skip("needs setpriv to become an ordinary user")
    user = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    # Python may lie in root's home: reading (and nothing else) is allowed everywhere.
    caps = "-all,+dac_read_search"
    user += [f"--inh-caps={caps}", f"--ambient-caps={caps}", f"--bounding-set={caps}"]
    if subprocess.run([*user, sys.executable, "-c", "import socket"]).returncode != 0:
        pytest.skip("another user cannot read this Python and its packages")
    return user


# -- what is said of them ---------------------------------------------------


def test_the_list_goes_by_sections():
    found = list_scenarios()
    assert [one.name for one in found if one.section not in SECTIONS] == []
    places = [SECTIONS.index(one.section) for one in found]
    assert places == sorted(places)
    assert set(places) == set(range(len(SECTIONS)))
    assert {one.name for one in found} == set(scenarios._ORDER)


@pytest.mark.parametrize("one", list_scenarios(), ids=lambda one: one.name)
def test_a_script_is_short_and_says_what_it_shows_and_what_to_ask(one):
    source = one.path.read_text()
    assert one.shows.endswith(".")
    assert one.ask.endswith("?") or one.ask.endswith(")")
    assert "?" in one.ask
    assert len(source.splitlines()) <= 70
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", one.name)


def test_titles_are_told_apart():
    titles = [one.title for one in list_scenarios()]
    assert len(set(titles)) == len(titles)


def test_the_notes_tell_of_every_scenario_what_its_script_does():
    notes = (folder() / "README.md").read_text()
    told = re.findall(r"^### `([^`]+)`: (.+)$", notes, re.MULTILINE)
    assert told == [(one.name, one.title) for one in list_scenarios()]
    flat = " ".join(notes.split())
    for one in list_scenarios():
        assert one.shows in flat, f"{one.name}: the notes say otherwise than SHOWS"
        assert f"*Ask:* {one.ask}" in flat, f"{one.name}: the notes say otherwise than ASK"
    headings = re.findall(r"^## (.+)$", notes.partition("## Recordings")[0], re.MULTILINE)
    assert [one.lower() for one in headings] == list(SECTIONS)

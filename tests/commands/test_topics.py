"""The help's topics: every code, mark, state and certainty has its section, and they print."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from tcpviz import cli
from tcpviz.commands import topics
from tcpviz.core.claims import Certainty
from tcpviz.core.marks import MarkName
from tcpviz.core.states import State
from tcpviz.core.verdicts import Code

DIFFERENCES = Path(__file__).parent.parent / "oracles" / "known_differences.toml"


def test_the_topics() -> None:
    assert set(topics.names()) >= {"verdicts", "marks", "states", "certainty"}


def test_every_verdict_has_a_section_that_says_three_things() -> None:
    sections = topics.sections("verdicts")
    assert list(sections) == [str(code) for code in Code]
    for heading, body in sections.items():
        labels = [line.split(":")[0] for line in body.splitlines()]
        assert labels == ["Means", "Causes", "Check"], heading


def test_every_mark_state_and_certainty_has_a_section() -> None:
    assert list(topics.sections("marks")) == [str(name) for name in MarkName]
    assert set(topics.sections("states")) == {str(state) for state in State}
    assert set(topics.sections("certainty")) == {str(each) for each in Certainty}
    for name in ("marks", "states", "certainty"):
        assert all(topics.sections(name).values())


def test_the_table_of_differences_names_every_capture_where_marks_differ() -> None:
    known = tomllib.loads(DIFFERENCES.read_text())["difference"]
    files = {
        each["file"]
        for each in known
        if any(re.match(r"[^/]+/(marks|copies|split)", what) for what in each["what"])
    }
    assert len(files) > 5
    table = topics.text("marks").split("differs from Wireshark")[1]
    assert {name for name in files if name not in table} == set()


@pytest.mark.parametrize("name", ["verdicts", "marks", "states", "certainty"])
@pytest.mark.parametrize("width", [20, 40, 80, 200])
def test_a_topic_fits_the_terminal(name: str, width: int) -> None:
    text = topics.text(name)
    assert text.isascii()
    made = list(topics.lines(text, width))
    # A word that is wider than everything stands alone on its line.
    assert all(len(line) <= min(width, topics.WIDEST) or " " not in line.strip() for line in made)
    words = re.sub(r"[#|`\s-]+", "", text)
    kept = re.sub(r"[#|`\s-]+", "", "".join(made))
    assert len(kept) >= 0.95 * len(words)


def test_help_prints_topics_and_single_sections(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["help", "verdicts"]) == 0
    assert "never-closed" in capsys.readouterr().out
    assert cli.main(["help", "close-wait"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("CLOSE-WAIT\n")
    assert "LAST-ACK" not in out
    assert cli.main(["help", "read"]) == 0
    assert "usage: tcpviz read" in capsys.readouterr().out


def test_help_on_nothing_known_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["help", "nonsense"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert "verdicts" in captured.err

"""The help's topics: every code, mark, state and certainty has its section, and they print."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import textwrap
import tomllib
from pathlib import Path

import pytest

from tcpviz import cli, words
from tcpviz.commands import topics
from tcpviz.core.claims import Certainty
from tcpviz.core.marks import MarkName
from tcpviz.core.states import State
from tcpviz.core.verdicts import Code
from tcpviz.sources.saving import parse

DIFFERENCES = Path(__file__).parent.parent / "oracles" / "known_differences.toml"


def test_the_topics() -> None:
    assert set(topics.names()) >= {"verdicts", "marks", "states", "certainty"}


def test_the_help_names_every_topic(capsys: pytest.CaptureFixture[str]) -> None:
    helps = []
    for argv in (["--help"], ["help", "--help"]):
        with pytest.raises(SystemExit):
            cli.main(argv)
        helps.append(set(re.findall(r"[\w-]+", capsys.readouterr().out)))
    for name in topics.names():
        assert all(name in said for said in helps), name


def test_the_readme_names_every_topic_and_no_other() -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text("utf-8")
    (said,) = re.findall(r"^tcpviz help \[COMMAND((?:\|[\w-]+|\s)+)\]$", readme, re.MULTILINE)
    assert set(re.findall(r"[\w-]+", said)) == set(topics.names())


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


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("name", topics.names())
def test_every_paragraph_is_filled_and_examples_stay_as_they_are(name: str, language: str) -> None:
    words.use(language)
    made = list(topics.lines(topics.text(name), 80))
    assert not any("```" in line for line in made)
    labels = ("- ", "Means: ", "Causes: ", "Check: ", "含义：", "原因：", "检查：")
    for block in re.split(r"\n{2,}", topics.text(name).strip()):
        first = block.splitlines()[0]
        if first.startswith("    "):
            assert [line for line in block.splitlines() if line not in made] == []
        elif not first.startswith(("#", "|", *labels)):
            # Running text: it begins at the margin and its rows are joined before they are cut.
            start = next(n for n, line in enumerate(made) if line and first.startswith(line))
            rows = made[start : made.index("", start)]
            assert not any(row.startswith(" ") for row in rows)


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


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd-analyze")
@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_unit_that_the_help_shows_is_in_order(language: str, tmp_path: Path, capsys) -> None:
    words.use(language)
    assert topics.show("service", asked=True) == 0
    shown = capsys.readouterr().out
    start, end = shown.index("    [Unit]"), shown.index("WantedBy=multi-user.target")
    text = textwrap.dedent(shown[start:end]) + "WantedBy=multi-user.target\n"
    assert "/usr/local/bin/tcpviz capture -i any" in text
    unit = tmp_path / "tcpviz.service"
    unit.write_text(text.replace("/usr/local/bin/tcpviz", sys.executable))
    done = subprocess.run(
        ["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_the_unit_asks_for_what_there_is() -> None:
    text = topics.text("service")
    command = text[text.index("ExecStart=") :].split("\n    Restart")[0]
    line = command.removeprefix("ExecStart=").replace("\\\n", " ").split()
    options = cli.build_parser().parse_args(line[1:])
    assert options.quiet
    assert options.metrics == "127.0.0.1:9469"
    assert parse(options.write, options.autostop, options.ring)[0] is not None

"""The display filter on the command line: what is printed, counted, and complained of."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from tcpviz.cli import main
from tcpviz.commands import topics
from tcpviz.export import jsonl
from tcpviz.views.filter import CONNECTIONS

CAPTURE = "zeek-206_example_b.pcap"


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = main(list(words))
    told = capsys.readouterr()
    return code, told.out, told.err


def test_the_table_has_what_fits_and_counts_all(
    capsys: pytest.CaptureFixture[str], captures: Path
) -> None:
    file = str(captures / CAPTURE)
    code, out, err = run(capsys, "read", file, "--text", "mark:retransmission>3", "id:1")
    assert (code, err) == (0, "")
    heading, row, summary = out.splitlines()
    assert heading.startswith("#")
    assert row.startswith("1 ")
    assert summary.startswith("1 of 2 connections, 1556 segments")
    code, out, err = run(capsys, "read", file, "not", "port:80")
    assert (code, err) == (0, "")
    assert out.startswith("0 of 2 connections")


def test_words_may_stand_before_and_behind_options(
    capsys: pytest.CaptureFixture[str], captures: Path
) -> None:
    file = str(captures / CAPTURE)
    expected = run(capsys, "read", file, "id:2", "or", "id:3", "--csv")
    assert expected[1].count("\n") == 2
    assert run(capsys, "read", "--csv", file, "id:2", "or", "id:3") == expected
    assert run(capsys, "read", file, "--csv", "id:2", "or", "id:3") == expected
    assert run(capsys, "read", file, "id:2", "--csv", "or id:3") == expected
    assert run(capsys, "read", "--csv", "--", file, "id:2", "or", "id:3") == expected


def test_an_option_that_there_is_not_is_no_word(
    capsys: pytest.CaptureFixture[str], captures: Path
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["read", str(captures / CAPTURE), "--nonsense", "id:2"])
    assert ended.value.code == 2
    assert "--nonsense" in capsys.readouterr().err


def test_json_says_how_many_fit(capsys: pytest.CaptureFixture[str], captures: Path) -> None:
    code, out, _ = run(capsys, "read", str(captures / CAPTURE), "--json", "id:2")
    assert code == 0
    one, summary = [json.loads(line) for line in out.splitlines()]
    assert one["id"] == 2
    assert (summary["summary"]["connections"], summary["summary"]["shown"]) == (2, 1)
    jsonschema.validate(summary, jsonl.schema())
    _, out, _ = run(capsys, "read", str(captures / CAPTURE), "--json")
    assert "shown" not in json.loads(out.splitlines()[-1])["summary"]


def test_what_a_verdict_measures_does_not_change_with_what_is_shown(
    capsys: pytest.CaptureFixture[str], captures: Path
) -> None:
    file = str(captures / CAPTURE)
    every = run(capsys, "read", file, "--csv")[1].splitlines()
    assert run(capsys, "read", file, "--csv", "id:1")[1].splitlines() == every[:2]


def test_an_error_comes_before_anything_is_read(capsys: pytest.CaptureFixture[str]) -> None:
    for words in (
        ["read", "no-such-file.pcap", "port:80", "state:clse"],
        ["capture", "--text", "-i", "no-such-interface", "--filter", "port:80 state:clse"],
    ):
        code, out, err = run(capsys, *words)
        assert (code, out) == (2, "")
        message, text, carets, *_ = err.splitlines()
        assert message == "tcpviz: filter: clse is not a state; did you mean closed?"
        assert text == "  port:80 state:clse"
        assert carets == "                ^^^^"


def test_a_chart_takes_no_filter(capsys: pytest.CaptureFixture[str], captures: Path) -> None:
    code, out, err = run(capsys, "read", str(captures / CAPTURE), "--ladder", "1", "id:1")
    assert (code, out) == (2, "")
    assert "--ladder" in err


def test_what_is_not_known_is_said(capsys: pytest.CaptureFixture[str], captures: Path) -> None:
    code, out, err = run(capsys, "read", str(captures / CAPTURE), "process:nginx")
    assert code == 0
    assert out.startswith("0 of 2")
    assert "process is not known here" in err


def test_the_help_names_every_field() -> None:
    text = topics.text("filter")
    plain = {name for name in CONNECTIONS.fields if "." not in name}
    assert {name for name in plain if name not in text} == set()
    kind = CONNECTIONS.fields["is"].kind
    assert {value for value, _ in kind.candidates() if value not in text} == set()


def test_segments_that_fit_are_printed_a_line_each(
    capsys: pytest.CaptureFixture[str], captures: Path
) -> None:
    file = str(captures / CAPTURE)
    code, out, err = run(capsys, "read", file, "--segments", "flags:rst", "--ascii")
    lines = [line for line in out.splitlines() if "RST,ACK" in line]
    # By the capture's beginning, not the first line's.
    assert [line.split()[:2] for line in lines] == [["82.326100", "#1"], ["1532.629459", "#2"]]
    assert (code, err) == (0, "tcpviz: 2 of 1556 segments printed\n")
    code, out, err = run(capsys, "read", file, "--segments", "mark:duplicate_ack>63", "--json")
    assert code == 2
    code, out, err = run(capsys, "read", file, "--segments", "remark:sack id:1", "--json")
    made = [json.loads(line) for line in out.splitlines()]
    assert len(made) == 64
    for each in made[:3]:
        jsonschema.validate(each, jsonl.schema())
        assert each["remarks"] == ["sack"]
        assert each["segment"]["options"]["sack"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--segments", "mark:foo"], "foo is not a mark"),
        (["--segments", "state:"], "^"),
        (["--segments", "len>0", "port:80"], "leave the filter words away"),
        (["--segments", "len>0", "--csv"], "--segments and --csv: one run prints only one of them"),
    ],
)
def test_a_wrong_request_for_segments_says_so(
    words: list[str], told: str, capsys: pytest.CaptureFixture[str], captures: Path
) -> None:
    code, out, err = run(capsys, "read", str(captures / CAPTURE), *words)
    assert (code, out) == (2, "")
    assert told in err

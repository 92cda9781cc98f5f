"""Scenario scripts: found by name and path, checked, and their mistakes told with the line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tcpviz.lab.feed import LabFeed
from tcpviz.lab.scenarios import list_scenarios, load, read
from tcpviz.sources.feed import SourceError

HEAD = 'TITLE = "t"\nSHOWS = "s"\nCLIENT = []\nSERVER = []\n'


def test_the_scenarios_of_the_issue_are_there():
    names = [one.name for one in list_scenarios()]
    assert names[:3] == ["handshake", "echo", "simultaneous-open"]
    assert {"client-closes-first", "server-closes-first", "half-close"} <= set(names)
    assert {"refused", "reset", "simultaneous-close"} <= set(names)
    for one in list_scenarios():
        assert one.title
        assert one.shows.endswith(".")
        assert "?" in one.ask
        assert one.client
        assert one.server


def test_by_name_and_by_path_it_is_the_same():
    one = load("echo")
    assert load(str(one.path)) == one


@pytest.mark.parametrize(
    ("name", "first"),
    [("cleint-closes-first", "client-closes-first"), ("ech", "echo"), ("handshak", "handshake")],
)
def test_of_an_unknown_name_the_closest_are_told_and_where_all_are(name, first):
    with pytest.raises(SourceError) as told:
        load(name)
    assert told.value.exit_code == 2
    assert f"closest: {first}" in str(told.value)
    assert f"tcpviz demo --list names all {len(list_scenarios())}" in str(told.value)


def test_a_name_like_no_other():
    with pytest.raises(SourceError) as told:
        load("qqqq")
    count = len(list_scenarios())
    assert str(told.value) == f"no scenario 'qqqq'; tcpviz demo --list names all {count}"


@pytest.mark.parametrize("name", ["trace.pcap", "./TRACE.PCAPNG", "/tmp/trace.pcap.gz"])
def test_who_means_a_capture_is_told_how_it_is_read(name):
    with pytest.raises(SourceError) as told:
        load(name)
    assert str(told.value) == f"{name}: a capture by its name, no scenario: tcpviz read {name}"
    assert told.value.exit_code == 2


@pytest.mark.parametrize(
    ("source", "line", "what"),
    [
        ("TITLE = 'x\n", 1, "unterminated string"),
        (HEAD, None, "no function run"),
        (HEAD + "def run(): pass\n", 5, "one argument"),
        (HEAD.replace("CLIENT = []", "CLIENT = ['ESTAB']"), 3, "did you mean ESTABLISHED"),
        (HEAD.replace("CLIENT = []", "CLIENT = ['FIN_WAIT_1']"), 3, "did you mean FIN-WAIT-1"),
        (HEAD.replace("SERVER = []", "SERVER = [3]"), 4, "which is no state"),
        (HEAD.replace("SERVER = []", "SERVER = 'LISTEN'"), 4, "list of states"),
        (HEAD.replace("SERVER = []", "SERVER = [open('/')]"), 4, "plain literal"),
        (HEAD.replace("SERVER = []\n", ""), None, "SERVER is missing"),
        (HEAD.replace("TITLE", "TITEL"), None, "TITLE is missing"),
        (HEAD.replace('"t"', "5"), 1, "must be a text"),
        (HEAD + "NEEDS = 'luck'\n", 5, 'may only be "cable"'),
        (HEAD + "LIMIT = 0\n", 5, "more than 0"),
        (HEAD + "SECTION = 'magic'\n", 5, "none of opening, closing"),
        (HEAD + "OTHERS = [['LISTEN']]\n", 5, "list of pairs"),
        (HEAD + "OTHERS = [(['ESTAB'], [])]\n", 5, "did you mean ESTABLISHED"),
        (HEAD + "LIMIT = 'long'\n", 5, "number of seconds"),
        ("\0", None, "null bytes"),
    ],
)
def test_a_wrong_file_is_told_with_its_line(tmp_path, source, line, what):
    path = tmp_path / "wrong.py"
    path.write_text(source if "run" in what or "def" in source else source + "def run(lab): pass\n")
    if "no function" in what:
        path.write_text(source)
    with pytest.raises(SourceError) as told:
        read(path)
    assert told.value.exit_code == 2
    text = str(told.value)
    assert what in text
    assert text.startswith(f"{path}, line {line}: " if line else f"{path}")
    assert "\n" not in text


def test_files_that_are_none(tmp_path):
    for path in (tmp_path / "none.py", tmp_path):
        with pytest.raises(SourceError) as told:
            read(path)
        assert told.value.exit_code == 2


def test_listing_runs_nobodys_code(tmp_path):
    witness = tmp_path / "witness"
    path = tmp_path / "sly.py"
    path.write_text(HEAD + f"open({str(witness)!r}, 'w')\ndef run(lab): pass\n")
    assert read(path).name == "sly"
    assert not witness.exists()


@pytest.mark.parametrize(
    ("body", "what", "code"),
    [
        ("lab.sever.socket()", "lab has no 'sever'; did you mean server?", 2),
        ("lab.server.listn()", "lab.server has no 'listn'; did you mean listen?", 2),
        ("lab.server.bind()", "lab.server.bind(): no open socket; socket() comes first", 2),
        ("lab.server.accept()", "no listening socket", 2),
        ("1 / 0", "ZeroDivisionError: division by zero", 2),
        ("lab.client.socket(); lab.client.connect(99999)", "99999 is no port", 2),
        ("lab.client.socket(); lab.client.send(3.5)", "TypeError", 2),
        ("lab.client.socket(); lab.client.setsockopt('SO_LONGER')", "no option 'SO_LONGER'", 2),
        ("lab.client.socket(); lab.client.shutdown('WR')", "'WR' is none of SHUT_RD", 2),
        ("lab.cable.hold()", 'needs the cable (say NEEDS = "cable"', 2),
        ("lab.cable.drop('nobody')", "'nobody' is neither client nor server", 2),
        ("lab.cable.drop('client', 'SIN')", "'SIN' is none of SYN, ACK", 2),
    ],
)
def test_a_mistake_while_running_is_told_with_its_line(tmp_path, body, what, code):
    path = tmp_path / "wrong.py"
    path.write_text(HEAD + f"def run(lab):\n    {body}\n")
    with pytest.raises(SourceError) as told:
        list(LabFeed(read(path), on="kernel").batches())
    assert str(told.value).startswith(f"{path}, line 6: ")
    assert what in str(told.value)
    assert told.value.exit_code == code


def test_waiting_for_what_never_comes_says_what_was_seen(tmp_path):
    path = tmp_path / "waits.py"
    path.write_text(
        HEAD + "def run(lab):\n"
        "    lab.server.socket(); lab.server.bind(); lab.server.listen(); lab.server.accept()\n"
        "    lab.client.socket(); lab.client.connect(); lab.client.recv()\n"
        "    lab.client.wait(0.5)\n"
    )
    with pytest.raises(SourceError) as told:
        list(LabFeed(read(path)).batches())
    text = str(told.value)
    assert text.startswith(f"{path}, line 8: client is still blocked in recv() after 0.5 s")
    assert "client ESTABLISHED, server ESTABLISHED" in text
    assert told.value.exit_code == 1


def test_what_a_script_prints_is_a_note_and_who_still_blocks_is_told(tmp_path):
    path = tmp_path / "says.py"
    path.write_text(
        HEAD + "def run(lab):\n"
        "    print('one\\ntwo')\n"
        "    lab.server.socket(); lab.server.bind(); lab.server.listen(); lab.server.accept()\n"
        "    print('three', end='')\n"
    )
    feed = LabFeed(read(path), on="kernel")
    list(feed.batches())
    assert feed.status.notes[1:] == [
        "one",
        "two",
        "three",
        "the server is still blocked in accept()",
    ]


def test_a_failing_call_is_a_result_and_no_error(tmp_path):
    path = tmp_path / "fails.py"
    path.write_text(
        HEAD + "def run(lab):\n    lab.client.socket(); lab.client.send('x'); lab.client.recv()\n"
    )
    results = [
        record.result
        for batch in LabFeed(read(path), on="kernel").batches()
        for record in batch
        if getattr(record, "failed", False)
    ]
    assert results == ["EPIPE", "ENOTCONN"]


def test_a_module_in_the_persons_folder_does_not_stand_in_for_the_librarys(tmp_path):
    (tmp_path / "struct.py").write_text("raise SystemExit('not this one')\n")
    root = str(Path(__file__).resolve().parent.parent.parent)
    script = (
        f"import sys; sys.path = [p for p in sys.path if p]; sys.path.append({root!r})\n"
        "from tcpviz.lab.feed import LabFeed\n"
        "from tcpviz.lab.scenarios import load\n"
        "print(sum(len(batch) for batch in LabFeed(load('handshake'), on='kernel').batches()) > 9)"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", script], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.stdout == "True\n", done.stderr

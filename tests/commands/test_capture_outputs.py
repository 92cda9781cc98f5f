"""What a capture leaves behind, of real traffic on loopback: every form beside every other."""

from __future__ import annotations

import csv
import io
import json
import re
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import jsonschema
import pytest

from tcpviz.cli import main
from tcpviz.commands import stream
from tcpviz.core.records import Gap, SegmentRecord
from tcpviz.core.timeline import StepKind
from tcpviz.core.tracker import Tracker
from tcpviz.export import jsonl
from tcpviz.sources import access
from tcpviz.sources.files import open_capture
from tests.export.test_conn_log import fields
from tests.ui.fakes import FakeFeed, conversation

may_capture = pytest.mark.skipif(
    sys.platform != "linux" or not access.own_access()[0], reason="no right to capture here"
)


@contextmanager
def capturing(server: socket.socket, *words: str) -> Iterator[subprocess.Popen[str]]:
    """``tcpviz capture`` of what the server does; it captures already."""
    port = str(server.getsockname()[1])
    command = [sys.executable, "-m", "tcpviz", "capture", "-i", "lo", *words, "tcp", "port", port]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def exchange(server: socket.socket, *, reset: bool = False) -> None:
    with socket.create_connection(server.getsockname()) as client:
        accepted, _ = server.accept()
        with accepted:
            client.sendall(b"hello")
            assert accepted.recv(9) == b"hello"
            if reset:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                client.close()
            else:
                client.shutdown(socket.SHUT_WR)
                assert accepted.recv(9) == b""
        if not reset:
            assert client.recv(1) == b""


def ended(process: subprocess.Popen[str]) -> bool:
    """Whether it has, looked at without keeping from it the processor that it needs."""
    try:
        process.wait(0.02)
    except subprocess.TimeoutExpired:
        return False
    return True


def packets(path: Path) -> int:
    with open_capture(str(path)) as capture:
        return len(list(capture))


@pytest.fixture
def server() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


@may_capture
def test_all_of_them_at_once(server, tmp_path: Path) -> None:
    log, page, table = (tmp_path / name for name in ("conn.log", "t.prom", "c.parquet"))
    words = ["--json", "-w", str(tmp_path / "ring.pcapng"), "-b", "packets:5", "-b", "files:2"]
    words += ["--conn-log", str(log), "--metrics", str(page), "-a", "packets:16"]
    try:
        import pyarrow.parquet as pq
    except ImportError:
        pq = None
    if pq:
        words += ["--parquet", str(table)]
    with capturing(server, *words) as process:
        assert process.stdout is not None
        lines = [json.loads(process.stdout.readline())]
        assert lines[0]["begin"]["schema"] == jsonl.SCHEMA
        for _ in range(4):
            exchange(server)
        out, errors = process.communicate(timeout=100)
    assert process.returncode == 0, errors
    lines += [json.loads(line) for line in out.splitlines()]
    checked = jsonschema.Draft202012Validator(jsonl.schema())
    for each in lines:
        checked.validate(each)
    assert lines[-1]["summary"]["frames"] == 16
    assert sum(each.get("type") == "segment" for each in lines) == 16
    ring = sorted(each for each in tmp_path.iterdir() if each.suffix == ".pcapng")
    assert [re.sub(r"_\d{14}", "", each.name) for each in ring] == [
        "ring_00003.pcapng",
        "ring_00004.pcapng",
    ]
    assert [packets(each) for each in ring] == [5, 1]
    rows = fields(log.read_text())
    assert rows[0]["conn_state"] == "SF"
    assert rows[0]["orig_bytes"] == "5"
    assert log.read_text().splitlines()[-1].startswith("#close")
    assert "tcpviz_packets_total 16\n" in page.read_text()
    assert "tcpviz_capturing 0\n" in page.read_text()
    assert {stat.S_IMODE(each.stat().st_mode) for each in (*ring, log)} == {0o600}
    if pq:
        assert pq.read_table(table).num_rows == len(rows)


@may_capture
@pytest.mark.parametrize(("words", "code"), [(["verdict:reset"], 0), (["verdict:refused"], 3)])
def test_until_tells_by_its_exit_code_whether_it_came(server, words, code, tmp_path) -> None:
    page = tmp_path / "t.prom"
    options = ["--until", *words, "--text", "--metrics", str(page), "-a", "packets:20"]
    with capturing(server, *options) as process:
        while not page.exists():
            assert not ended(process)
        exchange(server)
        exchange(server, reset=True)
        while not ended(process):
            exchange(server)
        out, errors = process.communicate(timeout=100)
    assert process.returncode == code, errors
    assert ("--until 'verdict:reset': connection 2" in errors) is (code == 0)
    assert ("no connection has come to fit" in errors) is (code == 3)
    assert "SYN" in out


@may_capture
def test_csv_of_what_has_ended_and_of_the_rest(server) -> None:
    with capturing(server, "--csv", "-a", "packets:11") as process:
        assert process.stdout is not None
        heading = process.stdout.readline()
        exchange(server)
        with socket.create_connection(server.getsockname()):
            out, errors = process.communicate(timeout=100)
    assert process.returncode == 0, errors
    rows = list(csv.DictReader([heading, *out.splitlines()]))
    assert [row["client_state"] for row in rows] in (
        ["TIME-WAIT", "ESTABLISHED"],
        ["CLOSED", "ESTABLISHED"],
    )


@may_capture
def test_quiet_says_nothing_on_standard_output_and_ends_at_its_time(server, tmp_path) -> None:
    log = tmp_path / "conn.log"
    with capturing(server, "-q", "--conn-log", str(log), "-a", "duration:0.2") as process:
        out, errors = process.communicate(timeout=100)
    assert (process.returncode, out) == (0, "")
    assert "0.2 s are over, as -a duration asked" in errors
    assert log.read_text().startswith("#separator")


@may_capture
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_service_is_ended_in_order(server, tmp_path: Path, number: int) -> None:
    log, saved = tmp_path / "conn.log", tmp_path / "a.pcapng"
    with capturing(server, "-q", "--conn-log", str(log), "-w", str(saved)) as process:
        while not log.exists():
            assert not ended(process)
        exchange(server)
        for _ in range(5_000):
            if packets(saved) >= 7:  # the last two may come as one
                break
            assert not ended(process)
        process.send_signal(number)
        _, errors = process.communicate(timeout=100)
    assert process.returncode == 0, errors
    assert re.search(r"([78]) packets, \1 segments, 1 connections", errors)
    assert packets(saved) >= 7
    assert [row["history"] for row in fields(log.read_text())] == ["ShADaFf"]


@may_capture
def test_a_reader_that_goes_away_ends_it_without_a_word(server, tmp_path) -> None:
    log = tmp_path / "conn.log"
    with capturing(server, "--json", "--conn-log", str(log)) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        while not ended(process):
            exchange(server)
        errors = process.stderr.read()
    assert process.returncode == 141
    assert "Traceback" not in errors
    assert "Broken" not in errors
    assert log.read_text().splitlines()[-1].startswith("#close")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["-b", "files:3"], "-b is about the file that -w names"),
        (["-a", "minutes:3"], "one of duration:SECONDS"),
        (["--until", "nonsense:3"], "filter:"),
        (["--conn-log", "-", "--json"], "both want standard output"),
        (["--metrics", "localhost:99999"], "a port is 0 (any) to 65535"),
        (["-w", "-", "-b", "filesize:1"], "standard output is one"),
    ],
)
def test_what_cannot_be_is_said_in_a_line_with_code_2(words, says, capsys) -> None:
    assert main(["capture", "-i", "lo", *words]) == 2
    errors = capsys.readouterr().err
    assert says in errors
    assert "Traceback" not in errors


def test_the_codes_are_as_the_help_has_them() -> None:
    from tcpviz import cli
    from tcpviz.argument_values import USAGE
    from tcpviz.commands import topics
    from tcpviz.views.until import NEVER

    told = topics.text("exit-codes")
    for code in (0, cli.FAILURE, USAGE, NEVER, cli.INTERRUPTED, cli.BROKEN_PIPE):
        assert f"| {code} |" in told


class Overwhelmed(FakeFeed):
    """More comes than can be followed; it says so with its second batch."""

    ring = True
    asked: int | None = None

    def __init__(self, *batches) -> None:
        super().__init__(*batches)
        self.table = SimpleNamespace(born=1234, evicted=5)

    @property
    def overwhelmed(self) -> bool:
        return self.status.frames > 10

    @property
    def everything(self) -> bool:
        return self.asked is None

    @property
    def counted(self) -> bool:
        return self.asked is not None

    def only(self, ident: int) -> None:
        self.asked = ident


def test_what_is_too_much_to_follow_is_counted() -> None:
    feed, tracker, out = Overwhelmed(conversation(0), conversation(1), []), Tracker(), io.StringIO()
    assert stream.tell(feed, tracker, lambda _: None, out, endless=True) == 0
    assert feed.asked == stream.NOBODY
    assert len(tracker.connections) == 0
    assert "all connections are counted" in feed.status.notes[0]
    assert (stream.seen(feed, tracker), stream.forgotten(feed, tracker)) == (1234, 5)


def test_ctrl_c_once_more_tells_no_more() -> None:
    """The first one ends a capture in order: what has come is told to its end."""
    for times, steps in ((1, 3), (2, 1)):
        feed, told = FakeFeed(conversation(0), conversation(1), conversation(2)), []

        def line(step, told=told, times=times):
            told.append(step)
            if len(told) == 1:
                for _ in range(times):
                    signal.raise_signal(signal.SIGINT)

        stopped = []
        feed.stop = lambda stopped=stopped: stopped.append(1)
        assert stream.tell(feed, Tracker(), line, io.StringIO(), endless=True) == 0
        assert len(stopped) == times
        assert (len({step.connection for step in told if step.segment})) == steps
        assert (len(told) == 1) == (times == 2)


class Pressed(Overwhelmed):
    """More than can be followed comes while its one large batch is."""

    looks = 0

    @property
    def overwhelmed(self) -> bool:
        return self.looks > 1

    def pressed(self) -> bool:
        self.looks += 1
        return self.overwhelmed


def test_the_rest_of_what_came_at_once_is_not_followed_while_the_ring_fills() -> None:
    segments = [record for number in range(40) for record in conversation(number)]
    last = Gap(segments[-1].time_ns, 3, "the kernel")
    feed, tracker, told = Pressed([*segments, last], []), Tracker(), []
    stream.tell(feed, tracker, lambda step: told.append(step) or None, io.StringIO(), endless=True)
    assert 0 < sum(step.segment is not None for step in told) < 2 * stream.LOOK < len(segments)
    assert feed.looks == 2
    assert told[-1].kind is StepKind.GAP  # only segments have been counted already
    assert "all connections are counted" in feed.status.notes[0]


class Calm(Overwhelmed):
    """So little comes afterwards that all can be followed again."""

    counted = True
    over = False

    @property
    def overwhelmed(self) -> bool:
        return super().overwhelmed and not self.over

    @property
    def calm(self) -> bool:
        return not self.everything

    def follow_all(self) -> None:
        self.asked, self.over = None, True


class Since(list):
    since = 40


def test_once_little_comes_it_is_followed_again_and_numbers_go_on() -> None:
    old, new = conversation(2), conversation(3)
    feed = Calm(conversation(0), conversation(1), [], Since(), old, new)
    keys = {record.segment.key for record in old if isinstance(record, SegmentRecord)}
    feed.rows = SimpleNamespace(number_of=lambda key: 7 if key in keys else None)
    tracker, out = Tracker(), io.StringIO()
    assert stream.tell(feed, tracker, lambda _: None, out, endless=True) == 0
    assert list(tracker.connections) == [7, 41]
    assert feed.everything
    assert "counted, not followed" in feed.status.notes[1]

"""Metrics: valid for Prometheus' own readers, of bounded labels, and nobody's patience is used."""

from __future__ import annotations

import os
import shutil
import socket
import stat
import subprocess
import urllib.error
import urllib.request
from collections import Counter
from pathlib import Path

import pytest

from tcpviz.core.meter import Meter
from tcpviz.core.segment import Endpoint
from tcpviz.core.tracker import Tracker
from tcpviz.export import metrics, metrics_server
from tcpviz.export.metrics import Metrics, TextFile
from tcpviz.export.metrics_server import CLIENTS, LONGEST, MetricsServer, address
from tcpviz.export.parquet import ParquetSink
from tcpviz.export.prometheus import TYPE, Moment, page
from tcpviz.sources.feed import FeedStatus, SourceError
from tcpviz.sources.writer import replaceable
from tcpviz.ui.gallery import write
from tests.core.dialogue import Talk

PROMTOOL = shutil.which("promtool")


def made(connections: int = 3) -> str:
    tracker, meter = Tracker(keep=False), Meter(lambda: 0.0)
    for port in range(connections):
        talk = Talk(client=Endpoint(f"10.0.{port >> 8}.{port & 255}", 1024), tracker=tracker)
        talk.handshake()
        talk.client("PA", 5)
        talk.server("R")
        meter.steps(talk.steps, tracker)
    meter.look(tracker, talk.now + 10**10)
    status = FeedStatus(frames=7, segments=6, dropped=5, skipped=Counter({'evil"\n}': 4}))
    moment = Moment(
        meter.connections, meter.states(tracker), len(tracker.connections), 1, 10**8, 1.5
    )
    return page(meter, status, moment)


@pytest.mark.skipif(PROMTOOL is None, reason="no promtool (Debian: prometheus)")
def test_promtool_finds_nothing_wrong() -> None:
    assert PROMTOOL is not None
    done = subprocess.run(
        [PROMTOOL, "check", "metrics"], input=made(), capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_official_parser_reads_every_number() -> None:
    parser = pytest.importorskip("prometheus_client.parser")
    families = {each.name: each for each in parser.text_string_to_metric_families(made())}
    numbers = {
        (sample.name, *sample.labels.values()): sample.value
        for each in families.values()
        for sample in each.samples
    }
    assert numbers["tcpviz_packets_total",] == 7
    assert numbers["tcpviz_dropped_packets_total",] == 5
    assert numbers["tcpviz_skipped_packets_total",] == 4
    assert numbers["tcpviz_connections_total",] == 3
    assert numbers["tcpviz_ended_connections_total", "reset"] == 3
    assert numbers["tcpviz_connection_ends", "client", "CLOSED"] == 3
    assert numbers["tcpviz_handshake_seconds_count",] == 3
    assert numbers["tcpviz_handshake_seconds_bucket", "0.0025"] == 3
    assert numbers["tcpviz_handshake_seconds_bucket", "0.001"] == 0
    assert all(each.documentation and each.type != "unknown" for each in families.values())


def test_no_traffic_makes_another_series() -> None:
    def series(text: str) -> list[str]:
        return [line.rsplit(" ", 1)[0] for line in text.splitlines() if line[0] != "#"]

    assert series(made(2)) == series(made(300))
    assert len(series(made(2))) < 250


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("9469", ("127.0.0.1", 9469)),
        (":9469", ("127.0.0.1", 9469)),
        ("0.0.0.0:80", ("0.0.0.0", 80)),
        ("[::1]:80", ("::1", 80)),
        ("host.example:80", ("host.example", 80)),
        ("/var/lib/tcpviz.prom", None),
        ("./a:80", None),
        ("tcpviz.prom", None),
    ],
)
def test_a_place_is_an_address_or_a_file(text, where) -> None:
    assert address(text) == where


@pytest.mark.parametrize("text", ["localhost:70000", "99999999"])
def test_a_port_that_there_is_none(text: str) -> None:
    with pytest.raises(SourceError, match="0 \\(any\\) to 65535"):
        address(text)


@pytest.fixture
def server():
    server = MetricsServer("127.0.0.1", 0, TYPE)
    server.publish("tcpviz_up 1\n")
    yield server
    server.close()


def ask(server: MetricsServer, path: str = "/metrics", method: str = "GET"):
    request = urllib.request.Request(f"http://127.0.0.1:{server.port}{path}", method=method)
    return urllib.request.urlopen(request, timeout=20)


def test_it_is_served(server) -> None:
    with ask(server) as got:
        assert got.read() == b"tcpviz_up 1\n"
        assert got.headers["Content-Type"] == TYPE
    with ask(server, method="HEAD") as got:
        assert got.read() == b""
        assert got.headers["Content-Length"] == "12"
    server.publish("tcpviz_up 2\n")
    with ask(server, "/metrics?x=1") as got:
        assert got.read() == b"tcpviz_up 2\n"


@pytest.mark.parametrize(
    ("path", "method", "code"), [("/x", "GET", 404), ("/metrics", "POST", 405)]
)
def test_nothing_else_is_there(server, path, method, code) -> None:
    with pytest.raises(urllib.error.HTTPError) as caught:
        ask(server, path, method)
    assert caught.value.code == code
    caught.value.close()


def test_slow_and_many_and_endless_clients_keep_nobody_waiting(server) -> None:
    slow = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(3 * CLIENTS)]
    try:
        for each in slow:
            each.setblocking(False)
            try:
                each.send(b"GET /metrics HTT")
            except OSError:
                continue  # it had to make room already
        with ask(server) as got:
            assert got.read() == b"tcpviz_up 1\n"
    finally:
        for each in slow:
            each.close()
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as endless:
        try:
            for _ in range(64):
                endless.sendall(b"x" * LONGEST)
            assert endless.recv(1) == b""
        except OSError:
            pass  # reset while we were still sending
    with ask(server) as got:
        assert got.read() == b"tcpviz_up 1\n"


def test_patience_ends(monkeypatch) -> None:
    monkeypatch.setattr(metrics_server, "PATIENCE_S", 0.05)
    server = MetricsServer("127.0.0.1", 0, TYPE)
    try:
        with socket.create_connection(("127.0.0.1", server.port), timeout=20) as slow:
            slow.sendall(b"GET")
            assert slow.recv(1) == b""
    finally:
        server.close()


def test_a_place_that_is_taken_is_said(server) -> None:
    with pytest.raises(SourceError, match="Address already in use; choose another place"):
        MetricsServer("127.0.0.1", server.port, TYPE)


def test_the_file_is_whole_at_every_moment_and_others_may_read_it(tmp_path: Path) -> None:
    path, told = tmp_path / "t.prom", []
    place = TextFile(str(path), told.append)
    place.publish("a 1\n")
    before = path.stat().st_ino
    with path.open() as open_file:
        place.publish("a 2\n")
        assert open_file.read() == "a 1\n"
    assert path.read_text() == "a 2\n"
    assert path.stat().st_ino != before
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert [each.name for each in tmp_path.iterdir()] == ["t.prom"]
    assert told == []


def test_a_planted_link_is_not_followed(tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.write_text("mine")
    (tmp_path / f".t.prom.{os.getpid()}").symlink_to(mine)
    TextFile(str(tmp_path / "t.prom"), print).publish("a 1\n")
    assert mine.read_text() == "mine"


def test_a_file_that_cannot_be(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="it is a directory"):
        TextFile(str(tmp_path), print)
    with pytest.raises(SourceError, match="cannot be written: its folder"):
        TextFile(str(tmp_path / "no" / "t.prom"), print)


def test_what_is_no_file_is_not_replaced_by_one(tmp_path: Path) -> None:
    pipe, link = tmp_path / "pipe", tmp_path / "link"
    os.mkfifo(pipe)
    link.symlink_to(pipe)
    for place in (pipe, link):
        for make in (
            lambda name: TextFile(name, print),
            ParquetSink,
            lambda name: write(Path(name)),
        ):
            with pytest.raises(SourceError, match="not a file, and would be replaced by one"):
                make(str(place))
    assert pipe.is_fifo()
    assert link.is_symlink()
    replaceable(str(tmp_path / "new"))


def test_pages_come_at_their_pace_and_a_last_one() -> None:
    pages: list[str] = []
    now = [0.0]

    class Place:
        every_s = metrics.SERVE_S

        def publish(self, text: str) -> None:
            pages.append(text)
            now[0] += 0.1  # it takes this long

        def close(self) -> None: ...

    eye = Metrics(Place(), FeedStatus(), lambda: 1, clock=lambda: now[0])
    tracker = Tracker()
    for _ in range(10):
        eye.look(tracker, 0)
    assert len(pages) == 1
    now[0] += metrics.SHARE * 0.1
    eye.look(tracker, 0)
    assert len(pages) == 2
    eye.end(tracker, 0)
    assert "tcpviz_capturing 1\n" in pages[1]
    assert "tcpviz_capturing 0\n" in pages[2]

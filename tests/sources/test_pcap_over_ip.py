"""What is captured, served over TCP: to several readers, late ones, slow ones, and tshark."""

import shutil
import socket
import subprocess

import pytest

from tcpviz.core.records import Gap, SegmentRecord
from tcpviz.sources import pcap_over_ip_server
from tcpviz.sources.feed import SourceError
from tcpviz.sources.files import FileFeed
from tcpviz.sources.pcap_over_ip_server import PcapServer
from tcpviz.wire.frame import Frame
from tests.wire.packets import ethernet, ipv4, tcp


def frame(number, size=0):
    packet = ethernet(ipv4(tcp(seq=number, payload=bytes(size))))
    return Frame(1_700_000_000_000_000_000 + number, 1, packet, len(packet), number)


class Serving:
    def __init__(self, where="0"):
        self.said = []
        self.server = PcapServer(where, self.said.append)
        self.server.describe([("eth0", 1)], "tcp", 0)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.close()

    def reader(self):
        before = self.server.readers
        feed = FileFeed(self.server.place)
        until(lambda: self.server.readers > before)
        return feed

    def send(self, *numbers, size=0):
        for number in numbers:
            self.server.take(frame(number, size), 0)
        self.server.flush()


def until(true):
    for _ in range(20_000):
        if true():
            return
        select_a_moment()
    raise AssertionError("it does not come")


def select_a_moment():
    import select

    select.select([], [], [], 0.001)


def read(feed):
    return [record for batch in feed.batches() for record in batch]


def numbers(records):
    return [one.segment.seq for one in records if isinstance(one, SegmentRecord)]


def test_each_reader_gets_the_head_and_what_comes_from_then_on():
    with Serving() as serving:
        early = serving.reader()
        serving.send(1, 2)
        late = serving.reader()
        serving.send(3, 4)
        serving.server.close()
        assert numbers(read(early)) == [1, 2, 3, 4]
        assert numbers(read(late)) == [3, 4]
    assert serving.said[0].startswith("serving the packets at TCP@127.0.0.1:")
    assert not any("password" in line for line in serving.said)


def test_a_slow_reader_loses_packets_and_is_told_how_many(monkeypatch):
    monkeypatch.setattr(pcap_over_ip_server, "QUEUE", 200_000)
    with Serving() as serving:
        slow, quick = serving.reader(), serving.reader()
        sent, got = 0, []
        stream = quick.batches()
        while not serving.server.missed:  # the kernel's own buffers fill first
            serving.send(*range(sent, sent + 50), size=1000)
            sent += 50
            while len(got) < sent:
                got += numbers(next(stream))
        lost = serving.server.missed
        stream = slow.batches()
        first = []
        while not first or numbers(first)[-1] != sent - lost - 1:
            first += next(stream)
        serving.send(*range(sent, sent + 10))
        serving.server.close()
        rest = [record for batch in stream for record in batch]
    assert numbers(first) == list(range(sent - lost))
    gaps = [one.count for one in rest if isinstance(one, Gap)]
    assert gaps == [lost]
    assert numbers(rest) == list(range(sent, sent + 10))
    assert any("is too slow" in line for line in serving.said)
    assert f"have lost {lost} packets" in serving.said[-1]


def test_a_reader_that_goes_away_hurts_nobody():
    with Serving() as serving:
        with socket.create_connection(("127.0.0.1", serving.server.served.port)):
            until(lambda: serving.server.readers == 1)
        until(lambda: serving.server.readers == 0)
        other = serving.reader()
        serving.send(1)
        serving.server.close()
        assert numbers(read(other)) == [1]


def test_too_many_readers_are_turned_away(monkeypatch):
    monkeypatch.setattr(pcap_over_ip_server, "READERS", 1)
    with Serving() as serving:
        first = serving.reader()
        with socket.create_connection(("127.0.0.1", serving.server.served.port)) as second:
            assert second.recv(1) == b""
        serving.send(1)
        serving.server.close()
        assert numbers(read(first)) == [1]
    assert "1 readers were turned away" in serving.said[-1]


def test_more_than_this_machine_is_told():
    with Serving("0.0.0.0:0") as serving:
        assert any("there is no password" in line for line in serving.said)
        assert serving.server.served.words == f"tcp port {serving.server.served.port}"


def test_it_is_left_out_of_the_capture_itself():
    with Serving() as serving:
        served = serving.server.served
        assert served.words == f"tcp port {served.port} and host 127.0.0.1"


@pytest.mark.parametrize("where", ["x", "70000", "host:", "[::1]", "1:2:3"])
def test_a_wrong_place_is_a_wrong_request(where):
    with pytest.raises(SourceError) as problem:
        PcapServer(where, print)
    assert problem.value.exit_code == 2


def test_a_port_that_is_taken_is_said():
    with Serving() as serving, pytest.raises(SourceError, match="choose another"):
        PcapServer(str(serving.server.served.port), print)


@pytest.mark.skipif(shutil.which("tshark") is None, reason="no tshark")
def test_wireshark_reads_it():
    with Serving() as serving:
        command = ["tshark", "-n", "-l", "-i", serving.server.place, "-c", "3", "-T", "fields"]
        tshark = subprocess.Popen(
            [*command, "-e", "tcp.seq_raw"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        until(lambda: serving.server.readers == 1)
        serving.send(11, 12, 13)
        serving.server.close()
        out, errors = tshark.communicate(timeout=60)
        assert out.split() == [b"11", b"12", b"13"], errors

"""Two points of view on the command line: files whose truth is known, and a real network."""

from __future__ import annotations

import json
import os
import shutil
import signal
import struct
import subprocess
import sys
import threading
from collections import Counter, defaultdict
from dataclasses import replace
from pathlib import Path

import pytest

from tcpviz.cli import main
from tcpviz.core.records import Moment, SegmentRecord
from tcpviz.core.segment import Flags, Options
from tcpviz.export import jsonl
from tcpviz.sources.pair import pair_of
from tcpviz.sources.writer import PcapngWriter
from tcpviz.wire.frame import Frame
from tests.core.points.test_joiner import talk
from tests.core.points.twopoints import TwoPoints
from tests.core.twoends import MS
from tests.wire.packets import ethernet, ipv4, tcp

AHEAD, DRIFT = 4_321_000_000, 80e-6


def write(path, segments):
    with PcapngWriter(str(path)) as writer:
        writer.add_interface("eth0", 1)
        for one in segments:
            stamps = one.options.timestamps
            options = b"" if stamps is None else b"\1\1\x08\x0a" + struct.pack("!II", *stamps)
            packet = ethernet(
                ipv4(
                    tcp(
                        bytes(one.payload_len),
                        src=one.src.addr,
                        dst=one.dst.addr,
                        sport=one.src.port,
                        dport=one.dst.port,
                        seq=one.seq,
                        ack=one.ack,
                        flags=int(one.flags),
                        options=options,
                    ),
                    src=one.src.addr,
                    dst=one.dst.addr,
                    ttl=one.ttl,
                    ident=one.ip_id & 0xFFFF,
                )
            )
            writer.write(Frame(one.time_ns, 1, packet, len(packet), one.frame, 0))


@pytest.fixture(scope="module")
def world():
    return talk(TwoPoints(3, lost=0.05, jitter=3, stamps=True, ahead_ns=AHEAD, drift=DRIFT))


@pytest.fixture(scope="module")
def files(world, tmp_path_factory):
    folder = tmp_path_factory.mktemp("points")
    paths = [folder / "alice.pcapng", folder / "bob.pcapng"]
    for path, segments in zip(paths, world.captures, strict=True):
        write(path, segments)
    return [str(path) for path in paths]


def test_json_tells_clocks_delays_and_losses(world, files, capsys):
    assert main(["read", files[0], "--and", files[1], "--json"]) == 0
    points = json.loads(capsys.readouterr().out.splitlines()[-1])["summary"]["points"]
    assert points["names"] == ["alice.pcapng", "bob.pcapng"]
    assert points["connections"] == 1
    clock = points["clock"]
    middle = (world.captures[0][0].time_ns + world.captures[0][-1].time_ns) // 2
    true = AHEAD + DRIFT * (middle - world.captures[0][0].time_ns)
    assert abs(clock["offset_ns"] - true) <= clock["error_ns"] < 45 * MS
    assert clock["drift_ppm_least"] <= 1e6 * DRIFT <= clock["drift_ppm_most"]
    lost = sum(one.lost for one in world.truths)
    assert points["forward"]["lost"] + points["backward"]["lost"] == lost > 5
    for way in ("forward", "backward"):
        delay = points[way]["delay"]
        assert 19 * MS < delay["least_ns"] < 21 * MS < delay["most_ns"] < 27 * MS


def test_text_says_it_in_words(files, capsys):
    assert main(["read", files[0], "--and", files[1], "--text", "--ascii"]) == 0
    said = capsys.readouterr().out
    assert "two points: 1 connection at both alice.pcapng and bob.pcapng" in said
    assert "clock at bob.pcapng: +4.32 s +-" in said
    assert "alice.pcapng to bob.pcapng: one way 20" in said


def test_the_chart_slants_and_ends_what_was_lost_in_the_middle(files, capsys):
    assert main(["read", files[0], "--and", files[1], "--ladder", "1"]) == 0
    chart = capsys.readouterr().out
    assert "lost ✖" in chart or "✖ lost" in chart
    assert "20." in chart
    assert " ms ─▶" in chart


def test_each_segment_tells_its_way(files, capsys):
    words = ["--segments", "flags:syn", "--json"]
    assert main(["read", files[0], "--and", files[1], *words]) == 0
    steps = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [step["type"] for step in steps[:2]] == ["sent", "arrived"]
    way = steps[1]["passage"]
    assert way["left"] == {"at": "alice.pcapng", "frame": 1}
    assert way["arrived"] == {"at": "bob.pcapng", "frame": 1}
    assert way["error_ns"] < 45 * MS


def test_live_sources_are_joined_as_they_come(world, files, tmp_path):
    pipes = [str(tmp_path / name) for name in ("one", "two")]
    for pipe, path in zip(pipes, files, strict=True):
        os.mkfifo(pipe)
        threading.Thread(target=pour, args=(path, pipe), daemon=True).start()
    feed = pair_of(*pipes)
    records = [record for batch in feed.batches() for record in batch]
    lost = sum(one.lost for one in world.truths)
    assert sum(way.lost for way in feed.ledger.ways) == lost
    assert feed.skew.ahead_ns == pytest.approx(AHEAD, abs=feed.skew.error_ns + 2 * MS)
    times = [one.time_ns for one in records if isinstance(one, SegmentRecord)]
    assert times == sorted(times)


def pour(path, pipe):
    with Path(path).open("rb") as source, Path(pipe).open("wb") as target:
        shutil.copyfileobj(source, target)


@pytest.mark.parametrize(
    ("other", "code", "said"),
    [
        ("no-such-file", 2, "no such file"),
        (None, 2, "both points of view"),
        ("strange", 1, "have no segment in common"),
    ],
)
def test_what_cannot_be_joined_is_one_line(other, code, said, files, tmp_path, capsys):
    if other == "strange":
        other = str(tmp_path / "strange.pcapng")
        write(other, talk(TwoPoints(4, isses=(77, 99))).captures[1])
    assert main(["read", files[0], "--and", other or files[0], "--text"]) == code
    assert said in capsys.readouterr().err


def test_a_second_capture_is_no_filter(files, capsys):
    assert main(["read", *files, "--text"]) == 2
    assert f"one chart by --and {files[1]}" in capsys.readouterr().err


# -- a real network ---------------------------------------------------------------

NAMES = ("tvpc", "tvpr", "tvps")
SETUP = """
{c} link set lo up; {r} link set lo up; {s} link set lo up
ip link add c0 netns tvpc type veth peer name rc netns tvpr
ip link add s0 netns tvps type veth peer name rs netns tvpr
{c} addr add 10.9.1.2/24 dev c0; {c} link set c0 up
{s} addr add 10.9.2.2/24 dev s0; {s} link set s0 up
{r} addr add 10.9.1.1/24 dev rc; {r} link set rc up
{r} addr add 10.9.2.1/24 dev rs; {r} link set rs up
{c} route add default via 10.9.1.1; {s} route add default via 10.9.2.1
ip netns exec tvpr sysctl -qw net.ipv4.ip_forward=1
"""
RULES = """
table ip f {
  chain thru { type filter hook forward priority 0;
    tcp dport 8000 numgen inc mod 19 7 counter drop
    tcp sport 8000 numgen inc mod 23 11 counter drop
  }
  chain post { type nat hook postrouting priority 100; oifname rs masquerade; }
}
"""
SERVER = """
import socket, sys
listener = socket.create_server(("10.9.2.2", 8000))
print("ready", flush=True)
peer, _ = listener.accept()
while data := peer.recv(65536):
    peer.sendall(data)
"""
CLIENT = """
import socket
peer = socket.create_connection(("10.9.2.2", 8000))
for size in [1, 500, 1400, 9000] * 8:
    peer.sendall(bytes(size))
    while size:
        size -= len(peer.recv(65536))
peer.close()
"""
FAKE_SSH = """#!/bin/sh
while [ "$1" != -- ]; do shift; done
exec ip netns exec "$2" sh -c "$3"
"""


@pytest.fixture
def network(tmp_path, monkeypatch):
    if os.geteuid() or not all(map(shutil.which, ("ip", "nft", "tcpdump"))):
        pytest.skip("needs root, ip, nft and tcpdump")
    for name in NAMES:
        if subprocess.run(["ip", "netns", "add", name], capture_output=True).returncode:
            pytest.skip("no network namespaces here")
    try:
        own = {name[-1]: f"ip -n {name}" for name in NAMES}
        script = SETUP.format(c=own["c"], r=own["r"], s=own["s"])
        subprocess.run(["sh", "-ec", script], check=True)
        rules = tmp_path / "rules"
        rules.write_text(RULES)
        if subprocess.run(["ip", "netns", "exec", "tvpr", "nft", "-f", rules]).returncode:
            pytest.skip("no nftables with translation here")
        ssh = tmp_path / "fakessh"
        ssh.write_text(FAKE_SSH)
        ssh.chmod(0o755)
        monkeypatch.setenv("TCPVIZ_SSH", str(ssh))
        yield tmp_path
    finally:
        for name in NAMES:
            subprocess.run(["ip", "netns", "del", name], capture_output=True)


def within(name, program, **others):
    return subprocess.Popen(["ip", "netns", "exec", name, sys.executable, "-c", program], **others)


def dropped():
    command = ["ip", "netns", "exec", "tvpr", "nft", "-j", "list", "chain", "ip", "f", "thru"]
    told = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    rules = (one["rule"]["expr"] for one in told["nftables"] if "rule" in one)
    return [each["counter"]["packets"] for rule in rules for each in rule if "counter" in each]


def test_two_hosts_with_loss_and_translation_between(network):
    """What the router says that it dropped is what is told lost, live and from the files."""
    out = network / "out.pcapng"
    command = [sys.executable, "-m", "tcpviz", "capture", "ssh://tvpc/c0", "ssh://tvps/s0"]
    with (network / "said").open("wb") as errors:
        capture = subprocess.Popen(
            [*command, "-w", out, "--json"], stdout=subprocess.PIPE, stderr=errors
        )
    lines: list[bytes] = []
    reader = threading.Thread(target=lambda: lines.extend(capture.stdout), daemon=True)
    reader.start()
    server = within("tvps", SERVER, stdout=subprocess.PIPE)
    try:
        assert server.stdout.readline() == b"ready\n"
        until(lambda: all((network / f"out-{name}.pcapng").exists() for name in ("tvpc", "tvps")))
        within("tvpc", CLIENT).wait(60)
        server.wait(20)
        until(lambda: any(b'"TIME-WAIT"' in line for line in list(lines)))
    finally:
        server.kill()
        server.wait()
        server.stdout.close()
        capture.send_signal(signal.SIGINT)
        code = capture.wait(30)
        reader.join(10)
        capture.stdout.close()
    assert code == 0
    steps = [one for one in map(json.loads, lines) if "type" in one]
    lost = [sum(one["type"] == "lost" and one["side"] == side for one in steps) for side in SIDES]
    assert lost == dropped()
    assert all(lost)
    summary = json.loads(lines[-1])["summary"]["points"]
    assert [summary[way]["lost"] for way in ("forward", "backward")] == lost
    said = (network / "said").read_text()
    assert "address translation: 10.9.1.2 at tvpc is 10.9.2.1 at tvps" in said
    names = [str(network / f"out-{name}.pcapng") for name in ("tvpc", "tvps")]
    feed = pair_of(*names)
    records = [record for batch in feed.batches() for record in batch]
    assert [way.lost for way in feed.ledger.ways] == lost
    assert sum(one.moment is Moment.ARRIVED for one in records) == sum(
        one["type"] == "arrived" for one in steps
    )
    assert feed.skew.error_ns < MS
    assert abs(feed.skew.ahead_ns) <= feed.skew.error_ns  # both have this machine's clock
    assert {one.segment.key for one in records} == {records[0].segment.key}
    if shutil.which("tshark"):
        here, there = map(by_tshark, names)
        assert (here["10.9.1.2"] - there["10.9.2.1"]).total() == lost[0]
        assert (there["10.9.2.2"] - here["10.9.2.2"]).total() == lost[1]


def by_tshark(path):
    """What stays the same of each packet, by its sender, as tshark reads it."""
    names = ("ip.src", "ip.id", "tcp.seq_raw", "tcp.ack_raw", "tcp.len", "tcp.flags")
    asked = [word for name in names for word in ("-e", name)]
    command = ["tshark", "-n", "-r", path, "-Y", "tcp", "-T", "fields", *asked]
    found = defaultdict(Counter)
    for line in subprocess.run(command, capture_output=True, check=True).stdout.splitlines():
        sender, *rest = line.decode().split("\t")
        found[sender][tuple(rest)] += 1
    return found


SIDES = ("client", "server")


def until(true):
    event = threading.Event()
    for _ in range(3000):
        if true():
            return
        event.wait(0.01)
    raise AssertionError("it does not come")


def test_each_line_fits_the_schema(files, capsys):
    jsonschema = pytest.importorskip("jsonschema")
    schema = json.loads((Path(jsonl.__file__).parent / "schema.json").read_text())
    check = jsonschema.Draft202012Validator(schema)
    for words in (["--json"], ["--segments", "len>=0", "--json"]):
        assert main(["read", files[0], "--and", files[1], *words]) == 0
        for line in capsys.readouterr().out.splitlines():
            check.validate(json.loads(line))


def test_a_segment_from_elsewhere_begins_on_the_way(tmp_path, capsys):
    two = talk(TwoPoints(9, stamps=True), count=400)
    theirs = two.captures[1]
    victim = next(one for one in theirs if one.ttl == 61 and one.payload_len)
    forged = replace(
        victim,
        time_ns=victim.time_ns + MS,
        seq=victim.seq + victim.payload_len,
        flags=Flags.RST,
        payload_len=0,
        ip_id=7,
        ttl=241,
        options=Options(),
    )
    theirs.insert(theirs.index(victim) + 1, forged)
    theirs[:] = [replace(one, frame=number) for number, one in enumerate(theirs, 1)]
    paths = [str(tmp_path / name) for name in ("a.pcapng", "b.pcapng")]
    for path, segments in zip(paths, two.captures, strict=True):
        write(path, segments)
    assert main(["read", paths[0], "--and", paths[1], "--ladder", "1"]) == 0
    row = next(line for line in capsys.readouterr().out.splitlines() if "elsewhere" in line)
    assert "RST 21, from elsewhere ─▶┊ CLOSED" in row
    middle = row.index("───")
    assert middle > row.index("┃") + 30  # it does not come from the client's lifeline
    assert main(["read", paths[0], "--and", paths[1], "--segments", "flags:rst", "--text"]) == 0
    assert "[not seen leaving, another TTL]" in capsys.readouterr().out

"""Two programs of one's own on the two hosts: shown, traced, ended, never waited for in vain."""

from __future__ import annotations

import contextlib
import shutil
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest

from tcpviz.core.records import Call, KernelReading, Moment, Note, SegmentRecord, Side
from tcpviz.core.tracker import Tracker
from tcpviz.lab import programs, strace
from tcpviz.lab.feed import LabFeed
from tcpviz.lab.scenarios import own_programs
from tcpviz.sources.feed import SourceError
from tcpviz.sources.files import FileFeed

ROOT = Path(__file__).resolve().parent.parent.parent

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs Linux")

SERVER = """
import os, socket
s = socket.socket()
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind((os.environ["TCPVIZ_SERVER"], int(os.environ["TCPVIZ_PORT"])))
s.listen(5)
print("ready on", os.environ["TCPVIZ_PORT"])
c, _ = s.accept()
c.sendall(c.recv(100).upper())
c.close()
"""
CLIENT = """
import os, socket
s = socket.create_connection((os.environ["TCPVIZ_SERVER"], int(os.environ["TCPVIZ_PORT"])))
s.sendall(b"hello")
print("got", s.recv(100).decode(), "\\x1b[2J end")
print("end of file", s.recv(100))
s.close()
raise SystemExit(3)
"""


@pytest.fixture
def program(tmp_path):
    def made(name, text):
        path = tmp_path / f"{name}.py"
        path.write_text(textwrap.dedent(text))
        return f"exec {sys.executable} -u -S -E {path}"

    return made


def _play(server, client, on=None, **options):
    feed = LabFeed(own_programs(server, client), on=on, **options)
    tracker, records, wrong = Tracker(), [], []
    error = None
    try:
        for batch in feed.batches():
            for record in batch:
                records.append(record)
                for step in tracker.feed(record):
                    wrong += step.disagreements
    except SourceError as raised:
        error = raised
    if on is None and feed.ground != "cable":
        pytest.skip(f"no cable on this machine: {feed.status.notes[:1] or error}")
    return feed, tracker, records, wrong, error


def _notes(records):
    return [one.text for one in records if isinstance(one, Note)]


@pytest.mark.parametrize("on", [None, "loopback"])
def test_two_programs_talk_and_are_shown(program, on):
    feed, tracker, records, wrong, error = _play(
        program("server", SERVER), program("client", CLIENT), on
    )
    assert error is None
    if feed.ground not in ("cable", "loopback"):
        pytest.skip("no capture here")
    notes = _notes(records)
    assert any(note.startswith("server says: ready on 77") for note in notes)
    assert "client says: got HELLO \N{REPLACEMENT CHARACTER}[2J end" in notes
    assert "client says: end of file b''" in notes
    assert "the client ended with exit code 3" in notes
    assert "the server ended with exit code 0" in notes
    times = [record.time_ns for record in records]
    assert times == sorted(times)
    (connection,) = tracker.connections.values()
    assert connection.client.bytes == connection.server.bytes == 5
    assert not wrong
    assert any(isinstance(one, KernelReading) and one.sockets for one in records)


@pytest.mark.skipif(strace.command("x") is None, reason=strace.why_not())
def test_their_calls_stand_where_they_were_made(program):
    _, _, records, _, error = _play(program("server", SERVER), program("client", CLIENT))
    assert error is None
    calls = [one for one in records if isinstance(one, Call)]

    def told(side):
        return [
            f"{one.name}({one.arguments}) = {one.result}"
            for one in calls
            if one.side is side and one.returned
        ]

    source = next(one.segment.src for one in records if isinstance(one, SegmentRecord))
    assert told(Side.SERVER)[1:] == [
        "setsockopt(SO_REUSEADDR, 1) = 0",
        "bind(10.0.0.2:7777) = 0",
        "listen(5) = 0",
        f"accept() = fd 4 from {source}",
        "recv(100) = 5 bytes",
        'send("HELLO" 5 bytes) = 5 bytes',
        "close() = 0",
        *(["close() = 0"] if told(Side.SERVER)[8:] else []),
    ]
    assert told(Side.CLIENT)[1:6] == [
        "connect(10.0.0.2:7777) = 0",
        'send("hello" 5 bytes) = 5 bytes',
        "recv(100) = 5 bytes",
        "recv(100) = 0 (end of file)",
        "close() = 0",
    ]

    def place(wanted):
        return next(n for n, one in enumerate(records) if wanted(one))

    def segment(moment, flags):
        return lambda one: (
            isinstance(one, SegmentRecord)
            and one.moment is moment
            and one.segment.flags.names() == flags
        )

    def call(name, returned):
        return lambda one: isinstance(one, Call) and one.name == name and one.returned is returned

    # accept() sleeps before the SYN leaves; connect() returns while the third is under way.
    assert (
        place(call("listen", True))
        < place(call("accept", False))
        < place(call("connect", False))
        < place(segment(Moment.SENT, "SYN"))
        < place(segment(Moment.ARRIVED, "SYN,ACK"))
        < place(call("connect", True))
        < place(segment(Moment.ARRIVED, "ACK"))
        < place(call("accept", True))
    )


def test_without_strace_it_is_said_and_the_rest_is_shown(program, monkeypatch, tmp_path):
    shutil_which = shutil.which("sh")
    assert shutil_which
    empty = tmp_path / "bin"
    empty.mkdir()
    (empty / "sh").symlink_to(shutil_which)
    monkeypatch.setenv("PATH", str(empty))
    _, tracker, records, _, error = _play(program("server", SERVER), program("client", CLIENT))
    assert error is None
    assert any("strace is not installed" in note for note in _notes(records))
    assert not any(isinstance(one, Call) for one in records)
    assert len(tracker.connections) == 1


def test_saved_and_replayed_with_nothing_lost(program, tmp_path):
    out = tmp_path / "run.pcapng"
    _, tracker, records, _, _ = _play(
        program("server", SERVER), program("client", CLIENT), write=str(out)
    )
    again, back = Tracker(), []
    for batch in FileFeed(str(out)).batches():
        for record in batch:
            back.append(record)
            again.feed(record)
    assert back == records
    assert list(again.timeline) == list(tracker.timeline)


def test_ipv6_and_a_server_for_both_families(program):
    both = SERVER.replace("socket.socket()", "socket.socket(socket.AF_INET6)").replace(
        'os.environ["TCPVIZ_SERVER"]', '"::"'
    )
    for ipv6 in (False, True):
        _, tracker, records, wrong, error = _play(
            program("server", both), program("client", CLIENT), ipv6=ipv6
        )
        if error is not None and "ddress family" in str(error):
            pytest.skip("no IPv6 here")
        assert error is None
        assert not wrong
        assert not any("does not listen" in note for note in _notes(records))
        (connection,) = tracker.connections.values()
        assert (":" in connection.server.endpoint.addr) is ipv6


WRONG = {
    "no such server": ("nosuchserver-x", "true", "the server ended with exit code 127"),
    "no such client": (None, "nosuchclient-x", "the client ended with exit code 127"),
    "a server that ends": (
        "echo sorry >&2; exit 4",
        "true",
        "exit code 4 before it listened: sorry",
    ),
    "a client that ends": (None, "exit 5", "the client ended with exit code 5 before it connected"),
    "a client that is killed": (None, "kill -9 $$", "was ended by SIGKILL before it connected"),
}


@pytest.mark.parametrize(("server", "client", "said"), WRONG.values(), ids=WRONG.keys())
def test_wrong_commands_are_one_line(program, server, client, said):
    *_, error = _play(server or program("server", SERVER), client)
    assert error is not None
    assert said in str(error)
    assert "\n" not in str(error)
    assert error.exit_code == 1


def test_megabytes_are_counted_and_not_shown(program):
    noise = "head -c 3000000 /dev/zero | tr '\\0' '\\n' | sed s/^/noise/"
    _, _, records, _, error = _play(
        program("server", SERVER), f"{noise}; {program('client', CLIENT)}"
    )
    assert error is None
    notes = _notes(records)
    assert sum(note == "client says: noise" for note in notes) <= programs.MOST_LINES
    assert any("more lines of output are not shown" in note for note in notes)


def test_a_server_that_ignores_sigterm_is_killed_with_what_it_started(program, tmp_path):
    mark = tmp_path / "mark"
    stubborn = (
        "import os, signal, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "if os.fork() == 0:\n"
        "    os.setsid()\n"
        f"    open({str(mark)!r}, 'w').write(str(os.getpid()))\n"
        "    time.sleep(1000)\n" + SERVER + "time.sleep(1000)\n"
    )
    _, _, records, _, error = _play(program("server", stubborn), program("client", CLIENT))
    assert error is None
    assert "the server did not end on SIGTERM; it was killed" in _notes(records)
    assert _is_gone(int(mark.read_text()))


def _is_gone(pid):
    with contextlib.suppress(OSError):
        words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return words[0] in "ZX"
    return True


def test_everything_dies_with_a_killed_parent(program, cable, tmp_path):
    cable("handshake")  # or skip
    mark = tmp_path / "mark"
    waits = (
        f"import os\nopen({str(mark)!r}, 'a').write(str(os.getpid()) + ' ')\n"
        "if os.fork() == 0:\n"
        "    os.setsid()\n"
        f"    open({str(mark)!r}, 'a').write(str(os.getpid()) + ' ')\n"
        "    import time; time.sleep(1000)\n"
    )
    server = program("server", waits + SERVER + "import time\ntime.sleep(1000)\n")
    client = program(
        "client",
        waits + CLIENT.replace("s.close()", "import time; print('here'); time.sleep(1000)"),
    )
    script = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from tcpviz.lab.feed import LabFeed\n"
        "from tcpviz.lab.scenarios import own_programs\n"
        "for batch in LabFeed(own_programs(*sys.argv[2:])).batches():\n"
        "    for record in batch:\n"
        "        print(getattr(record, 'text', ''), flush=True)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(ROOT), server, client],
        stdout=subprocess.PIPE,
        text=True,
    ) as parent:
        overdue = threading.Timer(60, parent.kill)
        overdue.start()
        for line in parent.stdout:
            if "client says: here" in line:
                break
        else:
            pytest.fail("the client was never shown")
        overdue.cancel()
        pids = [int(word) for word in mark.read_text().split()]
        parent.send_signal(signal.SIGKILL)
    assert len(pids) == 4
    until = time.monotonic() + 20
    while not all(map(_is_gone, pids)) and time.monotonic() < until:
        time.sleep(0.01)
    assert all(map(_is_gone, pids))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--server", "x"], "--client 'COMMAND' is missing"),
        (["--client", "x"], "--server 'COMMAND' is missing"),
        (["--server", " ", "--client", "x"], "--server needs a command"),
        (["echo", "--server", "x", "--client", "x"], "either the scenario echo"),
        (["--server", "x", "--client", "x", "--on", "kernel"], "need the cable or loopback"),
    ],
)
def test_wrong_options_are_one_line(options, said):
    done = subprocess.run(
        [sys.executable, "-m", "tcpviz", "demo", "--text", *options],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=60,
    )
    assert done.returncode == 2
    assert said in done.stderr
    assert done.stderr.count("\n") == 1

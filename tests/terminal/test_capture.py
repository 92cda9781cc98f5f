"""A live capture on a real pseudo-terminal: what it shows of this host, and what may befall it."""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

if not sys.platform.startswith("linux"):
    pytest.skip("pseudo-terminals are tested on Linux", allow_module_level=True)

from tcpviz.sources import access
from tcpviz.sources.stream import CaptureStream
from tests.terminal.pseudo import terminal

pytestmark = pytest.mark.skipif(not access.own_access()[0], reason="no right to capture here")


@pytest.fixture
def pair():
    """(server, client, accepted) on loopback, there before any capture."""
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname()) as client,
        server.accept()[0] as accepted,
    ):
        yield server, client, accepted


def capture(server: socket.socket, *words: str) -> list[str]:
    port = str(server.getsockname()[1])
    return ["-m", "tcpviz", "capture", "--no-troubles", "-i", "lo", *words, "tcp", "port", port]


def below(pid: int) -> list[int]:
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        found += [int(word) for word in (task / "children").read_text().split()]
    return found


def gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def test_what_was_there_before_is_shown_with_its_process(pair):
    server, client, accepted = pair
    with terminal(capture(server), size=(140, 40)) as made:
        made.wait_for("process")
        name = Path("/proc/self/comm").read_text().strip()[:9]
        made.wait_for(lambda text: name in text and "open since before the capture" in text)
        client.sendall(b"hello")
        accepted.recv(10)
        made.wait_for("2 frames")
        made.type(f"/pid:{os.getpid()}\r")
        made.wait_for(lambda text: f"pid:{os.getpid()}" in text and name in text)
        made.type("q")
        assert made.ends() == 0
        assert made.restored


def test_a_killed_capturing_process_is_told_and_the_keys_answer(pair):
    server, _, _ = pair
    with terminal(capture(server), size=(120, 40)) as made:
        made.wait_for("open since before the capture")
        for pid in below(made.pid):
            if b"\0capture\0" in Path(f"/proc/{pid}/cmdline").read_bytes():
                os.kill(pid, signal.SIGKILL)
        made.wait_for("was killed (signal 9); what was seen is shown")
        made.type("?")
        made.wait_for("Esc back")
        made.type("\x1b")
        made.wait_for("stopped")
        made.type("q")
        assert made.ends() == 0
        assert made.restored


def test_a_terminal_that_is_closed_leaves_a_whole_file_and_nobody_behind(pair, tmp_path):
    server, client, accepted = pair
    path = tmp_path / "out.pcapng"
    with terminal(capture(server, "-w", str(path))) as made:
        made.wait_for("live, following")
        client.sendall(b"hello")
        accepted.recv(10)
        made.wait_for("data")
        made.wait_for(lambda _: path.stat().st_size > 300)
        pids = below(made.pid)
        made.hang_up()
        made.ends()
    for pid in pids:
        descriptor = os.pidfd_open(pid) if not gone(pid) else None
        if descriptor is not None:
            assert select.select([descriptor], [], [], 20)[0]
            os.close(descriptor)
    stream = CaptureStream("out")
    frames = sum(map(len, stream.feed(path.read_bytes())))
    stream.finish()
    assert frames >= 2
    assert not stream.notes


# A shell with one job: what stops is put into the background until a line comes.
SHELL = """
import os, signal, sys
signal.signal(signal.SIGTTOU, signal.SIG_IGN)
job = os.fork()
if job == 0:
    os.setpgid(0, 0)
    os.tcsetpgrp(0, os.getpid())
    signal.signal(signal.SIGTTOU, signal.SIG_DFL)
    os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
while True:
    _, status = os.waitpid(job, os.WUNTRACED)
    os.tcsetpgrp(0, os.getpid())
    if not os.WIFSTOPPED(status):
        sys.exit(os.waitstatus_to_exitcode(status))
    print("the job has stopped", flush=True)
    sys.stdin.readline()
    os.tcsetpgrp(0, job)
    os.kill(job, signal.SIGCONT)
"""


def test_suspended_and_resumed_it_goes_on_with_what_came_meanwhile(pair):
    server, client, accepted = pair
    with terminal(["-c", SHELL, *capture(server)], size=(120, 40)) as made:
        made.wait_for("live, following")
        made.type("\x1a")
        made.wait_for("the job has stopped")
        assert made.written.rfind(b"\x1b[?1049l") > made.written.rfind(b"\x1b[?1049h")
        client.sendall(b"meanwhile")
        accepted.recv(10)
        made.type("fg\n")
        made.wait_for(lambda text: "2 frames" in text and "live, following" in text)
        made.type("q")
        assert made.ends() == 0
        assert made.restored


def test_a_wrong_place_is_one_line_before_the_screen():
    done = subprocess.run(
        [sys.executable, "-m", "tcpviz", "capture", "--container", "nosuch"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("tcpviz: no container 'nosuch' runs here")

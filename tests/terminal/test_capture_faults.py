"""A live capture under strain, on a real pseudo-terminal: what is missed is said, keys answer."""

from __future__ import annotations

import contextlib
import re
import resource
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

if not sys.platform.startswith("linux"):
    pytest.skip("pseudo-terminals are tested on Linux", allow_module_level=True)

from tcpviz.sources import access
from tests.bench.live import tree
from tests.terminal.pseudo import Terminal, terminal

pytestmark = pytest.mark.skipif(not access.own_access()[0], reason="no right to capture here")

MANY, MINUTE = 64_000, 100_000
MEMORY = 256 << 10  # kilobytes that all processes together may take, as --memory says


def capture(words: str, *more: str) -> list[str]:
    return ["-m", "tcpviz", "capture", "--no-troubles", "-i", "lo", *more, *words.split()]


def keys_answer(made: Terminal) -> None:
    made.type("?")
    made.wait_for("Esc back")
    made.type("\x1b")
    # The Esc by itself: with a letter close behind it, it would be another key.
    made.wait_for(lambda text: "live, following" in text and "Esc back" not in text)


@pytest.fixture
def server():
    with socket.create_server(("127.0.0.1", 0), backlog=512) as made:
        yield made


def talk(server: socket.socket, times: int) -> None:
    """So many whole connections, one after the other, each closed by both."""
    for _ in range(times):
        with socket.create_connection(server.getsockname()) as client:
            accepted, _ = server.accept()
            client.shutdown(socket.SHUT_WR)
            assert accepted.recv(1) == b""
            accepted.close()
            assert client.recv(1) == b""


def test_resized_to_nothing_and_back_it_goes_on(server):
    port = server.getsockname()[1]
    with terminal(capture(f"tcp port {port}"), size=(100, 30)) as made:
        made.wait_for("live, following")
        for size in ((1, 1), (3, 2), (200, 1), (1, 60), (0, 0)):
            made._resize(made._master, size)
            talk(server, 1)
            made.pump(0.2)
        made.resize(100, 30)
        made.wait_for(lambda text: "live, following" in text and "0 dropped" in text)
        keys_answer(made)
        made.type("qq")  # a sheet first, if one came by itself
        assert made.ends() == 0
        assert made.restored


def test_a_terminal_that_nobody_reads_holds_nothing_up(server):
    """As behind a link that stands still: what was captured meanwhile is there afterwards."""
    port = server.getsockname()[1]
    with terminal(capture(f"tcp port {port}"), size=(120, 40)) as made:
        made.wait_for("live, following")
        talk(server, 500)  # and not one byte of the screen is read
        shown = made.wait_for(lambda text: frames(text) >= 500 * 6)
        assert "0 dropped" in shown
        keys_answer(made)
        made.type("qq")  # a sheet first, if one came by itself
        assert made.ends() == 0
        assert made.restored


def frames(text: str) -> int:
    found = re.search(r"([\d ]+) frames", text)
    return int(found[1].replace(" ", "") or 0) if found else 0


def taken_kb(made: Terminal) -> int:
    """What all its processes take together, what they share counted once (PSS)."""
    taken = 0
    for pid in tree(made.pid):
        with contextlib.suppress(OSError):
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
            taken += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return taken


@pytest.mark.slow
def test_a_hundred_thousand_connections_in_a_minute(server):
    """All of them are counted, or what was missed is; the memory stays within its limit."""
    port = server.getsockname()[1]
    with terminal(capture(f"tcp port {port}", "--memory", "256M"), size=(140, 40)) as made:
        made.wait_for("live, following")
        thread = threading.Thread(target=talk, args=(server, MINUTE))
        thread.start()
        most = 0
        while thread.is_alive():
            made.pump(0.2)
            most = max(most, taken_kb(made))
        thread.join()
        shown = made.wait_for(lambda text: frames(text) >= MINUTE * 6 or "DROPPED" in text)
        assert most <= MEMORY
        if "DROPPED" not in shown:
            assert "0 dropped" in shown
        keys_answer(made)
        made.type("qq")  # a sheet first, if one came by itself
        assert made.ends() == 0
        assert made.restored


# So many pairs as one process may have files, and a word when they are there.
HOLDING = """
import socket, sys
server = socket.create_server(("127.0.0.1", 0), backlog=512)
held = []
for _ in range(int(sys.argv[1])):
    held += [socket.create_connection(server.getsockname()), server.accept()[0]]
print("there", flush=True)
sys.stdin.read()
"""


@pytest.mark.slow
def test_sixty_four_thousand_live_ones_are_there_and_the_keys_answer():
    each = min(resource.getrlimit(resource.RLIMIT_NOFILE)[1] // 2 - 50, 8_000)
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    holders = [
        subprocess.Popen([*raised(each), sys.executable, "-c", HOLDING, str(each)], **pipes)
        for _ in range(-(-MANY // each))
    ]
    try:
        assert [one.stdout.readline() for one in holders] == [b"there\n"] * len(holders)
        with terminal(capture("tcp"), size=(140, 40)) as made:
            made.wait_for("live, following")
            made.wait_for("sockets too many")
            keys_answer(made)
            made.type("Q")
            made.wait_for(lambda text: re.search(r"The table has 1[23]\d{4}", text) is not None)
            assert taken_kb(made) <= MEMORY
            made.type("q")
            made.wait_for(lambda text: "live, following" in text and "The table has" not in text)
            made.type("q")
            assert made.ends() == 0
            assert made.restored
    finally:
        for one in holders:
            one.kill()
            one.wait()
            one.stdin.close()
            one.stdout.close()


def raised(pairs: int) -> list[str]:
    """As many files as the hard limit allows: the soft one is often 1024."""
    return ["sh", "-c", f'ulimit -n {2 * pairs + 50}; exec "$@"', "sh"]

"""Step mode in the real program on a real pseudo-terminal, as an ordinary user."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

if not sys.platform.startswith("linux"):
    pytest.skip("the cable needs Linux", allow_module_level=True)

from tests.terminal.pseudo import ROOT, Terminal, terminal

TCPVIZ = ["-m", "tcpviz.cli"]
BECOME = "import os, sys; os.execvp(sys.argv[1], sys.argv[1:])"


def ordinary_user() -> list[str]:
    """Arguments with which Python runs itself as an ordinary user; none where it is one."""
    if os.geteuid() != 0:
        return []
    if shutil.which("setpriv") is None:
        pytest.skip("needs setpriv to become an ordinary user")
    user = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    # Python may lie in root's home: reading (and nothing else) is allowed everywhere.
    caps = "-all,+dac_read_search"
    user += [f"--inh-caps={caps}", f"--ambient-caps={caps}", f"--bounding-set={caps}"]
    tried = subprocess.run(
        [*user, sys.executable, "-c", "import tcpviz.lab.feed"], cwd=ROOT, capture_output=True
    )
    if tried.returncode != 0:
        pytest.skip("another user cannot read this Python and its packages")
    return ["-c", BECOME, *user, sys.executable]


def children(pid: int) -> set[int]:
    """The processes below one, as /proc has them."""
    found: set[int] = set()
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for word in task.read_text().split():
            found |= {int(word)} | children(int(word))
    return found


@pytest.fixture
def held(tmp_path: Path) -> Iterator[Terminal]:
    """The program with the first SYN in the hand; its processes must all be gone in the end."""
    argv = [*ordinary_user(), *TCPVIZ, "demo", "simultaneous-close", "--step"]
    env = {"HOME": str(tmp_path), "XDG_STATE_HOME": str(tmp_path)}
    with terminal(argv, size=(120, 40), env=env) as made:
        shown = made.wait_for(lambda text: "client's SYN 0" in text or "tcpviz:" in text)
        if "not to be had here" in shown:
            pytest.skip(f"no cable on this machine: {shown.strip()}")
        below = children(made.pid)
        assert below, "the lab is a process of its own"
        yield made
        made.type("q")  # should the test have failed before
        made.ends()
        for pid in below:
            for _ in range(600):
                if not Path(f"/proc/{pid}").exists():
                    break
                made.pump(0.01)
            assert not Path(f"/proc/{pid}").exists(), f"process {pid} is left behind"


def test_both_ends_are_seen_in_closing_with_the_kernel_agreeing(held: Terminal) -> None:
    for key, next_one in (
        (" ", "server's SYN 0, ACK 1"),
        ("\x1b[6~", "client's ACK 1"),  # a clicker's forward key
        (" ", "1 of 2, v: another"),
    ):
        held.type(key)
        held.wait_for(lambda text, words=next_one: words in text)
    # Written out or shortened, as there is room.
    held.wait_for(lambda text: len(re.findall(r"FIN-WA?I?T-1", text)) >= 2)
    held.type(" ")
    held.wait_for("server's FIN 1, ACK 1")
    held.type(" ")
    held.wait_for(lambda text: "client CLOSING" in text and "server CLOSING" in text)
    assert "● CLOSING ◆" in held.text
    assert "kernel:" not in held.text  # where they disagreed, both opinions would stand there
    held.type(" ")
    held.wait_for("client's ACK 2")
    held.type(" ")
    held.wait_for("TIME-WAIT 6")
    held.wait_for("end of scenario")
    held.type("q")
    assert held.ends() == 0
    assert held.restored


@pytest.mark.parametrize("key", ["q", "\x03"])
def test_leaving_with_a_segment_in_the_hand(held: Terminal, key: str) -> None:
    held.type(key)
    assert held.ends() == 0
    assert held.restored
    assert "Traceback" not in held.text


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGKILL, -9)])
def test_being_ended_with_a_segment_in_the_hand(
    held: Terminal, number: signal.Signals, code: int
) -> None:
    held.signal(number)
    assert held.ends() == code


def test_step_mode_is_for_the_screen() -> None:
    done = subprocess.run(
        [sys.executable, *TCPVIZ, "demo", "--step", "--text"],
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("tcpviz: --step is for the screen")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--delay=-1"], "MS is a number from 0 to 60000"),
        (["--loss", "101"], "PERCENT is a number from 0 to 100"),
        (["--delay", "10", "--on", "loopback"], "--delay needs the cable, not loopback"),
        (["--seed", "x"], "N is a whole number"),
    ],
)
def test_wrong_options_are_one_line(options: list[str], words: str) -> None:
    done = subprocess.run(
        [sys.executable, *TCPVIZ, "demo", "--text", *options],
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert done.returncode == 2
    assert words in done.stderr
    assert done.stderr.count("\n") == 1

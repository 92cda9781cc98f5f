"""The real program on a real pseudo-terminal: what it shows, and how it leaves the terminal."""

from __future__ import annotations

import os
import re
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

if not sys.platform.startswith("linux"):
    pytest.skip("pseudo-terminals are tested on Linux", allow_module_level=True)

from tests.terminal.pseudo import Terminal, terminal

TCPVIZ = ["-m", "tcpviz.cli"]


@pytest.fixture
def trace(captures: Path) -> Path:
    """A short capture: one connection with retransmissions, reset by the client."""
    return captures / "zeek-retransmit-fast009.pcap"


@pytest.fixture
def reading(trace: Path) -> Iterator[Terminal]:
    with terminal([*TCPVIZ, "read", str(trace)]) as made:
        made.wait_for("step 39 of 39")
        yield made


def test_three_panes_keys_and_the_way_out(reading: Terminal) -> None:
    for word in ("1 Connections", "2 States", "3 Sequence", "reset by client", "ESTABLISHED"):
        assert word in reading.text
    reading.type("g")
    reading.wait_for("step 1 of 39")
    reading.type("\x1b[C")
    reading.wait_for("step 2 of 39")
    reading.type("?")
    reading.wait_for("Esc back")  # the last row: all of it is there
    assert "Who, and how it is known" in reading.text
    reading.type("\x1b")
    reading.wait_for(lambda shown: "Esc back" not in shown and "q quit" in shown)
    reading.type("/nothing")
    reading.wait_for("no connection fits")
    reading.type("\x1b")
    reading.wait_for("no ACK of the SYN")  # as it was at step 2
    reading.type("3z")
    reading.wait_for(lambda shown: "2 States" not in shown)
    reading.type("z")
    reading.wait_for("2 States")
    reading.type("q")
    assert reading.ends() == 0
    assert reading.restored
    assert "Traceback" not in reading.text


def test_a_scenario_is_played_to_its_end_and_again() -> None:
    with terminal([*TCPVIZ, "demo", "handshake", "--pace", "0.1"], size=(120, 40)) as made:
        made.wait_for("end of scenario; r replays")
        assert "handshake 3/3" in made.text or "3/3" in made.text
        assert "ESTABLISHED" in made.text
        made.type("\x1b[D")
        made.wait_for("paused")
        made.type("r")
        made.wait_for("playing")
        made.wait_for("end of scenario")
        made.type("q")
        assert made.ends() == 0
        assert made.restored


def test_control_c_quits(reading: Terminal) -> None:
    reading.type("\x03")
    assert reading.ends() == 0
    assert reading.restored


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGINT, 0)]
)
def test_signals_leave_the_terminal_as_it_was(
    reading: Terminal, number: signal.Signals, code: int
) -> None:
    reading.signal(number)
    assert reading.ends() == code
    assert reading.restored


def test_a_terminal_that_goes_away_takes_the_program_with_it(reading: Terminal) -> None:
    reading.hang_up()
    assert reading.ends() in {129, -signal.SIGHUP}


NOT_ITS_OWN = """
import fcntl, signal, sys, termios
signal.signal(signal.SIGHUP, signal.SIG_IGN)
fcntl.ioctl(0, termios.TIOCNOTTY)
signal.signal(signal.SIGHUP, signal.SIG_DFL)
from tcpviz.cli import main
sys.exit(main(sys.argv[1:]))
"""


def test_a_terminal_that_goes_away_without_a_signal_does_too(trace: Path) -> None:
    # As under "su -c": the terminal is not the session's own, so that nobody sends SIGHUP.
    with terminal(["-c", NOT_ITS_OWN, "read", str(trace)]) as made:
        made.wait_for("step 39 of 39")
        made.hang_up()
        assert made.ends() == 129


def test_a_smaller_and_a_larger_terminal(reading: Terminal) -> None:
    reading.resize(20, 5)
    reading.wait_for("terminal too small")
    reading.resize(120, 40)
    reading.wait_for(lambda shown: "FIN-WAIT-2 │" in shown and "too small" not in shown)
    reading.resize(80, 24)
    reading.wait_for("[FIN-WAIT-2]")
    reading.type("q")
    assert reading.ends() == 0


def test_a_capture_on_standard_input_leaves_the_keys_to_the_terminal(trace: Path) -> None:
    with terminal([*TCPVIZ, "read", "-"], stdin=trace) as made:
        made.wait_for("step 39 of 39")
        made.type("g")
        made.wait_for("step 1 of 39")
        made.type("q")
        assert made.ends() == 0
        assert made.restored


def test_errors_elsewhere_the_screen_still_on_the_terminal(trace: Path, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with terminal([*TCPVIZ, "read", str(trace)], stderr=log) as made:
        made.wait_for("step 39 of 39")
        made.type("q")
        assert made.ends() == 0
        assert made.restored
    assert log.read_bytes() == b""


COLOUR = re.compile(rb"\x1b\[[0-9;:]*(?:3[0-8]|4[0-8]|9[0-7]|10[0-7])[;:m]")
RICH_COLOUR = re.compile(rb"\x1b\[(?:[0-9;:]*;)?[34]8[;:][25]")


def test_no_color_means_none(trace: Path) -> None:
    with terminal([*TCPVIZ, "read", str(trace)], env={"NO_COLOR": "1"}) as made:
        made.wait_for("step 39 of 39")
        made.type("q")
        assert made.ends() == 0
        found = COLOUR.search(made.written)
        assert found is None, found


def test_sixteen_colours_are_the_terminals_own(trace: Path) -> None:
    argv = [*TCPVIZ, "read", str(trace), "--theme", "ansi"]
    with terminal(argv) as made:
        made.wait_for("step 39 of 39")
        made.type("q")
        assert made.ends() == 0
        found = RICH_COLOUR.search(made.written)
        assert found is None, found
        assert COLOUR.search(made.written)


def test_ascii_draws_with_nothing_else(trace: Path) -> None:
    with terminal([*TCPVIZ, "read", str(trace), "--ascii"], size=(120, 40)) as made:
        made.wait_for("step 39 of 39")
        made.type("?")
        made.wait_for("Esc back")
        made.type("\x1b")
        made.wait_for(lambda shown: "Esc back" not in shown and "q quit" in shown)
        made.type("q")
        assert made.ends() == 0
        assert re.findall(rb"[^\x00-\x7f]+", made.written) == []


@pytest.mark.parametrize(
    ("argv", "env", "code", "words"),
    [
        (["read", "/nonexistent"], {}, 2, "no such file"),
        (["read", "/etc"], {}, 2, "directory"),
        (["read", "/etc/passwd"], {}, 1, "/passwd|passwd"),
        (["read", "x.pcap", "--theme", "pink"], {}, 2, "invalid choice: 'pink'"),
        (["read", "x.pcap"], {"TERM": "dumb"}, 2, "--text"),
    ],
)
def test_wrong_requests_are_one_line_and_never_take_the_screen(
    argv: list[str], env: dict[str, str], code: int, words: str
) -> None:
    with terminal([*TCPVIZ, *argv], env=env) as made:
        assert made.ends() == code
        assert re.search(words, made.text)
        assert b"\x1b[?1049h" not in made.written
        assert len([line for line in made.text.splitlines() if line]) <= 2
        assert "Traceback" not in made.text


BUG = """
import sys
from tcpviz.sources.feed import FeedStatus, SourceError
from tcpviz.ui import start

class Feed:
    title = "broken"
    def __init__(self): self.status = FeedStatus()
    def batches(self):
        raise {error}
        yield []
    def stop(self): pass

try:
    code = start.run(Feed)
except SourceError as error:
    print(f"tcpviz: {{error}}", file=sys.stderr)
    code = error.exit_code
sys.exit(code)
"""


def test_an_unexpected_error_is_one_line_and_a_file(tmp_path: Path) -> None:
    script = tmp_path / "bug.py"
    script.write_text(BUG.format(error='ZeroDivisionError("a bug")'))
    with terminal([str(script)], env={"XDG_STATE_HOME": str(tmp_path)}, size=(200, 24)) as made:
        assert made.ends() == 1
        assert made.restored
        assert "unexpected error" in made.text
        assert "ZeroDivisionError: a bug" in made.text
        assert "Traceback" not in made.text
    (log,) = (tmp_path / "tcpviz").iterdir()
    assert "raise ZeroDivisionError" in log.read_text()


def test_a_source_that_fails_before_anything_is_one_line(tmp_path: Path) -> None:
    script = tmp_path / "fails.py"
    script.write_text(BUG.format(error='SourceError("eth9: no such interface", 2)'))
    with terminal([str(script)], size=(120, 24)) as made:
        assert made.ends() == 2
        assert made.restored
        assert "tcpviz: eth9: no such interface" in made.text


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGINT, 130)]
)
def test_a_signal_before_the_screen_has_begun(
    trace: Path, number: signal.Signals, code: int
) -> None:
    # The first rows stand already, and Textual is being imported.
    with terminal([*TCPVIZ, "read", str(trace)]) as made:
        while b"\x1b[?25l" not in made.written and made.pump(0.05):
            pass
        made.signal(number)
        assert made.ends() == code
        assert made.restored
        assert b"Traceback" not in made.written


def test_stopped_and_continued_it_gives_the_terminal_back_and_takes_it_again(
    reading: Terminal,
) -> None:
    for number in (signal.SIGTSTP, signal.SIGSTOP):
        reading.signal(number)
        status = 0
        while not os.WIFSTOPPED(status):
            assert reading.pump(0.05)  # it writes out what it has to, or cannot end in order
            _, status = os.waitpid(reading.pid, os.WUNTRACED | os.WNOHANG)
        if number is signal.SIGTSTP:  # of SIGSTOP no program hears
            reading.wait_for(lambda _: reading.restored)
        reading.written = b""
        reading.signal(signal.SIGCONT)
        reading.wait_for(lambda _: b"\x1b[?1049h" in reading.written)
        reading.wait_for("step 39 of 39")
        reading.type("g")  # one reads the keys, and gets each of them
        reading.wait_for("step 1 of 39")
        reading.type("G")
        reading.wait_for("step 39 of 39")
    reading.type("q")
    assert reading.ends() == 0
    assert reading.restored


LOST = """
import os, signal, sys
class Ask:
    def find_spec(self, name, *more):
        if name == "textual.app":
            sys.meta_path.remove(self)
            try:
                signal.raise_signal(signal.SIGTERM)
            except KeyboardInterrupt:
                pass
sys.meta_path.insert(0, Ask())
from tcpviz.cli import main
sys.exit(main(sys.argv[1:]))
"""


def test_a_signal_whose_exception_is_lost_while_something_is_imported(trace: Path) -> None:
    # With a filter no first rows are painted, and the command line's own handler hears it.
    with terminal(["-c", LOST, "read", str(trace), "port:80"]) as made:
        assert made.ends() == 143
        assert made.restored

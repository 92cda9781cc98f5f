"""The command line as a contract: what it prints, where, and with which exit code."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.bench.generate import visits

HEAVY = ("textual", "scapy", "numpy", "rich")


def run(*words: str, **kwargs: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # type: ignore[call-overload,no-any-return]
        [sys.executable, "-m", "tcpviz", *words],
        capture_output=True,
        text=True,
        timeout=60,
        stdin=subprocess.DEVNULL,
        **kwargs,
    )


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["read", "--help"], ["help", "demo"]])
def test_help_and_version_import_nothing_heavy(words: list[str]) -> None:
    code = (
        "import sys\n"
        "from tcpviz.cli import main\n"
        "try:\n    main(sys.argv[1:])\n"
        "except SystemExit as ended:\n    assert not ended.code, ended.code\n"
        f"heavy = [name for name in {HEAVY!r} if name in sys.modules]\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *words], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["nonsense"], 2, "invalid choice: 'nonsense'"),
        (["read"], 2, "FILE"),
        (["read", "x", "--json", "--csv"], 2, "not allowed with argument --json"),
        (["read", "/does/not/exist"], 2, "no such file"),
        (["read", "/"], 2, "a directory"),
        (["read", os.devnull], 1, "empty"),
        (["read", __file__], 1, "not a capture"),
        (["read", "x", "--ladder", "0"], 2, "N is a whole number, 1 or more, not '0'"),
        (["capture", "-c", "none"], 2, "COUNT is a whole number"),
        (["capture", "-s", "-5"], 2, "SNAPLEN"),
        (["capture", "-i", "nosuchinterface", "--text"], 2, "nosuchinterface"),
        (["demo", "no-such-scenario", "--text"], 2, "no-such-scenario"),
        (["demo", "/no/such/file.py", "--text"], 2, "/no/such/file.py"),
        (["demo", "--pace", "soon"], 2, "SECONDS is 0.01 to 3600, not 'soon'"),
        (["demo", "--on", "mars"], 2, "mars"),
        (["demo", "--delay", "-5"], 2, "MS is a number from 0 to 60000, not '-5'"),
        (["read", "x", "--trouble"], 2, "did you mean --troubles? (see tcpviz read --help)"),
        (
            ["capture", "ssh://x", "--pid", "1"],
            2,
            "--pid looks on this machine, and not at ssh://x",
        ),
        (["demo", "--check", "echo", "-w", "x"], 2, "--check and -w: only one"),
        (["demo", "--list", "--gallery", "x"], 2, "--list and --gallery: only one"),
        (["capture", "-q"], 2, "--quiet, and nothing is asked for: add -w"),
        (["capture", "-q", "--json", "-c", "1"], 2, "--quiet prints no story, and --json"),
        (["capture", "-w", ""], 2, "argument -w: OUT is empty"),
        (["read", "x", "--until="], 2, "--until: EXPR is empty"),
        (["read", ""], 2, "'': no such file"),
        (["--verison"], 2, "did you mean --version? (see tcpviz --help)"),
        (["raed", "x"], 2, "did you mean read? (see tcpviz --help)"),
        (["help", "filtre"], 2, "did you mean filter?"),
        (["read", "x", "--troubles", "--csv"], 2, "--troubles and --csv"),
        (["read", "x", "--ladder", "1", "--conn-log", "y"], 2, "--ladder and --conn-log"),
        (["read", "x", "--segments", "len>0", "--ladder", "1"], 2, "--segments and --ladder"),
        (["read", __file__, "--serve", "--parquet", "y"], 2, "either --serve or --parquet"),
        (["read", "x", "--text", "--theme", "pink"], 2, "pink"),
    ],
)
def test_a_wrong_request_is_one_line(words: list[str], code: int, says: str) -> None:
    done = run(*words)
    assert done.returncode == code
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1, done.stderr
    assert done.stderr.startswith("tcpviz: ")
    assert says in done.stderr


def test_no_command_shows_the_help() -> None:
    done = run()
    assert done.returncode == 0
    assert "examples:" in done.stdout


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_while_it_waits_for_a_capture_is_its_exit_code(number: signal.Signals) -> None:
    # Nobody takes as much as the pipe can hold, and more, before the program waits for it.
    argv = [sys.executable, "-m", "tcpviz", "read", "-", "--text"]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stderr is not None
        process.stdin.write(bytes(100_000))
        process.stdin.flush()
        process.send_signal(number)
        said = process.stderr.read()
        assert process.wait(60) == 128 + number
    assert said.count(b"\n") <= 1
    assert b"Traceback" not in said


PRINTING = [["demo", "--list"], ["--help"], ["help", "marks"], ["doctor"], ["completion", "fish"]]


@pytest.mark.parametrize("words", PRINTING, ids=" ".join)
def test_a_reader_that_goes_away_ends_it_quietly(words: list[str]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "tcpviz", *words],
            stdout=writing,
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            timeout=60,
        )
    finally:
        os.close(writing)
    assert done.stderr == b""
    assert done.returncode == 141


def in_a_shell(how: str, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", "-c", f'exec "$@" {how}', "sh", sys.executable, "-m", "tcpviz", *words],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
@pytest.mark.parametrize("words", PRINTING, ids=" ".join)
def test_output_that_takes_nothing_is_one_line(words: list[str]) -> None:
    done = in_a_shell(">/dev/full", *words)
    assert done.stderr == "tcpviz: standard output: No space left on device\n"
    assert done.returncode == 1


@pytest.mark.skipif(not shutil.which("sh"), reason="no shell to close the output")
@pytest.mark.parametrize("words", PRINTING, ids=" ".join)
def test_output_that_is_closed_is_one_line(words: list[str]) -> None:
    done = in_a_shell(">&-", *words)
    assert done.stderr == "tcpviz: standard output: Bad file descriptor\n"
    assert done.returncode == 1


@pytest.mark.skipif(not shutil.which("sh"), reason="no shell to close the output")
def test_what_prints_nothing_needs_no_streams(tmp_path: Path) -> None:
    path = tmp_path / "story.svg"
    words = ("export", "demo:handshake", "-o", str(path))
    done = in_a_shell("<&- >&- 2>&-", *words)
    assert done.returncode == 0
    assert path.read_text().startswith("<svg")
    assert in_a_shell("2>&-", "read", "missing.pcap").returncode == 2


def test_the_unforeseen_is_one_line_and_a_file(tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "from tcpviz import cli\n"
        "def broken(argv):\n    raise RuntimeError('the \\x1b[31m sky fell')\n"
        "cli._run = broken\n"
        "sys.exit(cli.main([]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "XDG_STATE_HOME": str(tmp_path)},
    )
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "unexpected error" in done.stderr
    assert "\x1b" not in done.stderr
    (log,) = (tmp_path / "tcpviz").iterdir()
    assert "Traceback" in log.read_text()
    assert log.stat().st_mode & 0o077 == 0


_SHORT = """
import io, os, sys
class Short(io.RawIOBase):
    # A pipe that takes a little of what it is given, as one does when a signal comes.
    def writable(self):
        return True
    def write(self, data):
        return os.write(1, data[:1000])
sys.stdout = sys.__stdout__ = io.TextIOWrapper(Short(), "utf-8", write_through=True)
from tcpviz.cli import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.parametrize("how", ["--text", "--csv"])
def test_output_is_written_whole_where_python_has_no_buffers(tmp_path: Path, how: str) -> None:
    path = tmp_path / "visits.pcap"
    visits(path, 300)
    done, usual = (
        subprocess.run(
            [sys.executable, *program, "read", str(path), how],
            capture_output=True,
            check=True,
            timeout=60,
        ).stdout
        for program in (("-c", _SHORT), ("-m", "tcpviz"))
    )
    assert len(usual) > 30_000
    assert done == usual

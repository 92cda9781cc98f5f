"""What each process of a capture may still do, as /proc tells it and as the kernel answers."""

from __future__ import annotations

import contextlib
import json
import os
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from tcpviz.sources import access, confine, privileges, stepping_down
from tcpviz.sources.live import LiveFeed

ROOT = Path(__file__).resolve().parents[2]
CALLER = 1000

root = pytest.mark.skipif(os.geteuid() != 0, reason="only root has something to give up")
may_capture = pytest.mark.skipif(
    sys.platform != "linux" or not access.own_access()[0], reason="no right to capture here"
)


def status(pid):
    """The lines of /proc/PID/status that tell what a process may."""
    found = {}
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        name, _, value = line.partition(":")
        if name.startswith("Cap"):
            found[name] = int(value, 16)
        elif name in ("Uid", "Gid", "Groups"):
            found[name] = [int(word) for word in value.split()]
        elif name in ("NoNewPrivs", "Seccomp"):
            found[name] = int(value)
    return found


def below(pid):
    """The process and all that it has started."""
    found = [pid]
    for task in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(OSError):  # a thread that has ended meanwhile
            for child in (task / "children").read_text().split():
                found += below(int(child))
    return found


def confined(pid):
    """What each of them may do, once none may do anything; what they may after a minute, if not.

    One that reads the sockets may only have begun when the first line is told.
    """
    until = time.monotonic() + 60
    while True:
        found = {}
        for each in below(pid):
            with contextlib.suppress(OSError):
                found[each] = status(each)
        held = [
            one
            for one in found.values()
            if one["NoNewPrivs"] != 1 or not one.items() >= NOTHING.items()
        ]
        if not held or time.monotonic() > until:
            return found
        time.sleep(0.01)


NOTHING = dict.fromkeys(("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"), 0)


@may_capture
@root
@pytest.mark.parametrize("caller", [None, CALLER])
def test_the_capturing_process_is_nobody_or_the_caller_and_confined(monkeypatch, caller):
    for name in ("SUDO_UID", "SUDO_GID"):
        monkeypatch.delenv(name, raising=False)
        if caller:
            monkeypatch.setenv(name, str(caller))
    feed = LiveFeed(["lo"], "tcp port 9", exclude_ssh=False)
    feed.open()
    try:
        (pid,) = feed.pids
        found = status(pid)
        niceness = os.getpriority(os.PRIO_PROCESS, pid)
    finally:
        feed.close()
    user = caller or privileges.NOBODY
    assert found["Uid"] == found["Gid"] == [user] * 4
    assert found["Groups"] == []
    assert {name: found[name] for name in NOTHING} == NOTHING
    assert found["NoNewPrivs"] == 1
    assert found["Seccomp"] == 2 or confine.seccomp_program(os.uname().machine) is None
    assert niceness > os.getpriority(os.PRIO_PROCESS, 0)


@pytest.fixture
def open_folder():
    """One that every user may write into, which pytest's own is not."""
    with tempfile.TemporaryDirectory(prefix="tcpviz-test-") as name:
        Path(name).chmod(0o777)
        yield Path(name)


def readable_python(environment, user):
    """This Python, or where it is in somebody's closed home the system's, with our packages."""
    for python in (sys.executable, "/usr/bin/python3"):
        place = Path(python).resolve()
        if place.exists() and not stepping_down.first_hidden([place], user, [user]):
            tell = "import sys; print(*sys.version_info[:2])"
            said = subprocess.run([python, "-S", "-c", tell], capture_output=True, text=True)
            if said.stdout.split() == [str(part) for part in sys.version_info[:2]]:
                environment["PYTHONPATH"] = os.pathsep.join(
                    path
                    for path in sys.path
                    if path
                    and "lib-dynload" not in path
                    and not stepping_down.first_hidden([Path(path)], user, [user])
                )
                return python
    pytest.skip("every Python like this one is closed to other users")


@may_capture
@root
@pytest.mark.parametrize("caller", [None, CALLER])
def test_every_process_of_a_capture_has_no_capability_and_the_callers_user(open_folder, caller):
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    environment = {n: v for n, v in environment.items() if not n.startswith("SUDO_")}
    if caller:
        environment |= {"SUDO_UID": str(caller), "SUDO_GID": str(caller)}
    python = readable_python(environment, caller or 0)
    out = open_folder / "out.pcapng"
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        command = [python, "-m", "tcpviz", "capture", "-i", "lo", "--text", "-w", str(out)]
        with subprocess.Popen(
            [*command, f"tcp port {port}"],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        ) as tcpviz:
            line = ""
            while "SYN" not in line:  # the first ones may come before it listens
                assert tcpviz.poll() is None
                with socket.create_connection(server.getsockname()) as client:
                    server.accept()[0].close()
                    client.recv(1)
                ready = select.select([tcpviz.stdout], [], [], 0.5)[0]
                line = tcpviz.stdout.readline() if ready else ""
            found = confined(tcpviz.pid)
            tcpviz.send_signal(signal.SIGINT)
            tcpviz.stdout.read()
    assert len(found) >= 2
    for each in found.values():
        assert {name: each[name] for name in NOTHING} == NOTHING
        assert each["NoNewPrivs"] == 1
        if caller:
            assert each["Uid"] == each["Gid"] == [caller] * 4
    assert (out.stat().st_mode & 0o777, out.stat().st_uid) == (0o600, caller or 0)


# What is tried in a process of its own that has confined itself.
TRIAL = """
import json, os, socket, sys
from tcpviz.sources import confine, privileges
reader, writer = os.pipe()
privileges.drop(None)
held = confine.confine(["/proc"])
tried = {}
def attempt(name, what):
    try:
        what()
    except OSError as error:
        tried[name] = error.errno
    else:
        tried[name] = 0
attempt("read /etc", lambda: open("/etc/passwd").close())
attempt("read /proc", lambda: open("/proc/uptime").close())
attempt("write", lambda: open("/tmp/tcpviz-confined", "w").close())
attempt("append", lambda: os.close(os.open("/dev/null", os.O_WRONLY | os.O_APPEND)))
attempt("socket", lambda: socket.socket().close())
attempt("netlink", lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 4).close())
attempt("execute", lambda: os.execv("/bin/true", ["true"]))
attempt("fork", lambda: os._exit(0) if os.fork() == 0 else None)
attempt("kill", lambda: os.kill(os.getppid(), 0))
attempt("user", lambda: os.setuid(os.getuid()))
attempt("remove", lambda: os.unlink("/tmp/tcpviz-confined"))
attempt("pipe", lambda: os.write(writer, b"x"))
print(json.dumps([held, tried]))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="Landlock and seccomp are Linux's")
def test_a_confined_process_can_read_what_it_was_left_and_nothing_more():
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", TRIAL], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    held, tried = json.loads(done.stdout)
    if not held["seccomp"]:
        pytest.skip("no seccomp here, or not for this machine")
    allowed = {name for name, number in tried.items() if not number}
    assert allowed == {"read /proc", "pipe"} | (set() if held["landlock"] else {"read /etc"})
    refusals = set(tried.values()) - {0}
    assert refusals <= {1, 13}  # EPERM of seccomp, EACCES of Landlock


HEADERS = {
    "x86_64": Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h"),
    "aarch64": Path("/usr/include/asm-generic/unistd.h"),
}


@pytest.mark.parametrize("machine", HEADERS)
def test_the_numbers_of_the_refused_calls_are_the_kernels(machine):
    if not HEADERS[machine].exists():
        pytest.skip("the kernel's headers are not installed")
    text = HEADERS[machine].read_text()
    numbers = dict(re.findall(r"#define __NR(?:3264)?_(\w+)\s+(\d+)\b", text))
    refused = confine.refused_calls(machine)
    known = {name: number for name, number in refused.items() if name in numbers}
    assert len(known) >= len(refused) - 1  # fchmodat2 is newer than many headers
    assert {name: int(numbers[name]) for name in known} == known


def test_no_filter_for_a_machine_whose_numbers_are_not_known():
    assert confine.seccomp_program("pdp11") is None


def test_a_place_that_the_caller_cannot_read_is_found(tmp_path):
    place = tmp_path / "closed" / "tcpviz.py"
    place.parent.mkdir()
    place.write_text("")
    hidden = stepping_down.first_hidden
    place.parent.chmod(0o700)
    assert hidden([place], os.getuid(), []) in (None, *tmp_path.parents)
    assert hidden([place], os.getuid() + 4711, []) in (place.parent, *tmp_path.parents, tmp_path)
    assert hidden([tmp_path / "missing"], os.getuid(), []) is not None


@root
def test_doas_tells_a_name(monkeypatch):
    entry = shutil._get_uid("nobody")
    if not entry:
        pytest.skip("no user of that name")
    assert privileges.sudo_caller({"DOAS_USER": "nobody"})[0] == entry
    assert privileges.sudo_caller({"DOAS_USER": "root"}) is None
    assert privileges.sudo_caller({"SUDO_UID": "x", "SUDO_GID": "1"}) is None

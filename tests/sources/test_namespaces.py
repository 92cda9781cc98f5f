"""Looking elsewhere: a process's, a container's or a named network namespace, and what is wrong."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tcpviz.commands import place
from tcpviz.sources import namespaces
from tcpviz.sources.feed import SourceError

ROOT = Path(__file__).resolve().parents[2]
ONE, TWO = "ab" * 32, "abcd" + "00" * 30

linux = pytest.mark.skipif(sys.platform != "linux", reason="network namespaces are Linux's")


def fake(proc: Path, pid: int, comm: str = "x", cgroup: str = "/", command: str = "") -> None:
    folder = proc / str(pid)
    folder.mkdir()
    (folder / "comm").write_text(comm + "\n")
    (folder / "cmdline").write_bytes(command.encode() + b"\0-v\0")
    (folder / "cgroup").write_text(f"4:memory:/\n0::{cgroup}\n")


@pytest.fixture
def proc(tmp_path):
    fake(tmp_path, 7, "nginx", f"/system.slice/docker-{ONE}.scope")
    fake(tmp_path, 8, "nginx", f"/system.slice/docker-{ONE}.scope")
    fake(tmp_path, 9, "postgres", f"/kubepods/pod1/{TWO}", "/usr/lib/postgresql/bin/postmaster")
    fake(tmp_path, 10, "sh", "/lxc.payload.web/x")
    (tmp_path / "self").mkdir()
    return tmp_path


def test_processes_are_found_by_either_of_their_names(proc):
    assert namespaces.of_name("nginx", proc) == [7, 8]
    assert namespaces.of_name("postmaster", proc) == [9]
    assert namespaces.of_name("nobody", proc) == []


def test_a_container_is_found_by_its_id_the_beginning_of_it_or_its_name(proc):
    assert namespaces.of_container(ONE, proc) == 7
    assert namespaces.of_container("abcd", proc) == 9
    assert namespaces.of_container("ababab", proc) == 7
    assert namespaces.of_container("web", proc) == 10


def test_a_name_that_the_engine_gave_is_looked_up(proc, tmp_path, monkeypatch):
    docker = tmp_path / "docker"
    (docker / ONE).mkdir(parents=True)
    (docker / ONE / "config.v2.json").write_text('{"Name": "/shop"}')
    podman = tmp_path / "containers.json"
    podman.write_text(f'[{{"id": "{TWO}", "names": ["base"]}}]')
    monkeypatch.setattr(namespaces, "_DOCKER", docker)
    monkeypatch.setattr(namespaces, "_PODMAN", podman)
    assert namespaces.of_container("shop", proc) == 7
    assert namespaces.of_container("base", proc) == 9
    podman.write_text("{]")
    with pytest.raises(SourceError):
        namespaces.of_container("base", proc)


def said(error, code=2):
    assert error.value.exit_code == code
    assert "\n" not in str(error.value)
    return str(error.value)


def test_what_is_not_there_is_told_with_what_is(proc, tmp_path):
    with pytest.raises(SourceError) as error:
        namespaces.of_container("ab", proc)
    assert said(error) == (
        "no container 'ab' runs here; there are: abababababab, abcd00000000, web"
    )
    with pytest.raises(SourceError) as error:
        namespaces.of_container("aba\x1b[2J", proc)
    assert "\x1b" not in said(error)
    fake(proc, 11, "x", "/docker/" + "ab" * 31 + "ff")
    with pytest.raises(SourceError) as error:
        namespaces.of_container("abab", proc)
    assert said(error).startswith("several containers begin with 'abab': ")
    with pytest.raises(SourceError) as error:
        namespaces.of_process(4999, proc)
    assert said(error) == "no process 4999 here"
    (tmp_path / "netns").mkdir()
    (tmp_path / "netns" / "blue").touch()
    assert namespaces.named("blue", [tmp_path / "netns"]) == tmp_path / "netns" / "blue"
    with pytest.raises(SourceError) as error:
        namespaces.named("red", [tmp_path / "netns"])
    assert said(error) == "no network namespace 'red'; there are: blue"
    with pytest.raises(SourceError) as error:
        namespaces.named("..", [])
    assert "none (ip netns add makes one)" in said(error)
    with pytest.raises(SourceError) as error:
        namespaces.named("/no/such/place")
    said(error)


@linux
def test_a_file_is_no_namespace(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(SourceError) as error:
        namespaces.enter(tmp_path / "file")
    assert "is not a network namespace" in said(error)
    with pytest.raises(SourceError) as error:
        namespaces.enter(tmp_path / "gone")
    assert "is gone" in said(error, 1)
    assert namespaces.enter(Path("/proc/self/ns/net")) is False, "we are there already"


def test_two_places_at_once_are_a_wrong_request():
    options = place.argparse.Namespace(pid=1, process=None, netns="x", container=None)
    with pytest.raises(SourceError) as error:
        place.go_there(options)
    assert said(error) == "--pid and --netns: name one place to look"


@pytest.mark.parametrize("name", ["a b", 'x"y', "back\\slash", "ü", "(o)", "or"])
def test_any_name_of_a_process_is_a_value_of_the_display_filter(name):
    from tcpviz.core.hosts import HostSocket, Process
    from tcpviz.core.records import Side
    from tcpviz.core.states import State
    from tcpviz.views import filter as language
    from tests.core.dialogue import Talk

    one = Talk().handshake().connection
    ends = one.server.endpoint, one.client.endpoint
    one.sockets = {Side.SERVER: HostSocket(*ends, State.ESTABLISHED, process=Process(name, 5))}
    assert language.compile(f"process={place.quoted(name)}").matches(one, 0)
    assert not language.compile(f"process={place.quoted(name + 'z')}").matches(one, 0)


# A process in a network of its own that talks to itself until it is ended.
TALKER = """
import socket, subprocess, sys
subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
server = socket.create_server(("127.0.0.1", 8123))
held = socket.create_connection(("127.0.0.1", 8123)), server.accept()[0]
print("up", flush=True)
while True:
    with socket.create_connection(("127.0.0.1", 8123)) as client:
        accepted = server.accept()[0]
        client.sendall(b"hello")
        sys.stdin.readline()
        accepted.close()
"""


@pytest.fixture
def elsewhere():
    if not shutil.which("unshare") or not shutil.which("ip") or os.geteuid() != 0:
        pytest.skip("needs root, unshare and iproute2")
    command = ["unshare", "-n", sys.executable, "-c", TALKER]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as talker:
        try:
            if talker.stdout.readline() != "up\n":
                pytest.skip("no network namespaces here")
            yield talker
        finally:
            talker.kill()


def capture(*words, **named):
    command = [sys.executable, "-m", "tcpviz", "capture", *words]
    return subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **named
    )


@linux
def test_a_processs_namespace_is_entered_and_only_its_connections_are_told(elsewhere):
    with capture("--pid", str(elsewhere.pid), "-i", "lo", "--text") as tcpviz:
        lines = []
        for line in tcpviz.stdout:
            lines.append(line)
            if "8123" in line and "there before the capture began" in "".join(lines):
                break
        tcpviz.terminate()
        complaints = tcpviz.stderr.read()
    text = "".join(lines)
    assert "there before the capture began; the kernel says: 127.0.0.1:" in text
    assert f"process {elsewhere.pid})" in text
    assert f"in the network namespace of process {elsewhere.pid}" in complaints


@linux
def test_a_namespace_whose_process_has_gone_goes_on_until_it_is_ended(elsewhere):
    """The kernel keeps it as long as somebody is in it; nothing hangs and nothing is lost."""
    place = f"/proc/{elsewhere.pid}/ns/net"
    with capture("--netns", place, "-i", "lo", "--text", "-w", "/dev/null") as tcpviz:
        for line in tcpviz.stdout:
            if "8123" in line:
                break
        elsewhere.kill()
        elsewhere.wait()
        said = []
        for line in tcpviz.stdout:  # its sockets are closed by its end, on the wire too
            said.append(line)
            if "FIN" in line or "RST" in line:
                break
        tcpviz.terminate()
        tcpviz.communicate()
    assert said
    assert tcpviz.returncode in (0, 130)


@linux
@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--pid", "4194303"], "no process 4194303 here"),
        (["--netns", "nosuch"], "no network namespace 'nosuch'"),
        (["--container", "nosuch"], "no container 'nosuch' runs here"),
        (["--pid", "0"], "PID is a whole number, 1 to"),
    ],
)
def test_a_place_that_is_not_there_is_one_line_and_code_2(words, told):
    with capture(*words, "--text") as tcpviz:
        out, err = tcpviz.communicate()
    assert (out, tcpviz.returncode) == ("", 2)
    assert err.count("\n") == 1
    assert told in err

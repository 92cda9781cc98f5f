"""Captures from afar: a real sshd on loopback with the person's own ssh, and PCAP-over-IP."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from tcpviz.cli import main
from tcpviz.core.records import SegmentRecord
from tcpviz.sources import remote
from tcpviz.sources.feed import SourceError
from tcpviz.sources.files import CaptureFile, FileFeed
from tcpviz.sources.remote import Place, RemoteFile, place

SSHD = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin")


@pytest.mark.parametrize(
    ("text", "is_"),
    [
        ("ssh://web1", Place("web1")),
        ("ssh://me@web1:2222/eth0", Place("web1", "me", 2222, "eth0")),
        ("ssh://[fe80::1%eth0]/any", Place("fe80::1%eth0", interface="any")),
        ("ssh://10.0.0.1/", Place("10.0.0.1")),
    ],
)
def test_a_place(text, is_):
    assert place(text) == is_


@pytest.mark.parametrize(
    "text",
    ["ssh://", "ssh://-oProxyCommand=x", "ssh://h/-w", "ssh://a b", "ssh://h:99999", "ssh://h/a;b",
     "ssh://h/$(x)", "ssh://@h"],
)  # fmt: skip
def test_what_is_no_place_is_refused(text):
    with pytest.raises(SourceError) as error:
        place(text)
    assert error.value.exit_code == 2


def test_nothing_of_a_filter_reaches_the_far_shell_as_a_command(tmp_path):
    """The script, run by a real sh, hands tcpdump the words as one argument."""
    fake = tmp_path / "tcpdump"
    fake.write_text(f'#!/bin/sh\nfor each in "$@"; do echo "<$each>"; done >{tmp_path}/got\n')
    fake.chmod(0o755)
    words = "port 80 \"; touch x; $(touch y) `touch z` \\ '"
    line = remote.command(Place("h", interface="any"), words, 96)[-1]
    path = f"{tmp_path}:{os.environ['PATH']}"
    with subprocess.Popen(
        ["sh", "-c", line],
        cwd=tmp_path, stdin=subprocess.PIPE,  # open until it has ended: what ends it is its end
        env={"PATH": path, "SSH_CONNECTION": "10.0.0.9 55 10.0.0.1 22"},
    ) as far:  # fmt: skip
        assert far.wait(30) == 0
    got = (tmp_path / "got").read_text().splitlines()
    own = "not (tcp and host 10.0.0.9 and port 55 and host 10.0.0.1 and port 22)"
    assert got[-1] == f"<({words}) and {own}>"
    assert "<96>" in got
    assert sorted(each.name for each in tmp_path.iterdir()) == ["got", "tcpdump"]


@pytest.fixture
def sshd(tmp_path, monkeypatch):
    """A server for this test alone; TCPVIZ_SSH leads to it. Gives its port."""
    if SSHD is None or not sys.platform.startswith("linux") or os.geteuid():
        pytest.skip("needs root and an sshd")
    if shutil.which("tcpdump") is None:
        pytest.skip("needs tcpdump")
    for name in ("host", "mine"):
        subprocess.run(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / name], check=True
        )
    shutil.copy(tmp_path / "mine.pub", tmp_path / "allowed")
    tmp_path.chmod(0o755)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (tmp_path / "config").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {tmp_path}/host\nUsePAM no\n"
        f"AuthorizedKeysFile {tmp_path}/allowed\nStrictModes no\nPidFile none\n"
        "PermitRootLogin yes\n"
    )
    Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    with subprocess.Popen(
        [SSHD, "-D", "-e", "-f", tmp_path / "config"], stderr=subprocess.PIPE
    ) as server:
        try:
            for line in server.stderr:
                if b"listening" in line:
                    break
            else:
                pytest.skip("sshd does not start here")
            threading.Thread(target=server.stderr.read, daemon=True).start()
            known = f"-o UserKnownHostsFile={tmp_path}/known -o StrictHostKeyChecking=no"
            monkeypatch.setenv(
                remote.VARIABLE,
                f"ssh -F none -i {tmp_path}/mine {known} -o BatchMode=yes -o LogLevel=ERROR",
            )
            yield port
        finally:
            server.terminate()


def far_tcpdumps():
    """Processes whose command line has this test's tcpdump in it."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            words = (folder / "cmdline").read_bytes().split(b"\0")
            if (
                words[0].endswith(b"tcpdump")
                and b"-w" in words
                and any(b"port 45999" in word for word in words)
            ):
                found.append(int(folder.name))
    return found


def gone(pids, seconds=20):
    until = time.monotonic() + seconds
    while set(pids) & set(far_tcpdumps()) and time.monotonic() < until:
        time.sleep(0.01)
    return not set(pids) & set(far_tcpdumps())


def knock():
    """A connection to port 45999 that nobody answers."""
    with socket.socket() as sock, contextlib.suppress(OSError):
        sock.connect(("127.0.0.1", 45999))


def test_what_happens_there_is_seen_here_and_nothing_stays_behind(sshd):
    where = place(f"ssh://root@127.0.0.1:{sshd}/lo")
    source = RemoteFile(where, "tcp port 45999 or tcp port 22", 96)
    capture = CaptureFile(source, "far", first=source.first, ended=source.why_ended)
    feed = FileFeed(capture)
    pids = far_tcpdumps()
    assert pids
    seen = []
    try:
        knock()
        for batch in feed.batches():
            seen += [one.segment for one in batch if isinstance(one, SegmentRecord)]
            if len(seen) >= 2:
                break
    finally:
        feed.stop()
        capture.close()
    assert {one.flags.names() for one in seen} == {"SYN", "RST,ACK"}
    assert {45999} <= {one.dst.port for one in seen}
    assert gone(pids)


def test_when_the_link_is_cut_the_far_end_ends_too(sshd):
    where = place(f"ssh://root@127.0.0.1:{sshd}/lo")
    source = RemoteFile(where, "tcp port 45999", 96)
    pids = far_tcpdumps()
    assert pids
    source._process.kill()  # no farewell: what a lost link looks like from there
    assert gone(pids)
    capture = CaptureFile(source, "far", first=source.first, ended=source.why_ended)
    assert list(capture) == []
    assert "the connection ended" in capture.notes[-1]
    capture.close()


def test_what_goes_wrong_there_is_one_line_here(sshd, capsys, tmp_path, monkeypatch):
    assert main(["capture", f"ssh://root@127.0.0.1:{sshd}/nosuch0", "--text"]) == 1
    told = capsys.readouterr().err
    assert "nosuch0" in told
    assert told.count("\n") == 1
    assert main(["capture", f"ssh://root@127.0.0.1:{sshd}/lo", "--text", "tcp", "prt", "80"]) == 1
    assert "syntax error" in capsys.readouterr().err
    (tmp_path / "allowed").unlink()
    assert main(["capture", f"ssh://root@127.0.0.1:{sshd}/lo", "--text"]) == 1
    assert "Permission denied" in capsys.readouterr().err
    monkeypatch.setenv(remote.VARIABLE, "no-such-ssh")
    assert main(["capture", "ssh://h", "--text"]) == 1
    assert "install an OpenSSH client" in capsys.readouterr().err


def test_an_interface_of_this_machine_is_not_for_another(capsys):
    assert main(["capture", "-i", "eth0", "--text", "ssh://h"]) == 2
    assert "name the interface behind the host" in capsys.readouterr().err


# -- PCAP-over-IP -------------------------------------------------------------------


@pytest.fixture
def served(captures):
    """Serves a shared capture to one caller on loopback, in small pieces; gives host:port."""
    data = (captures / "pcapplusplus-sll2.pcap").read_bytes()
    listener = socket.create_server(("127.0.0.1", 0))

    def serve():
        with contextlib.suppress(OSError):
            peer, _ = listener.accept()
            with peer:
                for start in range(0, len(data), 700):
                    peer.sendall(data[start : start + 700])

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield f"TCP@127.0.0.1:{listener.getsockname()[1]}"
    listener.close()
    thread.join(10)


def test_a_capture_over_tcp_is_read_like_the_file(served, captures, capsys):
    assert main(["read", served, "--csv"]) == 0
    over = capsys.readouterr().out
    assert main(["read", str(captures / "pcapplusplus-sll2.pcap"), "--csv"]) == 0
    assert over == capsys.readouterr().out
    assert over.count("\n") > 1


@pytest.mark.parametrize(
    ("name", "code"),
    [("TCP@nowhere", 2), ("TCP@h:99999", 2), ("TCP@:80", 2), ("TCP@127.0.0.1:1", 1)],
)
def test_what_cannot_be_connected_to_is_one_line(name, code, capsys):
    assert main(["read", name, "--text"]) == code
    assert capsys.readouterr().err.count("\n") == 1

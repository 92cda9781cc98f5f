"""Calls as strace writes them, in pieces of any size, become calls as a person reads them."""

# ruff: noqa: E501 - lines as strace writes them
from __future__ import annotations

import itertools
import shutil
import subprocess

import pytest

from tcpviz.core.records import Side
from tcpviz.core.segment import Endpoint
from tcpviz.lab import strace
from tcpviz.lab.strace import Trace

# From strace 6.1 of python3 -m http.server, one request, and a client that is refused.
SERVER = r"""
100  1700000000.000000100 socket(AF_INET, SOCK_STREAM|SOCK_CLOEXEC, IPPROTO_IP) = 3<TCP:[4711]> <0.000020000>
100  1700000000.001000000 setsockopt(3<TCP:[4711]>, SOL_SOCKET, SO_REUSEADDR, [1], 4) = 0 <0.000001000>
100  1700000000.002000000 bind(3<TCP:[4711]>, {sa_family=AF_INET, sin_port=htons(7777), sin_addr=inet_addr("10.0.0.2")}, 16) = 0 <0.000002000>
100  1700000000.003000000 listen(3<TCP:[10.0.0.2:7777]>, 5) = 0 <0.000003000>
100  1700000000.003500000 write(1<pipe:[12]>, "ready\n", 6) = 6 <0.000003000>
100  1700000000.004000000 poll([{fd=3<TCP:[10.0.0.2:7777]>, events=POLLIN}], 1, 500) = 0 (Timeout) <0.500000000>
100  1700000000.504000000 poll([{fd=3<TCP:[10.0.0.2:7777]>, events=POLLIN}], 1, 500) = 1 ([{fd=3, revents=POLLIN}]) <0.100000000>
100  1700000000.605000000 accept4(3<TCP:[10.0.0.2:7777]>, {sa_family=AF_INET, sin_port=htons(40001), sin_addr=inet_addr("10.0.0.1")}, [16], SOCK_CLOEXEC) = 4<TCP:[10.0.0.2:7777->10.0.0.1:40001]> <0.000010000>
101  1700000000.606000000 recvfrom(4<TCP:[10.0.0.2:7777->10.0.0.1:40001]>,  <unfinished ...>
100  1700000000.607000000 poll([{fd=3<TCP:[10.0.0.2:7777]>, events=POLLIN}], 1, 500 <unfinished ...>
101  1700000000.707000000 <... recvfrom resumed>"GET, (/) \"x\"\r\n", 8192, 0, NULL, NULL) = 79 <0.101000000>
101  1700000000.708000000 sendto(4<TCP:[10.0.0.2:7777->10.0.0.1:40001]>, "a, b) = \"c\"\n"..., 155, 0, NULL, 0) = 155 <0.000030000>
101  1700000000.709000000 recvfrom(4<TCP:[10.0.0.2:7777->10.0.0.1:40001]>, "", 8192, 0, NULL, NULL) = 0 <0.000001000>
101  1700000000.710000000 setsockopt(4<TCP:[10.0.0.2:7777->10.0.0.1:40001]>, SOL_SOCKET, SO_LINGER, {l_onoff=1, l_linger=0}, 8) = 0 <0.000001000>
101  1700000000.711000000 shutdown(4<TCP:[10.0.0.2:7777->10.0.0.1:40001]>, SHUT_WR) = 0 <0.000001000>
101  1700000000.712000000 close(4<TCP:[10.0.0.2:7777->10.0.0.1:40001]>) = 0 <0.000001000>
101  1700000000.713000000 +++ exited with 0 +++
100  1700000000.900000000 <... poll resumed>) = ? ERESTART_RESTARTBLOCK (Interrupted by signal) <0.293000000>
100  1700000000.901000000 +++ killed by SIGTERM +++
""".lstrip()


def _calls(text, size, *, ours=lambda local, peer: True, side=Side.SERVER):
    ids = itertools.count(1)
    trace = Trace(side, lambda: next(ids), ours)
    data, calls = text.encode(), []
    for place in range(0, len(data), size):
        calls += trace.feed(data[place : place + size])
    return calls + trace.finish()


@pytest.mark.parametrize("size", [1, 7, 64, 100_000])
def test_a_servers_calls_are_readable(size):
    calls = _calls(SERVER, size)
    told = [
        (one.app, f"{one.name}({one.arguments}) = {one.result}") for one in calls if one.returned
    ]
    assert told == [
        ("", "socket(AF_INET, SOCK_STREAM|SOCK_CLOEXEC) = fd 3"),
        ("", "setsockopt(SO_REUSEADDR, 1) = 0"),
        ("", "bind(10.0.0.2:7777) = 0"),
        ("", "listen(5) = 0"),
        ("", "poll() = 1 ready"),
        ("", "accept() = fd 4 from 10.0.0.1:40001"),
        ("task 2", "recv(8192) = 79 bytes"),
        ("task 2", r'send("a, b) = \"c\"\n"... 155 bytes) = 155 bytes'),
        ("task 2", "recv(8192) = 0 (end of file)"),
        ("task 2", "setsockopt(SO_LINGER, 0 s) = 0"),
        ("task 2", "shutdown(SHUT_WR) = 0"),
        ("task 2", "close() = 0"),
        ("", "poll() = ERESTART_RESTARTBLOCK"),
    ]


def test_a_call_begins_once_and_returns_once_at_straces_moments():
    calls = _calls(SERVER, 13)
    began = [one.id for one in calls if not one.returned]
    returned = [one.id for one in calls if one.returned]
    assert sorted(began) == sorted(set(began)) == sorted(returned)
    recv = [one for one in calls if one.name == "recv"]
    assert [one.returned_ns for one in recv[:2]] == [None, 1700000000_707000000]
    assert recv[0].began_ns == recv[1].began_ns == 1700000000_606000000
    assert recv[1].local == Endpoint("10.0.0.2", 7777)
    assert recv[1].peer == Endpoint("10.0.0.1", 40001)
    # A wait whose time was up and that is made again is one wait.
    poll = [one for one in calls if one.name == "poll"][:2]
    assert poll[1].began_ns == 1700000000_004000000
    assert poll[1].returned_ns == 1700000000_604000000


def test_what_blocks_is_seen_before_its_line_is_whole():
    ids = itertools.count(1)
    trace = Trace(Side.SERVER, lambda: next(ids), lambda local, peer: True)
    assert trace.feed(b"7  1.000000000 accept4(3<TCP:[10.0.0.2:7777]>, ") == []
    (began,) = trace.look()
    assert (began.name, began.returned) == ("accept", False)
    assert trace.look() == []
    (done,) = trace.feed(b"NULL, NULL, 0) = 4<TCP:[10.0.0.2:7777->10.0.0.1:1]> <2.000000000>\n")
    assert (done.id, done.result, done.returned_ns) == (began.id, "fd 4", 3_000_000_000)


CLIENT = r"""
9 1.000001 connect(3<TCPv6:[99]>, {sa_family=AF_INET6, sin6_port=htons(7777), sin6_flowinfo=htonl(0), inet_pton(AF_INET6, "fd00::2", &sin6_addr), sin6_scope_id=0}, 28) = -1 ECONNREFUSED (Connection refused) <0.000100>
9 1.100001 connect(4<TCPv6:[98]>, {sa_family=AF_INET6, sin6_port=htons(7777), sin6_flowinfo=htonl(0), inet_pton(AF_INET6, "::ffff:10.0.0.2", &sin6_addr), sin6_scope_id=0}, 28) = -1 EINPROGRESS (Operation now in progress) <0.000100>
9 1.200001 getsockopt(4<TCPv6:[98]>, SOL_SOCKET, SO_ERROR, [ECONNREFUSED], [4]) = 0 <0.000010>
9 1.300001 connect(5<UDP:[97]>, {sa_family=AF_INET, sin_port=htons(53), sin_addr=inet_addr("10.0.0.9")}, 16) = 0 <0.000100>
9 1.400001 connect(6<UNIX-STREAM:[96]>, {sa_family=AF_UNIX, sun_path="/run/nscd/socket"}, 110) = -1 ENOENT (No such file or directory) <0.000100>
""".lstrip()


def test_a_clients_errors_microseconds_and_ipv6():
    calls = [one for one in _calls(CLIENT, 50, side=Side.CLIENT) if one.returned]
    assert [(one.name, one.arguments, one.result, one.failed) for one in calls] == [
        ("connect", "[fd00::2]:7777", "ECONNREFUSED", True),
        ("connect", "10.0.0.2:7777", "EINPROGRESS", True),
        ("getsockopt", "SO_ERROR", "ECONNREFUSED", True),
    ]
    assert calls[0].began_ns == 1_000_001_000
    assert calls[0].returned_ns == 1_000_101_000


def test_other_connections_are_not_told():
    far = CLIENT.replace("fd00::2", "2001:db8::1")
    calls = _calls(far, 50, ours=lambda local, peer: peer is None or peer.addr == "10.0.0.2")
    assert {one.peer for one in calls if one.name == "connect"} == {Endpoint("10.0.0.2", 7777)}


@pytest.mark.parametrize(
    "text",
    [
        "strace: Process 12 attached\n",
        "12 x.y close(3<TCP:[1]>) = 0\n",
        "12 1.5 close(\n12 1.6 <... close resumed>) = 0\n",
        "12 1.5 poll([{fd=3<TCP:[" + "9" * 5000 + "]>\n",
        '12 1.5 connect(3<TCP:[1]>, {sin_port=htons(99999), "10.0.0.2"}, 16) = \n',
        "12 1.5 accept(3<TCP:[a:99999999->b:c]>, ) = 4<TCP:[]> <9.9>\n",
        "\0" * 3_000_000 + "\n12 1.5 close(3<TCP:[1]>) = 0 <0.1>\n",
    ],
)
def test_nonsense_does_no_harm(text):
    for call in _calls(text, 65_536):
        assert call.began_ns >= 0


def test_what_is_put_before_the_program_really_traces():
    words = strace.command("/dev/stdout")
    if words is None:
        pytest.skip(strace.why_not())
    done = subprocess.run(
        [word for word in words if word != "-DD"]
        + ["python3", "-c", "import socket; socket.socket().close()"],
        capture_output=True,
        text=True,
        timeout=30,
    )
    names = [one.name for one in _calls(done.stdout, 4096) if one.returned]
    assert names == ["socket", "close"]


def test_without_strace_it_says_so(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert strace.command("x") is None
    assert strace.why_not() == "strace is not installed"

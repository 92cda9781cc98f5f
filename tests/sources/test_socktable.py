"""The kernel's table of sockets, asked for real; and whose the sockets are."""

from __future__ import annotations

import os
import select
import socket
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tcpviz.core.hosts import HostReading, HostSocket
from tcpviz.core.segment import Endpoint
from tcpviz.core.states import State
from tcpviz.sources import bpf, bpfvm, hosttable, owners
from tcpviz.sources.hosttable import HostTable, captured_by
from tcpviz.sources.interfaces import ANY, Interface
from tcpviz.sources.socktable import HostCounters, SocketTable
from tcpviz.sources.tablechild import Teller

linux = pytest.mark.skipif(sys.platform != "linux", reason="inet_diag is Linux's")


def pair(family=socket.AF_INET, address="127.0.0.1"):
    """(server, client, accepted), connected over loopback."""
    server = socket.create_server((address, 0), family=family)
    client = socket.create_connection(server.getsockname()[:2])
    return server, client, server.accept()[0]


def of(rows, port):
    return {
        row.local.port: row
        for row in rows
        if port in (row.local.port, (row.peer or row.local).port)
    }


@linux
@pytest.mark.parametrize(
    ("family", "address"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")]
)
def test_sockets_come_once_and_then_only_when_they_change(family, address):
    table = SocketTable()
    try:
        server, client, accepted = pair(family, address)
    except OSError:
        pytest.skip("no IPv6 here")
    with server, client, accepted:
        port = server.getsockname()[1]
        near = client.getsockname()[1]
        found = of(table.read().rows, port)
        assert found[port].state is found[near].state is State.ESTABLISHED
        assert found[port].peer == Endpoint(address, near)
        assert found[port].inode == os.fstat(accepted.fileno()).st_ino
        assert not of(table.read().rows, port)
        accepted.send(b"unread")
        accepted.close()
        found = of(table.read().rows, port)
        assert found[near].state is State.CLOSE_WAIT
        assert found[near].recv_queue == 7  # the FIN counts
        assert found[near].quiet_ms is not None
        assert found[near].inode == os.fstat(client.fileno()).st_ino
    gone = {local.port for local, _, _ in table.read().gone}
    assert near in gone
    table.close()


@linux
def test_an_ipv4_connection_of_an_ipv6_socket_is_ipv4():
    try:
        server = socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True)
    except (OSError, ValueError):
        pytest.skip("no dual-stack sockets here")
    with server, socket.create_connection(("127.0.0.1", server.getsockname()[1])) as client:
        table = SocketTable()
        found = of(table.read().rows, server.getsockname()[1])
        assert found[server.getsockname()[1]].local.addr == "127.0.0.1"
        assert found[server.getsockname()[1]].inode == 0  # nobody has accepted it
        assert found[client.getsockname()[1]].peer.addr == "127.0.0.1"
        table.close()


@linux
def test_listeners_come_with_their_queues_and_overflows_are_counted():
    counters, table = HostCounters(), SocketTable()
    with socket.create_server(("127.0.0.1", 0), backlog=1) as server:
        waiting = []
        for _ in range(6):
            client = socket.socket()
            client.setblocking(False)
            client.connect_ex(server.getsockname())
            waiting.append(client)
        (row,) = [row for row in table.listeners() if row.local.port == server.getsockname()[1]]
        assert (row.recv_queue, row.send_queue) == (2, 1)  # it takes one more than the backlog
        risen = counters.risen()
        for client in waiting:
            client.close()
    assert risen["ListenOverflows"] >= 1
    assert risen["ListenDrops"] >= 1
    counters.close()
    table.close()


@linux
def test_more_than_are_remembered_are_counted():
    server, client, accepted = pair()
    with server, client, accepted:
        table = SocketTable(limit=1)
        found = table.read()
        assert len(found.rows) == 1
        assert found.left_out == found.total - 1 >= 1
        table.close()


@linux
def test_the_process_of_a_socket_is_found_with_its_descriptor():
    with socket.create_server(("127.0.0.1", 0)) as server:
        inode = os.fstat(server.fileno()).st_ino
        known = owners.Owners()
        known.look({inode}, {os.getuid()})
        found = known.get(inode)
        assert (found.pid, found.fd, found.others) == (os.getpid(), server.fileno(), 0)
        assert found.name == Path("/proc/self/comm").read_text().strip()
        known.forget([inode])
        assert known.get(inode) is None


def test_names_that_would_draw_on_the_screen_are_made_fit(tmp_path):
    (tmp_path / "7" / "fd").mkdir(parents=True)
    (tmp_path / "7" / "fd" / "3").symlink_to("socket:[99]")
    (tmp_path / "7" / "comm").write_bytes(b"\x1b[2Jx\xff\n")
    known = owners.Owners(tmp_path)
    known.look({99}, {os.getuid()})
    assert known.get(99).name == "?[2Jx\ufffd"


@pytest.mark.parametrize(
    ("path", "unit", "container"),
    [
        ("/system.slice/nginx.service", "nginx.service", None),
        ("/user.slice/user-1000.slice/session-3.scope", "session-3.scope", None),
        (
            "/system.slice/docker-" + "ab" * 32 + ".scope",
            "docker-" + "ab" * 32 + ".scope",
            "ab" * 6,
        ),
        ("/docker/" + "12" * 32, None, "12" * 6),
        ("/kubepods/burstable/pod1/" + "cd" * 32, None, "cd" * 6),
        (
            "/kubepods.slice/cri-containerd-" + "ef" * 32 + ".scope",
            "cri-containerd-" + "ef" * 32 + ".scope",
            "ef" * 6,
        ),
        ("/lxc.payload.web/init.scope", "init.scope", "web"),
        ("/", None, None),
        ("/evil\x1b.service", "evil?.service", None),
    ],
)
def test_a_control_groups_path_names_service_and_container(path, unit, container):
    assert owners.group_names(path) == (unit, container)


def test_groups_are_found_by_the_inode_of_their_folder(tmp_path):
    (tmp_path / "system.slice" / "x.service").mkdir(parents=True)
    groups = owners.Groups(tmp_path)
    inode = (tmp_path / "system.slice" / "x.service").stat().st_ino
    assert groups.path(inode) == "/system.slice/x.service"
    assert groups.path(1 << 60) is None


def test_only_local_users_are_named(tmp_path):
    file = tmp_path / "passwd"
    file.write_text("root:x:0:0::/root:/bin/sh\n+nis\nbad:x:y\nwww:x:33:33::/:/\n")
    assert owners.users(file) == {0: "root", 33: "www"}
    assert owners.users(tmp_path / "missing") == {}


# -- which of them a capture wants


ONE, WEB, FAR = Endpoint("10.0.0.1", 4000), Endpoint("10.0.0.1", 80), Endpoint("10.9.9.9", 443)
SIX, SIX_FAR = Endpoint("2001:db8::1", 80), Endpoint("2001:db8::2", 50000)
ETHERNET = Interface("eth0", 2, ("10.0.0.1", "2001:db8::1"))


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        ("tcp", {ONE, WEB, SIX}),
        ("tcp port 80", {WEB, SIX}),
        ("tcp dst port 443", {ONE, WEB}),
        ("host 10.9.9.9 and not port 80", {ONE}),
        ("ip6", {SIX}),
        ("net 192.168.0.0/16", set()),
        ("tcp portrange 79-81 and ip", {WEB}),
        ("tcp[13] & 16 != 0", {ONE, WEB}),
        ("less 40", set()),
        ("vlan 7", set()),
        ("tcp src port 4000 or (ip6 and tcp src port 80)", {ONE, SIX}),
    ],
)
def test_the_filter_that_captures_also_chooses_from_the_table(words, wanted):
    try:
        program = bpf.compile_filter(words, 1, 128)
    except bpf.NoCompilerError:
        pytest.skip("nothing compiles filters here")
    judge = captured_by([ETHERNET], program)
    ends = {ONE: FAR, WEB: FAR, SIX: SIX_FAR}
    assert {local for local, peer in ends.items() if judge(local, peer)} == wanted


def test_a_socket_on_another_interface_is_not_wanted():
    judge = captured_by([ETHERNET], None)
    assert judge(ONE, FAR)
    assert not judge(Endpoint("127.0.0.1", 5), Endpoint("127.0.0.1", 6))
    assert captured_by([ANY], None)(Endpoint("127.0.0.1", 5), Endpoint("127.0.0.1", 6))


@pytest.mark.parametrize(
    "program", [[], [(0x20, 0, 0, 9999)], [(0x34, 0, 0, 0)], [(0x05, 0, 0, 50)]]
)
def test_a_program_that_runs_astray_passes_nothing(program):
    assert bpfvm.run(program, b"x" * 60) == 0


# -- the process that reads it


@linux
def test_the_reading_process_tells_the_table_and_has_no_privilege():
    server, client, accepted = pair()
    with server, client, accepted:
        port, near = server.getsockname()[1], client.getsockname()[1]
        table = HostTable(lambda local, peer: port in (local.port, peer.port))
        table.begin()
        try:

            def next_reading():
                while True:
                    assert select.select([table.output], [], [], 30)[0], "it says nothing"
                    for reading in table.read():
                        return reading
                    assert not table.ended, table.complaint

            first = next_reading()
            status = Path(f"/proc/{table.pid}/status").read_text()
            owners_now = {sock.local.port: sock for sock in first.sockets}
            client.close()
            later = next_reading()
            while not later.sockets:
                later = next_reading()
        finally:
            table.close()
    assert first.first
    assert not later.first
    assert owners_now[near].process.pid == os.getpid()
    assert owners_now[near].process.fd is not None
    assert any(each.local.port == port for each in first.listeners)
    states = {sock.local.port: sock.state for sock in later.sockets}
    assert states[port] is State.CLOSE_WAIT
    for name in ("CapPrm", "CapEff", "CapInh", "CapAmb"):
        (line,) = [line for line in status.splitlines() if line.startswith(name)]
        assert int(line.split()[1], 16) == 0
    assert not Path(f"/proc/{table.pid}").exists()


@linux
def test_an_owner_that_there_was_no_time_to_look_for_is_told_later():
    teller = Teller()
    teller.reading()
    server, client, accepted = pair()
    with server, client, accepted:
        ports = {server.getsockname()[1], client.getsockname()[1]}

        def told():
            entries = teller.reading()["sockets"]
            return [entry[8] for entry in entries if entry[1] in ports]

        teller._next_look = float("inf")
        assert told() == [None, None]
        assert told() == []
        teller._next_look = 0.0
        assert sorted(each[1:4] for each in told()) == sorted(
            [os.getpid(), end.fileno(), True] for end in (client, accepted)
        )
        assert told() == []
    teller.close()


@linux
@pytest.mark.skipif(os.geteuid() != 0, reason="only root has something to keep")
def test_only_who_was_asked_to_keeps_what_shows_other_users_processes():
    for keep, left in ((False, 0), (True, 1 << 2 | 1 << 19)):
        table = HostTable(lambda local, peer: True, keep=keep)
        table.begin()
        assert select.select([table.output], [], [], 30)[0]
        status = Path(f"/proc/{table.pid}/status").read_text()
        sets = dict(line.split(":\t") for line in status.splitlines() if line.startswith("Cap"))
        assert int(sets["CapEff"], 16) == int(sets["CapPrm"], 16) == left
        assert int(sets["CapBnd"], 16) == int(sets["CapInh"], 16) == int(sets["CapAmb"], 16) == 0
        table.close()


def test_the_first_reading_of_a_busy_host_comes_in_parts_with_its_listeners_first():
    local, peer = Endpoint("10.0.0.1", 80), Endpoint("10.0.0.2", 4000)
    one = HostSocket(local, peer, State.ESTABLISHED)
    heard = HostSocket(local, None, State.LISTEN)
    count = 2 * hosttable.PART + 1
    first = HostReading(5, (one,) * count, (heard,), total=count, first=True)
    parts = hosttable.in_parts(first)
    assert [len(part.sockets) for part in parts] == [hosttable.PART, hosttable.PART, 1]
    assert [part.listeners for part in parts] == [(heard,), None, None]
    assert all(part.first and part.total == count for part in parts)
    later = replace(first, first=False)
    assert hosttable.in_parts(later) == [later]

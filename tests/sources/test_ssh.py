"""Our own SSH connection is found through sudo, and left out exactly."""

from __future__ import annotations

import pytest

from tcpviz.core.segment import Endpoint, Flags, Segment
from tcpviz.sources import ssh


def process(proc, pid, parent, **environment):
    folder = proc / str(pid)
    folder.mkdir()
    variables = b"\0".join(f"{name}={value}".encode() for name, value in environment.items())
    (folder / "environ").write_bytes(variables + b"\0")
    (folder / "stat").write_text(f"{pid} (a (strange) name) S {parent} 1 1 0")


def test_the_variable_itself(tmp_path):
    found = ssh.own_sessions({"SSH_CONNECTION": "10.0.0.5 51234 10.0.0.1 22"}, tmp_path, 1)
    assert [str(session) for session in found] == ["10.0.0.5:51234 -> 10.0.0.1:22"]


def test_an_ancestors_variable_where_sudo_cleared_ours(tmp_path):
    process(tmp_path, 40, 30, SUDO_UID="1000")
    process(tmp_path, 30, 20, SSH_CONNECTION="fe80::5%eth0 51234 fe80::1%eth0 22")
    process(tmp_path, 20, 1, SSH_CONNECTION="10.9.9.9 1 10.9.9.8 22")
    found = ssh.own_sessions({}, tmp_path, 40)
    assert [str(session) for session in found] == ["[fe80::5]:51234 -> [fe80::1]:22"]


def test_no_ssh(tmp_path):
    process(tmp_path, 40, 1)
    assert ssh.own_sessions({}, tmp_path, 40) == []


def test_a_circle_of_parents_ends(tmp_path):
    process(tmp_path, 40, 30)
    process(tmp_path, 30, 40)
    assert ssh.own_sessions({}, tmp_path, 40) == []


@pytest.mark.parametrize(
    "text",
    ["", "10.0.0.1", "a b c d", "10.0.0.1 x 10.0.0.2 22", "10.0.0.1 1 10.0.0.2 99999", "1 2 3 4 5"],
)
def test_nonsense_is_no_session(text):
    assert ssh.parse_connection(text) is None


def test_an_ipv4_address_in_ipv6_is_what_packets_carry():
    found = ssh.parse_connection("::ffff:10.0.0.5 51234 ::ffff:10.0.0.1 22")
    assert str(found) == "10.0.0.5:51234 -> 10.0.0.1:22"


def test_only_that_connection_belongs_to_it():
    session = ssh.parse_connection("10.0.0.5 51234 10.0.0.1 22")
    assert session is not None

    def segment(source, destination):
        return Segment(0, Endpoint(*source), Endpoint(*destination), 0, 0, Flags.ACK, 0)

    assert session.has(segment(("10.0.0.5", 51234), ("10.0.0.1", 22)))
    assert session.has(segment(("10.0.0.1", 22), ("10.0.0.5", 51234)))
    assert not session.has(segment(("10.0.0.5", 51235), ("10.0.0.1", 22)))

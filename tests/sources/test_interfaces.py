"""Interfaces as the kernel lists them; the default route's; errors that name those there are."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tcpviz.sources import interfaces
from tcpviz.sources.feed import SourceError

ROOT = Path(__file__).resolve().parents[2]


def test_every_interface_of_the_kernel_is_listed_once():
    found = interfaces.list_interfaces()
    assert [(i.index, i.name) for i in found] == sorted(socket.if_nameindex())


@pytest.mark.skipif(sys.platform != "linux", reason="the loopback interface of Linux")
def test_loopback_is_known_as_such():
    loopback = interfaces.find_interface("lo")
    assert loopback.is_loopback
    assert loopback.link_type == interfaces.LINKTYPE_ETHERNET
    assert not loopback.cooked
    if loopback.up:
        assert "127.0.0.1" in loopback.addresses


def test_an_interface_is_found_by_its_number():
    index, name = socket.if_nameindex()[0]
    assert interfaces.find_interface(str(index)).name == name


def test_an_unknown_interface_is_a_wrong_request_that_lists_those_there_are():
    with pytest.raises(SourceError) as caught:
        interfaces.find_interface("nosuch\x1b[2J0")
    text = str(caught.value)
    assert caught.value.exit_code == 2
    assert "no interface 'nosuch?[2J0' here" in text
    for _, name in socket.if_nameindex():
        assert name in text
    assert "\n" not in text


def test_the_default_interfaces_are_up():
    assert all(interface.up for interface in interfaces.default_interfaces())


ROUTES = (
    "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"
    "wlan0\t00000000\t0101A8C0\t0003\t0\t0\t600\t00000000\t0\t0\t0\n"
    "eth0\t00000000\t0101A8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0\n"
    "down0\t00000000\t0101A8C0\t0002\t0\t0\t1\t00000000\t0\t0\t0\n"
    "eth0\t0001A8C0\t00000000\t0001\t0\t0\t100\t00FFFFFF\t0\t0\t0\n"
)
ROUTES6 = (
    "{zero} 00 {zero} 00 fe800000000000000000000000000001 00000400 0 0 00000003     tun0\n"
    "{zero} 00 {zero} 00 {zero} ffffffff 1 0 00200200       lo\n"
).format(zero="0" * 32)


def test_the_best_default_route_of_each_family_is_taken(tmp_path):
    (tmp_path / "route").write_text(ROUTES)
    (tmp_path / "ipv6_route").write_text(ROUTES6)
    assert interfaces._default_route_names(tmp_path) == {"eth0", "tun0"}


@pytest.mark.skipif(sys.platform != "linux", reason="on Linux only")
def test_without_a_default_route_there_are_no_routed_interfaces(tmp_path):
    assert interfaces._default_route_names(tmp_path) == set()


LIST = "import json; from tcpviz.sources.interfaces import list_interfaces as found; "
LIST += "print(json.dumps([(i.name, i.up, i.link_type, i.cooked, i.addresses) for i in found()]))"
SETUP = """
ip link set lo up && ip link add one type veth peer name two && ip addr add 10.9.8.7/24 dev one &&
ip link set one up && {{ ip tuntap add dev tunnel mode tun || true; }} &&
exec {python} -c '{code}'
"""


@pytest.mark.skipif(not shutil.which("ip"), reason="no iproute2 to make interfaces with")
def test_a_namespace_has_its_own_interfaces():
    """/sys tells of the namespace in which it was mounted; this asks from inside another."""
    script = SETUP.format(python=sys.executable, code=LIST)
    done = subprocess.run(
        ["unshare", "-Urn", "sh", "-ec", script], cwd=ROOT, capture_output=True, text=True
    )
    if done.returncode:
        pytest.skip(f"no namespaces of one's own here: {done.stderr.strip()[:200]}")
    found = {name: rest for name, *rest in json.loads(done.stdout)}
    assert found["lo"][0]
    assert found["one"] == [True, 1, False, ["10.9.8.7"]]
    assert found["two"][0] is False
    if "tunnel" in found:
        assert found["tunnel"][1:3] == [interfaces.LINKTYPE_RAW, False]
    assert set(found) <= {"lo", "one", "two", "tunnel"}

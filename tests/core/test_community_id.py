"""Community ID, held to the values published with its specification, and to its rules."""

from __future__ import annotations

import pytest

from tcpviz.core.community_id import community_id
from tcpviz.core.segment import Endpoint

# The TCP flows of the specification's baseline (baseline_deflt.json, seed 0).
PUBLISHED = [
    ("128.232.110.120", 34855, "66.35.250.204", 80, "1:LQU9qZlK+B5F3KDmev6m5PMibrg="),
    (
        "2001:470:e5bf:dead:4957:2174:e82c:4887",
        63943,
        "2607:f8b0:400c:c03::1a",
        25,
        "1:/qFaeAR+gFe1KYjMzVDsMv+wgU4=",
    ),
]


@pytest.mark.parametrize(("addr", "port", "peer", "peer_port", "value"), PUBLISHED)
def test_the_published_values(addr: str, port: int, peer: str, peer_port: int, value: str) -> None:
    one, other = Endpoint(addr, port), Endpoint(peer, peer_port)
    assert community_id(one, other) == value
    assert community_id(other, one) == value


def test_the_address_decides_the_order_and_then_the_port() -> None:
    # 9.0.0.1 is the smaller address, though "10" is the smaller text.
    one, other = Endpoint("10.0.0.1", 1), Endpoint("9.0.0.1", 2)
    assert community_id(one, other) == community_id(other, one)
    same, ports = Endpoint("10.0.0.1", 80), Endpoint("10.0.0.1", 1234)
    assert community_id(same, ports) == community_id(ports, same)
    assert community_id(one, same) != community_id(one, ports)


def test_another_seed_is_another_name() -> None:
    one, other = Endpoint("128.232.110.120", 34855), Endpoint("66.35.250.204", 80)
    assert community_id(one, other, 1) != community_id(one, other)


def test_what_is_no_address_is_an_error() -> None:
    with pytest.raises(ValueError, match="does not appear to be"):
        community_id(Endpoint("nowhere", 1), Endpoint("10.0.0.1", 2))

"""Connections, segments and bytes of every shared capture, against what tshark counted.

A difference is allowed only if it stands in :data:`KNOWN`, with who is right and why.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tcpviz.core.tracker import Tracker
from tcpviz.sources.files import FileFeed
from tests.conftest import ROOT

KNOWN = {
    "arkime-tcp_handshake_synthetic.pcap": (
        "we are right: a SYN with another number comes into the connection of port 40003, and "
        "its server answers with the numbers of the old one (an ACK of 3001, its SYN,ACK once "
        "more). That is part of the old one; tshark counts it to the SYN"
    ),
    "zeek-vlan-collisions.pcap": (
        "we are right: the same four-tuple untagged, on VLAN 42 and on QinQ 10/20 are three "
        "connections (the oracle's adjudication); tshark 4.0 leaves VLANs out of the key"
    ),
    "zeek-gre-aruba-amsdu.pcap": (
        "we are right: the one frame is an A-MSDU of two TCP segments, 23 and 229 bytes; tshark "
        "counts frames, and shows the fields of the first"
    ),
    "tcpdump-rpki-rtr-oobr.pcap": (
        "nobody can be: a lone first fragment whose length lies (62 bytes in a packet of 50). "
        "tshark says 0 bytes of payload, tcptrace 22; we say the 4 that lie within whole units "
        "of 8 octets of what was on the wire (RFC 791)"
    ),
}

KNOWN_TIMES = {
    "pcapplusplus-pcapng-example.pcapng": (
        "we are right: its clock stood shortly before the epoch, so its timestamps are small "
        "negative numbers in 64 bits; tshark prints them unsigned, as the year 586 518"
    ),
}

FOLDER = Path(os.environ.get("TCPVIZ_CAPTURES", ROOT.parent / "shared" / "captures"))

Ends = frozenset[tuple[str, int, int, int]]
Flows = list[tuple[Ends, int, int]]  # with the times of the first and last segment in us


def names() -> list[str]:
    index = FOLDER / "INDEX.tsv"
    if not index.is_file():
        return []
    return [line.split("\t")[0] for line in index.read_text().splitlines()[1:]]


def ours(path: Path) -> Flows:
    tracker = Tracker(keep=False)
    for batch in FileFeed(str(path)).batches():
        for record in batch:
            tracker.feed(record)
    return [
        (
            frozenset(
                (end.endpoint.addr, end.endpoint.port, end.segments, end.bytes)
                for end in (connection.client, connection.server)
            ),
            connection.first_ns // 1000,
            connection.last_ns // 1000,
        )
        for connection in tracker.connections.values()
    ]


def theirs(oracle: dict[str, Any]) -> Flows:
    return [
        (
            frozenset(
                (
                    stream[end]["addr"],
                    stream[end]["port"],
                    stream["dir"][end]["packets"],
                    stream["dir"][end]["bytes"],
                )
                for end in ("a", "b")
            ),
            round(stream["t_first"] * 1_000_000),
            round(stream["t_last"] * 1_000_000),
        )
        for stream in oracle["tshark"]["streams"]
    ]


def counts(flows: Flows) -> Counter[Ends]:
    return Counter(ends for ends, _, _ in flows)


def times(flows: Flows) -> list[int]:
    return sorted(when for _, *pair in flows for when in pair)


@pytest.mark.parametrize("name", names() or ["INDEX.tsv"])
def test_connections_are_those_of_the_oracle(name: str, captures: Path) -> None:
    oracle = json.loads((captures / "oracle" / f"{name}.json").read_text())
    mine, other = ours(captures / name), theirs(oracle)
    if name in KNOWN:
        assert counts(mine) != counts(other), f"{name} no longer differs: take it out of KNOWN"
        return
    only_ours, only_theirs = counts(mine) - counts(other), counts(other) - counts(mine)
    assert not only_ours, f"only ours {only_ours}, only tshark's {only_theirs}"
    assert not only_theirs
    # The oracle's seconds are floats: good to a microsecond.
    apart = [x - y for x, y in zip(times(mine), times(other), strict=True) if abs(x - y) > 1]
    assert bool(apart) == (name in KNOWN_TIMES), apart


def test_the_vlan_collision_is_three_equal_connections(captures: Path) -> None:
    flows = counts(ours(captures / "zeek-vlan-collisions.pcap"))
    totals = Counter(
        (sum(end[2] for end in ends), sum(end[3] for end in ends)) for ends in flows.elements()
    )
    assert totals == {(14, 5143): 3}

"""The adjudicated facts, which are written in words, as questions to our reading."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from tests.oracles.ours import COPY, Seen

Held = Callable[[list[Seen]], str]
"""Empty if the fact holds, otherwise what is said instead."""


def _states(one: Seen) -> tuple[str, str]:
    return str(one.connection.client.state), str(one.connection.server.state)


def _paws(seen: list[Seen]) -> str:
    """Frames 2 and 3 move nobody, and it is established at the end."""
    (one,) = seen
    return "" if _states(one) == ("ESTABLISHED", "ESTABLISHED") else f"{_states(one)}"


def _zero_windows(seen: list[Seen]) -> str:
    one = seen[0]
    found = len(one.plain["zero_window"]), len(one.plain["out_of_order"])
    return "" if found == (57, 26) else f"{found[0]} zero windows, {found[1]} out of order"


def _reordered_handshake(seen: list[Seen]) -> str:
    (one,) = seen
    client = one.connection.client.endpoint.addr
    complete = one.connection.established
    return "" if client == "141.142.228.5" and complete else f"client {client}, {complete=}"


def _offload(seen: list[Seen]) -> str:
    (one,) = seen
    view = one.zeek(ignore_checksums=True)
    state, history = view.conn_state, view.history
    both = one.connection.client.segments and one.connection.server.segments
    return "" if state == "SF" and both else f"{state} {history}"


def _refused(seen: list[Seen]) -> str:
    """One connection for each connect(), and no refused SYN's successor a retransmission."""
    again = [frame for one in seen for frame in one.plain["retransmission"]]
    opened = {frame for one in seen for frame in one.frames if frame in again}
    syns = [
        segment.frame
        for one in seen
        for segment, _ in one.segments
        if segment.syn and not segment.has_ack and segment.frame in opened
        if one.connection.refused
    ]
    return "" if len(seen) in (7, 11) and not syns else f"{len(seen)} connections, again {syns}"


def _vlans(seen: list[Seen]) -> str:
    sizes = [len(one.frames) for one in seen]
    copies = sum(len(one.marks[COPY]) for one in seen)
    return "" if sizes == [14, 14, 14] and not copies else f"{sizes}, {copies} copies"


FACTS: Final[dict[tuple[str, int], Held]] = {
    ("suricata-with_evasion_linux.pcap", 0): _paws,
    ("zeek-206_example_b.pcap", 0): _zero_windows,
    ("zeek-handshake-reorder.pcap", 0): _reordered_handshake,
    ("zeek-localhost-bad-chksum.pcap", 0): _offload,
    ("zeek-pop3.pcap", 0): _refused,
    ("zeek-vlan-collisions.pcap", 0): _vlans,
}
"""By capture and the fact's place in its list."""

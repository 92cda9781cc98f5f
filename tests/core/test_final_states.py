"""Final states of the shared captures' connections against Suricata's ``tcp_state``.

Suricata keeps one state for both ends; :data:`MEANS` says which of our pairs it can
stand for. A difference is allowed only if it stands in :data:`KNOWN`, with who is
right and why; one that no longer occurs fails as well.
"""

from __future__ import annotations

import ipaddress
import json
from collections import Counter, defaultdict
from pathlib import Path

from tcpviz.core.connection import Connection
from tcpviz.core.records import SegmentRecord
from tcpviz.core.segment import Segment
from tcpviz.core.tracker import Tracker
from tcpviz.sources.files import open_capture
from tcpviz.wire.decoder import Decoder
from tests.test_oracle_connections import names

MEANS = {
    "syn_sent": {"SYN-SENT/LISTEN"},
    "syn_recv": {"SYN-SENT/SYN-RECEIVED"},
    "established": {"ESTABLISHED/ESTABLISHED"},
    "fin_wait1": {"FIN-WAIT-1/ESTABLISHED", "ESTABLISHED/FIN-WAIT-1"},
    "fin_wait2": {"FIN-WAIT-2/CLOSE-WAIT", "CLOSE-WAIT/FIN-WAIT-2"},
    # Its end of a connection, however it came about: FINs acknowledged, or a reset.
    "closed": {
        "CLOSED/CLOSED",
        "CLOSED/LISTEN",
        "TIME-WAIT/CLOSED",
        "CLOSED/TIME-WAIT",
        "TIME-WAIT/TIME-WAIT",
    },
}

KNOWN = {
    ("zeek-ssh.server-side-half-duplex.pcap", "established", "ESTABLISHED/FIN-WAIT-1"): (
        "tcpviz: only the server was captured. It sends its FIN; nothing can show that the FIN "
        "was acknowledged, and Suricata follows a one-sided connection no further"
    ),
    ("ipfixprobe-tls.pcap", "established", "ESTABLISHED/LISTEN"): (
        "nobody: one segment with data, of one side; we say 'unknown' of the other"
    ),
    ("zeek-mpls-in-vlan.pcap", "established", "ESTABLISHED/LISTEN"): (
        "nobody: one segment with data, of one side; we say 'unknown' of the other"
    ),
    ("arkime-tcp_handshake_synthetic.pcap", "close_wait", "FIN-WAIT-1/ESTABLISHED"): (
        "tcpviz: the capture ends with the client's FIN, which nobody has acknowledged"
    ),
    ("arkime-tcp_handshake_synthetic.pcap", "established", "SYN-SENT/LISTEN"): (
        "tcpviz: a SYN with another number, answered by a challenge ACK only; the handshake "
        "before it was not completed either"
    ),
    ("tcptrace-zwnd.dmp.gz", "fin_wait2", "TIME-WAIT/CLOSED"): (
        "tcpviz: frames 26687 to 26690 are FIN, ACK, FIN and ACK"
    ),
    ("pcapplusplus-pcapng-example.pcapng", "syn_sent", "TIME-WAIT/CLOSED"): (
        "tcpviz: the times go back behind the SYN, and Suricata begins a second flow there"
    ),
}


def ours(path: Path) -> dict[frozenset[tuple[str, int]], list[Connection]]:
    tracker, decoder = Tracker(keep=False), Decoder()

    def take(segment: Segment | None) -> None:
        if segment is not None:
            tracker.feed(SegmentRecord(segment.time_ns, segment))
        while decoder.extra:
            take(decoder.extra.popleft())

    with open_capture(str(path)) as capture:
        for frame in capture:
            take(decoder.decode(frame))
    decoder.finish()
    take(None)
    found = defaultdict(list)
    for one in tracker.connections.values():
        ends = (one.client.endpoint, one.server.endpoint)
        found[frozenset((address(end.addr), end.port) for end in ends)].append(one)
    return found


def address(text: str) -> str:
    return str(ipaddress.ip_address(text))


def test_final_states_are_suricatas_but_for_known_differences(captures: Path) -> None:
    differences: Counter[tuple[str, str, str]] = Counter()
    compared = 0
    for name in names():
        flows = json.loads((captures / "oracle" / f"{name}.json").read_text())["suricata"] or []
        mine = ours(captures / name) if flows else {}
        for flow in flows:
            ends = frozenset(
                {
                    (address(flow["src"]), flow["sport"]),
                    (address(flow["dst"]), flow["dport"]),
                }
            )
            for connection in mine.get(ends, [])[-1:]:
                compared += 1
                pair = f"{connection.client.state}/{connection.server.state}"
                if pair not in MEANS.get(flow["tcp_state"], set()):
                    differences[name, flow["tcp_state"], pair] += 1
    print(f"{compared} flows compared, {differences.total()} differ:")
    for what, count in differences.items():
        print(f"{count:4} {what}: {KNOWN.get(what, 'NOT LISTED')}")
    assert compared > 300
    assert set(differences) == set(KNOWN)

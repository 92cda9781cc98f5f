"""What is said of the nastiest shared captures: what an expert would say, by connection."""

from __future__ import annotations

from pathlib import Path

import pytest

from tcpviz.core.connection import Connection
from tcpviz.core.crowds import crowds
from tcpviz.core.tracker import Tracker
from tcpviz.core.watch import Watch
from tcpviz.sources.files import FileFeed
from tcpviz.views.verdict import sentences


def told(path: Path) -> dict[int, list[str]]:
    """Every connection's sentences, the most severe verdict's first."""
    tracker = Tracker(keep=False)
    for batch in FileFeed(str(path)).batches():
        for record in batch:
            tracker.feed(record)
    kept: list[Connection] = list(tracker.connections.values())
    watch = Watch(kept)
    crowds(kept)
    return {c.id: [text for _, text in sentences(c, watch.until(c))] for c in kept}


# (capture, connection, what is said, whether all that is said is given)
EXPECTED = [
    # A web server that never got an answer after the client's buffer had filled, and gave up.
    (
        "zeek-206_example_b.pcap",
        1,
        [
            "reset by server: no answer for 1 m 21 s, 14 retransmissions",
            "loss: server sent 108 of 840 data segments again",
        ],
    ),
    ("zeek-206_example_b.pcap", 2, ["reset by client after server's FIN"]),
    # A receiver that hardly reads: 22 of 25 seconds its window was zero.
    (
        "tcptrace-zwnd.dmp.gz",
        1,
        ["stalled: server's window was zero for 22.1 s in all", "closed normally by client"],
    ),
    # A forged RST and FIN before the SYN,ACK, and the client's RST against them.
    ("suricata-with_evasion_linux.pcap", 1, ["2 resets that do not fit were ignored", "open"]),
    # SYNs through a firewall that answers by ICMP, from behind an address translation.
    (
        "bro-simple-scan-multiport_scan.pcap",
        3,
        ["unreachable: 10.10.9.115 says prohibited by a filter"],
    ),
    ("bro-simple-scan-multiport_scan.pcap", 6, ["no answer to SYN, 1 try"]),
    # Refused three times, the same number each time; and a SYN that was lost.
    ("zeek-pop3.pcap", 1, ["refused: RST to the SYN, 3 tries"]),
    (
        "zeek-pop3.pcap",
        4,
        ["handshake took 3.05 s, SYN sent 2 times", "closed normally by server"],
    ),
    # Each packet up to four times: a property of the capture, not loss.
    (
        "arkime-wireshark-retrans.pcap",
        1,
        ["closed normally by client", "81 of 108 packets were captured twice"],
    ),
    # Sequence numbers were rewritten, the SACK option was not.
    (
        "pcapplusplus-one_tcp_stream_max_seq.pcap",
        1,
        ["middlebox suspected: server's SACK does not fit client's sequence numbers", "open"],
    ),
    ("ptcpdump-ipoptions.pcap", 1, ["reset by client in place of the third segment"]),
    ("suricata-split-handshake-4whs.pcap", 1, ["reset by client", "opened by two SYNs"]),
    ("suricata-tcp-rst-with-data.pcap", 1, ["reset by client"]),
    (
        "zeek-ssh.server-side-half-duplex.pcap",
        1,
        ["closed by server; only server's segments were captured"],
    ),
    ("tcpdump-rpki-rtr-oobr.pcap", 1, ["null scan: a segment without flags, no answer"]),
    ("zeek-retransmit-fast009.pcap", 1, ["reset by client after 1 m of silence", "loss: server"]),
    ("zeek-simpleauth.pcap", 1, ["reset by client after 3 m 1 s of silence", "no checksum is"]),
    ("zeek-miss_end_data.pcap", 1, ["closed normally by server", "the capture missed segments"]),
    ("zeek-tcp-fast-open.pcap", 2, ["closed normally by server", "fast open: the data in the"]),
    ("tcpdump-mptcp-v1.pcap", 1, ["closed normally by client", "a path of a Multipath TCP"]),
    ("suricata-tcp-urgent1.pcap", 1, ["closed normally by server", "client sent urgent data"]),
    ("arkime-tcp_handshake_synthetic.pcap", 8, ["open, its SYN was not captured"]),
    # Its SYN comes into a connection that is being opened, whose server answers.
    ("arkime-tcp_handshake_synthetic.pcap", 4, ["SYN answered by an ACK without SYN"]),
    # An ACK captured before its data: nothing was sent again.
    ("suricata-tcp-protodetect-bailout.pcap", 1, ["open", "the capture missed segments"]),
    ("zeek-wikipedia.pcap", 1, ["open, found in mid-stream"]),
    ("zeek-wikipedia.pcap", 10, ["SYN,ACK without its SYN, 1 try"]),
    ("zeek-wstunnel-http.pcap", 1, ["reset by client after its own FIN"]),
    ("suricata-bug-5758.pcap", 1, ["closed normally by both at once"]),
    ("zeek-handshake-reorder.pcap", 1, ["closed normally by client"]),
    ("zeek-iso-download.pcap.gz", 1, ["closed normally by client"]),
    *(("zeek-vlan-collisions.pcap", n, ["closed normally by client"]) for n in (1, 2, 3)),
]


@pytest.mark.parametrize(
    ("name", "connection", "wanted"), EXPECTED, ids=[f"{e[0]}-{e[1]}" for e in EXPECTED]
)
def test_what_is_said(name: str, connection: int, wanted: list[str], captures: Path) -> None:
    said = told(captures / name)[connection]
    # The first is what the list shows; the others are among what follows, in any order.
    assert said[0].startswith(wanted[0])
    for sentence in wanted[1:]:
        assert any(each.startswith(sentence) for each in said), said


def test_what_is_said_of_a_flood(captures: Path) -> None:
    said = told(captures / "suricata-tcp-session-syn-flood-drop-precedence.pcap")
    assert len(said) == 200
    assert {texts[0] for texts in said.values()} == {
        "SYN flood? one of 200 handshakes of 192.0.2.10 that nobody completes"
    }
    assert {texts[1] for texts in said.values()} == {"no answer to SYN yet"}


def test_pauses_of_years_are_not_silence(captures: Path) -> None:
    for texts in told(captures / "ipfixprobe-tls.pcap").values():
        assert not any(" d " in text or "abandoned" in text for text in texts), texts

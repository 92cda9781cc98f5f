"""Floods, scans and backscatter: what many connections show together, and what is none."""

from __future__ import annotations

from tcpviz.core.connection import Connection
from tcpviz.core.crowds import FLOOD, SCAN, Crowds, crowds
from tcpviz.core.segment import Endpoint
from tcpviz.core.tracker import Tracker
from tcpviz.core.verdicts import Code, verdicts
from tcpviz.views.verdict import crowd_sentence, verdict
from tests.core.dialogue import Talk

LISTENER = Endpoint("10.0.0.2", 80)


class Net:
    """Many talks through one tracker, ``gap_ms`` apart."""

    def __init__(self, gap_ms: int = 10) -> None:
        self.tracker = Tracker(keep=False)
        self.gap_ns = gap_ms * 1_000_000
        self.now = 1_000_000_000

    def talk(self, client: Endpoint, server: Endpoint = LISTENER) -> Talk:
        self.now += self.gap_ns
        return Talk(client, server, tracker=self.tracker, start_ns=self.now)

    def syns(self, count: int, *, answered: bool = False, tries: int = 1) -> None:
        for n in range(count):
            talk = self.talk(Endpoint(f"172.16.{n >> 8}.{n & 255}", 1024 + n))
            for _ in range(tries):
                talk.client("S", seq=0)
            if answered:
                talk.server("SA")

    def refused(self, client: str, servers: list[Endpoint]) -> None:
        for n, server in enumerate(servers):
            talk = self.talk(Endpoint(client, 50000 + n), server)
            talk.client("S")
            talk.server("RA", seq=-5000, ack=1)

    @property
    def connections(self) -> list[Connection]:
        return list(self.tracker.connections.values())

    def found(self) -> list[str]:
        return [crowd_sentence(each) for each in crowds(self.connections)]


def test_a_flood_of_forged_syns() -> None:
    net = Net()
    net.syns(200, answered=True)
    assert net.found() == [
        "SYN flood? 200 handshakes with 10.0.0.2:80 that nobody completes, from 200 addresses"
    ]
    (one, *_) = net.connections
    said = verdicts(one)
    assert [each.code for each in said][:2] == [Code.SYN_FLOOD, Code.HALF_OPEN]
    assert verdict(one).startswith("SYN flood? one of 200 handshakes of 200 addresses")


def test_handshakes_that_wait_on_a_lossy_link_are_no_flood() -> None:
    """The capture ends while some wait for a SYN's answer; as many of their source's came about."""
    net = Net()
    for n in range(FLOOD):
        net.talk(Endpoint("10.0.0.1", 1000 + n)).client("S")
        net.talk(Endpoint("10.0.0.1", 10_000 + n)).handshake()
    assert net.found() == [
        f"SYN flood? {FLOOD} handshakes of 10.0.0.1 with 10.0.0.2:80 that nobody completes"
    ]
    net.talk(Endpoint("10.0.0.1", 9999)).handshake()
    assert net.found() == []
    # Strangers are one nevertheless, and these are none of it.
    net.syns(FLOOD, answered=True)
    assert net.found() == [
        f"SYN flood? {FLOOD} handshakes with 10.0.0.2:80 that nobody completes, "
        f"from {FLOOD} addresses"
    ]
    assert sum(c.crowd is not None for c in net.connections) == FLOOD


def test_clients_of_a_dead_server_are_no_flood() -> None:
    tried_again, slowly, few = Net(), Net(gap_ms=1000), Net()
    tried_again.syns(300, tries=2)
    slowly.syns(300)
    few.syns(FLOOD - 1)
    assert tried_again.found() == slowly.found() == few.found() == []


def test_a_port_scan_and_the_open_port_in_it() -> None:
    net = Net()
    net.refused("10.0.0.9", [Endpoint("10.0.0.2", port) for port in range(1, 40)])
    talk = net.talk(Endpoint("10.0.0.9", 60000), Endpoint("10.0.0.2", 443))
    talk.client("S")
    talk.server("SA")
    talk.client("R", ack=0)
    net.talk(Endpoint("10.0.0.8", 60000)).handshake()
    assert net.found() == ["port scan? 10.0.0.9 tried 40 ports of 10.0.0.2, 40 times in vain"]
    texts = [verdict(c) for c in net.connections]
    assert texts[0] == "port scan? refused; 10.0.0.9 tried 40 ports in vain"
    assert texts[39] == "port scan? the port is open; 10.0.0.9 tried 40 ports"
    assert texts[40] == "open"


def test_a_host_scan_is_one_port_of_many_hosts() -> None:
    net = Net()
    net.refused("10.0.0.9", [Endpoint(f"10.1.0.{n}", 22) for n in range(SCAN)])
    assert net.found() == ["host scan? 10.0.0.9 tried port 22 of 15 hosts, 15 times in vain"]
    assert verdict(net.connections[0]) == ("host scan? refused; 10.0.0.9 tried port 22 of 15 hosts")


def test_one_that_mostly_succeeds_scans_nobody() -> None:
    net = Net()
    net.refused("10.0.0.9", [Endpoint(f"10.1.0.{n}", 22) for n in range(SCAN)])
    for n in range(SCAN + 20):
        net.talk(Endpoint("10.0.0.9", 61000 + n), Endpoint(f"10.2.0.{n}", 22)).handshake()
    assert net.found() == []
    # Nor one that tries the same refused port for ever.
    again = Net()
    again.refused("10.0.0.9", [LISTENER] * 100)
    assert again.found() == []


def test_backscatter() -> None:
    net = Net()
    for n in range(30):
        net.talk(Endpoint(f"172.16.0.{n}", 1024)).server("SA")
    (text,) = net.found()
    assert text.startswith("backscatter? 10.0.0.2 answers 30 SYNs of 30 addresses")


def test_counting_again_costs_a_constant_share_and_forgets_what_is_over() -> None:
    net, looked = Net(), Crowds()
    counted = 0
    for n in range(400):
        net.refused("10.0.0.9", [Endpoint("10.0.0.2", 1 + n)])
        counted += looked.look(net.tracker.connections)
    assert counted < 30
    assert looked.look(net.tracker.connections, final=True)
    assert not looked.look(net.tracker.connections, final=True)
    assert looked.found[0].targets == 400
    # When all that was in vain gets company that is not, the suspicion goes.
    for n in range(500):
        net.talk(Endpoint("10.0.0.9", 20000 + n), Endpoint("10.0.0.2", 1 + n)).handshake()
    assert net.found() == []
    assert verdict(net.connections[0]) == "refused: RST to the SYN"

"""The page of listeners: the fullest first, whose they are, and what was let fall."""

from __future__ import annotations

from tcpviz.core.host import Host
from tcpviz.core.hosts import HostReading, HostSocket, Process
from tcpviz.core.records import KernelReading, KernelSocket, Side
from tcpviz.core.segment import Endpoint
from tcpviz.core.states import State
from tcpviz.sources.socktable import COUNTERS
from tcpviz.views import listeners

IDLE = HostSocket(Endpoint("0.0.0.0", 22), None, State.LISTEN, 0, 128, "root")
FULL = HostSocket(
    Endpoint("::", 80), None, State.LISTEN, 129, 128, "www", Process("ng\x1binx", 812, 6, others=3),
    "nginx.service", "0123456789ab",
)  # fmt: skip


def test_the_fullest_stands_first_with_whose_it_is() -> None:
    host = Host()
    host.read(
        HostReading(5, (), (IDLE, FULL), {"ListenOverflows": 7}, 12, first=True), {}, {}, None
    )
    text = listeners.text(host)
    lines = text.splitlines()
    assert lines[0] == (
        "[::]:80\t129 wait for accept(), of 129 that may: FULL, further ones are dropped; "
        "ng\\x1binx, process 812 and 3 more; user www; nginx.service; container 0123456789ab"
    )
    assert lines[1] == "0.0.0.0:22\t0 wait for accept(), of 129 that may; user root"
    assert "7\thandshakes completed into a full accept queue, and dropped" in text
    assert "12 connections; it is read every 1.0 s" in text.replace("every 1 s", "every 1.0 s")


def test_a_scenarios_kernel_tells_of_both_queues() -> None:
    at = Endpoint("10.0.0.2", 7777)
    listening = KernelSocket(
        Side.SERVER, at, None, State.LISTEN, recv_queue=2, send_queue=1, syn_queue=3, syn_limit=4
    )
    other = KernelSocket(Side.SERVER, at, Endpoint("10.0.0.1", 40001), State.ESTABLISHED)
    assert listeners.text(Host(), KernelReading(5, (other, listening))) == (
        "10.0.0.2:7777\t2 wait for accept(), of 2 that may: FULL, further ones are dropped; "
        "3 in SYN-RECEIVED, of 4 that may"
    )
    assert listeners.text(Host(), KernelReading(5, (other,))) == "\tNobody listens here."


def test_where_nobody_asks_the_kernel_it_says_so() -> None:
    assert "is not asked here" in listeners.text(Host())


def test_every_counter_that_is_read_has_words() -> None:
    assert set(listeners.COUNTERS) == set(COUNTERS)

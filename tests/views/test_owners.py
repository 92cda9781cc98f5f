"""Whose a connection is, in a line."""

from __future__ import annotations

from tcpviz.core.hosts import HostSocket, Process
from tcpviz.core.records import Side
from tcpviz.core.segment import Endpoint
from tcpviz.core.states import State
from tcpviz.views.owners import whose
from tests.core.dialogue import Talk


def test_each_end_is_told_as_far_as_it_is_known():
    talk = Talk()
    talk.handshake()
    (connection,) = talk.tracker.connections.values()
    assert whose(connection) == ""
    here, there = Endpoint("10.0.0.2", 80), Endpoint("10.0.0.1", 40000)
    server = HostSocket(
        here, there, State.ESTABLISHED, user="www-data", process=Process("nginx", 812, 7, others=3),
        unit="nginx.service", container="1f2e3d4c5b6a",
    )  # fmt: skip
    client = HostSocket(there, here, State.ESTABLISHED, user="1000")
    connection.sockets = {Side.SERVER: server, Side.CLIENT: client}
    assert whose(connection) == (
        "client user 1000; server nginx (812) fd 7 and 3 more, user www-data, nginx.service, "
        "container 1f2e3d4c5b6a"
    )
    waits = HostSocket(
        here, there, State.ESTABLISHED, process=Process("x\x1b[2J", 9, certain=False),
        accepted=False,
    )  # fmt: skip
    connection.sockets = {Side.SERVER: waits}
    said = whose(connection)
    assert said.startswith("server x")
    assert said.endswith("? (9), not accepted yet")
    assert "\x1b" not in said

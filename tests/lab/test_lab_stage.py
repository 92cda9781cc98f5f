"""The stage where the system tells less: no /proc of calls (as macOS), no inet_diag."""

from __future__ import annotations

import sys

import pytest

from tcpviz.core.records import Side
from tcpviz.lab.loopback import Plain
from tcpviz.lab.script import Lab
from tcpviz.lab.stage import Stage


def _echo(lab):
    server, client = lab.server, lab.client
    server.socket()
    server.bind()
    server.listen()
    server.accept()
    client.socket()
    client.connect()
    server.recv()
    client.send("hello")
    server.send(server.received)
    client.recv()
    client.close()
    server.close()
    server.close()


@pytest.mark.parametrize("asks", ["TCP_INFO", ""])
def test_it_plays_to_the_end_with_less(asks):
    if asks == "TCP_INFO" and not sys.platform.startswith("linux"):
        pytest.skip("TCP_INFO is Linux's")
    ground = Plain()
    ground.asks = asks
    told = []
    stage = Stage(ground, lambda message, _: told.append(message))
    for worker in stage.peers.workers.values():
        worker.without_proc()
    try:
        stage.begin()
        _echo(Lab(stage))
        stage.end()
    finally:
        stage.close()
    results = [one["result"] for one in told if one["k"] == "call" and one["returned_ns"]]
    assert results.count("5 bytes") == 4
    assert not any(one["failed"] for one in told if one["k"] == "call")
    readings = [one for one in told if one["k"] == "kernel"]
    assert bool(readings) is bool(asks)
    states = {(sock["side"], sock["state"]) for reading in readings for sock in reading["sockets"]}
    if asks:
        # What is closed cannot be asked any more, and nothing is said of it.
        assert states == {
            ("server", "LISTEN"),
            (str(Side.CLIENT), "ESTABLISHED"),
            (str(Side.SERVER), "ESTABLISHED"),
            (str(Side.SERVER), "CLOSE-WAIT"),
        }

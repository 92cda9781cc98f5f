"""The sheets in the real program on a real pseudo-terminal: opened, moved, left."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

if not sys.platform.startswith("linux"):
    pytest.skip("pseudo-terminals are tested on Linux", allow_module_level=True)

from tests.terminal.pseudo import terminal


def test_graphs_segment_and_dashboard_by_their_keys(captures: Path) -> None:
    trace = captures / "zeek-retransmit-fast009.pcap"
    with terminal(["-m", "tcpviz.cli", "read", str(trace)]) as made:
        made.wait_for("step 39 of 39")
        made.type("5")
        made.wait_for(lambda shown: "throughput" in shown and "dup ACK" in shown)
        assert "R again" in made.text
        made.type("\t")
        made.wait_for("client 10.0.88.85")
        made.type("\r")
        made.wait_for(lambda shown: "Sequence Number" in shown and "What the ends" in shown)
        made.type("\x1b")
        made.wait_for("throughput")
        made.type("\x1b")
        made.wait_for("1 Connections")
        made.type("0")
        made.wait_for(lambda shown: "all connections" in shown and "1 connection, 2 ends" in shown)
        made.type("q")
        assert made.ends() == 0
        assert "Traceback" not in made.text

"""--until: the first moment at which a connection fits, and never."""

from __future__ import annotations

import pytest

from tcpviz.cli import main
from tcpviz.core.segment import Endpoint
from tcpviz.views import filter as language
from tcpviz.views.until import Until
from tests.bench.generate import connections
from tests.core.dialogue import Talk


def until(text: str) -> tuple[Until, list[str]]:
    told: list[str] = []
    return Until(language.compile(text), lambda: told.append("stop"), told.append), told


@pytest.mark.parametrize(
    "text", ["verdict:reset", "server.state:closed", "rsts>0", "mark:x or rsts:1"]
)
def test_the_segment_that_makes_it_fit(text: str) -> None:
    if "mark:x" in text:
        text = text.replace("mark:x", "mark:zero_window")
    eye, told = until(text)
    talk = Talk().handshake()
    eye.steps(talk.steps, talk.tracker)
    assert (eye.done, eye.exit_code, told) == (False, 3, [])
    talk.server("R")
    eye.steps(talk.steps[-1:], talk.tracker)
    assert (eye.done, eye.exit_code, eye.attention) == (True, 0, 1)
    assert told[1] == "stop"
    assert told[0].startswith(f"--until {text!r}: connection 1, 10.0.0.1:40000 > 10.0.0.2:80")
    assert "frame 4: reset by server" in told[0]
    talk.server("R")
    eye.steps(talk.steps[-1:], talk.tracker)
    eye.end(talk.tracker, talk.now)
    assert len(told) == 2  # once


def test_time_alone_can_make_it_fit() -> None:
    eye, told = until("state:close-wait idle>1m")
    talk = Talk().handshake()
    talk.client("FA")
    talk.server("A")
    eye.steps(talk.steps, talk.tracker)
    eye.look(talk.tracker, talk.now + 59 * 10**9)
    assert not eye.done
    eye.look(talk.tracker, talk.now + 61 * 10**9)
    assert eye.done
    assert "stop" in told


def test_at_the_end_it_is_asked_once_more_and_said() -> None:
    eye, told = until("verdict:refused")
    talk = Talk(client=Endpoint("10.0.0.7", 7)).handshake()
    eye.steps(talk.steps, talk.tracker)
    eye.end(talk.tracker, talk.now)
    assert told == ["no connection has come to fit --until 'verdict:refused'"]


def test_a_file_is_read_up_to_there(tmp_path, capsys) -> None:
    path = tmp_path / "a.pcap"
    connections(path, 5)
    assert main(["read", str(path), "--until", "state:fin-wait-1", "--json"]) == 0
    captured = capsys.readouterr()
    assert "connection 1, 10.0.0.0:10000 > 10.128.0.1:80, frame 8: " in captured.err
    assert main(["read", str(path), "--until", "verdict:refused", "--json"]) == 3
    assert main(["read", str(path), "--until", "nonsense:1"]) == 2

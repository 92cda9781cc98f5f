"""The check: what it compares, what it says of the machine's edges, and its exit codes."""

from __future__ import annotations

import json

import pytest

from tcpviz.cli import main
from tcpviz.core.records import KernelReading, KernelSocket, Side
from tcpviz.core.segment import Endpoint
from tcpviz.core.states import TRANSITIONS, Event, State, find
from tcpviz.lab import check
from tcpviz.lab.check import CANNOT, Edge, Result
from tcpviz.lab.paths import Paths
from tcpviz.lab.scenarios import load

HEAD = 'TITLE = "t"\nSHOWS = "s"\nNEEDS = "cable"\n'
CONNECTS = """
def run(lab):
    lab.server.socket(); lab.server.bind(); lab.server.listen()
    lab.client.socket(); lab.client.connect()
"""
WELL = 'CLIENT = ["SYN-SENT", "ESTABLISHED"]\nSERVER = ["LISTEN", "SYN-RECEIVED", "ESTABLISHED"]\n'
A, B = Endpoint("10.0.0.1", 40001), Endpoint("10.0.0.2", 7777)


def demo(capsys, *words):
    code = main(["demo", *words])
    out, err = capsys.readouterr()
    return code, out, err


# -- on the command line ----------------------------------------------------


def test_the_table(cable, capsys):
    cable("handshake")
    code, out, _ = demo(capsys, "--check", "handshake", "client-closes-first")
    head, first, second = out.splitlines()
    assert head.split() == ["scenario", "steps", "compared", "edges", "seconds", "verdict"]
    name, steps, compared, edges, _, verdict = first.split()
    assert (name, edges, verdict) == ("handshake", "5", "agrees")
    assert int(steps) > int(compared) > 0
    assert second.split()[0] == "client-closes-first"
    assert second.split()[3] == "11"
    assert code == 0


def test_json_lines_say_the_same(cable, capsys):
    cable("handshake")
    code, out, _ = demo(capsys, "handshake", "--check", "--json")
    (line,) = [json.loads(text) for text in out.splitlines()]
    assert code == 0
    assert (line["type"], line["name"], line["agrees"]) == ("scenario", "handshake", True)
    taken = {(edge["before"], edge["event"], edge["after"]) for edge in line["edges"]}
    assert taken == {
        ("CLOSED", "passive OPEN", "LISTEN"),
        ("CLOSED", "active OPEN", "SYN-SENT"),
        ("LISTEN", "rcv SYN", "SYN-RECEIVED"),
        ("SYN-SENT", "rcv SYN,ACK", "ESTABLISHED"),
        ("SYN-RECEIVED", "rcv ACK of SYN", "ESTABLISHED"),
    }


@pytest.mark.parametrize(
    ("source", "what"),
    [
        (
            WELL.replace('"SYN-RECEIVED", ', "") + CONNECTS,
            "the server was to take LISTEN → ESTABLISHED;"
            " its kernel took LISTEN → SYN-RECEIVED → ESTABLISHED",
        ),
        (
            WELL + 'OTHERS = [(["SYN-SENT"], ["LISTEN"])]\n' + CONNECTS,
            "the client of connection 2 was to take SYN-SENT; its kernel took CLOSED",
        ),
        (WELL + "def run(lab):\n    lab.sever.socket()\n", "lab has no 'sever'"),
        (WELL + "LIMIT = 0.3\ndef run(lab):\n    lab.wait(9)\n", "did not end within 0.3 s"),
    ],
)
def test_what_goes_wrong_is_told_and_the_exit_code_is_1(cable, capsys, tmp_path, source, what):
    cable("handshake")
    path = tmp_path / "wrong.py"
    path.write_text(HEAD + source)
    code, out, _ = demo(capsys, "--check", str(path), "handshake")
    assert code == 1
    wrong, right = out.splitlines()[1:]
    assert what in wrong
    assert "WRONG: " in wrong
    assert right.endswith("agrees")


def test_requests_that_cannot_be(capsys):
    code, _, err = demo(capsys, "--check", "nothing-of-that-name")
    assert code == 2
    assert "no scenario 'nothing-of-that-name'" in err
    code, _, err = demo(capsys, "--check", "handshake", "--on", "loopback")
    assert code == 2
    assert "only the cable allows" in err
    assert err.count("\n") == 1


def test_it_can_be_left_in_the_middle(cable, tmp_path):
    cable("handshake")
    path = tmp_path / "endless.py"
    path.write_text(HEAD + WELL + "def run(lab):\n    lab.wait(20)\n")
    running = check.check([load("handshake"), load(str(path)), load(str(path))], at_once=3)
    assert next(running).good
    running.close()  # returns as soon as the others have been ended


# -- the machine's edges ----------------------------------------------------


def test_every_reason_is_for_an_edge_that_there_is():
    rows = {(row.before, row.event, row.opened) for row in TRANSITIONS}
    assert set(CANNOT) <= rows
    for text in CANNOT.values():
        _, name = text.split("; see ")
        assert load(name).name == name  # the scenario that shows what Linux does instead


def test_an_edge_must_be_taken_or_impossible_and_not_both():
    row = find(State.LISTEN, Event.SEND)
    assert row is not None
    assert Edge(row, (), "EPIPE").good
    assert Edge(row, ("one",), None).good
    assert not Edge(row, (), None).good
    assert not Edge(row, ("one",), "EPIPE").good
    lines = check.edge_lines([Edge(row, (), None), Edge(row, ("one",), "EPIPE")])
    assert lines[0] == "1 of the machine's 2 edges were taken."
    assert lines[2].endswith("WRONG: not taken by any scenario")
    assert lines[3].endswith("WRONG: taken by one, although the reason says: EPIPE")


def test_the_edges_of_several_runs_are_added_up():
    one, two = Result(load("handshake")), Result(load("echo"))
    row = find(State.ESTABLISHED, Event.CLOSE)
    assert row is not None
    one.edges = two.edges = {row}
    by = {edge.row: edge.by for edge in check.edges([one, two])}
    assert len(by) == len(TRANSITIONS)
    assert by.pop(row) == ("handshake", "echo")
    assert not any(by.values())


# -- the kernel's path ------------------------------------------------------


def _reading(client, server, listens=True):
    listener = State.LISTEN if listens else None
    return KernelReading(
        0,
        (
            KernelSocket(Side.SERVER, B, None, listener),
            KernelSocket(Side.CLIENT, A, B, client),
            KernelSocket(Side.SERVER, B, A, server),
        ),
    )


def _server_path(*readings):
    paths = Paths()
    for reading in readings:
        paths.take(reading)
    return [str(state) for state in paths.of(0, Side.SERVER)]


def test_a_connection_that_never_stood_leaves_the_listener():
    path = _server_path(
        _reading(State.SYN_SENT, None),
        _reading(None, State.SYN_RECEIVED),
        _reading(None, None),
    )
    assert path == ["LISTEN", "SYN-RECEIVED", "LISTEN"]


def test_a_connection_that_stood_is_closed_whoever_listens():
    path = _server_path(
        _reading(State.SYN_SENT, None),
        _reading(None, State.ESTABLISHED),
        _reading(None, None),
        _reading(None, None, listens=False),
    )
    assert path == ["LISTEN", "ESTABLISHED", "CLOSED"]


def test_nothing_at_all_is_closed():
    assert Paths().of(0, Side.CLIENT) == (State.CLOSED,)

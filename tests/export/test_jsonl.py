"""JSON lines: the contract's keys, held to the schema that is shipped with them."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import jsonschema
import pytest

from tcpviz.core.hosts import HostSocket, Process
from tcpviz.core.records import (
    Call,
    Gap,
    KernelReading,
    KernelSocket,
    Moment,
    Note,
    Side,
    Unreachable,
)
from tcpviz.core.segment import Endpoint, Options
from tcpviz.core.states import State
from tcpviz.core.tracker import Tracker
from tcpviz.core.verdicts import Code, Severity
from tcpviz.export import jsonl
from tcpviz.sources.feed import FeedStatus
from tests.core.dialogue import CLIENT, MS, SERVER, Talk

C, S = Side.CLIENT, Side.SERVER


def validator(name: str | None = None) -> jsonschema.protocols.Validator:
    schema = jsonl.schema()
    if name is not None:
        schema = {"$ref": f"#/$defs/{name}", "$defs": schema["$defs"]}
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def busy() -> Talk:
    """One of each kind of step."""
    talk = Talk()
    feed = talk.tracker.feed
    feed(Note(talk.now, "hello \x1b é 日本"))
    feed(Call(1, C, "connect", "10.0.0.2:80", 4, talk.now))
    options = Options(1460, 7, True, ((1, 2),), (1, 2), b"\x01", ((254, b"\xff"),), True)
    talk.carried(C, "S", options=options)
    talk.carried(S, "SA")
    feed(Call(1, C, "connect", "", 4, talk.now, talk.now + MS, "0", False, CLIENT, SERVER))
    talk.client("A")
    talk.client("PAU", 5)
    lost = talk.segment(S, "A")
    talk.sent(lost)
    talk.feed(lost, Moment.LOST)
    feed(Gap(talk.now, None, "the file"))
    feed(Unreachable(talk.now, "10.0.0.254", CLIENT.addr, CLIENT, SERVER, 1001, 4, 3, 4, 1400))
    feed(
        KernelReading(
            talk.now,
            (
                KernelSocket(C, CLIENT, SERVER, State.CLOSE_WAIT, "retransmit", 200, 1, 2, 3, 4, 5),
                KernelSocket(S, SERVER, None, State.LISTEN),
                KernelSocket(S, SERVER, CLIENT, None),
            ),
        )
    )
    talk.client("F")
    Talk(client=Endpoint("10.0.0.3", 1), tracker=talk.tracker, start_ns=talk.now).client("S")
    talk.sleep(500)
    return talk


KEYS = [
    "id", "client", "server", "first_ns", "last_ns", "states", "certainty", "claims",
    "phase", "phase_progress", "completeness", "conn_state", "history", "segments", "bytes",
    "marks", "handshake_rtt_ns", "verdict", "verdicts", "community_id", "inside", "process",
]  # fmt: skip


def test_a_connection_has_the_contracts_keys() -> None:
    talk = Talk().handshake()
    talk.client("PA", 5)
    made = jsonl.connection_object(talk.connection)
    assert list(made) == KEYS
    assert made["client"] == {"addr": "10.0.0.1", "port": 40000}
    assert made["states"] == {"client": "ESTABLISHED", "server": "ESTABLISHED"}
    assert made["segments"] == {"client": 3, "server": 1}
    assert made["bytes"] == {"client": 5, "server": 0}
    assert made["phase"] == "data"
    assert made["handshake_rtt_ns"] == 2 * MS
    validator("connection").validate(made)


def test_the_verdicts_say_the_same_as_the_verdict_and_more() -> None:
    talk = Talk()
    talk.client("S")
    talk.client("S", seq=0)
    made = jsonl.connection_object(talk.connection, talk.now + 5_000 * MS)
    validator("connection").validate(made)
    assert made["verdict"] == made["verdicts"][0]["text"] == "no answer to SYN, 2 tries in 1 ms"
    first = made["verdicts"][0]
    assert (first["code"], first["severity"], first["side"]) == ("no-answer", "bad", "server")
    assert (first["tries"], first["span_ns"]) == (2, MS)
    assert first["frames"] == [1, 2]
    assert made["claims"]["client"]["frame"] == 1
    assert made["community_id"].startswith("1:")


def test_the_schema_knows_every_code_and_severity() -> None:
    properties = jsonl.schema()["$defs"]["verdict"]["properties"]
    assert properties["code"]["enum"] == [str(code) for code in Code]
    assert properties["severity"]["enum"] == [str(severity) for severity in Severity]


def test_what_nobody_analysed_is_null_not_invented() -> None:
    talk = Talk(tracker=Tracker(analyse=False)).handshake()
    made = jsonl.connection_object(talk.connection)
    validator("connection").validate(made)
    for key in ("completeness", "conn_state", "history", "marks"):
        assert made[key] is None


def test_every_kind_of_step_fits_the_schema() -> None:
    talk = busy()
    held = validator("step")
    kinds = set()
    for step in talk.tracker.timeline:
        made = jsonl.step_object(step, talk.tracker)
        held.validate(made)
        kinds.add(made["type"])
        assert json.loads(jsonl.dumps(made)) == made
        validator().validate(made)
    assert kinds == {
        "segment", "sent", "arrived", "lost", "call", "return", "kernel", "note", "gap", "timer",
        "icmp",
    }  # fmt: skip


def test_a_line_is_ascii_and_one_line() -> None:
    for step in busy().tracker.timeline:
        line = jsonl.dumps(jsonl.step_object(step))
        assert line.isascii()
        assert "\n" not in line


def test_the_summary() -> None:
    status = FeedStatus(frames=10, segments=7, skipped=Counter({"not IP": 2, "IP fragment": 1}))
    made = jsonl.summary_object(status, 3)
    validator("summary").validate(made)
    assert made == {
        "summary": {
            "frames": 10,
            "segments": 7,
            "connections": 3,
            "dropped": 0,
            "skipped": {"IP fragment": 1, "not IP": 2},
            "schema": 4,
            "crowds": [],
        }
    }


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("states", {"client": "OPEN", "server": "LISTEN"}),
        ("completeness", 64),
        ("id", 0),
        ("surprise", 1),
        ("marks", {"retransmission": 0}),
        ("client", {"addr": "10.0.0.1", "port": 70000}),
    ],
)
def test_the_schema_is_strict(key: str, value: object) -> None:
    made = jsonl.connection_object(Talk().handshake().connection)
    made[key] = value
    with pytest.raises(jsonschema.ValidationError):
        validator("connection").validate(made)


def test_real_captures_fit_the_schema(captures: Path) -> None:
    from tcpviz.sources.files import FileFeed

    held, step_held = validator("connection"), validator("step")
    connections = 0
    for path in sorted(captures.glob("zeek-*.pcap"))[:12]:
        tracker = Tracker(keep=False)
        feed = FileFeed(str(path))
        steps = 0
        for batch in feed.batches():
            for record in batch:
                for step in tracker.feed(record):
                    steps += 1
                    if steps <= 40:  # validating is slow, and the steps of a file are alike
                        step_held.validate(jsonl.step_object(step, tracker))
        for connection in list(tracker.connections.values())[:40]:
            held.validate(jsonl.connection_object(connection))
            connections += 1
        summary = jsonl.summary_object(feed.status, len(tracker.connections))
        validator("summary").validate(summary)
    assert connections > 10


def test_who_has_a_socket_is_told_for_each_end_or_null() -> None:
    talk = Talk().handshake()
    one = talk.connection
    assert jsonl.connection_object(one)["process"] == {"client": None, "server": None}
    ends = one.server.endpoint, one.client.endpoint
    owner = Process("nginx", 812, 7)
    sock = HostSocket(*ends, State.ESTABLISHED, user="www", process=owner, unit="nginx.service")
    one.sockets = {Side.SERVER: sock}
    made = jsonl.connection_object(one)
    validator("connection").validate(made)
    assert made["process"]["client"] is None
    assert made["process"]["server"] == {
        "name": "nginx",
        "pid": 812,
        "fd": 7,
        "certain": True,
        "user": "www",
        "service": "nginx.service",
        "container": None,
    }

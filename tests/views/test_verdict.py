import re
from dataclasses import replace

import pytest

from tcpviz.core.records import Moment, Side
from tcpviz.core.tracker import Tracker
from tcpviz.core.verdicts import Code, Severity, Verdict
from tcpviz.sources.files import FileFeed
from tcpviz.views.verdict import TEXTS, sentence, verdict
from tests.core.dialogue import MS, Talk

C, S = Side.CLIENT, Side.SERVER
SECOND = 1000 * MS


def told(talk: Talk) -> str:
    return verdict(talk.connection)


def test_open():
    assert told(Talk().handshake()) == "open"


def test_no_answer_counts_the_tries():
    talk = Talk()
    talk.client("S")
    assert told(talk) == "no answer to SYN yet"
    assert verdict(talk.connection, talk.now + 2_000 * MS) == "no answer to SYN, 1 try"
    talk.client("S", seq=0)
    talk.client("S", seq=0)
    assert told(talk) == "no answer to SYN, 3 tries in 2 ms"
    talk.sleep(600)  # that it has given up is only inferred: the number stays the fact
    assert told(talk) == "no answer to SYN, 3 tries in 2 ms"


def test_refused():
    talk = Talk()
    talk.client("S")
    talk.server("RA", seq=-5000, ack=1)
    assert told(talk) == "refused: RST to the SYN"


def test_the_third_segment_is_missing():
    talk = Talk()
    talk.client("S")
    talk.server("SA")
    talk.server("SA", seq=0)
    assert told(talk) == "handshake not completed: no ACK of the SYN,ACK, 2 tries in 1 ms"


@pytest.mark.parametrize(("first", "name"), [(C, "client"), (S, "server")])
def test_closed_normally(first, name):
    talk = Talk().handshake()
    say = {C: talk.client, S: talk.server}
    say[first]("FA")
    assert told(talk) == f"{name}'s FIN not acknowledged yet"
    assert verdict(talk.connection, talk.now + SECOND) == f"{name}'s FIN not acknowledged, 1 try"
    say[first.other]("A")
    other = {"client": "server", "server": "client"}[name]
    assert told(talk) == f"half-closed by {name}: {other} has not closed yet"
    say[first.other]("FA")
    assert told(talk) == f"closing: {other}'s FIN not acknowledged yet"
    later = talk.now + SECOND
    assert verdict(talk.connection, later) == f"closing: no ACK of {other}'s FIN, 1 try"
    say[first.other]("FA", seq=1)
    assert told(talk) == f"closing: no ACK of {other}'s FIN, 2 tries in 1 ms"
    say[first]("A")
    assert told(talk) == f"closed normally by {name}"


def test_closed_in_three_segments():
    talk = Talk().handshake()
    talk.client("FA")
    talk.server("FA")
    talk.client("A")
    assert told(talk) == "closed normally by client"


def test_closed_by_both_at_once():
    talk = Talk().handshake()
    talk.client("FA")
    talk.server("FA", ack=1)
    assert told(talk) == "closing: neither FIN acknowledged yet"
    talk.client("A")
    talk.server("A")
    assert told(talk) == "closed normally by both at once"


@pytest.mark.parametrize(("side", "name"), [(C, "client"), (S, "server")])
def test_reset(side, name):
    talk = Talk().handshake()
    say = {C: talk.client, S: talk.server}
    say[side]("RA")
    assert told(talk) == f"reset by {name}"


def test_reset_while_closing():
    talk = Talk().handshake()
    talk.client("FA")
    talk.server("A")
    talk.client("R")
    assert told(talk) == "reset by client after its own FIN"
    talk = Talk().handshake()
    talk.client("FA")
    talk.server("RA")
    assert told(talk) == "reset by server after client's FIN"


def test_reset_during_the_handshake():
    talk = Talk()
    talk.client("S")
    talk.server("SA")
    talk.client("R")
    assert told(talk) == "reset by client in place of the third segment, as SYN scans do"
    talk = Talk()
    talk.client("S")
    talk.server("SA")
    talk.server("R", seq=1)
    assert told(talk) == "reset by server during the handshake"


def test_a_watched_reset_counts_when_it_arrives():
    talk = Talk()
    for side, flags in ((C, "S"), (S, "SA"), (C, "A")):
        talk.carried(side, flags)
    made = talk.segment(C, "RA")
    talk.sent(made)
    talk.arrives(made)
    assert told(talk) == "reset by client"


def test_a_lost_reset_does_not_close_the_other_end():
    talk = Talk()
    for side, flags in ((C, "S"), (S, "SA"), (C, "A")):
        talk.carried(side, flags)
    made = talk.segment(C, "RA")
    talk.sent(made)
    talk.feed(made, Moment.LOST)
    assert told(talk) == "open"


def test_midstream():
    talk = Talk()
    talk.client("A", 10)
    assert told(talk) == "only originator's segments were captured"
    talk.server("A", 10)
    assert told(talk) == "open, found in mid-stream"
    talk.client("FA")
    talk.server("FA")
    talk.client("A")
    assert told(talk) == "closed normally by originator (beginning not captured)"


def test_one_side_only():
    talk = Talk()
    talk.client("S")
    talk.client("A", 5, ack=1)
    assert "only client's segments" in told(talk)
    talk = Talk()
    talk.server("SA", ack=1)
    assert told(talk) == "SYN,ACK without its SYN, 1 try"
    talk.server("A", 5)
    assert "only server's segments" in told(talk)


def test_simultaneous_open_not_completed():
    talk = Talk()
    made = [talk.segment(C, "S"), talk.segment(S, "S")]
    for each in made:
        talk.sent(each)
    assert told(talk) == "simultaneous open, not completed"


def test_every_connection_of_the_captures_has_a_verdict(captures):
    patterns = [re.compile(re.sub(r"\\{\w+\\}", ".+", re.escape(t))) for t in TEXTS.values()]
    count = 0
    for name in ("zeek-wikipedia.pcap", "suricata-with_evasion_linux.pcap", "zeek-ipv6.pcap"):
        tracker = Tracker(keep=False)
        for batch in FileFeed(str(captures / name)).batches():
            for record in batch:
                tracker.feed(record)
        for connection in tracker.connections.values():
            text = verdict(connection)
            assert "{" not in text
            assert any(pattern.fullmatch(text) for pattern in patterns)
            count += 1
    assert count > 10


@pytest.mark.parametrize(
    ("code", "fact", "noun"),
    [
        (Code.GONE_SILENT, "retries", "time"),
        (Code.KERNEL_DISAGREES, "times", "time"),
        (Code.OTHER_DATA, "segments", "segment"),
    ],
)
def test_one_of_something_is_singular(code, fact, noun):
    one = Verdict(code, Severity.WARNING, Side.CLIENT, {fact: 1})
    assert sentence(one).endswith(f" 1 {noun}")
    assert sentence(replace(one, facts={fact: 3})).endswith(f" 3 {noun}s")

"""The display filter: what each field finds, how it is read, and where errors point."""

from __future__ import annotations

import pytest

from tcpviz.core.connection import Connection
from tcpviz.core.hosts import HostSocket, Process
from tcpviz.core.marks import MarkName
from tcpviz.core.records import Side
from tcpviz.core.segment import Endpoint, Options
from tcpviz.core.states import State
from tcpviz.core.tracker import Tracker
from tcpviz.core.verdicts import Code, Severity
from tcpviz.views import filter as language
from tcpviz.views.filter import FilterError
from tcpviz.views.filter.connection_fields import ZEEK_STATES
from tests.core.dialogue import MS, Talk

SECOND = 1_000_000_000
SIX = Endpoint("2001:db8::5", 50005)


class TaggedTalk(Talk):
    """Says everything inside a VLAN and a tunnel."""

    def segment(self, *args: object, **fields: object):  # type: ignore[no-untyped-def, override]
        import dataclasses

        made = super().segment(*args, **fields)  # type: ignore[arg-type]
        return dataclasses.replace(made, scope=("vlan 42", "vxlan 7"))


@pytest.fixture(scope="module")
def several() -> list[Connection]:
    """1 open, 2 refused, 3 closed, 4 found in mid-stream, 5 over IPv6, 6 tagged, 7 lossy."""
    tracker = Tracker()
    Talk(tracker=tracker).handshake()
    refused = Talk(client=Endpoint("10.0.0.9", 50001), tracker=tracker, start_ns=2 * SECOND)
    refused.client("S")
    refused.server("RA")
    closed = Talk(client=Endpoint("10.0.0.7", 50002), tracker=tracker, start_ns=3 * SECOND)
    closed.handshake()
    closed.client("PA", 5000)
    closed.server("A")
    closed.client("FA")
    closed.server("FA")
    closed.client("A")
    midstream = Talk(client=Endpoint("192.168.1.8", 50003), tracker=tracker, start_ns=4 * SECOND)
    midstream.client("PA", 10)
    Talk(
        client=SIX, server=Endpoint("2001:db8::1", 443), tracker=tracker, start_ns=5 * SECOND
    ).handshake()
    tagged = TaggedTalk(client=Endpoint("10.0.0.6", 50006), tracker=tracker, start_ns=6 * SECOND)
    tagged.client("S", options=Options(mss=1460))
    tagged.server("SA")
    lossy = Talk(client=Endpoint("10.0.0.4", 50007), tracker=tracker, start_ns=7 * SECOND)
    lossy.handshake()
    for _ in range(4):
        lossy.client("PA", 100, seq=1)
        lossy.now += 400 * MS
    lossy.server("A", window=0)
    return list(tracker.connections.values())


def hits(connections: list[Connection], text: str, now_ns: int = 10 * SECOND) -> list[int]:
    made = language.compile(text)
    found = [c.id for c in connections if made.matches(c, now_ns)]
    # Written anew and read again it is the same filter, with the same answers.
    again = language.compile(language.write(made.node))
    assert again.node == made.node
    assert found == [c.id for c in connections if again.matches(c, now_ns)]
    return found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", [1, 2, 3, 4, 5, 6, 7]),
        ("  ", [1, 2, 3, 4, 5, 6, 7]),
        # states
        ("state:time-wait", [3]),
        ("client.state:time-wait", [3]),
        ("server.state:time-wait", []),
        ("state:TIME_WAIT", [3]),
        ("state:syn-recv", [6]),
        ("state:syn-*", [6]),
        ("state~^syn", [6]),
        ("state:syn-sent,time-wait", [3, 6]),
        ("certainty:unknown", [4]),
        # ports
        ("port:443", [5]),
        ("port=443", [5]),
        ("port==443", [5]),
        ("port:80,443", [1, 2, 3, 4, 5, 6, 7]),
        ("sport:50001-50003", [2, 3, 4]),
        ("sport:50001..50003", [2, 3, 4]),
        ("dport:50001-50003", []),
        ("server.port>=443", [5]),
        ("port!=443", [1, 2, 3, 4, 6, 7]),
        ("client.port < 50000", [1]),
        ("client.port lt 50000", [1]),
        # hosts
        ("host:10.0.0.0/8", [1, 2, 3, 4, 6, 7]),
        ("client.host:10.0.0.0/8", [1, 2, 3, 6, 7]),
        ("client:10.0.0.9", [2]),
        ("src:10.0.0.9,10.0.0.7", [2, 3]),
        ("ip:2001:db8::/32", [5]),
        ("host:[2001:db8::1]:443", [5]),
        ("host:[2001:db8::1]:80", []),
        ("host:10.0.0.9:50001", [2]),
        ("host:10.0.0.9:80", []),
        ("host:::ffff:10.0.0.9", [2]),
        ("client~^10.*9$", [2]),
        # what became of it
        ("verdict:refused", [2]),
        ("not verdict:refused", [1, 3, 4, 5, 6, 7]),
        ("verdict!=refused", [1, 3, 4, 5, 6, 7]),
        ("verdict~'^refused: rst'", [2]),
        ("verdict:closed-*", [3]),
        ("severity:info state:time-wait", [3]),
        ("is:refused", [2]),
        ("is:midstream", [4]),
        ("is:ipv6", [5]),
        ("is:oneway,refused", [2, 4]),
        ("is:complete", [3]),
        ("closed_by:client", [3]),
        ("closed-by:client", [3]),
        ("phase:handshake", [6]),
        ("phase:teardown", [2, 3]),
        # marks
        ("mark:retransmission", [7]),
        ("mark:retransmission>2", [7]),
        ("mark:retransmission>3", []),
        ("mark:retransmission=3", [7]),
        ("mark:retransmission<1", [1, 2, 3, 4, 5, 6]),
        ("client.mark:retransmission>=3", [7]),
        ("server.mark:retransmission", []),
        ("server.mark:zero_window", [7]),
        ("mark:zero-window,tfo_syn", [7]),
        ("mark:*window*", [7]),
        ("retransmissions>=3", [7]),
        # amounts
        ("bytes>1k", [3]),
        ("bytes>=5k", [3]),
        ("bytes>5k", []),
        ("bytes:4.9k-5.1k", [3]),
        ("server.bytes>0", []),
        ("segments>=8", [3, 7]),
        ("client.segments:1", [2, 4, 6]),
        ("syns>1 fins:0", [1, 5, 6, 7]),
        ("rsts>0", [2]),
        ("client.mss:1460", [6]),
        # times
        ("rtt:2ms", [1, 3, 5, 7]),
        ("rtt>2ms", []),
        ("not rtt>0", [2, 4, 6]),
        ("rtt>1999us rtt<0.0021s", [1, 3, 5, 7]),
        ("duration>1s", [7]),
        ("duration<1s", [1, 2, 3, 4, 5, 6]),
        ("age>8.5s", [1]),
        ("idle<2s", [7]),
        # other programs' words
        ("completeness:37", [2]),
        ("completeness:0x25", [2]),
        ("conn_state:rej", [2]),
        ("conn_state:SF", [3]),
        ("history=Sr", [2]),
        ("history:r", [2]),
        ("history:R", []),
        ("history~^ShA.*F.*f", [3]),
        # where and which
        ("vlan:42", [6]),
        ("vlan:41", []),
        ("tunnel:vxlan", [6]),
        ('tunnel="vxlan 7"', [6]),
        ("inside:vxlan", [6]),
        ('inside:"vlan 42"', [6]),
        ("inside:gre", []),
        ("id:3", [3]),
        ("#3", [3]),
        ("id:2-4", [2, 3, 4]),
        ("id>6", [7]),
        ("process:nginx", []),
        ("not process:nginx", [1, 2, 3, 4, 5, 6, 7]),
        ("process~.*", []),
        # together
        ("port:443 or verdict:refused", [2, 5]),
        ("port:443 || verdict:refused", [2, 5]),
        ("port:80 and not state:established", [2, 3, 6]),
        ("port:80 !state:established", [2, 3, 6]),
        ("port:80 && !(state:established)", [2, 3, 6]),
        ("id:1 or id:2 id:3", [1]),
        ("(id:1 or id:2) id:2", [2]),
        ("not id:1 or id:1", [1, 2, 3, 4, 5, 6, 7]),
        ("not (id:1 or id:2) and id<4", [3]),
        ("NOT id:1 AND id:1", []),
        # free words
        ("refused", [2]),
        ("REFUSED 10.0.0.9", [2]),
        ('"refused: RST"', [2]),
        ("time-wait", [3]),
        ("2001:db8", [5]),
        (":443", [5]),
        ("[2001:db8::1]:443", [5]),
        ("teardown !refused", [3]),
        ("handshake", [6]),
        ("certainty:unknown unknown", [4]),
        ("\\d+ [", []),
        ('"and" not "and not"', [6]),
        ('""', [1, 2, 3, 4, 5, 6, 7]),
    ],
)
def test_what_is_found(several: list[Connection], text: str, found: list[int]) -> None:
    assert hits(several, text) == found


@pytest.mark.parametrize(
    ("text", "place", "says"),
    [
        ("state:clse", (6, 10), "did you mean close"),
        ("state:", (6, 6), "a state: closed, listen"),
        ("state>closed", (5, 6), "state takes : = != ~, not >"),
        ("prot:443", (0, 4), "did you mean port"),
        ("x or foo:1", (5, 8), "no field foo of a connection"),
        ("port:80,", (8, 8), "a port, 0 to 65535"),
        ("port:65536", (5, 10), "0 to 65535"),
        ("port:-1", (5, 7), "a port is a number"),
        ("port:90-80", (5, 10), "wrong order"),
        ("port>80,90", (8, 10), "one value"),
        ("rtt>200", (4, 7), "ns us ms s m h d"),
        ("rtt>200MS", (4, 9), "a length of time"),
        ("rtt>", (4, 4), "a length of time"),
        ("bytes>many", (6, 10), "number of bytes"),
        ("host:example.com", (5, 16), "names are not looked up"),
        ("host:10.0.0.0/33", (5, 16), "address or a network"),
        ("mark:retrns>3", (5, 11), "did you mean retransmission"),
        ("mark:retransmission>x", (20, 21), "a number"),
        ("mark:retransmission>", (20, 20), "a number"),
        ("mark:lost_segment,zero_window>3", (18, 31), "one mark"),
        ("verdict:refusd", (8, 14), "did you mean refused"),
        ("verdict:zz*", (8, 11), "not a verdict"),
        ("verdict~a(b", (9, 10), "the ) to this ("),
        ('verdict~"a(b"', (10, 11), "the ) to this ("),
        ("severity>awful", (9, 14), "info, notice"),
        ("(a", (0, 1), "the ) to this ("),
        ("a)", (1, 2), "closes nothing"),
        ("()", (1, 2), "between ( and )"),
        ("a or", (4, 4), "after or"),
        ("a and and b", (6, 9), "after and"),
        ("or a", (0, 2), "a condition is expected"),
        ("not", (3, 3), "after not"),
        ("!", (1, 1), "after !"),
        (">3", (0, 1), "a field is expected"),
        ('a "b c', (2, 6), 'closing " is missing'),
        ("a 'b c", (2, 6), "closing ' is missing"),
        ("completeness:abc", (13, 16), "whole number"),
        ("(" * 60 + "a" + ")" * 60, (50, 51), "deeper"),
        ("not " * 60 + "a", (200, 203), "deeper"),
        ("a" * 2001, (2000, 2001), "at most 2000"),
    ],
)
def test_an_error_points_at_the_place(text: str, place: tuple[int, int], says: str) -> None:
    with pytest.raises(FilterError) as caught:
        language.compile(text)
    error = caught.value
    assert says in str(error)
    assert "\n" not in str(error)
    assert (error.start, error.end) == place
    shown, carets = error.pointed().split("\n")
    assert len(shown) < 90
    assert set(carets) <= {" ", "^"}
    assert carets.strip(" ")
    if place[0] < place[1] <= 60:
        at = slice(carets.index("^"), len(carets))
        assert shown[at].startswith(text[place[0] : place[1]])


def test_the_caret_stands_right_behind_wide_and_dangerous_characters() -> None:
    with pytest.raises(FilterError) as caught:
        language.compile("中文 \x1b[31m\n state:x")
    shown, carets = caught.value.pointed("").split("\n")
    assert "\x1b" not in shown
    # Two cells for each wide character.
    assert len(carets.rstrip()) == len(shown) + 2


def test_a_long_filter_is_shown_around_the_place() -> None:
    text = "a or " * 100 + "state:x" + " or b" * 100
    with pytest.raises(FilterError) as caught:
        language.compile(text)
    shown, carets = caught.value.pointed("").split("\n")
    assert shown.startswith("...")
    assert shown.endswith("...")
    assert shown[carets.index("^")] == "x"


def test_what_is_not_known_is_said(several: list[Connection]) -> None:
    made = language.compile("process:nginx or client.port:1")
    (remark,) = made.remarks(several)
    assert remark.startswith("process is not known here")
    assert language.compile("port:1").remarks(several) == []
    assert language.compile("vlan:1").remarks(several) == []


def test_a_process_is_found_where_the_source_has_told_it() -> None:
    one = Talk().handshake().connection
    ends = one.server.endpoint, one.client.endpoint
    owner = Process("nginx: worker", 812, 7)
    sock = HostSocket(*ends, State.ESTABLISHED, 0, 0, "www-data", owner, "nginx.service", "0123ab")
    one.sockets = {Side.SERVER: sock}
    for words, fits in {
        "pid:812": True,
        "pid:1": False,
        "user:www-data": True,
        "service:nginx": True,
        "container:0123": True,
        "server.pid:812": True,
        "client.pid:812": False,
        "not client.process:nginx": True,
    }.items():
        assert language.compile(words).matches(one, 0) is fits, words
    made = language.compile("process:NGINX")
    assert made.matches(one, 0)
    assert made.remarks([one]) == []
    assert not language.compile("process=nginx").matches(one, 0)
    assert language.compile("nginx").matches(one, 0)


def test_only_ages_and_verdicts_change_with_time() -> None:
    assert language.compile("port:1 or not age>5m").timely
    assert language.compile("severity:bad").timely
    assert not language.compile("state:closed duration>1s x").timely
    assert language.compile(" ").everything
    assert not language.compile("x").everything


def test_every_state_mark_and_code_has_its_word() -> None:
    for word in (
        *(f"state:{state}" for state in State),
        *(f"mark:{mark}>0" for mark in MarkName),
        *(f"verdict:{code}" for code in Code),
        *(f"severity>={severity}" for severity in Severity),
        *(f"conn_state:{state}" for state in ZEEK_STATES),
    ):
        language.compile(word)


def test_a_verdict_follows_what_happens_and_the_time() -> None:
    talk = Talk().handshake()
    talk.server("FA")
    talk.client("A")
    now = talk.now
    made = language.compile("verdict:half-closed,never-closed")
    assert made.matches(talk.connection, now)
    waiting = language.compile("verdict:never-closed")
    assert not waiting.matches(talk.connection, now)
    assert waiting.matches(talk.connection, now + 3600 * SECOND)
    talk.client("FA")
    talk.server("A")
    assert not made.matches(talk.connection, talk.now)

"""What is built on the display filter: completion, lists kept sifted, colouring rules."""

from __future__ import annotations

import pytest

from tcpviz.core.connection import Connection
from tcpviz.core.segment import Endpoint
from tcpviz.core.tracker import Tracker
from tcpviz.views import filter as language
from tcpviz.views import roles, table
from tcpviz.views.colours import DEFAULTS, Colours, RuleError, painted, read
from tcpviz.views.filter.sifting import CHUNK, Sifter
from tcpviz.views.spans import Span
from tests.core.dialogue import Talk

SECOND = 1_000_000_000


def offered(text: str, cursor: int | None = None) -> list[str]:
    return [c.text for c in language.complete(text, len(text) if cursor is None else cursor)]


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("st", ["state:"]),
        ("sev", ["severity:"]),
        ("rt", ["rtt>"]),
        ("client.st", ["client.state:"]),
        ("state:cl", ["closed", "close-wait", "closing"]),
        ("state:closed,ti", ["time-wait"]),
        ("port:1 and mark:dup", ["duplicate_ack"]),
        ("mark:win", ["window_full", "window_update", "zero_window"]),
        ("verdict:refu", ["refused"]),
        ("(not is:mid", ["midstream"]),
        ("!severity:", ["info", "notice", "warning", "bad"]),
        ("conn_state:RSTO", ["RSTO", "RSTOS0"]),
        ("CONN-STATE:rsto", ["RSTO", "RSTOS0"]),
        ("port:1 o", ["opened_by:"]),
        ("clie", ["client."]),
        ("spor", ["sport:"]),
    ],
)
def test_what_is_offered(text: str, first: list[str]) -> None:
    assert offered(text)[: len(first)] == first


def test_what_is_offered_where_nothing_is_typed() -> None:
    assert {"host:", "port:", "state:", "verdict:", "not"} <= set(offered(""))
    assert "and" not in offered("")
    assert {"and", "or", "not", "host:"} <= set(offered("port:443 "))
    assert not [name for name in offered("") if "." in name]


@pytest.mark.parametrize("text", ['"sta', "verdict~re", "nosuch:x", "verdict~'a b", 'x:"'])
def test_where_nothing_is_offered(text: str) -> None:
    assert offered(text) == []


def test_a_completion_replaces_what_was_typed_before_the_cursor() -> None:
    text = "not state:cl and port:1"
    (each, *_) = language.complete(text, 12)
    assert each.apply(text) == ("not state:closed and port:1", 16)
    assert each.about == ""
    (code, *_) = language.complete("verdict:refu", 12)
    assert "RST to the SYN" in code.about


# -- sifting -------------------------------------------------------------------


def many(count: int) -> tuple[Tracker, list[Talk]]:
    tracker = Tracker()
    talks = [
        Talk(client=Endpoint(f"10.0.{n // 200}.{n % 200 + 1}", 40000), tracker=tracker)
        for n in range(count)
    ]
    for talk in talks:
        talk.client("S")
    return tracker, talks


def there(tracker: Tracker) -> list[Connection]:
    return list(tracker.connections.values())


def test_half_a_filter_keeps_the_last_whole_one() -> None:
    sifter = Sifter("port:80")
    assert sifter.error is None
    for text in ("port:80 s", "port:80 st"):
        assert sifter.type(text)
    for text in (
        "port:80 state:",
        "port:80 and state:",
        "port:80 and (not state:",
        "port:80 or !rtt>2",
    ):
        assert not sifter.type(text)
        assert sifter.filter.text == "port:80"
    # What is wrong in the middle is being changed: the latest whole filter counts.
    assert not sifter.type("port: state:listen")
    assert sifter.filter.text == "port:80"
    assert not sifter.type("port:80 state:")
    assert sifter.error is not None
    assert "closed, listen" in str(sifter.error)
    assert sifter.type("port:80 state:listen")
    assert sifter.error is None
    assert sifter.filter.text == "port:80 state:listen"
    assert sifter.type("")
    assert sifter.filter.everything


def test_a_filter_that_cannot_be_read_from_the_start_shows_everything() -> None:
    tracker, _ = many(3)
    sifter = Sifter("state:")
    assert sifter.error is not None
    assert len(sifter.sift(there(tracker), 0)) == 3


def test_answers_are_kept_until_something_happens() -> None:
    tracker, talks = many(5)
    sifter = Sifter("state:established")
    assert sifter.sift(there(tracker), 0) == []
    asked: list[int] = []
    matches = sifter.filter.matches

    def counted(connection: Connection, now_ns: int) -> bool:
        asked.append(connection.id)
        return matches(connection, now_ns)

    sifter.filter.matches = counted
    assert sifter.sift(there(tracker), 5 * SECOND) == []
    assert asked == []
    talks[2].server("SA")
    talks[2].client("A")
    assert [c.id for c in sifter.sift(there(tracker), 0)] == [3]
    assert asked == [3]
    # A timer moves an end without a segment.
    tracker.tick(3600 * SECOND)
    sifter.sift(there(tracker), 0)
    assert asked == [3, 1, 2, 4, 5]


def test_ages_are_asked_again_as_time_goes_by() -> None:
    tracker, _ = many(3)
    sifter = Sifter("age>5m")
    assert sifter.sift(there(tracker), 2 * SECOND) == []
    assert len(sifter.sift(there(tracker), 400 * SECOND)) == 3


def test_asking_can_be_broken_off_and_gone_on_with() -> None:
    tracker, _ = many(3 * CHUNK)
    sifter = Sifter("port:80")
    assert len(sifter.sift(there(tracker), 0, lambda: True)) == CHUNK
    assert sifter.pending == 2 * CHUNK
    assert len(sifter.sift(there(tracker), 0, lambda: True)) == 2 * CHUNK
    assert len(sifter.sift(there(tracker), 0, lambda: True)) == 3 * CHUNK
    assert sifter.pending == 0
    assert len(sifter.sift(there(tracker), 0)) == 3 * CHUNK


def test_who_is_gone_is_forgotten() -> None:
    tracker, _ = many(1500)
    sifter = Sifter("port:80")
    sifter.sift(there(tracker), 0)
    rest = there(tracker)[-3:]
    assert sifter.sift(rest, 0) == rest
    assert len(sifter._answers) == 3


# -- colours -------------------------------------------------------------------


def test_the_first_rule_that_fits_decides() -> None:
    refused = Talk()
    refused.client("S")
    refused.server("RA")
    one = refused.connection
    colours = Colours([("state:listen", "lit"), ("verdict:refused", "mark-bad"), ("", "dim")])
    assert colours.role(one, one.last_ns) in ("lit", "mark-bad")
    assert Colours([("verdict:refused", "lit"), ("", "dim")]).role(one, 0) == "lit"
    assert Colours([("port:1", "lit"), ("", "dim")]).role(one, 0) == "dim"
    assert Colours([("port:1", "lit")]).role(one, 0) is None


def test_the_defaults_tell_trouble_from_what_is_over() -> None:
    colours = Colours()
    assert list(colours.rules) == list(DEFAULTS)
    refused = Talk()
    refused.client("S")
    refused.server("RA")
    one = refused.connection
    assert colours.role(one, one.last_ns) in (roles.MARK_WARNING, roles.MARK_BAD)
    fine = Talk().handshake()
    assert colours.role(fine.connection, fine.now) is None


def test_a_wrong_rule_is_told_with_its_number() -> None:
    with pytest.raises(RuleError, match=r"colour rule 2: .*did you mean") as caught:
        Colours([("port:1", "lit"), ("state:clse", "lit")])
    assert caught.value.error is not None
    with pytest.raises(RuleError, match="rule 1: no role red"):
        Colours([("port:1", "red")])
    with pytest.raises(RuleError, match="at most"):
        Colours([("", "dim")] * 101)


def test_a_persons_own_rules_come_before_the_usual_ones() -> None:
    refused = Talk()
    refused.client("S")
    refused.server("RA")
    one, now = refused.connection, refused.now
    connections, segments = read(
        "# mine\n\nnote  verdict:refused   port:80\nsegment bad flags:rst\nlit #77\n"
    )
    assert connections.role(one, now) == roles.MARK_NOTE
    assert connections.rules[-len(DEFAULTS) :] == list(DEFAULTS)
    syn, rst = (step for step in refused.steps if step.segment is not None)
    assert (segments.role(syn, 0), segments.role(rst, 0)) == (None, roles.MARK_BAD)
    drawn = table.row(one, 120, now, role=connections.role(one, now))
    assert Span("  1", roles.MARK_NOTE) in drawn
    assert any("10.0.0.1" in span.text and span.role == roles.CLIENT for span in drawn)
    line = (Span("3.0", roles.TIME), Span("RST", roles.FLAG_RST), Span(" x", roles.NUMBER))
    assert [span.role for span in painted(line, roles.DIM)] == [roles.TIME, *[roles.DIM] * 2]
    assert painted(line, None) == line


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("bad port:1\nbright port:2", "colour rule 2: begins with bad, warning"),
        ("\n\nsegment", "colour rule 3: begins with bad"),
        ("bad", "colour rule 1: bad what"),
        ("bad len>3", "colour rule 1: .*len"),
        ("segment bad len>3\nsegment note verdict:refused", "colour rule 2: .*verdict"),
        ("bad port:1\n" * 101, "colour rule 98: there are at most 97"),
    ],
)
def test_a_wrong_line_is_told_by_its_number(text: str, wrong: str) -> None:
    with pytest.raises(RuleError, match=wrong):
        read(text)

"""The sequence chart: what stands on its rows, and that no row ever breaks its columns."""

from __future__ import annotations

import datetime as dt
import unicodedata
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tcpviz.core.records import (
    Call,
    Gap,
    KernelReading,
    KernelSocket,
    Moment,
    Note,
    Side,
)
from tcpviz.core.segment import Options, Segment
from tcpviz.core.states import State
from tcpviz.core.timeline import Step, StepKind
from tcpviz.core.tracker import Tracker
from tcpviz.views import roles
from tcpviz.views.ladder import Gutter, Ladder, LadderSettings, Notation, RowKind
from tcpviz.views.ladder_canvas import Canvas
from tcpviz.views.ladder_labels import call_variants, segment_variants
from tcpviz.views.spans import plain_line, width
from tests.core.dialogue import CLIENT, MS, SERVER, Talk

C, S = Side.CLIENT, Side.SERVER


class World(Talk):
    """A dialogue with socket calls, as the lab has it; ids of calls count up."""

    calls = 0

    def call(self, side: Side, name: str, arguments: str = "", known: bool = True) -> Call:
        self.calls += 1
        self.now += MS // 5
        ends = (CLIENT, SERVER) if side is C else (SERVER, CLIENT)
        local, peer = ends if known else (None, None)
        made = Call(self.calls, side, name, arguments, began_ns=self.now, local=local, peer=peer)
        self.steps += self.tracker.feed(made)
        return made

    def returns(self, call: Call, result: str, failed: bool = False) -> None:
        self.now += MS // 5
        ends = (CLIENT, SERVER) if call.side is C else (SERVER, CLIENT)
        done = replace(
            call,
            returned_ns=self.now,
            result=result,
            failed=failed,
            local=call.local or ends[0],
            peer=call.peer or ends[1],
        )
        self.steps += self.tracker.feed(done)

    def loses(self, segment: Segment) -> None:
        self.now += MS
        self.feed(segment, Moment.LOST)

    def index(self, kind: StepKind, number: int = 0) -> int:
        return [step.index for step in self.tracker.timeline if step.kind is kind][number]

    def ladder(self, **options: object) -> Ladder:
        chart = Ladder(self.tracker.timeline, 1, LadderSettings(**options))  # type: ignore[arg-type]
        chart.extend()
        return chart


def text(ladder: Ladder, cells: int, cursor: int | None = None) -> list[str]:
    count = len(ladder.rows) if cursor is None else ladder.rows_upto(cursor)
    return [plain_line(ladder.render(row, cells, cursor=cursor)) for row in ladder.rows[:count]]


def connected() -> World:
    """Handshake over the cable with connect() and accept(), then data, then both close."""
    w = World()
    accept = w.call(S, "accept", "fd 3", known=False)
    connect = w.call(C, "connect", "10.0.0.2:80", known=False)
    w.carried(C, "S")
    w.carried(S, "SA")
    w.returns(connect, "0")
    w.carried(C, "A")
    w.returns(accept, "fd 5")
    return w


# -- what it shows ---------------------------------------------------------------


def test_the_handshake_as_a_class_sees_it() -> None:
    """connect() returns on the second segment, accept() on the third, beside the states."""
    lines = text(connected().ladder(), 100)
    arrivals = [line for line in lines if "▶" in line or "◀" in line]
    assert len(arrivals) == 3
    assert "SYN-RCVD" in arrivals[0]
    assert "= 0 ┘" in arrivals[1]
    assert "ESTAB" in arrivals[1]
    assert "└ = fd 5" in arrivals[2]
    assert "ESTAB" in arrivals[2]
    departures = [line for line in lines if "SYN 0" in line or "ACK 1" in line]
    assert "connect(" in departures[0]
    assert "SYN-SENT" in departures[0]
    assert next(line for line in lines if "handshake" in line).count("●") == 3


def test_the_bar_of_a_call_runs_through_every_row_between() -> None:
    ladder = connected().ladder()
    for cells in (40, 72, 100, 160):
        ladder.adapt(cells)
        where = ladder.layout(cells)
        drawn = text(ladder, cells)
        column = [line.ljust(cells)[where.bar_right] for line in drawn]
        began, ended = column.index("┌"), column.index("└")
        assert set(column[began + 1 : ended]) == {"│"}, cells
        assert all(char == " " or char == "─" for char in column[:began] + column[ended + 1 :])


def test_a_slanted_arrow_is_connected_from_lifeline_to_lifeline() -> None:
    ladder = connected().ladder()
    where = ladder.layout(120)
    rows = text(ladder, 120)
    first = next(n for n, line in enumerate(rows) if "SYN 0" in line)
    ends = []
    for line in rows[first : first + 3]:
        arrow = line.ljust(120)[where.first : where.last]
        used = [place for place, char in enumerate(arrow) if char != " "]
        ends.append((used[0], used[-1]))
    assert ends[0][0] == 0
    assert ends[0][1] + 1 == ends[1][0]
    assert ends[1][1] + 1 == ends[2][0]
    assert ends[2][1] == where.arrows - 1


def test_one_capture_point_draws_level_arrows() -> None:
    w = World()
    w.handshake()
    w.client("PA", 5)
    lines = text(w.ladder(), 80)
    data = next(line for line in lines if "1:6, ACK 1" in line)
    assert "┣─" in data
    assert "─▶┃" in data
    assert not set("╲╱⎺⎻⎼⎽") & set("".join(lines))


def test_states_are_written_on_the_side_that_moved_with_their_certainty() -> None:
    w = World()
    w.handshake()
    ladder = w.ladder()
    where = ladder.layout(100)
    lines = [line.ljust(100) for line in text(ladder, 100)]
    syn = next(line for line in lines if " SYN 0 " in line)
    third = next(line for line in lines if " ACK 1 " in line and "SYN" not in line)
    assert syn[: where.left].split()[-1] == "SYN-SENT"
    assert syn[where.right + 1 :].split() == ["LISTEN?"]
    assert third[where.right + 1 :].split() == ["~ESTABLISHED"]
    row = ladder.rows[1]
    spans = ladder.render(row, 100)
    assert any(s.role == roles.UNKNOWN and "LISTEN?" in s.text for s in spans)


def test_of_the_other_end_of_what_is_found_in_midstream_nothing_is_known() -> None:
    w = World()
    w.client("A")
    lines = [line.split() for line in text(w.ladder(), 100)]
    assert lines[-1][-1] == "unknown"
    assert "LISTEN?" not in " ".join(map(" ".join, lines))
    w.server("PA", 5)
    assert text(w.ladder(), 100)[-1].split()[-1] == "~ESTABLISHED"


def test_a_lost_segment_ends_in_the_middle_with_a_cross() -> None:
    w = World()
    syn = w.segment(C, "S")
    w.sent(syn)
    w.loses(syn)
    ladder = w.ladder()
    where = ladder.layout(80)
    last = text(ladder, 80)[-1]
    cross = last.index("✖")
    assert where.first + where.arrows // 3 < cross < where.last - where.arrows // 3
    assert "lost" in last
    assert "▶" not in last


def test_a_segment_on_its_way_is_half_an_arrow() -> None:
    w = connected()
    sent = w.index(StepKind.SENT)
    ladder = w.ladder()
    on_its_way = text(ladder, 90, sent)
    assert "▷" in on_its_way[-1]
    assert not any("▶" in line for line in on_its_way)
    arrived = text(ladder, 90, w.index(StepKind.ARRIVED))
    assert "▶" in arrived[-1]
    assert not any("▷" in line for line in arrived)


def test_a_segment_on_its_way_live_is_half_an_arrow_too() -> None:
    w = World()
    syn = w.segment(C, "S")
    w.sent(syn)
    ladder = w.ladder()
    assert "▷" in text(ladder, 80)[-1]
    ladder.extend()
    w.arrives(syn)
    ladder.extend()
    assert ladder.stale_from <= 1
    lines = text(ladder, 80)
    assert "▷" not in "".join(lines)
    assert "▶" in lines[-1]


def test_crossing_segments_can_both_be_followed() -> None:
    """Simultaneous open: each arrow has its label at its sender and its name at its head."""
    w = World()
    one, two = w.segment(C, "S"), w.segment(S, "S")
    w.sent(one)
    w.sent(two)
    w.arrives(one)
    w.arrives(two)
    ladder = w.ladder()
    where = ladder.layout(120)
    lines = [line.ljust(120)[where.left : where.right + 1] for line in text(ladder, 120)]
    assert sum("SYN 0 " in line for line in lines) >= 2
    heads = [line for line in lines if "▶" in line or "◀" in line]
    assert len(heads) == 2
    assert sum(line.count("╳") for line in lines) == 1


def test_a_copy_that_the_cable_made_arrives_from_the_middle() -> None:
    w = connected()
    data = w.carried(C, "PA", 5)
    w.arrives(data)
    ladder = w.ladder()
    where = ladder.layout(100)
    last = text(ladder, 100)[-1].ljust(100)[where.first : where.last]
    assert "copy" in last
    assert last.endswith("▶")
    assert last[: where.arrows // 2 - 1].strip() == ""


def test_bands_show_the_progress_as_of_the_cursor() -> None:
    w = World()
    w.handshake()
    w.client("FA")
    w.server("FA")
    w.client("A")
    ladder = w.ladder()
    seen = []
    for index in range(len(w.tracker.timeline)):
        lines = text(ladder, 90, index)
        bands = [line for line in lines if "handshake" in line or "teardown" in line]
        seen.append(bands[-1].split()[-2])
    assert seen == ["1/3", "2/3", "3/3", "1/4", "3/4", "4/4"]


def test_a_reset_on_its_way_is_in_the_teardown_already() -> None:
    w = connected()
    reset = w.segment(C, "RA")
    w.sent(reset)
    half = text(w.ladder(), 90)
    assert "teardown" in half[-3]
    assert "0/1" in half[-3]
    assert not any(" data " in line for line in half)
    w.arrives(reset)
    whole = text(w.ladder(), 90)
    assert "1/1" in whole[-4]
    assert "▶" in whole[-1]


def test_an_arrow_goes_on_through_a_band() -> None:
    """A FIN leaves while data is still on its way: the data's arrow crosses the rule."""
    w = connected()
    data = w.segment(C, "PA", 5)
    w.sent(data)
    w.carried(S, "FA")
    w.arrives(data)
    ladder = w.ladder()
    band = next(row for row in ladder.rows if row.band and row.band.name.value == "teardown")
    spans = ladder.render(band, 160)
    assert width(spans) == 160
    assert any(span.role == roles.DATA for span in spans)


def test_the_band_stands_above_the_call_that_begins_the_handshake() -> None:
    ladder = connected().ladder()
    kinds = [(row.kind, [s.kind for s in row.steps]) for row in ladder.rows]
    band = next(n for n, (kind, _) in enumerate(kinds) if kind is RowKind.BAND)
    assert kinds[band + 1][1] == [StepKind.CALL, StepKind.SENT]
    assert [row.number for row in ladder.rows] == list(range(len(ladder.rows)))
    before = connected().index(StepKind.SENT) - 1
    lines = text(ladder, 100, before)
    assert "0/3" in lines[band]
    assert "SYN 0" not in lines[-1]
    assert "connect(" in lines[-1]


def test_a_narrow_chart_gives_calls_rows_of_their_own() -> None:
    ladder = connected().ladder()
    wide = len(ladder.rows)
    assert ladder.adapt(60)
    assert len(ladder.rows) > wide
    assert any("connect(10.0.0.2:80)" in line for line in text(ladder, 60))
    assert not ladder.adapt(60)
    assert ladder.adapt(120)
    assert len(ladder.rows) == wide


def test_a_failed_call_is_told_apart() -> None:
    w = World()
    connect = w.call(C, "connect", "10.0.0.2:81", known=False)
    w.carried(C, "S")
    w.carried(S, "RA")
    w.returns(connect, "ECONNREFUSED", failed=True)
    ladder = w.ladder()
    spans = [span for row in ladder.rows for span in ladder.render(row, 130)]
    assert any(s.role == roles.CALL_ERROR and "= ECONNREFUSED" in s.text for s in spans)
    assert any(s.role == roles.FLAG_RST and "RST" in s.text for s in spans)


def test_a_call_that_returns_as_its_segment_leaves_shares_the_departures_row() -> None:
    """So it is on a real kernel: connect() returns after its ACK has left."""
    w = connected()
    send = w.call(C, "send", "5 bytes")
    data = w.segment(C, "PA", 5)
    w.sent(data)
    w.returns(send, "5")
    returned = w.tracker.timeline[len(w.tracker.timeline) - 1]
    w.arrives(data)
    ladder = w.ladder()
    row = ladder.rows[ladder.row_of(returned.index)]
    assert [step.kind for step in row.steps] == [StepKind.CALL, StepKind.SENT, StepKind.RETURN]
    line = plain_line(ladder.render(row, 140))
    assert "send(5 bytes) = 5 ╴" in line
    assert "1:6" in line
    before = plain_line(ladder.render(row, 140, cursor=returned.index - 1))
    assert "send(5 bytes) ┐" in before


def test_words_of_calls_from_ample_to_terse() -> None:
    made = Call(1, S, "accept", "fd 3", result="fd 4 from 10.0.0.1:40001", returned_ns=1)
    both = call_variants(made, True, True)
    assert both[0] == "accept(fd 3) = fd 4 from 10.0.0.1:40001"
    assert both[-1] == "accept fd 4"
    assert "= fd 4" in call_variants(made, False, True)
    assert call_variants(made, True, False) == ["accept(fd 3)", "accept(…)", "accept()", "accept"]
    for variants in (both, call_variants(made, False, True)):
        assert variants == sorted(variants, key=len, reverse=True)


def test_calls_of_two_threads_stand_beside_each_other() -> None:
    w = connected()
    accept = w.call(S, "accept", "fd 3")
    recv = w.call(S, "recv", "1024")
    w.returns(recv, "5 bytes")
    w.returns(accept, "fd 6")
    ladder = w.ladder()
    where = ladder.layout(140)
    lines = [line.ljust(140) for line in text(ladder, 140)]
    both = [line[where.bar_right : where.bar_right + 2] for line in lines]
    assert "│┌" in both or "│╶" in both


def test_notes_gaps_timers_and_disagreements_have_lines_of_their_own() -> None:
    w = connected()
    w.steps += w.tracker.feed(Note(w.now, "dropped by you"))
    w.steps += w.tracker.feed(Gap(w.now, 12, "the kernel's buffer"))
    w.steps += w.tracker.feed(
        KernelReading(w.now, (KernelSocket(C, CLIENT, SERVER, State.CLOSE_WAIT),))
    )
    lines = text(w.ladder(), 120)
    assert any("· dropped by you" in line for line in lines)
    assert any("12 packets missing here: the kernel's buffer" in line for line in lines)
    assert any("≠ client: kernel CLOSE-WAIT, segments ESTABLISHED" in line for line in lines)
    alone = World()
    alone.client("S")
    alone.sleep(200)
    assert any("◷ user timeout" in line for line in text(alone.ladder(), 80))


def test_a_quiet_reading_gives_no_row_and_finds_the_one_before() -> None:
    w = connected()
    before = len(w.ladder().rows)
    steps = w.tracker.feed(
        KernelReading(
            w.now,
            (
                KernelSocket(C, CLIENT, SERVER, State.ESTABLISHED),
                KernelSocket(S, SERVER, CLIENT, State.ESTABLISHED),
            ),
        )
    )
    ladder = w.ladder()
    assert steps[0].quiet
    assert len(ladder.rows) == before
    assert ladder.row_of(steps[0].index) == before - 1


def test_the_kernels_word_goes_when_the_end_has_moved_on() -> None:
    """A reset has come, connect() has not returned: there is no timer any more."""
    w = World()
    w.client("S")
    waiting = KernelSocket(C, CLIENT, SERVER, State.SYN_SENT, "retransmit", 1000)
    reading = w.tracker.feed(KernelReading(w.now, (waiting,)))[0]
    w.server("RA", ack=1)
    ladder, latest = w.ladder(), len(w.tracker.timeline) - 1
    before, after = (
        "".join(map(plain_line, ladder.kernel_lines(reading, 100, cursor=cursor)))
        for cursor in (reading.index, latest)
    )
    assert "sends again in 1.0 s" in before
    assert "again" not in after


def test_every_step_finds_its_row() -> None:
    w = connected()
    ladder = w.ladder()
    for step in w.tracker.timeline:
        row = ladder.rows[ladder.row_of(step.index)]
        assert step in row.steps
        assert row.kind in (RowKind.STEP, RowKind.TEXT)
        assert ladder.rows_upto(step.index) > ladder.row_of(step.index)
    assert ladder.row_of(-1) == -1
    assert ladder.rows_upto(-1) == 0


def test_inferred_segments_are_dashed() -> None:
    w = World()
    w.feed(replace(w.segment(C, "S"), inferred=True))
    assert "╌" in text(w.ladder(), 80)[-1]


def test_marks_stand_behind_the_label() -> None:
    w = World()
    w.handshake()
    w.client("PA", 5)
    w.now += 500 * MS
    w.client("PA", 5, seq=1)
    ladder = w.ladder()
    assert "[retransmission]" in text(ladder, 100)[-1]
    assert "[R]" in text(ladder, 50)[-1]
    spans = ladder.render(ladder.rows[-1], 100)
    assert any(s.role == roles.MARK_WARNING and "retransmission" in s.text for s in spans)


def test_the_three_notations() -> None:
    w = World()
    w.handshake()
    w.client("PA", 5)
    w.client("FA")
    w.server("FA")
    w.client("A")

    def labels(how: Notation) -> list[str]:
        fins = w.ladder()._build.fins
        return [segment_variants(step, how, fins)[0] for step in w.tracker.timeline]

    assert labels(Notation.RELATIVE) == [
        "SYN 0", "SYN 0, ACK 1", "ACK 1", "1:6, ACK 1", "FIN 6, ACK 1", "FIN 1, ACK 7", "ACK 2",
    ]  # fmt: skip
    assert labels(Notation.ABSOLUTE)[:2] == ["SYN 1000", "SYN 5000, ACK 1001"]
    assert labels(Notation.SYMBOLIC) == [
        "SYN J", "SYN K, ACK J+1", "ACK K+1", "J+1 (5 bytes), ACK K+1", "FIN M, ACK K+1",
        "FIN N, ACK M+1", "ACK N+1",
    ]  # fmt: skip


def test_payload_is_quoted_only_on_request() -> None:
    w = World()
    w.handshake()
    w.feed(replace(w.segment(C, "PA", 5), payload=b"hello"))
    assert not any("hello" in line for line in text(w.ladder(), 120))
    assert '"hello" 1:6, ACK 1' in text(w.ladder(payload=True), 120)[-1]


def test_gutters() -> None:
    w = World(start_ns=1_700_000_000_000_000_000)
    w.handshake()
    assert text(w.ladder(), 90)[2].split()[0] == "0.001000"
    zone = dt.timezone.utc  # noqa: UP017
    absolute = w.ladder(gutter=Gutter.ABSOLUTE, zone=zone)
    assert text(absolute, 90)[1].split()[0] == "22:13:20.001"
    assert text(w.ladder(gutter=Gutter.DELTA), 90)[2].split()[:2] == ["+1", "ms"]
    assert text(w.ladder(gutter=Gutter.BOTH), 110)[2].split()[:3] == ["0.001000", "+1", "ms"]
    assert text(w.ladder(gutter=Gutter.BOTH), 70)[2].split()[0] == "0.001000"
    assert text(w.ladder(gutter=Gutter.NUMBER), 90)[2].split()[0] == "#2"
    assert "0.00" not in "".join(text(w.ladder(gutter=Gutter.NONE), 90))


def test_the_header_names_the_ends_and_their_states_at_the_cursor() -> None:
    w = connected()
    ladder = w.ladder(client_name="alice", server_name="bob")
    names, states = (plain_line(line) for line in ladder.header(120, w.index(StepKind.ARRIVED)))
    assert "● alice  10.0.0.1:40000" in names
    assert "◆ bob  10.0.0.2:80" in names
    assert states.split() == ["SYN-SENT", "SYN-RECEIVED"]


# -- growing -----------------------------------------------------------------------


def test_extending_step_by_step_gives_the_same_chart() -> None:
    w = connected()
    at_once = w.ladder()
    slowly = Ladder(w.tracker.timeline, 1)
    for index in range(len(w.tracker.timeline)):
        slowly.extend(index)
    assert text(slowly, 100) == text(at_once, 100)


def test_extending_looks_only_at_what_is_new(monkeypatch: pytest.MonkeyPatch) -> None:
    w = World()
    w.handshake()
    for _ in range(500):
        w.client("PA", 1)
    ladder = w.ladder()
    w.client("PA", 1)
    w.client("PA", 1)
    looked: list[int] = []
    get = type(w.tracker.timeline).__getitem__
    monkeypatch.setattr(
        type(w.tracker.timeline), "__getitem__", lambda self, n: looked.append(n) or get(self, n)
    )
    assert ladder.extend() == 2
    assert set(looked) == set(range(len(w.tracker.timeline) - 2, len(w.tracker.timeline)))


def test_steps_that_the_timeline_drops_are_forgotten() -> None:
    w = World(tracker=Tracker(limit=40))
    w.handshake()
    ladder = Ladder(w.tracker.timeline, 1)
    for _ in range(200):
        w.client("PA", 1)
        ladder.extend()
        for row in ladder.rows:
            ladder.render(row, 60)
    assert len(ladder.rows) <= 60
    assert ladder.dropped > 100
    assert ladder.rows[0].number == ladder.dropped
    assert ladder.rows[ladder.row_of(len(w.tracker.timeline) - 1)] is ladder.rows[-1]


def test_segments_that_never_arrive_stay_bounded() -> None:
    w = World()
    for _ in range(100):
        w.sent(w.segment(C, "A"))
    ladder = w.ladder()
    assert max(len(row.flights) for row in ladder.rows) <= 9
    assert all(width(ladder.render(row, 80)) == 80 for row in ladder.rows)


# -- alignment, whatever comes -------------------------------------------------------

hostile = st.one_of(
    st.text(max_size=30),
    st.sampled_from(
        ["\x1b[31mred\x1b[0m", "日本語の引数", "a\u202eb", "e\u0301\u0301", "👩‍👩‍👧", "\n\r\t", "️⃣"]
    ),
)
sides = st.sampled_from(Side)
CONTROLS = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


@st.composite
def worlds(draw: st.DrawFn) -> World:
    w = World(
        client_iss=draw(st.sampled_from([0, 1000, 2**32 - 3])),
        server_iss=draw(st.sampled_from([0, 5000, 2**32 - 1])),
    )
    in_flight: list[Segment] = []
    open_calls: list[Call] = []
    flags = st.sampled_from(["S", "SA", "A", "PA", "FA", "F", "R", "RA", "U", "", "SF", "SFRPUA"])
    for _ in range(draw(st.integers(1, 14))):
        what = draw(st.integers(0, 8))
        if what <= 3:
            sack = draw(st.sampled_from([(), ((1, 5),), ((1, 5), (2**32 - 2, 9), (20, 30))]))
            segment = w.segment(
                draw(sides),
                draw(flags),
                draw(st.sampled_from([0, 1, 1460, 65535])),
                options=Options(sack=sack, mss=1460),
                window=draw(st.sampled_from([0, 1, 65535])),
            )
            payload = draw(st.binary(max_size=20))
            segment = replace(segment, payload=payload, inferred=draw(st.booleans()))
            if what == 0:
                w.feed(segment)
            else:
                w.sent(segment)
                in_flight.append(segment)
        elif what == 4 and in_flight:
            place = draw(st.integers(0, len(in_flight) - 1))
            segment = in_flight.pop(place) if draw(st.booleans()) else in_flight[place]
            w.arrives(segment)
        elif what == 5 and in_flight:
            w.loses(in_flight.pop())
        elif what == 6:
            open_calls.append(
                w.call(draw(sides), draw(hostile), draw(hostile), draw(st.booleans()))
            )
        elif what == 7 and open_calls:
            place = draw(st.integers(0, len(open_calls) - 1))
            w.returns(open_calls.pop(place), draw(hostile), draw(st.booleans()))
        elif what == 8:
            w.steps += w.tracker.feed(
                draw(
                    st.sampled_from(
                        [
                            Note(w.now, draw(hostile)),
                            Gap(w.now, draw(st.sampled_from([None, 1, 10**9])), draw(hostile)),
                            KernelReading(
                                w.now,
                                (KernelSocket(C, CLIENT, SERVER, draw(st.sampled_from(State))),),
                            ),
                        ]
                    )
                )
            )
    return w


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    worlds(),
    st.integers(0, 220),
    st.sampled_from(Gutter),
    st.sampled_from(Notation),
    st.tuples(st.booleans(), st.booleans(), st.booleans(), st.integers(0, 3)),
    st.data(),
)
def test_every_row_is_exactly_as_wide_as_asked(
    w: World,
    cells: int,
    gutter: Gutter,
    notation: Notation,
    switches: tuple[bool, bool, bool, int],
    data: st.DataObject,
) -> None:
    merge, payload, ascii_only, travel = switches
    ladder = w.ladder(
        gutter=gutter,
        notation=notation,
        merge=merge,
        payload=payload,
        detail=payload,
        ascii_only=ascii_only,
        travel=travel,
        client_name="日本",
    )
    ladder.adapt(cells)
    cursor = data.draw(st.one_of(st.none(), st.integers(-1, len(w.tracker.timeline))))
    lines = [ladder.render(row, cells, at_cursor=True, cursor=cursor) for row in ladder.rows]
    for line in [*lines, *ladder.header(cells, cursor)]:
        assert width(line) == cells
        whole = "".join(span.text for span in line)
        assert not {unicodedata.category(char) for char in whole} & CONTROLS
        assert all(span.role in roles.MEANING for span in line)
        if ascii_only:
            assert whole.isascii()


@given(st.lists(st.tuples(st.integers(-5, 25), hostile), max_size=12), st.integers(0, 20))
def test_a_canvas_keeps_its_width(puts: list[tuple[int, str]], cells: int) -> None:
    canvas = Canvas(cells)
    for column, words in puts:
        canvas.put(column, words, roles.TEXT)
    assert width(canvas.line()) == cells


def test_a_step_alone_is_enough() -> None:
    """A chart of a connection whose first steps are gone, or of none, does not fail."""
    w = World()
    w.handshake()
    assert Ladder(w.tracker.timeline, 99).extend() == 0
    empty = Ladder(w.tracker.timeline, 99)
    assert [width(line) for line in empty.header(50)] == [50, 50]
    assert isinstance(w.tracker.timeline[0], Step)

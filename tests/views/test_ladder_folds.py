"""Folding, windows, hidden ACKs, the scale and the queues' lane of the sequence chart."""

from __future__ import annotations

import random

import pytest

from tcpviz.core.records import Call, KernelReading, KernelSocket, Moment, Side
from tcpviz.core.states import State
from tcpviz.core.timeline import Timeline
from tcpviz.views import digest as d
from tcpviz.views.digest import Digest
from tcpviz.views.ladder import Ladder, LadderSettings, RowKind
from tcpviz.views.ladder_index import ChartIndex
from tcpviz.views.spans import plain_line, width
from tests.core.dialogue import CLIENT, MS, SERVER, Talk

C, S = Side.CLIENT, Side.SERVER


def bulk(pairs: int = 100, lost: tuple[int, ...] = ()) -> Talk:
    """A handshake, so many segments of data each with its ACK, both ends' FINs."""
    talk = Talk().handshake()
    for number in range(pairs):
        segment = talk.client("PA", 1000)
        talk.server("A")
        if number in lost:
            talk.client("PA", 1000, seq=talk.nxt[C] - segment.payload_len)
            talk.server("A")
    talk.client("FA")
    talk.server("A")
    talk.server("FA")
    talk.client("A")
    return talk


def chart(talk: Talk, reach: int | None = None, **fields: object) -> Ladder:
    timeline = talk.tracker.timeline
    digest = Digest(timeline)
    digest.read()
    made = Ladder(
        timeline,
        1,
        LadderSettings(**fields),  # type: ignore[arg-type]
        digest=digest,
        reach=reach,
    )
    made.extend()
    return made


def text(ladder: Ladder, cells: int = 80) -> list[str]:
    return [plain_line(ladder.render(row, cells)) for row in ladder.rows]


def steps_shown(ladder: Ladder) -> list[int]:
    return [row.step_index for row in ladder.rows if row.kind is RowKind.STEP]


# -- folding -----------------------------------------------------------------------


def test_bulk_data_folds_to_one_line_that_says_what_it_was() -> None:
    ladder = chart(bulk(100, lost=(20, 50)), fold=True)
    fold = [row for row in ladder.rows if row.kind is RowKind.FOLD]
    assert len(fold) == 1
    line = plain_line(ladder.render(fold[0], 110))
    assert "▸ 204 segments, 102 kB, 2 retransmitted, 2 more marked, 203 ms" in line
    assert "┃┄" in line
    assert line.rstrip().endswith("┃")


def test_a_fold_opens_and_closes_and_all_of_them_do() -> None:
    ladder = chart(bulk(60), fold=True)
    whole = chart(bulk(60))
    row = next(row for row in ladder.rows if row.kind is RowKind.FOLD)
    assert ladder.turn_fold(row)
    assert text(ladder) == text(whole)
    inside = ladder.rows[ladder.row_of(50)]
    assert ladder.turn_fold(inside)
    assert any(row.kind is RowKind.FOLD for row in ladder.rows)
    ladder.change(fold=False)
    assert text(ladder) == text(whole)
    assert not ladder.turn_fold(ladder.rows[1])  # a SYN is in no run


def test_what_folds_is_open_around_the_cursor() -> None:
    ladder = chart(bulk(300), fold=True)
    folded = len(ladder.rows)
    assert ladder.open_around(303)
    shown = steps_shown(ladder)
    assert {301, 302, 303, 304, 305} <= set(shown)
    assert len(ladder.rows) < folded + 60
    assert [row.kind for row in ladder.rows].count(RowKind.FOLD) == 2
    parts = [row.stretch for row in ladder.rows if row.stretch]
    assert sum(part.segments for part in parts) + len(shown) == len(ladder.timeline)
    assert not ladder.open_around(304)  # the same block: no row moves
    assert ladder.open_around(None)
    assert len(ladder.rows) == folded


def test_a_run_that_grows_keeps_its_end_in_sight_and_costs_few_rows() -> None:
    talk = Talk().handshake()
    ladder = chart(talk, fold=True)
    ladder = Ladder(talk.tracker.timeline, 1, LadderSettings(fold=True))
    for _ in range(200):
        talk.client("PA", 10)
        ladder.extend()
        assert ladder.rows[-1].last_index == len(talk.tracker.timeline) - 1
        assert ladder.rows[-1].kind is RowKind.STEP
    assert len(ladder.rows) < 60


def test_an_arrow_that_leaves_a_fold_comes_out_of_it() -> None:
    talk = Talk()
    for side, flags in ((C, "S"), (S, "SA"), (C, "A")):
        talk.carried(side, flags)
    for _ in range(40):
        talk.carried(C, "PA", 10)
    late = talk.segment(C, "PA", 10)
    talk.sent(late)
    for _ in range(3):
        talk.carried(S, "A")
    ladder = Ladder(talk.tracker.timeline, 1, LadderSettings(fold=True))
    ladder.extend()
    talk.arrives(late)
    for _ in range(30):
        talk.carried(C, "PA", 10)
    ladder.extend()
    last = ladder.rows[-1]
    for row in ladder.rows:
        assert width(ladder.render(row, 90)) == 90
    assert last.kind is RowKind.STEP


# -- windows -----------------------------------------------------------------------


@pytest.mark.parametrize("fold", [False, True])
def test_rows_in_a_window_are_the_rows_of_the_whole(fold: bool) -> None:
    """Wherever one goes, what stands there is what stands there in a chart of everything."""
    talk = Talk()
    for side, flags in ((C, "S"), (S, "SA"), (C, "A")):
        talk.carried(side, flags)
    dice = random.Random(5)
    for number in range(400):
        talk.carried(dice.choice((C, S)), "PA", 10)
        if number % 90 == 40:
            lost = talk.segment(C, "PA", 10)
            talk.sent(lost)
            talk.now += MS
            talk.feed(lost, Moment.LOST)
    talk.carried(C, "FA")
    talk.carried(S, "A")
    whole = chart(talk, fold=fold)
    drawn = dict(zip((row.step_index for row in whole.rows), text(whole, 100), strict=True))
    part = chart(talk, reach=30, fold=fold)
    kinds = {RowKind.STEP, RowKind.FOLD}
    for step in (0, 250, 4, 600, 805, 300, 801):
        part.show(step)
        place = part.row_of(step)
        # What belongs to the step stands there: its arrow begins or ends on that row.
        row = part.rows[place]
        assert row.step_index <= step <= max(row.last_index, step)
        near = [r for r in part.rows[max(place - 8, 0) : place + 8] if r.kind in kinds]
        for each in near:
            line = plain_line(part.render(each, 100))
            full = next(
                plain_line(whole.render(r, 100))
                for r in whole.rows
                if r.step_index == each.step_index and r.kind is each.kind
            )
            assert line == full, step
        assert len(part.rows) < 400
    assert drawn


def test_scrolling_on_makes_more_rows() -> None:
    ladder = chart(bulk(2000), reach=100)
    assert ladder.at_start
    assert not ladder.at_end
    last = ladder.rows[-1].step_index
    assert ladder.keep(len(ladder.rows) - 30, len(ladder.rows) - 1)
    assert ladder.rows[-1].step_index > last
    assert not ladder.keep(len(ladder.rows) // 2 - 10, len(ladder.rows) // 2 + 10)
    ladder.show(len(ladder.timeline) - 1)
    assert ladder.at_end
    assert not ladder.at_start
    assert ladder.row_of(0) == -1


def test_a_window_knows_the_calls_and_fins_that_were_before_it() -> None:
    talk = Talk().handshake()
    talk.tracker.feed(Call(1, S, "recv", "4096 bytes", 4, talk.now, local=SERVER, peer=CLIENT))
    talk.client("FA")
    for _ in range(300):
        talk.server("PA", 10)
        talk.client("A")
    ladder = chart(talk, reach=20)
    ladder.show(500)
    row = ladder.rows[ladder.row_of(500)]
    assert [bar.call.name for bar in row.bars] == ["recv"]
    assert ladder._build.fins[C][2] == "M"
    where = ladder.layout(100)
    assert plain_line(ladder.render(row, 100)).ljust(100)[where.bar_right] == "│"


def test_a_dropping_timeline_leaves_a_window_whole() -> None:
    talk = Talk()
    talk.tracker.timeline.limit = 200
    digest = Digest(talk.tracker.timeline)
    ladder = Ladder(talk.tracker.timeline, 1, LadderSettings(fold=True), digest=digest, reach=50)
    talk.handshake()
    for number in range(2000):
        talk.client("PA", 10)
        if number % 50 == 0:
            talk.server("A", window=0)
        if number % 7 == 0:
            digest.read()
            ladder.extend()
            for row in ladder.rows[-20:]:
                ladder.render(row, 80)
    assert ladder.rows[-1].last_index >= len(talk.tracker.timeline) - 8
    assert len(digest.classes) < 800
    assert len(ladder.index) < 800


# -- hidden ACKs, scale, queues -----------------------------------------------------


def test_pure_acks_are_hidden_but_never_what_they_change() -> None:
    talk = bulk(6)
    everything, hidden = chart(talk), chart(talk, hide_acks=True)
    assert len(everything.rows) - len(hidden.rows) == 6
    assert hidden.folds.count_hidden() == 6
    lines = "\n".join(text(hidden))
    assert "ACK 1 ─" in lines  # the handshake's third
    assert "TIME-WAIT" in lines


def test_to_scale_rows_stand_for_time_and_silence_is_broken() -> None:
    talk = Talk().handshake()
    talk.now += 20 * MS
    talk.client("PA", 5)
    talk.now += 5_000 * MS
    talk.server("A")
    ladder = chart(talk, scale_ns=4 * MS, travel=0)
    kinds = [row.kind for row in ladder.rows]
    assert kinds.count(RowKind.BREAK) == 1
    assert any("⋯ 5 s ⋯" in line for line in text(ladder))
    places = {row.step_index: n for n, row in enumerate(ladder.rows) if row.kind is RowKind.STEP}
    band = 1  # the rule between handshake and data
    assert places[3] - places[2] - band == 5
    assert places[1] - places[0] == 1


def test_the_queues_run_down_beside_the_chart() -> None:
    talk = Talk()

    def ask(syn: int, accept: int) -> None:
        talk.now += 1000
        listener = KernelSocket(
            S, SERVER, None, State.LISTEN, recv_queue=accept, send_queue=1,
            syn_queue=syn, syn_limit=128,
        )  # fmt: skip
        talk.tracker.feed(KernelReading(talk.now, (listener,)))

    for side, flags, syn, accept in ((C, "S", 1, 0), (S, "SA", 1, 0), (C, "A", 0, 1)):
        talk.carried(side, flags)
        ask(syn, accept)
    talk.carried(C, "PA", 5)
    ask(0, 0)
    ladder = chart(talk)
    assert ladder.queue_lane(99) == 0
    lane = [line.ljust(120)[106:] for line in text(ladder, 120)]
    head = [plain_line(one).ljust(120)[106:] for one in ladder.header(120)]
    assert "SYN accept" in head[0]
    assert head[1].split()[-2:] == ["/128", "/2"]
    assert any(line.split() == ["1", "0"] for line in lane)
    assert any(line.split() == ["┃"] for line in lane)
    assert any(line.split() == ["0", "1"] for line in lane)
    assert lane[-1].split() == ["0"]
    assert all(width(ladder.render(row, 120)) == 120 for row in ladder.rows)


# -- the digest --------------------------------------------------------------------


def test_the_index_finds_what_a_person_jumps_to() -> None:
    talk = bulk(100, lost=(20, 50))
    timeline = talk.tracker.timeline
    index = ChartIndex(timeline, 1)
    index.extend()
    marked = [
        step.index
        for step in timeline
        if step.observation and any("retrans" in str(m.name.value) for m in step.observation.marks)
    ]
    problems = []
    place = index.after(d.PROBLEM, -1)
    while place is not None:
        problems.append(place)
        assert index.before(d.PROBLEM, place + 1) == place
        place = index.after(d.PROBLEM, place)
    assert set(marked) <= set(problems)
    assert index.before(d.PROBLEM, problems[0]) is None
    changes = [step.index for step in timeline if step.changes]
    assert index.after(d.STATE, -1) == changes[0]
    assert index.before(d.STATE, len(index)) == changes[-1]
    assert index.worst(0, len(index)) == "S"  # graver than the duplicate ACKs
    assert index.worst(0, 10) == ""


def test_columns_of_some_steps_are_theirs() -> None:
    talk = bulk(50, lost=(10,))
    timeline = talk.tracker.timeline
    digest = Digest(timeline)
    assert not digest.read(20)
    assert digest.read()
    for wanted in (range(0, len(timeline), 3), range(5, 9), [7], []):
        columns = digest.gather(wanted)
        assert list(columns.times) == [timeline[n].time_ns for n in wanted]
        assert [bool(bits & d.SEGMENT) for bits in columns.classes] == [True] * len(wanted)


def test_an_empty_timeline_has_an_empty_chart() -> None:
    ladder = Ladder(Timeline(), 1, reach=10)
    assert ladder.extend() == 0
    assert not ladder.show(0)
    assert not ladder.keep(0, 10)
    assert not ladder.rows

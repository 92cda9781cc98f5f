"""The scrubber, the overview, two segments compared, several hosts on one chart."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tcpviz.core.records import Call, Moment, Side
from tcpviz.core.segment import Endpoint
from tcpviz.core.tracker import Tracker
from tcpviz.views.compare import compare, pairs
from tcpviz.views.digest import Digest
from tcpviz.views.hosts_chart import HostsChart
from tcpviz.views.ladder_index import ChartIndex
from tcpviz.views.ladder_parts import RowKind
from tcpviz.views.overview import overview, place_of_row
from tcpviz.views.scrubber import Scrubber, scrubber, ticks
from tcpviz.views.spans import plain_line, width
from tests.core.dialogue import CLIENT, MS, SERVER, Talk
from tests.views.test_ladder_folds import bulk

C, S = Side.CLIENT, Side.SERVER


def scrubbed(talk: Talk, at: int, cells: int = 60, **fields: object) -> Scrubber:
    digest = Digest(talk.tracker.timeline)
    digest.read()
    total = len(digest)
    options = {"sign": "=", "now": "1.0 s", "end": "2.0 s", "ascii_only": True, **fields}
    return scrubber(ticks(digest, total, 40), total, at, cells, **options)  # type: ignore[arg-type]


def test_the_scrubber_marks_where_trouble_and_changes_are() -> None:
    made = scrubbed(bulk(100, lost=(50,)), 60)
    assert plain_line(made.line) == " = 1.0 s |===========O--------S---------------------| 2.0 s"


def test_what_is_to_come_is_not_told_where_it_is_a_secret() -> None:
    made = scrubbed(bulk(100, lost=(50,)), 60, hide_future=True)
    assert "R" not in plain_line(made.line)


@pytest.mark.parametrize("cells", [20, 40, 80, 200])
def test_a_cell_of_the_scrubber_means_the_steps_that_it_stands_for(cells: int) -> None:
    made = scrubbed(bulk(100), -1, cells, speed="0.1x", since="")
    assert width(made.line) == cells
    if made.track < 6:
        return
    assert made.place_at(made.track_at) == -1
    assert made.place_at(made.track_at + made.track - 1) == made.count - 1
    places = [made.place_at(made.track_at + cell) for cell in range(made.track)]
    assert places == sorted(places)
    for place in (0, made.count // 2, made.count - 1):
        line = plain_line(scrubbed(bulk(100), place, cells, speed="0.1x").line)
        column = line.index("O")
        assert abs(made.place_at(column) - place) <= made.count // made.track + 1


def test_keys_on_the_scrubber_can_be_pressed() -> None:
    made = scrubbed(bulk(4), 3, 80, speed="0.1x")
    line = plain_line(made.line)
    spots = {spot.action: line[spot.start : spot.end] for spot in made.spots}
    assert spots == {"pause": " = ", "slower": "-", "faster": "+"}
    behind = scrubbed(bulk(4), 3, 80, since="+312 since: End")
    assert {spot.action for spot in behind.spots} == {"pause", "end"}


def test_the_overview_has_a_letter_where_trouble_is_and_a_click_finds_it() -> None:
    talk = bulk(300, lost=(150,))
    index = ChartIndex(talk.tracker.timeline, 1)
    index.extend()
    column = overview(index, 20, len(index), 0, (0, 30), ascii_only=True)
    lines = [plain_line(one).ljust(2) for one in column]
    assert len(lines) == 20
    assert lines[0][0] == "<"
    assert lines[1][0] == "|"
    assert lines[5][0] == " "
    assert lines[0][1] == "+"
    assert lines[-1][1] == "+"
    row = next(n for n, one in enumerate(lines) if one[1] == "S")
    step = index.step(place_of_row(index, row, 20, len(index)))
    assert step.observation is not None
    assert step.observation.marks
    assert place_of_row(index, 19, 20, len(index)) < len(index)
    assert overview(index, 0, 5, 0, (0, 0)) == []
    few = overview(index, 20, 3, 1, (0, 2), ascii_only=True)  # no step has two rows
    assert [plain_line(one)[:1] for one in few] == ["|", "<", "|"]


def test_two_segments_side_by_side() -> None:
    talk = Talk().handshake()
    first = talk.client("PA", 1000)
    talk.now += 40 * MS
    talk.client("PA", 500, window=77)
    talk.server("A", ack=1001)
    one, two, answer = list(talk.tracker.timeline)[3:]
    told = {pair.name: pair for pair in pairs(one, two)}
    assert told["time"].by == "+41 ms"
    assert told["Sequence"].by == "+1000"
    assert told["data"].by == "-500"
    assert told["Window"].by == f"{77 - first.window:+d}"
    assert not told["Flags"].differs
    page = [plain_line(one) for one in compare(one, two, 100, ascii_only=True)]
    assert any(line.startswith("! Sequence") and "+1000" in line for line in page)
    assert any(line.startswith("  Flags") for line in page)
    answered = {pair.name: pair for pair in pairs(one, answer)}
    assert answered["to each other"].right == "acknowledges all of it"
    assert all(width(line) == 80 for line in compare(one, answer, 80))
    with pytest.raises(ValueError, match="segments"):
        next(iter(pairs(one, _no_segment(talk))))


def _no_segment(talk: Talk):  # type: ignore[no-untyped-def]
    from tcpviz.core.records import Note

    return talk.tracker.feed(Note(talk.now, "x"))[0]


def three_hosts() -> tuple[Tracker, Talk, Talk]:
    """A client that talks to a proxy, and the proxy to a server."""
    front = Talk(client=Endpoint("10.0.0.1", 40000), server=Endpoint("10.0.0.2", 80))
    back = Talk(client=Endpoint("10.0.0.2", 50000), server=Endpoint("10.0.0.3", 8080))
    back.tracker = front.tracker
    front.client("S")
    front.server("SA")
    front.client("A")
    back.now = front.now
    back.client("S")
    back.server("SA")
    back.client("A")
    front.now = back.now
    front.server("PA", 100)
    return front.tracker, front, back


def test_hosts_are_columns_and_connections_have_letters() -> None:
    tracker, _front, _back = three_hosts()
    chart = HostsChart(tracker.timeline, list(tracker.connections.values()), ascii_only=True)
    rows = chart.rows(len(tracker.timeline))
    zero = tracker.timeline[0].time_ns
    page = [plain_line(one) for one in chart.header(80, len(tracker.timeline))]
    page += [plain_line(chart.draw(row, 80, len(rows), zero)) for row in rows]
    assert "\n".join(page) == (
        " A  10.0.0.1:40000 > 10.0.0.2:80  ESTAB / ~ESTAB\n"
        " B  10.0.0.2:50000 > 10.0.0.3:8080  ESTAB / ~ESTAB\n"
        "  seconds   10.0.0.1                    10.0.0.2                    10.0.0.3\n"
        "                :-- A handshake  ***  3/3 --:                           :\n"
        "  0.000000      |--------- A SYN 0 -------->:                           :\n"
        "  0.001000      :<---- A SYN 0, ACK 1 ------|                           :\n"
        "  0.002000      |--------- A ACK 1 -------->:                           :\n"
        "                :                           :-- B handshake  ***  3/3 --:\n"
        "  0.003000      :                           |--------- B SYN 0 -------->:\n"
        "  0.004000      :                           :<---- B SYN 0, ACK 1 ------|\n"
        "  0.005000      :                           |--------- B ACK 1 -------->:\n"
        "                :--------- A data ----------:                           :\n"
        "  0.006000      :<---- A 1:101, ACK 1 ------|                           :"
    )


def test_a_connection_against_the_columns_order_runs_to_the_left() -> None:
    one = Talk(client=Endpoint("10.0.0.1", 40000), server=Endpoint("10.0.0.2", 80)).handshake()
    two = Talk(client=Endpoint("10.0.0.2", 50000), server=Endpoint("10.0.0.1", 22))
    two.tracker, two.now = one.tracker, one.now
    sent = two.segment(C, "S")
    two.sent(sent)
    two.arrives(sent)
    lost = two.segment(S, "SA")
    two.sent(lost)
    two.now += MS
    two.feed(lost, Moment.LOST)
    chart = HostsChart(one.tracker.timeline, list(one.tracker.connections.values()))
    rows = chart.rows(len(one.tracker.timeline))
    page = [plain_line(chart.draw(row, 80, len(rows), 0)) for row in rows]
    arrives = next(line for line in page if "◀" in line and "A SYN" not in line)
    assert arrives.index("◀") < 30
    assert any("✖" in line for line in page)


def test_bulk_data_folds_to_one_row_but_not_around_the_cursor() -> None:
    talk = bulk(2000)
    chart = HostsChart(talk.tracker.timeline, list(talk.tracker.connections.values()))
    last = len(talk.tracker.timeline) - 1
    at_end = [row for row in chart.rows(0) if row.kind is RowKind.FOLD]
    assert at_end
    stretch = at_end[-1].stretch
    assert stretch is not None
    assert stretch.segments > 1000
    drawn = plain_line(chart.draw(at_end[-1], 100, 1, 0))
    assert "A " in drawn
    assert "segments" in drawn
    middle = chart.rows(last // 2)
    assert [row for row in middle if row.step_index == last // 2 and row.kind is RowKind.STEP]
    assert sum(row.kind is RowKind.FOLD for row in middle) == 2
    chart.maker.fold(False)
    assert not any(row.kind is RowKind.FOLD for row in chart.rows(last // 2))


def test_calls_stand_beside_their_host_with_a_bar_while_they_block() -> None:
    talk = Talk().handshake()
    call = Call(1, C, "recv", "65536", began_ns=talk.now, local=CLIENT, peer=SERVER)
    talk.tracker.feed(call)
    talk.server("PA", 5)
    talk.tracker.feed(replace(call, returned_ns=talk.now + MS, result="5 bytes"))
    chart = HostsChart(talk.tracker.timeline, list(talk.tracker.connections.values()))
    rows = chart.rows(len(talk.tracker.timeline))
    page = [plain_line(chart.draw(row, 80, len(rows), 0)) for row in rows]
    began = next(n for n, one in enumerate(page) if "A recv(65536)" in one)
    ended = next(n for n, one in enumerate(page) if "A = 5 bytes" in one)
    column = page[began].index("┐")
    assert [one[column] for one in page[began : ended + 1]] == ["┐", "│", "│", "┘"]
    chart.maker.calls = False
    rows = chart.rows(len(talk.tracker.timeline))
    assert not any("recv" in plain_line(chart.draw(row, 80, len(rows), 0)) for row in rows)


def test_the_head_names_those_that_are_in_sight() -> None:
    tracker, _front, _back = three_hosts()
    chart = HostsChart(tracker.timeline, list(tracker.connections.values()))
    head = [plain_line(one) for one in chart.header(80, 3, 1, {"B"})]
    assert head[0].startswith(" B  10.0.0.2:50000")
    assert head[0].endswith("and 1 more")
    assert plain_line(chart.header(120, 3, 1, {"B"})[0]).count(" > ") == 2


def test_rows_are_made_around_the_cursor_only() -> None:
    talk = bulk(2000)
    chart = HostsChart(talk.tracker.timeline, list(talk.tracker.connections.values()))
    rows = chart.rows(2000)
    assert len(rows) <= 400
    assert rows[0].step_index < 2000 < rows[-1].step_index
    assert max(row.step_index for row in chart.rows(2000, future=False)) == 2000

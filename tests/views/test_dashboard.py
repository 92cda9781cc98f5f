"""The dashboard: what is unusual and why, and the table at each size."""

from __future__ import annotations

import re

import pytest

from tcpviz import words
from tcpviz.core.census import STATES, Tally
from tcpviz.core.states import State
from tcpviz.views import roles
from tcpviz.views.dashboard import Board, draw, told
from tcpviz.views.dashboard_words import RULES, unusual
from tcpviz.views.explain_edges import TIMERS, edge_text, state_text
from tcpviz.views.layouts import FIGURE_ROWS
from tcpviz.views.numbers import count as short_count
from tcpviz.views.numbers import duration
from tcpviz.views.spans import plain, plain_line, text_width, width

SECOND = 1_000_000_000
NOW = 1_700_000_000 * SECOND


def tallies(**figures: tuple[int, float]) -> tuple[Tally, ...]:
    """``CLOSE_WAIT=(count, age of the oldest in seconds)``."""
    made = []
    for state in STATES:
        count, age = figures.get(state.name if state is not None else "UNKNOWN", (0, 0))
        since = NOW - int(age * SECOND) if count else None
        made.append(Tally(state, count, count, since, count / 10))
    return tuple(made)


def of(state: State, count: int, age: float) -> Tally:
    return Tally(state, count, count, NOW - int(age * SECOND))


def test_few_and_young_is_nothing_unusual_in_any_state():
    for state in State:
        assert unusual(of(state, 3, 0.5), NOW) is None
        assert unusual(Tally(state), NOW) is None


def test_many_and_old_where_that_is_normal_is_not_unusual():
    for state in (State.ESTABLISHED, State.LISTEN, State.CLOSED):
        assert unusual(of(state, 100_000, 86_400), NOW) is None


@pytest.mark.parametrize("state", RULES, ids=str)
def test_every_passing_state_has_its_limits_and_says_why(state):
    rule = RULES[state]
    for count, age, role in (
        (rule.many, 0, roles.MARK_WARNING),
        (rule.too_many, 0, roles.MARK_BAD),
        (1, rule.old_ns / SECOND, roles.MARK_WARNING),
        (1, rule.very_old_ns / SECOND, roles.MARK_BAD),
    ):
        found = unusual(of(state, count, age), NOW)
        if not age and count == 1:
            assert found is None  # not judged by age
            continue
        assert found is not None
        assert found.role == role
        assert found.sign
        assert len(f"{state} !! {found.why}") <= 156  # two rows of 78


def test_a_table_at_80_by_15():
    board = Board(
        tallies(SYN_RECEIVED=(240, 9), ESTABLISHED=(12_000, 300_000), CLOSE_WAIT=(2, 400)),
        NOW,
        6121,
    )
    made = draw(board, 80, 15)
    text = plain(made.lines)
    rows = {line.split()[0]: line for line in text.splitlines() if line.strip()}
    assert rows["SYN-RECEIVED"].split()[1:3] == ["240", "!!"]
    assert "240 at once" in rows["SYN-RECEIVED"]
    assert "3 d 11 h" in rows["ESTABLISHED"]
    assert "!" not in rows["ESTABLISHED"]
    assert "for 6 m 40 s already" in rows["CLOSE-WAIT"]
    assert "6 121 connections, 12 242 ends  unusual: 2" in text
    assert plain_line(told(board)).startswith("SYN-RECEIVED !! Half-open")
    assert [made.state_at(5, y) for y in range(1, 12)] == list(State)


def test_one_of_anything_is_singular():
    text = plain(draw(Board(tallies(LISTEN=(1, 1)), NOW, 1), 80, 15).lines)
    assert "1 connection, 1 end\n" in text


def test_a_length_of_time_is_written_as_in_the_list():
    board = Board(tallies(ESTABLISHED=(1, 1.98), TIME_WAIT=(1, 250), LISTEN=(1, 3540.4)), NOW, 1)
    for cells in (41, 50, 80, 120):
        text = plain(draw(board, cells, 15 if cells < 100 else 30).lines)
        for old in (1.98, 250, 3540.4):
            assert duration(int(old * SECOND)) in text, (cells, old)


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("cells", [41, 50, 80])
def test_the_titles_stand_over_their_columns(language, cells):
    board = Board(tallies(ESTABLISHED=(12_000, 59.9), UNKNOWN=(7, 0)), NOW, 6121)
    words.use(language)
    try:
        rows = draw(board, cells, 16).lines
        titles = [words._(name) for name in ("state", "ends", "oldest", "new/s")]
    finally:
        words.use("en")
    head = plain_line(rows[0])

    def ends_at(text: str, part: str) -> int:
        return text_width(text[: text.index(part)] + part)

    busy = next(plain_line(row) for row in rows if "ESTABLISHED" in plain_line(row))
    figures = [short_count(12_000), duration(int(59.9 * SECOND)), "1200"]
    assert [ends_at(head, each) for each in titles[1:]] == [ends_at(busy, n) for n in figures]
    assert all(width(row) == cells for row in rows)


def test_beside_the_diagram_what_is_counted_has_rows_enough():
    board = Board(tallies(SYN_SENT=(1799, 38), TIME_WAIT=(110_000, 39)), NOW, 130_682)
    text = plain(draw(board, 120, 26).lines)
    assert "130 682 connections, 111 799 ends\n" in text
    assert re.search(r"  unusual: 2$", text, re.MULTILINE)


def test_a_note_is_broken_where_it_does_not_fit_beside_the_diagram():
    note = "at the end of the capture; ages are since the last segment"
    board = Board(tallies(TIME_WAIT=(110_000, 39)), NOW, 130_682, note=note)
    rows = [row[76:].strip() for row in plain(draw(board, 120, 30).lines).splitlines()]
    assert note in " ".join(rows)


def test_what_was_skipped_is_told_with_its_reasons():
    skipped = {"ARP": 6, "UDP": 48_000, "evil \x1b[31m": 1}
    board = Board(tallies(ESTABLISHED=(2, 60)), NOW, 1, skipped=skipped)
    text = plain(draw(board, 120, 30).lines)
    assert "skipped 48 007: 48 000 UDP, 6 ARP" in " ".join(text.split())
    assert "\x1b" not in text
    assert "skipped" not in plain(draw(board, 80, 14).lines)  # the states need the rows


@pytest.mark.parametrize("size", [(37, 13), (80, 15), (120, 30), (130, 24), (200, 45), (20, 3)])
def test_every_size_is_filled_exactly(size):
    board = Board(tallies(TIME_WAIT=(30_000, 59), UNKNOWN=(7, 1)), NOW, 15_004, ascii=True)
    made = draw(board, *size)
    assert len(made.lines) == size[1]
    assert all(width(one) == size[0] for one in made.lines)
    assert plain(made.lines).isascii()


def test_the_diagram_carries_the_counts_where_there_is_room():
    board = Board(tallies(LAST_ACK=(21, 2), ESTABLISHED=(5, 60)), NOW, 13, State.LAST_ACK)
    made = draw(board, 190, 40)
    assert made.figure is not None
    box = made.figure.box[State.LAST_ACK]
    lower = plain_line(made.lines[box.y + box.height - 1])[box.x : box.x + box.width]
    assert " 21, 2 s ! " in lower
    assert made.state_at(box.x + 2, box.y + 1) is State.LAST_ACK
    assert "this one" in plain_line(told(board)) or "last ACK" in plain_line(told(board))


@pytest.mark.parametrize("state", State, ids=str)
def test_every_state_is_told_with_ways_in_and_out(state):
    text = state_text(state, ["server, seen: \x1b[31mevil"])
    assert TIMERS[state] in text
    assert "\x1b" not in text
    for heading in ("It means", "Application", "What ends it", "Linux", "RFC 9293", "Ways out"):
        assert heading in text
    for pair, row in FIGURE_ROWS.items():
        if state in pair:
            assert f"{row.label}" in text


@pytest.mark.parametrize("pair", FIGURE_ROWS, ids=lambda pair: f"{pair[0]}-{pair[1]}")
def test_every_edge_is_told_and_where_it_leads(pair):
    text = edge_text(FIGURE_ROWS[pair])
    assert FIGURE_ROWS[pair].section in text
    assert f"It leads to\t{pair[1]}" in text

"""The connection list: columns that fit, certainty that shows, words that find."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tcpviz.core.connection import Connection
from tcpviz.core.segment import Endpoint
from tcpviz.core.tracker import Tracker
from tcpviz.views import roles, table
from tcpviz.views.ages import age_ns
from tcpviz.views.spans import plain_line, width
from tests.core.dialogue import Talk

SIX = Endpoint("2001:db8:1234:5678:9abc:def0:1234:5678", 65535)


def several() -> list[Connection]:
    """Open, refused, closed, in mid-stream, and one over IPv6."""
    tracker = Tracker()
    Talk(tracker=tracker).handshake()
    refused = Talk(client=Endpoint("10.0.0.9", 50001), tracker=tracker)
    refused.client("S")
    refused.server("RA")
    closed = Talk(client=Endpoint("10.0.0.7", 50002), tracker=tracker).handshake()
    closed.client("PA", 5000)
    closed.server("A")
    closed.client("FA")
    closed.server("FA")
    closed.client("A")
    midstream = Talk(client=Endpoint("10.0.0.8", 50003), tracker=tracker)
    midstream.client("PA", 10)
    Talk(client=SIX, server=Endpoint("2001:db8::1", 443), tracker=tracker).handshake()
    return list(tracker.connections.values())


@pytest.mark.parametrize("cells", range(230))
def test_heading_and_rows_are_exactly_as_wide_as_asked(cells: int) -> None:
    assert width(table.header(cells)) == cells
    for connection in several():
        for ascii_only in (False, True):
            line = table.row(connection, cells, connection.last_ns, True, ascii_only=ascii_only)
            assert width(line) == cells
            assert not ascii_only or all(span.text.isascii() for span in line)


@settings(max_examples=50)
@given(st.integers(5, 230))
def test_columns_come_in_by_importance_and_stay(cells: int) -> None:
    now = {column.name for column, _ in table.columns(cells, owners=True)}
    wider = {column.name for column, _ in table.columns(cells + 1, owners=True)}
    assert now <= wider


def test_what_there_is_room_for() -> None:
    def names(cells: int) -> set[str]:
        return {column.name for column, _ in table.columns(cells)}

    assert names(40) == {"id", "server", "client_state", "server_state"}
    assert names(80) >= names(40) | {"client", "verdict"}
    assert names(120) >= names(80) | {"phase", "segments", "time", "bytes"}
    assert names(140) == {column.name for column in table.COLUMNS} - {"process", "inside"}
    assert "inside" in {column.name for column, _ in table.columns(100, scopes=True)}
    whole = {column.name for column, _ in table.columns(160, owners=True, scopes=True)}
    assert whole == {column.name for column in table.COLUMNS}


def test_an_ordinary_address_and_port_are_whole_from_80_columns_on() -> None:
    # Which connection it is comes before how many bytes it had.
    for cells in (80, 100, 120, 160, 200):
        sizes = {column.name: size for column, size in table.columns(cells)}
        assert sizes["client"] >= len("10.0.0.1:40001")
        assert sizes["server"] >= len("10.0.0.2:7777")


@given(st.integers(5, 230), st.integers(0, 60), st.integers(0, 60), st.booleans())
def test_columns_are_as_wide_as_asked_whatever_the_addresses_need(
    cells: int, client: int, server: int, owners: bool
) -> None:
    plain = dict(table.columns(cells, owners=owners))
    sizes = dict(table.columns(cells, owners=owners, ends=(client, server)))
    assert list(sizes) == list(plain)
    assert sum(sizes.values()) + len(sizes) <= max(cells, 5)
    assert width(table.header(cells, owners=owners, ends=(client, server))) == cells


def test_what_short_addresses_do_not_need_the_verdict_gets() -> None:
    closed = several()[2]
    ends = table.needs([closed])
    assert ends == (len(str(closed.client.endpoint)), len(str(closed.server.endpoint)))
    assert table.needs([], ends) == ends
    assert "closed normally by cl…" in plain_line(table.row(closed, 120, closed.last_ns))
    line = plain_line(table.row(closed, 120, closed.last_ns, ends=ends))
    assert "closed normally by client" in line
    assert str(closed.client.endpoint) in line
    assert str(closed.server.endpoint) in line


def test_a_row_tells_the_story() -> None:
    closed = several()[2]
    line = plain_line(table.row(closed, 160, closed.last_ns))
    for part in ("10.0.0.7:50002", "10.0.0.2:80", "TIME-WAIT", "~CLOSED", "teardown 4/4", "5 kB"):
        assert part in line
    assert "closed normally by client" in line
    assert "2 ms" in line


def test_certainty_is_told_by_letter_and_by_role() -> None:
    opened, _, _, midstream, _ = several()
    line = table.row(opened, 120, opened.last_ns)
    assert any(s.role == roles.INFERRED and "~ESTABLISHED" in s.text for s in line) or any(
        s.role == roles.INFERRED and "~ESTAB" in s.text for s in line
    )
    line = table.row(midstream, 120, midstream.last_ns)
    assert any(s.role == roles.UNKNOWN and "unknown" in s.text for s in line)


def test_the_port_outlives_the_address() -> None:
    assert table.endpoint_text(SIX, 60) == str(SIX)
    for cells in range(9, 40):
        text = table.endpoint_text(SIX, cells)
        assert len(text) <= cells
        assert text.endswith(":65535") == (cells >= 10)
    assert table.endpoint_text(Endpoint("10.0.0.1", 80), 12) == "10.0.0.1:80"
    assert table.endpoint_text(Endpoint("141.142.220.118", 35634), 15) == "…220.118:35634"


def test_an_open_one_ages_and_a_closed_one_does_not() -> None:
    opened, _, closed, *_ = several()
    later = opened.last_ns + 250 * 10**9
    assert age_ns(opened, later) == later - opened.first_ns
    assert age_ns(closed, later) == closed.last_ns - closed.first_ns
    assert age_ns(opened, 0) == opened.last_ns - opened.first_ns


def test_the_selected_row_is_marked_without_colour() -> None:
    one = several()[0]
    assert plain_line(table.row(one, 80, 0, True)).startswith("▸")
    assert plain_line(table.row(one, 80, 0, False)).startswith(" ")


@pytest.mark.parametrize("by", [column.name for column in table.COLUMNS])
def test_every_column_sorts(by: str) -> None:
    connections = several()
    assert sorted(c.id for c in table.ordered(connections, by)) == [1, 2, 3, 4, 5]


def test_numbers_sort_with_the_greatest_first() -> None:
    assert table.ordered(several(), "bytes")[0].id == 3
    with pytest.raises(KeyError):
        table.ordered([], "shoe size")


@pytest.mark.parametrize(
    ("number", "cells", "shown"),
    [(7, 3, "7"), (999, 3, "999"), (20120, 3, "…20"), (20120, 4, "…120")],
)
def test_of_a_long_number_the_end_is_shown(number: int, cells: int, shown: str) -> None:
    assert table.number_text(number, cells) == shown


@given(st.integers(80, 230), st.integers(1, 9), st.booleans())
def test_numbers_of_a_large_file_are_whole(cells: int, digits: int, owners: bool) -> None:
    sizes = {c.name: size for c, size in table.columns(cells, owners=owners, digits=digits)}
    assert sizes["id"] >= digits
    assert sizes["verdict"] >= 16
    # The columns are the same, and as wide as asked.
    assert list(sizes) == [c.name for c, _ in table.columns(cells, owners=owners)]
    assert sum(sizes.values()) + len(sizes) <= cells
    for digit in (digits, 3):
        assert width(table.header(cells, owners=owners, digits=digit)) == cells

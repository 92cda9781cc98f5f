"""CSV: a heading, a row a connection, and nothing that a spreadsheet would run."""

from __future__ import annotations

import csv
import io

import pytest

from tcpviz.core.tracker import Tracker
from tcpviz.export import csv_table
from tests.core.dialogue import Talk


def test_a_row_has_every_column() -> None:
    tracker = Tracker()
    talk = Talk(tracker=tracker).handshake()
    talk.client("PA", 5)
    talk.now += 10**9
    talk.client("PA", 5, seq=1)
    rows = list(csv.DictReader(io.StringIO(csv_table.text(tracker.connections.values()))))
    assert len(rows) == 1
    row = rows[0]
    assert tuple(row) == csv_table.COLUMNS
    assert row["client_addr"] == "10.0.0.1"
    assert row["client_state"] == "ESTABLISHED"
    assert row["server_certainty"] in ("seen", "inferred")
    assert row["client_bytes"] == "10"
    assert "retransmission=1" in row["marks"]
    assert None not in row.values()


def test_what_is_not_known_is_empty() -> None:
    talk = Talk(tracker=Tracker(analyse=False))
    talk.client("S")
    row = next(csv.DictReader(io.StringIO(csv_table.text([talk.connection]))))
    assert row["conn_state"] == row["marks"] == row["handshake_rtt_ns"] == ""


def test_no_connections_leave_the_heading() -> None:
    assert csv_table.text([]) == ",".join(csv_table.COLUMNS) + "\n"


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1"])
def test_formulas_are_defused(text: str) -> None:
    assert csv_table.safe(text) == "'" + text


def test_numbers_and_plain_text_stay() -> None:
    assert csv_table.safe(-5) == -5
    assert csv_table.safe(None) == ""
    assert csv_table.safe("10.0.0.1") == "10.0.0.1"

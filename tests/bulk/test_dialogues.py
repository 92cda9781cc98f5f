"""Little dialogues in which columns once said otherwise than the core, kept one by one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tcpviz.bulk.segments.reading import Reading
from tcpviz.bulk.tables.filerows import FileRows
from tcpviz.bulk.tables.growing import Snapshot
from tcpviz.bulk.tables.table import Table
from tcpviz.core.troubles import Gathering
from tcpviz.core.watch import Watch
from tests.bulk.compare import built, differences, scalar, stories
from tests.bulk.written import pcap, said

AGAIN = ["> S 0", "< SA 0 1"]
TALK = ["> S 0", "< SA 0 1", "> A 1 1", "> PA 1:100 1", "< A 1 101"]
CLOSED = [*TALK, "> FA 101 1", "< FA 1 102", "> A 102 2"]

DIALOGUES: dict[str, list[list[str]]] = {
    # Once replaced, only whether data had begun tells its phase.
    "a bare ACK after the handshake, then another connection": [[*TALK[:3], "> A 1 1"], AGAIN],
    "the handshake alone, then another connection": [TALK[:3], AGAIN],
    # The numbers of those before, which the troubles of a capture ask for.
    "one after the other": [CLOSED, CLOSED, CLOSED, TALK],
    "an open one, one that nobody answers, another": [TALK, ["> S 0"], CLOSED, TALK],
    "closed, nobody answers, closed": [CLOSED, ["> S 0"], CLOSED, ["> S 0"], ["> S 0"], CLOSED],
    # The first of all is not asked what it came after.
    "with ECN and without": [["> SEC 0", *CLOSED[1:]], CLOSED],
    "refused, and again": [["> S 0", "< RA 0 1"], CLOSED, ["> S 0", "< RA 0 1"]],
}


def frames(dialogue: list[list[str]], pause: int) -> list[tuple[int, bytes]]:
    """Each connection with numbers of its own, an hour's worth of milliseconds apart."""
    out: list[tuple[int, bytes]] = []
    now = 1_700_000_000_000_000
    for turn, lines in enumerate(dialogue):
        iss = (1000 + turn * 77_000_000, 500_000 + turn * 91_000_000)
        for line in lines:
            now += 1000
            out.append((now, said(line, len(out) + 1, iss)))
        now += pause
    return out


@pytest.mark.parametrize("pause", [1000, 70_000_000, 200_000_000])
@pytest.mark.parametrize("name", DIALOGUES)
def test_columns_say_of_it_what_the_core_says(tmp_path: Path, name: str, pause: int) -> None:
    path = tmp_path / "dialogue.pcap"
    pcap(path, frames(DIALOGUES[name], pause))
    assert differences(path) == []
    count, found = stories(path)
    assert (count, found) == (len(DIALOGUES[name]), [])


def test_those_before_have_the_numbers_of_the_table(tmp_path: Path) -> None:
    """Also where some were followed and some were not, one flow among others."""
    path = tmp_path / "many.pcap"
    mixed = []
    for port in range(40):
        odd = port % 3 == 0  # what is behind a hole that is never filled is not regular
        lines = [CLOSED, [*TALK, "< PA 900:950 101"] if odd else TALK, CLOSED]
        for time, data in frames(lines, 1000):
            moved = bytearray(data)
            at = 20 if moved[12:16] == bytes((10, 0, 0, 1)) else 22
            moved[at : at + 2] = (2000 + port).to_bytes(2, "big")
            mixed.append((time + port * 300, bytes(moved)))
    pcap(path, sorted(mixed))
    building = built(path)
    assert len(building.followed) > 10
    assert len(building.array["first"]) > 10
    older = [each.older for each in Table(building)]
    assert sum(len(each) == 2 for each in older) == 40
    assert differences(path, building) == []


def test_troubles_look_back_at_those_before(tmp_path: Path) -> None:
    """A file's rows tell who had the ports before; the screen's tracker knows only its first."""
    path = tmp_path / "again.pcap"
    pcap(path, frames([CLOSED, TALK, CLOSED, TALK, CLOSED], 1000))
    connections = scalar(path).connections
    one, watch = Gathering(known=connections), Watch(connections.values())
    reading = Reading(str(path))
    reading.read()
    rows = FileRows(Snapshot(reading, 1, whole=True))
    other, until = Gathering(known=rows), rows.watch()
    for ident, each in connections.items():
        one.add(each, watch.until(each))
        other.add(rows[ident - 1], until.until(rows[ident - 1]))
    assert "ports-reused" in [each.code for each in one.troubles()]
    assert other.troubles() == one.troubles()
    reading.close()

"""A capture by the scalar core and by columns, side by side."""

from __future__ import annotations

import io
import re
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np

from tcpviz.bulk.connections.building import Building
from tcpviz.bulk.segments.columns import HEADS
from tcpviz.bulk.segments.reading import Reading, Unsuited
from tcpviz.bulk.tables.growing import Snapshot
from tcpviz.bulk.tables.headlines import headlines
from tcpviz.bulk.tables.stories import Stories
from tcpviz.bulk.tables.table import FOLLOWED, Table
from tcpviz.core.connection import Connection
from tcpviz.core.crowds import crowds
from tcpviz.core.tracker import Tracker
from tcpviz.core.troubles import Gathering, Trouble
from tcpviz.core.watch import Watch
from tcpviz.export import conn_log, conn_log_columns, table_columns
from tcpviz.export.jsonl import connection_object
from tcpviz.export.text import connection_table
from tcpviz.sources.files import FileFeed
from tests.bulk.alike import alike

_NUMBERS = "fin fin_ack first_seq iss last_ack rcv_nxt snd_nxt snd_una solid syn_end"
_LEFT = (
    "last_syn_ns time_wait_since waiting_ns reset_ns largest_acked stuck_len solid_from summed "
    "syn_frame fin_frame window window_scale mss sack ts_recent ts_sent ticks "
    "bad_sums wrong_sums _biggest _unsure observation former doubted"
)
_FIELD = r"\.({})(\[.*)?$"
KNOWN_OR_NOT = re.compile(_FIELD.format("|".join(_NUMBERS.split())))
"""Of a connection that columns tell by its shape's example only whether there is such a number.

Nothing that is asked of the table's connections depends on more; what is asked of one that is
looked at is followed (:func:`stories`), and equal without exception.
"""

# What the core remembers to judge the next segment by; totals and letters are told.
_REMEMBERED = r"^\.analysis\.marks|^\.analysis\.zeek\._|^\.former"
NOT_TOLD = re.compile(rf"{_FIELD.format('|'.join(_LEFT.split()))}|{_REMEMBERED}")
"""What is not told of such a connection at all."""

RECALLED = re.compile(
    r"^\.former|^\.observation|^\.analysis\.marks\.(last|_twice|_(client|server)\.(contents|log))"
)
"""Of one that the core was carried over: what it would read again when it asked for it.

Its latest observation is that of the latest segment that the core took.
"""


def scalar(path: Path) -> Tracker:
    """Everything, as the tracker has it at the end."""
    tracker = Tracker()
    for batch in FileFeed(str(path)).batches():
        for record in batch:
            tracker.feed(record)
    return tracker


def built(path: Path) -> Building:
    """The same in columns. Raises Unsuited."""
    reading = Reading(str(path), heads=True)
    try:
        reading.read()
        return Building(reading)
    except Unsuited:
        reading.close()
        raise


def differences(path: Path, building: Building | None = None) -> list[dict[str, Any]]:
    """What is not the same, by connection; empty if everything is. Closes the reading."""
    building = building or built(path)
    table = Table(building)
    connections = list(scalar(path).connections.values())
    out: list[dict[str, Any]] = []
    if len(table) != len(connections):
        out.append({"connections": (len(connections), len(table))})
    many = crowds(connections)
    if table.crowds != many:
        out.append({"crowds": (many, table.crowds)})
    watch = Watch(connections)
    made = list(table)
    lines, texts = headlines(table)
    for place, one in enumerate(connections[: len(table)]):
        said = connection_object(one, watch.until(one))
        other = connection_object(made[place], int(table.until_ns[place]))
        if texts[int(lines[place])] != said["verdict"]:
            out.append({"headline": (said["verdict"], texts[int(lines[place])])})
        if said != other:
            out.append({key: (said[key], other[key]) for key in said if said[key] != other[key]})
        deep = _deep(table, place, one, made[place])
        if deep:
            out.append({f"#{place + 1}": deep})
    out += _columns(table, connections, watch)
    out += _logged(table, connections)
    wrong = _troubles(connections, watch.until, many)
    found = _troubles(made, lambda c: int(table.until_ns[c.id - 1]), table.crowds)
    if wrong != found:
        out.append({"troubles": alike(wrong, found)})
    building.reading.close()
    return out


def _deep(table: Table, place: int, one: Connection, other: Connection) -> list[str]:
    """Every field of every object in a connection, but for those above."""
    if table._source[place] < FOLLOWED:
        return _but(one, other, NOT_TOLD)
    # Where it was followed alone it is another object. And how long the heads of packets are is
    # known where they were asked for: without them nobody is told ``ip_bytes`` of any connection.
    untold = HEADS not in table.building.reading.columns.array
    return alike(
        one,
        other,
        lambda at: bool(RECALLED.search(at)) or (untold and at.endswith(".ip_bytes")),
    )


def _but(one: Connection, other: Connection, which: re.Pattern[str]) -> list[str]:
    """All that differs but ``which``; and of :data:`KNOWN_OR_NOT` whether there is something."""
    found = alike(one, other, lambda at: bool(which.search(at)))
    return [
        each
        for each in found
        if not KNOWN_OR_NOT.search(each.split(": ")[0]) or " None /" in each or "/ None" in each
    ]


def _columns(table: Table, connections: list[Connection], watch: Watch) -> list[dict[str, Any]]:
    """The numbers that the list sorts by and shows, for all at once."""
    first = [c.first_ns for c in connections]
    rtt = [-1 if c.handshake_rtt_ns is None else c.handshake_rtt_ns for c in connections]
    told = {
        "first_ns": (first, table.first_ns),
        "last_ns": ([c.last_ns for c in connections], table.last_ns),
        "until_ns": ([watch.until(c) for c in connections], table.until_ns),
        "segments": ([c.client.segments + c.server.segments for c in connections], table.segments),
        "bytes": ([c.client.bytes + c.server.bytes for c in connections], table.bytes),
        "rtt": (rtt, table.rtt),
    }
    return [
        {f"column {name}": (one, other.tolist())}
        for name, (one, other) in told.items()
        if one != other.tolist()
    ]


def _logged(table: Table, connections: list[Connection]) -> list[dict[str, Any]]:
    """What is not the same in Zeek's log; where the capture was read for one."""
    if HEADS not in table.building.reading.columns.array:
        return []
    everyone = np.arange(len(table))
    found = [line for some in conn_log_columns.texts(table, everyone) for line in some]
    alone = [conn_log.line(each, conn_log_columns.sums(table, each)) for each in table]
    wanted = list(filter(None, map(conn_log.line, connections)))
    return [
        {"conn.log": pair}
        for made in (found, [*filter(None, alone)])
        for pair in zip_longest(wanted, made)
        if pair[0] != pair[1]
    ]


def _troubles(connections: list[Connection], until: Any, many: list[Any]) -> list[Trouble]:
    gathering = Gathering(known={c.id: c for c in connections})
    for one in connections:
        gathering.add(one, until(one))
    return gathering.troubles(crowds=many)


def stories(path: Path, *, most: int = 10_000) -> tuple[int, list[str]]:
    """Connections whose story was told from the columns, and what is not the core's in it.

    Nothing is left out here: each step of the connection and, at its end, every field of all
    that it holds. Only connections of fewer than ``most`` segments, which are followed whole.
    """
    reading = Reading(str(path))
    reading.read()
    snapshot = Snapshot(reading, 1, whole=True)
    everything = scalar(path)
    told = Stories(snapshot)
    out: list[str] = []
    count = 0
    sizes = snapshot.table.segments
    for ident, one in everything.connections.items():
        if sizes[ident - 1] >= most:
            continue
        count += 1
        story = told.tell(ident, 0, most)
        timeline = story.tracker.timeline
        steps = [everything.timeline[at] for at in everything.timeline.of(ident)]
        mine = [timeline[at] for at in timeline.of(ident)]
        other = story.tracker.connections[ident]
        for pair in ((one, other), (steps, mine)):
            found = alike(*pair, lambda at: bool(re.search(r"\.index$|^\.crowd$", at)))
            out += [f"{path.name} #{ident}: {each}" for each in found]
    reading.close()
    return count, out


def tables(path: Path) -> tuple[str, str]:
    """The table of connections as text, by the core and by columns."""
    feed = FileFeed(str(path))
    tracker = Tracker(keep=False)
    for batch in feed.batches():
        for record in batch:
            tracker.feed(record)
    connections = list(tracker.connections.values())
    one = connection_table(connections, feed.status, crowds=crowds(connections))
    building = built(path)
    out = io.BytesIO()
    table_columns.write(Table(building), building.reading.status, out)
    building.reading.close()
    return one, out.getvalue().decode()

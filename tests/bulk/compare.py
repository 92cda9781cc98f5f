"""A capture by the scalar core and by columns, side by side."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from tcpviz.bulk.building import Building
from tcpviz.bulk.headlines import headlines
from tcpviz.bulk.reading import Reading, Unsuited
from tcpviz.bulk.table import Table
from tcpviz.core.connection import Connection
from tcpviz.core.crowds import crowds
from tcpviz.core.tracker import Tracker
from tcpviz.core.watch import Watch
from tcpviz.export import table_columns
from tcpviz.export.jsonl import connection_object
from tcpviz.export.text import connection_table
from tcpviz.sources.files import FileFeed


def scalar(path: Path) -> list[Connection]:
    """All connections, as the tracker has them at the end."""
    tracker = Tracker(keep=False)
    for batch in FileFeed(str(path)).batches():
        for record in batch:
            tracker.feed(record)
    return list(tracker.connections.values())


def built(path: Path) -> Building:
    """The same in columns. Raises Unsuited."""
    reading = Reading(str(path))
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
    connections = scalar(path)
    out = []
    if len(table) != len(connections):
        out.append({"connections": (len(connections), len(table))})
    many = crowds(connections)
    if table.crowds != many:
        out.append({"crowds": (many, table.crowds)})
    watch = Watch(connections)
    lines, texts = headlines(table)
    for place, one in enumerate(connections[: len(table)]):
        said = connection_object(one, watch.until(one))
        other = connection_object(table.connection(place), int(table.until_ns[place]))
        if texts[int(lines[place])] != said["verdict"]:
            out.append({"headline": (said["verdict"], texts[int(lines[place])])})
        if said != other:
            out.append({key: (said[key], other[key]) for key in said if said[key] != other[key]})
    building.reading.close()
    return out


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

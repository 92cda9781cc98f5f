"""When more comes than can be followed: all connections counted, one followed.

Following a segment costs a tenth of a millisecond, counting it a hundredth of that. A feed that
counts every connection as it goes (:class:`tcpviz.bulk.live.feed.RingFeed`) is therefore asked,
when what waits grows beyond :data:`BEHIND`, for the segments of one connection only; the list
then shows what was counted, and whichever connection is selected is followed from as far back as
its segments are kept. When little comes for some seconds everything is followed again: new
connections as ever, and of those that were counted what comes from then on, while the list goes on
to show what was counted of them.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace
from typing import Any, Protocol

from tcpviz.core.connection import Connection
from tcpviz.core.hosts import HostReading, HostSocket
from tcpviz.core.rows import ConnectionRows
from tcpviz.core.segment import FlowKey
from tcpviz.core.tracker import Tracker
from tcpviz.sources.feed import Feed
from tcpviz.ui.pump import Pump

BEHIND = 16
"""Batches that wait: half a second of a live capture, or more."""

TELLS = (
    "more comes than can be followed one by one: all connections are counted, "
    "the selected one is followed"
)

NOT_FOLLOWED = "counted, not followed"

AGAIN = (
    "few enough come to be followed one by one again; what came meanwhile was counted, not followed"
)


class Rows(Protocol):
    """Connections that are counted, in the order in which they began."""

    def __len__(self) -> int: ...
    def __getitem__(self, place: int) -> Connection: ...
    def refresh(self) -> bool: ...
    def get(self, ident: int) -> Connection | None: ...
    def place_of(self, ident: int) -> int | None: ...
    def ident_of(self, key: FlowKey) -> int | None: ...
    def note(self, sock: HostSocket) -> None: ...


def rows_of(feed: Feed) -> Rows | None:
    """What the feed counts, if it does."""
    rows: Rows | None = getattr(feed, "rows", None) if getattr(feed, "ring", False) else None
    return rows


def about(reading: HostReading, connection: Connection | None) -> HostReading:
    """What a reading of the kernel's table says of that connection alone."""
    ends = set()
    if connection is not None:
        ends = {connection.client.endpoint, connection.server.endpoint}
    kept = tuple(sock for sock in reading.sockets if {sock.local, sock.peer} == ends)
    return replace(reading, sockets=kept)


def of_one(reading: HostReading, rows: Rows, ident: int | None) -> HostReading:
    """What the table says of the one that is followed; whose the others are, the rows keep."""
    for sock in reading.sockets:
        rows.note(sock)
    return about(reading, rows.get(ident or 0))


def falls_behind(pump: Pump) -> bool:
    """More waits than will be taken soon."""
    return pump.behind >= BEHIND or getattr(pump.feed, "overwhelmed", False)


def follow_only(feed: Feed, ident: int) -> None:
    """Ask the feed for one connection's segments, from as far back as it has them."""
    tell_why = getattr(getattr(feed, "rows", None), "tell_why", None)
    if tell_why is not None:
        tell_why()
    feed.only(ident)  # type: ignore[attr-defined]


def show_followed(rows: Rows | None, connections: OrderedDict[int, Connection]) -> None:
    """The list shows what is known of those that are followed, where that is all of them."""
    tell = getattr(rows, "show_followed", None)
    if tell is not None:
        tell(connections)


def look_for_calm(feed: Feed) -> None:
    """Ask for everything, where so little comes that all could be followed again."""
    if getattr(feed, "calm", False):
        feed.follow_all()  # type: ignore[attr-defined]


def calm_asked(feed: Feed) -> bool:
    """It was asked for, and nobody has asked for one connection since."""
    return bool(getattr(feed, "everything", False))


class _Drawn(Protocol):
    feed: Feed
    counted: Rows | None
    drawn: bool

    @property
    def resumed(self) -> bool: ...


def before_drawing(session: _Drawn) -> None:
    """What a busy link's connections are now; not ten times a second where two are drawn."""
    session.drawn = True
    if session.counted is not None and not session.resumed and rows_of(session.feed) is not None:
        session.counted.refresh()


class _Follows(Protocol):
    feed: Feed
    tracker: Tracker


def resume(rows: Rows, session: _Follows, since: int, most: int) -> Resumed:
    """From here on the session follows everything, up to ``most`` connections at a time."""
    table: Any = rows
    table.tell_why(NOT_FOLLOWED)
    session.tracker.go_on(since, most, table.number_of)
    session.feed.status.notes.append(AGAIN)
    return Resumed(rows, session.tracker.connections, since)


class Resumed(ConnectionRows):
    """The list after it: what was counted up to number ``since``, then what is followed.

    ``connections``  those that are followed, by number; of whoever was counted its row is shown,
                     which has all of it
    """

    def __init__(self, rows: Any, connections: OrderedDict[int, Connection], since: int) -> None:
        self._rows = rows
        self._connections = connections
        self._since = since
        self._known: tuple[int, int] = (-1, 0)
        self._later: list[Connection] = []
        self._places: dict[int, int] = {}
        self._before = 0
        self.refresh()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._rows, name)  # what is asked of all rows together

    def refresh(self) -> bool:
        changed = bool(self._rows.refresh())
        self._before = self._rows.up_to(self._since)
        known = (len(self._connections), next(reversed(self._connections), 0))
        if known != self._known:
            self._known = known
            since = self._since
            self._later = [one for number, one in self._connections.items() if number > since]
            self._places = {one.id: place for place, one in enumerate(self._later)}
            changed = True
        return changed

    def __len__(self) -> int:
        return self._before + len(self._later)

    def row(self, place: int) -> Connection:
        if place < self._before:
            counted: Connection = self._rows[place]
            return counted
        return self._later[place - self._before]

    def place_of(self, ident: int) -> int | None:
        """Where the connection with that number is."""
        if ident <= self._since:
            counted: int | None = self._rows.place_of(ident)
            return counted
        place = self._places.get(ident)
        return None if place is None else self._before + place

    def get(self, ident: int) -> Connection | None:
        """The connection with that number."""
        if ident > self._since:
            return self._connections.get(ident)
        one: Connection | None = self._rows.get(ident)
        return one

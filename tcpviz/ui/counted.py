"""When more comes than can be followed: all connections counted, one followed.

Following a segment costs a tenth of a millisecond, counting it a hundredth of that. A feed that
counts every connection as it goes (:class:`tcpviz.bulk.livefeed.RingFeed`) is therefore asked,
when what waits grows beyond :data:`BEHIND`, for the segments of one connection only; the list
then shows what was counted. That is told once, and it stays so: the list is the same, and
whichever connection is selected is followed from as far back as its segments are kept.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

from tcpviz.core.connection import Connection
from tcpviz.core.hosts import HostReading, HostSocket
from tcpviz.core.segment import FlowKey
from tcpviz.sources.feed import Feed
from tcpviz.ui.pump import Pump

BEHIND = 16
"""Batches that wait: half a second of a live capture, or more."""

TELLS = (
    "more comes than can be followed one by one: all connections are counted, "
    "the selected one is followed"
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


def falls_behind(pump: Pump) -> bool:
    """More waits than will be taken soon."""
    return pump.behind >= BEHIND or getattr(pump.feed, "overwhelmed", False)


def follow_only(feed: Feed, ident: int) -> None:
    """Ask the feed for one connection's segments, from as far back as it has them."""
    feed.only(ident)  # type: ignore[attr-defined]

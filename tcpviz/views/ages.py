"""How old a connection is, how long it took, and how long it has been silent."""

from __future__ import annotations

from tcpviz.core.connection import Connection


def age_ns(connection: Connection, now_ns: int) -> int:
    """How long it has been there, or took if it is over; nanoseconds, never negative."""
    end = connection.last_ns if connection.over else max(now_ns, connection.last_ns)
    return max(end - connection.first_ns, 0)


def duration_ns(connection: Connection) -> int:
    """From its first segment to its latest; nanoseconds, never negative."""
    return max(connection.last_ns - connection.first_ns, 0)


def idle_ns(connection: Connection, now_ns: int) -> int:
    """How long ago its latest segment was; nanoseconds, never negative."""
    return max(now_ns - connection.last_ns, 0)

"""A table's connections as a ``conn.log``: the lines of :mod:`conn_log`, many times as fast.

The capture has to be read with :data:`tcpviz.bulk.segments.columns.HEADS`. Of a regular
connection the core has followed one like it, whose sums are not its own: those are worked out
from its packets, here and in :class:`tcpviz.bulk.tables.portions.Portion`, by Zeek's rules
(:mod:`tcpviz.core.zeek`) for what is in order.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tcpviz.bulk.connections.beginnings import answers
from tcpviz.bulk.segments.columns import HEADS, rows_at
from tcpviz.bulk.segments.flows import counted_on
from tcpviz.bulk.tables.branches import Kind
from tcpviz.bulk.tables.facts import Column, Fill, Unfit
from tcpviz.bulk.tables.portions import CLIENT, SERVER, Portion
from tcpviz.bulk.tables.table import Table
from tcpviz.core.connection import Connection
from tcpviz.core.records import Side
from tcpviz.core.segment import FIN, RST, SYN
from tcpviz.core.zeek import ZeekSums
from tcpviz.export import alike, conn_log
from tcpviz.export.by_kind import ByKind
from tcpviz.export.conn_log import UNSET
from tcpviz.export.filling import Draft, Form, number

Array = NDArray[Any]

_STEP = 1 << 16
"""Segments of a connection that are looked at at a time."""

_PLACES = {name: place for place, (name, _) in enumerate(conn_log.COLUMNS)}
_LETTERS = np.frombuffer(conn_log.DIGITS.encode(), np.uint8)


def lines(table: Table) -> ByKind[str]:
    """What writes connections of ``table``; an empty line for one that is in no log."""

    def line(connection: Connection, _: int) -> str:
        return conn_log.line(connection, sums(table, connection))

    return ByKind(table, line, lambda kind: _form(table, kind))


def texts(table: Table, places: Array) -> Iterator[list[str]]:
    """The lines of the connections at these places, some thousand at a time."""
    return lines(table).made(places, lambda some: [each for each in some if each])


def sums(table: Table, connection: Connection) -> ZeekSums:
    """The sums of one of a table's connections, however long it is."""
    place = connection.id - 1
    regular, at = table.regular(np.array([place]))
    analysis = connection.analysis
    assert analysis is not None
    if not regular[0]:
        return analysis.zeek.sums
    building = table.building
    begin, size = (int(building.array[name][at[0]]) for name in ("place", "size"))
    order, columns = building.flows.order[begin : begin + size], building.reading.columns.array
    begun = rows_at(columns, order[:1])[0]
    latest: list[tuple[int, int] | None] = [None, None]  # its number, and that counted on
    far, syns, fins, packets, ip_bytes = [0, 0], [0, 0], [0, 0], [0, 0], [0, 0]
    closed: list[tuple[int, int] | None] = [None, None]  # which of its segments, and when
    for step in range(0, size, _STEP):
        rows = order[step : step + _STEP]
        row = rows_at(columns, rows)
        flags = row["flags"]
        theirs = (row["src"] != begun["src"]) | (row["sport"] != begun["sport"])
        theirs ^= answers(begun["flags"])
        for side in (CLIENT, SERVER):
            mine = np.flatnonzero(theirs == bool(side))
            if not len(mine):
                continue
            seq, own = row["seq"][mine], flags[mine]
            before = latest[side] or (int(seq[0]), 0)
            begins = before[1] + counted_on(seq, before[0])
            latest[side] = int(seq[-1]), int(begins[-1])
            length = row["length"][mine].astype(np.int64)
            packets[side] += len(mine)
            ip_bytes[side] += int((length + columns[HEADS][rows[mine]]).sum())
            end = begins + length + (own & FIN) + (own & SYN != 0)
            far[side] = max(far[side], int(end[own & RST == 0].max(initial=0)))
            syns[side] += int(np.count_nonzero(own & SYN))
            fins[side] += int(np.count_nonzero(own & FIN))
            closing = np.flatnonzero(own & (FIN | RST))
            if closed[side] is None and len(closing):
                which = int(mine[closing[0]])
                closed[side] = step + which, int(row["time"][which])
    ends = [each for each in closed if each is not None]
    until = max(ends)[1] if len(ends) == 2 else connection.last_ns
    counted = [each - (each and had > 0) for each, had in zip(far, syns, strict=True)]
    counted = [each - (each and had > 0) for each, had in zip(counted, fins, strict=True)]
    one, other = _order(analysis.zeek.originator)
    return ZeekSums(
        max(until - connection.first_ns, 0),
        (counted[one], counted[other]),
        analysis.zeek.sums.missed_bytes,
        (packets[one], packets[other]),
        (ip_bytes[one], ip_bytes[other]),
    )


def _order(originator: Side | None) -> tuple[int, int]:
    """Originator and responder: of what was not captured from its SYN on the ports decide."""
    return (SERVER, CLIENT) if originator is Side.SERVER else (CLIENT, SERVER)


def _form(table: Table, kind: Kind) -> tuple[Form, str]:
    connection = kind.connection
    analysis = connection.analysis
    if analysis is None:
        raise Unfit
    own = sums(table, connection)
    cells = list(conn_log.row(connection, own) or ())
    itself = conn_log.joined(cells)
    draft = Draft(r"\x01(\d+)\x01")
    holes: dict[str, Fill] = {
        "ts": lambda portion, which: _seconds(portion.first_ns[which]),
        "uid": _uid,
        "duration": _duration,
        "community_id": alike.community,
    }
    for side, name in zip(_order(analysis.zeek.originator), ("orig", "resp"), strict=True):
        holes |= {
            f"id.{name}_h": alike.address(side),
            f"id.{name}_p": number(alike.port(side)),
            f"{name}_bytes": _bytes(side),
            f"local_{name}": _local(side),
            f"{name}_pkts": number(_segments(side)),
            f"{name}_ip_bytes": number(_ip_bytes(side)),
        }
    for name, fill in holes.items():
        cells[_PLACES[name]] = draft.hole(fill)
    return draft.form(conn_log.joined(cells)), itself


def _segments(side: int) -> Column:
    return lambda portion: portion.segments(side)


def _ip_bytes(side: int) -> Column:
    return lambda portion: portion.ip_bytes(side)


def _seconds(nanoseconds: Array) -> list[str]:
    """As :func:`conn_log.seconds` has them."""
    micro = (nanoseconds + 500) // 1000
    whole = micro // 1_000_000
    return [
        f"{second}.{rest:06d}"
        for second, rest in zip(whole.tolist(), (micro - whole * 1_000_000).tolist(), strict=True)
    ]


def _duration(portion: Portion, which: Array) -> list[Any]:
    lasted = portion.lasting()[which]
    texts = _seconds(lasted)
    for at in np.flatnonzero(lasted == 0).tolist():
        texts[at] = UNSET
    return texts


def _bytes(side: int) -> Fill:
    def fill(portion: Portion, which: Array) -> list[Any]:
        counts: list[Any] = portion.stream(side)[which].tolist()
        for at in np.flatnonzero(portion.lasting()[which] == 0).tolist():
            counts[at] = UNSET
        return counts

    return fill


def _local(side: int) -> Fill:
    def fill(portion: Portion, which: Array) -> list[Any]:
        def made() -> Array:
            unique, back = np.unique(portion.address(side), return_inverse=True)
            local = map(conn_log.is_local, map(portion.table.address, unique.tolist()))
            return np.array(["FT"[each] for each in local], object)[back]

        texts: list[Any] = portion.worked("local", side, made)[which].tolist()
        return texts

    return fill


def _uid(portion: Portion, which: Array) -> list[Any]:
    """As :func:`conn_log.uid` makes them."""
    texts: list[Any] = portion.worked("uid", 0, lambda: _uids(portion))[which].tolist()
    return texts


def _uids(portion: Portion) -> Array:
    everyone = np.arange(len(portion))
    scopes = portion.table.building.reading.columns.tables.scopes
    ends = [
        zip(alike.address(side)(portion, everyone), portion.port(side).tolist(), strict=True)
        for side in (CLIENT, SERVER)
    ]
    digests = [
        conn_log.digest(
            (
                *(f"{address} {port}" for address, port in sorted((client, server))),
                *scopes[scope][1],
                str(first),
            )
        )
        for client, server, scope, first in zip(
            *ends, portion.scope().tolist(), portion.first_ns.tolist(), strict=True
        )
    ]
    # A number of 128 bits in four parts, divided by 62 again and again.
    parts = np.frombuffer(b"".join(digests), ">u4").reshape(-1, 4).T.astype(np.uint64)
    out = np.empty((len(digests), 18), np.uint8)
    out[:, 0] = ord("C")
    for place in range(1, 18):
        rest = np.zeros(len(digests), np.uint64)
        for part in parts:
            rest <<= np.uint64(32)
            rest |= part
            part[:] = rest // np.uint64(62)
            rest -= part * np.uint64(62)
        out[:, place] = _LETTERS[rest]
    text = out.tobytes().decode("ascii")
    return np.array([text[at : at + 18] for at in range(0, len(text), 18)], object)

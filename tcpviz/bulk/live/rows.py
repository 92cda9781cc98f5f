"""What the screen shows of a row of the live table: a connection, made when it is looked at.

What is made is a :class:`~tcpviz.core.connection.Connection` whose ends stand where the row's
numbers put them, so that list, filter and verdict need to know nothing of rows. What a row does
not tell (marks, history, why) is not made up: ``analysis`` is missing, and the claims say that
they were counted and not followed.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping
from dataclasses import replace
from threading import Lock

import numpy as np

from tcpviz.bulk.live.mixing import MAPPED, packed
from tcpviz.bulk.live.states import STATES, fins_acked, refused, states, third
from tcpviz.bulk.live.table import Ints, LiveTable
from tcpviz.core.claims import Certainty, Claim
from tcpviz.core.connection import Connection
from tcpviz.core.halfconn import End
from tcpviz.core.hosts import HostSocket
from tcpviz.core.records import Side
from tcpviz.core.rows import ConnectionRows
from tcpviz.core.segment import Endpoint, FlowKey
from tcpviz.core.states import State
from tcpviz.core.troubles_many import Trouble

MOST_SOCKETS = 20_000
"""Sockets of the host's table that are remembered (some 600 bytes each); the oldest go first."""

KEPT = 2048
"""Connections that are kept as made until something happens to them."""

COUNTED = "counted in bulk; select it to follow it"
MISSED = "counted in bulk, and packets were missed"

_SIDES = (Side.CLIENT, Side.SERVER)


class Counted(Connection):
    """A connection of which there is a row of numbers only."""

    again = 0

    @property
    def marks(self) -> dict[str, int]:
        """What was sent and not beyond what had been sent: told as repetitions."""
        return {"retransmission": self.again} if self.again else {}


def endpoint(told: bytes) -> Endpoint:
    """From 16 bytes of address (IPv4 behind ``::ffff:``) and two of port."""
    if told[:12] == MAPPED:
        text = ".".join(map(str, told[12:16]))
    else:
        text = socket.inet_ntop(socket.AF_INET6, told[:16])
    return Endpoint(text, int.from_bytes(told[16:], "big"))


class LiveRows(ConnectionRows):
    """The table's connections in the order in which they began; made one by one when asked for.

    ``lock`` is held by whoever changes the table. Positions hold until :meth:`refresh`, which
    has ``count`` enter, with the lock, what has come and was not counted yet.
    """

    def __init__(
        self,
        table: LiveTable,
        lock: Lock | None = None,
        count: Callable[[], None] = lambda: None,
    ) -> None:
        self.table = table
        self._lock = lock or Lock()
        self._count = count
        self._made: dict[int, tuple[int, int, Connection]] = {}
        self._rows = np.zeros(0, np.int64)
        self._idents = np.zeros(0, np.int64)
        self._born = -1
        self._why = COUNTED
        self._sockets: dict[bytes, HostSocket] = {}
        self._followed: Mapping[int, Connection] = {}
        self.refresh()

    def refresh(self) -> bool:
        """Look which there are now; false where none has come since."""
        table = self.table
        with self._lock:
            self._count()
            if table.born == self._born:
                return False
            self._born = table.born
            self._rows = table.rows()
            self._idents = table.ident[self._rows]
        return True

    def __len__(self) -> int:
        return len(self._rows)

    def row(self, place: int) -> Connection:
        with self._lock:
            return self._of(self._rows[place : place + 1])[0]

    def some(self, places: range) -> list[Connection]:
        with self._lock:
            return self._of(self._rows[list(places)])

    def last_id(self) -> int:
        return int(self._idents[-1])

    def place_of(self, ident: int) -> int | None:
        """Where the connection with that number is, in about no time."""
        place = int(np.searchsorted(self._idents, ident))
        found = place < len(self._idents) and self._idents[place] == ident
        return place if found else None

    def get(self, ident: int) -> Connection | None:
        """The connection with that number, if it is still kept."""
        place = self.place_of(ident)
        return None if place is None else self[place]

    def tell_why(self, why: str = COUNTED) -> None:
        """What the claims of those that are made from now on say."""
        if why != self._why:
            self._why = why
            self._made.clear()

    def show_followed(self, connections: Mapping[int, Connection]) -> None:
        """Whoever is followed from its first segment on is shown as it was followed.

        That knows all that the row knows, and marks, history and why besides.
        """
        self._followed = connections

    def up_to(self, ident: int) -> int:
        """How many of them have numbers up to that."""
        return int(np.searchsorted(self._idents, ident, "right"))

    def number_of(self, key: FlowKey) -> int | None:
        """The number of the latest connection there, in about no time."""
        with self._lock:
            return self.table.number_of(packed(key.low), packed(key.high), key.scope)

    def ident_of(self, key: FlowKey) -> int | None:
        """The number of the latest connection between these two ends."""
        ident = self.number_of(key)
        if ident is not None:
            return ident
        ends = {packed(key.low), packed(key.high)}
        with self._lock:
            table = self.table
            both = table.ends[self._rows]
            for place in range(len(self._rows) - 1, -1, -1):
                if {both[place, 0].tobytes(), both[place, 1].tobytes()} == ends:
                    return int(self._idents[place])
        return None

    def troubles(self) -> list[Trouble]:
        """What all rows together show to be wrong."""
        from tcpviz.bulk.live.troubles import troubles

        with self._lock:
            return troubles(self.table)

    def note(self, sock: HostSocket) -> None:
        """Keep what the host's table of sockets says of one: whose it is, above all."""
        if sock.peer is None:
            return
        place = packed(sock.local) + packed(sock.peer)
        before = self._sockets.pop(place, None)
        if sock.state is None:
            if before is None:
                return
            sock = replace(before, state=None, recv_queue=0, send_queue=0)
        self._sockets[place] = sock
        if len(self._sockets) > MOST_SOCKETS:
            del self._sockets[next(iter(self._sockets))]

    def _owned(self, made: Connection, ends: bytes) -> Connection:
        """With its sockets, where they are known; both ends as the row has them."""
        known = self._followed.get(made.id)
        if known is not None and (known.key, known.first_ns) == (made.key, made.first_ns):
            return known
        mine, theirs = self._sockets.get(ends), self._sockets.get(ends[18:] + ends[:18])
        if mine is not None or theirs is not None:
            both = {Side.CLIENT: mine, Side.SERVER: theirs}
            made.sockets = {side: sock for side, sock in both.items() if sock is not None}
        return made

    def _of(self, rows: Ints) -> list[Connection]:
        """What these rows hold; those to which nothing has happened since as they were made."""
        table = self.table
        idents, totals = table.ident[rows].tolist(), table.packets[rows].sum(axis=1).tolist()
        found: list[Connection | None] = []
        for ident, total in zip(idents, totals, strict=True):
            known = self._made.get(ident)
            alike = known is not None and known[:2] == (total, table.gaps)
            found.append(known[2] if known is not None and alike else None)
        lacking = [place for place, one in enumerate(found) if one is None]
        if lacking:
            made = _connections(table, rows[lacking], self._why)
            for place, one in zip(lacking, made, strict=True):
                found[place] = one
                self._made.pop(one.id, None)
                if len(self._made) >= KEPT:
                    del self._made[next(iter(self._made))]
                self._made[one.id] = (totals[place], table.gaps, one)
        whole = [one for one in found if one is not None]
        if self._sockets:
            ends = table.ends[rows]
            return [self._owned(one, ends[at].tobytes()) for at, one in enumerate(whole)]
        return [self._owned(one, b"") for one in whole]


_BOTH = ("packets", "octets", "syns", "fins", "rsts", "iss", "nxt", "ack", "fin", "fin_ack")
_ONE = ("ident", "first_ns", "last_ns", "closed_by", "reset_by", "syn_ns", "third_ns", "gap")


def _connections(table: LiveTable, rows: Ints, why: str) -> list[Connection]:
    """Of all these rows at once: numpy takes as long for six of them as for one."""
    known = table.known(rows)
    codes = [each.tolist() for each in states(known)]
    acked = [each.tolist() for each in fins_acked(known)]
    over, done = refused(known).tolist(), third(known).tolist()
    both = {name: getattr(table, name)[rows].tolist() for name in _BOTH}
    one = {name: getattr(table, name)[rows].tolist() for name in _ONE}
    again, told = table.again[rows].sum(axis=1).tolist(), table.ends[rows]
    scopes = table.scope[rows].tolist()
    found: list[Connection] = []
    for at in range(len(rows)):
        ends = [endpoint(told[at, side].tobytes()) for side in range(2)]
        missed, begun = table.gaps > one["gap"][at], max(both["iss"][at]) >= 0
        claims = [
            _claim(STATES[codes[side][at]], why, missed=missed, begun=begun) for side in range(2)
        ]
        key = FlowKey.of(ends[0], ends[1], table.scopes[scopes[at]])
        made = Counted(one["ident"][at], key, ends[0], ends[1], claims[0], claims[1])
        for side, end in enumerate((made.client, made.server)):
            _fill(end, {name: numbers[at] for name, numbers in both.items()}, side)
            end.fin_acked = acked[side][at]
        made.again = again[at]
        made.first_ns, made.last_ns = one["first_ns"][at], one["last_ns"][at]
        made.closed_by, made.reset_by = _side(one["closed_by"][at]), _side(one["reset_by"][at])
        made.refused = over[at]
        if one["syn_ns"][at] >= 0:
            made.opened_by = Side.CLIENT
            made.last_syn_ns = one["syn_ns"][at]
            if one["third_ns"][at] >= 0:
                made.handshake_rtt_ns = one["third_ns"][at] - one["syn_ns"][at]
        made._third = done[at]
        made._data_began = made._third and sum(both["packets"][at]) > 3
        found.append(made)
    return found


def _fill(end: End, row: Mapping[str, list[int]], side: int) -> None:
    end.segments = row["packets"][side]
    end.bytes = row["octets"][side]
    end.syns, end.fins, end.rsts = row["syns"][side], row["fins"][side], row["rsts"][side]
    end.iss = end.first_seq = _number(row["iss"][side])
    end.snd_nxt = end.solid = _number(row["nxt"][side])
    end.rcv_nxt = end.last_ack = _number(row["ack"][side])
    end.snd_una = _number(row["ack"][1 - side])
    end.fin = _number(row["fin"][side])
    end.fin_ack = _number(row["fin_ack"][side])


def _number(value: int) -> int | None:
    return None if value < 0 else value


def _side(number: int) -> Side | None:
    return None if number < 0 else _SIDES[number]


def _claim(state: State, why: str, *, missed: bool, begun: bool) -> Claim:
    sure = begun and not missed and state is not State.LISTEN
    return Claim(
        state,
        Certainty.INFERRED if sure else Certainty.UNKNOWN,
        MISSED if missed else why,
    )

"""Columns: what is kept of every segment of a capture, some 60 bytes of it."""

from __future__ import annotations

from collections.abc import Sequence
from socket import AF_INET6, inet_aton, inet_pton
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tcpviz.bulk.segments import options, sums
from tcpviz.core.flow import tells_double
from tcpviz.core.segment import Segment
from tcpviz.core.seq import diff
from tcpviz.core.vitals import FAR

if TYPE_CHECKING:
    from tcpviz.bulk.segments.windows import Windows

DTYPES: dict[str, str] = {
    "time": "i8",  # nanoseconds
    "where": "i8",  # of the frame's first byte in the unpacked capture; -1: kept as a Segment
    "captured": "u2",  # this and the next: see Columns.widen
    "wire": "u2",
    "frame": "u4",
    "source": "u2",  # index into Tables.sources: link type and interface
    "scope": "u2",  # index into Tables.scopes: IP version, VLANs and tunnels
    "src": "u4",  # an IPv4 address, or an index into Tables.long
    "dst": "u4",
    "sport": "u2",
    "dport": "u2",
    "seq": "u4",
    "ack": "u4",
    "flags": "u2",  # the nine flags, and the reserved bits above them
    "window": "u2",
    "length": "u4",
    "ident": "u2",  # 0 where there is none, as in IPv6
    "ttl": "u1",
    "bits": "u1",  # STAMPED and the others below
    "scale": "u1",
    "value": "u4",  # of the timestamps option
    "echo": "u4",
}

_ROW = (
    *("time", "src", "dst", "sport", "dport", "scope", "flags"),
    *("seq", "ack", "value", "echo", "length", "window", "ttl", "bits"),
)

ROW = np.dtype([(name, DTYPES[name]) for name in _ROW])
"""What is asked of a segment together with its flow's others: 48 bytes that lie together."""

HEADS = "heads"
"""Bytes of each IP packet that are not its data: a column that is kept where it is asked for."""

_HEADS_KIND = "i4"  # of what was in fragments it may be anything

WIDE = "captured", "wire"
"""Columns that take 32 bits where there are frames above 64 KiB."""

STAMPED, ODD, SACKED, MULTIPATH = 1, 2, 64, 128
COOKIE = SACKED | MULTIPATH
"""Both, of a SYN: all that is odd is Fast Open's cookie."""
SUM_SHIFT, ECN_SHIFT = 2, 4
"""In ``bits``: two bits of :mod:`tcpviz.bulk.segments.sums`' and two of ECN's."""

_CONGESTED = 3 << ECN_SHIFT

Column = NDArray[Any]

_SPACES: dict[str, Any] = {"row": ROW} | {
    name: kind for name, kind in DTYPES.items() if name not in _ROW
}
Piece = dict[str, Column]

SMALLEST = 70
"""Bytes of a capture that a segment takes at least; what is not used of a column costs nothing."""

_LEAST_ROOM = 1 << 12

_CUT_A_LITTLE = 64
"""Bytes that the capture lacks of a packet: up to so many may be data, or what comes behind it."""

_HEADERS = 40
"""Bytes of them in front of data, at least; timestamps take twelve more."""

Scope = tuple[int, tuple[str, ...]]


def rows_at(array: Piece, rows: Column) -> Column:
    """These rows of ``array["row"]``, one behind the other."""
    whole: Column = array["row"].view(f"V{ROW.itemsize}").take(rows)
    return whole.view(ROW)


def packed(address: str) -> bytes:
    """The 4 or 16 bytes of an address that a segment has."""
    return inet_pton(AF_INET6, address) if ":" in address else inet_aton(address)


def congested(bits: Column) -> Column:
    """Where congestion was experienced on the way (RFC 3168 section 5), by the column ``bits``."""
    marked: Column = bits & _CONGESTED == _CONGESTED
    return marked


def clearly_captured(lacks: Column, length: Column, captured: Column, bits: Column) -> Column:
    """Where it is clear how much of its data was captured of a packet that lacks so many bytes."""
    clear: Column = (length == 0) | (lacks <= 0) | (lacks > _CUT_A_LITTLE)
    # What was captured has no room for it, behind headers of IP and TCP.
    room = captured.astype(np.int64) - np.where(bits & STAMPED != 0, _HEADERS + 12, _HEADERS)
    clear |= room < length
    return clear


class Tables:
    """Numbers for what is too long for a column: IPv6 addresses, scopes, link types."""

    def __init__(self) -> None:
        self.long: list[bytes] = []
        self.scopes: list[Scope] = []
        self.sources: list[tuple[int, int]] = []
        self._long: dict[bytes, int] = {}
        self._scopes: dict[Scope, int] = {}
        self._sources: dict[tuple[int, int], int] = {}

    def address(self, packed: bytes) -> int:
        """The number of an address of 4 or 16 bytes."""
        if len(packed) == 4:
            return int.from_bytes(packed, "big")
        known = self._long.setdefault(packed, len(self.long))
        if known == len(self.long):
            self.long.append(packed)
        return known

    def known(self, packed: bytes) -> int | None:
        """The number of an address, if it has been met."""
        return int.from_bytes(packed, "big") if len(packed) == 4 else self._long.get(packed)

    def scope(self, version: int, names: tuple[str, ...]) -> int:
        """The number of a scope."""
        key = (version, names)
        known = self._scopes.setdefault(key, len(self.scopes))
        if known == len(self.scopes):
            self.scopes.append(key)
        return known

    def source(self, link_type: int, interface: int) -> int:
        """The number of a link type and interface."""
        key = (link_type, interface)
        known = self._sources.setdefault(key, len(self.sources))
        if known == len(self.sources):
            self.sources.append(key)
        return known

    def packed(self, number: int, scope: int) -> bytes:
        """The address that a number stands for in a scope."""
        if self.scopes[scope][0] == 4:
            return number.to_bytes(4, "big")
        return self.long[number]


def _named(spaces: Piece, part: slice) -> Piece:
    """The columns by their names."""
    parts = {name: space[part] for name, space in spaces.items()}
    return parts | {name: parts["row"][name] for name in _ROW}


class Columns:
    """All segments, in the order in which the scalar core would take them.

    ``kept``   those that were not read by columns, by their place
    ``array``  a column by its name, once :meth:`close` has been called; those of :data:`ROW`
               lie together, and are there as one, too: ``array["row"]``
    ``room``   for about how many rows to make room at first
    ``windows``  where rows go that are more than memory may take
    ``heads``  whether there is a column :data:`HEADS`
    """

    def __init__(
        self, room: int = 0, windows: Windows | None = None, *, heads: bool = False
    ) -> None:
        self.windows = windows
        self._kinds = _SPACES | {HEADS: _HEADS_KIND} if heads else _SPACES
        self.tables = Tables()
        self.kept: dict[int, Segment] = {}
        self.count = 0
        self.array: dict[str, Column] = {}
        self._wanted = max(room, _LEAST_ROOM)
        self._room = self._wanted if windows is None else min(self._wanted, windows.rows)
        self._ready = self._room
        self._space = {name: self._empty(self._room, kind) for name, kind in self._kinds.items()}

    def _empty(self, count: int, kind: str) -> Column:
        return np.empty(count, kind)

    def append(self, piece: Piece) -> None:
        """Add rows; what a piece does not name is 0."""
        begin, end = self.count, self.count + len(piece["time"])
        if end > self._room:
            self._grow(end)
        if end > self._ready and self.windows is not None:
            self._ready = self.windows.ready(list(self._space.values()), end)
        for name, space in _named(self._space, slice(begin, end)).items():
            if name != "row":
                space[:] = piece.get(name, 0)
        self.count = end

    @property
    def heads(self) -> bool:
        """Whether there is a column :data:`HEADS`."""
        return HEADS in self._kinds

    def spaces(self, begin: int, end: int) -> Piece:
        """Some rows, for :meth:`extend`."""
        return {name: space[begin:end] for name, space in self._space.items()}

    def extend(self, spaces: Piece) -> Piece:
        """Add rows that others have; as they are here, by their names, and may still be changed."""
        begin, end = self.count, self.count + len(spaces["where"])
        if spaces["wire"].itemsize > 2:
            self.widen()
        if end > self._room:
            self._grow(end)
        for name, space in spaces.items():
            mine = self._space[name][begin:end]
            if name == "row":  # at once, and not field by field
                mine, space = (each.view(f"V{ROW.itemsize}") for each in (mine, space))
            mine[:] = space
        self.count = end
        return _named(self._space, slice(begin, end))

    def _grow(self, need: int) -> None:
        """Make room for half as many again, one column after the other."""
        windows = self.windows
        self._room = max(need, self._room + self._room // 2)
        if windows is not None and self._room > windows.rows:
            # What is not used there costs nothing, and it is not to be copied once more.
            self._room = max(self._room, self._wanted)
            spaces = {name: windows.room(self._room, kind) for name, kind in self._kinds.items()}
            self._ready = windows.ready(list(spaces.values()), need)
        else:
            spaces, self._ready = {}, self._room
        for name, kind in self._kinds.items():
            space = spaces.get(name)
            if space is None:
                space = np.empty(self._room, kind)
            space[: self.count] = self._space[name][: self.count]
            self._space[name] = space

    def widen(self) -> None:
        """Lengths of frames take 32 bits from now on: there are some above 64 KiB.

        The loopback has them, and cards that put segments together. What was given before stays.
        """
        for name in WIDE:
            old = self._space[name]
            if old.itemsize > 2:
                return
            self._kinds = {**self._kinds, name: "u4"}
            windows = self.windows
            if windows is not None and windows.holds(old):
                made = windows.room(self._room, "u4")
                self._ready = min(self._ready, windows.ready([made], self.count))
            else:
                made = self._empty(self._room, "u4")
            made[: self.count] = old[: self.count]
            self._space[name] = made

    def move(self) -> None:
        """From now on rows are kept elsewhere; what was given before stays as it is."""
        self._grow(self._room)

    def so_far(self) -> Piece:
        """The columns of the rows there are now; they stay as they are while more come."""
        return _named(self._space, slice(self.count))

    def close(self) -> None:
        """No more rows will come."""
        self.array = self.so_far()

    def rows_of(self, segments: Sequence[Segment]) -> Piece:
        """Segments that were read one by one, as rows; their bytes are not looked for again."""
        tables = self.tables
        rows = []
        for one in segments:
            ends = []
            for end in (one.src, one.dst):
                ends.append(tables.address(packed(end.addr)))
            version = 6 if ":" in one.src.addr else 4
            scope = tables.scope(version, one.scope)
            stamps = one.options.timestamps
            scale = one.options.window_scale
            absent = options.CUT_SCALE if one.options.cut else options.NO_SCALE
            sacks = one.options.sack
            usual = not (
                not all(options.ignored(kind) for kind, _ in one.options.unknown)
                or one.options.malformed
                or scale in (options.CUT_SCALE, options.NO_SCALE)
            )
            right = {None: sums.UNKNOWN, True: sums.RIGHT, False: sums.WRONG}[one.checksum_ok]
            several = options.multipath(one.options.unknown, syn=one.syn)
            odd = not usual or bool(sacks) or several is not False
            bits = (STAMPED if stamps else 0) | odd * ODD
            bits |= (usual and several is True and not sacks) * MULTIPATH
            usual = usual and several is False
            near = all(abs(diff(left, one.ack)) <= FAR for left, _ in sacks)
            if usual and sacks and near and not tells_double(sacks, one.ack):
                bits |= SACKED
            if one.options.fast_open and one.syn and not one.has_ack:
                bits = bits & ~COOKIE | ODD | (COOKIE if usual and not sacks else 0)
            bits |= right << SUM_SHIFT | one.ecn << ECN_SHIFT
            value, echo = stamps or (0, 0)
            rows.append(
                (
                    one.time_ns, -1, 0, 0, one.frame, 0, scope, *ends, one.src.port, one.dst.port,
                    one.seq, one.ack, int(one.flags) | one.reserved << 9, one.window,
                    one.payload_len, one.ip_id or 0, one.ttl or 0, bits,
                    absent if scale is None else scale, value, echo,
                )
            )  # fmt: skip
        table = np.array(rows, np.int64).reshape(len(rows), len(DTYPES))
        heads = np.array([one.ip_len - one.payload_len for one in segments], np.int64)
        return {name: table[:, at] for at, name in enumerate(DTYPES)} | {HEADS: heads}

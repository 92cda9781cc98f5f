"""The connection list: one line a connection, in columns that fit the width.

Which columns there are depends on the width alone, so heading and rows always
stand under each other. Columns come in by importance: who talks to whom and in
which states, then the verdict, then the numbers. How wide those of the addresses are
depends on the longest one that was in sight so far: what they do not need the verdict gets.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from tcpviz.core.connection import Connection
from tcpviz.core.records import Side
from tcpviz.core.segment import Endpoint, scope_text
from tcpviz.views import numbers, roles
from tcpviz.views.ages import age_ns
from tcpviz.views.ladder_canvas import ascii_line
from tcpviz.views.ladder_labels import state_text
from tcpviz.views.phase_words import BAND_ROLES, phase_text
from tcpviz.views.spans import Line, Span, clean, fit_text, merge, text_width
from tcpviz.views.verdict import TONES, leading, verdict
from tcpviz.words import _

CELLS: Final = ("id", "phase", "verdict")
"""Columns that take a colouring rule's role; the others say what they are by their own."""

RETRANSMISSION: Final = "retransmission"
"""Name of the mark whose count has a column."""


@dataclass(frozen=True, slots=True)
class Column:
    """``least`` and ``most`` cells; ``rank`` says who comes in first as the width grows."""

    name: str
    title: str
    least: int
    most: int
    rank: int
    right: bool = False


COLUMNS: Final = (
    Column("id", "#", 3, 6, 0, right=True),
    Column("client", "client", 15, 21, 4),
    Column("server", "server", 15, 21, 3),
    Column("inside", "inside", 16, 40, 5),
    Column("client_state", "client is", 9, 13, 1),
    Column("server_state", "server is", 9, 13, 2),
    Column("phase", "phase", 13, 13, 7),
    Column("process", "process", 10, 15, 8),
    Column("time", "time", 9, 9, 10, right=True),
    Column("segments", "segs", 5, 6, 9, right=True),
    Column("bytes", "bytes", 7, 8, 11, right=True),
    Column("rtt", "RTT", 8, 8, 12, right=True),
    Column("retransmissions", "retr", 4, 5, 13, right=True),
    Column("verdict", "verdict", 22, 48, 6),
)
"""All columns, in the order in which they stand."""

_FIRST_WIDER: Final = (("server", 18), ("client", 20), ("id", 4), ("verdict", 28))
"""Who gets the first cells that are left over; then everyone, by rank, as much as it likes."""

_LEAST_VERDICT: Final = 16
"""Below its least width, only so that numbers are not cut."""

_WIDE: Final = 100
_NARROW: Final = {"inside": 7, "verdict": 15}
"""Below that width, so that connections that differ in their VLAN alone can be told apart."""

_ENDS: Final = ("client", "server")

_SHORT_ADDRESS: Final = 21
"""An IPv4 address with its port."""

_LONG_ADDRESS: Final = 47
"""An IPv6 address with its port."""


Needs = tuple[int, int]
"""Cells that the longest client and the longest server take; 0, 0 where nobody knows."""

_LEAST_ENDS: Final = 9
"""The headings with a sign behind them, in any language."""


def needs(connections: Iterable[Connection], known: Needs = (0, 0)) -> Needs:
    """What those in sight need, and what was needed before: columns do not shrink again."""
    client, server = known
    for one in connections:
        client = max(client, len(str(one.client.endpoint)))
        server = max(server, len(str(one.server.endpoint)))
    return client, server


@lru_cache(maxsize=64)
def columns(
    width: int,
    *,
    owners: bool = False,
    scopes: bool = False,
    digits: int = 3,
    ends: Needs = (0, 0),
) -> tuple[tuple[Column, int], ...]:
    """The columns that ``width`` cells have room for, with their widths.

    One cell at the left marks the selection, and one stands between columns. ``owners``:
    processes may be known here, so that they have a column; ``scopes``: some are in a VLAN or
    tunnel. ``digits``: of the greatest number in the list; room for them all goes before
    everything else that may be wider. ``ends`` as :func:`needs` tells.
    """
    chosen: list[Column] = []
    most = {name: max(need, _LEAST_ENDS) for name, need in zip(_ENDS, ends, strict=True) if need}
    spare = width - 1
    least = {column.name: column.least for column in COLUMNS}
    if scopes and width < _WIDE:
        least |= _NARROW
    for column in sorted(COLUMNS, key=lambda each: each.rank):
        if not {"process": owners, "inside": scopes}.get(column.name, True):
            continue
        need = least[column.name] + (1 if chosen else 0)
        if need > spare:
            break
        chosen.append(column)
        spare -= need
    sizes = {column.name: least[column.name] for column in chosen}
    if "id" in sizes:
        more = max(digits - sizes["id"], 0)
        given = min(max(sizes.get("verdict", 0) - _LEAST_VERDICT, 0), max(more - spare, 0))
        if given:
            sizes["verdict"] -= given
        more = min(more, spare + given)
        sizes["id"] += more
        spare -= more - given
    for name in most:
        if name in sizes:
            given = max(sizes[name] - most[name], 0)
            sizes[name] -= given
            spare += given
    for name, wanted in (
        *((name, min(need, _SHORT_ADDRESS)) for name, need in most.items()),
        *_FIRST_WIDER,
        *((column.name, column.most) for column in sorted(chosen, key=lambda c: c.rank)),
        ("server", _LONG_ADDRESS),
        ("client", _LONG_ADDRESS),
        ("verdict", width),
    ):
        if name in sizes and spare > 0:
            more = min(spare, max(min(wanted, most.get(name, wanted)) - sizes[name], 0))
            sizes[name] += more
            spare -= more
    return tuple((column, sizes[column.name]) for column in COLUMNS if column in chosen)


def endpoint_text(endpoint: Endpoint, cells: int) -> str:
    """An endpoint in at most ``cells``; the address gives way before the port does."""
    whole = str(endpoint)
    if text_width(whole) <= cells:
        return whole
    port = f":{endpoint.port}"
    room = cells - len(port) - 1
    if room < 3:
        return fit_text(whole, cells)
    # The host part tells connections apart better than the network does.
    tail = endpoint.addr[-room:]
    while text_width(tail) > room:
        tail = tail[1:]
    return f"…{tail.removeprefix('.')}{port}"  # "….220.118" has a dot too many


def number_text(number: int, cells: int) -> str:
    """A connection's number in at most ``cells``; neighbours differ in their last digits."""
    whole = str(number)
    return whole if len(whole) <= cells else f"…{whole[len(whole) - cells + 1 :]}"


def _row(mark: Span, cells: Iterable[tuple[str, str, int, bool]], width: int) -> Line:
    """A sign of one cell and the cells, each as wide as its column; ``width`` cells at least."""
    spans, total = [mark], 0
    for text, role, size, right in cells:
        fitted = fit_text(text, size)
        blank = " " * (size - text_width(fitted))
        spans.append(Span(blank + fitted if right else fitted + blank, role))
        spans.append(_APART)
        total += size + 1
    spans[-1] = Span(" " * max(width - total, 0))
    return merge(spans)


_APART: Final = Span(" ")


def header(
    width: int,
    *,
    ascii_only: bool = False,
    owners: bool = False,
    scopes: bool = False,
    order: tuple[str, bool] = ("id", False),
    digits: int = 3,
    ends: Needs = (0, 0),
) -> Line:
    """The headings; exactly ``width`` cells. ``order``: what the list is sorted by, turned round.

    ``digits`` and ``ends`` as for :func:`columns`. An arrow stands behind that column's heading,
    unless the list is as it comes.
    """
    if width < 5:
        return (Span(" " * max(width, 0)),) if width > 0 else ()
    cells = (
        (_heading(c, size, order), roles.TITLE, size, c.right)
        for c, size in columns(width, owners=owners, scopes=scopes, digits=digits, ends=ends)
    )
    line = _row(_APART, cells, width)
    return ascii_line(line) if ascii_only else line


def _heading(column: Column, size: int, order: tuple[str, bool]) -> str:
    title = _(column.title, "column")
    if column.name != order[0] or order == ("id", False):
        return title
    while text_width(title) >= size:
        title = title[:-1]
    return title + ("▲" if order[1] else "▼")


def row(
    connection: Connection,
    width: int,
    now_ns: int,
    selected: bool = False,
    *,
    ascii_only: bool = False,
    owners: bool = False,
    scopes: bool = False,
    role: str | None = None,
    digits: int = 3,
    ends: Needs = (0, 0),
) -> Line:
    """One connection; exactly ``width`` cells. ``digits`` and ``ends`` as for :func:`columns`.

    ``now_ns`` is the moment at which the list is looked at: an open connection
    shows its age, a finished one how long it took. ``role`` is that of a
    colouring rule that fits it.
    """
    if width < 5:
        return (Span(" " * width),) if width > 0 else ()
    made = (
        (column, size, *_cell(connection, column.name, size, now_ns))
        for column, size in columns(width, owners=owners, scopes=scopes, digits=digits, ends=ends)
    )
    cells = (
        (text, role if role and column.name in CELLS else own, size, column.right)
        for column, size, text, own in made
    )
    line = _row(Span("▸", roles.LIT) if selected else _APART, cells, width)
    return ascii_line(line) if ascii_only else line


def _cell(connection: Connection, name: str, cells: int, now_ns: int) -> tuple[str, str]:
    """(text, role) of a connection's cell in the column ``name``."""
    c = connection
    if name == "id":
        return number_text(c.id, cells), roles.DIM
    if name == "client":
        return endpoint_text(c.client.endpoint, cells), roles.CLIENT
    if name == "server":
        return endpoint_text(c.server.endpoint, cells), roles.SERVER
    if name in ("client_state", "server_state"):
        claim = (c.client if name == "client_state" else c.server).claim
        return state_text(claim, cells, midstream=c.midstream), roles.of_certainty(claim.certainty)
    if name == "phase":
        return phase_text(c.phase), BAND_ROLES[c.phase.name]
    if name == "process":
        return owner_text(c), roles.TEXT
    if name == "inside":
        return inside(c), roles.TEXT
    if name == "verdict":
        said, text = leading(c, now_ns)
        return text, TONES[said.severity]
    return _number(c, name, now_ns)


def inside(connection: Connection) -> str:
    """The VLANs and tunnels it is in, outermost first."""
    return clean(scope_text(connection.key.scope))


def owner_text(connection: Connection) -> str:
    """Whose it is: processes' names, the client's first; ``?`` behind one that is only likely.

    In parentheses the user, where no process is known.
    """
    sockets = connection.sockets or {}
    names = []
    for side in Side:
        sock = sockets.get(side)
        if sock is None:
            continue
        if sock.process is not None:
            name = clean(sock.process.name)
            names.append(name if sock.process.certain or name in names else f"{name}?")
        elif sock.user is not None:
            names.append(f"({clean(sock.user)})")
    return " ".join(dict.fromkeys(names))


def _number(c: Connection, name: str, now_ns: int) -> tuple[str, str]:
    if name == "time":
        return numbers.duration(age_ns(c, now_ns)), roles.TIME
    if name == "segments":
        return numbers.count(c.client.segments + c.server.segments), roles.NUMBER
    if name == "bytes":
        return numbers.size(c.client.bytes + c.server.bytes), roles.NUMBER
    if name == "rtt":
        rtt = c.handshake_rtt_ns
        return ("" if rtt is None else numbers.duration(rtt)), roles.TIME
    count = (c.marks or {}).get(RETRANSMISSION, 0)
    return (numbers.count(count) if count else ""), roles.MARK_WARNING


def _by_number(endpoint: Endpoint) -> tuple[int, bytes, int]:
    """10.0.0.9 before 10.0.0.10, IPv4 before IPv6."""
    if ":" in endpoint.addr:
        import ipaddress  # most captures go without

        return 6, ipaddress.ip_address(endpoint.addr).packed, endpoint.port
    return 4, bytes(map(int, endpoint.addr.split("."))), endpoint.port


SORTS: Final[dict[str, Callable[[Connection], object]]] = {
    "id": lambda c: c.id,
    "client": lambda c: _by_number(c.client.endpoint),
    "server": lambda c: _by_number(c.server.endpoint),
    "client_state": lambda c: str(c.client.state),
    "server_state": lambda c: str(c.server.state),
    "phase": lambda c: (str(c.phase.name), c.phase.done),
    "time": lambda c: -(c.last_ns - c.first_ns),
    "segments": lambda c: -(c.client.segments + c.server.segments),
    "bytes": lambda c: -(c.client.bytes + c.server.bytes),
    "rtt": lambda c: -(c.handshake_rtt_ns or 0),
    "retransmissions": lambda c: -(c.marks or {}).get(RETRANSMISSION, 0),
    "process": owner_text,
    "inside": inside,
    "verdict": lambda c: verdict(c),
}
"""Sort keys by column; numbers sort with the greatest first. Ties keep their order."""


def ordered(
    connections: Iterable[Connection],
    by: str = "id",
    *,
    reverse: bool = False,
    now_ns: int | None = None,
) -> list[Connection]:
    """The connections sorted by a column, ties in their order. Raises KeyError for an unknown one.

    ``now_ns`` is the moment at which verdicts are told.
    """
    key = SORTS[by]
    if by == "verdict" and now_ns is not None:
        return sorted(connections, key=lambda c: verdict(c, now_ns), reverse=reverse)
    return sorted(connections, key=key, reverse=reverse)  # type: ignore[arg-type]

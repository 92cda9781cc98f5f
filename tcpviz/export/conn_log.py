"""Connections as a ``conn.log`` in Zeek's own form, which ``zeek-cut`` and its readers take.

Columns, types and meanings are those of ``scripts/base/protocols/conn/main.zeek`` with
``community-id-logging``; the form is that of Zeek's ASCII writer (tab-separated). What Zeek
learns from the data is left unset (``service``), for no data is looked at; so is
``tunnel_parents``. ``uid`` is ours: the same for the same connection whenever it is read.
"""

from __future__ import annotations

import functools
import hashlib
import ipaddress
import time
from collections.abc import Iterable, Iterator
from typing import Final

from tcpviz.core.community_id import community_id
from tcpviz.core.connection import Connection
from tcpviz.core.segment import Endpoint
from tcpviz.core.zeek import ZeekSums

COLUMNS: Final = (
    ("ts", "time"),
    ("uid", "string"),
    ("id.orig_h", "addr"),
    ("id.orig_p", "port"),
    ("id.resp_h", "addr"),
    ("id.resp_p", "port"),
    ("proto", "enum"),
    ("service", "string"),
    ("duration", "interval"),
    ("orig_bytes", "count"),
    ("resp_bytes", "count"),
    ("conn_state", "string"),
    ("local_orig", "bool"),
    ("local_resp", "bool"),
    ("missed_bytes", "count"),
    ("history", "string"),
    ("orig_pkts", "count"),
    ("orig_ip_bytes", "count"),
    ("resp_pkts", "count"),
    ("resp_ip_bytes", "count"),
    ("tunnel_parents", "set[string]"),
    ("ip_proto", "count"),
    ("community_id", "string"),
)
"""Names and types, in Zeek's order."""

UNSET: Final = "-"
DIGITS: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

_LOCAL_4 = (
    *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16"),
    *("172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.168.0.0/16", "198.18.0.0/15"),
    *("198.51.100.0/24", "203.0.113.0/24", "240.0.0.0/4", "255.255.255.255/32"),
)
_LOCAL_6 = (
    *("::/128", "::1/128", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:2::/48"),
    *("2001:db8::/32", "fc00::/7", "fe80::/10"),
    # The same IPv4 networks as 6to4 addresses (RFC 3056).
    *("2002::/24", "2002:a00::/24", "2002:6440::/26", "2002:7f00::/24", "2002:a9fe::/32"),
    *("2002:ac10::/28", "2002:c000::/40", "2002:c000:200::/40", "2002:c0a8::/32"),
    *("2002:c612::/31", "2002:c633:6400::/40", "2002:cb00:7100::/40", "2002:f000::/20"),
    "2002:ffff:ffff::/48",
)
LOCAL: Final = tuple(ipaddress.ip_network(each) for each in (*_LOCAL_4, *_LOCAL_6))
"""``Site::private_address_space``, which is what Zeek calls local unless it is told more."""


def head(now: float | None = None) -> str:
    """The lines above the first connection; ``now`` in seconds since the epoch."""
    names, types = zip(*COLUMNS, strict=True)
    lines = (
        r"#separator \x09",
        "#set_separator\t,",
        "#empty_field\t(empty)",
        f"#unset_field\t{UNSET}",
        "#path\tconn",
        f"#open\t{_moment(now)}",
        "\t".join(("#fields", *names)),
        "\t".join(("#types", *types)),
    )
    return "".join(f"{each}\n" for each in lines)


def tail(now: float | None = None) -> str:
    """The line below the last one."""
    return f"#close\t{_moment(now)}\n"


def line(connection: Connection, sums: ZeekSums | None = None) -> str:
    """One connection; empty where nothing of it was captured, or nobody has analysed it.

    ``sums``: where not its own are to be told.
    """
    cells = row(connection, sums)
    return "" if cells is None else joined(cells)


def joined(cells: Iterable[object]) -> str:
    """Cells as a line."""
    return "\t".join(map(_written, cells)) + "\n"


def lines(connections: Iterator[Connection]) -> Iterator[str]:
    """A whole log."""
    yield head()
    yield from map(line, connections)
    yield tail()


def row(connection: Connection, sums: ZeekSums | None = None) -> tuple[object, ...] | None:
    """The cells in the order of :data:`COLUMNS`; ``None`` for what is not set."""
    analysis = connection.analysis
    side = None if analysis is None else analysis.zeek.originator
    if analysis is None or side is None:
        return None
    zeek, sums = analysis.zeek, analysis.zeek.sums if sums is None else sums
    orig, resp = connection.end(side).endpoint, connection.end(side.other).endpoint
    # Of a single moment Zeek knows neither duration nor bytes.
    lasted = sums.duration_ns > 0
    return (
        seconds(connection.first_ns),
        uid(connection),
        *(orig.addr, orig.port, resp.addr, resp.port),
        "tcp",
        None,
        seconds(sums.duration_ns) if lasted else None,
        *(sums.bytes if lasted else (None, None)),
        zeek.conn_state,
        *(is_local(orig.addr), is_local(resp.addr)),
        sums.missed_bytes,
        zeek.history,
        *(sums.packets[0], sums.ip_bytes[0], sums.packets[1], sums.ip_bytes[1]),
        None,
        6,
        community_id(orig, resp),
    )


def uid(connection: Connection) -> str:
    """``C`` and 17 letters and digits, as Zeek's look; of both ends and the first moment."""
    ends = sorted((connection.client.endpoint, connection.server.endpoint))
    words = (*map(_end, ends), *connection.key.scope, str(connection.first_ns))
    number = int.from_bytes(digest(words), "big")
    letters = []
    for _ in range(17):
        number, digit = divmod(number, 62)
        letters.append(DIGITS[digit])
    return "C" + "".join(letters)


def digest(words: Iterable[str]) -> bytes:
    """16 bytes, of which a name is made."""
    text = "\0".join(words).encode()
    return hashlib.blake2b(text, digest_size=16, person=b"tcpviz uid").digest()


@functools.lru_cache(maxsize=4096)
def is_local(address: str) -> bool:
    """As ``Site::is_local_addr`` without a configuration."""
    parsed = ipaddress.ip_address(address)
    return any(parsed.version == each.version and parsed in each for each in LOCAL)


def _end(endpoint: Endpoint) -> str:
    return f"{endpoint.addr} {endpoint.port}"


def seconds(nanoseconds: int) -> str:
    """With six decimals, by whole numbers: a float would be wrong in the last one."""
    whole, rest = divmod((nanoseconds + 500) // 1000, 1_000_000)
    return f"{whole}.{rest:06d}"


def _written(cell: object) -> str:
    if cell is None:
        return UNSET
    if isinstance(cell, bool):
        return "T" if cell else "F"
    return str(cell) or "(empty)"


def _moment(now: float | None) -> str:
    return time.strftime("%Y-%m-%d-%H-%M-%S", time.localtime(now))

"""Whose a connection is, in a line: each end's process, descriptor, user, service, container."""

from __future__ import annotations

from tcpviz.core.connection import Connection
from tcpviz.core.hosts import HostSocket
from tcpviz.core.records import Side
from tcpviz.views.spans import clean
from tcpviz.views.verdict import NAMES, NAMES_MIDSTREAM
from tcpviz.words import _, listed


def whose(connection: Connection) -> str:
    """``server nginx (812) fd 7, user www-data``; empty where nothing is known of either end."""
    names = NAMES_MIDSTREAM if connection.midstream else NAMES
    parts = []
    for side in Side:
        sock = (connection.sockets or {}).get(side)
        owner = "" if sock is None else owner_of(sock)
        if owner:
            parts.append(f"{_(names[side])} {owner}")
    return "; ".join(parts)


def owner_of(sock: HostSocket) -> str:
    """One end's, as far as it is known; ``?`` behind a process that is only likely."""
    parts = []
    process = sock.process
    if process is not None:
        sure = "" if process.certain else "?"
        number = "" if process.pid is None else f" ({process.pid})"
        fd = "" if process.fd is None else f" fd {process.fd}"
        others = "" if not process.others else _(" and {n} more").format(n=process.others)
        parts.append(f"{process.name}{sure}{number}{fd}{others}")
    for text, value in (
        (_("user {name}"), sock.user),
        ("{name}", sock.unit),
        (_("container {name}"), sock.container),
    ):
        if value:
            parts.append(text.format(name=value))
    if not sock.accepted:
        parts.append(_("not accepted yet"))
    return clean(listed(parts))

"""A table of connections as JSON, a line each: what :mod:`jsonl` writes, many times as fast."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from numpy.typing import NDArray

from tcpviz.bulk.tables.branches import Kind
from tcpviz.bulk.tables.facts import facts, text
from tcpviz.bulk.tables.portions import CLIENT, SERVER
from tcpviz.bulk.tables.table import Table
from tcpviz.core.connection import Connection
from tcpviz.core.verdict_codes import Verdict
from tcpviz.export import alike
from tcpviz.export.by_kind import ByKind
from tcpviz.export.filling import Draft, Form, number
from tcpviz.export.jsonl import connection_object, dumps

Array = NDArray[Any]

_ENDS = ((CLIENT, "client"), (SERVER, "server"))


def lines(table: Table) -> ByKind[str]:
    """What writes connections of ``table``."""
    return ByKind(table, _line, _form)


def texts(table: Table, places: Array) -> Iterator[str]:
    """The lines of the connections at these places, some thousand in each text."""
    return lines(table).made(places, "".join)


def _line(connection: Connection, now_ns: int) -> str:
    return dumps(connection_object(connection, now_ns)) + "\n"


def _form(kind: Kind) -> tuple[Form, str]:
    draft = Draft(r'"\\u0001(\d+)\\u0001"')
    o = connection_object(kind.connection, kind.now)
    itself = dumps(o) + "\n"
    o["id"] = draft.hole(number(lambda p: p.places + 1))
    o["first_ns"] = draft.hole(number(lambda p: p.first_ns))
    o["last_ns"] = draft.hole(number(lambda p: p.last_ns))
    for side, name in _ENDS:
        o[name] = {
            "addr": draft.hole(alike.address(side), raw=False),
            "port": draft.hole(number(alike.port(side))),
        }
        claim = alike.claim(kind, side)
        if claim is not None:
            o["claims"][name]["frame"] = draft.hole(claim)
        for what in ("segments", "bytes"):
            column = f"{name}_{what}"
            o[what][name] = draft.hole(number(alike.column(column)))
    o["marks"] = draft.hole(alike.marks(kind, _object))
    if o["handshake_rtt_ns"] is not None:
        o["handshake_rtt_ns"] = draft.hole(number(lambda p: p.rtt))
    for verdict, said in zip(kind.said, o["verdicts"], strict=True):
        _verdict(draft, kind, verdict, said)
    o["verdict"] = o["verdicts"][0]["text"]
    o["community_id"] = draft.hole(alike.community, raw=False)
    o["inside"] = draft.hole(alike.inside(_list))
    return draft.form(dumps(o) + "\n"), itself


def _verdict(draft: Draft, kind: Kind, verdict: Verdict, said: dict[str, Any]) -> None:
    for name, column in facts(verdict).items():
        said[name] = draft.hole(number(column), raw=name != "reporter")
    said["frames"] = draft.hole(alike.frames(kind, verdict, "[{}]".format))
    filled = text(kind, verdict, json.dumps)
    if filled is not None:
        said["text"] = draft.hole(filled)


def _list(scope: tuple[str, ...]) -> str:
    return json.dumps(scope, separators=(",", ":"))


def _object(counts: Mapping[str, int]) -> str:
    return dumps(dict(counts))

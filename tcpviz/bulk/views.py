"""One end of a connection in all the views that the core has of it."""

from __future__ import annotations

from tcpviz.core.analysis import Analysis
from tcpviz.core.connection import Connection
from tcpviz.core.flow import Flow
from tcpviz.core.halfconn import End
from tcpviz.core.records import Side
from tcpviz.core.vitals import Signs
from tcpviz.core.zeek_end import End as ZeekEnd


class Views:
    """``letters``: of its data, and its ACKs, in Zeek's history."""

    __slots__ = ("end", "flow", "letters", "side", "signs", "vitals", "zeek")

    def __init__(self, connection: Connection, analysis: Analysis, side: Side) -> None:
        marks, zeek = analysis.marks, analysis.zeek
        self.side = side
        self.end: End = connection.end(side)
        self.flow: Flow = marks._client if side is Side.CLIENT else marks._server
        self.vitals = analysis.vitals
        self.signs: Signs = self._signs()
        first = side is zeek.originator
        self.zeek: ZeekEnd = zeek._orig if first else zeek._resp
        self.letters = "DA" if first else "da"

    def _signs(self) -> Signs:
        return self.vitals.of(self.side)

"""Verdicts: what an expert would say of a connection, as codes with the facts behind them.

Pure: from the claims, the marks and the vital signs. Exactly one verdict says
how the connection stands or ended (:mod:`tcpviz.core.outcomes`); any number of
others say what else is worth knowing (:mod:`tcpviz.core.findings`). Only what
the segments show is said; where they merely suggest something, it is called
suspected. The sentences are in :mod:`tcpviz.views.verdict`, what to do about
each in the topic ``verdicts`` of the help.
"""

from __future__ import annotations

from tcpviz.core.connection import Connection
from tcpviz.core.findings import findings
from tcpviz.core.outcomes import outcome
from tcpviz.core.verdict_codes import Code, Severity, Verdict

__all__ = ["Code", "Severity", "Verdict", "verdicts"]

_PLACE = {code: place for place, code in enumerate(Code)}


def verdicts(connection: Connection, now_ns: int | None = None) -> list[Verdict]:
    """All there is to say, the most severe first; never empty.

    ``now_ns`` is the moment at which it is asked: by the capture's own clock, its end
    (default: the connection's latest segment). What goes on until then is measured up to it.
    """
    now = connection.last_ns if now_ns is None else max(now_ns, connection.last_ns)
    said = [outcome(connection, now), *findings(connection, now)]
    said.sort(key=lambda each: (-each.severity, _PLACE[each.code]))
    return said

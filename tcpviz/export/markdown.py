"""A connection as Markdown, to be pasted into a ticket: verdict, facts, chart."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Final

from tcpviz.core.connection import Connection
from tcpviz.core.timeline import Timeline
from tcpviz.export.text import ladder_text
from tcpviz.views import numbers
from tcpviz.views.spans import clean
from tcpviz.views.verdict import sentences

_SPECIAL: Final = str.maketrans({char: "\\" + char for char in "\\`*_{}[]<>()#+-.!|~"})


def words(text: str) -> str:
    """``text`` as it is, whatever of it Markdown would take for markup."""
    return clean(text).translate(_SPECIAL)


def report(
    timeline: Timeline,
    connection: Connection,
    source: str,
    now_ns: int | None = None,
    *,
    width: int = 100,
    ascii_only: bool = False,
) -> str:
    """The whole report; ``source`` says where the connection was seen, ``now_ns`` until when."""
    head = "\n".join(_head(connection, source, now_ns))
    chart = ladder_text(timeline, connection, width, ascii_only=ascii_only)
    longest = 0
    for line in chart.split("\n"):  # no fence may end before the chart does
        run = len(line) - len(line.lstrip("`"))
        longest = max(longest, run)
    fence = "`" * max(3, longest + 1)
    return f"{head}\n\n{fence}text\n{chart}{fence}\n"


def _head(c: Connection, source: str, now_ns: int | None) -> Iterator[str]:
    found = sentences(c, now_ns)
    yield f"## {words(str(c.client.endpoint))} → {words(str(c.server.endpoint))}"
    yield ""
    for place, (verdict, said) in enumerate(found):
        text = words(said)
        yield f"**{text}** (`{verdict.code}`)" if not place else f"- {text} (`{verdict.code}`)"
        if not place:
            yield ""
    if len(found) > 1:
        yield ""
    began = dt.datetime.fromtimestamp(c.first_ns / 1e9, dt.UTC)
    yield "| | client | server |"
    yield "|---|---|---|"
    yield f"| end | {words(str(c.client.endpoint))} | {words(str(c.server.endpoint))} |"
    states = (f"{end.state} ({end.claim.certainty})" for end in (c.client, c.server))
    yield f"| state | {' | '.join(states)} |"
    yield f"| segments | {c.client.segments} | {c.server.segments} |"
    yield f"| bytes | {c.client.bytes} | {c.server.bytes} |"
    yield ""
    yield f"- seen in {words(source)}, from {began:%Y-%m-%d %H:%M:%S.%f} UTC, for "\
        f"{numbers.duration(c.last_ns - c.first_ns)}"  # fmt: skip
    if c.handshake_rtt_ns is not None:
        yield f"- round-trip time of the handshake: {numbers.duration(c.handshake_rtt_ns)}"
    counted = {str(name): count for name, count in (c.marks or {}).items() if count}
    if counted:
        told = ", ".join(f"`{name}` {count}" for name, count in sorted(counted.items()))
        yield f"- marks: {told}"
    if c.conn_state is not None:
        yield f"- Zeek: `{c.conn_state}` `{c.history}`; Wireshark completeness {c.completeness}"

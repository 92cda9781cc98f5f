"""A connection as one HTML page that needs nothing else: chart, facts, every segment, foldable.

No script: folding is ``<details>``. A policy in the page forbids it to fetch
anything, so that what was captured cannot make whoever opens it call somebody.
"""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import Final

from tcpviz.core.connection import Connection
from tcpviz.core.records import Side
from tcpviz.core.timeline import Step, StepKind, Timeline
from tcpviz.export import svg_chart
from tcpviz.export.exchange import Exchange
from tcpviz.export.text import change_line, options_text
from tcpviz.views import numbers
from tcpviz.views.ladder_labels import mark_variants
from tcpviz.views.spans import clean
from tcpviz.views.verdict import sentences

_STYLE: Final = """
:root { color-scheme: light dark; }
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 80rem; padding: 0 1rem }
h1 { font-size: 1.4rem } table { border-collapse: collapse; font: 13px/1.4 monospace }
td, th { padding: .15rem .7rem; text-align: left; border-bottom: 1px solid #8884 }
td.n { text-align: right } tr.mark { background: #e69f0022 } tr.state td { color: #777 }
summary { cursor: pointer; font-weight: bold; margin: 1rem 0 .5rem }
svg { max-width: 100%; height: auto } .light { display: block } .dark { display: none }
@media (prefers-color-scheme: dark) { .light { display: none } .dark { display: block } }
"""
MOST_SEGMENTS: Final = 20_000


def page(
    timeline: Timeline,
    connection: Connection,
    exchange: Exchange,
    source: str,
    now_ns: int | None = None,
) -> str:
    """The whole document. ``source`` says where the connection was seen."""
    return "\n".join(_parts(timeline, connection, exchange, source, now_ns)) + "\n"


def _parts(
    timeline: Timeline, c: Connection, e: Exchange, source: str, now_ns: int | None
) -> Iterator[str]:
    title = f"{c.client.endpoint} → {c.server.endpoint}"
    yield "<!doctype html>"
    yield '<html lang="en"><head><meta charset="utf-8">'
    policy = "default-src 'none'; style-src 'unsafe-inline'"
    yield f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body>"
    yield f"<h1>{escape(title)}</h1>"
    for verdict, text in sentences(c, now_ns):
        yield f"<p><strong>{escape(text)}</strong> <code>{escape(str(verdict.code))}</code></p>"
    yield f"<p>Seen in {escape(clean(source))}, for {numbers.duration(c.last_ns - c.first_ns)}.</p>"
    yield "<details open><summary>Sequence chart</summary>"
    for theme in ("light", "dark"):
        yield f'<div class="{theme}">{svg_chart.chart(e, theme)}</div>'
    yield "</details>"
    yield from _facts(c)
    yield from _segments(timeline, c)
    yield "</body></html>"


def _facts(c: Connection) -> Iterator[str]:
    ends = (c.client, c.server)
    rows = [
        ("end", [str(end.endpoint) for end in ends]),
        ("state", [f"{end.state} ({end.claim.certainty})" for end in ends]),
        ("because", [clean(end.claim.because) for end in ends]),
        ("segments", [str(end.segments) for end in ends]),
        ("bytes", [str(end.bytes) for end in ends]),
    ]
    yield "<details open><summary>Both ends</summary><table>"
    yield "<tr><th></th><th>client</th><th>server</th></tr>"
    for name, cells in rows:
        told = "".join(f"<td>{escape(cell)}</td>" for cell in cells)
        yield f"<tr><th>{name}</th>{told}</tr>"
    yield "</table></details>"


def _segments(timeline: Timeline, c: Connection) -> Iterator[str]:
    steps = [timeline[index] for index in timeline.of(c.id)]
    told = [
        step
        for step in steps
        if step.connection == c.id
        and ((step.segment is not None and step.handled is None) or step.changes)
    ]
    origin = told[0].time_ns if told else 0
    count = sum(step.kind in (StepKind.SEGMENT, StepKind.SENT) for step in told)
    yield f"<details><summary>{numbers.plural(count, 'segment')}</summary><table>"
    heads = ("time", "", "flags", "seq", "ack", "win", "len", "options and marks")
    yield "<tr>" + "".join(f"<th>{head}</th>" for head in heads) + "</tr>"
    for step in told[:MOST_SEGMENTS]:
        yield from _rows(step, origin)
    yield "</table>"
    if len(told) > MOST_SEGMENTS:
        yield f"<p>and {len(told) - MOST_SEGMENTS} more</p>"
    yield "</details>"


_MOMENTS: Final = {
    StepKind.SEGMENT: "", StepKind.SENT: "sent ", StepKind.ARRIVED: "arrived ",
    StepKind.LOST: "lost ",
}  # fmt: skip


def _rows(step: Step, origin: int) -> Iterator[str]:
    time = numbers.seconds(step.time_ns - origin)
    segment = step.segment
    if segment is not None and step.kind in _MOMENTS:
        side = step.side or Side.CLIENT
        seq, ack = step.relative
        marks, _ = mark_variants(step)
        more = options_text(segment, None if ack is None else (segment.ack - ack) & 0xFFFFFFFF)
        cells = [
            f'<td class="n">{time}</td>',
            f"<td>{_MOMENTS[step.kind]}{side} → {side.other}</td>",
            f"<td>{segment.flags.names()}</td>",
            f'<td class="n">{seq}</td>',
            f'<td class="n">{"" if ack is None else ack}</td>',
            f'<td class="n">{segment.window}</td>',
            f'<td class="n">{segment.payload_len}</td>',
            f"<td>{escape(' '.join([more, *marks[:1]]).strip())}</td>",
        ]
        kind = ' class="mark"' if marks else ""
        yield f"<tr{kind}>{''.join(cells)}</tr>"
    for change in step.changes:
        yield (
            f'<tr class="state"><td class="n">{time}</td>'
            f'<td colspan="7">{escape(change_line(change))}</td></tr>'
        )

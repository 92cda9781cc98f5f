"""The sequence chart as an SVG drawing: real lines, for slides and documents.

Rows are the things that happened, in order; so the picture is not to scale,
and says each row's time at the left. No script, no font and nothing else from
elsewhere: a picture must not call anybody when it is looked at.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Final
from xml.sax.saxutils import escape, quoteattr

from tcpviz.core.records import Side
from tcpviz.export.cells import FONTS
from tcpviz.export.exchange import Bar, Exchange, Message
from tcpviz.views import palettes, roles
from tcpviz.views.roles import Look
from tcpviz.views.spans import text_width

GROUNDS: Final = {
    "light": ("#ffffff", palettes.LIGHT),
    "dark": (palettes.DARK_HUES.ground, palettes.DARK),
}
"""Each theme's background and its roles' looks."""

_CELL = 7.3  # a monospaced character at _SIZE, in pixels; text is given its length all the same
_SIZE = 12
_ROW = 30
_GUTTER = 84
_SPAN = 400
_STATE = 112
_BAND = 48.0  # a band's name, right of the states
_MARGIN = 16
_BANDS: Final = {"handshake": roles.BAND_HANDSHAKE, "data": roles.BAND_DATA,
                 "teardown": roles.BAND_TEARDOWN}  # fmt: skip


def chart(exchange: Exchange, theme: str = "light") -> str:
    """The whole document. ``theme`` is ``light`` or ``dark``."""
    return _Drawing(exchange, theme).document()


class _Drawing:
    def __init__(self, exchange: Exchange, theme: str) -> None:
        self.e = exchange
        self.ground, looks = GROUNDS[theme]
        self.looks: Mapping[str, Look] = looks
        lanes = {side: [bar for bar in exchange.bars if bar.side is side] for side in Side}
        longest = max((text_width(bar.text) for bar in exchange.bars), default=0)
        lane = min(longest, 34) * _CELL + 22
        left = lane if lanes[Side.CLIENT] else 0.0
        right = lane if lanes[Side.SERVER] else _BAND
        self.x = {Side.CLIENT: _MARGIN + _GUTTER + left + _STATE}
        self.x[Side.SERVER] = self.x[Side.CLIENT] + _SPAN
        self.lane = {
            Side.CLIENT: self.x[Side.CLIENT] - _STATE - 8,
            Side.SERVER: self.x[Side.SERVER] + _STATE + 8,
        }
        self.width = self.x[Side.SERVER] + _STATE + right + _MARGIN
        self.top = 92.0
        self.height = self.top + (len(exchange.times) + 1) * _ROW + 34

    def y(self, row: int) -> float:
        return self.top + (row + 0.7) * _ROW

    def document(self) -> str:
        parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self.width:.0f} '
            f'{self.height:.0f}" width="{self.width:.0f}" height="{self.height:.0f}" '
            f'font-family="{FONTS}" font-size="{_SIZE}" xml:space="preserve">',
            f"<title>{escape(self.e.client)} and {escape(self.e.server)}</title>",
            f"<desc>{escape(self.e.verdict)}</desc>",
            f'<rect width="100%" height="100%" fill="{self.ground}"/>',
            *self._head(),
            *self._bands(),
            *self._times(),
            *self._lifelines(),
            *(piece for bar in self.e.bars for piece in self._bar(bar)),
            *self._changes(),
            *(piece for message in self.e.messages for piece in self._message(message)),
            *self._remarks(),
            "</svg>",
        ]
        return "\n".join(parts) + "\n"

    # -- pieces -------------------------------------------------------------

    def _colour(self, role: str) -> str:
        look = self.looks.get(role)
        return (look.fg if look else None) or self.looks[roles.TEXT].fg or "#888888"

    def _text(
        self, x: float, y: float, text: str, role: str, anchor: str = "start", extra: str = ""
    ) -> str:
        look = self.looks.get(role, Look())
        weight = ' font-weight="bold"' if look.bold else ""
        slant = ' font-style="italic"' if look.italic else ""
        return (
            f'<text x="{x:.1f}" y="{y:.1f}" fill="{self._colour(role)}" '
            f'text-anchor="{anchor}"{weight}{slant}{extra}>{escape(text)}</text>'
        )

    def _line(
        self, a: tuple[float, float], b: tuple[float, float], role: str, extra: str = ""
    ) -> str:
        return (
            f'<line x1="{a[0]:.1f}" y1="{a[1]:.1f}" x2="{b[0]:.1f}" y2="{b[1]:.1f}" '
            f'stroke="{self._colour(role)}"{extra}/>'
        )

    def _head(self) -> Iterator[str]:
        yield self._text(_MARGIN, 26, self.e.verdict, roles.TITLE, extra=' font-size="15"')
        for side, role in ((Side.CLIENT, roles.CLIENT), (Side.SERVER, roles.SERVER)):
            name = self.e.name(side)
            yield self._text(self.x[side], 56, str(side), role, "middle")
            yield self._text(self.x[side], 72, name, role, "middle", ' font-size="11"')

    def _lifelines(self) -> Iterator[str]:
        bottom = self.y(len(self.e.times))
        for side, begin in zip(Side, self.e.begin, strict=True):
            x = self.x[side]
            yield self._line((x, self.top - 12), (x, bottom), roles.LIFELINE, ' stroke-width="1.5"')
            if begin:
                # Above the line of a band that begins with the first row.
                yield self._state(side, self.top - 8, begin, "")

    def _state(self, side: Side, y: float, state: str, why: str) -> str:
        out = -8 if side is Side.CLIENT else 8
        anchor = "end" if side is Side.CLIENT else "start"
        role = roles.CLIENT if side is Side.CLIENT else roles.SERVER
        text = self._text(self.x[side] + out, y + 4, state, role, anchor, ' font-size="11"')
        return f"<g><title>{escape(why)}</title>{text}</g>" if why else text

    def _bands(self) -> Iterator[str]:
        for band in self.e.bands:
            y = self.y(band.row) - _ROW * 0.55
            role = _BANDS.get(band.name.value, roles.DIM)
            yield self._line(
                (_MARGIN, y), (self.width - _MARGIN, y), role, ' stroke-dasharray="2 4"'
            )
            yield self._text(
                self.width - _MARGIN, y - 3, band.name.value, role, "end", ' font-size="10"'
            )

    def _times(self) -> Iterator[str]:
        for row in range(len(self.e.times)):
            time = f"{self.e.seconds(row):.6f}"
            yield self._text(
                _MARGIN + _GUTTER - 20, self.y(row) + 4, time, roles.TIME, "end", ' font-size="11"'
            )

    def _changes(self) -> Iterator[str]:
        # One segment may move an end twice: where it comes to is written, how it came there told.
        places: dict[tuple[Side, int], tuple[str, str]] = {}
        for change in self.e.changes:
            before = places.get((change.side, change.row))
            why = change.why if before is None else f"{before[0]}: {before[1]}\n{change.why}"
            places[change.side, change.row] = change.state, why
        for (side, row), (state, why) in places.items():
            yield self._state(side, self.y(row), state, why)

    def _bar(self, bar: Bar) -> Iterator[str]:
        x, sign = self.lane[bar.side], -1 if bar.side is Side.CLIENT else 1
        began = self.y(bar.began)
        ended = self.y(bar.returned if bar.returned is not None else len(self.e.times)) - 4
        role = roles.CALL
        if bar.returned is None:
            role = roles.CALL_BLOCKED
        elif bar.call.failed:
            role = roles.CALL_ERROR
        yield (
            f'<rect x="{x - 3:.1f}" y="{began - 6:.1f}" width="6" '
            f'height="{max(ended - began + 8, 8):.1f}" rx="2" fill="{self._colour(role)}">'
            f"<title>{escape(bar.text)}</title></rect>"
        )
        anchor = "end" if bar.side is Side.CLIENT else "start"
        words = [bar.text]
        if bar.returned is not None and bar.returned > bar.began:
            call, _, result = bar.text.rpartition(" = ")
            words = [call, f"= {result}"]
        for text, y in zip(words, (began, ended), strict=False):
            short = text if len(text) <= 34 else text[:33] + "…"
            yield self._text(x + sign * 9, y + 4, short, role, anchor, ' font-size="11"')

    def _message(self, m: Message) -> Iterator[str]:
        start = (self.x[m.side], self.y(m.row))
        far = self.x[m.side.other]
        title = " ".join([m.label, *m.marks])
        yield f"<g><title>{escape(title)}</title>"
        ends: list[tuple[float, float]] = []
        if m.lost is not None:
            middle = (start[0] + (far - start[0]) * 0.55, self.y(m.lost) - _ROW * 0.3)
            yield from self._arrow(start, middle, m.role, head=False)
            yield self._cross(middle)
            ends.append(middle)
        for row in [m.row if m.level else m.arrived, *m.again]:
            if row is None:
                continue
            end = (far, self.y(row))
            yield from self._arrow(start, end, m.role, faint=bool(ends))
            ends.append(end)
        if not ends:  # still under way when the story ends
            end = (start[0] + (far - start[0]) * 0.5, start[1] + _ROW * 0.4)
            yield from self._arrow(start, end, m.role, head=False, faint=True)
            ends.append(end)
        yield from self._label(start, ends[0], m)
        yield "</g>"

    def _label(
        self, start: tuple[float, float], end: tuple[float, float], m: Message
    ) -> Iterator[str]:
        left, right = sorted((start, end))
        angle = math.degrees(math.atan2(right[1] - left[1], right[0] - left[0]))
        marks = " ".join(m.marks)
        words = f"{m.label}  {marks}" if marks else m.label
        room = int(math.dist(start, end) / _CELL) - 2
        if text_width(words) > room > 8:
            words = words[: room - 1] + "…"
        # A slanting one has its words near its sender: what is told of the rows that it passes
        # stands in the middle.
        part = 0.5
        if start[1] != end[1]:
            part = min((text_width(words) * _CELL / 2 + 14) / math.dist(start, end), 0.5)
        x, y = (a + (b - a) * part for a, b in zip(start, end, strict=True))
        turn = f' transform="rotate({angle:.2f} {x:.1f} {y:.1f})"' if angle else ""
        role = roles.MARK_WARNING if marks else m.role
        # A halo in the ground's colour keeps the words legible where lines cross.
        halo = f' paint-order="stroke" stroke="{self.ground}" stroke-width="3"'
        yield self._text(x, y - 5, words, role, "middle", halo + turn)

    def _arrow(
        self,
        start: tuple[float, float],
        end: tuple[float, float],
        role: str,
        *,
        head: bool = True,
        faint: bool = False,
    ) -> Iterator[str]:
        dashes = ' stroke-dasharray="5 4"' if faint else ""
        yield self._line(start, end, role, f' stroke-width="1.5"{dashes}')
        if head:
            angle = math.atan2(end[1] - start[1], end[0] - start[0])
            points = " ".join(
                f"{end[0] - 9 * math.cos(angle + turn):.1f},"
                f"{end[1] - 9 * math.sin(angle + turn):.1f}"
                for turn in (-0.4, 0.4)
            )
            tip = quoteattr(f"{end[0]:.1f},{end[1]:.1f} {points}")
            yield f'<polygon points={tip} fill="{self._colour(role)}"/>'

    def _cross(self, at: tuple[float, float]) -> str:
        x, y = at
        return (
            f'<path d="M{x - 6:.1f} {y - 6:.1f}l12 12m0 -12l-12 12" fill="none" '
            f'stroke="{self._colour(roles.LOST)}" stroke-width="2.5"/>'
        )

    def _remarks(self) -> Iterator[str]:
        x = (self.x[Side.CLIENT] + self.x[Side.SERVER]) / 2
        for remark in self.e.remarks:
            halo = f' paint-order="stroke" stroke="{self.ground}" stroke-width="3" font-size="11"'
            yield self._text(x, self.y(remark.row) + 4, remark.text, remark.role, "middle", halo)
        if self.e.left_out:
            words = f"and {self.e.left_out} more segments that are not drawn"
            yield self._text(x, self.height - 14, words, roles.DIM, "middle")

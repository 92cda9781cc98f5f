"""The TCP header as RFC 9293 figure 1 draws it, with this segment's values in its fields.

Each bit is two cells wide, so that a row of 32 bits takes 65. What the figure
names is named here; the options, whose places within the header are not kept,
stand together below.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from tcpviz.core.segment import Flags, Segment
from tcpviz.views import linework, roles
from tcpviz.views.option_words import words
from tcpviz.views.spans import Line, Span, fit_text, line, text_width
from tcpviz.words import _

WIDTH: Final = 65
"""Cells of a row: 32 bits of two, and the closing line."""

BITS: Final = (
    (Flags.CWR, "C", "CWR", roles.MARK_NOTE),
    (Flags.ECE, "E", "ECE", roles.MARK_NOTE),
    (Flags.URG, "U", "URG", roles.MARK_WARNING),
    (Flags.ACK, "A", "ACK", roles.FLAG_ACK),
    (Flags.PSH, "P", "PSH", roles.DATA),
    (Flags.RST, "R", "RST", roles.FLAG_RST),
    (Flags.SYN, "S", "SYN", roles.FLAG_SYN),
    (Flags.FIN, "F", "FIN", roles.FLAG_FIN),
)
"""The eight named control bits in the header's order: bit, letter, name, role."""


@dataclass(frozen=True, slots=True)
class Cell:
    """A field in a row: its width in bits, a name and a value, and the value's role.

    ``more``  the row goes on with what the one above it began: there is no line between
    """

    bits: int
    name: str
    value: str = ""
    role: str = roles.NUMBER
    more: bool = False

    def spans(self) -> tuple[Span, ...]:
        """Name and value, in the middle of the field's cells."""
        room = self.bits * 2 - 1
        name = fit_text(self.name, room)
        value = fit_text(self.value, room - text_width(name) - 1 if name else room)
        used = text_width(name) + text_width(value) + (1 if name and value else 0)
        left = (room - used) // 2
        gap = " " if name and value else ""
        return (
            Span(" " * left),
            Span(name, roles.DIM),
            Span(gap),
            Span(value, self.role),
            Span(" " * (room - used - left)),
        )


Cells = Sequence[Cell]


def header_box(
    segment: Segment, relative: tuple[int, int | None], *, ascii_only: bool = False
) -> list[Line]:
    """The header, :data:`WIDTH` cells wide; ``relative`` as in a step."""
    return [*_ruler(), *_framed(_rows(segment, relative), ascii_only)]


def _rows(segment: Segment, relative: tuple[int, int | None]) -> Iterable[list[Cell]]:
    seq, ack = relative
    flags = segment.flags
    yield [
        Cell(16, _("Source Port"), str(segment.src.port)),
        Cell(16, _("Destination Port"), str(segment.dst.port)),
    ]
    yield [Cell(32, _("Sequence Number"), f"{segment.seq} ({seq})")]
    said = f"{segment.ack} ({ack})" if ack is not None else f"{segment.ack} ({_('not valid')})"
    role = roles.NUMBER if ack is not None else roles.DIM
    yield [Cell(32, _("Acknowledgment Number"), said, role)]
    offset = str(segment.header_len // 4) if segment.header_len else "?"
    reserved = segment.reserved << 1 | bool(flags & Flags.AE)
    yield [
        Cell(4, _("Offset")),
        Cell(4, _("Rsrvd")),
        *(Cell(1, letter) for _bit, letter, _name, _role in BITS),
        Cell(16, _("Window")),
    ]
    yield [
        Cell(4, "", offset, more=True),
        Cell(4, "", f"{reserved:04b}"),
        *(
            Cell(1, "", "1" if flags & bit else "0", role if flags & bit else roles.DIM)
            for bit, _letter, _name, role in BITS
        ),
        Cell(16, "", str(segment.window)),
    ]
    checksum = "?" if segment.checksum is None else f"0x{segment.checksum:04x}"
    wrong = roles.MARK_BAD if segment.checksum_ok is False else roles.NUMBER
    urgent = roles.NUMBER if flags & Flags.URG else roles.DIM
    yield [
        Cell(16, _("Checksum"), checksum, wrong),
        Cell(16, _("Urgent Pointer"), str(segment.urgent), urgent),
    ]
    # The option's words are numbers and hexadecimal digits: nothing of a stranger's gets through.
    base = segment.ack - ack if ack is not None else 0
    said = ", ".join(option.short for option in words(segment.options, base))
    if segment.options.malformed:
        said = f"{said} ({_('cannot be read to their end')})".strip()
    if segment.options.cut:
        said = f"{said} ({_('the rest was not captured')})".strip()
    if said:
        name = _("Options")
        room = 2 * 32 - 1
        for number, part in enumerate(textwrap.wrap(f"{name} {said}", room)):
            first = not number and part.startswith(name)
            value = part.removeprefix(name).strip() if first else part
            yield [Cell(32, name if first else "", value, more=bool(number))]


def _ruler() -> list[Line]:
    tens = "".join(f" {bit // 10 if bit % 10 == 0 else ' '}" for bit in range(32))
    ones = "".join(f" {bit % 10}" for bit in range(32))
    return [line(Span(tens, roles.TIME)), line(Span(ones, roles.TIME))]


def _framed(rows: Iterable[list[Cell]], ascii_only: bool) -> list[Line]:
    """Rows with lines around and between them; the names of the bits belong to the row below."""
    made: list[Line] = []
    before: set[int] = set()
    bar = "|" if ascii_only else "│"
    for row in rows:
        walls = _walls(row)
        if not row[0].more:
            made.append(_border(before, walls, ascii_only, first=not made))
        spans: list[Span] = [Span(bar, roles.FRAME)]
        for cell in row:
            spans += [*cell.spans(), Span(bar, roles.FRAME)]
        made.append(line(*spans))
        before = walls
    made.append(_border(before, set(), ascii_only))
    return made


def _walls(row: Cells) -> set[int]:
    at, walls = 0, {0}
    for cell in row:
        at += cell.bits * 2
        walls.add(at)
    return walls


def _border(above: set[int], below: set[int], ascii_only: bool, *, first: bool = False) -> Line:
    chars = []
    for x in range(WIDTH):
        up, down = x in above, x in below
        if ascii_only:
            chars.append("+" if x % 2 == 0 else "-")
            continue
        if first and x % 2 == 0 and 0 < x < WIDTH - 1:
            chars.append("┼" if down else "┴")
            continue
        arms = (int(up), int(x < WIDTH - 1), int(down), int(x > 0))
        chars.append(linework.glyph(arms))
    return line(Span("".join(chars), roles.FRAME))

"""The scrubber: one line for all the time there is, with what happened when, and the cursor in it.

Cells stand for equal shares of the steps, as the keys step through them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol

from tcpviz.views import digest as d
from tcpviz.views import roles
from tcpviz.views.ladder_labels import MARKS
from tcpviz.views.spans import Line, Span, fit, line, text_width

LEAST: Final = 12
"""Below so many cells there is no track."""

_TONES: Final = {sign: tone for sign, _, tone in MARKS.values()}
_STATE_TABLE: Final = bytes(1 if bits & d.STATE else 0 for bits in range(256))


class Steps(Protocol):
    """Columns of steps: the whole timeline's, or one connection's."""

    classes: bytearray
    letters: bytearray


@dataclass(frozen=True, slots=True)
class Spot:
    """Where something on the line is: columns ``start`` up to ``end`` do ``action``."""

    start: int
    end: int
    action: str


@dataclass(frozen=True, slots=True)
class Scrubber:
    """The line, and what can be pressed on it.

    ``track_at``, ``track``  first cell and cells of the track; ``count`` steps lie on it
    """

    line: Line
    track_at: int
    track: int
    count: int
    spots: tuple[Spot, ...] = ()

    def place_at(self, column: int) -> int:
        """The position that a cell means; -1 is before the first step."""
        cell = min(max(column - self.track_at, 0), self.track - 1)
        if cell >= self.track - 1:
            return self.count - 1
        return -(-cell * self.count // max(self.track - 1, 1)) - 1


@dataclass(frozen=True, slots=True)
class Tick:
    """Something worth a sign at a position: the letter of trouble, ``|`` for a change of state."""

    place: int
    sign: str
    role: str


def ticks(steps: Steps, count: int, shares: int) -> list[Tick]:
    """The ticks of ``count`` steps, at most one for each of so many equal shares of them."""
    made: list[Tick] = []
    shares = min(shares, count)
    for share in range(shares):
        start, stop = share * count // shares, (share + 1) * count // shares
        letter = d.worst(steps.letters[start:stop])
        state = -1 if letter else steps.classes[start:stop].translate(_STATE_TABLE).rfind(1)
        if letter:
            place = steps.letters.find(ord(letter), start, stop)
            made.append(Tick(place, letter, _TONES.get(letter, roles.MARK_BAD)))
        elif state >= 0:
            made.append(Tick(start + state, "|", roles.BAND_HANDSHAKE))
    return made


def _placed(marks: list[Tick], count: int, cells: int) -> dict[int, Tick]:
    """The tick of each cell that has one: trouble, else a change of state."""
    made: dict[int, Tick] = {}
    for tick in marks:
        cell = (tick.place + 1) * (cells - 1) // max(count, 1)
        if cell not in made or made[cell].sign == "|":
            made[cell] = tick
    return made


def scrubber(
    marks: list[Tick],
    count: int,
    cursor: int,
    width: int,
    *,
    sign: str,
    now: str,
    end: str,
    speed: str = "",
    since: str = "",
    hide_future: bool = False,
    ascii_only: bool = False,
) -> Scrubber:
    """The scrubber in exactly ``width`` cells.

    ``marks``   :func:`ticks` of the ``count`` steps
    ``cursor``  position of the step at the cursor, -1 before the first
    ``sign``    of playing or not; ``now``, ``end``: the time at the cursor, and of all
    ``speed``   at which it plays; ``since``: what has come since, where one has gone back
    """
    past, future, knob = ("=", "-", "O") if ascii_only else ("━", "─", "◉")
    left = f" {sign} {now} "
    tail: list[tuple[str, str, str]] = [(f" {end}", roles.TIME, "")]
    if since:
        tail += [("  ", roles.TIME, ""), (since, roles.LIT, "end")]
    elif speed:
        tail += [
            ("  ", roles.TIME, ""),
            ("-", roles.KEY, "slower"),
            (f" {speed} ", roles.TEXT, ""),
            ("+", roles.KEY, "faster"),
        ]
    tail.append((" ", roles.TIME, ""))
    while tail and text_width(left) + sum(text_width(one[0]) for one in tail) + LEAST > width:
        tail.pop(0 if len(tail) > 4 else -1)
    cells = width - text_width(left) - sum(text_width(one[0]) for one in tail)
    spans = [Span(f" {sign} ", roles.KEY), Span(f"{now} ", roles.TIME)]
    spots = [Spot(0, 3, "pause")]
    if cells < LEAST // 2:
        return Scrubber(fit(spans, width), 0, 1, count, tuple(spots))
    here = 0 if count <= 0 else (cursor + 1) * (cells - 1) // count
    placed = _placed(marks, count, cells)
    for cell in range(cells):
        if cell == here:
            spans.append(Span(knob, roles.LIT))
            continue
        tick = placed.get(cell)
        if tick is not None and not (hide_future and cell > here):
            spans.append(Span(tick.sign, tick.role))
        else:
            spans.append(
                Span(past if cell < here else future, roles.CLIENT if cell < here else roles.FRAME)
            )
    at = text_width(left) + cells
    for text, role, action in tail:
        if action:
            spots.append(Spot(at, at + text_width(text), action))
        spans.append(Span(text, role))
        at += text_width(text)
    return Scrubber(fit(line(*spans), width), text_width(left), cells, count, tuple(spots))

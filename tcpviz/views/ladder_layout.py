"""Where the sequence chart's columns stand at a given width.

From the left: cursor mark, time gutter, the client's lane (words, then bars),
its state, its lifeline, the arrows, and the same mirrored for the server. As
the width shrinks, first the lanes' words get less room, then states are
shortened, then the lanes' words move between the lifelines and their bars to
them, then the gutter goes, at last the states. The arrows keep room for a
label as long as they can.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final


@dataclass(frozen=True, slots=True)
class Layout:
    """Columns and widths, all in cells; a width of 0 means that the part is left out.

    ``left`` and ``right`` are the lifelines' columns; ``first`` and ``last``
    (not included) bound the arrows; ``state_left`` is the first cell of the
    client's state (written flush right), ``state_right`` that of the server's.
    ``bar_left`` is the client's bar of track 0 (further tracks to its left),
    ``bar_right`` the server's (further ones to its right).
    """

    width: int
    mark: int
    gutter: int
    gutter_at: int
    lane: int
    lane_left: int
    lane_right: int
    tracks: int
    bar_left: int
    bar_right: int
    state: int
    state_left: int
    state_right: int
    left: int
    right: int

    @property
    def first(self) -> int:
        return self.left + 1

    @property
    def last(self) -> int:
        return self.right

    @property
    def arrows(self) -> int:
        """Cells between the lifelines."""
        return self.right - self.left - 1


# (cursor mark, gutter, lane, state, least room for the arrows, most tracks of bars)
_LEVELS: Final = (
    (1, 10, 24, 13, 44, 3),
    (1, 10, 18, 13, 38, 2),
    (1, 9, 15, 11, 32, 2),
    (1, 8, 12, 9, 28, 2),
    (1, 8, 10, 9, 24, 1),
    (1, 8, 0, 9, 22, 1),
    (1, 6, 0, 9, 18, 1),
    (0, 0, 0, 9, 12, 1),
    (0, 0, 0, 0, 6, 1),
)

LEAST: Final = 10
"""Below this many cells there is no chart, only its words."""


@lru_cache(maxsize=256)
def layout(width: int, tracks: int, gutter: int | None = None) -> Layout:
    """The layout for ``width`` cells and ``tracks`` columns of bars (0: there are no calls).

    ``gutter`` is the least room that the times need (``None``: the usual; 0: no times).
    """
    for mark, times, lane, state, room, most in _LEVELS:
        bars = min(tracks, most)
        words = lane if bars else 0
        if times and gutter is not None:
            times = gutter if gutter == 0 else max(times, gutter)
        spent = _spent(mark, times, words, bars, state)
        if width - spent >= room:
            break
    spare = width - spent - room
    if words:
        # Of the room left over the arrows take the greater part, the words some, both sides alike.
        words += min(spare // 4, 14)
        spent = _spent(mark, times, words, bars, state)
    before = mark + times + (1 if times else 0)
    lane_left = before
    left = before + (spent - mark - times - (1 if times else 0)) // 2 - 1
    right = max(width - 1 - (left - before), left)
    beside = 1 if state else 0  # the space between a state and its neighbour
    if words:
        state_left, state_right = left - beside - state, right + 1 + beside
        bar_left, bar_right = state_left - 2, state_right + state + 1
    else:
        # The words stand between the lifelines, so their bars stand at the lifelines.
        bar_left, bar_right = left - 1, right + 1
        state_left, state_right = left - bars - beside - state, right + 1 + bars + beside
    lane_right = bar_right + bars + 1
    return Layout(
        width,
        mark,
        times,
        mark,
        words,
        lane_left,
        lane_right,
        bars,
        bar_left,
        bar_right,
        state,
        state_left,
        state_right,
        left,
        right,
    )


def _spent(mark: int, times: int, words: int, bars: int, state: int) -> int:
    side = words + (2 if words else 0) + bars + state + (1 if state else 0) + 1
    return mark + times + (1 if times else 0) + 2 * side

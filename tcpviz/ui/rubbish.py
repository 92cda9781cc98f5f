"""Rubbish: Python's search for cycles of dead objects, kept from holding up a key.

What is kept for looking back is millions of objects; looking through all of them takes 60
milliseconds at a hundred thousand and seconds at millions, in the middle of whatever is going
on. So only the young are looked through as they come, and all of them when nobody has touched
anything for a while, no oftener than costs a five-hundredth of the time. What the program itself
is made of is not looked at again.
"""

from __future__ import annotations

import gc
from collections.abc import Callable
from time import perf_counter

YOUNG = (5_000, 1 << 30, 1 << 30)
"""Objects made before the youngest are looked through; those that outlived it: never by itself.
Nearly all that lives on is kept for looking back, and to look at each of it once more costs
0.5 % of a core at a thousand segments a second."""

QUIET_S = 3.0
"""Nobody has touched anything for so long: nobody waits."""

LEAST_S = 30.0
"""Between two searches through everything at least."""

SHARE = 500
"""And so many times as long as the last one took."""


class Rubbish:
    """Takes over from Python between :meth:`begin` and :meth:`end`.

    ``touched``  when somebody last pressed a key or moved the mouse, by ``clock``
    ``times``    searches through everything; ``longest_s``: how long one took at most
    """

    def __init__(self, clock: Callable[[], float] = perf_counter) -> None:
        self._clock = clock
        self.touched = clock()
        self.times = 0
        self.longest_s = 0.0
        self._next = clock() + LEAST_S
        self._made = -1
        self._before: tuple[int, int, int] | None = None

    def begin(self) -> None:
        """From now on; what has been made so far stays.

        Without a search before, which takes a tenth of the time to the first picture and finds
        some hundred dead objects among a hundred thousand.
        """
        self._before = gc.get_threshold()
        gc.freeze()
        gc.set_threshold(*YOUNG)

    def look(self) -> bool:
        """Search through everything if now is the time for it; says whether it did."""
        now = self._clock()
        if self._before is None or now < self._next or now - self.touched < QUIET_S:
            return False
        made = gc.get_stats()[0]["collections"]
        if made == self._made:
            return False  # too little has come since the last time
        gc.collect()
        self._made = made
        took = self._clock() - now
        self.times += 1
        self.longest_s = max(self.longest_s, took)
        self._next = now + max(LEAST_S, SHARE * took)
        return True

    def end(self) -> None:
        """Leave it to Python again."""
        if self._before is not None:
            gc.set_threshold(*self._before)
            gc.unfreeze()
            self._before = None

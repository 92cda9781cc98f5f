"""The screens' tests wait for the screen more finely than Textual's pilot does by itself.

The pilot holds a program for idle when it used little of 20 ms, twice or three times for each key
that is pressed: half of what these tests took was that waiting. Here the slices are 5 ms; what
counts as little is the same share of them.
"""

from __future__ import annotations

from textual import _wait

_wait.SLEEP_GRANULARITY = 0.005
_wait.SLEEP_IDLE = _wait.SLEEP_GRANULARITY / 20

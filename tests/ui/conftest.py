"""The screens' tests wait for the screen more finely, and more surely, than Textual's pilot does.

The pilot holds a program for idle when it used little of 20 ms, twice or three times for each key
that is pressed: half of what these tests took was that waiting. Here the slices are 5 ms; what
counts as little is the same share of them.

On a busy machine a program uses little because it is not given more. So before and after that it is
seen whether anything waits to be run, and what is to be laid out and written is: then the
screen is what the program says, however long that took.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import textual.app
import textual.pilot
from textual import _wait
from textual.app import App
from textual.pilot import Pilot

_wait.SLEEP_GRANULARITY = 0.005
_wait.SLEEP_IDLE = _wait.SLEEP_GRANULARITY / 20

ROUNDS = 20_000
"""What goes on for so many rounds is not waited for."""

_idle = _wait.wait_for_idle
_pause, _press = Pilot.pause, Pilot.press


async def still(app: App[object] | None = None) -> None:
    """Nothing is ready to be run, and of ``app`` all is laid out and written; timers still run."""
    loop = asyncio.get_running_loop()
    quiet = 0
    for _ in range(ROUNDS):
        await asyncio.sleep(0)
        if loop._ready or (app is not None and written(app)):  # type: ignore[attr-defined]
            quiet = 0
            continue
        quiet += 1
        if quiet == 3:  # what came from outside meanwhile has been seen
            return


def written(app: App[object]) -> bool:
    """Whether something was still to be laid out or written, and is now."""
    if not app.is_running or not app.screen_stack or app._batch_count:
        return False
    screen = app.screen
    waiting = screen._layout_required or screen._repaint_required or screen._dirty_widgets
    if not waiting or not screen.is_current:
        return False
    screen._on_timer_update()
    return True


async def _wait_for_idle(*given: float) -> None:
    await still()
    await _idle(*given)
    await still()


def _surely(what: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
    async def done(self: Pilot[object], *given: object) -> None:
        await what(self, *given)
        await still(self.app)

    return done


textual.app.wait_for_idle = textual.pilot.wait_for_idle = _wait_for_idle  # type: ignore[attr-defined]
Pilot.pause, Pilot.press = _surely(_pause), _surely(_press)  # type: ignore[method-assign,assignment]

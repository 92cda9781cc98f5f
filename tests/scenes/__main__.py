"""Pictures of the program, made by the program from real runs: ``make pictures``.

Each scene is a scenario of the lab, run for real, with the cursor put on one
of its steps. The SVGs go to ``demos/pictures`` (or to the folder named); the
README shows some of them. With ``--png`` and an SVG renderer on the PATH, PNGs
are laid beside them, to be looked at.
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tcpviz.core.marks import MarkName
from tcpviz.core.states import State
from tcpviz.core.timeline import Step, StepKind
from tcpviz.lab.feed import LabFeed
from tcpviz.lab.scenarios import load
from tcpviz.ui.app import TcpvizApp
from tcpviz.ui.picture import picture as draw
from tcpviz.ui.playback import Pace

FOLDER = Path(__file__).resolve().parents[2] / "demos" / "pictures"


@dataclass(frozen=True)
class Scene:
    """One picture: ``at`` says at which step the cursor stands (the first that fits).

    ``hand``  instead: in step mode, a key for each segment in hand, until those are used up
    """

    name: str
    scenario: str
    at: Callable[[Step], bool] = lambda _: False
    size: tuple[int, int] = (120, 40)
    looks: str = "dark"
    keys: tuple[str, ...] = ()
    hand: tuple[str, ...] = ()


def reaches(side: str, state: State) -> Callable[[Step], bool]:
    """The step at which an end comes to a state."""
    return lambda step: any(
        str(change.side) == side and change.after.state is state for change in step.changes
    )


def accepted(step: Step) -> bool:
    """accept() has returned."""
    return step.kind is StepKind.RETURN and step.call is not None and step.call.name == "accept"


def marked(step: Step) -> bool:
    """Analysis says something of the segment: it is sent again, say."""
    return step.observation is not None and bool(step.observation.marks)


def repeated(step: Step) -> bool:
    """A segment is sent again."""
    marks = () if step.observation is None else step.observation.marks
    return any(mark.name is MarkName.RETRANSMISSION for mark in marks)


SCENES = (
    Scene("handshake", "echo", accepted),
    Scene("closing", "client-closes-first", reaches("client", State.TIME_WAIT)),
    Scene("handshake-80x24", "echo", reaches("server", State.ESTABLISHED), (80, 24)),
    Scene("simultaneous-close", "simultaneous-close", reaches("server", State.CLOSING)),
    Scene("refused", "refused", reaches("client", State.CLOSED)),
    Scene("light", "half-close", reaches("server", State.LAST_ACK), looks="light"),
    Scene("to-scale", "lost-data", marked, keys=("3", "z", "T")),
    Scene("large", "echo", reaches("client", State.FIN_WAIT_2), (200, 60)),
    Scene("step-mode", "simultaneous-close", hand=("space",) * 5),
    Scene("step-mode-80x24", "handshake", size=(80, 24), hand=("space",)),
    Scene("dropped", "echo", hand=("space", "x", "space", "space")),
    Scene("segment", "fast-retransmission", repeated, keys=("4",)),
    Scene("graphs", "fast-retransmission", repeated, keys=("5",)),
    Scene("graphs-80x24", "lost-data", repeated, (80, 24), keys=("5",)),
)


async def in_hand(scene: Scene) -> str:
    """Run the scene in step mode and return the SVG of what is then in the hand."""
    feed = LabFeed(load(scene.scenario), on="cable", step=True)
    app = TcpvizApp(feed, pace=Pace(3600.0), looks=scene.looks, live=True)
    async with app.run_test(size=scene.size) as pilot:
        hand = app.session.hand
        for key in (*scene.hand, ""):
            before = hand.chosen
            while not hand.blocks:
                await pilot.pause(0.02)
            await pilot.press(*([key] if key else []))
            while key and hand.chosen in (before, None):
                await pilot.pause(0.02)
        for key in scene.keys:
            await pilot.press(key)
        await pilot.pause(1.2)
        return screenshot(app, f"tcpviz demo {scene.scenario} --step")


async def picture(scene: Scene) -> str:
    """Run the scene and return its SVG."""
    if scene.hand:
        return await in_hand(scene)
    feed = LabFeed(load(scene.scenario))
    app = TcpvizApp(feed, pace=Pace(1.2), looks=scene.looks)
    async with app.run_test(size=scene.size) as pilot:
        while not app.session.pump.done:
            await pilot.pause(0.02)
        session = app.session
        target = next((step.index for step in session.timeline if scene.at(step)), None)
        if target is None:
            raise SystemExit(f"scene {scene.name}: no such step in {scene.scenario}")
        await pilot.press("home")
        while session.cursor.index < target:
            await pilot.press("right")
        for key in scene.keys:
            await pilot.press(key)
        await pilot.pause(0.5)
        return screenshot(app, f"tcpviz demo {scene.scenario}")


def screenshot(app: TcpvizApp, command: str) -> str:
    """What is on the screen, in a window with the command in its bar."""
    return draw(app, command, window=command)


def main() -> int:
    """Make the pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="scenes; none: all")
    parser.add_argument("--to", type=Path, default=FOLDER)
    parser.add_argument("--png", action="store_true")
    options = parser.parse_args()
    known = {scene.name: scene for scene in SCENES}
    unknown = [name for name in options.names if name not in known]
    if unknown:
        print(f"no scene {unknown[0]!r}; there are {', '.join(known)}", file=sys.stderr)
        return 2
    options.to.mkdir(parents=True, exist_ok=True)
    for name, scene in known.items():
        if options.names and name not in options.names:
            continue
        place = options.to / f"{name}.svg"
        place.write_text(asyncio.run(picture(scene)))
        print(place)
        if options.png and shutil.which("rsvg-convert"):
            png = place.with_suffix(".png")
            subprocess.run(["rsvg-convert", "-w", "1600", str(place), "-o", str(png)], check=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())

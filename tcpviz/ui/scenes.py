"""Scenes: the program at a moment of a real run, for pictures and the gallery.

A scene names a scenario, the step at which the cursor stands, a size, looks and the keys to
press there. Nothing is made up: the scenario is run, and the application shows it as it would
on a terminal; only that its screen is kept instead of written.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any, Final

from textual.pilot import Pilot

from tcpviz import words
from tcpviz.core.marks import MarkName
from tcpviz.core.states import State
from tcpviz.core.timeline import Step, StepKind
from tcpviz.lab.feed import LabFeed
from tcpviz.lab.scenarios import load
from tcpviz.sources.feed import Feed, SourceError
from tcpviz.ui.app import TcpvizApp
from tcpviz.ui.lesson import Stage, Story
from tcpviz.ui.playback import Pace
from tcpviz.ui.teaching import Teaching
from tcpviz.ui.terminal import Manners

BUSY: Final = str(Path(__file__).with_name("busy.py"))
"""The scenario with many connections."""

PATIENCE_S: Final = 90.0
"""After so long a run that does not come to its scene is given up."""

At = Callable[[Step], bool]


def never(_: Step) -> bool:
    """No step: the cursor stays at the beginning."""
    return False


@dataclass(frozen=True, slots=True)
class Scene:
    """One picture.

    ``at``       the step at which the cursor stands: the first that fits
    ``last``     the last step instead
    ``keys``     are pressed there
    ``hand``     in step mode, a key for each segment in the hand, until those are used up
    ``read``     as a capture is read, not as a story is told
    ``teach``    ``predict`` or ``story``
    """

    name: str
    scenario: str
    at: At = never
    size: tuple[int, int] = (120, 40)
    looks: str = "dark"
    keys: tuple[str, ...] = ()
    hand: tuple[str, ...] = ()
    last: bool = False
    read: bool = False
    lang: str = "en"
    plain: bool = False
    ascii: bool = False
    teach: str = ""
    title: str = ""

    @property
    def command(self) -> str:
        """What a person would type to come here."""
        name = "" if self.scenario == BUSY else f" {self.scenario}"
        options = {
            " --step": bool(self.hand),
            f" --{self.teach}": bool(self.teach),
            " --plain": self.plain,
            f" --lang {self.lang}": self.lang != "en",
            " --ascii": self.ascii,
            f" --theme {self.looks}": self.looks != "dark",
        }
        told = "".join(option for option, wanted in options.items() if wanted)
        return f"tcpviz {'read run.pcapng' if self.read else 'demo' + name}{told}"


def reaches(side: str, state: State) -> At:
    """The step at which an end comes to a state."""
    return lambda step: any(
        str(change.side) == side and change.after.state is state for change in step.changes
    )


def returned(name: str) -> At:
    """The step at which a call of that name returns."""
    return lambda step: (
        step.kind is StepKind.RETURN and step.call is not None and step.call.name == name
    )


def marked(step: Step) -> bool:
    """Analysis says something of the segment: it is sent again, say."""
    return step.observation is not None and bool(step.observation.marks)


def repeated(step: Step) -> bool:
    """A segment is sent again."""
    marks = () if step.observation is None else step.observation.marks
    return any(mark.name is MarkName.RETRANSMISSION for mark in marks)


def lost(step: Step) -> bool:
    """A segment dies on its way."""
    return step.kind is StepKind.LOST


async def _until(pilot: Pilot[Any], what: Callable[[], bool], scene: Scene) -> None:
    """Let the application work until it is so. Raises SourceError if it never is."""
    end = monotonic() + PATIENCE_S
    while not what():
        if monotonic() > end:
            raise SourceError(f"scene {scene.name}: {scene.scenario} did not come to it", 1)
        await pilot.pause(0.02)


@asynccontextmanager
async def staged(scene: Scene) -> AsyncIterator[tuple[TcpvizApp, Pilot[Any]]]:
    """Run the scene; the application as it stands then, drawn.

    Raises SourceError where the scenario does not run here or never comes to the step.
    """
    scenario = load(scene.scenario)
    step = bool(scene.hand)
    feed: Feed = LabFeed(scenario, on="cable", step=True) if step else LabFeed(scenario)
    teaching = Teaching(
        plain=scene.plain,
        predict=scene.teach == "predict",
        tell=scene.teach == "story",
        story=Story(scenario.title, scenario.shows, scenario.ask, scenario.points),
    )
    before = words.language()
    words.use(scene.lang)
    app = TcpvizApp(
        feed,
        pace=None if scene.read else Pace(1.2),
        looks=scene.looks,
        live=step,
        behaviour=Manners(motion=False, ascii=scene.ascii),
        teaching=teaching,
    )
    try:
        async with app.run_test(size=scene.size) as pilot:
            if step:
                await _by_hand(app, pilot, scene)
            else:
                await _to_the_step(app, pilot, scene)
            for key in scene.keys:
                await pilot.press(key)
                await pilot.pause()
            # What moves comes to rest, and what is drawn twice a second is drawn.
            await pilot.pause(1.2 if step else 0.6)
            yield app, pilot
    finally:
        words.use(before)


async def _by_hand(app: TcpvizApp, pilot: Pilot[Any], scene: Scene) -> None:
    hand = app.session.hand
    for key in (*scene.hand, ""):
        held = hand.chosen
        await _until(pilot, lambda: hand.blocks, scene)
        if key:
            await pilot.press(key)
            await _until(pilot, lambda held=held: hand.chosen not in (held, None), scene)  # type: ignore[misc]


async def _to_the_step(app: TcpvizApp, pilot: Pilot[Any], scene: Scene) -> None:
    await _until(pilot, lambda: app.session.pump.done, scene)
    session = app.session
    if scene.teach:
        await _to_the_question(app, pilot, scene)
        return
    if scene.read or scene.last:
        await pilot.press("end")
        return
    await pilot.press("home")
    if scene.at is never:
        return
    target = next((step.index for step in session.timeline if scene.at(step)), None)
    if target is None:
        raise SourceError(f"scene {scene.name}: no such step in {scene.scenario}", 1)
    while session.cursor.index < target:
        await pilot.press("right")


async def _to_the_question(app: TcpvizApp, pilot: Pilot[Any], scene: Scene) -> None:
    """Step until the lesson asks something."""
    lesson = app._main.lesson
    for _ in range(len(app.session.timeline)):
        if lesson.stage in (Stage.ASKING, Stage.POINT):
            return
        await pilot.press("space" if lesson.stage is Stage.OPENING else "right")
        await pilot.pause()
    raise SourceError(f"scene {scene.name}: {scene.scenario} asks nothing", 1)


def run(scene: Scene, looks: tuple[str, ...] = ()) -> list[str]:
    """The scene as SVG documents: one for each of ``looks``, or for its own. Raises SourceError."""
    return asyncio.run(_run(scene, looks or (scene.looks,)))


async def _run(scene: Scene, names: tuple[str, ...]) -> list[str]:
    from tcpviz.ui.looks import every
    from tcpviz.ui.picture import picture

    made = []
    async with staged(scene) as (app, pilot):
        known = {looks.name: looks for looks in every()}
        for name in names:
            if app.looks.name != name:
                app.wear(known[name])
                await pilot.pause(0.1)
            made.append(picture(app, scene.title or scene.command, scene.command))
    return made

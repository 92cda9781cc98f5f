"""Each moment at which a scenario's story stops does come, in its order, on the real kernel."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tcpviz.core.tracker import Tracker
from tcpviz.lab.scenarios import list_scenarios
from tests.lab.conftest import Played

TOLD = [one for one in list_scenarios() if one.points]
QUICK = {"handshake", "half-close", "simultaneous-close", "refused"}


def test_the_stories() -> None:
    assert len(TOLD) == len(list_scenarios())
    assert all(point.answer for one in TOLD for point in one.points)


@pytest.mark.parametrize(
    "name",
    [pytest.param(one.name, marks=[] if one.name in QUICK else [pytest.mark.slow]) for one in TOLD],
)
def test_every_moment_of_a_story_comes(play: Callable[..., Played], name: str) -> None:
    scenario = next(one for one in TOLD if one.name == name)
    played = play(name)
    if played.feed.ground != "cable":
        pytest.skip("no cable between two hosts here")
    tracker, missing = Tracker(), list(scenario.points)
    for record in played.records:
        for step in tracker.feed(record):
            # More than one question may stand before the same moment.
            while missing and not step.quiet and missing[0].matches(step):
                missing.pop(0)
    assert missing == []

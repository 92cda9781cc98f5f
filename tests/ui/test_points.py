"""The screen of two points of view: the clocks above the chart and in the status line."""

import pytest

from tcpviz.sources.pair import pair_of
from tcpviz.ui.app import TcpvizApp
from tcpviz.ui.plan import Pane
from tests.commands.test_points import write
from tests.core.points.test_joiner import talk
from tests.core.points.twopoints import TwoPoints
from tests.ui.test_app import QUIET, running, screen, text


@pytest.mark.parametrize("size", [(120, 40), (200, 60)])
async def test_the_clocks_stand_above_the_chart(tmp_path, size):
    world = talk(TwoPoints(3, lost=0.05, stamps=True, ahead_ns=4_321_000_000))
    paths = [str(tmp_path / name) for name in ("alice.pcapng", "bob.pcapng")]
    for path, segments in zip(paths, world.captures, strict=True):
        write(path, segments)
    app = TcpvizApp(pair_of(*paths), behaviour=QUIET)
    async with running(app, size):
        assert "clock at bob.pcapng +4.32 s ±" in screen(app).views[Pane.CHART].heading()
        assert "+4.32 s ±" in text(app, "status")
    assert sum(step.kind.value == "lost" for step in app.session.timeline) > 5

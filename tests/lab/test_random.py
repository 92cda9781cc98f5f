"""Scenarios made by chance: at every reading the kernels say what was inferred.

The scripts come from seeds (see ``randomly``). A failure tells the seed, the script and the
steps around the first thing that was wrong; the script can be played with ``tcpviz demo``.
``TCPVIZ_RANDOM_FIRST`` and ``TCPVIZ_RANDOM_COUNT`` say which seeds the slow run takes; for
thousands there is ``python -m tests.lab.many``.
"""

from __future__ import annotations

import os

import pytest

from tests.lab.randomly import Watched, script

USUAL = (1, 2, 4, 9, 10, 14, 18, 23, 17, 12, 13, 22)
"""Those of every run: quick ones that differ much from one another."""

FIRST = int(os.environ.get("TCPVIZ_RANDOM_FIRST", "1000"))
COUNT = int(os.environ.get("TCPVIZ_RANDOM_COUNT", "200"))

MENDED = (
    *(95, 2020, 2236, 6020, 6053, 6237, 6289),
    *(100_022, 100_063, 100_203, 100_402, 100_515, 100_541, 100_546, 100_594, 100_640, 100_658),
    *(100_666, 101_036, 101_122, 101_297, 101_312, 101_337, 101_379, 101_387, 101_523, 101_867),
    *(101_871, 102_123, 102_238, 102_265, 102_298, 102_341, 102_580, 102_720),
)
"""Seeds whose runs once disagreed. What each showed has a small test in tests/core as well."""


def _agrees(seed, folder):
    run = Watched(seed, folder)
    result = run.play()
    assert result.good, run.report()
    assert result.steps > 10
    assert result.readings > 0


@pytest.mark.parametrize("seed", USUAL)
def test_a_random_scenario_agrees(cable, tmp_path, seed):
    cable("handshake")
    _agrees(seed, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(FIRST, FIRST + COUNT))
def test_many_random_scenarios_agree(cable, tmp_path, seed):
    cable("handshake")
    _agrees(seed, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("seed", MENDED)
def test_what_once_disagreed_agrees(cable, tmp_path, seed):
    cable("handshake")
    _agrees(seed, tmp_path)


def test_a_seed_gives_the_same_script_every_time():
    assert script(5) == script(5)
    assert len({script(seed) for seed in range(100)}) == 100

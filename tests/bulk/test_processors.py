"""How many processors there are for us."""

from __future__ import annotations

from pathlib import Path

import pytest

from tcpviz.bulk import processors


@pytest.mark.parametrize(
    ("quotas", "most"),
    [
        ({}, 0),
        ({"a/b": "max 100000"}, 0),
        ({"a/b": "200000 100000"}, 2),
        ({"a/b": "max 100000", "a": "150000 100000"}, 2),
        ({"a/b": "400000 100000", "a": "50000 100000"}, 1),
        ({"a/b": "nonsense"}, 0),
    ],
)
def test_a_quota_of_our_group_or_one_above(
    tmp_path: Path, quotas: dict[str, str], most: int
) -> None:
    for name, quota in quotas.items():
        (tmp_path / name).mkdir(parents=True, exist_ok=True)
        (tmp_path / name / "cpu.max").write_text(quota + "\n")
    mine = tmp_path / "cgroup"
    mine.write_text("4:memory:/elsewhere\n0::/a/b\n")
    assert processors._quota(tmp_path, mine) == most


def test_those_that_we_are_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processors.os, "sched_getaffinity", lambda _: {0, 3, 5, 6}, raising=False)
    for quota, most in ((0, 4), (3, 3), (9, 4)):
        monkeypatch.setattr(processors, "_quota", lambda *_, q=quota: q)
        assert processors.processors() == most


def test_there_is_one_at_least() -> None:
    assert processors.processors() >= 1

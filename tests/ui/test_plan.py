"""Where the panes go: for every size, they fit, do not overlap, and one is always there."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tcpviz.ui.plan import MIN_HEIGHT, MIN_WIDTH, Pane, plan


@given(
    st.integers(0, 400),
    st.integers(0, 150),
    st.sampled_from(Pane),
    st.none() | st.sampled_from(Pane),
    st.booleans(),
)
def test_every_size(
    width: int, height: int, active: Pane, maximised: Pane | None, banner: bool
) -> None:
    made = plan(width, height, active, maximised, banner)
    if width < MIN_WIDTH or height < MIN_HEIGHT:
        assert made.too_small
        return
    assert made.panes
    assert all(w >= 1 and h >= 2 for w, h in made.panes.values())
    assert all(w <= width for w, _ in made.panes.values())
    rows = made.explain + 1 + made.keys + banner
    lower = [made.panes[p] for p in (Pane.DIAGRAM, Pane.CHART) if p in made.panes]
    rows += made.panes.get(Pane.LIST, (0, 0))[1]
    if len(lower) == 2 and made.beside:
        assert lower[0][1] == lower[1][1]
        assert lower[0][0] + 1 + lower[1][0] == width
        rows += lower[0][1]
    else:
        rows += sum(h for _, h in lower)
    assert rows == height
    if maximised is not None:
        assert list(made.panes) == [maximised]
    elif made.tabs:
        assert active in made.panes or active is Pane.LIST


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60)])
def test_the_three_good_sizes_show_all_three_panes_side_by_side(size: tuple[int, int]) -> None:
    made = plan(*size, Pane.CHART)
    assert set(made.panes) == set(Pane)
    assert made.beside
    assert not made.tabs


def test_narrow_and_tall_stacks_and_narrow_and_low_takes_turns() -> None:
    tall = plan(60, 50, Pane.CHART)
    assert set(tall.panes) == set(Pane)
    assert not tall.beside
    low = plan(60, 20, Pane.DIAGRAM)
    assert Pane.DIAGRAM in low.panes
    assert Pane.CHART not in low.panes
    assert low.tabs == (Pane.DIAGRAM, Pane.CHART)

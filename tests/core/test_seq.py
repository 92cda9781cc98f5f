"""Sequence numbers: the circle's laws, for any pair of numbers."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tcpviz.core import seq

NUMBER = st.integers(0, seq.MASK)
STEP = st.integers(1, seq.HALF - 1)


@given(NUMBER, STEP)
def test_a_step_forward_is_later_wherever_it_starts(start: int, step: int) -> None:
    end = seq.add(start, step)
    assert seq.lt(start, end)
    assert seq.gt(end, start)
    assert seq.diff(end, start) == step
    assert seq.diff(start, end) == -step
    assert seq.later(start, end) == end == seq.later(end, start)


@given(NUMBER, NUMBER)
def test_exactly_one_of_before_equal_after(a: int, b: int) -> None:
    # Half the circle apart is "before" from both sides (RFC 1982 leaves it undefined).
    if (a - b) & seq.MASK == seq.HALF:
        return
    assert [seq.lt(a, b), a == b, seq.gt(a, b)].count(True) == 1
    assert seq.le(a, b) == (not seq.gt(a, b))
    assert seq.ge(a, b) == (not seq.lt(a, b))


@given(NUMBER, st.integers(0, seq.MASK), st.integers(0, seq.MASK))
def test_within_counts_forward_from_the_low_end(low: int, reach: int, offset: int) -> None:
    assert seq.within(low, seq.add(low, offset), seq.add(low, reach)) == (offset <= reach)


def test_the_wrap() -> None:
    assert seq.lt(seq.MASK, 0)
    assert seq.add(seq.MASK, 1) == 0
    assert seq.diff(5, seq.MASK) == 6

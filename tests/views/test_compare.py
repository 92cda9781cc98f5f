"""Two segments side by side: only what differs is told as different."""

from __future__ import annotations

from dataclasses import replace

from tcpviz.core.segment import Flags
from tcpviz.core.timeline import StepKind
from tcpviz.views.compare import compare, pairs
from tcpviz.views.spans import plain_line
from tests.views.test_explain import of_segment, step


def _said(one: bytes, other: bytes) -> str:
    first = of_segment(Flags.ACK, 5)
    assert first.segment is not None
    left = step(StepKind.SEGMENT, segment=replace(first.segment, payload=one), relative=(10, 20))
    right = step(StepKind.SEGMENT, segment=replace(first.segment, payload=other), relative=(10, 20))
    return "\n".join(plain_line(one) for one in compare(left, right, 100))


def test_the_same_data_is_no_difference() -> None:
    same, other = _said(b"hello", b"hello"), _said(b"hello", b"HELLO")
    row = next(one for one in same.split("\n") if "the data" in one)
    assert "the same" in row
    assert "≠" not in row
    assert "≠ the data" in other


def test_what_one_is_to_the_other_is_no_difference() -> None:
    step_ = of_segment(Flags.ACK, 5)
    told = {pair.name: pair for pair in pairs(step_, step_)}
    assert "sent again" in told["to each other"].right
    assert not any(pair.differs for pair in told.values())

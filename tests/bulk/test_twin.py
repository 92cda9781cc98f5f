"""A twin has what its original has, and shares nothing that is set later."""

from __future__ import annotations

from dataclasses import dataclass

from tcpviz.bulk.twin import twin


@dataclass(slots=True, frozen=True)
class _Frozen:
    one: int
    other: str


class _Base:
    __slots__ = ("__dict__", "_mine")


class _Grown(_Base):
    __slots__ = ("__private", "never")

    def __init__(self) -> None:
        self._mine, self.__private, self.free = 1, 2, 3


def test_slots_of_all_classes_and_other_attributes_are_there() -> None:
    made = twin(_Grown())
    assert made._mine == 1
    assert made._Grown__private == 2  # type: ignore[attr-defined]
    assert made.free == 3
    assert not hasattr(made, "never")
    made.free = 4
    assert _Grown().free == 3


def test_frozen_ones_are_equal() -> None:
    one = _Frozen(1, "a")
    assert twin(one) == one
    assert twin(one) is not one

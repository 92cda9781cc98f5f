"""What is made of numbers, learned from two examples: the same object, and nothing shared."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import pytest

from tcpviz.bulk.brief.learned import Unexplained, learned


class Place(NamedTuple):
    name: str
    port: int


@dataclass(frozen=True, slots=True)
class Fact:
    frame: int
    why: str = ""


class Kept:
    """Slots and attributes, lists, a fact, and a way back to itself."""

    __slots__ = ("facts", "inner", "nothing", "numbers", "place", "twice")

    def __init__(self, first: int, later: int, place: Place) -> None:
        self.numbers = [first, later - first]
        self.place = place
        self.facts = {"a": Fact(first, "always"), "b": Fact(7)}
        self.twice = (first, (later,))
        self.inner = Bare(self)


class Bare:
    def __init__(self, back: Kept) -> None:
        self.back, self.waiting, self.open = back, list[int](), True


def given(first: int, later: int, place: Place) -> list[Any]:
    return [first, later, later - first, place]


ONE, OTHER = (1003, 90_001, Place("one", 1)), (7919, 65_537, Place("other", 2))


def test_it_makes_what_would_have_been_made() -> None:
    make = learned(Kept(*ONE), Kept(*OTHER), given(*ONE), given(*OTHER))
    third = (5, 6, Place("third", 3))
    made = make(given(*third))
    assert made.numbers == [5, 1]
    assert made.place is third[2]
    assert made.facts == {"a": Fact(5, "always"), "b": Fact(7)}
    assert made.twice == (5, (6,))
    assert made.inner.back is made
    assert not hasattr(made, "nothing")


def test_nothing_that_changes_is_shared() -> None:
    make = learned(Kept(*ONE), Kept(*OTHER), given(*ONE), given(*OTHER))
    one, other = make(given(*ONE)), make(given(*ONE))
    one.inner.waiting.append(1)
    one.numbers.append(1)
    one.facts.clear()
    assert other.inner.waiting == []
    assert other.numbers == [1003, 88_998]
    assert len(other.facts) == 2


@pytest.mark.parametrize("which", ["number", "length", "key", "state", "lacks"])
def test_what_cannot_be_explained_is_refused(which: str) -> None:
    one, other = Kept(*ONE), Kept(*OTHER)
    if which == "number":
        other.numbers[1] += 1
    elif which == "length":
        other.inner.waiting.append(3)
    elif which == "key":
        other.facts["c"] = Fact(1)
    elif which == "state":
        other.inner.open = False
    else:
        other.nothing = None
    with pytest.raises(Unexplained):
        learned(one, other, given(*ONE), given(*OTHER))

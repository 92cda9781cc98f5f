"""Two things compared all the way down: every slot of every object in them, by its place."""

from __future__ import annotations

import enum
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from typing import Any

MOST = 40
"""Differences that are told of one pair."""

_PLAIN = (int, str, bytes, float, bool, type(None), enum.Enum)


def alike(
    one: object, other: object, skip: Callable[[str], bool] = lambda place: False
) -> list[str]:
    """What differs, a line each with its place (``.client.claim.frame``); empty if nothing does.

    Places for which ``skip`` is true are not looked at, nor what lies in them. Objects that
    refer to each other in a circle are walked once.
    """
    out: list[str] = []
    for line in _walk(one, other, "", skip, set()):
        out.append(line)
        if len(out) >= MOST:
            break
    return out


def _walk(
    one: Any, other: Any, place: str, skip: Callable[[str], bool], met: set[tuple[int, int]]
) -> Iterator[str]:
    if skip(place) or one is other:
        return
    if type(one) is not type(other):
        yield f"{place}: {one!r} / {other!r}"
    elif isinstance(one, _PLAIN):
        if one != other:
            yield f"{place}: {one!r} / {other!r}"
    elif isinstance(one, Mapping):
        for key in [*one, *(each for each in other if each not in one)]:
            there = f"{place}[{key}]"
            if key in one and key in other:
                yield from _walk(one[key], other[key], there, skip, met)
            elif not skip(there):
                yield f"{there}: {one.get(key, 'none')!r} / {other.get(key, 'none')!r}"
    elif isinstance(one, set | frozenset):
        if one != other:
            yield f"{place}: {one!r} / {other!r}"
    elif isinstance(one, list | tuple | deque):
        if len(one) != len(other):
            yield f"{place}: {len(one)} of them, {list(one)[:4]!r} / {list(other)[:4]!r}"
        for at, (mine, theirs) in enumerate(zip(one, other, strict=False)):
            yield from _walk(mine, theirs, f"{place}[{at}]", skip, met)
    elif callable(one):
        raise TypeError(f"{place}: {one!r} cannot be compared")
    else:
        pair = id(one), id(other)
        if pair not in met:
            met.add(pair)
            for name in names(one):
                mine, theirs = getattr(one, name, None), getattr(other, name, None)
                yield from _walk(mine, theirs, f"{place}.{name}", skip, met)


def names(thing: object) -> list[str]:
    """All that an object holds: its slots and its dictionary's."""
    found = [
        slot
        for kind in type(thing).__mro__
        for slot in _slots(kind)
        if slot not in ("__dict__", "__weakref__")
    ]
    return [*found, *getattr(thing, "__dict__", ())]


def _slots(kind: type) -> tuple[str, ...]:
    slots = kind.__dict__.get("__slots__", ())
    return (slots,) if isinstance(slots, str) else tuple(slots)

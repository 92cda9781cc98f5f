"""What a function of numbers makes of them, learned from two examples, and made again of others.

The core opens every connection of one kind alike: what it keeps of it differs in numbers, times,
frames and addresses alone, and each of those is one of what went in. Where that was so of two that
had nothing in common, others are made by copying: objects anew, what all have alike shared. As the
standard library does for its data classes, the function that copies is written out and compiled:
some three hundred attributes are set, each of which would be a call otherwise.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Sequence
from typing import Any

from tcpviz.bulk.twin import slots_of

_WHOLE = (int, float, str, bytes, bool, frozenset, type(None), enum.Enum)


class Unexplained(Exception):  # noqa: N818
    """Something of the examples differs that is none of what went in."""


class _Writer:
    """Writes the lines that make one of what the examples have made."""

    def __init__(self, one_in: Sequence[Any], other_in: Sequence[Any]) -> None:
        both = list(zip(one_in, other_in, strict=True))
        self._known = {
            (type(mine), mine, theirs): at for at, (mine, theirs) in reversed(list(enumerate(both)))
        }
        self._objects: dict[int, str] = {}
        self.lines: list[str] = []
        self.names: dict[str, Any] = {}

    def value(self, one: Any, other: Any) -> str:
        """An expression for a value."""
        if _alike(one, other):
            return self._name("same", one)
        if type(one) is not type(other):
            raise Unexplained
        kind = type(one)
        if not isinstance(one, list | dict):
            at = self._known.get((kind, one, other)) if kind.__hash__ is not None else None
            if at is not None:
                return f"given[{at}]"
        if kind in (list, tuple) and len(one) == len(other):
            parts = "".join(f"{self.value(*each)}, " for each in zip(one, other, strict=True))
            return f"[{parts}]" if kind is list else f"({parts})"
        if kind is dict and one.keys() == other.keys():
            parts = "".join(
                f"{self._name('key', key)}: {self.value(value, other[key])}, "
                for key, value in one.items()
            )
            return f"{{{parts}}}"
        if isinstance(one, (*_WHOLE, list, tuple, dict)):
            raise Unexplained
        return self._object(one, other)

    def _name(self, what: str, value: Any) -> str:
        if isinstance(value, int | None) and type(value) in (int, bool, type(None)):
            return repr(value)
        name = f"{what}{len(self.names)}"
        self.names[name] = value
        return name

    def _object(self, one: Any, other: Any) -> str:
        """The name of an object; the lines that make it come before what asks for it."""
        known = self._objects.get(id(one))
        if known is not None:
            return known
        kind: Any = type(one)
        name = self._objects[id(one)] = f"made{len(self._objects)}"
        self.names[f"new_{name}"], self.names[f"kind_{name}"] = kind.__new__, kind
        self.lines.append(f"{name} = new_{name}(kind_{name})")
        own = getattr(one, "__dict__", {})
        if own.keys() != getattr(other, "__dict__", {}).keys():
            raise Unexplained
        for attribute, put in slots_of(kind).items():
            if hasattr(one, attribute) is not hasattr(other, attribute):
                raise Unexplained
            if not hasattr(one, attribute):
                continue
            value = self.value(getattr(one, attribute), getattr(other, attribute))
            if kind.__setattr__ is object.__setattr__:
                self.lines.append(f"{name}.{attribute} = {value}")
            else:  # a frozen one
                called = self._name("put", put)
                self.lines.append(f"{called}({name}, {value})")
        for attribute, mine in own.items():
            value = self.value(mine, other.__dict__[attribute])
            self.lines.append(f"{name}.{attribute} = {value}")
        return name


def learned(
    one: Any, other: Any, one_in: Sequence[Any], other_in: Sequence[Any]
) -> Callable[[Sequence[Any]], Any]:
    """What makes others like what the examples ``one`` and ``other`` are.

    ``one_in`` and ``other_in`` are what went into each, in the same order: no two of them equal, or
    near each other, unless they are so in both. Raises :class:`Unexplained`.
    """
    writer = _Writer(one_in, other_in)
    root = writer.value(one, other)
    text = "\n    ".join(["def make(given):", *writer.lines, f"return {root}"])
    # Names of attributes of our own, and of what was learned; nothing that anybody has sent.
    exec(text, writer.names)  # noqa: S102
    make: Callable[[Sequence[Any]], Any] = writer.names["make"]
    return make


def _alike(one: Any, other: Any) -> bool:
    """Whether all have it alike: it does not change, or is not made for one of them."""
    if one is other:
        return True
    return isinstance(one, _WHOLE) and type(one) is type(other) and bool(one == other)

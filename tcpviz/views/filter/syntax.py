"""What a filter says, as a tree; and a tree written as a filter.

``parse(write(tree)) == tree`` for every tree whose tests make sense. Places are
kept for error messages and take no part in comparisons.
"""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass
from typing import Final

OPERATORS: Final = (":", "=", "!=", "<", "<=", ">", ">=", "~")
"""As they are written by :func:`write`; ``==``, ``gt`` and so on are read as well."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands in the filter's text: characters ``start`` to ``end``."""

    start: int = 0
    end: int = 0


NOWHERE: Final = Place()


@dataclass(frozen=True, slots=True)
class Value:
    """A value as it was written, without its quotes."""

    text: str
    place: Place = dataclasses.field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Everything:
    """The empty filter."""


@dataclass(frozen=True, slots=True)
class Word:
    """A free word or, quoted, several: looked for in what the list shows."""

    text: str
    place: Place = dataclasses.field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Test:
    """``field op value,value``; several values only for ``:``, ``=`` and ``!=``: any of them.

    ``field`` is the name that the vocabulary knows, not an alias of it.
    """

    field: str
    op: str
    values: tuple[Value, ...]
    name_place: Place = dataclasses.field(default=NOWHERE, compare=False, repr=False)
    op_place: Place = dataclasses.field(default=NOWHERE, compare=False, repr=False)

    # Not a class of tests, whatever its name.
    __test__ = False


@dataclass(frozen=True, slots=True)
class Not:
    """What does not fit ``item``."""

    item: Node


@dataclass(frozen=True, slots=True)
class And:
    """What fits all of ``items``, of which there are two or more."""

    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """What fits any of ``items``, of which there are two or more."""

    items: tuple[Node, ...]


Node = Everything | Word | Test | Not | And | Or

_PLAIN_VALUE: Final = re.compile(r"[\w./*+%$@\[\]-][\w./:*+%$@\[\]^-]*")
_PLAIN_WORD: Final = re.compile(r"[0-9.][\w.:/-]*|[^\W\d_]+(-\w+)*")
_KEYWORDS: Final = frozenset(
    ("and", "or", "not", "gt", "ge", "lt", "le", "eq", "ne", "matches", "contains")
)


def quoted(text: str) -> str:
    """In double quotes, with backslashes before quotes and backslashes."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _value(value: Value, op: str) -> str:
    # A regular expression has parentheses and commas of its own.
    if op != "~" and _PLAIN_VALUE.fullmatch(value.text):
        return value.text
    return quoted(value.text)


def _word(text: str) -> str:
    # A word that a field or an operator might be made of is safe only in quotes.
    plain = _PLAIN_WORD.fullmatch(text) and text.lower() not in _KEYWORDS
    return text if plain else quoted(text)


def write(node: Node) -> str:
    """The tree as a filter that is read as the same tree."""
    if isinstance(node, Everything):
        return ""
    if isinstance(node, Word):
        return _word(node.text)
    if isinstance(node, Test):
        return node.field + node.op + ",".join(_value(value, node.op) for value in node.values)
    if isinstance(node, Not):
        return f"not {_inside(node.item)}"
    joint = " and " if isinstance(node, And) else " or "
    return joint.join(_inside(item) for item in node.items)


def _inside(node: Node) -> str:
    """In parentheses where it would otherwise be taken apart or run together."""
    return f"({write(node)})" if isinstance(node, And | Or) else write(node)

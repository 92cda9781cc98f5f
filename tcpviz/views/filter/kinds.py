"""Kinds of values: which operators each takes, and what a test of it asks.

A kind turns an operator and the values written behind it into a function that
is asked of each connection's value. Everything that can be worked out before
is: names become objects, patterns become the set of names that they fit.
"""

from __future__ import annotations

import difflib
import fnmatch
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from tcpviz.core.segment import Endpoint
from tcpviz.views.filter import values as read
from tcpviz.views.filter.regex import Pattern, PatternError
from tcpviz.views.filter.syntax import Place, Value
from tcpviz.views.filter.values import Amount, ValueProblem

Asked = Callable[[Any], bool]

MOST_REMEMBERED: Final = 100_000


class Wrong(ValueError):  # noqa: N818 - it is never seen outside
    """A test that makes no sense: what was expected, and at which place in the filter."""

    def __init__(self, message: str, place: Place) -> None:
        super().__init__(message)
        self.place = place


class Kind(ABC):
    """What values a field has.

    ``operators``  those that it takes; ``!=`` is asked as ``=`` and turned round by the compiler
    ``expected``   what is to be written behind the operator, for people
    ``likely``     the operator that people want most often
    """

    operators: frozenset[str] = frozenset((":", "=", "!="))
    expected: str = ""
    likely: str = ":"

    @abstractmethod
    def asked(self, op: str, values: Sequence[Value]) -> Asked:
        """The question; raises :class:`Wrong`."""

    def candidates(self) -> Iterable[tuple[str, str]]:
        """Values to offer, each with what it means."""
        return ()


def _read(parse: Callable[[str], Any], value: Value) -> Any:
    try:
        return parse(value.text)
    except ValueProblem as problem:
        raise Wrong(str(problem), value.place) from None


def pattern(value: Value, *, fold: bool = True) -> Asked:
    """The question whether a regular expression fits; raises :class:`Wrong`."""
    try:
        return Pattern(value.text, fold=fold).found
    except PatternError as error:
        # A quoted pattern begins one character behind its place.
        quoted = value.place.end - value.place.start != len(value.text)
        at = value.place.start + error.at + quoted
        place = Place(min(at, max(value.place.end - 1, value.place.start)), 0)
        raise Wrong(str(error), Place(place.start, place.start + 1)) from None


def nearest(word: str, names: Iterable[str]) -> str:
    """``; did you mean ...?`` where one of ``names`` is near, else nothing.

    One that holds the word is what was meant (``stall``: zero-window-stall), before one that
    only has most of its letters (stray).
    """
    word, known = word.lower(), list(names)
    near = difflib.get_close_matches(word, known, 1, 0.8)
    holding = [name for name in known if len(word) > 2 and word in name]
    found = near or holding or difflib.get_close_matches(word, known, 1, 0.6)
    return f"; did you mean {found[0]}?" if found else ""


class Ordered(Kind):
    """Numbers: they can be compared, and ``:`` takes ranges, ``8000-8100``, both ends included."""

    operators = frozenset((":", "=", "!=", "<", "<=", ">", ">="))
    _range: Final = re.compile(r"([^-]+?)(?:-|\.\.)([^-]+)")

    def __init__(
        self,
        parse: Callable[[str], Amount],
        expected: str,
        examples: Sequence[str] = (),
        likely: str = ">",
    ) -> None:
        self._parse = parse
        self.expected = expected
        self._examples = examples
        self.likely = likely

    def candidates(self) -> Iterable[tuple[str, str]]:
        return ((example, "") for example in self._examples)

    def asked(self, op: str, values: Sequence[Value]) -> Asked:
        if op in ("<", "<=", ">", ">="):
            if len(values) > 1:
                raise Wrong(f"{op} takes one value, not several", values[1].place)
            limit = _read(self._parse, values[0])
            return _ORDER[op](limit)
        singles: set[Amount] = set()
        ranges: list[tuple[Amount, Amount]] = []
        for value in values:
            between = self._range.fullmatch(value.text)
            if between is None:
                singles.add(_read(self._parse, value))
                continue
            low, high = (_read(self._parse, Value(part, value.place)) for part in between.groups())
            if high < low:
                raise Wrong(f"the range {value.text} has its ends in the wrong order", value.place)
            ranges.append((low, high))
        if not ranges:
            if len(singles) == 1:
                (only,) = singles
                return lambda found: bool(found == only)
            return frozenset(singles).__contains__
        return lambda found: found in singles or any(low <= found <= high for low, high in ranges)


_ORDER: Final[dict[str, Callable[[Any], Asked]]] = {
    "<": lambda limit: lambda found: bool(found < limit),
    "<=": lambda limit: lambda found: bool(found <= limit),
    ">": lambda limit: lambda found: bool(found > limit),
    ">=": lambda limit: lambda found: bool(found >= limit),
}


def _normal(name: str) -> str:
    return name.lower().replace("_", "-")


class Choice(Kind):
    """One of a few names. Case does not matter, ``_`` is ``-``, and ``*`` stands for anything.

    ``names``    each name with the object that stands for it in connections
    ``aliases``  other names for the same
    ``about``    what a name means, for completion
    """

    operators = frozenset((":", "=", "!=", "~"))

    def __init__(
        self,
        what: str,
        names: Mapping[str, object],
        *,
        aliases: Mapping[str, str] | None = None,
        about: Mapping[str, str] | None = None,
    ) -> None:
        self._what = what
        self._names = dict(names)
        self._objects = {_normal(name): found for name, found in names.items()}
        self._aliases = {
            _normal(alias): self._objects[_normal(name)] for alias, name in (aliases or {}).items()
        }
        self._about = about or {}
        few = (
            ", ".join(self._names) if len(self._names) <= 12 else ", ".join(self._first()) + " ..."
        )
        self.expected = f"{what}: {few}"

    def _first(self) -> list[str]:
        return list(self._names)[:8]

    def candidates(self) -> Iterable[tuple[str, str]]:
        return ((name, self._about.get(name, "")) for name in self._names)

    def asked(self, op: str, values: Sequence[Value]) -> Asked:
        wanted: list[object] = []
        for value in values:
            wanted += self._fitting(op, value)
        if len(wanted) == 1:
            only = wanted[0]
            # Most are enumerations' members, which are told apart by identity.
            return lambda found: found is only or bool(found == only)
        several = tuple(wanted)
        return lambda found: found in several

    def _fitting(self, op: str, value: Value) -> list[object]:
        if op == "~":
            fits = pattern(value)
            return [found for name, found in self._names.items() if fits(name)]
        name = _normal(value.text)
        if "*" in name and "[" not in name and "?" not in name:
            found = [self._objects[n] for n in fnmatch.filter(self._objects, name)]
            if found:
                return found
        elif name in self._objects:
            return [self._objects[name]]
        elif name in self._aliases:
            return [self._aliases[name]]
        near = nearest(name, self._objects)
        shown = value.text or "nothing"
        raise Wrong(f"{shown} is not {self._what}{near or ' (' + self._list() + ')'}", value.place)

    def _list(self) -> str:
        return self.expected.partition(": ")[2]


class Scale(Choice):
    """Names in an order: they can be compared, ``severity>=warning``."""

    operators = Ordered.operators

    def asked(self, op: str, values: Sequence[Value]) -> Asked:
        if op not in _ORDER:
            return super().asked(op, values)
        if len(values) > 1:
            raise Wrong(f"{op} takes one value, not several", values[1].place)
        (limit, *more) = self._fitting(op, values[0])
        if more:
            raise Wrong(f"{op} takes one value, not several", values[0].place)
        return _ORDER[op](limit)


class Text(Kind):
    """Text: ``:`` is contained, ``=`` is the whole, ``~`` is a regular expression.

    ``fold``  letters' case does not matter
    """

    operators = frozenset((":", "=", "!=", "~"))

    def __init__(self, expected: str, *, fold: bool = True, examples: Sequence[str] = ()) -> None:
        self.expected = expected
        self._fold = fold
        self._examples = examples

    def candidates(self) -> Iterable[tuple[str, str]]:
        return ((example, "") for example in self._examples)

    def asked(self, op: str, values: Sequence[Value]) -> Asked:
        if op == "~":
            return pattern(values[0], fold=self._fold)
        texts = [value.text.casefold() if self._fold else value.text for value in values]
        if op == "=":
            wanted = frozenset(texts)
            if self._fold:
                return lambda found: found.casefold() in wanted
            return lambda found: found in wanted
        if self._fold:
            return lambda found: any(text in found.casefold() for text in texts)
        return lambda found: any(text in found for text in texts)


class Host(Kind):
    """Endpoints by address, network, or address and port."""

    operators = frozenset((":", "=", "!=", "~"))
    expected = "an address or a network, such as 10.0.0.0/8, 2001:db8::1 or 10.0.0.1:80"

    def candidates(self) -> Iterable[tuple[str, str]]:
        yield from (
            ("10.0.0.0/8", "private"),
            ("192.168.0.0/16", "private"),
            ("127.0.0.0/8", "this machine"),
            ("fe80::/10", "link-local"),
        )

    def asked(self, op: str, values: Sequence[Value]) -> Asked:
        if op == "~":
            fits = pattern(values[0])
            return lambda endpoint: fits(endpoint.addr)
        wanted = [_read(read.host, value) for value in values]
        networks = [network for network, port in wanted if port is None]
        with_port = [(network, port) for network, port in wanted if port is not None]
        known: dict[str, bool] = {}

        def inside(addr: str) -> bool:
            answer = known.get(addr)
            if answer is None:
                if len(known) >= MOST_REMEMBERED:
                    known.clear()
                found = read.address(addr)
                answer = known[addr] = found is not None and any(
                    found.version == network.version and found in network for network in networks
                )
            return answer

        if not with_port:
            return lambda endpoint: inside(endpoint.addr)
        return lambda endpoint: inside(endpoint.addr) or _at_port(endpoint, with_port)


def _at_port(endpoint: Endpoint, wanted: list[tuple[read.Network, int]]) -> bool:
    found = None
    for network, port in wanted:
        if endpoint.port == port:
            found = found or read.address(endpoint.addr)
            if found is not None and found.version == network.version and found in network:
                return True
    return False

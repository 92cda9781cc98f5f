r"""Regular expressions whose time is bounded, for ``~``.

Theory of operation
-------------------
Python's ``re`` goes back and tries again, and with a pattern such as
``(a+)+$`` a text of thirty letters keeps it busy for minutes. A filter is tried
on a hundred thousand connections while it is being typed, on texts that
strangers sent. So the pattern becomes a nondeterministic automaton (Thompson
1968), which is run over the text once, all its states side by side; sets of
states met before are remembered, which makes it a deterministic one, built as
far as it is needed. The time is proportional to the text's length.

What is known: literals, ``.``, ``[a-z]``, ``[^...]``, ``\d \w \s \D \W \S``,
``( )``, ``(?: )``, ``|``, ``* + ? {m} {m,} {m,n}`` (also with a lazy ``?`` behind,
which changes nothing here), ``^`` and ``$``. Groups are not captured. Word
boundaries, backreferences and looking around are errors.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

LONGEST_PATTERN: Final = 200
LONGEST_TEXT: Final = 1000
"""Of longer texts only the beginning is looked at."""
MOST_NODES: Final = 500
MOST_DEPTH: Final = 20
MOST_KNOWN: Final = 4096
"""Steps and texts remembered; then everything is forgotten and learnt again."""

CharTest = Callable[[str], bool]


class PatternError(ValueError):
    """A pattern that cannot be read; ``at`` is the place in it."""

    def __init__(self, message: str, at: int) -> None:
        super().__init__(message)
        self.at = at


def _digit(char: str) -> bool:
    return "0" <= char <= "9"


def _word(char: str) -> bool:
    return char.isalnum() or char == "_"


_CLASSES: Final[dict[str, CharTest]] = {
    "d": _digit,
    "w": _word,
    "s": str.isspace,
    "D": lambda char: not _digit(char),
    "W": lambda char: not _word(char),
    "S": lambda char: not char.isspace(),
}
_ESCAPES: Final = {"t": "\t", "n": "\n", "r": "\r"}
_REPEATS: Final = {"*": (0, None), "+": (1, None), "?": (0, 1)}
_MATCH, _SPLIT, _START, _END, _CHAR = range(5)


class _Nodes:
    """The automaton: what each node is, where it leads, and which characters it takes."""

    def __init__(self) -> None:
        self.kinds: list[int] = [_MATCH]
        self.nexts: list[list[int]] = [[]]
        self.tests: list[CharTest | None] = [None]
        self.copies = 0

    def add(self, kind: int, nexts: list[int], test: CharTest | None = None) -> int:
        if len(self.kinds) >= MOST_NODES:
            raise PatternError("the pattern is too large", 0)
        self.kinds.append(kind)
        self.nexts.append(nexts)
        self.tests.append(test)
        return len(self.kinds) - 1


_Build = Callable[[_Nodes, int], int]
"""Adds a part in front of the node that follows it; returns the part's first node."""


class _Reader:
    """Reads a pattern by recursive descent into functions that build the automaton."""

    def __init__(self, pattern: str, *, fold: bool) -> None:
        self.pattern = pattern
        self.fold = fold
        self.at = 0
        self.depth = 0

    def peek(self) -> str:
        return self.pattern[self.at : self.at + 1]

    def read(self) -> _Build:
        build = self.choice()
        if self.at < len(self.pattern):
            raise PatternError("this ) closes nothing", self.at)
        return build

    def choice(self) -> _Build:
        branches = [self.sequence()]
        while self.peek() == "|":
            self.at += 1
            branches.append(self.sequence())
        if len(branches) == 1:
            return branches[0]
        return lambda nodes, after: nodes.add(_SPLIT, [build(nodes, after) for build in branches])

    def sequence(self) -> _Build:
        parts: list[_Build] = []
        while self.peek() not in ("", "|", ")"):
            parts.append(self.repeated())

        def build(nodes: _Nodes, after: int) -> int:
            for part in reversed(parts):
                after = part(nodes, after)
            return after

        return build

    def repeated(self) -> _Build:
        first = self.peek()
        if self.repeats_ahead():
            raise PatternError(f"nothing stands before {first} that could be repeated", self.at)
        part = self.atom()
        while True:
            start = self.at
            counts = self.counts()
            if counts is None:
                return part
            if first in ("^", "$"):
                raise PatternError(f"{first} is a place and cannot be repeated", start)
            least, most = counts
            if most is not None and most < least:
                raise PatternError(f"{{{least},{most}}} has its ends in the wrong order", start)
            if self.peek() == "?":
                self.at += 1
            part = _repeat(part, least, most)
            if self.repeats_ahead():
                raise PatternError("nothing to repeat: put the repeated part in ( )", self.at)

    def repeats_ahead(self) -> bool:
        place = self.at
        found = self.counts() is not None
        self.at = place
        return found

    def counts(self) -> tuple[int, int | None] | None:
        """``*``, ``+``, ``?`` or ``{m,n}`` here; an unfinished ``{`` is a character like others."""
        char = self.peek()
        if char in _REPEATS:
            self.at += 1
            return _REPEATS[char]
        if char != "{":
            return None
        end = self.pattern.find("}", self.at)
        inside = self.pattern[self.at + 1 : end] if end > 0 else ""
        least, comma, most = inside.partition(",")
        if not all(part.isascii() and (part.isdigit() or not part) for part in (least, most)):
            return None
        if not inside:
            return None
        if len(inside) > 8:
            raise PatternError("so many repetitions are too many", self.at)
        self.at = end + 1
        low = int(least or 0)
        if not comma:
            return low, low
        return low, int(most) if most else None

    def atom(self) -> _Build:
        start, char = self.at, self.peek()
        self.at += 1
        if char == "(":
            return self.group(start)
        if char == "^":
            return lambda nodes, after: nodes.add(_START, [after])
        if char == "$":
            return lambda nodes, after: nodes.add(_END, [after])
        if char == ".":
            return _one(lambda each: each != "\n")
        if char == "[":
            return _one(self.bracket(start))
        if char == "\\":
            return _one(self.escape(start))
        return _one(self.literal(char))

    def group(self, start: int) -> _Build:
        if self.peek() == "?":
            if not self.pattern.startswith("?:", self.at):
                raise PatternError("of the (? groups only (?: ) is known", start)
            self.at += 2
        self.depth += 1
        if self.depth > MOST_DEPTH:
            raise PatternError("parentheses are nested too deep", start)
        build = self.choice()
        if self.peek() != ")":
            raise PatternError("the ) to this ( is missing", start)
        self.at += 1
        self.depth -= 1
        return build

    def literal(self, char: str) -> CharTest:
        if self.fold:
            wanted = char.casefold()
            return lambda each: each.casefold() == wanted
        return lambda each: each == char

    def escape(self, start: int) -> CharTest:
        char = self.peek()
        if not char:
            raise PatternError("a character is expected behind the backslash", start)
        self.at += 1
        if char in _CLASSES:
            return _CLASSES[char]
        if char.isalnum() and char not in _ESCAPES:
            raise PatternError(f"\\{char} is not known here", start)
        return self.literal(_ESCAPES.get(char, char))

    def bracket(self, start: int) -> CharTest:
        negated = self.peek() == "^"
        self.at += negated
        tests: list[CharTest] = []
        first = True
        while first or self.peek() != "]":
            if not self.peek():
                raise PatternError("the ] to this [ is missing", start)
            first = False
            tests.append(self.member())
        self.at += 1
        found = tuple(tests)
        return lambda each: any(test(each) for test in found) is not negated

    def member(self) -> CharTest:
        start, low = self.at, self.peek()
        self.at += 1
        if low == "\\":
            test = self.escape(start)
            if self.pattern[start + 1] in _CLASSES:
                return test
            low = self.pattern[start + 1]
            low = _ESCAPES.get(low, low)
        ahead = self.pattern[self.at : self.at + 2]
        if len(ahead) < 2 or ahead[0] != "-" or ahead[1] == "]":
            return self.literal(low)
        self.at += 2
        high = ahead[1]
        if high == "\\":
            high = self.peek()
            self.at += 1
            if not high or (high.isalnum() and high not in _ESCAPES):
                raise PatternError("a range ends with a single character", start)
            high = _ESCAPES.get(high, high)
        if high < low:
            raise PatternError(f"{low}-{high} has its ends in the wrong order", start)
        return self.between(low, high)

    def between(self, low: str, high: str) -> CharTest:
        if self.fold:
            return lambda each: (
                low <= each <= high or low <= each.lower() <= high or low <= each.upper() <= high
            )
        return lambda each: low <= each <= high


def _one(test: CharTest) -> _Build:
    return lambda nodes, after: nodes.add(_CHAR, [after], test)


def _repeat(part: _Build, least: int, most: int | None) -> _Build:
    def build(nodes: _Nodes, after: int) -> int:
        first = after
        if most is None:
            loop = nodes.add(_SPLIT, [after])
            nodes.nexts[loop].append(part(nodes, loop))
            first = loop
        else:
            for _ in range(most - least):
                first = nodes.add(_SPLIT, [part(nodes, first), after])
        for _ in range(least):
            # Counted, because a part that is empty adds no node.
            nodes.copies += 1
            if nodes.copies > MOST_NODES:
                raise PatternError("the pattern is too large", 0)
            first = part(nodes, first)
        return first

    return build


class Pattern:
    """A pattern made ready. ``fold``: letters' case does not matter.

    Raises PatternError.
    """

    def __init__(self, pattern: str, *, fold: bool = True) -> None:
        if len(pattern) > LONGEST_PATTERN:
            raise PatternError(
                f"a pattern has at most {LONGEST_PATTERN} characters", LONGEST_PATTERN
            )
        build = _Reader(pattern, fold=fold).read()
        self._nodes = _Nodes()
        start = build(self._nodes, 0)
        self._first = self._closure([start], at_start=True)
        self._again = self._closure([start])
        self._steps: dict[tuple[frozenset[int], str], frozenset[int]] = {}
        self._known: dict[str, bool] = {}

    def found(self, text: str) -> bool:
        """Whether the pattern fits anywhere in the first :data:`LONGEST_TEXT` characters."""
        known = self._known.get(text)
        if known is None:
            if len(self._known) >= MOST_KNOWN:
                self._known.clear()
            known = self._known[text] = self._search(text)
        return known

    def _search(self, text: str) -> bool:
        here, steps = self._first, self._steps
        for char in text[:LONGEST_TEXT]:
            if 0 in here:
                return True
            ahead = steps.get((here, char))
            if ahead is None:
                if len(steps) >= MOST_KNOWN:
                    steps.clear()
                ahead = steps[here, char] = self._step(here, char)
            here = ahead
        if len(text) > LONGEST_TEXT:
            return 0 in here  # this is not its end
        return 0 in here or 0 in self._closure(list(here), at_end=True, at_start=not text)

    def _step(self, here: frozenset[int], char: str) -> frozenset[int]:
        nodes = self._nodes
        ahead = []
        for node in here:
            test = nodes.tests[node]
            if test is not None and test(char):
                ahead += nodes.nexts[node]
        return self._closure(ahead) | self._again

    def _closure(
        self, nodes: list[int], *, at_start: bool = False, at_end: bool = False
    ) -> frozenset[int]:
        """The nodes that are reached without taking a character, without the ways between."""
        kinds, nexts = self._nodes.kinds, self._nodes.nexts
        seen, todo = set(nodes), list(nodes)
        out = set()
        while todo:
            node = todo.pop()
            kind = kinds[node]
            if kind in (_MATCH, _CHAR, _END):
                out.add(node)
            if kind == _SPLIT or (kind == _START and at_start) or (kind == _END and at_end):
                for each in nexts[node]:
                    if each not in seen:
                        seen.add(each)
                        todo.append(each)
        return frozenset(out)

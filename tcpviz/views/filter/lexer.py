"""A filter's text cut into tokens, each with its place.

What a person types into a search box must mean what it says, so a run of
characters is a free word unless it begins as a test does: a name and an
operator. An address (``2001:db8::1``, ``dead:beef``) is a free word although a
colon follows what could be a name.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from tcpviz.views.filter.errors import FilterError
from tcpviz.views.filter.syntax import NOWHERE, Place, Value
from tcpviz.views.filter.vocabulary import Vocabulary


class Kind(enum.Enum):
    """What a token is."""

    OPEN = "("
    CLOSE = ")"
    AND = "and"
    OR = "or"
    NOT = "not"
    WORD = "word"
    TEST = "test"
    END = "end"


@dataclass(frozen=True, slots=True)
class Token:
    """``text`` is a word's text, or the field's name as it was typed; ``op`` a test's operator."""

    kind: Kind
    place: Place
    text: str = ""
    op: str = ""
    op_place: Place = NOWHERE
    values: tuple[Value, ...] = ()


SPELLINGS: Final = {
    "==": "=",
    "gt": ">",
    "ge": ">=",
    "lt": "<",
    "le": "<=",
    "eq": "=",
    "ne": "!=",
    "matches": "~",
    "contains": ":",
}
"""Other ways to write an operator; the words need no quotes in a shell."""

KEYWORDS: Final = {"and": Kind.AND, "or": Kind.OR, "not": Kind.NOT}

NAME: Final = re.compile(r"[A-Za-z_][\w-]*(?:\.[A-Za-z_][\w-]*)*", re.ASCII)
_OPERATOR: Final = re.compile(r"!=|==|<=|>=|[:=<>~]")
_APART: Final = re.compile(r"\s+(!=|==|<=|>=|[=<>~]|(?:gt|ge|lt|le|eq|ne|matches|contains)(?=\s))")
_SPACE: Final = re.compile(r"\s*")
_RUN: Final = re.compile(r"[^\s()]+")
_ITEM: Final = re.compile(r"[^\s(),]+")
_ADDRESS: Final = re.compile(r"[0-9A-Fa-f:.]*(?:%\w+)?(?:/\d+)?", re.ASCII)
_ID: Final = re.compile(r"#(\d+)", re.ASCII)


class Lexer:
    """Gives the tokens of ``text``, an END last.

    The vocabulary's names tell ``rtt > 5ms`` from three words.
    """

    def __init__(self, text: str, vocabulary: Vocabulary) -> None:
        self.text = text
        self.vocabulary = vocabulary
        self.at = 0

    def tokens(self) -> Iterator[Token]:
        """Raises FilterError for a quote that is not closed or an operator without a value."""
        while True:
            self._skip()
            if self.at >= len(self.text):
                yield Token(Kind.END, Place(len(self.text), len(self.text)))
                return
            yield self._next()

    def _skip(self) -> None:
        match = _SPACE.match(self.text, self.at)
        if match is not None:
            self.at = match.end()

    def _take(self, kind: Kind, length: int) -> Token:
        start = self.at
        self.at += length
        return Token(kind, Place(start, self.at), self.text[start : self.at])

    def _next(self) -> Token:
        text, at = self.text, self.at
        char = text[at]
        if char in "()":
            return self._take(Kind.OPEN if char == "(" else Kind.CLOSE, 1)
        if char in "\"'":
            word = self._quoted()
            return Token(Kind.WORD, Place(at, self.at), word)
        for both, kind in (("&&", Kind.AND), ("||", Kind.OR)):
            if text.startswith(both, at):
                return self._take(kind, 2)
        if char == "!" and not text.startswith("!=", at):
            return self._take(Kind.NOT, 1)
        if char in "<>=" or text.startswith("!=", at):
            sign = _OPERATOR.match(text, at)
            length = sign.end() - at if sign else 1
            message = f"a field is expected before {text[at : at + length]}, such as rtt>200ms"
            raise FilterError(message, text, at, at + length)
        return self._test() or self._word()

    def _word(self) -> Token:
        run = _RUN.match(self.text, self.at)
        length = run.end() - self.at if run else 1
        token = self._take(Kind.WORD, length)
        ident = _ID.fullmatch(token.text)
        if ident is not None:
            values = (Value(ident[1], Place(token.place.start + 1, token.place.end)),)
            return Token(Kind.TEST, token.place, "id", ":", token.place, values)
        keyword = KEYWORDS.get(token.text.lower())
        return Token(keyword, token.place, token.text) if keyword else token

    # -- tests --------------------------------------------------------------

    def _test(self) -> Token | None:
        text, at = self.text, self.at
        name = NAME.match(text, at)
        if name is None:
            return None
        known = name[0].lower().replace("-", "_") in self.vocabulary.names
        sign = _OPERATOR.match(text, name.end())
        if sign is not None:
            run = _RUN.match(text, at)
            whole = run[0] if run else name[0]
            if not known and sign[0] == ":" and _ADDRESS.fullmatch(whole):
                return None
            start, end = sign.span()
        else:
            apart = _APART.match(text, name.end()) if known else None
            if apart is None:
                return None
            start, end = apart.span(1)
        op = SPELLINGS.get(text[start:end], text[start:end])
        self.at = end
        values = tuple(self._values(name[0], op))
        place = Place(at, name.end())
        return Token(Kind.TEST, place, name[0], op, Place(start, end), values)

    def _values(self, name: str, op: str) -> Iterator[Value]:
        self._skip()
        while True:
            yield self._value(name, op)
            if op == "~" or not self.text.startswith(",", self.at):
                return
            self.at += 1

    def _value(self, name: str, op: str) -> Value:
        start = self.at
        if self.text[start : start + 1] in ('"', "'"):
            value = self._quoted()
            return Value(value, Place(start, self.at))
        if op == "~":
            self.at = self._pattern_end()
        else:
            item = _ITEM.match(self.text, start)
            if item is not None:
                self.at = item.end()
        if self.at == start:
            field = self.vocabulary.find(name)
            expected = "a value" if field is None else field.kind.expected
            raise FilterError(f"{name}{op} is followed by {expected}", self.text, start)
        return Value(self.text[start : self.at], Place(start, self.at))

    def _pattern_end(self) -> int:
        """A pattern goes on to the next blank, and over parentheses that it opened itself."""
        depth = 0
        for place in range(self.at, len(self.text)):
            char = self.text[place]
            depth += (char == "(") - (char == ")")
            if char.isspace() or depth < 0:
                return place
        return len(self.text)

    def _quoted(self) -> str:
        """The text in quotes; a backslash before a quote or a backslash takes its meaning away."""
        start = self.at
        quote = self.text[start]
        out: list[str] = []
        place = start + 1
        while place < len(self.text):
            char = self.text[place]
            if char == quote:
                self.at = place + 1
                return "".join(out)
            if char == "\\" and self.text[place + 1 : place + 2] in (quote, "\\"):
                place += 1
                char = self.text[place]
            out.append(char)
            place += 1
        raise FilterError(f"the closing {quote} is missing", self.text, start, len(self.text))

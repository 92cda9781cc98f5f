"""A filter's text as a tree: ``or`` binds least, then ``and`` (or nothing), then ``not``.

Names become those that the vocabulary has; whether values make sense is the
compiler's question.
"""

from __future__ import annotations

import re
from typing import Final

from tcpviz.views.filter.errors import FilterError
from tcpviz.views.filter.lexer import SPELLINGS, Kind, Lexer, Token
from tcpviz.views.filter.syntax import (
    And,
    Everything,
    Node,
    Not,
    Or,
    Place,
    Test,
    Value,
    Word,
)
from tcpviz.views.filter.vocabulary import Vocabulary

LONGEST: Final = 2000
"""Characters of a filter."""

DEEPEST: Final = 50
"""Parentheses and nots inside each other."""

_COUNTED: Final = re.compile(r"([^<>=!]*)(>=|<=|!=|==|[<>=])(.*)", re.DOTALL)
_ENDS: Final = (Kind.END, Kind.CLOSE, Kind.OR, Kind.AND)


class Parser:
    """Reads one filter."""

    def __init__(self, text: str, vocabulary: Vocabulary) -> None:
        self.text = text
        self.vocabulary = vocabulary
        if len(text) > LONGEST:
            raise FilterError(f"a filter has at most {LONGEST} characters", text, LONGEST)
        self.tokens = list(Lexer(text, vocabulary).tokens())
        self.at = 0
        self.depth = 0

    @property
    def token(self) -> Token:
        return self.tokens[self.at]

    def take(self) -> Token:
        token = self.token
        self.at += 1
        return token

    def wrong(self, message: str, place: Place) -> FilterError:
        return FilterError(message, self.text, place.start, max(place.end, place.start + 1))

    def read(self) -> Node:
        """The whole tree. Raises FilterError."""
        if self.token.kind is Kind.END:
            return Everything()
        node = self.either()
        if self.token.kind is Kind.CLOSE:
            raise self.wrong("this ) closes nothing", self.token.place)
        return node

    def either(self) -> Node:
        items = [self.all()]
        while self.token.kind is Kind.OR:
            self.take()
            items.append(self.all())
        return items[0] if len(items) == 1 else Or(tuple(items))

    def all(self) -> Node:
        items = [self.one()]
        while self.token.kind not in (Kind.END, Kind.CLOSE, Kind.OR):
            if self.token.kind is Kind.AND:
                self.take()
            items.append(self.one())
        return items[0] if len(items) == 1 else And(tuple(items))

    def one(self) -> Node:
        token = self.token
        if token.kind in _ENDS:
            raise self.expected(token)
        self.take()
        if token.kind is Kind.WORD:
            return Word(token.text, token.place)
        if token.kind is Kind.TEST:
            return self.test(token)
        self.depth += 1
        if self.depth > DEEPEST:
            raise self.wrong(f"nested deeper than {DEEPEST}", token.place)
        node = Not(self.one()) if token.kind is Kind.NOT else self.group(token)
        self.depth -= 1
        return node

    def group(self, opening: Token) -> Node:
        if self.token.kind is Kind.CLOSE:
            raise self.wrong("a condition is expected between ( and )", self.token.place)
        node = self.either()
        if self.take().kind is not Kind.CLOSE:
            raise self.wrong("the ) to this ( is missing", opening.place)
        return node

    def expected(self, token: Token) -> FilterError:
        """A condition was expected where ``token`` stands."""
        before = self.tokens[self.at - 1] if self.at else None
        after = f" after {before.text}" if before is not None and before.text else ""
        said = f"a condition is expected{after}, such as port:443"
        if token.kind is Kind.END:
            return self.wrong(said, token.place)
        return self.wrong(f"{said}, not {token.text}", token.place)

    # -- tests --------------------------------------------------------------

    def test(self, token: Token) -> Node:
        field = self.vocabulary.find(token.text)
        if field is None:
            hint = self.vocabulary.hint(token.text)
            message = f"no field {token.text} of a {self.vocabulary.subject}{hint}"
            raise self.wrong(message, token.place)
        counted = None
        if field.many and f"{field.name}.retransmission" in self.vocabulary.fields:
            counted = self.counted(field.name, token)
        if counted is not None:
            return counted
        return Test(field.name, token.op, token.values, token.place, token.op_place)

    def counted(self, name: str, token: Token) -> Node | None:
        """``mark:retransmission>3`` is ``mark.retransmission>3``."""
        for value in token.values:
            match = _COUNTED.fullmatch(value.text)
            if match is None or token.op == "~":
                continue
            if len(token.values) > 1 or token.op == "!=":
                raise self.wrong("a number goes with one mark: mark:retransmission>3", value.place)
            mark, sign, number = match.groups()
            full = self.vocabulary.find(f"{name}.{mark}")
            start = value.place.start
            if full is None or not mark:
                # Let the marks' own kind say what was expected.
                return Test(name, ":", (Value(mark, Place(start, start + max(len(mark), 1))),))
            if not number:
                raise self.wrong("a number is expected here", Place(value.place.end, 0))
            return Test(
                full.name,
                SPELLINGS.get(sign, sign),
                (Value(number, Place(start + match.start(3), value.place.end)),),
                token.place,
                Place(start + match.start(2), start + match.end(2)),
            )
        return None


def parse(text: str, vocabulary: Vocabulary) -> Node:
    """The tree of a filter. Raises FilterError, and nothing else."""
    return Parser(text, vocabulary).read()

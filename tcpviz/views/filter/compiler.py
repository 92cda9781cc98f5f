"""A tree as a function: everything that does not depend on the connection is worked out once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from tcpviz.views.filter.errors import FilterError
from tcpviz.views.filter.kinds import Asked, Wrong, pattern
from tcpviz.views.filter.syntax import And, Everything, Node, Not, Or, Test, Word
from tcpviz.views.filter.vocabulary import Field, Vocabulary

Question = Callable[[Any, int], bool]
"""Asked with a connection (or step) and the present moment in nanoseconds."""


class Compiler:
    """Compiles trees of one filter. ``text`` is the filter's, for the errors' places."""

    def __init__(self, text: str, vocabulary: Vocabulary) -> None:
        self._text = text
        self._vocabulary = vocabulary

    def question(self, node: Node) -> Question:
        """The function; raises FilterError for a test that makes no sense."""
        if isinstance(node, Everything):
            return lambda subject, now: True  # noqa: ARG005
        if isinstance(node, Word):
            return self._vocabulary.word(node)
        if isinstance(node, Test):
            return self._test(node)
        if isinstance(node, Not):
            inner = self.question(node.item)
            return lambda subject, now: not inner(subject, now)
        questions = {item: self.question(item) for item in node.items}
        return _joined(sorted(questions, key=_cost), questions, wanted=isinstance(node, Or))

    def _test(self, test: Test) -> Question:
        field = self._vocabulary.fields.get(test.field)
        if field is None:
            raise self._wrong(
                Wrong(f"no field {test.field} of a {self._vocabulary.subject}", test.name_place)
            )
        try:
            fits = self._question(field, test)
        except Wrong as wrong:
            raise self._wrong(wrong) from None
        if test.op == "!=":
            return lambda subject, now: not fits(subject, now)
        return fits

    def _question(self, field: Field, test: Test) -> Question:
        kind = field.kind
        if test.op not in kind.operators:
            known = " ".join(op for op in (":", "=", "!=", "<", "<=", ">", ">=", "~")
                             if op in kind.operators)  # fmt: skip
            raise Wrong(f"{field.name} takes {known}, not {test.op}", test.op_place)
        if test.op == "~" and field.text is not None:
            fits, texts = pattern(test.values[0]), field.text
            return lambda subject, now: any(fits(text) for text in texts(subject, now))
        return _fits(field, kind.asked("=" if test.op == "!=" else test.op, test.values))

    def _wrong(self, wrong: Wrong) -> FilterError:
        return FilterError(str(wrong), self._text, wrong.place.start, wrong.place.end)


def _fits(field: Field, asked: Asked) -> Question:
    """Whether any value of the field fits; what is not known does not."""
    get = field.get
    first = get[0]
    if field.many and field.timely:

        def any_at_present(subject: Any, now: int) -> bool:
            return any(asked(value) for value in first(subject, now))

        return any_at_present
    if field.many:

        def any_of(subject: Any, now: int) -> bool:  # noqa: ARG001
            values = first(subject)
            return values is not None and any(asked(value) for value in values)

        return any_of
    if field.timely:

        def at_present(subject: Any, now: int) -> bool:
            return asked(first(subject, now))

        return at_present
    if len(get) == 2:
        second = get[1]

        def of_either(subject: Any, now: int) -> bool:  # noqa: ARG001
            value = first(subject)
            if value is not None and asked(value):
                return True
            value = second(subject)
            return value is not None and asked(value)

        return of_either

    def of_one(subject: Any, now: int) -> bool:  # noqa: ARG001
        value = first(subject)
        return value is not None and asked(value)

    return of_one


def _joined(order: list[Node], questions: dict[Node, Question], *, wanted: bool) -> Question:
    """Ask one after the other until one answers ``wanted``."""
    if len(order) == 2:
        first, second = (questions[node] for node in order)
        if wanted:
            return lambda subject, now: first(subject, now) or second(subject, now)
        return lambda subject, now: first(subject, now) and second(subject, now)
    every = tuple(questions[node] for node in order)

    def one_after_the_other(subject: Any, now: int) -> bool:
        for question in every:
            if question(subject, now) is wanted:
                return wanted
        return not wanted

    return one_after_the_other


def _cost(node: Node) -> int:
    """Free words and sentences cost most, so they are asked last."""
    if isinstance(node, Word):
        return 3
    if isinstance(node, Test):
        return 2 if node.field in ("verdict", "severity", "community_id") else 1
    return max((_cost(item) for item in children(node)), default=1)


def children(node: Node) -> tuple[Node, ...]:
    """The nodes right under one."""
    if isinstance(node, Not):
        return (node.item,)
    return node.items if isinstance(node, And | Or) else ()


def tests(node: Node) -> Iterator[Test]:
    """All tests in a tree."""
    if isinstance(node, Test):
        yield node
    for item in children(node):
        yield from tests(item)

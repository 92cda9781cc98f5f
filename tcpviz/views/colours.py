"""Colouring rules: a filter and the role in which what fits it is shown.

The first rule that fits decides. Rules are written in the display filter's
language, so whatever can be searched for can be coloured, connections and
segments; roles are those of :mod:`tcpviz.views.roles`, so a rule never names a
colour and every theme, NO_COLOR too, knows what to do with it.

A person's own rules are lines of a file, before the usual ones::

    # how, and a filter of connections
    bad      verdict:refused port:443
    note     host:10.0.0.0/8
    # and one of segments
    segment  warning  mark:retransmission
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from tcpviz.views import filter as language
from tcpviz.views import roles
from tcpviz.views.filter import CONNECTIONS, SEGMENTS, Filter, FilterError, Vocabulary
from tcpviz.views.spans import Line, Span

DEFAULTS: Final = (
    ("severity:bad", roles.MARK_BAD),
    ("severity:warning", roles.MARK_WARNING),
    ("is:over", roles.DIM),
)
"""What there is without anybody's own rules: (filter, role)."""

MOST: Final = 100
"""Rules in one list."""

OWN: Final = MOST - len(DEFAULTS)
"""Of these, a person's own."""

NAMES: Final[Mapping[str, str]] = {
    "bad": roles.MARK_BAD,
    "warning": roles.MARK_WARNING,
    "note": roles.MARK_NOTE,
    "lit": roles.LIT,
    "dim": roles.DIM,
    "plain": roles.TEXT,
    "client": roles.CLIENT,
    "server": roles.SERVER,
}
"""What a person's own rules call the roles."""

_OF_SEGMENT: Final = frozenset(
    (
        roles.ARROW,
        roles.NUMBER,
        roles.DATA,
        roles.TEXT,
        roles.FLAG_SYN,
        roles.FLAG_FIN,
        roles.FLAG_RST,
        roles.FLAG_ACK,
    )
)


class RuleError(ValueError):
    """A rule that cannot be used; ``number`` counts from 1, ``error`` is its filter's, if it is."""

    def __init__(self, message: str, number: int, error: FilterError | None = None) -> None:
        super().__init__(f"colour rule {number}: {message}")
        self.number = number
        self.error = error


class Colours:
    """A list of rules made ready, for connections or, with its vocabulary, steps.

    Raises RuleError.
    """

    def __init__(
        self,
        rules: Iterable[tuple[str, str]] = DEFAULTS,
        vocabulary: Vocabulary = CONNECTIONS,
    ) -> None:
        self._rules: list[tuple[Filter, str]] = []
        for number, (text, role) in enumerate(rules, 1):
            if number > MOST:
                raise RuleError(f"there are at most {MOST}", number)
            if role not in roles.MEANING:
                raise RuleError(f"no role {role}; there are {', '.join(roles.MEANING)}", number)
            try:
                self._rules.append((language.compile(text, vocabulary), role))
            except FilterError as error:
                raise RuleError(str(error), number, error) from None

    @property
    def rules(self) -> Sequence[tuple[str, str]]:
        """As they were given."""
        return [(rule.text, role) for rule, role in self._rules]

    def role(self, subject: Any, now_ns: int) -> str | None:
        """The role of the first rule that fits the connection or step, ``None`` if none does."""
        for rule, role in self._rules:
            if rule.matches(subject, now_ns):
                return role
        return None


def read(text: str) -> tuple[Colours, Colours]:
    """A person's own rules, for connections and for segments. Raises RuleError by line."""
    rules: tuple[list[tuple[str, str]], list[tuple[str, str]]] = ([], [])
    for number, written in enumerate(text.splitlines(), 1):
        words = written.split()
        if not words or words[0].startswith("#"):
            continue
        segment = words[0] == "segment"
        how, condition = "".join(words[segment : segment + 1]), " ".join(words[segment + 1 :])
        role = NAMES.get(how)
        if role is None:
            raise RuleError(f"begins with {', '.join(NAMES)}, not {how!r}", number)
        if not condition:
            raise RuleError(f"{how} what? A filter is missing", number)
        try:
            language.compile(condition, SEGMENTS if segment else CONNECTIONS)
        except FilterError as error:
            raise RuleError(str(error), number, error) from None
        rules[segment].append((condition, role))
        if len(rules[segment]) > OWN:
            raise RuleError(f"there are at most {OWN}", number)
    return Colours((*rules[0], *DEFAULTS)), Colours(rules[1], SEGMENTS)


def painted(drawn: Line, role: str | None) -> Line:
    """A row of the chart in a rule's role: what the segment is, not when and between whom."""
    if role is None:
        return drawn
    return tuple(Span(span.text, role) if span.role in _OF_SEGMENT else span for span in drawn)

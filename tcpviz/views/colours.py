"""Colouring rules: a filter and the role in which what fits it is shown.

The first rule that fits decides. Rules are written in the display filter's
language, so whatever can be searched for can be coloured; roles are those of
:mod:`tcpviz.views.roles`, so a rule never names a colour and every theme,
NO_COLOR too, knows what to do with it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from tcpviz.core.connection import Connection
from tcpviz.views import filter as language
from tcpviz.views import roles
from tcpviz.views.filter import Filter, FilterError

DEFAULTS: Final = (
    ("severity:bad", roles.MARK_BAD),
    ("severity:warning", roles.MARK_WARNING),
    ("is:over", roles.DIM),
)
"""What there is without anybody's own rules: (filter, role)."""

MOST: Final = 100
"""Rules in one list."""


class RuleError(ValueError):
    """A rule that cannot be used; ``number`` counts from 1, ``error`` is its filter's, if it is."""

    def __init__(self, message: str, number: int, error: FilterError | None = None) -> None:
        super().__init__(f"colour rule {number}: {message}")
        self.number = number
        self.error = error


class Colours:
    """A list of rules made ready. Raises RuleError."""

    def __init__(self, rules: Iterable[tuple[str, str]] = DEFAULTS) -> None:
        self._rules: list[tuple[Filter, str]] = []
        for number, (text, role) in enumerate(rules, 1):
            if number > MOST:
                raise RuleError(f"there are at most {MOST}", number)
            if role not in roles.MEANING:
                raise RuleError(f"no role {role}; there are {', '.join(roles.MEANING)}", number)
            try:
                self._rules.append((language.compile(text), role))
            except FilterError as error:
                raise RuleError(str(error), number, error) from None

    @property
    def rules(self) -> Sequence[tuple[str, str]]:
        """As they were given."""
        return [(rule.text, role) for rule, role in self._rules]

    def role(self, connection: Connection, now_ns: int) -> str | None:
        """The role of the first rule that fits, ``None`` if none does."""
        for rule, role in self._rules:
            if rule.matches(connection, now_ns):
                return role
        return None

"""What could stand at the cursor of a filter that is being typed.

Nothing here fails: whatever has been typed so far, there is a list, perhaps an
empty one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from tcpviz.views.filter.lexer import NAME
from tcpviz.views.filter.vocabulary import Field, Vocabulary

MOST: Final = 60
"""Completions given at once."""

_OPERATOR: Final = re.compile(r"!=|==|<=|>=|[:=<>~]")


@dataclass(frozen=True, slots=True)
class Completion:
    """Put ``text`` in place of the characters ``start`` to ``end``; ``about`` says what it is.

    ``more``: it is to be followed by something, a value for example; otherwise a blank may follow.
    """

    start: int
    end: int
    text: str
    about: str = ""
    more: bool = False

    def apply(self, filter_text: str) -> tuple[str, int]:
        """The filter with the completion in it, and where the cursor then stands."""
        done = filter_text[: self.start] + self.text + filter_text[self.end :]
        return done, self.start + len(self.text)


def complete(text: str, cursor: int, vocabulary: Vocabulary) -> list[Completion]:
    """Completions of what stands before ``cursor``, the likeliest first."""
    cursor = min(max(cursor, 0), len(text))
    start = begin(text[:cursor])
    if start is None:
        return []
    typed = text[start:cursor]
    name = NAME.match(typed)
    sign = _OPERATOR.match(typed, name.end()) if name else None
    if name is not None and sign is not None:
        field = vocabulary.find(name[0])
        if field is None:
            return []
        found = _values(field, sign[0], typed[sign.end() :], cursor)
    else:
        first = not text[:start].strip(" (!")
        found = _names(typed, start, cursor, vocabulary, first=first)
    return [each for _, each in zip(range(MOST), found, strict=False)]


def begin(before: str) -> int | None:
    """Where the run of characters under the cursor begins; ``None`` inside quotes."""
    start, place, quote = 0, 0, ""
    for place, char in enumerate(before):
        if quote:
            if char == quote and before[place - 1] != "\\":
                quote = ""
        elif char in "\"'" and (place == start or before[place - 1] in ":=<>~,"):
            quote = char
        elif char.isspace() or char in "()" or (char == "!" and place == start):
            start = place + 1
    return None if quote else start


def _ranked(typed: str, names: Iterable[str]) -> list[str]:
    """Those that begin with what was typed, then those that contain it, each in their order."""
    wanted = typed.lower().replace("_", "-")

    def normal(name: str) -> str:
        return name.lower().replace("_", "-")

    # Once each, in the vocabulary's order.
    names = list(dict.fromkeys(names))
    heads = [name for name in names if normal(name).startswith(wanted)]
    inside = [name for name in names if wanted and wanted in normal(name) and name not in heads]
    return heads + inside


def _names(
    typed: str, start: int, end: int, vocabulary: Vocabulary, *, first: bool
) -> Iterator[Completion]:
    """Fields, and the words between conditions."""
    fields = vocabulary.fields
    typed = typed.lower()
    # Those of one end or one mark come when somebody asks for them with a point.
    plain = [name for name in fields if "." not in name or "." in typed]
    if typed and not any(name.startswith(typed) for name in plain):
        plain += [name for name in fields if name not in plain]
    for prefix in ("client.", "server."):
        if typed and prefix != typed and prefix.startswith(typed):
            yield Completion(start, end, prefix, f"of the {prefix[:-1]} only", more=True)
    for name in _ranked(typed, plain):
        field = fields[name]
        yield Completion(start, end, name + field.kind.likely, field.about, more=True)
    # Before the first condition only "not" makes sense.
    for word, about in (("and", "both"), ("or", "either"), ("not", "what does not")):
        if word.startswith(typed) and (word == "not" or not first):
            yield Completion(start, end, word, about, more=True)
    for alias, name in vocabulary.aliases.items():
        if typed and alias.startswith(typed):
            field = fields[name]
            yield Completion(
                start, end, alias + field.kind.likely, f"{name}: {field.about}", more=True
            )


def _values(field: Field, sign: str, typed: str, end: int) -> Iterator[Completion]:
    """Values of a field; after a comma, the next one."""
    if sign == "~":
        return
    last = typed.rpartition(",")[2]
    start = end - len(last)
    if last[:1] in ('"', "'"):
        return
    about = dict(field.kind.candidates())
    for value in _ranked(last, about):
        yield Completion(start, end, value, about[value])

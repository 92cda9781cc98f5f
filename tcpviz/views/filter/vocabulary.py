"""Vocabularies: the fields that a filter may ask for, with their kinds and where they are found."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from tcpviz.core.marks import MarkName
from tcpviz.core.states import State
from tcpviz.views.filter import values
from tcpviz.views.filter.kinds import Choice, Kind, Ordered, Text, nearest
from tcpviz.views.filter.syntax import Word
from tcpviz.views.ladder_labels import SHORT_STATES

Getter = Callable[[Any], Any]
"""Finds a field's value; ``None`` where it is not known, and then nothing fits it."""


@dataclass(frozen=True, slots=True)
class Field:
    """One thing to ask for.

    ``get``     where it is found; of several (both ends), any may fit
    ``about``   what it is, in a few words
    ``many``    the value is a collection, of which any may fit
    ``timely``  the getters take the present moment too, in nanoseconds
    ``source``  where it comes from, said where no connection has it
    ``text``    the texts that ``~`` asks, where they are not the value; takes the moment too
    """

    name: str
    kind: Kind
    get: tuple[Callable[..., Any], ...]
    about: str
    many: bool = False
    timely: bool = False
    source: str = ""
    text: Callable[[Any, int], Iterable[str]] | None = None


class Vocabulary:
    """Fields by name, and what free words are looked for in.

    ``subject``  what is filtered, for messages: "connection"
    ``word``     makes a question of a free word
    """

    def __init__(
        self,
        subject: str,
        fields: Iterable[Field],
        aliases: Mapping[str, str],
        word: Callable[[Word], Callable[[Any, int], bool]],
    ) -> None:
        self.subject = subject
        self.fields = {field.name: field for field in fields}
        self.aliases = dict(aliases)
        self.word = word
        self.names = frozenset((*self.fields, *self.aliases))

    def find(self, name: str) -> Field | None:
        """By name or alias; case does not matter, ``-`` is ``_``."""
        name = name.lower().replace("-", "_")
        return self.fields.get(self.aliases.get(name, name))

    def hint(self, name: str) -> str:
        """What to say of a name that there is not."""
        near = nearest(name.replace("-", "_"), self.names)
        return near or f'; write "{name}:..." in quotes to look for the text'


STATES: Final = Choice(
    "a state",
    {str(state).lower(): state for state in State},
    aliases={
        **{short.lower(): str(state).lower() for state, short in SHORT_STATES.items()},
        # As ss(8), netstat and the kernel's headers call them.
        "syn-recv": "syn-received",
        "fin-wait1": "fin-wait-1",
        "fin-wait2": "fin-wait-2",
        "close": "closed",
    },
)
MARKS: Final = Choice("a mark", {name.value: name.value for name in MarkName})
COUNT: Final = Ordered(values.amount, "a number, such as 10 or 1.5k", ("10", "100"))
WHOLE: Final = Ordered(values.whole, "a whole number", ("1",), ":")
PORT: Final = Ordered(
    values.port, "a port, 0 to 65535, or several: 80,443,8000-8100", ("80", "443"), ":"
)
SIZE: Final = Ordered(values.size, "a number of bytes, such as 500, 64k or 1.5M", ("1k", "1M"))
TIME: Final = Ordered(
    values.time, "a length of time, such as 200ms, 5m or 1h30m", ("10ms", "200ms", "1s", "5m")
)
FREE: Final = Text("text")


def either(*getters: Callable[..., Any]) -> tuple[Callable[..., Any], ...]:
    """Of several places any may fit."""
    return getters


def sides(
    name: str,
    kind: Kind,
    of_end: Getter,
    about: str,
    ends: Sequence[tuple[str, Getter]],
    whole: Getter | None = None,
    **more: Any,
) -> list[Field]:
    """``name``, ``client.name`` and ``server.name``.

    Without ``whole``, ``name`` fits where either end does.
    """

    def of(end: Getter) -> Getter:
        return lambda subject: of_end(end(subject))

    each = [of(end) for _, end in ends]
    both = (whole,) if whole is not None else tuple(each)
    fields = [Field(name, kind, both, about, **more)]
    for (side, _), get in zip(ends, each, strict=True):
        fields.append(Field(f"{side}.{name}", kind, (get,), f"the {side}'s: {about}", **more))
    return fields

"""The display filter: a small language over connections and over segments.

::

    state:close-wait age>5m          both must hold; "and" may be left out
    port:443 or host:10.0.0.0/8      either
    not verdict:refused              what does not
    mark:retransmission>3            so many segments with a mark
    rtt>200ms bytes>1M               with units
    nginx "no answer"                free words, looked for in what the list shows

``or`` binds least, then ``and``, then ``not``; there are parentheses. ``x!=v``
is ``not x:v``. What is not known about a connection fits no test of it, so
``rtt>0`` finds those whose handshake was measured and ``not rtt>0`` all others.

:func:`compile` gives a :class:`Filter` or raises :class:`FilterError`, which
knows the place; with the vocabulary :data:`SEGMENTS` it is asked of steps of the
timeline instead. :func:`complete` tells what could stand at the cursor.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tcpviz.views.filter import completion
from tcpviz.views.filter.compiler import Compiler, Question, tests
from tcpviz.views.filter.completion import Completion
from tcpviz.views.filter.connection_fields import CONNECTIONS
from tcpviz.views.filter.errors import FilterError
from tcpviz.views.filter.parser import parse as _parse
from tcpviz.views.filter.segment_fields import SEGMENTS
from tcpviz.views.filter.syntax import Everything, Node, write
from tcpviz.views.filter.vocabulary import Vocabulary

__all__ = [
    "CONNECTIONS",
    "SEGMENTS",
    "Completion",
    "Filter",
    "FilterError",
    "Node",
    "Vocabulary",
    "compile",
    "complete",
    "parse",
    "write",
]


class Filter:
    """A filter made ready.

    ``text``     as it was written
    ``node``     its tree
    ``matches``  ``matches(connection, now_ns)``: whether it fits; ``now_ns`` is the moment
                 at which the list is looked at, by the capture's clock
    ``timely``   it asks for ages, so that its answer changes although nothing happens
    ``fields``   the names of the fields that it asks
    """

    __slots__ = ("_sources", "fields", "matches", "node", "text", "timely")

    matches: Question

    def __init__(self, text: str, vocabulary: Vocabulary) -> None:
        self.text = text
        self.node = parse(text, vocabulary)
        self.matches = Compiler(text, vocabulary).question(self.node)
        used = {test.field: vocabulary.fields[test.field] for test in tests(self.node)}
        self.fields = frozenset(used)
        self.timely = any(field.timely for field in used.values())
        self._sources = [field for field in used.values() if field.source]

    @property
    def everything(self) -> bool:
        """It is empty: nothing is filtered out."""
        return isinstance(self.node, Everything)

    def remarks(self, subjects: Iterable[Any]) -> list[str]:
        """One line for each field that none of ``subjects`` has: nothing could fit it."""
        missing = list(self._sources)
        if missing:
            for subject in subjects:
                missing = [f for f in missing if all(get(subject) is None for get in f.get)]
                if not missing:
                    break
        return [f"{field.name} is not known here: {field.source}" for field in missing]


def parse(text: str, vocabulary: Vocabulary = CONNECTIONS) -> Node:
    """The tree of a filter. Raises FilterError, and nothing else."""
    return _parse(text, vocabulary)


def compile(text: str, vocabulary: Vocabulary = CONNECTIONS) -> Filter:  # noqa: A001 - as re's
    """A filter made ready. Raises FilterError, and nothing else."""
    return Filter(text, vocabulary)


def complete(text: str, cursor: int, vocabulary: Vocabulary = CONNECTIONS) -> list[Completion]:
    """What could stand at ``cursor`` (a place in ``text``), the likeliest first. Never fails."""
    return completion.complete(text, cursor, vocabulary)

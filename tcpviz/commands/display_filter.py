"""A display filter from the command line's words; what is wrong with it, at its place."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tcpviz.commands.stream import complain
from tcpviz.core.connection import Connection
from tcpviz.sources.feed import SourceError
from tcpviz.views import filter as language
from tcpviz.views.filter import Filter, FilterError, Vocabulary


def display_filter(
    words: Sequence[str], vocabulary: Vocabulary = language.CONNECTIONS
) -> Filter | None:
    """The words as one filter, ``None`` where there are none.

    Raises SourceError (exit code 2): what was expected, the filter, and carets
    under the place.
    """
    text = " ".join(words)
    try:
        made = language.compile(text, vocabulary)
    except FilterError as error:
        message = f"filter: {error}\n{error.pointed()}\n(tcpviz help filter tells the language)"
        raise SourceError(message, 2) from None
    return None if made.everything else made


def remark(made: Filter, connections: Iterable[Connection]) -> None:
    """Say which fields nothing could fit, because no connection has them."""
    for line in made.remarks(connections):
        complain(f"filter: {line}")

"""The one error of the display filter: what was expected, and where."""

from __future__ import annotations

from typing import Final

from tcpviz.views.spans import clean, text_width

SHOWN: Final = 72
"""Characters of a long filter that are shown around the place."""


class FilterError(ValueError):
    """A filter that cannot be read.

    ``message``     one line: what was expected, or what to write instead
    ``text``        the whole filter
    ``start``, ``end``  the place in it, in characters; ``end`` is at least ``start``
    """

    def __init__(self, message: str, text: str, start: int, end: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.text = text
        self.start = min(max(start, 0), len(text))
        self.end = max(min(self.start + 1 if end is None else end, len(text)), self.start)

    def __str__(self) -> str:
        return self.message

    def pointed(self, indent: str = "  ") -> str:
        """Two lines: the filter, and carets under the place.

        Of a long filter only the part around the place is shown; what would
        disturb a terminal is made visible, and wide characters count as two.
        """
        first = max(min(self.start - SHOWN // 2, len(self.text) - SHOWN), 0)
        last = first + SHOWN
        before = clean(self.text[first : self.start])
        at = clean(self.text[self.start : min(self.end, last)])
        after = clean(self.text[min(self.end, last) : last])
        left = "..." if first > 0 else ""
        right = "..." if last < len(self.text) else ""
        blank = " " * text_width(left + before)
        return (
            f"{indent}{left}{before}{at}{after}{right}\n"
            f"{indent}{blank}{'^' * max(text_width(at), 1)}"
        )

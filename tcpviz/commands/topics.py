"""``tcpviz help TOPIC``: the texts that ship with the program, plain enough for a pager."""

from __future__ import annotations

import importlib.resources
import os
import re
import shutil
import sys
import textwrap
from collections.abc import Iterator

from tcpviz import words

WIDEST = 100
"""Columns of running text; wider is hard to read."""


def names() -> list[str]:
    """The topics there are, in alphabetical order."""
    folder = importlib.resources.files("tcpviz") / "help"
    return sorted(
        each.name.removesuffix(".md") for each in folder.iterdir() if each.name.endswith(".md")
    )


def text(name: str) -> str:
    """A topic's Markdown, in the reader's language where it has been translated.

    Raises KeyError for one that does not exist.
    """
    if name not in names():
        raise KeyError(name)
    folder = importlib.resources.files("tcpviz") / "help"
    translated = folder / words.language() / f"{name}.md"
    found = translated if translated.is_file() else folder / f"{name}.md"
    return found.read_text("utf-8")


def sections(name: str) -> dict[str, str]:
    """A topic's sections by heading (``## heading``), without the heading itself."""
    found: dict[str, str] = {}
    for part in re.split(r"^## ", text(name), flags=re.MULTILINE)[1:]:
        heading, _, body = part.partition("\n")
        found[heading.strip()] = re.split(r"^# ", body, flags=re.MULTILINE)[0].strip()
    return found


def section(heading: str) -> str:
    """One section of whichever topic has it, with its heading, whatever the letters' case.

    Raises KeyError where none has it.
    """
    for name in names():
        for known, body in sections(name).items():
            if known.casefold() == heading.casefold():
                return f"## {known}\n\n{body}\n"
    raise KeyError(heading)


def lines(markdown: str, width: int) -> Iterator[str]:
    """A text as a person reads it in a terminal of ``width`` columns."""
    room = max(20, min(width, WIDEST))
    for block in re.split(r"\n{2,}", markdown.strip()):
        if block.startswith("|"):
            yield from _table(block.splitlines(), room)
        elif all(row.startswith("    ") for row in block.splitlines()):
            yield from block.splitlines()  # to be copied: as it is
        elif block.startswith("#"):
            heading = block.lstrip("#").strip()
            yield from _wrapped(heading.upper() if block.startswith("# ") else heading, room)
        else:
            yield from _running(block, room)
        yield ""


def _wrapped(
    text: str, room: int, initial_indent: str = "", subsequent_indent: str = ""
) -> list[str]:
    """Rows of at most ``room`` cells."""
    if text.isascii():
        return textwrap.wrap(
            text,
            room,
            initial_indent=initial_indent,
            subsequent_indent=subsequent_indent,
            break_on_hyphens=False,
        )
    from tcpviz.views.wrapping import wrap_text  # knows the width of wide characters

    rows = wrap_text(text, room - len(subsequent_indent or initial_indent))
    return [(subsequent_indent if n else initial_indent) + row for n, row in enumerate(rows)]


def _running(block: str, room: int) -> Iterator[str]:
    """Paragraphs, one a line of ``Means:``, ``Causes:``, ``Check:`` or ``- item``; else joined."""
    labelled = re.match(r"(- |(?:Means|Causes|Check): |(?:含义|原因|检查)：)", block)
    for part in block.splitlines() if labelled else [" ".join(block.splitlines())]:
        hang = "  " if part.startswith("- ") else "    " if labelled else ""
        indent = "" if not labelled or part.startswith("- ") else "  "
        yield from _wrapped(part, room, initial_indent=indent, subsequent_indent=hang)


def _table(rows: list[str], room: int) -> Iterator[str]:
    """A Markdown table as one block a row: a terminal has no room for four columns of prose."""
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
    titles, *body = [row for row in cells if not all(set(cell) <= {"-"} for cell in row)]
    for row in body:
        yield from _wrapped(f"- {row[0]}", room, subsequent_indent="  ")
        for title, cell in list(zip(titles, row, strict=True))[1:]:
            yield from _wrapped(
                f"{title}: {cell}", room, initial_indent="    ", subsequent_indent="      "
            )


def _near(name: str) -> str:
    """What was probably meant, among topics and their sections; else all topics."""
    import difflib

    known = {heading.casefold(): heading for topic in names() for heading in sections(topic)}
    known |= {topic: topic for topic in names()}
    close = difflib.get_close_matches(name.casefold(), known, 1, 0.75)
    return f"; did you mean {known[close[0]]}?" if close else f"; topics: {', '.join(names())}"


def show(name: str, *, asked: bool = False) -> int:
    """Print a topic, or one section of any; returns the exit code, 2 where there is neither.

    ``asked``: the language was, so the locale has no say.
    """
    if sys.stdout.isatty() and words.language() == "en" and not asked:
        words.use(words.wanted(os.environ))
    try:
        found = text(name) if name in names() else section(name)
    except KeyError:
        print(f"tcpviz: no help on {name!r}{_near(name)}", file=sys.stderr)
        return 2
    width = shutil.get_terminal_size((80, 24)).columns
    for line in lines(found, width):
        print(line.rstrip())
    return 0

"""Catalogues: a gettext ``.po`` file read, and compiled to what the standard library looks up.

Only what our own files use: comments, ``msgctxt``, ``msgid``, ``msgid_plural``, ``msgstr``.
"""

from __future__ import annotations

import gettext
import io
import re
import struct
from dataclasses import dataclass, field
from pathlib import Path

_LINE = re.compile(r'(?:(msgctxt|msgid_plural|msgid|msgstr)(?:\[(\d)\])? )?(".*")$')
_ESCAPE = re.compile(r"\\(.)")
_MEANT = {"n": "\n", "t": "\t", "r": "\r"}
_MAGIC = 0x950412DE


@dataclass(slots=True)
class Message:
    """One entry: ``many`` is empty where there is no plural; ``said`` has a form for each."""

    text: str = ""
    many: str = ""
    context: str = ""
    said: list[str] = field(default_factory=list)
    fuzzy: bool = False

    @property
    def key(self) -> tuple[str, str]:
        """What no two entries share."""
        return (self.context, self.text)


def parse(source: str) -> list[Message]:
    """Every entry in order, the header (of the empty text) too.

    Raises ValueError with the line's number for a line that is none of a catalogue's.
    """
    found: list[Message] = []
    message, last, fuzzy = Message(), "", False
    for number, raw in enumerate(source.splitlines(), 1):
        entry = raw.strip()
        if not entry:
            continue
        if entry.startswith("#"):
            fuzzy = fuzzy or (entry.startswith("#,") and "fuzzy" in entry)
            continue
        match = _LINE.match(entry)
        if match is None:
            raise ValueError(f"line {number}: {entry!r} is nothing that a catalogue has")
        word, form, quoted = match.groups()
        text = quoted[1:-1]
        if "\\" in text:
            text = _ESCAPE.sub(lambda found: _MEANT.get(found[1], found[1]), text)
        if word == "msgctxt" or (word == "msgid" and last != "msgctxt"):
            message = Message(fuzzy=fuzzy)
            found.append(message)
            fuzzy = False
        if word == "msgstr":
            while len(message.said) <= int(form or 0):
                message.said.append("")
        last = word or last
        if last == "msgctxt":
            message.context += text
        elif last == "msgid":
            message.text += text
        elif last == "msgid_plural":
            message.many += text
        else:
            message.said[-1] += text
    return found


def compiled(messages: list[Message]) -> bytes:
    """The entries in the binary form that :class:`gettext.GNUTranslations` reads."""
    pairs = []
    for one in messages:
        if one.fuzzy or not all(one.said):
            continue
        key = f"{one.context}\x04{one.text}" if one.context else one.text
        key += f"\0{one.many}" if one.many else ""
        pairs.append((key.encode(), "\0".join(one.said).encode()))
    pairs.sort()
    start = 7 * 4 + 16 * len(pairs)
    tables: tuple[list[int], list[int]] = ([], [])
    body = b""
    for place, table in enumerate(tables):
        for pair in pairs:
            table += [len(pair[place]), start + len(body)]
            body += pair[place] + b"\0"
    head = (_MAGIC, 0, len(pairs), 28, 28 + 8 * len(pairs), 0, 0)
    return struct.pack(f"<{7 + 4 * len(pairs)}I", *head, *tables[0], *tables[1]) + body


def load(path: Path) -> gettext.GNUTranslations:
    """The catalogue in a file, ready to be asked. Raises OSError or ValueError."""
    return gettext.GNUTranslations(io.BytesIO(compiled(parse(path.read_text("utf-8")))))

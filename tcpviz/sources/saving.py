"""What is saved where and how much of it: dumpcap's words behind ``-a`` and ``-b``, made a plan.

Units are dumpcap's: ``duration`` and ``interval`` in seconds (fractions allowed), ``filesize``
in kB of 1000 bytes, ``files`` and ``packets`` in numbers (dumpcap(1)).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tcpviz.sources.feed import SourceError

KB = 1000
"""Bytes of dumpcap's kB."""

MOST_FILES = 99_999
"""The number in a file's name has five digits (ringbuffer.h, RINGBUFFER_MAX_NUM_FILES)."""

STOP = ("duration", "filesize", "packets", "files")
SWITCH = ("filesize", "duration", "interval", "packets", "files")

_IN_WORDS = {
    "duration": "seconds",
    "interval": "seconds",
    "filesize": "kB",
    "packets": "packets",
    "files": "files",
}
_MOST = {"filesize": 2_000_000_000, "files": MOST_FILES}


@dataclass(frozen=True, slots=True)
class Saving:
    """Where packets are saved, when the next file begins, and when all ends.

    ``path``      as the person gave it; ``-`` is standard output
    ``bytes_each``, ``seconds_each``, ``packets_each``  after which the next file begins
    ``interval_s``  it also begins when the clock is a multiple of this
    ``keep``      files that are kept, 0: all; the oldest goes when one too many begins
    ``stop_bytes``  with one file: the capture ends when it has so many
    ``stop_files``  the capture ends when so many were written
    """

    path: str
    bytes_each: int = 0
    seconds_each: float = 0
    packets_each: int = 0
    interval_s: float = 0
    keep: int = 0
    stop_bytes: int = 0
    stop_files: int = 0

    @property
    def several(self) -> bool:
        """There is more than one file, each with its number and date in its name."""
        each = self.bytes_each or self.seconds_each or self.packets_each or self.interval_s
        return bool(each or self.stop_files)


@dataclass(frozen=True, slots=True)
class Limits:
    """What ends a capture by itself, beside :class:`Saving`'s; 0: nothing."""

    seconds: float = 0
    packets: int = 0


def parse(
    write: str | None, stop: Sequence[str] = (), switch: Sequence[str] = ()
) -> tuple[Saving | None, Limits]:
    """``-w``, the words of each ``-a`` and of each ``-b``. Raises SourceError (2)."""
    ends = _numbers("-a", stop, STOP)
    each = _numbers("-b", switch, SWITCH)
    limits = Limits(ends.get("duration", 0), int(ends.get("packets", 0)))
    if not write:
        if each or "filesize" in ends or "files" in ends:
            word = "-b" if each else "-a filesize" if "filesize" in ends else "-a files"
            raise SourceError(f"{word} is about the file that -w names: add -w FILE", 2)
        return None, limits
    several = bool(each) or "files" in ends
    if several and write == "-":
        raise SourceError("-b writes several files, and standard output is one: -w FILE", 2)
    if several and not Path(write).name:
        raise SourceError(f"-w {write!r} is no name for a file", 2)
    if set(each) == {"files"} and "filesize" not in ends:
        raise SourceError("-b files needs to know when the next one begins: add -b filesize:KB", 2)
    if "filesize" in each and "filesize" in ends and each["filesize"] != ends["filesize"]:
        raise SourceError("-a filesize and -b filesize differ; with -b, that one is enough", 2)
    size = int(each.get("filesize", 0) or ends.get("filesize", 0)) * KB
    saving = Saving(
        write,
        bytes_each=size if several else 0,
        seconds_each=each.get("duration", 0),
        packets_each=int(each.get("packets", 0)),
        interval_s=each.get("interval", 0),
        keep=int(each.get("files", 0)),
        stop_bytes=0 if several else size,
        stop_files=int(ends.get("files", 0)),
    )
    return saving, limits


def _numbers(option: str, words: Sequence[str], known: Sequence[str]) -> dict[str, float]:
    found: dict[str, float] = {}
    for text in words:
        name, colon, value = text.partition(":")
        if not colon or name not in known:
            shown = ", ".join(f"{each}:{_IN_WORDS[each].upper()}" for each in known)
            raise SourceError(f"{option} {text!r}: one of {shown}", 2)
        if name in found:
            raise SourceError(f"{option} {name} is given twice", 2)
        found[name] = _number(option, name, value)
    return found


def _number(option: str, name: str, value: str) -> float:
    fraction = name in ("duration", "interval")
    try:
        number = float(value) if fraction else int(value)
    except ValueError:
        number = -1
    most = _MOST.get(name, 10**9)
    if not (0 < number <= most) or not math.isfinite(number) or not value.isascii():
        kind = "a number of" if fraction else "a whole number of"
        raise SourceError(
            f"{option} {name} is {kind} {_IN_WORDS[name]}, up to {most}, not {value!r}", 2
        )
    return number

"""Numbers for people: durations, byte counts and times of day in few, steady characters.

All times are integer nanoseconds. Decimals have a point in every language, and
units are SI's (kB is 1000 bytes), so that output can be grepped.
"""

from __future__ import annotations

import datetime as dt

from tcpviz.words import counted

_US, _MS, _S = 1_000, 1_000_000, 1_000_000_000
_MINUTE, _HOUR, _DAY = 60 * _S, 3600 * _S, 86400 * _S


def _three(value: int, unit: int) -> str:
    """``value / unit`` with three significant digits, never in exponents; rounds half up."""
    for decimals in (2, 1, 0):
        scale = 10**decimals
        scaled = (value * scale * 2 + unit) // (2 * unit)
        if scaled < 1000 or decimals == 0:
            break
    whole, part = divmod(scaled, scale)
    if not part:
        return str(whole)
    return f"{whole}.{part:0{decimals}d}".rstrip("0")


def duration(ns: int) -> str:
    """A length of time in at most ten characters or so.

    ``0``, ``850 ns``, ``12.3 µs``, ``1.2 ms``, ``3.04 s``, ``42.1 s``, ``4 m 10 s``,
    ``2 h 5 m``, ``3 d 4 h``. Negative ones keep their sign.
    """
    if ns < 0:
        return "-" + duration(-ns)
    if ns == 0:
        return "0"
    # A value that rounds up to the next unit is written in that unit: 1 ms, not 1000 µs.
    if ns < _US:
        return f"{ns} ns"
    for unit, name, next_unit in ((_US, "µs", _MS), (_MS, "ms", _S), (_S, "s", _MINUTE)):
        if ns < next_unit - (unit // 2 if next_unit != _MINUTE else unit // 20):
            return f"{_three(ns, unit)} {name}"
    for big, small, big_name, small_name, limit in (
        (_MINUTE, _S, "m", "s", _HOUR),
        (_HOUR, _MINUTE, "h", "m", _DAY),
        (_DAY, _HOUR, "d", "h", None),
    ):
        rounded = (ns + small // 2) // small * small
        if limit is None or rounded < limit:
            whole, rest = divmod(rounded, big)
            rest //= small
            return f"{whole} {big_name} {rest} {small_name}" if rest else f"{whole} {big_name}"
    raise AssertionError("unreachable: days have no limit")


def thousands(number: int) -> str:
    """``1 234 567``; a thin gap would be wider on some terminals."""
    return f"{number:,}".replace(",", " ")


def apart(text: str, number: int) -> str:
    """``text``, in which ``number`` was counted, with gaps in it: ``1 556 frames``."""
    return text.replace(str(number), thousands(number), 1)


def short_duration(ns: int) -> str:
    """The same in at most six characters, for narrow columns: ``12.3µs``, ``4m10s``, ``3d4h``."""
    text = duration(ns).replace(" ", "")
    return text[: text.index("d") + 1] if len(text) > 6 and "d" in text else text


def size(count: int) -> str:
    """A count of bytes: ``0 B``, ``999 B``, ``1.46 kB``, ``12.3 MB``, ``4 GB``."""
    if count < 0:
        return "-" + size(-count)
    if count < 1000:
        return f"{count} B"
    unit = 1000
    for name in ("kB", "MB", "GB", "TB", "PB"):
        if count < unit * 1000 - unit // 2 or name == "PB":
            return f"{_three(count, unit)} {name}"
        unit *= 1000
    raise AssertionError("unreachable: the last unit takes everything")


def count(number: int) -> str:
    """A count in at most five characters or so: ``999``, ``12 345`` is ``12.3k``."""
    if number < 0:
        return "-" + count(-number)
    if number < 10_000:
        return str(number)
    unit = 1000
    for name in ("k", "M", "G", "T"):
        if number < unit * 1000 - unit // 2 or name == "T":
            return f"{_three(number, unit)}{name}"
        unit *= 1000
    raise AssertionError("unreachable: the last unit takes everything")


def plural(number: int, one: str, many: str | None = None) -> str:
    """``1 byte``, ``2 bytes``; ``many`` where adding an s is wrong."""
    return counted(number, one, many)


def seconds(ns: int, cells: int | None = None, decimals: int = 6) -> str:
    """Seconds with ``decimals``, fewer where ``cells`` is too little: ``0.000402``, ``-1.5``.

    Digits that do not fit are cut off, never rounded up: two moments in order
    stay in order. Whole seconds are never cut, even if they do not fit.
    """
    sign = "-" if ns < 0 else ""
    whole, part = divmod(abs(ns), _S)
    head = f"{sign}{whole}"
    if cells is not None:
        decimals = min(decimals, cells - len(head) - 1)
    if decimals <= 0:
        return head
    return f"{head}.{part:09d}"[: len(head) + 1 + decimals]


def time_of_day(ns: int, decimals: int = 6, zone: dt.tzinfo | None = None) -> str:
    """``HH:MM:SS.ffffff`` of a moment since the epoch, in ``zone`` (``None``: local).

    Moments outside of what a calendar holds (a broken clock in a file) come as
    plain seconds since the epoch.
    """
    whole, part = divmod(ns, _S)
    try:
        moment = dt.datetime.fromtimestamp(whole, zone)
    except (OverflowError, OSError, ValueError):
        return seconds(ns, decimals=decimals)
    text = moment.strftime("%H:%M:%S")
    return f"{text}.{part:09d}"[: len(text) + 1 + decimals] if decimals else text


def date_time(ns: int, zone: dt.tzinfo | None = None) -> str:
    """``2026-01-31 12:00:00.000000`` of a moment since the epoch (``None``: local)."""
    try:
        day = dt.datetime.fromtimestamp(ns // _S, zone).strftime("%Y-%m-%d ")
    except (OverflowError, OSError, ValueError):
        day = ""
    return day + time_of_day(ns, zone=zone)

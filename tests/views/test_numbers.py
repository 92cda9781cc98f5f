"""Numbers for people."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tcpviz.views import numbers

US, MS, SEC = 10**3, 10**6, 10**9


@pytest.mark.parametrize(
    ("ns", "text"),
    [
        (0, "0"),
        (850, "850 ns"),
        (12_345, "12.3 µs"),
        (999_499, "999 µs"),
        (999_500, "1 ms"),
        (1_200_000, "1.2 ms"),
        (59_940 * MS, "59.9 s"),
        (59_960 * MS, "1 m"),
        (250 * SEC, "4 m 10 s"),
        (3_599_700 * MS, "1 h"),
        (7_500 * SEC, "2 h 5 m"),
        ((3 * 24 + 4) * 3600 * SEC, "3 d 4 h"),
        (-5 * MS, "-5 ms"),
    ],
)
def test_durations(ns: int, text: str) -> None:
    assert numbers.duration(ns) == text


@given(st.integers(0, 10**20))
def test_a_duration_is_short_and_never_rounds_into_a_unit_it_does_not_name(ns: int) -> None:
    text = numbers.duration(ns)
    assert not text.startswith(("1000 ", "60 m", "60 s", "24 h"))
    assert len(numbers.short_duration(min(ns, 999 * 86400 * SEC))) <= 6


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 B"), (999, "999 B"), (1460, "1.46 kB"), (999_499, "999 kB"), (999_500, "1 MB")],
)
def test_sizes(count: int, text: str) -> None:
    assert numbers.size(count) == text


def test_counts_and_plurals() -> None:
    assert [numbers.count(n) for n in (9_999, 10_000, 12_345, 999_950)] == [
        "9999",
        "10k",
        "12.3k",
        "1M",
    ]
    assert numbers.plural(1, "byte") == "1 byte"
    assert numbers.plural(2, "try", "tries") == "2 tries"


def test_seconds_are_cut_not_rounded() -> None:
    assert numbers.seconds(999_999_999) == "0.999999"
    assert numbers.seconds(123_456_789_012, 8) == "123.4567"
    assert numbers.seconds(-402_000, 6) == "-0.000"
    assert numbers.seconds(12_000_000_000, 2) == "12"


@given(st.integers(-(10**15), 10**15), st.integers(-(10**15), 10**15))
def test_seconds_keep_the_order(a: int, b: int) -> None:
    low, high = sorted((a, b))
    if low >= 0:
        assert float(numbers.seconds(low)) <= float(numbers.seconds(high))


def test_times_of_day_survive_a_broken_clock() -> None:
    utc = dt.UTC
    assert numbers.time_of_day(1_700_000_000_123_456_789, 6, utc) == "22:13:20.123456"
    assert numbers.date_time(0, utc) == "1970-01-01 00:00:00.000000"
    assert numbers.time_of_day(2**63, 3, utc) == "23:47:16.854"
    assert numbers.time_of_day(10**30, 0, utc) == str(10**21)

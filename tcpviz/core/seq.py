"""Sequence numbers modulo 2^32 (RFC 9293 section 3.4).

All functions take and return plain integers in ``range(2**32)``. Comparison is
RFC 1982's: ``a`` is before ``b`` when the shorter way round the circle from
``a`` to ``b`` goes forward. Two numbers exactly half the circle apart are, by
choice, "before" in one direction only (as Linux's ``before()`` in
``include/net/tcp.h``), so that the order is total over any pair.
"""

from __future__ import annotations

MODULUS = 1 << 32
HALF = 1 << 31
MASK = MODULUS - 1


def add(number: int, count: int) -> int:
    """``number`` moved on by ``count`` (which may be negative)."""
    return (number + count) & MASK


def diff(a: int, b: int) -> int:
    """Signed distance from ``b`` to ``a``: positive when ``a`` is ahead of ``b``."""
    return ((a - b + HALF) & MASK) - HALF


# Each by itself and not by way of another: they are called two dozen times a segment.


def lt(a: int, b: int) -> bool:
    """``a`` comes before ``b``."""
    return (a - b) & MASK >= HALF


def le(a: int, b: int) -> bool:
    """``a`` comes before ``b`` or is ``b``."""
    return a == b or (a - b) & MASK >= HALF


def gt(a: int, b: int) -> bool:
    """``a`` comes after ``b``."""
    return a != b and (a - b) & MASK < HALF


def ge(a: int, b: int) -> bool:
    """``a`` comes after ``b`` or is ``b``."""
    return (a - b) & MASK < HALF


def later(a: int, b: int) -> int:
    """Whichever of the two is further on."""
    return a if (a - b) & MASK < HALF else b


def within(low: int, number: int, high: int) -> bool:
    """``low <= number <= high`` on the circle."""
    return ((number - low) & MASK) <= ((high - low) & MASK)

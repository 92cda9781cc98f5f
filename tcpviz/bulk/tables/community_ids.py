"""Community IDs of many connections at once: SHA-1 (FIPS 180-4) by column.

The same as :func:`tcpviz.core.community_id.community_id` gives; what is summed is
always less than one block of SHA-1.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

_TCP = 6
_BEGIN = (0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476, 0xC3D2E1F0)
_ADDED = (0x5A827999, 0x6ED9EBA1, 0x8F1BBCDC, 0xCA62C1D6)
_LETTERS = np.frombuffer(
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", np.uint8
)


def community_ids(
    one: tuple[Array, Array], other: tuple[Array, Array], long: Sequence[bytes]
) -> Array:
    """30 letters each, as rows of bytes.

    Both ends as (address, port), an address as :meth:`tcpviz.bulk.tables.table.Table.ends` has it:
    of IPv4, or from 2^32 on a place in ``long``.
    """
    out = np.empty((len(one[0]), 30), np.uint8)
    six = one[0] >> 32 > 0
    for which, size in ((~six, 4), (six, 16)):
        if which.any():
            low, high = (_end(at[which], port[which], size, long) for at, port in (one, other))
            out[which] = _ids(low, high)
    return out


def _end(address: Array, port: Array, size: int, long: Sequence[bytes]) -> Array:
    """Address and port as rows of bytes."""
    out = np.empty((len(address), size + 2), np.uint8)
    if size == 4:
        out[:, :4] = address.astype(">u4").view(np.uint8).reshape(-1, 4)
    else:
        unique, back = np.unique(address & 0xFFFFFFFF, return_inverse=True)
        packed = b"".join(long[each] for each in unique.tolist())
        out[:, :16] = np.frombuffer(packed, np.uint8).reshape(-1, 16)[back]
    out[:, size:] = port.astype(">u2").view(np.uint8).reshape(-1, 2)
    return out


def _ids(one: Array, other: Array) -> Array:
    size = one.shape[1] - 2
    swap = _less(other, one)[:, None]
    low, high = np.where(swap, other, one), np.where(swap, one, other)
    length = 2 * size + 8
    block = np.zeros((len(one), 64), np.uint8)  # two bytes of seed, then
    block[:, 2 : 2 + size], block[:, 2 + size : 2 + 2 * size] = low[:, :size], high[:, :size]
    block[:, 2 + 2 * size] = _TCP  # and a byte of padding
    block[:, length - 4 : length - 2], block[:, length - 2 : length] = low[:, size:], high[:, size:]
    block[:, length] = 0x80
    block[:, 62:] = (8 * length >> 8, 8 * length & 0xFF)
    digest = np.zeros((len(one), 21), np.uint8)
    digest[:, :20] = _sha1(block)
    out = np.empty((len(one), 30), np.uint8)
    out[:, 0], out[:, 1] = ord("1"), ord(":")
    first, second, third = (digest[:, place::3] for place in range(3))
    out[:, 2::4] = _LETTERS[first >> 2]
    out[:, 3::4] = _LETTERS[(first & 3) << 4 | second >> 4]
    out[:, 4::4] = _LETTERS[(second & 15) << 2 | third >> 6]
    out[:, 5::4] = _LETTERS[third & 63]
    out[:, 29] = ord("=")  # 20 bytes are six times three, and two
    return out


def _less(one: Array, other: Array) -> Array:
    """Which rows of bytes come before the other ones."""
    differ = one != other
    at = np.argmax(differ, axis=1)
    rows = np.arange(len(one))
    less: Array = one[rows, at] < other[rows, at]
    return less


def _turned(words: Array, bits: int) -> Array:
    turned: Array = words << np.uint32(bits) | words >> np.uint32(32 - bits)
    return turned


def _sha1(block: Array) -> Array:
    """The digests of one block each, as rows of 20 bytes (FIPS 180-4 section 6.1.2)."""
    words = [np.ascontiguousarray(each) for each in block.view(">u4").astype(np.uint32).T]
    a, b, c, d, e = (np.full(len(block), each, np.uint32) for each in _BEGIN)
    for step in range(80):
        if step >= 16:
            new = words[step - 3] ^ words[step - 8] ^ words[step - 14] ^ words[step - 16]
            words.append(_turned(new, 1))
        if step < 20:
            mixed = d ^ (b & (c ^ d))
        elif 40 <= step < 60:
            mixed = (b & c) | (d & (b | c))
        else:
            mixed = b ^ c ^ d
        mixed = mixed + _turned(a, 5) + e + words[step] + np.uint32(_ADDED[step // 20])
        a, b, c, d, e = mixed, a, _turned(b, 30), c, d
    sums = [each + np.uint32(begun) for each, begun in zip((a, b, c, d, e), _BEGIN, strict=True)]
    return np.stack(sums, axis=1).astype(">u4").view(np.uint8)

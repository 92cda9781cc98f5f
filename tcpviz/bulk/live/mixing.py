"""Numbers for addresses with their ports, and for pairs of them, that nobody can foretell."""

from __future__ import annotations

import hashlib
import os
import socket
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from tcpviz.bulk.segments.pieces import Buffer, at_every
from tcpviz.core.segment import Endpoint

Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
Words = npt.NDArray[np.uint64]

Scope = tuple[str, ...]
"""The VLANs and tunnels that something is in, outermost first."""

MAPPED = b"\0" * 10 + b"\xff\xff"
"""In front of an IPv4 address where there is room for an IPv6 one."""

_TOP = np.uint64(1 << 63)
"""In every number but those of IPv4 addresses in no VLAN or tunnel, which tell them themselves."""


def packed(end: Endpoint) -> bytes:
    """16 bytes of address (IPv4 behind ``::ffff:``) and two of port."""
    if ":" in end.addr:
        address = socket.inet_pton(socket.AF_INET6, end.addr)
    else:
        address = MAPPED + socket.inet_aton(end.addr)
    return address + end.port.to_bytes(2, "big")


def packed_ends(data: Buffer, ip: Ints, tcp: Ints, six: Mask) -> npt.NDArray[np.uint8]:
    """The same of both ends of many segments, the sender's first: (n, 2, 18).

    ``ip``, ``tcp``: where in ``data`` their headers begin; ``six``: which are IPv6's.
    """
    made = np.zeros((len(ip), 2, 18), np.uint8)
    made[:, :, 16:] = at_every(data, 4)[tcp].view(np.uint8).reshape(-1, 2, 2)
    made[~six, :, :12] = np.frombuffer(MAPPED, np.uint8)
    for which, begin, size in ((~six, 12, 4), (six, 8, 16)):
        if which.any():
            both = at_every(data, 2 * size)[ip[which] + begin]
            made[which, :, 16 - size : 16] = both.view(np.uint8).reshape(-1, 2, size)
    return made


def four(address: npt.NDArray[np.uint32], port: npt.NDArray[np.integer]) -> Words:
    """For an IPv4 address and a port, both as they stand in the packet."""
    made: Words = port.astype(np.uint64)
    made <<= np.uint64(32)
    made |= address
    return made


class Mixer:
    """Gives the numbers.

    Two that get the same number would be taken for one; with 64 bits and a secret that is
    a matter of chance alone, for a million connections one in forty million.
    """

    def __init__(self, secret: bytes | None = None) -> None:
        words = np.frombuffer(secret or os.urandom(40), np.uint64).copy()
        words |= np.uint64(1)
        self._words = words

    def six(self, high: Words, low: Words, port: npt.NDArray[np.integer]) -> Words:
        """For an IPv6 address in two halves, and a port; never that of an IPv4 one."""
        a, b, c, _, _ = self._words
        mixed = _stir(high * a ^ _stir(low * b)) + port.astype(np.uint64) * c
        return np.asarray(_stir(mixed) | _TOP, np.uint64)

    def ends(self, packed: npt.NDArray[np.uint8]) -> Words:
        """For ends of 16 bytes of address (IPv4 behind ``::ffff:``) and two of port: (n, 18)."""
        halves = np.ascontiguousarray(packed[:, :16]).view(np.uint64)
        port = np.ascontiguousarray(packed[:, 16:]).view(">u2")[:, 0]
        made = self.six(halves[:, 0], halves[:, 1], port)
        mapped = np.flatnonzero((packed[:, :12] == np.frombuffer(MAPPED, np.uint8)).all(axis=1))
        address = np.ascontiguousarray(packed[mapped, 12:16]).view(np.uint32)[:, 0]
        made[mapped] = four(address, port[mapped].view(np.uint16))
        return made

    def within(self, ends: Words, scopes: Sequence[Scope], which: Ints) -> Words:
        """What becomes of numbers of ends in VLANs and tunnels: others in each.

        ``which`` of ``scopes`` each is in; an empty one changes nothing.
        """
        words = np.array([self._word(scope) for scope in scopes], np.uint64)
        inside = np.array([bool(scope) for scope in scopes], np.bool_)
        return np.where(inside[which], _stir(ends ^ words[which]) | _TOP, ends)

    def _word(self, scope: Scope) -> int:
        text = "/".join(scope).encode(errors="replace")
        digest = hashlib.blake2b(text, digest_size=8, key=self._words.tobytes()).digest()
        return int.from_bytes(digest, "little")

    def odd(self, end: bytes, scope: Scope) -> int:
        """For one end; the same as for many."""
        one = np.frombuffer(end, np.uint8).reshape(1, 18)
        return int(self.within(self.ends(one), [scope], np.zeros(1, np.int64))[0])

    def pair(self, one: Words, two: Words) -> Words:
        """For two ends, in whichever order they come."""
        _, _, _, d, e = self._words
        low, high = np.minimum(one, two), np.maximum(one, two)
        return _stir(_stir(low * d) + high * e)


def _stir(words: Words) -> Words:
    """The finish of splitmix64: every bit comes to depend on every other."""
    words = words ^ (words >> np.uint64(30))
    words *= np.uint64(0xBF58476D1CE4E5B9)
    words ^= words >> np.uint64(27)
    words *= np.uint64(0x94D049BB133111EB)
    words ^= words >> np.uint64(31)
    return words

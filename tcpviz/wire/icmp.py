"""ICMP errors that quote a TCP segment (RFC 792, 1191, 4443): who could not deliver what.

An error quotes the IP header and at least the first 8 bytes behind it: ports
and sequence number, which is all that is read. Everything else of ICMP is not
about TCP, and skipped. No error is believed here: whether the quoted segment
was ever sent is for the tracker to say.
"""

from __future__ import annotations

from struct import Struct

from tcpviz.core.records import Unreachable
from tcpviz.wire.tcp import address, endpoints
from tcpviz.wire.walk import Next, Skip, Walk, malformed

_U16 = Struct("!H").unpack_from
_U32 = Struct("!I").unpack_from

# Destination unreachable, time exceeded, parameter problem (RFC 792).
_ERRORS = frozenset({3, 11, 12})
_FRAGMENTATION_NEEDED = (3, 4)
# Destination unreachable, packet too big, time exceeded, parameter problem (RFC 4443).
_ERRORS_6 = frozenset({1, 2, 3, 4})
_TOO_BIG = 2

_TCP, _FRAGMENT, _AUTHENTICATION = 6, 44, 51
# Hop-by-hop, routing, destination options, mobility, HIP, Shim6: length in units of 8.
_EXTENSIONS = frozenset({0, 43, 60, 135, 139, 140})
_MAX_EXTENSIONS = 16

_PLAIN, _PLAIN_6 = Skip("ICMP"), Skip("ICMPv6")
_ABOUT_TCP, _ABOUT_TCP_6 = Skip("ICMP error about TCP"), Skip("ICMPv6 error about TCP")
_WRONG_SUM, _WRONG_SUM_6 = malformed("ICMP checksum"), malformed("ICMPv6 checksum")


def icmp(walk: Walk, offset: int) -> Next:
    """An ICMP message of IPv4. What it says of TCP goes to ``walk.errors``; never a segment."""
    data = walk.data
    if offset + 8 > walk.limit:
        return _PLAIN
    kind, code = data[offset], data[offset + 1]
    if kind not in _ERRORS:
        return _PLAIN
    quoted = _quoted_4(data, offset + 8, walk.limit)
    if quoted is None:
        return _PLAIN
    if walk.end <= walk.limit and not _sums_up(data[offset : walk.end]):
        return _WRONG_SUM
    # A router from before RFC 1191 leaves 0 where the MTU belongs.
    mtu = _U16(data, offset + 6)[0] or None if (kind, code) == _FRAGMENTATION_NEEDED else None
    walk.errors.append(_error(walk, 4, kind, code, quoted, mtu))
    return _ABOUT_TCP


def icmp6(walk: Walk, offset: int) -> Next:
    """The same of IPv6."""
    data = walk.data
    if offset + 8 > walk.limit:
        return _PLAIN_6
    kind, code = data[offset], data[offset + 1]
    if kind not in _ERRORS_6:
        return _PLAIN_6
    quoted = _quoted_6(data, offset + 8, walk.limit)
    if quoted is None:
        return _PLAIN_6
    if walk.end <= walk.limit and walk.checksum_sure:
        size = walk.end - offset
        pseudo = walk.src + walk.dst + size.to_bytes(4, "big") + b"\0\0\0\x3a"
        if not _sums_up(pseudo + data[offset : walk.end]):
            return _WRONG_SUM_6
    mtu = _U32(data, offset + 4)[0] or None if kind == _TOO_BIG else None
    walk.errors.append(_error(walk, 6, kind, code, quoted, mtu))
    return _ABOUT_TCP_6


_Quoted = tuple[bytes, bytes, int, int]
"""Sender's and receiver's address, where the TCP header begins, and the TTL."""


def _quoted_4(data: bytes, offset: int, limit: int) -> _Quoted | None:
    """What an error of IPv4 quotes, where that is the beginning of a TCP segment."""
    if offset + 20 > limit or data[offset] >> 4 != 4:
        return None
    size = (data[offset] & 0x0F) * 4
    place = offset + size
    fragment = _U16(data, offset + 6)[0] & 0x1FFF
    if size < 20 or fragment or data[offset + 9] != _TCP or place + 8 > limit:
        return None
    return data[offset + 12 : offset + 16], data[offset + 16 : offset + 20], place, data[offset + 8]


def _quoted_6(data: bytes, offset: int, limit: int) -> _Quoted | None:
    """The same of IPv6, behind its extension headers."""
    if offset + 40 > limit or data[offset] >> 4 != 6:
        return None
    following, place = data[offset + 6], offset + 40
    for _ in range(_MAX_EXTENSIONS):
        if place + 8 > limit:
            return None
        if following == _TCP:
            src, dst = data[offset + 8 : offset + 24], data[offset + 24 : offset + 40]
            return src, dst, place, data[offset + 7]
        if following == _FRAGMENT:
            if _U16(data, place + 2)[0] & 0xFFF8:
                return None
            size = 8
        elif following == _AUTHENTICATION:
            size = (data[place + 1] + 2) * 4
        elif following in _EXTENSIONS:
            size = (data[place + 1] + 1) * 8
        else:
            return None
        following = data[place]
        place += size
    return None


def _sums_up(message: bytes) -> bool:
    """The ones' complement sum of a message with its checksum is zero (RFC 1071)."""
    total = int.from_bytes(message, "big")
    return (total << 8 if len(message) & 1 else total) % 65535 == 0


def _error(
    walk: Walk, version: int, kind: int, code: int, quoted: _Quoted, mtu: int | None
) -> Unreachable:
    src, dst, place, ttl = quoted
    sender, receiver = endpoints(src + dst + walk.data[place : place + 4])
    return Unreachable(
        walk.time_ns,
        address(walk.src),
        address(walk.dst),
        sender,
        receiver,
        _U32(walk.data, place + 4)[0],
        version,
        kind,
        code,
        mtu,
        ttl,
        walk.number,
        walk.scope,
    )

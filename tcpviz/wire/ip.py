"""IPv4 and IPv6: addresses, lengths, extension headers, fragments.

RFC 791, RFC 8200; lengths of packets that the network card will cut later
("offload") as Linux writes and Wireshark reads them.
"""

from __future__ import annotations

from struct import Struct

from tcpviz.wire.fragments import Fragments, Whole
from tcpviz.wire.numbers import by_ip_protocol, ip_protocol_name
from tcpviz.wire.walk import Kind, Layer, Next, Skip, Walk, malformed

_V4 = Struct("!BBHHHBB").unpack_from
_V6 = Struct("!IHBB").unpack_from
_U16 = Struct("!H").unpack_from
_U32 = Struct("!I").unpack_from

TCP = 6
MAX_EXTENSIONS = 16
"""IPv6 extension headers on one packet that are followed; RFC 8200 4.1 lists seven."""

_HOP_BY_HOP, _ROUTING, _FRAGMENT, _AUTHENTICATION, _DESTINATION = 0, 43, 44, 51, 60
# Mobility, HIP and Shim6 have the same form.
_EXTENSIONS = frozenset({_HOP_BY_HOP, _ROUTING, _DESTINATION, 135, 139, 140})
_BEFORE_TCP = _EXTENSIONS | {TCP, _AUTHENTICATION}
_JUMBO = 0xC2

_V4_SHORT_HEADER = malformed("IPv4 header length below 20 bytes")
_V4_SHORT_TOTAL = malformed("IPv4 total length below its header's")
_V6_TOO_MANY = malformed("IPv6 extension chain too long")
_V6_LATE_HOP_BY_HOP = malformed("IPv6 hop-by-hop options after another header")
_UNFINISHED_FRAGMENT_END = 1 << 20


def ip(walk: Walk, offset: int) -> Next:
    """IP of either version, told by its first four bits."""
    if offset + 1 > walk.limit:
        return walk.short("IP header", offset, 1)
    version = walk.data[offset] >> 4
    if version == 4:
        return Layer.IPV4, offset
    if version == 6:
        return Layer.IPV6, offset
    return malformed(f"IP version {version}")


def ipv4(walk: Walk, offset: int, fragments: Fragments) -> Next:
    """An IPv4 header, its options skipped.

    A total length of 0 stands for "as long as the frame": Linux and Windows hand
    packets to the capture so when the card will cut them (or, above 64 KiB, when
    no number fits: Linux's BIG TCP).
    """
    if offset + 20 > walk.limit:
        return walk.short("IPv4 header", offset, 20)
    data = walk.data
    first, tos, total, ident, fragment, ttl, protocol = _V4(data, offset)
    if first >> 4 != 4:
        return malformed(f"IPv4 header that says version {first >> 4}")
    length = (first & 0x0F) * 4
    if length < 20:
        return _V4_SHORT_HEADER
    if total:
        if total < length:
            return _V4_SHORT_TOTAL
        walk.narrow(offset + total)
    inside = offset + length
    if inside > walk.limit:
        return walk.short("IPv4 header", offset, length)
    walk.src = data[offset + 12 : offset + 16]
    walk.dst = data[offset + 16 : offset + 20]
    walk.ip_at = offset
    walk.ttl = ttl
    walk.ip_id = ident
    walk.ecn = tos & 3
    walk.checksum_sure = length == 20  # a source route moves the destination aside
    if fragment & 0x3FFF:
        key = (4, walk.interface, walk.scope, walk.src, walk.dst, ident, protocol)
        piece = _Piece(4, (fragment & 0x1FFF) * 8, bool(fragment & 0x2000), protocol, key)
        arrived = _fragment(walk, inside, piece, fragments)
        if arrived is not None:
            return arrived
        inside = 0 if protocol == TCP else inside
    return by_ip_protocol(walk, protocol, inside, 4)


def ipv6(walk: Walk, offset: int, fragments: Fragments) -> Next:
    """An IPv6 header and its chain of extension headers, of bounded length."""
    if offset + 40 > walk.limit:
        return walk.short("IPv6 header", offset, 40)
    data = walk.data
    first, length, following, ttl = _V6(data, offset)
    if first >> 28 != 6:
        return malformed(f"IPv6 header that says version {first >> 28}")
    walk.src = data[offset + 8 : offset + 24]
    walk.dst = data[offset + 24 : offset + 40]
    walk.ip_at = offset
    walk.ttl = ttl
    walk.ip_id = None
    walk.ecn = (first >> 20) & 3
    walk.checksum_sure = True
    place = offset + 40
    if length:
        walk.narrow(place + length)
    elif following == _HOP_BY_HOP:
        # A jumbogram (RFC 2675), else offload, which writes no length either.
        jumbo = _jumbo_length(walk, place)
        if jumbo:
            walk.narrow(place + jumbo)
    if following == TCP:
        return Layer.TCP, place
    for count in range(MAX_EXTENSIONS + 1):
        if following == _FRAGMENT:
            if place + 8 > walk.limit:
                return walk.short("IPv6 fragment header", place, 8)
            data = walk.data
            following = data[place]
            shift = _U16(data, place + 2)[0]
            ident = _U32(data, place + 4)[0]
            place += 8
            if not shift & 0xFFF9:
                continue  # an "atomic" fragment is whole (RFC 6946)
            key = (6, walk.interface, walk.scope, walk.src, walk.dst, ident, following)
            piece = _Piece(6, shift & 0xFFF8, bool(shift & 1), following, key)
            arrived = _fragment(walk, place, piece, fragments)
            if arrived is not None:
                return arrived
            if following in _BEFORE_TCP:
                place = 0
            continue
        if following in _EXTENSIONS:
            if following == _HOP_BY_HOP and count:
                return _V6_LATE_HOP_BY_HOP
            if place + 8 > walk.limit:
                return walk.short("IPv6 extension header", place, 8)
            data = walk.data
            if following != _HOP_BY_HOP:
                walk.checksum_sure = False  # a route or a home address replaces an address
            following, size = data[place], data[place + 1]
            place += 8 + size * 8
            if place > walk.limit:
                return walk.short("IPv6 extension header", place, 0)
            continue
        return by_ip_protocol(walk, following, place, 6)
    return _V6_TOO_MANY


def _jumbo_length(walk: Walk, place: int) -> int:
    """The jumbo payload option's length at a hop-by-hop header, 0 where there is none."""
    data, limit = walk.data, walk.limit
    if place + 8 > limit:
        return 0
    end = min(place + 8 + data[place + 1] * 8, limit)
    place += 2
    while place + 2 <= end:
        kind = data[place]
        if kind == 0:  # Pad1
            place += 1
            continue
        if kind == _JUMBO and data[place + 1] == 4 and place + 6 <= end:
            return int(_U32(data, place + 2)[0])
        place += 2 + data[place + 1]
    return 0


def authentication(walk: Walk, offset: int) -> Next:
    """IPsec's authentication header (RFC 4302): readable, since it encrypts nothing."""
    if offset + 12 > walk.limit:
        return walk.short("IPsec authentication header", offset, 12)
    following, size = walk.data[offset], walk.data[offset + 1]
    inside = offset + (size + 2) * 4
    if inside > walk.limit:
        return walk.short("IPsec authentication header", offset, inside - offset)
    version = 4 if len(walk.src) == 4 else 6
    if following in _EXTENSIONS or following == _FRAGMENT:
        return Skip("IPv6 extension headers behind an authentication header")
    return by_ip_protocol(walk, following, inside, version)


class _Piece:
    """What a fragment's header says: place in its datagram, whether more follow, of what."""

    __slots__ = ("key", "more", "protocol", "start", "version")

    def __init__(
        self, version: int, start: int, more: bool, protocol: int, key: tuple[object, ...]
    ) -> None:
        self.version = version
        self.start = start
        self.more = more
        self.protocol = protocol
        self.key = key


def _fragment(walk: Walk, offset: int, piece: _Piece, fragments: Fragments) -> Skip | None:
    """One fragment: ``None`` where the walk goes on, at offset 0 of a datagram now whole.

    Only TCP has to be put together. What a tunnel carries has headers and lengths
    of its own, all in the first fragment: the walk goes on there, where it is.
    """
    name = f"IPv{piece.version} fragment"
    holds_tcp = piece.protocol == TCP or (piece.version == 6 and piece.protocol in _BEFORE_TCP)
    if holds_tcp:
        result = fragments.add(
            piece.key, walk, offset, piece.start, piece.more, 8 if piece.version == 6 else 1
        )
        if isinstance(result, Whole):
            walk.data = result.data
            walk.ip_at -= offset
            walk.end = result.length
            walk.limit = len(result.data)
            return None
        return Skip(f"{name}{result.reason}", result.kind)
    if piece.start:
        return Skip(f"{name}, not the first, of {ip_protocol_name(piece.protocol)}", Kind.OTHER)
    # Its own bytes end here, but what it is part of goes on.
    walk.end = max(walk.end, offset + _UNFINISHED_FRAGMENT_END)
    return None

"""The TCP header and its options (RFC 9293 section 3.1, RFC 7323, 2018, 7413, 6994)."""

from __future__ import annotations

from socket import AF_INET6, inet_ntop
from struct import Struct

from tcpviz.core.segment import NO_OPTIONS, Endpoint, Flags, Options, Segment
from tcpviz.wire.walk import Skip, Walk, malformed

_HEADER = Struct("!HHIIHHHH").unpack_from
_U16 = Struct("!H").unpack_from
_PAIR = Struct("!II").unpack_from

FLAGS: tuple[Flags, ...] = tuple(Flags(bits) for bits in range(512))
"""Every combination of the nine bits; making one by ``Flags(n)`` costs more than the rest."""

MAX_ENDPOINTS = 1 << 14
"""Address pairs remembered; a scan of more starts over, a flood cannot fill the memory."""

_OFFSET_LOW = malformed("TCP data offset below 5")
_OFFSET_HIGH = malformed("TCP header longer than its packet")

_FAST_OPEN_MAGIC = b"\xf9\x89"
_USUAL_TIMESTAMPS = b"\x01\x01\x08\x0a"

_ENDPOINTS: dict[bytes, tuple[Endpoint, Endpoint]] = {}


def address(packed: bytes) -> str:
    """Canonical text of 4 or 16 bytes (RFC 5952 for IPv6)."""
    if len(packed) == 4:
        return f"{packed[0]}.{packed[1]}.{packed[2]}.{packed[3]}"
    return inet_ntop(AF_INET6, packed)


def endpoints(packed: bytes) -> tuple[Endpoint, Endpoint]:
    """Sender and receiver from ``src + dst + ports`` as the headers have them.

    Remembered, since a capture names the same few pairs over and over.
    """
    pair = _ENDPOINTS.get(packed)
    if pair is None:
        size = (len(packed) - 4) // 2
        pair = (
            Endpoint(address(packed[:size]), _U16(packed, 2 * size)[0]),
            Endpoint(address(packed[size : 2 * size]), _U16(packed, 2 * size + 2)[0]),
        )
        if len(_ENDPOINTS) >= MAX_ENDPOINTS:
            _ENDPOINTS.clear()
        _ENDPOINTS[packed] = pair
    return pair


def tcp(walk: Walk, offset: int, keep_payload: bool, verify: bool) -> Segment | Skip:
    """A TCP header at ``offset``; what IP said of lengths is in ``walk.end``.

    The fixed 20 bytes are enough. Options that the snapshot cut are read as far
    as they were captured, and that is no malformation.
    """
    data = walk.data
    limit = walk.limit
    end = walk.end
    if offset + 20 > limit:
        return walk.short("TCP header", offset, 20)
    _, _, seq, ack, bits, window, checksum, urgent = _HEADER(data, offset)
    length = (bits >> 12) * 4
    if length < 20:
        return _OFFSET_LOW
    inside = offset + length
    if inside > end:
        return _OFFSET_HIGH
    options = NO_OPTIONS
    if length > 20:
        options = read_options(data[offset + 20 : min(inside, limit)], cut=inside > limit)
    src, dst = endpoints(walk.src + walk.dst + data[offset : offset + 4])
    checksum_ok: bool | None = None
    if verify and end <= limit:
        checksum_ok = check(walk.src + walk.dst + data[offset:end], end - offset, checksum)
        if checksum_ok is False and not walk.checksum_sure:
            checksum_ok = None
    return Segment(
        walk.time_ns,
        src,
        dst,
        seq,
        ack,
        FLAGS[bits & 0x1FF],
        window,
        end - inside,
        options,
        data[inside:limit] if keep_payload else b"",
        urgent,
        walk.number,
        walk.scope,
        walk.ttl,
        walk.ip_id,
        walk.ecn,
        (bits >> 9) & 7,
        walk.interface,
        checksum_ok,
        False,
        length,
        checksum,
        end - walk.ip_at,
    )


def check(pseudo: bytes, length: int, field: int) -> bool | None:
    """Is the checksum right? ``pseudo`` is both addresses and the whole TCP part.

    ``None`` where the field holds the sum of the pseudo-header alone: that is what
    Linux leaves there for the card to finish (CHECKSUM_PARTIAL), on packets going
    out and on those that it merged coming in; nothing is known of their data.

    The ones' complement sum of 16-bit words is the big-endian number modulo 65535,
    because 65536 is 1 modulo 65535 (RFC 1071).
    """
    total = int.from_bytes(pseudo, "big")
    if len(pseudo) & 1:
        total <<= 8
    if (total + 6 + length) % 65535 == 0:
        return True
    addresses = int.from_bytes(pseudo[: len(pseudo) - length], "big")
    if (addresses + 6 + length) % 65535 == field % 65535:
        return None
    return False


def read_options(data: bytes, cut: bool = False) -> Options:
    """The options in ``data``, which ends where the header (or, if ``cut``, the snapshot) does.

    A known kind with a length that is not its own goes to ``unknown``, as a
    receiver would ignore it; the last one wins where a kind is repeated, as in
    Linux. An option of length 0 or 1, or one that reaches past the header, makes
    the rest unreadable: ``malformed``; what was ``cut`` off may have been anything.
    The window scale is given as sent, also above 14 (RFC 7323 2.3 has the receiver
    use 14).
    """
    size = len(data)
    if size == 12 and data.startswith(_USUAL_TIMESTAMPS):
        return Options(None, None, False, (), _PAIR(data, 4), cut=cut)
    mss: int | None = None
    scale: int | None = None
    permitted = False
    sack: tuple[tuple[int, int], ...] = ()
    timestamps: tuple[int, int] | None = None
    fast_open: bytes | None = None
    unknown: list[tuple[int, bytes]] = []
    broken = False
    place = 0
    while place < size:
        kind = data[place]
        if kind == 1:
            place += 1
            continue
        if kind == 0:
            cut = False
            break
        if place + 1 >= size:
            broken = not cut
            break
        length = data[place + 1]
        following = place + length
        if length < 2:
            broken = True
            break
        if following > size:
            # Within 40 bytes of options nothing is longer; past the cut nobody knows.
            broken = not cut or following > 40
            break
        if kind == 8 and length == 10:
            timestamps = _PAIR(data, place + 2)
        elif kind == 5 and length >= 10 and length % 8 == 2:
            sack = tuple(_PAIR(data, at) for at in range(place + 2, following, 8))
        elif kind == 2 and length == 4:
            mss = _U16(data, place + 2)[0]
        elif kind == 3 and length == 3:
            scale = data[place + 2]
        elif kind == 4 and length == 2:
            permitted = True
        elif kind == 34:
            fast_open = data[place + 2 : following]
        elif kind in (253, 254) and data[place + 2 : place + 4] == _FAST_OPEN_MAGIC and length >= 4:
            fast_open = data[place + 4 : following]
        else:
            unknown.append((kind, data[place + 2 : following]))
        place = following
    return Options(
        mss,
        scale,
        permitted,
        sack,
        timestamps,
        fast_open,
        tuple(unknown),
        broken,
        cut and not broken,
    )

"""802.11 frames in the clear: data frames, aggregated ones, and radiotap before them.

IEEE 802.11-2020 section 9.2.4 (frame control, QoS control) and 9.3.2 (data
frames, A-MSDU); radiotap from https://www.radiotap.org.
"""

from __future__ import annotations

from struct import Struct

from tcpviz.wire.walk import MAX_MORE, Layer, Next, Skip, Walk, malformed

_U16 = Struct("!H").unpack_from
_U16_LITTLE = Struct("<H").unpack_from
_U32_LITTLE = Struct("<I").unpack_from

_TO_DS, _FROM_DS, _FRAGMENTS, _PROTECTED, _ORDER = 0x01, 0x02, 0x04, 0x40, 0x80
_NOT_DATA = (Skip("802.11 management"), Skip("802.11 control"), Skip("802.11 extension"))
_ENCRYPTED = Skip("802.11 encrypted")


def wlan(walk: Walk, offset: int) -> Next:
    """An 802.11 header without padding."""
    return _wlan(walk, offset, padded=False)


def _wlan(walk: Walk, offset: int, *, padded: bool) -> Next:
    if offset + 24 > walk.limit:
        if offset + 2 <= walk.limit and (walk.data[offset] >> 2) & 3 == 1:
            return _NOT_DATA[1]  # control frames are shorter
        return walk.short("802.11 header", offset, 24)
    control, flags = walk.data[offset], walk.data[offset + 1]
    kind = (control >> 2) & 3
    if kind != 2:
        return _NOT_DATA[min(kind, 2)]
    if control & 0x40:
        return Skip("802.11 without data")
    if flags & _PROTECTED:
        return _ENCRYPTED
    fragment = _U16_LITTLE(walk.data, offset + 22)[0] & 0x0F
    if fragment or flags & _FRAGMENTS:
        return Skip("802.11 fragment")
    length = 30 if flags & (_TO_DS | _FROM_DS) == _TO_DS | _FROM_DS else 24
    aggregated = False
    if control & 0x80:
        if offset + length + 2 > walk.limit:
            return walk.short("802.11 header", offset, length + 2)
        aggregated = bool(walk.data[offset + length] & 0x80)
        length += 6 if flags & _ORDER else 2
    if padded:
        length = (length + 3) & ~3
    return _subframes(walk, offset + length) if aggregated else (Layer.LLC, offset + length)


def _subframes(walk: Walk, offset: int) -> Next:
    """An A-MSDU: two addresses, a length and LLC, over and over, each padded to four bytes.

    The first goes on here, the others wait in ``walk.more``.
    """
    if offset + 14 > walk.limit:
        return walk.short("802.11 A-MSDU subframe", offset, 14)
    first_end = place = offset
    while place + 14 <= walk.limit and len(walk.more) < MAX_MORE:
        end = place + 14 + _U16(walk.data, place + 12)[0]
        if end > walk.end:
            if place == offset:
                return malformed("802.11 A-MSDU subframe longer than the frame")
            break  # the frame's check sequence, or rubbish behind the last one
        if place == offset:
            first_end = end
        elif end > place + 14:
            walk.fork(Layer.LLC, place + 14, end)
        place = offset + ((end - offset + 3) & ~3)
    walk.narrow(first_end)
    return Layer.LLC, offset + 14


_RADIOTAP_TSFT, _RADIOTAP_FLAGS, _RADIOTAP_MORE = 0x1, 0x2, 0x80000000
_PADDED, _BAD_FCS = 0x20, 0x40


def radiotap(walk: Walk, offset: int) -> Next:
    """Radiotap: its own length is enough, but its flags tell of padding and a bad check sum."""
    data = walk.data
    if offset + 8 > walk.limit:
        return walk.short("radiotap header", offset, 8)
    length = _U16_LITTLE(data, offset + 2)[0]
    if data[offset] != 0 or length < 8:
        return malformed("radiotap header of an unknown form")
    if offset + length > walk.limit:
        return walk.short("radiotap header", offset, length)
    present = word = _U32_LITTLE(data, offset + 4)[0]
    place = offset + 8
    while word & _RADIOTAP_MORE and place + 4 <= offset + length:
        word = _U32_LITTLE(data, place)[0]
        place += 4
    flags = 0
    if present & _RADIOTAP_FLAGS:
        if present & _RADIOTAP_TSFT:  # eight bytes, aligned to eight from the header's start
            place = offset + ((place - offset + 7) & ~7) + 8
        if place < offset + length:
            flags = data[place]
    if flags & _BAD_FCS:
        return malformed("802.11 frame with a bad check sequence")
    return _wlan(walk, offset + length, padded=bool(flags & _PADDED))

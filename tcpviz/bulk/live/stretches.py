"""Stretches of a packet ring as columns: every header of a pass read at once, with numpy.

What the kernel wrote into a ring (:mod:`tcpviz.sources.ring`) comes in here and stays as it is;
columns are read out of it, and a :class:`~tcpviz.wire.frame.Frame` is made of one place in it
only where somebody wants that packet.

The fast road takes IPv4 without options or IPv6 without extension headers, behind Ethernet's
header or none, also in a VLAN whose tag Linux took: TCP, not fragmented, lengths that fit. All else
takes the steps of :mod:`tcpviz.bulk.live.odd`, or is decoded one by one.
"""

from __future__ import annotations

import functools
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tcpviz.bulk.live.mixing import Mixer, Scope, four, packed_ends
from tcpviz.bulk.segments.flows import grouped
from tcpviz.sources.ring import HEADER, IP_AT, LINK_AT
from tcpviz.sources.ringread import LOSING, OUTGOING, TPID_VALID, VLAN_VALID, Link, whole
from tcpviz.wire.frame import Frame

Ints = npt.NDArray[np.int64]
Words = npt.NDArray[np.uint64]
Mask = npt.NDArray[np.bool_]
Numbers = npt.NDArray[np.uint32]

_IP = IP_AT
_PADDING = 28
_STATUS, _LEN, _SNAPLEN, _MAC, _SECONDS = 0, 4, 8, 12, 16
_TYPE = LINK_AT + 10
_front = struct.Struct("=IIIH2xIIHHB").unpack_from  # the first nine of these:
_NONE = np.zeros(0, np.int64)
_TPIDS = (0x8100, 0x88A8)

# What the kernel says of every packet.
_FRONT = {
    "status": (0, "=u4"),
    "len": (4, "=u4"),
    "snaplen": (8, "=u4"),
    "mac": (12, "=u2"),
    "sec": (16, "=u4"),
    "nsec": (20, "=u4"),
    "tci": (24, "=u2"),
    "tpid": (26, "=u2"),
    "interface": (_PADDING, "u1"),  # padding that the kernel leaves empty: see together()
    "kind": (HEADER + 10, "u1"),
}


@functools.cache
def _layout(size: int) -> np.dtype[Any]:
    named = {name: place for name, place in _FRONT.items() if place[0] + 4 <= size}
    return np.dtype(
        {
            "names": list(named),
            "formats": [kind for _, kind in named.values()],
            "offsets": [at for at, _ in named.values()],
            "itemsize": size,
        }
    )


@dataclass(slots=True)
class Columns:
    """Segments in columns, in the order of their capture.

    ``place`` in the stretch; ``src``, ``dst``: a number for each address with its port, the same
    in every stretch; ``size``: bytes of data; ``flags``: the nine bits.
    """

    place: Ints
    time_ns: Ints
    src: Words
    dst: Words
    seq: Numbers
    ack: Numbers
    flags: Numbers
    size: npt.NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.place)


ETHERNET: Link = (1, False)


class Stretch:
    """Frames as they lay in the ring.

    ``links``   of the interfaces by number
    ``number``  of its first frame in the capture, from 1
    ``lost``    packets that the kernel dropped among or before them
    ``lent``    somebody else may look at it at any time
    """

    def __init__(
        self,
        data: bytes | bytearray | memoryview,
        size: int,
        *,
        links: Sequence[Link] = (ETHERNET,),
        number: int = 1,
        lost: int = 0,
    ) -> None:
        self.data = data
        self.size = size
        self.links = links
        self.number = number
        self.lost = lost
        self.lent = False
        self.rows = np.frombuffer(data, _layout(size))

    def __len__(self) -> int:
        return len(self.rows)

    def without_outgoing(self) -> Stretch:
        """The same without packets on their way out: on loopback they come in as well."""
        kept = self.rows["kind"] != OUTGOING
        if kept.all():
            return self
        rows = np.frombuffer(self.data, np.uint8).reshape(-1, self.size)[kept]
        return self._part(rows.tobytes())

    def head(self, count: int) -> Stretch:
        """Its first ``count`` frames."""
        return self._part(bytes(self.data[: count * self.size]))

    def _part(self, data: bytes) -> Stretch:
        return Stretch(data, self.size, links=self.links, number=self.number, lost=self.lost)

    def lost_before(self) -> int:
        """The place of the frame before which packets were lost; the end, if nothing tells."""
        told = np.flatnonzero(self.rows["status"] & LOSING)
        return int(told[0]) if len(told) else len(self)

    def times(self) -> Ints:
        rows = self.rows
        return _times(rows["sec"], rows["nsec"])

    def frame(self, place: int) -> Frame:
        """One packet as any other source would give it: a VLAN tag that Linux took is put back."""
        at = place * self.size
        # The row's fields, each by its name, would take four times as long.
        status, length, captured, mac, seconds, nanoseconds, tci, tpid, number = _front(
            self.data, at
        )
        data = self._bytes(place, mac, captured)
        link_type, is_cooked = self.links[number]
        if status & VLAN_VALID or is_cooked:
            tag = b""
            if status & VLAN_VALID:
                tpid = tpid if status & TPID_VALID else 0x8100
                tag = tpid.to_bytes(2, "big") + tci.to_bytes(2, "big")
            address = bytes(self.data[at + HEADER : at + HEADER + 20]) if is_cooked else b""
            data, length = whole(data, length, tag, address)
        time_ns = seconds * 1_000_000_000 + nanoseconds
        wire_len = max(length, len(data))
        return Frame(time_ns, link_type, data, wire_len, self.number + place, number)

    def _bytes(self, place: int, mac: int, captured: int) -> bytes:
        """What was captured of one packet, ``mac`` bytes behind its row's beginning."""
        start = place * self.size + mac
        return bytes(self.data[start : start + min(captured, self.size - mac)])

    @property
    def nbytes(self) -> int:
        """Memory that it takes."""
        return len(self.data)

    @property
    def memory(self) -> Any:
        """The bytes that came out of the ring, so that their memory can be used again."""
        return self.data

    def let_go(self) -> None:
        """Nobody looks at it any more."""
        del self.rows, self.data

    def loses(self) -> bool:
        """The kernel has lost something, and has not been asked how much."""
        return bool(len(self)) and bool(self.rows["status"][-1] & LOSING)

    def packets(self) -> tuple[Any, Ints, Ints]:
        """Bytes, and where in them each packet begins and how much of it was captured."""
        frames = np.arange(len(self)) * self.size
        starts = frames + self.rows["mac"]
        return self.data, starts, np.minimum(self.rows["snaplen"], frames + self.size - starts)

    def frames(self) -> Iterator[Frame]:
        """All of them, one by one."""
        return (self.frame(place) for place in range(len(self)))

    def both_ends(self, places: Ints) -> npt.NDArray[np.uint8]:
        """Addresses and ports of packets that the fast road took: (n, 2, 18) bytes."""
        ip = places * self.size + _IP
        six = np.frombuffer(self.data, np.uint8)[ip] >> 4 == 6
        return packed_ends(self.data, ip, ip + np.where(six, 40, 20), six)

    def kinds(self, places: Ints) -> tuple[Ints, Mask]:
        """Link types of packets; and whose link header, a cooked one, is for us to write."""
        link, cooked = (np.array(each) for each in zip(*self.links, strict=True))
        which = self.rows["interface"][places]
        return link[which], cooked[which]

    def usual_tags(self, places: Ints | slice) -> Mask:
        """Of packets whose tag Linux took: whose is of one of both kinds that it knows."""
        status, tpid = self.rows["status"][places], self.rows["tpid"][places]
        usual: Mask = (status & TPID_VALID == 0) | np.isin(tpid, _TPIDS)
        return usual

    def vlans(self, places: Ints) -> Ints:
        """Numbers of the VLANs of such packets whose tags Linux took; 0 where there is none."""
        tagged = self.rows["status"][places] & VLAN_VALID
        if not tagged.any():
            return np.zeros(len(places), np.int64)
        return np.where(tagged, self.rows["tci"][places] & 0x0FFF, 0).astype(np.int64)

    def columns(self, mixer: Mixer) -> tuple[Columns, Ints]:
        """The segments that the fast road can take, and the places of the frames it cannot."""
        link, protocol = self._headers()
        tags = self._tags(link)
        made, taken = self._version4(link, protocol, tags)
        rest = _NONE
        if taken is not None:
            rows = self.rows
            usual = (rows["mac"] == IP_AT - link) & ~taken & (protocol == 0xDD86)
            if tags is not None:
                usual &= tags == 0
            six, taken6 = self._version6(usual, link, mixer)
            rest = np.flatnonzero(~(taken | taken6))
            if six is not None:
                made = merged(made, six)
        if tags is not None:
            used, _, which = grouped(self.vlans(made.place))
            scopes = [vlan(number) for number in used.tolist()]
            made.src = mixer.within(made.src, scopes, which)
            made.dst = mixer.within(made.dst, scopes, which)
        return made, rest

    def _tags(self, link: Any) -> Numbers | None:
        """Not 0 where a VLAN's tag was taken that the fast road does not know; if there are any."""
        tagged = self._words(_STATUS) & VLAN_VALID
        if not tagged.any():
            return None
        wrong = (link != 14) | ~self.usual_tags(slice(None))
        return np.where(wrong, tagged, 0).astype(np.uint32)

    def _headers(self) -> tuple[Any, npt.NDArray[Any]]:
        """Bytes of link header before IP's, and the protocol told there (network's order)."""
        kinds = {link == 1 for link, _ in self.links}
        if kinds == {True}:
            return 14, self._words(_TYPE) >> 16
        if kinds == {False}:
            return 0, self._words(HEADER) >> 16
        ethernet = np.array([link == 1 for link, _ in self.links])[self.rows["interface"]]
        told = np.where(ethernet, self._words(_TYPE), self._words(HEADER)) >> 16
        return np.where(ethernet, 14, 0).astype(np.uint32), told

    def _version4(
        self, link: Any, protocol: npt.NDArray[Any], tags: Numbers | None
    ) -> tuple[Columns, Mask | None]:
        """IPv4 without options; and which those are, unless all."""
        w = self._words
        # Every bit that is not as it must be; the words lie there in the network's order.
        wrong = (w(_MAC) & 0xFFFF) + link ^ IP_AT
        if tags is not None:
            wrong |= tags
        wrong |= protocol ^ 0x0008
        first = w(_IP)
        wrong |= first & 0xFF ^ 0x45
        wrong |= w(_IP + 4) & 0xFF3F0000
        wrong |= w(_IP + 8) >> 8 & 0xFF ^ 6
        total = (first >> 8 & 0xFF00) | first >> 24
        bits = w(_IP + 32)
        header = bits >> 2 & 0x3C
        # Lengths that do not fit come out negative.
        size = (total - header - 20).view(np.int32)
        negative = (w(_SNAPLEN) - link - 40) | (w(_LEN) - total - link) | (header - 20)
        negative |= size.view(np.uint32)
        wrong |= negative & 0x80000000
        taken: Mask | None = None
        if wrong.any():
            taken = wrong == 0
            kept = np.flatnonzero(taken)
            size, bits = size[kept], bits[kept]

            def w(at: int, kind: type = np.uint32) -> npt.NDArray[Any]:
                found: npt.NDArray[Any] = self._words(at, kind)[kept]
                return found

        else:
            kept = np.arange(len(self))
        ports = w(_IP + 20)
        made = Columns(
            kept,
            _times(w(_SECONDS), w(_SECONDS + 4)),
            four(w(_IP + 12), ports & 0xFFFF),
            four(w(_IP + 16), ports >> 16),
            w(_IP + 24).byteswap(),
            w(_IP + 28).byteswap(),
            np.asarray(bits >> 8 & 0xFF | (bits & 1) << 8, np.uint32),
            size,
        )
        return made, taken

    def _words(self, at: int, kind: type = np.uint32) -> npt.NDArray[Any]:
        """What stands there in each frame, as the machine reads it (little-endian)."""
        if not len(self):
            return np.zeros(0, kind)  # only losses are told
        return np.ndarray((len(self),), kind, self.data, at, (self.size,)).copy()

    def _version6(self, usual: Mask, link: Any, mixer: Mixer) -> tuple[Columns | None, Mask]:
        """IPv6 without extension headers, of these; and which those are."""
        if self.size < _IP + 60 or not usual.any():
            return None, np.zeros(len(self), np.bool_)
        w = self._words
        wrong = w(_IP) & 0xF0 ^ 0x60
        second = w(_IP + 4)
        wrong |= second >> 16 & 0xFF ^ 6
        total = (second << 8 & 0xFF00) | (second >> 8 & 0xFF)
        bits = w(_IP + 52)
        header = bits >> 2 & 0x3C
        size = (total - header).view(np.int32)
        negative = (w(_SNAPLEN) - link - 60) | (w(_LEN) - total - link - 40) | (header - 20)
        negative |= size.view(np.uint32)
        wrong |= negative & 0x80000000
        usual &= wrong == 0
        kept = np.flatnonzero(usual)

        def of(at: int, kind: type = np.uint32) -> npt.NDArray[Any]:
            found: npt.NDArray[Any] = self._words(at, kind)[kept]
            return found

        ports = of(_IP + 40).byteswap()
        ends = [
            mixer.six(of(_IP + at, np.uint64), of(_IP + at + 8, np.uint64), port)
            for at, port in ((8, ports >> 16), (24, ports & 0xFFFF))
        ]
        bits = bits[kept]
        made = Columns(
            kept,
            _times(of(_SECONDS), of(_SECONDS + 4)),
            ends[0],
            ends[1],
            of(_IP + 44).byteswap(),
            of(_IP + 48).byteswap(),
            np.asarray(bits >> 8 & 0xFF | (bits & 1) << 8, np.uint32),
            size[kept],
        )
        return made, usual


def vlan(number: int) -> Scope:
    """What is in a VLAN is in this; 0 is a priority without one (:mod:`tcpviz.wire.link`)."""
    return (f"vlan {number}",) if number else ()


def _times(seconds: npt.NDArray[Any], fraction: npt.NDArray[Any]) -> Ints:
    made: Ints = seconds.astype(np.int64)
    made *= 1_000_000_000
    made += fraction
    return made


def together(parts: Sequence[tuple[int, Stretch]], links: Sequence[Link]) -> Stretch:
    """What several rings had at the same time, in the order of time; each frame tells of which."""
    size = parts[0][1].size
    rows = [np.frombuffer(part.data, np.uint8).reshape(-1, size) for _, part in parts]
    order = np.argsort(np.concatenate([part.times() for _, part in parts]), kind="stable")
    made = np.concatenate(rows)[order]
    which = np.repeat([ring for ring, _ in parts], [len(part) for _, part in parts])
    made[:, _PADDING] = which[order]
    return Stretch(made.tobytes(), size, links=links)


def merged(one: Columns, two: Columns) -> Columns:
    """Both, in the order of the capture."""
    order = np.argsort(np.concatenate([one.place, two.place]), kind="stable")
    names = Columns.__slots__
    both = (np.concatenate([getattr(one, n), getattr(two, n)])[order] for n in names)
    return Columns(*both)

"""Stretches of a packet ring as columns: every header of a pass read at once, with numpy.

What :mod:`tcpviz.sources.ringcapture` writes comes in here. A stretch stays the bytes that the
kernel wrote; columns are read out of it, and a :class:`~tcpviz.wire.frame.Frame` is made of one
place in it only where somebody wants that packet.

The fast road takes Ethernet, IPv4 without options or IPv6 without extension headers, TCP, not
fragmented, lengths that fit. All else is decoded one by one, by the same decoder as files are.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tcpviz.sources.parser import Interface
from tcpviz.sources.ring import HEAD, HEADER, LINK_AT, MAGIC
from tcpviz.wire.frame import Frame

Ints = npt.NDArray[np.int64]
Words = npt.NDArray[np.uint64]
Mask = npt.NDArray[np.bool_]
Numbers = npt.NDArray[np.uint32]

_LOSING, _VLAN_VALID, _TPID_VALID = 0x04, 0x10, 0x40  # TP_STATUS_*
_OUTGOING = 4  # PACKET_OUTGOING
_IP = LINK_AT + 14
_STATUS, _LEN, _SNAPLEN, _MAC, _SECONDS = 0, 4, 8, 12, 16
_TYPE = LINK_AT + 10
_NONE = np.zeros(0, np.int64)

# What stands in front of every packet, and its Ethernet type.
_FRONT = {
    "status": (0, "=u4"),
    "len": (4, "=u4"),
    "snaplen": (8, "=u4"),
    "mac": (12, "=u2"),
    "sec": (16, "=u4"),
    "nsec": (20, "=u4"),
    "tci": (24, "=u2"),
    "tpid": (26, "=u2"),
    "kind": (HEADER + 10, "u1"),
    "type": (LINK_AT + 12, ">u2"),
    "first": (_IP, "u1"),
    # IPv4
    "total": (_IP + 2, ">u2"),
    "fragment": (_IP + 6, ">u2"),
    "protocol": (_IP + 9, "u1"),
    "src": (_IP + 12, ">u4"),
    "dst": (_IP + 16, ">u4"),
    # IPv6
    "length6": (_IP + 4, ">u2"),
    "next6": (_IP + 6, "u1"),
}


def _tcp(at: int) -> dict[str, tuple[int, str]]:
    return {
        "sport": (at, ">u2"),
        "dport": (at + 2, ">u2"),
        "seq": (at + 4, ">u4"),
        "ack": (at + 8, ">u4"),
        "bits": (at + 12, ">u2"),
        "window": (at + 14, ">u2"),
    }


def _layout(fields: dict[str, tuple[int, str]], size: int) -> np.dtype[Any]:
    named = {name: place for name, place in fields.items() if place[0] + 4 <= size}
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


class Stretch:
    """Frames as they lay in the ring.

    ``number``  of its first frame in the capture, from 1
    ``lost``    packets that the kernel dropped among or before them
    """

    def __init__(self, data: bytearray, size: int, *, number: int = 1, lost: int = 0) -> None:
        self.data = data
        self.size = size
        self.number = number
        self.lost = lost
        self.rows = np.frombuffer(data, _layout(_FRONT, size))

    def __len__(self) -> int:
        return len(self.rows)

    def without_outgoing(self) -> Stretch:
        """The same without packets on their way out: on loopback they come in as well."""
        kept = self.rows["kind"] != _OUTGOING
        if kept.all():
            return self
        rows = np.frombuffer(self.data, np.uint8).reshape(-1, self.size)[kept]
        return Stretch(bytearray(rows.tobytes()), self.size, number=self.number, lost=self.lost)

    def head(self, count: int) -> Stretch:
        """Its first ``count`` frames."""
        return Stretch(
            self.data[: count * self.size], self.size, number=self.number, lost=self.lost
        )

    def lost_before(self) -> int:
        """The place of the frame before which packets were lost; the end, if nothing tells."""
        told = np.flatnonzero(self.rows["status"] & _LOSING)
        return int(told[0]) if len(told) else len(self)

    def times(self) -> Ints:
        rows = self.rows
        return _times(rows["sec"], rows["nsec"])

    def frame(self, place: int) -> Frame:
        """One packet as any other source would give it: a VLAN tag that Linux took is put back."""
        row = self.rows[place]
        start = place * self.size + int(row["mac"])
        captured = min(int(row["snaplen"]), (place + 1) * self.size - start)
        data = bytes(self.data[start : start + captured])
        length = int(row["len"])
        status = int(row["status"])
        if status & _VLAN_VALID and len(data) >= 12:
            tpid = int(row["tpid"]) if status & _TPID_VALID else 0x8100
            tag = tpid.to_bytes(2, "big") + int(row["tci"]).to_bytes(2, "big")
            data = data[:12] + tag + data[12:]
            length += 4
        time_ns = int(row["sec"]) * 1_000_000_000 + int(row["nsec"])
        return Frame(time_ns, 1, data, max(length, len(data)), self.number + place)

    def frames(self) -> Iterator[Frame]:
        """All of them, one by one."""
        return (self.frame(place) for place in range(len(self)))

    def both_ends(self, places: Ints) -> npt.NDArray[np.uint8]:
        """Addresses and ports of IPv6 packets that the fast road took: (n, 2, 18) bytes."""
        raw = np.frombuffer(self.data, np.uint8).reshape(-1, self.size)[places]
        made = np.zeros((len(places), 2, 18), np.uint8)
        for side in range(2):
            made[:, side, :16] = raw[:, _IP + 8 + 16 * side : _IP + 24 + 16 * side]
            made[:, side, 16:] = raw[:, _IP + 40 + 2 * side : _IP + 42 + 2 * side]
        return made

    def columns(self, mixer: Mixer) -> tuple[Columns, Ints]:
        """The segments that the fast road can take, and the places of the frames it cannot."""
        four, taken4 = self._version4()
        if taken4 is None:
            return four, _NONE
        rows = self.rows
        usual = (rows["mac"] == LINK_AT) & ((rows["status"] & _VLAN_VALID) == 0)
        six, taken6 = self._version6(rows, usual & ~taken4, mixer)
        rest = np.flatnonzero(~(taken4 | taken6))
        if six is None:
            return four, rest
        return merged(four, six), rest

    def _version4(self) -> tuple[Columns, Mask | None]:
        """IPv4 without options; and which those are, unless all."""
        w = self._words
        # Every bit that is not as it must be; the words lie there in the network's order.
        wrong = w(_MAC) & 0xFFFF ^ LINK_AT
        wrong |= w(_STATUS) & _VLAN_VALID
        wrong |= w(_TYPE) >> 16 ^ 0x0008
        first = w(_IP)
        wrong |= first & 0xFF ^ 0x45
        wrong |= w(_IP + 4) & 0xFF3F0000
        wrong |= w(_IP + 8) >> 8 & 0xFF ^ 6
        total = (first >> 8 & 0xFF00) | first >> 24
        bits = w(_IP + 32)
        header = bits >> 2 & 0x3C
        # Lengths that do not fit come out negative.
        size = (total - header - 20).view(np.int32)
        negative = (w(_SNAPLEN) - 54) | (w(_LEN) - total - 14) | (header - 20)
        negative |= size.view(np.uint32)
        wrong |= negative & 0x80000000
        taken: Mask | None = None
        if wrong.any():
            taken = wrong == 0
            kept = np.flatnonzero(taken)
            size, bits = size[kept], bits[kept]

            def w(at: int) -> Numbers:
                return self._words(at)[kept]

        else:
            kept = np.arange(len(self))
        ports = w(_IP + 20)
        made = Columns(
            kept,
            _times(w(_SECONDS), w(_SECONDS + 4)),
            _end(w(_IP + 12), ports & 0xFFFF),
            _end(w(_IP + 16), ports >> 16),
            w(_IP + 24).byteswap(),
            w(_IP + 28).byteswap(),
            np.asarray(bits >> 8 & 0xFF | (bits & 1) << 8, np.uint32),
            size,
        )
        return made, taken

    def _words(self, at: int) -> Numbers:
        """What stands there in each frame, as the machine reads it (32 bits, little-endian)."""
        return np.ndarray((len(self),), np.uint32, self.data, at, (self.size,)).copy()

    def _version6(
        self, rows: npt.NDArray[Any], usual: Mask, mixer: Mixer
    ) -> tuple[Columns | None, Mask]:
        taken = usual & (rows["type"] == 0x86DD)
        if self.size < _IP + 60 or not taken.any():
            return None, np.zeros(len(rows), np.bool_)
        taken &= (
            (rows["first"] >> 4 == 6)
            & (rows["next6"] == 6)
            & (rows["snaplen"] >= 74)
            & (rows["length6"].astype(np.int64) + 54 <= rows["len"])
        )
        tcp = np.frombuffer(self.data, _layout({**_FRONT, **_tcp(_IP + 40)}, self.size))
        bits = tcp["bits"].astype(np.int64)
        size = tcp["length6"].astype(np.int64) - (bits >> 12) * 4
        taken &= (bits >= 0x5000) & (size >= 0)
        chosen = tcp[taken]
        raw = np.frombuffer(self.data, np.uint8).reshape(-1, self.size)[taken]
        halves = raw[:, _IP + 8 : _IP + 40].copy().view(np.uint64)
        src = mixer.six(halves[:, 0], halves[:, 1], chosen["sport"])
        dst = mixer.six(halves[:, 2], halves[:, 3], chosen["dport"])
        place = np.flatnonzero(taken)
        made = Columns(
            place,
            _times(chosen["sec"], chosen["nsec"]),
            src,
            dst,
            chosen["seq"].astype(np.uint32),
            chosen["ack"].astype(np.uint32),
            (bits[taken] & 0x1FF).astype(np.uint32),
            size[taken].astype(np.int32),
        )
        return made, taken


def _times(seconds: npt.NDArray[Any], fraction: npt.NDArray[Any]) -> Ints:
    made: Ints = seconds.astype(np.int64)
    made *= 1_000_000_000
    made += fraction
    return made


def _end(address: Numbers, port: npt.NDArray[Any]) -> Words:
    """A number for an IPv4 address and a port, both as they stand in the packet."""
    made: Words = port.astype(np.uint64)
    made <<= np.uint64(32)
    made |= address
    return made


def merged(one: Columns, two: Columns) -> Columns:
    """Both, in the order of the capture."""
    order = np.argsort(np.concatenate([one.place, two.place]), kind="stable")
    names = Columns.__slots__
    both = (np.concatenate([getattr(one, n), getattr(two, n)])[order] for n in names)
    return Columns(*both)


class Mixer:
    """Numbers for addresses and for pairs of them that nobody outside can foretell.

    Two that get the same number would be taken for one; with 64 bits and a secret that is
    a matter of chance alone, for a million connections one in forty million.
    """

    def __init__(self, secret: bytes | None = None) -> None:
        words = np.frombuffer(secret or os.urandom(40), np.uint64).copy()
        words |= np.uint64(1)
        self._words = words

    def six(self, high: Words, low: Words, port: npt.NDArray[Any]) -> Words:
        """For an IPv6 address in two halves, and a port; never that of an IPv4 one."""
        a, b, c, _, _ = self._words
        mixed = _stir(high * a ^ _stir(low * b)) + port.astype(np.uint64) * c
        return np.asarray(_stir(mixed) | np.uint64(1 << 63), np.uint64)

    def odd(self, end: bytes, scope: tuple[str, ...]) -> int:
        """For an end met on the slow road; the same as on the fast one where that is no tunnel."""
        if scope:
            key = self._words.tobytes()
            text = "/".join(scope).encode(errors="replace")
            digest = hashlib.blake2b(end + text, digest_size=8, key=key).digest()
            return int.from_bytes(digest, "little") | 1 << 63
        if end[:12] == b"\0" * 10 + b"\xff\xff":
            return int.from_bytes(end[12:], "little")
        halves = np.frombuffer(end[:16], np.uint64).copy()
        port = np.array([int.from_bytes(end[16:], "big")])
        return int(self.six(halves[:1], halves[1:], port)[0])

    def pair(self, one: Words, two: Words) -> Words:
        """For two ends, in whichever order they come."""
        _, _, _, d, e = self._words
        low, high = np.minimum(one, two), np.maximum(one, two)
        return _stir(_stir(low * d) + high * e)


def _stir(words: Words) -> Words:
    """The finish of splitmix64: every bit comes to depend on every other."""
    words = (words ^ (words >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    words = (words ^ (words >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(words ^ (words >> np.uint64(31)), np.uint64)


class RingReader:
    """Reads headings and frames from the descriptor of a capturing child.

    ``dropped``   by the kernel, in all so far; ``accepted`` by the filter
    ``interfaces``, ``notes``, ``losses``  what else is asked of those who parse captures
    """

    def __init__(self, descriptor: int, begun: bytes = b"", name: str = "") -> None:
        self._descriptor = descriptor
        self._begun = begun
        self.interfaces = [Interface(name, 1)]
        self.notes: list[str] = []
        self.losses: dict[int, int] = {}
        self.dropped = 0
        self.accepted = 0
        self.frames = 0
        self.ended = False

    def read(self) -> Stretch | None:
        """The next stretch (it may be empty), waiting for it; None at the end."""
        head = bytearray(HEAD.size)
        head[: len(self._begun)] = self._begun
        if not self._fill(head, len(self._begun)):
            return None
        self._begun = b""
        magic, count, size, outgoing, accepted, dropped = HEAD.unpack(head)
        if magic != MAGIC or count * size > 1 << 28:
            self.ended = True
            return None
        data = bytearray(count * size)
        if not self._fill(data, 0):
            return None
        lost, self.dropped = dropped - self.dropped, dropped
        self.accepted = accepted
        made = Stretch(data, size, number=self.frames + 1, lost=lost)
        if outgoing:
            made = made.without_outgoing()
        self.frames += len(made)
        return made

    def finish(self) -> None:
        """Nothing more will come."""
        self.ended = True

    def _fill(self, data: bytearray, done: int) -> bool:
        view = memoryview(data)
        while done < len(data):
            got = os.readv(self._descriptor, [view[done:]])
            if not got:
                self.ended = True
                return False
            done += got
        return True

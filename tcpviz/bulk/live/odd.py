"""Frames of a ring behind more than the plainest headers: all of them at once, as of a file.

VLANs that the network card took off or left, stacked tags, tunnels, options and extension headers.
A trunk or a hypervisor's uplink has nothing else, and as fast as any. The steps are those of
:mod:`tcpviz.bulk.segments.steps`; what no step knows is left to the decoder, frame by frame.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tcpviz.bulk.live.mixing import Mixer, Scope, Words, packed, packed_ends
from tcpviz.bulk.live.stretches import Columns, Ints, Mask, Stretch, merged
from tcpviz.bulk.segments.flows import grouped
from tcpviz.bulk.segments.pieces import at_every, gathered
from tcpviz.bulk.segments.steps.crowd import SKIPPED, TAKEN, Crowd, Octets
from tcpviz.bulk.segments.walking import TCP_KIND, onward
from tcpviz.core.segment import Segment
from tcpviz.sources.ring import HEADER
from tcpviz.sources.ringread import VLAN_VALID

FEW = 48
"""Frames up to which the decoder is sooner done with each by itself."""

REACH = 256
"""Bytes behind a header of ours that are looked at. What goes on beyond is for the decoder."""

_COOKED = 20
"""Bytes of Linux's cooked header (LINKTYPE_LINUX_SLL2)."""

_LEAST = 18
"""Bytes of a packet whose tag was taken off up to which it might be too short in another way."""


@dataclass(slots=True)
class Ends:
    """Both ends of some segments, whose headers lie where no plain ones do.

    ``place`` in the stretch, ascending; ``packed`` 16 bytes of address (IPv4 behind ``::ffff:``)
    and two of port for each, the sender's first: (n, 2, 18). Which of ``scopes`` each is in:
    ``which``.
    """

    place: Ints
    packed: npt.NDArray[np.uint8]
    scopes: list[Scope]
    which: Ints

    @classmethod
    def of(cls, slow: Sequence[tuple[int, Segment]]) -> Ends:
        """Those of segments that the decoder made, by their places."""
        place = np.array([at for at, _ in slow], np.int64)
        told = b"".join(packed(each.src) + packed(each.dst) for _, each in slow)
        numbers: dict[Scope, int] = {}
        which = [numbers.setdefault(each.scope, len(numbers)) for _, each in slow]
        both = np.frombuffer(told, np.uint8).reshape(-1, 2, 18)
        return cls(place, both, list(numbers), np.array(which, np.int64))

    def with_others(self, others: Ends) -> Ends:
        """These and others."""
        place = np.concatenate([self.place, others.place])
        order = np.argsort(place)
        both = np.concatenate([self.packed, others.packed])[order]
        which = np.concatenate([self.which, others.which + len(self.scopes)])[order]
        return Ends(place[order], both, self.scopes + others.scopes, which)

    def numbers(self, mixer: Mixer) -> tuple[Words, Words]:
        """A number for each sender, and one for each receiver."""
        src, dst = (mixer.ends(self.packed[:, side]) for side in range(2))
        scopes, which = self.scopes, self.which
        return mixer.within(src, scopes, which), mixer.within(dst, scopes, which)

    def at(self, places: Ints) -> tuple[Mask, Ints]:
        """Which of these places are known, and where those are here."""
        if not len(self.place):
            return np.zeros(len(places), np.bool_), places[:0]
        at = np.minimum(np.searchsorted(self.place, places), len(self.place) - 1)
        mine = self.place[at] == places
        return mine, at[mine]


NONE = Ends(np.zeros(0, np.int64), np.zeros((0, 2, 18), np.uint8), [], np.zeros(0, np.int64))


@dataclass(slots=True)
class Found:
    """``columns`` and ``ends`` of the segments, ``rest`` what the decoder has to be asked about.

    ``alike``  groups of places that hold no segment, each all for the same reason
    """

    columns: Columns
    ends: Ends
    rest: Ints
    alike: list[Ints]


def look(stretch: Stretch, places: Ints, mixer: Mixer) -> Found:
    """Take these frames of a stretch as far as they go."""
    link, cooked = stretch.kinds(places)
    tagged = (stretch.rows["status"][places] & VLAN_VALID) != 0
    long = stretch.packets()[2][places] >= _LEAST
    # A tag that was taken off stands before all others; here that need not be in one piece.
    plain = ~cooked & (~tagged | (stretch.usual_tags(places) & (link == 1) & long))
    written = cooked & ~tagged
    found = _where_they_lie(stretch, places[plain], mixer)
    if written.any():
        others = _with_header(stretch, places[written], mixer)
        found.columns = merged(found.columns, others.columns)
        found.ends = found.ends.with_others(others.ends)
        found.rest = np.concatenate([found.rest, others.rest])
        found.alike += others.alike
    found.rest = np.sort(np.concatenate([found.rest, places[~(plain | written)]]))
    return found


def _where_they_lie(stretch: Stretch, places: Ints, mixer: Mixer) -> Found:
    """Those of which all lies in the ring, but for a tag of the usual kind."""
    data, starts, captured = stretch.packets()
    start, captured = starts[places], captured[places].astype(np.int64)
    wire = np.maximum(stretch.rows["len"][places], captured)
    crowd = Crowd(Octets(data), start, captured, wire)
    numbers = stretch.vlans(places)
    which = np.flatnonzero(numbers)
    crowd.enter(which, "vlan", numbers[which])
    onward(crowd, stretch.kinds(places)[0])
    return _found(stretch, places, crowd, mixer)


def _with_header(stretch: Stretch, places: Ints, mixer: Mixer) -> Found:
    """Those whose link header we write, behind it as much as is looked at."""
    data, starts, captured = stretch.packets()
    captured = captured[places].astype(np.int64)
    out = np.empty((len(places), _COOKED + REACH), np.uint8)
    out[:, :_COOKED] = _cooked(stretch, places)
    out[:, _COOKED:] = gathered(data, starts[places], REACH).view(np.uint8).reshape(-1, REACH)
    wire = np.maximum(stretch.rows["len"][places], captured) + _COOKED
    seen = np.minimum(captured, REACH) + _COOKED
    start = np.arange(len(out)) * out.shape[1]
    crowd = Crowd(Octets(out.reshape(-1).data), start, seen, wire)
    onward(crowd, stretch.kinds(places)[0])
    lacking = crowd.lacking()
    crowd.leave(lacking[captured[lacking] > REACH])
    return _found(stretch, places, crowd, mixer)


def _found(stretch: Stretch, places: Ints, crowd: Crowd, mixer: Mixer) -> Found:
    """Where the steps have led."""
    taken = np.flatnonzero(crowd.layer == TAKEN)
    tcp, mine = crowd.place[taken], places[taken]
    used, _, which = grouped(crowd.scope[taken])
    both = packed_ends(crowd.octets.data, crowd.ip[taken], tcp, crowd.six[taken])
    ends = Ends(mine, both, [crowd.scopes[each] for each in used.tolist()], which)
    head = at_every(crowd.octets.data, TCP_KIND.itemsize)[tcp].view(TCP_KIND)
    bits = head["bits"].astype(np.uint32)
    made = Columns(
        mine,
        stretch.times()[mine],
        *ends.numbers(mixer),
        head["seq"].astype(np.uint32),
        head["ack"].astype(np.uint32),
        np.asarray(bits & 0x1FF, np.uint32),
        (crowd.end[taken] - tcp - (bits >> 12) * np.int64(4)).astype(np.int32),
    )
    left = places[(crowd.layer != TAKEN) & (crowd.layer != SKIPPED)]
    return Found(made, ends, left, [places[each] for each in crowd.groups()])


def of_segments(slow: Sequence[tuple[int, Segment]], ends: Ends, mixer: Mixer) -> Columns:
    """The columns of segments that the decoder made, with their places and ends."""
    numbers = np.array(
        [(place, s.time_ns, s.seq, s.ack, int(s.flags), s.payload_len) for place, s in slow],
        np.int64,
    ).T
    seq, ack, flags = (each.astype(np.uint32) for each in numbers[2:5])
    place, time_ns, size = numbers[0], numbers[1], numbers[5].astype(np.int32)
    return Columns(place, time_ns, *ends.numbers(mixer), seq, ack, flags, size)


def _cooked(stretch: Stretch, places: Ints) -> npt.NDArray[np.uint8]:
    """Linux's cooked headers, as :func:`tcpviz.sources.ringread.whole` makes them."""
    rows = np.frombuffer(stretch.data, np.uint8).reshape(-1, stretch.size)[places]
    told = rows[:, HEADER : HEADER + 20]  # struct sockaddr_ll
    made = np.zeros((len(places), _COOKED), np.uint8)
    made[:, 0:2] = told[:, 2:4]
    for begin, at, kind in ((4, 4, "i4"), (8, 8, "u2")):
        size = np.dtype(kind).itemsize
        number = np.ascontiguousarray(told[:, at : at + size]).view(kind)[:, 0]
        made[:, begin : begin + size] = _octets(number, ">" + kind)
    made[:, 10] = told[:, 10]
    made[:, 11] = np.minimum(told[:, 11], 8)
    made[:, 12:] = told[:, 12:]
    return made


def _octets(numbers: npt.NDArray[Any], kind: str) -> npt.NDArray[np.uint8]:
    """Numbers as they stand in a packet: (n, bytes)."""
    made = numbers.astype(kind)
    return made.view(np.uint8).reshape(len(made), made.itemsize)

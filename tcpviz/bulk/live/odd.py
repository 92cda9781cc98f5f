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

from tcpviz.bulk.live.mixing import MAPPED, Mixer, Scope, packed
from tcpviz.bulk.live.stretches import TPIDS, Columns, Ints, Mask, Stretch, merged
from tcpviz.bulk.segments.flows import grouped
from tcpviz.bulk.segments.pieces import at_every
from tcpviz.bulk.segments.steps.crowd import SKIPPED, TAKEN, Crowd, Octets
from tcpviz.bulk.segments.walking import onward
from tcpviz.core.segment import Segment
from tcpviz.sources.ring import HEADER
from tcpviz.sources.ringread import TPID_VALID, VLAN_VALID

FEW = 48
"""Frames up to which the decoder is sooner done with each by itself."""

REACH = 256
"""Bytes of a packet that are looked at here. What has headers beyond is for the decoder."""

_TAG, _COOKED = 4, 20
"""Bytes of a VLAN's tag, and of Linux's cooked header (LINKTYPE_LINUX_SLL2)."""

_LEAST = 18
"""Bytes of a packet whose tag was taken off up to which it might be too short in another way."""

_TCP_KIND = np.dtype(
    [("sport", "u2"), ("dport", "u2"), ("seq", ">u4"), ("ack", ">u4"), ("bits", ">u2")]
)


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
    rows = stretch.rows[places]
    cooked = np.array([is_cooked for _, is_cooked in stretch.links])[rows["interface"]]
    # A tag that was taken off stands before all others; here that need not be in one piece.
    tagged = (rows["status"] & VLAN_VALID) != 0
    told = (rows["status"] & TPID_VALID == 0) | np.isin(rows["tpid"], TPIDS)
    told &= np.array([link == 1 for link, _ in stretch.links])[rows["interface"]]
    lacks = cooked | tagged & ~(told & (stretch.packets()[2][places] >= _LEAST))
    if not lacks.any():
        return _where_they_lie(stretch, places, mixer)
    if lacks.all():
        return _laid_out(stretch, places, mixer)
    one = _where_they_lie(stretch, places[~lacks], mixer)
    other = _laid_out(stretch, places[lacks], mixer)
    return Found(
        merged(one.columns, other.columns),
        one.ends.with_others(other.ends),
        np.sort(np.concatenate([one.rest, other.rest])),
        one.alike + other.alike,
    )


def _where_they_lie(stretch: Stretch, places: Ints, mixer: Mixer) -> Found:
    """Those of which all lies in the ring, but for a tag of the plain kind."""
    data, starts, captured = stretch.packets()
    start, captured = starts[places], captured[places].astype(np.int64)
    wire = np.maximum(stretch.rows["len"][places], captured)
    crowd = Crowd(Octets(data), start, captured, wire)
    numbers = stretch.vlans(places)
    which = np.flatnonzero(numbers)
    crowd.enter(which, "vlan", numbers[which])
    return _found(stretch, places, crowd, mixer)


def _laid_out(stretch: Stretch, places: Ints, mixer: Mixer) -> Found:
    """Those whose tag Linux took, or whose header we write, as :meth:`Stretch.frame` has them."""
    data, starts, captured = stretch.packets()
    starts, captured, rows = starts[places], captured[places].astype(np.int64), stretch.rows[places]
    begins = _beginnings(data, starts)
    tagged = (rows["status"] & VLAN_VALID) != 0
    cooked = np.array([is_cooked for _, is_cooked in stretch.links])[rows["interface"]]
    known = np.where(tagged, ~cooked & (captured >= 12), True)
    out = np.zeros((len(places), REACH + _COOKED), np.uint8)
    which = np.flatnonzero(tagged & known)
    if len(which):
        status, tpid = rows["status"][which], rows["tpid"][which]
        out[which, :12] = begins[which, :12]
        out[which, 12:14] = _octets(np.where(status & TPID_VALID, tpid, 0x8100), ">u2")
        out[which, 14:16] = _octets(rows["tci"][which], ">u2")
        out[which, 16 : 4 + REACH] = begins[which, 12:]
    which = np.flatnonzero(cooked & known)
    if len(which):
        out[which, :_COOKED] = _cooked(stretch, places[which])
        out[which, _COOKED:] = begins[which]
    before = np.where(cooked, _COOKED, _TAG)
    start = np.arange(len(out)) * out.shape[1]
    wire = np.maximum(rows["len"], captured) + before
    seen = np.minimum(captured, REACH) + before
    crowd = Crowd(Octets(out.reshape(-1).data), start, seen, wire)
    return _found(stretch, places, crowd, mixer, ~known, captured > REACH)


def _found(
    stretch: Stretch,
    places: Ints,
    crowd: Crowd,
    mixer: Mixer,
    unknown: Mask | None = None,
    cut: Mask | None = None,
) -> Found:
    """Where the steps lead. ``unknown`` ones are not to be believed, ``cut`` ones go on further."""
    onward(crowd, np.array([link for link, _ in stretch.links])[stretch.rows["interface"][places]])
    if unknown is not None:
        crowd.leave(np.flatnonzero(unknown))
    if cut is not None and cut.any():
        lacking = crowd.lacking()
        crowd.leave(lacking[cut[lacking]])
    taken = np.flatnonzero(crowd.layer == TAKEN)
    used, _, which = grouped(crowd.scope[taken])
    ends = Ends(taken, _ends(crowd, taken), [crowd.scopes[each] for each in used.tolist()], which)
    made = _columns(crowd, taken, ends, mixer)
    ends.place = made.place = places[taken]
    made.time_ns = stretch.times()[made.place]
    left = places[(crowd.layer != TAKEN) & (crowd.layer != SKIPPED)]
    return Found(made, ends, left, [places[each] for each in crowd.groups()])


def of_segments(slow: Sequence[tuple[int, Segment]], mixer: Mixer) -> Columns:
    """The columns of segments that the decoder made, with their places."""
    numbers = np.array(
        [(place, s.time_ns, s.seq, s.ack, int(s.flags), s.payload_len) for place, s in slow],
        np.int64,
    ).T
    src = [mixer.odd(packed(each.src), each.scope) for _, each in slow]
    dst = [mixer.odd(packed(each.dst), each.scope) for _, each in slow]
    ends = (np.array(src, np.uint64), np.array(dst, np.uint64))
    seq, ack, flags = (each.astype(np.uint32) for each in numbers[2:5])
    return Columns(numbers[0], numbers[1], *ends, seq, ack, flags, numbers[5].astype(np.int32))


def _beginnings(data: Any, starts: Ints) -> npt.NDArray[np.uint8]:
    """The first bytes of each packet; what lies behind its end has no meaning."""
    octets = np.frombuffer(data, np.uint8)
    made = np.zeros((len(starts), REACH), np.uint8)
    whole = starts + REACH <= len(octets)
    if whole.any():
        made[whole] = at_every(data, REACH)[starts[whole]].view(np.uint8).reshape(-1, REACH)
    for place in np.flatnonzero(~whole).tolist():
        rest = octets[int(starts[place]) :]
        made[place, : len(rest)] = rest
    return made


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


def _ends(crowd: Crowd, taken: Ints) -> npt.NDArray[np.uint8]:
    """Both ends of the segments: (n, 2, 18)."""
    data = crowd.octets.data
    made = np.zeros((len(taken), 2, 18), np.uint8)
    ports = at_every(data, 4)[crowd.place[taken]].view(np.uint8).reshape(-1, 2, 2)
    made[:, :, 16:] = ports
    ip, six = crowd.ip[taken], crowd.six[taken]
    for version, begin, size in ((False, 12, 4), (True, 8, 16)):
        which = np.flatnonzero(six == version)
        if not len(which):
            continue
        both = at_every(data, 2 * size)[ip[which] + begin].view(np.uint8).reshape(-1, 2, size)
        made[which, :, 16 - size : 16] = both
        if not version:
            made[which, :, :12] = np.frombuffer(MAPPED, np.uint8)
    return made


def _columns(crowd: Crowd, taken: Ints, ends: Ends, mixer: Mixer) -> Columns:
    """The segments' columns; ``place`` and ``time_ns`` are not known here."""
    place = crowd.place[taken]
    head = at_every(crowd.octets.data, _TCP_KIND.itemsize)[place].view(_TCP_KIND)
    numbers = [
        mixer.within(mixer.ends(ends.packed[:, side]), ends.scopes, ends.which) for side in range(2)
    ]
    bits = head["bits"].astype(np.uint32)
    return Columns(
        taken,
        taken,
        numbers[0],
        numbers[1],
        head["seq"].astype(np.uint32),
        head["ack"].astype(np.uint32),
        np.asarray(bits & 0x1FF, np.uint32),
        (crowd.end[taken] - place - (bits >> 12) * np.int64(4)).astype(np.int32),
    )

"""Many frames on their way through their headers: what :class:`tcpviz.wire.walk.Walk` is to one.

Every array has a place for each frame. A *step* is handed the crowd and the places of those frames
that stand before its header, and moves each on: to a layer and where it begins (:meth:`Crowd.go`),
out of the crowd for a reason (:meth:`Crowd.skip`, :meth:`Crowd.short`), or, where it is not known
here, to the scalar decoder (:meth:`Crowd.leave`). The reason's text is the decoder's: of all that
leave for one reason, it is asked about one frame.
"""

from __future__ import annotations

import enum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tcpviz.bulk.segments.flows import grouped
from tcpviz.bulk.segments.pieces import Buffer, at_every
from tcpviz.wire.walk import Layer

Array = NDArray[Any]

LEFT, TAKEN, SKIPPED = 0, 254, 255
"""In ``layer``, besides the layers' own numbers."""


class Why(enum.IntEnum):
    """Why frames leave the crowd; together with a number, one text of the decoder's each."""

    TOO_DEEP = 0
    ETHERNET = enum.auto()
    ETHERTYPE = enum.auto()
    LENGTH_FIELD = enum.auto()
    VLAN = enum.auto()
    BACKBONE = enum.auto()
    LABEL = enum.auto()
    NO_BOTTOM = enum.auto()
    LABELLED = enum.auto()
    PSEUDOWIRE = enum.auto()
    LLC = enum.auto()
    SNAP = enum.auto()
    SNAP_TYPE = enum.auto()
    ORGANISATION = enum.auto()
    SAP = enum.auto()
    PPPOE = enum.auto()
    PPPOE_VERSION = enum.auto()
    PPPOE_CODE = enum.auto()
    PPP = enum.auto()
    PPP_PROTOCOL = enum.auto()
    HDLC = enum.auto()
    HDLC_PROTOCOL = enum.auto()
    LOOPBACK = enum.auto()
    FAMILY = enum.auto()
    LOOPBACK_IPX = enum.auto()
    COOKED = enum.auto()
    NETLINK = enum.auto()
    COOKED_PROTOCOL = enum.auto()
    FDDI = enum.auto()
    FDDI_CONTROL = enum.auto()
    IP = enum.auto()
    VERSION = enum.auto()
    V4 = enum.auto()
    V4_VERSION = enum.auto()
    V4_HEADER = enum.auto()
    V4_TOTAL = enum.auto()
    V4_OPTIONS = enum.auto()
    V4_LATER = enum.auto()
    V6 = enum.auto()
    V6_VERSION = enum.auto()
    V6_LATER = enum.auto()
    V6_FRAGMENT = enum.auto()
    V6_EXTENSION = enum.auto()
    V6_BEHIND = enum.auto()
    V6_LATE_OPTIONS = enum.auto()
    V6_TOO_MANY = enum.auto()
    PROTOCOL = enum.auto()
    AUTHENTICATION = enum.auto()
    AUTHENTICATED = enum.auto()
    AUTHENTICATION_CHAIN = enum.auto()
    UDP = enum.auto()
    GRE = enum.auto()
    GRE_VERSION = enum.auto()
    GRE_ROUTING = enum.auto()
    GRE_FIELDS = enum.auto()
    GRE_PROTOCOL = enum.auto()
    PPTP_ACK = enum.auto()
    ERSPAN = enum.auto()
    ETHER_IP = enum.auto()
    ETHER_IP_VERSION = enum.auto()
    GPE_PROTOCOL = enum.auto()
    GENEVE = enum.auto()
    GENEVE_PROTOCOL = enum.auto()
    GTP_SIGNALLING = enum.auto()
    GTP_EXTENSION = enum.auto()
    GTP_EMPTY = enum.auto()
    GTP_PAYLOAD = enum.auto()
    GTP_OTHER = enum.auto()
    L2TP = enum.auto()
    L2TP_CONTROL = enum.auto()
    L2TP_OFFSET = enum.auto()
    TZSP = enum.auto()
    ICMP = enum.auto()
    ICMP6 = enum.auto()
    ICMP_ERROR = enum.auto()
    ICMP6_ERROR = enum.auto()
    WLAN = enum.auto()
    WLAN_KIND = enum.auto()
    WLAN_EMPTY = enum.auto()
    WLAN_ENCRYPTED = enum.auto()
    WLAN_FRAGMENT = enum.auto()
    WLAN_QOS = enum.auto()
    RADIOTAP = enum.auto()
    RADIOTAP_FORM = enum.auto()
    RADIOTAP_LENGTH = enum.auto()
    RADIOTAP_FCS = enum.auto()
    NFLOG = enum.auto()
    TCP = enum.auto()
    TCP_OFFSET_LOW = enum.auto()
    TCP_OFFSET_HIGH = enum.auto()


_NUMBER_BITS = 34
_SHORT = 1 << 33


class Octets:
    """Numbers at any places in a batch's bytes, in network byte order.

    Beyond the end something is read; whoever asks has to know that it does not matter.
    """

    def __init__(self, data: Buffer) -> None:
        data = data if len(data) >= 4 else bytes(data).ljust(4, b"\0")
        self.data = data
        self._octets = np.frombuffer(data, np.uint8)
        self._words = at_every(data, 2)
        self._longs = at_every(data, 4)

    def octet(self, place: Array) -> Array:
        """The eight bits there."""
        return self._octets[np.minimum(place, len(self._octets) - 1)].astype(np.int64)

    def word(self, place: Array) -> Array:
        """The 16 bits there."""
        return self._words[np.minimum(place, len(self._words) - 1)].view(">u2").astype(np.int64)

    def long(self, place: Array) -> Array:
        """The 32 bits there."""
        return self._longs[np.minimum(place, len(self._longs) - 1)].view(">u4").astype(np.int64)


class Crowd:
    """``rows`` of a batch on their way.

    ``layer``  what each stands before: a :class:`Layer`'s value, :data:`LEFT`, or one of those
               beside it; ``place`` where in the bytes
    ``limit``, ``end``  as in ``Walk``, in the bytes
    ``ip``     where the innermost IP header begins, ``six`` whether it is IPv6's, ``sure`` as there
    ``scope``  which of ``scopes``
    ``quoting``  ICMP errors about TCP that were left, and where the TCP headers in them begin
    """

    def __init__(self, octets: Octets, start: Array, captured: Array, wire: Array) -> None:
        count = len(start)
        self.octets = octets
        self.place = start.astype(np.int64)
        self.limit = start + captured
        self.end = start + np.maximum(wire, captured)
        self.layer = np.zeros(count, np.uint8)
        self.ip = np.zeros(count, np.int64)
        self.six = np.zeros(count, np.bool_)
        self.sure = np.ones(count, np.bool_)
        self.scope = np.zeros(count, np.int64)
        self.scopes: list[tuple[str, ...]] = [()]
        self.quoting: list[tuple[Array, Array]] = []
        self._numbers: dict[tuple[str, ...], int] = {(): 0}
        self._why = np.zeros(count, np.int64)

    # -- where they go ------------------------------------------------------

    def go(self, which: Array, layer: Layer, place: Array) -> None:
        """These stand before that layer now."""
        self.layer[which] = layer.value
        self.place[which] = place

    def leave(self, which: Array) -> None:
        """These are for the scalar decoder."""
        self.layer[which] = LEFT

    def skip(self, which: Array, why: Why, number: Array | int = 0) -> None:
        """These hold no segment: all of a reason and number for the same."""
        self.layer[which] = SKIPPED
        self._why[which] = (int(why) << _NUMBER_BITS) + number

    def short(self, which: Array, why: Why, need: Array) -> None:
        """What these need, up to ``need``, was cut off or never sent."""
        truncated = need > self.end[which]
        self.skip(which, why, _SHORT + truncated)

    def has(self, which: Array, why: Why, need: Array) -> Array:
        """Which of these have bytes up to ``need``; the others are skipped."""
        there: Array = need <= self.limit[which]
        if not there.all():
            lacks = ~there
            self.short(which[lacks], why, need[lacks])
        return there

    def unless(self, which: Array, wrong: Array, why: Why, number: Array | int = 0) -> Array:
        """Skip those of these that are wrong; which are not."""
        if wrong.any():
            self.skip(
                which[wrong], why, number[wrong] if isinstance(number, np.ndarray) else number
            )
        return ~wrong

    def narrow(self, which: Array, end: Array) -> None:
        """A header says that its content ends there; it cannot reach past its parent's."""
        self.end[which] = np.minimum(self.end[which], end)
        self.limit[which] = np.minimum(self.limit[which], end)

    def enter(self, which: Array, name: str, number: Array | None = None) -> None:
        """Into a VLAN or tunnel: part of the flow's key from here on."""
        if not len(which):
            return
        keys = self.scope[which] << 33
        if number is not None:
            keys |= number + 1
        different, _, back = grouped(keys)
        known = []
        for key in different.tolist():
            ident = (key & (1 << 33) - 1) - 1
            inner = name if ident < 0 else f"{name} {ident}"
            whole = (*self.scopes[key >> 33], inner)
            place = self._numbers.setdefault(whole, len(self.scopes))
            if place == len(self.scopes):
                self.scopes.append(whole)
            known.append(place)
        self.scope[which] = np.array(known, np.int64)[back]

    # -- what becomes of them -----------------------------------------------

    def lacking(self) -> Array:
        """Those that were skipped for want of bytes."""
        return np.flatnonzero((self.layer == SKIPPED) & (self._why & _SHORT != 0))

    def groups(self) -> list[Array]:
        """Those that were skipped, in groups of the same reason, each ascending."""
        gone = np.flatnonzero(self.layer == SKIPPED)
        if not len(gone):
            return []
        why = self._why[gone]
        if (why == why[0]).all():
            return [gone]
        order = np.argsort(why, kind="stable")
        sizes = np.flatnonzero(np.diff(why[order])) + 1
        return np.split(gone[order], sizes)

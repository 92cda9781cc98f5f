"""What a source tells the tracker, besides segments: calls, kernel readings, notes, gaps.

A *record* is one thing that was observed, with the moment at which it was.
Sources and the lab produce records; the tracker turns each into a step of the
timeline. ``Record`` is the union of them all.
"""

from __future__ import annotations

import enum

from tcpviz.core.facts import dataclass
from tcpviz.core.hosts import HostReading
from tcpviz.core.kernel_events import EventsLost, KernelEvent
from tcpviz.core.passages import Passage
from tcpviz.core.segment import Endpoint, FlowKey, Segment
from tcpviz.core.states import State


class Side(enum.Enum):
    """An end of a connection: who sent the first SYN, or who answered it."""

    CLIENT = "client"
    SERVER = "server"

    __hash__ = object.__hash__  # the standard one is a call of Python, many times a segment

    @property
    def other(self) -> Side:
        return Side.SERVER if self is Side.CLIENT else Side.CLIENT

    def __str__(self) -> str:
        return self.value


class Moment(enum.Enum):
    """Which of a segment's moments was observed.

    ``SEEN``     one capture point: it left, and nobody saw whether it arrived
    ``SENT``     it left its sender (the lab's cable, or the first of two capture points)
    ``ARRIVED``  it was handed to its receiver
    ``LOST``     it is known to have died on the way
    """

    SEEN = "seen"
    SENT = "sent"
    ARRIVED = "arrived"
    LOST = "lost"

    __hash__ = object.__hash__  # the standard one is a call of Python, many times a segment


@dataclass(frozen=True, slots=True)
class SegmentRecord:
    """A segment at one of its moments; ``time_ns`` is that moment's.

    ``held_ns``  for so much of its way it lay in somebody's hand; that is no property
                 of the link, and no time of the kernel's
    ``again``    it arrives although it has arrived or died already: a copy that the
                 cable made
    ``passage``  its way, where it was captured at two points
    """

    time_ns: int
    segment: Segment
    moment: Moment = Moment.SEEN
    held_ns: int = 0
    again: bool = False
    passage: Passage | None = None


class Act(enum.Enum):
    """What the lab's cable did to a segment between its leaving and its arriving.

    ``HELD``       it waits in a hand; ``RELEASED``: let go on its way
    ``DROPPED``    it dies there (its ``LOST`` follows)
    ``DUPLICATED`` there is one more of it, which will arrive as well
    ``DELAYED``    it takes so much longer than the cable's own time
    ``REORDERED``  it will arrive behind the next one of its sender
    ``CORRUPTED``  one of its bytes was turned over: it arrives with a wrong checksum
    ``SWALLOWED``  its sender has sent it again while it was held; the repetition was kept back
    ``REPLAYED``   a copy of a segment that left earlier is sent now
    """

    HELD = "held"
    RELEASED = "released"
    DROPPED = "dropped"
    DUPLICATED = "duplicated"
    DELAYED = "delayed"
    REORDERED = "reordered"
    CORRUPTED = "corrupted"
    SWALLOWED = "swallowed"
    REPLAYED = "replayed"


class Doer(enum.Enum):
    """Who did it: the person, the scenario's script, chance (loss), or the cable by itself."""

    PERSON = "person"
    SCRIPT = "script"
    CHANCE = "chance"
    CABLE = "cable"

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True, slots=True)
class Handled:
    """Something was done to ``segment`` on its way. It moves neither end.

    ``held_ns``   how long this segment has lain in a hand so far
    ``paused_ns`` how long the person has had anything in the hand so far, since the
                  beginning: subtract it from the clock to get the time the scenario itself took
    ``count``     how often its sender has sent it again while it was held
    ``delay_ns``  for ``DELAYED`` and ``DUPLICATED``: how much later it, or its copy, arrives
    """

    time_ns: int
    act: Act
    by: Doer
    segment: Segment
    held_ns: int = 0
    paused_ns: int = 0
    count: int = 0
    delay_ns: int = 0


@dataclass(frozen=True, slots=True)
class Rebooted:
    """The host of ``side`` was switched off and on: its kernel has forgotten every connection."""

    time_ns: int
    side: Side


@dataclass(frozen=True, slots=True)
class Call:
    """A socket call of an application.

    ``id``        the same in the record of its beginning and of its return
    ``side``      in whose lane it is drawn
    ``name``      ``connect``, ``accept``, ...
    ``arguments`` as a person writes them: ``10.0.0.2:80``, ``5 bytes``
    ``fd``        the descriptor it was made on, where there was one
    ``began_ns``  when it was made (and, if nothing was ready, blocked)
    ``returned_ns``, ``result``  ``None`` while it has not returned; result as a
                  person writes it: ``0``, ``fd 5``, ``5 bytes``, ``ECONNREFUSED``
    ``failed``    it returned -1
    ``local``, ``peer``  the socket's addresses as far as they were known then
    ``app``       which application on that host, where there are several; else empty
    """

    id: int
    side: Side
    name: str
    arguments: str = ""
    fd: int | None = None
    began_ns: int = 0
    returned_ns: int | None = None
    result: str | None = None
    failed: bool = False
    local: Endpoint | None = None
    peer: Endpoint | None = None
    app: str = ""

    @property
    def returned(self) -> bool:
        return self.returned_ns is not None

    @property
    def time_ns(self) -> int:
        """The moment this record is about: the return's, once it has returned."""
        return self.began_ns if self.returned_ns is None else self.returned_ns


@dataclass(frozen=True, slots=True)
class KernelSocket:
    """One socket of one end as the kernel tells it (``inet_diag`` or ``TCP_INFO``).

    ``state``     ``None`` where the kernel has no such socket (any more)
    ``timer``     ``retransmit``, ``keepalive``, ``time-wait``, ``probe`` or ``None``
    ``timer_ms``  milliseconds until it goes off
    ``recv_queue``, ``send_queue``  bytes; for a listener: connections that wait for
                  accept(), and ``listen()``'s backlog (it holds one more than that)
    ``syn_queue``, ``syn_limit``  for a listener: connections in SYN-RECEIVED, and how many
                  of them it takes (net/ipv4/tcp_input.c, tcp_conn_request()); ``None`` where
                  the limit is not known
    ``retransmits``  segments repeated since the beginning; of a SYN-RECEIVED connection: SYN,ACKs
    ``tries``     repetitions or probes without an answer since the last one
    """

    side: Side
    local: Endpoint
    peer: Endpoint | None
    state: State | None
    timer: str | None = None
    timer_ms: int | None = None
    recv_queue: int = 0
    send_queue: int = 0
    retransmits: int = 0
    rtt_us: int | None = None
    cwnd: int | None = None
    syn_queue: int | None = None
    syn_limit: int | None = None
    tries: int = 0


@dataclass(frozen=True, slots=True)
class KernelReading:
    """Both ends' sockets, read at one moment; ``source`` names the interface asked."""

    time_ns: int
    sockets: tuple[KernelSocket, ...]
    source: str = "inet_diag"


@dataclass(frozen=True, slots=True)
class Note:
    """A line from the source to the person: a fallback and its reason, a scenario's remark."""

    time_ns: int
    text: str


@dataclass(frozen=True, slots=True)
class Gap:
    """Packets that were there and are not here: ``count`` dropped by ``where``.

    ``count`` is ``None`` where something is missing and nobody knows how much.
    """

    time_ns: int
    count: int | None
    where: str


@dataclass(frozen=True, slots=True)
class Unreachable:
    """An ICMP error about a TCP segment: somebody on the way could not deliver it.

    ``reporter``  the address that says so: a router, a firewall, or the host itself
    ``told``      the address it says it to, in honest cases the segment's sender
    ``src``, ``dst``, ``seq``  the segment's, as quoted: all that every error contains
    ``version``   4 (RFC 792, 1191) or 6 (RFC 4443); gives ``type`` and ``code`` their meaning
    ``mtu``       the largest packet that the next link takes, where the error tells
    ``ttl``       what was left of the quoted packet's TTL or hop limit
    ``scope``     the VLANs and tunnels that the error itself came in
    """

    time_ns: int
    reporter: str
    told: str
    src: Endpoint
    dst: Endpoint
    seq: int
    version: int
    type: int
    code: int
    mtu: int | None = None
    ttl: int = 0
    frame: int = 0
    scope: tuple[str, ...] = ()

    def keys(self, scope: tuple[str, ...]) -> tuple[FlowKey, FlowKey]:
        """What the connection whose segment is quoted may be known by, in ``scope``.

        The second is for a receiver that reports itself and is known here by another
        address: translation that does not look into ICMP leaves the inner one in the quotation.
        """
        outside = Endpoint(self.reporter, self.dst.port)
        return FlowKey.of(self.src, self.dst, scope), FlowKey.of(self.src, outside, scope)


Record = (
    SegmentRecord
    | Handled
    | Rebooted
    | Call
    | KernelReading
    | HostReading
    | KernelEvent
    | EventsLost
    | Note
    | Gap
    | Unreachable
)

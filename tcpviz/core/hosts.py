"""What the watched host's own kernel says of its sockets, and whose they are: plain records.

A capture on a host can ask that host's kernel, which knows the connections that
were there before, their true states, their queues and their owners. The lab's
kernels are asked by :class:`tcpviz.core.records.KernelReading` instead: there
every step can be held against them, here a reading comes once a second or so.
"""

from __future__ import annotations

from tcpviz.core.facts import dataclass, field
from tcpviz.core.segment import Endpoint
from tcpviz.core.states import State


@dataclass(frozen=True, slots=True)
class Process:
    """The process that has a socket.

    ``name``   as the kernel has it (at most 15 bytes), made fit to be shown
    ``pid``    ``None`` where only the name is known
    ``fd``     its descriptor of the socket
    ``certain``  false: it is the owner of the listening socket, and whoever accepted may be
               another process of the same program
    ``others`` further processes that have the same socket, as after a fork
    """

    name: str
    pid: int | None = None
    fd: int | None = None
    certain: bool = True
    others: int = 0


@dataclass(frozen=True, slots=True)
class HostSocket:
    """One TCP socket of this host.

    ``state``       ``None``: the kernel has no such socket any more
    ``peer``        ``None`` for a listener
    ``recv_queue``  bytes that wait for the application; for a listener: connections that wait
                    for accept()
    ``send_queue``  bytes that are not acknowledged; for a listener: listen()'s backlog
    ``user``        the owner's name, or number as text
    ``unit``        the service or scope (of the control group) that it belongs to
    ``container``   the container's id, shortened to 12 digits, where the group's name tells it
    ``accepted``    false: it still waits in a listener's accept queue
    ``quiet_ms``    milliseconds since data or a FIN last came from the peer, where asked
    ``fresh``       it was not there at the reading before
    ``read_ns``     when it was read
    ``listed``      false: not the table but an event told of it, and only whose it is
    """

    local: Endpoint
    peer: Endpoint | None
    state: State | None
    recv_queue: int = 0
    send_queue: int = 0
    user: str | None = None
    process: Process | None = None
    unit: str | None = None
    container: str | None = None
    accepted: bool = True
    retransmits: int = 0
    rtt_us: int | None = None
    quiet_ms: int | None = None
    fresh: bool = False
    read_ns: int = 0
    listed: bool = True


@dataclass(frozen=True, slots=True)
class HostReading:
    """What has changed in the host's table of sockets since the reading before.

    ``sockets``    new and changed ones, and those that are gone
    ``listeners``  all that listen, or ``None`` if none of them has changed
    ``counters``   of ``/proc/net/netstat``: how much each has risen since the capture began
    ``total``      connections in the table; ``left_out`` of them were too many to be followed
    ``cost_ns``    processor time that this reading took; ``interval_ns`` until the next
    ``first``      the table as it was when the capture began
    ``time_waits`` sockets in TIME-WAIT, which the table leaves out; ``None``: not told
    ``ports``      how many ports this host gives out by itself (net.ipv4.ip_local_port_range)
    """

    time_ns: int
    sockets: tuple[HostSocket, ...] = ()
    listeners: tuple[HostSocket, ...] | None = None
    counters: dict[str, int] = field(default_factory=dict)
    total: int = 0
    left_out: int = 0
    cost_ns: int = 0
    interval_ns: int = 1_000_000_000
    first: bool = False
    time_waits: int | None = None
    ports: int | None = None

"""The listeners of the watched host: their queues, whose they are, what has been let fall."""

from __future__ import annotations

from typing import Final

from tcpviz.core.host import Host
from tcpviz.core.hosts import HostSocket
from tcpviz.core.records import KernelReading, KernelSocket
from tcpviz.core.states import State
from tcpviz.views.kernel_words import accept_limit
from tcpviz.views.numbers import duration
from tcpviz.views.spans import clean
from tcpviz.words import _

COUNTERS: Final = {
    "ListenOverflows": "handshakes completed into a full accept queue, and dropped",
    "ListenDrops": "SYNs and handshakes dropped by listeners, for whatever reason",
    "TCPReqQFullDrop": "SYNs dropped, as the SYN queue was full",
    "TCPReqQFullDoCookies": "SYNs answered by a cookie, as the SYN queue was full",
    "SyncookiesSent": "SYN cookies sent",
    "TCPBacklogDrop": "segments dropped, as their socket was too busy to take them",
    "TCPTimeWaitOverflow": "TIME-WAITs that there was no room for (tcp_max_tw_buckets)",
    "TCPAbortOnMemory": "connections given up for want of memory",
}
"""Those of /proc/net/netstat that are told, in words (net/ipv4/proc.c has their names)."""


def text(host: Host, scenario: KernelReading | None = None) -> str:
    """A paragraph a line, with a tab behind its heading, as a page takes them.

    ``scenario``  what a scenario's kernels said last, where there is no host that is watched
    """
    reading = host.latest
    if reading is None and scenario is not None:
        found = [_of_scenario(one) for one in scenario.sockets if one.state is State.LISTEN]
        return "\n".join(found or ["\t" + _("Nobody listens here.")])
    if reading is None:
        return _("The kernel's table of sockets is not asked here: a capture on Linux does so.")
    lines = [listener(each) for each in sorted(host.listeners.values(), key=_fullest)]
    if not lines:
        lines = ["\t" + _("Nobody listens here.")]
    counters = [
        f"{count}\t" + _("{what}, since the capture began").format(what=_(COUNTERS[name]))
        for name, count in reading.counters.items()
        if name in COUNTERS
    ]
    every = duration(reading.interval_ns)
    read = "\t" + _("The table has {n} connections; it is read every {time}.").format(
        n=reading.total, time=every
    )
    if reading.left_out:
        read += " " + _("{n} were too many to be followed.").format(n=reading.left_out)
    return "\n".join([*lines, "", *counters, read])


def listener(sock: HostSocket) -> str:
    """One that listens: where, how full its accept queue is, and whose it is."""
    parts = [_accepting(sock.recv_queue, sock.send_queue)]
    if sock.process is not None:
        said = _("{name}, process {pid}")
        if sock.process.others:
            said = _("{name}, process {pid} and {n} more")
        name, others = clean(sock.process.name), sock.process.others
        parts.append(said.format(name=name, pid=sock.process.pid, n=others))
    for said, whose in (
        (_("user {name}"), sock.user),
        ("{name}", sock.unit),
        (_("container {name}"), sock.container),
    ):
        if whose is not None:
            parts.append(said.format(name=clean(whose)))
    return f"{sock.local}\t{'; '.join(parts)}"


def _accepting(waiting: int, backlog: int) -> str:
    limit = accept_limit(backlog)
    queue = _("{n} wait for accept(), of {limit} that may").format(n=waiting, limit=limit)
    return queue + (_(": FULL, further ones are dropped") if waiting >= limit else "")


def _of_scenario(sock: KernelSocket) -> str:
    parts = [_accepting(sock.recv_queue, sock.send_queue)]
    if sock.syn_queue is not None:
        limit = "?" if sock.syn_limit is None else sock.syn_limit
        said = _("{n} in SYN-RECEIVED, of {limit} that may").format(n=sock.syn_queue, limit=limit)
        parts.append(said)
    return f"{sock.local}\t{'; '.join(parts)}"


def _fullest(sock: HostSocket) -> tuple[float, int, str]:
    return (-sock.recv_queue / accept_limit(sock.send_queue), sock.local.port, sock.local.addr)

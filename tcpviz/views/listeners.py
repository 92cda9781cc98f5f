"""The listeners of the watched host: their queues, whose they are, what has been let fall."""

from __future__ import annotations

from typing import Final

from tcpviz.core.host import Host
from tcpviz.core.hosts import HostSocket
from tcpviz.views.numbers import duration
from tcpviz.views.spans import clean

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


def text(host: Host) -> str:
    """A paragraph a line, with a tab behind its heading, as a page takes them."""
    reading = host.latest
    if reading is None:
        return "\tThe kernel's table of sockets is not asked here: a capture on Linux does so."
    lines = [listener(each) for each in sorted(host.listeners.values(), key=_fullest)]
    if not lines:
        lines = ["\tNobody listens here."]
    counters = [
        f"{count}\t{COUNTERS[name]}, since the capture began"
        for name, count in reading.counters.items()
        if name in COUNTERS
    ]
    every = duration(reading.interval_ns)
    read = f"\tThe table has {reading.total} connections; it is read every {every}."
    if reading.left_out:
        read += f" {reading.left_out} were too many to be followed."
    return "\n".join([*lines, "", *counters, read])


def listener(sock: HostSocket) -> str:
    """One that listens: where, how full its accept queue is, and whose it is."""
    # It holds one more than listen()'s backlog (sk_acceptq_is_full() in include/net/sock.h).
    full = sock.recv_queue > sock.send_queue
    queue = f"{sock.recv_queue} wait for accept(), of {sock.send_queue + 1} that may"
    parts = [queue + (": FULL, further ones are dropped" if full else "")]
    if sock.process is not None:
        others = f" and {sock.process.others} more" if sock.process.others else ""
        parts.append(f"{clean(sock.process.name)}, process {sock.process.pid}{others}")
    for what, name in (("user", sock.user), ("", sock.unit), ("container", sock.container)):
        if name is not None:
            parts.append(f"{what} {clean(name)}".strip())
    return f"{sock.local}\t{'; '.join(parts)}"


def _fullest(sock: HostSocket) -> tuple[float, int, str]:
    return (-sock.recv_queue / (sock.send_queue + 1), sock.local.port, sock.local.addr)

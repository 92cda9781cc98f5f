"""PCAP-over-IP: a capture that comes over a TCP connection.

``TCP@host:port`` is Wireshark's own way to write it (``wireshark -i TCP@host:port``); the bytes
are those of a pcap or pcapng file, growing.
"""

from __future__ import annotations

import re
from io import RawIOBase
from typing import cast

from tcpviz.sources.feed import SourceError
from tcpviz.sources.parser import clean

PREFIX = "TCP@"
_WAIT_S = 10.0
_PLACE = re.compile(r"(?:\[(?P<six>[0-9A-Fa-f:.%\w]+)\]|(?P<host>[^\s:\[\]]+)):(?P<port>\d{1,5})")


def connect(name: str) -> RawIOBase:
    """Connect to who serves the capture, and give its bytes as a file. Raises SourceError."""
    import socket  # for nothing else that opens captures

    found = _PLACE.fullmatch(name.removeprefix(PREFIX))
    port = int(found["port"]) if found else 0
    if found is None or not 0 < port < 65536:
        raise SourceError(f"{clean(name)}: write TCP@host:port, IPv6 as TCP@[::1]:port", 2)
    host = found["six"] or found["host"]
    try:
        peer = socket.create_connection((host, port), timeout=_WAIT_S)
    except OSError as error:
        why = error.strerror or str(error)
        raise SourceError(
            f"{clean(name)}: {why}; is somebody serving a capture there?", 1
        ) from None
    peer.settimeout(None)
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    with peer:  # the file keeps it open
        return cast(RawIOBase, peer.makefile("rb", buffering=0))

"""Community ID, version 1: the same name for a flow in every monitor that computes it.

The specification is https://github.com/corelight/community-id-spec. Zeek,
Suricata, Wireshark and others print it, so that their records of one
connection can be put side by side. VLANs and tunnels are no part of it.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import ipaddress

from tcpviz.core.segment import Endpoint

_TCP = 6


@functools.lru_cache(maxsize=4096)
def community_id(one: Endpoint, other: Endpoint, seed: int = 0) -> str:
    """``1:`` and the base64 of a SHA-1 over both ends of a TCP connection, either first.

    ``seed`` (0 to 65535) keeps apart what must not be compared; everybody's default is 0.
    Raises ValueError for an address that is no IP address.
    """
    low, high = sorted(
        (ipaddress.ip_address(end.addr).packed, end.port.to_bytes(2, "big")) for end in (one, other)
    )
    # The protocol's number is followed by a byte of padding.
    words = (seed.to_bytes(2, "big"), low[0], high[0], bytes((_TCP, 0)), low[1], high[1])
    # SHA-1 is what the specification says; nothing is protected by it.
    digest = hashlib.sha1(b"".join(words), usedforsecurity=False).digest()
    return "1:" + base64.b64encode(digest).decode("ascii")

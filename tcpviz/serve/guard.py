"""Who may see the screens in a browser: names, origin, token; and whose a local connection is.

A page from elsewhere can make a visitor's browser ask for anything on this
machine. Two things give it away: the name in ``Host``, which is the attacker's
own where a name was rebound to our address, and ``Origin``, which a browser
sends with every WebSocket (RFC 6455, section 10.2) and no page can change.
"""

from __future__ import annotations

import hmac
import secrets
import socket
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from tcpviz.serve.address import Address, as_ip

TOKEN_BYTES = 18


@dataclass(frozen=True, slots=True)
class Guard:
    """``token`` is empty where none is asked for: on this machine's own loopback."""

    address: Address
    token: str = ""
    names: frozenset[str] = field(default_factory=frozenset)

    @classmethod
    def of(cls, address: Address) -> Guard:
        """A guard for this address, with a token of its own where others can reach it."""
        token = "" if address.here_only else secrets.token_urlsafe(TOKEN_BYTES)
        names = {"localhost", address.host.lower()}
        if not address.here_only:
            host = socket.gethostname().lower()
            names |= {host, host.split(".")[0], f"{host.split('.')[0]}.local"}
        return cls(address, token, frozenset(names))

    def knows(self, host: str) -> bool:
        """Whether ``Host`` names this server: a number cannot be rebound, a name must be ours."""
        name = _name(host)
        if name is None:
            return False
        number = as_ip(name)
        if number is None:
            return name in self.names
        return number.is_loopback or not self.address.here_only

    def same_origin(self, headers: Mapping[str, str]) -> bool:
        """Whether the page that asks came from here; a program that is no browser sends nothing."""
        origin = headers.get("Origin")
        if origin is None:
            return True
        try:
            parts = urlsplit(origin)
        except ValueError:
            return False
        return parts.scheme in ("http", "https") and parts.netloc == headers.get("Host", "")

    def admits(self, given: str) -> bool:
        """Whether this is the token; takes as long for every wrong one."""
        return hmac.compare_digest(given.encode("utf-8", "replace"), self.token.encode())


def _name(host: str) -> str | None:
    """The host of ``Host`` in lower case, without port and brackets."""
    try:
        parts = urlsplit(f"//{host}")
        parts.port  # noqa: B018 - raises where it is none
    except ValueError:
        return None
    if parts.username is not None or parts.path or parts.query or parts.fragment:
        return None
    return parts.hostname


def owner(
    peer: tuple[str, int], own: tuple[str, int], proc: Path = Path("/proc/self/net")
) -> int | None:
    """The user whose socket at ``peer`` is connected to ours at ``own``, both on this machine.

    From the kernel's tables (Linux, ``net/ipv4/tcp_ipv4.c``: columns local address, remote
    address and uid); ``None`` where they do not tell.
    """
    sought = {(_hex(*peer, mapped), _hex(*own, mapped)) for mapped in (False, True)}
    for name in ("tcp", "tcp6"):
        try:
            with (proc / name).open() as table:
                for row in table:
                    words = row.split()
                    if len(words) > 7 and (words[1], words[2]) in sought:
                        return int(words[7])
        except (OSError, ValueError):
            continue
    return None


def _hex(host: str, port: int, mapped: bool) -> str:
    """An address as those tables write it: words of 32 bits in the machine's order."""
    number = as_ip(host)
    if number is None:
        return ""
    packed = number.packed
    if mapped and len(packed) == 4:
        packed = b"\0" * 10 + b"\xff\xff" + packed
    words = struct.unpack(f"={len(packed) // 4}I", packed)
    return "".join(f"{word:08X}" for word in words) + f":{port:04X}"

"""Where the screens are served: HOST:PORT read, and whether anybody else can reach it."""

from __future__ import annotations

import ipaddress
import socket
from dataclasses import dataclass
from pathlib import Path

HOST, PORT = "127.0.0.1", 8000


@dataclass(frozen=True, slots=True)
class Address:
    """A host's name or number, and a port; ``port`` is ``None`` where nobody has chosen one."""

    host: str = HOST
    port: int | None = None

    @property
    def here_only(self) -> bool:
        """Only this machine can reach it."""
        if self.host.lower() == "localhost":
            return True
        number = as_ip(self.host)
        return number is not None and number.is_loopback

    @property
    def everywhere(self) -> bool:
        """All of the machine's addresses are meant (0.0.0.0, ::)."""
        number = as_ip(self.host)
        return number is not None and number.is_unspecified


def as_ip(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The number that a host is written as; ``None`` where it is a name."""
    try:
        return ipaddress.ip_address(host.split("%")[0])
    except ValueError:
        return None


def apart(words: list[str]) -> list[str]:
    """A command line in which a file behind ``--serve`` is not taken for its address."""
    made = list(words)
    for at, word in enumerate(words[:-1]):
        after = words[at + 1]
        if word != "--serve" or after.startswith("-"):
            continue
        try:
            address = parse(after)
        except ValueError:
            continue
        if address is None and Path(after).exists():
            made[at] = "--serve="
    return made


def parse(text: str) -> Address | None:
    """``8000``, ``HOST``, ``HOST:PORT``, ``[IPv6]:PORT``; ``None`` for what is no such thing.

    A word alone is an address only where it is a number or ``localhost``: it may as well be a
    scenario's name. Raises ValueError for a port that there cannot be.
    """
    text = text.strip()
    if text.isdecimal():
        return Address(port=_port(text))
    host, colon, port = text.rpartition(":")
    if text.startswith("["):
        inner, closed, after = text[1:].partition("]")
        number = as_ip(inner)
        if not closed or number is None or number.version != 6:
            raise ValueError(f"no IPv6 address: {text}")
        if after and not after.startswith(":"):
            raise ValueError(f"no port: {after}")
        return Address(inner, _port(after[1:]) if after else None)
    if as_ip(text) is not None or text.lower() == "localhost":
        return Address(text)
    if colon and ":" not in host and "/" not in host and (port.isdecimal() or not port):
        return Address(host or HOST, _port(port) if port else None)
    return None


def _port(text: str) -> int:
    if not text.isdecimal() or len(text) > 5 or not 0 <= int(text) <= 65535:
        raise ValueError(f"a port is a number up to 65535, not {text!r}")
    return int(text)


def written(host: str, port: int) -> str:
    """Host and port as a URL has them."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def own_number() -> str:
    """The address from which this machine talks to others; loopback where it has none.

    A datagram socket that is connected asks the routing table and sends nothing.
    """
    for family, far in ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1")):
        try:
            with socket.socket(family, socket.SOCK_DGRAM) as asked:
                asked.connect((far, 9))
                return str(asked.getsockname()[0])
        except OSError:
            continue
    return HOST

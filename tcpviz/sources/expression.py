"""The common part of pcap-filter(7) in plain Python, for machines with nothing to compile filters.

It judges segments after they were captured, where libpcap's program would have
kept other packets out of the program. Understood are ``tcp``, ``ip``, ``ip6``,
``[src|dst] host|net|port|portrange`` with names of ports and hosts, ``and``,
``or``, ``not``, their signs, and parentheses; an identifier alone takes the
words of the one before it ("port 80 or 443").
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Callable

from tcpviz.core.segment import Endpoint, Segment
from tcpviz.sources.feed import SourceError

Predicate = Callable[[Segment], bool]
_Match = Callable[[Endpoint], bool]

_TOKEN = re.compile(r"\s*(&&|\|\||!=|[()!]|[^\s()!&|]+)")
_PROTOCOLS: dict[str, Predicate] = {
    "tcp": lambda _: True,
    "ip": lambda segment: ":" not in segment.src.addr,
    "ip6": lambda segment: ":" in segment.src.addr,
}
_TYPES = ("host", "net", "port", "portrange")
_SIGNS = {"&&": "and", "||": "or", "!": "not"}
_WORDS = {*_PROTOCOLS, *_TYPES, "src", "dst", "and", "or", "not", "(", ")"}

_DEEPEST = 100


class _UnknownError(Exception):
    """Outside the subset; the text says where."""


def compile_expression(words: str) -> Predicate:
    """A predicate for these words; empty ones pass everything.

    Raises SourceError (exit code 2) for what is wrong or not understood here.
    """
    try:
        return _Parser(words).parse()
    except _UnknownError as error:
        raise SourceError(
            f"filter {words!r}: {error}; only simple filters work without a compiler: "
            "install libpcap or tcpdump",
            exit_code=2,
        ) from None


class _Parser:
    """Recursive descent; ``and`` and ``or`` bind alike, from the left, as in libpcap."""

    def __init__(self, words: str) -> None:
        self._tokens: list[str] = []
        position = 0
        text = words.rstrip()
        while position < len(text):
            found = _TOKEN.match(text, position)
            if not found:
                raise _UnknownError(f"not understood: {text[position:]!r}")
            token = found.group(1)
            self._tokens.append(_SIGNS.get(token, token))
            position = found.end()
        self._at = 0
        self._depth = 0
        self._last: tuple[Predicate, str, str] | None = None

    def parse(self) -> Predicate:
        if not self._tokens:
            return lambda _: True
        result = self._alternatives()
        if self._next():
            raise _UnknownError(f"not understood: {self._next()!r}")
        return result

    def _next(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def _take(self) -> str:
        token = self._next()
        self._at += 1
        return token

    def _alternatives(self) -> Predicate:
        left = self._factor()
        while self._next() in ("and", "or"):
            join = self._take()
            right = self._factor()
            left = _both(left, right) if join == "and" else _either(left, right)
        return left

    def _factor(self) -> Predicate:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise _UnknownError("too many parentheses")
        try:
            if self._next() == "not":
                self._take()
                inner = self._factor()
                return lambda segment: not inner(segment)
            if self._next() == "(":
                self._take()
                result = self._alternatives()
                if self._take() != ")":
                    raise _UnknownError("a parenthesis is not closed")
                return result
            return self._primitive()
        finally:
            self._depth -= 1

    def _primitive(self) -> Predicate:
        if not self._next():
            raise _UnknownError("it ends too soon")
        protocol: Predicate | None = None
        if self._next() in _PROTOCOLS:
            protocol = _PROTOCOLS[self._take()]
        direction = self._direction()
        kind = self._take() if self._next() in _TYPES else ""
        follows = self._next() and self._next() not in _WORDS
        if not kind and not direction and protocol:
            if follows:
                raise _UnknownError(f"not understood: {self._next()!r}")
            return protocol
        if not kind and not direction:
            # An identifier alone takes the qualifiers of the one before it.
            if not self._last or not follows:
                raise _UnknownError(f"not understood: {self._next()!r}")
            protocol, direction, kind = self._last
        if not follows:
            raise _UnknownError(f"{kind or direction} of what?")
        # libpcap: "src foo" is "src host foo".
        kind = kind or "host"
        always = protocol or _PROTOCOLS["tcp"]
        self._last = (always, direction, kind)
        return _both(always, _directed(direction or "or", _matcher(kind, self._take())))

    def _direction(self) -> str:
        if self._next() not in ("src", "dst"):
            return ""
        first = self._take()
        rest = self._tokens[self._at : self._at + 2]
        other = "dst" if first == "src" else "src"
        if len(rest) == 2 and rest[0] in ("and", "or") and rest[1] == other:
            self._at += 2
            return rest[0]
        return first


def _both(left: Predicate, right: Predicate) -> Predicate:
    return lambda segment: left(segment) and right(segment)


def _either(left: Predicate, right: Predicate) -> Predicate:
    return lambda segment: left(segment) or right(segment)


def _directed(direction: str, match: _Match) -> Predicate:
    if direction == "src":
        return lambda segment: match(segment.src)
    if direction == "dst":
        return lambda segment: match(segment.dst)
    if direction == "and":
        return lambda segment: match(segment.src) and match(segment.dst)
    return lambda segment: match(segment.src) or match(segment.dst)


def _matcher(kind: str, value: str) -> _Match:
    if kind == "port":
        port = _port(value)
        return lambda end: end.port == port
    if kind == "portrange":
        low_text, dash, high_text = value.partition("-")
        low = _port(low_text)
        high = _port(high_text) if dash else low
        low, high = min(low, high), max(low, high)
        return lambda end: low <= end.port <= high
    if kind == "net":
        network = _network(value)
        return lambda end: _address(end.addr) in network
    addresses = _hosts(value)
    return lambda end: _address(end.addr) in addresses


def _port(text: str) -> int:
    if text.isascii() and text.isdigit():
        if int(text) > 65535:
            raise _UnknownError(f"port {text} is above 65535")
        return int(text)
    try:
        return socket.getservbyname(text, "tcp")
    except OSError:
        raise _UnknownError(f"port {text!r} is not known") from None


def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    # "net 192.168.1" is 192.168.1.0/24: bytes left out are not looked at.
    if re.fullmatch(r"\d{1,3}(\.\d{1,3}){0,2}", text):
        count = text.count(".") + 1
        text = f"{text}{'.0' * (4 - count)}/{8 * count}"
    try:
        return ipaddress.ip_network(text)
    except ValueError as error:
        raise _UnknownError(str(error)) from None


def _hosts(text: str) -> frozenset[ipaddress.IPv4Address | ipaddress.IPv6Address]:
    try:
        return frozenset((ipaddress.ip_address(text),))
    except ValueError:
        pass
    try:
        found = socket.getaddrinfo(text, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise _UnknownError(f"host {text!r} is not known") from None
    return frozenset(ipaddress.ip_address(str(entry[4][0]).split("%")[0]) for entry in found)


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    return ipaddress.ip_address(text)

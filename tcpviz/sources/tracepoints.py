"""Tracepoints about TCP: where the kernel describes them, how their records are laid out.

Nothing is assumed of a record: each kernel's ``format`` files (Documentation/trace/events.rst)
tell where a field is, how long, and which number is which name. What differs between kernels
(a port and an address, or a ``struct sockaddr``; a reset's reason, or none) is looked at by the
fields that are there. Bytes in, plain tuples out; no I/O but the reading of those files.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

STATE: Final = "sock/inet_sock_set_state"
RETRANSMIT: Final = "tcp/tcp_retransmit_skb"
SYN_ACK: Final = "tcp/tcp_retransmit_synack"
RESET_SENT: Final = "tcp/tcp_send_reset"
RESET_RECEIVED: Final = "tcp/tcp_receive_reset"
CONGESTION: Final = "tcp/tcp_cong_state_set"

WANTED: Final = (STATE, RETRANSMIT, RESET_SENT, RESET_RECEIVED)
"""What is told; a kernel without one of them tells the others."""

HELPFUL: Final = (SYN_ACK, CONGESTION)
"""Newer ones: a repeated SYN,ACK, and why a segment is repeated."""

PATIENT: Final = b"p"
"""What the process that reads them may be told while it runs: nobody waits for each, ..."""
QUICK: Final = b"q"
"""... or somebody does, as in the beginning."""

INTERRUPT: Final = 0x08 | 0x10 | 0x40
"""``common_flags``: a hardware interrupt, a software interrupt, an NMI (linux/trace_events.h).

Outside of them what runs is the process that made the call, or found its segments waiting.
"""

_TCP: Final = 6  # IPPROTO_TCP; the rest of inet_sock_set_state is MPTCP, SCTP, DCCP
_FIELD = re.compile(
    r"^\s*field:(?P<what>[^;]*);\s*offset:(?P<at>\d+);\s*size:(?P<size>\d+);"
    r"(?:\s*signed:(?P<signed>[01]);)?",
    re.MULTILINE,
)
_NAME = re.compile(r"([A-Za-z_]\w*)\s*(?:\[[^\]]*\])?$")
_SYMBOLS = re.compile(r"__print_symbolic\(\s*REC->(\w+)\s*,(.*?\})\s*\)", re.DOTALL)
_SYMBOL = re.compile(r'\{\s*(-?(?:0x[0-9a-fA-F]+|\d+))\s*,\s*"([^"]*)"\s*\}')
_MOST_TEXT = 1 << 16


@dataclass(frozen=True, slots=True)
class Place:
    """Where a field is in a record."""

    offset: int
    size: int
    signed: bool


@dataclass(frozen=True, slots=True)
class Layout:
    """A tracepoint's record: ``fields`` by name, and ``symbols``: names of a field's numbers."""

    name: str
    ident: int
    fields: Mapping[str, Place]
    symbols: Mapping[str, Mapping[int, str]] = field(default_factory=dict)

    def number(self, data: bytes, name: str) -> int | None:
        """The field's number; ``None`` where the kernel has no such field, or the record none."""
        place = self.fields.get(name)
        if place is None or place.offset + place.size > len(data) or not 0 < place.size <= 8:
            return None
        piece = data[place.offset : place.offset + place.size]
        return int.from_bytes(piece, _ORDER, signed=place.signed)

    def bytes_of(self, data: bytes, name: str) -> bytes | None:
        place = self.fields.get(name)
        if place is None or place.offset + place.size > len(data):
            return None
        return data[place.offset : place.offset + place.size]

    def symbol(self, data: bytes, name: str) -> str:
        """What the kernel calls the field's number; empty where it has no name for it."""
        number = self.number(data, name)
        return "" if number is None else self.symbols.get(name, {}).get(number, "")


_ORDER: Final = "little" if socket.htons(1) != 1 else "big"

Ends = tuple[str, int, str, int]


@dataclass(frozen=True, slots=True)
class Fired:
    """A tracepoint's record in plain values; ``sock`` is the socket's address in the kernel."""

    name: str
    ends: Ends
    sock: int
    before: str
    after: str
    reason: str
    number: int | None
    in_call: bool
    thread: int


def parse_format(name: str, text: str) -> Layout:
    """Read a ``format`` file. Raises ValueError where it is none."""
    text = text[:_MOST_TEXT]
    found = re.search(r"^ID:\s*(\d+)", text, re.MULTILINE)
    if not found:
        raise ValueError(f"{name}: no ID in its format")
    fields = {}
    for match in _FIELD.finditer(text):
        called = _NAME.search(match["what"].strip())
        if called:
            signed = match["signed"] == "1"
            fields[called[1]] = Place(int(match["at"]), int(match["size"]), signed)
    symbols: dict[str, dict[int, str]] = {}
    for match in _SYMBOLS.finditer(text):
        pairs = {int(number, 0): word for number, word in _SYMBOL.findall(match[2])}
        if pairs:
            symbols.setdefault(match[1], pairs)
    return Layout(name, int(found[1]), fields, symbols)


def read_layouts(tracefs: Path) -> dict[str, Layout]:
    """The tracepoints that this kernel has, by name. Raises OSError, ValueError where none."""
    found: dict[str, Layout] = {}
    for name in (*WANTED, *HELPFUL):
        try:
            text = (tracefs / "events" / name / "format").read_text("utf-8", "replace")
        except FileNotFoundError:
            continue
        found[name] = parse_format(name, text)
    if STATE not in found:
        raise ValueError(f"this kernel has no tracepoint {STATE.replace('/', ':')}")
    return found


def states(layouts: Mapping[str, Layout]) -> Mapping[int, str]:
    """The numbers of TCP's states: only inet_sock_set_state has them as numbers everywhere."""
    return layouts[STATE].symbols.get("newstate", {})


def decode(layout: Layout, data: bytes, names: Mapping[int, str]) -> Fired | None:
    """A record's values; ``None`` for what is not TCP, or too short for its own format.

    ``names`` are those of :func:`states`.
    """
    if layout.name == STATE and layout.number(data, "protocol") not in (_TCP, None):
        return None
    ends = _ends(layout, data)
    if ends is None:
        return None
    before, after = layout.number(data, "oldstate"), layout.number(data, "newstate")
    if after is None:
        after = layout.number(data, "state")
    return Fired(
        layout.name,
        ends,
        layout.number(data, "skaddr") or 0,
        names.get(before, "") if before is not None else "",
        names.get(after, "") if after is not None else "",
        layout.symbol(data, "reason").lower().replace("_", "-"),
        layout.number(data, "cong_state"),
        not (layout.number(data, "common_flags") or 0) & INTERRUPT,
        layout.number(data, "common_pid") or 0,
    )


def _ends(layout: Layout, data: bytes) -> Ends | None:
    place = layout.fields.get("saddr")
    if place is not None and place.size > 16:  # struct sockaddr_in or sockaddr_in6
        source = _sockaddr(layout.bytes_of(data, "saddr"))
        target = _sockaddr(layout.bytes_of(data, "daddr"))
        return None if source is None or target is None else (*source, *target)
    sport, dport = layout.number(data, "sport"), layout.number(data, "dport")
    if sport is None or dport is None:
        return None
    source_addr = _address(layout, data, "saddr")
    target_addr = _address(layout, data, "daddr")
    if source_addr is None or target_addr is None:
        return None
    return source_addr, sport, target_addr, dport


def _address(layout: Layout, data: bytes, name: str) -> str | None:
    """IPv4 inside IPv6 as IPv4, as the packets have it."""
    family = layout.number(data, "family")
    six = layout.bytes_of(data, f"{name}_v6")
    four = layout.bytes_of(data, name)
    # Older ones have no family: an IPv4 socket's other field holds ::ffff:a.b.c.d.
    if six is not None and len(six) == 16 and family in (None, socket.AF_INET6):
        return _six(six)
    return socket.inet_ntoa(four) if four is not None and len(four) == 4 else None


def _six(address: bytes) -> str:
    if address[:12] == b"\0" * 10 + b"\xff\xff":
        return socket.inet_ntoa(address[12:])
    return socket.inet_ntop(socket.AF_INET6, address)


def _sockaddr(data: bytes | None) -> tuple[str, int] | None:
    if data is None or len(data) < 16:
        return None
    family = int.from_bytes(data[:2], _ORDER)
    port = int.from_bytes(data[2:4], "big")
    if family == socket.AF_INET:
        return socket.inet_ntoa(data[4:8]), port
    if family == socket.AF_INET6 and len(data) >= 28:
        return _six(data[8:24]), port
    return None

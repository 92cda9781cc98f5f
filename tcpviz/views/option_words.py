"""TCP options in words: what each is called, what it says, and what it is for.

Kinds as in IANA's registry of TCP options; MPTCP's subtypes from RFC 8684,
experiment numbers from RFC 6994's registry. What is captured is data from
strangers: it is shown as numbers and hexadecimal digits only.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from tcpviz.core import seq as seqno
from tcpviz.core.segment import Options
from tcpviz.views.numbers import plural
from tcpviz.words import _

NAMES: Final[dict[int, tuple[str, str]]] = {
    6: ("echo", "an early way to measure round-trip times (RFC 1072), replaced by timestamps"),
    7: ("echo reply", "the answer to an echo (RFC 1072)"),
    9: ("partial order ok", "partial order service, historic (RFC 1693)"),
    10: ("partial order", "partial order service, historic (RFC 1693)"),
    11: ("CC", "transaction TCP's connection count, historic (RFC 1644)"),
    12: ("CC.NEW", "transaction TCP's new connection count, historic (RFC 1644)"),
    13: ("CC.ECHO", "transaction TCP's connection count repeated, historic (RFC 1644)"),
    14: ("checksum request", "asks for another checksum, historic (RFC 1146)"),
    15: ("checksum data", "another checksum, historic (RFC 1146)"),
    16: ("Skeeter", "an early key exchange, never published"),
    17: ("Bubba", "an early key exchange, never published"),
    18: ("trailer checksum", "a checksum behind the data, never published"),
    19: (
        "MD5",
        "a signature by MD5 and a shared key (RFC 2385): protects BGP sessions against "
        "forged resets; without the key nobody can check it",
    ),
    20: ("SCPS", "capabilities of space communication protocols"),
    21: ("SNACK", "selective negative acknowledgements of space communication protocols"),
    22: ("record boundary", "a record's end, of space communication protocols"),
    23: ("corruption", "corruption experienced, of space communication protocols"),
    24: ("SNAP", "never published"),
    26: ("compression filter", "never published"),
    27: ("quick start", "asks routers for a faster start (RFC 4782)"),
    28: ("user timeout", "how long unacknowledged data may stay so before giving up (RFC 5482)"),
    29: (
        "TCP-AO",
        "authentication (RFC 5925): a signature by one of several shared keys, which may "
        "change while the connection lives; without the key nobody can check it",
    ),
    30: ("MPTCP", "Multipath TCP (RFC 8684): one connection over several paths"),
    34: ("TFO", "Fast Open's cookie (RFC 7413): lets a SYN carry data that is used at once"),
    69: ("ENO", "encryption negotiated within TCP (RFC 8547)"),
    70: ("kind 70", "used without being assigned"),
    76: ("kind 76", "used without being assigned; by WAN optimisers to find one another"),
    77: ("kind 77", "used without being assigned"),
    78: ("kind 78", "used without being assigned; by WAN optimisers to keep addresses visible"),
    172: ("AccECN0", "exact counts of congestion marks (RFC 9768)"),
    174: ("AccECN1", "exact counts of congestion marks (RFC 9768)"),
    253: ("experiment", "an experiment, told apart by its number (RFC 6994)"),
    254: ("experiment", "an experiment, told apart by its number (RFC 6994)"),
}
"""Kinds that have no field of their own in :class:`Options`: name and purpose."""

KNOWN: Final[dict[int, str]] = {2: "MSS", 3: "window scale", 4: "SACK ok", 5: "SACK", 8: "TS"}
"""Kinds that are decoded, where their length is not what it must be."""

SUBTYPES: Final[dict[int, tuple[str, str]]] = {
    0: ("MP_CAPABLE", "speaks Multipath TCP; its keys make the token that further paths name"),
    1: ("MP_JOIN", "this path joins a connection that exists already"),
    2: ("DSS", "maps this path's bytes to the whole connection's, and acknowledges those"),
    3: ("ADD_ADDR", "tells a further address that can be used"),
    4: ("REMOVE_ADDR", "an address can no longer be used"),
    5: ("MP_PRIO", "makes this path a backup, or a regular one again"),
    6: ("MP_FAIL", "a checksum was wrong: falls back to one path"),
    7: ("MP_FASTCLOSE", "closes the whole connection at once"),
    8: ("MP_TCPRST", "why this path was reset"),
    15: ("MP_EXPERIMENTAL", "an experiment"),
}
"""MPTCP's subtypes: name and purpose."""

EXPERIMENTS: Final[dict[int, str]] = {
    0x454E: "encryption negotiation",
    0xF989: "Fast Open",
    0xACCE: "accurate ECN",
    0xE2D4: "shared memory communications",
}
"""Experiments by number (RFC 6994's registry)."""


_MPTCP: Final = 30


@dataclass(frozen=True, slots=True)
class OptionWords:
    """One option: ``short`` as tcpdump abbreviates it, its name, and what it is for."""

    kind: int
    short: str
    name: str
    meaning: str


def words(options: Options, sack_base: int = 0) -> Iterator[OptionWords]:
    """Every option of a segment. SACK blocks are counted from ``sack_base``."""
    o = options
    if o.mss is not None:
        yield OptionWords(
            2,
            f"mss {o.mss}",
            _("maximum segment size"),
            _("can take segments of {bytes} of data (RFC 9293 3.7.1)").format(
                bytes=plural(o.mss, "byte")
            ),
        )
    if o.sack_permitted:
        yield OptionWords(4, "sackOK", _("SACK permitted"), _("understands SACK (RFC 2018)"))
    if o.timestamps is not None:
        value, echo = o.timestamps
        yield OptionWords(
            8,
            f"TS val {value} ecr {echo}",
            _("timestamps"),
            _(
                "its clock, and the other end's latest value: for round-trip times and against "
                "old segments (RFC 7323)"
            ),
        )
    if o.window_scale is not None:
        shift = min(o.window_scale, 14)
        meaning = _("its windows count in units of {unit} (RFC 7323)").format(unit=1 << shift)
        yield OptionWords(3, f"wscale {o.window_scale}", _("window scale"), meaning)
    for left, right in o.sack:
        left, right = seqno.add(left, -sack_base), seqno.add(right, -sack_base)
        meaning = _("has this beyond a hole, or (D-SACK) got it twice (RFC 2018, 2883)")
        yield OptionWords(5, f"sack {left}:{right}", _("selective acknowledgement"), meaning)
    if o.fast_open is not None:
        if o.fast_open:
            meaning = _("the server's cookie: the data in this SYN may be used at once (RFC 7413)")
        else:
            meaning = _("asks for a Fast Open cookie for next time (RFC 7413)")
        short = f"tfo {o.fast_open.hex() or 'request'}"
        yield OptionWords(34, short, _("Fast Open cookie"), meaning)
    for kind, data in o.unknown:
        yield _other(kind, data)


def name_of(kind: int, data: bytes) -> str:
    """An option without a field of its own in as few words as possible: ``MP_JOIN``, ``TCP-AO``."""
    if kind == _MPTCP and data:
        return SUBTYPES.get(data[0] >> 4, ("MPTCP", ""))[0]
    return NAMES.get(kind, (KNOWN.get(kind, f"option {kind}"), ""))[0]


def _other(kind: int, data: bytes) -> OptionWords:
    rest = f" {data.hex()}" if data else ""
    if kind in KNOWN:
        meaning = _("of a length that it cannot have: ignored")
        return OptionWords(kind, f"bad {KNOWN[kind]}{rest}", KNOWN[kind], meaning)
    if kind == _MPTCP and data:
        return _multipath(data)
    if kind in (253, 254) and len(data) >= 2:
        number = int.from_bytes(data[:2], "big")
        name = EXPERIMENTS.get(number, f"experiment {number:#06x}")
        after = f" {data[2:].hex()}" if len(data) > 2 else ""
        return OptionWords(kind, f"exp {number:04x}{after}", name, _(NAMES[kind][1]))
    name, meaning = NAMES.get(kind, (f"option {kind}", "not assigned, or not known here"))
    if kind == 29 and len(data) >= 2:
        rest = f" key {data[0]} next {data[1]} mac {data[2:].hex()}"
    elif kind == 28 and len(data) == 2:
        value = int.from_bytes(data, "big")
        unit = "min" if value & 0x8000 else "s"
        rest = f" {value & 0x7FFF} {unit}"
    short = name if kind in NAMES else f"option {kind}"
    return OptionWords(kind, short + rest, name, _(meaning))


def _multipath(data: bytes) -> OptionWords:
    subtype = data[0] >> 4
    name, meaning = SUBTYPES.get(subtype, (f"subtype {subtype}", "not assigned"))
    detail = ""
    if subtype == 0:
        detail = f" v{data[0] & 0x0F}"
        if len(data) in (10, 18, 20, 22):
            detail += f" key {data[2:10].hex()}"
    elif subtype == 1 and len(data) == 10:
        detail = f" token {data[2:6].hex()} address {data[1]}"
    elif subtype == 8 and len(data) == 2:
        detail = f" reason {data[1]}"
    return OptionWords(30, f"mptcp {name}{detail}", f"Multipath TCP {name}", _(meaning))

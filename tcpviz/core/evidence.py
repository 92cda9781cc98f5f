"""Evidence: the frames that a verdict rests on, so that anybody can look for themselves."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from tcpviz.core.connection import Connection
from tcpviz.core.records import Side
from tcpviz.core.verdict_codes import Code, Verdict, signs_of
from tcpviz.core.vitals import Signs

MOST: Final = 16
"""Frames given for one verdict."""

_SYNS, _FINS = ("first_syn", "last_syn"), ("first_fin", "last_fin")

WHERE: Final[dict[Code, tuple[tuple[str, tuple[str, ...]], ...]]] = {
    # whose signs (who: the end that the verdict speaks of; peer: the other; both), and which
    Code.SYN_FLOOD: (("client", _SYNS), ("server", _SYNS)),
    Code.PORT_SCAN: (("client", ("first_syn", "last")), ("server", ("first_syn", "rst"))),
    Code.HOST_SCAN: (("client", ("first_syn", "last")), ("server", ("first_syn", "rst"))),
    Code.BACKSCATTER: (("server", _SYNS),),
    Code.NULL_SCAN: (("client", ("last",)), ("server", ("rst",))),
    Code.XMAS_SCAN: (("client", ("last",)), ("server", ("rst",))),
    Code.FIN_SCAN: (("client", _FINS), ("server", ("rst",))),
    Code.SYN_SCAN: (("both", ("first_syn",)), ("client", ("rst",))),
    Code.REFUSED: (("client", _SYNS), ("server", ("rst",))),
    Code.UNREACHABLE: (("client", _SYNS), ("icmp", ())),
    Code.NO_ANSWER: (("client", _SYNS),),
    Code.HALF_OPEN: (("client", ("first_syn",)), ("server", _SYNS)),
    Code.CHALLENGED: (("client", _SYNS), ("server", ("last",))),
    Code.SYN_ACK_ALONE: (("server", _SYNS),),
    Code.SIMULTANEOUS_OPEN: (("both", _SYNS),),
    Code.RESET: (("who", ("rst", "first_fin")), ("peer", ("first_fin", "last"))),
    Code.STRAY: (("who", ("rst",)), ("peer", ("last",))),
    Code.GONE_SILENT: (("who", ("last",)), ("peer", ("again", "last again", "alive"))),
    Code.FIN_UNANSWERED: (("who", _FINS),),
    Code.NEVER_CLOSED: (("peer", ("first_fin",)), ("who", ("last",))),
    Code.HALF_CLOSED: (("peer", ("first_fin",)), ("who", ("last",))),
    Code.CLOSING: (("both", ("first_fin",)),),
    Code.ABANDONED: (("both", ("last",)),),
    Code.ASYMMETRIC: (("who", ("last",)),),
    Code.KEEP_ALIVE_ONLY: (("both", ("alive",)),),
    Code.CLOSED_NORMALLY: (("both", ("first_fin",)),),
    Code.OPEN: (("both", ("first_syn", "last")),),
    Code.KERNEL_DISAGREES: (),
    Code.OTHER_DATA: (("who", ("other data",)),),
    Code.ZERO_WINDOW_STALL: (("who", ("zero", "last zero")),),
    Code.PATH_MTU: (("who", ("again", "last again")), ("icmp", ())),
    Code.LOSSY: (("who", ("again", "last again")),),
    Code.SLOW_HANDSHAKE: (("client", _SYNS), ("server", _SYNS)),
    Code.ICMP_ERROR: (("icmp", ()),),
    Code.BAD_CHECKSUMS: (("who", ("sum",)),),
    Code.MIDDLEBOX_SUSPECTED: (("who", ("first_syn", "rst", "echo", "sack")),),
    Code.RESETS_IGNORED: (("both", ("rst",)),),
    Code.SYNS_IGNORED: (("both", ("last_syn",)),),
    Code.SPLIT_HANDSHAKE: (("both", _SYNS),),
    Code.ICMP_FORGED: (),
    Code.PORT_ZERO: (("who", ("first_syn", "last")),),
    Code.NEEDLESS_RETRANSMISSIONS: (("who", ("needless",)),),
    Code.CONGESTION_MARKED: (("both", ("marked", "echoed")),),
    Code.CAPTURE_GAPS: (("gap", ()),),
    Code.CAPTURED_TWICE: (("copy", ()),),
    Code.CHECKSUM_OFFLOAD: (("both", ("sum",)),),
    Code.MID_STREAM: (),
    Code.PORTS_REUSED: (("client", ("first_syn",)),),
    Code.FAST_OPEN: (("both", ("first_syn",)),),
    Code.MULTIPATH: (("both", ("first_syn",)),),
    Code.URGENT_DATA: (("who", ("urgent",)),),
}
"""What each verdict rests on, in the words of :class:`tcpviz.core.vitals.Signs`."""


def evidence(connection: Connection, verdict: Verdict) -> tuple[int, ...]:
    """Frame numbers, at most :data:`MOST`, ascending; empty where no segment shows it."""
    found = sorted({frame for frame in _frames(connection, verdict) if frame})
    return tuple(found[:MOST])


def _frames(c: Connection, verdict: Verdict) -> Iterator[int]:
    for whose, names in WHERE[verdict.code]:
        if whose == "icmp":
            yield from () if c.analysis is None else (each.frame for each in c.analysis.errors)
        elif whose in ("gap", "copy"):
            if c.analysis is not None:
                yield (c.analysis.vitals.frames or {}).get(whose, 0)
        else:
            for side in _sides(whose, verdict.side):
                signs = signs_of(c, side)
                yield from (_frame(signs, name) for name in names)


def _sides(whose: str, speaks_of: Side | None) -> tuple[Side, ...]:
    if whose == "client":
        return (Side.CLIENT,)
    if whose == "server":
        return (Side.SERVER,)
    if whose == "both" or speaks_of is None:
        return (Side.CLIENT, Side.SERVER)
    return (speaks_of if whose == "who" else speaks_of.other,)


def _frame(signs: Signs, name: str) -> int:
    if name in ("first_syn", "last_syn", "first_fin", "last_fin", "rst", "last"):
        frame: int = getattr(signs, f"{name}_frame")
        return frame
    return (signs.frames or {}).get(name, 0)

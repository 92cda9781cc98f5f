"""Segments from short lines, for analysers that take segments one by one.

A line is ``SENDER FLAGS [seq=] [len=] [ack=] [win=] [at=] ...``: sender ``c`` or
``s``; flags as letters of SAFRP or ``-``; ``seq`` and ``ack`` relative to the
initial numbers (default: where the sender and its peer stand); ``at`` in
milliseconds (default: 10 ms after the line before); ``id`` the IP
identification (default: a new one each time).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tcpviz.core import seq as seqno
from tcpviz.core.records import Side
from tcpviz.core.segment import Endpoint, Flags, Options, Segment

MS = 1_000_000
LETTERS = {"S": Flags.SYN, "A": Flags.ACK, "F": Flags.FIN, "R": Flags.RST, "P": Flags.PSH}
ENDS = {"c": Endpoint("10.0.0.1", 40000), "s": Endpoint("10.0.0.2", 80)}
SIDES = {"c": Side.CLIENT, "s": Side.SERVER}


def script(
    *lines: str,
    iss: tuple[int, int] = (1000, 5000),
    ends: dict[str, Endpoint] = ENDS,
    options: dict[int, Options] | None = None,
    more: dict[int, dict[str, Any]] | None = None,
) -> Iterator[tuple[Segment, Side]]:
    """The lines' segments with their senders; frames count from 1.

    ``options`` and ``more`` (any fields of Segment) are by frame.
    """
    first = dict(zip("cs", iss, strict=True))
    stand = dict(first)
    now = 0
    for frame, line in enumerate(lines, 1):
        who, letters, *rest = line.split()
        other = "s" if who == "c" else "c"
        given = {key: int(value) for key, value in (word.split("=") for word in rest)}
        flags = Flags(0)
        for letter in letters.replace("-", ""):
            flags |= LETTERS[letter]
        now = given["at"] * MS if "at" in given else now + 10 * MS
        seq = seqno.add(first[who], given["seq"]) if "seq" in given else stand[who]
        ack = seqno.add(first[other], given["ack"]) if "ack" in given else stand[other]
        length = given.get("len", 0)
        segment = Segment(
            now,
            ends[who],
            ends[other],
            seq,
            ack if flags & Flags.ACK else 0,
            flags,
            given.get("win", 65535),
            length,
            (options or {}).get(frame, Options()),
            bytes(min(length, given.get("cap", length))),
            frame=frame,
            ip_id=given.get("id", frame),
            **(more or {}).get(frame, {}),
        )
        if seqno.gt(segment.seq_end, stand[who]):
            stand[who] = segment.seq_end
        yield segment, SIDES[who]


HANDSHAKE = ("c S", "s SA", "c A")

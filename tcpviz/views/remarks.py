"""Remarks: what is worth saying of a segment beside Wireshark's marks, in names of our own."""

from __future__ import annotations

import enum
from typing import Final

from tcpviz.core.timeline import Step

CONGESTION: Final = 3

ECN: Final = ("not-ect", "ect1", "ect0", "ce")
"""The IP header's ECN field by its value (RFC 3168 section 5)."""


class Remark(enum.StrEnum):
    """One remark.

    ``ce``          marked "congestion experienced" on its way (RFC 3168)
    ``sack``        tells what came beyond a hole (RFC 2018)
    ``dsack``       tells what came twice (RFC 2883)
    ``other-data``  its sequence numbers were captured before with other data
    """

    CE = "ce"
    SACK = "sack"
    DSACK = "dsack"
    OTHER_DATA = "other-data"


ABOUT: Final = {
    Remark.CE: "marked on its way: congestion experienced",
    Remark.SACK: "it tells what arrived beyond a hole",
    Remark.DSACK: "it tells what arrived twice",
    Remark.OTHER_DATA: "the same numbers came before with other data",
}


def remarks(step: Step) -> list[Remark]:
    """What there is to say of a step's segment; empty for any other step."""
    segment, seen = step.segment, step.observation
    found: list[Remark] = []
    if segment is None:
        return found
    if segment.ecn == CONGESTION:
        found.append(Remark.CE)
    if seen is not None and seen.dsack is not None:
        found.append(Remark.DSACK)
    elif segment.options.sack:
        found.append(Remark.SACK)
    if seen is not None and seen.other_data:
        found.append(Remark.OTHER_DATA)
    return found

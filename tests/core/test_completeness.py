"""Wireshark's completeness, bit by bit."""

from __future__ import annotations

import pytest

from tcpviz.core.completeness import Completeness
from tests.core.script import HANDSHAKE, script


def value(*lines: str) -> int:
    completeness = Completeness()
    for segment, side in script(*lines):
        completeness.observe(segment, side)
    return completeness.value


@pytest.mark.parametrize(
    ("lines", "bits"),
    [
        ((), 0),
        (("c S",), 1),
        (("c S", "s SA"), 3),
        (HANDSHAKE, 7),
        ((*HANDSHAKE, "c PA len=5"), 15),
        ((*HANDSHAKE, "c PA len=5", "c FA", "s FA", "c A"), 31),
        ((*HANDSHAKE, "c PA len=5", "s R"), 47),
        # A refused SYN: the reset acknowledges it, and that is an ACK without data.
        (("c S", "s RA"), 37),
        # The SYN captured behind its SYN-ACK does not count; nor does a later SYN.
        (("s SA", "c S", "c A"), 6),
        (("c A seq=1", "c S"), 4),
        # Data in the SYN counts, in the SYN-ACK it does not.
        (("c S len=9", "s SA"), 11),
        (("c S", "s SA len=9"), 3),
        # A FIN without ACK does not count, a RST does; data without ACK neither.
        (("c F seq=5",), 0),
        (("c R seq=5",), 32),
        (("c - seq=5 len=3",), 0),
        (("c FA seq=5 len=3",), 24),
        (("s SA",), 2),
    ],
)
def test_bits(lines: tuple[str, ...], bits: int) -> None:
    assert value(*lines) == bits

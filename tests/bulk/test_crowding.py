"""Crowds by columns: handshakes that come about and such as do not, of few sources and many."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tcpviz.core.crowds import FLOOD, crowds
from tcpviz.wire.frame import Frame
from tests.bulk import variants
from tests.bulk.compare import differences, scalar
from tests.wire import packets

_SYN, _ANSWER, _THIRD, _RESET = (
    (0, 2, 100, 0),
    (1, 18, 500, 101),
    (0, 16, 101, 501),
    (1, 20, 0, 101),
)
_FATES = ((_SYN,), (_SYN, _ANSWER), (_SYN, _RESET), (_SYN, _SYN), (_SYN, _ANSWER, _THIRD))
_COMES = len(_FATES) - 1


def write(path: Path, dice: random.Random) -> None:
    """Handshakes with two listeners; each source's come about so often."""
    shares = [dice.choice((0.0, 0.2, 0.5, 0.8, 1.0)) for _ in range(dice.choice((1, 2, 5, 40)))]
    strangers, frames = dice.choice((0.0, 0.0, 0.3)), []
    for number in range(dice.choice((FLOOD, 2 * FLOOD, 5 * FLOOD))):
        source = dice.randrange(len(shares))
        client, share = f"10.0.0.{source + 1}", shares[source]
        if dice.random() < strangers:
            client, share = f"172.16.0.{number}", 0.0
        fate = _COMES if dice.random() < share else dice.choices(range(_COMES), (4, 4, 1, 1))[0]
        port = 80 + (dice.random() < 0.2)
        for turn, (server, flags, seq, ack) in enumerate(_FATES[fate]):
            src, dst = (client, "10.1.0.1")[:: 1 - 2 * server]
            sport, dport = (2000 + number, port)[:: 1 - 2 * server]
            made = packets.tcp(b"", src=src, dst=dst, sport=sport, dport=dport,
                               seq=seq, ack=ack, flags=flags, window=65535)  # fmt: skip
            data = packets.ethernet(packets.ipv4(made, src=src, dst=dst, ident=5 * number + turn))
            time = 1_700_000_000_000_000_000 + number * 20_000_000 + turn * 1_500_000
            frames.append(Frame(time, 1, data, len(data), len(frames) + 1))
    path.write_bytes(variants.pcap(frames))


@pytest.mark.parametrize("seed", range(12))
def test_any_handshakes(tmp_path: Path, seed: int) -> None:
    path = tmp_path / "handshakes.pcap"
    write(path, random.Random(seed))
    assert differences(path) == []


def test_there_are_floods_among_them_and_none(tmp_path: Path) -> None:
    found = set()
    for seed in range(12):
        write(tmp_path / "handshakes.pcap", random.Random(seed))
        many = crowds(scalar(tmp_path / "handshakes.pcap").connections.values())
        found.add(any(each.kind == "syn-flood" for each in many))
    assert found == {False, True}

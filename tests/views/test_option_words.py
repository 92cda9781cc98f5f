"""TCP options in words."""

from __future__ import annotations

from pathlib import Path

import pytest

from tcpviz.core.segment import Options
from tcpviz.sources.files import FileFeed
from tcpviz.views import option_words
from tcpviz.views.option_words import NAMES, SUBTYPES, words
from tcpviz.wire.tcp import read_options


def shorts(options: Options, base: int = 0) -> list[str]:
    return [each.short for each in words(options, base)]


def test_a_syns_options() -> None:
    raw = bytes.fromhex("020405b4 0402 080a00000001 00000000 01 030307".replace(" ", ""))
    made = list(words(read_options(raw)))
    assert [each.short for each in made] == ["mss 1460", "sackOK", "TS val 1 ecr 0", "wscale 7"]
    assert [each.kind for each in made] == [2, 4, 8, 3]
    assert "128" in made[3].meaning


def test_sack_is_counted_from_its_base_and_wraps() -> None:
    options = Options(sack=((5, 15),))
    assert shorts(options) == ["sack 5:15"]
    assert shorts(options, 0xFFFFFFFB) == ["sack 10:20"]


@pytest.mark.parametrize(
    ("raw", "short"),
    [
        ("1312" + "ab" * 16, "MD5 " + "ab" * 16),
        ("1d0a0102aabbccddeeff", "TCP-AO key 1 next 2 mac aabbccddeeff"),
        ("1c04001e", "user timeout 30 s"),
        ("1c048002", "user timeout 2 min"),
        ("1e0401c1", "mptcp MP_CAPABLE v1"),
        ("1e0c01c11122334455667788", "mptcp MP_CAPABLE v1 key 1122334455667788"),
        ("1e0c1002aabbccdd00000000", "mptcp MP_JOIN token aabbccdd address 2"),
        ("1e048003", "mptcp MP_TCPRST reason 3"),
        ("1e03a0", "mptcp subtype 10"),
        ("1e02", "MPTCP"),
        ("2202", "tfo request"),
        ("22060a0b0c0d", "tfo 0a0b0c0d"),
        ("fe06f989abcd", "tfo abcd"),
        ("fd06e2d40001", "exp e2d4 0001"),
        ("fd02", "experiment"),
        ("ac03ff", "AccECN0 ff"),
        ("c803ff", "option 200 ff"),
        ("020501020304"[:10], "bad MSS 010203"),
    ],
)
def test_each_kind_by_its_name(raw: str, short: str) -> None:
    assert shorts(read_options(bytes.fromhex(raw))) == [short]


def test_every_kind_has_a_name_and_a_meaning_whatever_its_data_is() -> None:
    for kind in range(256):
        for size in range(39):
            for byte in (0, 0x1F, 0xFF):
                made = list(words(Options(unknown=((kind, bytes([byte]) * size),))))
                assert len(made) == 1
                assert made[0].name
                assert made[0].meaning
                assert made[0].short.isascii()
                assert option_words.name_of(kind, bytes([byte]) * size)
    assert all(name and meaning for name, meaning in (*NAMES.values(), *SUBTYPES.values()))


def test_a_real_multipath_handshake(captures: Path) -> None:
    seen = set()
    for batch in FileFeed(str(captures / "tcpdump-mptcp-v1.pcap")).batches():
        for record in batch:
            seen |= {each.name for each in words(record.segment.options) if each.kind == 30}
    assert seen >= {"Multipath TCP MP_CAPABLE", "Multipath TCP DSS"}

"""Whatever the headers are, many frames at once come to what the decoder makes of each."""

from __future__ import annotations

import random
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path

import pytest

pytest.importorskip("numpy")

import numpy as np

from tcpviz.bulk.segments.reading import Reading
from tcpviz.sources.files import open_capture
from tcpviz.wire.decoder import Decoder
from tcpviz.wire.frame import Frame
from tests.bulk import tunnels, variants
from tests.wire import envelopes, packets

_PLACES = ("where", "captured", "wire", "source", "scope", "src", "dst")


def disagreements(path: Path, frames: list[Frame]) -> tuple[list[object], int]:
    """What columns say otherwise than the decoder of these frames; and how many it was asked."""
    path.write_bytes(variants.pcapng(frames))
    with open_capture(str(path)) as capture:
        frames = list(capture)
    decoder = Decoder()
    segments = []
    for each in frames:
        one = decoder.decode(each)
        segments += [] if one is None else [one]
        segments += decoder.extra
        decoder.extra.clear()
    decoder.finish()
    segments += decoder.extra
    reading = Reading(str(path), heads=True)
    reading.read()
    columns, tables, mine = reading.columns, reading.columns.tables, reading.decoder
    wrong: list[object] = []
    for name in ("frames", "segments"):
        if getattr(mine, name) != getattr(decoder, name):
            wrong.append((name, getattr(mine, name), getattr(decoder, name)))
    for name in ("skipped", "malformed", "cut"):
        # In their order, too, as it is the order in which they are told.
        one, other = (list(getattr(each, name).items()) for each in (mine, decoder))
        if one != other:
            wrong.append((name, sorted(set(one) ^ set(other)) or "another order"))
    if [error for _, error in reading.errors] != list(decoder.errors):
        wrong.append("errors")
    if columns.count == len(segments):
        rows = columns.rows_of(segments)
        for name in rows.keys() - set(_PLACES):
            off = np.flatnonzero(columns.array[name] != np.asarray(rows[name]))
            if len(off):
                at = int(off[0])
                wrong.append((name, int(columns.array[name][at]), segments[at]))
        again = Decoder()
        for row, segment in enumerate(segments):
            scope = int(columns.array["scope"][row])
            if tables.scopes[scope][1] != segment.scope:
                wrong.append((tables.scopes[scope], segment.scope))
            for side, end in (("src", segment.src), ("dst", segment.dst)):
                packed = tables.packed(int(columns.array[side][row]), scope)
                if packed != ip_address(end.addr).packed:
                    wrong.append((side, packed, end))
            if row % 50 == 0 and reading.segment(row, again) != segment:
                wrong.append(("again", segment))
    reading.close()
    return wrong, len(columns.kept)


def frame(data: bytes, link: int, wire_len: int | None = None) -> Frame:
    return Frame(1_700_000_000_000_000_000, link, data, wire_len or len(data), 1)


def every() -> list[tuple[str, Frame]]:
    """A frame of each envelope there is, with SYN and data, IPv4 and IPv6."""
    found = [(name, frame(data, link)) for name, (link, data, _) in envelopes.ENVELOPES.items()]
    options = bytes.fromhex("020405b40402080a000000010000000001030307")
    sack = bytes.fromhex("0101080a00000001000000020101050a000003e8000007d0")
    insides = [
        packets.ipv4(packets.tcp(b"x" * 30, options=envelopes.OPTIONS)),
        packets.ipv4(packets.tcp(flags=2, options=options, checksum=1)),
        packets.ipv6(packets.tcp(b"x" * 31, options=sack, src=packets.SRC6, dst=packets.DST6)),
    ]
    for name, (link, wrap) in {
        **variants.ENVELOPES, **tunnels.TUNNELS, **tunnels.WIRELESS
    }.items():  # fmt: skip
        found += [(name, frame(wrap(ip, ip[0] >> 4), link)) for ip in insides]
    for name, change in variants.INSIDES.items():
        found += [(name, frame(change(ip), 101)) for ip in insides[:2]]
        found.append((name, frame(tunnels.ether(change(insides[0]), 4), 1)))
    return found


def test_every_envelope_cut_anywhere(tmp_path: Path) -> None:
    """By the snapshot, by its sender, and whole."""
    some = []
    for _, one in every():
        some += [replace(one, data=one.data[:size]) for size in range(len(one.data) + 1)]
        some += [frame(one.data[:size], one.link_type) for size in range(len(one.data))]
        some.append(replace(one, data=one.data + bytes(9), wire_len=len(one.data) + 9))
    wrong, _ = disagreements(tmp_path / "capture", some)
    assert wrong == []


def changed(one: Frame, dice: random.Random) -> Frame:
    """With some bits turned, mostly in the headers."""
    data = bytearray(one.data)
    for _ in range(dice.choice((1, 1, 2, 4))):
        at = dice.randrange(min(len(data), dice.choice((40, 60, 120))))
        data[at] = dice.choice((data[at] ^ 1 << dice.randrange(8), dice.randrange(256), 0, 255, 6))
    size = dice.choice((len(data), len(data), dice.randrange(len(data))))
    wire_len = dice.choice((one.wire_len, one.wire_len, size, 60_000))
    return replace(one, data=bytes(data[:size]), wire_len=max(wire_len, size))


@pytest.mark.parametrize("seed", range(3))
def test_any_bits_turned(tmp_path: Path, seed: int) -> None:
    dice = random.Random(seed)
    one_of = [one for _, one in every()]
    some = [changed(dice.choice(one_of), dice) for _ in range(6_000)]
    wrong, _ = disagreements(tmp_path / "capture", some)
    assert wrong == []


def test_frames_above_64_kib(tmp_path: Path) -> None:
    """As the loopback has them: their lengths take 32 bits, whatever came before."""
    some = []
    for size in (1000, 65_495, 65_000, 1_000):
        ip = packets.ipv4(packets.tcp(bytes(size)), total=40 + size)
        some += [frame(tunnels.ether(ip, 4), 1)] * 40
        some += [replace(some[-1], data=some[-1].data[:96], wire_len=54 + size)] * 40
        some += [replace(some[-1], data=some[-1].data[:96], wire_len=4_000_000_000)]
        some += [frame(ip, 101), frame(b"\2\0\0\0" + ip, 0)] * 40
    path = tmp_path / "capture"
    wrong, _ = disagreements(path, some)
    assert wrong == []
    with open_capture(str(path)) as capture:
        told = list(capture)
    reading = Reading(str(path))
    reading.read()
    reading.close()
    array = reading.columns.array
    assert array["wire"].tolist() == [each.wire_len for each in told]
    assert array["captured"].tolist() == [len(each.data) for each in told]


@pytest.mark.parametrize("seed", range(4))
def test_errors_about_tcp_in_any_form(tmp_path: Path, seed: int) -> None:
    """Quotations of any length, in and out of tunnels, some wrong: none needs the decoder."""
    dice = random.Random(seed)
    names = ("VXLAN", "three VLAN tags", "GRE", "IP in IP")
    wraps = [tunnels.ether, *(tunnels.TUNNELS[name][1] for name in names)]
    kinds = ((3, 1), (3, 3), (3, 4), (11, 0), (12, 0), (5, 0), (0, 0))
    made: list[Frame] = []
    for at in range(150):
        quoted = packets.ipv4(packets.tcp(b"x" * 40, seq=dice.getrandbits(32)))
        data = packets.ethernet(quoted)
        made.append(Frame(at, 1, data, len(data), 0))
        told = bytes(dice.choice(kinds)) + dice.choice((bytes(6), bytes(4) + b"\x05\x78"))
        told += quoted[: dice.choice((28, 28, 28, 27, 40, 60, 20, 8))]
        if dice.random() < 0.1:
            place = dice.randrange(8, len(told))
            told = told[:place] + dice.randbytes(1) + told[place + 1 :]
        total = ~packets.fold(told) & 0xFFFF ^ (dice.random() < 0.1)
        told = told[:2] + total.to_bytes(2, "big") + told[4:] + b"x" * (dice.random() < 0.2)
        src = dice.choice(("10.0.0.9", "10.0.0.2"))
        data = dice.choice(wraps)(packets.ipv4(told, protocol=1, src=src, dst="10.0.0.1"), 4)
        cut = dice.choice((len(data), len(data), len(data), 50, 60, 70, 80))
        made.append(Frame(at, 1, data[:cut], len(data), 0))
    made = [replace(each, number=at) for at, each in enumerate(made, 1)]
    assert disagreements(tmp_path / "capture", made) == ([], 0)

"""The same packets in every kind of file and envelope: equal to the core, and by columns."""

from __future__ import annotations

import random
import tempfile
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from tcpviz.bulk.segments.reading import Reading
from tcpviz.bulk.segments.records import Batch, bulk_stream
from tcpviz.sources.feed import SourceError
from tcpviz.sources.files import open_capture
from tcpviz.wire.frame import Frame
from tests.bench.generate import visits
from tests.bulk import tunnels, variants
from tests.bulk.compare import differences

PIECES = (1 << 20, 5000, 333)


@cache
def generated() -> list[Frame]:
    """Some hundred packets of web clients, a few of them odd."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "visits.pcap"
        visits(path, 40, odd=0.05)
        with open_capture(str(path)) as capture:
            return list(capture)


def frames(path: Path) -> list[Frame]:
    with open_capture(str(path)) as capture:
        return [replace(each, comment=None) for each in capture]


def batches(path: Path, piece: int = 1 << 20) -> list[Batch]:
    with open_capture(str(path), bulk_stream, piece) as capture:
        return [batch for given in capture.pieces() for batch in given]  # type: ignore[misc]


def slow(path: Path) -> tuple[int, int]:
    """(segments, those of them that were read one by one)."""
    reading = Reading(str(path))
    reading.read()
    reading.close()
    return reading.columns.count, reading.singly


@pytest.mark.parametrize("kind", variants.FILES)
def test_each_kind_of_file_is_read_in_large_batches(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "capture"
    path.write_bytes(variants.FILES[kind](generated()))
    one = frames(path)
    assert len(one) == len(generated()) > 300
    for piece in PIECES:
        taken = batches(path, piece)
        assert [batch.frame(at) for batch in taken for at in range(len(batch))] == one
    # Of some hundred frames together, whatever is unusual about the blocks they are in.
    assert len(batches(path)) <= 12
    assert slow(path)[1] < 10 if "old" not in kind else True
    assert differences(path) == []


@pytest.mark.parametrize("kind", variants.PACKED)
def test_each_compression(tmp_path: Path, kind: str) -> None:
    pack = variants.PACKED[kind]
    if pack is None:
        pytest.skip(f"needs {kind}")
    path = tmp_path / "capture"
    path.write_bytes(pack(variants.pcapng(generated())))
    try:
        frames(path)
    except SourceError as error:
        pytest.skip(str(error))
    assert slow(path)[1] < 10
    assert differences(path) == []


def test_blocks_with_options_among_others(tmp_path: Path) -> None:
    """However they alternate, and where one of them is damaged."""
    path = tmp_path / "capture"
    some = generated()[:200]
    plain = variants.pcapng(some).split(b"\x06\0\0\0", 1)[0]
    for turn in (1, 5, 17):
        blocks = [plain]
        for at, each in enumerate(some):
            options = ((1, b"seen"),) if at % turn == turn - 1 else ()
            blocks.append(variants.block(each, options=options))
        path.write_bytes(b"".join(blocks))
        one = frames(path)
        assert len(one) == len(some)
        for piece in PIECES:
            taken = batches(path, piece)
            assert [batch.frame(at) for batch in taken for at in range(len(batch))] == one
        assert differences(path) == []
    for wrong in (b"\x05", b"\xff"):
        blocks = [plain, *(variants.block(each) for each in some)]
        blocks[100] = blocks[100][:4] + wrong + blocks[100][5:]
        path.write_bytes(b"".join(blocks))
        one = frames(path)
        assert len(one) == 99
        taken = batches(path)
        assert [batch.frame(at) for batch in taken for at in range(len(batch))] == one


@pytest.mark.parametrize("seed", range(4))
def test_what_options_of_blocks_tell(tmp_path: Path, seed: int) -> None:
    """Whatever they are, frames and losses are those that the parser finds, in large batches."""
    path, dice = tmp_path / "capture", random.Random(seed)
    blocks = [variants.pcapng(generated()[:1])]
    rare = dice.random() < 0.5
    for each in generated()[1:]:
        options = []
        for _ in range(dice.randrange(4)):
            code = dice.choice((0, 1, 2, 5, 7, 2989) if rare else (0, 1, 2, 4, 4, 19373))
            size = dice.choice((0, 1, 4, 8, 8, 11))
            options.append((code, dice.choice((bytes(size), dice.randbytes(size)))))
        if rare and dice.random() < 0.01:
            options.append((4, (3).to_bytes(8, "little")))
        if dice.random() < 0.02:
            options += [(1, b"x")] * 20
        made = variants.block(each, options=tuple(options))
        if dice.random() < 0.1:  # a length that lies
            at = 28 + (len(each.data) + 3 & ~3)
            made = made[: at + 2] + dice.randbytes(1) + made[at + 3 :] if options else made
        blocks.append(made)
    path.write_bytes(b"".join(blocks))
    with open_capture(str(path)) as capture:
        one = [
            (replace(each, comment=None), capture.stream.losses.get(each.number))
            for given in capture.pieces()
            for each in given
        ]
        dropped = capture.dropped
    for piece in PIECES:
        with open_capture(str(path), bulk_stream, piece) as capture:
            two, many = [], 0
            for given in capture.pieces():
                for batch in given:
                    many += 1
                    for at in range(len(batch)):  # type: ignore[arg-type]
                        made = batch.frame(at)  # type: ignore[attr-defined]
                        two.append((made, capture.stream.losses.get(made.number)))
            assert two == one
            assert capture.dropped == dropped
            assert not rare or piece < PIECES[0] or many < len(two) / 4


@pytest.mark.parametrize("snaplen", [0, 60])
@pytest.mark.parametrize("kind", variants.ENVELOPES)
def test_each_envelope(tmp_path: Path, kind: str, snaplen: int) -> None:
    link, wrap = variants.ENVELOPES[kind]
    path = tmp_path / "capture"
    made = variants.enveloped(generated(), link, wrap)
    path.write_bytes(variants.pcap(variants.cut(made, snaplen) if snaplen else made))
    assert differences(path) == []
    count, others = slow(path)
    assert count > 300 or snaplen or kind == "EtherType 0"
    assert others < 40  # where few come at once, as at a piece's end


def test_tunnels_and_mirrors(tmp_path: Path) -> None:
    """One after the other: the same flow in each is a connection of its own."""
    path = tmp_path / "capture"
    made = []
    for name, (link, wrap) in {**tunnels.TUNNELS, **tunnels.WIRELESS}.items():
        if name not in ONE_BY_ONE:
            made += variants.enveloped(generated()[:60], link, wrap)
    path.write_bytes(variants.pcapng(made))
    assert differences(path) == []
    count, others = slow(path)
    assert count > 2000
    assert others < 40  # where few come at once, as at a piece's end


ONE_BY_ONE = {"TZSP", "NFLOG"}
"""These are opened one by one, and hold the segment by themselves."""


@pytest.mark.parametrize("kind", variants.INSIDES)
def test_each_network_layer(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "capture"
    change = variants.INSIDES[kind]
    made = [
        replace(each, data=data, wire_len=each.wire_len + len(data) - len(each.data))
        for each in variants.raw(generated())
        for data in [change(each.data)]
    ]
    path.write_bytes(variants.pcap(made))
    assert differences(path) == []
    assert slow(path)[1] < 40


def test_fragments(tmp_path: Path) -> None:
    path = tmp_path / "capture"
    made = variants.fragmented(generated())
    assert len(made) > len(generated()) * 1.2
    path.write_bytes(variants.pcap(made))
    assert differences(path) == []
    count, others = slow(path)
    assert 0 < others < count / 2


def test_captures_of_many_months_one_behind_the_other(tmp_path: Path) -> None:
    """Each begins with a leap of the clock, over which no timer runs out."""
    path = tmp_path / "capture"
    month = 30 * 86_400 * variants.SECOND
    for step in (3, 20):
        made = [
            replace(each, time_ns=each.time_ns + at // step * month)
            for at, each in enumerate(generated())
        ]
        path.write_bytes(variants.pcap(made))
        assert differences(path) == []

"""Columns say of every segment what the decoder says of it, on everybody's captures."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from tcpviz.bulk.segments.reading import Reading, Unsuited
from tcpviz.bulk.segments.records import bulk_stream
from tcpviz.core.records import SegmentRecord, Unreachable
from tcpviz.core.segment import Segment
from tcpviz.sources.files import FileFeed, open_capture
from tcpviz.wire.decoder import Decoder
from tcpviz.wire.tcp import address

_PLACES = ("where", "captured", "wire", "source", "scope", "src", "dst")


def names(captures: Path) -> list[str]:
    return sorted(
        each.name for each in captures.iterdir() if {".pcap", ".pcapng", ".gz"} & set(each.suffixes)
    )


@pytest.mark.parametrize("piece", [4 << 20, 1021])
def test_batches_hold_the_frames_that_the_parsers_give(captures: Path, piece: int) -> None:
    taken = 0
    for name in names(captures):
        path = str(captures / name)
        with open_capture(path) as one, open_capture(path, bulk_stream, piece) as other:
            if piece < 4 << 20 and (one.size or 0) > 1_000_000:
                continue
            frames = [dataclasses.replace(frame, comment=None) for frame in one]
            batches = [batch for given in other.pieces() for batch in given]
            again = [batch.frame(at) for batch in batches for at in range(len(batch))]  # type: ignore[attr-defined,arg-type]
            assert again == frames, name
            assert (one.notes, one.dropped) == (other.notes, other.dropped), name
            taken += len(frames)
    assert taken > 2_000


def test_columns_hold_what_the_decoder_says(captures: Path) -> None:
    fast = 0
    for name in names(captures):
        feed = FileFeed(str(captures / name))
        records = [record for batch in feed.batches() for record in batch]
        segments = [each.segment for each in records if isinstance(each, SegmentRecord)]
        reading = Reading(str(captures / name), heads=True)
        try:
            reading.read()
        except Unsuited:
            reading.close()
            continue
        columns, tables = reading.columns, reading.columns.tables
        rows = columns.rows_of(segments)
        for column in rows.keys() - set(_PLACES):
            assert (columns.array[column] == np.asarray(rows[column])).all(), (name, column)
        decoder = Decoder()
        for row, segment in enumerate(segments):
            scope = int(columns.array["scope"][row])
            assert tables.scopes[scope][1] == segment.scope
            packed = tables.packed(int(columns.array["src"][row]), scope)
            assert address(packed) == segment.src.addr
            if row % 50 == 0:
                read: Segment = reading.segment(row, decoder)
                assert read == segment, (name, row)
        reading.close()
        errors = [each for each in records if isinstance(each, Unreachable)]
        assert [error for _, error in reading.errors] == errors
        told, counted = feed.status, reading.status
        assert (told.frames, told.segments, told.skipped, told.notes) == (
            counted.frames,
            counted.segments,
            counted.skipped,
            counted.notes,
        ), name
        fast += columns.count - len(columns.kept)
    assert fast > 4_000

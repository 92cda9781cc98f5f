"""What is written of a table in stretches is what is written of it at once; narrow columns."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest

from tcpviz.bulk.connections.narrowing import narrow
from tcpviz.bulk.tables import cutting
from tcpviz.bulk.tables.table import Table
from tcpviz.export import table_columns
from tcpviz.sources.feed import FeedStatus
from tests.bench.generate import visits
from tests.bulk.compare import built
from tests.bulk.test_buckets import dealt
from tests.export.dialogues import various


@pytest.mark.parametrize("size", [1, 7, 64])
def test_text_in_stretches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    """Of regular connections, of others, and of some of them; as the whole table has it."""
    others = 0
    monkeypatch.setattr(cutting, "STRETCH", size)
    path = tmp_path / "capture.pcap"
    for write in (
        lambda: various(path, 90, 5, 100),
        lambda: visits(path, 90, odd=0.2),
    ):
        write()
        whole, large = Table(built(path)), Table(dealt(path))
        assert len(list(cutting.stretches(whole))) == 1
        cuts = list(cutting.stretches(large))
        assert len(cuts) == -(-len(large) // size) > 1
        others += sum(len(cut._others) for cut in cuts if isinstance(cut, cutting.Cut))
        assert [c.id for cut in cuts for c in cut] == list(range(1, len(whole) + 1))
        for name in ("segments", "bytes", "scopes", "rtt", "first_ns", "until_ns"):
            parts = np.concatenate([getattr(cut, name) for cut in cuts])
            assert parts.tolist() == getattr(whole, name).tolist()
        some = (np.arange(0, len(whole), 3), np.arange(0), *np.arange(len(whole))[:12, None])
        for places in (None, *some):
            texts = []
            for table in (whole, large):
                out = io.BytesIO()
                table_columns.write(table, FeedStatus(), out, places=places)
                texts.append(out.getvalue())
            assert texts[0] == texts[1]
            assert b"\0" not in texts[0]
        for table in (whole, large):
            table.building.reading.close()
    assert others


@pytest.mark.parametrize(
    ("numbers", "size", "signed"),
    [
        ([], 1, 1), ([0, 255], 1, 2), ([0, 256], 2, 2), ([1 << 16], 4, 4), ([1 << 32], 8, 8),
        ([-1, 127], 1, 1), ([-1, 128], 2, 2), ([-(1 << 31)], 4, 4), ([-(1 << 31) - 1], 8, 8),
        ([1 << 31], 4, 8),
    ],
)  # fmt: skip
def test_as_narrow_as_the_numbers_are(numbers: list[int], size: int, signed: int) -> None:
    for wants, bytes_each in ((False, size), (True, signed)):
        made = narrow(np.array(numbers, np.int64), signed=wants)
        assert made.tolist() == numbers
        assert made.itemsize == bytes_each
        assert not wants or made.dtype.kind == "i"

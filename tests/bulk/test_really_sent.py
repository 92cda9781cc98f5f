"""What kernels really sent on links that lose, and to readers that are too slow.

``really_sent.pcap.xz`` has connections of nginx, wrk and slow clients, chosen so that each mark,
verdict and pair of final states that these captures had is there; their times were moved together.
"""

from __future__ import annotations

import lzma
import random
from collections import Counter
from pathlib import Path

import pytest

pytest.importorskip("numpy")

from tests.bulk.compare import scalar
from tests.bulk.really_sent import Recorded, unlike, write

# Of the test's own threads; what runs in the forks here needs none of their locks.
pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")


@pytest.fixture(scope="module")
def sent(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sent") / "capture"
    packed = Path(__file__).with_name("really_sent.pcap.xz").read_bytes()
    path.write_bytes(lzma.decompress(packed))
    return path


def test_it_has_what_links_and_readers_do(sent: Path) -> None:
    connections = scalar(sent).connections.values()
    marks: Counter[str] = Counter()
    for one in connections:
        assert one.analysis is not None
        marks.update(one.analysis.marks.totals)
    assert len(connections) > 30
    least = {
        "retransmission": 30, "fast_retransmission": 5, "spurious_retransmission": 5,
        "lost_segment": 5, "out_of_order": 1, "duplicate_ack": 40, "reused_ports": 8,
        "zero_window": 30, "window_full": 20, "window_update": 10, "keep_alive": 20,
    }  # fmt: skip
    assert {name: marks[name] for name, count in least.items() if marks[name] < count} == {}


def test_columns_and_core_agree_by_whichever_way(sent: Path) -> None:
    assert unlike(sent, random.Random(1), every=True) == []


@pytest.mark.parametrize("seed", range(6))
def test_whatever_becomes_of_it(tmp_path: Path, sent: Path, seed: int) -> None:
    """``python -m tests.bulk.really_sent FILE FROM TO`` tries more of them, of larger captures."""
    path = tmp_path / "capture"
    write(path, Recorded(sent), seed)
    assert unlike(path, random.Random(seed)) == []

"""Simulated hosts on a bad network, captured anyhow: columns say of them what the core says.

``python -m tests.bulk.test_worlds FROM TO`` tries these seeds and tells what differs.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tcpviz.bulk.segments.reading import Unsuited
from tests.bulk.compare import built, differences, stories
from tests.bulk.worlds import written


@settings(deadline=None, max_examples=25, suppress_health_check=list(HealthCheck))
@given(st.integers(0, 1 << 32))
@example(1066)  # two ICMP errors about one connection with no segment between them
def test_columns_and_core_agree(seed: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "capture"
        path.write_bytes(written(seed))
        assert differences(path) == []
        if seed % 4 == 0:
            assert stories(path)[1] == []


def main(begin: int, end: int) -> None:
    seen = kept = regular = followed = differ = unsuited = 0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "capture"
        for seed in range(begin, end):
            path.write_bytes(written(seed))
            try:
                building = built(path)
            except Unsuited as why:
                unsuited += 1
                print(seed, "not by columns:", why)
                continue
            seen += building.reading.columns.count
            kept += len(building.reading.columns.kept)
            regular += len(building.array["first"])
            followed += len(building.followed)
            found = [str(each) for each in differences(path, building)] + stories(path)[1]
            differ += bool(found)
            for each in found[:3]:
                print(seed, each[:400], flush=True)
    print(f"{end - begin} captures, {differ} differ, {unsuited} are not for columns")
    print(f"{seen} segments, {kept} read one by one; {regular} connections regular, ", end="")
    print(f"{followed} followed")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:3]))

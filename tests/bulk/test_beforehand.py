"""What numpy is told before it is imported."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from tcpviz.bulk import beforehand

ZEN_4 = "processor\t: 0\nvendor_id\t: AuthenticAMD\ncpu family\t: 25\nflags\t\t: fpu avx2 avx512f\n"


@pytest.mark.parametrize(
    ("cpu", "slow"),
    [
        (ZEN_4, True),
        (ZEN_4.replace("25", "26"), False),  # Zen 5
        (ZEN_4.replace(" avx512f", ""), False),  # Zen 3
        (ZEN_4.replace("AuthenticAMD", "GenuineIntel"), False),
        ("Processor\t: AArch64\n", False),
        ("", False),
    ],
)
def test_which_processors_sort_faster_without(tmp_path: Path, cpu: str, slow: bool) -> None:
    path = tmp_path / "cpuinfo"
    path.write_text(cpu + "\n" + ZEN_4.replace("25", "1") * 300)
    assert beforehand.slow_sort(path) is slow
    assert not beforehand.slow_sort(tmp_path / "none")


_ASKED = """
import sys
from pathlib import Path
from tcpviz.bulk import beforehand
assert "numpy" not in sys.modules
beforehand._CPU = Path(sys.argv[1])
beforehand.settle()
import numpy
from numpy._core._multiarray_umath import __cpu_dispatch__, __cpu_features__
import os
name = os.environ.get("NPY_DISABLE_CPU_FEATURES", "")
print(name, name in __cpu_dispatch__, __cpu_features__.get(name))
"""


@pytest.mark.skipif(platform.machine() != "x86_64", reason="of x86-64")
def test_numpy_does_as_it_is_told(tmp_path: Path) -> None:
    path = tmp_path / "cpuinfo"
    path.write_text(ZEN_4)
    others = {name: each for name, each in os.environ.items() if name != "NPY_DISABLE_CPU_FEATURES"}

    def asked(**more: str) -> list[str]:
        return subprocess.run(
            [sys.executable, "-W", "error", "-c", _ASKED, str(path)],
            env=others | more,
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        ).stdout.split()

    name, known, used = asked()
    assert name in ("X86_V4", "AVX512_SKX")  # before numpy 2.4
    assert (known, used) == ("True", "False")
    assert asked(NPY_DISABLE_CPU_FEATURES="AVX512_ICL")[0] == "AVX512_ICL"

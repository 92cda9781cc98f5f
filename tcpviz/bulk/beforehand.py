"""What numpy is told before it is imported; it reads that from the environment."""

from __future__ import annotations

import contextlib
import importlib.util
import os
from pathlib import Path

_CPU = Path("/proc/cpuinfo")

_SLOW = {"vendor_id": "AuthenticAMD", "cpu family": "25"}
"""Zen 4: its vpcompress to memory is microcoded, and numpy's AVX-512 sort lives by that.

A million and a third of 64-bit numbers take 71 ms, and 15 with AVX2. (AMD's Software Optimization
Guide for Zen 4, 57647, 2.11.2; numpy pull request 32690. OpenJDK has the same exception, 8317976.)
"""

_HEAD = 4096  # bytes that tell of the first processor


def settle() -> None:
    """Before numpy is imported. What the person has set stays."""
    # Linear algebra would start threads; nobody here needs them, and a process with one thread
    # can give its privileges up as a whole, and fork.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    if "NPY_DISABLE_CPU_FEATURES" not in os.environ and slow_sort(_CPU):
        name = "X86_V4" if _version() >= (2, 4) else "AVX512_SKX"
        os.environ["NPY_DISABLE_CPU_FEATURES"] = name


def slow_sort(cpu: Path) -> bool:
    """Whether this processor sorts faster without AVX-512 than with it."""
    told: dict[str, str] = {}
    with contextlib.suppress(OSError), cpu.open("rb", buffering=0) as file:
        for line in file.read(_HEAD).decode(errors="replace").splitlines():
            name, _, value = line.partition(":")
            told.setdefault(name.strip(), value.strip())
    return all(told.get(name) == value for name, value in _SLOW.items()) and (
        "avx512f" in told.get("flags", "").split()
    )


def _version() -> tuple[int, ...]:
    """Numpy's, without importing it; empty if it cannot be told."""
    with contextlib.suppress(OSError, ValueError, AttributeError, IndexError, TypeError):
        spec = importlib.util.find_spec("numpy")
        text = (Path(spec.submodule_search_locations[0]) / "version.py").read_text()  # type: ignore[union-attr, index]
        line = next(each for each in text.splitlines() if each.startswith("version = "))
        return tuple(map(int, line.split('"')[1].split(".")[:2]))
    return ()

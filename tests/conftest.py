"""Fixtures that tests of several rooms share."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tcpviz import words

# The suite asks the same questions every time, so that what passed once passes again; what new
# questions find is for make check-all, which asks others each time.
settings.register_profile("suite", derandomize=True, database=None)
settings.register_profile("explore", print_blob=True)
settings.load_profile(os.environ.get("TCPVIZ_HYPOTHESIS", "suite"))

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    """The language is the process's: whoever changes it must not change it for others."""
    yield
    words.use("en")


@pytest.fixture(scope="session")
def captures() -> Path:
    """The folder of real captures with their oracles; skips where it is absent."""
    folder = Path(os.environ.get("TCPVIZ_CAPTURES", ROOT.parent / "shared" / "captures"))
    if not (folder / "INDEX.tsv").is_file():
        pytest.skip(f"no shared captures at {folder} (set TCPVIZ_CAPTURES)")
    return folder

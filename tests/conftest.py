"""Fixtures that tests of several rooms share."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tcpviz import words

# The suite asks the same questions every time, so that what passed once passes again; what new
# questions find is for make check-all, which asks others each time.
# None fails because the machine has other work to do.
settings.register_profile(
    "suite",
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("explore", print_blob=True, deadline=None)
settings.load_profile(os.environ.get("TCPVIZ_HYPOTHESIS", "suite"))

# What a shell without job control begins in the background ignores Ctrl-C, and so would all that
# the tests begin, to see how it ends upon Ctrl-C.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

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

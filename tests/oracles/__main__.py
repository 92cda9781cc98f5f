"""``python -m tests.oracles [CAPTURE ...]``: the table of differences, and what is not listed."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from tests.conftest import ROOT
from tests.oracles.shared import report


def main() -> int:
    """Print the table; 1 where a difference is not listed, 2 where there are no captures."""
    folder = Path(os.environ.get("TCPVIZ_CAPTURES", ROOT.parent / "shared" / "captures"))
    if not (folder / "INDEX.tsv").is_file():
        print(f"no shared captures at {folder} (set TCPVIZ_CAPTURES)", file=sys.stderr)
        return 2
    made = report(folder, sys.argv[1:] or None)
    print("\n".join(made.lines()))
    if sys.argv[1:]:
        return 0
    for each in made.failures:
        print(f"FAILS {each}")
    return 1 if made.failures else 0


if __name__ == "__main__":
    sys.exit(main())

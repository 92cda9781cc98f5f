"""``--and``: the second of two points of view."""

from __future__ import annotations

import argparse


def other(parser: argparse.ArgumentParser, *, live: bool = False) -> None:
    """``--and SOURCE``."""
    kinds = "ssh://HOST, TCP@host:port, a file or -" if live else "a file, - or TCP@host:port"
    parser.add_argument(
        "--and",
        dest="other",
        metavar="SOURCE",
        help=f"the same connections captured elsewhere ({kinds}): both become one chart, with the "
        "clocks compared, one-way delays, and what was lost between (tcpviz help points)",
    )

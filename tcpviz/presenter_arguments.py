"""Options for whoever shows it to others: in a browser, with questions, with notes of one's own."""

from __future__ import annotations

import argparse

from tcpviz.argument_values import whole


def browser(parser: argparse.ArgumentParser) -> None:
    """``--serve`` and ``--visitors``."""
    group = parser.add_argument_group("in a browser")
    group.add_argument(
        "--serve",
        nargs="?",
        const="",
        metavar="HOST:PORT",
        help="show it in a browser instead (default 127.0.0.1:8000, for this machine alone; at any "
        "other address only who has the printed URL's token gets in). Each visitor has a run of "
        "their own. Needs the package textual-serve: pip install 'tcpviz[serve]'",
    )
    group.add_argument(
        "--visitors",
        type=whole("N", 1, 200),
        default=8,
        metavar="N",
        help="with --serve: so many at once (default 8)",
    )


def teaching(parser: argparse.ArgumentParser) -> None:
    """``--story`` and ``--notes``."""
    group = parser.add_argument_group("teaching")
    group.add_argument(
        "--story",
        action="store_true",
        help="walk through the scenario with its questions (S key)",
    )
    group.add_argument(
        "--notes",
        nargs="?",
        const="",
        metavar="FILE|TTY",
        help="write what the class must not see (the question, its answer, what comes next) to "
        "where tcpviz notes, on another terminal, shows it; or to a file, or to another terminal "
        "such as /dev/pts/3",
    )


def notes(parser: argparse.ArgumentParser) -> None:
    """What may stand behind ``tcpviz notes``."""
    parser.add_argument(
        "file",
        nargs="?",
        metavar="FILE",
        help="what stood behind --notes, if anything did",
    )

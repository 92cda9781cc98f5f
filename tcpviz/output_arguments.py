"""Options that tell where a capture ends and what it leaves behind; shared by commands."""

from __future__ import annotations

import argparse

from tcpviz.argument_values import size


def saving(parser: argparse.ArgumentParser) -> None:
    """``-a`` and ``-b``, as dumpcap's."""
    parser.add_argument(
        "-a",
        "--autostop",
        metavar="WHEN",
        action="append",
        default=[],
        help="end by itself: duration:SECONDS, packets:N, filesize:KB (of the file of -w), "
        "files:N; as dumpcap's",
    )
    parser.add_argument(
        "-b",
        "--ring-buffer",
        dest="ring",
        metavar="WHEN",
        action="append",
        default=[],
        help="save into several files, each with its number and date in its name, and begin the "
        "next after filesize:KB, duration:SECONDS, packets:N, or when the clock is a multiple of "
        "interval:SECONDS; files:N keeps the latest N; as dumpcap's",
    )


def large(parser: argparse.ArgumentParser) -> None:
    """What concerns large files."""
    group = parser.add_argument_group("large files")
    group.add_argument(
        "--memory",
        type=lambda text: size(text, 1),
        metavar="SIZE",
        help="what it may take of the machine's memory, such as 2G, the table of connections "
        "apart (default: half of what is free); what is more lies on disk in $TMPDIR, unreadable "
        "for others, and goes with the program",
    )
    group.add_argument(
        "--follow",
        action="store_true",
        help="wait at the file's end for what is written to it, until you quit (a file that is "
        "being written is followed anyway as long as more comes)",
    )


def until(parser: argparse.ArgumentParser) -> None:
    """``--until``."""
    parser.add_argument(
        "--until",
        metavar="EXPR",
        help="end when a connection first fits this display filter: verdict:reset, "
        "state:close-wait, mark:zero_window; exit code 0 then, 3 if none ever did",
    )


def outlets(parser: argparse.ArgumentParser, *, live: bool) -> None:
    """Where connections go besides."""
    group = parser.add_argument_group("for other programs")
    when = "as they end" if live else "all of them"
    group.add_argument(
        "--conn-log",
        metavar="FILE|-",
        help=f"connections, {when}, in Zeek's conn.log format for zeek-cut and its readers"
        + ("; a file that is there is added to" if live else ""),
    )
    group.add_argument(
        "--parquet",
        metavar="FILE",
        help="connections as a Parquet file"
        + (", complete when the capture ends" if live else "")
        + " (needs pyarrow)",
    )
    if live:
        group.add_argument(
            "--metrics",
            metavar="[HOST:]PORT|FILE",
            help="counts per state, verdict and mark for Prometheus: by HTTP (on this machine "
            "only, unless HOST says more), or as a file for node_exporter's textfile collector",
        )
        group.add_argument(
            "-q",
            "--quiet",
            action="store_true",
            help="no screen and no story: only the files and metrics asked for, and notes on "
            "standard error; for a service",
        )

"""``--and``, the second of two points of view, and ``--pcap-over-ip``, for readers elsewhere."""

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


def serving(parser: argparse.ArgumentParser) -> None:
    """``--pcap-over-ip``."""
    parser.add_argument(
        "--pcap-over-ip",
        metavar="PORT|HOST:PORT",
        help="also serve the packets as pcapng to readers (tcpviz read TCP@HOST:PORT, wireshark -k "
        "-i TCP@HOST:PORT): on this machine only, unless a host is named",
    )

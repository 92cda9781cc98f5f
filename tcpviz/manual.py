"""The command line's parser as the manual page's maker wants it: ``make man``."""

from __future__ import annotations

import argparse


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    from tcpviz.cli import build_parser

    return build_parser()

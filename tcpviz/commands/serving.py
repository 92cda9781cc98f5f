"""``--serve``: the same command's screens in a browser."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import tcpviz
from tcpviz.browser import in_browser
from tcpviz.sources.feed import SourceError

if TYPE_CHECKING:
    from tcpviz.serve.address import Address

MISSING = "--serve needs one more package: pip install 'tcpviz[serve]'"


PROGRAM = "import sys; sys.path.append({root!r}); from tcpviz.cli import main; sys.exit(main())"
"""The program itself, from wherever it was imported, and nothing from the folder we are in."""


def wanted(options: argparse.Namespace) -> bool:
    """Whether this process is to serve; the programs that it starts for visitors are not.

    Raises SourceError as :func:`place`.
    """
    if options.serve is None:
        return False
    options.address = place(options)
    return not in_browser()


def place(options: argparse.Namespace) -> Address:
    """Where to serve. A word that is no address is the scenario's name (``--serve handshake``).

    Raises SourceError for what can be neither.
    """
    from tcpviz.serve.address import Address, parse

    text = options.serve
    try:
        found = parse(text) if text else Address()
    except ValueError as error:
        raise SourceError(f"--serve {text}: {error}", 2) from None
    if found is None:
        if getattr(options, "scenario", "") is not None:
            raise SourceError(f"--serve {text}: HOST:PORT is such as 127.0.0.1:8000, or 8000", 2)
        options.scenario = text
        return Address()
    return found


def run(options: argparse.Namespace, title: str) -> int:
    """Serve until Ctrl-C; ``title`` is the page's. Raises SourceError."""
    address: Address = options.address
    for name in ("text", "json", "csv", "write", "list", "check", "conn_log", "parquet"):
        if getattr(options, name, None) not in (None, False):
            said = "-w" if name == "write" else f"--{name.replace('_', '-')}"
            raise SourceError(f"either --serve or {said}: visitors see a screen each", 2)
    import asyncio

    from tcpviz.serve.address import PORT, written

    try:
        from tcpviz.serve.server import ScreenServer, reachable
    except ImportError:
        raise SourceError(MISSING, 2) from None
    root = str(Path(tcpviz.__file__).resolve().parent.parent)
    argv = [sys.executable, "-P", "-c", PROGRAM.format(root=root), *sys.argv[1:]]
    server = ScreenServer(argv, address, title=title, most=options.visitors, say=_say)
    try:
        asyncio.run(server.run())
    except OSError as error:
        asked = written(address.host, PORT if address.port is None else address.port)
        raise SourceError(f"cannot serve at {asked}: {reachable(error)}", 1) from None
    return 0


def _say(line: str) -> None:
    print(line, flush=True)

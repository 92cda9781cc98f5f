"""``tcpviz capture ssh://HOST``: tcpdump runs there, everything else here."""

from __future__ import annotations

import argparse
import sys

from tcpviz.commands.display_filter import display_filter
from tcpviz.sources.feed import SourceError
from tcpviz.sources.files import CaptureFile, FileFeed
from tcpviz.sources.remote import PREFIX, RemoteFile, place


def run(options: argparse.Namespace) -> int:
    """Run the command; returns the exit code. Raises SourceError."""
    where = place(options.bpf[0])
    if options.interfaces:
        raise SourceError(f"name the interface behind the host: {PREFIX}{where}/eth0", 2)
    if options.write or options.count:
        raise SourceError(
            f"-w and -c are for this machine; for {where}: "
            f"ssh {where} tcpdump -U -w - | tee out.pcap | tcpviz read -",
            2,
        )
    chosen = display_filter([options.filter] if options.filter else [])
    screen = not (options.text or options.json) and sys.stdout.isatty()
    # Before the screen: ssh may ask for a password, or whether the host is the right one.
    source = RemoteFile(where, " ".join(options.bpf[1:]), options.snaplen)
    try:
        capture = CaptureFile(
            source, f"{PREFIX}{where}/{where.interface}", first=source.first, ended=source.why_ended
        )
        feed = FileFeed(capture)
        capture.stream.remark("the connection that carries the capture is left out there")
        if screen:
            from tcpviz.ui import start

            return start.capture(feed, options)
        from tcpviz.commands.capture import tell_story

        return tell_story(feed, options, chosen)
    finally:
        source.close()

"""``tcpviz capture ssh://HOST``: tcpdump runs there, everything else here."""

from __future__ import annotations

import argparse

from tcpviz.commands import onlooking
from tcpviz.commands.capture import on_screen, tell_story
from tcpviz.commands.display_filter import display_filter
from tcpviz.sources.feed import SourceError
from tcpviz.sources.files import CaptureFile, FileFeed
from tcpviz.sources.remote import PREFIX, RemoteFile, place
from tcpviz.sources.saving import parse


def run(options: argparse.Namespace) -> int:
    """Run the command; returns the exit code. Raises SourceError."""
    where = place(options.bpf[0])
    if options.interfaces:
        raise SourceError(f"name the interface behind the host: {PREFIX}{where}/eth0", 2)
    saving, limits = parse(options.write, options.autostop, options.ring)
    if saving or options.count or limits.packets:
        raise SourceError(
            f"-w, -b and -c are for this machine; for {where}: "
            f"ssh {where} tcpdump -U -w - | tee out.pcap | tcpviz read -",
            2,
        )
    chosen = display_filter([options.filter] if options.filter else [])
    screen = on_screen(options)
    until = onlooking.check(options, screen=screen)
    # Before the screen: ssh may ask for a password, or whether the host is the right one.
    source = RemoteFile(where, " ".join(options.bpf[1:]), options.snaplen)
    timer = None
    try:
        capture = CaptureFile(
            source, f"{PREFIX}{where}/{where.interface}", first=source.first, ended=source.why_ended
        )
        feed = FileFeed(capture)
        capture.stream.remark("the connection that carries the capture is left out there")
        looking = onlooking.make(feed, options, chosen, until)
        timer = onlooking.stop_after(feed, limits.seconds)
        if screen:
            from tcpviz.ui import start

            return looking.code(start.capture(feed, options, looking))
        return looking.code(tell_story(feed, options, chosen, looking))
    finally:
        if timer is not None:
            timer.cancel()
        source.close()

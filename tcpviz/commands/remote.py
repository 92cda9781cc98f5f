"""``tcpviz capture ssh://HOST``, and two points of view: tcpdump runs there, the rest here."""

from __future__ import annotations

import argparse
import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path

from tcpviz.commands import onlooking, points
from tcpviz.commands.capture import on_screen, tell_story
from tcpviz.commands.display_filter import display_filter
from tcpviz.commands.place import not_at
from tcpviz.sources.feed import Feed, SourceError
from tcpviz.sources.files import CaptureFile, FileFeed
from tcpviz.sources.keeping import Keeping
from tcpviz.sources.pair import PairFeed, name_of
from tcpviz.sources.pcap_over_ip_server import PcapServer
from tcpviz.sources.remote import PREFIX, RemoteFile, place
from tcpviz.sources.saving import Limits, Saving, parse
from tcpviz.views.filter import Filter


class _Wishes:
    """What the options ask of every source."""

    def __init__(self, options: argparse.Namespace, sources: int) -> None:
        self.options = options
        self.several = sources > 1
        if self.several and options.pcap_over_ip is not None:
            raise SourceError("--pcap-over-ip serves one source: leave the other away", 2)
        self.saving, self.limits = parse(options.write, options.autostop, options.ring)
        counts = [each for each in (options.count, self.limits.packets) if each]
        self.count: int | None = min(counts, default=None)
        self.words = ""
        self.opened: list[RemoteFile] = []

    def open(self, source: str) -> FileFeed:
        """One source that is not this machine's. Raises SourceError."""
        if not source.startswith(PREFIX):
            return self._kept(FileFeed(source), name_of(source))
        where = place(source)
        # Before the screen: ssh may ask for a password, or whether the host is the right one.
        far = RemoteFile(where, self.words, self.options.snaplen, self.count)
        self.opened.append(far)
        name = f"{PREFIX}{where}/{where.interface}"
        capture = CaptureFile(far, name, first=far.first, ended=far.why_ended)
        capture.stream.remark("the connection that carries the capture is left out there")
        return self._kept(FileFeed(capture), where.host)

    def _kept(self, feed: FileFeed, name: str) -> FileFeed:
        """The feed, saving or serving its packets; of two sources each has a file of its own."""
        saving, where = self.saving, self.options.pcap_over_ip
        if saving is None and where is None:
            return feed
        if saving is not None and self.several:
            saving = beside(saving, name)
        tell = feed.status.notes.append
        keeping = Keeping(saving, self.options.snaplen, feed.status, feed.stop)
        try:
            keeping.begin()
            if where is not None:
                keeping.serve(PcapServer(where, tell))
        except SourceError:
            feed.stop()
            raise
        feed.keep(keeping)
        return feed

    def close(self) -> None:
        for far in self.opened:
            far.close()


def beside(saving: Saving, name: str) -> Saving:
    """The file of one of two sources: ``out-alice.pcapng`` for ``out.pcapng``."""
    if saving.path == "-":
        raise SourceError("-w - has room for one source: name a file, and each gets its own", 2)
    path = Path(saving.path)
    plain = "".join(each if each.isalnum() or each in "-._" else "_" for each in name)
    return dataclasses.replace(
        saving, path=str(path.with_name(f"{path.stem}-{plain}{path.suffix}"))
    )


def run(options: argparse.Namespace) -> int:
    """The command with ``ssh://`` in front of its words; returns the exit code.

    Raises SourceError.
    """
    sources = [word for word in options.bpf[:2] if word.startswith(PREFIX)]
    if options.other is not None:
        sources.append(options.other)
    if len(sources) > 2:
        raise SourceError(f"two points of view, and no more: {', '.join(sources)}", 2)
    if options.interfaces:
        raise SourceError(f"name the interface behind the host: {sources[0]}/eth0", 2)
    not_at(options, sources[0])
    wishes = _Wishes(options, len(sources))
    wishes.words = " ".join(word for word in options.bpf if not word.startswith(PREFIX))
    chosen = display_filter([options.filter] if options.filter else [])
    screen = on_screen(options)
    until = onlooking.check(options, screen=screen)
    try:
        feed: Feed = wishes.open(sources[0])
        if len(sources) == 2:
            feed = _both(feed, wishes.open(sources[1]), sources)
        return _show(feed, options, chosen, until, screen=screen, limits=wishes.limits)
    finally:
        wishes.close()


def beside_this_machine(feed: Feed, options: argparse.Namespace) -> PairFeed:
    """A capture on this machine, and ``--and`` the same connections elsewhere.

    Raises SourceError.
    """
    # What is saved and served is this machine's.
    far = argparse.Namespace(**{**vars(options), "pcap_over_ip": None, "write": None, "ring": []})
    wishes = _Wishes(far, 2)
    wishes.words = " ".join(options.bpf)
    pair = _both(feed, wishes.open(options.other), [os.uname().nodename, options.other])
    pair.at_end(wishes.close)
    return pair


def _both(first: Feed, second: Feed, sources: Sequence[str]) -> PairFeed:
    names = [place(one).host if one.startswith(PREFIX) else name_of(one) for one in sources]
    return PairFeed((names[0], names[1]), lambda: (first, second), twice=False)


def _show(
    feed: Feed,
    options: argparse.Namespace,
    chosen: Filter | None,
    until: Filter | None,
    *,
    screen: bool,
    limits: Limits,
) -> int:
    looking = onlooking.make(feed, options, chosen, until)
    timer = onlooking.stop_after(feed, limits.seconds)
    try:
        if screen:
            from tcpviz.ui import start

            return looking.code(start.capture(feed, options, looking))
        code = looking.code(tell_story(feed, options, chosen, looking))
        points.conclude(feed)
        return code
    finally:
        if timer is not None:
            timer.cancel()

"""``tcpviz capture``: live traffic as a screen, as text or as JSON lines."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable

from tcpviz.commands import onlooking, points
from tcpviz.commands.display_filter import display_filter
from tcpviz.commands.place import go_there
from tcpviz.commands.stream import MAX_CONNECTIONS, complain, forgotten, seen, tell
from tcpviz.core.onlooker import Onlooker
from tcpviz.core.timeline import Step
from tcpviz.core.tracker import Tracker
from tcpviz.sources import privileges
from tcpviz.sources.feed import Feed, SourceError
from tcpviz.sources.interfaces import default_interfaces, list_interfaces
from tcpviz.sources.live import LiveFeed
from tcpviz.sources.pcap_over_ip_server import PcapServer
from tcpviz.sources.saving import parse
from tcpviz.views.filter import Filter

KEPT_STEPS = 200_000
"""How many steps of a capture the screen can go back over; older ones are counted, not kept."""


def run(options: argparse.Namespace) -> int:
    """Run the command; returns the exit code."""
    try:
        if options.list:
            return _list()
        if options.bpf and options.bpf[0].startswith("ssh://"):
            from tcpviz.commands import remote

            return remote.run(options)
        saving, limits = parse(options.write, options.autostop, options.ring)
        screen = on_screen(options)
        until = onlooking.check(options, screen=screen)
        words, notes = go_there(options)
        options.filter = (
            f"({options.filter}) and {words}"
            if options.filter and words
            else (options.filter or words)
        )
        chosen = display_filter([options.filter])
        counts = [each for each in (options.count, limits.packets) if each]
        place = options.pcap_over_ip
        server = None if place is None else PcapServer(place, notes.append)
        # What is written connection by connection, or told, must be followed.
        each = onlooking.wanted(options) or options.other is not None
        feed = _feed_class((screen or options.quiet) and not each)(
            options.interfaces or default_interfaces(),
            " ".join(options.bpf),
            options.snaplen,
            min(counts, default=None),
            saving,
            exclude_ssh=not options.with_ssh,
            give_up=True,
            sockets=sys.platform == "linux",
            keep=options.processes,
            events=sys.platform == "linux" and os.geteuid() == 0,
            server=server,
        )
        feed.opens_on_troubles = not options.no_troubles
        feed.status.notes[:0] = notes
        if server is not None:
            server.tell = feed.status.notes.append
        if hasattr(feed, "spare"):
            feed.spare(options.memory)
        if screen:
            from tcpviz.ui import app, start  # noqa: F401 - read while we may read everything
        privileges.be_nice()
        timer = None
        try:
            feed.open()
            shown: Feed = feed
            if options.other is not None:
                from tcpviz.commands.remote import beside_this_machine

                shown = beside_this_machine(feed, options)
            looking = onlooking.make(shown, options, chosen, until)
            timer = onlooking.stop_after(shown, limits.seconds)
            if screen:
                return looking.code(start.capture(shown, options, looking))
            code = looking.code(tell_story(shown, options, chosen, looking, here=True))
            points.conclude(shown)
            return code
        finally:
            if timer is not None:
                timer.cancel()
            feed.close()
    except SourceError as error:
        complain(str(error))
        return error.exit_code


def _only(
    chosen: Filter, tracker: Tracker, line: Callable[[Step], str | None]
) -> Callable[[Step], str | None]:
    """Tell a connection's steps only where it fits right after them; the rest always."""

    def told(step: Step) -> str | None:
        if step.connection is not None:
            connection = tracker.connections.get(step.connection)
            if connection is None or not chosen.matches(connection, step.time_ns):
                return None
        return line(step)

    return told


def _feed_class(counting: bool) -> type[LiveFeed]:
    """``counting``: one that counts every connection, where a ring is to be had and numpy."""
    if not counting or not sys.platform.startswith("linux"):
        return LiveFeed
    try:
        from tcpviz.bulk.live.feed import RingFeed
    except ImportError:
        return LiveFeed
    return RingFeed


def _list() -> int:
    interfaces = list_interfaces()
    width = max((len(interface.name) for interface in interfaces), default=0)
    for interface in interfaces:
        state = "up" if interface.up else "down"
        print(f"{interface.name:<{width}}  {state:<4}  {', '.join(interface.addresses)}".rstrip())
    return 0


def on_screen(options: argparse.Namespace) -> bool:
    """Whether there is to be a screen."""
    lines = options.text or options.json or options.csv or options.quiet
    return not lines and options.conn_log != "-" and sys.stdout.isatty()


def tell_story(
    feed: Feed,
    options: argparse.Namespace,
    chosen: Filter | None,
    onlooker: Onlooker | None = None,
    *,
    here: bool = False,
) -> int:
    """The capture as text or JSON (or neither), until it ends; returns the exit code."""
    tracker = Tracker(keep=False, max_connections=MAX_CONNECTIONS)
    line: Callable[[Step], str | None]
    if options.quiet or options.csv or options.conn_log == "-":
        chosen = None

        def line(_step: Step) -> None:
            return None
    elif options.json:
        from tcpviz.export import jsonl

        print(jsonl.dumps(jsonl.begin_object(feed.title, time.time_ns())), flush=True)

        def line(step: Step) -> str | None:
            return jsonl.dumps(jsonl.step_object(step, tracker))
    else:
        from tcpviz.export.text import Story, encodes

        plain = options.ascii or not encodes(sys.stdout.encoding)
        line = Story(tracker, ascii_only=plain).line
    told = line if chosen is None else _only(chosen, tracker, line)
    code = tell(
        feed,
        tracker,
        told,
        sys.stdout,
        endless=True,
        memory=options.memory,
        onlooker=onlooker,
        here=here,
    )
    status = feed.status
    if options.json:
        from tcpviz.export import jsonl

        summary = jsonl.summary_object(status, seen(feed, tracker))
        summary["summary"].update(points.summary(feed))
        print(jsonl.dumps(summary), flush=True)
    complain(
        f"{status.frames} packets, {status.segments} segments, "
        f"{seen(feed, tracker)} connections, {status.dropped} dropped"
        + (f"; {lost} connections forgotten" if (lost := forgotten(feed, tracker)) else "")
    )
    return code

"""What looks on while a capture runs: logs, metrics and ``--until``, as the options ask."""

from __future__ import annotations

import argparse
import threading
from collections import Counter
from collections.abc import Callable

from tcpviz.commands.display_filter import display_filter
from tcpviz.core.meter import UNKNOWN, States
from tcpviz.core.onlooker import Onlooker, Onlookers
from tcpviz.sources.feed import Feed, SourceError
from tcpviz.views.filter import Filter
from tcpviz.views.until import NEVER, Until


class Looking(Onlookers):
    """All that look on, and what came of it."""

    def __init__(self, several: list[Onlooker], until: Until | None) -> None:
        super().__init__(several)
        self._until = until
        self._outlets = [each for each in several if hasattr(each, "sink")]

    def code(self, code: int) -> int:
        """The exit code, where the command itself would end with ``code``."""
        if code:
            return code
        if any(each.sink.lost for each in self._outlets):
            return 1
        return 0 if self._until is None else self._until.exit_code


def wanted(options: argparse.Namespace) -> bool:
    """Whether anything looks on that must see every connection, one by one."""
    return bool(options.until or options.conn_log or options.parquet)


def check(options: argparse.Namespace, *, screen: bool) -> Filter | None:
    """What can be wrong with the words, before anything begins; ``--until``'s filter.

    Raises SourceError (2).
    """
    if getattr(options, "quiet", False):
        _check_quiet(options)
    lines = [name for name in ("text", "json", "csv", "quiet") if getattr(options, name, False)]
    if options.conn_log == "-" and (screen or lines not in ([], ["quiet"])):
        other = "the screen" if screen else f"--{lines[0]}"
        raise SourceError(f"--conn-log - and {other} both want standard output: name a file", 2)
    if options.parquet:
        from tcpviz.export import parquet

        parquet.require()
    if getattr(options, "metrics", None):
        from tcpviz.export.metrics_server import address

        address(options.metrics)
    return display_filter([options.until]) if options.until else None


_WITHOUT_A_WORD = (
    *("write", "conn_log", "parquet", "metrics", "pcap_over_ip"),
    *("csv", "until", "autostop", "count"),
)
"""What ``--quiet`` still does: files, figures, or an end that tells something by itself."""


def _check_quiet(options: argparse.Namespace) -> None:
    """Raises SourceError (2) where nothing would ever be seen of what is asked for."""
    for name in ("text", "json"):
        if getattr(options, name):
            raise SourceError(f"--quiet prints no story, and --{name} asks for it: only one", 2)
    if not any(getattr(options, name) for name in _WITHOUT_A_WORD):
        raise SourceError(
            "--quiet, and nothing is asked for: add -w, --conn-log, --parquet, --metrics, "
            "--pcap-over-ip or --until",
            2,
        )


def make(
    feed: Feed, options: argparse.Namespace, chosen: Filter | None, until: Filter | None
) -> Looking:
    """Open what the options ask for; when privileges are given up. Raises SourceError."""
    from tcpviz.export import outlets

    several: list[Onlooker] = []
    tell = feed.status.notes.append
    fits = None if chosen is None else chosen.matches
    if options.conn_log:
        sink: outlets.Sink = outlets.conn_log_sink(options.conn_log, append=True, tell=tell)
        several.append(outlets.Outlet(sink, fits))
    if getattr(options, "csv", False):
        several.append(outlets.Outlet(outlets.csv_sink("-", tell=tell), fits))
    if options.parquet:
        from tcpviz.export import parquet

        several.append(outlets.Outlet(parquet.ParquetSink(options.parquet, tell), fits))
    if options.metrics:
        several.append(_metrics(feed, options.metrics, tell))
    ends = None if until is None else Until(until, feed.stop, tell)
    if ends is not None:
        several.append(ends)
    return Looking(several, ends)


def _metrics(feed: Feed, where: str, tell: Callable[[str], None]) -> Onlooker:
    from tcpviz.export import metrics
    from tcpviz.ui.process import taken_bytes

    return metrics.Metrics(
        metrics.place(where, tell),
        feed.status,
        lambda: taken_bytes(feed),
        lambda: _counted(feed),
        lambda: _seen(feed),
    )


def _seen(feed: Feed) -> tuple[int, int]:
    """Connections that such a feed has counted, and has had to forget."""
    if not getattr(feed, "ring", False):
        return 0, 0
    return int(feed.table.born), int(feed.table.evicted)  # type: ignore[attr-defined]


def _counted(feed: Feed) -> States | None:
    """The ends by state of a feed that only counts its connections, or has done so."""
    if not getattr(feed, "counted", False):
        return None
    from tcpviz.bulk.live.tally import tallies

    found: States = Counter()
    for tally in tallies(feed.rows):  # type: ignore[attr-defined]
        found["either", UNKNOWN if tally.state is None else str(tally.state)] += tally.count
    return found


def stop_after(feed: Feed, seconds: float) -> threading.Timer | None:
    """End ``feed`` in so many seconds, counted from now; 0: never."""
    if not seconds:
        return None

    def ring() -> None:
        feed.status.notes.append(f"{seconds:g} s are over, as -a duration asked")
        feed.stop()

    timer = threading.Timer(seconds, ring)
    timer.daemon = True
    timer.start()
    return timer


__all__ = ["NEVER", "Looking", "check", "make", "stop_after", "wanted"]

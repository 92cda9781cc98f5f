"""``tcpviz demo``: a scenario on the real kernel, as a screen, as text or as JSON lines."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from tcpviz.browser import in_browser
from tcpviz.commands import serving
from tcpviz.commands.stream import complain, tell
from tcpviz.core.timeline import Step
from tcpviz.core.tracker import Tracker
from tcpviz.lab.feed import DELAY_MS, LabFeed
from tcpviz.lab.scenarios import Scenario, list_scenarios, load, own_programs
from tcpviz.sources.feed import SourceError

DEFAULT = "echo"
"""It opens, talks and closes."""


def run(options: argparse.Namespace) -> int:
    """Run the command; returns the exit code."""
    try:
        _one_of_them(options)
        if options.list:
            return _list()
        if options.gallery is not None:
            return _gallery(options)
        if options.check is not None:
            return _check(options)
        serve = serving.wanted(options)
        _sort_out(options)
        scenario = _chosen(options)
        if serve:
            return serving.run(options, f"tcpviz: {scenario.title}")
        screen = not (options.text or options.json) and (sys.stdout.isatty() or in_browser())
        if options.step and not screen:
            raise SourceError("--step is for the screen: somebody must let the segments go", 2)
        feed = _feed(scenario, options, step=options.step)
        if screen:
            from tcpviz.ui import start

            live = options.step or options.live or options.delay is not None
            return start.demo(feed, options, live=live, again=_again(scenario, options))
        return _print(feed, options)
    except SourceError as error:
        complain(str(error))
        return error.exit_code


def _one_of_them(options: argparse.Namespace) -> None:
    """That of what shows no run only one thing is asked for. Raises SourceError (2)."""
    asked = [
        name
        for name, value in (
            ("--list", options.list or None),
            ("--gallery", options.gallery),
            ("--check", options.check),
            ("-w", options.write),
        )
        if value is not None
    ]
    if len(asked) > 1:
        raise SourceError(f"{asked[0]} and {asked[1]}: only one of them at a time", 2)


def _sort_out(options: argparse.Namespace) -> None:
    """``--notes handshake``: a scenario's name, unless a file of that name is there."""
    name = options.notes
    if not name or options.scenario is not None or Path(name).exists():
        return
    if name in {scenario.name for scenario in list_scenarios()}:
        options.scenario, options.notes = name, ""


def _chosen(options: argparse.Namespace) -> Scenario:
    """The scenario that is named, or the person's own programs in its place."""
    if options.server is None and options.client is None:
        return load(options.scenario or DEFAULT)
    if options.server is None or options.client is None:
        missing = "--client" if options.client is None else "--server"
        raise SourceError(f"{missing} 'COMMAND' is missing: a connection has two ends", 2)
    if options.scenario is not None:
        raise SourceError(f"either the scenario {options.scenario}, or --server and --client", 2)
    return own_programs(options.server, options.client)


def _feed(scenario: Scenario, options: argparse.Namespace, *, step: bool) -> LabFeed:
    """The lab as the options want it. Raises SourceError."""
    asked = [
        name
        for name, wanted in (
            ("--step", step),
            ("--delay", options.delay is not None),
            ("--loss", options.loss),
            ("--jitter", options.jitter),
        )
        if wanted
    ]
    if asked:
        if options.on not in (None, "cable"):
            raise SourceError(f"{asked[0]} needs the cable, not {options.on}", 2)
        scenario = replace(scenario, needs_cable=True)  # no other ground will do
    return LabFeed(
        scenario,
        on=options.on,
        write=options.write,
        ipv6=options.ipv6,
        delay_ms=DELAY_MS if options.delay is None else options.delay,
        step=step,
        loss=(options.loss or 0.0) / 100,
        jitter_ms=options.jitter or 0.0,
        seed=options.seed,
    )


def _again(scenario: Scenario, options: argparse.Namespace) -> Callable[[bool], LabFeed]:
    """Makes the same run once more, in step mode or not."""

    def again(step: bool) -> LabFeed:
        if options.write is not None:
            raise SourceError(f"this run is in {options.write}; it would be written over", 1)
        return _feed(scenario, options, step=step)

    return again


def _list() -> int:
    scenarios = list_scenarios()
    width = max(len(scenario.name) for scenario in scenarios)
    section = ""
    for scenario in scenarios:
        if scenario.section != section:
            section = scenario.section
            print(f"{section}:")
        print(f"  {scenario.name:<{width}}  {scenario.title}")
    return 0


def _gallery(options: argparse.Namespace) -> int:
    """Every state of the screen on one page; exit code 1 where some did not come about."""
    from pathlib import Path

    from tcpviz.ui import gallery

    themes = (options.theme,) if options.theme else ()
    return 1 if gallery.write(Path(options.gallery), themes) else 0


def _check(options: argparse.Namespace) -> int:
    """Inference, kernel and expectation compared, without a screen; exit code 1 if they differ."""
    from tcpviz.lab import check

    names = [name for name in (options.scenario, *options.check) if name is not None]
    whole = not names or "all" in names
    if whole:
        scenarios = list_scenarios()
        scenarios += [load(name) for name in names if name != "all"]
    else:
        scenarios = [load(name) for name in names]
    if options.on not in (None, "cable"):
        raise SourceError("--check compares every step, which only the cable allows", 2)
    results = []
    if not options.json:
        print(check.header(scenarios))
    running = check.check(scenarios, ipv6=options.ipv6)
    try:
        for result in running:
            results.append(result)
            if options.json:
                print(json.dumps(check.result_object(result)), flush=True)
            else:
                print(check.line(result, scenarios), flush=True)
    finally:
        running.close()
    good = all(result.good for result in results)
    if whole:
        edges = check.edges(results)
        good = good and all(edge.good for edge in edges)
        if options.json:
            for edge in edges:
                print(json.dumps(check.edge_object(edge)))
        else:
            print("", *check.edge_lines(edges), sep="\n")
    return 0 if good else 1


def _print(feed: LabFeed, options: argparse.Namespace) -> int:
    tracker = Tracker()
    if options.json:
        from tcpviz.export import jsonl

        def line(step: Step) -> str | None:
            return jsonl.dumps(jsonl.step_object(step, tracker))
    else:
        from tcpviz.export.text import Story, encodes

        plain = options.ascii or not encodes(sys.stdout.encoding)
        line = Story(tracker, ascii_only=plain).line
    code = tell(feed, tracker, line, sys.stdout, endless=False)
    disagreed = sum(connection.disagreements for connection in tracker.connections.values())
    if disagreed and not code:
        complain(f"the kernel and the inference disagreed {disagreed} times; the kernel is right")
        return 1
    return code

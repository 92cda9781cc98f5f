"""Starting the screen, and ending it without ever leaving a traceback or a spoilt terminal."""

from __future__ import annotations

import argparse
import logging
import os
import sys
import threading
import traceback
from collections.abc import Callable
from typing import TypedDict

from tcpviz.core.onlooker import Onlooker
from tcpviz.failure import report
from tcpviz.lab.scenarios import Scenario
from tcpviz.sources.feed import Feed, SourceError
from tcpviz.ui.teaching import Teaching
from tcpviz.ui.terminal import (
    Emergency,
    Manners,
    claim_terminal,
    in_browser,
    manners,
    own_looks,
    require_terminal,
    restored,
)

LOOKS = ("dark", "light", "contrast", "safe", "ansi", "mono")

GRACE_S = 4.0
"""How long an end in good order may take after a signal before the process is ended at once."""


def run(
    feed_factory: Callable[[], Feed],
    *,
    pace_s: float | None = None,
    live: bool = False,
    looks: str | None = None,
    ascii_only: bool = False,
    mouse: bool = True,
    fps: int | None = None,
    limit: int | None = None,
    filter_text: str = "",
    memory: int | None = None,
    again: Callable[[bool], Feed] | None = None,
    teaching: Teaching | None = None,
    onlooker: Callable[[Feed], Onlooker] | None = None,
    painted: bool = False,
) -> int:
    """Show the feed on the terminal until the person leaves; returns the exit code.

    ``pace_s``  seconds a step: the feed is a scenario and is played back
    ``looks``   one of :data:`LOOKS`
    ``fps``     frames a second; ``None``: as the terminal's nearness allows
    ``limit``   steps kept; ``None``: the screen's own limit
    ``filter_text``  the display filter to begin with
    ``memory``  bytes that a live capture may take, with its helpers
    ``again``   makes a scenario's feed once more, in step mode or not
    ``teaching`` the language, the register, and what to ask
    ``painted`` the first rows stand on the terminal already
    ``onlooker`` makes one for the feed, who is told of every step too, and of the end

    ``feed_factory`` is called with the terminal in place and nothing drawn yet.
    Raises SourceError where the source, or the terminal, cannot be had.
    """
    if looks is not None and looks not in LOOKS:
        raise SourceError(f"no theme {looks!r}; there are {', '.join(LOOKS)}", 2)
    _claim_input()
    require_terminal()
    behaviour = manners(ascii_only=ascii_only, fps=fps)
    teaching = teaching or Teaching()
    teaching.speak(ascii_only=behaviour.ascii)
    _before_textual(behaviour, looks)
    try:
        feed = feed_factory()
    except SourceError:
        if painted:
            from tcpviz.ui.firstpaint import wipe

            wipe()  # or it would be said where nobody can read it
        raise
    if hasattr(feed, "remember"):
        feed.remember()  # so that a person can still save what has just been seen
    emergency = Emergency()
    with restored():
        return _show(
            feed,
            emergency,
            behaviour,
            pace_s=pace_s,
            live=live,
            looks=looks or own_looks(),
            painted=painted,
            mouse=mouse,
            limit=limit,
            filter_text=filter_text,
            memory=memory,
            again=again,
            teaching=teaching,
            onlooker=None if onlooker is None else onlooker(feed),
        )


def demo(
    feed: Feed,
    options: argparse.Namespace,
    *,
    live: bool = False,
    again: Callable[[bool], Feed] | None = None,
) -> int:
    """The screen of ``tcpviz demo``: played back, or ``live`` as it happens.

    ``again`` makes the feed once more, in step mode or not. Raises SourceError.
    """
    return run(
        lambda: feed,
        pace_s=getattr(options, "pace", None) or 1.2,
        live=live,
        again=again,
        **_choices(options, scenario=getattr(feed, "scenario", None)),
    )


def capture(feed: Feed, options: argparse.Namespace, onlooker: Onlooker | None = None) -> int:
    """The screen of ``tcpviz capture``. Raises SourceError."""
    return run(
        lambda: feed,
        filter_text=options.filter or "",
        live=True,
        memory=options.memory,
        onlooker=None if onlooker is None else lambda _: onlooker,
        **_choices(options),
    )


def read(options: argparse.Namespace, onlooker: Callable[[Feed], Onlooker] | None = None) -> int:
    """The screen of ``tcpviz read``; the file is opened here, after the terminal is settled.

    Raises SourceError.
    """

    def opened() -> Feed:
        if getattr(options, "other", None) is not None:
            from tcpviz.sources.pair import pair_of

            return pair_of(options.file, options.other)
        from tcpviz.sources.files import FileFeed
        from tcpviz.sources.pipes import comes_once
        from tcpviz.ui.bulkfeed import LARGE, BulkFeed, large
        from tcpviz.ui.pipefeed import PipeFeed

        if comes_once(options.file) and onlooker is None:
            return PipeFeed(options.file, limit=options.memory)
        feed: Feed = (
            BulkFeed(
                options.file,
                follow=options.follow or None,
                limit=options.memory,
                ahead=getattr(options, "ahead", None),
            )
            if large(options.file, 0 if options.follow else LARGE) and onlooker is None
            else FileFeed(options.file)
        )
        if isinstance(feed, BulkFeed) and first is not None:
            feed.first = first.painted
        return feed

    words = " ".join(options.words)
    first = sys.modules.get("tcpviz.ui.firstpaint")
    painted = first is not None and first.standing()
    return run(opened, filter_text=words, onlooker=onlooker, painted=painted, **_choices(options))


class _Choices(TypedDict):
    looks: str | None
    ascii_only: bool
    mouse: bool
    fps: int | None
    teaching: Teaching


def _choices(options: argparse.Namespace, scenario: Scenario | None = None) -> _Choices:
    return {
        "teaching": Teaching.of(options, scenario),
        "looks": options.theme,
        "ascii_only": options.ascii,
        "mouse": not options.no_mouse,
        "fps": getattr(options, "fps", None),
    }


def _claim_input() -> None:
    """Where a capture is piped in, ``sys.stdin`` is the pipe and descriptor 0 the terminal."""
    if in_browser():
        return
    piped = claim_terminal()
    if piped is not None:
        # Kept open as long as the process: sys.stdin owns it now.
        sys.stdin = os.fdopen(piped, encoding="utf-8", errors="surrogateescape")


def _before_textual(behaviour: Manners, looks: str | None) -> None:
    """Settings that Textual reads when it is imported; the person's own go first."""
    # A thread that reads a file keeps the interpreter for 5 ms at a time otherwise, and a key
    # on its way to the screen asks for it three times.
    sys.setswitchinterval(0.001)
    os.environ.setdefault("TEXTUAL_FPS", str(behaviour.frames))
    os.environ.setdefault("TEXTUAL_SMOOTH_SCROLL", "0")
    os.environ.setdefault("TEXTUAL_ANIMATIONS", "none")
    if looks == "ansi":
        os.environ.setdefault("TEXTUAL_COLOR_SYSTEM", "standard")


def _show(
    feed: Feed,
    emergency: Emergency,
    behaviour: Manners,
    *,
    pace_s: float | None,
    live: bool,
    looks: str,
    painted: bool,
    mouse: bool,
    limit: int | None,
    filter_text: str,
    memory: int | None,
    again: Callable[[bool], Feed] | None,
    teaching: Teaching,
    onlooker: Onlooker | None,
) -> int:
    from tcpviz.ui.app import TcpvizApp
    from tcpviz.ui.playback import Pace

    app = TcpvizApp(
        feed,
        pace=None if pace_s is None else Pace(pace_s),
        live=live,
        looks=looks,
        behaviour=behaviour,
        painted=painted,
        limit=limit,
        filter_text=filter_text,
        memory=memory,
        again=again,
        teaching=teaching,
        onlooker=onlooker,
        on_signal=lambda number: _last_resort(emergency, number),
    )
    # What asyncio and threads would print belongs in the log, not across the screen.
    strays: list[str] = []
    logging.getLogger("asyncio").addHandler(logging.NullHandler())
    logging.getLogger("asyncio").propagate = False
    hook, threading.excepthook = threading.excepthook, lambda args: strays.append(_stray(args))
    failure: BaseException | None = None
    try:
        app.run(mouse=mouse)
    except KeyboardInterrupt:
        return 130
    except Exception as error:
        failure = error
    finally:
        threading.excepthook = hook
        app.session.pump.stop(1.0)
        if onlooker is not None:
            onlooker.end(app.session.tracker, app.session.latest_ns)
    failure = failure or app.failure
    if isinstance(failure, SourceError):
        raise failure
    if failure is not None:
        return report(failure, "".join(strays))
    if app.trouble is not None:
        # Said in the banner already, but the screen is gone now.
        raise app.trouble
    return app.return_code or 0


def _last_resort(emergency: Emergency, number: int) -> None:
    """If the screen cannot end in good order soon (its terminal is gone), end at once."""
    watch = threading.Timer(GRACE_S, emergency.leave, (128 + number,))
    watch.daemon = True
    watch.start()


def _stray(args: threading.ExceptHookArgs) -> str:
    return "".join(traceback.format_exception(args.exc_type, args.exc_value, args.exc_traceback))


__all__ = ["LOOKS", "capture", "demo", "read", "run"]

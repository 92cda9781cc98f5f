"""A feed told as text or JSON, line by line, as it happens."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TextIO

from tcpviz.core.onlooker import Onlooker, Onlookers
from tcpviz.core.records import Record, SegmentRecord
from tcpviz.core.timeline import Step
from tcpviz.core.tracker import Tracker
from tcpviz.sources.feed import Feed, SourceError

MAX_CONNECTIONS = 200_000
"""How many connections a stream without end keeps in mind."""


_ENDS = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)
"""By these a person, a service manager or a lost terminal end a capture: in order, each of them."""

LOOK = 64
"""After so many segments it is looked how many more have come meanwhile."""

NOBODY = -1
"""The number of no connection."""


def complain(message: str) -> None:
    """One line for the person, on standard error."""
    print(f"tcpviz: {message}", file=sys.stderr)


class Notes:
    """Passes a feed's one-line messages on to standard error, each once."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed
        self._told = 0

    def tell(self) -> None:
        notes = self._feed.status.notes
        while self._told < len(notes):
            complain(notes[self._told])
            self._told += 1


def _thrift(tracker: Tracker, feed: Feed, memory: int | None) -> Callable[[], object]:
    """What keeps a stream within its memory; nothing where none was set."""
    if memory is None:
        return lambda: None
    from tcpviz.ui.process import taken_bytes
    from tcpviz.ui.thrift import Thrift

    thrift = Thrift(memory)
    return lambda: thrift.mind(tracker, taken_bytes(feed))


def _only_count(feed: Feed, tracker: Tracker) -> None:
    """Where more comes than can be followed, and the feed can count it, leave it at that."""
    if getattr(feed, "overwhelmed", False) and getattr(feed, "everything", False):
        feed.status.notes.append(
            "more comes than can be followed one by one: from now on all connections are counted, "
            "by state"
        )
        feed.only(NOBODY)  # type: ignore[attr-defined]
        tracker.keep_connections(0)
    elif getattr(feed, "calm", False):
        feed.follow_all()  # type: ignore[attr-defined]


def _while_it_can_be_followed(feed: Feed, batch: Sequence[Record]) -> Iterator[Record]:
    """A batch, without its latest segments where meanwhile more came than can be followed.

    Nobody reads the ring while we follow what came in one pass: of a flood's first ones that
    takes seconds on a busy machine, and the ring is full after two.
    """
    pressed = getattr(feed, "pressed", None)
    for place, record in enumerate(batch):
        if pressed is not None and place % LOOK == LOOK - 1 and pressed():
            rest = batch[place:]
            yield from (each for each in rest if not isinstance(each, SegmentRecord))
            return
        yield record


def _go_on(feed: Feed, tracker: Tracker, batch: object) -> None:
    """Where a feed that only counted says that everything comes from here on, follow it again."""
    since = getattr(batch, "since", None)
    if since is None:
        return
    tracker.go_on(since, MAX_CONNECTIONS, feed.rows.number_of)  # type: ignore[attr-defined]
    feed.status.notes.append(
        "few enough come to be followed one by one again; what came meanwhile was counted, "
        "not followed"
    )


def seen(feed: Feed, tracker: Tracker) -> int:
    """How many connections there have been."""
    counted = feed.table.born if getattr(feed, "ring", False) else 0  # type: ignore[attr-defined]
    return max(counted, len(tracker.connections) + tracker.evicted)


def forgotten(feed: Feed, tracker: Tracker) -> int:
    """How many of them had to be forgotten."""
    if not getattr(feed, "counted", False):
        return tracker.evicted
    return int(feed.table.evicted)  # type: ignore[attr-defined]


def tell(
    feed: Feed,
    tracker: Tracker,
    line: Callable[[Step], str | None],
    out: TextIO,
    *,
    endless: bool,
    memory: int | None = None,
    onlooker: Onlooker | None = None,
    here: bool = False,
) -> int:
    """Write ``line(step)`` for every step of ``feed``; returns the exit code.

    ``memory``: bytes that it may take with its helpers; connections go before that, counted.
    ``endless``: Ctrl-C is the ordinary way to end it (a capture), not an interruption.
    ``onlooker``: is told of every step too; once it is done, no more are told to anybody.
    ``here``: the feed's clock is this machine's.
    """
    notes = Notes(feed)
    eyes = onlooker or Onlookers(())

    def now() -> int:
        return max(tracker.now_ns, time.time_ns()) if here else tracker.now_ns

    economise = _thrift(tracker, feed, memory)
    code = 0
    asked: list[int] = []

    def end(number: int, _frame: object) -> None:
        """In order, so that the last packets and counters come too."""
        asked.append(number)
        feed.stop()

    def hurries() -> bool:
        """Ctrl-C once more: nothing more is told."""
        return asked.count(signal.SIGINT) > 1

    before = {each: signal.signal(each, end) for each in _ENDS if endless}
    try:
        for batch in feed.batches():
            notes.tell()
            _go_on(feed, tracker, batch)
            for record in _while_it_can_be_followed(feed, batch):
                if eyes.done or hurries():
                    break
                steps = tracker.feed(record)
                eyes.steps(steps, tracker)
                for step in steps:
                    text = line(step)
                    if text is not None:
                        out.write(text + "\n")
            out.flush()
            eyes.look(tracker, now())
            economise()
            _only_count(feed, tracker)
            if hurries():
                break
    except KeyboardInterrupt:
        feed.stop()
        code = 0 if endless else 130
    except SourceError as error:
        notes.tell()
        out.flush()
        complain(str(error))
        code = error.exit_code
    except BrokenPipeError:
        feed.stop()
        raise
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        eyes.end(tracker, now())
    notes.tell()
    out.flush()
    return code

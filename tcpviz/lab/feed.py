"""The lab as a feed: starts the child, decodes its frames, and yields records as they happen.

Three grounds, best first: ``cable``, ``loopback``, ``kernel``. Where one cannot
be had the next is used, and a note says why.
"""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from tcpviz.core.records import (
    Act,
    Doer,
    Gap,
    Handled,
    Moment,
    Note,
    Rebooted,
    Record,
    SegmentRecord,
    Side,
)
from tcpviz.core.segment import Segment
from tcpviz.lab import infer, protocol
from tcpviz.lab.control import LabControl, checked_delay, checked_loss
from tcpviz.lab.protocol import Channel, ChannelError, Message
from tcpviz.lab.scenarios import Scenario
from tcpviz.lab.written import Written
from tcpviz.sources.feed import FeedStatus, SourceError
from tcpviz.wire.decoder import Decoder
from tcpviz.wire.frame import Frame

GROUNDS = ("cable", "loopback", "kernel")
"""Best first."""

DELAY_MS = 5.0
"""One way on the cable: connect() must return while the third segment is still under way."""

FRAMES_KEPT = 40_000
"""Segments that are remembered: what was sent may arrive, or be sent again, much later."""

ETHERNET = 1
_PATIENCE_S = 5.0
TITLES = {
    "cable": "two hosts on a cable",
    "loopback": "loopback",
    "kernel": "loopback, no capture",
}
_WITHOUT = {
    "cable": "no cable between two hosts",
    "loopback": "no capture on loopback",
}
_INFERRED = (
    "nothing is captured here: the segments shown are inferred from the socket calls"
    " and the kernel's states, their sequence numbers counted from 0"
)
_NO_KERNEL = (
    "nothing is captured here, and the kernel does not tell its sockets' states: the"
    " segments shown are inferred from the socket calls alone, numbered from 0"
)


class LabFeed:
    """Plays ``scenario`` and yields what happens.

    ``on``        the ground to begin with (``cable`` unless told otherwise)
    ``write``     a pcapng file for the frames, each once
    ``delay_ms``  one way's time on the cable; or two, for what the client and the server send
    ``step``      each segment waits in the hand until :attr:`control` lets it go
    ``loss``      the fraction that dies by chance, or two; ``jitter_ms`` up to so much
                  longer each takes; both drawn from ``seed``
    ``control``   the cable in the person's hand; ``None`` on the other grounds

    The thread that iterates :meth:`batches` should be the one that ends it: the
    kernel kills the child with the thread that started it.
    """

    def __init__(
        self,
        scenario: Scenario,
        on: str | None = None,
        write: str | None = None,
        *,
        ipv6: bool = False,
        delay_ms: float | tuple[float, float] = DELAY_MS,
        step: bool = False,
        loss: float | tuple[float, float] = 0.0,
        jitter_ms: float = 0.0,
        seed: int = 1,
    ) -> None:
        if on is not None and on not in GROUNDS:
            raise SourceError(f"no ground {on!r}; there are: {', '.join(GROUNDS)}", 2)
        if scenario.needs_cable and on not in (None, "cable"):
            what = f"{scenario.name} needs the cable between two hosts; it cannot run on {on}"
            raise SourceError(what, 2)
        try:
            delays = _both(delay_ms, checked_delay)
            losses = _both(loss, checked_loss)
            jitter_ms = checked_delay(jitter_ms)
        except ValueError as error:
            raise SourceError(str(error), 2) from None
        if (step or any(losses) or jitter_ms) and on not in (None, "cable"):
            raise SourceError(f"stepping, loss and jitter need the cable, not {on}", 2)
        self._control = LabControl(
            step=step, delay_ms=delays, loss=losses, jitter_ms=jitter_ms, seed=seed
        )
        self.scenario = scenario
        self.title = f"demo {scenario.name}"
        self.status = FeedStatus()
        self.ground: str | None = None
        self._grounds = GROUNDS[GROUNDS.index(on) :] if on else GROUNDS
        if scenario.programs is not None:
            if on == "kernel":
                raise SourceError("programs of your own need the cable or loopback, not kernel", 2)
            self._grounds = tuple(one for one in self._grounds if one != "kernel")
        self._write = write
        self._ipv6 = ipv6
        self._start: Message = {
            "delay_ms": delays,
            "loss": losses,
            "jitter_ms": jitter_ms,
            "seed": seed,
        }
        self._child: Child | None = None
        self._stopped = False
        self._lock = threading.Lock()

    @property
    def control(self) -> LabControl | None:
        """The cable in the person's hand; ``None`` where there will be no cable."""
        return self._control if (self.ground or self._grounds[0]) == "cable" else None

    def batches(self) -> Iterator[list[Record]]:
        """Records in batches, each up to a moment at which all is quiet. Raises SourceError."""
        written = Written(self._write) if self._write is not None else None
        try:
            yield from self._play(written)
        finally:
            self.status.done = True
            self._control.end()
            self._end_child()
            if written is not None:
                written.close()

    def stop(self) -> None:
        """End soon; from any thread, more than once."""
        with self._lock:
            self._stopped = True
            if self._child is not None:
                self._child.channel.hang_up()

    # -- grounds ------------------------------------------------------------

    def _play(self, written: Written | None) -> Iterator[list[Record]]:
        for place, ground in enumerate(self._grounds):
            with self._lock:
                if self._stopped:
                    return
                settings = {**self._start, "step": self._control.step_mode}
                child = self._child = Child(self.scenario, ground, self._ipv6, settings)
            first = self._receive(child)
            if first is None:
                return
            message = first[0]
            if message["k"] != "unavailable":
                if message["k"] != "ready":
                    raise _failure(message)
                self.ground = ground
                if ground == "cable":
                    self._control.begin(child.channel)
                self.title = f"demo {self.scenario.name}, {TITLES[ground]}"
                yield from _Reception(self, child, message, written).batches()
                return
            self._end_child()
            reason = message["reason"]
            if self.scenario.needs_cable:
                what = f"{self.scenario.name} needs the cable between two hosts"
                raise SourceError(f"{what}, which is not to be had here: {reason}", 1)
            if place + 1 == len(self._grounds):
                raise SourceError(f"the demo cannot run here: {reason}", 1)
            note = self._note(f"{_WITHOUT[ground]}: {reason}")
            if written is not None:
                written.record(note)
            yield [note]

    def _note(self, text: str, time_ns: int | None = None) -> Note:
        self.status.notes.append(text)
        return Note(time.time_ns() if time_ns is None else time_ns, text)

    def _receive(self, child: Child) -> tuple[Message, bytes] | None:
        """The next message; ``None`` after :meth:`stop`. Raises SourceError."""
        try:
            came = child.channel.receive()
        except ChannelError as error:
            came, problem = None, str(error)
        else:
            problem = ""
        if came is not None or self._stopped:
            return None if self._stopped else came
        raise SourceError(f"the lab ended unexpectedly: {child.last_words() or problem}", 1)

    def _end_child(self) -> None:
        with self._lock:
            child, self._child = self._child, None
        if child is not None:
            child.end()


def _both(
    value: float | tuple[float, float], checked: Callable[[float], float]
) -> tuple[float, float]:
    client, server = value if isinstance(value, tuple) else (value, value)
    return checked(client), checked(server)


def _failure(message: Message) -> SourceError:
    if message["k"] == "error":
        return SourceError(str(message["text"]), int(message["code"]))
    return SourceError(f"the lab said {message['k']!r} where it should not", 1)


class _Reception:
    """Turns one child's messages into records."""

    def __init__(
        self, feed: LabFeed, child: Child, ready: Message, written: Written | None
    ) -> None:
        self._feed = feed
        self._child = child
        self._written = written
        self._decoder = Decoder()
        self._segments: dict[int, Segment] = {}
        self._inference = infer.Inference() if not ready["interfaces"] else None
        self._began_ns = int(ready["t"])
        if written is not None:
            moment = Moment.SENT if ready["ground"] == "cable" else Moment.SEEN
            written.begin(ready["interfaces"], moment)

    def batches(self) -> Iterator[list[Record]]:
        batch: list[Record] = []
        if self._inference is not None:
            linux = sys.platform.startswith("linux")
            text = _INFERRED if linux else _NO_KERNEL
            batch.append(self._feed._note(text, self._began_ns))
        while (came := self._feed._receive(self._child)) is not None:
            message, data = came
            kind = message["k"]
            if kind in ("quiet", "end", "error"):
                if batch:
                    yield self._completed(batch)
                    batch = []
                if kind == "error":
                    raise _failure(message)
                if kind == "end":
                    return
            else:
                record = self._record(kind, message, data)
                if record is not None:
                    batch.append(record)
                    if self._written is not None and self._inference is None:
                        self._written.record(record)

    def _completed(self, batch: list[Record]) -> list[Record]:
        if self._inference is None:
            return batch
        batch = self._inference.batch(batch)
        if self._written is not None:
            for record in batch:
                self._written.record(record)
        return batch

    def _record(self, kind: str, message: Message, data: bytes) -> Record | None:
        if kind == "frame":
            return self._frame(message, data)
        if kind in ("arrived", "lost"):
            return self._later(kind, message, data)
        if kind == "act":
            return self._handled(message)
        if kind == "hand":
            self._feed._control.take(message, self._segments)
            return None
        if kind == "call":
            return protocol.call_in(message)
        if kind == "kernel":
            return protocol.reading_in(message)
        time_ns = int(message["t"])
        if kind == "reboot":
            return Rebooted(time_ns, Side(message["side"]))
        if kind == "note":
            self._feed.status.notes.append(str(message["text"]))
            return Note(time_ns, str(message["text"]))
        if kind == "gap":
            self._feed.status.dropped += int(message["count"])
            return Gap(time_ns, int(message["count"]), str(message["where"]))
        raise _failure(message)

    def _frame(self, message: Message, data: bytes) -> Record | None:
        status = self._feed.status
        number, time_ns = int(message["n"]), int(message["t"])
        if message["moment"] == "swallowed":
            status.frames += 1
            return None  # it left, and got no further; should it go on, that is told
        frame = Frame(time_ns, ETHERNET, data, len(data), number, int(message["if"]))
        if not message.get("again"):
            status.frames += 1
        moment = Moment(message["moment"])
        if self._written is not None and number:
            self._written.frame(frame, waits=moment is Moment.SENT)
        segment = self._decoder.decode(frame)
        if segment is None:
            if self._decoder.errors:
                return self._decoder.errors.popleft()
            status.skipped = self._decoder.skipped
            return None
        status.segments += 1
        if moment is Moment.SENT:
            self._segments[number] = segment
            if len(self._segments) > FRAMES_KEPT:
                del self._segments[next(iter(self._segments))]
        return SegmentRecord(time_ns, segment, moment)

    def _later(self, kind: str, message: Message, data: bytes) -> SegmentRecord | None:
        number, time_ns = int(message["n"]), int(message["t"])
        if self._written is not None:
            if kind == "arrived":
                self._written.arrived(number, time_ns)
            else:
                self._written.lost(number, str(message["why"]))
        segment = self._segments.get(number)
        if segment is None:
            return None
        if data:  # not as it left
            frame = Frame(segment.time_ns, ETHERNET, data, len(data), number, segment.interface)
            segment = self._decoder.decode(frame) or segment
        moment = Moment.ARRIVED if kind == "arrived" else Moment.LOST
        held_ns, again = int(message.get("held_ns", 0)), bool(message.get("again"))
        return SegmentRecord(time_ns, segment, moment, held_ns, again)

    def _handled(self, message: Message) -> Handled | None:
        segment = self._segments.get(int(message["n"]))
        if segment is None:
            return None
        return Handled(
            int(message["t"]),
            Act(message["act"]),
            Doer(message["by"]),
            segment,
            int(message["held_ns"]),
            int(message["paused_ns"]),
            int(message["count"]),
            int(message["delay_ns"]),
        )


class Child:
    """The child process and our end of its socket pair."""

    def __init__(self, scenario: Scenario, ground: str, ipv6: bool, settings: Message) -> None:
        ours, theirs = socket.socketpair()
        self.channel = Channel(ours)
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed in end()
        command = [sys.executable, "-I", "-S", str(Path(__file__).with_name("child.py"))]
        try:
            self._process = subprocess.Popen(  # noqa: S603 - our own file, by our own Python
                [*command, str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=self._errors,
                pass_fds=[theirs.fileno()],
                # Ctrl-C is for the program on the screen, not for its child.
                start_new_session=True,
            )
        except OSError as error:
            self.channel.close()
            self._errors.close()
            raise SourceError(f"cannot start the lab's process: {error}", 1) from None
        finally:
            theirs.close()
        start = {
            "k": "start",
            "script": str(scenario.path),
            "ground": ground,
            "parent": os.getpid(),
            "limit_s": scenario.limit_s,
            "programs": scenario.programs,
            "ipv6": ipv6,
            **settings,
        }
        with contextlib.suppress(ChannelError):  # it is dead already; receiving tells why
            self.channel.send(start)

    @property
    def pid(self) -> int:
        return self._process.pid

    def last_words(self) -> str:
        """The last line it wrote before it died, or how it ended."""
        try:
            code = self._process.wait(_PATIENCE_S)
        except subprocess.TimeoutExpired:
            return "it closed its channel"
        self._errors.seek(0)
        lines = self._errors.read().decode(errors="replace").split("\n")
        last = [line.strip() for line in lines if line.strip()]
        return last[-1] if last else f"exit code {code}"

    def end(self) -> None:
        """See that it is gone."""
        self.channel.hang_up()
        try:
            self._process.wait(1.0)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self.channel.close()
        self._errors.close()

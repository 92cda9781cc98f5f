"""The stage: plays a scenario's calls on a ground and tells everything that happens, in order.

After every call, and after every frame that is delivered, the stage runs until
*quiet*: each peer has nothing to do or sleeps in its call (the kernel says so),
the kernels have dealt with what they were handed, and no new frame has come.
Only then are both kernels read, and the next frame goes on its way. So what a
reading says belongs to exactly what was told before it.
"""

from __future__ import annotations

import select
import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace

from tcpviz.core.records import Call, Side
from tcpviz.lab.cable import Cable
from tcpviz.lab.commands import obey
from tcpviz.lab.frames import Glance, glance
from tcpviz.lab.ground import Event, Ground
from tcpviz.lab.peers import Peers, Pending, Sock, Worker
from tcpviz.lab.protocol import Message, call_out, reading_out
from tcpviz.lab.reading import Reader

SECOND = 1_000_000_000
LONGEST_DELAYED_ACK_NS = 250_000_000
"""Linux delays an ACK by 40 to 200 ms (TCP_DELACK_MAX); so long an answer may be on its way."""

CALL_LIMIT_S = 5.0
"""How long the next call on a host waits for the former one to return."""

READ_EVERY_S = 1.0
"""How often the kernels are read while time passes and nothing happens: timers run down."""


class ScenarioError(Exception):
    """The scenario cannot go on; the text is for the person, without the line number."""

    exit_code = 1


class MistakeError(ScenarioError):
    """The script asks for what there is not."""

    exit_code = 2


class Stage:
    """Plays on ``ground`` and tells ``out``; used by the main thread alone.

    ``commands``  the person's, put there by the thread that receives them, which
                  calls :meth:`Peers.poke` to wake this one
    ``left``      how many segments have left so far, by sender and what they are
    """

    def __init__(self, ground: Ground, out: Callable[[Message, bytes], None]) -> None:
        self.ground = ground
        self.traffic = ground.traffic if isinstance(ground, Cable) else None
        self.commands: deque[Message] = deque()
        self.left: list[tuple[Side, Glance]] = []
        self.skip = False
        self._hand_told = -1
        self._hand_shown = False
        self._excused = 0.0
        self._excused_since: float | None = None
        self.peers = Peers()
        self.sockets: list[tuple[Side, Sock]] = []
        self.reader = Reader(ground, self.peers, self.sockets)
        self._out = out
        self._events: list[Event] = []
        self._last_ns = 0
        self._wire: list[str] = []
        self._poll = select.poll()
        self._poll.register(self.peers.wake, select.POLLIN)
        for fd in ground.watched():
            self._poll.register(fd, select.POLLIN)
        for side in (Side.SERVER, Side.CLIENT):
            self.peers.add(side, ground.places[side].endpoint.addr, ground.enter(side))
        self._connects = 0

    # -- what a scenario does -----------------------------------------------

    def call(self, worker: Worker, pending: Pending) -> None:
        """Have a call made, then run until quiet: it has returned, or it blocks."""
        what = f"{worker.side}.{pending.call.name}()"
        self.finish(worker, CALL_LIMIT_S, f"{what} cannot begin: ")
        worker.order(pending)
        self.settle()

    def finish(self, worker: Worker, seconds: float, what: str = "") -> None:
        """Run until the worker's call has returned. Raises ScenarioError after ``seconds``."""
        pending = worker.pending
        name = pending.call.name if pending else "?"
        blocked = f"{what}{worker.called} is still blocked in {name}()"
        self.until(lambda: worker.idle, seconds, blocked)

    def until(self, done: Callable[[], bool], seconds: float, what: str) -> None:
        """Run until ``done()``. Raises ScenarioError after ``seconds`` of waiting for nothing.

        Time in which a segment is under way, or in the person's hand, does not count.
        """
        if done():
            return
        self.settle()
        until = self.clock() + seconds
        read_at = time.monotonic() + READ_EVERY_S
        while not done():
            if self._lonely():
                self.settle()
                continue
            if self.clock() > until:
                raise ScenarioError(f"{what} after {seconds:g} s; {self.what_was_seen()}")
            self._nap(until - self.clock())
            self.settle()
            if time.monotonic() > read_at:
                read_at = time.monotonic() + READ_EVERY_S
                self._tell_reading()

    def wait(self, seconds: float) -> None:
        """Let time pass, delivering what comes, then read the kernels again."""
        until = time.monotonic() + seconds
        self.skip = False
        self.settle()
        read_at = time.monotonic() + READ_EVERY_S
        while time.monotonic() < until and not self.skip:
            if self._lonely():
                self.settle()
                continue
            self._nap(until - time.monotonic())
            self.settle()
            if time.monotonic() > read_at:
                read_at = time.monotonic() + READ_EVERY_S
                self._tell_reading()
        self._tell_reading()

    def clock(self) -> float:
        """Seconds in which the scenario could have gone on: real ones, less the excused."""
        since = self._excused_since
        now = time.monotonic()
        return now - self._excused - (0.0 if since is None else now - since)

    def _excuse(self, excused: bool) -> None:
        if excused and self._excused_since is None:
            self._excused_since = time.monotonic()
        elif not excused and self._excused_since is not None:
            since, self._excused_since = self._excused_since, None
            self._excused += time.monotonic() - since

    def _lonely(self) -> bool:
        """Let go of what waits for the next segment, when nothing else will come."""
        if self.traffic is None:
            return False
        events = self.traffic.lonely(time.time_ns())
        self._events += events
        return bool(events)

    def now(self) -> int:
        """The moment, ns since the epoch, after everything that has left already."""
        self._gather()
        return time.time_ns()

    def read(self) -> None:
        """Read the kernels and tell."""
        self._gather()
        self._flush()
        self._tell_reading()

    def tell(self, *events: Event) -> None:
        """Have this told with what happens next, and the hand as it then is."""
        self._events += events

    def note(self, text: str) -> None:
        """A line for the person, after everything that happened so far."""
        self._gather()
        self._flush()
        self._tell(self._stamped({"k": "note", "text": text, "t": time.time_ns()}), b"")

    def connects(self) -> int:
        """How many connect() calls there were before, for the next one's port."""
        self._connects += 1
        return self._connects - 1

    def what_was_seen(self) -> str:
        """The last frames and the kernels' states, in words."""
        wire = "; ".join(self._wire[-3:]) or "nothing"
        return f"last on the wire: {wire}; the kernel says: {self.reader.summary()}"

    def watch(self, fd: int) -> None:
        """Wake up when this descriptor has something to read."""
        self._poll.register(fd, select.POLLIN)

    def unwatch(self, fd: int) -> None:
        """The reverse; before it is closed."""
        self._poll.unregister(fd)

    @property
    def told_ns(self) -> int:
        """The latest moment that was told, ns since the epoch: nothing comes before it any more."""
        return self._last_ns

    @property
    def delivered_ns(self) -> int:
        """The latest moment that was told, or at which something was delivered since.

        Nothing is delivered while a call is on its way back, so a return that we read
        only now did not come before that.
        """
        arrivals = (int(message["t"]) for message, _ in self._events if message["k"] == "arrived")
        return max(self._last_ns, *arrivals, 0)

    @property
    def seen(self) -> int:
        """How many segments were seen so far."""
        return len(self._wire)

    # -- running until quiet ------------------------------------------------

    def settle(self) -> None:
        """Run until nothing moves and nothing is under way that will move something.

        On the cable the kernels are read after each event. On the other grounds
        one event follows the other in microseconds, and a reading in between
        would belong to none of them: there they are read when all is over.
        """
        patience = time.time_ns() + LONGEST_DELAYED_ACK_NS
        untold = False
        while True:
            self._come_to_rest()
            self._obey()
            if self._flush():
                untold = True
                patience = time.time_ns() + LONGEST_DELAYED_ACK_NS
                if not self.ground.lockstep:
                    self.reader.read()
            if untold and self.ground.lockstep:
                self._tell_reading()
                untold = False
            self._tell_hand()
            due = self.ground.due()
            now = time.time_ns()
            if due is not None:
                self._excuse(True)
                if due <= now or not self._ready((due - now) / SECOND):
                    self._events += self.ground.deliver()
                self._excuse(False)
            elif self.traffic is not None and self.traffic.blocks():
                self._excuse(True)
                self._ready(READ_EVERY_S)  # then the kernels are asked how their timers run
                self._excuse(False)
                untold = True
            elif self.reader.waits and now < patience and not self._stuck():
                self._await_answer((patience - now) / SECOND)
            elif self._mends():
                self._excuse(True)
                self._ready(READ_EVERY_S)
                self._excuse(False)
                untold = True
            else:
                if untold:
                    self._tell_reading()
                return

    def _obey(self) -> None:
        """Do what the person has ordered since the last time."""
        while self.commands and isinstance(self.ground, Cable):
            self._events += obey(self.commands.popleft(), self, self.ground)

    def _tell_hand(self) -> None:
        """What lies in the hand now, if that has changed."""
        if self.traffic is None or self.traffic.version == self._hand_told:
            return
        self._hand_told = self.traffic.version
        now = time.time_ns()
        self.traffic.pause(now)
        held = [
            {
                "n": one.number,
                "since_ns": one.held_since,
                "by": one.by.value,
                "swallowed": one.swallowed,
                "behind": one.behind,
                "copy": one.copy,
                "changed": one.changed,
            }
            for one in self.traffic.held()
        ]
        if held or self._hand_shown:
            self._hand_shown = bool(held)
            self._out({"k": "hand", "held": held, "paused_ns": self.traffic.paused_ns(now)}, b"")

    def _mends(self) -> bool:
        """A kernel will repeat what a person or chance, not the script, has spoiled."""
        if self.traffic is None or not self.traffic.hurt or self._stuck():
            return False
        self.traffic.hurt = self.reader.waits
        return self.reader.waits

    def _await_answer(self, seconds: float) -> None:
        """Sleep until something comes; where no frame can wake us, ask the kernel now and then."""
        if self.ground.watched():
            self._ready(seconds)
        else:
            self._ready(min(seconds, 0.01))
            self.reader.read()

    def _stuck(self) -> bool:
        """What is waited for lies in the scenario's own hand."""
        return bool(getattr(self.ground, "held", None))

    def _come_to_rest(self) -> None:
        """Until every peer is idle or asleep in its call, and no frame is left to take."""
        while True:
            self._gather()
            self._await_peers()
            self.ground.flush()
            if not self._gather() and self.peers.settled():
                return

    def _await_peers(self) -> None:
        until = time.monotonic() + CALL_LIMIT_S
        nap = 0.00005
        while not self.peers.settled():
            if time.monotonic() > until:
                busy = [
                    f"{worker.called} in {worker.pending.call.name}()"
                    for worker in self.peers.workers.values()
                    if worker.pending is not None and not worker.pending.done
                ]
                raise ScenarioError(f"does not come to rest: {', '.join(busy)}")
            time.sleep(nap)
            nap = min(nap * 2, 0.002)

    def _gather(self) -> bool:
        """Take what peers and the ground have for us; whether there was anything."""
        calls = self.peers.take()
        self._events += [(call_out(self._completed(call)), b"") for call in calls]
        frames = self.ground.collect()
        self._events += frames
        return bool(calls or frames)

    def _completed(self, call: Call) -> Call:
        """A refused connect() has lost its own address by the time it returns."""
        if call.returned and call.local is None and call.peer is not None:
            return replace(call, local=self.reader.source_of(call.peer))
        return call

    def _flush(self) -> bool:
        """Tell what happened since the last time, in time's order; whether there was anything."""
        if not self._events:
            return False
        events, self._events = self._events, []
        events.sort(key=lambda event: int(event[0]["t"]))
        for message, data in events:
            self._tell(self._stamped(message), data)
        return True

    def _stamped(self, message: Message) -> Message:
        """Never before what was told already, even if the clock was set back meanwhile."""
        self._last_ns = message["t"] = max(self._last_ns, int(message["t"]))
        return message

    def _tell_reading(self) -> None:
        """Read the kernels and end the batch.

        A delayed ACK may leave while we ask. Then the answer is about something
        that was not told yet: that is told first, and the kernels asked again.
        """
        reading = self.reader.read()
        for _ in range(10):
            if not self._gather():
                break
            self._flush()
            reading = self.reader.read()
        if reading is not None:
            self._tell(self._stamped(reading_out(reading)), b"")
        self._tell({"k": "quiet"}, b"")

    def _tell(self, message: Message, data: bytes) -> None:
        if data and message["k"] == "frame":
            seen = glance(data)
            if seen is not None:
                self._wire.append(self._spoken(seen))
                if message["moment"] == "sent":
                    self.left.append((list(Side)[int(message["if"])], seen))
        self._out(message, data)

    def _spoken(self, seen: Glance) -> str:
        server = self.ground.places[Side.SERVER].endpoint
        return f"{seen} from {'the server' if seen.src == server else 'the client'}"

    def _nap(self, seconds: float) -> None:
        """Sleep until something comes, for a moment at most."""
        longest = min(0.2, max(0.0, seconds))
        parked = None if self.traffic is None else self.traffic.parked_due()
        if parked is not None:
            longest = min(longest, max(0.0, (parked - time.time_ns()) / SECOND))
        self._ready(longest)

    def _ready(self, seconds: float) -> bool:
        return bool(self._poll.poll(max(0.0, seconds) * 1000))

    def begin(self) -> None:
        """Tell how the kernels stand before anything happens."""
        self._tell_reading()

    def end(self) -> None:
        """Let everything come to rest, and tell who is still blocked."""
        self.settle()
        while self._lonely() or (self.traffic and self.traffic.parked_due() is not None):
            self._nap(0.2)
            self.settle()
        for worker in self.peers.workers.values():
            pending = worker.pending
            if pending is not None and not pending.done:
                self.note(f"the {worker.called} is still blocked in {pending.call.name}()")

    def close(self) -> None:
        """Let the ground go; peers end with the process."""
        self.ground.close()
        self.peers.close()

"""Two ends that follow RFC 9293, a link that loses and reorders, and the truth about both.

A bench for the inference: what is captured in the middle of the link goes to a
tracker, and what the tracker claims is compared with what the ends knew. The
ends are written from the text of section 3.10 alone, independently of the
tracker and of its table. Times are milliseconds.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial

from tcpviz.core.segment import Endpoint, Flags, Options, Segment
from tcpviz.core.states import State

MS = 1_000_000
RTO, RETRIES, TIME_WAIT_MS, WINDOW = 200, 6, 60_000, 65535
F, S, R, A = Flags.FIN, Flags.SYN, Flags.RST, Flags.ACK
U, P = Flags.URG, Flags.PSH
M = 0xFFFFFFFF
CLIENT, SERVER = Endpoint("10.0.0.1", 40000), Endpoint("10.0.0.2", 80)


def less(a: int, b: int) -> bool:
    return 0 < (b - a) & M < 1 << 31


def at_most(a: int, b: int) -> bool:
    return a == b or less(a, b)


@dataclass(frozen=True)
class Packet:
    """A segment on the link; ``state`` is its sender's when it had left."""

    sender: int
    seq: int
    ack: int
    flags: Flags
    length: int
    state: State | None
    stamps: tuple[int, int] | None = None

    @property
    def end(self) -> int:
        return (self.seq + self.length + bool(self.flags & S) + bool(self.flags & F)) & M


@dataclass
class Captured:
    """A packet as the capture saw it; ``truth`` is its sender's state when it had left.

    ``None`` for a forged one.
    """

    segment: Segment
    truth: State | None


@dataclass(order=True)
class _Event:
    at: float
    number: int
    act: Callable[[], None] = field(compare=False)


class End:
    """One end. States and variables as section 3.3 names them."""

    def __init__(self, world: World, side: int, iss: int, *, listens: bool) -> None:
        self.world, self.side, self.iss = world, side, iss
        self.listens = listens
        self.state = State.LISTEN if listens else State.CLOSED
        self.una = self.nxt = iss
        self.rcv = 0
        self.fin: int | None = None
        self.beyond: list[Packet] = []
        self.queue: list[Packet] = []  # sent and not acknowledged
        self.unsent = 0
        self.closing = False
        self.tries = 0
        self.timer = 0
        self.owes_ack = False
        self.recent = 0
        self.tried = False
        self.path = [self.state]

    def to(self, state: State) -> None:
        self.state = state
        self.path.append(state)
        if state in (State.CLOSED, State.LISTEN):
            self.queue.clear()
            self.timer += 1
        if state is State.TIME_WAIT:
            self._time_wait()

    def _time_wait(self) -> None:
        self.queue.clear()
        self.timer += 1
        number = self.timer

        def over() -> None:
            if self.timer == number and self.state is State.TIME_WAIT:
                self.to(State.CLOSED)

        self.world.after(TIME_WAIT_MS, over)

    # -- the user -------------------------------------------------------------

    def connect(self) -> None:
        if self.state is State.CLOSED:
            self.to(State.SYN_SENT)
            self._emit_new(S, 0)

    def send(self, count: int) -> None:
        if not self.closing:
            self.unsent += count
            self._push()

    def close(self) -> None:
        self.closing = True
        if self.state is State.SYN_SENT:
            self.to(State.CLOSED)
        self._push()

    def abort(self) -> None:
        self.closing = True
        if self.state in (State.LISTEN, State.CLOSED, State.SYN_SENT, State.TIME_WAIT):
            if self.state is State.SYN_SENT:
                self.to(State.CLOSED)
            return
        seq = self.nxt
        self.to(State.CLOSED)
        self._emit(R | A, seq, self.rcv, 0)

    def _push(self) -> None:
        if self.state not in (State.ESTABLISHED, State.CLOSE_WAIT):
            return
        while self.unsent:
            count = min(self.unsent, 100)
            self.unsent -= count
            self._emit_new(A, count)
        if self.closing and self.fin is None:
            self.fin = self.nxt
            established = self.state is State.ESTABLISHED
            self.to(State.FIN_WAIT_1 if established else State.LAST_ACK)
            self._emit_new(F | A, 0)

    # -- sending ----------------------------------------------------------------

    def _emit_new(self, flags: Flags, length: int) -> None:
        packet = self._emit(flags, self.nxt, self.rcv, length)
        self.nxt = packet.end
        self.queue.append(packet)
        if len(self.queue) == 1:
            self.tries = 0
            self._arm()

    def _emit(self, flags: Flags, seq: int, ack: int, length: int) -> Packet:
        if not flags & A:
            ack = 0
        self.owes_ack, self.tried = False, True
        stamps = None
        if self.world.stamps and not flags & R:
            stamps = (int(self.world.now) + 1000 * self.side + 5, self.recent)
        packet = Packet(self.side, seq, ack, flags, length, self.state, stamps)
        self.world.transmit(packet)
        return packet

    def ack(self) -> None:
        self._emit(A, self.nxt, self.rcv, 0)

    def _arm(self) -> None:
        self.timer += 1
        number = self.timer

        def out() -> None:
            if self.timer != number or not self.queue:
                return
            self.tries += 1
            if self.tries > RETRIES:
                self.to(State.CLOSED)
                return
            first = self.queue[0]
            flags = first.flags
            if first.flags & S and self.state is State.SYN_RECEIVED:
                flags |= A
            self._emit(flags, first.seq, self.rcv, first.length)
            self._arm()

        self.world.after(RTO * 2**self.tries, out)

    # -- segments that arrive: section 3.10.7 -------------------------------------

    def receive(self, p: Packet) -> None:
        state = self.state
        if state in (State.CLOSED, State.LISTEN):
            self._closed(p)
        elif state is State.SYN_SENT:
            self._syn_sent(p)
        else:
            self._otherwise(p)

    def _refuse(self, p: Packet) -> None:
        if p.flags & R:
            return
        if p.flags & A:
            self._emit(R, p.ack, 0, 0)
        else:
            self._emit(R | A, 0, p.end, 0)

    def _closed(self, p: Packet) -> None:
        if self.state is State.CLOSED or p.flags & A or not p.flags & S:
            if self.state is State.CLOSED or p.flags & A:
                self._refuse(p)
            return
        if p.flags & R:
            return
        self.rcv = (p.seq + 1) & M
        if p.stamps:
            self.recent = p.stamps[0]
        self.to(State.SYN_RECEIVED)
        self._emit_new(S | A, 0)

    def _syn_sent(self, p: Packet) -> None:
        good = bool(p.flags & A) and less(self.iss, p.ack) and at_most(p.ack, self.nxt)
        if p.flags & A and not good:
            self._refuse(p)
            return
        if p.flags & R:
            if good:
                self.to(State.CLOSED)
            return
        if not p.flags & S:
            return
        self.rcv = (p.seq + 1) & M
        if p.stamps:
            self.recent = p.stamps[0]
        if good:
            self._acked(p.ack)
            self.to(State.ESTABLISHED)
            self.ack()
            self._push()
        else:
            self.to(State.SYN_RECEIVED)
            self._emit(S | A, self.iss, self.rcv, 0)

    def _otherwise(self, p: Packet) -> None:
        inside = at_most(self.rcv, p.seq) and less(p.seq, (self.rcv + WINDOW) & M)
        if p.end != p.seq:
            last = (p.end - 1) & M
            inside = inside or (at_most(self.rcv, last) and less(last, (self.rcv + WINDOW) & M))
        stale = p.stamps is not None and less(p.stamps[0], self.recent) and not p.flags & R
        if stale or not inside:
            if not p.flags & R:
                self.ack()
                if p.flags & F and self.state is State.TIME_WAIT:
                    self._time_wait()
            return
        if p.flags & R:
            if p.seq != self.rcv:
                self.ack()
            else:
                passive = self.state is State.SYN_RECEIVED and self.listens
                self.to(State.LISTEN if passive else State.CLOSED)
            return
        if p.flags & S:
            crossing = self.state is State.SYN_RECEIVED and p.flags & A and p.end == self.rcv
            if not crossing:
                self.ack()
                return
        if not p.flags & A:
            return
        if p.stamps and at_most(p.seq, self.rcv):
            self.recent = p.stamps[0]
        if self._take_ack(p):
            self._take_data(p)
            self._push()

    def _take_ack(self, p: Packet) -> bool:
        if self.state is State.SYN_RECEIVED:
            if not (less(self.una, p.ack) and at_most(p.ack, self.nxt)):
                self._emit(R, p.ack, 0, 0)
                return False
            self.to(State.ESTABLISHED)
        if less(self.nxt, p.ack):
            self.ack()
            return False
        self._acked(p.ack)
        fin_acked = self.fin is not None and less(self.fin, self.una)
        if fin_acked and self.state is State.FIN_WAIT_1:
            self.to(State.FIN_WAIT_2)
        elif fin_acked and self.state is State.CLOSING:
            self.to(State.TIME_WAIT)
        elif fin_acked and self.state is State.LAST_ACK:
            self.to(State.CLOSED)
            return False
        return True

    def _acked(self, ack: int) -> None:
        if not less(self.una, ack):
            return
        self.una = ack
        self.queue = [one for one in self.queue if less(ack, one.end)]
        self.timer += 1
        self.tries = 0
        if self.queue:
            self._arm()

    def _take_data(self, p: Packet) -> None:
        if p.end == p.seq or p.flags & S:
            return
        if p.seq != self.rcv and less(self.rcv, p.seq):
            self.beyond.append(p)
            self.ack()
            return
        arrived, fin = [p], False
        while arrived:
            one = arrived.pop()
            if less(self.rcv, one.end):
                self.rcv = one.end
                fin = fin or bool(one.flags & F)
            arrived = [q for q in self.beyond if at_most(q.seq, self.rcv)]
            self.beyond = [q for q in self.beyond if not at_most(q.seq, self.rcv)]
        if fin:
            self.to(
                {
                    State.ESTABLISHED: State.CLOSE_WAIT,
                    State.FIN_WAIT_1: State.CLOSING,
                    State.FIN_WAIT_2: State.TIME_WAIT,
                }[self.state]
            )
            if self.closing and self.world.random.random() < 0.5:
                self._push()  # the ACK rides on the FIN
                return
            self.ack()
        elif self.world.random.random() < 0.5:
            self.ack()
        else:
            self.owes_ack = True

            def late() -> None:
                if self.owes_ack and self.state not in (State.CLOSED, State.LISTEN):
                    self.ack()

            self.world.after(40, late)


class World:
    """Both ends, the link with the capture in its middle, and the clock.

    ``lost_before``, ``lost_after``  chances to die before and behind the capture
    ``jitter``                       how many ms a packet may be late, on each half
    ``copies``                       chance that the network doubles a packet
    ``stamps``                       RFC 7323 timestamps are in use
    ``late``                         chance that it doubles one, and the copy comes seconds later
    ``forged``                       chance that somebody who cannot see the numbers (or the
                                     timestamps, or who damages the checksum) forges one more,
                                     of one of the kinds in ``forgers``
    """

    forgers: tuple[str, ...] = (
        *("rst", "rst far", "syn", "syn ack", "fin far", "ack far", "stale", "sum"),
        *("data near", "fin near", "no ack", "syn fin", "syn near", "rst zero"),
    )

    def __init__(
        self,
        seed: int,
        *,
        lost_before: float = 0.0,
        lost_after: float = 0.0,
        jitter: float = 0.0,
        copies: float = 0.0,
        late: float = 0.0,
        stamps: bool = False,
        forged: float = 0.0,
        forgers: tuple[str, ...] = forgers,
        isses: tuple[int, int] = (1000, 900_000),
        crossing: bool = False,
    ) -> None:
        self.random = random.Random(seed)
        self.now = 0.0
        self.lost_before, self.lost_after = lost_before, lost_after
        self.jitter, self.copies, self.stamps = jitter, copies, stamps
        self.late, self.forged, self.forgers = late, forged, forgers
        self.capture: list[Captured] = []
        self._events: list[_Event] = []
        self._count = 0
        self.ends = [
            End(self, 0, isses[0], listens=False),
            End(self, 1, isses[1], listens=not crossing),
        ]

    def after(self, ms: float, act: Callable[[], None]) -> None:
        self._count += 1
        heapq.heappush(self._events, _Event(self.now + ms, self._count, act))

    def transmit(self, packet: Packet) -> None:
        for _ in range(2 if self.random.random() < self.copies else 1):
            if self.random.random() >= self.lost_before:
                self.after(5 + self.random.uniform(0, self.jitter), lambda: self.seen(packet))
        if self.late and self.random.random() < self.late:
            self.after(self.random.uniform(5, 4000), lambda: self.seen(packet))

    def seen(self, packet: Packet) -> None:
        self._record(packet)
        if self.random.random() >= self.lost_after:
            self._deliver(packet)
        if self.random.random() < self.forged:
            self._forge()

    def _record(self, packet: Packet, checksum_ok: bool | None = True) -> None:
        ends = (CLIENT, SERVER)
        options = Options(timestamps=packet.stamps) if packet.stamps else Options()
        segment = Segment(
            int(self.now * MS),
            ends[packet.sender],
            ends[1 - packet.sender],
            packet.seq,
            packet.ack,
            packet.flags,
            WINDOW,
            packet.length,
            options,
            frame=len(self.capture) + 1,
            checksum_ok=checksum_ok if self.forged else None,
        )
        self.capture.append(Captured(segment, packet.state))

    def _deliver(self, packet: Packet) -> None:
        receiver = self.ends[1 - packet.sender]
        delay = 5 + self.random.uniform(0, self.jitter)
        self.after(delay, lambda: receiver.receive(packet))

    def _forge(self) -> None:
        """A segment in one end's name by somebody who has to guess; the guess is wrong."""
        dice = self.random
        side = dice.randrange(2)
        name, target = self.ends[side], self.ends[1 - side]
        open_states = (State.ESTABLISHED, State.FIN_WAIT_1, State.CLOSE_WAIT)
        if target.state not in open_states or name.state in (State.CLOSED, State.LISTEN):
            return
        near = (name.nxt + dice.choice((-70_000, 1, 7, 3000, 64_000, 70_000))) & M
        far = (name.nxt + dice.randrange(100_000, 1 << 31)) & M
        kind = dice.choice(self.forgers)
        if kind == "stale" and not self.stamps:
            return
        if kind == "rst zero" and (name.nxt + 70_000) & M < 140_000:
            return  # that would be no guess
        now = (int(self.now) + 1000 * side + 5, 0) if self.stamps else None
        old = ((target.recent - dice.randrange(1, 5000)) & M, 0) if self.stamps else None
        seq, ack = name.nxt, target.nxt
        fields: tuple[int, int, Flags, int, tuple[int, int] | None] = {
            "rst": (near, 0, R, 0, None),
            "rst far": (far, ack, R | A, 0, None),
            "syn": (far, 0, S, 0, now),
            "syn ack": (far, ack, S | A, 0, now),
            "fin far": (far, ack, F | A, 10, now),
            "ack far": (seq, (ack + 100_000) & M, A, 20, now),
            "stale": (seq, ack, F | A, 0, old),
            "sum": (seq, ack, dice.choice((F | A, R | A)), 0, now),
            # What arrives in the window, but acknowledges what was never sent.
            "data near": ((seq + 5) & M, (ack + 7) & M, A, 30, now),
            "fin near": (seq, (ack + 90_000) & M, F | A, 0, now),
            # What RFC 9293 says nothing happens for: no ACK, or no number that could be its.
            "no ack": (seq, 0, dice.choice((F, F | U | P, P, U, Flags(0))), 0, now),
            "syn fin": (far, 0, S | F, 0, now),
            "syn near": ((seq + 900) & M, 0, S, 0, now),
            "rst zero": (0, far, R | A, 0, None),
        }[kind]
        packet = Packet(side, *fields[:4], None, fields[4])
        if kind == "sum" and not name.tried:
            return
        self._record(packet, checksum_ok=kind != "sum")
        if kind != "sum":
            self._deliver(packet)

    def run(self, until_ms: float = 50_000) -> None:
        """Until nothing happens any more, or the time has come."""
        while self._events and self._events[0].at <= until_ms:
            event = heapq.heappop(self._events)
            self.now = event.at
            event.act()
        self.now = until_ms


def scene(seed: int, **options: object) -> World:
    """A random dialogue: an opening, data both ways, closings or aborts at random moments."""
    dice = random.Random(seed * 7919 + 1)
    crossing = dice.random() < 0.1
    if seed % 3 == 0 and "isses" not in options:
        # Numbers that wrap, of the one, the other, or both, in the handshake or in the data.
        wrapping = random.Random(seed)
        options["isses"] = tuple(
            (wrapping.choice((0, 1 << 31)) - wrapping.randrange(300)) & M for _ in range(2)
        )
    world = World(seed, crossing=crossing, **options)  # type: ignore[arg-type]
    client, server = world.ends
    world.after(1, client.connect)
    if crossing:
        world.after(dice.uniform(1, 12), server.connect)
    for end in world.ends:
        for _ in range(dice.randrange(4)):
            count = dice.randrange(1, 300)
            world.after(dice.uniform(10, 1500), partial(end.send, count))
        kind = dice.random()
        if kind < 0.85:
            near = dice.random() < 0.3
            world.after(dice.uniform(600, 620) if near else dice.uniform(20, 2500), end.close)
        elif kind < 0.93:
            world.after(dice.uniform(20, 2500), end.abort)
    return world


def lives(seed: int, count: int = 2, *, stamps: bool = False, late: float = 0.1) -> list[Captured]:
    """Connections one after the other on the same addresses and ports.

    Copies of segments of the former ones come with a chance of ``late`` each while the latter
    go on. With ``stamps`` the numbers may lie close together, without they lie far apart.
    """
    dice, captured, began = random.Random(seed), [], 0
    for number in range(count):
        base = 1000 + number * (dice.randrange(500, 50_000) if stamps else 700_000_000)
        world = scene(seed * 8 + number * 3 + 1, stamps=stamps, isses=(base, base ^ 1 << 30))
        world.now = began + 1000
        for event in world._events:
            event.at += world.now
        world.run(world.now + 50_000)
        old = [one for one in captured if dice.random() < late]
        ends = world.capture[-1].segment.time_ns if world.capture else 0
        copies = [
            (dice.randrange(int((began + 1000) * MS), max(ends, int((began + 1001) * MS))), one)
            for one in old
        ]
        fresh = [(one.segment.time_ns, one) for one in world.capture]
        for time_ns, one in sorted([*fresh, *copies], key=lambda pair: pair[0]):
            made = replace(one.segment, time_ns=time_ns, frame=len(captured) + 1)
            captured.append(Captured(made, one.truth))
        began = world.now
    return captured

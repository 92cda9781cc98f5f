"""The traffic: every segment between its leaving and its arriving, and what is done to it there.

A segment that leaves is under way for the cable's delay, or waits in a *hand*:
the script's (:meth:`Traffic.hold`), or in step mode the person's. A rule of the
script, a person's command, chance (loss), or the cable's own size may do
something else to it. Each such act is told by a message of its own.

Two kinds do not stop the scenario from going on: a segment that was *delayed*
by more than the cable's own time, and one that is to arrive *behind the next*
of its sender. Both are ``parked``.
"""

from __future__ import annotations

import enum
import random
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from tcpviz.core.records import Act, Doer, Side
from tcpviz.lab.frames import Glance, Pattern
from tcpviz.lab.ground import Event
from tcpviz.lab.tampering import flip

RECORDED = 20_000
"""How many frames are kept for being sent again later."""


class Do(enum.Enum):
    """What a rule of the script does to a segment."""

    HOLD = "hold"
    DROP = "drop"
    DUPLICATE = "duplicate"
    DELAY = "delay"
    BEHIND = "behind"
    CORRUPT = "corrupt"


@dataclass(eq=False)
class Rule:
    """Do ``what`` to the segments of ``sender`` (``None``: of both) that fit.

    ``skip``   as many that fit are let through first
    ``count``  as many are then taken; ``None``: all
    ``time_ns``  how long a segment is delayed, or its copy after it
    """

    what: Do
    sender: Side | None
    pattern: Pattern
    skip: int = 0
    count: int | None = 1
    time_ns: int = 0

    def takes(self, sender: Side, seen: Glance) -> bool:
        """Whether this one is it; counts."""
        if self.count == 0 or self.sender not in (None, sender) or not self.pattern.fits(seen):
            return False
        if self.skip:
            self.skip -= 1
            return False
        if self.count is not None:
            self.count -= 1
        return True


@dataclass(eq=False)
class InHand:
    """A frame under way: ``due_ns`` is ``None`` while it waits for somebody.

    ``by``         whose hand it waits in
    ``behind``     it arrives right after the next one of its sender does
    ``parked``     the scenario goes on without it
    ``swallowed``  retransmissions of it that the cable kept; ``again`` is the latest
    ``changed``    its bytes are not those that left
    ``arrived_ns`` when it did, if it has: just before it was handed over
    ``landed_ns``  just after: what its receiver sent before that may not know of it
    """

    number: int
    sender: Side
    data: bytes
    seen: Glance
    sent_ns: int
    due_ns: int | None = None
    by: Doer = Doer.SCRIPT
    behind: bool = False
    parked: bool = False
    copy: bool = False
    changed: bool = False
    held_since: int | None = None
    held_ns: int = 0
    swallowed: int = 0
    again: InHand | None = field(default=None, repr=False)
    arrived_ns: int | None = None
    landed_ns: int = 0

    @property
    def held(self) -> bool:
        return self.due_ns is None

    def held_so_far(self, now: int) -> int:
        """Nanoseconds for which it has lain in a hand."""
        return self.held_ns + (0 if self.held_since is None else max(0, now - self.held_since))


class Traffic:
    """Everything under way in both directions. Pure bookkeeping: touches no socket.

    ``delay_ns``   one way's time by sender; ``jitter_ns`` up to so much more by chance
    ``loss``       by sender, the fraction that dies by chance
    ``step``       what leaves waits in the person's hand
    ``holding``    what leaves waits in the script's hand
    ``swallows``   retransmissions of what lies in a hand are kept and counted
    ``cut``        directions in which everything dies, by sender
    ``hurt``       a person or chance has spoiled something that the scenario did not
                   reckon with, so the kernels need time to mend it
    ``mtu``        the largest IP packet that gets through; ``None``: any
    """

    def __init__(self, delay_ns: dict[Side, int]) -> None:
        self.delay_ns = delay_ns
        self.jitter_ns = 0
        self.loss = dict.fromkeys(Side, 0.0)
        self.chance = random.Random()  # noqa: S311 - for loss, not for secrets
        self.step = False
        self.holding = False
        self.swallows = True
        self.cut: set[Side] = set()
        self.hurt = False
        self.mtu: int | None = None
        self.mtu_told = True
        self.rules: list[Rule] = []
        self.recorded: deque[InHand] = deque(maxlen=RECORDED)
        self.version = 0
        self.too_big: list[InHand] = []
        self._hands: list[InHand] = []
        self._count = 0
        self._paused_ns = 0
        self._paused_since: int | None = None

    # -- leaving ------------------------------------------------------------

    def take(
        self,
        sender: Side,
        index: int,
        stamp: int,
        data: bytes,
        seen: Glance,
        *,
        passes: bool = False,
    ) -> list[Event]:
        """A frame has left its sender; what becomes of it is told.

        ``passes``: it never waits in a hand (a flood's SYNs, and the answers to them).
        """
        self._count += 1
        one = InHand(self._count, sender, data, seen, stamp)
        self.recorded.append(one)
        if self.swallows and (events := self._swallow(one, index)):
            return events
        events = [self._left(one, index, "sent")]
        if sender in self.cut:
            return [*events, *self._lose(one, Doer.SCRIPT, stamp, "the cable is cut")]
        rule = next((each for each in self.rules if each.takes(sender, seen)), None)
        if rule is not None:
            if rule.what is Do.DROP:
                return [*events, *self._lose(one, Doer.SCRIPT, stamp, "dropped by the scenario")]
            return [*events, *self._obey(rule, one, stamp)]
        if self.loss[sender] and self.chance.random() < self.loss[sender]:
            return [*events, *self._lose(one, Doer.CHANCE, stamp, "lost by chance")]
        if self.mtu is not None and len(data) - 14 > self.mtu:
            self.too_big.append(one)
            why = f"larger than the {self.mtu} bytes that the cable takes"
            return [*events, *self._lose(one, Doer.CABLE, stamp, why)]
        if passes:
            self._hands.append(one)
            one.due_ns = stamp + self._way(sender)
            return events
        return [*events, *self._send_on(one, stamp)]

    def _left(self, one: InHand, index: int, moment: str) -> Event:
        message = {"k": "frame", "n": one.number, "t": one.sent_ns, "if": index, "moment": moment}
        return message, one.data

    def _send_on(self, one: InHand, now: int) -> list[Event]:
        """Let it go its way, or into the hand that is open."""
        self._hands.append(one)
        if self.holding or self.step:
            return self._into_hand(one, Doer.SCRIPT if self.holding else Doer.PERSON, now)
        one.due_ns = now + self._way(one.sender)
        return []

    def _into_hand(self, one: InHand, by: Doer, now: int) -> list[Event]:
        one.by, one.due_ns, one.held_since = by, None, now
        return [self._act(Act.HELD, one, by, now)]

    def _way(self, sender: Side) -> int:
        more = self.chance.randint(0, self.jitter_ns) if self.jitter_ns else 0
        return self.delay_ns[sender] + more

    def _obey(self, rule: Rule, one: InHand, now: int) -> list[Event]:
        if rule.what is Do.HOLD:
            self._hands.append(one)
            return self._into_hand(one, Doer.SCRIPT, now)
        if rule.what is Do.DUPLICATE:
            events = self._send_on(one, now)
            return [*events, *self.duplicate(one, Doer.SCRIPT, now, rule.time_ns)]
        if rule.what is Do.CORRUPT:
            events = self.corrupt(one, Doer.SCRIPT, now)
            return [*events, *self._send_on(one, now)]
        self._hands.append(one)
        if rule.what is Do.DELAY:
            return self.delay(one, Doer.SCRIPT, now, rule.time_ns)
        return self.put_behind(one, Doer.SCRIPT, now)

    def _swallow(self, one: InHand, index: int) -> list[Event]:
        """Keep ``one`` back if it repeats only what a hand has held up; else say nothing."""
        for old in self._hands:
            waits = old.held or (self.step and not old.parked)
            if waits and not old.copy and old.sender is one.sender and one.seen.repeats(old.seen):
                old.again = one
                return self._keep_back(one, old, index)
        answered = self._answered(one) if self.step else None
        return [] if answered is None else self._keep_back(one, answered, index)

    def _keep_back(self, one: InHand, old: InHand, index: int) -> list[Event]:
        old.swallowed += 1
        act = self._act(Act.SWALLOWED, old, Doer.CABLE, one.sent_ns)
        act[0]["repeat"] = one.number
        return [self._left(one, index, "swallowed"), act]

    def _answered(self, one: InHand) -> InHand | None:
        """What ``one`` repeats, if its sender could not know yet that it had arrived.

        It left before the first had landed, or before the answer to it had: the person's
        hand was slow, not the network.
        """
        for old in reversed(self.recorded):
            if old is one or old.sender is not one.sender or old.arrived_ns is None:
                continue
            if one.seen.repeats(old.seen):
                late = old.landed_ns > one.sent_ns or self._answer_under_way(one, old.arrived_ns)
                return old if late else None
        return None

    def _answer_under_way(self, one: InHand, since: int) -> bool:
        """Whether an answer sent at or after ``since`` had not landed yet when ``one`` left."""
        if any(
            each.sender is not one.sender and each.sent_ns >= since and each.by is Doer.PERSON
            for each in self._hands
            if each.held or not each.parked
        ):
            return True
        return any(
            each.sender is not one.sender and each.sent_ns >= since and each.landed_ns > one.sent_ns
            for each in self.recorded
        )

    # -- what is done to it -------------------------------------------------

    def _act(self, act: Act, one: InHand, by: Doer, now: int, delay_ns: int = 0) -> Event:
        self.version += 1
        message = {
            "k": "act",
            "t": now,
            "act": act.value,
            "by": by.value,
            "n": one.number,
            "held_ns": one.held_so_far(now),
            "paused_ns": self.paused_ns(now),
            "count": one.swallowed,
            "delay_ns": delay_ns,
        }
        return message, b""

    def _lose(self, one: InHand, by: Doer, now: int, why: str) -> list[Event]:
        self.hurt |= by in (Doer.PERSON, Doer.CHANCE)
        lost = {"k": "lost", "n": one.number, "t": now, "why": why}
        lost["held_ns"] = one.held_so_far(now)
        return [self._act(Act.DROPPED, one, by, now), (lost, b"")]

    def _let_go(self, one: InHand, due: int, now: int) -> None:
        one.held_ns = one.held_so_far(now)
        one.held_since = None
        one.behind = one.parked = False
        one.due_ns = due

    def release(self, one: InHand, by: Doer, now: int) -> list[Event]:
        """Let it go on its way: into the person's hand in step mode if it was the script's."""
        if by is Doer.SCRIPT and self.step and not one.behind:
            return self._into_hand(one, Doer.PERSON, now)
        events = [self._act(Act.RELEASED, one, by, now)]
        # Its time on the way ran while it was held, where that was the script's doing.
        due = now if by is Doer.PERSON else max(now, one.sent_ns + self.delay_ns[one.sender])
        self._let_go(one, due, now)
        return events

    def drop(self, one: InHand, by: Doer, now: int) -> list[Event]:
        """It dies in the hand. A retransmission kept meanwhile takes its place there."""
        self._hands.remove(one)
        why = "dropped by you" if by is Doer.PERSON else "dropped by the scenario"
        events = self._lose(one, by, now, why)
        again = one.again
        if again is not None:
            number = list(Side).index(again.sender)
            message, data = self._left(again, number, "sent")
            message["again"] = True
            message["t"] = now
            events.append((message, data))
            self._hands.append(again)
            events += self._into_hand(again, one.by, now)
        return events

    def duplicate(self, one: InHand, by: Doer, now: int, after_ns: int = 0) -> list[Event]:
        """Make a copy: it lies in the hand beside the first, or follows it ``after_ns`` later."""
        twin = replace(one, copy=True, swallowed=0, again=None)
        self._hands.insert(self._hands.index(one) + 1, twin)
        if after_ns:
            twin.due_ns = (one.due_ns or now + self._way(one.sender)) + after_ns
            twin.parked, twin.held_since = True, None
        return [self._act(Act.DUPLICATED, twin, by, now, after_ns)]

    def delay(self, one: InHand, by: Doer, now: int, time_ns: int) -> list[Event]:
        """It arrives ``time_ns`` from now; the scenario goes on meanwhile."""
        events = [self._act(Act.DELAYED, one, by, now, time_ns)]
        self._let_go(one, now + time_ns, now)
        one.parked = True
        return events

    def put_behind(self, one: InHand, by: Doer, now: int) -> list[Event]:
        """It waits until the next one of its sender has arrived."""
        if one.held_since is None:
            one.held_since = now
        one.due_ns, one.by = None, by
        one.behind = one.parked = True
        return [self._act(Act.REORDERED, one, by, now)]

    def corrupt(self, one: InHand, by: Doer, now: int) -> list[Event]:
        """Turn one byte over: of its data, or of its header where it has none."""
        self.hurt |= by is Doer.PERSON
        one.data, one.changed = flip(one.data, one.seen), True
        return [self._act(Act.CORRUPTED, one, by, now)]

    def replay(self, one: InHand, by: Doer, now: int) -> list[Event]:
        """Send a copy of a frame that left earlier, with the bytes that it had then."""
        # A byte turned over on its way is turned back: it left undamaged.
        data = flip(one.data, one.seen) if one.changed else one.data
        twin = InHand(one.number, one.sender, data, one.seen, now, copy=True)
        events = [self._act(Act.REPLAYED, twin, by, now)]
        return [*events, *self._send_on(twin, now)]

    # -- arriving -----------------------------------------------------------

    def due(self, now: int) -> int | None:
        """When the next that the scenario waits for is to arrive, ns; a parked one's once it is."""
        return min(
            (
                one.due_ns
                for one in self._hands
                if one.due_ns is not None and (not one.parked or one.due_ns <= now)
            ),
            default=None,
        )

    def parked_due(self) -> int | None:
        """When the next delayed one is to arrive, ns."""
        return min(
            (one.due_ns for one in self._hands if one.parked and one.due_ns is not None),
            default=None,
        )

    def pop(self, now: int) -> InHand | None:
        """The next to arrive, taken out; those that waited for it follow."""
        ready = [one for one in self._hands if one.due_ns is not None]
        if not ready:
            return None
        first = min(ready, key=lambda one: (one.due_ns, one.sent_ns, one.number, one.copy))
        self._hands.remove(first)
        first.arrived_ns = now
        for one in self._hands:
            if one.behind and one.sender is first.sender:
                self._let_go(one, now, now)
        return first

    # -- the hands ----------------------------------------------------------

    def held(self, by: Doer | None = None) -> list[InHand]:
        """What waits in a hand, oldest first; what waits for the next one comes last."""
        held = [one for one in self._hands if one.held and by in (None, one.by)]
        return sorted(held, key=lambda one: one.behind)

    def blocks(self) -> bool:
        """The person must decide before the scenario goes on."""
        return any(one.held and one.by is Doer.PERSON and not one.behind for one in self._hands)

    def lonely(self, now: int) -> list[Event]:
        """Nothing comes any more that a segment could be put behind: let those go."""
        events = []
        for one in self._hands:
            if one.behind:
                events += self.release(one, one.by, now)
        return events

    def pause(self, now: int) -> None:
        """Keep account of the time in which something lies in the person's hand."""
        if self.blocks():
            if self._paused_since is None:
                self._paused_since = now
        elif self._paused_since is not None:
            self._paused_ns += max(0, now - self._paused_since)
            self._paused_since = None

    def paused_ns(self, now: int) -> int:
        """For how long so far the person had something in the hand."""
        since = self._paused_since
        return self._paused_ns + (0 if since is None else max(0, now - since))

    def recorded_that_fit(self, sender: Side | None, pattern: Pattern) -> Iterator[InHand]:
        """Frames that have left so far, oldest first."""
        for one in self.recorded:
            if sender in (None, one.sender) and pattern.fits(one.seen):
                yield one

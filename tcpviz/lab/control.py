"""The cable in the person's hand: what a screen may ask of the lab, and order.

Every method may be called from any thread, at any time. Orders go to the lab's
process by the protocol; what comes of them arrives as records, like everything
else. Ordering something while there is no lab (before, after) does nothing.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tcpviz.core.records import Doer, Side
from tcpviz.core.segment import Segment
from tcpviz.lab.protocol import Channel, ChannelError, Message

LONGEST_DELAY_MS = 60_000.0


@dataclass(frozen=True, slots=True)
class Held:
    """A segment that waits in a hand.

    ``frame``      its number; names it in every order
    ``side``       who sent it
    ``since_ns``   since when it waits
    ``by``         whose hand: the person's (step mode) or the script's
    ``swallowed``  how often its sender has sent it again meanwhile; the cable kept those back
    ``behind``     it is to arrive right behind the next one of its sender, and waits for that
    ``copy``       a copy that the cable made; its original has the same number
    ``corrupted``  one of its bytes was turned over
    """

    frame: int
    side: Side
    segment: Segment
    since_ns: int
    by: Doer = Doer.PERSON
    swallowed: int = 0
    behind: bool = False
    copy: bool = False
    corrupted: bool = False


class LabControl:
    """Orders to the cable, and what lies in the hand. See the module.

    ``frame=None`` means the first segment of :attr:`hand` that is in the person's hand;
    what lies in the script's is taken from it only by number. The orders on a segment
    return False where there is none, or none of that number.
    """

    def __init__(
        self,
        *,
        step: bool,
        delay_ms: tuple[float, float],
        loss: tuple[float, float],
        jitter_ms: float,
        seed: int,
        changed: Callable[[], None] | None = None,
    ) -> None:
        self._lock = threading.Lock()
        self._channel: Channel | None = None
        self._hand: tuple[Held, ...] = ()
        self._step = step
        self._delay_ms = dict(zip(Side, delay_ms, strict=True))
        self._loss = dict(zip(Side, loss, strict=True))
        self._jitter_ms = jitter_ms
        self._seed = seed
        self._paused_ns = 0
        self.changed = changed
        """Called, from the feed's thread, whenever the hand has changed."""

    # -- as it is -----------------------------------------------------------

    @property
    def hand(self) -> tuple[Held, ...]:
        """What waits, in the order in which it would go: the oldest first, ``behind`` last."""
        return self._hand

    @property
    def paused_ns(self) -> int:
        """For how long so far the person had something in the hand, when it last changed."""
        return self._paused_ns

    @property
    def seed(self) -> int:
        """What loss and jitter are drawn from; the same seed and traffic give the same again."""
        return self._seed

    @seed.setter
    def seed(self, value: int) -> None:
        self._seed = int(value)
        self._order("seed", seed=self._seed)

    @property
    def step_mode(self) -> bool:
        """Each segment that leaves waits in the hand. Switched off, what waits there goes."""
        return self._step

    @step_mode.setter
    def step_mode(self, on: bool) -> None:
        self._step = bool(on)
        self._order("step", on=self._step)

    def delay_ms(self, side: Side) -> float:
        """One way's time for what ``side`` sends."""
        return self._delay_ms[side]

    def loss(self, side: Side) -> float:
        """The fraction of what ``side`` sends that dies by chance."""
        return self._loss[side]

    @property
    def jitter_ms(self) -> float:
        """Up to so much longer, by chance, takes each segment."""
        return self._jitter_ms

    # -- the cable ----------------------------------------------------------

    def set_delay(self, side: Side, ms: float) -> None:
        """One way's time for what ``side`` sends from now on. Raises ValueError."""
        self._delay_ms[side] = checked_delay(ms)
        self._order("delay-of", side=side.value, ms=float(ms))

    def set_loss(self, side: Side, fraction: float) -> None:
        """Let so much of what ``side`` sends die by chance, from 0 to 1. Raises ValueError."""
        self._loss[side] = checked_loss(fraction)
        self._order("loss", side=side.value, fraction=float(fraction))

    def set_jitter(self, ms: float) -> None:
        """Let each segment take up to so much longer, by chance. Raises ValueError."""
        self._jitter_ms = checked_delay(ms)
        self._order("jitter", ms=float(ms))

    def skip(self) -> None:
        """End the wait (``lab.wait()``) that the scenario is in."""
        self._order("skip")

    # -- the segment in hand ------------------------------------------------

    def deliver(self, frame: int | None = None) -> bool:
        """Let it go: it arrives at once."""
        return self._on_one("deliver", frame)

    def drop(self, frame: int | None = None) -> bool:
        """Let it die. If its sender has sent it again meanwhile, that one is in the hand next."""
        return self._on_one("drop", frame)

    def duplicate(self, frame: int | None = None) -> bool:
        """Make a copy of it, which lies in the hand behind it and will arrive too."""
        return self._on_one("duplicate", frame)

    def delay(self, frame: int | None = None, ms: float = 1000.0) -> bool:
        """Let it arrive ``ms`` from now; the scenario goes on meanwhile. Raises ValueError."""
        return self._on_one("delay", frame, ms=checked_delay(ms))

    def behind_next(self, frame: int | None = None) -> bool:
        """Let it arrive right behind the next one of its sender, or alone if none comes."""
        return self._on_one("behind", frame)

    def corrupt(self, frame: int | None = None) -> bool:
        """Turn over its first byte of data, or a byte of its header (the window) if it has none.

        Its checksum is then wrong, and the far kernel will drop it without a word.
        It stays in the hand.
        """
        return self._on_one("corrupt", frame)

    def _on_one(self, what: str, frame: int | None, **more: Any) -> bool:
        hand = self._hand
        if frame is None:
            mine = [one for one in hand if one.by is Doer.PERSON]
            if not mine:
                return False
            frame = mine[0].frame
        elif all(one.frame != frame for one in hand):
            return False
        return self._order(what, n=frame, **more)

    def _order(self, what: str, **more: Any) -> bool:
        with self._lock:
            channel = self._channel
            if channel is None:
                return False
            message: Message = {"k": "do", "do": what, **more}
            with contextlib.suppress(ChannelError):
                channel.send(message)
                return True
        return False

    # -- for the feed -------------------------------------------------------

    def begin(self, channel: Channel) -> None:
        """The lab runs: orders go there."""
        with self._lock:
            self._channel = channel

    def end(self) -> None:
        """It runs no more."""
        with self._lock:
            self._channel = None
        self._show((), self._paused_ns)

    def take(self, message: Message, segments: dict[int, Segment]) -> None:
        """A ``hand`` message."""
        held = []
        for one in message["held"]:
            segment = segments.get(int(one["n"]))
            if segment is None:
                continue
            held.append(
                Held(
                    segment.frame,
                    Side.SERVER if segment.interface else Side.CLIENT,
                    segment,
                    int(one["since_ns"] or segment.time_ns),
                    Doer(one["by"]),
                    int(one["swallowed"]),
                    bool(one["behind"]),
                    bool(one["copy"]),
                    bool(one["changed"]),
                )
            )
        self._show(tuple(held), int(message["paused_ns"]))

    def _show(self, held: tuple[Held, ...], paused_ns: int) -> None:
        self._paused_ns = paused_ns
        if held != self._hand:
            self._hand = held
            if self.changed is not None:
                self.changed()


def checked_delay(ms: float) -> float:
    """Milliseconds from 0 to a minute. Raises ValueError."""
    if not 0 <= ms <= LONGEST_DELAY_MS:
        raise ValueError(f"a delay of {ms:g} ms: it must be from 0 to {LONGEST_DELAY_MS:g}")
    return float(ms)


def checked_loss(fraction: float) -> float:
    """A fraction from 0 to 1. Raises ValueError."""
    if not 0 <= fraction <= 1:
        raise ValueError(f"a loss of {fraction:g}: it must be from 0 to 1")
    return float(fraction)

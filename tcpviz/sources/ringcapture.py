"""The capturing child's loops with packet rings: who looks after them, and who must read them too.

See :mod:`tcpviz.sources.ring` for the rings, who reads them and the output, and
:mod:`tcpviz.sources.capture` for all that every way has in common.

While somebody else reads, this process sleeps. On its input it is told what to do:
:data:`~tcpviz.sources.ring.WAKE` says that the rings were read to their end, and that a heading is
wanted when something comes; :data:`~tcpviz.sources.ring.COUNT` asks for the counters.
"""

from __future__ import annotations

import contextlib
import os
import select
import time
from typing import Any

from tcpviz.sources.capture import Asked, Capture, say
from tcpviz.sources.ring import (
    AT_ONCE,
    COUNT,
    HEAD,
    MAGIC,
    MAGIC_BLOCKS,
    MAPPED,
    PASS_S,
    WAKE,
    Ring,
    RingSocket,
    frame_size,
)
from tcpviz.sources.ringhand import hand_over, kind_of

_PATIENCE = 5.0
"""Seconds until who started us must have said whether it maps the rings."""


_SETTLED_S = 0.005
"""Seconds after which whoever was writing when a ring was shut has written."""


class NoRingError(Exception):
    """The kernel gives no ring; the text says why."""


class RingCapture(Capture):
    """Interfaces through rings. Raises NoRingError where another way should be tried."""

    def __init__(self, config: dict[str, Any], parent: int) -> None:
        super().__init__(config, parent)
        self._rings: list[RingSocket] = []
        self._maps: list[Ring] = []
        self._passed = [0] * len(config["interfaces"])
        each = config["ring"] // len(config["interfaces"])
        for wanted in config["interfaces"]:
            program = [(row[0], row[1], row[2], row[3]) for row in wanted["program"]]
            try:
                ring = kind_of(config["snaplen"])(
                    "" if wanted["name"] == "any" else wanted["name"],
                    program,
                    cooked=wanted["cooked"],
                    loopback=wanted["loopback"],
                    snaplen=config["snaplen"],
                    size=each,
                    promiscuous=config["promiscuous"],
                )
            except OSError as error:
                for opened in self._rings:
                    opened.close()
                raise NoRingError(error.strerror or str(error)) from error
            self._rings.append(ring)
        self._size = frame_size(config["snaplen"])

    def _open(self) -> bool:
        for ring in self._rings:
            self._adopt(ring)
            self._poll.unregister(ring.fileno())
        return True

    def _describe(self) -> None:
        say(ring=sum(ring.frames for ring in self._rings))
        channel = self._config.get("hand_over")
        if channel is not None:
            with contextlib.suppress(OSError):
                hand_over(channel, self._rings)
        self._tell()
        if channel is None or not self._is_mapped():
            self._maps = [ring.map() for ring in self._rings]

    def _is_mapped(self) -> bool:
        """Whether who started us says that it reads the rings."""
        poll = select.poll()
        poll.register(0, select.POLLIN)
        return bool(poll.poll(_PATIENCE * 1000)) and os.read(0, 1) == MAPPED

    def _tell(self, count: int = 0, number: int = 0, blocks: int = 0) -> None:
        """A heading: the counters so far, and how many frames of which ring follow it.

        Or of how many bytes the ``blocks`` that follow are.
        """
        before = self._passed
        counters = [ring.statistics() for ring in self._rings]
        self._passed = [passed for passed, _ in counters]
        dropped = sum(lost for _, lost in counters)
        which = number << 1 | self._rings[number].skip_outgoing
        passed = sum(self._passed)
        if blocks:
            _write(HEAD.pack(MAGIC_BLOCKS, blocks, 1, which, passed, dropped))
        else:
            _write(HEAD.pack(MAGIC, count, self._size, which, passed, dropped))
        for number, ring in enumerate(self._rings):
            ring.look_for_trouble()
            if ring.trouble is not None:
                self._lament(number, ring)
            elif self._passed[number] > before[number] and number not in self._alive:
                self._alive.add(number)
                say(note=f"{ring.name} is up again")

    def _loop(self) -> None:
        self._poll.register(0, select.POLLIN)
        self._poll.register(1, 0)  # only whether its reader is gone
        if self._maps:
            self._read_them()
        else:
            self._look_after()

    # -- somebody else reads ------------------------------------------------

    def _look_after(self) -> None:
        next_tick = time.monotonic() + 1.0
        stopping = watching = False
        while not (stopping or Asked.yes) and self._lasts:
            tell = False
            for descriptor, event in self._poll.poll(max(next_tick - time.monotonic(), 0.0) * 1000):
                if descriptor == 1:
                    if event & (select.POLLERR | select.POLLHUP):
                        return
                elif descriptor == 0:
                    asked = os.read(0, 4096)
                    stopping = not asked
                    tell = tell or COUNT in asked
                    if WAKE in asked:
                        watching = True
                        self._watch()
                else:
                    tell = True
            if time.monotonic() >= next_tick:
                next_tick, tell = time.monotonic() + 1.0, True
                self._look_for_new_names()
                if os.getppid() != self._parent:
                    return
            if tell:
                if watching:
                    watching = False
                    self._watch(no_more=True)
                self._tell()
        for ring in self._rings:
            ring.shut()
        self._tell()

    def _watch(self, *, no_more: bool = False) -> None:
        for number, ring in enumerate(self._rings):
            if not no_more and number in self._alive:
                self._poll.register(ring.fileno(), select.POLLIN)
            elif no_more:
                with contextlib.suppress(KeyError):
                    self._poll.unregister(ring.fileno())

    # -- they are read here -------------------------------------------------

    def _send(self, number: int, count: int) -> None:
        """A heading and ``count`` frames; they are the kernel's again when it returns."""
        ring = self._maps[number]
        stretches = ring.stretches(count)
        self._tell(count, number, 0 if ring.size else sum(map(len, stretches)))
        for stretch in stretches:
            with stretch:
                _write(stretch)
        ring.release(count)
        if self._left is not None:
            # Of blocks it may have been too many: who reads leaves the rest out.
            self._left = max(self._left - count, 0)

    def _carry_over(self) -> int:
        """One pass over what has come; a heading without frames ends it."""
        total = 0
        most = AT_ONCE // len(self._maps)
        while True:
            came, more = 0, False
            for number, ring in enumerate(self._maps):
                count = ring.ready(most if self._left is None else min(most, self._left))
                more = more or ring.more or count == most
                if count:
                    self._send(number, count)
                    came += count
            if came and len(self._maps) > 1:
                self._tell()
            total += came
            if not more or self._left == 0:
                return total

    def _read_them(self) -> None:
        for ring in self._rings:
            self._poll.register(ring.fileno(), select.POLLIN)
        next_tick = time.monotonic()
        stopping = False
        while not (stopping or Asked.yes) and self._lasts and self._left != 0:
            for descriptor, event in self._poll.poll(1000):
                if descriptor == 1 and event & (select.POLLERR | select.POLLHUP):
                    return
                if descriptor == 0 and not os.read(0, 4096):
                    stopping = True
            began = time.monotonic()
            carried = self._carry_over()
            if began >= next_tick:
                next_tick = began + 1.0
                self._tell()
                self._look_for_new_names()
                if os.getppid() != self._parent:
                    return
            if carried and not (stopping or Asked.yes):
                # What comes meanwhile waits in the ring.
                time.sleep(max(began + PASS_S - time.monotonic(), 0.0))
        for ring in self._rings:
            ring.shut()
        while self._left != 0 and self._carry_over():
            pass
        time.sleep(_SETTLED_S)  # until nobody is filling a block any more
        for each in self._maps:
            each.over = True
        if self._left != 0:
            self._carry_over()
        self._tell()


def _write(data: bytes | memoryview) -> None:
    view = memoryview(data)
    done = os.write(1, view)
    while done < len(view):
        done += os.write(1, view[done:])

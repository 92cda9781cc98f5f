"""The capturing child's loop over a packet ring: a pass each tick, frames handed on as they lie.

See :mod:`tcpviz.sources.ring` for the ring and the output, and
:mod:`tcpviz.sources.capture` for all that both ways have in common.
"""

from __future__ import annotations

import os
import select
import time
from typing import Any

from tcpviz.sources.capture import Asked, Capture, say
from tcpviz.sources.ring import HEAD, MAGIC, PASS_S, RingSocket, frame_size

AT_ONCE = 1 << 14
"""Frames under one heading: what whoever reads holds in its hand at a time."""


class NoRingError(Exception):
    """The kernel gives no ring; the text says why."""


class RingCapture(Capture):
    """One interface through a ring. Raises NoRingError where another way should be tried."""

    def __init__(self, config: dict[str, Any], parent: int) -> None:
        super().__init__(config, parent)
        wanted = config["interfaces"][0]
        program = [(row[0], row[1], row[2], row[3]) for row in wanted["program"]]
        try:
            self._ring = RingSocket(
                wanted["name"],
                program,
                loopback=wanted["loopback"],
                snaplen=config["snaplen"],
                size=config["ring"],
                promiscuous=config["promiscuous"],
            )
        except OSError as error:
            raise NoRingError(error.strerror or str(error)) from error
        self._size = frame_size(config["snaplen"])

    def _open(self) -> bool:
        self._adopt(self._ring)
        return True

    def _describe(self) -> None:
        say(ring=self._ring.frames)
        self._send(0)

    def _send(self, count: int) -> None:
        """A heading and ``count`` frames; they are the kernel's again when it returns."""
        ring = self._ring
        accepted, dropped = ring.statistics()
        head = HEAD.pack(MAGIC, count, self._size, ring.skip_outgoing, accepted, dropped)
        _write(head)
        if count:
            for stretch in ring.stretches(count):
                with stretch:
                    _write(stretch)
            ring.release(count)
            self._delivered[0] += count
            if self._left is not None:
                self._left -= count

    def _carry(self) -> int:
        """One pass over what has come."""
        ring, total = self._ring, 0
        while True:
            count = ring.ready(AT_ONCE if self._left is None else min(AT_ONCE, self._left))
            if count == 0:
                break
            self._send(count)
            total += count
            if count < AT_ONCE:
                break
        ring.look_for_trouble()
        if ring.trouble is not None:
            self._lament(0, ring)
        elif total and 0 not in self._alive:
            self._alive.add(0)
            say(note=f"{ring.name} is up again")
        return total

    def _loop(self) -> None:
        self._poll.register(0, select.POLLIN)
        self._poll.register(1, 0)  # only whether its reader is gone
        next_count = time.monotonic()
        stopping = False
        while not (stopping or Asked.yes) and self._alive and self._left != 0:
            for descriptor, event in self._poll.poll(1000):
                if descriptor == 1 and event & (select.POLLERR | select.POLLHUP):
                    return
                if descriptor == 0 and not os.read(0, 4096):
                    stopping = True
            began = time.monotonic()
            carried = self._carry()
            if began >= next_count:
                next_count = began + 1.0
                self._send(0)
                self._look_for_new_names()
                if os.getppid() != self._parent:
                    return
            if carried and not (stopping or Asked.yes):
                # What comes meanwhile waits in the ring.
                time.sleep(max(began + PASS_S - time.monotonic(), 0.0))
        self._ring.shut()
        while self._left != 0 and self._carry():
            pass
        self._send(0)


def _write(data: bytes | memoryview) -> None:
    view = memoryview(data)
    done = os.write(1, view)
    while done < len(view):
        done += os.write(1, view[done:])

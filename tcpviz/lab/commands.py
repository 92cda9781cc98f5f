"""The person's commands to the cable: what each ``do`` message of the protocol means.

A command about a segment that is not in the hand any more does nothing: it was
given while the segment was leaving it.
"""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING

from tcpviz.core.records import Doer, Side
from tcpviz.lab.ground import Event
from tcpviz.lab.protocol import Message
from tcpviz.lab.traffic import InHand

if TYPE_CHECKING:
    from tcpviz.lab.cable import Cable
    from tcpviz.lab.stage import Stage

_MILLISECOND = 1_000_000


def obey(message: Message, stage: Stage, cable: Cable) -> list[Event]:
    """Do what the person ordered; what came of it is to be told."""
    what = str(message["do"])
    setting = _SETTINGS.get(what)
    if setting is not None:
        return setting(message, cable)
    if what == "skip":
        stage.skip = True
        return []
    one = _meant(message, cable)
    return [] if one is None else _on_one(what, message, one, cable)


def _meant(message: Message, cable: Cable) -> InHand | None:
    """The segment of that number, in whose hand ever, or the first in the person's."""
    number = message.get("n")
    held = cable.traffic.held()
    if number is not None:
        return next((one for one in held if one.number == number), None)
    return next((one for one in held if one.by is Doer.PERSON), None)


def _on_one(what: str, message: Message, one: InHand, cable: Cable) -> list[Event]:
    traffic, now, person = cable.traffic, time.time_ns(), Doer.PERSON
    if what == "deliver":
        return traffic.release(one, person, now)
    if what == "drop":
        return traffic.drop(one, person, now)
    if what == "duplicate":
        return traffic.duplicate(one, person, now)
    if what == "delay":
        return traffic.delay(one, person, now, int(float(message["ms"]) * _MILLISECOND))
    if what == "behind":
        return traffic.put_behind(one, person, now)
    if what == "corrupt":
        return traffic.corrupt(one, person, now)
    return []


def _step(message: Message, cable: Cable) -> list[Event]:
    traffic, now = cable.traffic, time.time_ns()
    traffic.step = bool(message["on"])
    cable.timers("held" if traffic.step else "calm") if traffic.swallows else None
    events = []
    if not traffic.step:
        for one in traffic.held(Doer.PERSON):
            events += traffic.release(one, Doer.PERSON, now)
    return events


def _delay(message: Message, cable: Cable) -> list[Event]:
    cable.traffic.delay_ns[Side(message["side"])] = int(float(message["ms"]) * _MILLISECOND)
    return []


def _loss(message: Message, cable: Cable) -> list[Event]:
    cable.traffic.loss[Side(message["side"])] = float(message["fraction"])
    return []


def _jitter(message: Message, cable: Cable) -> list[Event]:
    cable.traffic.jitter_ns = int(float(message["ms"]) * _MILLISECOND)
    return []


def _seed(message: Message, cable: Cable) -> list[Event]:
    cable.traffic.chance = random.Random(message["seed"])  # noqa: S311 - for loss, not secrets
    return []


_SETTINGS = {"step": _step, "delay-of": _delay, "loss": _loss, "jitter": _jitter, "seed": _seed}

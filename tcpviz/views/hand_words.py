"""What is done to a segment on its way, in words: on the chart, in the text form, explained.

Somebody may hold a segment, drop it, double it, delay it, put it behind the
next one or spoil a byte of it: the person at the lab's cable, the scenario's
script, chance, or the cable by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from tcpviz.core.records import Act, Doer, Handled, Side
from tcpviz.core.segment import Segment
from tcpviz.core.timeline import Step, StepKind
from tcpviz.views.numbers import plural
from tcpviz.words import _

HAND_RIGHT: Final = "☛"
HAND_LEFT: Final = "☚"
"""One cell each on every terminal (their East Asian width is neutral, and they are no emoji)."""

DOERS: Final = {
    Doer.PERSON: "you",
    Doer.SCRIPT: "the scenario",
    Doer.CHANCE: "chance",
    Doer.CABLE: "the cable",
}

_HAND: Final = {Doer.PERSON: "your hand", Doer.SCRIPT: "the scenario's hand"}


def kind_name(segment: Segment) -> str:
    """What a segment is called for short: ``SYN``, ``SYN,ACK``, ``5 bytes``, ``FIN``, ``ACK``."""
    if segment.syn:
        return "SYN,ACK" if segment.has_ack else "SYN"
    if segment.rst:
        return "RST"
    if segment.fin:
        return "FIN"
    if segment.payload_len:
        return plural(segment.payload_len, "byte")
    return "ACK"


def held_time(ns: int) -> str:
    """How long something was held: ``12.3 s``, steady while it grows; ``3.1 ms`` by a script."""
    return f"{ns / 1e9:.1f} s" if ns >= 50_000_000 or not ns else f"{ns / 1e6:.1f} ms"


def times(count: int) -> str:
    """``once``, ``twice``, ``3 times``."""
    return {1: _("once"), 2: _("twice")}.get(count, _("{n} times").format(n=count))


def by_whom(doer: Doer) -> str:
    """Who a segment was lost by: ``dropped by you``, ``lost by chance``."""
    if doer is Doer.CHANCE:
        return _("lost by chance")
    return _("dropped by {doer}").format(doer=_(DOERS[doer]))


def _place(doer: Doer) -> str:
    return _(_HAND.get(doer, "the cable"))


SHORT: Final[dict[str, str]] = {
    "swallowed": "{what} sent again {times}, kept back",
    "duplicated": "{what} doubled by {doer}",
    "duplicated/later": "{what} doubled by {doer}, {later} later",
    "delayed": "{what} delayed by {doer}: {later} more",
    "reordered": "{what} put behind the next one by {doer}",
    "corrupted": "{what}: a byte corrupted by {doer}",
    "replayed": "an old {what} sent again by {doer}",
}
"""What was done, for a row of the chart."""


def short(handled: Handled) -> str:
    """A row of the chart: what was done, by whom; empty for what the arrows show already."""
    name = handled.act.value
    if handled.act is Act.DUPLICATED and handled.delay_ns:
        name += "/later"
    return _(SHORT.get(name, "")).format(
        what=kind_name(handled.segment),
        doer=_(DOERS[handled.by]),
        later=held_time(handled.delay_ns),
        times=times(handled.count),
    )


def row_text(steps: Sequence[Step]) -> str:
    """What a row of the chart says of these steps: repetitions that were kept back together."""
    said: dict[tuple[Side | None, int], tuple[str, str]] = {}
    for step in steps:
        if step.handled is not None:
            sign = HAND_LEFT if step.side is Side.SERVER else HAND_RIGHT
            said[step.side, step.handled.segment.frame] = (sign, short(step.handled))
    first = next(iter(said.values()), (HAND_RIGHT, ""))[0]
    return f"{first} " + "; ".join(words for _, words in said.values())


def text_line(handled: Handled, side: Side | None) -> str:
    """A line of the text form: ``cable: client's SYN held by the scenario``."""
    whose = "" if side is None else f"{side}'s "
    what, doer = f"cable: {whose}{kind_name(handled.segment)}", _(DOERS[handled.by])
    held = held_time(handled.held_ns)
    if handled.act is Act.HELD:
        return f"{what} held by {doer}"
    if handled.act is Act.RELEASED:
        again = f"; sent again {times(handled.count)} meanwhile" if handled.count else ""
        return f"{what} let go by {doer} after {held}{again}"
    if handled.act is Act.DROPPED:
        return f"{what} {by_whom(handled.by)}"
    return f"cable: {whose}{short(handled)}"


SENTENCES: Final[dict[Act, str]] = {
    Act.HELD: (
        "{Who}'s {what} has left, and waits in {place}. {Who}'s kernel does not know: its timers "
        "go on."
    ),
    Act.RELEASED: "{Who}'s {what} is let go after {held} in {place}.",
    Act.DROPPED: "{Who}'s {what} ends here ({by}). Nobody tells {who}: only silence does.",
    Act.DUPLICATED: (
        "There are two of {who}'s {what} now: {doer} made a copy. {Peer} must notice by its "
        "number that it has had it already."
    ),
    Act.DELAYED: (
        "{Who}'s {what} takes {later} longer, by {doer}. What {who} sends meanwhile may overtake "
        "it, and {who}'s timer may take it for lost."
    ),
    Act.REORDERED: (
        "{Who}'s {what} will arrive behind the next one that {who} sends ({doer}): IP promises no "
        "order, so {peer}'s TCP has to restore it."
    ),
    Act.CORRUPTED: (
        "One byte of {who}'s {what} is turned over, by {doer}: its checksum is wrong now, so "
        "{peer}'s kernel will drop it without a word, as if it had been lost."
    ),
    Act.SWALLOWED: (
        "{Who}'s timer has gone off: its kernel has sent this {what} again, {times} so far, while "
        "it, or the answer to it, was held. The cable keeps the repetitions back."
    ),
    Act.REPLAYED: (
        "A copy of an old segment of {who}'s ({what}) turns up now, by {doer}: networks may keep a "
        "packet for a while, which is what sequence numbers and TIME-WAIT are for."
    ),
}
"""What each act means; ``{who}`` is the segment's sender."""

REBOOT: Final = (
    "{Who}'s host was switched off and on again: its kernel has forgotten every connection. The "
    "other end knows nothing of it until it sends something and gets a RST."
)


def done(step: Step) -> tuple[str, dict[str, object]] | None:
    """The explanation's text and what to fill it in with, besides the ends' names.

    ``None`` where the step tells of no such thing.
    """
    if step.kind is StepKind.REBOOT:
        return REBOOT, {}
    handled = step.handled
    if handled is None:
        return None
    return SENTENCES[handled.act], {
        "what": kind_name(handled.segment),
        "doer": _(DOERS[handled.by]),
        "place": _place(handled.by),
        "by": by_whom(handled.by),
        "held": held_time(handled.held_ns),
        "later": held_time(handled.delay_ns),
        "times": times(handled.count),
    }

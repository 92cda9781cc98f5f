"""The hand: what a person may do to the cable of a running lab, and how to say what it holds.

No Textual in here. The lab's :class:`~tcpviz.lab.control.LabControl` takes the
orders; what comes of them arrives as records, like everything else.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from tcpviz.core.records import Doer, Side
from tcpviz.core.timeline import StepKind, Timeline
from tcpviz.lab.control import LONGEST_DELAY_MS, Held, LabControl
from tcpviz.sources.feed import Feed
from tcpviz.views import roles
from tcpviz.views.hand_words import HAND_LEFT, HAND_RIGHT, held_time, kind_name, times
from tcpviz.views.ladder_labels import segment_variants
from tcpviz.views.ladder_parts import Flight
from tcpviz.views.spans import Line, Span, line, text_width, width
from tcpviz.words import _

DELAY_STEP_MS = 500.0
"""What each press of the delay key adds."""

WAYS_MS = (0.0, 5.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0, 2000.0, 5000.0, 10000.0)
"""The cable's times that the keys go through, one way."""

_LOOK_BACK = 400
"""Steps among which the departure of a held segment is sought, for its numbers."""


class Hand:
    """The cable's controls as the screen uses them; every question has an answer without a lab.

    ``delay_ms``  what has been chosen so far as a delay for the segment in hand, or 0
    """

    def __init__(self, feed: Feed, clock_ns: Callable[[], int] = time.time_ns) -> None:
        self._feed = feed
        self._clock_ns = clock_ns
        self._chosen: int | None = None
        self._delays: dict[int, float] = {}

    # -- as it is -----------------------------------------------------------

    @property
    def control(self) -> LabControl | None:
        """The running lab's; ``None`` where there is none (any more), or no cable."""
        control = getattr(self._feed, "control", None)
        return None if control is None or self._feed.status.done else control

    @property
    def stepping(self) -> bool:
        """Each segment waits for the person."""
        return self.control is not None and self.control.step_mode

    @property
    def held(self) -> tuple[Held, ...]:
        """What the person must decide about, oldest first; what waits for the next one last."""
        control = self.control
        if control is None:
            return ()
        return tuple(one for one in control.hand if one.by is Doer.PERSON)

    @property
    def chosen(self) -> Held | None:
        """The one that keys are about: the person's choice, else the first."""
        held = self.held
        mine = next((one for one in held if one.frame == self._chosen), None)
        return mine or next(iter(held), None)

    @property
    def delay_ms(self) -> float:
        one = self.chosen
        return 0.0 if one is None else self._delays.get(one.frame, 0.0)

    @property
    def blocks(self) -> bool:
        """The scenario waits for the person."""
        return any(not one.behind for one in self.held)

    # -- what a person does -------------------------------------------------

    def choose_next(self) -> bool:
        """The next of those held; false where there is no other."""
        held, one = self.held, self.chosen
        if one is None or len(held) < 2:
            return False
        self._chosen = held[(held.index(one) + 1) % len(held)].frame
        return True

    def let_go(self) -> bool:
        """Deliver the chosen one, with the delay that was chosen for it, if one was."""
        control, one = self.control, self.chosen
        if control is None or one is None:
            return False
        ms = self._delays.pop(one.frame, 0.0)
        return control.delay(one.frame, ms) if ms else control.deliver(one.frame)

    def more_delay(self) -> bool:
        """Half a second more for the chosen one, when it is let go."""
        one = self.chosen
        if one is None:
            return False
        self._delays[one.frame] = min(self.delay_ms + DELAY_STEP_MS, LONGEST_DELAY_MS)
        return True

    def cancel_delay(self) -> bool:
        """No delay after all; false where none was chosen."""
        one = self.chosen
        return one is not None and bool(self._delays.pop(one.frame, 0.0))

    def order(self, what: str) -> bool:
        """``drop``, ``duplicate``, ``behind_next`` or ``corrupt`` the chosen one."""
        control, one = self.control, self.chosen
        return control is not None and one is not None and bool(getattr(control, what)(one.frame))

    def change_way(self, longer: bool) -> float | None:
        """The cable's next longer or shorter time, both ways; returns it in ms."""
        control = self.control
        if control is None:
            return None
        now = max(control.delay_ms(side) for side in Side)
        if longer:
            ms = next((each for each in WAYS_MS if each > now), WAYS_MS[-1])
        else:
            ms = next((each for each in reversed(WAYS_MS) if each < now), 0.0)
        for side in Side:
            control.set_delay(side, ms)
        return ms

    def travelled(self, flight: Flight) -> float | None:
        """Which part of its way a segment has come by now; ``None`` where nobody knows."""
        control = self.control
        if control is None:
            return None
        left_ns = flight.step.time_ns
        way_ns = int(control.delay_ms(flight.side) * 1e6)
        for each in flight.handled(None):
            if each.delay_ns:
                left_ns, way_ns = each.time_ns, each.delay_ns
        if not way_ns:
            return None
        return min(max((self._clock_ns() - left_ns) / way_ns, 0.0), 1.0)

    # -- in words -----------------------------------------------------------

    def line(
        self,
        timeline: Timeline,
        cells: int,
        *,
        at_end: bool,
        ascii_only: bool,
        secret: bool = False,
    ) -> Line:
        """One row that says what is in the hand (``secret``: only that something is)."""
        control = self.control
        if control is None:
            return ()
        one = self.chosen
        right = HAND_RIGHT if one is None or one.side is Side.CLIENT else HAND_LEFT
        sign = Span(f" {'H' if ascii_only else right} ", roles.LIT)
        if secret and one is not None:
            return line(sign, Span(_("something is in your hand"), roles.DIM))
        if one is None:
            empty = self._empty_words(control)
            room = cells - width((sign,))
            said = next((each for each in empty if text_width(each) <= room), empty[-1])
            return line(sign, Span(said, roles.DIM))
        side, label = roles.of_side(one.side), self._label(one, timeline)
        held_ns = max(self._clock_ns() - one.since_ns, 0)
        head = (
            sign,
            Span(_("in your hand {time}: ").format(time=held_time(held_ns))),
            Span(_("{side}'s {what}").format(side=_(str(one.side)), what=label), side),
        )
        if self.delay_ms:
            later = _("arrives {n} s after you let it go").format(n=f"{self.delay_ms / 1000:g}")
            return line(*head, Span(f"  {later}"))
        spans = list(head)
        for words, role in self._more(one, at_end):
            if width(spans) + text_width(words) + 2 <= cells:
                spans.append(Span(f"  {words}", role))
        return line(*spans)

    def _empty_words(self, control: LabControl) -> list[str]:
        """What to say while nothing is in the hand, the most telling first."""
        if control.step_mode:
            long = _("step mode: nothing is in your hand; the next segment will wait there")
            return [long, _("nothing is in your hand")]
        ways = [f"{control.delay_ms(side):g}" for side in Side]
        both = _("{there} and {back} ms").format(there=ways[0], back=ways[1])
        way = f"{ways[0]} ms" if ways[0] == ways[1] else both
        said = _("the cable takes {way} each way").format(way=way)
        lost = [control.loss(side) for side in Side]
        if any(lost):
            said += _(", loses {n} %").format(n=f"{max(lost) * 100:g}")
        if control.jitter_ms:
            said += _(", up to {n} ms more by chance").format(n=f"{control.jitter_ms:g}")
        hints = (_("; s takes each segment into your hand"), _("; s: step mode"), "")
        return [said + hint for hint in hints]

    def _more(self, one: Held, at_end: bool) -> list[tuple[str, str]]:
        said: list[tuple[str, str]] = []
        if not at_end:
            said.append((_("End returns to it"), roles.KEY))
        if one.swallowed:
            again = _("its kernel has sent it again {times} meanwhile")
            said.append((again.format(times=times(one.swallowed)), roles.MARK_WARNING))
        if one.corrupted:
            said.append((_("corrupted"), roles.MARK_WARNING))
        if one.copy:
            said.append((_("a copy"), roles.MARK_NOTE))
        if one.behind:
            said.append((_("waits for the next one"), roles.MARK_NOTE))
        held = self.held
        if len(held) > 1:
            other = _("{n} of {all}, v: another").format(n=held.index(one) + 1, all=len(held))
            said.append((other, roles.DIM))
        return said

    def _label(self, one: Held, timeline: Timeline) -> str:
        """The held segment as the chart labels it."""
        last = len(timeline) - 1
        for index in range(last, max(last - _LOOK_BACK, timeline.first - 1), -1):
            step = timeline[index]
            segment = step.segment if step.kind is StepKind.SENT else None
            if segment is not None and segment.frame == one.frame:
                return segment_variants(step)[0]
        return kind_name(one.segment)

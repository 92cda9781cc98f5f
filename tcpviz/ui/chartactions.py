"""The main screen's actions on the chart and its time: jumps, strides, folds, marks."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Any, Final

from tcpviz.core.claims import PhaseName
from tcpviz.core.timeline import Step
from tcpviz.ui.chartpane import ChartPane
from tcpviz.ui.plan import Pane
from tcpviz.ui.scrubber import ScrubberView
from tcpviz.ui.timeactions import TimeActions
from tcpviz.views import digest as d
from tcpviz.views.going import Place
from tcpviz.views.ladder_index import ChartIndex
from tcpviz.words import _

if TYPE_CHECKING:
    from textual.app import App


class Stride(enum.Enum):
    """How far a step goes: to the next thing that happened, or to the next of one kind."""

    STEP = "step"
    SEGMENT = "segment"
    STATE = "state change"
    CALL = "call"
    PROBLEM = "problem"


_BITS: Final = {
    Stride.SEGMENT: d.SEGMENT,
    Stride.STATE: d.STATE,
    Stride.CALL: d.CALL,
    Stride.PROBLEM: d.PROBLEM,
}
_NONE_AFTER: Final = {
    Stride.SEGMENT: "no segment after this one",
    Stride.STATE: "no change of state after this one",
    Stride.CALL: "no call after this one",
    Stride.PROBLEM: "nothing is wrong after this",
}
_NONE_BEFORE: Final = {
    Stride.SEGMENT: "no segment before this one",
    Stride.STATE: "no change of state before this one",
    Stride.CALL: "no call before this one",
    Stride.PROBLEM: "nothing is wrong before this",
}
_SOUGHT: Final = {Stride.PROBLEM: "problem", Stride.STATE: "state"}
_BY: Final = {
    Stride.STEP: "steps: everything that happened",
    Stride.SEGMENT: "steps: from segment to segment",
    Stride.STATE: "steps: from state change to state change",
    Stride.CALL: "steps: from call to call",
    Stride.PROBLEM: "steps: from problem to problem",
}


class ChartActions(TimeActions):
    """Mixed into the screen, which has the chart's pane.

    ``stride``  how far a step by key or clicker goes
    """

    app: App[Any]
    active: Pane
    ascii_only: bool
    _chart: ChartPane
    stride: Stride = Stride.STEP

    def say_briefly(self, message: str) -> None:
        """A line above the explanation that goes away by itself."""
        raise NotImplementedError

    def focus_pane(self, pane: Pane) -> None:
        """Go to a pane, bringing it to the front where panes take turns."""
        raise NotImplementedError

    # -- jumps --------------------------------------------------------------

    @property
    def track(self) -> ChartIndex | None:
        """The one connection's steps that are stepped through; ``None``: everyone's."""
        return self._chart.index if self.session.cursor.connection is not None else None

    def jump(self, stride: Stride, way: int) -> bool:
        """To the next thing of a kind, or the one before; false, and said so, if none is."""
        index = self._chart.index
        found = None
        if index is not None:
            here = index.place(self.session.cursor.index)
            find = index.after if way > 0 else index.before
            found = find(_BITS[stride], here)
            if found is None and way > 0 and self.session.remaining == 0 and not self.session.part:
                found = find(_BITS[stride], -1)  # at the end: once more from the beginning
            if self.session.guessing and way > 0:
                found = None  # a question is open
        if found is None and self.session.reach(way, kind=_SOUGHT.get(stride, "")):
            return True
        if index is None or found is None:
            self.say_briefly(_((_NONE_AFTER if way > 0 else _NONE_BEFORE)[stride]))
            return False
        self.go_to(index.steps[found])
        return True

    def action_next_problem(self) -> None:
        self.jump(Stride.PROBLEM, 1)

    def action_previous_problem(self) -> None:
        self.jump(Stride.PROBLEM, -1)

    def action_next_change(self) -> None:
        self.jump(Stride.STATE, 1)

    def action_previous_change(self) -> None:
        self.jump(Stride.STATE, -1)

    def action_next_call(self) -> None:
        self.jump(Stride.CALL, 1)

    def action_previous_call(self) -> None:
        self.jump(Stride.CALL, -1)

    def action_handshake(self) -> None:
        """To the connection's first segment."""
        if self.session.reach(-1, end=True):  # of a long one that is held in part
            self.redraw()
            return
        index = self._chart.index
        found = None if index is None else index.after(d.SEGMENT, -1)
        if index is None or found is None:
            self.say_briefly(_("no segment yet"))
            return
        self.go_to(index.steps[found])

    def action_teardown(self) -> None:
        """To the step with which the teardown begins."""
        index = self._chart.index
        place = None if index is None else index.before(d.STATE, len(index))
        found = None
        while index is not None and place is not None:
            if index.step(place).phase.name is PhaseName.TEARDOWN:
                found = place
            elif found is not None:
                break
            place = index.before(d.STATE, place)
        if found is None and self.session.reach(1, kind="teardown"):
            return
        if index is None or found is None:
            self.say_briefly(_("nobody has begun to close this connection"))
            return
        self.go_to(index.steps[found])

    def action_tenth_on(self) -> None:
        self._tenth(1)

    def action_tenth_back(self) -> None:
        self._tenth(-1)

    def _tenth(self, way: int) -> None:
        """A tenth of the whole, on or back."""
        before = self.session.cursor.index
        if self.session.reach(way, share=10):  # of a long one that is held in part
            self.stepped(before)
            return
        timeline, track = self.session.timeline, self.track
        steps = range(timeline.first, len(timeline)) if track is None else track.steps
        if not len(steps):
            return
        here = self.session.cursor.index
        place = here - timeline.first if track is None else track.place(here)
        place = min(max(place + way * max(len(steps) // 10, 1), 0), len(steps) - 1)
        self.go_to(steps[place])

    def action_go(self) -> None:
        """Ask where to go in the connection."""
        if self.track is None and self._chart.index is None:
            self.say_briefly(_("no connection is selected: choose one in the list"))
            return
        from tcpviz.ui.going import GoScreen

        looks = self.app.looks  # type: ignore[attr-defined]
        self.app.push_screen(GoScreen(looks, ascii_only=self.ascii_only), self._go_to_place)

    def _go_to_place(self, place: Place | None) -> None:
        index, session = self._chart.index, self.session
        if place is None or index is None:
            return
        before = session.cursor.index
        if session.seek_place(place):
            self.stepped(before)
            return
        found = index.find(place)
        if found is None:
            self.say_briefly(_("no segment yet"))
        else:
            self.go_to(index.steps[found])

    # -- strides ------------------------------------------------------------

    def action_stride(self) -> None:
        """Steps go to the next of another kind."""
        order = list(Stride)
        self.stride = order[(order.index(self.stride) + 1) % len(order)]
        self.session.playback.leap = None if self.stride is Stride.STEP else self._leap
        self.say_briefly(_(_BY[self.stride]))

    def _leap(self, here: int) -> int | None:
        """Where playing goes from a step: to the next of the kind, in the end to the last step."""
        index, session = self._chart.index, self.session
        if session.taught or index is None:
            return here + 1 if here + 1 < len(session.timeline) else None
        index.extend()
        found = index.after(_BITS[self.stride], index.place(here))
        if found is not None:
            return index.steps[found]
        return len(session.timeline) - 1 if session.pump.done else None

    def action_end(self) -> None:
        self._chart.catch_up()
        super().action_end()

    def action_step(self) -> None:
        if self.stride is Stride.STEP or self.session.guessing:
            super().action_step()
        else:
            self.jump(self.stride, 1)

    def action_back(self) -> None:
        if self.stride is Stride.STEP or self.session.guessing:
            super().action_back()
        else:
            self.jump(self.stride, -1)

    # -- speed --------------------------------------------------------------

    def action_real_time(self) -> None:
        """By steps, or as fast as it was, times a factor."""
        session = self.session
        session.playback.turn_pace(session.clock())
        if session.playback.pace.factor and session.remaining:
            session.playback.play(session.clock())
        self.redraw()

    # -- how the chart is drawn -----------------------------------------------

    def action_times(self) -> None:
        self._chart.next_times()
        self.redraw()

    def action_numbers(self) -> None:
        self._chart.next_numbers()
        self.redraw()

    def action_scale(self) -> None:
        self._chart.next_scale()
        self._chart.show_cursor()
        self.redraw()

    def action_detail(self) -> None:
        self.say_briefly(self._chart.next_detail())
        self.redraw()

    def action_acks(self) -> None:
        self._chart.turn_acks()
        self._chart.show_cursor()
        self.redraw()

    def action_folds(self) -> None:
        self._chart.turn_folds()
        self._chart.show_cursor()
        self.redraw()

    def action_fold(self) -> None:
        """Open or fold the data around the cursor."""
        if not self._chart.turn_fold():
            self.say_briefly(_("no long run of data at the cursor"))
        self.redraw()

    # -- marks, and what they are for ------------------------------------------

    def segment_at_cursor(self) -> Step | None:
        """The segment's step at the cursor, or the last one before, of the selected connection."""
        index = self._chart.index
        if index is None:
            return None
        place: int | None = index.place(self.session.cursor.index)
        while place is not None and place >= index.floor:
            step = index.step(place)
            if step.segment is not None and step.handled is None:
                return step
            place -= 1
        return None

    def zero_ns(self) -> int:
        """The moment from which the chart's times count."""
        index = self._chart.index
        return 0 if index is None or index.origin is None else index.origin.time_ns

    def mark_step(self, step: int) -> None:
        """This step is the marked one from now on."""
        self._chart.marked = step

    def action_mark(self) -> None:
        """In the list: the connection; elsewhere: the segment at the cursor."""
        session = self.session
        if self.active is Pane.LIST:
            if session.selected is not None and session.selected in session.marked:
                session.marked.remove(session.selected)
            elif session.selected is not None:
                session.marked.append(session.selected)
            count = len(session.marked)
            more = _("H shows them on one chart") if count > 1 else _("mark another one")
            self.say_briefly(_("{n} marked; {more}").format(n=count, more=more))
            return
        step = self.segment_at_cursor()
        if step is None:
            self.say_briefly(_("no segment up to here"))
        elif self._chart.marked == step.index:
            self._chart.marked = None
            self.redraw()
        else:
            self.mark_step(step.index)
            self.say_briefly(_("marked; go to another segment and press C to compare them"))

    def action_compare(self) -> None:
        """The marked segment beside the one at the cursor."""
        marked = self._chart.marked
        if marked is None or self._chart.index is None:
            self.say_briefly(_("mark a segment with m first, then go to another one"))
            return
        from tcpviz.ui.compare import CompareScreen

        looks = self.app.looks  # type: ignore[attr-defined]
        self.app.push_screen(CompareScreen(looks, marked, ascii_only=self.ascii_only))

    def action_hosts(self) -> None:
        """Several connections on one chart."""
        if self.session.selected is None:
            self.say_briefly(_("no connection is selected: choose one in the list"))
            return
        from tcpviz.ui.hosts import HostsScreen

        looks = self.app.looks  # type: ignore[attr-defined]
        self.app.push_screen(HostsScreen(looks, ascii_only=self.ascii_only))

    # -- the scrubber -------------------------------------------------------

    # By their names, not by @on: that is read of widgets' own classes only.

    def on_scrubber_view_sought(self, event: ScrubberView.Sought) -> None:
        """The scrubber's track was pressed."""
        self.go_to(event.step)

    async def on_scrubber_view_pressed(self, event: ScrubberView.Pressed) -> None:
        """A sign on the scrubber was pressed."""
        await self.run_action(event.action)  # type: ignore[attr-defined]

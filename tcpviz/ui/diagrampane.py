"""The diagram's pane: one connection's two ends on the machine, or all of them counted."""

from __future__ import annotations

from time import monotonic
from typing import Final

from textual.message import Message
from textual.timer import Timer

from tcpviz.core.census import Tally
from tcpviz.core.records import Side
from tcpviz.core.states import State
from tcpviz.core.timeline import Step
from tcpviz.ui.counted import Rows
from tcpviz.ui.lines import Row
from tcpviz.ui.looks import FLASH, Looks
from tcpviz.ui.panes import PaneView
from tcpviz.ui.plan import Pane
from tcpviz.ui.playback import Mode
from tcpviz.ui.session import Session
from tcpviz.views import dashboard, diagram, roles
from tcpviz.views.diagram import DiagramScene
from tcpviz.views.explain_edges import edge_text, state_text
from tcpviz.views.layouts import FIGURE_ROWS, Pair
from tcpviz.views.spans import Line, Span
from tcpviz.views.trail import Trail
from tcpviz.words import _, language

COUNT_S = 0.02
"""Time for counting at each drawing; the rest is counted at the next."""

MOTION_S = 0.04
"""Between two pictures of what runs along the edge just taken."""

PICTURES = 9


MANY = 20_000
BOARD_S = 0.5
"""How often the dashboard changes at most while segments keep coming and are followed."""


def _order() -> list[State | Pair]:
    order: list[State | Pair] = []
    for state in State:
        order.append(state)
        order += [pair for pair in FIGURE_ROWS if pair[0] is state]
    return order


ORDER: Final = tuple(_order())
"""States and edges as Up and Down go through them: each state, then the edges that leave it."""


class DiagramPane(PaneView):
    """The state machine, with both ends where they are at the cursor; or the dashboard.

    ``selected``  the state or edge that Enter explains; in the dashboard, whose connections
                  it lists
    """

    pane = Pane.DIAGRAM

    class Listed(Message):
        """Somebody wants to see the connections in a state; ``None``: in an unknown one."""

        def __init__(self, state: State | None) -> None:
            super().__init__()
            self.state = state

    def __init__(self, session: Session, looks: Looks, *, ascii_only: bool) -> None:
        super().__init__(session, looks, ascii_only=ascii_only)
        self.trail = Trail(session.timeline)
        self.selected: State | Pair | None = None
        self._drawn: tuple[object, list[Line]] = (None, [])
        self._placed: dashboard.Placed | None = None
        self._board: object = None
        self._board_at = 0.0
        self._moving: Timer | None = None
        self._picture = 0
        self._flashed: int | None = None

    def begin(self, session: Session) -> None:
        super().begin(session)
        self.trail = Trail(session.timeline)
        self.selected = None

    # -- drawing ------------------------------------------------------------

    def heading(self) -> str:
        if self.session.whole:
            return _("all connections")
        if isinstance(self.selected, State):
            return _("Enter explains {what}").format(what=self.selected)
        if self.selected is not None:
            before, after = self.selected
            arrow = "->" if self.ascii_only else "→"
            return f"Enter: {before} {arrow} {after}"
        return ""

    def body(self, cells: int, rows: int) -> list[Row]:
        if self.trail.timeline is not self.session.timeline:
            self.trail = Trail(self.session.timeline)
        if self.session.whole:
            return self._dashboard(cells, rows)
        scene = self.scene()
        self._set_off()
        key = (cells, rows, scene, self._picture, self.looks.legend)
        if self._drawn[0] != key:
            layout = diagram.layout_for(cells, rows, self.looks.legend)
            share = self._picture / PICTURES if self._moving is not None else None
            self._drawn = (key, diagram.draw(layout, scene, share))
        lines = self._drawn[1]
        if self.flashing is not None:
            lines = [tuple(_flash(span) for span in one) for one in lines]
        return [Row(one) for one in lines]

    def scene(self) -> DiagramScene:
        """Both ends as they stand at the cursor, the way there, and the step's own moves."""
        session = self.session
        standing, step = session.standing, session.step
        index = session.cursor.index
        client, server = self.trail.upto(session.selected or 0, index)
        return DiagramScene(
            client=None if standing is None else standing.client,
            server=None if standing is None else standing.server,
            lit=() if step is None or not self._concerns(step) else step.changes,
            trail_client=client,
            trail_server=server,
            selected=self.selected if self.active else None,
            ascii=self.ascii_only,
        )

    def _concerns(self, step: Step) -> bool:
        return step.connection is None or step.connection == self.session.selected

    def _set_off(self) -> None:
        """Let something run along the edge just taken, once."""
        if self.flashing is None or self.flashing == self._flashed:
            return
        self._flashed, self._picture = self.flashing, 0
        if self._moving is None:
            self._moving = self.set_interval(MOTION_S, self._next_picture)

    def _next_picture(self) -> None:
        self._picture += 1
        if self._picture >= PICTURES and self._moving is not None:
            self._moving.stop()
            self._moving, self._picture = None, 0
        self.draw()

    # -- the dashboard --------------------------------------------------------

    def board(self) -> dashboard.Board:
        """All ends as they stand at the cursor."""
        session = self.session
        chosen = self.selected if isinstance(self.selected, State) else None
        if session.counted is not None:
            told, note = self._counted(session.counted)
            total, now = len(session.counted), session.latest_ns
            return self._made(told, now, total, chosen, note=_(note))
        until = monotonic() + COUNT_S
        complete = session.census.seek(session.cursor.index, lambda: monotonic() > until)
        now = session.latest_ns
        recent = {each: session.census.recent(each, now, 8) for each in State}
        told = session.census.tallies(now)
        return self._made(
            told, now, session.census.connections, chosen, recent=recent, complete=complete
        )

    def _counted(self, rows: Rows) -> tuple[tuple[Tally, ...], str]:
        """The figures of connections that were counted, and how they were had."""
        snapshot = getattr(rows, "snapshot", None)
        if snapshot is not None:
            from tcpviz.bulk.tables import filetally

            return snapshot.tallies, filetally.TELLS
        from tcpviz.bulk.live import tally as livetally

        return livetally.tallies(rows), livetally.TELLS  # type: ignore[arg-type]

    def _made(
        self,
        tallies: tuple[Tally, ...],
        now_ns: int,
        total: int,
        chosen: State | None,
        **more: object,
    ) -> dashboard.Board:
        return dashboard.Board(
            tallies,
            now_ns,
            total,
            chosen,
            skipped=dict(self.session.feed.status.skipped),
            ascii=self.ascii_only,
            **more,  # type: ignore[arg-type]
        )

    def _dashboard(self, cells: int, rows: int) -> list[Row]:
        """All ends by state; while segments keep coming and are followed, twice a second."""
        session, now = self.session, monotonic()
        rushes = session.mode is Mode.FOLLOWING and not session.pump.done
        moment = 0 if rushes else (session.cursor.index, session.latest_ns)
        shown = (cells, rows, self.selected, moment, id(session.timeline), language())
        # Counting very many takes its time: half as often.
        pause = BOARD_S if session.counted is None or session.count < MANY else 2 * BOARD_S
        still = not rushes or now - self._board_at < pause
        if self._placed and self._board == shown and still:
            return [Row(one) for one in self._placed.lines]
        self._board, self._board_at = shown, now
        board = self.board()
        self.session.said = dashboard.told(board)
        if not board.complete:
            self._board = None
            self.set_timer(MOTION_S, self.draw)
        self._placed = dashboard.draw(board, cells, rows)
        return [Row(one) for one in self._placed.lines]

    # -- selecting, explaining ------------------------------------------------

    def move(self, rows: int) -> None:
        if self.session.whole:
            states: list[State | Pair] = list(State)
            self.selected = _next(states, self.selected, rows)
            self.session.said = dashboard.told(self.board())
            return
        if self.selected is None:
            standing = self.session.standing
            self.selected = State.CLOSED if standing is None else standing.client.state
            return
        self.selected = _next(list(ORDER), self.selected, rows)

    def wheel(self, rows: int) -> None:
        """One place for each notch."""
        self.move(1 if rows > 0 else -1)

    def pick(self, x: int, row: int) -> Message | None:
        if self.session.whole:
            state = None if self._placed is None else self._placed.state_at(x, row)
            if state is None:
                return None
            again = state is self.selected
            self.selected = state
            self.session.said = dashboard.told(self.board())
            self.draw()
            return self.Listed(state) if again else self.Picked()
        layout = diagram.layout_for(self.size.width, self.size.height - 1, self.looks.legend)
        found = layout.state_at(x, row) or layout.edge_at(x, row)
        if found is None:
            return None
        self.selected = found
        self.draw()
        return self.explain()

    def enter(self) -> Message | None:
        """Explain what is selected; in the dashboard, list its connections."""
        if self.session.whole and isinstance(self.selected, State):
            return self.Listed(self.selected)
        return self.explain()

    def explain(self) -> Message | None:
        """What is selected, or the states that the two ends are in."""
        chosen = self.selected
        if isinstance(chosen, State):
            return self.Asked(str(chosen), self._told(chosen))
        if chosen is not None and not self.session.whole:
            return self.Asked(f"{chosen[0]} to {chosen[1]}", edge_text(FIGURE_ROWS[chosen]))
        scene = self.scene()
        states = [claim.state for claim in (scene.client, scene.server) if claim is not None]
        if not states or self.session.whole:
            return None
        title = " and ".join(str(state) for state in dict.fromkeys(states))
        told = [self._told(state) for state in dict.fromkeys(states)]
        return self.Asked(title, "\n\n".join(told))

    def _told(self, state: State) -> str:
        """The state's text, with the ends that are in it now."""
        here = []
        if not self.session.whole:
            scene = self.scene()
            for side in Side:
                claim = scene.claim(side)
                if claim is not None and claim.state is state:
                    why = f": {claim.because}" if claim.because else ""
                    here.append(f"{side}, {claim.certainty}{why}")
        return state_text(state, here)


def _next(order: list[State | Pair], now: State | Pair | None, rows: int) -> State | Pair:
    if now not in order:
        return order[0 if rows > 0 else -1]
    return order[(order.index(now) + rows) % len(order)]


def _flash(span: Span) -> Span:
    return Span(span.text, FLASH) if span.role in (roles.LIT, roles.LIT_LABEL) else span

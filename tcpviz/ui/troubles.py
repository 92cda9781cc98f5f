"""The sheet of troubles: what goes wrong among all connections; Enter leads to those meant."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from time import perf_counter
from typing import TYPE_CHECKING, ClassVar, cast

from textual.binding import BindingType

from tcpviz.core.connection import Connection
from tcpviz.core.crowds import Crowd
from tcpviz.core.crowds import crowds as make_crowds
from tcpviz.core.troubles import Gathering
from tcpviz.core.troubles_many import Trouble
from tcpviz.core.watch import Watch
from tcpviz.sources.interfaces import ANY, list_interfaces
from tcpviz.ui.keys import Action
from tcpviz.ui.plan import Pane
from tcpviz.ui.session import Session
from tcpviz.ui.sheet import CLOSING, SheetScreen, bindings
from tcpviz.ui.words import wrap
from tcpviz.views import roles, troubles
from tcpviz.views.numbers import apart, thousands
from tcpviz.views.spans import Line, Span, fit, line
from tcpviz.views.verdict import TONES
from tcpviz.words import _, counted

if TYPE_CHECKING:
    from tcpviz.bulk.tables.growing import Snapshot
    from tcpviz.ui.bulksession import BulkSession

A_BEAT_S = 0.02
"""Seconds that judging may take at a beat, so that no key waits for it."""

MOST_JUDGED = 50_000
"""Connections that are judged one by one; of more the latest. A busy link's are all counted,
a large file's all judged by column."""

FEW = 5_000
"""Connections among which crowds are looked for at each judgement: some 25 ms."""

AGAIN_S = 2.0
"""Seconds between two judgements of a capture that goes on."""

SHARE = 50
"""And at least so many times as long as asking a busy link's rows took."""

_TITLE = "Troubles"


class Judge:
    """Judges a session's connections a few at a time, and begins anew when there is more.

    ``found`` the troubles so far, ``complete`` once all were judged; ``judged`` of ``count``
    ``again_s`` seconds between two judgements at least
    """

    again_s = AGAIN_S

    def __init__(self, session: Session) -> None:
        self.session = session
        self.found: tuple[Trouble, ...] = ()
        self.complete = False
        self.judged = 0
        self.count = 0
        self._gathering = Gathering()
        self._tallied: list[Trouble] | None = None
        self._crowds: Sequence[Crowd] = ()
        self._names: dict[str, str] | None = None
        self._left: Iterator[Connection] | None = None
        self._watch: Watch | None = None
        self._known: object = None
        self._ended_at = self._took = 0.0
        self._sweeping = False

    def work(self, budget_s: float = A_BEAT_S) -> None:
        """Judge for about so long."""
        rows = self.session.counted
        snapshot = getattr(rows, "snapshot", None)
        if snapshot is not None:
            self._by_table(cast("BulkSession", self.session), snapshot)
            return
        if self._left is None and not self._begin():
            return
        assert self._left is not None
        session, until = self.session, perf_counter() + budget_s
        for connection in self._left:
            now = session.latest_ns if self._watch is None else self._watch.until(connection)
            self._gathering.add(connection, now)
            self.judged += 1
            if self.judged % 16 == 0 and perf_counter() >= until:
                break
        else:
            self._left, self.complete = None, True
            self._ended_at = session.clock()
        if self.complete and self._left is not None:
            return  # what was found before stands until it is known anew
        self.found = tuple(self._all())

    def _by_table(self, session: BulkSession, snapshot: Snapshot) -> None:
        """Of a large file all are judged, elsewhere; here what has come of it is taken."""
        sweep = session.sweep
        paused = self.complete and session.clock() < self._ended_at + self.again_s
        if snapshot is not self._known and not paused:
            self._known, self.count = snapshot, len(snapshot)
            self._sweeping = True
            sweep.begin(snapshot, session.tracker.host)
        if not self._sweeping:
            return
        ended = sweep.ended()
        self.judged = sweep.judged
        if ended or not self.complete:
            self.found = sweep.found
        if ended:
            self._sweeping, self.complete = False, True
            self._ended_at = session.clock()

    def _begin(self) -> bool:
        session = self.session
        known = (session.generation, len(session.timeline), session.counted and session.count)
        if known == self._known and not session.live:
            return False
        pause = max(self.again_s, SHARE * self._took)
        if self.complete and session.clock() < self._ended_at + pause:
            return False
        self._known = known
        began = perf_counter()
        tallied = self._tallied = self._tally()
        self._took = perf_counter() - began
        rows = session.visible()
        connections: Sequence[Connection] = []
        if tallied is None:
            connections = list(rows[-MOST_JUDGED:])
        self.count = session.count if tallied is not None else len(connections)
        # Of a file that was put together from several, not every stretch lasts to its end.
        self._watch = None
        if not session.live:
            self._watch = Watch(connections)
        self._gathering, self.judged = self._make(), 0
        self._left = iter(connections)
        self._crowds = () if tallied is not None else session.crowds.found
        if tallied is None and len(connections) <= FEW:
            # As they are now; of many the count is as old as when they were two thirds as many.
            self._crowds = make_crowds(connections)
        return True

    def _make(self) -> Gathering:
        session = self.session
        if self._names is None:
            watched = list(getattr(session.feed, "interfaces", ()))
            if ANY in watched:
                watched = list_interfaces()
            self._names = {addr: each.name for each in watched for addr in each.addresses}
        return Gathering(self._names, session.tracker.connections)

    def _tally(self) -> list[Trouble] | None:
        """What the rows of a busy link say by themselves."""
        tally = getattr(self.session.counted, "troubles", None)
        return None if tally is None else list(tally())

    def _all(self) -> list[Trouble]:
        session = self.session
        made = self._gathering.troubles(session.tracker.host, self._crowds)
        if self._tallied:
            made = sorted([*made, *self._tallied], key=lambda t: (-t.severity, -t.count, t.code))
        return made


class TroublesScreen(SheetScreen):
    """One line a trouble, the gravest first; under them all that is known of the chosen one."""

    about = _TITLE
    actions: ClassVar[tuple[Action, ...]] = (
        Action("up", ("up", "k"), "↑ k", "Up", "The trouble above", plain="Up k"),
        Action("down", ("down", "j"), "↓ j", "Down", "The trouble below", plain="Down j"),
        Action(
            "list", ("enter",), "Enter", "Its connections", "List the connections meant", "list"
        ),
        Action(
            "ladder", ("l", "right"), "l →", "The worst one",
            "The sequence chart of the connection that shows it best", "chart", plain="l Right",
        ),
        *CLOSING,
    )  # fmt: skip
    BINDINGS: ClassVar[list[BindingType]] = bindings(actions)

    chosen = 0

    def __init__(self, *args: object, judge: Judge | None = None, **fields: object) -> None:
        super().__init__(*args, **fields)  # type: ignore[arg-type]
        self._judge = judge
        self._chosen: tuple[str, ...] | None = None

    @property
    def judge(self) -> Judge:
        if self._judge is None or self._judge.session is not self.session:
            self._judge = Judge(self.session)
        return self._judge

    @property
    def found(self) -> tuple[Trouble, ...]:
        return self.judge.found

    def key(self) -> object:
        judge = self.judge
        return judge.found, self.chosen, judge.complete, judge.judged if not judge.complete else 0

    def work(self) -> None:
        """Judge some more connections; begin anew when there are others."""
        self.judge.work()

    def lines(self, cells: int, rows: int) -> list[Line]:
        judge, found = self.judge, self.found
        self._keep_chosen()
        all_of_them = apart(counted(judge.count, "connection"), judge.count)
        said = _("in {connections}").format(connections=all_of_them)
        if not judge.complete:
            said = _("{judged} of {connections} judged").format(
                judged=thousands(judge.judged), connections=all_of_them
            )
        lines = [line(Span(f" {_(_TITLE)} ", roles.TITLE), Span(said, roles.DIM)), ()]
        if not found:
            quiet = _("no trouble found: no verdict asks for a look")
            lines.append(line(f" {quiet if judge.complete else '…'}"))
            return lines
        told = self._told(found[self.chosen], cells, max(rows // 2, 4))
        room = max(rows - 3 - len(told), 1)
        top = max(0, self.chosen - room + 1)
        shown = list(found[top : top + room])
        lines += troubles.rows(shown, cells, self.chosen - top)
        lines += [()] * max(0, rows - len(lines) - len(told))
        return lines + told

    def _keep_chosen(self) -> None:
        """The same trouble stays chosen when others come before it or go."""
        found = self.found
        places = [place for place, each in enumerate(found) if _name(each) == self._chosen]
        if self._chosen is not None and places:
            self.chosen = places[0]
        self.chosen = min(max(self.chosen, 0), max(len(found) - 1, 0))
        self._chosen = _name(found[self.chosen]) if found else None

    def _told(self, trouble: Trouble, cells: int, most: int) -> list[Line]:
        """All of one: its sentence in full, what else is known, where the keys lead."""
        role = TONES[trouble.severity]
        lines: list[Line] = [
            line(" ", *each)
            for each in wrap(line(Span(troubles.sentence(trouble), role)), max(cells - 2, 20), most)
        ]
        for detail in troubles.details(trouble):
            rows = wrap(line(detail), max(cells - 2, 20), most)
            lines += [line(" ", *each) for each in rows]
        seek = troubles.words(trouble)
        keys = [fit(line(Span(f" {_('Enter lists')} ", roles.DIM), seek), cells)]
        if trouble.worst:
            worst = _("l shows connection {number}").format(number=trouble.worst)
            keys.append(fit(line(Span(f" {worst}", roles.DIM)), cells))
        return [(), *lines[: max(most - len(keys) - 1, 1)], *keys]

    def action_up(self) -> None:
        self.chosen, self._chosen = self.chosen - 1, None
        self.redraw()

    def action_down(self) -> None:
        self.chosen, self._chosen = self.chosen + 1, None
        self.redraw()

    def action_list(self) -> None:
        self._go(Pane.LIST)

    def action_ladder(self) -> None:
        self._go(Pane.CHART)

    def _go(self, pane: Pane) -> None:
        """To the connections meant, the worst one selected, and there to one of the panes."""
        if not self.found:
            return
        trouble, session = self.found[self.chosen], self.session
        session.sifter.type(troubles.words(trouble))
        if trouble.worst and session.has(trouble.worst):
            session.select(trouble.worst)
        self.main.focus_pane(pane)
        self.main.lay_out_anew()
        self.dismiss()


def _name(trouble: Trouble) -> tuple[str, ...]:
    """What tells it from others, however its numbers change."""
    facts = trouble.facts
    return (trouble.code, trouble.where, str(facts.get("process")), str(facts.get("state")))

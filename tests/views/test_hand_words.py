"""What is done to a segment on its way: on the chart, explained, in the text form."""

from __future__ import annotations

import itertools

import pytest

from tcpviz.core.claims import Certainty, Claim, Disagreement
from tcpviz.core.records import (
    Act,
    Doer,
    Handled,
    KernelReading,
    KernelSocket,
    Moment,
    Rebooted,
    SegmentRecord,
    Side,
)
from tcpviz.core.segment import Segment
from tcpviz.core.states import State
from tcpviz.export.text import Story
from tcpviz.views import roles
from tcpviz.views.explain import explain_text
from tcpviz.views.hand_words import HAND_RIGHT, short
from tcpviz.views.held_time import HeldTime
from tcpviz.views.kernel_words import kernel_spans, listener_span, timer_text
from tcpviz.views.ladder import Gutter, Ladder, LadderSettings
from tcpviz.views.spans import plain_line, width
from tests.core.dialogue import CLIENT, MS, SERVER, Talk

C, S = Side.CLIENT, Side.SERVER
SECOND = 1_000_000_000


class Cable(Talk):
    """A dialogue over a cable that somebody has in the hand."""

    paused = 0

    def leaves(self, side: Side, flags: str, data: int = 0) -> Segment:
        made = self.segment(side, flags, data)
        self.sent(made)
        return made

    def act(self, act: Act, segment: Segment, by: Doer = Doer.PERSON, **more: int) -> None:
        record = Handled(self.now, act, by, segment, paused_ns=self.paused, **more)
        self.steps += self.tracker.feed(record)

    def hold(self, segment: Segment, seconds: float, by: Doer = Doer.PERSON) -> None:
        """Held for so long, then let go."""
        self.act(Act.HELD, segment, by)
        ns = int(seconds * SECOND)
        self.now += ns
        if by is Doer.PERSON:
            self.paused += ns
        self.act(Act.RELEASED, segment, by, held_ns=ns)

    def chart(self, cells: int = 100, *, ascii_only: bool = False, **more: object) -> list[str]:
        ladder = Ladder(self.tracker.timeline, 1, LadderSettings(ascii_only=ascii_only, **more))  # type: ignore[arg-type]
        ladder.extend()
        last = len(self.tracker.timeline) - 1
        lines = [ladder.render(row, cells, cursor=last) for row in ladder.rows]
        assert {width(one) for one in lines} <= {cells}
        return [plain_line(one) for one in lines]

    def text(self) -> str:
        return "\n".join(self.chart())


def test_a_held_segment_is_half_an_arrow_with_a_hand() -> None:
    cable = Cable()
    syn = cable.leaves(C, "S")
    cable.act(Act.HELD, syn)
    assert "☛ in your hand" in cable.text()
    assert "▶" not in cable.text()
    assert "H in your hand" in "\n".join(cable.chart(ascii_only=True))
    assert all(line.isascii() for line in cable.chart(ascii_only=True))


@pytest.mark.parametrize("cells", [24, 40, 60, 79, 120, 200])
def test_rows_keep_their_width_whatever_is_held(cells: int) -> None:
    cable = Cable()
    syn = cable.leaves(C, "S")
    cable.hold(syn, 3)
    cable.arrives(syn)
    synack = cable.leaves(S, "SA")
    cable.act(Act.DUPLICATED, synack)
    cable.act(Act.HELD, synack)
    assert cable.chart(cells)
    assert cable.chart(cells, ascii_only=True)


def test_a_segment_that_was_held_tells_for_how_long_and_how_often_it_was_repeated() -> None:
    cable = Cable()
    syn = cable.leaves(C, "S")
    cable.act(Act.HELD, syn)
    for count in (1, 2, 3):
        cable.act(Act.SWALLOWED, syn, Doer.CABLE, count=count)
    cable.now += 7 * SECOND
    cable.paused += 7 * SECOND
    cable.act(Act.RELEASED, syn, held_ns=7 * SECOND, count=3)
    cable.arrives(syn)
    shown = cable.text()
    assert "SYN sent again 3 times, kept back" in shown
    assert "sent again once" not in shown  # one row tells of all three
    assert "held 7.0 s" in shown
    assert "▶" in shown
    assert "3 times so far" in explain_text(cable.steps[4])


def test_going_back_to_the_second_repetition_shows_two() -> None:
    cable = Cable()
    syn = cable.leaves(C, "S")
    cable.act(Act.HELD, syn)
    for count in (1, 2, 3):
        cable.act(Act.SWALLOWED, syn, Doer.CABLE, count=count)
    ladder = Ladder(cable.tracker.timeline, 1, LadderSettings())
    ladder.extend()
    second = cable.steps[3].index
    shown = "\n".join(plain_line(ladder.render(row, 100, cursor=second)) for row in ladder.rows)
    assert "sent again twice" in shown
    assert "3 times" not in shown


def test_the_chart_counts_real_time_without_what_was_held() -> None:
    cable = Cable()
    syn = cable.leaves(C, "S")
    cable.hold(syn, 60)
    cable.arrives(syn)
    cable.carried(S, "SA")
    ladder = Ladder(cable.tracker.timeline, 1, LadderSettings())
    ladder.extend()
    assert "real s" in plain_line(ladder.header(100)[0])
    for line in cable.chart():
        digits = line.split()[:1]
        if digits and digits[0][0].isdigit():
            assert float(digits[0]) < 1
    delta = "\n".join(cable.chart(gutter=Gutter.DELTA))
    assert "60" not in delta.replace("held 60.0 s", "")


def test_time_never_runs_backwards_where_the_hand_is_counted_late() -> None:
    cable = Cable()
    syn = cable.leaves(C, "S")
    cable.hold(syn, 2)
    cable.arrives(syn)
    synack = cable.leaves(S, "SA")
    cable.paused += 5 * SECOND  # more than can have passed
    cable.act(Act.HELD, synack)
    held = HeldTime()
    real = []
    for step in cable.steps:
        held.add(step)
        real.append(step.time_ns - held.at(step.index))
    assert real == sorted(real)


def test_a_drop_says_by_whom() -> None:
    for by, words in ((Doer.PERSON, "dropped by you"), (Doer.CHANCE, "lost by chance")):
        cable = Cable()
        syn = cable.leaves(C, "S")
        cable.act(Act.DROPPED, syn, by)
        cable.now += MS
        cable.feed(syn, Moment.LOST)
        assert "✖" in cable.text()
        assert words in cable.text()
        story = Story(cable.tracker)
        told = [story.line(step) or "" for step in cable.steps]
        assert any(words in line for line in told)


@pytest.mark.parametrize("side", [C, S])
@pytest.mark.parametrize("cells", [80, 100, 120])
def test_a_drop_from_the_hand_says_so_where_there_is_room(side: Side, cells: int) -> None:
    cable = Cable()
    if side is S:
        cable.carried(C, "S")
    made = cable.leaves(side, "S" if side is C else "SA")
    cable.act(Act.HELD, made)
    cable.act(Act.DROPPED, made, held_ns=SECOND)
    cable.now += MS
    cable.feed(made, Moment.LOST)
    (row,) = (line for line in cable.chart(cells) if "✖" in line)
    assert "dropped by you" in row


def test_a_copy_arrives_too_and_a_corrupted_one_finds_its_arrow() -> None:
    cable = Cable()
    cable.carried(C, "S")
    synack = cable.leaves(S, "SA")
    cable.act(Act.HELD, synack)
    cable.act(Act.DUPLICATED, synack)
    cable.act(Act.RELEASED, synack)
    cable.arrives(synack)
    assert "doubled by you" in cable.text()
    cable.act(Act.RELEASED, synack)
    cable.now += MS
    cable.steps += cable.tracker.feed(SegmentRecord(cable.now, synack, Moment.ARRIVED, again=True))
    assert "copy" in cable.text()
    ack = cable.leaves(C, "A")
    cable.act(Act.CORRUPTED, ack)
    assert "a byte corrupted by you" in cable.text()


def test_every_act_by_everybody_has_its_words() -> None:
    for act, by, flags in itertools.product(Act, Doer, ("S", "SA", "A", "FA", "R", "PA")):
        cable = Cable()
        made = cable.segment(C, flags, 5 if flags == "PA" else 0)
        cable.sent(made)
        cable.act(act, made, by, held_ns=SECOND, count=2, delay_ns=SECOND)
        step = cable.steps[-1]
        assert step.handled is not None
        said = explain_text(step)
        assert "{" not in said
        assert said.endswith(".")
        assert "{" not in short(step.handled)
        line = Story(cable.tracker).line(step)
        assert line is not None
        assert "'s " in line


def test_a_reboot_is_told() -> None:
    talk = Talk().handshake()
    (step, *_) = talk.tracker.feed(Rebooted(talk.now + MS, S))
    assert "switched off and on" in explain_text(step)
    assert "switched off and on" in (Story(talk.tracker).line(step) or "")


def test_an_arrow_grows_as_it_travels() -> None:
    cable = Cable()
    cable.leaves(C, "S")
    ladder = Ladder(cable.tracker.timeline, 1, LadderSettings())
    ladder.extend()

    def reach(part: float) -> int:
        lines = [plain_line(ladder.render(r, 100, travelled=lambda _: part)) for r in ladder.rows]
        return max(max(line.rfind("▷"), line.rfind("╲"), line.rfind("─")) for line in lines[1:])

    reached = [reach(part) for part in (0.2, 0.5, 0.8, 1.0)]
    assert reached == sorted(reached)
    assert reached[0] < reached[-1]


# -- the kernel's own word ----------------------------------------------------


def reading(*sockets: KernelSocket) -> KernelReading:
    return KernelReading(1, sockets)


def test_timers_count_down_between_two_readings() -> None:
    socket = KernelSocket(C, CLIENT, SERVER, State.TIME_WAIT, "time-wait", 57_300)
    assert timer_text(socket) == "TIME-WAIT 57.3 s left"
    assert timer_text(socket, 300_000_000) == "TIME-WAIT 57.0 s left"
    assert timer_text(socket, 90 * SECOND) == "TIME-WAIT 0.0 s left"
    # A socket without a program waits for the far end's FIN by the same timer.
    closed = KernelSocket(C, CLIENT, SERVER, State.FIN_WAIT_2, "time-wait", 57_300)
    assert timer_text(closed) == "FIN-WAIT-2 57.3 s left"
    for timer, word in (("retransmit", "again"), ("keepalive", "alive"), ("probe", "probe")):
        for brief in (False, True):
            told = timer_text(
                KernelSocket(C, CLIENT, SERVER, State.ESTABLISHED, timer, 200), short=brief
            )
            assert word in told
            assert "0.2 s" in told


def test_queues_with_their_limits_and_trouble_when_they_are_full() -> None:
    def said(accept: int, syns: int) -> tuple[str, str]:
        listener = KernelSocket(
            S, SERVER, None, State.LISTEN, recv_queue=accept, send_queue=1, syn_queue=syns,
            syn_limit=2,
        )  # fmt: skip
        span = listener_span(reading(listener), SERVER, 60)
        return span.text, span.role

    assert said(0, 0) == ("syn queue 0/2  accept queue 0/2", roles.TIME)
    assert said(0, 1)[1] == roles.SERVER
    assert said(2, 0) == ("syn queue 0/2  accept queue 2/2", roles.MARK_BAD)
    assert said(0, 2)[1] == roles.MARK_BAD
    assert listener_span(reading(), SERVER, 60).text == ""


def test_a_fin_in_the_kernels_queue_is_no_unread_byte() -> None:
    socket = KernelSocket(S, SERVER, CLIENT, State.CLOSE_WAIT, recv_queue=1, cwnd=10)
    assert kernel_spans(reading(socket), S, (CLIENT, SERVER), 60).text == "cwnd 10"
    socket = KernelSocket(S, SERVER, CLIENT, State.CLOSE_WAIT, recv_queue=6)
    assert kernel_spans(reading(socket), S, (CLIENT, SERVER), 60).text == "5 B unread"


def test_a_disagreement_stands_there_with_both_opinions_in_red() -> None:
    inferred = Claim(State.ESTABLISHED, Certainty.INFERRED)
    wrong = Disagreement(1, S, inferred, State.CLOSE_WAIT)
    told = kernel_spans(reading(), S, (CLIENT, SERVER), 60, disagreements=[wrong])
    assert told.role == roles.MARK_BAD
    assert "CLOSE-WT" in told.text
    assert "ESTAB" in told.text
    assert kernel_spans(reading(), C, (CLIENT, SERVER), 60, disagreements=[wrong]).text == ""


def test_what_does_not_fit_is_left_out_whole() -> None:
    socket = KernelSocket(
        C, CLIENT, SERVER, State.ESTABLISHED, "retransmit", 200, send_queue=5, cwnd=10, rtt_us=120
    )
    texts = {kernel_spans(reading(socket), C, (CLIENT, SERVER), n).text for n in range(80)}
    assert "" in texts
    assert max(texts, key=len) == "sends again in 0.2 s, 5 B unacked, cwnd 10, RTT 120 µs"
    for cells in range(80):
        assert len(kernel_spans(reading(socket), C, (CLIENT, SERVER), cells).text) <= cells
    assert HAND_RIGHT == "☛"

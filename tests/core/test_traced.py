"""The kernel's tracepoints beside the segments: order, agreement, and what is a difference."""

from __future__ import annotations

from tcpviz.core.claims import Certainty
from tcpviz.core.hosts import HostReading, Process
from tcpviz.core.kernel_events import EventsLost, KernelEvent, Told
from tcpviz.core.records import SegmentRecord, Side
from tcpviz.core.segment import Endpoint, Flags, Segment
from tcpviz.core.states import State
from tcpviz.core.timeline import StepKind
from tcpviz.core.traced import MOST_WAITING, SETTLE_NS
from tcpviz.core.tracker import Tracker
from tcpviz.views.table import owner_text

US = 1_000
CLIENT, SERVER = Endpoint("10.0.0.1", 40000), Endpoint("10.0.0.2", 80)
CURL, NGINX = Process("curl", 77), Process("nginx", 812)
S, A, F, R = Flags.SYN, Flags.ACK, Flags.FIN, Flags.RST


class Watched:
    """A tracker with a clock in microseconds; ``steps`` is everything that it said."""

    def __init__(self):
        self.tracker = Tracker()
        self.steps = []

    def feed(self, record):
        made = self.tracker.feed(record)
        self.steps += made
        return made

    def sent(self, at, src, flags, seq, ack=0, data=0):
        dst = SERVER if src is CLIENT else CLIENT
        one = Segment(at * US, src, dst, seq, ack, flags, 1000, data)
        return self.feed(SegmentRecord(one.time_ns, one))

    def state(self, at, whose, before, after, process=None):
        far = SERVER if whose is CLIENT else CLIENT
        event = KernelEvent(at * US, Told.STATE, whose, far, before, after, "", process)
        return self.feed(event)

    def told(self, at, told, whose, after=None, reason="", process=None):
        far = SERVER if whose is CLIENT else CLIENT
        return self.feed(KernelEvent(at * US, told, whose, far, None, after, reason, process))

    def handshake(self):
        self.sent(10, CLIENT, S, 100)
        self.sent(20, SERVER, S | A, 500, 101)
        self.sent(30, CLIENT, A, 101, 501)
        return self.connection

    @property
    def connection(self):
        return list(self.tracker.connections.values())[-1]

    def states(self):
        return self.connection.client.state, self.connection.server.state

    def later(self):
        return self.tracker.tick(self.tracker.now_ns + 2 * SETTLE_NS)


def test_an_event_before_the_first_segment_waits_for_it():
    """connect() has set the state before the SYN left."""
    w = Watched()
    assert w.state(9, CLIENT, State.CLOSED, State.SYN_SENT, CURL) == []
    segment, event = w.sent(10, CLIENT, S, 100)
    assert (segment.kind, event.kind) == (StepKind.SEGMENT, StepKind.EVENT)
    assert event.side is Side.CLIENT
    assert event.event.process is CURL
    assert event.quiet
    assert w.states() == (State.SYN_SENT, State.LISTEN)


def test_a_whole_connection_with_every_event_is_seen_and_differs_nowhere():
    w = Watched()
    w.state(9, CLIENT, State.CLOSED, State.SYN_SENT, CURL)
    w.sent(10, CLIENT, S, 100)
    w.sent(20, SERVER, S | A, 500, 101)
    w.state(21, CLIENT, State.SYN_SENT, State.ESTABLISHED)
    assert w.connection.client.claim.certainty is Certainty.SEEN
    w.sent(30, CLIENT, A, 101, 501)
    w.state(31, SERVER, State.LISTEN, State.SYN_RECEIVED)
    w.state(32, SERVER, State.SYN_RECEIVED, State.ESTABLISHED)
    assert w.connection.server.claim.certainty is Certainty.SEEN
    (closes,) = w.state(40, CLIENT, State.ESTABLISHED, State.FIN_WAIT_1, CURL)
    assert [str(c.after.state) for c in closes.changes] == ["FIN-WAIT-1"]
    w.sent(41, CLIENT, F | A, 101, 501)
    w.state(42, SERVER, State.ESTABLISHED, State.CLOSE_WAIT)
    assert w.states() == (State.FIN_WAIT_1, State.CLOSE_WAIT)
    w.state(50, SERVER, State.CLOSE_WAIT, State.LAST_ACK, NGINX)
    w.sent(51, SERVER, F | A, 501, 102)
    w.state(52, CLIENT, State.FIN_WAIT_1, State.FIN_WAIT_2)
    w.state(53, CLIENT, State.FIN_WAIT_2, State.CLOSED)
    assert w.states()[0] in (State.FIN_WAIT_2, State.TIME_WAIT)
    w.sent(54, CLIENT, A, 102, 502)
    w.state(55, SERVER, State.LAST_ACK, State.CLOSED)
    assert w.later() == []
    assert w.states() == (State.TIME_WAIT, State.CLOSED)
    assert w.connection.server.claim.certainty is Certainty.SEEN
    assert w.connection.complete
    assert w.connection.disagreements == 0
    assert w.tracker.traced.taken == 10
    sockets = w.connection.sockets
    assert (sockets[Side.CLIENT].process, sockets[Side.SERVER].process) == (CURL, NGINX)


def test_who_called_is_known_and_the_table_is_not_said_to_have_told_more():
    """The end of a short connection is not held against what nobody has read."""
    w = Watched()
    w.state(9, CLIENT, State.CLOSED, State.SYN_SENT, CURL)
    w.sent(10, CLIENT, S, 100)
    w.sent(11, SERVER, R | A, 0, 101)
    for second in (2, 3, 4):
        w.feed(HostReading(second * 10**9, ()))
    assert w.connection.disagreements == 0
    assert owner_text(w.connection) == "curl"


def test_what_the_kernel_says_and_no_segment_bears_out_is_a_difference_and_counts():
    w = Watched()
    w.handshake()
    assert w.state(60, SERVER, State.ESTABLISHED, State.CLOSE_WAIT)[0].disagreements == ()
    (step,) = w.later()
    (wrong,) = step.disagreements
    assert (wrong.side, wrong.kernel) == (Side.SERVER, State.CLOSE_WAIT)
    assert wrong.inferred.state is State.ESTABLISHED
    assert w.states()[1] is State.CLOSE_WAIT
    assert w.connection.disagreements == 1
    assert w.later() == []


def test_a_newer_event_makes_the_one_in_doubt_void():
    w = Watched()
    w.handshake()
    w.state(60, SERVER, State.ESTABLISHED, State.CLOSE_WAIT)
    w.state(61, SERVER, State.CLOSE_WAIT, State.ESTABLISHED)
    assert w.later() == []


def test_a_kernel_that_gives_up_closes_an_end_without_a_segment():
    w = Watched()
    w.sent(10, CLIENT, S, 100)
    w.state(500, CLIENT, State.SYN_SENT, State.CLOSED)
    (step,) = w.later()
    assert [c.transition.event.value for c in step.changes] == ["user timeout"]
    assert w.states()[0] is State.CLOSED
    assert step.disagreements == ()


def test_who_closes_while_its_syn_is_unanswered_has_not_waited_for_a_timeout():
    w = Watched()
    w.sent(10, CLIENT, S, 100)
    w.state(500, CLIENT, State.SYN_SENT, State.CLOSED, CURL)
    (step,) = w.later()
    assert [c.transition.event.value for c in step.changes] == ["CLOSE"]
    assert w.states()[0] is State.CLOSED
    assert step.disagreements == ()


def test_a_reset_that_follows_its_event_is_no_difference():
    w = Watched()
    w.handshake()
    w.state(60, SERVER, State.ESTABLISHED, State.CLOSED, NGINX)
    w.told(61, Told.RESET_SENT, SERVER, State.CLOSED, "tcp-abort-on-close", NGINX)
    w.sent(62, SERVER, R | A, 501, 101)
    (received,) = w.told(63, Told.RESET_RECEIVED, CLIENT)
    w.state(64, CLIENT, State.ESTABLISHED, State.CLOSED)
    assert received.side is Side.CLIENT
    assert w.later() == []
    assert w.connection.reset_by is Side.SERVER
    assert w.connection.disagreements == 0


def test_a_socket_that_passes_into_a_time_wait_one_is_no_difference():
    w = Watched()
    w.handshake()
    w.sent(40, CLIENT, F | A, 101, 501)
    w.sent(41, SERVER, A, 501, 102)
    w.state(42, CLIENT, State.FIN_WAIT_2, State.CLOSED)  # closed: what waits owns no more memory
    assert w.later() == []
    assert w.states()[0] is State.FIN_WAIT_2


def test_events_of_a_new_connection_on_the_same_ports_wait_for_its_syn():
    w = Watched()
    first = w.handshake()
    w.sent(40, SERVER, R, 501)
    assert w.state(1_000, CLIENT, State.CLOSED, State.SYN_SENT, CURL) == []
    w.sent(1_001, CLIENT, S, 9_000_000)
    assert w.connection is not first
    assert w.steps[-1].event.process is CURL


def test_what_is_not_captured_is_counted_and_goes():
    w = Watched()
    for port in range(MOST_WAITING + 5):
        far = Endpoint(f"10.1.{port >> 8}.{port & 255}", 80)
        w.feed(KernelEvent(10, Told.STATE, CLIENT, far, State.CLOSED, State.SYN_SENT))
    assert w.tracker.traced.strangers == 5
    w.feed(KernelEvent(10, Told.STATE, SERVER, Endpoint("0.0.0.0", 0), State.CLOSED, State.LISTEN))
    assert w.steps == []


def test_lost_events_are_said_and_again_when_they_have_become_ten_times_as_many():
    w = Watched()
    (step,) = w.feed(EventsLost(20, 7))
    assert step.kind is StepKind.NOTE
    assert step.note.text.startswith("7 of the kernel's events lost")
    assert w.feed(EventsLost(30, 62)) == []
    (step,) = w.feed(EventsLost(40, 1))
    assert step.note.text.startswith("70 of the kernel's events lost")
    assert w.tracker.traced.lost == 70


def test_an_event_long_before_the_first_segment_is_of_another_one():
    w = Watched()
    w.state(1, CLIENT, State.CLOSED, State.SYN_SENT)
    (step,) = w.sent(10_000_000, CLIENT, S, 100)
    assert step.kind is StepKind.SEGMENT
    assert w.tracker.traced.strangers == 1

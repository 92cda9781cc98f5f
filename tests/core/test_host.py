"""What the watched host's table of sockets adds to what its packets show."""

from __future__ import annotations

import pytest

from tcpviz.core.claims import Certainty
from tcpviz.core.hosts import HostReading, HostSocket, Process
from tcpviz.core.records import SegmentRecord, Side
from tcpviz.core.segment import Endpoint, Flags, Segment
from tcpviz.core.states import State
from tcpviz.core.timeline import StepKind
from tcpviz.core.tracker import Tracker
from tcpviz.core.verdicts import verdicts
from tcpviz.views.verdict import sentence

S = 1_000_000_000
HERE, THERE = Endpoint("10.0.0.1", 40000), Endpoint("10.0.0.2", 443)
WEB, PEER = Endpoint("10.0.0.1", 80), Endpoint("10.0.0.9", 51000)
NGINX = Process("nginx", 812, 7)


def sock(state, local=HERE, peer=THERE, **more):
    return HostSocket(local, peer, state, **more)


def reading(seconds, *sockets, first=False, listeners=None):
    return HostReading(int(seconds * S), sockets, listeners, first=first)


def segment(seconds, src, dst, flags, seq=100, ack=0, data=0):
    one = Segment(int(seconds * S), src, dst, seq, ack, flags, 1000, data)
    return SegmentRecord(one.time_ns, one)


def handshake(tracker, at=1.0, client=HERE, server=THERE):
    tracker.feed(segment(at, client, server, Flags.SYN, 100))
    tracker.feed(segment(at, server, client, Flags.SYN | Flags.ACK, 500, 101))
    tracker.feed(segment(at, client, server, Flags.ACK, 101, 501))
    return list(tracker.connections.values())[-1]


def test_what_was_there_before_the_capture_is_entered_with_its_own_end_seen():
    tracker = Tracker()
    steps = tracker.feed(
        reading(1, sock(State.CLOSE_WAIT, recv_queue=10, process=NGINX), first=True)
    )
    (connection,) = tracker.connections.values()
    assert (connection.client.endpoint, connection.server.endpoint) == (HERE, THERE)
    assert connection.client.claim.state is State.CLOSE_WAIT
    assert connection.client.claim.certainty is Certainty.SEEN
    assert "before the capture" in connection.client.claim.because
    assert connection.server.claim.certainty is Certainty.UNKNOWN
    assert connection.server.claim.state is State.FIN_WAIT_2
    assert connection.sockets[Side.CLIENT].process is NGINX
    assert [step.kind for step in steps] == [StepKind.NOTE]
    assert steps[0].note.text == (
        "there before the capture began; the kernel says: "
        "10.0.0.1:40000 is CLOSE-WAIT (nginx, process 812)"
    )
    assert not steps[0].quiet
    assert steps[0].reading.sockets[0].state is State.CLOSE_WAIT


@pytest.mark.parametrize(
    ("state", "phase"),
    [
        (State.SYN_SENT, "handshake 1/3"),
        (State.ESTABLISHED, "data 0/0"),
        (State.FIN_WAIT_1, "teardown 1/4"),
        (State.CLOSE_WAIT, "teardown 2/4"),
        (State.FIN_WAIT_2, "teardown 2/4"),
        (State.LAST_ACK, "teardown 3/4"),
    ],
)
def test_what_nothing_was_captured_of_is_in_the_phase_of_its_states(state, phase):
    tracker = Tracker()
    tracker.feed(reading(1, sock(state), first=True))
    (connection,) = tracker.connections.values()
    one = connection.phase
    assert f"{one.name} {one.done}/{one.of}" == phase


@pytest.mark.parametrize(
    ("state", "code", "how"),
    [
        (State.CLOSE_WAIT, "never-closed", "told"),
        (State.SYN_SENT, "no-answer", "told"),
        (State.ESTABLISHED, "open", "told"),
        (State.LAST_ACK, "closing", "told"),
        (State.CLOSED, "closing", "gone"),
    ],
)
def test_what_nothing_was_captured_of_has_a_verdict_that_says_so(state, code, how):
    tracker = Tracker()
    tracker.feed(reading(1, sock(State.ESTABLISHED if how == "gone" else state), first=True))
    if how == "gone":
        tracker.feed(reading(2, sock(None)))
    (connection,) = tracker.connections.values()
    first = verdicts(connection, 9 * S)[0]
    assert (str(first.code), first.facts["how"]) == (code, how)
    assert "{" not in sentence(first)


def test_who_has_a_listener_at_its_port_is_the_server():
    tracker = Tracker()
    listener = HostSocket(Endpoint("0.0.0.0", 80), None, State.LISTEN, process=NGINX)
    one = sock(State.ESTABLISHED, WEB, PEER)
    tracker.feed(reading(1, one, first=True, listeners=(listener,)))
    (connection,) = tracker.connections.values()
    assert (connection.client.endpoint, connection.server.endpoint) == (PEER, WEB)
    assert tracker.host.listens(WEB) is listener
    assert tracker.host.listens(HERE) is None


def test_both_ends_on_this_host_make_one_connection():
    tracker = Tracker()
    listeners = (HostSocket(Endpoint("::", 443), None, State.LISTEN),)
    ends = sock(State.ESTABLISHED), sock(State.ESTABLISHED, THERE, HERE)
    tracker.feed(reading(1, *ends, first=True, listeners=listeners))
    (connection,) = tracker.connections.values()
    assert set(connection.sockets) == {Side.CLIENT, Side.SERVER}
    assert connection.client.endpoint == HERE
    assert connection.client.claim.certainty is Certainty.SEEN
    assert connection.server.claim.certainty is Certainty.SEEN


def test_its_first_segments_go_on_with_it_and_confirm_the_other_end():
    tracker = Tracker()
    tracker.feed(reading(1, sock(State.ESTABLISHED), first=True))
    tracker.feed(segment(2, THERE, HERE, Flags.ACK | Flags.PSH, 900, 300, 10))
    tracker.feed(segment(2, HERE, THERE, Flags.ACK, 300, 910))
    (connection,) = tracker.connections.values()
    assert connection.client.state is connection.server.state is State.ESTABLISHED
    assert connection.client.claim.certainty is Certainty.SEEN
    assert connection.client.segments == connection.server.segments == 1
    assert connection.disagreements == 0


def test_a_new_one_waits_for_its_segments_and_is_then_theirs():
    """The table may be faster than the packets, which wait in queues."""
    tracker = Tracker()
    tracker.feed(reading(1, first=True))
    assert tracker.feed(reading(2, sock(State.ESTABLISHED, process=NGINX, fresh=True))) == []
    assert (len(tracker.connections), tracker.host.waiting) == (0, 1)
    connection = handshake(tracker, 2)
    assert connection.sockets[Side.CLIENT].process is NGINX
    assert not connection.midstream
    tracker.feed(reading(3))
    assert (len(tracker.connections), tracker.host.waiting) == (1, 0)


def test_a_new_one_without_segments_is_entered_at_the_next_reading():
    tracker = Tracker()
    tracker.feed(reading(1, first=True))
    tracker.feed(reading(2, sock(State.ESTABLISHED)))
    tracker.feed(reading(3))
    (connection,) = tracker.connections.values()
    assert "its opening was not captured" in connection.client.claim.because


def test_one_that_was_gone_again_is_never_entered():
    tracker = Tracker()
    tracker.feed(reading(1, first=True))
    tracker.feed(reading(2, sock(State.ESTABLISHED)))
    tracker.feed(reading(3, sock(None)))
    tracker.feed(reading(4))
    assert not tracker.connections


def test_a_handshake_that_comes_after_the_table_is_the_true_beginning():
    tracker = Tracker()
    tracker.feed(reading(1, sock(State.ESTABLISHED, process=NGINX), first=True))
    connection = handshake(tracker, 2)
    assert list(tracker.connections.values()) == [connection]
    assert not connection.midstream
    assert connection.sockets[Side.CLIENT].process is NGINX


def test_an_inferred_state_is_confirmed():
    tracker = Tracker()
    connection = handshake(tracker)
    assert connection.server.claim.certainty is Certainty.INFERRED
    (step,) = tracker.feed(reading(3, sock(State.ESTABLISHED, THERE, HERE)))
    assert connection.server.claim.certainty is Certainty.SEEN
    assert step.changes == ()
    assert step.quiet


def test_a_state_that_differs_is_told_only_when_everything_has_settled():
    tracker = Tracker()
    connection = handshake(tracker, 1.0)
    assert tracker.feed(reading(1.5, sock(State.CLOSE_WAIT))) == []
    (step,) = tracker.feed(reading(2.5))
    assert connection.client.state is State.CLOSE_WAIT
    assert [each.kernel for each in step.disagreements] == [State.CLOSE_WAIT]
    assert connection.disagreements == 1
    assert tracker.feed(reading(3.5)) == []


def test_a_socket_that_is_gone_closes_its_end():
    tracker = Tracker()
    connection = handshake(tracker)
    tracker.feed(reading(3, sock(State.ESTABLISHED, process=NGINX)))
    tracker.feed(reading(4, sock(None)))
    assert connection.client.state is State.CLOSED
    assert connection.sockets[Side.CLIENT].process is NGINX, "whose it was stays known"


def test_states_that_the_table_leaves_out_need_not_be_in_it():
    tracker = Tracker()
    tracker.feed(reading(1, first=True))
    tracker.feed(segment(1, PEER, WEB, Flags.SYN, 5))
    tracker.feed(segment(1, WEB, PEER, Flags.SYN | Flags.ACK, 9, 6))
    (connection,) = tracker.connections.values()
    tracker.feed(reading(5, sock(None, WEB, PEER)))
    assert connection.server.state is State.SYN_RECEIVED
    assert connection.disagreements == 0


def test_an_end_that_the_inference_has_moved_since_is_found_by_the_audit():
    tracker = Tracker()
    connection = handshake(tracker)
    tracker.feed(reading(3, sock(State.ESTABLISHED)))
    # A reset that its receiver has ignored, say.
    tracker.feed(segment(4, THERE, HERE, Flags.RST, 501))
    assert connection.client.state is State.CLOSED
    told = [step for at in (5, 6, 7, 8) for step in tracker.feed(reading(at))]
    assert [step.disagreements[0].kernel for step in told] == [State.ESTABLISHED]
    assert connection.client.state is State.ESTABLISHED

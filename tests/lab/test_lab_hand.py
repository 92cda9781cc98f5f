"""The cable in the hand: a person's orders in step mode, and the script's words."""

from __future__ import annotations

import os
import select
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tcpviz.core.records import (
    Act,
    Call,
    Doer,
    Handled,
    KernelReading,
    Moment,
    Rebooted,
    SegmentRecord,
    Side,
    Unreachable,
)
from tcpviz.core.segment import Flags
from tcpviz.core.tracker import Tracker
from tcpviz.lab.feed import LabFeed
from tcpviz.lab.scenarios import load
from tcpviz.sources.feed import SourceError

ROOT = Path(__file__).resolve().parent.parent.parent

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs Linux")

HEAD = """
TITLE = "A test's"
SHOWS = "What a test needs."
CLIENT = []
SERVER = []
NEEDS = "cable"
LIMIT = {limit}

def run(lab):
    c, s = lab.client, lab.server
"""
UP = """
    s.socket(); s.bind(); s.listen(8); s.accept()
    c.socket(); c.connect()
"""


@pytest.fixture
def script(cable, tmp_path):
    """Writes a scenario; skips where there is no cable."""
    cable("handshake")

    def written(body, limit=30, up=True):
        path = tmp_path / "scenario.py"
        lines = [f"    {line.strip()}\n" for line in body.strip().splitlines()]
        path.write_text(HEAD.format(limit=limit) + (UP if up else "") + "".join(lines))
        return str(path)

    return written


class Person:
    """Someone at the screen, who does the next thing on their list whenever the hand changes."""

    def __init__(self, feed, acts=(), *, after=()):
        self.feed, self.control = feed, feed.control
        self.acts, self.seen = list(acts), []
        self.control.changed = self.look

    def look(self):
        hand = self.control.hand
        if not hand:
            return
        self.seen.append(hand)
        act = self.acts.pop(0) if self.acts else None
        if act is None:
            self.control.deliver()
        else:
            act(self.control, hand)


def _played(feed):
    tracker, records, wrong = Tracker(), [], []
    for batch in feed.batches():
        for record in batch:
            records.append(record)
            for step in tracker.feed(record):
                wrong += step.disagreements
    return records, wrong


def _segments(records, moment=None):
    return [
        one for one in records if isinstance(one, SegmentRecord) and moment in (None, one.moment)
    ]


def _acts(records):
    return [(one.act, one.by) for one in records if isinstance(one, Handled)]


def _flags(records, moment):
    return [one.segment.flags.names() for one in _segments(records, moment)]


# -- the person ---------------------------------------------------------------


@pytest.mark.parametrize("name", ["client-closes-first", "simultaneous-close", "refused", "echo"])
def test_in_step_mode_each_segment_waits_until_it_is_let_go(cable, name):
    cable("handshake")
    feed = LabFeed(load(name), on="cable", step=True)
    person = Person(feed)
    records, wrong = _played(feed)
    assert not wrong
    sent = _segments(records, Moment.SENT)
    assert len(_segments(records, Moment.ARRIVED)) == len(sent)
    held = Counter(act for act, by in _acts(records) if by is Doer.PERSON)
    assert held[Act.HELD] == held[Act.RELEASED] == len(sent)
    assert all(one.held_ns > 0 for one in _segments(records, Moment.ARRIVED))
    assert {one.by for hand in person.seen for one in hand} >= {Doer.PERSON}
    assert feed.control.hand == ()


def test_both_ends_are_in_closing_while_the_last_acks_are_in_the_hand(cable):
    cable("handshake")
    feed = LabFeed(load("simultaneous-close"), on="cable", step=True)
    Person(feed)
    records, wrong = _played(feed)
    assert not wrong
    states = {
        tuple(one.state.value if one.state else "-" for one in record.sockets if one.peer)
        for record in records
        if isinstance(record, KernelReading)
    }
    assert ("CLOSING", "CLOSING") in states


def _drop(control, hand):
    assert control.drop(hand[0].frame)


def test_a_segment_that_a_person_drops_is_sent_again_by_the_kernel(cable):
    cable("handshake")
    feed = LabFeed(load("handshake"), on="cable", step=True)
    Person(feed, [_drop])
    records, wrong = _played(feed)
    assert not wrong
    assert (Act.DROPPED, Doer.PERSON) in _acts(records)
    first, *_ = _segments(records, Moment.LOST)
    assert first.segment.flags == Flags.SYN
    assert _flags(records, Moment.ARRIVED)[:3] == ["SYN", "SYN,ACK", "ACK"]


def test_a_repetition_of_what_is_in_the_hand_is_swallowed_and_counted(cable):
    cable("handshake")
    feed = LabFeed(load("handshake"), on="cable", step=True)
    counts = []

    def wait(control, hand):
        """Do nothing: the hand changes when the kernel has sent the SYN again."""

    def look(control, hand):
        counts.append(hand[0].swallowed)
        control.deliver()

    Person(feed, [wait, look])
    records, wrong = _played(feed)
    assert not wrong
    assert counts == [1]
    swallowed = [one for one in records if isinstance(one, Handled) and one.act is Act.SWALLOWED]
    assert [(one.by, one.count) for one in swallowed] == [(Doer.CABLE, 1)]
    assert swallowed[0].paused_ns > 0
    assert _flags(records, Moment.SENT)[:2] == ["SYN", "SYN,ACK"], "one SYN in the picture"


def test_a_swallowed_repetition_takes_the_place_of_what_is_dropped(cable):
    cable("handshake")
    feed = LabFeed(load("handshake"), on="cable", step=True)
    Person(feed, [lambda control, hand: None, _drop])
    records, wrong = _played(feed)
    assert not wrong
    syns = [one for one in _segments(records) if one.segment.flags == Flags.SYN]
    assert [one.moment for one in syns] == [Moment.SENT, Moment.LOST, Moment.SENT, Moment.ARRIVED]
    assert syns[0].segment.frame != syns[2].segment.frame
    assert syns[0].segment.seq == syns[2].segment.seq


def test_a_person_may_duplicate_and_corrupt(cable):
    cable("handshake")
    feed = LabFeed(load("echo"), on="cable", step=True)

    def twice(control, hand):
        assert control.duplicate()
        assert not control.deliver(999)

    def spoil(control, hand):
        if not hand[0].corrupted:
            control.corrupt()

    deliver = lambda control, hand: control.deliver()  # noqa: E731
    Person(feed, [twice, None, None, None, None, deliver])
    records, wrong = _played(feed)
    assert not wrong
    assert (Act.DUPLICATED, Doer.PERSON) in _acts(records)
    arrived = [one for one in _segments(records, Moment.ARRIVED) if one.segment.flags == Flags.SYN]
    assert [one.again for one in arrived] == [False, True]
    assert arrived[0].segment == arrived[1].segment


def test_step_mode_is_switched_on_and_off_while_it_runs(cable, script):
    feed = LabFeed(load(script("lab.wait(0.3)\nc.send('a'); s.recv()\nlab.wait(0.3)\nc.close()")))
    control = feed.control
    assert not control.step_mode
    taken = []

    def look():
        if control.hand:
            taken.append(control.hand[0].segment.flags.names())
            control.step_mode = False

    control.changed = look
    records = []
    for batch in feed.batches():
        records += batch
        if any(isinstance(one, Call) and one.name == "connect" and one.returned for one in batch):
            control.step_mode = True
    assert len(taken) == 1
    assert _flags(records, Moment.ARRIVED).count("FIN,ACK") == 1
    assert not feed.control.deliver(), "there is no lab any more"


def test_holding_is_not_counted_as_the_scenarios_time(cable, script):
    """LIMIT is 1 s, and the SYN's repetition shows that more has passed."""
    path = script("c.wait(0.2)", limit=1)
    feed = LabFeed(load(path), on="cable", step=True)
    Person(feed, [lambda control, hand: None])
    records, wrong = _played(feed)
    assert not wrong
    assert any(act is Act.SWALLOWED for act, _ in _acts(records))
    assert _flags(records, Moment.ARRIVED)[-1] == "ACK"


def test_stop_ends_at_once_while_a_segment_is_held(cable):
    cable("handshake")
    feed = LabFeed(load("handshake"), on="cable", step=True)
    feed.control.changed = lambda: feed.stop() if feed.control.hand else None
    records, _ = _played(feed)
    assert _flags(records, Moment.SENT) in ([], ["SYN"])
    assert not _segments(records, Moment.ARRIVED)


def test_delay_per_direction_and_while_it_runs(cable, script):
    path = script("c.send('a'); s.recv()\nlab.wait(0.2)\ns.send('b'); c.recv()")
    feed = LabFeed(load(path), on="cable", delay_ms=(1, 40))
    done = False
    took = {Side.CLIENT: [], Side.SERVER: []}
    sent = {}
    for batch in feed.batches():
        for record in batch:
            if isinstance(record, SegmentRecord):
                segment = record.segment
                if record.moment is Moment.SENT:
                    sent[segment.frame] = record.time_ns
                else:
                    side = Side.SERVER if segment.interface else Side.CLIENT
                    took[side].append((record.time_ns - sent[segment.frame]) / 1e6)
            if isinstance(record, Call) and record.name == "recv" and not done:
                done = True
                feed.control.set_delay(Side.CLIENT, 60)
    assert min(took[Side.SERVER]) >= 40
    assert took[Side.CLIENT][0] < 40 <= 60 <= took[Side.CLIENT][-1]


def test_loss_is_by_chance_with_a_seed(cable, script):
    path = script("lab.timers('linux')\nc.send(b'x' * 60000)\nlab.wait(0.2)")
    lost = []
    feed = LabFeed(load(path), on="cable", loss=(0.3, 0.0), seed=5, delay_ms=0.0)
    records, wrong = _played(feed)
    lost = [one for one in records if isinstance(one, Handled) and one.by is Doer.CHANCE]
    assert lost
    assert all(one.segment.interface == 0 for one in lost), "only what the client sends"
    assert not wrong


@pytest.mark.parametrize(
    "options",
    [{"loss": 1.5}, {"delay_ms": -1}, {"delay_ms": (1, 1e9)}, {"jitter_ms": float("nan")}],
)
def test_impossible_settings_are_refused(options):
    with pytest.raises(SourceError) as told:
        LabFeed(load("handshake"), **options)
    assert told.value.exit_code == 2


def test_without_a_cable_there_is_no_control():
    assert LabFeed(load("handshake"), on="loopback").control is None
    with pytest.raises(SourceError, match="need the cable"):
        LabFeed(load("handshake"), on="loopback", step=True)


# -- the script ---------------------------------------------------------------


def _run(path):
    return _played(LabFeed(load(path), on="cable"))


def test_a_duplicate_arrives_twice_and_moves_nobody_twice(script):
    records, wrong = _run(
        script(
            "lab.cable.duplicate('client', 'data')\nc.send('hello'); s.recv()\n"
            "lab.cable.duplicate('client', 'FIN')\nc.close(); s.close()"
        )
    )
    assert not wrong
    again = [one.segment for one in _segments(records, Moment.ARRIVED) if one.again]
    assert [(one.payload_len, one.fin) for one in again] == [(5, False), (0, True)]
    assert (Act.DUPLICATED, Doer.SCRIPT) in _acts(records)


def test_a_corrupted_segment_arrives_with_a_wrong_checksum_and_moves_nobody(script):
    records, wrong = _run(
        script(
            "lab.cable.corrupt('client', 'data')\nc.send('hello')\ns.recv(); s.wait()\n"
            "s.recv()\nlab.cable.corrupt('client', 'FIN')\nc.close(); s.wait(); s.close()"
        )
    )
    assert not wrong
    arrived = [one.segment for one in _segments(records, Moment.ARRIVED)]
    bad = [one for one in arrived if not one.checksum_ok]
    assert [(one.payload_len, one.fin) for one in bad] == [(5, False), (0, True)]
    assert bad[0].payload != b"hello", "what arrived is not what left"
    sent = [one.segment for one in _segments(records, Moment.SENT)]
    assert all(one.checksum_ok for one in sent)


def test_a_reordered_segment_arrives_behind_the_next_of_its_sender(script):
    records, wrong = _run(
        script(
            "c.setsockopt('TCP_NODELAY')\nlab.cable.reorder('client', 'data')\n"
            "c.send('one'); c.send('two')\ns.recv()"
        )
    )
    assert not wrong
    arrived = [one.segment.payload for one in _segments(records, Moment.ARRIVED)]
    # The kernel may take what comes late for lost, and send it again (RFC 8985).
    assert [data for data in arrived if data][:2] == [b"two", b"one"]
    received = [one.result for one in records if isinstance(one, Call) and one.name == "recv"]
    assert received == [None, "6 bytes"]


def test_what_is_to_go_behind_the_next_goes_alone_when_none_comes(script):
    records, wrong = _run(script("lab.cable.reorder('client', 'data')\nc.send('one'); s.recv()"))
    assert not wrong
    assert [one.segment.payload for one in _segments(records, Moment.ARRIVED)][-2] == b"one"


def test_the_second_of_a_kind_is_dropped_and_repeated_fast(script):
    records, wrong = _run(
        script("lab.cable.drop('client', 'data', nth=2)\nc.send(b'x' * 8000)\nlab.wait(0.1)")
    )
    assert not wrong
    lost = _segments(records, Moment.LOST)
    assert len(lost) == 1
    data = [one.segment for one in _segments(records, Moment.SENT) if one.segment.payload_len]
    assert data[1] == lost[0].segment
    assert sum(one.seq == data[1].seq for one in data) == 2, "sent again"


def test_one_direction_is_held_and_let_go_piece_by_piece(script):
    records, wrong = _run(
        script(
            "c.setsockopt('TCP_NODELAY')\nlab.cable.hold('client', 'data')\n"
            "c.send('1'); c.send('2'); c.send('3')\n"
            "lab.note(str(lab.cable.holds('client')))\n"
            "lab.cable.release('client', 'data', 1)\n"
            "lab.cable.drop_held('client')\nlab.cable.release()"
        )
    )
    assert not wrong
    arrived = [one.segment.payload for one in _segments(records, Moment.ARRIVED)]
    assert [data for data in arrived if data][:2] == [b"1", b"3"]
    assert len(_segments(records, Moment.LOST)) == 1


def test_the_flood_fills_the_syn_queue_up_to_its_limit(script):
    records, wrong = _run(
        script(
            "s.sysctl('net.ipv4.tcp_syncookies', 0)\ns.socket(); s.bind(); s.listen(8)\n"
            "lab.cable.syn_flood(24)",
            up=False,
        )
    )
    del wrong
    queues = [
        (one.syn_queue, one.syn_limit)
        for record in records
        if isinstance(record, KernelReading)
        for one in record.sockets
        if one.peer is None and one.state
    ]
    assert max(queues) == (9, 9)
    syns = [one for one in _segments(records, Moment.ARRIVED) if one.segment.syn]
    assert len({one.segment.src for one in syns}) == 24
    assert all(one.segment.checksum_ok for one in syns)


def test_a_flood_does_not_fill_the_hand(script):
    body = "s.socket(); s.bind(); s.listen(8)\nlab.cable.syn_flood(24)\nc.socket(); c.connect()"
    feed = LabFeed(load(script(body, up=False)), on="cable", step=True)
    person = Person(feed)
    records, _ = _played(feed)
    assert {one.side for hand in person.seen for one in hand} == {Side.CLIENT, Side.SERVER}
    addresses = {one.segment.src.addr for hand in person.seen for one in hand}
    assert addresses == {"10.0.0.1", "10.0.0.2"}
    answers = [one.segment for one in _segments(records, Moment.LOST)]
    assert answers
    assert all(one.dst.addr != "10.0.0.1" for one in answers), "nobody is there"


def test_what_a_scenario_sets_outlives_a_switch_of_step_mode(script):
    path = script(
        "c.sysctl('net.ipv4.tcp_syn_retries', 1)\nc.socket(); lab.wait(0.3)\n"
        "lab.cable.cut()\n"
        "c.connect(); c.wait(20)",
        up=False,
    )
    feed = LabFeed(load(path), on="cable")
    records = []
    for batch in feed.batches():
        records += batch
        if any(isinstance(one, Call) and one.name == "socket" for one in batch):
            feed.control.step_mode = True
            feed.control.step_mode = False
    results = [one.result for one in records if isinstance(one, Call) and one.name == "connect"]
    assert results[-1] == "ETIMEDOUT"
    assert set(_flags(records, Moment.SENT)) == {"SYN"}


def test_a_killed_parent_takes_the_held_segment_with_it(cable):
    cable("handshake")
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from tcpviz.lab.feed import LabFeed\n"
        "from tcpviz.lab.scenarios import load\n"
        "feed = LabFeed(load('handshake'), on='cable', step=True)\n"
        "def look():\n"
        "    print(feed._child.pid, flush=True)\n"
        "feed.control.changed = look\n"
        "for batch in feed.batches():\n"
        "    pass\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(ROOT)], stdout=subprocess.PIPE, text=True
    ) as parent:
        child = os.pidfd_open(int(parent.stdout.readline()))
        parent.kill()
    try:
        assert select.select([child], [], [], 20)[0], "the lab's child outlives its parent"
    finally:
        os.close(child)


def test_the_accept_queue_fills_and_accept_empties_it(script):
    records, wrong = _run(
        script(
            "s.socket(); s.bind(); s.listen(1)\nc.socket(); c.connect()\n"
            "b = c.another('second'); b.socket(); b.connect()\ns.accept('one'); s.accept('two')\n"
            "s.use('one'); s.send('1')\ns.use('two'); s.send('22')\nc.recv(); b.recv()",
            up=False,
        )
    )
    assert not wrong
    queue = [
        one.recv_queue
        for record in records
        if isinstance(record, KernelReading)
        for one in record.sockets
        if one.peer is None and one.state
    ]
    assert [
        length for place, length in enumerate(queue) if queue[place - 1 : place] != [length]
    ] == [
        0,
        1,
        2,
        1,
        0,
    ]
    got = [(one.app, one.result) for one in records if isinstance(one, Call) and one.name == "recv"]
    assert ("", "1 bytes") in got
    assert ("second", "2 bytes") in got


def test_a_killed_program_closes_and_a_rebooted_host_says_nothing(script):
    records, wrong = _run(script("s.recv()\ns.kill()"))
    assert not wrong
    assert "FIN,ACK" in _flags(records, Moment.SENT)
    killed = [one for one in records if isinstance(one, Call) and one.result == "killed"]
    assert [one.name for one in killed] == ["recv"]
    records, wrong = _run(script("s.recv()\ns.reboot()\nc.send('there?')\nc.recv()"))
    assert not wrong
    assert any(isinstance(one, Rebooted) for one in records)
    assert _flags(records, Moment.SENT)[-2:] == ["PSH,ACK", "RST"]


def test_a_narrow_link_is_found_out_by_the_kernel(script):
    records, wrong = _run(
        script("lab.cable.mtu(1000)\ns.recv()\nc.send(b'x' * 3000)\nlab.wait(0.2)\ns.recv()")
    )
    assert not wrong
    told = [one for one in records if isinstance(one, Unreachable)]
    assert {one.mtu for one in told} == {1000}
    sizes = [one.segment.payload_len for one in _segments(records, Moment.ARRIVED)]
    assert max(sizes) == 948
    assert (Act.DROPPED, Doer.CABLE) in _acts(records)


def test_a_cut_cable_and_keepalive(script):
    records, wrong = _run(
        script(
            "c.setsockopt('SO_KEEPALIVE'); c.setsockopt('TCP_KEEPIDLE', 1)\n"
            "c.setsockopt('TCP_KEEPINTVL', 1); c.setsockopt('TCP_KEEPCNT', 2)\n"
            "c.recv()\nlab.cable.cut()\nc.wait(20)"
        )
    )
    del wrong
    timers = {
        one.timer
        for record in records
        if isinstance(record, KernelReading)
        for one in record.sockets
    }
    assert "keepalive" in timers
    assert [one.result for one in records if isinstance(one, Call)][-1] == "ETIMEDOUT"
    assert len(_segments(records, Moment.LOST)) >= 2


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("lab.cable.await_segment('server', 'FIN', seconds=0.2)", "has not sent its FIN"),
        ("lab.cable.replay('server', 'FIN')", "0 FIN segments from server have left"),
        ("lab.cable.release('client', 'FIN')", "no FIN from client is held"),
        ("lab.cable.dorp('client')", "did you mean drop"),
        ("c.await_state('TIME_WIAT')", "did you mean TIME-WAIT"),
        ("c.await_state('TIME-WAIT', 0.2)", "does not come to TIME-WAIT"),
        ("c.setsockopt('TCP_NODELEY')", "did you mean TCP_NODELAY"),
        ("s.use('nobody')", "no open socket 'nobody'"),
        ("c.sysctl('net.ipv4.no_such', 1)", "the kernel refuses"),
        ("lab.until(lambda: False, 'better times', 0.1)", "waited in vain for better times"),
        ("lab.timers('fast')", "none of calm, linux"),
    ],
)
def test_mistakes_are_told_with_their_line(script, body, says):
    with pytest.raises(SourceError) as told:
        _run(script(body))
    assert says in str(told.value)
    assert "scenario.py, line 14" in str(told.value)

"""A live capture through a packet ring, for real: what it gives, counts, keeps and writes."""

from __future__ import annotations

import socket
import sys
from collections import Counter

import pytest

pytest.importorskip("numpy")

from tcpviz.bulk.live import feed as livefeed
from tcpviz.bulk.live.feed import Followed, RingFeed
from tcpviz.bulk.live.ringmade import StretchMaker
from tcpviz.bulk.live.rows import Counted
from tcpviz.bulk.live.waiting import LONGEST_S
from tcpviz.core.records import Gap, Note, SegmentRecord
from tcpviz.core.states import State
from tcpviz.sources import access, live, ring, ringside
from tcpviz.sources.files import open_capture
from tcpviz.ui.session import Session
from tcpviz.wire.frame import Frame
from tests.bench.flood import frames as flood
from tests.bulk.ringed import stretch
from tests.sources.test_ring import OTHER, refuse

ringed = pytest.mark.skipif(
    sys.platform != "linux" or not access.own_access()[0] or ring.why_not([1], compiled=True) != "",
    reason="no right to capture here, or no ring",
)
PATIENCE = 40


def talk(port: int, payload: bytes = b"x" * 500) -> None:
    with (
        socket.create_server(("127.0.0.1", port)) as server,
        socket.create_connection(("127.0.0.1", port)) as client,
    ):
        accepted, _ = server.accept()
        with accepted:
            client.sendall(payload)
            client.shutdown(socket.SHUT_WR)
            while accepted.recv(65536):
                pass


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def until(feed, enough):
    """Records until ``enough`` of them; then the feed is asked to end."""
    records, idle = [], 0
    for batch in feed.batches():
        records += batch
        idle = 0 if batch else idle + 1
        if enough(records) or idle > PATIENCE:
            feed.stop()
    return records


def fins(records):
    return sum(r.segment.fin for r in records if isinstance(r, SegmentRecord)) >= 2


@ringed
def test_each_segment_comes_once_and_its_connection_is_counted(tmp_path):
    port, out = free_port(), tmp_path / "out.pcapng"
    feed = RingFeed(["lo"], f"tcp port {port}", exclude_ssh=False, write=str(out))
    feed.open()
    assert feed.ring
    assert feed.way.startswith("a ring of ")
    talk(port)
    found = [r.segment for r in until(feed, fins) if isinstance(r, SegmentRecord)]
    assert sum(s.syn and not s.has_ack for s in found) == 1
    assert sum(s.payload_len for s in found) == 500
    assert [s.frame for s in found] == list(range(1, len(found) + 1))
    assert feed.status.frames == feed.status.segments == len(found)
    feed.rows.refresh()
    (one,) = feed.rows
    assert (one.client.state, one.server.state) == (State.TIME_WAIT, State.CLOSED)
    assert one.client.segments + one.server.segments == len(found)
    with open_capture(str(out)) as capture:
        written = list(capture)
    assert [frame.time_ns for frame in written] == [s.time_ns for s in found]


@ringed
@pytest.mark.parametrize("snaplen", [128, 0])
@pytest.mark.parametrize("mapped", [True, False])
def test_the_count_ends_it_exactly(monkeypatch, tmp_path, mapped, snaplen):
    if not mapped:
        monkeypatch.setattr(ringside, "adopt", refuse)
    port, out = free_port(), tmp_path / "out.pcapng"
    words = f"tcp port {port}"
    feed = RingFeed(["lo"], words, snaplen, count=3, exclude_ssh=False, write=str(out))
    feed.open()
    talk(port)
    assert len(until(feed, lambda _: False)) == 3
    assert feed.status.frames == 3
    with open_capture(str(out)) as capture:
        assert len(list(capture)) == 3


@ringed
def test_what_is_wanted_whole_is_given_kept_and_saved_whole(tmp_path):
    port, out = free_port(), tmp_path / "out.pcapng"
    feed = RingFeed(["lo"], f"tcp port {port}", 0, exclude_ssh=False, write=str(out))
    feed.open()
    assert feed.way.endswith("for packets of any length")
    payload = bytes(range(256)) * 400
    talk(port, payload)
    found = [r.segment for r in until(feed, fins) if isinstance(r, SegmentRecord)]
    data = [s for s in found if s.payload_len]
    assert b"".join(s.payload for s in sorted(data, key=lambda s: s.frame)) == payload
    kept = list(feed.kept().frames)
    with open_capture(str(out)) as capture:
        written = list(capture)
    assert [frame.data for frame in written] == [frame.data for frame in kept]
    assert all(len(frame.data) == frame.wire_len for frame in written)
    feed.rows.refresh()
    (one,) = feed.rows
    assert (one.client.bytes, one.client.segments + one.server.segments) == (102_400, len(found))


@ringed
def test_where_no_ring_is_to_be_had_it_captures_packet_by_packet(monkeypatch):
    monkeypatch.setattr(live, "why_not", lambda *_, **__: "not wanted")
    port = free_port()
    feed = RingFeed(["lo"], f"tcp port {port}", snaplen=0, exclude_ssh=False)
    feed.open()
    talk(port, b"y" * 5000)
    found = [r.segment for r in until(feed, fins) if isinstance(r, SegmentRecord)]
    assert not feed.ring
    assert feed.way.startswith("packet by packet: not wanted")
    assert sum(len(s.payload) for s in found) == 5000


@ringed
@pytest.mark.parametrize("mapped", [True, False])
@pytest.mark.parametrize("interfaces", [["any"], ["lo", OTHER]])
def test_all_and_several_interfaces_are_counted_from_rings_too(monkeypatch, interfaces, mapped):
    if "" in interfaces:
        pytest.skip("there is one interface only")
    if not mapped:
        monkeypatch.setattr(ringside, "adopt", refuse)
    port = free_port()
    feed = RingFeed(interfaces, f"tcp port {port}", exclude_ssh=False)
    feed.open()
    talk(port)
    found = [r.segment for r in until(feed, fins) if isinstance(r, SegmentRecord)]
    assert feed.ring
    assert ("pipe" in feed.way) != mapped
    feed.rows.refresh()
    (one,) = feed.rows
    assert (one.client.state, one.server.state) == (State.TIME_WAIT, State.CLOSED)
    assert (one.client.bytes, one.client.segments + one.server.segments) == (500, len(found))


class Poured(RingFeed):
    """The feed without a kernel: stretches are poured in by hand."""

    def __init__(self) -> None:
        super().__init__(["lo"], "tcp port 1", exclude_ssh=False)
        self.ringed = True


def poured(count: int, lost_at: int | None = None):
    heads, sizes = flood(count, count * 10)
    frames = [
        Frame(5 * 10**17 + n, 1, heads[n].tobytes() + bytes(sizes[n]), 54 + int(sizes[n]), n + 1)
        for n in range(len(heads))
    ]
    return stretch(frames, lost_at=lost_at)


@pytest.mark.skipif(sys.platform != "linux", reason="rings are Linux's")
@ringed
def test_when_it_lags_all_are_counted_and_one_is_told_from_its_beginning():
    feed = Poured()
    (gap,) = feed._take(poured(20, lost_at=5))  # its packets are of the year 1985
    assert isinstance(gap, Gap)
    assert feed.overwhelmed
    assert feed.status.frames == 200
    assert len(feed.rows) == 0
    feed.rows.refresh()
    assert [c.client.segments + c.server.segments for c in feed.rows] == [10] * 20
    again = feed._again(7)
    assert [r.segment.flags for r in again if isinstance(r, SegmentRecord)][:1] == [2]
    assert len(again) == 10
    feed._log.clear()
    (note,) = feed._again(7)
    assert isinstance(note, Note)
    assert "10 earlier segments" in note.text


def passes(*, lost_in: int | None = None):
    """What :func:`poured` gives in passes of seven packets, some of them behind a VLAN's tag."""
    frames = list(poured(20).frames())
    tag = b"\x81\0\0\7"
    for place in range(3, len(frames), 11):
        frame = frames[place]
        data = frame.data[:12] + tag + frame.data[12:]
        frames[place] = Frame(frame.time_ns, 1, data, frame.wire_len + 4, frame.number)
    made = []
    for begin in range(0, len(frames), 7):
        lost_at = 2 if lost_in == len(made) else None
        made.append(stretch(frames[begin : begin + 7], number=begin + 1, lost_at=lost_at))
    return made


@ringed
@pytest.mark.parametrize("lost_in", [None, 0, 5])
def test_what_is_counted_later_is_counted_alike(monkeypatch, lost_in):
    monkeypatch.setattr("tcpviz.bulk.live.feed.LAG_NS", 1 << 62)
    later, at_once = Poured(), Poured()
    monkeypatch.setattr(at_once._waiting, "fits", lambda _: False)
    records = [
        [r for each in passes(lost_in=lost_in) for r in f._take(each)] for f in (later, at_once)
    ]
    assert records[0] == records[1]
    assert later._waiting.count > 100
    assert at_once._waiting.count == 0
    later.rows.refresh()
    at_once.rows.refresh()
    assert later._waiting.count == 0
    assert later.status.segments == at_once.status.segments == 200
    names = ("packets", "octets", "iss", "nxt", "ack", "fin", "fin_ack", "ident", "gap", "ends")
    for name in (*names, "first_ns", "last_ns", "syn_ns", "third_ns", "closed_by"):
        mine, others = (getattr(f.table, name)[: f.table.born] for f in (later, at_once))
        assert mine.tolist() == others.tolist(), name
    assert [later._again(n) for n in range(1, 41)] == [at_once._again(n) for n in range(1, 41)]
    told = [[(f.number, f.data) for f in each.kept().frames] for each in (later, at_once)]
    assert told[0] == told[1]


@ringed
def test_what_waits_to_be_counted_is_counted_after_a_while_and_before_one_is_followed(monkeypatch):
    monkeypatch.setattr("tcpviz.bulk.live.feed.LAG_NS", 1 << 62)
    now = [100.0]
    monkeypatch.setattr("tcpviz.bulk.live.waiting.time.monotonic", lambda: now[0])
    feed = Poured()
    first, second, *_ = passes()
    scripted: list[list[object]] = [[]]
    monkeypatch.setattr(livefeed.LiveFeed, "batches", lambda _: iter(scripted))
    taken = feed.batches()
    feed._take(first)
    next(taken)
    assert feed.table.born == 0
    scripted.append([])
    now[0] += LONGEST_S
    next(taken)
    assert feed.table.born == 7
    feed._take(second)
    assert feed.kept() is not None
    assert len(list(feed.kept().frames)) == 14
    assert feed.table.born == 7
    feed.only(9)
    scripted.append([])
    followed = next(taken)
    assert [r.segment.frame for r in followed if isinstance(r, SegmentRecord)] == [9]


@ringed
def test_a_gap_stands_where_the_kernel_lost_something(monkeypatch):
    monkeypatch.setattr("tcpviz.bulk.live.feed.LAG_NS", 1 << 62)
    feed = Poured()
    records = feed._take(poured(2, lost_at=5))
    assert [type(r) for r in records[:7]] == [*[SegmentRecord] * 5, Gap, SegmentRecord]
    assert records[5].count == 7
    assert feed._dropped == 7


@ringed
def test_a_loss_with_nothing_around_it_is_a_gap_too():
    feed = Poured()
    made, _ = StretchMaker([(1, False)]).put([], 5, 1)
    (gap,) = feed._take(made[0])
    assert (gap.count, feed._dropped, feed.status.frames) == (5, 5, 0)


@ringed
def test_the_session_goes_over_to_counting_and_follows_what_is_selected():
    feed = Poured()
    session = Session(feed, live=True)
    assert feed._take(poured(20)) == []
    session.pull(0.01)
    assert session.counted is feed.rows
    assert len(session.visible()) == 20
    assert session.selected == 1
    session.select(9)
    session.pump._queue.put(Followed(feed._again(9), 9, fresh=True))
    session.pull(0.01)
    (connection,) = session.tracker.connections.values()
    assert connection.id == 9
    shown = session.visible()[8]
    assert (shown.id, shown.key) == (9, connection.key)
    assert (shown.client.state, shown.server.state) == (
        connection.client.state,
        connection.server.state,
    )
    assert len(session.timeline) == 10
    assert "counted" in feed.status.notes[-1]


def later(count: int, by_ns: int):
    """Connections between other ends, that much after those of :func:`poured`."""
    heads, sizes = flood(count, count * 10)
    heads = heads.copy()
    heads[:, 28] ^= 0x55  # of both addresses
    heads[:, 32] ^= 0x55
    frames = [
        Frame(
            5 * 10**17 + by_ns + n, 1, heads[n].tobytes() + bytes(sizes[n]), 54 + int(sizes[n]), n
        )
        for n in range(len(heads))
    ]
    return stretch(frames)


def opening(made, count: int):
    """Of the connections of a stretch only what was sent until each has so many segments."""
    frames, seen = [], {}
    for frame in made.frames():
        key = min(frame.data[26:30] + frame.data[34:36], frame.data[30:34] + frame.data[36:38])
        seen[key] = seen.get(key, 0) + 1
        if seen[key] <= count:
            frames.append(frame)
    return stretch(frames), [f for f in made.frames() if f.number not in {g.number for g in frames}]


@ringed
def test_when_little_comes_for_a_while_everything_is_followed_again(monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(livefeed.time, "monotonic", lambda: now[0])
    feed = Poured()
    session = Session(feed, live=True)
    begun, rest = opening(poured(30), 6)  # what ends comes afterwards
    scripted: list[list[object]] = []
    monkeypatch.setattr(livefeed.LiveFeed, "batches", lambda _: iter(scripted))

    def turn(*stretches) -> None:
        """The feed's thread takes these, and what it gives goes to the session."""
        scripted[:] = [[record for each in stretches for record in feed._take(each)]]
        for batch in feed.batches():
            session.pump._queue.put(batch)
        session.pull(60)

    turn(begun)
    assert feed.overwhelmed
    assert session.counted is feed.rows
    turn()
    for _ in range(40):
        now[0] += 0.5
        turn()
        if session.resumed:
            break
    assert session.resumed
    assert feed.everything
    assert now[0] - 1000 >= livefeed.CALM_S
    assert "counted, not followed" in feed.status.notes[-1]
    monkeypatch.setattr(livefeed, "LAG_NS", 1 << 62)
    turn(stretch(rest), later(4, 10**9))
    assert not feed.overwhelmed
    shown = list(session.visible())
    assert [c.id for c in shown] == list(range(1, 35))
    # Who was counted has all that was counted, and what came since; its states are right.
    assert {c.client.segments + c.server.segments for c in shown} == {10}
    assert {(c.client.state, c.server.state) for c in shown} == {(State.TIME_WAIT, State.CLOSED)}
    # But for who was followed all the while: it is shown so, with what shows its states.
    one = [c for c in shown[:30] if c.client.claim.because != "counted, not followed"]
    assert [(c.id, c.client.claim.because) for c in one] == [
        (1, "acknowledges the other end's FIN")
    ]
    assert one[0].analysis is not None
    assert all(isinstance(c, Counted) for c in shown[1:30])
    assert not any(isinstance(c, Counted) for c in shown[30:])
    # Of those every segment is known from the first one on, of the others what came since.
    steps = Counter(step.connection for step in session.timeline if step.segment is not None)
    assert [steps[ident] for ident in range(31, 35)] == [10] * 4
    assert steps[1] == 10  # that was the one which was followed
    assert {steps[ident] for ident in range(2, 31)} == {4}
    session.select(33)
    assert (session.selected, session.resumed, feed.everything) == (33, True, True)
    # A second time it is too much: all are counted once more, the selected one is followed.
    monkeypatch.setattr(livefeed, "LAG_NS", -1)
    turn(later(3, 2 * 10**9))
    assert (session.counted, feed.everything) == (feed.rows, False)
    assert session.selected == 33
    assert len(session.visible()) == 34


def test_what_comes_too_fast_for_long_is_counted_at_once_and_a_burst_is_followed(monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(livefeed.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(livefeed.time, "time_ns", lambda: int(now[0] * 1e9))

    def passes(*counts: int) -> list[bool]:
        """Whether it is too much, after each pass with so many segments."""
        feed = object.__new__(RingFeed)
        feed.overwhelmed, feed._serving = False, None
        feed._looked_at, feed._rate = now[0], 0.0
        told = []
        for count in counts:
            now[0] += 0.033
            if count:
                feed._look_at_lag(count, int(now[0] * 1e9))
            told.append(feed.overwhelmed)
        return told

    assert passes(6600, 0, 300, 300, 300) == [False] * 5  # a burst
    assert passes(*[300] * 100) == [False] * 100
    assert passes(*[6600] * 3) == [False, True, True]

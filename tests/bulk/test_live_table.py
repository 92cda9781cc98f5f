"""Connections counted from stretches of a ring: what the tracker says, however they are cut."""

from __future__ import annotations

import functools
import os
import random
import tempfile
from collections import Counter
from pathlib import Path

import pytest

pytest.importorskip("numpy")

from tcpviz.bulk.live.rows import Counted, LiveRows
from tcpviz.bulk.live.table import LiveTable
from tcpviz.core.connection import Connection
from tcpviz.core.halfconn import End
from tcpviz.core.records import Moment, SegmentRecord, Side
from tcpviz.core.states import State
from tcpviz.core.tracker import Tracker
from tcpviz.sources.files import open_capture
from tcpviz.wire.decoder import Decoder
from tcpviz.wire.frame import Frame
from tests.bench.flood import frames as flood
from tests.bench.generate import connections
from tests.bulk.ringed import stretch

CAPTURES = Path(os.environ.get("TCPVIZ_CAPTURES", Path(__file__).parents[3] / "shared/captures"))

# What tells there is what single segments say, of which a row keeps no more than sums and ends:
# that costs what counting is there to save. Following the connection tells it.
MISLEADING = {
    # ACKs of numbers that nobody sent, SYNs with other numbers meanwhile, answers to the former
    "arkime-tcp_handshake_synthetic.pcap": "9 of 16 handshakes are forged",
    "arkime-wireshark-retrans.pcap": "all was captured twice, the SYN three times",
    # the same identification 7 microseconds later: a copy, not a SYN sent again
    "ics-security-tools-S7-1511-opc-request-all-types.pcap": "all was captured twice",
    "suricata-split-handshake-4whs.pcap": "four segments: both ends ask, one answers",
    "suricata-with_evasion_linux.pcap": "a reset and a FIN that echo no timestamp of its SYN",
    "zeek-fin_retransmission.pcap": "the FIN without ACK is not believed before the handshake",
}


def told(c: Connection) -> tuple[object, ...]:
    return (
        *(c.client.endpoint, c.server.endpoint, c.client.state, c.server.state, str(c.phase)),
        *(c.client.segments, c.server.segments, c.client.bytes, c.server.bytes),
        *(c.first_ns, c.last_ns, c.handshake_rtt_ns, c.opened_by, c.closed_by, c.reset_by),
        c.refused,
    )


def counted(frames: list[Frame], sizes: list[int]) -> tuple[LiveRows, list[Frame]]:
    """The rows of these frames in stretches of such sizes; and those the fast road took."""
    table = LiveTable()
    taken: list[Frame] = []
    at = turn = 0
    while at < len(frames):
        size = sizes[turn % len(sizes)]
        made = stretch(frames[at : at + size], number=at + 1)
        columns, _ = made.columns(table.mixer)
        table.take(made, columns)
        taken += [made.frame(place) for place in columns.place.tolist()]
        at, turn = at + size, turn + 1
    return LiveRows(table), taken


def followed(frames: list[Frame]) -> list[Connection]:
    decoder, tracker = Decoder(verify=False), Tracker(keep=False)
    for frame in frames:
        segment = decoder.decode(frame)
        assert segment is not None
        tracker.feed(SegmentRecord(segment.time_ns, segment, Moment.SEEN))
    return list(tracker.connections.values())


@functools.cache
def generated() -> list[Frame]:
    """Sixty whole connections, each begun before the one before it has ended."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "c.pcap"
        connections(path, 60)
        with open_capture(str(path)) as capture:
            return list(capture)


@pytest.mark.parametrize("seed", range(6))
def test_whole_and_broken_off_connections_stand_where_the_tracker_has_them(seed):
    dice = random.Random(seed)
    sizes = [dice.randint(1, 300) for _ in range(5)]
    # Each connection is broken off somewhere, or not.
    ends: dict[bytes, int] = {}
    kept = []
    for frame in generated():
        key = min(frame.data[26:30] + frame.data[34:36], frame.data[30:34] + frame.data[36:38])
        left = ends.setdefault(key, dice.randint(1, 14))
        if left:
            ends[key] -= 1
            kept.append(frame)
    rows, taken = counted(kept, sizes)
    assert [frame.data for frame in taken] == [frame.data for frame in kept]
    assert [told(c) for c in rows] == [told(c) for c in followed(kept)]
    assert [c.id for c in rows] == list(range(1, len(rows) + 1))
    # Made together they are as made one by one, and those to which nothing has happened stay.
    together = LiveRows(rows.table)[:]
    assert [vars_of(c) for c in together] == [vars_of(c) for c in rows]
    assert all(one is other for one, other in zip(rows[3:], list(rows)[3:], strict=True))


def vars_of(connection: Connection) -> dict[str, object]:
    """All that is known of it."""
    ends = [connection.client, connection.server]
    known = [{name: getattr(end, name) for name in End.__slots__} for end in ends]
    others = {name: value for name, value in vars(connection).items() if value not in ends}
    return {**others, "ends": known}


@pytest.mark.skipif(not CAPTURES.is_dir(), reason=f"no shared captures at {CAPTURES}")
def test_on_captures_of_others_they_agree():
    differ: dict[str, int] = {}
    tried = Counter[str]()
    for path in sorted(CAPTURES.glob("*.pcap*")):
        if path.stat().st_size > 300_000 or path.name in MISLEADING:
            continue
        with open_capture(str(path)) as capture:
            frames = list(capture)
        if not frames or any(frame.link_type != 1 for frame in frames):
            continue
        if any(not 0 <= frame.time_ns < 1 << 62 for frame in frames):
            continue
        rows, taken = counted(frames, [500])
        tracker = followed(taken)
        tried[path.name] = len(tracker)
        wrong = sum(told(a) != told(b) for a, b in zip(rows, tracker, strict=False))
        if wrong or len(rows) != len(tracker):
            differ[path.name] = wrong
    assert tried.total() > 250
    assert differ == {}


def test_ports_used_again_begin_another_connection():
    again = [
        Frame(f.time_ns + 10**12, f.link_type, _moved(f.data), f.wire_len, f.number)
        for f in generated()
    ]
    for sizes in ([50], [5000]):
        rows, _ = counted(generated() + again, sizes)
        assert len(rows) == 120
        assert [told(c) for c in rows] == [told(c) for c in followed(generated() + again)]


def _moved(data: bytes) -> bytes:
    """The same segment with all its numbers a million further on."""
    seq, ack = (int.from_bytes(data[at : at + 4], "big") for at in (38, 42))
    more = [((number + 1_000_000) % 2**32).to_bytes(4, "big") for number in (seq, ack)]
    return data[:38] + more[0] + (more[1] if data[47] & 16 else data[42:46]) + data[46:]


def forged_reset(before: Frame) -> Frame:
    """A reset in the name of that segment's sender, with the number that is expected next."""
    data = bytearray(before.data[:54])
    size = int.from_bytes(data[16:18], "big") - 40
    number = int.from_bytes(data[38:42], "big") + size
    data[38:42] = (number % 2**32).to_bytes(4, "big")
    data[16:18], data[47] = (40).to_bytes(2, "big"), 4
    return Frame(before.time_ns + 1, before.link_type, bytes(data), 54, before.number)


@pytest.mark.parametrize("sizes", [[1], [3, 4], [100]])
def test_who_goes_on_has_not_sent_the_reset_in_its_name(sizes):
    whole = [frame for frame in generated() if _ports(frame) == _ports(generated()[0])]
    believed = []
    # What a FIN that came meanwhile was, the tracker does not tell afterwards; rows may.
    for at in (2, 3, 4, 6, 8):
        told_twice = [*whole[: at + 1], forged_reset(whole[at]), *whole[at + 1 :]]
        rows, _ = counted(told_twice, sizes)
        assert [told(c) for c in rows] == [told(c) for c in followed(told_twice)], at
        believed.append(rows[0].reset_by)
    assert believed == [None, None, None, None, Side.SERVER]


@pytest.mark.parametrize("sizes", [[1], [3, 4], [100]])
def test_a_reset_does_not_end_what_its_receiver_has_closed(sizes):
    whole = [frame for frame in generated() if _ports(frame) == _ports(generated()[0])]
    late = [*whole, forged_reset(whole[-1])]
    (row,), (other,) = counted(late, sizes)[0], followed(late)
    assert (row.reset_by, str(row.phase)) == (None, "teardown 4/4")
    assert (other.reset_by, other.phase, other.server.state) == (
        *(row.reset_by, row.phase, row.server.state),
    )


def _ports(frame: Frame) -> set[bytes]:
    return {frame.data[34:36], frame.data[36:38]}


def test_finished_connections_make_room_and_are_counted():
    table = LiveTable(rows=32)
    for at in range(0, len(generated()), 10):  # ten segments each: one after the other
        made = stretch(generated()[at : at + 10])
        table.take(made, made.columns(table.mixer)[0])
    rows = LiveRows(table)
    assert len(rows) == 32
    assert table.evicted == 28
    assert [c.id for c in rows][-1] == 60
    assert rows.get(60) is rows[-1]
    assert rows.get(1) is None
    assert rows.ident_of(rows[5].key) == rows[5].id


def test_a_row_of_which_there_are_segments_now_is_not_given_away():
    """The last segments of what has ended come together with those that need its row."""
    table = LiveTable(rows=8)
    whole = [generated()[at : at + 10] for at in range(0, 130, 10)]
    for ended in whole[:8]:
        made = stretch(ended)
        table.take(made, made.columns(table.mixer)[0])
    late = [ended[-1] for ended in whole[:3]]
    opening = [begun[0] for begun in whole[8:]]
    made = stretch([*opening, *late])
    table.take(made, made.columns(table.mixer)[0])
    told = [(c.id, c.client.segments + c.server.segments) for c in LiveRows(table)]
    assert told == [(1, 11), (2, 11), (3, 11), *((n, 1) for n in range(9, 14))]


def test_after_a_gap_nothing_old_is_sure_and_the_rest_is():
    rows, _ = counted([], [1])
    assert len(rows) == 0
    table = LiveTable()
    heads, _ = flood(20, 200)
    frames = [Frame(n, 1, heads[n].tobytes(), 200, n + 1) for n in range(40)]
    made = stretch(frames[:20])
    table.take(made, made.columns(table.mixer)[0])
    table.note_gap()
    made = stretch(frames[20:])
    table.take(made, made.columns(table.mixer)[0])
    found = list(LiveRows(table))
    assert {c.client.claim.certainty.value for c in found} == {"unknown"}
    assert all(isinstance(c, Counted) and c.client.state is State.SYN_SENT for c in found)


@pytest.mark.parametrize("snaplen", [1, 14, 20, 39, 53, 54, 60])
def test_however_little_of_each_packet_is_captured(snaplen):
    """Of too little no segment is made, on the fast road as by the decoder."""
    table, decoder = LiveTable(), Decoder(verify=False)
    made = stretch(generated()[:40], snaplen=snaplen)
    columns, rest = made.columns(table.mixer)
    found = [decoder.decode(frame) is not None for frame in made.frames()]
    assert sum(found) == (40 if snaplen >= 54 else 0)
    assert [found[place] for place in columns.place.tolist()] == [True] * len(columns)
    assert sorted([*columns.place.tolist(), *rest.tolist()]) == list(range(40))
    table.take(made, columns)
    assert table.packets.sum() == len(columns)


def test_who_is_followed_from_the_first_segment_on_is_shown_so() -> None:
    frames = generated()[:400]
    rows, _ = counted(frames, [400])
    theirs = {each.first_ns: each for each in followed(frames)}
    places = [place for place, each in enumerate(rows) if each.first_ns in theirs]
    one = rows[places[3]]
    mine = theirs[one.first_ns]
    assert isinstance(one, Counted)
    rows.show_followed({one.id: mine})
    assert rows[places[3]] is mine
    assert rows.get(one.id) is mine
    assert rows[places[3] - 1 : places[3] + 2][1] is mine
    assert sum(not isinstance(each, Counted) for each in rows) == 1
    # Of one that is followed from later on the row knows more, and another is not this one.
    mine.first_ns += 1
    assert isinstance(rows[places[3]], Counted)
    rows.show_followed({rows[places[2]].id: mine})
    assert isinstance(rows[places[2]], Counted)
    rows.show_followed({})
    assert all(isinstance(each, Counted) for each in rows)

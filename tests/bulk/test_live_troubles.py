"""What a busy link's rows say is wrong, beside what the scalar core says of the same packets."""

from __future__ import annotations

import pytest

pytest.importorskip("numpy")

from tcpviz.bulk.live.rows import LiveRows
from tcpviz.bulk.live.table import LiveTable
from tcpviz.core.crowds import crowds
from tcpviz.core.hosts import HostSocket, Process
from tcpviz.core.records import Moment, SegmentRecord, Side
from tcpviz.core.segment import Endpoint
from tcpviz.core.states import State
from tcpviz.core.tracker import Tracker
from tcpviz.core.troubles import Gathering
from tcpviz.views import troubles as words
from tcpviz.views.owners import whose
from tcpviz.wire.decoder import Decoder
from tcpviz.wire.frame import Frame
from tests.bulk.ringed import stretch
from tests.wire.packets import ethernet, ipv4, tcp

S = 1_000_000_000
SERVER = "10.9.9.9"
SYN, SYN_ACK, ACK, RST_ACK, FIN_ACK = 2, 18, 16, 20, 17


class Wire:
    """Frames of a link, one a millisecond."""

    def __init__(self):
        self.frames = []
        self.now = 1_000 * S

    def send(self, src, dst, flags, seq, ack=0, data=b"", ms=1):
        (here, port), (there, far) = src, dst
        header = tcp(
            data, src=here, dst=there, sport=port, dport=far, flags=flags, seq=seq, ack=ack
        )
        raw = ethernet(ipv4(header, src=here, dst=there))
        self.now += ms * 1_000_000
        self.frames.append(Frame(self.now, 1, raw, len(raw), len(self.frames) + 1, 0))

    def handshake(self, src, dst):
        self.send(src, dst, SYN, 100)
        self.send(dst, src, SYN_ACK, 900, 101)
        self.send(src, dst, ACK, 101, 901)


def rows_of(wire):
    table = LiveTable()
    made = stretch(wire.frames)
    columns, _ = made.columns(table.mixer)
    table.take(made, columns)
    return LiveRows(table)


def core_of(wire):
    decoder, tracker = Decoder(verify=False), Tracker(keep=False)
    for frame in wire.frames:
        segment = decoder.decode(frame)
        tracker.feed(SegmentRecord(segment.time_ns, segment, Moment.SEEN))
    connections = list(tracker.connections.values())
    found = crowds(connections)
    gathering = Gathering()
    for one in connections:
        gathering.add(one, wire.frames[-1].time_ns)
    return gathering.troubles(crowds=found)


def both(wire):
    """{(code, where): (count, of)}, by the rows and by the core."""
    wire.send(("10.0.0.1", 1), (SERVER, 9), SYN, 1, ms=5_000)  # time goes on
    wire.send((SERVER, 9), ("10.0.0.1", 1), RST_ACK, 0, 2)
    ours = {(t.code, t.where): (t.count, t.of) for t in rows_of(wire).troubles()}
    theirs = {(t.code, t.where): (t.count, t.of) for t in core_of(wire)}
    for found in (ours, theirs):
        found.pop(("refused", f"{SERVER}:9"), None)
    return ours, theirs


def test_a_flood_from_many_is_one_trouble():
    wire = Wire()
    for number in range(300):
        source = (f"10.1.{number // 200}.{number % 200 + 1}", 4000)
        wire.send(source, (SERVER, 80), SYN, number)
        wire.send((SERVER, 80), source, SYN_ACK, 5, number + 1)
    ours, theirs = both(wire)
    assert ours == theirs == {("syn-flood", f"{SERVER}:80"): (300, 300)}


def test_refused_half_open_unanswered_and_scanned():
    wire = Wire()
    for number in range(4):
        me = ("10.0.0.1", 4000 + number)
        wire.send(me, (SERVER, 81), SYN, 1)
        wire.send((SERVER, 81), me, RST_ACK, 0, 2)
    for number in range(3):
        me = ("10.0.0.2", 4000 + number)
        wire.send(me, (SERVER, 82), SYN, 1)
        wire.send((SERVER, 82), me, SYN_ACK, 9, 2)
        wire.send((SERVER, 82), me, SYN_ACK, 9, 2, ms=1000)
        wire.send(("10.0.0.3", 5000 + number), (SERVER, 83), SYN, 1)
        wire.send(("10.0.0.3", 5000 + number), (SERVER, 83), SYN, 1, ms=1000)
    ours, theirs = both(wire)
    assert ours == theirs
    assert set(ours) == {
        ("refused", f"{SERVER}:81"), ("half-open", f"{SERVER}:82"), ("no-answer", f"{SERVER}:83"),
    }  # fmt: skip
    for each in rows_of(wire).troubles():
        assert "{" not in words.sentence(each)
        assert each.worst in each.ids


def test_ports_that_one_source_tried():
    wire = Wire()
    for port in range(100, 140):
        me = ("10.0.0.1", 4000 + port)
        wire.send(me, (SERVER, port), SYN, 1)
        wire.send((SERVER, port), me, RST_ACK, 0, 2)
    ours, theirs = both(wire)
    assert ours == theirs == {("port-scan", SERVER): (41, 41)}  # with the one of both()


def test_open_ones_that_are_reset_never_closed_or_lossy():
    wire = Wire()
    for number in range(3):
        me, web = ("10.0.0.1", 4000 + number), (SERVER, 84)
        wire.handshake(me, web)
        wire.send(web, me, RST_ACK, 901, 101)
    for number in range(2):
        me, web = ("10.0.0.2", 4000 + number), (SERVER, 85)
        wire.handshake(me, web)
        wire.send(me, web, FIN_ACK, 101, 901)
        wire.send(web, me, ACK, 901, 102)
    me, web = ("10.0.0.4", 4000), (SERVER, 86)
    wire.handshake(me, web)
    for turn in range(5):
        for _ in range(2):
            wire.send(me, web, ACK, 101 + 10 * turn, 901, b"0123456789", ms=300)
        wire.send(web, me, ACK, 901, 111 + 10 * turn)
    wire.now += 100 * S
    ours, theirs = both(wire)
    assert ours["reset", f"{SERVER}:84"] == theirs["reset", f"{SERVER}:84"] == (3, 3)
    assert ours["never-closed", f"{SERVER}:85"] == theirs["never-closed", f"{SERVER}:85"] == (2, 2)
    assert ours["lossy", SERVER][0] == 1
    assert ("lossy", SERVER) in theirs


def test_rows_are_told_whose_they_are():
    wire = Wire()
    wire.handshake(("10.0.0.1", 4000), (SERVER, 84))
    rows = rows_of(wire)
    local, peer = Endpoint(SERVER, 84), Endpoint("10.0.0.1", 4000)
    assert whose(rows[0]) == ""
    rows.note(HostSocket(local, peer, State.ESTABLISHED, process=Process("nginx", 7)))
    assert whose(rows[0]) == "server nginx (7)"
    rows.note(HostSocket(local, peer, None))
    assert rows[0].sockets[Side.SERVER].state is None
    assert whose(rows[0]) == "server nginx (7)"


def slow_ones(wire):
    """Forty handshakes, of which every tenth takes half a second."""
    for number in range(40):
        me, web = ("10.0.0.1", 4000 + number), (SERVER, 87)
        wire.send(me, web, SYN, 100)
        wire.send(web, me, SYN_ACK, 900, 101, ms=1 if number % 10 else 500)
        wire.send(me, web, ACK, 101, 901)


def test_some_handshakes_that_take_much_longer_than_the_others():
    wire = Wire()
    slow_ones(wire)
    ours, theirs = both(wire)
    assert ours == theirs == {("slow-handshakes", f"{SERVER}:87"): (4, 40)}


def test_who_asks_all_the_while_is_told_the_same_as_who_asks_once():
    wire = Wire()
    slow_ones(wire)
    for number in range(6):
        me, web = ("10.0.0.2", 4000 + number), (SERVER, 85)
        wire.handshake(me, web)
        wire.send(me, web, ACK, 101, 901, b"once")
        wire.send(me, web, ACK, 101, 901, b"once")
        wire.send(web, me, RST_ACK if number % 2 else FIN_ACK, 901, 105)
        wire.send(me, web, ACK, 105, 902)
        wire.send(me, (SERVER, 86), SYN, 1, ms=2_000)
        wire.send((SERVER, 86), me, RST_ACK, 0, 2)
    wire.send(("10.0.0.3", 1), (SERVER, 9), SYN, 1, ms=100_000)
    rows = LiveRows(LiveTable())
    for begin in range(0, len(wire.frames), 7):
        made = stretch(wire.frames[begin : begin + 7], number=begin + 1)
        rows.table.take(made, made.columns(rows.table.mixer)[0])
        rows.troubles()
    whole = rows_of(wire).troubles()
    assert rows.troubles() == whole
    kinds = {trouble.code for trouble in whole}
    assert kinds == {"slow-handshakes", "refused", "reset", "never-closed", "lossy"}


def test_an_empty_table_has_no_troubles():
    assert LiveRows(LiveTable()).troubles() == []

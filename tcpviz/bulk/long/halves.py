"""One end of a connection with all that the core keeps of it, in its several views.

And whether a connection has come so far that the columns of a stretch can rest on it.
"""

from __future__ import annotations

from tcpviz.bulk.long.inorder import Standing
from tcpviz.bulk.long.recall import PlacesOfData, Reader, WaitingData
from tcpviz.bulk.views import Views
from tcpviz.core.claims import Certainty
from tcpviz.core.connection import Connection
from tcpviz.core.doubt import MANY_WRONG
from tcpviz.core.flow import Flow
from tcpviz.core.halfconn import End, Sums
from tcpviz.core.states import State
from tcpviz.core.vitals import MAX_TTLS


class Half(Views):
    """One end with all that is kept of it."""

    __slots__ = ("data", "log")

    def remember_by(self, reader: Reader) -> None:
        """What is kept of single segments is told from the columns from now on."""
        if not isinstance(self.flow.log, WaitingData):
            self.flow.log = WaitingData(self.flow.log)
        if not isinstance(self.flow.contents, PlacesOfData):
            self.flow.contents = PlacesOfData(self.flow.contents, reader)
        self.log, self.data = self.flow.log, self.flow.contents

    @property
    def closed(self) -> bool:
        """Whether it has sent its FIN."""
        return self.end.fin is not None

    @property
    def counted(self) -> tuple[bool, bool, bool]:
        """Whether one more wrong checksum, mark of congestion and ECE is only counted, if that."""
        end, signs = self.end, self.signs
        wrong = signs.frames is not None and "sum" in signs.frames
        wrong = wrong and (end.sums is not Sums.UNTRIED or end.wrong_sums >= MANY_WRONG)
        return wrong, signs.marked > 0, signs.echoed > 0 or self.vitals.accurate

    @property
    def longest(self) -> int:
        """Its longest data, acknowledged or not."""
        biggest = self.signs._biggest
        return max(self.signs.largest_acked, biggest[1] if biggest else 0)

    @property
    def shape(self) -> tuple[object, ...]:
        """What decides which of its segments are plain, besides numbers."""
        ticks = self.signs.ticks is None
        return self.end.sums, self.counted, self.signs.ttls, self.flow.scale, ticks, self.flow

    @property
    def stood(self) -> tuple[object, ...]:
        """What a segment with ACK alone can change of its shape, and of its being ready."""
        end, signs = self.end, self.signs
        fins = end.fin, end.fin_acked, end.got_fin
        return end.claim, *fins, end.sums, self.counted, signs.ttls, signs.ticks is None

    @property
    def unsettled(self) -> set[int]:
        """The numbers of what is doubted of it and has no data."""
        return {one.seq for one in self.end.doubted or () if not one.seq_len}

    def standing(self, idents: list[tuple[int, int]]) -> Standing:
        """How it stands before a stretch; ``idents`` the identifications of its latest packets."""
        end, flow, signs = self.end, self.flow, self.signs
        assert flow.next_seq is not None
        assert flow.last_ack is not None
        assert end.rcv_nxt is not None
        assert flow.window is not None
        return Standing(
            flow.next_seq,
            flow.last_ack,
            end.rcv_nxt,
            flow.window,
            flow.scale or 0,
            flow.scale is not None,
            signs.ticks,
            idents,
            signs.ttls,
            len(signs.ttls) >= MAX_TTLS,
            end.sums,
            *self.counted,
            self.longest,
            end.iss is not None and not end.scale_cut,
        )


def ready(connection: Connection) -> bool:
    """Whether both ends have said enough for a stretch to rest on."""
    analysis = connection.analysis
    if analysis is None or connection.former is not None or connection.superseded:
        return False
    marks, zeek = analysis.marks, analysis.zeek
    if marks._twice is None or len(zeek._seen_first) < 2:
        return False
    for end, flow in ((connection.client, marks._client), (connection.server, marks._server)):
        numbers = end.snd_nxt, end.last_ack, end.window, flow.next_seq, flow.last_ack
        if not end.segments or None in numbers or flow.window is None:
            return False
    client, server = connection.client, connection.server
    both = _talks(client) and _talks(server)
    if not (both or _half(client, server) or _half(server, client)):
        return False
    settled = connection._third or (connection.midstream and connection.last_syn_ns is None)
    timed = marks.initial_rtt_ns is not None or marks._syn_ns is None
    return settled and timed and _scaled(connection, marks._client, marks._server)


def _talks(end: End) -> bool:
    return end.state is State.ESTABLISHED and end.fin is None


def _half(one: End, other: End) -> bool:
    """One end has closed and the other knows it: what it still sends moves nobody any more."""
    known = Certainty.UNKNOWN not in (one.claim.certainty, other.claim.certainty)
    closed = one.state is State.FIN_WAIT_2 and one.fin_acked
    waits = other.state is State.CLOSE_WAIT and other.got_fin and other.fin is None
    return known and closed and waits


def _scaled(connection: Connection, client: Flow, server: Flow) -> bool:
    """Whether all views agree by how much the windows of both ends are scaled."""
    ends = (connection.client, connection.server)
    both = all(end.window_scale is not None for end in ends)
    return all(
        (flow.scale or 0) == (end.window_scale if both and end.window_scale else 0)
        for end, flow in zip(ends, (client, server), strict=True)
    )

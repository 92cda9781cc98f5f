"""Late segments: of a connection whose addresses and ports another one has taken since.

They are in the network still (RFC 9293 section 3.4.1 has the maximum segment
lifetime for that), and belong to the connection that sent them, whoever gets
them. Timestamps tell them apart for certain, where there are any: none of a
connection is older than its SYN's. Else the numbers do, if those of both
connections lie apart (RFC 6528 has them do so).

They move nobody. But that the old connection is gone is only inferred; if one
of its ends sends something new and the other acknowledges it, it is not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tcpviz.core import doubt
from tcpviz.core import seq as seqno
from tcpviz.core.claims import Certainty
from tcpviz.core.halfconn import End
from tcpviz.core.segment import Segment
from tcpviz.core.states import State

if TYPE_CHECKING:
    from tcpviz.core.connection import Connection, Moves

MOST = 1 << 22
"""Bytes: a late segment lies no further than this from where its connection came to."""


def belongs(older: Connection, newer: Connection, segment: Segment) -> bool:
    """Whether a segment is a late one of ``older``, and none of ``newer``, which lives."""
    me = newer.end(newer.side_of(segment))
    peer = newer.end(me.side.other)
    was = older.end(older.side_of(segment))
    if was.snd_nxt is None or not was.segments or newer.inherits:
        return False
    if segment.syn:
        return was.iss == segment.seq != me.iss
    stamps = segment.options.timestamps
    stale = stamps is not None and me.ts_sent is not None and seqno.lt(stamps[0], me.ts_sent[0])
    if not stale and _near(me, peer, segment, doubt.UNKNOWN_REACH):
        return False
    return _near(was, older.end(was.side.other), segment, MOST)


def _near(me: End, peer: End, segment: Segment, most: int) -> bool:
    """Whether its numbers lie about where these two are."""
    refusal = segment.rst and segment.has_ack and not segment.seq
    if me.snd_nxt is not None and not refusal:
        far = abs(seqno.diff(segment.seq, me.snd_nxt))
        if far > min(most, doubt.reach(peer)):
            return False
    if not segment.has_ack or peer.snd_nxt is None:
        return me.snd_nxt is not None
    return abs(seqno.diff(segment.ack, peer.snd_nxt)) <= min(most, doubt.reach(me))


def take(moves: Moves, me: End, peer: End, segment: Segment) -> None:
    """A late segment of a connection that is superseded; perhaps it shows that it is not."""
    if segment.syn or segment.rst or not segment.has_ack:
        return
    shown = doubt.vindicated(peer, segment.ack)
    if segment.seq_len and segment.seq == me.snd_nxt:
        doubt.keep(me, segment)
    if not shown:
        return
    moves.connection.superseded = False
    for end in (me, peer):
        back = end.assumed_from
        if end.state is State.CLOSED and back is not None:
            why = "goes on: the other connection has not taken its addresses and ports"
            moves.correct(end, back, Certainty.INFERRED, why, rule="3.6.1")
    for one in shown:
        peer.note_sent(one, me)
    me.note_sent(segment, peer)

"""Which connection a segment belongs to, where addresses and ports were used more than once.

A SYN with a new number on addresses and ports that are in use may come from a
host that has forgotten the old connection, or opens the next one (RFC 9293
section 3.6.1), or from somebody who only guesses (RFC 5961 section 4). Whether
its receiver takes it depends on the receiver's state, the numbers and the
timestamps (section 3.10.7.4, RFC 6191). An observer need not foretell that: the
answer tells. So the SYN begins a connection of its own (``intrudes``, if the old
one was going on), and the old one stays reachable as its ``former`` until the
new one is answered with SYN,ACK or goes on by itself:

* what fits the numbers of the old one belongs to the old one: the challenge ACK,
  the RST that answers it, and all that goes on there;
* a SYN,ACK to the new number, or a RST to it, ends the old one: its receiver had
  no such connection any more, or only TIME-WAIT's remains.

A SYN with the *same* number is a repetition, and belongs to the same
connection, also after a refusal: a host that tries again with the same number
makes another attempt for the same ``connect()`` (Windows does so three times).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tcpviz.core import seq as seqno
from tcpviz.core.claims import Certainty, Claim, StateChange
from tcpviz.core.connection import Connection, Moves
from tcpviz.core.halfconn import End
from tcpviz.core.segment import Endpoint, Segment
from tcpviz.core.states import SYNCHRONIZED, State

_FAR = 1 << 23
"""Bytes between numbers that can hardly be of one connection."""

MOST_OLDER = 4
"""Connections that had the same addresses and ports before whose late segments are recognised."""


def who_is_who(segment: Segment) -> tuple[Endpoint, Endpoint, Claim, Claim]:
    """Client and server of the connection that a segment begins, and how they stand before it."""
    src, dst = segment.src, segment.dst
    nothing = Claim(State.LISTEN, Certainty.UNKNOWN, "nothing from it yet")
    if not segment.syn:
        late = Claim(State.CLOSED, Certainty.UNKNOWN, "the capture began too late")
        return src, dst, late, nothing
    if segment.has_ack:
        return dst, src, Claim(State.SYN_SENT, Certainty.INFERRED, "it is being answered"), nothing
    return src, dst, Claim(State.CLOSED, Certainty.INFERRED, "before its first segment"), nothing


def inherit(
    connection: Connection, known: Connection, segment: Segment, older: Iterable[Connection] = ()
) -> None:
    """What an old duplicate SYN begins finds its sender where the connection before left it.

    Only the receiver of such a SYN takes it for a new connection: RFC 9293 section 3.5,
    figure 8. ``segment``, which begins ``connection``, is the SYN itself, watched arriving, or
    a SYN,ACK to the number with which ``known``, which is over, was opened, or one of the
    ``older`` ones.
    """
    side = connection.side_of(segment)
    mine = connection.end(side.other if segment.has_ack else side)
    old = next(one for one in (known.client, known.server) if one.endpoint == mine.endpoint)
    if segment.has_ack:
        opened_with = seqno.add(segment.ack, -1)
        ends = (end for one in (known, *older) for end in (one.client, one.server))
        once = any(end.iss == opened_with and end.endpoint == mine.endpoint for end in ends)
        if not (known.over and once):
            return
    mine.take(old)
    connection.inherits = True


def replace(connection: Connection, time_ns: int) -> tuple[StateChange, ...]:
    """The connection lives, so the one before it on these addresses does not; its ends' moves.

    Not of an end that the new one has inherited: its TIME-WAIT goes on.
    """
    former, connection.former = connection.former, None
    if former is None:
        return ()
    connection.older = (former.id, *former.older)[:MOST_OLDER]
    inherited = [
        one.endpoint
        for one in (connection.client, connection.server)
        if one.state is State.TIME_WAIT
    ]
    return supersede(former, connection.client.claim.frame, time_ns, inherited)


def supersede(
    former: Connection, frame: int, time_ns: int, inherited: Sequence[Endpoint] = ()
) -> tuple[StateChange, ...]:
    """Another connection, begun by this frame, has its place now; how its ends moved."""
    former.superseded = True
    moves = Moves(former, frame, time_ns)
    for end in (former.client, former.server):
        if end.state not in (State.CLOSED, State.LISTEN) and end.endpoint not in inherited:
            why = "another connection has taken its addresses and ports"
            before = end.state
            moves.correct(end, State.CLOSED, Certainty.INFERRED, why, rule="3.6.1")
            end.assumed_from = before
    return moves.changes


def begins_anew(known: Connection, segment: Segment) -> bool:
    """Whether a SYN on the addresses and ports of ``known`` begins another connection."""
    side = known.side_of(segment)
    me, peer = known.end(side), known.end(side.other)
    if not segment.has_ack:
        if me.iss is not None:
            return me.iss != segment.seq
        if peer.iss is not None and not known.over and not known.intrudes:
            # Crossing SYNs, or a SYN captured after its SYN,ACK.
            expected = peer.rcv_nxt
            return expected is not None and seqno.add(segment.seq, 1) != expected
        return me.snd_nxt is not None or peer.snd_nxt is not None
    if me.iss == segment.seq:
        return False
    if peer.iss is not None and seqno.add(peer.iss, 1) == segment.ack:
        # Another answer to the same SYN: of the next connection, if the first one is over.
        return me.iss is not None and known.over
    if me.iss is None and not known.midstream:
        return False
    # A SYN,ACK that answers nothing here begins nothing in a connection that goes on: it may
    # be forged. But a handshake may be half captured, in the middle of another connection.
    return known.over or (
        known.midstream and me.snd_nxt is not None and _misfit(me.snd_nxt, segment.seq) > _FAR >> 8
    )


def choose(connection: Connection, segment: Segment) -> Connection:
    """The connection or the one before it, while it is not decided which of the two lives."""
    former = connection.former
    if former is None:
        return connection
    if segment.syn and not segment.has_ack:
        number = segment.seq
        if connection.end(connection.side_of(segment)).iss == number:
            return connection
        return former if former.end(former.side_of(segment)).iss == number else connection
    there, here = _distance(former, segment), _distance(connection, segment)
    if here > _FAR and lives(former):
        return former
    was, now = (one.end(one.side_of(segment)) for one in (former, connection))
    if now.snd_nxt is None and was.snd_nxt == segment.seq and not there:
        return former  # nothing in the new one says anything of its sender
    return former if there < here else connection


def decided(connection: Connection) -> bool:
    """Whether the answer has come that shows the new connection to be the one that lives."""
    if connection.refused:
        return True
    client, server = connection.client, connection.server
    if client.state in SYNCHRONIZED or server.state in SYNCHRONIZED:
        return True
    # Two SYNs, one from each side, may both be forged, and a SYN,ACK alone as well.
    answered = State.SYN_RECEIVED in (client.state, server.state)
    return answered and client.iss is not None and server.iss is not None


def lives(connection: Connection) -> bool:
    """It goes on, as far as was seen: a SYN into it intrudes."""
    return not connection.over and any(
        end.state in SYNCHRONIZED for end in (connection.client, connection.server)
    )


def gave_up(connection: Connection) -> bool:
    """Nobody answered its SYN, which has been given up."""
    return all(
        end.state in (State.CLOSED, State.LISTEN) for end in (connection.client, connection.server)
    )


def challenges(former: Connection, end: End, segment: Segment) -> bool:
    """Whether a SYN, watched arriving at ``end``, meets the former connection and is not taken.

    Out of TIME-WAIT it is, if its number or its timestamp is higher than the last one
    (RFC 6191; tcp_timewait_state_process() in net/ipv4/tcp_minisocks.c).
    """
    ends = (former.client, former.server)
    old = next((one for one in ends if one.endpoint == end.endpoint), None)
    if old is None or not segment.syn or segment.has_ack:
        return False
    if old.state is not State.TIME_WAIT:
        return old.state not in (State.CLOSED, State.LISTEN)
    stamps = segment.options.timestamps
    newer = stamps is not None and old.ts_recent is not None and seqno.gt(stamps[0], old.ts_recent)
    higher = old.received is not None and seqno.gt(segment.seq, old.received.next)
    return not (newer or higher)


def _distance(connection: Connection, segment: Segment) -> int:
    """How far the segment's numbers lie from where the connection is."""
    side = connection.side_of(segment)
    me, peer = connection.end(side), connection.end(side.other)
    far = 0
    if segment.has_ack and peer.snd_nxt is not None:
        far = _misfit(peer.snd_nxt, segment.ack)
    if me.snd_nxt is not None and not (segment.rst and segment.has_ack and not segment.seq):
        far = max(far, _misfit(me.snd_nxt, segment.seq))
    if segment.syn and me.iss != segment.seq:
        far = max(far, 1)
    return far


def _misfit(expected: int, number: int) -> int:
    return abs(seqno.diff(number, expected))

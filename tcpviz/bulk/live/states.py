"""States of many connections at once, from what is kept of each direction.

Not from a history of segments: from its first numbers, how far each end has sent and
acknowledged, its FIN, and a reset. A FIN moves its receiver when the receiver acknowledges it
(RFC 9293 section 3.6), as in :mod:`tcpviz.core.connection`; a test holds the two together.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from tcpviz.core.states import State
from tcpviz.core.timers import TIME_WAIT_NS

Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
Codes = npt.NDArray[np.uint8]

STATES: Final = (
    State.CLOSED,
    State.LISTEN,
    State.SYN_SENT,
    State.SYN_RECEIVED,
    State.ESTABLISHED,
    State.FIN_WAIT_1,
    State.FIN_WAIT_2,
    State.CLOSE_WAIT,
    State.CLOSING,
    State.LAST_ACK,
    State.TIME_WAIT,
)
"""A state's number is its place here."""

_CODE = {state: number for number, state in enumerate(STATES)}


class Known(NamedTuple):
    """What is known of some connections; each an array (connections, 2): client, server.

    -1 where nothing is known. ``iss``; ``ack``, the highest it has acknowledged, and ``plain``,
    that by segments that are neither SYN nor FIN; ``fin``, its FIN's number; ``fin_ack``, what
    its FIN acknowledged. ``reset_by``: 0 or 1, whose reset counted, -1 for none; ``closed_by``:
    who sent a FIN first; ``spoke``: segments that are not SYNs; ``still_ns``: nothing has come
    for so long.
    """

    iss: Ints
    ack: Ints
    plain: Ints
    fin: Ints
    fin_ack: Ints
    reset_by: Ints
    closed_by: Ints
    spoke: Ints
    still_ns: Ints


def beyond(one: Ints, two: Ints) -> Mask:
    """``one`` is known and comes after ``two`` (which is known), modulo 2^32."""
    found = (one - two).astype(np.int32) > 0  # the lowest 32 bits, with their sign
    found &= one >= 0
    found &= two >= 0
    return np.asarray(found, np.bool_)


def fins_acked(known: Known) -> tuple[Mask, Mask]:
    """Whose FIN the other end has acknowledged."""
    return (
        beyond(known.ack[:, 1], known.fin[:, 0]),
        beyond(known.ack[:, 0], known.fin[:, 1]),
    )


def third(known: Known) -> Mask:
    """The handshake is complete: the client has acknowledged the server's SYN."""
    opened = (known.iss[:, 0] >= 0) & (known.iss[:, 1] >= 0)
    answered = opened & beyond(known.ack[:, 0], known.iss[:, 1])
    # Where the client's way was not captured: a server sends nothing more before that.
    unseen = (known.iss[:, 0] < 0) & (known.spoke[:, 0] == 0)
    return np.asarray(answered | ((known.iss[:, 1] >= 0) & unseen & (known.spoke[:, 1] > 0)))


def refused(known: Known) -> Mask:
    """A SYN was answered by a reset."""
    return np.asarray((known.reset_by == 1) & (known.iss[:, 0] >= 0) & (known.iss[:, 1] < 0))


def states(known: Known, done: Mask | None = None) -> tuple[Codes, Codes]:
    """(the clients', the servers') as places in :data:`STATES`.

    ``done``: what :func:`third` says of them, where it has been asked already.
    """
    acked = fins_acked(known)
    done = third(known) if done is None else done
    nothing_opened: Mask = np.asarray((known.iss < 0).all(axis=1))
    return (
        _states(known, 0, acked, done, nothing_opened),
        _states(known, 1, acked, done, nothing_opened),
    )


def _states(known: Known, me: int, acked: tuple[Mask, Mask], done: Mask, midstream: Mask) -> Codes:
    peer = 1 - me
    closed, got = known.fin[:, me] >= 0, acked[peer]
    # An acknowledgement that came with the other's FIN came when that is acknowledged.
    told = beyond(known.plain[:, peer], known.fin[:, me]) | (acked[me] & got)
    passive = closed & (known.closed_by == peer) & beyond(known.fin_ack[:, me], known.fin[:, peer])
    made = np.full(len(closed), _CODE[State.SYN_SENT if me == 0 else State.LISTEN], np.uint8)
    opens = done | midstream
    if me == 1:
        np.putmask(made, known.iss[:, 1] >= 0, _CODE[State.SYN_RECEIVED])
        opens = done | (midstream & (known.spoke[:, 1] != 0))
    np.putmask(made, opens, _CODE[State.ESTABLISHED])
    np.putmask(made, got, _CODE[State.CLOSE_WAIT])
    both, known_closed = closed & got, closed & told
    over = known_closed & got
    for where, state in (
        (closed, State.FIN_WAIT_1),
        (both, State.CLOSING),
        (known_closed, State.FIN_WAIT_2),
        (over, State.TIME_WAIT),
        (over & (known.still_ns > TIME_WAIT_NS), State.CLOSED),
        (passive, State.LAST_ACK),
        (passive & told, State.CLOSED),
        (known.reset_by >= 0, State.CLOSED),
    ):
        np.putmask(made, where, _CODE[state])
    if me == 1:
        # A server that was not connected yet goes back to where it was (RFC 9293 section 3.10.7.4).
        np.putmask(made, (known.reset_by == 0) & ~done & ~midstream, _CODE[State.LISTEN])
    return made


def closed(known: Known) -> Mask:
    """Both ends have closed, and need not wait for anything but time.

    Of connections of which both FINs are known: CLOSED or TIME-WAIT, as :func:`states` says.
    """
    acked = fins_acked(known)
    both = acked[0] & acked[1]
    over: Mask = np.asarray((known.fin[:, 0] >= 0) & (known.fin[:, 1] >= 0))
    for me in range(2):
        peer = 1 - me
        told = beyond(known.plain[:, peer], known.fin[:, me])
        passive = known.closed_by == peer
        passive &= beyond(known.fin_ack[:, me], known.fin[:, peer])
        over &= both | (told & (passive | acked[peer]))
    return over

"""The TCP state machine of RFC 9293 as one table.

Theory of operation
-------------------
A connection has two ends and each end is in one of eleven states. An end moves
for three kinds of reason: its user asks for something (OPEN, SEND, CLOSE,
ABORT: section 3.10.1 to 3.10.5), a segment arrives (3.10.7), or a timer goes
off (3.10.8). :data:`TRANSITIONS` has one row for each such move, also those
that the RFC's figure leaves out: resets, timeouts, a FIN that acknowledges
ours. Rows that lead from a state to itself are kept where the RFC asks for an
answer (a challenge ACK, a repeated ACK of a FIN), because that answer is seen
on the wire.

The table is executed by the tracker (:func:`find`), drawn by the state
diagram, quoted by the explanations and enumerated by the tests. What Linux
does otherwise is a note on a row, never another state.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass


class State(enum.Enum):
    """The eleven states of RFC 9293 section 3.3.2; values are the RFC's names."""

    CLOSED = "CLOSED"
    LISTEN = "LISTEN"
    SYN_SENT = "SYN-SENT"
    SYN_RECEIVED = "SYN-RECEIVED"
    ESTABLISHED = "ESTABLISHED"
    FIN_WAIT_1 = "FIN-WAIT-1"
    FIN_WAIT_2 = "FIN-WAIT-2"
    CLOSE_WAIT = "CLOSE-WAIT"
    CLOSING = "CLOSING"
    LAST_ACK = "LAST-ACK"
    TIME_WAIT = "TIME-WAIT"

    __hash__ = object.__hash__  # the standard one is a call of Python, many times a segment

    def __str__(self) -> str:
        return self.value


SYNCHRONIZED = frozenset(State) - {
    State.CLOSED,
    State.LISTEN,
    State.SYN_SENT,
    State.SYN_RECEIVED,
}
"""States in which both ends have agreed on each other's sequence numbers."""


class Event(enum.Enum):
    """Why an end moves; values are what the diagram writes on the edge."""

    PASSIVE_OPEN = "passive OPEN"
    ACTIVE_OPEN = "active OPEN"
    SEND = "SEND"
    CLOSE = "CLOSE"
    ABORT = "ABORT"
    RCV_SYN = "rcv SYN"
    RCV_SYN_ACK = "rcv SYN,ACK"
    RCV_ACK_OF_SYN = "rcv ACK of SYN"
    RCV_FIN = "rcv FIN"
    RCV_ACK_OF_FIN = "rcv ACK of FIN"
    RCV_FIN_AND_ACK_OF_FIN = "rcv FIN, ACK of FIN"
    RCV_RST = "rcv RST"
    RCV_UNACCEPTABLE = "rcv unacceptable segment"
    RCV_NEW_SYN = "rcv new SYN"
    USER_TIMEOUT = "user timeout"
    TIMEOUT_2MSL = "timeout 2MSL"

    __hash__ = object.__hash__  # the standard one is a call of Python, many times a segment


class Opened(enum.Enum):
    """How an end began; some rows hold for one kind only."""

    PASSIVE = "passive OPEN"
    ACTIVE = "active OPEN"


@dataclass(frozen=True, slots=True)
class Transition:
    """One edge.

    ``action``  what the end sends or does, as the figure writes it ("snd ACK")
    ``section`` of RFC 9293 that says so
    ``figure``  whether the RFC's figure 5 draws it
    ``opened``  the row holds only for an end that began so; ``None``: for both
    ``note``    Linux's particulars, or what the RFC adds
    """

    before: State
    event: Event
    action: str
    after: State
    section: str
    figure: bool = False
    opened: Opened | None = None
    note: str = ""

    @property
    def label(self) -> str:
        """``event / action`` as on the diagram's edge; no slash where nothing is done."""
        return f"{self.event.value} / {self.action}" if self.action else self.event.value


def _rows() -> tuple[Transition, ...]:
    s, e = State, Event
    row = Transition
    users = (
        # 3.10.1 OPEN, 3.10.2 SEND
        row(s.CLOSED, e.PASSIVE_OPEN, "create TCB", s.LISTEN, "3.10.1", True, note="listen()"),
        row(s.CLOSED, e.ACTIVE_OPEN, "snd SYN", s.SYN_SENT, "3.10.1", True, note="connect()"),
        row(
            s.LISTEN,
            e.ACTIVE_OPEN,
            "snd SYN",
            s.SYN_SENT,
            "3.10.1",
            note="Linux: connect() on a listening socket fails with EISCONN",
        ),
        row(
            s.LISTEN,
            e.SEND,
            "snd SYN",
            s.SYN_SENT,
            "3.10.2",
            True,
            note="Linux: send() on a listening socket fails with EPIPE",
        ),
        # 3.10.4 CLOSE
        row(s.LISTEN, e.CLOSE, "delete TCB", s.CLOSED, "3.10.4", True),
        row(s.SYN_SENT, e.CLOSE, "delete TCB", s.CLOSED, "3.10.4", True),
        row(
            s.SYN_RECEIVED,
            e.CLOSE,
            "snd FIN",
            s.FIN_WAIT_1,
            "3.10.4",
            True,
            note="Linux: only after a simultaneous open; a passive opener has no socket yet",
        ),
        row(s.ESTABLISHED, e.CLOSE, "snd FIN", s.FIN_WAIT_1, "3.10.4", True, note="active close"),
        row(s.CLOSE_WAIT, e.CLOSE, "snd FIN", s.LAST_ACK, "3.10.4", True, note="passive close"),
    )
    aborts = tuple(
        row(before, e.ABORT, action, s.CLOSED, "3.10.5", note=note)
        for before, action, note in (
            (s.LISTEN, "delete TCB", ""),
            (s.SYN_SENT, "delete TCB", ""),
            (s.SYN_RECEIVED, "snd RST", ""),
            (s.ESTABLISHED, "snd RST", "Linux: SO_LINGER 0, or close() with unread data"),
            (s.FIN_WAIT_1, "snd RST", ""),
            (s.FIN_WAIT_2, "snd RST", "Linux: data that arrives after close() is answered so"),
            (s.CLOSE_WAIT, "snd RST", "Linux: SO_LINGER 0, or close() with unread data"),
            (s.CLOSING, "delete TCB", "the RFC sends nothing here"),
            (s.LAST_ACK, "delete TCB", "the RFC sends nothing here"),
            (s.TIME_WAIT, "delete TCB", "the RFC sends nothing here"),
        )
    )
    arrivals = (
        # 3.10.7.1 CLOSED, 3.10.7.2 LISTEN
        row(
            s.CLOSED,
            e.RCV_UNACCEPTABLE,
            "snd RST",
            s.CLOSED,
            "3.10.7.1",
            note="anything but a RST that reaches a closed port is answered with a RST",
        ),
        row(s.LISTEN, e.RCV_SYN, "snd SYN,ACK", s.SYN_RECEIVED, "3.10.7.2", True),
        row(s.LISTEN, e.RCV_UNACCEPTABLE, "snd RST", s.LISTEN, "3.10.7.2", note="any ACK"),
        # 3.10.7.3 SYN-SENT
        row(s.SYN_SENT, e.RCV_SYN_ACK, "snd ACK", s.ESTABLISHED, "3.10.7.3", True),
        row(
            s.SYN_SENT,
            e.RCV_SYN,
            "snd SYN,ACK",
            s.SYN_RECEIVED,
            "3.10.7.3",
            True,
            note="simultaneous open",
        ),
        row(s.SYN_SENT, e.RCV_RST, "", s.CLOSED, "3.10.7.3", note="connection refused"),
        row(
            s.SYN_SENT,
            e.RCV_UNACCEPTABLE,
            "snd RST",
            s.SYN_SENT,
            "3.10.7.3",
            note="an ACK of something never sent: an old duplicate's answer",
        ),
        # 3.10.7.4, second: the RST bit
        row(
            s.SYN_RECEIVED,
            e.RCV_RST,
            "",
            s.LISTEN,
            "3.10.7.4",
            True,
            Opened.PASSIVE,
            note="the listener listens on; this connection is gone",
        ),
        row(
            s.SYN_RECEIVED,
            e.RCV_RST,
            "",
            s.CLOSED,
            "3.10.7.4",
            opened=Opened.ACTIVE,
            note="simultaneous open, refused",
        ),
        row(s.ESTABLISHED, e.RCV_RST, "", s.CLOSED, "3.10.7.4", note="connection reset"),
        row(s.FIN_WAIT_1, e.RCV_RST, "", s.CLOSED, "3.10.7.4", note="connection reset"),
        row(s.FIN_WAIT_2, e.RCV_RST, "", s.CLOSED, "3.10.7.4", note="connection reset"),
        row(s.CLOSE_WAIT, e.RCV_RST, "", s.CLOSED, "3.10.7.4", note="connection reset"),
        row(s.CLOSING, e.RCV_RST, "", s.CLOSED, "3.10.7.4"),
        row(s.LAST_ACK, e.RCV_RST, "", s.CLOSED, "3.10.7.4"),
        row(
            s.TIME_WAIT,
            e.RCV_RST,
            "",
            s.CLOSED,
            "3.10.7.4",
            note="Linux: so too, unless net.ipv4.tcp_rfc1337 is set",
        ),
        # 3.10.7.4, fourth: the SYN bit
        row(
            s.SYN_RECEIVED,
            e.RCV_NEW_SYN,
            "",
            s.LISTEN,
            "3.10.7.4",
            opened=Opened.PASSIVE,
            note="Linux: answers with its SYN,ACK or a challenge ACK and stays",
        ),
        row(
            s.TIME_WAIT,
            e.RCV_NEW_SYN,
            "snd SYN,ACK",
            s.SYN_RECEIVED,
            "3.10.7.4",
            note="a new connection with the same addresses and ports (section 3.6.1)",
        ),
        # 3.10.7.4, fifth: the ACK field
        row(s.SYN_RECEIVED, e.RCV_ACK_OF_SYN, "", s.ESTABLISHED, "3.10.7.4", True),
        row(s.FIN_WAIT_1, e.RCV_ACK_OF_FIN, "", s.FIN_WAIT_2, "3.10.7.4", True),
        row(s.CLOSING, e.RCV_ACK_OF_FIN, "", s.TIME_WAIT, "3.10.7.4", True),
        row(s.LAST_ACK, e.RCV_ACK_OF_FIN, "", s.CLOSED, "3.10.7.4", True),
        # 3.10.7.4, eighth: the FIN bit
        row(
            s.SYN_RECEIVED,
            e.RCV_FIN,
            "snd ACK",
            s.CLOSE_WAIT,
            "3.10.7.4",
            note="the FIN's own ACK completes the handshake first",
        ),
        row(s.ESTABLISHED, e.RCV_FIN, "snd ACK", s.CLOSE_WAIT, "3.10.7.4", True),
        row(
            s.FIN_WAIT_1,
            e.RCV_FIN,
            "snd ACK",
            s.CLOSING,
            "3.10.7.4",
            True,
            note="simultaneous close",
        ),
        row(
            s.FIN_WAIT_1,
            e.RCV_FIN_AND_ACK_OF_FIN,
            "snd ACK",
            s.TIME_WAIT,
            "3.10.7.4",
            note="the other end's FIN acknowledges ours: FIN-WAIT-2 is passed over",
        ),
        row(s.FIN_WAIT_2, e.RCV_FIN, "snd ACK", s.TIME_WAIT, "3.10.7.4", True),
        row(
            s.TIME_WAIT,
            e.RCV_FIN,
            "snd ACK, restart 2MSL",
            s.TIME_WAIT,
            "3.10.7.4",
            note="our last ACK was lost, and the other end repeats its FIN",
        ),
    )
    challenges = tuple(
        row(
            state,
            e.RCV_UNACCEPTABLE,
            "snd ACK",
            state,
            "3.10.7.4",
            note="out of the window, or a SYN or RST that may be forged (RFC 5961)",
        )
        for state in (
            s.SYN_RECEIVED,
            s.ESTABLISHED,
            s.FIN_WAIT_1,
            s.FIN_WAIT_2,
            s.CLOSE_WAIT,
            s.CLOSING,
            s.LAST_ACK,
            s.TIME_WAIT,
        )
    )
    timers = tuple(
        row(before, e.USER_TIMEOUT, "delete TCB", s.CLOSED, "3.10.8", note=note)
        for before, note in (
            (s.SYN_SENT, "Linux: ETIMEDOUT after tcp_syn_retries"),
            (s.SYN_RECEIVED, "Linux: given up after tcp_synack_retries"),
            (s.ESTABLISHED, "Linux: ETIMEDOUT after tcp_retries2, or keep-alive"),
            (s.FIN_WAIT_1, "Linux: tcp_orphan_retries"),
            (s.FIN_WAIT_2, "Linux: tcp_fin_timeout, 60 s; the RFC would wait for ever"),
            (s.CLOSE_WAIT, "Linux: never by itself; it is the application that must close"),
            (s.CLOSING, "Linux: tcp_orphan_retries"),
            (s.LAST_ACK, "Linux: tcp_orphan_retries"),
        )
    )
    end = (
        row(
            s.TIME_WAIT,
            e.TIMEOUT_2MSL,
            "delete TCB",
            s.CLOSED,
            "3.10.8",
            True,
            note="Linux: always 60 s",
        ),
    )
    return users + aborts + arrivals + challenges + timers + end


TRANSITIONS: tuple[Transition, ...] = _rows()
"""Every edge of section 3.10's text, in the order in which the text has them."""

_BY_KEY: dict[tuple[State, Event], tuple[Transition, ...]] = {}
for _row in TRANSITIONS:
    _BY_KEY[_row.before, _row.event] = (*_BY_KEY.get((_row.before, _row.event), ()), _row)


def find(before: State, event: Event, opened: Opened | None = None) -> Transition | None:
    """The row for ``event`` in state ``before``, or ``None`` where the RFC has no such move.

    ``opened`` chooses between rows that differ for active and passive openers;
    without it the row for a passive opener, the common case, comes first.
    """
    rows = _BY_KEY.get((before, event), ())
    for row in rows:
        if row.opened is None or opened is None or row.opened is opened:
            return row
    return None

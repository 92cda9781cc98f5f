"""What each move of the state machine means: one text for every row of TRANSITIONS.

Keys are (state before, event), with the kind of opener where the table has a
row for each. ``{Who}`` and ``{who}`` are the end that moves, ``{peer}`` the other
one. These are whole sentences, so that a catalogue can translate each as one.
"""

from __future__ import annotations

from typing import Final

from tcpviz.core.states import Event, Opened, State, Transition

Key = tuple[State, Event, Opened | None]


def key_of(row: Transition) -> Key:
    """A row's key: no two rows of the table share one."""
    return (row.before, row.event, row.opened)


_S, _E = State, Event

MOVES: Final[dict[Key, str]] = {
    # -- OPEN, SEND, CLOSE: the application asks -------------------------------
    (_S.CLOSED, _E.PASSIVE_OPEN, None): (
        "{Who} listens: listen() turned its socket into a LISTEN one, and from now on its kernel "
        "answers SYNs by itself."
    ),
    (_S.CLOSED, _E.ACTIVE_OPEN, None): (
        "{Who} opens actively: connect() has its kernel choose an initial sequence number and send "
        "it in a SYN; the call blocks until that is answered."
    ),
    (_S.LISTEN, _E.ACTIVE_OPEN, None): (
        "{Who} turns its listening socket round and opens actively with a SYN: allowed by the RFC, "
        "refused by Linux (EISCONN)."
    ),
    (_S.LISTEN, _E.SEND, None): (
        "{Who} sends on a listening socket, which the RFC takes for an active open and a SYN; "
        "Linux refuses it (EPIPE)."
    ),
    (_S.LISTEN, _E.CLOSE, None): (
        "{Who} stops listening: new SYNs to this port will get a RST; accepted connections live "
        "on, those still waiting for accept() are reset."
    ),
    (_S.SYN_SENT, _E.CLOSE, None): (
        "{Who} gives up opening before any answer came: nothing is sent, and a late SYN,ACK will "
        "get a RST."
    ),
    (_S.SYN_RECEIVED, _E.CLOSE, None): (
        "{Who} closes before its handshake is complete: its FIN follows its SYN. On Linux only a "
        "simultaneous open leads here, for a passive opener has no socket yet."
    ),
    (_S.ESTABLISHED, _E.CLOSE, None): (
        "{Who} closes, and {peer} has not, as far as it knows (active close): its FIN says 'I have "
        "no more to send'; it can still receive."
    ),
    (_S.CLOSE_WAIT, _E.CLOSE, None): (
        "{Who} has no more to send either and closes second (passive close): after its FIN only "
        "the ACK of it is awaited."
    ),
    # -- ABORT: the application wants no more of it ----------------------------
    (_S.LISTEN, _E.ABORT, None): (
        "{Who} drops its listening socket at once; it has no connection, so there is nobody to "
        "send a RST to."
    ),
    (_S.SYN_SENT, _E.ABORT, None): (
        "{Who} drops its attempt to connect. The RFC sends nothing here; if a RST is sent, there "
        "is no socket (any more), as with port scanners that make their SYNs by hand."
    ),
    (_S.SYN_RECEIVED, _E.ABORT, None): (
        "{Who} throws the half-open connection away and tells {peer} so with a RST: {peer} may "
        "take it for open already and gets ECONNRESET."
    ),
    (_S.ESTABLISHED, _E.ABORT, None): (
        "{Who} aborts: a RST instead of a FIN, because of SO_LINGER 0, data left unread at close() "
        "or the like. Data under way is lost, and {peer} gets ECONNRESET."
    ),
    (_S.FIN_WAIT_1, _E.ABORT, None): (
        "{Who} had sent its FIN and now aborts with a RST: it will not wait for the ACK, and "
        "whatever {peer} still sends finds no socket."
    ),
    (_S.FIN_WAIT_2, _E.ABORT, None): (
        "{Who} had closed, and something arrived that no application can read any more: its kernel "
        "answers with a RST, and {peer} gets EPIPE or ECONNRESET."
    ),
    (_S.CLOSE_WAIT, _E.ABORT, None): (
        "{Who} answers {peer}'s orderly FIN with a RST: SO_LINGER 0, or close() with data still "
        "unread."
    ),
    (_S.CLOSING, _E.ABORT, None): (
        "{Who} forgets the connection while both FINs cross; the RFC sends nothing, since both "
        "sides have finished anyway."
    ),
    (_S.LAST_ACK, _E.ABORT, None): (
        "{Who} forgets the connection without waiting for the ACK of its FIN; the RFC sends "
        "nothing here."
    ),
    (_S.TIME_WAIT, _E.ABORT, None): (
        "{Who} cuts TIME-WAIT short; the RFC sends nothing, but an old duplicate may now meet a "
        "new connection with the same ports."
    ),
    # -- a segment arrives in CLOSED and LISTEN --------------------------------
    (_S.CLOSED, _E.RCV_UNACCEPTABLE, None): (
        "Nobody at {who} listens on that port, so its kernel answers with a RST: this is how "
        "'connection refused' is made."
    ),
    (_S.LISTEN, _E.RCV_SYN, None): (
        "{Who}'s kernel answers the SYN by itself, no accept() is needed for that: a half-open "
        "connection waits in the SYN queue for the third segment."
    ),
    (_S.LISTEN, _E.RCV_UNACCEPTABLE, None): (
        "{Who} listens, but this acknowledges something it never sent: a RST tells {peer} that no "
        "such connection exists."
    ),
    # -- in SYN-SENT -----------------------------------------------------------
    (_S.SYN_SENT, _E.RCV_SYN_ACK, None): (
        "{Who} gets its SYN acknowledged, with {peer}'s SYN in the same segment: connect() returns "
        "now, on the second segment, while its ACK is only leaving."
    ),
    (_S.SYN_SENT, _E.RCV_SYN, None): (
        "Simultaneous open: instead of an answer, {peer}'s own SYN reaches {who}, which answers it "
        "with SYN,ACK. It will be one connection, not two."
    ),
    (_S.SYN_SENT, _E.RCV_RST, None): (
        "{Who}'s SYN was answered with a RST: nobody listens there (or a firewall says so), and "
        "connect() fails with ECONNREFUSED at once."
    ),
    (_S.SYN_SENT, _E.RCV_UNACCEPTABLE, None): (
        "{Who} is opening and gets an ACK for something it never sent, a leftover of an old "
        "connection: it answers with a RST and goes on waiting."
    ),
    # -- RST -------------------------------------------------------------------
    (_S.SYN_RECEIVED, _E.RCV_RST, Opened.PASSIVE): (
        "The half-open connection is reset: {who} drops it from its SYN queue and the listener "
        "listens on; accept() never hears of it."
    ),
    (_S.SYN_RECEIVED, _E.RCV_RST, Opened.ACTIVE): (
        "A RST ends the simultaneous open: {who}'s connect() fails (the RFC: refused; Linux: "
        "ECONNRESET), and its socket is closed, for it never listened."
    ),
    (_S.ESTABLISHED, _E.RCV_RST, None): (
        "A RST ends the connection at once: {who}'s next recv() or send() fails with ECONNRESET, "
        "and what was still in its send buffer is gone. A RST gets no answer."
    ),
    (_S.FIN_WAIT_1, _E.RCV_RST, None): (
        "{Who} has sent its FIN and gets a RST in return: {peer} has no such socket, or closed it "
        "with data unread. What it had not acknowledged may be lost."
    ),
    (_S.FIN_WAIT_2, _E.RCV_RST, None): (
        "{Who} was waiting for {peer}'s FIN and gets a RST instead: {peer} ended abruptly, and no "
        "TIME-WAIT follows."
    ),
    (_S.CLOSE_WAIT, _E.RCV_RST, None): (
        "{Peer} had closed and now resets, mostly because {who} sent something that nobody there "
        "can read any more: {who}'s next call fails (Linux: EPIPE)."
    ),
    (_S.CLOSING, _E.RCV_RST, None): (
        "A RST ends the simultaneous close early: {who} forgets the connection, without TIME-WAIT."
    ),
    (_S.LAST_ACK, _E.RCV_RST, None): (
        "{Who} awaited the last ACK and gets a RST: {peer} has forgotten the connection already. "
        "Both are done either way."
    ),
    (_S.TIME_WAIT, _E.RCV_RST, None): (
        "A RST kills {who}'s TIME-WAIT before its time ('TIME-WAIT assassination', RFC 1337); "
        "Linux allows it unless tcp_rfc1337 is set."
    ),
    # -- a SYN where none is expected ------------------------------------------
    (_S.SYN_RECEIVED, _E.RCV_NEW_SYN, Opened.PASSIVE): (
        "Another SYN, with another number, reaches the half-open connection: by the RFC {who} "
        "returns to LISTEN; Linux repeats its SYN,ACK or a challenge ACK and stays."
    ),
    (_S.TIME_WAIT, _E.RCV_NEW_SYN, None): (
        "A new SYN with the same addresses and ports wakes {who} from TIME-WAIT: its number is "
        "beyond the old ones, so no old duplicate can be taken for new data."
    ),
    # -- ACK -------------------------------------------------------------------
    (_S.SYN_RECEIVED, _E.RCV_ACK_OF_SYN, None): (
        "The handshake's last ACK: {who} now knows that {peer} has its number. The connection "
        "moves from the SYN queue to the accept queue, and accept() can return it."
    ),
    (_S.FIN_WAIT_1, _E.RCV_ACK_OF_FIN, None): (
        "{Who}'s FIN is acknowledged: its direction is closed. The other one is open as long as "
        "{peer} likes (half-close)."
    ),
    (_S.CLOSING, _E.RCV_ACK_OF_FIN, None): (
        "{Who}'s FIN is acknowledged, and {peer}'s has crossed it: {who} goes to TIME-WAIT, as "
        "{peer} will by the ACK of its own. After a simultaneous close both ends wait."
    ),
    (_S.LAST_ACK, _E.RCV_ACK_OF_FIN, None): (
        "The last ACK: {who} knows that {peer} has everything, and forgets the connection at once. "
        "Who closes second needs no TIME-WAIT."
    ),
    # -- FIN -------------------------------------------------------------------
    (_S.SYN_RECEIVED, _E.RCV_FIN, None): (
        "{Peer} finishes before {who}'s application has even accepted: the FIN's own ACK completes "
        "the handshake first, then closes {peer}'s direction."
    ),
    (_S.ESTABLISHED, _E.RCV_FIN, None): (
        "{Peer} has no more to send: {who}'s kernel acknowledges the FIN by itself and recv() will "
        "return 0; {who} stays in CLOSE-WAIT until its application closes."
    ),
    (_S.FIN_WAIT_1, _E.RCV_FIN, None): (
        "Simultaneous close: {peer}'s FIN crosses {who}'s, which is not acknowledged yet; {who} "
        "acknowledges and waits for the ACK of its own."
    ),
    (_S.FIN_WAIT_1, _E.RCV_FIN_AND_ACK_OF_FIN, None): (
        "{Peer} closes in the same segment that acknowledges {who}'s FIN: three segments instead "
        "of four, and FIN-WAIT-2 is passed over."
    ),
    (_S.FIN_WAIT_2, _E.RCV_FIN, None): (
        "{Peer} has closed too: {who} sends the last ACK and keeps the port in TIME-WAIT, to "
        "repeat that ACK if it is lost and to let old duplicates die."
    ),
    (_S.TIME_WAIT, _E.RCV_FIN, None): (
        "{Peer}'s FIN comes again, so the last ACK was lost: {who} repeats it and starts its 2MSL "
        "anew. This is what TIME-WAIT is for."
    ),
    # -- segments that are not acceptable --------------------------------------
    (_S.SYN_RECEIVED, _E.RCV_UNACCEPTABLE, None): (
        "The segment does not fit {who}'s half-open connection, often a repeated SYN: it says in "
        "an ACK what it expects and waits on."
    ),
    (_S.ESTABLISHED, _E.RCV_UNACCEPTABLE, None): (
        "The segment is outside {who}'s window, or a SYN or RST that may be forged: {who} does not "
        "obey it but sends a challenge ACK (RFC 5961)."
    ),
    (_S.FIN_WAIT_1, _E.RCV_UNACCEPTABLE, None): (
        "{Who} has sent its FIN and gets a segment outside its window: it answers with an ACK of "
        "what it has, and still awaits the ACK of its FIN."
    ),
    (_S.FIN_WAIT_2, _E.RCV_UNACCEPTABLE, None): (
        "{Who} awaits {peer}'s FIN and gets a segment outside its window: an ACK tells {peer} "
        "where it should be."
    ),
    (_S.CLOSE_WAIT, _E.RCV_UNACCEPTABLE, None): (
        "{Peer} has closed, so nothing new can come from it: {who} answers what comes with an ACK, "
        "most likely to a FIN that was repeated."
    ),
    (_S.CLOSING, _E.RCV_UNACCEPTABLE, None): (
        "Both FINs are out and something old arrives: {who} acknowledges once more what it has and "
        "awaits the ACK of its FIN."
    ),
    (_S.LAST_ACK, _E.RCV_UNACCEPTABLE, None): (
        "{Who} awaits the last ACK and gets something else: it repeats its own ACK, and its timer "
        "will repeat its FIN."
    ),
    (_S.TIME_WAIT, _E.RCV_UNACCEPTABLE, None): (
        "An old duplicate reaches {who} in TIME-WAIT: it is answered with an ACK and does no harm, "
        "which is the second reason for TIME-WAIT."
    ),
    # -- timers ----------------------------------------------------------------
    (_S.SYN_SENT, _E.USER_TIMEOUT, None): (
        "{Who} gives its SYN up after all repetitions (Linux: tcp_syn_retries, some two minutes): "
        "connect() fails with ETIMEDOUT."
    ),
    (_S.SYN_RECEIVED, _E.USER_TIMEOUT, None): (
        "{Who} gives its SYN,ACK up (Linux: tcp_synack_retries): the half-open connection leaves "
        "the SYN queue, unseen by any application."
    ),
    (_S.ESTABLISHED, _E.USER_TIMEOUT, None): (
        "{Who} has repeated its data, or its keep-alive probes, in vain: the next call fails with "
        "ETIMEDOUT (Linux: tcp_retries2)."
    ),
    (_S.FIN_WAIT_1, _E.USER_TIMEOUT, None): (
        "{Who}'s FIN was never acknowledged: its kernel gives up for an application that has long "
        "gone (Linux: tcp_orphan_retries)."
    ),
    (_S.FIN_WAIT_2, _E.USER_TIMEOUT, None): (
        "{Peer} never closed: {who} forgets the closed socket after 60 s (Linux: tcp_fin_timeout); "
        "by the RFC it would wait for ever."
    ),
    (_S.CLOSE_WAIT, _E.USER_TIMEOUT, None): (
        "{Who} gives up in CLOSE-WAIT: data it still sent was never acknowledged. Without such "
        "data it would stay here until its application closes."
    ),
    (_S.CLOSING, _E.USER_TIMEOUT, None): (
        "In a simultaneous close the ACK of {who}'s FIN never came; it gives up (Linux: "
        "tcp_orphan_retries)."
    ),
    (_S.LAST_ACK, _E.USER_TIMEOUT, None): (
        "{Who} repeated its FIN in vain: the last ACK never came, and it forgets the connection "
        "(Linux: tcp_orphan_retries)."
    ),
    (_S.TIME_WAIT, _E.TIMEOUT_2MSL, None): (
        "TIME-WAIT is over: nothing old can arrive any more, and {who} may use the port again "
        "(Linux: 60 s; the RFC: 2MSL, four minutes)."
    ),
}
"""One text for each row; a test walks the table."""

MOVES_ACTIVE: Final[dict[Key, str]] = {
    (_S.SYN_RECEIVED, _E.RCV_ACK_OF_SYN, None): (
        "The simultaneous open is complete for {who}: {peer} has acknowledged its SYN, and its "
        "connect() returns. No listener and no accept() had a part in it."
    ),
}
"""Where the same row means something else to an end that opened actively."""

FOUND: Final[dict[str, str]] = {
    "midstream": "{Who} appears in {state} ({because}); what came before was not seen.",
    "correction": "{Who} is in {state}, not in {before} as was thought ({because}).",
}
"""Changes that no row of the table makes."""

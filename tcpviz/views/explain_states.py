"""What each state means: the texts behind Enter on a box of the diagram.

Each state is told under the same five headings, so that a screen can lay them
out and a catalogue can translate them one by one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from tcpviz.core.states import State


@dataclass(frozen=True, slots=True)
class StateText:
    """One state under its five headings.

    ``meaning`` what it is; ``application`` what the program sees meanwhile;
    ``ends`` what leads out, with its timer; ``section`` of RFC 9293; ``linux``
    its particulars there.
    """

    meaning: str
    application: str
    ends: str
    section: str
    linux: str


STATES: Final[dict[State, StateText]] = {
    State.CLOSED: StateText(
        "No connection: there is no record of it at all. The RFC calls the state fictional.",
        "Before connect() or listen(): a socket without a connection; send() fails with ENOTCONN "
        "or EPIPE. Afterwards: the descriptor may be long gone.",
        "listen() leads to LISTEN, connect() to SYN-SENT. Whatever arrives, except a RST, is "
        "answered with a RST.",
        "3.3.2, 3.10.7.1",
        "Closed sockets are in no table: ss shows none. A port with nobody listening answers RST "
        "(ECONNREFUSED); a firewall may stay silent instead (ETIMEDOUT).",
    ),
    State.LISTEN: StateText(
        "A server waits for anybody's SYN. This is a socket of its own; each connection gets "
        "another one.",
        "accept() blocks until a handshake is complete. Handshakes complete without accept(), as "
        "long as the queue has room.",
        "A SYN makes a half-open connection; close() ends listening. It has no timer.",
        "3.10.7.2",
        "Two queues: half-open ones (SYN queue) and complete ones (accept queue, limit is one "
        "more than the smaller of listen()'s backlog and somaxconn). If full: the last ACK is "
        "ignored, or a RST with tcp_abort_on_overflow; SYN cookies if the SYN queue is full.",
    ),
    State.SYN_SENT: StateText(
        "A client has sent its SYN and awaits the answer.",
        "connect() blocks; a non-blocking one returned EINPROGRESS, and the socket will become "
        "writable.",
        "SYN,ACK leads to ESTABLISHED, a crossing SYN to SYN-RECEIVED, a RST to CLOSED "
        "(ECONNREFUSED). The retransmission timer repeats the SYN.",
        "3.10.7.3",
        "First repeated after 1 s, then at growing pauses; tcp_syn_retries (6) gives up after some "
        "two minutes with ETIMEDOUT. Several such to one place: it is down or filtered.",
    ),
    State.SYN_RECEIVED: StateText(
        "Both SYNs are known here, but the ACK of the own one has not come: half-open.",
        "A listening application sees nothing yet; accept() still blocks. In a simultaneous open "
        "connect() still blocks.",
        "The ACK leads to ESTABLISHED, a RST back to LISTEN (or to CLOSED for one who opened "
        "actively). The SYN,ACK is repeated by timer.",
        "3.10.7.4",
        "Only a small request socket in the SYN queue (ss: SYN-RECV). tcp_synack_retries (5): "
        "given up after about 63 s. Many of them from many places: a SYN flood, met by SYN "
        "cookies.",
    ),
    State.ESTABLISHED: StateText(
        "The connection is open; data flows both ways.",
        "send() copies into the send buffer, recv() takes from the receive buffer; both block when "
        "theirs is full or empty.",
        "close() or shutdown() leads to FIN-WAIT-1, the other end's FIN to CLOSE-WAIT, a RST to "
        "CLOSED. Without traffic it may last for ever.",
        "3.10.7.4, 3.8",
        "Unacknowledged data is repeated with growing pauses; tcp_retries2 (15) gives up after "
        "some 15 minutes, ETIMEDOUT. SO_KEEPALIVE probes an idle one after two hours.",
    ),
    State.FIN_WAIT_1: StateText(
        "This end has closed first; its FIN is sent and not acknowledged.",
        "After close() the application has gone and the kernel works alone; after shutdown("
        "SHUT_WR) it can still recv().",
        "The ACK of the FIN leads to FIN-WAIT-2, a FIN without it to CLOSING, both at once to "
        "TIME-WAIT. The FIN is repeated by the retransmission timer.",
        "3.6, 3.10.7.4",
        "The FIN waits behind unsent data, so a zero window can keep it here. For orphans "
        "tcp_orphan_retries bounds the repetitions.",
    ),
    State.FIN_WAIT_2: StateText(
        "This end's direction is closed and acknowledged; the other direction is still open: "
        "half-closed.",
        "After shutdown(SHUT_WR) recv() still brings the other end's data. After close() nobody "
        "reads: data that arrives is answered with a RST.",
        "The other end's FIN leads to TIME-WAIT. The RFC has no timer here.",
        "3.6, 3.10.7.4",
        "A closed socket leaves after tcp_fin_timeout (60 s). Many of them: the other end does not "
        "close; look for its CLOSE-WAIT.",
    ),
    State.CLOSE_WAIT: StateText(
        "The other end has closed; this one has not. It may still send.",
        "recv() returns 0: end of file. send() still works. Nothing happens until the application "
        "itself calls close().",
        "close() sends the FIN and leads to LAST-ACK. No timer: it lasts as long as the program "
        "wants.",
        "3.6, 3.10.7.4",
        "Never ended by the kernel. Many old ones are a bug of the program: it does not notice "
        "recv() = 0, or loses descriptors.",
    ),
    State.CLOSING: StateText(
        "Both ends have sent their FIN before they got the other's: simultaneous close. The ACK "
        "of the own FIN is missing.",
        "Nothing: both applications have closed already.",
        "The ACK of the FIN leads to TIME-WAIT. The FIN is repeated by the retransmission timer.",
        "3.6 (case 3), figure 13",
        "Rarely seen, for it lasts half a round trip at most; tcp_orphan_retries bounds it.",
    ),
    State.LAST_ACK: StateText(
        "Both FINs are sent, and the ACK of this end's FIN is the last thing missing.",
        "Nothing: the application has closed.",
        "The ACK of the FIN leads to CLOSED at once. The FIN is repeated by the retransmission "
        "timer.",
        "3.6, 3.10.7.4",
        "tcp_orphan_retries bounds the repetitions. Many of them: the last ACKs do not come "
        "through.",
    ),
    State.TIME_WAIT: StateText(
        "Both directions are closed and this end, who closed first, keeps the addresses and ports "
        "occupied for 2MSL. If its last ACK is lost it can repeat it, and old duplicates cannot "
        "be taken for those of a new connection.",
        "Nothing: close() has long returned. bind() to the port may fail with EADDRINUSE without "
        "SO_REUSEADDR.",
        "Its timer leads to CLOSED. A repeated FIN is acknowledged again and restarts it; a new "
        "SYN with a higher number begins a new connection.",
        "3.6.1, 3.10.7.4, 3.10.8",
        "Always 60 s (TCP_TIMEWAIT_LEN), in a small socket of its own; tcp_tw_reuse lets new "
        "outgoing connections take over; tcp_max_tw_buckets bounds their number. Thousands on "
        "the side that closes first are normal.",
    ),
}

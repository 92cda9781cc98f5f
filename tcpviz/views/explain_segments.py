"""What a segment says, by its flags; texts for one that moves nobody, and additions.

``{Who}``/``{who}`` sends it, ``{peer}`` is to receive it. ``{seq}``, ``{ack}`` and
``{next}`` (the number after its last byte) are relative, ``{count}`` its bytes of
data, ``{window}`` the window field.
"""

from __future__ import annotations

from typing import Final

KINDS: Final[dict[str, str]] = {
    "syn": (
        "{Who} sends a SYN: 'my numbers begin at {raw}'. It takes up one sequence number, as if it "
        "were a byte, so it can be acknowledged and repeated."
    ),
    "syn-data": (
        "{Who} sends a SYN with {bytes} of data (TCP Fast Open): {peer} may hand it to its "
        "application before the handshake is complete."
    ),
    "syn-ack": (
        "{Who} answers with SYN,ACK: its own first number ({raw}), and the acknowledgement of "
        "{peer}'s SYN, in one segment."
    ),
    "syn-ack-data": (
        "{Who} answers with SYN,ACK and sends {bytes} of data with it, before the handshake is "
        "complete (Fast Open)."
    ),
    "ack": (
        "{Who} sends a pure ACK: it has everything before {ack}, which it expects next. It takes "
        "up no sequence number, so nobody acknowledges it."
    ),
    "ack-of-syn": (
        "{Who} sends the third segment, the ACK of {peer}'s SYN; {who} is ESTABLISHED already, "
        "{peer} will be when it arrives."
    ),
    "data": (
        "{Who} sends {bytes} of data, {numbers}, and acknowledges everything before "
        "{ack}; {peer} will acknowledge with {next}."
    ),
    "data-again": (
        "{Who} sends {bytes} of data, {numbers}, and acknowledges everything before "
        "{ack}; {peer} will acknowledge with {next}, or with more if it has what follows already."
    ),
    "fin": (
        "{Who} sends its FIN: 'that was all from me'. It has the number {fin} and takes up one, so "
        "it will be acknowledged with {next} and repeated if need be."
    ),
    "fin-data": (
        "{Who} sends its last {bytes} and its FIN in the same segment; the ACK of both together "
        "will be {next}."
    ),
    "rst": (
        "{Who} sends a RST with number {seq}: there is no connection for what it got, or it gives "
        "up at once. A RST is neither acknowledged nor repeated."
    ),
    "rst-ack": (
        "{Who} sends RST,ACK: {peer}'s segment found nobody who wants it, or {who} gives up at "
        "once. A RST is neither acknowledged nor repeated."
    ),
    "rst-data": (
        "{Who} sends a RST with {bytes} of data, which may only tell the reason (RFC 9293, "
        "3.5.3); it is not passed to the application."
    ),
    "none": (
        "No flag is set: not even ACK, which every segment after the SYN must carry. {Peer} drops "
        "it; only scanners (null scan) and broken stacks send such."
    ),
    "no-ack": (
        "{flags} without ACK: after the SYN every segment must carry one. {Peer} drops it if it "
        "has the connection, and answers with a RST if not; scanners send such."
    ),
    "syn-fin": (
        "SYN and FIN at once contradict each other: no honest stack sends that, only scanners and "
        "evasion tools. Linux drops it in LISTEN."
    ),
    "syn-rst": (
        "SYN and RST at once contradict each other: the RST is looked at first, so at most "
        "something ends. Only crafted packets look so."
    ),
    "fin-rst": (
        "FIN and RST at once contradict each other: the RST is looked at first and the FIN "
        "ignored. No honest stack sends that."
    ),
    "xmas": (
        "FIN, PSH and URG without ACK: a 'Christmas tree' scan, which asks whether the port is "
        "closed (a closed one answers with a RST, an open one is silent)."
    ),
}
"""A segment by its flags. One of these fits any combination of the nine bits."""

ARRIVED: Final[dict[str, str]] = {
    "syn": "{Who}'s SYN reaches {peer}.",
    "syn-ack": "{Who}'s SYN,ACK reaches {peer}.",
    "ack": "{Who}'s ACK reaches {peer}: everything before {ack} has got there and need not be kept "
    "for repeating.",
    "data": (
        "{bytes} of {who}'s data reach {peer}'s receive buffer; its application gets them with its "
        "next recv()."
    ),
    "fin": "{Who}'s FIN reaches {peer}.",
    "rst": "{Who}'s RST reaches {peer}, whose number decides whether it is obeyed.",
    "other": "{Who}'s segment ({flags}) reaches {peer}.",
}
"""The same at its arrival, where it moves nobody."""

LOST: Final[dict[str, str]] = {
    "syn": (
        "{Who}'s SYN is lost on the way, and nobody is told: {who}'s timer will repeat it, first "
        "after one second."
    ),
    "syn-ack": (
        "{Who}'s SYN,ACK is lost on the way: both timers run now, {who}'s for the SYN,ACK and "
        "{peer}'s for its SYN."
    ),
    "ack": (
        "{Who}'s ACK is lost on the way. Nobody repeats an ACK for its own sake: a later one "
        "covers it, or {peer} repeats what was to be acknowledged."
    ),
    "data": (
        "{bytes} of {who}'s data are lost on the way: {who} repeats them when its timer goes off, "
        "or sooner, after three duplicate ACKs."
    ),
    "fin": (
        "{Who}'s FIN is lost on the way: {who} repeats it when its timer goes off, and {peer} "
        "knows nothing of it meanwhile."
    ),
    "rst": (
        "{Who}'s RST is lost on the way: nobody repeats it, and {peer} keeps a connection that "
        "exists no more, until it sends something."
    ),
    "other": "{Who}'s segment ({flags}) is lost on the way, and nobody is told.",
}
"""The same where it is known to have died."""

ADDITIONS: Final[dict[str, str]] = {
    "urgent": "URG: urgent data ends at offset {urgent} of it.",
    "ecn-setup": "ECE and CWR offer ECN (RFC 3168).",
    "ecn-agreed": "ECE agrees to ECN (RFC 3168).",
    "ecn-accurate": "AE, CWR and ECE offer accurate ECN (RFC 9768).",
    "ece": "ECE: {who} was told of congestion and passes it on.",
    "cwr": "CWR: {who} has reduced its sending rate.",
    "ae": "AE belongs to accurate ECN's counter (RFC 9768).",
    "ce": "A router on its way marked it: congestion experienced (ECN, RFC 3168).",
    "sack": "SACK: {who} also has what lies beyond a hole (RFC 2018).",
    "dsack": "D-SACK: {who} got something twice, and tells which (RFC 2883).",
    "other-data": "The same numbers came before with other data: one of the two was forged or "
    "rewritten.",
    "zero-window": "Its window is 0: {peer} must stop sending data.",
    "malformed": "Its options could not be read to the end.",
    "cut-options": "The capture has cut off its options: what else it offers is not known.",
    "checksum": "Its checksum is wrong: {peer} will drop it, unless the card fills it in later.",
    "implied": "No packet was captured here: the kernel's states imply it.",
}

MARKS: Final[dict[str, str]] = {
    "retransmission": (
        "A retransmission: {who} sent this before and got no ACK in time; most likely its timer "
        "went off."
    ),
    "retransmission-crossing": (
        "{Who}'s SYN once more, now with the ACK of {peer}'s: analysers call it a retransmission, "
        "for its number was sent before."
    ),
    "fast_retransmission": (
        "A fast retransmission: duplicate ACKs told {who} of the hole, so it did not wait for its "
        "timer."
    ),
    "spurious_retransmission": (
        "A needless retransmission: {peer} had acknowledged this already; the ACK came late or "
        "was lost."
    ),
    "out_of_order": (
        "Out of order: it was overtaken by later segments on the way; {peer} keeps those until "
        "this one fills the hole."
    ),
    "lost_segment": (
        "Something before this one is missing in the capture: lost on the way, or not captured."
    ),
    "ack_lost_segment": (
        "It acknowledges data that is not in the capture: so that data did arrive, and the capture "
        "missed it."
    ),
    "duplicate_ack": (
        "A duplicate ACK (number {number}): {who} repeats that it awaits {ack}, mostly because "
        "later segments arrive without it; the third one makes {peer} send it again at once."
    ),
    "zero_window": (
        "Zero window: {who}'s receive buffer is full, because its application does not read; "
        "{peer} must stop and may only probe."
    ),
    "zero_window_probe": (
        "A window probe: {who} may not send, so it asks with as little as it can whether the "
        "window has opened."
    ),
    "zero_window_probe_ack": "The answer to a window probe: {who}'s window is still closed.",
    "window_full": (
        "With this {who} has filled the window that {peer} offers: it must wait for an ACK."
    ),
    "window_update": (
        "A window update: {who} acknowledges nothing new but has room again, its application has "
        "read."
    ),
    "keep_alive": (
        "A keep-alive: {who} asks, with a number already acknowledged, whether {peer} is still "
        "there."
    ),
    "keep_alive_ack": "The answer to a keep-alive: {who} is still there.",
    "reused_ports": (
        "The same addresses and ports as an earlier connection, used again: a new connection "
        "begins here."
    ),
    "tfo_syn": "A SYN with data or a cookie of TCP Fast Open.",
    "tfo_ack": "{Who} acknowledges the SYN's data, too: Fast Open is accepted.",
    "tfo_ignored": "{Who} acknowledges the SYN but not its data: Fast Open is declined.",
    "captured_twice": (
        "The same packet once more: the capture saw it twice, on two interfaces or on its way in "
        "and out."
    ),
}
"""By the mark's name; they come before the words on the flags."""

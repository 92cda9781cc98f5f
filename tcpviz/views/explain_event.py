"""What the kernel told at the very moment: a tracepoint in a sentence, and in a chart's line."""

from __future__ import annotations

from typing import Final

from tcpviz.core.kernel_events import KernelEvent, Told, may_be_call
from tcpviz.core.states import State
from tcpviz.core.timeline import Step
from tcpviz.views.explain_fill import Fill
from tcpviz.views.spans import clean
from tcpviz.words import _

EVENTS: Final[dict[str, str]] = {
    "state": "{Who}'s kernel says at this moment: from {before} to {after}.",
    "caller": "It was a call of {process}.",
    "waits": "The socket passes into a time-wait socket, which the kernel tells no more of.",
    "late": "Linux makes a socket of a half-open connection only now: it had a small entry before.",
    "again-timeout": "{Who}'s kernel sends again because its timer has run out.",
    "again-recovery": "{Who}'s kernel sends again what acknowledgements show to be missing.",
    "again-probe": "{Who}'s kernel sends its last segment again to see whether it was lost.",
    "again-syn-ack": "{Who}'s kernel repeats its SYN,ACK: the third segment has not come.",
    "again": "{Who}'s kernel sends a segment again.",
    "reset-received": "{Who}'s kernel has got the reset, and takes it.",
    "reset-sent": "{Who}'s kernel sends a reset ({reason}).",
    "reset": "{Who}'s kernel sends a reset.",
}
"""By what was told."""

RESETS: Final[dict[str, str]] = {
    "no-socket": "nobody has a socket there",
    "tcp-abort-on-close": "the program closed it with data that nobody had read",
    "tcp-abort-on-linger": "the program wants no FIN-WAIT-2 (TCP_LINGER2)",
    "tcp-abort-on-data": "data came for a socket that the program had closed",
    "tcp-abort-on-memory": "the kernel ran out of memory for sockets without a program",
    "tcp-disconnect-with-data": "the program disconnected it with data under way",
    "tcp-keepalive-timeout": "its keep-alive probes got no answer",
    "tcp-state": "the program broke it off (SO_LINGER 0, a disconnect), or closed the "
    "listener before it had accepted it",
    "tcp-old-ack": "an acknowledgement was too old",
    "tcp-too-old-ack": "an acknowledgement was too old",
    "tcp-ack-unsent-data": "an acknowledgement was of something never sent",
    "tcp-invalid-ack-sequence": "an acknowledgement does not fit",
    "tcp-timewait-socket": "it is in TIME-WAIT and the segment does not fit",
    "invalid-syn": "the SYN does not fit",
    "tcp-flags": "the flags do not fit",
    "tcp-rfc7323-paws": "the timestamp is too old (RFC 7323)",
}
"""By the kernel's own word (enum sk_rst_reason in include/net/rstreason.h; what leads to each is
in __tcp_close() and tcp_disconnect(), net/ipv4/tcp.c, which inet_child_forget() calls for what
nobody has accepted)."""

_PASSES: Final = frozenset({State.FIN_WAIT_1, State.FIN_WAIT_2, State.CLOSING})


def sentences(step: Step, fill: Fill) -> list[str]:
    """The kernel's word and what it means."""
    event = step.event
    if event is None:
        return []
    made = [_what(step, event, fill)]
    if event.told is Told.STATE and event.after is State.CLOSED and event.before in _PASSES:
        made.append(fill(EVENTS["waits"]))
    if event.before is State.LISTEN and event.after is State.SYN_RECEIVED:
        made.append(fill(EVENTS["late"]))
    caller = _caller(event)
    if caller:
        made.append(fill(EVENTS["caller"], process=caller))
    return made


def _what(step: Step, event: KernelEvent, fill: Fill) -> str:
    if event.told is Told.STATE:
        return fill(EVENTS["state"], step.side, before=event.before, after=event.after)
    if event.told is Told.RETRANSMIT:
        return fill(EVENTS.get(f"again-{event.reason}", EVENTS["again"]), step.side)
    if event.told is Told.RESET_RECEIVED:
        return fill(EVENTS["reset-received"], step.side)
    reason = reset_reason(event)
    return fill(EVENTS["reset-sent" if reason else "reset"], step.side, reason=reason)


def reset_reason(event: KernelEvent) -> str:
    """Why the kernel resets, in words, or in its own."""
    if event.reason in ("", "not-specified"):
        return ""
    return _(RESETS[event.reason]) if event.reason in RESETS else clean(event.reason)


def _caller(event: KernelEvent) -> str:
    """Whose call it was: where an event in a process is that process's doing."""
    if event.process is None or not may_be_call(event):
        return ""
    name = clean(event.process.name) or "?"
    return _("{name} (process {pid})").format(name=name, pid=event.process.pid)


def brief(event: KernelEvent) -> str:
    """The event in a few words, for a line of a chart."""
    caller = _caller(event)
    if event.told is Told.STATE:
        said = f"{event.before} → {event.after}"
    elif event.told is Told.RETRANSMIT:
        said = _("sends again")
        if event.reason:
            said += f" ({event.reason})"
    elif event.told is Told.RESET_RECEIVED:
        said = _("takes the reset")
    else:
        reason = reset_reason(event)
        said = _("resets: {reason}").format(reason=reason) if reason else _("resets")
    return f"{said}, {caller}" if caller else said

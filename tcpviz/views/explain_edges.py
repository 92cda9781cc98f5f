"""What stands behind a state or an edge of the diagram: the text, with the edges around it.

The edges come from the table of transitions, so what starts and ends a state is
what the tracker executes, resets and timeouts included.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from tcpviz.core.states import TRANSITIONS, State, Transition
from tcpviz.views.explain import explain_transition
from tcpviz.views.explain_states import STATES
from tcpviz.views.spans import clean
from tcpviz.words import _

TIMERS: Final[dict[State, str]] = {
    State.CLOSED: "none",
    State.LISTEN: "none",
    State.SYN_SENT: "retransmission: the SYN again after 1 s, 2 s, 4 s ... (RFC 6298)",
    State.SYN_RECEIVED: "retransmission: the SYN,ACK again after 1 s, 2 s, 4 s ... (RFC 6298)",
    State.ESTABLISHED: "retransmission while data is out; zero window probes; keep-alive if asked",
    State.FIN_WAIT_1: "retransmission of the FIN and of data before it",
    State.FIN_WAIT_2: "none by the RFC; on Linux tcp_fin_timeout, 60 s, once it is closed",
    State.CLOSE_WAIT: "none of its own: it is the application's turn",
    State.CLOSING: "retransmission of the FIN",
    State.LAST_ACK: "retransmission of the FIN",
    State.TIME_WAIT: "2MSL: on Linux always 60 s; begun anew by a repeated FIN",
}
"""Which timer runs in a state."""


def state_text(state: State, here: Iterable[str] = ()) -> str:
    """A state in paragraphs, a line each; ``here``: who is in it now, and how that is known."""
    text = STATES[state]
    lines = [f"{state}: {_(text.meaning)}", ""]
    lines += [f"{_('Here now')}: {clean(each)}" for each in here]
    lines += [
        f"{_('The application sees')}: {_(text.application)}",
        f"{_('What ends it')}: {_(text.ends)}",
        f"{_('Timer')}: {_(TIMERS[state])}",
        f"Linux: {_(text.linux)}",
        f"RFC 9293, {text.section}",
    ]
    into = [row for row in TRANSITIONS if row.after is state and row.before is not state]
    out = [row for row in TRANSITIONS if row.before is state and row.after is not state]
    for heading, rows, far in (("Ways in", into, "before"), ("Ways out", out, "after")):
        lines += ["", _(heading)]
        lines += [f"  {_way(row, getattr(row, far), far)}" for row in rows]
    return "\n".join(lines)


def _way(row: Transition, other: State, far: str) -> str:
    preposition = _("from") if far == "before" else _("to")
    note = f" ({_(row.note)})" if row.note else ""
    figure = "" if row.figure else _(", not drawn in the RFC's figure")
    return f"{preposition} {other}: {row.label}{note}; {row.section}{figure}"


def edge_text(row: Transition) -> str:
    """An edge: what moves along it and why, and where it leads."""
    after = STATES[row.after]
    lines = [
        explain_transition(row),
        "",
        f"{_('It leads to')} {row.after}: {_(after.meaning)}",
        f"{_('The application sees')}: {_(after.application)}",
        f"{_('Timer')}: {_(TIMERS[row.after])}",
        f"Linux: {_(after.linux)}",
    ]
    return "\n".join(lines)

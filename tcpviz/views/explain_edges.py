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
    """A state in paragraphs, a line each, headings divided off by tabs.

    ``here``: who is in it now, and how that is known.
    """
    text = STATES[state]
    lines = [str(state), "", f"{_('It means')}\t{_(text.meaning)}"]
    lines += [f"{_('Here now')}\t{clean(each)}" for each in here]
    lines += [
        f"{_('Application')}\t{_(text.application)}",
        f"{_('What ends it')}\t{_(text.ends)}",
        f"{_('Timer')}\t{_(TIMERS[state])}",
        f"Linux\t{_(text.linux)}",
        f"RFC 9293\t{text.section}",
    ]
    into = [row for row in TRANSITIONS if row.after is state and row.before is not state]
    out = [row for row in TRANSITIONS if row.before is state and row.after is not state]
    for heading, rows, far in ((_("Ways in"), into, "before"), (_("Ways out"), out, "after")):
        alike: dict[str, list[str]] = {}
        for row in rows:
            alike.setdefault(_way(row), []).append(str(getattr(row, far)))
        way = _("from") if far == "before" else _("to")
        lines += ["", heading]
        lines += [f"  {way}\t{', '.join(states)}: {said}" for said, states in alike.items()]
    lines += ["", _("* drawn in the RFC's figure")]
    return "\n".join(lines)


def _way(row: Transition) -> str:
    """An edge without its ends."""
    note = f" ({_(row.note)})" if row.note else ""
    return f"{row.label}{note}; {row.section}{' *' if row.figure else ''}"


def edge_text(row: Transition) -> str:
    """An edge: what moves along it and why, and where it leads."""
    after = STATES[row.after]
    lines = [
        explain_transition(row),
        "",
        f"{_('It leads to')}\t{row.after}: {_(after.meaning)}",
        f"{_('Application')}\t{_(after.application)}",
        f"{_('Timer')}\t{_(TIMERS[row.after])}",
        f"Linux\t{_(after.linux)}",
    ]
    return "\n".join(lines)

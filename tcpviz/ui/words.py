"""Words on the screen: the explanation of the step at the cursor."""

from __future__ import annotations

from tcpviz.ui.session import Session
from tcpviz.views import roles
from tcpviz.views.explain import explain
from tcpviz.views.spans import Line, Span, line
from tcpviz.views.wrapping import wrap
from tcpviz.words import _

__all__ = ["explanation", "wrap"]


def explanation(session: Session, *, ascii_only: bool = False) -> Line:
    """The step at the cursor in a few sentences, in the register that was chosen."""
    if session.whole and session.said is not None:
        return session.said
    step = session.step
    if step is None:
        return line(Span(_nothing_yet(session), roles.DIM))
    connection = (
        None if step.connection is None else session.tracker.connections.get(step.connection)
    )
    return explain(step, connection, ascii_only=ascii_only, plain=session.plain_words)


def _nothing_yet(session: Session) -> str:
    if session.pump.done and not len(session.timeline):
        return _("The source has ended without a single TCP segment.")
    if session.story:
        return _("Before the first step: nothing has been sent. The server's host is on the right.")
    if session.live:
        return _("Waiting for the first TCP segment ...")
    return _("Before the first step.")

"""What a step that is neither segment nor call says on the chart, in lines of words."""

from __future__ import annotations

from tcpviz.core.timeline import Step, StepKind
from tcpviz.views.explain_event import brief
from tcpviz.views.icmp_words import error_text
from tcpviz.views.spans import clean
from tcpviz.words import _, counted


def said_of(step: Step, connection: int) -> list[tuple[str, str]]:
    """(words, role) of each line: notes, gaps, timers, and the kernel where it does not agree."""
    said: list[tuple[str, str]] = []
    if step.note is not None:
        said.append((f"· {clean(step.note.text)}", "dim"))
    if step.unreachable is not None and step.connection == connection:
        said.append((f"⚠ {error_text(step.unreachable, step.relative[0])}", "mark-bad"))
    if step.gap is not None:
        count = step.gap.count
        lost = _("packets") if count is None else counted(count, "packet")
        words = _("{what} missing here: {where}").format(what=lost, where=clean(step.gap.where))
        said.append((f"⋯ {words}", "mark-warning"))
    if step.event is not None:
        words = _("{side}'s kernel: {what}").format(side=_(str(step.side)), what=brief(step.event))
        said.append((f"✓ {words}", "time"))
    for each in step.disagreements:
        kernel = _("no socket") if each.kernel is None else str(each.kernel)
        words = _("{side}: kernel {kernel}, segments {thought}").format(
            side=_(str(each.side)), kernel=kernel, thought=each.inferred.state
        )
        said.append((f"≠ {words}", "mark-bad"))
    if step.kind is StepKind.REBOOT:
        said.append(
            ("↯ " + _("{side} was switched off and on").format(side=_(str(step.side))), "mark-bad")
        )
    elif step.kind is StepKind.TIMER:
        events = [change.transition for change in step.changes]
        names = ", ".join(dict.fromkeys(each.event.value for each in events if each))
        said.append((f"◷ {names or _('timer')}", "time"))
    elif step.changes and not said:
        by_kernel = step.reading or step.kind is StepKind.EVENT
        said.append((f"· {_('the kernel says so')}" if by_kernel else "·", "dim"))
    return said

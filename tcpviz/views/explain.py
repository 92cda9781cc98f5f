"""Explanations: what the step at the cursor means, in sentences for a student.

The sentences themselves are data, in the ``explain_*`` modules beside this one;
here they are chosen and filled in. The most telling comes first, so that a
narrow screen may cut the rest off: how an end moved and why, then what
analysis marks, then what the flags say.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final

from tcpviz.core.claims import Certainty, StateChange
from tcpviz.core.connection import Connection
from tcpviz.core.records import Call, Side
from tcpviz.core.segment import Flags, Segment
from tcpviz.core.states import Event, Opened, State, Transition
from tcpviz.core.timeline import Step, StepKind
from tcpviz.views import explain_event, explain_kernel, hand_words, points, roles
from tcpviz.views.explain_calls import (
    ALIASES,
    CALLED,
    CALLED_OTHER,
    ERRORS,
    FAILED,
    FAILED_OTHER,
    FAILED_WITH,
    RETURNED,
    RETURNED_OTHER,
    SAME_ERROR,
)
from tcpviz.views.explain_fill import NAMES, Fill, capital, fill, people, time_text
from tcpviz.views.explain_moves import FOUND, MOVES, MOVES_ACTIVE, key_of
from tcpviz.views.explain_segments import ADDITIONS, ARRIVED, KINDS, LOST, MARKS
from tcpviz.views.explain_states import STATES
from tcpviz.views.icmp_words import ICMP, error_text
from tcpviz.views.remarks import remarks
from tcpviz.views.spans import Line, Span, clean, merge
from tcpviz.words import _, counted, joined

OTHER: Final[dict[str, str]] = {
    "inferred": "Inferred: {because}.",
    "disagrees": (
        "The kernel says otherwise: {who} is in {kernel}, not in {thought} ({because}). It knows "
        "better, so its word counts."
    ),
    "no-socket": (
        "The kernel has no socket of {who}'s any more, where {thought} was thought ({because}). It "
        "knows better, so its word counts."
    ),
    "timer": "One of {who}'s timers went off.",
    "gap": (
        "{count} missing here, dropped by {where}: states after this may rest on what nobody saw."
    ),
    "gap-unknown": (
        "Something is missing here ({where}), nobody knows how much: states after this may rest on "
        "what nobody saw."
    ),
    "nothing": "Nothing happened.",
    "blocked": "It blocked for {time}.",
}
"""Sentences of all other kinds of step."""


def sentences(
    step: Step,
    connection: Connection | None = None,
    names: Mapping[Side, str] = NAMES,
    *,
    plain: bool = False,
) -> list[str]:
    """What the step means, the most telling sentence first.

    ``connection`` is the step's own, if it is still known; ``names`` says what
    the ends are called. Text from packets and programs is made safe. ``plain``
    is the register for beginners, wherever it has words for the step.
    """
    fill = Fill(step, names)
    said: list[str] = []
    if plain:
        from tcpviz.views import explain_plain

        said = list(explain_plain.say(step, connection, fill))
    said = said or [each for each in _say(step, connection, fill) if each]
    return said or [_(OTHER["nothing"])]


def explain(
    step: Step,
    connection: Connection | None = None,
    *,
    names: Mapping[Side, str] = NAMES,
    ascii_only: bool = False,
    plain: bool = False,
) -> Line:
    """The step's meaning as one line, the ends' names in their roles."""
    text = joined(sentences(step, connection, names, plain=plain))
    if ascii_only:
        text = clean(text, ascii_only=True)
    return name_roles(text, names)


def name_roles(text: str, names: Mapping[Side, str] = NAMES) -> Line:
    """A sentence with the ends' names in their roles."""
    forms = {_(names[side]): roles.of_side(side) for side in Side}
    forms |= {capital(name): role for name, role in forms.items()}
    pattern = re.compile("|".join(_whole(form) for form in forms if form) or r"(?!)")
    spans: list[Span] = []
    at = 0
    for match in pattern.finditer(text):
        spans.append(Span(text[at : match.start()]))
        spans.append(Span(match.group(), forms[match.group()]))
        at = match.end()
    spans.append(Span(text[at:]))
    return merge(spans)


def _whole(name: str) -> str:
    """A pattern for the name as a word of its own, where the script has spaces between words."""
    return rf"\b{re.escape(name)}\b" if name.isascii() else re.escape(name)


def explain_text(
    step: Step, connection: Connection | None = None, names: Mapping[Side, str] = NAMES
) -> str:
    """The step's meaning as plain text."""
    return joined(sentences(step, connection, names))


def explain_state(state: State) -> str:
    """What a state means, under headings, a line each."""
    text = STATES[state]
    return "\n".join(
        (
            f"{state}: {_(text.meaning)}",
            f"{_('The application')}: {_(text.application)}",
            f"{_('What ends it')}: {_(text.ends)}",
            f"Linux: {_(text.linux)}",
            f"RFC 9293, {text.section}",
        )
    )


def explain_transition(row: Transition, names: Mapping[Side, str] = NAMES) -> str:
    """What an edge means, a line each: the move, its text, its note, its section.

    It is told of the end that would take it in the common case: the client
    opens and closes actively.
    """
    passive = {State.LISTEN, State.SYN_RECEIVED, State.CLOSE_WAIT, State.LAST_ACK}
    after = {State.LISTEN, State.SYN_RECEIVED, State.CLOSE_WAIT}
    side = Side.SERVER if row.before in passive or row.after in after else Side.CLIENT
    said = fill(MOVES[key_of(row)], people(side, names))
    move = _("{before} to {after}").format(before=row.before, after=row.after)
    lines = [f"{move}: {row.label}", said]
    if row.note:
        lines.append(_(row.note))
    return "\n".join((*lines, f"RFC 9293, {row.section}"))


# -- choosing -------------------------------------------------------------------


def _sentence(note: str) -> str:
    """A note that others follow: with a capital letter, and a full stop where it has none."""
    return note[:1].upper() + note[1:] + ("" if note[-1:] in ".!?" else ".")


def _say(step: Step, connection: Connection | None, fill: Fill) -> Iterator[str]:
    if step.note is not None:
        note = clean(step.note.text)
        yield _sentence(note) if step.changes or step.reading is not None else note
    if step.gap is not None:
        where = clean(step.gap.where)
        if step.gap.count is None:
            yield fill(OTHER["gap-unknown"], where=where)
        else:
            yield fill(OTHER["gap"], count=counted(step.gap.count, "packet"), where=where)
    if step.unreachable is not None:
        yield fill(ICMP, step.side, error=error_text(step.unreachable, step.relative[0]))
    if step.call is not None:
        yield from _call(step, step.call, connection, fill)
    for wrong in step.disagreements:
        name = "no-socket" if wrong.kernel is None else "disagrees"
        yield fill(
            OTHER[name],
            wrong.side,
            kernel=wrong.kernel,
            thought=wrong.inferred.state,
            because=clean(_(wrong.inferred.because)) or _(str(wrong.inferred.certainty)),
        )
    corrected = {wrong.side for wrong in step.disagreements}
    for change in step.changes:
        if change.side in corrected or _told_by_call(step, change):
            continue
        yield from _change(change, connection, fill)
    yield from explain_event.sentences(step, fill)
    if step.kind is StepKind.TIMER and not step.changes:
        yield fill(OTHER["timer"])
    if step.reading is not None and not step.disagreements:
        yield explain_kernel.reading(step, connection, fill)
    done = hand_words.done(step)
    if done is not None:
        yield fill(done[0], step.side, **done[1])
    elif step.segment is not None:
        yield from _segment(step, step.segment, connection, fill)


def _told_by_call(step: Step, change: StateChange) -> bool:
    row = change.transition
    return step.kind is StepKind.RETURN and row is not None and row.event is Event.PASSIVE_OPEN


def _change(change: StateChange, connection: Connection | None, fill: Fill) -> Iterator[str]:
    because = clean(_(change.after.because))
    if change.transition is None:
        unknown = change.before.certainty is Certainty.UNKNOWN
        text = FOUND["midstream" if unknown else "correction"]
        yield fill(
            text,
            change.side,
            state=change.after.state,
            before=change.before.state,
            because=because or _(str(change.after.certainty)),
        )
        return
    key = key_of(change.transition)
    text = MOVES[key]
    if connection is not None and connection.end(change.side).opened is Opened.ACTIVE:
        text = MOVES_ACTIVE.get(key, text)
    yield fill(text, change.side)
    if change.after.certainty is not Certainty.SEEN and because:
        yield fill(OTHER["inferred"], change.side, because=because)


# -- segments -------------------------------------------------------------------


def kind_of(segment: Segment) -> str:
    """Which text of :data:`KINDS` fits: every combination of the nine bits has one."""
    flags = segment.flags
    data = segment.payload_len > 0
    acks = bool(flags & Flags.ACK)
    for pair, name in (
        (Flags.SYN | Flags.FIN, "syn-fin"),
        (Flags.SYN | Flags.RST, "syn-rst"),
        (Flags.FIN | Flags.RST, "fin-rst"),
    ):
        if flags & pair == pair:
            return name
    if flags & Flags.SYN:
        return ("syn-ack" if acks else "syn") + ("-data" if data else "")
    if flags & Flags.RST:
        return "rst-data" if data else "rst-ack" if acks else "rst"
    if not acks:
        scan = Flags.FIN | Flags.PSH | Flags.URG
        return "none" if not flags else "xmas" if flags & scan == scan else "no-ack"
    if flags & Flags.FIN:
        return "fin-data" if data else "fin"
    return "data" if data else "ack"


FAMILY: Final = {
    "syn": "syn",
    "syn-data": "syn",
    "syn-ack": "syn-ack",
    "syn-ack-data": "syn-ack",
    "ack": "ack",
    "data": "data",
    "fin": "fin",
    "fin-data": "fin",
    "rst": "rst",
    "rst-ack": "rst",
    "rst-data": "rst",
}


_GENERAL: Final[dict[str, set[str]]] = {
    "retransmission": {"fast_retransmission", "spurious_retransmission"}
}
"""Marks that say nothing beside one of these."""

_AGAIN: Final = {
    *("retransmission", "fast_retransmission", "spurious_retransmission", "out_of_order"),
}
"""Marks of data that its receiver may have had, or have more beyond: its ACK tells of all that."""

_WHOLE: Final = {"keep_alive", "captured_twice"}
"""Marks after which the flags' meaning would mislead: no new data, no new event."""


def values_of(step: Step, segment: Segment) -> dict[str, object]:
    """What sentences about the segment are filled in with."""
    seq, ack = step.relative
    return {
        "seq": seq,
        "ack": _("nothing") if ack is None else ack,
        "raw": segment.seq,
        "numbers": (
            _("number {first}") if segment.payload_len == 1 else _("numbers {first} to {last}")
        ).format(first=seq, last=seq + segment.payload_len - 1),
        "fin": seq + segment.payload_len,
        "next": seq + segment.seq_len,
        "bytes": counted(segment.payload_len, "byte"),
        "flags": segment.flags.names(),
        "urgent": segment.urgent,
    }


def _segment(
    step: Step, segment: Segment, connection: Connection | None, fill: Fill
) -> Iterator[str]:
    kind = kind_of(segment)
    both = crossing(connection)
    values = values_of(step, segment)
    if step.kind is StepKind.LOST:
        yield fill(LOST[FAMILY.get(kind, "other")], **values)
    if step.kind is StepKind.ARRIVED and not step.changes:
        yield fill(ARRIVED[FAMILY.get(kind, "other")], **values)
    if step.kind in (StepKind.ARRIVED, StepKind.LOST):
        if step.passage is not None:
            yield from points.told(step.passage)
        return
    marks = [] if step.observation is None else list(step.observation.marks)
    names = {str(mark.name) for mark in marks}
    for mark in marks:
        name = str(mark.name)
        if name in MARKS and not _GENERAL.get(name, set()) & names:
            again = both and name == "retransmission" and kind == "syn-ack"
            text = MARKS["retransmission-crossing" if again else name]
            yield fill(text, number=mark.number, **values)
    if names & _WHOLE:
        return
    third = not both and is_third(step, kind)
    told = "data-again" if kind == "data" and names & _AGAIN else kind
    yield fill(KINDS["ack-of-syn" if third else told], **values)
    for name in (*_additions(segment), *remarks(step)):
        yield fill(ADDITIONS[name], **values)


def crossing(connection: Connection | None) -> bool:
    """Both ends opened actively: a simultaneous open."""
    return (
        connection is not None
        and connection.client.opened is connection.server.opened is Opened.ACTIVE
    )


def is_third(step: Step, kind: str) -> bool:
    """The handshake's last ACK, by its numbers and by where both ends stand."""
    if kind != "ack" or step.relative != (1, 1) or step.side is None:
        return False
    peer = step.claim(step.side.other).state
    completes = any(
        change.transition is not None and change.transition.event is Event.RCV_ACK_OF_SYN
        for change in step.changes
    )
    return completes or (
        step.claim(step.side).state is State.ESTABLISHED and peer is State.SYN_RECEIVED
    )


def _additions(segment: Segment) -> Iterator[str]:
    flags = segment.flags
    ecn = flags & (Flags.ECE | Flags.CWR)
    if flags & Flags.URG and flags & Flags.ACK:
        yield "urgent"
    if flags & Flags.SYN:
        if ecn == Flags.ECE | Flags.CWR and not flags & Flags.ACK:
            yield "ecn-accurate" if flags & Flags.AE else "ecn-setup"
        elif ecn == Flags.ECE and flags & Flags.ACK and not flags & Flags.AE:
            yield "ecn-agreed"
    elif not flags & Flags.RST:
        if flags & Flags.AE:
            yield "ae"
        else:
            if flags & Flags.ECE:
                yield "ece"
            if flags & Flags.CWR:
                yield "cwr"
        if not segment.window and flags & Flags.ACK:
            yield "zero-window"
    if segment.options.malformed:
        yield "malformed"
    if segment.options.cut and flags & Flags.SYN:
        yield "cut-options"
    if segment.checksum_ok is False:
        yield "checksum"
    if segment.inferred:
        yield "implied"


# -- calls ----------------------------------------------------------------------


def _call(step: Step, call: Call, connection: Connection | None, fill: Fill) -> Iterator[str]:
    name = clean(call.name)
    meant = ALIASES.get(name, name)
    values = {
        "name": name,
        "args": clean(call.arguments),
        "result": clean(call.result or ""),
    }
    if not call.returned:
        yield fill(CALLED.get(call_variant(step, meant, call), CALLED_OTHER), call.side, **values)
        return
    if call.failed:
        error = SAME_ERROR.get(str(values["result"]), str(values["result"]))
        if f"{meant}/{error}" in FAILED:
            yield fill(FAILED[f"{meant}/{error}"], call.side, **values)
        elif error in ERRORS:
            yield fill(FAILED_WITH, call.side, why=_(ERRORS[error]), **values)
        else:
            yield fill(FAILED_OTHER, call.side, **values)
    else:
        variant = return_variant(meant, call, connection)
        yield fill(RETURNED.get(variant, RETURNED_OTHER), call.side, **values)
    blocked = (call.returned_ns or 0) - call.began_ns
    if meant in ("accept", "connect", "recv", "send", "close", "poll") and blocked >= 1_000_000:
        yield fill(OTHER["blocked"], call.side, time=time_text(blocked))


def call_variant(step: Step, name: str, call: Call) -> str:
    """Which text a call takes that is made now."""
    state = step.claim(call.side).state
    if name == "close":
        if call.peer is None:
            return "close-bare"
        if state is State.CLOSE_WAIT:
            return "close-passive"
    return name


def return_variant(name: str, call: Call, connection: Connection | None) -> str:
    """Which text a call takes that has returned well."""
    if name == "recv" and (call.result or "").split(" ")[0] == "0":
        return "recv-eof"
    if name == "connect" and crossing(connection):
        return "connect-crossing"
    if name == "close":
        if call.peer is None:
            return "close-bare"
        if connection is not None and connection.reset_by is call.side:
            return "close-reset"
    return name

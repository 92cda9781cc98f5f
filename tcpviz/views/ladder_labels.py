"""What is written on the chart: segments, calls and states, from ample to terse.

Each function gives variants, the most telling first; the drawing takes the
first that fits. The texts are clean: nothing captured reaches the terminal raw.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Final

from tcpviz.core import seq as seqno
from tcpviz.core.claims import Certainty, Claim
from tcpviz.core.marks import Mark, MarkName
from tcpviz.core.records import Call, Side
from tcpviz.core.segment import Flags, Segment
from tcpviz.core.states import State
from tcpviz.core.timeline import Step, StepKind
from tcpviz.views import option_words, roles
from tcpviz.views.numbers import plural
from tcpviz.views.remarks import Remark, remarks
from tcpviz.views.spans import clean, fit_text, text_width
from tcpviz.words import _


class Notation(enum.Enum):
    """How sequence numbers are written.

    ``RELATIVE``  counted from each end's first number: 0, 1
    ``ABSOLUTE``  as in the header
    ``SYMBOLIC``  as in textbooks: J and K for the first numbers, M and N for the FINs'
    """

    RELATIVE = "relative"
    ABSOLUTE = "absolute"
    SYMBOLIC = "symbolic"


Fins = Mapping[Side, tuple[int, int, str]]
"""Of each side that has sent a FIN: (step index, relative number of the FIN, its letter)."""

SHORT_STATES: Final[dict[State, str]] = {
    State.CLOSED: "CLOSED",
    State.LISTEN: "LISTEN",
    State.SYN_SENT: "SYN-SENT",
    State.SYN_RECEIVED: "SYN-RCVD",
    State.ESTABLISHED: "ESTAB",
    State.FIN_WAIT_1: "FIN-WT-1",
    State.FIN_WAIT_2: "FIN-WT-2",
    State.CLOSE_WAIT: "CLOSE-WT",
    State.CLOSING: "CLOSING",
    State.LAST_ACK: "LAST-ACK",
    State.TIME_WAIT: "TIME-WT",
}
"""The states in at most eight cells."""


def state_text(claim: Claim, cells: int, *, midstream: bool = False) -> str:
    """A state in at most ``cells``: ``ESTABLISHED``, inferred ``~ESTAB``, unknown ``ESTAB?``.

    ``unknown`` (or ``?``) for an end of which nothing is known.
    """
    if roles.says_nothing(claim, midstream=midstream):
        unknown = _("unknown")
        return unknown if text_width(unknown) <= cells else "?"[:cells]
    full, short = str(claim.state), SHORT_STATES[claim.state]
    medium = full if len(full) <= 10 else short
    for name in (full, medium, short):
        text = name
        if claim.certainty is Certainty.INFERRED:
            text = "~" + name
        elif claim.certainty is Certainty.UNKNOWN:
            text = name + "?"
        if len(text) <= cells:
            return text
    return text[:cells]


def segment_role(segment: Segment) -> str:
    """The role of an arrow and its label: by what the segment mainly does."""
    if segment.rst:
        return roles.FLAG_RST
    if segment.syn:
        return roles.FLAG_SYN
    if segment.fin:
        return roles.FLAG_FIN
    return roles.DATA if segment.payload_len else roles.FLAG_ACK


def _number(relative: int, absolute: int, side: Side, index: int, how: Notation, fins: Fins) -> str:
    """A sequence number that ``side`` counts, as step ``index`` would write it."""
    if how is Notation.ABSOLUTE:
        return str(absolute)
    if how is Notation.RELATIVE:
        return str(relative)
    fin = fins.get(side)
    if fin is not None and fin[0] <= index:
        beyond = seqno.diff(relative, fin[1])
        if beyond in (0, 1):
            return fin[2] + ("+1" if beyond else "")
    letter = "J" if side is Side.CLIENT else "K"
    return f"{letter}+{relative}" if relative else letter


def preview(payload: bytes, cells: int) -> str:
    """The first line of a text payload in quotes; empty where it is not text."""
    head = payload[: 4 * cells]
    if not head:
        return ""
    printable = sum(0x20 <= byte < 0x7F or byte in (9, 10, 13) for byte in head)
    if printable < len(head):
        return ""
    text = head.decode("ascii").strip("\r\n").splitlines()
    if not text:
        return ""
    more = len(text) > 1 or len(payload) > len(head)
    first = clean(text[0].replace("\t", " "))
    if more and len(first) < cells - 2:
        first += "…"
    return f'"{fit_text(first, cells - 2)}"'


def segment_variants(
    step: Step,
    how: Notation = Notation.RELATIVE,
    fins: Fins | None = None,
    payload: bool = False,
    detail: bool = False,
) -> list[str]:
    """A segment's label, the most telling first, each shorter than the one before.

    ``payload`` lets captured text be quoted; ``detail`` adds the window and the
    options of a SYN. The last variant is tcpdump's letters (``S.``).
    """
    segment, side = step.segment, step.side or Side.CLIENT
    if segment is None:
        return [""]
    fins = fins or {}
    relative, rel_ack = step.relative
    seq = _number(relative, segment.seq, side, step.index, how, fins)
    size = segment.payload_len
    spoken = segment.flags & ~(Flags.ACK | Flags.PSH)
    names = spoken.names() if spoken else ""
    if size and how is Notation.SYMBOLIC:
        numbers = f"{seq} ({plural(size, 'byte')})"
    elif size:
        end = _number(
            seqno.add(relative, size),
            seqno.add(segment.seq, size),
            side,
            step.index,
            how,
            fins,
        )
        numbers = f"{seq}:{end}"
    elif spoken or not segment.has_ack:
        numbers = seq
    else:
        numbers = ""
    head = f"{names} {numbers}".strip()
    ack = ""
    if rel_ack is not None and segment.has_ack:
        number = _number(rel_ack, segment.ack, side.other, step.index, how, fins)
        ack = f"ACK {number}"
    extra = _extras(segment, rel_ack, how)
    core = ", ".join(part for part in (head, ack) if part)
    variants: list[str] = []
    quoted = preview(segment.payload, 18) if payload and size else ""
    if detail:
        more = _details(segment)
        counted = f"{core} ({plural(size, 'byte')})" if size else core
        variants.append(", ".join([p for p in (f"{quoted} {counted}".strip(), *extra, *more) if p]))
    if quoted:
        variants.append(", ".join([f"{quoted} {core}", *extra]))
        if how is Notation.SYMBOLIC:  # the text shows how much it is
            variants.append(", ".join(part for part in (f"{quoted} {seq}", ack, *extra) if part))
    variants.append(", ".join([core, *extra]))
    variants.append(core)
    terse = names.replace(",", "+") if names else ""
    if size:
        variants.append(head)
        variants.append(plural(size, "byte") if not names else f"{names} {size} B")
        variants.append(f"{size} B")
    elif names and ack:
        variants.append(f"{names},ACK")
    if terse:
        variants.append(terse)
    letters = "".join(
        letter
        for flag, letter in ((Flags.SYN, "S"), (Flags.FIN, "F"), (Flags.RST, "R"))
        if segment.flags & flag
    ) + ("." if segment.has_ack else "")
    variants.append(letters or "-")
    shortest: list[str] = []
    for variant in variants:
        if not shortest or text_width(variant) < text_width(shortest[-1]):
            shortest.append(variant)
    return shortest


def _extras(segment: Segment, rel_ack: int | None, how: Notation) -> list[str]:
    """What must not be overlooked: SACK blocks, a window of zero."""
    out: list[str] = []
    for left, right in segment.options.sack:
        if how is Notation.ABSOLUTE or rel_ack is None:
            out.append(f"SACK {left}:{right}")
        else:
            base = seqno.add(segment.ack, -rel_ack)
            out.append(f"SACK {seqno.add(left, -base)}:{seqno.add(right, -base)}")
    if segment.window == 0 and segment.has_ack and not segment.syn and not segment.rst:
        out.append("win 0")
    return out


def _details(segment: Segment) -> list[str]:
    """Window and options, as far as they are said once: on SYNs all, later the window."""
    out = [f"win {segment.window}"] if segment.window and not segment.rst else []
    options = segment.options
    if segment.syn:
        if options.mss is not None:
            out.append(f"MSS {options.mss}")
        if options.window_scale is not None:
            out.append(f"scale {options.window_scale}")
        if options.sack_permitted:
            out.append("SACK ok")
        if options.timestamps is not None:
            out.append("TS")
        if options.fast_open is not None:
            out.append("TFO")
        out += [option_words.name_of(kind, data) for kind, data in options.unknown]
    return out


def call_variants(call: Call, began: bool, returned: bool) -> list[str]:
    """A call's words on a row: what was called, what came back, or both on one row."""
    name, arguments = clean(call.name), clean(call.arguments)
    if not returned:
        if not arguments:
            return [f"{name}()", name]
        return [f"{name}({arguments})", f"{name}(…)", f"{name}()", name]
    result = clean(call.result or "")
    # What explains the result goes first: "0 (end of file)", "fd 4 from 10.0.0.1:40001".
    short = result.split(" (")[0].split(" from ")[0]
    results = [result] if short == result else [result, short]
    if not began:
        return [f"= {each}" for each in results] + [short]
    whole = [f"{name}({arguments}) = {each}" for each in results]
    whole += [*(f"{name}() = {each}" for each in results), f"{name} {short}"]
    return sorted(whole, key=text_width, reverse=True)


MARKS: Final[dict[MarkName, tuple[str, str, str]]] = {
    MarkName.RETRANSMISSION: ("R", "retransmission", roles.MARK_WARNING),
    MarkName.FAST_RETRANSMISSION: ("F", "fast retransmission", roles.MARK_WARNING),
    MarkName.SPURIOUS_RETRANSMISSION: ("S", "spurious retransmission", roles.MARK_WARNING),
    MarkName.OUT_OF_ORDER: ("O", "out of order", roles.MARK_WARNING),
    MarkName.LOST_SEGMENT: ("L", "segment before it not captured", roles.MARK_BAD),
    MarkName.ACK_LOST_SEGMENT: ("A", "ACK of uncaptured segment", roles.MARK_BAD),
    MarkName.DUPLICATE_ACK: ("D", "duplicate ACK", roles.MARK_WARNING),
    MarkName.ZERO_WINDOW: ("Z", "zero window", roles.MARK_BAD),
    MarkName.ZERO_WINDOW_PROBE: ("P", "zero window probe", roles.MARK_WARNING),
    MarkName.ZERO_WINDOW_PROBE_ACK: ("p", "zero window probe ACK", roles.MARK_NOTE),
    MarkName.WINDOW_FULL: ("W", "window full", roles.MARK_WARNING),
    MarkName.WINDOW_UPDATE: ("U", "window update", roles.MARK_NOTE),
    MarkName.KEEP_ALIVE: ("K", "keep-alive", roles.MARK_NOTE),
    MarkName.KEEP_ALIVE_ACK: ("k", "keep-alive ACK", roles.MARK_NOTE),
    MarkName.REUSED_PORTS: ("N", "ports reused", roles.MARK_NOTE),
    MarkName.TFO_SYN: ("T", "TFO SYN", roles.MARK_NOTE),
    MarkName.TFO_ACK: ("T", "TFO taken", roles.MARK_NOTE),
    MarkName.TFO_IGNORED: ("t", "TFO ignored", roles.MARK_WARNING),
    MarkName.CAPTURED_TWICE: ("2", "captured twice", roles.MARK_NOTE),
}
"""Each mark's letter, words and role."""

REMARKS: Final[dict[Remark, tuple[str, str, str]]] = {
    Remark.CE: ("C", "CE", roles.MARK_WARNING),
    Remark.SACK: ("s", "SACK", roles.MARK_NOTE),
    Remark.DSACK: ("d", "D-SACK", roles.MARK_NOTE),
    Remark.OTHER_DATA: ("!", "other data", roles.MARK_BAD),
}
"""The same for what is said beside Wireshark's marks."""

_KINDS_OF_RETRANSMISSION: Final = frozenset(
    {MarkName.FAST_RETRANSMISSION, MarkName.SPURIOUS_RETRANSMISSION}
)
_GRAVITY: Final = (roles.MARK_BAD, roles.MARK_WARNING, roles.MARK_NOTE)


def marks_of(step: Step) -> tuple[Mark, ...]:
    """The segment's marks; a retransmission of a known kind is not said to be one twice."""
    if step.observation is None or step.kind is StepKind.ARRIVED:
        return ()
    marks = step.observation.marks
    if any(mark.name in _KINDS_OF_RETRANSMISSION for mark in marks):
        return tuple(mark for mark in marks if mark.name is not MarkName.RETRANSMISSION)
    return marks


def mark_variants(step: Step) -> tuple[list[str], str]:
    """The marks in brackets, in words and as letters, and their role; nothing: no variants."""
    marks = marks_of(step)
    own = [] if step.kind is StepKind.ARRIVED else remarks(step)
    if not marks and not own:
        return [], roles.MARK_NOTE
    words, letters, tones = [], [], set()
    for mark in marks:
        letter, word, tone = MARKS[mark.name]
        number = f" #{mark.number}" if mark.number else ""
        words.append(_(word) + number)
        letters.append(letter)
        tones.add(tone)
    for remark in own:
        letter, word, tone = REMARKS[remark]
        words.append(word)
        letters.append(letter)
        tones.add(tone)
    tone = next(each for each in _GRAVITY if each in tones)
    return [f"[{_(', ').join(words)}]", f"[{''.join(letters)}]"], tone

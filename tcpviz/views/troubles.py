"""Troubles in words: one line each, with what to look at next as a display filter."""

from __future__ import annotations

from typing import Final

from tcpviz.core.troubles import Trouble
from tcpviz.views import numbers
from tcpviz.views.spans import Line, Span, clean, fit, fit_text, line, text_width
from tcpviz.views.verdict import TONES
from tcpviz.words import _

TEXTS: Final[dict[str, str]] = {
    "refused": "{where} refuses: {count} of {of} connections answered by RST",
    "no-answer": "{where} does not answer: {count} of {of} connections got no answer to their SYN",
    "unreachable": "{where} is unreachable, say routers: {count} of {of} connections",
    "half-open": "{where}: {count} of {of} handshakes never completed",
    "challenged": "{where} still knows older connections: {count} of {of} SYNs challenged",
    "never-closed": "{where} never closes: {count} of {of} connections in CLOSE-WAIT, the oldest "
    "for {worst}",
    "half-closed": "{where} leaves {count} of {of} connections half closed",
    "reset": "{where} resets {count} of {of} connections",
    "gone-silent": "{where} falls silent in {count} of {of} connections, the longest for {worst}",
    "fin-unanswered": "FINs of {where} are not acknowledged: {count} of {of} connections",
    "abandoned": "{where}: {count} of {of} connections abandoned",
    "zero-window-stall": "{where} is too slow to read: its window was zero in {count} of {of} "
    "connections, for up to {worst}",
    "path-mtu": "large segments to {where} get lost, small ones pass: {count} of {of} connections "
    "(path MTU)",
    "lossy": "loss on the way to {where}: {count} of {of} connections",
    "slow-handshake": "slow handshakes with {where}: {count} of {of} connections, up to {worst}",
    "slow-handshakes": "handshakes with {where} take {half} for most, over {most} for one in 20",
    "ports-running-out": "{where}: {count} ports in TIME-WAIT, {share} % of those that Linux gives",
}
"""By code; ``{worst}`` is the longest time among them."""

_OTHER: Final = "{where}: {code} in {count} of {of} connections"

_VERDICTS_OWN: Final = frozenset({"slow-handshakes", "ports-running-out"})


def sentence(trouble: Trouble) -> str:
    """What is wrong, in one line."""
    values = {
        "where": trouble.where,
        "code": trouble.code,
        "count": str(trouble.count),
        "of": str(trouble.of),
        "worst": numbers.duration(trouble.worst_ns),
    }
    for name, fact in trouble.facts.items():
        if name.endswith("_ns"):
            values[name.removesuffix("_ns")] = numbers.duration(fact)
        else:
            values.setdefault(name, str(fact))
    return clean(_(TEXTS.get(trouble.code, _OTHER)).format_map(values))


def words(trouble: Trouble) -> str:
    """A display filter that finds its connections."""
    where, _to, service = trouble.where.partition(" to ")
    if trouble.code == "ports-running-out":
        return f"client:{where} {_place(service)} client.state:time-wait"
    if trouble.code == "slow-handshakes":
        return f"{_place(where)} rtt>{3 * trouble.facts['half_ns'] // 1000}us"
    return f"verdict:{trouble.code} {_place(where)}"


def _place(where: str) -> str:
    """A condition for an address, or for an address and a port."""
    if where.startswith("["):
        address, found, port = where[1:].partition("]:")
    else:
        address, found, port = where.rpartition(":")
        if not found or ":" in address:
            return f"host:{where}"
    return f"server:{address} server.port:{port}" if found else f"host:{where}"


def rows(troubles: list[Trouble], cells: int, selected: int | None = None) -> list[Line]:
    """One line a trouble, cut to ``cells``; the selected one has a pointer."""
    made = []
    wide = max((text_width(str(trouble.count)) for trouble in troubles), default=1)
    for place, trouble in enumerate(troubles):
        pointer = "▸" if place == selected else " "
        mark = "‼" if trouble.severity.name == "BAD" else "!"
        head = f"{pointer}{mark} {trouble.count:>{wide}}  "
        room = cells - text_width(head)
        role = TONES[trouble.severity]
        made.append(
            fit(line(Span(head, role), Span(fit_text(sentence(trouble), room), role)), cells)
        )
    return made


def text(troubles: list[Trouble], left_out: int = 0) -> str:
    """All of them for a pipe or a file, each with the filter that finds its connections."""
    if not troubles:
        return _("no trouble found: no verdict asks for a look") + "\n"
    lines = []
    for trouble in troubles:
        lines += [
            f"{trouble.severity.name.lower():<8} {sentence(trouble)}",
            f"         {words(trouble)}",
        ]
    if left_out:
        lines.append(f"and {left_out} more verdicts in places that are not told apart")
    return "\n".join(lines) + "\n"

"""Troubles in words: a sentence each, what else is known of it, and the filter that finds it."""

from __future__ import annotations

from typing import Final

from tcpviz.core.crowds import Crowd
from tcpviz.core.troubles_many import Trouble
from tcpviz.views import numbers
from tcpviz.views.explain_event import RESETS
from tcpviz.views.spans import Line, Span, clean, fit, fit_text, line, text_width
from tcpviz.views.verdict import TONES, crowd_sentence
from tcpviz.words import _, counted

TEXTS: Final[dict[str, str]] = {
    "refused": "{where} refuses: {count} of {connections} answered by RST",
    "no-answer": "{where} does not answer SYNs: {count} of {connections} in vain, {syns} in all",
    "no-answer/told": "{where} has not answered SYNs sent before the capture began: {count} of "
    "{connections}",
    "unreachable": "{where} is unreachable, say routers: {count} of {connections}",
    "half-open": "{where}: {count} of {connections} never got beyond SYN,ACK, from {sources} "
    "addresses",
    "half-open/source": "{source}: handshakes with {where} stay half open: {count} of "
    "{connections}",
    "challenged": "{where} still knows older connections: {count} of {connections} challenged",
    "never-closed": "{where} never closes: {count} of {connections} in CLOSE-WAIT, the oldest "
    "for {worst}",
    "half-closed": "{where} leaves {count} of {connections} half closed",
    "reset": "{where} resets {count} of {connections}",
    "reset/state": "{where} resets {count} of {connections}, being in {state}",
    "gone-silent": "{where} falls silent in {count} of {connections}, the longest for {worst}",
    "keep-alive-only": "{where}: {count} of {connections} with keep-alives and no answer",
    "fin-unanswered": "FINs of {where} are not acknowledged: {count} of {connections}",
    "abandoned": "{where}: {count} of {connections} abandoned",
    "zero-window-stall": "{where} is too slow to read: its window was zero in {count} of "
    "{connections}, for up to {worst}",
    "path-mtu": "large segments to {where} get lost and small ones pass, in {count} of "
    "{connections}: an MTU black hole?",
    "path-mtu/icmp": "packets to {where} are too big for the way, say routers: {count} of "
    "{connections}",
    "lossy": "loss on the way to {where}: in {count} of {connections}, and there {again} of "
    "{segments} sent again",
    "lossy-interface": "loss on interface {where}: {again} of {segments} sent again, "
    "to {peers} peers",
    "slow-handshake": "slow handshakes with {where}: {count} of {connections}, up to {worst}",
    "slow-handshakes": "handshakes with {where} take {half} for most, over {most} for one in 20, "
    "over {nearly} for one in 100",
    "slow-peer": "{peer} is slow to open connections with {where}: {half} for most, {usual} usual",
    "ports-running-out": "{where}: {count} of {of} ports taken ({share} %), {waiting} in TIME-WAIT",
    "time-waits": "this host has {count} sockets in TIME-WAIT, {share} % of the ports that it "
    "gives out",
    "ports-reused": "{where}: ports used again at once, {count} times, {worst} after the last "
    "segment",
    "accept-queue": "{where} does not accept: {count} wait in a queue for {of}, further ones are "
    "dropped",
    "accept-queues": "accept queues overflowed {count} times since the capture began; none is "
    "full now",
    "syn-queue": "a SYN queue was full: {dropped} SYNs dropped, {cookies} answered by a cookie",
    "out-of-memory": "the kernel gave up {count} connections for want of memory",
    "kernel-disagrees": "{where}: the kernel said otherwise than the segments in {count} of "
    "{connections}",
    "icmp-error": "routers say that segments to {where} do not arrive: {count} of {connections}",
    "bad-checksums": "segments of {where} come damaged: {bad} in {count} of {connections}",
    "other-data": "{where} sends other data with the same numbers: {count} of {connections}",
    "middlebox-suspected": "something on the way changes segments of {where}, or resets in its "
    "name: {count} of {connections}",
    "null-scan": "{where} sends segments without flags: {count} of {connections}",
    "xmas-scan": "{where} sends FIN, PSH and URG without a connection: {count} of {connections}",
    "fin-scan": "{where} sends FINs without a connection: {count} of {connections}",
}
"""By code, or code and variant; ``{worst}`` is the longest time among them."""

DETAILS: Final[dict[str, str]] = {
    "process": "Whose: {process}.",
    "asked": "Asked for by {process}.",
    "fds": "Descriptors: {fds}.",
    "unread": "{unread} bytes lie unread in {unread_in} of them: the program does not even read.",
    "fin_at": "The oldest one's FIN came at {fin_at}.",
    "reason": "The kernel says why: {reason}.",
    "black-hole": "Segments of {bytes} bytes never arrive, such of {arrived_bytes} do. Either "
    "routers' ICMP is dropped on the way, or a tunnel says nothing: try a smaller MTU or MSS.",
    "overflowed": "Accept queues of this host overflowed {overflowed} times since the capture "
    "began.",
    "backlog": "Either accept() is called too seldom, or listen()'s backlog (and "
    "net.core.somaxconn) is too small.",
    "peers": "Concerned: {peers} addresses.",
    "open": "In {open} of them the former connection was still open.",
    "reuse": "The former connection may still be in TIME-WAIT at the other end, and its late "
    "segments may be taken for the new one's.",
    "most": "Most of them: {most}, {most_count}.",
    "ports": "A client has at most {of} ports for one service, and TIME-WAIT keeps each for "
    "60 s: keep connections open and use them again, or use more addresses.",
    "stalled": "The sender could not send while it lasted: the reader is the slow one.",
    "close": "A socket stays in CLOSE-WAIT until its program closes it; nothing else ends it.",
    "firewall": "Silence, not a refusal: a firewall drops them, or the host is not there.",
    "listen": "A host answers so where nobody listens (or a firewall rejects).",
}
"""Further sentences, each where its facts are there."""

_SHOWN: Final[dict[str, tuple[str, ...]]] = {
    "never-closed": ("process", "fds", "fin_at", "unread", "close"),
    "no-answer": ("asked", "firewall"),
    "refused": ("asked", "listen"),
    "zero-window-stall": ("process", "stalled"),
    "reset": ("reason",),
    "path-mtu": ("black-hole",),
    "lossy": ("peers",),
    "accept-queue": ("process", "overflowed", "backlog"),
    "accept-queues": ("backlog",),
    "ports-reused": ("open", "reuse"),
    "ports-running-out": ("ports",),
    "time-waits": ("most", "ports"),
}
"""Which of :data:`DETAILS` go with a code, in their order."""

_NEEDS: Final = {
    "asked": "process",
    "black-hole": "arrived_bytes",
    "ports": "share",
}
"""The fact without which a further sentence is not said, where it has another name."""

_ALWAYS: Final = frozenset({"close", "firewall", "listen", "stalled", "backlog", "reuse"})

_CROWDS: Final = frozenset({"syn-flood", "port-scan", "host-scan", "backscatter"})

_OTHER: Final = "{where}: {code} in {count} of {connections}"


def _key(trouble: Trouble) -> str:
    code, facts = trouble.code, trouble.facts
    if code == "reset" and facts.get("state"):
        return "reset/state"
    if code == "half-open" and facts.get("source"):
        return "half-open/source"
    if code == "path-mtu" and facts.get("how") != "suspected":
        return "path-mtu/icmp"
    if code == "no-answer" and not facts.get("tries"):
        return "no-answer/told"
    return code


def _values(trouble: Trouble) -> dict[str, object]:
    tries, data = (trouble.facts.get(name, 0) for name in ("tries", "data"))
    values: dict[str, object] = {
        "where": trouble.where,
        "code": trouble.code,
        "count": trouble.count,
        "of": trouble.of,
        "connections": counted(trouble.of, "connection"),
        "worst": numbers.duration(trouble.worst_ns),
        "syns": counted(tries, "SYN") if isinstance(tries, int) else "",
        "segments": counted(data, "segment") if isinstance(data, int) else "",
    }
    for name, fact in trouble.facts.items():
        if isinstance(fact, str):
            values[name] = _(RESETS.get(fact, fact)) if name == "reason" else fact
        elif name.endswith("_ns"):
            values[name.removesuffix("_ns")] = numbers.duration(fact)
        elif name.endswith("_at"):
            values[name] = numbers.date_time(fact)
        else:
            values.setdefault(name, fact)
    return values


def sentence(trouble: Trouble) -> str:
    """What is wrong, in one line."""
    if trouble.code in _CROWDS:
        return crowd_sentence(_crowd(trouble))
    values = _Forgiving(_values(trouble))
    return clean(_(TEXTS.get(_key(trouble), _OTHER)).format_map(values))


def details(trouble: Trouble) -> list[str]:
    """Whose it is, since when, and what it means: a sentence each."""
    facts, values = trouble.facts, _Forgiving(_values(trouble))
    said = []
    for name in _SHOWN.get(trouble.code, ()):
        fact = facts.get(_NEEDS.get(name, name))
        nothing = fact in (None, "", 0, "not-specified") or (name == "peers" and fact == 1)
        if name in _ALWAYS or not nothing:
            said.append(clean(_(DETAILS[name]).format_map(values)))
    return said


class _Forgiving(dict[str, object]):
    """A fact that a source did not have is a question mark."""

    def __missing__(self, key: str) -> str:
        return "?"


def _crowd(trouble: Trouble) -> Crowd:
    facts = trouble.facts
    targets = facts.get("targets", 0)
    assert isinstance(targets, int)
    who, target = str(facts.get("who", "")), str(facts.get("target", ""))
    return Crowd(trouble.code, who, target, trouble.count, trouble.of, targets, 0, 0)


def words(trouble: Trouble) -> str:
    """A display filter that finds its connections."""
    where, _to, service = trouble.where.partition(" to ")
    code, facts = trouble.code, trouble.facts
    if code == "ports-running-out":
        return f"client:{where} {_place(service)}"
    if code == "ports-reused":
        return f"client:{where} {_place(service)} verdict:ports-reused"
    if code == "slow-handshakes":
        half = facts["half_ns"]
        assert isinstance(half, int)
        return f"{_place(where)} (rtt>{3 * half // 1000}us or verdict:slow-handshake)"
    if code == "slow-peer":
        return f"client:{facts['peer']} {_place(where)}"
    if code == "accept-queue":
        return _place(where)
    if code in _CROWDS:
        return f"verdict:{code}" + (f" {_place(trouble.where)}" if trouble.where else "")
    if code in _ELSEWHERE:
        return _ELSEWHERE[code]
    if code == "lossy":
        return f"verdict:lossy {_GRAVE} {_place(where)}"
    if code == "reset":  # a client is told without its port
        place = _place(where)
        client = place.removeprefix("host:")
        who = f"reset_by:client client:{client}" if client != place else f"reset_by:server {place}"
        return f"verdict:reset {_GRAVE} {who}"
    found = f"verdict:{code} {_place(where)}"
    if code == "half-open" and facts.get("source"):
        sources = str(facts["source"]).split(", ")
        alternatives = " or ".join(f"client:{source}" for source in sources)
        found += f" ({alternatives})" if len(sources) > 1 else f" {alternatives}"
    return found


_GRAVE: Final = "severity>=warning"
"""With a verdict that may also be a note in passing: a segment or two that were lost are no
trouble, and the connections that are none are not to be listed as it."""

_ELSEWHERE: Final = {
    "lossy-interface": f"verdict:lossy {_GRAVE}",
    "time-waits": "client.state:time-wait",
    "syn-queue": "verdict:half-open",
    "accept-queues": "verdict:half-open or verdict:no-answer",
    "out-of-memory": "verdict:reset",
}


def _place(where: str) -> str:
    """A condition for an address, or for an address and a port; every address is none."""
    if where.startswith("["):
        address, found, port = where[1:].partition("]:")
    else:
        address, found, port = where.rpartition(":")
        if not found or ":" in address:
            return f"host:{where}"
    if address in ("0.0.0.0", "::"):  # noqa: S104 - where somebody listens
        return f"server.port:{port}"
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
        lines.append(f"{trouble.severity.name.lower():<8} {sentence(trouble)}")
        lines += [f"         {each}" for each in details(trouble)]
        lines.append(f"         {words(trouble)}")
    if left_out:
        lines.append(f"and {left_out} more verdicts in places that are not told apart")
    return "\n".join(lines) + "\n"

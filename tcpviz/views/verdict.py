"""The verdicts' sentences: lower case, without a full stop, short enough for a list.

Keyed by code, and by variants of it, so that another language is another
table: :data:`TEXTS` holds every sentence, and nothing is put together from
parts of sentences. The verdicts themselves are found in
:mod:`tcpviz.core.verdicts`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from tcpviz.core.connection import Connection
from tcpviz.core.crowds import Crowd
from tcpviz.core.records import Side
from tcpviz.core.verdicts import Code, Severity, Verdict, verdicts
from tcpviz.views import numbers, roles
from tcpviz.views.icmp_words import REASON_WORDS
from tcpviz.views.spans import clean
from tcpviz.words import _

TEXTS: Final[dict[str, str]] = {
    "syn-flood": "SYN flood? one of {members} handshakes of {source} that nobody completes",
    "syn-flood/many": "SYN flood? one of {members} handshakes of {targets} addresses "
    "that nobody completes",
    "port-scan/silent": "port scan? no answer; {source} tried {targets} ports in vain",
    "port-scan/half-open": "port scan? not completed; {source} tried {targets} ports in vain",
    "port-scan/refused": "port scan? refused; {source} tried {targets} ports in vain",
    "port-scan/scanned": "port scan? the port is open; {source} tried {targets} ports",
    "port-scan/odd": "port scan? odd flags; {source} tried {targets} ports",
    "host-scan/silent": "host scan? no answer; {source} tried port {target} of {targets} hosts",
    "host-scan/half-open": "host scan? not completed; {source} tried port {target} "
    "of {targets} hosts",
    "host-scan/refused": "host scan? refused; {source} tried port {target} of {targets} hosts",
    "host-scan/scanned": "host scan? the port is open; {source} tried port {target} "
    "of {targets} hosts",
    "host-scan/odd": "host scan? odd flags; {source} tried port {target} of {targets} hosts",
    "backscatter": "backscatter? {source} answers SYNs of {targets} addresses not captured",
    "null-scan": "null scan: a segment without flags, no answer",
    "null-scan/closed": "null scan: a segment without flags, answered by RST",
    "xmas-scan": "xmas scan: FIN, PSH and URG without a connection, no answer",
    "xmas-scan/closed": "xmas scan: FIN, PSH and URG without a connection, answered by RST",
    "fin-scan": "FIN scan: FIN without ACK or connection, no answer",
    "fin-scan/closed": "FIN scan: FIN without ACK or connection, answered by RST",
    "syn-scan": "reset by {who} in place of the third segment, as SYN scans do",
    "refused": "refused: RST to the SYN",
    "refused/many": "refused: RST to the SYN, {tries} tries",
    "unreachable": "unreachable: {reporter} says {reason}",
    "unreachable/many": "unreachable: {reporter} says {reason}, {tries} tries",
    "no-answer": "no answer to SYN, 1 try",
    "no-answer/yet": "no answer to SYN yet",
    "no-answer/told": "no answer to a SYN sent before the capture began",
    "no-answer/many": "no answer to SYN, {tries} tries in {span}",
    "half-open": "handshake not completed: no ACK of the SYN,ACK, 1 try",
    "half-open/yet": "no ACK of the SYN,ACK yet",
    "half-open/many": "handshake not completed: no ACK of the SYN,ACK, {tries} tries in {span}",
    "challenged": "SYN answered by an ACK without SYN: {who} has an older connection",
    "syn-ack-alone": "SYN,ACK without its SYN, 1 try",
    "syn-ack-alone/many": "SYN,ACK without its SYN, {tries} tries in {span}",
    "simultaneous-open": "simultaneous open, not completed",
    "reset": "reset by {who}",
    "reset/handshake": "reset by {who} during the handshake",
    "reset/after-own-fin": "reset by {who} after its own FIN",
    "reset/after-fin": "reset by {who} after {peer}'s FIN",
    "reset/keep-alives": "reset by {who} after {keep_alives} keep-alives without an answer",
    "reset/gave-up": "reset by {who}: no answer for {waiting}, {retries} retransmissions",
    "reset/stalled": "reset by {who} while {peer}'s window was zero for {stalled}",
    "reset/receiving": "reset by {who} while {peer} was sending, {bytes} not acknowledged",
    "reset/sending": "reset by {who} while sending, {bytes} not acknowledged",
    "reset/idle": "reset by {who} after {idle} of silence",
    "stray": "RST to a segment of a connection that {who} does not know",
    "gone-silent": "{who} stopped answering: {peer} repeated data {retries}",
    "gone-silent/keep-alives": "{who} stopped answering: {keep_alives} keep-alives in vain",
    "fin-unanswered": "{who}'s FIN not acknowledged, 1 try",
    "fin-unanswered/many": "{who}'s FIN not acknowledged, {tries} tries in {span}",
    "fin-unanswered/yet": "{who}'s FIN not acknowledged yet",
    "fin-unanswered/last/yet": "closing: {who}'s FIN not acknowledged yet",
    "fin-unanswered/last": "closing: no ACK of {who}'s FIN, 1 try",
    "fin-unanswered/last/many": "closing: no ACK of {who}'s FIN, {tries} tries in {span}",
    "never-closed": "closed by {peer}, never by {who} (CLOSE-WAIT for {waiting})",
    "half-closed": "half-closed by {peer}: {who} has not closed yet",
    "half-closed/sending": "half-closed by {peer}: {who} goes on sending",
    "never-closed/told": "closed by {peer}, not by {who}: in CLOSE-WAIT before the capture began",
    "closing": "closing: neither FIN acknowledged yet",
    "closing/told": "closing since before the capture began, silent so far",
    "closing/gone": "gone, and nothing of it was captured",
    "abandoned": "open, but silent for {silent}: abandoned",
    "asymmetric": "only {who}'s segments were captured",
    "asymmetric/closed": "closed by {who}; only {who}'s segments were captured",
    "keep-alive-only": "nothing but keep-alives: {keep_alives} in {span}",
    "keep-alive-only/unanswered": "nothing but keep-alives, {keep_alives}, and no answer any more",
    "closed-normally": "closed normally by {who}",
    "closed-normally/both": "closed normally by both at once",
    "closed-normally/mid-stream": "closed normally by {who} (beginning not captured)",
    "open": "open",
    "open/silent": "open, silent for {silent}",
    "open/no-syn": "open, its SYN was not captured",
    "open/told": "open since before the capture began, silent so far",
    "open/mid-stream": "open, found in mid-stream",
    "open/mid-stream-silent": "open, silent for {silent}, found in mid-stream",
    "kernel-disagrees": "the kernel's state differed from the inferred one, {times}",
    "other-data": "{who} sent other data than before with the same numbers, {segments}",
    "zero-window-stall": "stalled: {who}'s window was zero for {stalled} in all",
    "zero-window-stall/still": "stalled: {who}'s window is zero, for {stalled} so far",
    "path-mtu/icmp": "packets too big: {reporter} says MTU {mtu}",
    "path-mtu/icmp-silent": "packets too big: {reporter} says so, but no MTU",
    "path-mtu/suspected": "{who}'s segments of {bytes} never arrive, smaller ones do (path MTU?)",
    "lossy": "loss: {who} sent {again} of {data} data segments again",
    "slow-handshake": "slow handshake: {took}, most of it waiting for {who}",
    "slow-handshake/held": "handshake took {took}; its segments were held for {held} of it",
    "slow-handshake/syn-repeated": "handshake took {took}, SYN sent {tries} times",
    "slow-handshake/syn-ack-repeated": "handshake took {took}, SYN,ACK sent {tries} times",
    "icmp-error": "{reporter} says {reason}, to {who}'s segment",
    "bad-checksums": "damaged: {bad} of {checked} of {who}'s segments have a wrong checksum",
    "middlebox-suspected/syn-ttl": "middlebox suspected: {who}'s SYN has TTL {odd_ttl}, "
    "the rest {ttl}",
    "middlebox-suspected/reset-ttl": "reset perhaps not by {who}: it has TTL {odd_ttl}, "
    "the rest {ttl}",
    "middlebox-suspected/timestamps": "middlebox suspected: {who} echoes timestamps "
    "that {peer} never sent",
    "middlebox-suspected/sequence": "middlebox suspected: {who}'s SACK does not fit "
    "{peer}'s sequence numbers",
    "middlebox-suspected/rewritten": "{who}'s SYN was changed between two points of capture: "
    "{what}",
    "resets-ignored": "a reset that does not fit was ignored",
    "resets-ignored/many": "{resets} resets that do not fit were ignored",
    "split-handshake": "opened by two SYNs (simultaneous open or split handshake)",
    "syns-ignored": "SYN into the open connection: ignored",
    "syns-ignored/many": "{syns} SYNs into the open connection: ignored",
    "icmp-forged": "ICMP error about something never sent: ignored",
    "icmp-forged/many": "{errors} ICMP errors about things never sent: ignored",
    "port-zero": "{who} uses port 0, which no ordinary program does",
    "needless-retransmissions": "{who} sent {again} of {data} data segments again for nothing",
    "congestion-marked": "congestion: {packets} of {who}'s packets marked, {echoes} echoes",
    "capture-gaps": "the capture missed segments: one gap",
    "capture-gaps/many": "the capture missed segments: {gaps} gaps",
    "captured-twice": "{copies} of {segments} packets were captured twice",
    "checksum-offload": "{who}'s checksums are left to its network card",
    "checksum-offload/both": "no checksum is right: offload, or a capture changed later",
    "mid-stream": "its beginning was not captured",
    "ports-reused": "same addresses and ports as a connection before",
    "fast-open": "fast open: the data in the SYN was taken",
    "fast-open/ignored": "fast open: the data in the SYN was not taken",
    "fast-open/asked": "fast open asked for",
    "multipath": "a path of a Multipath TCP connection",
    "multipath/offered": "Multipath TCP offered, not taken",
    "urgent-data": "{who} sent urgent data",
}
"""Every sentence by code, ``code/how`` and, for more than one of something, ``.../many``;
``.../yet`` where it is only a moment of what goes well.

``{who}`` is the end that the verdict speaks of, ``{peer}`` the other; the rest
are its facts, durations without their ``_ns``.
"""

NAMES: Final = {Side.CLIENT: "client", Side.SERVER: "server"}
NAMES_MIDSTREAM: Final = {Side.CLIENT: "originator", Side.SERVER: "responder"}
"""Who sent the first SYN, and who answered; where no SYN was seen, who spoke first."""

TONES: Final = {
    Severity.INFO: roles.TEXT,
    Severity.NOTICE: roles.TEXT,
    Severity.WARNING: roles.MARK_WARNING,
    Severity.BAD: roles.MARK_BAD,
}
"""The role in which a verdict of each severity is written."""

_NOUNS: Final[dict[tuple[Code, str], Callable[[int], str]]] = {
    (Code.GONE_SILENT, "retries"): lambda n: numbers.plural(n, "time"),
    (Code.KERNEL_DISAGREES, "times"): lambda n: numbers.plural(n, "time"),
    (Code.OTHER_DATA, "segments"): lambda n: numbers.plural(n, "segment"),
}
"""Facts that are written with their noun, for there may be one of them."""

_COUNTED: Final = ("tries", "resets", "syns", "errors", "gaps")


def verdict(connection: Connection, now_ns: int | None = None) -> str:
    """The sentence of the most important verdict; ``now_ns`` as :func:`verdicts` takes it."""
    return leading(connection, now_ns)[1]


def leading(connection: Connection, now_ns: int | None = None) -> tuple[Verdict, str]:
    """The most important verdict with its sentence."""
    first = verdicts(connection, now_ns)[0]
    return first, sentence(first, midstream=connection.midstream)


def sentences(connection: Connection, now_ns: int | None = None) -> list[tuple[Verdict, str]]:
    """Every verdict with its sentence, the most severe first."""
    midstream = connection.midstream
    return [(each, sentence(each, midstream=midstream)) for each in verdicts(connection, now_ns)]


def sentence(verdict: Verdict, *, midstream: bool = False) -> str:
    """A verdict in words; ``midstream``: nobody knows who is client and who is server."""
    names = NAMES_MIDSTREAM if midstream else NAMES
    words: dict[str, str] = {}
    if verdict.side is not None:
        words = {"who": _(names[verdict.side]), "peer": _(names[verdict.side.other])}
    for name, fact in verdict.facts.items():
        if isinstance(fact, str):
            words[name] = clean(_(REASON_WORDS.get(fact, fact)) if name == "reason" else fact)
        elif name.endswith("_ns"):
            words[name.removesuffix("_ns")] = numbers.duration(fact)
        elif name.endswith("bytes"):
            words[name] = numbers.plural(fact, "byte")
        elif (verdict.code, name) in _NOUNS:
            words[name] = _NOUNS[verdict.code, name](fact)
        else:
            words[name] = str(fact)
    return _(TEXTS[text_key(verdict)], "verdict").format_map(words)


CROWD_TEXTS: Final[dict[str, str]] = {
    "syn-flood": "SYN flood? {count} handshakes with {target} that nobody completes, "
    "from {targets} addresses",
    "syn-flood/one": "SYN flood? {count} handshakes of {who} with {target} that nobody completes",
    "port-scan": "port scan? {who} tried {targets} ports of {target}, {count} times in vain",
    "host-scan": "host scan? {who} tried port {target} of {targets} hosts, {count} times in vain",
    "backscatter": "backscatter? {who} answers {count} SYNs of {targets} addresses "
    "that were not captured",
}


def crowd_sentence(crowd: Crowd) -> str:
    """What many connections show together."""
    one = crowd.kind == "syn-flood" and crowd.who
    text = _(CROWD_TEXTS[f"{crowd.kind}/one" if one else crowd.kind], "verdict")
    return clean(
        text.format(count=crowd.count, who=crowd.who, target=crowd.target, targets=crowd.targets)
    )


def text_key(verdict: Verdict) -> str:
    """Which of :data:`TEXTS` a verdict takes."""
    key = f"{verdict.code}/{verdict.how}" if verdict.how else str(verdict.code)
    if verdict.code is Code.FIN_UNANSWERED and verdict.severity is Severity.INFO:
        return f"{key}/yet"  # no answer is due yet: a moment of every teardown
    first = next((name for name in _COUNTED if name in verdict.facts), None)
    many = first is not None and verdict.facts[first] != 1
    return f"{key}/many" if many and f"{key}/many" in TEXTS else key

"""The help screen: what the signs mean and which keys there are. Scrolls; fits 80x24."""

from __future__ import annotations

from tcpviz.ui.keys import ACTIONS
from tcpviz.ui.looks import Looks
from tcpviz.ui.page import PageScreen
from tcpviz.ui.words import wrap
from tcpviz.views import roles
from tcpviz.views.ladder_labels import MARKS
from tcpviz.views.spans import Line, Span, line, pad
from tcpviz.words import _

KEYS_WIDTH = 15


def help_lines(cells: int, *, ascii_only: bool = False) -> list[Line]:
    """The page, wrapped to ``cells``."""
    made: list[Line] = []
    for heading, entries in (*_signs(ascii_only), *_keys(ascii_only)):
        if made:
            made.append(())
        made.append(line(Span(_(heading), roles.TITLE)))
        for sign, words in entries:
            left = pad((Span("  "), *sign, Span("  ")), KEYS_WIDTH)
            rows = wrap(line(_(words)), max(cells - KEYS_WIDTH, 10), 9)
            for number, row in enumerate(rows):
                made.append(line(*(left if not number else (Span(" " * KEYS_WIDTH),)), *row))
    return made


Entry = tuple[Line, str]
Part = tuple[str, list[Entry]]


def _signs(ascii_only: bool) -> list[Part]:
    client, server = ("*", "#") if ascii_only else ("●", "◆")
    shadow = "o" if ascii_only else "○"
    hand = "H" if ascii_only else "☛"
    r = roles
    return [
        (
            "Who, and how it is known",
            [
                ((Span(client, r.CLIENT),), "the client: sent the first SYN; left on the chart"),
                ((Span(server, r.SERVER),), "the server: answered it; right on the chart"),
                (
                    (Span("ESTAB", r.SEEN),),
                    "seen: the kernel said so, or the end's own segment proves it",
                ),
                ((Span(f"{shadow} ~ESTAB", r.INFERRED),), "inferred: the segments imply it"),
                (
                    (Span("ESTAB?", r.UNKNOWN),),
                    "unknown: the capture began too late, lost packets or saw one side only",
                ),
            ],
        ),
        (
            "Segments",
            [
                ((Span("SYN", r.FLAG_SYN),), "opens; uses up one sequence number"),
                ((Span("FIN", r.FLAG_FIN),), "closes one direction; uses up one number too"),
                ((Span("RST", r.FLAG_RST),), "refuses, or ends everything at once"),
                (
                    (Span(_("data"), r.DATA),),
                    "bytes first:after-last, then the acknowledged number",
                ),
                ((Span("ACK", r.FLAG_ACK),), "the next number that the sender waits for"),
                ((Span(_("lost"), r.LOST),), "it is known to have died on the way"),
            ],
        ),
        (
            "In a running demo: the cable in your hand (tcpviz demo --step, or the s key)",
            [
                ((Span(hand, r.LIT),), "a segment waits here, in your hand or in the scenario's"),
                (
                    (Span(_("held {time}").format(time="2.1 s"), r.FLAG_SYN),),
                    "for so long it lay in a hand",
                ),
                (
                    (Span(_("real s"), r.TITLE),),
                    "seconds without those in which you held something",
                ),
                (
                    (Span(_("kernel"), r.TITLE),),
                    "what each host's kernel said last: its running timer, bytes unacknowledged "
                    "or unread, congestion window, round-trip time; in red, with both opinions, "
                    "where it disagrees",
                ),
                (
                    (Span(_("syn q {queue} ").format(queue="1/129").strip(), r.SERVER),),
                    "the listener: connections in SYN-RECEIVED, and those that wait for accept() "
                    "(acc q), each with its limit",
                ),
            ],
        ),
        (
            "Marks behind a segment: in words where there is room",
            [((Span(f"[{sign}]", tone),), words) for sign, words, tone in MARKS.values()],
        ),
        (
            "Beside and under the chart",
            [
                (
                    (Span("> 812 seg" if ascii_only else "▸ 812 seg", r.DATA),),
                    "a run of data folded to one line: Enter, f or a click opens it",
                ),
                (
                    (Span(": 2.3 s :" if ascii_only else "⋯ 2.3 s ⋯", r.TIME),),
                    "to scale (T): so long nothing happened",
                ),
                (
                    (Span("SYN accept", r.TITLE),),
                    "the listener's queues down the chart: how many wait, and for how long (on 100 "
                    "columns and more)",
                ),
                (
                    (Span("R" if ascii_only else "▓R┿", r.MARK_WARNING),),
                    "the column at the right: the whole connection, shaded by how dense it was, "
                    "with letters of trouble and crosses where a state changed; a click goes there",
                ),
                (
                    (Span("==O--R--|" if ascii_only else "━━◉──R──|", r.LIT),),
                    "the line under the panes: all the time there is, bars where a state changed, "
                    "letters of trouble; press or drag; X is a loss, ! a reset",
                ),
                (
                    (Span(_("+{n} since").format(n=312), r.LIT),),
                    "came while you look back: End returns",
                ),
            ],
        ),
        (
            "Socket calls (where both ends are ours)",
            [
                ((Span("connect()", r.CALL),), "from the moment it was made ..."),
                ((Span("= 0", r.CALL),), "... to the moment it returned, with its result"),
                ((Span("= ECONN...", r.CALL_ERROR),), "it failed"),
            ],
        ),
    ]


def _keys(ascii_only: bool) -> list[Part]:
    groups: dict[str, list[Entry]] = {}
    for action in ACTIONS:
        shown = action.shown_plain if ascii_only else action.shown
        groups.setdefault(action.group, []).append(((Span(shown, roles.KEY),), action.what))
    mouse: Part = (
        "The mouse",
        [
            ((Span(_("click"), roles.KEY),), "selects a connection, or a segment's step"),
            ((Span(_("wheel"), roles.KEY),), "scrolls the pane under it"),
            ((Span(_("drag"), roles.KEY),), "on the line under the panes: through time"),
        ],
    )
    return [*groups.items(), mouse]


class HelpScreen(PageScreen):
    """The help."""

    def __init__(self, looks: Looks, *, ascii_only: bool) -> None:
        super().__init__(looks, _("Help"), ascii_only=ascii_only)

    def page(self, cells: int) -> list[Line]:
        return help_lines(cells, ascii_only=self.ascii_only)

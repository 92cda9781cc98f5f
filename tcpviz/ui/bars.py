"""The rows under the panes: explanation, status and key hints, as plain-data lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tcpviz.ui.keys import Action
from tcpviz.ui.looks import BAR, BAR_ALARM, BAR_STRONG
from tcpviz.ui.playback import Mode
from tcpviz.ui.session import Session
from tcpviz.views import points, roles
from tcpviz.views.hand_words import held_time
from tcpviz.views.ladder_canvas import ascii_line
from tcpviz.views.numbers import apart, count, plural, seconds, size, thousands
from tcpviz.views.spans import Line, Span, clean, fit, fit_text, line, text_width, width
from tcpviz.words import _, counted


@dataclass(frozen=True, slots=True)
class Item:
    """A piece of the status line: said at length, or shortly, or not at all.

    ``weight``  the lightest are shortened, then left out, first
    """

    weight: int
    long: str
    short: str = ""
    role: str = BAR


@dataclass(frozen=True, slots=True)
class Glyphs:
    """The few characters that the bars draw with."""

    playing: str = "▶"
    paused: str = "‖"
    following: str = "●"
    ended: str = "■"
    gap: str = " │ "
    left: str = "←"
    arrows: str = "←→"


UNICODE = Glyphs()
ASCII = Glyphs(">", "=", "*", "#", " | ", "Left", "<>")


def status(session: Session, cells: int, memory: int | None, *, ascii_only: bool = False) -> Line:
    """The status line in exactly ``cells``; ``memory`` is the program's own, bytes."""
    glyphs = ASCII if ascii_only else UNICODE
    said = fit(_arrange(status_items(session, memory, glyphs), cells, glyphs.gap), cells, BAR)
    return ascii_line(said) if ascii_only else said


def _titled(title: str) -> str:
    """A feed's title as the reader says it: of a demo's, the ground (``two hosts on a cable``)."""
    name, _comma, ground = title.partition(", ")
    said = _(ground)
    return title if said == ground else f"{name}{_(', ')}{said}"


def status_items(session: Session, memory: int | None, glyphs: Glyphs = UNICODE) -> list[Item]:
    """What the status line says, in its order."""
    items = [_mode(session, glyphs)]
    place, total = session.place
    if total:
        said = _("step {n} of {all}").format(n=place, all=total)
        items.append(Item(80, said, f"{place}/{total}", BAR_STRONG))
    if session.live and session.mode is Mode.PAUSED and session.remaining:
        behind = count(session.remaining)
        said = _("{n} behind, End catches up").format(n=behind)
        items.append(Item(85, said, _("{n} behind").format(n=behind), BAR_STRONG))
    title = _titled(clean(session.feed.title))
    items.append(Item(60, title, fit_text(title, 20)))
    pair = points.two_points(session.feed)
    if pair is not None:
        names, known = pair.names, pair.skew
        told = points.clocks(known, names)
        items.append(Item(65, told, points.clocks(known, names, short=True)))
    if session.acting and session.timeline:
        real = seconds(session.scenario_ns, decimals=3)
        held = session.held_ns
        if held or session.hand.stepping:
            long = _("real {real} s, held {held} in your hand")
            short = _("real {real} s, held {held}")
            both = {"real": real, "held": held_time(held)}
            items.append(Item(88, long.format_map(both), short.format_map(both)))
        else:
            long, short = _("real time: {real} s"), _("real {real} s")
            items.append(Item(70, long.format(real=real), short.format(real=real)))
    elif session.story and session.real_ns:
        real = seconds(session.real_ns, decimals=3)
        long, short = _("played back slowed: real {real} s"), _("slowed, real {real} s")
        items.append(Item(70, long.format(real=real), short.format(real=real)))
    items += _counters(session)
    if memory is not None:
        items.append(Item(10, size(memory)))
    return items


def _mode(session: Session, glyphs: Glyphs) -> Item:
    if session.ended and session.story:
        said = _("end of scenario; r replays, {left} steps back, q quits")
        return Item(100, f"{glyphs.ended} {said.format(left=glyphs.left)}", "", BAR_STRONG)
    if session.mode is Mode.PLAYING:
        pace = f"{glyphs.playing} {_('playing')}"
        if session.remaining == 0:
            waiting = _("waiting for more") if not session.pump.done else _("at the end")
            return Item(100, pace + _(", ") + waiting, pace, BAR_STRONG)
        each = session.playback.pace
        speed, short = f"{each.factor:g}x", f"{each.factor:g}x"
        if not each.factor:
            speed, short = _("{n} s a step").format(n=f"{each.seconds:g}"), f"{each.seconds:g} s"
        return Item(100, pace + _(", ") + speed, f"{pace} {short}", BAR_STRONG)
    if session.mode is Mode.PAUSED:
        word = _("looking back") if session.acting and not session.pump.done else _("paused")
        return Item(100, f"{glyphs.paused} {word}", "", BAR_STRONG)
    if session.pump.done:
        word = _("stopped") if session.live else _("end")
        return Item(100, f"{glyphs.ended} {word}", "", BAR_STRONG)
    feed = session.feed.status
    if feed.size:
        percent = min(100, feed.position * 100 // feed.size)
        said = _("reading, {percent} %").format(percent=percent)
        return Item(100, f"{glyphs.following} {said}", "", BAR_STRONG)
    word = _("live, following") if session.live else _("following")
    if session.acting:
        word = _("step mode") if session.hand.stepping else _("live")
    return Item(100, f"{glyphs.following} {word}", "", BAR_STRONG)


def _counters(session: Session) -> list[Item]:
    feed = session.feed.status
    frames = counted(feed.frames, "frame")
    items = [Item(30, apart(frames, feed.frames))]
    if feed.dropped:
        items.append(Item(90, _("{n} DROPPED").format(n=thousands(feed.dropped)), "", BAR_ALARM))
    elif session.live and not session.story:
        items.append(Item(20, _("0 dropped")))
    on_disk = getattr(session.feed, "on_disk", 0)
    if on_disk:
        items.append(Item(45, _("columns: {size} on disk").format(size=size(on_disk))))
    skipped = sum(feed.skipped.values())
    if skipped:
        items.append(Item(40, _("{n} skipped").format(n=thousands(skipped))))
    if session.timeline.dropped and not session.part:
        gone = count(session.timeline.dropped)
        long, short = _("oldest {n} steps forgotten"), _("{n} forgotten")
        items.append(Item(50, long.format(n=gone), short.format(n=gone), BAR_ALARM))
    if session.tracker.evicted:
        many = plural(session.tracker.evicted, "connection")
        items.append(Item(50, _("{n} forgotten").format(n=many)))
    return items + _host(session)


def _host(session: Session) -> list[Item]:
    """What the watched host's own kernel has had to let fall since the capture began."""
    host = session.tracker.host
    items = []
    if session.troubles:
        many = counted(session.troubles, "trouble")
        items.append(Item(86, f"! {many}", f"! {session.troubles}", BAR_ALARM))
    if host.latest is None:
        return items
    overflows = host.latest.counters.get("ListenOverflows", 0)
    if overflows:
        long, short = _("accept queues overflowed {n} times"), _("{n} overflows")
        n = thousands(overflows)
        items.append(Item(87, long.format(n=n), short.format(n=n), BAR_ALARM))
    cookies = host.latest.counters.get("SyncookiesSent", 0)
    if cookies:
        items.append(Item(45, _("{n} SYN cookies").format(n=thousands(cookies)), "", BAR_ALARM))
    if host.latest.left_out:
        left = _("{n} sockets too many").format(n=thousands(host.latest.left_out))
        items.append(Item(35, left))
    return items


def _arrange(items: Sequence[Item], cells: int, gap: str) -> Line:
    """As many items as fit, at length where there is room."""
    texts = {place: item.long for place, item in enumerate(items)}
    lightest = sorted(range(len(items)), key=lambda place: (items[place].weight, place))

    def total() -> int:
        return sum(map(text_width, texts.values())) + text_width(gap) * (len(texts) - 1) + 2

    for place in lightest:
        if total() <= cells:
            break
        if items[place].short:
            texts[place] = items[place].short
    for place in lightest:
        if total() <= cells or len(texts) == 1:
            break
        del texts[place]
    room = cells - total()
    for place in sorted(texts, key=lambda place: -items[place].weight):
        long, short = items[place].long, texts[place]
        if room > 0 and short.endswith("…") and long.startswith(short[:-1]):  # cut, not reworded
            texts[place] = fit_text(long, text_width(short) + room)
            room = cells - total()
    spans: list[Span] = [Span(" ", BAR)]
    for number, place in enumerate(sorted(texts)):
        if number:
            spans.append(Span(gap, BAR))
        spans.append(Span(fit_text(texts[place], max(cells - 2, 1)), items[place].role))
    return line(*spans)


KEPT = 3
"""So many hints stay, however narrow it is: by the menu everything can be reached."""


@dataclass(frozen=True, slots=True)
class Hint:
    """A hint as it was placed: columns ``start`` up to ``end`` do ``action``."""

    start: int
    end: int
    action: str


def hints(
    actions: Sequence[Action], cells: int, words: dict[str, str], *, ascii_only: bool = False
) -> tuple[Line, list[Hint]]:
    """The bottom line, and where on it each action is.

    ``words`` replaces an action's hint (``pause`` is "pause" or "play"; empty: none). What
    does not fit is left out before the last three: help, menu and quit stay.
    """
    chosen = [action for action in actions if words.get(action.name, action.hint)]
    while True:
        spans, places = _hint_spans(chosen, words, ascii_only)
        if width(spans) <= cells or len(chosen) <= KEPT:
            return fit(spans, cells), places
        del chosen[-KEPT - 1]


def _hint_spans(
    actions: Sequence[Action], words: dict[str, str], ascii_only: bool
) -> tuple[list[Span], list[Hint]]:
    spans: list[Span] = [Span(" ", roles.TEXT)]
    places: list[Hint] = []
    at = 1
    for action in actions:
        key = action.hint_name(ascii_only)
        text = f" {_(words.get(action.name, action.hint), 'hint')}  "
        spans += [Span(key, roles.KEY), Span(text, roles.EDGE_LABEL)]
        end = at + text_width(key) + text_width(text)
        places.append(Hint(at, end - 2, action.name))
        at = end
    return spans, places

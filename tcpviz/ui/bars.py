"""The rows under the panes: explanation, status and key hints, as plain-data lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tcpviz.ui.keys import Action
from tcpviz.ui.looks import BAR, BAR_ALARM, BAR_STRONG
from tcpviz.ui.playback import Mode
from tcpviz.ui.session import Session
from tcpviz.views import roles
from tcpviz.views.hand_words import held_time
from tcpviz.views.ladder_canvas import ascii_line
from tcpviz.views.numbers import count, plural, seconds, size
from tcpviz.views.spans import Line, Span, clean, fit, fit_text, line, text_width, width


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


def status_items(session: Session, memory: int | None, glyphs: Glyphs = UNICODE) -> list[Item]:
    """What the status line says, in its order."""
    items = [_mode(session, glyphs)]
    place, total = session.place
    if total:
        items.append(Item(80, f"step {place} of {total}", f"{place}/{total}", BAR_STRONG))
    if session.live and session.mode is Mode.PAUSED and session.remaining:
        behind = count(session.remaining)
        items.append(Item(85, f"{behind} behind, End catches up", f"{behind} behind", BAR_STRONG))
    title = clean(session.feed.title)
    items.append(Item(60, title, fit_text(title, 20)))
    if session.acting and session.timeline:
        real = seconds(session.scenario_ns, decimals=3)
        held = session.held_ns
        if held or session.hand.stepping:
            long = f"real {real} s, held {held_time(held)} in your hand"
            items.append(Item(88, long, f"real {real} s, held {held_time(held)}"))
        else:
            items.append(Item(70, f"real time: {real} s", f"real {real} s"))
    elif session.story and session.real_ns:
        real = seconds(session.real_ns, decimals=3)
        items.append(Item(70, f"played back slowed: real {real} s", f"slowed, real {real} s"))
    items += _counters(session)
    if memory is not None:
        items.append(Item(10, size(memory)))
    return items


def _mode(session: Session, glyphs: Glyphs) -> Item:
    if session.ended and session.story:
        keys = f"r replays, {glyphs.left} steps back, q quits"
        return Item(100, f"{glyphs.ended} end of scenario; {keys}", "", BAR_STRONG)
    if session.mode is Mode.PLAYING:
        pace = f"{glyphs.playing} playing"
        if session.remaining == 0:
            waiting = "waiting for more" if not session.pump.done else "at the end"
            return Item(100, f"{pace}, {waiting}", pace, BAR_STRONG)
        said = f"{pace}, {session.playback.pace}"
        return Item(100, said, f"{pace} {session.playback.pace.seconds:g} s", BAR_STRONG)
    if session.mode is Mode.PAUSED:
        word = "looking back" if session.acting and not session.pump.done else "paused"
        return Item(100, f"{glyphs.paused} {word}", "", BAR_STRONG)
    if session.pump.done:
        return Item(100, f"{glyphs.ended} {'stopped' if session.live else 'end'}", "", BAR_STRONG)
    feed = session.feed.status
    if feed.size:
        percent = min(100, feed.position * 100 // feed.size)
        return Item(100, f"{glyphs.following} reading, {percent} %", "", BAR_STRONG)
    word = "live, following" if session.live else "following"
    if session.acting:
        word = "step mode" if session.hand.stepping else "live"
    return Item(100, f"{glyphs.following} {word}", "", BAR_STRONG)


def _counters(session: Session) -> list[Item]:
    feed = session.feed.status
    items = [Item(30, f"{_thousands(feed.frames)} {'frame' if feed.frames == 1 else 'frames'}")]
    if feed.dropped:
        items.append(Item(90, f"{_thousands(feed.dropped)} DROPPED", "", BAR_ALARM))
    elif session.live and not session.story:
        items.append(Item(20, "0 dropped"))
    skipped = sum(feed.skipped.values())
    if skipped:
        items.append(Item(40, f"{_thousands(skipped)} skipped"))
    if session.timeline.dropped:
        gone = count(session.timeline.dropped)
        items.append(Item(50, f"oldest {gone} steps forgotten", f"{gone} forgotten", BAR_ALARM))
    if session.tracker.evicted:
        items.append(Item(50, f"{plural(session.tracker.evicted, 'connection')} forgotten"))
    return items


def _thousands(number: int) -> str:
    """``1 234 567``; a thin gap would be wider on some terminals."""
    return f"{number:,}".replace(",", " ")


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
    spans: list[Span] = [Span(" ", BAR)]
    for number, place in enumerate(sorted(texts)):
        if number:
            spans.append(Span(gap, BAR))
        spans.append(Span(fit_text(texts[place], max(cells - 2, 1)), items[place].role))
    return line(*spans)


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
    does not fit is left out from the middle: help and quit stay.
    """
    chosen = [action for action in actions if words.get(action.name, action.hint)]
    while True:
        spans, places = _hint_spans(chosen, words, ascii_only)
        if width(spans) <= cells or len(chosen) <= 2:
            return fit(spans, cells), places
        del chosen[-3 if len(chosen) > 2 else -1]


def _hint_spans(
    actions: Sequence[Action], words: dict[str, str], ascii_only: bool
) -> tuple[list[Span], list[Hint]]:
    spans: list[Span] = [Span(" ", roles.TEXT)]
    places: list[Hint] = []
    at = 1
    for action in actions:
        key = action.hint_name(ascii_only)
        text = f" {words.get(action.name, action.hint)}  "
        spans += [Span(key, roles.KEY), Span(text, roles.EDGE_LABEL)]
        end = at + text_width(key) + text_width(text)
        places.append(Hint(at, end - 2, action.name))
        at = end
    return spans, places

"""The session without a screen: stops, the past, the selection; and the rows under the panes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tcpviz.core.states import State
from tcpviz.ui import bars, keys
from tcpviz.ui.plan import FIGURES, Pane
from tcpviz.ui.playback import Pace
from tcpviz.ui.session import Session
from tcpviz.ui.words import explanation, wrap
from tcpviz.views import diagram
from tcpviz.views.spans import Span, line, plain_line, width
from tests.ui.fakes import FakeFeed, conversation, scenario


def session(*batches: list, story: bool = False, limit: int | None = None) -> Session:
    """A session that has taken everything."""
    made = Session(FakeFeed(*batches), pace=Pace() if story else None, limit=limit)
    made.pump.start()
    assert made.pump._ended.wait(20)
    made.pull(60)
    assert made.pump.done
    return made


def test_places_count_what_stepping_stops_at() -> None:
    made = session(scenario(), story=True)
    stops = 0
    assert made.place[0] == 0
    while made.playback.step():
        stops += 1
        assert made.place == (stops, made.place[1])
    assert made.place[0] == made.place[1] == stops
    assert made.remaining == 0
    assert made.ended


def test_what_is_explained_is_never_a_quiet_reading() -> None:
    made = session(scenario(), story=True)
    while made.playback.step():
        step = made.step
        assert step is not None
        assert not step.quiet
        assert plain_line(explanation(made))


def test_connections_in_the_past_are_what_they_were() -> None:
    made = session(conversation(0, 2), conversation(1, 2))
    connection = made.tracker.connections[1]
    made.select(1)
    walked = []
    made.playback.first()
    while True:
        past = made.as_of_cursor(connection)
        standing = made.standing
        assert standing is not None
        assert (past.client.claim, past.server.claim) == (standing.client, standing.server)
        walked.append(past.client.segments + past.server.segments)
        if not made.playback.step():
            break
    assert walked == list(range(1, len(walked) + 1))
    made.playback.first()
    assert made.as_of_cursor(connection).client.state is State.SYN_SENT
    made.playback.follow()
    assert made.as_of_cursor(connection) is connection


def test_a_limit_forgets_the_oldest_and_places_stay_right() -> None:
    made = session(conversation(0, 400), limit=100)
    assert made.timeline.dropped
    place, total = made.place
    assert place == total <= 113
    made.playback.first()
    assert made.place == (1, total)


def test_what_the_kernels_said_is_forgotten_with_the_steps_it_stood_at() -> None:
    made = session(scenario(), conversation(1, 20))
    assert made.reading is not None
    made = session(scenario(), conversation(1, 400), limit=100)
    assert made.timeline.first > len(scenario())
    assert made.reading is None
    made.playback.first()
    assert made.reading is None


def test_every_figure_of_the_diagram_is_in_the_plan() -> None:
    assert sorted(FIGURES) == sorted((f.width, f.height) for f in diagram.FIGURES)


# -- the rows under the panes --------------------------------------------------


@pytest.mark.parametrize("ascii_only", [False, True])
@given(cells=st.integers(1, 250))
def test_status_and_hints_fit_any_width(cells: int, ascii_only: bool) -> None:
    made = _STORY
    said = bars.status(made, cells, 41_000_000, ascii_only=ascii_only)
    assert width(said) == cells
    shown, places = bars.hints(keys.hinted(Pane.CHART), cells, {}, ascii_only=ascii_only)
    assert width(shown) == cells
    assert all(place.start < place.end for place in places)
    if ascii_only:
        assert plain_line(said).isascii()
        assert plain_line(shown).isascii()


def test_a_title_is_not_cut_while_there_is_room_beside_it() -> None:
    title = bars.Item(60, "demo simultaneous-close, two hosts on a cable", "demo simultaneous-c…")
    others = bars.Item(100, "paused"), bars.Item(30, "7 frames")
    for cells in range(40, 80):
        said = plain_line(bars._arrange([title, *others], cells, " | "))
        assert len(said) <= cells - 1
        if "…" in said:
            assert len(said) == cells - 1  # one blank at the right end, too


_STORY = session(scenario(), story=True)

WORDS = st.lists(st.text("abc 中é", min_size=1, max_size=12), min_size=0, max_size=20)


@given(WORDS, st.integers(2, 40), st.integers(1, 5))
def test_wrapping_fits_and_loses_nothing_that_has_room(
    words: list[str], cells: int, rows: int
) -> None:
    spans = line(*(Span(f"{word} ", f"role{n % 3}") for n, word in enumerate(words)))
    wrapped = wrap(spans, cells, rows)
    assert len(wrapped) <= rows
    assert all(width(one) <= cells for one in wrapped)
    longest = max((width((Span(part),)) for word in words for part in word.split()), default=0)
    everything = wrap(spans, cells, 10_000)
    if longest <= cells:
        got = "".join("".join(s.text for s in one).replace(" ", "") for one in everything)
        assert got == "".join(words).replace(" ", "")


def test_no_two_actions_share_a_key_and_all_have_names() -> None:
    taken = [key for action in keys.ACTIONS for key in action.keys]
    assert len(taken) == len(set(taken))
    for action in keys.ACTIONS:
        assert action.what
        assert action.shown_plain.isascii()
        assert action.hint_name(True).isascii()

"""The main screen's actions that teach: predict, story, the register, the language, the notes."""

from __future__ import annotations

from typing import Final

from textual import events

from tcpviz import words
from tcpviz.ui.handactions import HandActions
from tcpviz.ui.keys import ACTIONS
from tcpviz.ui.lesson import Lesson, Stage
from tcpviz.ui.lessonpanel import Hit, height, key_line, panel
from tcpviz.ui.lines import LinesView, Row
from tcpviz.ui.looks import Looks
from tcpviz.ui.notes import NotesSink
from tcpviz.ui.playback import Mode
from tcpviz.ui.teaching import Teaching
from tcpviz.views import quiz, teacher_notes
from tcpviz.views.explain import explain_text
from tcpviz.views.spans import Line
from tcpviz.words import _

_ANSWERS: Final = {
    **{key: place for place, key in enumerate("1234")},
    **{key: place for place, key in enumerate("abcd")},
}

_TAKEN: Final = frozenset(action.name for action in ACTIONS if {*action.keys} & {*_ANSWERS, "0"})
"""Actions whose keys are answers while a question is open."""

NEXT_STEPS: Final = 3
"""So many of the steps to come are told to the teacher."""


class LessonActions(HandActions):
    """Mixed into the screen, which has :attr:`lesson` and shows ``panel_view``."""

    lesson: Lesson
    panel_view: LinesView
    notes: NotesSink | None
    ascii_only: bool

    def make_lesson(self, looks: Looks, *, ascii_only: bool) -> None:
        """The lesson and its panel; whoever owns the screen places the panel."""
        self.lesson = Lesson(self.session)
        self.panel_view = LinesView(looks, id="lesson", ascii_only=ascii_only)
        self.notes = None
        self._hits: list[Hit] = []
        self._noted: object = None
        self._block: list[str] = []

    def teach(self, teaching: Teaching) -> None:
        """Begin as the command line says."""
        self.session.plain_words = teaching.plain
        self.lesson.story = teaching.story
        self.notes = teaching.notes
        if teaching.predict or teaching.tell:
            self._teach(predict=teaching.predict, on=True)

    # -- on, off, and how it is said ------------------------------------------

    def action_predict(self) -> None:
        """Ask before each segment and state change, or ask no more."""
        self._teach(predict=True, on=not self.lesson.predict)

    def action_story(self) -> None:
        """Walk through the scenario with its questions, or not any more."""
        if self.lesson.story is None:
            self.say_briefly(_("a story is told of a scenario: tcpviz demo --story"))
            return
        self._teach(predict=False, on=not self.lesson.telling)

    def _teach(self, *, predict: bool, on: bool) -> None:
        lesson = self.lesson
        if on:
            lesson.start(predict=predict)
            lesson.look()
        else:
            lesson.stop()
            if self.session.acting:
                self.session.playback.follow()
            else:
                self.session.playback.hold()
        self.lay_out_anew()

    def action_words(self) -> None:
        """The other register."""
        self.session.plain_words = not self.session.plain_words
        self.redraw()

    def action_language(self) -> None:
        """The next language."""
        if self.ascii_only:
            self.say_briefly("Chinese needs more than ASCII")
            return
        names = list(words.LANGUAGES)
        name = names[(names.index(words.language()) + 1) % len(names)]
        words.use(name)
        self.language_changed()
        self.say_briefly(words.LANGUAGES[name])

    def language_changed(self) -> None:
        """What was put together in the other language has to be made anew."""
        raise NotImplementedError

    # -- time, while a lesson is on --------------------------------------------

    def action_pause(self) -> None:
        if not self.lesson.on:
            super().action_pause()
        elif not self._lesson_goes_on():
            self._run_or_hold()

    def action_step(self) -> None:
        if not self.lesson.on:
            super().action_step()
        elif not self._lesson_goes_on() and not self.lesson.look():
            before = self.session.cursor.index
            if not self.session.playback.step():
                self._let_go_if_any()
            self.stepped(before)
        self.redraw()

    def action_advance(self) -> None:
        if self.lesson.on:
            self.action_step()
        else:
            super().action_advance()

    def _lesson_goes_on(self) -> bool:
        """Space or a step while something is asked or told; true if that was all."""
        before = self.session.cursor.index
        if self.lesson.stage is Stage.ASKING:
            self.say_briefly(_("answer with 1, 2, 3 or 4; 0 shows it"))
            return True
        if not self.lesson.go_on():
            return False
        self.stepped(before)
        if self.session.at_latest:
            self._let_go_if_any()
        return True

    def _let_go_if_any(self) -> None:
        hand = self.session.hand
        if hand.stepping and hand.chosen is not None:
            hand.let_go()
            self.session.playback.play(self.session.clock())

    def _run_or_hold(self) -> None:
        session = self.session
        if session.ended and session.story:
            self.action_replay()
        elif session.mode is Mode.PLAYING and not session.at_latest:
            session.playback.hold()
        elif not self.lesson.look():
            if session.at_latest:
                self._let_go_if_any()
            session.playback.play(session.clock())
        self.redraw()

    def action_back(self) -> None:
        self.lesson.left()
        super().action_back()

    def action_first(self) -> None:
        self.lesson.left()
        super().action_first()

    def action_end(self) -> None:
        self.lesson.left()
        super().action_end()
        if self.lesson.on:
            self.session.playback.play(self.session.clock())

    def action_replay(self) -> None:
        super().action_replay()
        if self.lesson.on:
            self.lesson.begin(self.session)
            self.lay_out_anew()

    def go_to(self, index: int) -> None:
        if self.lesson.on and index > self.session.cursor.index:
            return  # the future is not to be looked at
        self.lesson.left()
        super().go_to(index)

    # -- answers --------------------------------------------------------------

    def takes_key(self, action: str) -> bool:
        """Whether the action's key is an answer now."""
        if action == "host":  # 0 shows an answer; pressed too late it must not leave the lesson
            return self.lesson.on
        return self.lesson.question is not None and action in _TAKEN

    def on_key(self, event: events.Key) -> None:
        """A number or a letter answers; 0 shows what happens."""
        if self.lesson.question is None:
            return
        if event.key == "0":
            event.stop()
            self._answer(None)
        elif event.key in _ANSWERS:
            event.stop()
            self._answer(_ANSWERS[event.key])

    def panel_clicked(self, x: int, y: int) -> None:
        """The panel was clicked there."""
        hit = next((one for one in self._hits if one.row == y and one.start <= x < one.end), None)
        if hit is None:
            return
        if hit.place < 0:
            self._lesson_goes_on()
            self.redraw()
        else:
            self._answer(hit.place)

    def _answer(self, place: int | None) -> None:
        before = self.session.cursor.index
        done = self.lesson.skip() if place is None else self.lesson.answer(place)
        if done and self.session.cursor.index != before:
            self.stepped(before)
        self.redraw()

    # -- what is shown --------------------------------------------------------

    def panel_rows(self, rows: int) -> int:
        """How many rows of the screen the panel wants."""
        return height(self.lesson, rows)

    def draw_panel(self, cells: int, rows: int) -> None:
        """Draw the panel, and write the teacher's notes if something is other than before."""
        if rows:
            lines, self._hits = panel(self.lesson, cells, rows, ascii_only=self.ascii_only)
            self.panel_view.show([Row(one) for one in lines])
        if self.notes is not None:
            self._note(self.notes)

    def key_line(self, cells: int) -> Line | None:
        """The bottom line while a question is open."""
        return key_line(self.lesson, cells)

    @property
    def lesson_state(self) -> tuple[object, ...]:
        """Differs whenever the panel does."""
        lesson = self.lesson
        asked = 0 if lesson.asked is None else len(lesson.asked.answers)
        return (lesson.stage, asked, lesson.total, lesson.on)

    def _note(self, sink: NotesSink) -> None:
        session = self.session
        now = (session.cursor.index, self.lesson_state, words.language())
        if now == self._noted or (session.step is None and not session.timeline):
            return
        self._noted = now
        place, total = session.place
        heading = _("step {n} of {all}").format(n=place, all=total)
        block = teacher_notes.block(heading, self._entries(), sink.width)
        if block != self._block:
            self._block = block
            sink.write(block)

    def _entries(self) -> list[tuple[str, str]]:
        """The present for the teacher: what is asked, what is right, what comes next."""
        session, lesson = self.session, self.lesson
        story, question = lesson.story, lesson.question
        entries: list[tuple[str, str]] = []
        if story is not None and session.place[0] == 0:
            entries.append((_("scenario"), _(story.title)))
            entries.append((_("ask first"), _(story.ask)))
            entries.append((_("it shows"), _(story.shows)))
        if question is not None:
            entries.append((_("question"), question.text))
            entries.append((_("answer"), question.answer))
        elif lesson.point is not None:
            entries.append((_("question"), _(lesson.point.ask)))
            entries.append((_("answer"), _(lesson.point.answer)))
        step = session.step
        if step is not None:
            known = session.tracker.connections
            connection = None if step.connection is None else known.get(step.connection)
            entries.append((_("on the screen"), explain_text(step, connection)))
        coming = quiz.coming(lesson.coming(32), NEXT_STEPS)
        entries.append((_("comes next"), _("; ").join(coming)))
        if story is not None:
            after = lesson.next_point
            if after is not None:
                entries.append((_("next question"), _(after.ask)))
                entries.append((_("its answer"), _(after.answer)))
            if session.place[0] > 0 and self.notes is not None and self.notes.terminal:
                entries.append((_("to ask"), _(story.ask)))
        return entries

"""Lesson: predict-then-reveal and story mode, without the screen.

Playback runs until something is to be asked; then it stops before that step,
and goes on when the class has answered, or the teacher has gone on. It knows
nothing of keys and widgets: the screen asks :attr:`Lesson.stage` what to show.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

from tcpviz.core.timeline import Step
from tcpviz.ui.playback import Mode
from tcpviz.ui.session import Session
from tcpviz.views import quiz
from tcpviz.views.quiz import Question
from tcpviz.views.story import Point

ENOUGH_ALIKE = 4
"""So many plain data segments and ACKs in a row are asked for; the next ones pass unasked."""


@dataclass(frozen=True, slots=True)
class Story:
    """What a scenario's script says to its class."""

    title: str = ""
    shows: str = ""
    ask: str = ""
    points: tuple[Point, ...] = ()


class Stage(enum.Enum):
    """What the lesson waits for.

    ``RUNNING``   nothing: playback goes on
    ``ASKING``    an answer to :attr:`Lesson.question`
    ``REVEALED``  somebody has seen whether the answers were right
    ``OPENING``   the story's title and question have been read
    ``POINT``     the class has thought about a point's question
    ``TOLD``      its answer has been read
    ``CLOSING``   the story is over, and what it showed stands there
    """

    RUNNING = "running"
    ASKING = "asking"
    REVEALED = "revealed"
    OPENING = "opening"
    POINT = "point"
    TOLD = "told"
    CLOSING = "closing"


@dataclass(slots=True)
class Asked:
    """One step's questions, with what was answered so far (``None``: shown without an answer)."""

    index: int
    questions: list[Question]
    answers: list[int | None] = field(default_factory=list)


class Lesson:
    """Teaches over ``session``.

    ``predict``, ``telling``  which of the two ways is on; never both
    ``right``, ``total``      the score
    """

    def __init__(self, session: Session, story: Story | None = None) -> None:
        self.session = session
        self.story = story
        self.predict = False
        self.telling = False
        self.begin(session)

    def begin(self, session: Session) -> None:
        """From the beginning, over another session or the same one."""
        self.session = session
        self.stage = Stage.RUNNING
        self.right = self.total = 0
        self.asked: Asked | None = None
        self.point: Point | None = None
        self._known: set[int] = set()
        self._next_point = 0
        self._alike = 0
        self._closed = False
        if self.on:
            self._settle()

    @property
    def on(self) -> bool:
        """One of the two ways is on."""
        return self.predict or self.telling

    @property
    def question(self) -> Question | None:
        """What is asked now."""
        if self.stage is not Stage.ASKING or self.asked is None:
            return None
        return self.asked.questions[len(self.asked.answers)]

    @property
    def next_point(self) -> Point | None:
        """The story's next stop after the one that is shown."""
        points = () if self.story is None else self.story.points
        return points[self._next_point] if self._next_point < len(points) else None

    # -- on and off -----------------------------------------------------------

    def start(self, *, predict: bool) -> None:
        """Begin to ask (``predict``) or to tell the story."""
        self.predict, self.telling = predict, not predict
        session = self.session
        over = session.mode is Mode.FOLLOWING or session.remaining == 0
        if not session.live and (over or not predict):
            session.playback.hold()
            session.cursor.seek(session.timeline.first - 1)  # before the very first, in a file too
        self.begin(session)

    def stop(self) -> None:
        """Ask no more."""
        self.predict = self.telling = False
        self.stage, self.asked, self.point = Stage.RUNNING, None, None
        session = self.session
        session.hides_future, session.guessing, session.taught = session.story, False, False

    def _settle(self) -> None:
        session = self.session
        session.hides_future = session.guessing = session.taught = True
        if self.telling and session.cursor.index < session.timeline.first:
            self.stage = Stage.OPENING
            session.playback.hold()
        else:
            session.playback.play(session.clock())

    # -- when to stop -----------------------------------------------------------

    def interrupts(self) -> bool:
        """Before playback goes on by itself: whether something is to be asked or told first."""
        if not self.on or self.session.mode is not Mode.PLAYING:
            return False
        return self.stage is not Stage.RUNNING or self.look()

    def look(self) -> bool:
        """Stop before the next step if it is one to stop at; true if so."""
        if not self.on or self.stage is not Stage.RUNNING:
            return False
        step = self.next_step()
        if step is None:
            return self._over()
        if self.telling:
            return self._tells(step)
        return self._asks(step)

    def next_step(self) -> Step | None:
        """The step that comes next, if it has come already."""
        cursor, timeline = self.session.cursor, self.session.timeline
        if cursor.connection is None:
            places: range | list[int] = range(cursor.index + 1, len(timeline))
        else:
            places = timeline.since(cursor.index, cursor.connection)
        return next((timeline[at] for at in places if not timeline[at].quiet), None)

    def coming(self, most: int) -> list[Step]:
        """The next steps that have come already, the very next one first."""
        cursor, timeline = self.session.cursor, self.session.timeline
        if cursor.connection is None:
            places: range | list[int] = range(cursor.index + 1, len(timeline))
        else:
            places = timeline.since(cursor.index, cursor.connection)
        return [timeline[at] for at in places[:most]]

    def _asks(self, step: Step) -> bool:
        if step.index in self._known or not quiz.worthy(step):
            return False
        if quiz.plain_traffic(step):
            self._alike += 1
            if self._alike > ENOUGH_ALIKE:
                return False
        elif step.segment is not None:
            self._alike = 0
        later = [one for one in self.coming(64)[1:] if one.connection == step.connection]
        made = quiz.questions(step, later)
        if not made:
            return False
        self._known.add(step.index)
        self.asked = Asked(step.index, made)
        self._wait(Stage.ASKING)
        return True

    def _tells(self, step: Step) -> bool:
        points = () if self.story is None else self.story.points
        if self._next_point < len(points):
            point = points[self._next_point]
            if not point.matches(step):
                return False
            self._next_point += 1
        elif points or not any(change.transition is not None for change in step.changes):
            return False
        else:
            point = None  # a script without steps of its own: every move is one
        self.point = point
        if point is not None and point.ask:
            self._wait(Stage.POINT)
        else:
            self._reveal(Stage.TOLD)
        return True

    def _over(self) -> bool:
        if self._closed or not self.session.ended:
            return False
        self._closed = True
        self._wait(Stage.CLOSING)
        return True

    def _wait(self, stage: Stage) -> None:
        self.stage = stage
        self.session.playback.hold()

    # -- answers --------------------------------------------------------------

    def answer(self, place: int) -> bool:
        """The option at ``place`` (0 is the first) is the answer; false where there is none."""
        question = self.question
        if question is None or self.asked is None or not 0 <= place < len(question.options):
            return False
        self.asked.answers.append(place)
        self.total += 1
        self.right += place == question.right
        self._answered()
        return True

    def skip(self) -> bool:
        """Show the rest of this step without answers and without a point."""
        if self.question is None or self.asked is None:
            return False
        missing = len(self.asked.questions) - len(self.asked.answers)
        self.asked.answers += [None] * missing
        self._answered()
        return True

    def _answered(self) -> None:
        if self.asked is not None and len(self.asked.answers) == len(self.asked.questions):
            self._reveal(Stage.REVEALED)

    def _reveal(self, stage: Stage) -> None:
        self.session.playback.step()
        self.stage = stage

    # -- going on -------------------------------------------------------------

    def go_on(self) -> bool:
        """One key: reveal, or go on; false where it waits for nothing, or for an answer."""
        if self.stage is Stage.POINT:
            self._reveal(Stage.TOLD)
            return True
        if self.stage in (Stage.RUNNING, Stage.ASKING):
            return False
        if self.stage is Stage.CLOSING:
            self.stage = Stage.RUNNING
            return True
        self.stage, self.asked, self.point = Stage.RUNNING, None, None
        if not self.look():
            self.session.playback.play(self.session.clock())
        return True

    def left(self) -> None:
        """The cursor was moved by hand: what was asked or told is no more in place."""
        if self.stage is Stage.ASKING and self.asked is not None:
            self._known.discard(self.asked.index)
        if self.stage is Stage.POINT:
            self._next_point -= 1
        self.stage, self.asked, self.point = Stage.RUNNING, None, None

"""How the class is to be taught: language, register, questions, notes; from the command line."""

from __future__ import annotations

import argparse
import os
from dataclasses import dataclass

from tcpviz import words
from tcpviz.lab.scenarios import Scenario
from tcpviz.sources.feed import SourceError
from tcpviz.ui.lesson import Story
from tcpviz.ui.notes import NotesSink


@dataclass(slots=True)
class Teaching:
    """The choices.

    ``lang``     a language of :data:`tcpviz.words.LANGUAGES`; ``None``: the locale's
    ``plain``    explanations come in plain words
    ``predict``  ask before each step; ``tell``: walk through the scenario's story
    ``story``    what the scenario's script says to the class, if there is a scenario
    ``notes``    where the teacher's notes go
    """

    lang: str | None = None
    plain: bool = False
    predict: bool = False
    tell: bool = False
    story: Story | None = None
    notes: NotesSink | None = None

    @classmethod
    def of(cls, options: argparse.Namespace, scenario: Scenario | None) -> Teaching:
        """What the options say. Raises SourceError where two of them exclude each other."""
        predict, tell = getattr(options, "predict", False), getattr(options, "story", False)
        if predict and tell:
            raise SourceError("either --predict or --story; P and S change it on the screen", 2)
        story = None
        if scenario is not None and scenario.programs is None:
            story = Story(scenario.title, scenario.shows, scenario.ask, scenario.points)
        if tell and story is None:
            raise SourceError("--story is for a scenario: your own programs tell none", 2)
        path = getattr(options, "notes", None)
        notes = None if path is None else NotesSink(path)
        lang, plain = getattr(options, "lang", None), getattr(options, "plain", False)
        return cls(lang, plain, predict, tell, story, notes)

    def speak(self, *, ascii_only: bool) -> None:
        """Use the language on the screen. Raises SourceError where it cannot be written there."""
        if ascii_only and self.lang not in (None, "en"):
            raise SourceError("--lang zh needs a terminal with more than ASCII", 2)
        words.use("en" if ascii_only else self.lang or words.wanted(os.environ))

"""Keys that teach: questions, the story, the words."""

from __future__ import annotations

from tcpviz.ui.action import Action

_TEACH = "Teaching"

TEACHING_ACTIONS: tuple[Action, ...] = (
    Action(
        "predict",
        ("P",),
        "P",
        "Predict what comes next",
        "Stop before each segment and state change and ask who sends what, with which numbers, and "
        "which state follows; 1 to 4 answer, 0 shows it. Again: no more questions",
        "",
        (),
        _TEACH,
    ),
    Action(
        "story",
        ("S",),
        "S",
        "Story mode",
        "Walk through the scenario with its questions; Space shows the answer and goes on",
        "",
        (),
        _TEACH,
    ),
    Action(
        "words",
        ("W",),
        "W",
        "Plain or precise words",
        "Explain in plain words (two people talking at a door), or precisely",
        "",
        (),
        _TEACH,
    ),
    Action("language", ("L",), "L", "English or Chinese", "Change the language", "", (), _TEACH),
)

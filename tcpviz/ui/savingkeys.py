"""Keys that keep something: a moment, or the packets."""

from __future__ import annotations

from tcpviz.ui.action import Action

_KEEP = "Keeping"

SAVING_ACTIONS: tuple[Action, ...] = (
    Action(
        "mark_moment",
        ("M",),
        "M",
        "Mark this moment",
        "Set a mark here (in a live view: now): shown in the scrubber and a live chart, kept as a "
        "comment in the file of -w and in what is saved; Y lists the marks",
        "",
        (),
        _KEEP,
    ),
    Action(
        "save",
        ("Y",),
        "Y",
        "Save packets",
        "The last seconds or minutes, what came since a mark, or one connection, as pcapng; and "
        "the marks, to go back to",
        "",
        (),
        _KEEP,
    ),
)

"""Keys of a running demo: the cable in a person's hand, and the segment in it."""

from __future__ import annotations

from tcpviz.ui.action import Action

HAND = "The cable in your hand (a running demo)"

HAND_ACTIONS: tuple[Action, ...] = (
    Action(
        "step_mode",
        ("s",),
        "s",
        "Step mode",
        "Each segment waits in your hand until Space or PgDn lets it go; again: all go by "
        "themselves. A scenario that is over is run anew",
        "step mode",
        (),
        HAND,
    ),
    Action("drop", ("x",), "x", "Drop it", "Let the segment in your hand die", "drop", (), HAND),
    Action(
        "duplicate",
        ("u",),
        "u",
        "Duplicate it",
        "Make a copy, which lies in your hand behind it",
        "double",
        (),
        HAND,
    ),
    Action(
        "delay",
        ("w",),
        "w",
        "Delay it",
        "Half a second later for each press, once you let it go; what comes meanwhile overtakes "
        "it. Esc: not after all",
        "delay",
        (),
        HAND,
    ),
    Action(
        "behind",
        ("b",),
        "b",
        "Put it behind the next one",
        "It arrives right after the next one of its sender",
        "behind",
        (),
        HAND,
    ),
    Action(
        "corrupt",
        ("c",),
        "c",
        "Corrupt it",
        "Turn over one byte: its checksum is wrong then, and the receiver's kernel drops it",
        "corrupt",
        (),
        HAND,
    ),
    Action(
        "next_held",
        ("v",),
        "v",
        "Choose another",
        "Where several are in your hand: the next one",
        "other",
        (),
        HAND,
    ),
    Action(
        "longer_way",
        ("right_square_bracket",),
        "]",
        "Slower cable",
        "Each segment takes longer from one host to the other",
        "cable",
        (),
        HAND,
        hint_key=("[ ]", "[ ]"),
    ),
    Action(
        "shorter_way",
        ("left_square_bracket",),
        "[",
        "Faster cable",
        "Each segment takes less time",
        "",
        (),
        HAND,
    ),
    Action("again", ("R",), "R", "Run it again", "Run the scenario anew, live", "", (), HAND),
)

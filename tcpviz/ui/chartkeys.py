"""Keys of the sequence chart and of its time: jumps, strides, speed, folds, comparing."""

from __future__ import annotations

from tcpviz.ui.action import Action
from tcpviz.ui.plan import Pane

_CHART = "The sequence chart"

TIME_ACTIONS: tuple[Action, ...] = (
    Action(
        "next_problem",
        ("full_stop",),
        ".",
        "Next problem",
        "To the next segment with a mark of trouble, a loss, a reset, an objection of the kernel",
        "problem",
        (Pane.CHART,),
        hint_key=(", .", ", ."),
    ),
    Action("previous_problem", ("comma",), ",", "Previous problem", "To the one before"),
    Action(
        "next_change",
        ("right_curly_bracket",),
        "}",
        "Next state change",
        "To where an end goes to another state",
    ),
    Action(
        "previous_change", ("left_curly_bracket",), "{", "Previous state change", "The one before"
    ),
    Action(
        "next_call",
        ("right_parenthesis",),
        ")",
        "Next call",
        "To where a socket call is made or returns (where calls are known)",
    ),
    Action("previous_call", ("left_parenthesis",), "(", "Previous call", "The one before"),
    Action(
        "handshake", ("circumflex_accent",), "^", "Handshake", "To the connection's first segment"
    ),
    Action("teardown", ("dollar_sign",), "$", "Teardown", "To where the closing begins"),
    Action(
        "go",
        ("at",),
        "@",
        "Go to ...",
        "Go to a frame, a time or a share of the connection, typed in",
    ),
    Action(
        "tenth_on",
        ("shift+right",),
        "Shift+→",
        "A tenth on",
        "Forward by a tenth of the whole",
        plain="Shift+Right",
    ),
    Action(
        "tenth_back",
        ("shift+left",),
        "Shift+←",
        "A tenth back",
        "Back by a tenth of the whole",
        plain="Shift+Left",
    ),
    Action(
        "stride",
        ("y",),
        "y",
        "How far a step goes",
        "→ and ← (and a clicker) go to the next step, segment, state change, call or problem",
    ),
    Action(
        "real_time",
        ("o",),
        "o",
        "As fast as it was, or by steps",
        "Play as fast as it was: + and - go from 0.01x to 100x. Again: by steps",
    ),
)

CHART_ACTIONS: tuple[Action, ...] = (
    Action(
        "scale",
        ("T",),
        "T",
        "To scale",
        "Each row of the chart stands for equal time, long silence is broken; again: coarser, off",
        "",
        (),
        _CHART,
    ),
    Action(
        "detail",
        ("D",),
        "D",
        "What arrows tell",
        "Windows and options too; again: data that is text is quoted; again: flags and numbers",
        "",
        (),
        _CHART,
    ),
    Action(
        "fold",
        ("f",),
        "f",
        "Open or fold data",
        "Open the run of data at the cursor, or fold it to one line (Enter or a click opens one)",
        "fold",
        (Pane.CHART,),
        _CHART,
        hint_key=("f F", "f F"),
    ),
    Action(
        "folds",
        ("F",),
        "F",
        "Open or fold all data",
        "Open every run of data, or fold each to one line",
        "",
        (),
        _CHART,
    ),
    Action(
        "acks",
        ("A",),
        "A",
        "Hide pure ACKs",
        "Leave out the segments that do nothing but acknowledge; again: show them",
        "",
        (),
        _CHART,
    ),
    Action(
        "mark",
        ("m",),
        "m",
        "Mark",
        "In the list: mark the connection, for one chart of several. Elsewhere: mark the segment "
        "at the cursor, to compare another with it",
        "mark",
        (Pane.CHART, Pane.LIST),
        _CHART,
    ),
    Action(
        "compare",
        ("C",),
        "C",
        "Compare two segments",
        "The marked segment and the one at the cursor side by side, what differs emphasised",
        "",
        (),
        _CHART,
    ),
    Action(
        "hosts",
        ("H",),
        "H",
        "Several connections on one chart",
        "Those marked in the list, or all of this client: hosts are columns, letters connections",
        "hosts",
        (Pane.LIST,),
        _CHART,
    ),
)

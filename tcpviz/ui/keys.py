"""Keys: every action once, with its keys, its name and what it does.

Bindings, the command palette, the hints at the bottom and the help screen are
all made of this table, so that none can forget what another knows.
"""

from __future__ import annotations

from textual.binding import Binding

from tcpviz.ui.action import THEMES_TOLD, Action
from tcpviz.ui.chartkeys import CHART_ACTIONS, TIME_ACTIONS
from tcpviz.ui.handkeys import HAND, HAND_ACTIONS
from tcpviz.ui.keymap import CHOSEN, remapped
from tcpviz.ui.plan import Pane
from tcpviz.ui.presenterkeys import PRESENTER_ACTIONS
from tcpviz.ui.savingkeys import SAVING_ACTIONS
from tcpviz.ui.teachkeys import TEACHING_ACTIONS

__all__ = ["ACTIONS", "HOLDING", "TABLE", "Action", "bindings", "hinted"]


_PANES, _LOOK, _PROGRAM = (
    "Panes and connections",
    "How it is shown",
    "The program",
)

TABLE: tuple[Action, ...] = (
    Action(
        "pause",
        ("space",),
        "Space",
        "Pause or go on",
        "Pause; press again to go on (a live view goes on at the end). In step mode: let the "
        "segment in your hand go",
        "pause",
    ),
    Action(
        "step",
        ("right", "l", "n"),
        "→ l n",
        "Step forward",
        "One step forward",
        "step",
        plain="Right l n",
        hint_key=("← →", "Left Right"),
    ),
    Action(
        "advance",
        ("pagedown",),
        "PgDn",
        "Step forward, or let the segment go",
        "A clicker's forward key: one step forward; in step mode it lets the segment go",
    ),
    Action(
        "back",
        ("left", "h", "p"),
        "← h p",
        "Step back",
        "One step back; the recording goes on meanwhile",
        plain="Left h p",
    ),
    Action(
        "retreat",
        ("pageup",),
        "PgUp",
        "Step back, or a page",
        "A clicker's key back: one step back; in the list of a large file a page up",
    ),
    Action(
        "first",
        ("home", "g"),
        "Home g",
        "Go to the first step",
        "The first step (of the connection, in a file; before it, in a scenario)",
    ),
    Action(
        "end",
        ("end", "G"),
        "End G",
        "Go to the end and follow",
        "The last step; what comes is followed again",
        "follow",
    ),
    Action("replay", ("r",), "r", "Replay from the start", "Play from the beginning"),
    Action(
        "faster",
        ("plus", "greater_than_sign"),
        "+ >",
        "Play faster",
        "A shorter time for each step when playing",
    ),
    Action(
        "slower",
        ("minus", "less_than_sign"),
        "- <",
        "Play slower",
        "A longer time for each step when playing",
    ),
    *TIME_ACTIONS,
    *HAND_ACTIONS,
    *TEACHING_ACTIONS,
    Action(
        "up", ("up", "k"), "↑ k", "Up", "Select the row above, or scroll", "", (), _PANES, "Up k"
    ),
    Action(
        "down",
        ("down", "j"),
        "↓ j",
        "Down",
        "Select the row below, or scroll",
        "",
        (),
        _PANES,
        "Down j",
    ),
    Action(
        "enter",
        ("enter",),
        "Enter",
        "Open, or tell more",
        "Open the connection; in the diagram and the chart: tell more of what is there",
        "open",
        (),
        _PANES,
    ),
    Action(
        "sort",
        ("O",),
        "O",
        "Sort by the next column",
        "The list by another column, the greatest numbers first; a click on a heading does it too",
        "",
        (),
        _PANES,
    ),
    Action(
        "sort_back",
        ("I",),
        "I",
        "Sort the other way round",
        "The list in the opposite order",
        "",
        (),
        _PANES,
    ),
    Action("next_pane", ("tab",), "Tab", "Next pane", "Focus the next pane", "pane", (), _PANES),
    Action(
        "previous_pane",
        ("shift+tab",),
        "Shift+Tab",
        "Previous pane",
        "Focus the pane before",
        "",
        (),
        _PANES,
    ),
    Action(
        "pane_list",
        ("1",),
        "1",
        "Go to the connections",
        "Focus the connection list",
        "",
        (),
        _PANES,
    ),
    Action(
        "pane_diagram",
        ("2",),
        "2",
        "Go to the state diagram",
        "Focus the state diagram",
        "",
        (),
        _PANES,
    ),
    Action(
        "pane_chart",
        ("3",),
        "3",
        "Go to the sequence chart",
        "Focus the sequence chart",
        "",
        (),
        _PANES,
    ),
    Action(
        "host",
        ("0",),
        "0",
        "All connections by state",
        "The dashboard: how many ends are in which state, how old, how fast they come, and what is "
        "unusual; again: one connection",
        "all",
        (Pane.LIST, Pane.DIAGRAM),
        _PANES,
    ),
    Action(
        "explain",
        ("e",),
        "e",
        "Explain the state or edge",
        "What the selected state or edge means, what the application sees, its timer, Linux",
        "explain",
        (Pane.DIAGRAM,),
        _PANES,
    ),
    Action(
        "segment",
        ("4", "i"),
        "4 i",
        "The segment, field by field",
        "The segment at the cursor: its header as RFC 9293 draws it, each field in a sentence, "
        "what both ends make of it and why, its data",
        "segment",
        (),
        _PANES,
    ),
    Action(
        "graphs",
        ("5",),
        "5",
        "Graphs of the connection",
        "The connection over time: numbers, acknowledgements, window, throughput, round trips",
        "graphs",
        (),
        _PANES,
    ),
    Action(
        "troubles",
        ("exclamation_mark",),
        "!",
        "Troubles",
        "What goes wrong among all connections, by where and how often; Enter lists them",
        "",
        (),
        _PANES,
    ),
    Action(
        "export",
        ("E",),
        "E",
        "Export the connection",
        "Write the connection as a picture, a page, a diagram's source or a ticket, or copy it",
        "export",
        (),
        _PANES,
    ),
    Action(
        "maximise",
        ("z", "f5"),
        "z F5",
        "Maximise the pane",
        "Give the focused pane the whole screen, or take it back (a clicker's start key is F5)",
        "maximise",
        (),
        _PANES,
    ),
    Action(
        "filter",
        ("slash",),
        "/",
        "Filter the connections",
        "Narrow the list as you type; Enter keeps the filter, Esc clears it",
        "filter",
        (),
        _PANES,
    ),
    Action(
        "escape",
        ("escape",),
        "Esc",
        "Back",
        "Out of the filter, the maximised pane, or the selection",
        "",
        (),
        _PANES,
    ),
    Action(
        "times",
        ("t",),
        "t",
        "Change the time notation",
        "Times since the start, of the day, since the step before, both; frame numbers; nothing",
        "times",
        (),
        _LOOK,
    ),
    Action(
        "numbers",
        ("a",),
        "a",
        "Change the notation of numbers",
        "Sequence numbers relative, absolute, or symbolic (J, K, M, N)",
        "numbers",
        (),
        _LOOK,
    ),
    *CHART_ACTIONS,
    *PRESENTER_ACTIONS,
    *SAVING_ACTIONS,
    Action(
        "listeners",
        ("Q",),
        "Q",
        "Listeners and their queues",
        "Who listens on the captured host, how full each accept queue is, what was dropped",
        "",
        (),
        _LOOK,
    ),
    Action("theme", ("d",), "d", "Change the colours", THEMES_TOLD, "", (), _LOOK),
    Action(
        "help",
        ("question_mark", "f1"),
        "?",
        "Help",
        "What the signs mean, and every key",
        "help",
        (),
        _PROGRAM,
    ),
    Action(
        "palette",
        ("ctrl+p", "colon"),
        "Ctrl+P :",
        "Command palette",
        "All of this in one list, for the keyboard and the mouse: find it by its name",
        "menu",
        (),
        _PROGRAM,
        hint_key=(":", ":"),
    ),
    Action("quit", ("q", "ctrl+c"), "q Ctrl+C", "Quit", "Leave the program", "quit", (), _PROGRAM),
)
"""Every action with the keys that it has of old."""

ACTIONS: tuple[Action, ...] = remapped(TABLE, CHOSEN)
"""The same with the keys that this person chose."""


def bindings() -> list[Binding]:
    """The main screen's bindings.

    With priority, they are acted on in the order in which keys come: without it,
    a key goes to the focused widget and back first, and what was typed quickly
    behind ``/`` would still be taken for commands.
    """
    return [
        Binding(",".join(action.keys), action.name, action.title, show=False, priority=True)
        for action in ACTIONS
        if action.name != "quit"
    ]


HOLDING: tuple[str, ...] = (
    *("pause", "drop", "duplicate", "delay", "behind", "corrupt", "next_held"),
    *("step_mode", "help", "palette", "quit"),
)
"""What the bottom line names while something is in the hand; what it leaves out first, last."""

_BY_NAME = {action.name: action for action in ACTIONS}


def hinted(
    focus: Pane | None, *, holding: bool = False, acting: bool = False, lab: bool = False
) -> list[Action]:
    """The actions that the bottom line names while this pane has the focus.

    ``holding``  a segment is in the hand; ``acting``: a scenario happens now, on a cable;
    ``lab``  it is a scenario that could be run in step mode
    """
    if holding:
        return [_BY_NAME[name] for name in HOLDING]
    own = {"step_mode"} if lab else set()
    if acting:
        own = {"step_mode", "longer_way"}
    found = [
        action
        for action in ACTIONS
        if action.hint
        and (action.group != HAND or action.name in own)
        and (not action.panes or focus in action.panes)
    ]
    if lab and not acting:  # who sees a scenario for the first time must find the way into it
        place = next((n for n, one in enumerate(found) if one.name == "next_problem"), len(found))
        found.insert(place, found.pop(found.index(_BY_NAME["step_mode"])))
    return found

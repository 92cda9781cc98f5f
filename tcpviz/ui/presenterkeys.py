"""Keys of somebody who speaks in front of a class: pointing, hiding, large letters."""

from __future__ import annotations

from tcpviz.ui.action import Action

_SHOW = "In front of a class"

PRESENTER_ACTIONS: tuple[Action, ...] = (
    Action(
        "hide",
        ("Z",),
        "Z",
        "Hide what is not discussed",
        "Choose by 1 to 9 which panes, lanes and lines stay; 0 brings all back; Z or Esc: chosen",
        "",
        (),
        _SHOW,
    ),
    Action(
        "light",
        ("X",),
        "X",
        "Dim the other rows",
        "Only the row pointed at (or the cursor's) stays bright; again: its phase; again: all",
        "",
        (),
        _SHOW,
    ),
    Action(
        "point_down",
        ("shift+down", "J"),
        "Shift+↓ J",
        "Point further down",
        "A pointer on the chart, apart from the cursor: it begins at the cursor's row",
        "",
        (),
        _SHOW,
        "Shift+Down J",
    ),
    Action(
        "point_up",
        ("shift+up", "K"),
        "Shift+↑ K",
        "Point further up",
        "The same upwards",
        "",
        (),
        _SHOW,
        "Shift+Up K",
    ),
    Action(
        "pointer",
        ("underscore",),
        "_",
        "Pointer",
        "Show the pointer, which follows the mouse over the chart; again (or Esc): hide it",
        "",
        (),
        _SHOW,
    ),
    Action(
        "large",
        ("B",),
        "B",
        "Large letters",
        "Both ends' states in letters that are read from the back row",
        "",
        (),
        _SHOW,
    ),
    Action(
        "show_keys",
        ("V",),
        "V",
        "Show the keys pressed",
        "The keys just pressed, and what they do, in the upper right corner",
        "",
        (),
        _SHOW,
    ),
    Action(
        "blank",
        ("N",),
        "N",
        "Nothing on the screen",
        "An empty screen, so that the class looks at you; any key brings it back. A clicker's b "
        "does so too outside of step mode",
        "",
        (),
        _SHOW,
    ),
)

"""Keys of one's own: the table of actions with other keys, as the configuration says."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import replace

from tcpviz.ui.action import Action

CHOSEN: dict[str, tuple[str, ...]] = {}
"""Filled by whoever starts the screen, before the table of keys is first imported."""

_FIXED = frozenset({"quit"})


def remapped(
    actions: tuple[Action, ...], chosen: Mapping[str, tuple[str, ...]]
) -> tuple[Action, ...]:
    """The actions with the keys that were chosen; who had such a key before loses it.

    Raises ValueError for a name that no action has, a key given twice, or an action left
    without any.
    """
    names = {action.name for action in actions}
    owners: dict[str, str] = {}
    for name, keys in chosen.items():
        if name not in names or name in _FIXED:
            near = difflib.get_close_matches(name, names, 1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise ValueError(f"no action {name!r} whose keys could be chosen{hint}")
        for key in keys:
            if owners.setdefault(key, name) != name:
                raise ValueError(f"{key} is given to {owners[key]} and to {name}")
    return tuple(_with_keys(action, chosen, owners) for action in actions)


def _with_keys(
    action: Action, chosen: Mapping[str, tuple[str, ...]], owners: Mapping[str, str]
) -> Action:
    if action.name in chosen:
        keys = chosen[action.name]
    else:
        keys = tuple(key for key in action.keys if key not in owners)
        if keys == action.keys:
            return action
        if not keys:
            taker = owners[action.keys[0]]
            raise ValueError(f"{action.name} has no key left: {taker} took it; give it another")
    shown = " ".join(_SHOWN.get(key, key) for key in keys)
    return replace(action, keys=keys, shown=shown, plain=shown, hint_key=("", ""))


_SHOWN = {
    "space": "Space",
    "slash": "/",
    "plus": "+",
    "minus": "-",
    "question_mark": "?",
    "full_stop": ".",
    "comma": ",",
    "colon": ":",
    "enter": "Enter",
    "escape": "Esc",
    "tab": "Tab",
    "pagedown": "PgDn",
    "pageup": "PgUp",
}

"""The person's own defaults and keys: a TOML file, read before the command line.

``[defaults]`` holds options of every command that has them, ``[demo]``,
``[capture]``, ``[read]`` and ``[export]`` those of one; each by its long name
without the dashes (``theme = "light"``, ``snaplen = 256``). What stands on the
command line goes before. ``[keys]`` names actions of the screen by the words in
``tcpviz config --example`` and gives them other keys.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tcpviz.argument_values import near

VARIABLE = "TCPVIZ_CONFIG"
"""Names another file; empty: none is read."""

SECTIONS = ("defaults", "demo", "capture", "read", "export", "keys")

# What is asked for anew each time is nobody's default.
_NEVER = frozenset(
    (
        *(
            "help",
            "list",
            "check",
            "gallery",
            "text",
            "json",
            "csv",
            "write",
            "ladder",
            "count",
            "number",
        ),
        *("out", "form", "file", "words", "bpf", "scenario", "server", "client", "filter"),
        *("segments", "pid", "process", "netns", "container", "story", "notes", "serve"),
    )
)
_MOST_BYTES = 256 * 1024


class ConfigError(Exception):
    """What is wrong with the file, in one line; ``exit_code`` 1 where it could not be read."""

    def __init__(self, message: str, exit_code: int = 2) -> None:
        super().__init__(message)
        self.exit_code = exit_code


def path() -> Path | None:
    """Where the file is looked for; ``None`` where nobody wants one."""
    named = os.environ.get(VARIABLE)
    if named is not None:
        return Path(named) if named else None
    if sys.platform == "linux" and not os.environ.get("XDG_CONFIG_HOME"):
        # What platformdirs says, too; importing it takes longer than all else here.
        return Path(os.path.expanduser("~/.config/tcpviz/config.toml"))  # noqa: PTH111 - never fails
    import platformdirs

    return platformdirs.user_config_path("tcpviz") / "config.toml"


def load() -> dict[str, Any]:
    """The file's tables; empty where there is no file. Raises ConfigError."""
    place = path()
    if place is None:
        return {}
    try:
        with place.open("rb") as file:
            data = file.read(_MOST_BYTES + 1)
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        raise ConfigError(f"{place}: cannot be read: {error.strerror}", 1) from None
    if len(data) > _MOST_BYTES:
        raise ConfigError(f"{place}: larger than {_MOST_BYTES // 1024} KiB")
    import tomllib  # most people have no such file

    try:
        tables = tomllib.loads(data.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{place}: {' '.join(str(error).split())}") from None
    for name, table in tables.items():
        if name not in SECTIONS:
            raise ConfigError(f"{place}: no section [{name}]{_near(name, SECTIONS)}")
        if not isinstance(table, dict):
            raise ConfigError(f"{place}: {name} is to be a section: [{name}]")
    return tables


def apply(parsers: Mapping[str, argparse.ArgumentParser], tables: Mapping[str, Any]) -> None:
    """Make the file's options the defaults of the commands' parsers. Raises ConfigError."""
    for section, table in tables.items():
        if section == "keys":
            continue
        names = SECTIONS[1:-1] if section == "defaults" else (section,)
        for key, value in table.items():
            found = [(parsers[one], each) for one in names for each in _options(parsers[one], key)]
            if not found:
                known = {name for one in names for name, _ in known_options(parsers[one])}
                near = _near(key, sorted(known))
                raise ConfigError(f"{path()}: [{section}] has no {key!r}{near}")
            wrong = []
            for parser, option in found:
                try:
                    parser.set_defaults(**{option.dest: _value(section, key, value, option)})
                except ConfigError as error:
                    wrong.append(error)
            # Of every command: who cannot have it (pictures are light or dark) keeps its own.
            if len(wrong) == len(found):
                raise wrong[0]


def known_options(parser: argparse.ArgumentParser) -> Iterator[tuple[str, argparse.Action]]:
    """The names that a command's section may have, and what each stands for."""
    for action in parser._actions:
        if action.option_strings and action.dest not in _NEVER:
            yield _name(action), action


def _name(action: argparse.Action) -> str:
    """The long option's name, or what the short one's value is called."""
    long = next((one[2:] for one in action.option_strings if one.startswith("--")), "")
    return long or action.dest


def _options(parser: argparse.ArgumentParser, key: str) -> list[argparse.Action]:
    return [
        action
        for action in parser._actions
        if action.option_strings and action.dest not in _NEVER and key == _name(action)
    ]


def _value(section: str, key: str, value: object, action: argparse.Action) -> object:
    """The value as the command line would have made it."""
    where = f"{path()}: [{section}] {key}"
    if action.nargs == 0:
        if isinstance(value, bool):
            return value
        raise ConfigError(f"{where} is true or false, not {value!r}")
    many = isinstance(action.default, list) or type(action).__name__ == "_AppendAction"
    if many:
        values = value if isinstance(value, list) else [value]
        return [_one(where, each, action) for each in values]
    return _one(where, value, action)


def _one(where: str, value: object, action: argparse.Action) -> object:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ConfigError(f"{where} cannot be {value!r}")
    made: object = str(value)
    if callable(action.type):
        try:
            made = action.type(str(value))
        except (argparse.ArgumentTypeError, ValueError) as error:
            raise ConfigError(f"{where}: {error}") from None
    if action.choices is not None and made not in action.choices:
        raise ConfigError(f"{where} is one of {', '.join(map(str, action.choices))}")
    return made


def keys(tables: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """The section ``[keys]``: an action's keys, by its name. Raises ConfigError."""
    made = {}
    for name, value in tables.get("keys", {}).items():
        given = value if isinstance(value, list) else [value]
        if not given or not all(isinstance(one, str) and one for one in given):
            raise ConfigError(f'{path()}: [keys] {name} is a key or several: "x" or ["x", "f2"]')
        made[name] = tuple(given)
    return made


def _near(word: str, known: tuple[str, ...] | list[str]) -> str:
    return near(word, known) or f"; there are {', '.join(known)}"

"""``tcpviz config``: where the file of one's own defaults is, what it says, and whether it may."""

from __future__ import annotations

import argparse
from collections.abc import Mapping

from tcpviz import config
from tcpviz.commands.stream import complain


def run(options: argparse.Namespace, parsers: Mapping[str, argparse.ArgumentParser]) -> int:
    """Run the command; returns the exit code."""
    if options.example:
        print("\n".join(_example(parsers)))
        return 0
    place = config.path()
    if place is None:
        print(f"no file is read ({config.VARIABLE} is empty)")
        return 0
    if options.path:
        print(place)
        return 0
    try:
        tables = config.load()
        config.apply(parsers, tables)
        _check_keys(config.keys(tables))
    except config.ConfigError as error:
        complain(str(error))
        return error.exit_code
    if not place.exists():
        print(f"{place} does not exist; tcpviz config --example shows what could stand there")
        return 0
    print(f"{place} is in order:")
    for section, table in tables.items():
        for name, value in table.items():
            print(f"  [{section}] {name} = {value!r}")
    return 0


def _check_keys(chosen: Mapping[str, tuple[str, ...]]) -> None:
    if chosen:
        from tcpviz.ui.keymap import remapped
        from tcpviz.ui.keys import TABLE

        try:
            remapped(TABLE, chosen)
        except ValueError as error:
            raise config.ConfigError(f"{config.path()}: [keys] {error}") from None


def _line(name: str, action: argparse.Action) -> str:
    """An option as a comment that is TOML without its first two letters; what it may be, behind."""
    if action.nargs == 0:
        return f"# {name} = true"
    if action.choices is not None:
        words = [str(each) for each in action.choices]
        return f'# {name} = "{words[0]}"  # {", ".join(words)}'
    if isinstance(action.default, int | float):
        return f"# {name} = {action.default}  # {action.metavar}"
    value = f'"{action.metavar or name}"'
    return f"# {name} = {f'[{value}]' if isinstance(action.default, list) else value}"


def _example(parsers: Mapping[str, argparse.ArgumentParser]) -> list[str]:
    """Every name that may stand in the file, each as a comment."""
    from tcpviz.ui.keys import TABLE

    lines = [f"# {config.path() or 'config.toml'}", "", "[defaults]  # of every command"]
    known = {name: dict(config.known_options(parsers[name])) for name in config.SECTIONS[1:-1]}
    common = set.intersection(*(set(known[name]) for name in ("demo", "capture", "read")))
    lines += [_line(name, known["read"][name]) for name in sorted(common)]
    for command, options in known.items():
        own = [_line(name, action) for name, action in options.items() if name not in common]
        lines += ["", f"[{command}]", *own]
    lines += ["", "[keys]  # of the screen"]
    for action in TABLE:
        given = ", ".join(f'"{key}"' for key in action.keys)
        lines.append(f"# {action.name} = [{given}]  # {action.title}")
    return lines

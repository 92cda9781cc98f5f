"""Completion for fish, of the command line's own description: shtab has none for it.

What fish's ``complete`` takes: https://fishshell.com/docs/3.6/cmds/complete.html
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator, Mapping

_LONGEST = 70
"""Letters of a description: fish shows one line of it."""

_NONE, _FILES, _ANY = "-f", "-r -F", "-x"
"""No files; a file must follow; something else must follow."""

_FILE = re.compile(r"FILE|OUT|PATH|TTY|FOLDER|DIR")


def script(parser: argparse.ArgumentParser, commands: Mapping[str, argparse.ArgumentParser]) -> str:
    """What fish is to read; ``commands`` by name, with their descriptions in ``parser``'s help."""
    return "\n".join(_lines(parser, commands)) + "\n"


def _lines(
    parser: argparse.ArgumentParser, commands: Mapping[str, argparse.ArgumentParser]
) -> Iterator[str]:
    first = "-n __fish_use_subcommand"
    yield "# fish completion for tcpviz: into ~/.config/fish/completions/tcpviz.fish"
    said = {
        choice.dest: choice.help or ""
        for action in parser._actions
        if isinstance(action, argparse._SubParsersAction)
        for choice in action._choices_actions
    }
    for name in commands:
        yield f"complete -c tcpviz {first} {_NONE} -a {name} -d {_said(said.get(name, ''))}"
    yield from _options(parser, first)
    for name, command in commands.items():
        there = f"-n '__fish_seen_subcommand_from {name}'"
        yield from _options(command, there)
        places = [action for action in command._actions if not action.option_strings]
        if not any(_FILE.search(_metavar(action)) for action in places):
            yield f"complete -c tcpviz {there} {_NONE}"
        for action in places:
            if action.choices:
                words = " ".join(map(str, action.choices))
                yield f"complete -c tcpviz {there} -a {_quoted(words)}"


def _options(parser: argparse.ArgumentParser, there: str) -> Iterator[str]:
    for action in parser._actions:
        if not action.option_strings or action.help == argparse.SUPPRESS:
            continue
        names = " ".join(
            f"-l {each[2:]}" if each.startswith("--") else f"-s {each[1:]}"
            for each in action.option_strings
            if len(each) == 2 or each.startswith("--")
        )
        yield f"complete -c tcpviz {there} {names}{_value(action)} -d {_said(action.help or '')}"


def _value(action: argparse.Action) -> str:
    """How fish completes what stands behind an option."""
    if action.nargs == 0:
        return ""
    if action.choices:
        return f" {_ANY} -a {_quoted(' '.join(map(str, action.choices)))}"
    if action.dest == "interface" or _metavar(action) == "IFACE":
        return f" {_ANY} -a '(__fish_print_interfaces)'"
    if action.nargs == "?":
        return ""  # what is not needed must not swallow the next word
    return f" {_FILES if _FILE.search(_metavar(action)) else _ANY}"


def _metavar(action: argparse.Action) -> str:
    told = action.metavar or action.dest
    return (told if isinstance(told, str) else " ".join(told)).upper()


def _said(text: str) -> str:
    """A description's first clause, as far as a line has room."""
    text = " ".join(text.replace("%%", "%").split())
    clause = re.split(r"[;(:]|\. ", text)[0].strip().rstrip(".,")
    return _quoted(clause if len(clause) <= _LONGEST else clause[: _LONGEST - 1].rstrip() + "…")


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"

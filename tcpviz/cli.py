"""The command line: runs the command that the arguments name, and tells what went wrong.

A command's modules are imported when it runs.
"""

from __future__ import annotations

import argparse
import contextlib
import errno
import gc
import io
import os
import signal
import sys
from collections.abc import Iterator, Sequence

from tcpviz import __version__
from tcpviz.argument_values import Parser
from tcpviz.arguments import BUILDERS, language_option

FAILURE, INTERRUPTED, BROKEN_PIPE = 1, 130, 141

_OF_OUTPUT = {errno.EBADF, errno.ENOSPC, errno.EIO}
"""What, of no file by name, printing failed with."""

COMMANDS = ("demo", "capture", "read", "export", "notes", "doctor", "config", "completion", "help")

SUMMARY = "See TCP as it happens: both ends' states, every segment, and the calls behind them."

EXAMPLES = """\
examples:
  tcpviz demo                               watch a real connection open, talk and close
  tcpviz demo client-closes-first --text    the same as text
  tcpviz demo --step                        hold every segment in your own hand
  sudo tcpviz capture                       this machine's own traffic
  sudo tcpviz capture -i lo tcp port 8000   one interface, a BPF filter
  tcpviz read trace.pcapng                  a capture file
  tcpviz read trace.pcapng verdict:refused  only what fits a display filter
  ssh host tcpdump -U -s 128 -w - tcp | tcpviz read -
  tcpviz export trace.pcapng -n 3 -o story.svg  one connection as a picture
  tcpviz doctor                             what this machine allows, and how to get more

exit codes:
  0 done, 1 failed, 2 a wrong request, 3 --until never came, 130 interrupted, 141 the reader of its
  output went away (tcpviz help exit-codes)

tcpviz help COMMAND tells more, so does tcpviz help verdicts (or filter, marks, states, certainty,
troubles, chart, graphs, large, teaching, points, privilege, outputs, service, exit-codes); in the
program, ? does.
"""


def build_parser() -> Parser:
    """The whole command line."""
    parser = Parser(
        prog="tcpviz",
        description=SUMMARY,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"tcpviz {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", parser_class=Parser)
    for build in BUILDERS:
        build(commands)
    helper = commands.add_parser(
        "help", help="tell more about a command or a topic", allow_abbrev=False
    )
    helper.add_argument(
        "topic",
        nargs="?",
        metavar="COMMAND|TOPIC",
        help="demo, capture, read, doctor; filter, verdicts, marks, states, certainty, troubles, "
        "chart, graphs, large, teaching, points, privilege, outputs, service, exit-codes, or one "
        "of those, such as refused or close-wait",
    )
    language_option(helper)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command that the arguments name; returns the exit code."""
    # Ended by a signal or by the reader of its output, it ends quietly and in order.
    heard: list[_AsInterrupt] = []
    for name in ("SIGTERM", "SIGHUP"):
        if hasattr(signal, name) and signal.getsignal(getattr(signal, name)) is signal.SIG_DFL:
            heard.append(_AsInterrupt())
            signal.signal(getattr(signal, name), heard[-1])
    _open_what_is_closed()
    with _whole_output():
        code = _answered(argv)
    asked = max((each.asked for each in heard), default=0)
    return 128 + asked if asked and code == INTERRUPTED else code


def _answered(argv: Sequence[str] | None) -> int:
    try:
        code = _run(argv)
        if (lost := _unwritten()) is not None:
            code = _failed(lost, lost)
    except SystemExit:  # the arguments' own: a help that was printed, or a wrong request
        if (lost := _unwritten()) is None:
            raise
        code = _failed(lost, lost)
    except KeyboardInterrupt:
        code = INTERRUPTED
    except BrokenPipeError:
        code = BROKEN_PIPE
    except OSError as error:
        code = _failed(error, _unwritten())
    except Exception as error:
        from tcpviz.failure import report

        code = report(error)
    _unwritten()
    return code


def _open_what_is_closed() -> None:
    """Whoever starts us with a closed stream (``>&-``): else the next file would take its place.

    What is written to standard output then fails, as it would if that were asked of the kernel.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            opened = os.open(os.devnull, os.O_WRONLY if name == "stderr" else os.O_RDONLY)
            if opened != number:
                os.dup2(opened, number)
                os.close(opened)
            mode = "r" if name == "stdin" else "w"
            stream = open(number, mode, encoding="utf-8", closefd=False)  # noqa: SIM115
            setattr(sys, name, stream)
            setattr(sys, f"__{name}__", stream)


@contextlib.contextmanager
def _whole_output() -> Iterator[None]:
    """See that what is written to standard output is written whole.

    Without Python's buffers (``PYTHONUNBUFFERED``, as in many containers) nobody looks how much a
    pipe took before a signal came, and the rest is lost.
    """
    out = sys.stdout
    raw = getattr(out, "buffer", None)
    if not isinstance(raw, io.RawIOBase):
        yield
        return
    whole = io.BufferedWriter(raw)
    text = io.TextIOWrapper(whole, out.encoding, out.errors, line_buffering=True)
    sys.stdout = text
    try:
        yield
    finally:
        sys.stdout = out
        text.detach()
        whole.detach()  # neither closes what is not theirs


def _unwritten() -> OSError | None:
    """Why what was printed last cannot be written; it is given up then.

    The interpreter would try again, and complain in its own words.
    """
    try:
        sys.stdout.flush()
    except OSError as error:
        sink = os.open(os.devnull, os.O_WRONLY)
        os.dup2(sink, sys.stdout.fileno())
        os.close(sink)
        return error
    return None


def _failed(error: OSError, lost: OSError | None) -> int:
    """One line; ``lost`` is why nothing more can be printed, if so."""
    if isinstance(lost or error, BrokenPipeError):
        return BROKEN_PIPE
    what = error.strerror or str(error)
    name = f"{error.filename}: " if error.filename else ""
    if not name and (error is lost or error.errno in _OF_OUTPUT):
        name = "standard output: "
    print(f"tcpviz: {name}{what}", file=sys.stderr)  # noqa: T201
    return FAILURE


class _AsInterrupt:
    """A signal's handler: it interrupts, and remembers that it did.

    The exception is lost where the interpreter runs a callback of its own, as it does while it
    imports. Who hears the signals next (the screen's loop) asks what was ``asked`` until then.
    """

    def __init__(self) -> None:
        self.asked = 0

    def __call__(self, number: int, _frame: object) -> None:
        self.asked = number
        raise KeyboardInterrupt


AHEAD = 1 << 23
"""Bytes of a file that are worth a process that reads it while the screen is made."""

MODULES_MAKE = 150_000
"""Objects that all modules of a screen are made of, and half as many more."""


def _run(argv: Sequence[str] | None) -> int:
    # Before they are all there Python would look through them for garbage a hundred times, which
    # is a tenth of the start, and find some hundred objects.
    gc.set_threshold(MODULES_MAKE, 20, 100)
    parser = build_parser()
    words = sys.argv[1:] if argv is None else list(argv)
    parsers = _parsers(parser)
    if not {"-h", "--help", "--version"} & set(words) and words[:1] not in (
        [],
        ["config"],
        ["completion"],
    ):
        _defaults(parser, parsers)
    if "--serve" in words:
        from tcpviz.serve.address import apart

        words = apart(words)
    options = parser.parse_args(words)
    if options.command is None:
        parser.print_help()
        return 0
    _speak(options)
    if options.command == "help":
        return _help(parser, options.topic, asked=options.lang is not None)
    if options.command == "doctor":
        from tcpviz.commands import doctor

        return doctor.run(sys.stdout)
    if options.command == "completion":
        if options.shell == "fish":
            from tcpviz.commands import completion_fish

            sys.stdout.write(completion_fish.script(parser, parsers))
            return 0
        import shtab

        sys.stdout.write(shtab.complete(parser, options.shell) + "\n")
        return 0
    if options.command == "config":
        from tcpviz.commands import config

        return config.run(options, parsers)
    if options.command == "notes":
        from tcpviz.commands import notes

        return notes.run(options, sys.stdout)
    if options.command == "export":
        from tcpviz.commands import export

        return export.run(options)
    if options.command == "demo":
        from tcpviz.commands import demo

        return demo.run(options)
    if options.command == "capture":
        from tcpviz.commands import capture

        return capture.run(options)
    plain, screen = (_plain(options, parsers["read"], besides) for besides in (set(), {"words"}))
    with _read_ahead(options) if screen else contextlib.nullcontext():
        if not plain:
            from tcpviz.commands import read

            return read.run(options)
        from tcpviz.ui.firstpaint import first_rows

        with first_rows(options):
            from tcpviz.commands import read

            return read.run(options)


def _plain(options: argparse.Namespace, parser: argparse.ArgumentParser, besides: set[str]) -> bool:
    """Nothing is asked of a file but its screen, so that its first rows can be shown at once.

    Or at most what is named ``besides``.
    """
    shown = {"command", "file", "theme", "ascii", "no_mouse", "fps", "lang", "memory", "follow"}
    return options.file != "-" and all(
        value == parser.get_default(name) or value == []
        for name, value in vars(options).items()
        if name not in shown | besides
    )


@contextlib.contextmanager
def _read_ahead(options: argparse.Namespace) -> Iterator[None]:
    """Meanwhile another process reads a large file whose screen is wanted, if that can be."""
    ahead = None
    with contextlib.suppress(OSError, ValueError):
        if sys.stdout.isatty() and os.stat(options.file).st_size >= AHEAD:  # noqa: PTH116
            from tcpviz.bulk import forerunner

            ahead = forerunner.begun(options.file, options.memory)
    options.ahead = ahead
    try:
        yield
    finally:
        if ahead is not None:
            ahead.close()


def _parsers(parser: Parser) -> dict[str, argparse.ArgumentParser]:
    """Each command's own parser, by its name."""
    actions = parser._subparsers._group_actions if parser._subparsers else []
    return dict(actions[0].choices) if actions and isinstance(actions[0].choices, dict) else {}


def _defaults(parser: Parser, parsers: dict[str, argparse.ArgumentParser]) -> None:
    """What the person's own file says goes before the program's defaults."""
    from tcpviz import config

    try:
        tables = config.load()
        config.apply(parsers, tables)
        chosen = config.keys(tables)
    except config.ConfigError as error:
        parser.exit(error.exit_code, f"tcpviz: {error} (tcpviz config checks it)\n")
    if chosen:
        from tcpviz.ui import keymap

        keymap.CHOSEN.update(chosen)


def _speak(options: argparse.Namespace) -> None:
    """The language that was asked for; what programs read stays English."""
    machine = getattr(options, "json", False) or getattr(options, "csv", False)
    if getattr(options, "lang", None) == "zh" and not machine:
        from tcpviz import words

        words.use("zh")


def _help(parser: Parser, topic: str | None, *, asked: bool) -> int:
    if topic is None:
        parser.print_help()
        return 0
    if topic in COMMANDS:
        try:
            parser.parse_args([topic, "--help"])
        except SystemExit as ended:
            return int(ended.code or 0)
        return 0
    from tcpviz.commands import topics

    return topics.show(topic, asked=asked)


if __name__ == "__main__":
    sys.exit(main())

"""Scenarios: the scripts of ``demos/``, found by name or by path, and checked without running.

A script is Python with a few literals and a function::

    TITLE = "Close by the client"
    SHOWS = "what the class sees, in one or two sentences"
    ASK = "what to ask the class before it is shown"
    CLIENT = ["SYN-SENT", "ESTABLISHED", ...]   # the path of states expected
    SERVER = ["LISTEN", "SYN-RECEIVED", ...]
    SECTION = "closing"   # under which heading --list has it
    NEEDS = "cable"       # only if no other ground will do
    LIMIT = 30            # seconds it may take, if not the usual
    STEPS = [("client SYN-SENT", "what to ask before it", "the answer"), ...]   # story mode;
                          # tcpviz.views.story has the moments
    OTHERS = [(["SYN-SENT", ...], ["LISTEN", ...])]   # client's and server's paths of the
                          # second connection, the third, ...; what is not told is not checked

    def run(lab):
        lab.server.socket()
        ...

The literals are read from the syntax tree, so listing scenarios runs nobody's
code. What ``run`` may say is in :mod:`tcpviz.lab.script`.
"""

from __future__ import annotations

import ast
import difflib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tcpviz.core.records import Side
from tcpviz.core.states import State
from tcpviz.sources.feed import SourceError
from tcpviz.views.story import Point, point

_CAPTURES = (".pcap", ".pcapng", ".cap", ".gz", ".xz", ".bz2", ".zst")

USUAL_LIMIT_S = 30.0
PROGRAMS_LIMIT_S = 86_400.0
SECTIONS = ("opening", "closing", "loss", "resets", "queues", "windows", "timers")
"""The headings of the list, in the order of teaching."""

EndsPath = tuple[tuple[State, ...], tuple[State, ...]]
"""The states that the client passes through, and the server."""

_LONGEST_LIMIT_S = 3600.0
_PACKAGE = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True)
class Scenario:
    """One script.

    ``client``, ``server``  the states each end is expected to pass through, in order
    ``others``              those of further connections, in the order of their beginning
    ``needs_cable``         it holds or drops segments, which no other ground can
    ``limit_s``             seconds after which it is given up
    ``points``              where story mode stops, in order
    ``programs``            not a script, but the person's own two: server's command, client's
    """

    name: str
    title: str
    shows: str
    ask: str
    path: Path
    client: tuple[State, ...]
    server: tuple[State, ...]
    needs_cable: bool = False
    limit_s: float = USUAL_LIMIT_S
    section: str = ""
    others: tuple[EndsPath, ...] = ()
    programs: tuple[str, str] | None = None
    points: tuple[Point, ...] = ()

    @property
    def slow(self) -> bool:
        """It waits for a timer that no setting shortens, as TIME-WAIT's minute is."""
        return self.limit_s > USUAL_LIMIT_S

    @property
    def paths(self) -> tuple[EndsPath, ...]:
        """Of every connection whose path is told, the first one's first."""
        return ((self.client, self.server), *self.others)

    def expected(self, side: Side) -> tuple[State, ...]:
        return self.client if side is Side.CLIENT else self.server


def folder() -> Path:
    """Where the scripts are: in the wheel ``tcpviz/demos``, in the source tree ``demos``."""
    for place in (_PACKAGE / "demos", _PACKAGE.parent / "demos"):
        if place.is_dir() and any(place.glob("*.py")):
            return place
    raise SourceError(f"the scenarios are missing: no demos beside {_PACKAGE}; install again", 1)


def list_scenarios() -> list[Scenario]:
    """Every scenario that comes with the program: by section, in the order of teaching."""
    found = [read(path) for path in folder().glob("*.py")]
    return sorted(found, key=lambda one: (_section(one), _place(one.name), one.name))


_ORDER = (
    "handshake",
    "echo",
    "simultaneous-open",
    "crossing-syn-lost",
    "old-duplicate-syn",
    "client-gives-up",
    "client-aborts",
    "close-in-syn-received",
    "starts-over",
    "listener-stops",
    "listener-misused",
    "client-closes-first",
    "server-closes-first",
    "half-close",
    "never-closes",
    "simultaneous-close",
    "fin-and-ack-in-one",
    "address-in-use",
    "syn-into-time-wait",
    "old-data-in-time-wait",
    "old-data-in-the-next-connection",
    "time-wait-assassinated",
    "abort-in-time-wait",
    "lost-syn",
    "lost-syn-ack",
    "lost-ack",
    "fin-completes-the-handshake",
    "lost-data",
    "lost-ack-of-data",
    "fast-retransmission",
    "reordering",
    "duplicate-data",
    "damaged-data",
    "cable-cut",
    "lost-fin",
    "lost-ack-of-fin",
    "lost-last-ack",
    "lost-ack-and-fin",
    "crossing-fins-acks-lost",
    "lost-fin-late-data",
    "refused",
    "reset",
    "unread-data",
    "half-open",
    "peer-reboots",
    "challenge-ack",
    "reset-after-half-close",
    "reset-by-the-server",
    "listener-knows-nothing",
    "listener-closes",
    "reset-meets-fin",
    "reset-in-syn-received",
    "last-ack-reset",
    "forgotten-in-last-ack",
    "forgotten-in-closing",
    "accept-is-not-needed",
    "accept-queue-full",
    "syn-flood",
    "syn-cookies",
    "mss",
    "path-mtu",
    "path-mtu-black-hole",
    "nagle",
    "no-delay",
    "delayed-ack",
    "slow-start",
    "zero-window",
    "no-answer",
    "nobody-acknowledges-the-syn-ack",
    "data-without-answer",
    "keep-alive",
    "keep-alive-in-half-close",
    "fin-without-answer",
    "closing-without-answer",
    "close-wait-without-answer",
    "last-ack-without-answer",
    "time-wait",
)


def _section(one: Scenario) -> int:
    return SECTIONS.index(one.section) if one.section in SECTIONS else len(SECTIONS)


def _place(name: str) -> int:
    return _ORDER.index(name) if name in _ORDER else len(_ORDER)


def load(name_or_path: str) -> Scenario:
    """The scenario of that name, or in that file. Raises SourceError with exit code 2."""
    wanted = str(name_or_path)
    if wanted.lower().endswith(_CAPTURES):
        raise SourceError(f"{wanted}: a capture by its name, no scenario: tcpviz read {wanted}", 2)
    if wanted.endswith(".py") or "/" in wanted:
        return read(Path(wanted))
    here = folder()
    names = [path.stem for path in here.glob("*.py")]
    if wanted in names:
        return read(here / f"{wanted}.py")
    near = difflib.get_close_matches(wanted, names, 3, 0.5)
    like = f" closest: {', '.join(near)};" if near else ""
    raise SourceError(f"no scenario {wanted!r};{like} tcpviz demo --list names all {len(names)}", 2)


def read(path: Path) -> Scenario:
    """Check the script at ``path``. Raises SourceError with file, line and what is wrong."""
    if path.is_dir():
        raise SourceError(f"{path} is a directory, not a scenario's script", 2)
    try:
        source = path.read_bytes()
    except FileNotFoundError:
        raise SourceError(f"no such file: {path}", 2) from None
    except OSError as error:
        raise SourceError(f"cannot read {path}: {error.strerror}", 2) from None
    try:
        tree = ast.parse(source, str(path))
    except SyntaxError as error:
        raise _mistake(path, error.lineno, error.msg) from None
    except (ValueError, RecursionError, MemoryError) as error:
        raise _mistake(path, None, f"not a Python script ({error})") from None
    return _Reading(path, tree).scenario()


def own_programs(server: str, client: str) -> Scenario:
    """Two commands for the shell in place of a script. Raises SourceError with exit code 2."""
    for name, command in (("--server", server), ("--client", client)):
        if not command.strip() or "\0" in command:
            raise SourceError(f"{name} needs a command, such as 'nc -l $TCPVIZ_PORT'", 2)
    return Scenario(
        "programs",
        "Your own programs",
        "A client and a server of your own, with the cable between them.",
        "",
        Path(),
        (),
        (),
        limit_s=PROGRAMS_LIMIT_S,
        programs=(server, client),
    )


def _mistake(path: Path, line: int | None, what: str) -> SourceError:
    return SourceError(f"{path}{f', line {line}' if line else ''}: {what}", 2)


class _Reading:
    """One script's literals, with the lines they stand in."""

    def __init__(self, path: Path, tree: ast.Module) -> None:
        self._path = path
        self._values: dict[str, tuple[ast.expr, int]] = {}
        self._run: ast.FunctionDef | None = None
        for node in tree.body:
            if isinstance(node, ast.Assign):
                for target in node.targets:
                    if isinstance(target, ast.Name):
                        self._values[target.id] = (node.value, node.lineno)
            elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                if node.value is not None:
                    self._values[node.target.id] = (node.value, node.lineno)
            elif isinstance(node, ast.FunctionDef) and node.name == "run":
                self._run = node

    def scenario(self) -> Scenario:
        if self._run is None:
            raise _mistake(self._path, None, "has no function run(lab)")
        arguments = self._run.args
        if len(arguments.posonlyargs + arguments.args) != 1 and arguments.vararg is None:
            raise _mistake(self._path, self._run.lineno, "run must take one argument, the lab")
        needs = self._text("NEEDS", "")
        if needs not in ("", "cable"):
            raise self._wrong("NEEDS", 'may only be "cable"')
        return Scenario(
            self._path.stem,
            self._text("TITLE"),
            self._text("SHOWS"),
            self._text("ASK", ""),
            self._path.absolute(),
            self._states("CLIENT"),
            self._states("SERVER"),
            needs == "cable",
            self._limit(),
            self._section(),
            self._others(),
            points=self._points(),
        )

    def _wrong(self, name: str, what: str) -> SourceError:
        line = self._values[name][1] if name in self._values else None
        return _mistake(self._path, line, f"{name} {what}")

    def _value(self, name: str) -> Any:
        try:
            return ast.literal_eval(self._values[name][0])
        except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
            raise self._wrong(name, "must be a plain literal") from None

    def _text(self, name: str, otherwise: str | None = None) -> str:
        if name not in self._values:
            if otherwise is None:
                raise self._wrong(name, "is missing (a line of text)")
            return otherwise
        value = self._value(name)
        if not isinstance(value, str) or (otherwise is None and not value.strip()):
            raise self._wrong(name, "must be a text")
        return " ".join(value.split())

    def _states(self, name: str) -> tuple[State, ...]:
        if name not in self._values:
            raise self._wrong(name, "is missing (the list of states it is expected to pass)")
        return self._path_of(name, self._value(name))

    def _path_of(self, name: str, value: Any) -> tuple[State, ...]:
        if not isinstance(value, list | tuple):
            raise self._wrong(name, "must be a list of states")
        names = [state.value for state in State]
        for one in value:
            if one not in names:
                near = difflib.get_close_matches(str(one).upper().replace("_", "-"), names, 1)
                hint = f"; did you mean {near[0]}?" if near else f"; there are: {', '.join(names)}"
                raise self._wrong(name, f"has {one!r}, which is no state{hint}")
        return tuple(State(one) for one in value)

    def _section(self) -> str:
        section = self._text("SECTION", "")
        if section and section not in SECTIONS:
            raise self._wrong("SECTION", f"{section!r} is none of {', '.join(SECTIONS)}")
        return section

    def _others(self) -> tuple[EndsPath, ...]:
        if "OTHERS" not in self._values:
            return ()
        value = self._value("OTHERS")
        if not isinstance(value, list | tuple) or not all(
            isinstance(pair, list | tuple) and len(pair) == 2 for pair in value
        ):
            raise self._wrong("OTHERS", "must be a list of pairs: client's and server's states")
        return tuple(
            (self._path_of("OTHERS", client), self._path_of("OTHERS", server))
            for client, server in value
        )

    def _points(self) -> tuple[Point, ...]:
        if "STEPS" not in self._values:
            return ()
        value = self._value("STEPS")
        if not isinstance(value, list | tuple):
            raise self._wrong("STEPS", "must be a list of (moment, question, answer)")
        made = []
        for each in value:
            if not isinstance(each, list | tuple) or not all(isinstance(one, str) for one in each):
                raise self._wrong("STEPS", "must be a list of (moment, question, answer)")
            words = [" ".join(one.split()) for one in each]
            if len(words) != 3 or not words[2]:
                raise self._wrong("STEPS", f"has {words[:1]}: moment, question and answer")
            try:
                made.append(point(*words))
            except ValueError as error:
                raise self._wrong("STEPS", f"has {error}") from None
        return tuple(made)

    def _limit(self) -> float:
        if "LIMIT" not in self._values:
            return USUAL_LIMIT_S
        value = self._value("LIMIT")
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self._wrong("LIMIT", "must be a number of seconds")
        if not 0 < value <= _LONGEST_LIMIT_S:
            raise self._wrong("LIMIT", f"must be more than 0 and at most {_LONGEST_LIMIT_S:g} s")
        return float(value)

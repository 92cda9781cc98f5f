"""Every text that is looked up in a catalogue, found in the sources, and the catalogue in step.

``python -m tests.messages`` (``make words``) writes the texts that are new into
``tcpviz.po`` with an empty translation, drops those that are gone, and says how
much is translated. ``--list`` prints what is not, numbered; ``--take FILE`` takes
translations from lines of ``number<TAB>text``.
"""

from __future__ import annotations

import ast
import dataclasses
import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

from tcpviz import words
from tcpviz.catalogue import Message, parse

ROOT = Path(__file__).resolve().parent.parent

TABLES = (
    "explain:OTHER explain_segments:KINDS,ARRIVED,LOST,ADDITIONS,MARKS "
    "explain_calls:CALLED,CALLED_OTHER,RETURNED,RETURNED_OTHER,FAILED,FAILED_WITH,FAILED_OTHER,"
    "ERRORS explain_moves:MOVES,MOVES_ACTIVE,FOUND explain_kernel:READING,TIMERS "
    "explain_event:EVENTS,RESETS explain_fill:NAMES "
    "icmp_words:REASON_WORDS,ICMP hand_words:DOERS,SHORT,SENTENCES,REBOOT,_HAND "
    "plain_words:SAID,SAID_MARKS,HEARD,LOST,MOVED,CALLED,RETURNED,FAILED,FAILED_OTHER,TIMER "
    "kernel_words:TIMERS verdict:NAMES,NAMES_MIDSTREAM troubles:TEXTS,DETAILS "
    "explain_states:STATES points:DOUBTS segment_detail:MOMENTS listeners:COUNTERS "
    "explain_edges:TIMERS ladder_arrows:IN_HAND"
)
"""Texts that are data, by module of ``tcpviz.views`` and name: all that teaches."""

IN_CONTEXT = {
    "verdict:TEXTS": "verdict",
    "verdict:CROWD_TEXTS": "verdict",
    "phase_words:PHASES": "phase",
}

HINTS = (
    *("replay", "open", "more", "all go", "let go", "back to it", "another", "play"),
    *("go on", "pause", "last", "follow", "one"),
)
"""What the bottom line says of keys whose meaning changes (``LowerBars._words``)."""

Key = tuple[str, str]


@dataclasses.dataclass(slots=True)
class Source:
    """A text as the sources have it: ``group`` is where from, ``many`` its plural."""

    text: str
    group: str
    context: str = ""
    many: str = ""

    @property
    def key(self) -> Key:
        return (self.context, self.text)


def collect() -> dict[Key, Source]:
    """Every text by context and text, in a steady order."""
    found: dict[Key, Source] = {}
    for source in (
        *_tables(),
        *_machine(),
        *_evidence(),
        *_scenarios(),
        *_screen(),
        *_sheets(),
        *_calls(),
    ):
        if source.text.strip():
            known = found.setdefault(source.key, source)
            known.many = known.many or source.many
    return found


def strict(source: Source) -> bool:
    """A teaching text: it must be translated. The screen's own words may lag behind for a while."""
    return source.group not in ("screen", "calls", "evidence", "verdict", "table", "ladder_labels")


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for each in value.values():
            yield from _texts(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _texts(each)
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        for each in dataclasses.fields(value):
            if each.name != "section":
                yield from _texts(getattr(value, each.name))


def _tables() -> Iterator[Source]:
    for word in TABLES.split():
        module, names = word.split(":")
        for name in names.split(","):
            table = getattr(importlib.import_module(f"tcpviz.views.{module}"), name)
            for text in _texts(table):
                yield Source(text, module)
    for place, context in IN_CONTEXT.items():
        module, name = place.split(":")
        table = getattr(importlib.import_module(f"tcpviz.views.{module}"), name)
        for text in _texts(table):
            yield Source(text, module, context)
    options = importlib.import_module("tcpviz.views.option_words")
    for table in (options.NAMES, options.SUBTYPES):
        for _name, meaning in table.values():
            yield Source(meaning, "option_words")
    labels = importlib.import_module("tcpviz.views.ladder_labels")
    for _letter, text, _role in labels.MARKS.values():
        yield Source(text, "ladder_labels")
    table = importlib.import_module("tcpviz.views.table")
    for column in table.COLUMNS:
        yield Source(column.title, "table", "column")
    fields = importlib.import_module("tcpviz.views.segment_fields")
    for _bit, _name, text in fields.FLAG_WORDS:
        yield Source(text, "segment_fields")
    graphs = importlib.import_module("tcpviz.views.graphs.series")
    for sign in graphs.SIGNS.values():
        if not sign.name.isupper():  # SYN and FIN keep their names
            yield Source(sign.name, "graphs")
    quiz = importlib.import_module("tcpviz.views.quiz")
    for kind in quiz._KINDS:
        yield Source(kind, "quiz", "kind")


def _machine() -> Iterator[Source]:
    from tcpviz.core.claims import Certainty
    from tcpviz.core.states import TRANSITIONS

    for row in TRANSITIONS:
        yield Source(row.note, "machine")
    for each in Certainty:
        yield Source(str(each), "machine")


def _evidence() -> Iterator[Source]:
    """The claims' reasons, as far as they are whole literals."""
    names = {"move", "confirm", "weaken", "correct", "Claim", "_closed"}
    for path in sorted((ROOT / "tcpviz" / "core").glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            values: list[ast.expr] = []
            if isinstance(node, ast.Call):
                called = node.func
                name = getattr(called, "attr", getattr(called, "id", ""))
                values = list(node.args) if name in names else []
            elif isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "why":
                values = [node.value]
            elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Tuple):
                names_of = [getattr(each, "id", "") for each in node.targets[0].elts]
                if "why" in names_of and isinstance(node.value, ast.Tuple):
                    values = [node.value.elts[names_of.index("why")]]
            for value in values:
                for text in _literals(value):
                    if " " in text:
                        yield Source(text, "evidence")


def _scenarios() -> Iterator[Source]:
    from tcpviz.lab.scenarios import list_scenarios

    for one in list_scenarios():
        for text in (one.title, one.shows, one.ask):
            yield Source(text, "demos")
        for point in one.points:
            yield Source(point.ask, "demos")
            yield Source(point.answer, "demos")


def _screen() -> Iterator[Source]:
    from tcpviz.lab.feed import TITLES
    from tcpviz.ui import help as help_screen
    from tcpviz.ui import presenting
    from tcpviz.ui.keys import ACTIONS
    from tcpviz.ui.panes import NAMES

    for action in ACTIONS:
        yield Source(action.title, "screen")
        yield Source(action.what, "screen")
        yield Source(action.hint, "screen", "hint")
        yield Source(action.group, "screen")
    for hint in HINTS:
        yield Source(hint, "screen", "hint")
    for heading, entries in (*help_screen._signs(False), *help_screen._keys(False)):
        yield Source(heading, "screen")
        for _sign, text in entries:
            yield Source(text, "screen")
    for text in NAMES.values():
        yield Source(text, "screen")
    for text in presenting.NAMES.values():
        yield Source(text, "screen", "part")
    yield Source("all", "screen", "part")
    for text in TITLES.values():
        yield Source(text, "screen")
    for text in presenting.LIGHTS.values():
        yield Source(text, "screen")


def _sheets() -> Iterator[Source]:
    """What every sheet says of itself in its help and its bottom line."""
    for path in sorted((ROOT / "tcpviz" / "ui").glob("*.py")):
        module = importlib.import_module(f"tcpviz.ui.{path.stem}")
        for kind in vars(module).values():
            if isinstance(kind, type) and kind.__module__ == module.__name__ and _a_sheet(kind):
                yield Source(kind.about, "screen")
                for action in kind.actions:
                    yield Source(action.what, "screen")
                    yield Source(action.hint, "screen", "hint")
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef) and node.name == "signs":
                for one in ast.walk(
                    ast.Module(node.body[ast.get_docstring(node) is not None :], [])
                ):
                    # (the sign, what it means)
                    if isinstance(one, ast.Tuple) and len(one.elts) == 2:
                        for text in _literals(one.elts[1]):
                            yield Source(text, "screen")
    yield Source("Keys", "screen")


def _a_sheet(kind: type) -> bool:
    from tcpviz.ui.sheet import SheetScreen

    return issubclass(kind, SheetScreen) and kind is not SheetScreen


def _calls() -> Iterator[Source]:
    """Literals given to ``_``, ``counted``, ``plural`` and ``ngettext``."""
    for path in sorted((ROOT / "tcpviz").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute):
                name = getattr(node.func, "attr", getattr(node.func, "id", ""))
                if name == "_":
                    yield from _looked_up(node)
                elif name in ("counted", "plural") and len(node.args) > 1:
                    yield from _noun(node)


def _literals(node: ast.expr) -> Iterator[str]:
    if isinstance(node, ast.IfExp):
        yield from _literals(node.body)
        yield from _literals(node.orelse)
    elif isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value


def _looked_up(node: ast.Call) -> Iterator[Source]:
    context = "".join(_literals(node.args[1])) if len(node.args) > 1 else ""
    for text in _literals(node.args[0]):
        yield Source(text, "calls", context)


def _noun(node: ast.Call) -> Iterator[Source]:
    for one in _literals(node.args[1]):
        many = "".join(_literals(node.args[2])) if len(node.args) > 2 else one + "s"
        yield Source(f"{{n}} {one}", "calls", "", f"{{n}} {many}")


# -- the catalogue ----------------------------------------------------------------

HEADER = """\
Content-Type: text/plain; charset=UTF-8
Content-Transfer-Encoding: 8bit
Language: zh_CN
Plural-Forms: nplurals=1; plural=0;
"""


def quoted(text: str) -> str:
    """A text as a catalogue writes it."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def written(sources: dict[Key, Source], said: dict[Key, str]) -> str:
    """The whole catalogue."""
    lines = [
        "# tcpviz in Simplified Chinese; python -m tests.messages keeps it in step.",
        'msgid ""',
    ]
    lines += ['msgstr ""', *(quoted(line + "\n") for line in HEADER.splitlines()), ""]
    for key, source in sources.items():
        lines.append(f"#. {source.group}")
        if source.context:
            lines.append(f"msgctxt {quoted(source.context)}")
        lines.append(f"msgid {quoted(source.text)}")
        if source.many:
            lines.append(f"msgid_plural {quoted(source.many)}")
        form = "[0]" if source.many else ""
        lines += [f"msgstr{form} {quoted(said.get(key, ''))}", ""]
    return "\n".join(lines)


def translated(path: Path) -> dict[Key, str]:
    """What the catalogue says, by context and text."""
    if not path.exists():
        return {}
    entries: list[Message] = parse(path.read_text("utf-8"))
    return {one.key: one.said[0] for one in entries if one.text and one.said and one.said[0]}


def main(arguments: list[str]) -> int:
    path = words.catalogue_path("zh")
    sources, said = collect(), translated(path)
    missing = [key for key in sources if key not in said]
    if arguments[:1] == ["--list"]:
        for number, key in enumerate(missing):
            context = f"[{key[0]}] " if key[0] else ""
            print(f"{number}\t{sources[key].group}\t{context}{key[1]}")
        return 0
    if arguments[:1] == ["--take"]:
        for line in Path(arguments[1]).read_text("utf-8").splitlines():
            number, _tab, text = line.partition("\t")
            if number.strip().isdigit() and text:
                said[missing[int(number)]] = text
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(written(sources, said), "utf-8")
    done = sum(key in said for key in sources)
    print(
        f"{done} of {len(sources)} texts are translated; {len(set(said) - set(sources))} were gone"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""The gallery: every state of the screen in every theme on one page, for review.

``tcpviz demo --gallery OUT.html``. Each picture is the program at a moment of a scenario that is
run for it; the page needs nothing else, no script and nobody's server.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from html import escape
from pathlib import Path
from typing import Final

from tcpviz.core.states import State
from tcpviz.sources.feed import SourceError
from tcpviz.sources.parser import clean
from tcpviz.sources.writer import replaceable, unwritable
from tcpviz.ui.scenes import BUSY, Scene, lost, reaches, repeated, returned, run

SMALL: Final = (80, 24)
WIDE: Final = (200, 60)

STATES: Final = (
    Scene("A handshake, step by step", "echo", reaches("server", State.ESTABLISHED)),
    Scene("The same on 80x24", "echo", reaches("server", State.ESTABLISHED), SMALL),
    Scene("The same on 200x60", "echo", reaches("client", State.FIN_WAIT_2), WIDE),
    Scene("Before anything has happened", "echo", size=SMALL),
    Scene("A segment is lost", "lost-data", lost, SMALL),
    Scene("It is sent again", "lost-data", repeated, SMALL),
    Scene("Both close at once", "simultaneous-close", reaches("client", State.TIME_WAIT)),
    Scene("Refused", "refused", reaches("client", State.CLOSED), SMALL),
    Scene("The end", "half-close", last=True, size=SMALL),
    Scene("A segment in the hand", "simultaneous-close", hand=("space",) * 4),
    Scene("The same on 80x24", "handshake", size=SMALL, hand=("space",)),
    Scene("Dropped by hand", "echo", size=SMALL, hand=("space", "x")),
    Scene("The diagram alone", "echo", returned("accept"), keys=("2", "z")),
    Scene("A state is chosen", "echo", returned("accept"), SMALL, keys=("2", "down", "down")),
    Scene("A state, explained", "time-wait", reaches("client", State.TIME_WAIT), keys=("2", "e")),
    Scene("The chart alone, to scale", "lost-data", repeated, keys=("3", "z", "T")),
    Scene("Two segments compared", "lost-data", lost, SMALL, keys=("m", "n", "n", "C")),
    Scene("A segment, field by field", "echo", reaches("client", State.SYN_SENT), keys=("4",)),
    Scene("Graphs", "slow-start", last=True, keys=("5",)),
    Scene("Graphs on 80x24", "fast-retransmission", repeated, SMALL, keys=("5",)),
    Scene("All connections by state", BUSY, read=True, keys=("0",)),
    Scene("The same on 80x24", BUSY, size=SMALL, read=True, keys=("0",)),
    Scene("The list alone", BUSY, size=SMALL, read=True, keys=("1", "z")),
    Scene("A filter is typed", BUSY, size=SMALL, read=True, keys=("slash", *"verdict:re")),
    Scene("Troubles", BUSY, size=SMALL, read=True, keys=("exclamation_mark",)),
    Scene("Several connections on one chart", BUSY, read=True, keys=("H",)),
    Scene("Export", "echo", returned("accept"), SMALL, keys=("E",)),
    Scene("Help", "echo", returned("accept"), SMALL, keys=("question_mark",)),
    Scene("The command palette", "echo", returned("accept"), SMALL, keys=("colon", *"step")),
    Scene("A question before the segment", "handshake", teach="predict"),
    Scene("The story", "half-close", teach="story", size=SMALL),
    Scene("In plain words", "handshake", reaches("server", State.ESTABLISHED), SMALL, plain=True),
    Scene("In Chinese", "echo", returned("accept"), lang="zh"),
    Scene("In ASCII", "echo", returned("accept"), ascii=True),
    Scene("Too small", "echo", size=(30, 8)),
)
"""Every state of the screen; ``name`` is its heading."""


def write(place: Path, themes: tuple[str, ...] = (), scenes: tuple[Scene, ...] = STATES) -> int:
    """Write the page; says on standard error how far it is. Returns how many scenes failed.

    ``themes``  none: all of them. Raises SourceError where the file cannot be written.
    """
    from tcpviz.ui.start import LOOKS

    unknown = [name for name in themes if name not in LOOKS]
    if unknown:
        raise SourceError(f"no theme {unknown[0]!r}; there are {', '.join(LOOKS)}", 2)
    replaceable(str(place))
    failed: list[str] = []
    part = place.with_name(f".{place.name}.part")
    try:
        with part.open("w", encoding="utf-8") as out:
            for piece in _page(themes or LOOKS, scenes, failed, _progress(len(scenes))):
                out.write(piece)
        os.replace(part, place)  # noqa: PTH105
    except OSError as error:
        raise unwritable(clean(str(place)), error) from error
    finally:
        with contextlib.suppress(OSError):
            part.unlink()
    return len(failed)


def _progress(count: int) -> Callable[[int, str], None]:
    def told(done: int, name: str) -> None:
        if sys.stderr.isatty():
            sys.stderr.write(f"\r\x1b[K{done}/{count} {name}" + "\n" * (done == count))
            sys.stderr.flush()

    return told


_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem; background: #777; color: #fff; }
h1, h2 { font-weight: 600; } h2 { margin: 2.5rem 0 .5rem; }
nav { columns: 3; } a { color: inherit; }
.row { display: grid; grid-template-columns: repeat(auto-fill, minmax(34rem, 1fr)); gap: 1rem; }
figure { margin: 0; } figcaption { font-size: 13px; } svg { width: 100%; height: auto; }
.failed { background: #a00; padding: .5rem 1rem; }
"""


def _page(
    themes: tuple[str, ...],
    scenes: tuple[Scene, ...],
    failed: list[str],
    tell: Callable[[int, str], None],
) -> Iterator[str]:
    yield '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">\n'
    yield f"<title>tcpviz: every state of the screen</title><style>{_STYLE}</style></head><body>\n"
    yield "<h1>tcpviz: every state of the screen</h1>\n"
    yield "<p>Each picture is the program at a moment of a scenario that was run for it.</p>\n<nav>"
    for number, scene in enumerate(scenes, 1):
        yield f'<a href="#s{number}">{escape(scene.name)}</a><br>\n'
    yield "</nav>\n"
    for number, scene in enumerate(scenes, 1):
        tell(number, scene.name)
        size = f"{scene.size[0]}x{scene.size[1]}"
        keys = " ".join(scene.keys)
        pressed = f", then <kbd>{escape(keys)}</kbd>" if keys else ""
        yield f'<h2 id="s{number}">{escape(scene.name)}</h2>\n'
        yield f"<p><code>{escape(scene.command)}</code> on {size}{pressed}</p>\n"
        try:
            pictures = run(scene, themes)
        except SourceError as error:
            failed.append(scene.name)
            yield f'<p class="failed">{escape(str(error))}</p>\n'
            continue
        yield '<div class="row">\n'
        for theme, picture in zip(themes, pictures, strict=True):
            yield f"<figure>{picture}<figcaption>{escape(theme)}</figcaption></figure>\n"
        yield "</div>\n"
    yield "</body></html>\n"

"""Pictures of the program, made by the program from real runs: ``make pictures``.

Without names, those that the README shows; ``--all`` makes every scene. The SVGs go to
``demos/pictures`` (or to the folder named). With ``--png`` and an SVG renderer on the PATH, PNGs
are laid beside them, to be looked at; ``--size 80x24`` shows the scenes at another size than their
own, ``--theme`` in another theme. ``--record`` makes the recordings (``make recordings``);
``--gallery OUT.html`` is ``tcpviz demo --gallery OUT.html``.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from tcpviz.core.states import State
from tcpviz.sources.feed import SourceError
from tcpviz.ui.scenes import BUSY, Scene, lost, marked, reaches, repeated, returned, run

FOLDER = Path(__file__).resolve().parents[2] / "demos" / "pictures"

SMALL = (80, 24)
LARGE = (200, 60)

SCENES = (
    Scene("handshake", "echo", returned("accept")),
    Scene("handshake-80x24", "echo", reaches("server", State.ESTABLISHED), SMALL),
    Scene("simultaneous-close", "simultaneous-close", reaches("client", State.TIME_WAIT)),
    Scene("lost-segment", "lost-data", repeated),
    Scene("step-mode", "simultaneous-close", hand=("space",) * 5),
    Scene("step-mode-80x24", "handshake", size=SMALL, hand=("space",)),
    Scene("dropped", "echo", hand=("space", "space", "space", "x")),
    Scene("light", "half-close", reaches("server", State.LAST_ACK), looks="light"),
    Scene("large", "echo", reaches("client", State.FIN_WAIT_2), LARGE),
    Scene("segment", "fast-retransmission", repeated, keys=("4",)),
    Scene("graphs", "slow-start", last=True, keys=("5",)),
    Scene("graphs-80x24", "lost-data", repeated, SMALL, keys=("5",)),
    Scene("to-scale", "lost-data", marked, keys=("3", "z", "T")),
    Scene("dashboard", BUSY, read=True, keys=("0",)),
    Scene("troubles", BUSY, read=True, keys=("exclamation_mark",)),
    Scene("list", BUSY, read=True, keys=("1", "z")),
    Scene("hosts", BUSY, read=True, keys=("H",)),
    Scene("story", "half-close", teach="story"),
    Scene("predict", "handshake", teach="predict"),
    Scene("chinese", "echo", returned("accept"), lang="zh"),
    Scene("plain-words", "handshake", reaches("server", State.ESTABLISHED), SMALL, plain=True),
    Scene("comparison", "lost-data", lost, keys=("m", "n", "n", "C")),
    Scene("export", "echo", returned("accept"), SMALL, keys=("E",)),
    Scene("explained", "time-wait", reaches("client", State.TIME_WAIT), keys=("2", "e")),
    Scene("refused", "refused", reaches("client", State.CLOSED)),
    Scene("contrast", "half-close", reaches("server", State.CLOSE_WAIT), looks="contrast"),
    Scene("safe", "lost-data", repeated, looks="safe"),
    Scene("ansi", "echo", returned("accept"), looks="ansi"),
    Scene("mono", "echo", returned("accept"), looks="mono"),
    Scene(
        "ascii", "simultaneous-close", reaches("client", State.CLOSING), ascii=True, looks="mono"
    ),
    Scene("help", "echo", keys=("question_mark",)),
)

README = ("handshake", "handshake-80x24", "simultaneous-close", "dropped", "graphs", "light")
"""Those that the README shows: no others are kept."""


def main() -> int:
    """Make the pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="scenes; none: the README's")
    parser.add_argument("--all", action="store_true", help="every scene")
    parser.add_argument("--to", type=Path, default=FOLDER)
    parser.add_argument("--png", action="store_true")
    parser.add_argument("--size", help="such as 80x24")
    parser.add_argument("--theme", help="instead of each scene's own")
    parser.add_argument("--gallery", metavar="OUT.html", type=Path)
    parser.add_argument("--record", action="store_true", help="the recordings in demos/ instead")
    options = parser.parse_args()
    if options.record:
        from tests.scenes.recording import main as record

        return record(options.names)
    if options.gallery:
        from tcpviz.ui.gallery import write

        write(options.gallery, (options.theme,) if options.theme else ())
        return 0
    known = {scene.name: scene for scene in SCENES}
    unknown = [name for name in options.names if name not in known]
    if unknown:
        print(f"no scene {unknown[0]!r}; there are {', '.join(known)}", file=sys.stderr)
        return 2
    options.to.mkdir(parents=True, exist_ok=True)
    failed = 0
    for name in options.names or (known if options.all else README):
        scene = known[name]
        if options.size:
            width, height = map(int, options.size.split("x"))
            scene = replace(scene, size=(width, height))
        if options.theme:
            scene = replace(scene, looks=options.theme)
        place = options.to / f"{name}.svg"
        try:
            place.write_text(run(scene)[0], "utf-8")
        except SourceError as error:
            print(error, file=sys.stderr)
            failed += 1
            continue
        print(place, flush=True)
        if options.png and shutil.which("rsvg-convert"):
            wide = str(scene.size[0] * 10)
            png = place.with_suffix(".png")
            subprocess.run(["rsvg-convert", "-w", wide, str(place), "-o", str(png)], check=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

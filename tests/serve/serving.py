"""The real server as a process of its own, and what it prints."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


class Serving:
    """``url`` is what it printed; ``said`` all of that until then."""

    def __init__(self, *words: str, folder: Path = ROOT) -> None:
        env = {**os.environ, "PYTHONPATH": str(ROOT), "LANG": "C.UTF-8", "TCPVIZ_CONFIG": ""}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tcpviz.cli", *words],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, env=env, cwd=folder,
        )  # fmt: skip
        self.said = ""
        self.url, self.port = "", 0

    def ready(self) -> None:
        """It has printed where it is."""
        self.wait_for("Ctrl-C ends it all")
        found = re.search(r"http://\S+", self.said)
        assert found is not None, self.said
        self.url = found[0]
        self.port = int(re.search(r":(\d+)/", self.url)[1])  # type: ignore[index]

    def wait_for(self, words: str) -> str:
        """Read what it prints up to a line with these words."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.said += line
            if words in line:
                return line
        raise AssertionError(f"it ended without {words!r}:\n{self.said}")

    def programs(self) -> list[int]:
        """The processes that it has started for visitors."""
        task = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [int(word) for word in task.read_text().split()]

    def stop(self) -> int:
        self.process.send_signal(signal.SIGINT)
        self.said += self.process.communicate(timeout=60)[0]
        return self.process.returncode


@contextlib.contextmanager
def serving(*words: str, folder: Path = ROOT) -> Iterator[Serving]:
    made = Serving(*words, folder=folder)
    try:
        made.ready()
        yield made
    finally:
        if made.process.poll() is None:
            made.process.kill()
        made.process.communicate()

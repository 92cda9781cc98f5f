"""A real Chromium without a window, steered through chromedriver (W3C WebDriver) and nothing else.

What the page's terminal shows is drawn on a canvas, where no test can read it. So
two things are noted in the page before its own scripts run: every byte that came
through the WebSocket, which a terminal emulator reads here, and every character
that was drawn on a canvas.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import re
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyte

PATIENCE_S = 60

FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    "--window-size=1100,700",
)

NOTING = """
window.noted = {bytes: "", drawn: "", asked: []};
const Real = WebSocket;
window.WebSocket = class extends Real {
  constructor(...words) {
    super(...words);
    this.addEventListener("message", (event) => {
      if (typeof event.data === "string") return;
      for (const byte of new Uint8Array(event.data))
        window.noted.bytes += String.fromCharCode(byte);
    });
  }
};
for (const kind of [CanvasRenderingContext2D, OffscreenCanvasRenderingContext2D]) {
  const fill = kind.prototype.fillText;
  kind.prototype.fillText = function (text, ...rest) {
    window.noted.drawn += text;
    return fill.call(this, text, ...rest);
  };
}
"""


def missing() -> str:
    """Why there is no browser to test in; empty: there is one."""
    if shutil.which("chromedriver") is None:
        return "no chromedriver here (Debian: chromium-driver)"
    if program() is None:
        return "no chromium here"
    return ""


def program() -> str | None:
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("chrome")


class Browser:
    """One tab."""

    def __init__(self, port: int, profile: Path) -> None:
        self._base = f"http://127.0.0.1:{port}"
        options = {"binary": program(), "args": [*FLAGS, f"--user-data-dir={profile}"]}
        wanted = {"capabilities": {"alwaysMatch": {"goog:chromeOptions": options}}}
        self._base += "/session/" + self._ask("POST", "/session", wanted)["sessionId"]
        self.cdp("Page.addScriptToEvaluateOnNewDocument", source=NOTING)
        self.cdp("Network.enable")

    def _ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        asked = urllib.request.Request(self._base + path, data, method=method)
        asked.add_header("Content-Type", "application/json")
        try:
            with urllib.request.urlopen(asked, timeout=PATIENCE_S) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            with error:
                raise AssertionError(error.read().decode()) from None

    def cdp(self, command: str, **words: object) -> Any:
        return self._ask("POST", "/goog/cdp/execute", {"cmd": command, "params": words})

    def open(self, url: str) -> None:
        self._ask("POST", "/url", {"url": url})

    def run(self, script: str) -> Any:
        return self._ask("POST", "/execute/sync", {"script": script, "args": []})

    def press(self, *keys: str) -> None:
        """Keys as a person's hand sends them, to whatever has the focus."""
        strokes = [{"type": kind, "value": key} for key in keys for kind in ("keyDown", "keyUp")]
        body = {"actions": [{"type": "key", "id": "keys", "actions": strokes}]}
        self._ask("POST", "/actions", body)

    @property
    def page(self) -> str:
        """The text of a page that is no terminal."""
        return str(self.run("return document.body.innerText"))

    @property
    def asked(self) -> list[str]:
        """Every address that the page has loaded something from."""
        script = "return performance.getEntriesByType('resource').map(one => one.name)"
        return list(self.run(script))

    def screen(self) -> str:
        """What the page's terminal shows, as text, from all the bytes that came to it."""
        bytes_ = self.run("return noted.bytes")
        emulator = pyte.Screen(200, 80)  # larger than the page's: the program places every row
        data = bytes_.encode("latin-1")
        pyte.ByteStream(emulator).feed(re.sub(rb"\x1b\[[<>]", b"\x1b[?", data))
        return "\n".join(row.rstrip() for row in emulator.display)

    def wait_for(self, text: str | Callable[[str], bool]) -> str:
        fits = text if callable(text) else lambda shown: text in shown
        until = time.monotonic() + PATIENCE_S
        while not fits(shown := self.screen()):
            if time.monotonic() > until:
                raise AssertionError(f"{text!r} does not appear:\n{shown}")
            time.sleep(0.1)  # between two looks, not instead of one
        return shown

    def picture(self) -> bytes:
        return base64.b64decode(self._ask("GET", "/screenshot"))

    def close(self) -> None:
        self._ask("DELETE", "")


@contextlib.contextmanager
def browser(folder: Path) -> Iterator[Browser]:
    """A browser with nothing in its profile; it and its driver are gone afterwards."""
    command = ["chromedriver", "--port=0", "--allowed-ips=127.0.0.1"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        env={**os.environ, "HOME": str(folder)},
    ) as driver:  # fmt: skip
        made = None
        try:
            assert driver.stdout is not None
            port = 0
            for said in driver.stdout:
                if found := re.search(r"started successfully on port (\d+)", said):
                    port = int(found[1])
                    break
            made = Browser(port, folder / "profile")
            yield made
        finally:
            if made is not None:
                made.close()
            driver.terminate()

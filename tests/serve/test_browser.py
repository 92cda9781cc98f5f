"""The demo in a real browser without a window: it loads, it shows, it hears keys, it keeps out."""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterator

import pytest

pytest.importorskip("textual_serve", reason="the extra 'serve' is not installed")

from tests.serve.browser import Browser, browser, missing
from tests.serve.serving import serving

pytestmark = pytest.mark.skipif(bool(missing()), reason=missing() or "a browser")

LEFT = "\ue012"


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browser(tmp_path_factory.mktemp("browser")) as made:
        yield made


def colours(png: bytes) -> int:
    """How many different pixels are in a picture (8 bits, not interlaced, as Chromium's are)."""
    data, at = b"", 8
    while at < len(png):
        size, kind = struct.unpack(">I4s", png[at : at + 8])
        if kind == b"IDAT":
            data += png[at + 8 : at + 8 + size]
        at += 12 + size
    return len(set(zlib.decompress(data)))


def test_the_demo_in_a_browser(tab: Browser) -> None:
    with serving("demo", "handshake", "--serve", "127.0.0.1:0", "--pace", "0.1") as made:
        tab.open(made.url)
        shown = tab.wait_for("end of scenario")
        for words in ("1 Connections", "2 States", "3 Sequence", "ESTABLISHED", "handshake"):
            assert words in shown
        assert set("SYN-ETABLIHDhandshk\u23ba\u23bd") <= set(tab.run("return noted.drawn"))
        assert colours(tab.picture()) > 20
        tab.press(LEFT)
        shown = tab.wait_for("paused")
        assert re.search(r"step \d+ of \d+|\d+/\d+", shown)
        # Nothing from anywhere else, so that it works without the internet.
        assert tab.asked
        assert [url for url in tab.asked if not url.startswith(made.url)] == []
        # Both fonts are understood and in use: the arrows' signs are in no other one.
        faces = tab.run("return [...document.fonts].map(one => one.status)")
        assert faces == ["loaded", "loaded"]
        tab.press("q")
        made.wait_for("visitor 1 left")
        assert "It is over." in tab.page
        assert made.stop() == 0


def test_a_wrong_token_is_refused_and_the_right_one_lets_in(tab: Browser) -> None:
    with serving("demo", "handshake", "--serve", "0.0.0.0:0", "--pace", "0.1") as made:
        url = re.sub(r"//[^/]+:", "//127.0.0.1:", made.url)
        tab.open(url[:-3] + "xyz")
        assert "open the whole URL that was printed" in tab.page
        assert tab.run("return document.querySelector('#terminal') === null")
        tab.open(url)
        tab.wait_for("3 Sequence")
        assert made.stop() == 0

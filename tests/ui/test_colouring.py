"""A person's own colouring rules: found, used in the list and the chart, or told why not."""

from __future__ import annotations

from pathlib import Path

import pytest

from tcpviz.ui.colouring import LONGEST, USUAL, load, place
from tcpviz.views import roles
from tests.ui.fakes import FakeFeed, conversation
from tests.ui.test_app import QUIET, TcpvizApp, running, screen, text


def test_where_the_file_is_looked_for() -> None:
    assert place({"XDG_CONFIG_HOME": "/c", "HOME": "/h"}) == Path("/c/tcpviz/colours")
    assert place({"HOME": "/h"}) == place({"HOME": "/h", "XDG_CONFIG_HOME": "not/absolute"})
    assert place({"HOME": "/h"}) == Path("/h/.config/tcpviz/colours")
    assert place({}) is None


def test_what_cannot_be_used_is_told_and_the_usual_rules_stay(tmp_path: Path) -> None:
    assert load(tmp_path / "none") is USUAL
    (tmp_path / "wrong").write_text("bad port:1\nbad port:nonsense\n")
    (tmp_path / "bytes").write_bytes(b"\xff\xfe")
    (tmp_path / "long").write_text("# x\n" * LONGEST + "nonsense")
    wrong = load(tmp_path / "wrong")
    assert "wrong: colour rule 2: " in wrong.problem
    assert wrong.connections.rules == USUAL.connections.rules
    assert "not text" in load(tmp_path / "bytes").problem
    assert "directory" in load(tmp_path).problem
    assert load(tmp_path / "long").problem == ""


async def test_rules_colour_the_list_and_the_chart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tcpviz").mkdir()
    (tmp_path / "tcpviz" / "colours").write_text("note port:80\nsegment bad flags:fin\n")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    app = TcpvizApp(FakeFeed(list(conversation(1, 0)), title="trace.pcapng"), behaviour=QUIET)
    async with running(app):
        shown = screen(app)
        rows = [row.line for row in shown.query_one("#connections").rows]  # type: ignore[attr-defined]
        assert any(span.role == roles.MARK_NOTE for row in rows for span in row)
        rows = [row.line for row in shown.query_one("#chart").rows]  # type: ignore[attr-defined]
        fins = [span for row in rows for span in row if span.role == roles.MARK_BAD]
        assert any("FIN" in span.text for span in fins)
        assert not any("SYN" in span.text for span in fins)
        # The selected connection's verdict stands in the title, where it has room.
        assert "#1 " in text(app, "connections").splitlines()[0]

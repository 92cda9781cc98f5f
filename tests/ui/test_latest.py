"""The thread that does what was asked last."""

from __future__ import annotations

import threading

from tcpviz.ui.latest import Latest


def test_what_is_done_is_owed_until_it_is_taken() -> None:
    latest: Latest[str] = Latest("test")
    go = threading.Event()

    def job(_enough: object) -> str:
        go.wait()
        return "done"

    latest.ask(job)
    assert latest.owes
    assert latest.take() is None
    go.set()
    with latest._turn:
        latest._turn.wait_for(lambda: not latest.busy)
    assert latest.owes  # nobody works at it, and nobody has it
    assert latest.take() == "done"
    assert not latest.owes
    latest.stop()

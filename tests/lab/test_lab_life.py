"""Whatever ends it, the lab leaves no process, no interface and no namespace behind."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tcpviz.lab.feed import GROUNDS, LabFeed
from tcpviz.lab.scenarios import load
from tcpviz.sources.feed import SourceError

ROOT = Path(__file__).resolve().parent.parent.parent

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs Linux")

ENDLESS = """
TITLE = "Endless"
SHOWS = "It never ends by itself."
CLIENT = []
SERVER = []

def run(lab):
    lab.server.socket()
    lab.server.bind()
    lab.server.listen()
    lab.server.accept()
    lab.client.socket()
    lab.client.connect()
    {rest}
"""


@pytest.fixture
def endless(tmp_path):
    def made(rest="lab.wait(1000)"):
        path = tmp_path / "endless.py"
        path.write_text(ENDLESS.format(rest=rest))
        return load(str(path))

    return made


def _namespaces_of(tasks):
    """The network namespaces of some tasks' folders in /proc; those that are gone have none."""
    found = set()
    for task in tasks:
        with contextlib.suppress(OSError):
            found.add(str((task / "ns" / "net").readlink()))
    return found


def _namespaces_everywhere():
    return _namespaces_of(entry for entry in Path("/proc").iterdir() if entry.name.isdigit())


def _await_death(pid):
    """Wait until a process that is not our child is gone."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        ready, _, _ = select.select([handle], [], [], 20)
        assert ready, "the lab's child lives on"
    finally:
        os.close(handle)


@pytest.mark.parametrize("on", GROUNDS)
@pytest.mark.parametrize("rest", ["lab.wait(1000)", "lab.server.recv(); lab.server.wait(1000)"])
def test_the_child_dies_with_a_killed_parent(endless, on, rest):
    scenario = endless(rest)
    script = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from tcpviz.lab.feed import LabFeed\n"
        "from tcpviz.lab.scenarios import load\n"
        "feed = LabFeed(load(sys.argv[2]), on=sys.argv[3])\n"
        "for batch in feed.batches():\n"
        "    print(feed._child.pid, flush=True)\n"
    )
    arguments = [str(ROOT), str(scenario.path), on]
    with subprocess.Popen(
        [sys.executable, "-c", script, *arguments], stdout=subprocess.PIPE, text=True
    ) as parent:
        # Enough batches that the connection stands.
        for _ in range(7):
            pid = int(parent.stdout.readline())
        child = os.pidfd_open(pid)
        made = _namespaces_of(Path(f"/proc/{pid}/task").iterdir())
        made -= _namespaces_of([Path("/proc/self")])
        parent.kill()
    try:
        ready, _, _ = select.select([child], [], [], 20)
        assert ready, "the lab's child outlives its parent"
    finally:
        os.close(child)
    assert not made & _namespaces_everywhere()
    if on == "kernel":
        assert not made


def test_a_script_that_hangs_is_ended_with_its_line(endless):
    scenario = endless("\n    while True:\n        pass")
    scenario = type(scenario)(
        **{name: getattr(scenario, name) for name in scenario.__slots__} | {"limit_s": 1.0}
    )
    feed = LabFeed(scenario, on="kernel")
    with pytest.raises(SourceError) as told:
        list(feed.batches())
    assert "did not end within 1 s" in str(told.value)
    assert "line 1" in str(told.value)
    assert feed.status.done


def test_a_caller_who_stops_reading_leaves_nothing(endless):
    feed = LabFeed(endless())
    batches = feed.batches()
    next(batches)
    pid = feed._child.pid
    batches.close()
    _await_death(pid)
    assert feed.status.done


def test_stop_from_another_thread_ends_it_soon_and_may_be_repeated(endless):
    feed = LabFeed(endless())
    pids = []
    for count, _ in enumerate(feed.batches()):
        pids.append(feed._child.pid)
        if count == 5:
            for _ in range(2):
                thread = threading.Thread(target=feed.stop)
                thread.start()
                thread.join()
    feed.stop()
    _await_death(pids[-1])


def test_stopped_before_it_began():
    feed = LabFeed(load("handshake"))
    feed.stop()
    assert list(feed.batches()) == []


def test_the_childs_own_end_is_told_with_its_last_words(endless):
    feed = LabFeed(endless(), on="kernel")
    batches = feed.batches()
    next(batches)
    os.kill(feed._child.pid, signal.SIGKILL)
    with pytest.raises(SourceError) as told:
        list(batches)
    assert "ended unexpectedly" in str(told.value)


def test_ctrl_c_of_the_terminal_does_not_reach_the_child(endless):
    feed = LabFeed(endless(), on="kernel")
    batches = feed.batches()
    next(batches)
    try:
        assert os.getsid(feed._child.pid) != os.getsid(0)
    finally:
        batches.close()


def test_no_descriptor_is_left_open(endless):
    def count():
        return len(list(Path("/proc/self/fd").iterdir()))

    list(LabFeed(load("handshake")).batches())
    before = count()
    list(LabFeed(load("handshake")).batches())
    batches = LabFeed(endless()).batches()
    next(batches)
    batches.close()
    assert count() == before

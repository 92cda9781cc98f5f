"""The lesser grounds, and the way down to them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tcpviz.core.records import Call, KernelReading, Moment, SegmentRecord, Side
from tcpviz.core.segment import Flags
from tcpviz.lab.feed import LabFeed
from tcpviz.lab.scenarios import list_scenarios, load
from tcpviz.sources.feed import SourceError

ROOT = Path(__file__).resolve().parent.parent.parent
ANYWHERE = [one.name for one in list_scenarios() if not one.needs_cable]
CABLE_ONLY = [one.name for one in list_scenarios() if one.needs_cable]

LINUX = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs Linux")


def _within(path, expected):
    """Whether the path is part of the expected one, in its order."""
    states = iter(expected)
    return all(any(one == state for state in states) for one in path)


@LINUX
@pytest.mark.parametrize("name", ANYWHERE)
def test_loopback_sees_each_segment_once_and_agrees_with_the_kernel(play, name):
    played = play(name, "loopback")
    if played.feed.ground != "loopback":
        pytest.skip(f"no capture on loopback here: {played.notes[0]}")
    scenario = load(name)
    for side in Side:
        path = played.path(side)
        assert _within(path, [state.value for state in scenario.expected(side)]), path
        assert path[-1] == scenario.expected(side)[-1].value
    assert not played.disagreements
    segments = [one for one in played.records if isinstance(one, SegmentRecord)]
    assert all(one.moment is Moment.SEEN for one in segments)
    assert sum(one.segment.flags == Flags.SYN for one in segments) == 1
    connection = next(iter(played.tracker.connections.values()))
    for side in Side:
        assert connection.end(side).state is scenario.expected(side)[-1]


@LINUX
@pytest.mark.parametrize("name", ANYWHERE)
def test_without_capture_segments_are_inferred_and_agree_with_the_kernel(play, name):
    played = play(name, "kernel")
    assert played.feed.ground == "kernel"
    assert "nothing is captured" in played.notes[0]
    assert not played.disagreements
    segments = [one.segment for one in played.records if isinstance(one, SegmentRecord)]
    assert segments
    assert all(one.inferred for one in segments)
    assert segments[0].flags == Flags.SYN
    assert segments[0].seq == 0
    times = [record.time_ns for record in played.records]
    assert times == sorted(times)
    if load(name).server[-1].value == "CLOSED" and name not in ("reset", "refused"):
        assert sum(one.fin for one in segments) == 2


@LINUX
def test_inferred_segments_stand_where_the_calls_say(play):
    records = play("echo", "kernel").records
    rows = [
        record.segment.flags.names() if isinstance(record, SegmentRecord) else record.name
        for record in records
        if isinstance(record, SegmentRecord)
        or (isinstance(record, Call) and record.returned and record.name in ("connect", "accept"))
    ]
    assert rows.index("SYN,ACK") < rows.index("connect")
    assert rows.index("ACK") < rows.index("accept")


@pytest.mark.parametrize("name", CABLE_ONLY)
@pytest.mark.parametrize("on", ["loopback", "kernel"])
def test_what_needs_the_cable_says_so(name, on):
    with pytest.raises(SourceError) as told:
        LabFeed(load(name), on=on)
    assert told.value.exit_code == 2
    assert "needs the cable" in str(told.value)


def test_an_unknown_ground_is_refused():
    with pytest.raises(SourceError, match="cable, loopback, kernel"):
        LabFeed(load("handshake"), on="moon")


_SCRIPT = """
import sys
sys.path.insert(0, {root!r})
from tcpviz.lab.feed import LabFeed
from tcpviz.lab.scenarios import load
from tcpviz.sources.feed import SourceError
from tcpviz.core.tracker import Tracker
from tcpviz.core.records import Side
from importlib.util import module_from_spec, spec_from_file_location
spec = spec_from_file_location("shared", {conftest!r})
shared = module_from_spec(spec)
sys.modules["shared"] = shared
spec.loader.exec_module(shared)
for name in sys.argv[1:]:
    feed = LabFeed(load(name))
    tracker, records, wrong = Tracker(), [], 0
    try:
        for batch in feed.batches():
            for record in batch:
                records.append(record)
                wrong += sum(len(step.disagreements) for step in tracker.feed(record))
    except SourceError as error:
        print(name, "error", error)
        continue
    paths = ["/".join(shared.kernel_path(records, side)) for side in Side]
    print(name, feed.ground, wrong, *paths, "|", *feed.status.notes)
"""


def _run(before, names):
    script = _SCRIPT.format(root=str(ROOT), conftest=str(Path(__file__).with_name("conftest.py")))
    command = [*before, sys.executable, "-B", "-c", script, *names]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, cwd="/")
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def _ordinary_user():
    """What makes root an ordinary user that may still read our Python wherever it lies."""
    if os.geteuid() != 0:
        return []
    if shutil.which("setpriv") is None:
        pytest.skip("needs setpriv to become an ordinary user")
    user = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    probe = (
        f"import socket, subprocess, sys; open({__file__!r}).close();"
        "sys.exit(subprocess.call([sys.executable, '-c', 'import socket']))"
    )
    if subprocess.run([*user, sys.executable, "-c", probe], capture_output=True).returncode == 0:
        return user
    # Python lies in root's home: reading (and nothing else) is allowed everywhere.
    caps = "-all,+dac_read_search"
    user += [f"--inh-caps={caps}", f"--ambient-caps={caps}", f"--bounding-set={caps}"]
    if subprocess.run([*user, sys.executable, "-c", probe], capture_output=True).returncode != 0:
        pytest.skip("another user cannot read this Python and its packages")
    return user


@LINUX
def test_an_ordinary_user_has_the_cable_too(cable):
    cable("handshake")
    # Every scenario: test_gallery.py. Here, that it is so without being asked for the cable.
    scenarios = [load(name) for name in ("echo", "half-close", "simultaneous-close", "lost-syn")]
    names = [one.name for one in scenarios]
    lines = _run(_ordinary_user(), names)
    wanted = [
        " ".join(
            [
                one.name,
                "cable 0",
                *("/".join(state.value for state in one.expected(side)) for side in Side),
            ]
        )
        for one in scenarios
    ]
    assert [line.split(" |")[0] for line in lines] == wanted


@LINUX
def test_where_everything_is_refused_the_notes_say_why(cable):
    if shutil.which("unshare") is None or shutil.which("setpriv") is None:
        pytest.skip("needs unshare and setpriv")
    refuse = (
        "echo 0 > /proc/sys/user/max_user_namespaces"
        ' && exec setpriv --bounding-set=-all --inh-caps=-all --no-new-privs "$@"'
    )
    before = ["unshare", "-Ur", "sh", "-c", refuse, "sh"]
    if subprocess.run([*before, "true"], capture_output=True).returncode != 0:
        pytest.skip("cannot make a namespace that refuses namespaces")
    kernel, lost = _run(before, ["client-closes-first", "lost-syn"])
    assert kernel.startswith("client-closes-first kernel 0 ")
    assert "no cable between two hosts: user namespaces are off here" in kernel
    assert "no capture on loopback: user namespaces are off here" in kernel
    assert "segments shown are inferred" in kernel
    assert lost.startswith("lost-syn error lost-syn needs the cable")


@LINUX
def test_the_kernel_is_asked_by_inet_diag(play):
    readings = [
        one for one in play("handshake", "kernel").records if isinstance(one, KernelReading)
    ]
    assert {one.source for one in readings} == {"inet_diag"}

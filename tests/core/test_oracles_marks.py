"""Marks, completeness and Zeek's view of every shared capture against its oracles.

Connections are the tracker's. Every difference must be listed, with its reason
and who is right, in ``known_differences.toml``; a listed one that no longer
occurs fails as well. The table of totals is printed (``pytest -s``, or on
failure).
"""

from __future__ import annotations

import json
import tomllib
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest

from tcpviz.core.completeness import Completeness
from tcpviz.core.marks import MarkAnalyzer, MarkName
from tcpviz.core.records import SegmentRecord, Side
from tcpviz.core.segment import Endpoint, Segment
from tcpviz.core.tracker import Tracker
from tcpviz.core.zeek import ZeekView
from tcpviz.sources.files import open_capture
from tcpviz.wire.decoder import Decoder

KNOWN = Path(__file__).with_name("known_differences.toml")
COPY = MarkName.CAPTURED_TWICE.value
NONE: dict[str, list[int]] = {"agreed": [], "only_4_0_17": [], "only_4_4_18": []}


@dataclass
class Seen:
    """One of the tracker's connections with all three analysers at work on it."""

    ends: frozenset[Endpoint]
    reused: bool
    frames: list[int] = field(default_factory=list)
    segments: list[tuple[Segment, Side]] = field(default_factory=list)
    marks: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    plain: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))

    def __post_init__(self) -> None:
        self.analyzer = MarkAnalyzer(reused_ports=self.reused)
        self.wireshark = MarkAnalyzer(reused_ports=self.reused, spot_copies=False)
        self.completeness = Completeness()

    def observe(self, segment: Segment, side: Side) -> None:
        self.frames.append(segment.frame)
        self.segments.append((segment, side))
        for mark in self.analyzer.observe(segment, side):
            self.marks[mark.name.value].append(segment.frame)
        for mark in self.wireshark.observe(segment, side):
            self.plain[mark.name.value].append(segment.frame)
        self.completeness.observe(segment, side)

    def zeek(self, *, ignore_checksums: bool) -> tuple[str, str]:
        view = ZeekView(ignore_checksums=ignore_checksums)
        for segment, side in self.segments:
            view.observe(segment, side)
        return view.conn_state, view.history


def read(path: Path) -> list[Seen]:
    decoder = Decoder()
    tracker = Tracker(keep=False)
    found: dict[int, Seen] = {}
    tuples: set[object] = set()

    def take(segment: Segment) -> None:
        for step in tracker.feed(SegmentRecord(segment.time_ns, segment)):
            if step.segment is None or step.connection is None or step.side is None:
                continue
            if step.connection not in found:
                reused = segment.key in tuples
                tuples.add(segment.key)
                found[step.connection] = Seen(frozenset((segment.src, segment.dst)), reused)
            found[step.connection].observe(segment, step.side)

    with open_capture(str(path)) as frames:
        for frame in frames:
            segment = decoder.decode(frame)
            if segment is not None:
                take(segment)
            while decoder.extra:
                take(decoder.extra.popleft())
    decoder.finish()
    while decoder.extra:
        take(decoder.extra.popleft())
    return list(found.values())


def ends_of(stream: dict[str, Any]) -> frozenset[Endpoint]:
    return frozenset(Endpoint(stream[end]["addr"], stream[end]["port"]) for end in "ab")


def agreed(oracle: dict[str, Any]) -> dict[int, dict[str, Any]]:
    """By stream: what both tsharks say, or where they split streams otherwise, what 4.0 says."""
    both = oracle["tshark_agreed"].get("streams")
    if both is not None:
        return {entry["stream"]: entry for entry in both}
    return {
        stream["stream"]: {
            "completeness": [stream["completeness"]],
            "flags": {
                name: {"agreed": flag["frames"], "only_4_0_17": [], "only_4_4_18": []}
                for name, flag in stream["analysis"].items()
            },
        }
        for stream in oracle["tshark"]["streams"]
    }


def compare(
    name: str, oracle: dict[str, Any], seen: list[Seen]
) -> tuple[dict[str, str], Counter[str]]:
    """Differences, by ``stream/what``, and how many things were compared."""
    differences: dict[str, str] = {}
    total: Counter[str] = Counter()
    flags_of = agreed(oracle)
    copies = hardware_duplicates(oracle)
    for ends in {one.ends for one in seen}:
        ours = sum(len(one.marks.get(COPY, [])) for one in seen if one.ends == ends)
        total["copies"] += ours
        if ends in copies and ours != copies[ends]:
            name = "-".join(sorted(str(end) for end in ends))
            differences[f"{name}/tcptrace"] = f"theirs {copies[ends]} copies, ours {ours}"
    zeek = zeek_results(oracle)
    for stream in oracle["tshark"]["streams"]:
        number = stream["stream"]
        mine = [
            one
            for one in seen
            if one.ends == ends_of(stream)
            and one.frames[0] == stream["first_frame"]
            and one.frames[-1] == stream["last_frame"]
        ]
        total["connections"] += 1
        if not mine:
            near = [
                f"{one.frames[0]}-{one.frames[-1]}"
                for one in seen
                if one.ends == ends_of(stream)
                and one.frames[0] <= stream["last_frame"]
                and one.frames[-1] >= stream["first_frame"]
            ]
            differences[f"{number}/split"] = (
                f"theirs {stream['first_frame']}-{stream['last_frame']}, ours {', '.join(near)}"
            )
            continue
        one = mine[0]
        theirs = flags_of[number]
        total["completeness"] += 1
        if one.completeness.value not in theirs["completeness"]:
            differences[f"{number}/completeness"] = (
                f"theirs {theirs['completeness']}, ours {one.completeness.value}"
            )
        differences |= compare_marks(number, one, theirs["flags"], total)
        if number in zeek:
            ignore, state, history = zeek[number]
            total["zeek"] += 1
            ours = one.zeek(ignore_checksums=ignore)
            if ours != (state, history):
                differences[f"{number}/zeek"] = f"theirs {state} {history}, ours {' '.join(ours)}"
    return differences, total


def compare_marks(
    number: int, one: Seen, theirs: dict[str, Any], total: Counter[str]
) -> dict[str, str]:
    """Frame by frame: with copies judged as Wireshark does, and as we do.

    In the second comparison only those marks may be missing which Wireshark gives
    to copies; that there are such is a difference of its own, ``copies``.
    """
    differences: dict[str, str] = {}
    copies = set(one.marks.get(COPY, []))
    for label, got, excused in (("marks", one.plain, set()), ("own", one.marks, copies)):
        for flag in sorted((set(got) | set(theirs)) - {COPY}):
            frames = theirs.get(flag, NONE)
            ours = set(got.get(flag, []))
            total[f"{label}: agreed frames"] += len(frames["agreed"])
            missing = sorted(set(frames["agreed"]) - ours - excused)
            more = sorted(ours.difference(*frames.values()))
            if (missing or more) and f"{number}/marks/{flag}" not in differences:
                differences[f"{number}/{label}/{flag}"] = f"missing {missing}, more {more}"
    if copies:
        differences[f"{number}/copies"] = f"{len(copies)} packets captured twice"
    return differences


def zeek_results(oracle: dict[str, Any]) -> dict[int, tuple[bool, str, str]]:
    """By stream, where Zeek counted every packet and no script was in the way."""
    results: dict[int, tuple[bool, str, str]] = {}
    for run in oracle["zeek"]:
        for connection in run["connections"]:
            streams = connection["tshark_streams"]
            if (
                connection.get("saw_every_packet")
                and connection.get("conn_state")
                and len(streams) == 1
            ):
                ignore = run["ignores_checksums"] or "ignore_checksums_nets" in run["command"]
                results[streams[0]] = (ignore, connection["conn_state"], connection["history"])
    return results


def files(folder: Path) -> list[str]:
    lines = (folder / "INDEX.tsv").read_text().splitlines()[1:]
    return [line.split("\t")[0] for line in lines]


def known(name: str) -> dict[str, str]:
    """Listed differences of one capture: what is different (``*`` for any stream), and why."""
    entries = tomllib.loads(KNOWN.read_text())["difference"]
    return {
        what: f"{entry['right']}: {entry['why']}"
        for entry in entries
        if entry["file"] == name
        for what in entry["what"]
    }


def hardware_duplicates(oracle: dict[str, Any]) -> dict[frozenset[Endpoint], int]:
    """What tcptrace counts as packets captured twice, by pair of endpoints."""
    found: dict[frozenset[Endpoint], int] = defaultdict(int)
    for connection in (oracle["tcptrace"] or {}).get("connections") or []:
        found[ends_of(connection)] += sum(
            connection[way].get("hardware dups", 0) for way in ("a2b", "b2a")
        )
    return found


@pytest.fixture(scope="module")
def table(captures: Path) -> dict[str, tuple[dict[str, str], Counter[str]]]:
    results = {}
    for name in files(captures):
        oracle = json.loads((captures / "oracle" / f"{name}.json").read_text())
        seen = read(captures / name) if oracle["tshark"]["streams"] else []
        results[name] = compare(name, oracle, seen)
    return results


def test_marks_completeness_and_zeek_equal_the_oracles(
    table: dict[str, tuple[dict[str, str], Counter[str]]],
) -> None:
    totals: Counter[str] = Counter()
    unexpected: list[str] = []
    for name, (differences, total) in table.items():
        totals += total
        listed = known(name)
        used = set()
        for what, text in differences.items():
            totals["differences"] += 1
            pattern = next((p for p in listed if fnmatch(what, p)), None)
            used.add(pattern)
            reason = listed[pattern] if pattern else "NOT LISTED"
            print(f"{name:52} {what:28} {text[:90]:90} | {reason}")
            if pattern is None:
                unexpected.append(f"{name} {what}: {text}")
        unexpected += [f"{name} {pattern}: listed, but equal" for pattern in set(listed) - used]
    print(dict(totals))
    assert not unexpected, "\n".join(unexpected)
    assert totals["zeek"] > 30

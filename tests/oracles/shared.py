"""Every shared capture against every oracle, connection by connection.

An oracle is asked through one function each (:data:`ORACLES`), which gives what it
compared and what differs. Differences have a name, ``CONNECTION/KIND[/DETAIL]``, by
which ``known_differences.toml`` lists them, with who is right and why.
"""

from __future__ import annotations

import ipaddress
import json
import tomllib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, Final

from tcpviz.core.records import Side
from tcpviz.core.segment import Endpoint
from tcpviz.core.zeek import ZeekView
from tests.oracles.adjudicated import FACTS
from tests.oracles.ours import COPY, Ends, Seen, read

KNOWN: Final = Path(__file__).with_name("known_differences.toml")
NONE: Final[dict[str, list[int]]] = {"agreed": [], "only_4_0_17": [], "only_4_4_18": []}
Oracle = dict[str, Any]


@dataclass
class Outcome:
    """``compared``: how many things; ``differences``: by name, what each side says."""

    compared: int = 0
    differences: dict[str, str] = field(default_factory=dict)

    def hold(self, name: str, theirs: object, ours: object) -> None:
        self.compared += 1
        if theirs != ours:
            self.differences[name] = f"theirs {theirs}, ours {ours}"


def ends_of(stream: Oracle) -> Ends:
    return frozenset(Endpoint(stream[end]["addr"], stream[end]["port"]) for end in "ab")


def pair_name(ends: Ends) -> str:
    return "-".join(sorted(str(end) for end in ends))


def matched(oracle: Oracle, seen: list[Seen]) -> Iterator[tuple[Oracle, Seen | None, str]]:
    """tshark's streams with the connection that has the same first and last frame."""
    by_first = {one.frames[0]: one for one in seen}
    for stream in oracle["tshark"]["streams"]:
        one = by_first.get(stream["first_frame"])
        ends = ends_of(stream)
        if one is not None and one.ends == ends and one.frames[-1] == stream["last_frame"]:
            yield stream, one, ""
            continue
        near = [f"{one.frames[0]}-{one.frames[-1]}" for one in seen if one.ends == ends]
        yield stream, None, ", ".join(near)


# -- one function for each oracle ---------------------------------------------------


def adjudicated(name: str, oracle: Oracle, seen: list[Seen]) -> Outcome:
    """What somebody found who read the capture packet by packet."""
    result = Outcome()
    for place, fact in enumerate(oracle["adjudicated"]):
        held = FACTS.get((name, place))
        said = "nothing holds this" if held is None else held(seen)
        result.hold(f"{place}/adjudicated", fact["verdict"], said or fact["verdict"])
    return result


def zeek(_: str, oracle: Oracle, seen: list[Seen]) -> Outcome:
    """``conn_state``, ``history`` and sums, where Zeek counted every packet without a script."""
    result, by_stream = Outcome(), {}
    for stream, one, _near in matched(oracle, seen):
        by_stream[stream["stream"]] = one
    for place, run in enumerate(oracle["zeek"]):
        ignore = run["ignores_checksums"] or "ignore_checksums_nets" in run["command"]
        for each in run["connections"]:
            streams = each["tshark_streams"]
            if not (each.get("saw_every_packet") and each.get("conn_state") and len(streams) == 1):
                continue
            found = by_stream[streams[0]]
            if found is not None:
                theirs = f"{each['conn_state']} {each['history']}"
                view = found.zeek(ignore_checksums=ignore)
                name = f"{streams[0]}/zeek/{place}"
                result.hold(name, theirs, f"{view.conn_state} {view.history}")
                wanted = {column: each[column] for column in ZEEK_SUMS if column in each}
                told = _zeek_sums(view)
                result.hold(f"{name}/sums", wanted, {column: told[column] for column in wanted})
    return result


ZEEK_SUMS: Final = (
    *("duration", "orig_bytes", "resp_bytes", "missed_bytes"),
    *("orig_pkts", "orig_ip_bytes", "resp_pkts", "resp_ip_bytes"),
)
"""The columns of numbers in Zeek's conn.log."""


def _zeek_sums(view: ZeekView) -> dict[str, object]:
    sums = view.sums
    known = sums.duration_ns > 0  # of a single moment Zeek tells neither duration nor bytes
    return {
        "duration": round(sums.duration_ns / 1e9, 6) if known else None,
        "orig_bytes": sums.bytes[0] if known else None,
        "resp_bytes": sums.bytes[1] if known else None,
        "missed_bytes": sums.missed_bytes,
        "orig_pkts": sums.packets[0],
        "orig_ip_bytes": sums.ip_bytes[0],
        "resp_pkts": sums.packets[1],
        "resp_ip_bytes": sums.ip_bytes[1],
    }


def agreed(oracle: Oracle) -> dict[int, Oracle]:
    """By stream: what both tsharks say, or where they split streams otherwise, what 4.0 says."""
    both = oracle["tshark_agreed"].get("streams")
    if both is not None:
        return {entry["stream"]: entry for entry in both}
    return {
        stream["stream"]: {
            "completeness": [stream["completeness"]],
            "flags": {
                name: {**NONE, "agreed": flag["frames"]}
                for name, flag in stream["analysis"].items()
            },
        }
        for stream in oracle["tshark"]["streams"]
    }


def streams(_: str, oracle: Oracle, seen: list[Seen]) -> Outcome:
    """Where a connection begins and ends."""
    result = Outcome()
    for stream, one, near in matched(oracle, seen):
        theirs = f"{stream['first_frame']}-{stream['last_frame']}"
        result.hold(f"{stream['stream']}/split", theirs, near if one is None else theirs)
    return result


def counts(_: str, oracle: Oracle, seen: list[Seen]) -> Outcome:
    """Packets and bytes of each direction, and the times of the first and last packet."""
    result = Outcome()
    for stream, one, _near in matched(oracle, seen):
        if one is None:
            continue
        sides = {end.endpoint: end for end in (one.connection.client, one.connection.server)}
        theirs, ours = [], []
        for letter in "ab":
            end = sides[Endpoint(stream[letter]["addr"], stream[letter]["port"])]
            theirs.append((stream["dir"][letter]["packets"], stream["dir"][letter]["bytes"]))
            ours.append((end.segments, end.bytes))
        result.hold(f"{stream['stream']}/counts", theirs, ours)
        # The oracle's seconds are floats: good to a microsecond.
        times = [segment.time_ns for segment, _ in one.segments]
        first = (stream["t_first"], times[0]), (stream["t_last"], times[-1])
        apart = [(at, ns) for at, ns in first if abs(round(at * 1e6) - ns // 1000) > 1]
        result.hold(f"{stream['stream']}/times", [], apart)
    return result


def completeness(_: str, oracle: Oracle, seen: list[Seen]) -> Outcome:
    """``tcp.completeness``, by either tshark."""
    result, said = Outcome(), agreed(oracle)
    for stream, one, _near in matched(oracle, seen):
        if one is not None:
            theirs, ours = said[stream["stream"]]["completeness"], one.completeness.value
            name = f"{stream['stream']}/completeness"
            result.hold(name, theirs, theirs if ours in theirs else ours)
    return result


def marks(_: str, oracle: Oracle, seen: list[Seen]) -> Outcome:
    """Frame by frame: with copies judged as Wireshark does, and as we do.

    In the second comparison only those marks may be missing which Wireshark gives
    to copies; that there are such is a difference of its own, ``copies``.
    """
    result, said = Outcome(), agreed(oracle)
    for stream, one, _near in matched(oracle, seen):
        if one is None:
            continue
        number, theirs = stream["stream"], said[stream["stream"]]["flags"]
        copies = set(one.marks.get(COPY, []))
        for label, got, excused in (("marks", one.plain, set()), ("own", one.marks, copies)):
            for flag in sorted((set(got) | set(theirs)) - {COPY}):
                frames, ours = theirs.get(flag, NONE), set(got.get(flag, []))
                result.compared += len(frames["agreed"])
                missing = sorted(set(frames["agreed"]) - ours - excused)
                more = sorted(ours.difference(*frames.values()))
                if (missing or more) and f"{number}/marks/{flag}" not in result.differences:
                    text = f"missing {missing}, more {more}"
                    result.differences[f"{number}/{label}/{flag}"] = text
        result.hold(f"{number}/copies", "none known", f"{len(copies)}" if copies else "none known")
    return result


def tcptrace(_: str, oracle: Oracle, seen: list[Seen]) -> Outcome:
    """Packets with data sent again, out of order, and captured twice; by direction."""
    result = Outcome()
    theirs: dict[Endpoint, Counter[str]] = defaultdict(Counter)
    pairs: dict[Endpoint, Ends] = {}
    for each in (oracle["tcptrace"] or {}).get("connections") or []:
        ends = ends_of(each)
        for letter, way in (("a", "a2b"), ("b", "b2a")):
            end = Endpoint(each[letter]["addr"], each[letter]["port"])
            pairs[end] = ends
            theirs[end]["again"] += each[way].get("rexmt data pkts", 0)
            theirs[end]["overtaken"] += each[way].get("outoforder pkts", 0)
            theirs[end]["copies"] += each[way].get("hardware dups", 0)
    for end, wanted in theirs.items():
        if sum(end in ends for ends in set(pairs.values())) > 1:
            continue  # one end with many others: tcptrace's list does not say which
        mine = [one for one in seen if one.ends == pairs[end]]
        if not mine:
            continue
        ours: Counter[str] = Counter()
        for one in mine:
            side = Side.CLIENT if one.connection.client.endpoint == end else Side.SERVER
            ours += sent_again(one, side)
            ours["copies"] += sum(
                segment.frame in set(one.marks.get(COPY, []))
                for segment, who in one.segments
                if who is side
            )
        for kind in ("again", "overtaken", "copies"):
            result.hold(f"{end}/tcptrace/{kind}", wanted[kind], ours[kind])
    return result


def sent_again(one: Seen, side: Side) -> Counter[str]:
    """Segments sent again, and such as something overtook."""
    found: Counter[str] = Counter()
    for segment, who in one.segments:
        if who is not side or not segment.seq_len or segment.rst:
            continue
        told = one.told[segment.frame]
        names = {str(mark.name) for mark in told.marks}
        if told.seen_before and "out_of_order" not in names:
            found["again"] += 1
        elif names & {"out_of_order", "retransmission"}:
            found["overtaken"] += 1
    return found


MEANS: Final = {
    "syn_sent": {"SYN-SENT/LISTEN"},
    "syn_recv": {"SYN-SENT/SYN-RECEIVED"},
    "established": {"ESTABLISHED/ESTABLISHED"},
    "fin_wait1": {"FIN-WAIT-1/ESTABLISHED", "ESTABLISHED/FIN-WAIT-1"},
    "fin_wait2": {"FIN-WAIT-2/CLOSE-WAIT", "CLOSE-WAIT/FIN-WAIT-2"},
    # Its end of a connection, however it came about: FINs acknowledged, or a reset.
    "closed": {
        "CLOSED/CLOSED",
        "CLOSED/LISTEN",
        "TIME-WAIT/CLOSED",
        "CLOSED/TIME-WAIT",
        "TIME-WAIT/TIME-WAIT",
    },
}
"""Suricata keeps one state for both ends: which of our pairs it can stand for."""


def suricata(_: str, oracle: Oracle, seen: list[Seen]) -> Outcome:
    """The final state; of several connections with the same ends, the last one's."""
    result = Outcome()
    last: dict[Ends, Seen] = {}
    for one in seen:
        last[frozenset(Endpoint(_address(end.addr), end.port) for end in one.ends)] = one
    for flow in oracle["suricata"] or []:
        ends = frozenset(
            Endpoint(_address(flow[who]), flow[port])
            for who, port in (("src", "sport"), ("dst", "dport"))
        )
        found = last.get(ends)
        if found is None:
            continue
        pair = f"{found.connection.client.state}/{found.connection.server.state}"
        state = flow["tcp_state"]
        means = MEANS.get(state, set())
        result.hold(f"{pair_name(ends)}/suricata", state, state if pair in means else pair)
    return result


def _address(text: str) -> str:
    return str(ipaddress.ip_address(text))


ORACLES: Final[dict[str, Callable[[str, Oracle, list[Seen]], Outcome]]] = {
    "adjudicated": adjudicated,
    "zeek": zeek,
    "tshark streams": streams,
    "tshark counts": counts,
    "completeness": completeness,
    "marks": marks,
    "tcptrace": tcptrace,
    "suricata": suricata,
}


# -- all of it ----------------------------------------------------------------------


@dataclass(frozen=True)
class Difference:
    """``reason`` says who is right and why; empty where it is not listed."""

    oracle: str
    capture: str
    name: str
    text: str
    reason: str


@dataclass
class Report:
    """``totals``: by oracle, compared and different; ``unused``: listed, but equal."""

    totals: dict[str, tuple[int, int]]
    differences: list[Difference]
    unused: list[str]

    @property
    def failures(self) -> list[str]:
        news = [
            f"{each.capture} {each.name}: {each.text}: not listed"
            for each in self.differences
            if not each.reason
        ]
        return news + self.unused

    def lines(self) -> Iterator[str]:
        """The table."""
        for each in self.differences:
            reason = each.reason or "NOT LISTED"
            yield f"{each.capture:48.48} {each.name:44.44} {each.text:60.60} | {reason}"
        yield ""
        yield f"{'oracle':16} {'compared':>9} {'equal':>9} {'listed differences':>19}"
        for name, (compared, different) in self.totals.items():
            yield f"{name:16} {compared:9} {compared - different:9} {different:19}"


def names(folder: Path) -> list[str]:
    lines = (folder / "INDEX.tsv").read_text().splitlines()[1:]
    return [line.split("\t")[0] for line in lines]


def known() -> dict[str, dict[str, str]]:
    """By capture: listed differences (patterns), and who is right and why."""
    found: dict[str, dict[str, str]] = defaultdict(dict)
    for entry in tomllib.loads(KNOWN.read_text())["difference"]:
        for what in entry["what"]:
            found[entry["file"]][what] = f"{entry['right']}: {entry['why']}"
    return found


def report(folder: Path, only: list[str] | None = None) -> Report:
    """Compare everything (or ``only`` these captures)."""
    listed = known()
    totals = dict.fromkeys(ORACLES, (0, 0))
    differences: list[Difference] = []
    unused: list[str] = []
    for capture in only or names(folder):
        oracle = json.loads((folder / "oracle" / f"{capture}.json").read_text())
        seen = read(folder / capture)
        reasons, used = listed.get(capture, {}), set()
        for name, ask in ORACLES.items():
            outcome = ask(capture, oracle, seen)
            compared, different = totals[name]
            totals[name] = (compared + outcome.compared, different + len(outcome.differences))
            for what, text in outcome.differences.items():
                pattern = next((each for each in reasons if fnmatch(what, each)), None)
                used.add(pattern)
                reason = "" if pattern is None else reasons[pattern]
                differences.append(Difference(name, capture, what, text, reason))
        unused += [f"{capture} {each}: listed, but equal" for each in set(reasons) - used]
    unused += [
        f"{capture}: listed, but there is none" for capture in set(listed) - set(names(folder))
    ]
    return Report(totals, differences, unused)

"""Every shared capture, segment counts and header fields against what tshark says of it."""

from __future__ import annotations

import json
import os
from collections import Counter, defaultdict
from pathlib import Path

import pytest

from tcpviz.core.segment import Flags, Segment
from tcpviz.sources.files import open_capture
from tcpviz.wire.decoder import Decoder
from tests.conftest import ROOT

# What a direction of a four-tuple sums up to, by the oracle's names.
TOTALS = (
    "packets",
    "data_packets",
    "bytes",
    "syn",
    "synack",
    "fin",
    "rst",
    "psh",
    "urg",
    "ece",
    "cwr",
    "ecn_ce",
    "zero_window_packets",
    "sack_packets",
)
SETS = ("isn", "mss", "wscale")

_FIRST_FRAGMENT = (
    "a first fragment whose others are not in the file: tshark leaves its length open, we count "
    "the 4 bytes that it is known to hold (whole units of 8, as Linux takes them), and are right "
    "as far as anyone can be"
)
_AGGREGATE = (
    "an 802.11 A-MSDU with two segments in one frame (Zeek counts two packets as well): tshark's "
    "fields are the last one's alone; we give both and are right"
)
KNOWN: dict[tuple[str, str], str] = {
    ("tcpdump-rpki-rtr-oobr.pcap", "data_packets"): _FIRST_FRAGMENT,
    ("tcpdump-rpki-rtr-oobr.pcap", "bytes"): _FIRST_FRAGMENT,
    ("zeek-gre-aruba-amsdu.pcap", "tcp_frames"): _AGGREGATE,
    ("zeek-gre-aruba-amsdu.pcap", "packets"): _AGGREGATE,
    ("zeek-gre-aruba-amsdu.pcap", "data_packets"): _AGGREGATE,
    ("zeek-gre-aruba-amsdu.pcap", "bytes"): _AGGREGATE,
    ("zeek-gre-aruba-amsdu.pcap", "psh"): _AGGREGATE,
}
"""``(file, what differs)``: why, and who is right."""


def names() -> list[str]:
    folder = Path(os.environ.get("TCPVIZ_CAPTURES", ROOT.parent / "shared" / "captures"))
    index = folder / "INDEX.tsv"
    if not index.is_file():
        return []
    return [line.split("\t")[0] for line in index.read_text().splitlines()[1:]]


def decode(path: Path) -> tuple[Decoder, list[Segment]]:
    decoder = Decoder()
    with open_capture(str(path)) as capture:
        segments = [segment for one in capture if (segment := decoder.decode(one)) is not None]
    decoder.finish()
    return decoder, segments + list(decoder.extra)


def ours(segments: list[Segment]) -> tuple[dict, dict]:
    totals: dict = defaultdict(Counter)
    sets: dict = defaultdict(lambda: defaultdict(set))
    for s in segments:
        way = (str(s.src), str(s.dst))
        count, seen = totals[way], sets[way]
        flags = int(s.flags)
        count["packets"] += 1
        count["data_packets"] += s.payload_len > 0
        count["bytes"] += s.payload_len
        count["syn"] += s.syn and not s.has_ack
        count["synack"] += s.syn and s.has_ack
        count["fin"] += s.fin
        count["rst"] += s.rst
        for name, bit in (("psh", Flags.PSH), ("urg", Flags.URG)):
            count[name] += bool(flags & bit)
        for name, bit in (("ece", Flags.ECE), ("cwr", Flags.CWR)):
            count[name] += bool(flags & bit)
        count["ecn_ce"] += s.ecn == 3
        # As the oracle counts: a reset's window says nothing.
        count["zero_window_packets"] += s.window == 0 and not s.rst
        count["sack_packets"] += bool(s.options.sack)
        if s.syn:
            seen["isn"].add(s.seq)
            seen["mss"].add(s.options.mss)
            seen["wscale"].add(s.options.window_scale)
    return totals, sets


def theirs(streams: list[dict]) -> tuple[dict, dict]:
    totals: dict = defaultdict(Counter)
    sets: dict = defaultdict(lambda: defaultdict(set))
    for stream in streams:
        ends = {}
        for side in "ab":
            addr, port = stream[side]["addr"], stream[side]["port"]
            ends[side] = f"[{addr}]:{port}" if ":" in addr else f"{addr}:{port}"
        for side, other in ("ab", "ba"):
            said = stream["dir"][side]
            way = (ends[side], ends[other])
            totals[way].update({name: said[name] for name in TOTALS})
            for name in SETS:
                if said[name] is not None:
                    sets[way][name].add(said[name])
    return totals, sets


def differences(name: str, folder: Path) -> dict[str, list]:
    oracle = json.loads((folder / "oracle" / f"{name}.json").read_text())["tshark"]
    decoder, segments = decode(folder / name)
    found: dict[str, list] = defaultdict(list)
    for what, we, they in (
        ("frames", decoder.frames, oracle["frames"]),
        ("tcp_frames", len(segments), oracle["tcp_frames"]),
        ("malformed", dict(decoder.malformed), {}),
    ):
        if we != they:
            found[what].append((we, they))
    (our_totals, our_sets), (their_totals, their_sets) = ours(segments), theirs(oracle["streams"])
    for way in sorted(our_totals.keys() | their_totals.keys()):
        for what in TOTALS:
            we, they = our_totals[way][what], their_totals[way][what]
            if we != they:
                found[what].append((way, we, they))
        for what in SETS:
            # The oracle keeps one value a stream: of several, ours has all of them.
            missing = their_sets[way][what] - our_sets[way][what]
            if missing:
                found[what].append((way, our_sets[way][what], missing))
    return dict(found)


@pytest.mark.parametrize("name", names())
def test_a_capture_against_tshark(name: str, captures: Path) -> None:
    found = differences(name, captures)
    unexplained = {what: found[what] for what in found if (name, what) not in KNOWN}
    assert not unexplained
    stale = {what for file, what in KNOWN if file == name} - found.keys()
    assert not stale, "listed as different, but equal now"

"""Every field of every packet of the shared captures against the tshark on this machine."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tcpviz.core.segment import Segment
from tcpviz.sources.files import open_capture
from tcpviz.wire.decoder import Decoder
from tests.wire.test_wire_captures import names

FIELDS = (
    "frame.number",
    "tcp.srcport",
    "tcp.dstport",
    "tcp.seq_raw",
    "tcp.ack_raw",
    "tcp.flags",
    "tcp.window_size_value",
    "tcp.len",
    "tcp.urgent_pointer",
    "tcp.options.mss_val",
    "tcp.options.wscale.shift",
    "tcp.options.sack_perm",
    "tcp.options.timestamp.tsval",
    "tcp.options.timestamp.tsecr",
    "tcp.options.sack.count",
    "tcp.checksum.status",
    "tcp.payload",
)
_BAD, _GOOD = "0", "1"

KNOWN = {
    # Its fields are those of an A-MSDU's last segment, Decoder.decode gives the first.
    "zeek-gre-aruba-amsdu.pcap": {1},
    # A first fragment whose others are missing: ours comes with Decoder.finish.
    "tcpdump-rpki-rtr-oobr.pcap": {1},
    # It calls the data of a reset its cause (RFC 9293 3.5.3), and no payload.
    "suricata-tcp-rst-with-data.pcap": {8},
}
"""Frames that are read otherwise, and why."""


def as_tshark_says(segment: Segment) -> list[str]:
    options = segment.options
    stamps = options.timestamps or ("", "")
    return [
        str(segment.frame),
        str(segment.src.port),
        str(segment.dst.port),
        str(segment.seq),
        str(segment.ack),
        f"0x{int(segment.flags) | segment.reserved << 9:04x}",
        str(segment.window),
        str(segment.payload_len),
        str(segment.urgent),
        "" if options.mss is None else str(options.mss),
        "" if options.window_scale is None else str(options.window_scale),
        str(options.sack_permitted),
        str(stamps[0]),
        str(stamps[1]),
        str(len(options.sack)) if options.sack else "",
        str(segment.checksum_ok),
        segment.payload.hex(),
    ]


@pytest.mark.slow
@pytest.mark.parametrize("name", names())
def test_every_packet_against_tshark(name: str, captures: Path, tmp_path: Path) -> None:
    tshark = shutil.which("tshark")
    if tshark is None:
        pytest.skip("no tshark to compare with")
    command = [tshark, "-n", "-r", str(captures / name), "-Y", "tcp && !icmp && !icmpv6"]
    command += ["-T", "fields", "-E", "separator=|", "-o", "tcp.check_checksum:TRUE"]
    for field in FIELDS:
        command += ["-e", field]
    environment = {"HOME": str(tmp_path), "PATH": os.environ["PATH"]}
    done = subprocess.run(command, capture_output=True, check=False, env=environment)
    # tshark fails at the end of a file that is cut; what it read before counts.
    theirs = {}
    for line in done.stdout.decode().splitlines():
        values = [value.split(",")[-1] for value in line.split("|")]
        values[FIELDS.index("tcp.options.sack_perm")] = str(bool(values[11]))
        theirs[int(values[0])] = values
    decoder = Decoder()
    with open_capture(str(captures / name)) as capture:
        segments = [s for one in capture if (s := decoder.decode(one)) is not None]
    ours = {segment.frame: as_tshark_says(segment) for segment in segments}
    differing = {}
    for number in theirs.keys() | ours.keys():
        we, they = ours.get(number), theirs.get(number)
        if we is not None and they is not None:
            # We leave open what it cannot verify, and partial sums, which it calls bad.
            place = FIELDS.index("tcp.checksum.status")
            we[place] = {"True": _GOOD, "False": _BAD}.get(we[place], they[place])
        if we != they:
            differing[number] = (we, they)
    assert differing.keys() == KNOWN.get(name, set()), differing

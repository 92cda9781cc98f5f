from __future__ import annotations

import json
import shutil
import struct
import subprocess
from pathlib import Path

import pytest

from tcpviz.core.segment import Flags
from tcpviz.wire.decoder import Decoder
from tests.wire.envelopes import ENVELOPES, PAYLOAD, UNKNOWN_TO_TSHARK
from tests.wire.packets import DST, DST6, SRC, SRC6, frame


@pytest.mark.parametrize("name", ENVELOPES)
def test_the_segment_is_found_in_every_envelope(name: str) -> None:
    link_type, data, scope = ENVELOPES[name]
    decoder = Decoder()
    segment = decoder.decode(frame(data, link_type, number=7, time_ns=123))
    assert not decoder.skipped
    assert segment is not None
    assert (segment.src.addr, segment.dst.addr) in ((SRC, DST), (SRC6, DST6))
    assert (segment.src.port, segment.dst.port) == (40000, 80)
    assert (segment.seq, segment.ack, segment.window) == (1000, 2000, 502)
    assert segment.flags == Flags.PSH | Flags.ACK
    assert segment.payload == PAYLOAD
    assert segment.payload_len == len(PAYLOAD)
    assert segment.options.timestamps == (1, 2)
    assert segment.scope == scope
    assert segment.checksum_ok is True
    assert (segment.frame, segment.time_ns) == (7, 123)
    assert segment.ttl == (60 if ":" in segment.src.addr else 64)
    assert segment.ip_id == (None if ":" in segment.src.addr else 77)


@pytest.mark.parametrize("name", ENVELOPES)
def test_every_snapshot_length_gives_the_segment_or_a_cut(name: str) -> None:
    """Cut anywhere, a frame is never malformed, and true lengths never change."""
    link_type, data, scope = ENVELOPES[name]
    whole = Decoder().decode(frame(data, link_type))
    assert whole is not None
    found = False
    for size in range(len(data)):
        decoder = Decoder()
        segment = decoder.decode(frame(data[:size], link_type, wire_len=len(data)))
        if segment is None:
            assert not found, f"found in fewer bytes than {size}"
            assert not decoder.malformed, decoder.malformed
            continue
        found = True
        assert segment.payload_len == len(PAYLOAD)
        assert segment.payload == whole.payload[: len(segment.payload)]
        assert not segment.options.malformed
        assert segment.scope == scope
        assert segment.checksum_ok is None or segment.payload == whole.payload
    assert found


def pcapng(frames: list[tuple[int, bytes]]) -> bytes:
    """An interface for each link type, a packet for each frame."""

    def block(kind: int, body: bytes) -> bytes:
        body += bytes(-len(body) % 4)
        size = struct.pack("<I", 12 + len(body))
        return struct.pack("<I", kind) + size + body + size

    kinds = sorted({link_type for link_type, _ in frames})
    parts = [block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1))]
    parts += [block(1, struct.pack("<HHI", kind, 0, 0)) for kind in kinds]
    for number, (link_type, data) in enumerate(frames):
        head = struct.pack("<IIIII", kinds.index(link_type), 0, number, len(data), len(data))
        parts.append(block(6, head + data))
    return b"".join(parts)


def test_tshark_finds_the_same_segment(tmp_path: Path) -> None:
    tshark = shutil.which("tshark")
    if tshark is None:
        pytest.skip("no tshark to compare with")
    path = tmp_path / "envelopes.pcapng"
    path.write_bytes(pcapng([(link, data) for link, data, _ in ENVELOPES.values()]))
    fields = (
        "tcp.srcport",
        "tcp.dstport",
        "tcp.seq",
        "tcp.ack",
        "tcp.len",
        "tcp.window_size_value",
    )
    command = [
        tshark,
        "-n",
        "-r",
        str(path),
        "-T",
        "json",
        "-o",
        "tcp.relative_sequence_numbers:FALSE",
    ]
    for field in fields:
        command += ["-e", field]
    done = subprocess.run(
        command,
        capture_output=True,
        check=True,
        env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"},
    )
    packets = json.loads(done.stdout)
    assert len(packets) == len(ENVELOPES)
    expected = {"40000", "80", "1000", "2000", str(len(PAYLOAD)), "502"}
    differing = {
        name
        for name, packet in zip(ENVELOPES, packets, strict=True)
        if {value for values in packet["_source"]["layers"].values() for value in values}
        != expected
    }
    assert differing == set(UNKNOWN_TO_TSHARK)

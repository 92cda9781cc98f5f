"""Every form that a connection is exported in: whole, harmless, redacted, and read by others."""

from __future__ import annotations

import itertools
import json
import os
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tcpviz.cli import main
from tcpviz.core.records import Call, Moment, Note, SegmentRecord, Side
from tcpviz.core.segment import Endpoint, Flags, Segment
from tcpviz.core.tracker import Tracker
from tcpviz.export import mermaid, plantuml, svg_chart
from tcpviz.export.exchange import exchange
from tcpviz.sources.files import FileFeed
from tcpviz.sources.redact import Redactor
from tcpviz.sources.writer import PcapngWriter
from tcpviz.views.ladder_labels import Notation
from tcpviz.wire.frame import Frame

FORMS = {
    "svg": ".svg", "html": ".html", "markdown": ".md", "mermaid": ".mmd", "plantuml": ".puml",
    "text": ".txt", "json": ".json",
}  # fmt: skip
FRAMES = itertools.count(1)
C, S = Endpoint("10.9.8.7", 40123), Endpoint("10.6.5.4", 8443)


def segment(src, flags, seq, ack, data=b"", time=0):
    dst = S if src == C else C
    frame = next(FRAMES)
    return Segment(time, src, dst, seq, ack, flags, 65535, len(data), payload=data, frame=frame)


def story():
    """Watched at both ends: a handshake, data lost and sent again, a reset."""
    syn, ack, psh, rst = Flags.SYN, Flags.ACK, Flags.PSH, Flags.RST
    data = b"<script>alert(1)</script>"
    plan = [
        (segment(C, syn, 100, 0), Moment.SENT, Moment.ARRIVED),
        (segment(S, syn | ack, 900, 101), Moment.SENT, Moment.ARRIVED),
        (segment(C, ack, 101, 901), Moment.SENT, Moment.ARRIVED),
        (segment(C, psh | ack, 101, 901, data), Moment.SENT, Moment.LOST),
        (segment(C, psh | ack, 101, 901, data), Moment.SENT, Moment.ARRIVED),
        (segment(S, rst | ack, 901, 126), Moment.SENT, Moment.ARRIVED),
    ]
    time = 10**18
    records = [
        Note(time, "asked by 10.9.8.7:40123 <b>"),
        Call(1, Side.CLIENT, "connect", "10.6.5.4:8443", 3, time, None, peer=S),
    ]
    for one, *moments in plan:
        for moment in moments:
            time += 1_000_000
            records.append(SegmentRecord(time, one, moment))
    records.append(Call(1, Side.CLIENT, "connect", "10.6.5.4:8443", 3, 10**18, time, "0", peer=S))
    return records


def tracked(records):
    tracker = Tracker()
    for record in records:
        tracker.feed(record)
    return tracker


@pytest.fixture
def drawn():
    tracker = tracked(story())
    return exchange(tracker.timeline, tracker.connections[1], notation=Notation.SYMBOLIC)


def test_an_exchange_has_each_message_with_its_end(drawn):
    fates = [(m.label, m.arrived is not None, m.lost is not None) for m in drawn.messages]
    assert fates == [
        ("SYN J", True, False),
        ("SYN K, ACK J+1", True, False),
        ("ACK K+1", True, False),
        ("J+1 (25 bytes), ACK K+1", False, True),
        ("J+1 (25 bytes), ACK K+1", True, False),
        ("RST K+1, ACK J+26", True, False),
    ]
    assert [(c.side, c.state) for c in drawn.changes] == [
        (Side.CLIENT, "SYN-SENT"),
        (Side.SERVER, "SYN-RECEIVED"),
        (Side.CLIENT, "ESTABLISHED"),
        (Side.SERVER, "ESTABLISHED"),
        (Side.SERVER, "CLOSED"),
        (Side.CLIENT, "CLOSED"),
    ]
    assert drawn.times == sorted(drawn.times)
    (bar,) = drawn.bars
    assert bar.began < drawn.messages[0].row
    assert bar.returned is not None
    assert bar.returned > drawn.messages[-1].row


def test_a_long_exchange_says_what_is_left_out():
    tracker = tracked(story())
    short = exchange(tracker.timeline, tracker.connections[1], most=4)
    assert len(short.times) == 4
    assert short.left_out == 6 - len(short.messages)
    assert f"{short.left_out} more segments" in mermaid.chart(short)


def test_a_diagram_language_never_takes_captured_words_for_its_own():
    assert mermaid.words('a;b#c<d>"e"') == "a#59;b#35;c#60;d#62;#34;e#34;"
    assert mermaid.words("the end") == "the #101;nd"
    assert plantuml.words("a--b~c") == "a~--b~~c"
    assert "\n" not in mermaid.words("a\nb") + plantuml.words("a\r\nb")


# -- the command -------------------------------------------------------------------


def frame_of(one, time, number):
    """An Ethernet frame of a segment, checksums left at zero (nobody checks them here)."""
    options = b""
    tcp = one.src.port.to_bytes(2, "big") + one.dst.port.to_bytes(2, "big")
    tcp += one.seq.to_bytes(4, "big") + one.ack.to_bytes(4, "big")
    tcp += bytes([0x50, int(one.flags)]) + one.window.to_bytes(2, "big") + bytes(4)
    tcp += options + one.payload
    address = [bytes(map(int, end.addr.split("."))) for end in (one.src, one.dst)]
    ip = bytes([0x45, 0]) + (20 + len(tcp)).to_bytes(2, "big") + bytes([0, number, 0x40, 0])
    ip += bytes([64, 6, 0, 0]) + b"".join(address)
    data = bytes(12) + b"\x08\x00" + ip + tcp
    return Frame(time, 1, data, len(data), number)


@pytest.fixture
def capture(tmp_path):
    """The story's segments, and a second connection between them."""
    path = tmp_path / "two.pcapng"
    sent = [one for one in story() if isinstance(one, SegmentRecord) and one.moment is Moment.SENT]
    other = Segment(0, Endpoint("10.1.1.1", 5000), S, 7, 0, Flags.SYN, 1000)
    with PcapngWriter(path) as writer:
        writer.add_interface("eth7", 1)
        for number, one in enumerate(sent, 1):
            writer.write(frame_of(one.segment, one.time_ns, 2 * number - 1))
            writer.write(frame_of(other, one.time_ns + 1, 2 * number))
    return path


@pytest.mark.parametrize("form", FORMS)
def test_each_form_is_written_and_whole(capture, tmp_path, form, capsys):
    out = tmp_path / f"out{FORMS[form]}"
    assert main(["export", str(capture), "-n", "1", "-o", str(out)]) == 0
    made = out.read_text()
    assert f"wrote {out}" in capsys.readouterr().err
    assert "10.9.8.7" in made.replace("\\", "")
    assert "<script>" not in made
    assert not re.search(r"\x1b|(?:href|src)\s*=\s*[\"']?https?:", made)
    if form == "svg":
        root = ElementTree.fromstring(made)
        assert root.tag == "{http://www.w3.org/2000/svg}svg"
        assert len(list(root.iter("{http://www.w3.org/2000/svg}polygon"))) == 6
    if form == "json":
        first, *steps = map(json.loads, made.splitlines())
        assert first["segments"] == {"client": 4, "server": 2}
        assert sum("segment" in step for step in steps) == 6


@pytest.mark.parametrize("form", FORMS)
def test_redaction_leaves_no_address_port_or_data(capture, form, capsys):
    assert main(["export", str(capture), "-n", "1", "--to", form, "--redact"]) == 0
    made = capsys.readouterr().out.replace("\\", "")
    for word in ("10.9.8.7", "10.6.5.4", "40123", "8443", "alert", str(capture)):
        assert word not in made
    assert "192.0.2.1" in made
    assert "50001" in made


def test_redaction_is_the_same_everywhere():
    redactor = Redactor()
    tracker = tracked(redactor.record(record) for record in story())
    (connection,) = tracker.connections.values()
    ends = (connection.client.endpoint, connection.server.endpoint)
    assert ends == (Endpoint("192.0.2.2", 50002), Endpoint("192.0.2.1", 50001))
    assert redactor.endpoint(C) == ends[0]
    assert redactor.text("from 10.9.8.7:40123 and 10.6.5.4") == (
        "from 192.0.2.2:50002 and 192.0.2.1"
    )
    assert redactor.address("fe80::1") == "2001:db8::1"
    assert redactor.port(443) == 443
    assert Redactor(all_ports=True).port(443) == 50001
    many = {redactor.address(f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}") for n in range(3000)}
    assert len(many) == 3000


def test_a_slice_holds_the_connections_packets_as_they_were(capture, tmp_path):
    out = tmp_path / "one.pcapng"
    assert main(["export", str(capture), "-n", "1", "-o", str(out)]) == 0
    segments = [
        record.segment
        for batch in FileFeed(str(out)).batches()
        for record in batch
        if isinstance(record, SegmentRecord)
    ]
    assert [one.flags for one in segments] == [
        one.segment.flags
        for one in story()
        if isinstance(one, SegmentRecord) and one.moment is Moment.SENT
    ]
    assert {one.key for one in segments} == {segments[0].key}
    if shutil.which("tshark"):
        seen = subprocess.run(
            ["tshark", "-r", str(out), "-T", "fields", "-e", "tcp.stream"],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        assert seen.stdout.split() == ["0"] * 6


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "2 connections: say which with -n"),
        (["-n", "9"], "no connection 9"),
        (["-n", "1", "-o", "x.docx"], "what form is x.docx to have"),
        (["-n", "1", "-o", "/no/such/folder/x.svg"], "cannot be written"),
        (["-n", "1", "--what", "diagram", "--to", "html"], "svg or text"),
        (["-n", "1", "--to", "pcapng", "--redact", "-o", "x.pcapng"], "does not rewrite packets"),
    ],
)
def test_a_wrong_request_is_one_line(capture, words, said, capsys):
    code = main(["export", str(capture), *words])
    told = capsys.readouterr().err
    assert said in told
    assert told.count("\n") == 1
    assert code == (1 if "cannot be written" in said else 2)


def test_the_capture_itself_is_never_overwritten(capture, capsys):
    before = capture.read_bytes()
    assert main(["export", str(capture), "-n", "1", "-o", str(capture)]) == 2
    assert capture.read_bytes() == before
    assert "is the capture itself" in capsys.readouterr().err


def test_the_diagram_as_a_picture(capture, tmp_path):
    out = tmp_path / "diagram.svg"
    assert main(["export", str(capture), "-n", "1", "--what", "diagram", "-o", str(out)]) == 0
    words = "".join(ElementTree.fromstring(out.read_text()).itertext())
    assert all(state in words for state in ("TIME-WAIT", "SYN-SENT", "LAST-ACK"))
    if shutil.which("rsvg-convert"):
        png = subprocess.run(["rsvg-convert", str(out)], capture_output=True, check=True).stdout
        assert png.startswith(b"\x89PNG")


# -- what others say of it ------------------------------------------------------------


@pytest.mark.skipif(shutil.which("plantuml") is None, reason="plantuml is not installed")
def test_plantuml_takes_it(drawn):
    told = subprocess.run(
        ["plantuml", "-syntax"], input=plantuml.chart(drawn), capture_output=True, text=True
    )
    assert told.stdout.startswith("SEQUENCE")


CHECK = """
import { JSDOM } from "jsdom";
import { readFileSync } from "node:fs";
const { window } = new JSDOM("");
globalThis.window = window; globalThis.document = window.document;
const mermaid = (await import("mermaid")).default;
console.log((await mermaid.parse(readFileSync(0, "utf8"))).diagramType);
"""


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("npm") is None, reason="npm is not installed")
def test_mermaid_takes_it(drawn, tmp_path):
    folder = Path(os.environ.get("TCPVIZ_MERMAID", tmp_path))
    if not (folder / "node_modules" / "mermaid").is_dir():
        got = subprocess.run(
            ["npm", "install", "--silent", "--no-audit", "--no-fund", "mermaid", "jsdom"],
            cwd=folder, capture_output=True, text=True,
        )  # fmt: skip
        if got.returncode:
            pytest.skip(f"npm could not install mermaid: {got.stderr[-200:]}")
    (folder / "check.mjs").write_text(CHECK)
    told = subprocess.run(
        ["node", "check.mjs"], cwd=folder, input=mermaid.chart(drawn), capture_output=True,
        text=True,
    )  # fmt: skip
    assert told.stdout.strip() == "sequence", told.stderr


def level_story():
    """One capture point, from the handshake's first segment to TIME-WAIT's end."""
    syn, ack, psh, fin = Flags.SYN, Flags.ACK, Flags.PSH, Flags.FIN
    plan = [
        segment(C, syn, 100, 0),
        segment(S, syn | ack, 900, 101),
        segment(C, ack, 101, 901),
        segment(S, psh | ack, 901, 101, b"hello"),
        segment(S, fin | ack, 906, 101),
        segment(C, fin | ack, 101, 907),
        segment(S, ack, 907, 102),
    ]
    return [
        SegmentRecord(10**18 + n * 1_000_000, replace(one, time_ns=10**18 + n * 1_000_000))
        for n, one in enumerate(plan)
    ]


@pytest.mark.parametrize("records", [level_story, story], ids=["level", "slanting"])
def test_in_a_picture_no_words_lie_on_others_nor_on_a_bands_line(records):
    tracker = tracked(records())
    drawn = exchange(tracker.timeline, tracker.connections[1])
    svg = "{http://www.w3.org/2000/svg}"
    root = ElementTree.fromstring(svg_chart.chart(drawn))
    boxes = []
    for one in root.iter(f"{svg}text"):
        if "transform" in one.attrib:
            continue  # along an arrow
        size = float(one.get("font-size", 12))
        x, y, cells = float(one.get("x")), float(one.get("y")), len(one.text) * size * 0.6
        left = x - {"start": 0, "middle": cells / 2, "end": cells}[one.get("text-anchor")]
        boxes.append((left, y - size * 0.7, left + cells, y, one.text))
    for a, b in itertools.combinations(boxes, 2):
        apart = a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1]
        assert apart, (a[4], b[4])
    bands = [float(e.get("y1")) for e in root.iter(f"{svg}line") if e.get("stroke-dasharray")]
    assert len(bands) >= 2
    for y in bands:
        assert [box[4] for box in boxes if box[1] < y < box[3]] == []
    assert all(box[0] >= 0 and box[2] <= float(root.get("width")) for box in boxes)

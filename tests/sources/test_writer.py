from __future__ import annotations

import io
import json
import os
import resource
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import tcpviz
from tcpviz.sources.feed import SourceError
from tcpviz.sources.files import open_capture
from tcpviz.sources.pcapng import PcapngParser
from tcpviz.sources.writer import PcapngWriter
from tcpviz.wire.frame import Frame

NOW = 1_700_000_000_123_456_789


def parsed(data: bytes) -> tuple[list[Frame], PcapngParser]:
    parser = PcapngParser()
    frames = parser.feed(data)
    parser.finish()
    assert not parser.notes
    assert not parser.bad
    return frames, parser


def frame(data: bytes = b"data", **fields) -> Frame:
    values = {"time_ns": NOW, "link_type": 1, "data": data, "wire_len": len(data), "number": 1}
    return Frame(**(values | fields))


@given(
    st.lists(
        st.builds(
            Frame,
            time_ns=st.integers(0, 2**63 - 1),
            link_type=st.just(1),
            data=st.binary(max_size=50),
            wire_len=st.integers(50, 70_000),
            number=st.just(0),
            interface=st.integers(0, 1),
            comment=st.none() | st.text(st.characters(codec="utf-8"), max_size=20),
        ),
        max_size=20,
    )
)
def test_what_is_written_is_what_is_read(frames: list[Frame]) -> None:
    file = io.BytesIO()
    with PcapngWriter(file) as writer:
        assert writer.add_interface("left", 1) == 0
        assert writer.add_interface("right", 1, "the other end", "tcp port 80") == 1
        for one in frames:
            writer.write(one)
    read, parser = parsed(file.getvalue())
    assert [(f.time_ns, f.data, f.wire_len, f.interface) for f in read] == [
        (f.time_ns, f.data, f.wire_len, f.interface) for f in frames
    ]
    for got, given_ in zip(read, frames, strict=True):
        if given_.comment is None or given_.comment.isprintable():
            assert got.comment == given_.comment
    assert [(i.name, i.description) for i in parser.interfaces] == [
        ("left", ""),
        ("right", "the other end"),
    ]


def test_snaplen_comments_losses_and_statistics() -> None:
    file = io.BytesIO()
    writer = PcapngWriter(file, snaplen=4)
    writer.add_interface("lo", 101)
    writer.write(frame(b"abcdefgh", comment="its own"), ["arrived 1 ms later", "x" * 70_000])
    writer.write(frame(b"abc", time_ns=-5), "one", interface=0, lost=3)
    writer.write_statistics(0, received=10, dropped=5)
    writer.close()
    frames, parser = parsed(file.getvalue())
    assert [(f.data, f.wire_len, f.time_ns) for f in frames] == [(b"abcd", 8, NOW), (b"abc", 3, 0)]
    own, arrived, long = (frames[0].comment or "").split("\n")
    assert (own, arrived, set(long)) == ("its own", "arrived 1 ms later", {"x"})
    assert parser.losses == {2: 3}
    assert parser.dropped == 5
    assert parser.interfaces[0].snaplen == 4
    assert not file.closed
    with pytest.raises(SourceError, match="is closed"):
        writer.write(frame())


def test_an_interface_that_was_not_added_is_a_mistake_of_the_caller() -> None:
    writer = PcapngWriter(io.BytesIO())
    with pytest.raises(ValueError, match="interface 0 was not added"):
        writer.write(frame())
    writer.close()


def test_a_new_file_is_for_its_owner_only_and_an_old_one_stays_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "new.pcapng"
    with PcapngWriter(path):
        pass
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.chmod(0o644)
    path.write_bytes(bytes(5000))
    with PcapngWriter(str(path)):
        pass
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert path.stat().st_size < 200


def test_under_sudo_the_file_belongs_to_the_caller(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give files away")
    monkeypatch.setenv("SUDO_UID", "12345")
    monkeypatch.setenv("SUDO_GID", "23456")
    with PcapngWriter(tmp_path / "given"):
        pass
    about = (tmp_path / "given").stat()
    assert (about.st_uid, about.st_gid) == (12345, 23456)
    monkeypatch.setenv("SUDO_UID", "nobody?")
    with PcapngWriter(tmp_path / "kept"):
        pass
    assert (tmp_path / "kept").stat().st_uid == 0


def test_what_was_flushed_survives_a_kill(tmp_path: Path) -> None:
    path = tmp_path / "killed.pcapng"
    script = """
import os, signal, sys
from tcpviz.sources.writer import PcapngWriter
from tcpviz.wire.frame import Frame
writer = PcapngWriter(sys.argv[1])
writer.add_interface("lo", 1)
for number in range(10):
    writer.write(Frame(number, 1, b"x" * 60, 60, number))
writer.flush()
writer.write(Frame(99, 1, b"never flushed", 60, 11))
os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run(
        [sys.executable, "-c", script, path],
        env={"PYTHONPATH": str(Path(tcpviz.__file__).parent.parent)},
    )
    assert done.returncode == -9
    assert len(parsed(path.read_bytes())[0]) == 10


def test_a_full_disk_keeps_whole_blocks(tmp_path: Path) -> None:
    path = tmp_path / "full.pcapng"
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, hard))
    try:
        with PcapngWriter(path) as writer:
            writer.add_interface("lo", 1)

            def fill() -> None:
                for _ in range(100):
                    for _ in range(20):
                        writer.write(frame(bytes(60)))
                    writer.flush()

            with pytest.raises(SourceError, match="larger than files may be"):
                fill()
            with pytest.raises(SourceError, match="larger than files may be"):
                writer.flush()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert path.stat().st_size <= 10_000
    assert len(parsed(path.read_bytes())[0]) > 90


def test_no_space_says_so() -> None:
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full here")
    with pytest.raises(SourceError, match="no space left on the disk"):
        PcapngWriter("/dev/full")


def test_a_reader_that_goes_away() -> None:
    reading, writing = os.pipe()
    with os.fdopen(writing, "wb", buffering=0) as pipe:
        writer = PcapngWriter(pipe)
        os.close(reading)
        writer.add_interface("lo", 1)
        with pytest.raises(SourceError, match="went away"):
            writer.close()
        writer.close()


@pytest.mark.parametrize(
    ("path", "says", "code"),
    [
        ("none/x.pcapng", "cannot be written: its folder does not exist", 1),
        (".", "cannot be written: it is a directory", 1),
        ("a\0b", "not a file name", 2),
        ("five/x", "cannot be written: Not a directory", 1),
    ],
)
def test_where_nothing_can_be_written(path: str, says: str, code: int, tmp_path: Path) -> None:
    (tmp_path / "five").touch()
    with pytest.raises(SourceError, match=says) as caught:
        PcapngWriter(f"{tmp_path}/{path}")
    assert caught.value.exit_code == code


def test_no_permission(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may write everywhere")
    tmp_path.chmod(0o500)
    with pytest.raises(SourceError, match="cannot be written: no permission"):
        PcapngWriter(tmp_path / "x")


def test_standard_output(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw))
    with PcapngWriter("-") as writer:
        assert writer.name == "standard output"
        writer.add_interface("lo", 1)
        writer.write(frame())
    assert len(parsed(raw.getvalue())[0]) == 1


def test_a_copy_of_a_capture_is_the_same_capture(captures: Path, tmp_path: Path) -> None:
    with (
        open_capture(str(captures / "pcapplusplus-pcapng-example.pcapng")) as source,
        PcapngWriter(tmp_path / "copy") as writer,
    ):
        before = [f for f in source if f.time_ns >= 0]
        for interface in source.interfaces:
            writer.add_interface(interface.name, interface.link_type, interface.description)
        for one in before:
            writer.write(one)
    with open_capture(str(tmp_path / "copy")) as copy:
        after = list(copy)
    assert [(f.time_ns, f.data, f.wire_len, f.interface, f.comment) for f in after] == [
        (f.time_ns, f.data, f.wire_len, f.interface, f.comment) for f in before
    ]


def test_tshark_reads_it_without_complaint(tmp_path: Path) -> None:
    if shutil.which("tshark") is None:
        pytest.skip("no tshark")
    path = tmp_path / "written.pcapng"
    with PcapngWriter(path) as writer:
        writer.add_interface("veth-a", 1, "alice's end", "tcp")
        writer.add_interface("lo", 101)
        syn = bytes.fromhex(
            "4500002800010000400600000a0000010a0000020400005000000001000000005002ffff00000000"
        )
        writer.write(frame(bytes(12) + b"\x08\x00" + syn), "arrived +0.000123 s")
        writer.write(frame(syn, time_ns=NOW + 1, wire_len=1500), interface=1, lost=2)
        writer.write_statistics(0, received=1, dropped=0)
        writer.write_statistics(1, received=3, dropped=2)
    fields = ("frame.time_epoch", "frame.interface_name", "frame.len", "frame.comment", "tcp.flags")
    command = ["tshark", "-r", path, "-T", "json", *(x for f in fields for x in ("-e", f))]
    # Run in C: what it says of running as root stands on stderr, what it finds wrong as well.
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"LC_ALL": "C"})
    complaints = [line for line in done.stderr.splitlines() if "Running as user" not in line]
    assert (done.returncode, complaints) == (0, [])
    layers = [packet["_source"]["layers"] for packet in json.loads(done.stdout)]
    assert [layer["frame.time_epoch"][0] for layer in layers] == [
        "1700000000.123456789",
        "1700000000.123456790",
    ]
    assert [layer["frame.interface_name"] for layer in layers] == [["veth-a"], ["lo"]]
    assert [layer["frame.len"] for layer in layers] == [["54"], ["1500"]]
    assert layers[0]["frame.comment"] == ["arrived +0.000123 s"]
    assert all(layer["tcp.flags"] == ["0x0002"] for layer in layers)

"""The tshark on this machine, asked what it says of a capture, frame by frame."""

from __future__ import annotations

import functools
import shutil
import subprocess
import tempfile
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from tcpviz.core.marks import MarkName

FLAGS = [name.value for name in MarkName if name.value not in ("captured_twice",)]
OTHERS = ("tcp.stream", "tcp.completeness", "tcp.analysis.duplicate_ack_num")
TOLD = ("tcp.analysis.bytes_in_flight", "tcp.analysis.acks_frame", "tcp.analysis.ack_rtt")


@dataclass
class Stream:
    """What tshark says of one stream: its frames, frames by mark, and numbers by frame."""

    frames: list[int] = field(default_factory=list)
    marks: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    numbers: dict[int, dict[str, str]] = field(default_factory=dict)
    completeness: int = 0


def path() -> str | None:
    """Where tshark is, ``None`` where it is not."""
    return shutil.which("tshark")


@functools.cache
def version() -> str:
    """Such as ``4.0.17``."""
    text = subprocess.run(
        [path() or "tshark", "--version"], capture_output=True, text=True, check=True
    ).stdout
    return text.split()[2].rstrip(".")


def ask(capture: Path, *, two_passes: bool = True) -> dict[int, Stream]:
    """Every TCP stream of a capture; with an empty profile, no checksums, one view a frame."""
    fields = ["frame.number", *OTHERS, *TOLD, *(f"tcp.analysis.{name}" for name in FLAGS)]
    with tempfile.TemporaryDirectory() as home:
        command = [path() or "tshark", "-n", "-r", str(capture), "-Y", "tcp"]
        command += ["-2"] if two_passes else []
        for option in ("tcp.check_checksum:FALSE", "tcp.desegment_tcp_streams:FALSE"):
            command += ["-o", option]
        command += ["-T", "fields", "-E", "separator=/t", "-E", "occurrence=f"]
        for name in fields:
            command += ["-e", name]
        environment = {"HOME": home, "PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"}
        done = subprocess.run(
            command, capture_output=True, text=True, check=True, env=environment, timeout=200
        )
    streams: dict[int, Stream] = defaultdict(Stream)
    for line in done.stdout.splitlines():
        values = dict(zip(fields, line.split("\t"), strict=True))
        if not values["tcp.stream"]:
            continue
        number = int(values["frame.number"])
        stream = streams[int(values["tcp.stream"])]
        stream.frames.append(number)
        stream.completeness = int(values["tcp.completeness"] or 0, 0)
        stream.numbers[number] = {name: values[name] for name in (*OTHERS[2:], *TOLD)}
        for name in FLAGS:
            if values[f"tcp.analysis.{name}"]:
                stream.marks[name].append(number)
    return dict(streams)

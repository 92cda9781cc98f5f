"""Other programs that may capture where we may not: dumpcap and tcpdump.

Distributions give ``dumpcap`` to a group, and administrators give either of
them the capability; they write their captures to a pipe.
"""

from __future__ import annotations

import os
import select
import shutil
import subprocess
import sys
from dataclasses import dataclass

from tcpviz.sources.bpf import MAX_SNAPLEN

NAMES = ("dumpcap", "tcpdump")
_PATIENCE = 5.0  # seconds until a helper has said whether it may capture

_SYSTEM_FOLDERS = ("/usr/sbin", "/sbin", "/usr/local/sbin", "/usr/local/bin")


@dataclass(frozen=True, slots=True)
class Wish:
    """What to capture on one interface; ``words`` as libpcap takes them."""

    interface: str
    words: str


def find(name: str) -> str | None:
    """Where the helper is; also in the folders that are not on everybody's PATH."""
    path = os.environ.get("PATH", os.defpath)
    return shutil.which(name, path=os.pathsep.join((path, *_SYSTEM_FOLDERS)))


def commands(
    program: str, wishes: list[Wish], snaplen: int, count: int | None, promiscuous: bool
) -> list[list[str]]:
    """Command lines that together grant the wishes, each writing a capture to its output.

    dumpcap takes several interfaces, tcpdump takes one.
    """
    size = str(snaplen or MAX_SNAPLEN)
    limit = ["-c", str(count)] if count else []
    quiet = [] if promiscuous else ["-p"]
    if os.path.basename(program) == "dumpcap":  # noqa: PTH119 - a string is wanted
        command = [program, "-q", "-w", "-", *limit]
        for wish in wishes:
            command += ["-i", wish.interface, "-s", size, *quiet]
            if wish.words:
                command += ["-f", wish.words]
        return [command]
    # Without its immediate mode, Linux hands packets over once a second or so.
    nano = ["--time-stamp-precision=nano"] if sys.platform.startswith("linux") else []
    common = ["--immediate-mode", *nano, "-U", "-w", "-", "-s", size, *quiet, *limit]
    return [
        [program, "-i", wish.interface, *common] + (["--", wish.words] if wish.words else [])
        for wish in wishes
    ]


def may_capture(program: str, interface: str) -> tuple[bool, str]:
    """Try for real, for a moment; with what it said where it may not.

    A program that may writes its capture's header at once.
    """
    command = commands(program, [Wish(interface, "less 1")], 64, None, False)[0]
    try:
        process = subprocess.Popen(  # noqa: S603 - by full path, no shell
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
    except OSError as error:
        return False, f"{program}: {error.strerror}"
    assert process.stdout is not None
    assert process.stderr is not None
    said = b""
    try:
        ready, _, _ = select.select([process.stdout], [], [], _PATIENCE)
        works = bool(ready) and bool(os.read(process.stdout.fileno(), 4))
    finally:
        process.kill()
        process.stdout.close()
        said = process.stderr.read()
        process.stderr.close()
        process.wait()
    return works, "" if works else complaint(said.decode(errors="replace"))


def complaint(said: str) -> str:
    """The line that matters of what a helper wrote to its standard error."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    lines = [line for line in lines if not line.startswith(("Capturing on", "File:", "(socket"))]
    about = [line for line in lines if "permission" in line.lower()]
    line = (about or lines or ["it gave no reason"])[0]
    return "".join(c if c.isprintable() else "?" for c in line)


def usable(interface: str) -> tuple[str | None, list[str]]:
    """The first helper that may capture there, and why the ones before it may not."""
    reasons: list[str] = []
    for name in NAMES:
        program = find(name)
        if program is None:
            continue
        works, reason = may_capture(program, interface)
        if works:
            return program, reasons
        reasons.append(f"{name}: {reason}")
    return None, reasons

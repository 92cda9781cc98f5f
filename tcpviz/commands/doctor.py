"""``tcpviz doctor``: what this machine allows, tried for real, and how to get more.

Nothing here changes anything: namespaces are made in a process that ends at
once, helpers are started for a moment on loopback.
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterator
from typing import TextIO

import tcpviz
from tcpviz.commands import doctor_capture, doctor_kernel, doctor_program
from tcpviz.commands.doctor_facts import Fact, Mark

_CHECKS: tuple[Callable[[], list[Fact]], ...] = (
    doctor_capture.capture,
    doctor_capture.giving_up,
    doctor_capture.ring,
    doctor_capture.capture_helpers,
    doctor_capture.capture_filter,
    doctor_capture.interfaces,
    doctor_capture.own_ssh,
    doctor_kernel.namespaces,
    doctor_kernel.kernel_sockets,
    doctor_kernel.kernel_events,
    doctor_capture.processes,
    doctor_kernel.strace,
    doctor_capture.large_captures,
    doctor_program.terminal,
    doctor_program.python,
)


def run(stream: TextIO) -> int:
    """Print what this machine allows; returns the exit code, 0. Raises OSError."""
    for line in lines(getattr(stream, "encoding", None) or "ascii"):
        stream.write(line + "\n")
        stream.flush()
    return 0


def lines(encoding: str) -> Iterator[str]:
    """The table's lines, as each is found out, in characters that the encoding has."""
    plain = not _can(encoding, "✓✗→")
    yield _encodable(f"tcpviz {tcpviz.__version__} on {platform.platform()}", encoding)
    for check in _CHECKS:
        for fact in _safely(check):
            sign = fact.mark.value[1 if plain else 0]
            text = f"{fact.text}; {fact.remedy}" if fact.remedy else fact.text
            yield _encodable(f" {sign} {fact.name:<16} {text}", encoding)


def _safely(check: Callable[[], list[Fact]]) -> list[Fact]:
    """A check's facts; whatever goes wrong in it is itself a fact."""
    try:
        return check()
    except Exception as error:
        name = check.__name__.strip("_").replace("_", " ")
        reason = " ".join(str(error).split()) or type(error).__name__
        return [Fact(Mark.NO, name, f"could not be found out ({reason})")]


def _can(encoding: str, text: str) -> bool:
    try:
        text.encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def _encodable(text: str, encoding: str) -> str:
    text = "".join(c if c.isprintable() else "?" for c in text)
    if _can(encoding, text):
        return text
    return text.encode("ascii", "replace").decode("ascii")

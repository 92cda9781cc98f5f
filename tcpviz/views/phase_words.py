"""A connection's phase in words: ``handshake 2/3``."""

from __future__ import annotations

from typing import Final

from tcpviz.core.claims import Phase, PhaseName
from tcpviz.words import _

PHASES: Final[dict[PhaseName, str]] = {
    PhaseName.HANDSHAKE: "handshake",
    PhaseName.DATA: "data",
    PhaseName.TEARDOWN: "teardown",
}


def phase_text(phase: Phase) -> str:
    """The phase and how far it has come."""
    name = _(PHASES[phase.name], "phase")
    return f"{name} {phase.done}/{phase.of}" if phase.of else name

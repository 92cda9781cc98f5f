"""A connection's phase in words: ``handshake 2/3``."""

from __future__ import annotations

from typing import Final

from tcpviz.core.claims import Phase, PhaseName
from tcpviz.views import roles
from tcpviz.words import _

PHASES: Final[dict[PhaseName, str]] = {
    PhaseName.HANDSHAKE: "handshake",
    PhaseName.DATA: "data",
    PhaseName.TEARDOWN: "teardown",
}

BAND_ROLES: Final = {
    PhaseName.HANDSHAKE: roles.BAND_HANDSHAKE,
    PhaseName.DATA: roles.BAND_DATA,
    PhaseName.TEARDOWN: roles.BAND_TEARDOWN,
}
"""How each phase is drawn."""


def phase_text(phase: Phase) -> str:
    """The phase and how far it has come."""
    name = _(PHASES[phase.name], "phase")
    return f"{name} {phase.done}/{phase.of}" if phase.of else name

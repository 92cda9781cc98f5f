"""What ICMP errors say, in words."""

from __future__ import annotations

from typing import Final

from tcpviz.core.icmp_reasons import reason
from tcpviz.core.records import Unreachable
from tcpviz.views.spans import clean
from tcpviz.words import _

REASON_WORDS: Final[dict[str, str]] = {
    "network-unreachable": "network unreachable",
    "host-unreachable": "host unreachable",
    "protocol-unreachable": "protocol unreachable",
    "port-unreachable": "port unreachable",
    "too-big": "fragmentation needed",
    "source-route-failed": "source route failed",
    "network-unknown": "network unknown",
    "host-unknown": "host unknown",
    "host-isolated": "host isolated",
    "prohibited": "prohibited by a filter",
    "ttl-exceeded": "TTL exceeded on the way",
    "reassembly-timeout": "fragments missing",
    "no-route": "no route",
    "beyond-scope": "beyond the address's scope",
    "route-rejected": "route rejected",
    "header-problem": "problem in the IP header",
    "unreachable": "unreachable",
}
"""Every reason of :mod:`tcpviz.core.icmp_reasons`."""


ICMP: Final = (
    "{error}. So a segment of {who} did not arrive, and ICMP tells. TCP itself takes it as a hint "
    "and tries again; for a SYN, connect() may fail at once."
)
"""The explanation of such a step: ``{error}`` is :func:`error_text`'s, ``{who}`` an end."""


def error_text(error: Unreachable, relative: int | None = None) -> str:
    """``10.0.0.254 says: fragmentation needed, MTU 1400 (about seq 1461)``.

    ``relative`` is the quoted sequence number as the chart counts it, the header's if not given.
    """
    words = _(REASON_WORDS[reason(error)])
    if error.version == 6 and error.type == 2:
        words = _("packet too big")
    if error.mtu is not None:
        words += f", MTU {error.mtu}"
    seq = error.seq if relative is None else relative
    said = _("{reporter} says: {words} (about seq {seq})")
    return clean(said.format(reporter=error.reporter, words=words, seq=seq))

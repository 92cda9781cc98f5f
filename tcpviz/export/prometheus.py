"""What a capture has counted as a page of Prometheus' text format (version 0.0.4).

Every label's values come from tables of ours (states, marks, verdicts): no traffic, however it
is made, makes another series.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import tcpviz
from tcpviz.core.marks import MarkName
from tcpviz.core.meter import BUCKETS_NS, UNKNOWN, Meter, States
from tcpviz.core.records import Side
from tcpviz.core.states import State
from tcpviz.core.verdicts import Code
from tcpviz.sources.feed import FeedStatus

TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
"""The Content-Type."""


@dataclass(frozen=True, slots=True)
class Moment:
    """What a page tells besides a meter's counts.

    ``seen``     so many connections there have been
    ``states``   ends by side and state; ``followed``: so many connections are followed
    ``evicted``  connections that had to be forgotten
    ``memory``   bytes of the program and its helpers; ``cpu_s`` the program's own CPU time
    ``running``  the capture goes on
    ``every``    each connection is followed one by one; else all are counted, one is followed
    """

    seen: int
    states: States
    followed: int
    evicted: int
    memory: int
    cpu_s: float
    running: bool = True
    every: bool = True


def page(meter: Meter, status: FeedStatus, moment: Moment) -> str:
    """The whole page."""
    return "".join(_lines(meter, status, moment))


def _lines(meter: Meter, status: FeedStatus, moment: Moment) -> Iterator[str]:
    yield from _gauge("build_info", "Which tcpviz this is.", [({"version": tcpviz.__version__}, 1)])
    yield from _gauge("capturing", "1 while the capture goes on.", [({}, int(moment.running))])
    yield from _gauge(
        "following_every_connection",
        "1 while each connection is followed; at 0 all are only counted, by state, for more comes "
        "than can be followed, and marks, verdicts and handshakes stand still.",
        [({}, int(moment.every))],
    )
    yield from _counter("packets", "Packets captured.", [({}, status.frames)])
    yield from _counter("segments", "TCP segments among them.", [({}, status.segments)])
    skipped = sum(status.skipped.values())
    yield from _counter("skipped_packets", "Packets without a TCP segment.", [({}, skipped)])
    yield from _counter(
        "dropped_packets",
        "Packets that the kernel captured and could not hand over.",
        [({}, status.dropped)],
    )
    yield from _counter("connections", "Connections seen.", [({}, moment.seen)])
    yield from _counter(
        "forgotten_connections",
        "Connections that are not followed any more, to keep within the memory.",
        [({}, moment.evicted)],
    )
    yield from _gauge("followed_connections", "Connections in mind.", [({}, moment.followed)])
    yield from _gauge(
        "connection_ends",
        "Ends of connections by the state that they are in now.",
        [
            ({"end": end, "state": name}, moment.states[end, name])
            for end in (map(str, Side) if moment.every else ("either",))
            for name in (*map(str, State), UNKNOWN)
        ],
    )
    yield from _counter(
        "state_entries",
        "How often an end came to a state.",
        [({"state": str(state)}, meter.entered[str(state)]) for state in State],
    )
    yield from _counter(
        "marked_segments",
        "Segments by what analysis says of them (tcpviz help marks).",
        [({"mark": str(mark)}, meter.marks[mark.value]) for mark in MarkName],
    )
    yield from _counter("reset_segments", "Segments with RST.", [({}, meter.resets)])
    yield from _counter("icmp_errors", "ICMP errors about segments.", [({}, meter.icmp_errors)])
    yield from _gauge(
        "open_connections",
        "Connections that have not ended, by their main verdict (tcpviz help verdicts), which "
        "may be some seconds old.",
        [({"verdict": str(code)}, meter.open[code]) for code in Code],
    )
    yield from _counter(
        "ended_connections",
        "Connections that have ended, by their main verdict (tcpviz help verdicts).",
        [({"verdict": str(code)}, meter.ended[code]) for code in Code],
    )
    yield from _handshakes(meter)
    yield from _gauge(
        "resident_memory_bytes",
        "Memory of the program and of the processes that capture for it.",
        [({}, moment.memory)],
    )
    yield from _head("cpu_seconds_total", "CPU time of the program itself.", "counter")
    yield _sample("cpu_seconds_total", {}, moment.cpu_s)


def _handshakes(meter: Meter) -> Iterator[str]:
    name = "handshake_seconds"
    what = "How long the handshakes of ended connections took, from the SYN to its last ACK."
    yield from _head(name, what, "histogram")
    total = 0
    for most, count in zip(BUCKETS_NS, meter.handshakes, strict=False):
        total += count
        yield _sample(f"{name}_bucket", {"le": f"{most / 1e9:g}"}, total)
    total += meter.handshakes[-1]
    yield _sample(f"{name}_bucket", {"le": "+Inf"}, total)
    yield _sample(f"{name}_sum", {}, meter.handshakes_ns / 1e9)
    yield _sample(f"{name}_count", {}, total)


Samples = Iterable[tuple[Mapping[str, str], float]]


def _counter(name: str, what: str, samples: Samples) -> Iterator[str]:
    yield from _head(f"{name}_total", what, "counter")
    for labels, value in samples:
        yield _sample(f"{name}_total", labels, value)


def _gauge(name: str, what: str, samples: Samples) -> Iterator[str]:
    yield from _head(name, what, "gauge")
    for labels, value in samples:
        yield _sample(name, labels, value)


def _head(name: str, what: str, kind: str) -> Iterator[str]:
    yield f"# HELP tcpviz_{name} {what}\n# TYPE tcpviz_{name} {kind}\n"


def _sample(name: str, labels: Mapping[str, str], value: float) -> str:
    inside = ",".join(f'{label}="{text}"' for label, text in labels.items())
    return f"tcpviz_{name}{'{' + inside + '}' if inside else ''} {value}\n"

"""JSON, one object a line: connections and a summary for ``read``, steps for streams.

The shapes are documented and checked by ``schema.json`` beside this module:
``$defs/connection``, ``$defs/summary`` and ``$defs/step``. Times are integer
nanoseconds since the epoch. What nobody has worked out is ``null``.
"""

from __future__ import annotations

import functools
import importlib.resources
import json
from collections.abc import Sequence
from typing import Any, Final

import tcpviz
from tcpviz.core import icmp_reasons
from tcpviz.core.claims import Claim, Phase, StateChange
from tcpviz.core.community_id import community_id
from tcpviz.core.connection import Connection
from tcpviz.core.crowds import Crowd
from tcpviz.core.evidence import evidence
from tcpviz.core.hosts import HostSocket
from tcpviz.core.kernel_events import KernelEvent
from tcpviz.core.marks import Observation
from tcpviz.core.records import Call, KernelReading, Side
from tcpviz.core.segment import Endpoint, Flags, Segment
from tcpviz.core.timeline import Step
from tcpviz.core.tracker import Tracker
from tcpviz.core.verdicts import Verdict
from tcpviz.export.points_object import passage_object
from tcpviz.sources.feed import FeedStatus
from tcpviz.views.remarks import ECN, remarks
from tcpviz.views.verdict import crowd_sentence, sentences
from tcpviz.words import english

Object = dict[str, Any]

SCHEMA: Final = 4
"""The version of the shapes in ``schema.json``; a higher one only adds keys."""

CROWDS: Final = 1000
"""Floods and scans in a summary; the largest come first."""


def dumps(value: Object) -> str:
    """One line of ASCII (so that no encoding spoils it), without a newline."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


@functools.cache
def schema() -> Object:
    """The JSON Schema (2020-12) of every line that tcpviz writes."""
    text = (importlib.resources.files(__package__) / "schema.json").read_text("utf-8")
    loaded: Object = json.loads(text)
    return loaded


def _endpoint(endpoint: Endpoint) -> Object:
    return {"addr": endpoint.addr, "port": endpoint.port}


def _progress(phase: Phase) -> Object:
    return {"done": phase.done, "of": phase.of}


def _verdict(connection: Connection, verdict: Verdict, text: str) -> Object:
    return {
        "code": str(verdict.code),
        "frames": list(evidence(connection, verdict)),
        "severity": str(verdict.severity),
        "side": None if verdict.side is None else str(verdict.side),
        "text": text,
        **verdict.facts,
    }


def connection_object(connection: Connection, now_ns: int | None = None) -> Object:
    """A connection as ``read --json`` prints it.

    ``now_ns`` is the moment up to which its verdicts measure (default: its latest segment).
    """
    c = connection
    client, server, phase = c.client, c.server, c.phase
    with english():  # a program may read this, whatever language the screen has
        said = sentences(c, now_ns)
    return {
        "id": c.id,
        "client": _endpoint(client.endpoint),
        "server": _endpoint(server.endpoint),
        "first_ns": c.first_ns,
        "last_ns": c.last_ns,
        "states": {"client": str(client.state), "server": str(server.state)},
        "certainty": {
            "client": str(client.claim.certainty),
            "server": str(server.claim.certainty),
        },
        "claims": {
            "client": {**_claim(client.claim), "frame": client.claim.frame or None},
            "server": {**_claim(server.claim), "frame": server.claim.frame or None},
        },
        "phase": str(phase.name),
        "phase_progress": _progress(phase),
        "completeness": None if c.completeness is None else int(c.completeness),
        "conn_state": c.conn_state,
        "history": c.history,
        "segments": {"client": client.segments, "server": server.segments},
        "bytes": {"client": client.bytes, "server": server.bytes},
        "marks": None
        if c.marks is None
        else {str(name): count for name, count in sorted(c.marks.items()) if count},
        "handshake_rtt_ns": c.handshake_rtt_ns,
        "verdict": said[0][1],
        "verdicts": [_verdict(c, each, text) for each, text in said],
        "community_id": community_id(client.endpoint, server.endpoint),
        "inside": list(c.key.scope),
        "process": _owners(c),
    }


def _owners(connection: Connection) -> Object:
    sockets = connection.sockets or {}
    return {str(side): _owner(sockets.get(side)) for side in Side}


def _owner(sock: HostSocket | None) -> Object | None:
    """Who has a socket; ``None`` where nothing is known of it."""
    if sock is None or (sock.process is None and sock.user is None):
        return None
    process = sock.process
    return {
        "name": None if process is None else process.name,
        "pid": None if process is None else process.pid,
        "fd": None if process is None else process.fd,
        "certain": process is not None and process.certain,
        "user": sock.user,
        "service": sock.unit,
        "container": sock.container,
    }


def _crowd(crowd: Crowd) -> Object:
    with english():
        text = crowd_sentence(crowd)
    return {
        "code": crowd.kind,
        "text": text,
        "source": crowd.who or None,
        "target": crowd.target or None,
        "connections": crowd.count,
        "of": crowd.of,
        "targets": crowd.targets,
        "first_ns": crowd.first_ns,
        "last_ns": crowd.last_ns,
    }


def summary_object(
    status: FeedStatus,
    connections: int,
    shown: int | None = None,
    crowds: Sequence[Crowd] = (),
) -> Object:
    """The last line of ``read --json`` and of ``capture --json``.

    ``shown``: so many of them fit the display filter; ``crowds``: what many show together.
    """
    filtered = {} if shown is None else {"shown": shown}
    return {
        "summary": {
            "frames": status.frames,
            "segments": status.segments,
            "connections": connections,
            **filtered,
            "dropped": status.dropped,
            "skipped": dict(sorted(status.skipped.items())),
            "schema": SCHEMA,
            "crowds": [_crowd(each) for each in crowds[:CROWDS]],
        }
    }


def begin_object(source: str, time_ns: int) -> Object:
    """The first line of ``capture --json``: who speaks, of what, since when, in which version."""
    return {
        "begin": {
            "schema": SCHEMA,
            "program": f"tcpviz {tcpviz.__version__}",
            "source": source,
            "time_ns": time_ns,
        }
    }


# -- steps -----------------------------------------------------------------------


def _claim(claim: Claim) -> Object:
    return {
        "state": str(claim.state),
        "certainty": str(claim.certainty),
        "because": claim.because,
    }


def _change(change: StateChange) -> Object:
    edge = change.transition
    return {
        "side": str(change.side),
        "from": str(change.before.state),
        "to": str(change.after.state),
        "certainty": str(change.after.certainty),
        "because": change.after.because,
        "event": None if edge is None else edge.event.value,
        "action": None if edge is None else edge.action,
        "section": None if edge is None else edge.section,
    }


def _segment(segment: Segment, relative: tuple[int, int | None]) -> Object:
    o = segment.options
    return {
        "frame": segment.frame,
        "src": _endpoint(segment.src),
        "dst": _endpoint(segment.dst),
        "flags": [flag.name for flag in Flags if segment.flags & flag],
        "seq": segment.seq,
        "ack": segment.ack if segment.has_ack else None,
        "relative_seq": relative[0],
        "relative_ack": relative[1],
        "window": segment.window,
        "len": segment.payload_len,
        "urgent": segment.urgent,
        "ttl": segment.ttl,
        "ecn": ECN[segment.ecn & 3],
        "inferred": segment.inferred,
        "options": {
            "mss": o.mss,
            "window_scale": o.window_scale,
            "sack_permitted": o.sack_permitted,
            "sack": [list(block) for block in o.sack],
            "timestamps": None if o.timestamps is None else list(o.timestamps),
            "fast_open": None if o.fast_open is None else o.fast_open.hex(),
            "unknown": [{"kind": kind, "data": data.hex()} for kind, data in o.unknown],
            "malformed": o.malformed,
            "cut": o.cut,
        },
    }


def _observation(seen: Observation) -> Object:
    return {
        "bytes_in_flight": seen.bytes_in_flight,
        "acks_frame": seen.acks_frame,
        "ack_rtt_ns": seen.ack_rtt_ns,
        "ack_ambiguous": seen.ack_ambiguous,
        "seen_before": seen.seen_before,
        "dsack": None if seen.dsack is None else list(seen.dsack),
    }


def _call(call: Call) -> Object:
    return {
        "id": call.id,
        "side": str(call.side),
        "name": call.name,
        "arguments": call.arguments,
        "fd": call.fd,
        "began_ns": call.began_ns,
        "returned_ns": call.returned_ns,
        "result": call.result,
        "failed": call.failed,
    }


def _reading(reading: KernelReading) -> list[Object]:
    return [
        {
            "side": str(sock.side),
            "local": _endpoint(sock.local),
            "peer": None if sock.peer is None else _endpoint(sock.peer),
            "state": None if sock.state is None else str(sock.state),
            "timer": sock.timer,
            "timer_ms": sock.timer_ms,
            "recv_queue": sock.recv_queue,
            "send_queue": sock.send_queue,
            "retransmits": sock.retransmits,
            "rtt_us": sock.rtt_us,
            "cwnd": sock.cwnd,
        }
        for sock in reading.sockets
    ]


def _event(event: KernelEvent) -> Object:
    process = event.process
    return {
        "tracepoint": event.told.value,
        "local": _endpoint(event.local),
        "peer": _endpoint(event.peer),
        "from": None if event.before is None else str(event.before),
        "to": None if event.after is None else str(event.after),
        "reason": event.reason or None,
        "process": None if process is None else process.name,
        "pid": None if process is None else process.pid,
    }


def step_object(step: Step, tracker: Tracker | None = None) -> Object:
    """One thing that happened, as ``demo --json`` and ``capture --json`` print it.

    ``type`` is the step's kind and says which of ``segment``, ``call``, ``sockets``,
    ``event``, ``icmp``, ``note`` and ``gap`` is there besides. ``states`` are both ends'
    right after it. With ``tracker``, a connection's steps name its ends.
    """
    out: Object = {
        "type": step.kind.value,
        "index": step.index,
        "time_ns": step.time_ns,
        "connection": step.connection,
        "side": None if step.side is None else str(step.side),
    }
    if step.connection is not None:
        known = None if tracker is None else tracker.connections.get(step.connection)
        if known is not None:
            out["client"] = _endpoint(known.client.endpoint)
            out["server"] = _endpoint(known.server.endpoint)
            if known.sockets is not None:
                out["process"] = _owners(known)
        out["states"] = {"client": _claim(step.client), "server": _claim(step.server)}
        out["phase"] = str(step.phase.name)
        out["phase_progress"] = _progress(step.phase)
    if step.segment is not None:
        out["segment"] = _segment(step.segment, step.relative)
        marks = None if step.observation is None else [str(m.name) for m in step.observation.marks]
        out["marks"] = marks
        out["remarks"] = [str(each) for each in remarks(step)]
        if step.observation is not None:
            out["observation"] = _observation(step.observation)
    if step.call is not None:
        out["call"] = _call(step.call)
    if step.reading is not None:
        out["sockets"] = _reading(step.reading)
    if step.event is not None:
        out["event"] = _event(step.event)
    if step.note is not None:
        out["note"] = step.note.text
    if step.unreachable is not None:
        error = step.unreachable
        out["icmp"] = {
            "reporter": error.reporter,
            "told": error.told,
            "src": _endpoint(error.src),
            "dst": _endpoint(error.dst),
            "seq": error.seq,
            "version": error.version,
            "type": error.type,
            "code": error.code,
            "reason": icmp_reasons.reason(error),
            "mtu": error.mtu,
            "frame": error.frame,
        }
    if step.handled is not None:
        handled = step.handled
        out["handled"] = {
            "act": handled.act.value,
            "by": str(handled.by),
            "held_ns": handled.held_ns,
            "paused_ns": handled.paused_ns,
            "count": handled.count,
            "delay_ns": handled.delay_ns,
        }
    if step.gap is not None:
        out["gap"] = {"count": step.gap.count, "where": step.gap.where}
    if step.passage is not None:
        out["passage"] = passage_object(step.passage)
    out["changes"] = [_change(change) for change in step.changes]
    out["disagreements"] = [
        {
            "side": str(each.side),
            "kernel": None if each.kernel is None else str(each.kernel),
            "inferred": str(each.inferred.state),
        }
        for each in step.disagreements
    ]
    return out

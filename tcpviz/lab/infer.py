"""Inferred segments: what must have gone over the wire, by the calls and the kernel's states.

Only for the ground without capture. Nothing here was seen: every segment has
``inferred`` set, and its sequence numbers count from 0 because the real ones
are not known. What neither a call nor a kernel's state implies is left out, so
there may have been more segments than are told.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from tcpviz.core.records import Call, KernelReading, Moment, Record, SegmentRecord, Side
from tcpviz.core.segment import Endpoint, Flags, Segment
from tcpviz.core.states import State

_ACK = Flags.ACK
_FIN_IS_ACKED = (State.FIN_WAIT_2, State.TIME_WAIT, None)
_FAILED_AFTER_SYN = ("ECONNREFUSED", "ETIMEDOUT")


@dataclass(slots=True)
class _End:
    """One end: what it has sent, and how much of that was acknowledged or read."""

    endpoint: Endpoint
    sent: int = 0
    acked: int = 0
    unread: int = 0
    fin: bool = False
    closed: bool = False


@dataclass(slots=True)
class _Line:
    """One connection, from its SYN on; ``shaken`` once its handshake is told."""

    ends: dict[Side, _End]
    connect: int
    shaken: bool = False
    over: bool = False


class Inference:
    """Takes a batch of calls and readings; gives it back with the segments they imply.

    A batch is everything up to a moment at which all is quiet, in time's order.
    """

    def __init__(self) -> None:
        self._line: _Line | None = None
        self._frames = 0
        self._out: list[Record] = []
        self._lingers: set[tuple[Side, int | None]] = set()

    def batch(self, records: Iterable[Record]) -> list[Record]:
        """The batch with its segments, in order."""
        rows = list(records)
        returns = {row.id: row for row in rows if isinstance(row, Call) and row.returned}
        told: set[int] = set()
        self._out = []
        for row in rows:
            if isinstance(row, KernelReading):
                self._acknowledge(row)
                self._out.append(row)
            elif not isinstance(row, Call):
                self._out.append(row)
            elif not row.returned:
                # What it sent is told when it began: the other end's calls may return before it.
                self._out.append(row)
                if row.id in returns:
                    told.add(row.id)
                    self._sends(returns[row.id], row.time_ns)
            else:
                if row.id not in told:
                    self._sends(row, row.time_ns)
                self._return(row)
        return self._out

    # -- calls --------------------------------------------------------------

    def _sends(self, call: Call, time_ns: int) -> None:
        """Tell what a call, whose result is known, has sent."""
        if call.name == "connect":
            self._syn(call, time_ns)
            return
        line = self._line
        if line is None or line.over or not line.shaken or not self._is_on(line, call):
            return
        me = line.ends[call.side]
        if call.name == "close" and not call.failed:
            if me.unread or (call.side, call.fd) in self._lingers:
                self._send(time_ns, call.side, Flags.RST | _ACK)
                line.over = True
            else:
                self._fin(call.side, time_ns)
            me.closed = True
        elif call.name == "shutdown" and not call.failed and call.arguments != "SHUT_RD":
            self._fin(call.side, time_ns)
        elif call.name == "send" and not call.failed:
            count = int(str(call.result).split()[0])
            self._send(time_ns, call.side, Flags.PSH | _ACK, count)
            other = line.ends[call.side.other]
            other.unread += count
            if other.closed:
                self._send(time_ns, call.side.other, Flags.RST)
                line.over = True

    def _is_on(self, line: _Line, call: Call) -> bool:
        """Whether it was made on this connection's socket, not on a listening one."""
        return call.peer == line.ends[call.side.other].endpoint

    def _syn(self, call: Call, time_ns: int) -> None:
        if call.peer is None or (call.failed and call.result not in _FAILED_AFTER_SYN):
            return
        me = _End(call.local or Endpoint(call.peer.addr, 0))
        self._line = _Line({call.side: me, call.side.other: _End(call.peer)}, call.id)
        self._send(time_ns, call.side, Flags.SYN)

    def _return(self, call: Call) -> None:
        """Tell a return, with what must have come before it and what follows at once."""
        line = self._line
        if call.name == "setsockopt" and call.arguments == "SO_LINGER, 0 s" and not call.failed:
            self._lingers.add((call.side, call.fd))
        elif call.name == "recv" and not call.failed and line is not None:
            count = str(call.result).split()[0]
            line.ends[call.side].unread -= int(count)
        if line is not None and not line.shaken and not line.over:
            mine = call.id == line.connect
            if mine and call.failed:
                if call.result == "ECONNREFUSED":
                    self._send(call.time_ns, call.side.other, Flags.RST | _ACK)
                line.over = True
            elif mine or (call.name == "accept" and not call.failed):
                client = call.side if mine else call.side.other
                self._send(call.time_ns, client.other, Flags.SYN | _ACK)
                line.shaken = True
                if mine:
                    self._out.append(call)
                self._send(call.time_ns, client, _ACK)
                if mine:
                    return
        self._out.append(call)

    # -- what the kernel's states imply -------------------------------------

    def _acknowledge(self, reading: KernelReading) -> None:
        """Acknowledgements that the kernel's states prove."""
        line = self._line
        if line is None or line.over or not line.shaken:
            return
        for one in reading.sockets:
            end = line.ends[one.side]
            if one.local != end.endpoint or one.peer != line.ends[one.side.other].endpoint:
                continue
            if end.acked == end.sent:
                continue
            empty = (
                reading.source == "inet_diag"
                and one.state in (State.ESTABLISHED, State.CLOSE_WAIT)
                and one.send_queue == 0
            )
            if empty or (end.fin and one.state in _FIN_IS_ACKED):
                self._send(reading.time_ns, one.side.other, _ACK)

    # -- sending ------------------------------------------------------------

    def _fin(self, side: Side, time_ns: int) -> None:
        assert self._line is not None
        end = self._line.ends[side]
        if not end.fin:
            self._send(time_ns, side, Flags.FIN | _ACK)
            end.fin = True

    def _send(self, time_ns: int, side: Side, flags: Flags, length: int = 0) -> None:
        assert self._line is not None
        end, other = self._line.ends[side], self._line.ends[side.other]
        self._frames += 1
        if self._out:
            time_ns = max(time_ns, self._out[-1].time_ns)
        segment = Segment(
            time_ns,
            end.endpoint,
            other.endpoint,
            end.sent,
            other.sent if flags & _ACK else 0,
            flags,
            0,
            length,
            frame=self._frames,
            inferred=True,
        )
        end.sent = segment.seq_end
        if flags & _ACK:
            other.acked = other.sent
        self._out.append(SegmentRecord(time_ns, segment, Moment.SEEN))

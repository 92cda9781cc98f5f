"""What the lab's child process and its parent say to each other, over a socket pair.

A message is two lengths (32 bits each, network order), a JSON object of the
first length and raw bytes of the second (a frame; usually none). ``k`` is the
kind; ``t`` is nanoseconds since the epoch.

From the parent: one ``start`` (``script``, ``ground``, ``parent``, ``limit_s``,
``ipv6``, ``step``, ``seed``, and by sender, the client first: ``delay_ms``,
``loss``; ``jitter_ms``), any number of ``do``, and ``stop``. The end of the
stream means ``stop`` too. What a ``do`` is about is in ``do``:

``deliver``, ``drop``, ``duplicate``, ``behind``, ``corrupt``, ``delay`` (``ms``)
             the segment ``n`` in the hand, or the first one there
``step``     (``on``), ``delay-of`` (``side``, ``ms``), ``loss`` (``side``, ``fraction``),
             ``jitter`` (``ms``), ``seed`` (``seed``): the cable's settings
``skip``     end the wait that the script is in

From the child:

``ready``    the ground stands: ``t``, ``ground``, ``interfaces`` (names, by index),
             ``hosts`` (``side``, ``name``, ``addr``, ``port``)
``frame``    a frame left its sender or was seen: ``n`` its number from 1, ``t``,
             ``if`` the interface's index, ``moment`` (``sent``, ``seen``; ``swallowed``: it
             left and was kept back; if it goes on later, ``sent`` with ``again`` follows);
             the bytes follow. ``n`` is 0 for frames that are no segment of the scenario's
``arrived``  frame ``n`` was handed to its receiver; ``lost`` likewise, with ``why``. Both
             have ``held_ns``. ``again``: a copy. Its bytes follow where they were changed
``act``      the cable did something to frame ``n``: the fields of :class:`Handled`;
             ``repeat`` is the swallowed frame's number
``hand``     what lies in the hand now, first things first: ``held`` (``n``, ``since_ns``,
             ``by``, ``swallowed``, ``behind``, ``copy``, ``changed``), ``paused_ns``
``reboot``   the host of ``side`` was switched off and on
``call``     a socket call began or returned: the fields of :class:`Call`
``kernel``   both ends' sockets: ``source``, ``sockets`` (fields of :class:`KernelSocket`)
``note``     a line for the person: ``text``
``gap``      ``count`` frames were dropped by ``where``
``quiet``    nothing moves: everything before is one batch
``unavailable``  this ground cannot be had here: ``reason``; the child ends
``error``    the scenario failed: ``text``, ``code`` (the exit code); the child ends
``end``      the scenario has ended
"""

from __future__ import annotations

import contextlib
import json
import socket
import struct
import threading
from typing import Any

from tcpviz.core.records import Call, KernelReading, KernelSocket, Side
from tcpviz.core.segment import Endpoint
from tcpviz.core.states import State

Message = dict[str, Any]

_LENGTHS = struct.Struct("!II")
_MOST = 1 << 24


class ChannelError(Exception):
    """The other end is gone, or what it says is no message."""


class Channel:
    """One end of the socket pair. Several threads may send; one receives."""

    def __init__(self, end: socket.socket) -> None:
        self._end = end
        self._lock = threading.Lock()

    def fileno(self) -> int:
        return self._end.fileno()

    def send(self, message: Message, data: bytes = b"") -> None:
        """Send one message; raises :class:`ChannelError` where nobody listens any more."""
        text = json.dumps(message, separators=(",", ":")).encode()
        try:
            with self._lock:
                self._end.sendall(_LENGTHS.pack(len(text), len(data)) + text + data)
        except OSError as error:
            raise ChannelError(str(error)) from None

    def receive(self) -> tuple[Message, bytes] | None:
        """The next message; ``None`` at the end of the stream. Raises :class:`ChannelError`."""
        head = self._exactly(_LENGTHS.size, may_end=True)
        if head is None:
            return None
        length, extra = _LENGTHS.unpack(head)
        if length + extra > _MOST:
            raise ChannelError("a message of impossible length")
        text = self._exactly(length) or b""
        data = self._exactly(extra) or b""
        try:
            message = json.loads(text)
        except ValueError as error:
            raise ChannelError(f"not JSON: {error}") from None
        if not isinstance(message, dict):
            raise ChannelError("not an object")
        return message, data

    def _exactly(self, count: int, *, may_end: bool = False) -> bytes | None:
        parts = bytearray()
        while len(parts) < count:
            try:
                some = self._end.recv(count - len(parts))
            except OSError as error:
                raise ChannelError(str(error)) from None
            if not some:
                if may_end and not parts:
                    return None
                raise ChannelError("the stream ended within a message")
            parts += some
        return bytes(parts)

    def hang_up(self) -> None:
        """Wake whoever receives on this end, and tell the other end that this one is done."""
        with contextlib.suppress(OSError):
            self._end.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._end.close()


def endpoint_out(endpoint: Endpoint | None) -> list[Any] | None:
    """An endpoint as JSON: ``[addr, port]``."""
    return None if endpoint is None else [endpoint.addr, endpoint.port]


def endpoint_in(value: list[Any] | None) -> Endpoint | None:
    """The reverse of :func:`endpoint_out`."""
    return None if value is None else Endpoint(str(value[0]), int(value[1]))


def call_out(call: Call) -> Message:
    """A ``call`` message."""
    return {
        "k": "call",
        "t": call.time_ns,
        "id": call.id,
        "side": call.side.value,
        "name": call.name,
        "arguments": call.arguments,
        "fd": call.fd,
        "began_ns": call.began_ns,
        "returned_ns": call.returned_ns,
        "result": call.result,
        "failed": call.failed,
        "local": endpoint_out(call.local),
        "peer": endpoint_out(call.peer),
        "app": call.app,
    }


def call_in(message: Message) -> Call:
    """The reverse of :func:`call_out`."""
    fields = {name: value for name, value in message.items() if name not in ("k", "t")}
    fields["side"] = Side(fields["side"])
    fields["local"] = endpoint_in(fields["local"])
    fields["peer"] = endpoint_in(fields["peer"])
    return Call(**fields)


def reading_out(reading: KernelReading) -> Message:
    """A ``kernel`` message."""
    return {
        "k": "kernel",
        "t": reading.time_ns,
        "source": reading.source,
        "sockets": [
            {
                "side": one.side.value,
                "local": endpoint_out(one.local),
                "peer": endpoint_out(one.peer),
                "state": None if one.state is None else one.state.value,
                "timer": one.timer,
                "timer_ms": one.timer_ms,
                "recv_queue": one.recv_queue,
                "send_queue": one.send_queue,
                "retransmits": one.retransmits,
                "rtt_us": one.rtt_us,
                "cwnd": one.cwnd,
                "syn_queue": one.syn_queue,
                "syn_limit": one.syn_limit,
                "tries": one.tries,
            }
            for one in reading.sockets
        ],
    }


def reading_in(message: Message) -> KernelReading:
    """The reverse of :func:`reading_out`."""
    sockets = []
    for one in message["sockets"]:
        fields = dict(one)
        fields["side"] = Side(fields["side"])
        fields["state"] = None if fields["state"] is None else State(fields["state"])
        fields["local"] = endpoint_in(fields["local"])
        fields["peer"] = endpoint_in(fields["peer"])
        sockets.append(KernelSocket(**fields))
    return KernelReading(int(message["t"]), tuple(sockets), str(message["source"]))

"""PCAP-over-IP, the other way: what is captured here, served to readers elsewhere.

``tcpviz read TCP@host:port`` and ``wireshark -i TCP@host:port`` read it. Each reader gets the
capture's head first, whenever it comes, then the packets from then on, as pcapng. A reader
that is too slow loses packets: its next one tells how many (``epb_dropcount``). The capture
never waits for anybody.
"""

from __future__ import annotations

import contextlib
import io
import ipaddress
import os
import re
import selectors
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from tcpviz.core.segment import Segment
from tcpviz.sources.batch import Batch, Blocks
from tcpviz.sources.feed import SourceError
from tcpviz.sources.over_ip import PREFIX
from tcpviz.sources.parser import clean
from tcpviz.sources.writer import PcapngWriter
from tcpviz.wire.frame import Frame

QUEUE = 4 << 20
"""Bytes that wait for one reader; of what comes beyond that nothing is kept for it."""

READERS = 16
"""Readers at once; more are turned away, and counted."""

GRACE_S = 1.0
"""At the end, so long readers may take for what waits for them."""

_PLACE = re.compile(
    r"(?:(?:\[(?P<six>[0-9A-Fa-f:.%\w]+)\]|(?P<host>[^\s:\[\]]+)):)?(?P<port>\d{1,5})"
)


@dataclass(frozen=True, slots=True)
class Served:
    """Where it is served, as what a capture must leave out: else it would capture itself."""

    host: str
    port: int

    @property
    def words(self) -> str:
        """A capture filter that passes exactly what goes to and from the readers."""
        mine = f"tcp port {self.port}"
        return mine if self._any else f"{mine} and host {self.host}"

    def has(self, segment: Segment) -> bool:
        ends = (segment.src, segment.dst)
        return any(end.port == self.port and (self._any or end.addr == self.host) for end in ends)

    @property
    def _any(self) -> bool:
        return ipaddress.ip_address(self.host).is_unspecified


@dataclass(slots=True)
class _Reader:
    """``lost`` packets since the last that it was sent, ``missed`` in all."""

    socket: socket.socket
    name: str
    queue: deque[bytes] = field(default_factory=deque)
    waiting: int = 0
    lost: int = 0
    missed: int = 0


class PcapServer:
    """Serves at ``where``: a port of 127.0.0.1, or HOST:PORT. Raises SourceError.

    ``tell``    takes lines for the person, from any thread
    ``missed``  packets that readers have lost, all together; ``refused``: readers turned away
    """

    def __init__(self, where: str, tell: Callable[[str], object]) -> None:
        host, port = _place(where)
        self.tell = tell
        self._socket = _listen(host, port)
        address = self._socket.getsockname()
        self.served = Served(address[0].partition("%")[0], address[1])
        self.missed = 0
        self.refused = 0
        self._sink = io.BytesIO()
        self._writer: PcapngWriter | None = None
        self._head = b""
        self._frames: list[tuple[Frame, int] | Blocks] = []
        self._readers: list[_Reader] = []
        self._lock = threading.Lock()
        self._wake = os.pipe()
        os.set_blocking(self._wake[0], False)
        os.set_blocking(self._wake[1], False)
        self._ending: float | None = None
        self._thread: threading.Thread | None = None
        place = self.place
        tell(f"serving the packets at {place}: tcpviz read {place}, or wireshark -k -i {place}")
        if not ipaddress.ip_address(self.served.host).is_loopback:
            tell(f"whoever can reach {place} can read what is captured here: there is no password")

    @property
    def place(self) -> str:
        """As readers write it."""
        host = self.served.host
        return (
            f"{PREFIX}[{host}]:{self.served.port}"
            if ":" in host
            else (f"{PREFIX}{host}:{self.served.port}")
        )

    @property
    def readers(self) -> int:
        """How many there are now."""
        return len(self._readers)

    # -- the capture's thread -------------------------------------------------

    def describe(self, interfaces: Sequence[tuple[str, int]], words: str, snaplen: int) -> None:
        """The interfaces' names and link types; from now on readers are let in."""
        self._writer = PcapngWriter(self._sink, snaplen)
        for name, link_type in interfaces:
            self._writer.add_interface(name, link_type, "", words)
        self._head = self._taken()
        self._thread = threading.Thread(target=self._serve, name="tcpviz-readers", daemon=True)
        self._thread.start()

    def take(self, frame: Frame, lost: int) -> None:
        """A frame, before which so many packets are missing."""
        if self._readers:
            self._frames.append((frame, lost))

    def take_many(self, batch: Batch, lost: int, at: int) -> None:
        """As :meth:`take` does, many at once; ``lost`` packets are missing before place ``at``."""
        if not self._readers or not len(batch):
            return
        # The first by itself, since it may have to tell a reader of what that one has lost.
        alone = sorted({0, at} if lost and 0 < at < len(batch) else {0})
        for place, until in zip(alone, [*alone[1:], len(batch)], strict=True):
            self._frames.append((batch.frame(place), lost if place == at else 0))
            if place + 1 < until:
                self._frames.append(batch.blocks(place + 1, until))

    def flush(self) -> None:
        """Hand over what has come since the last time."""
        frames, self._frames = self._frames, []
        if not frames or self._writer is None:
            return
        whole = self._encoded(frames)
        count = sum(len(each) if isinstance(each, Blocks) else 1 for each in frames)
        with self._lock:
            for reader in self._readers:
                if reader.waiting > QUEUE:
                    if not reader.missed:
                        self.tell(f"reader {reader.name} is too slow: it loses packets")
                    reader.lost += count
                    reader.missed += count
                    self.missed += count
                    continue
                data = whole
                head, *rest = frames
                if reader.lost and not isinstance(head, Blocks):
                    first, lost = head
                    data = self._encoded([(first, lost + reader.lost), *rest])
                    reader.lost = 0
                reader.queue.append(data)
                reader.waiting += len(data)
        self._nudge()

    def _encoded(self, frames: Sequence[tuple[Frame, int] | Blocks]) -> bytes:
        assert self._writer is not None
        for each in frames:
            if isinstance(each, Blocks):
                self._writer.write_many(each)
            else:
                self._writer.write(each[0], lost=each[1])
        return self._taken()

    def _taken(self) -> bytes:
        assert self._writer is not None
        self._writer.flush()
        data = self._sink.getvalue()
        self._sink.seek(0)
        self._sink.truncate()
        return data

    def close(self) -> None:
        """Give readers a moment for what waits, and end; more than once does no harm."""
        if self._ending is not None:
            return
        self.flush()
        self._ending = time.monotonic() + GRACE_S
        self._nudge()
        if self._thread is not None:
            self._thread.join(2 * GRACE_S)
        else:
            self._socket.close()
        for descriptor in self._wake:
            os.close(descriptor)
        if self.missed:
            self.tell(f"readers of {self.place} have lost {self.missed} packets, being too slow")
        if self.refused:
            self.tell(f"{self.refused} readers were turned away: no more than {READERS} at once")

    def _nudge(self) -> None:
        with contextlib.suppress(OSError):  # a full pipe wakes as well
            os.write(self._wake[1], b"x")

    # -- the readers' thread --------------------------------------------------

    def _serve(self) -> None:
        selector = selectors.DefaultSelector()
        selector.register(self._wake[0], selectors.EVENT_READ)
        selector.register(self._socket, selectors.EVENT_READ)
        try:
            while self._goes_on():
                for reader in list(self._readers):
                    events = selectors.EVENT_READ
                    events |= selectors.EVENT_WRITE if reader.queue else 0
                    selector.modify(reader.socket, events, reader)
                for key, events in selector.select(0.2):
                    if key.fileobj is self._socket:
                        self._let_in(selector)
                    elif key.data is None:
                        with contextlib.suppress(OSError):
                            os.read(self._wake[0], 4096)
                    elif not self._attend(key.data, events):
                        self._let_go(key.data, selector)
        finally:
            for reader in list(self._readers):
                self._let_go(reader, selector)
            selector.close()
            self._socket.close()

    def _goes_on(self) -> bool:
        if self._ending is None:
            return True
        return time.monotonic() < self._ending and any(one.queue for one in self._readers)

    def _let_in(self, selector: selectors.BaseSelector) -> None:
        try:
            peer, address = self._socket.accept()
        except OSError:
            return
        if len(self._readers) >= READERS:
            self.refused += 1
            peer.close()
            return
        peer.setblocking(False)
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        reader = _Reader(peer, f"{address[0]}:{address[1]}")
        reader.queue.append(self._head)
        reader.waiting = len(self._head)
        selector.register(peer, selectors.EVENT_READ | selectors.EVENT_WRITE, reader)
        with self._lock:
            self._readers.append(reader)

    def _attend(self, reader: _Reader, events: int) -> bool:
        """False where the reader is gone."""
        try:
            if events & selectors.EVENT_READ and not reader.socket.recv(4096):
                return False
            if events & selectors.EVENT_WRITE and reader.queue:
                sent = reader.socket.send(reader.queue[0])
                with self._lock:
                    rest = reader.queue.popleft()[sent:]
                    if rest:
                        reader.queue.appendleft(rest)
                    reader.waiting -= sent
        except BlockingIOError:
            return True
        except OSError:
            return False
        return True

    def _let_go(self, reader: _Reader, selector: selectors.BaseSelector) -> None:
        with contextlib.suppress(KeyError, ValueError):
            selector.unregister(reader.socket)
        with self._lock, contextlib.suppress(ValueError):
            self._readers.remove(reader)
        with contextlib.suppress(OSError):
            reader.socket.shutdown(socket.SHUT_WR)
        reader.socket.close()


def _place(where: str) -> tuple[str, int]:
    found = _PLACE.fullmatch(where)
    port = int(found["port"]) if found else 65536
    if found is None or port > 65535:
        raise SourceError(
            f"{clean(where)}: write a port, or HOST:PORT, IPv6 as [::1]:PORT (without a host only "
            "this machine can read)",
            2,
        )
    return found["six"] or found["host"] or "127.0.0.1", port


def _listen(host: str, port: int) -> socket.socket:
    shown = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    try:
        family, kind, number, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        made = socket.socket(family, kind, number)
        try:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            made.bind(address)
            made.listen(READERS)
        except OSError:
            made.close()
            raise
    except OSError as error:
        why = error.strerror or str(error)
        raise SourceError(f"cannot serve at {clean(shown)}: {why}; choose another", 1) from None
    made.setblocking(False)
    return made

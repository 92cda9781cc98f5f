"""A page of metrics over HTTP, for whoever scrapes it, in a thread of its own.

It serves what it was last given and computes nothing, so that a client costs next to nothing:
at most :data:`CLIENTS` at a time, of whom the oldest goes when another comes, each for at most
:data:`PATIENCE_S` and a request of :data:`LONGEST` bytes. It answers ``GET`` and ``HEAD`` of
``/metrics`` and ends the connection (RFC 9112).
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import selectors
import socket
import threading
import time
from collections import OrderedDict
from typing import Final

from tcpviz.sources.feed import SourceError

CLIENTS: Final = 16
PATIENCE_S: Final = 5.0
LONGEST: Final = 4096

_PLACE = re.compile(r"(?:\[([0-9a-fA-F:.%\w]+)\]|([A-Za-z0-9._-]*)):([0-9]{1,9})|([0-9]{1,9})")
_HERE = "127.0.0.1"


def address(text: str) -> tuple[str, int] | None:
    """``HOST:PORT``, ``[V6]:PORT``, ``:PORT`` or ``PORT``; ``None`` for the name of a file.

    Without a host it is this machine's loopback: who is to see it from elsewhere must be told.
    Raises SourceError for a port that there is none.
    """
    found = _PLACE.fullmatch(text)
    if found is None:
        return None
    port = int(found[3] or found[4])
    if not 0 <= port <= 65535:
        raise SourceError(f"--metrics {text}: a port is 0 (any) to 65535", 2)
    return found[1] or found[2] or _HERE, port


class _Client:
    def __init__(self, peer: socket.socket, until: float) -> None:
        self.peer = peer
        self.until = until
        self.asked = b""
        self.answer: memoryview | None = None


class MetricsServer:
    """Serves at ``host``, ``port`` (0: any) what :meth:`publish` was last given.

    Raises SourceError where that place is not to be had. ``url`` tells where it is.
    """

    def __init__(self, host: str, port: int, content_type: str) -> None:
        self._body = b""
        self._type = content_type
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            family, _, _, _, where = found[0]
            self._listener = socket.create_server(where[:2], family=family, backlog=128)
        except (OSError, UnicodeError, OverflowError) as error:
            # What create_server() says repeats the address; a name's lookup has no errno.
            number: int = getattr(error, "errno", None) or 0
            why = os.strerror(number) if number in errno.errorcode else error
            raise SourceError(f"--metrics {host}:{port}: {why}; choose another place") from None
        self._listener.setblocking(False)
        name = self._listener.getsockname()
        shown = f"[{name[0]}]" if ":" in name[0] else name[0]
        self.url = f"http://{shown}:{name[1]}/metrics"
        self.port = int(name[1])
        self._stopping, self._wake = socket.socketpair()
        self._thread = threading.Thread(target=self._run, name="tcpviz-metrics", daemon=True)
        self._thread.start()

    def publish(self, page: str) -> None:
        """From now on this is the page."""
        self._body = page.encode("utf-8")

    def close(self) -> None:
        """End it; more than once does no harm."""
        with contextlib.suppress(OSError):
            self._wake.send(b"x")
        self._thread.join(2.0)
        with contextlib.suppress(OSError):
            self._wake.close()

    # -- in its own thread ------------------------------------------------------

    def _run(self) -> None:
        clients: OrderedDict[int, _Client] = OrderedDict()
        with selectors.DefaultSelector() as selector, self._listener, self._stopping:
            selector.register(self._listener, selectors.EVENT_READ)
            selector.register(self._stopping, selectors.EVENT_READ)
            try:
                while self._turn(selector, clients):
                    pass
            finally:
                for client in clients.values():
                    client.peer.close()

    def _turn(self, selector: selectors.BaseSelector, clients: OrderedDict[int, _Client]) -> bool:
        wait = min((each.until for each in clients.values()), default=0.0) - time.monotonic()
        ready = selector.select(max(wait, 0.0) if clients else None)
        for key, _ in ready:
            if key.fileobj is self._stopping:
                return False
            if key.fileobj is self._listener:
                self._accept(selector, clients)
            elif key.fd in clients and not self._serve(selector, clients[key.fd]):
                self._end(selector, clients, key.fd)
        now = time.monotonic()
        for descriptor in [each for each, client in clients.items() if client.until <= now]:
            self._end(selector, clients, descriptor)
        return True

    def _accept(self, selector: selectors.BaseSelector, clients: OrderedDict[int, _Client]) -> None:
        try:
            peer, _ = self._listener.accept()
        except OSError:
            return  # it has gone again, or there are no descriptors left
        peer.setblocking(False)
        if len(clients) >= CLIENTS:
            self._end(selector, clients, next(iter(clients)))
        clients[peer.fileno()] = _Client(peer, time.monotonic() + PATIENCE_S)
        selector.register(peer, selectors.EVENT_READ)

    @staticmethod
    def _end(
        selector: selectors.BaseSelector, clients: OrderedDict[int, _Client], descriptor: int
    ) -> None:
        client = clients.pop(descriptor)
        selector.unregister(client.peer)
        client.peer.close()

    def _serve(self, selector: selectors.BaseSelector, client: _Client) -> bool:
        """Read what is asked, or write some of the answer; false where that was all."""
        try:
            if client.answer is None:
                piece = client.peer.recv(LONGEST)
                client.asked += piece
                if not piece or len(client.asked) > LONGEST:
                    return False
                if b"\r\n\r\n" not in client.asked and b"\n\n" not in client.asked:
                    return True
                client.answer = memoryview(self._answer(client.asked))
                selector.modify(client.peer, selectors.EVENT_WRITE)
            client.answer = client.answer[client.peer.send(client.answer) :]
            if client.answer:
                return True
            client.peer.shutdown(socket.SHUT_WR)
        except BlockingIOError:
            return True
        except OSError:
            pass
        return False

    def _answer(self, asked: bytes) -> bytes:
        words = asked.split(b"\n", 1)[0].split()
        method, target = (*words, b"", b"")[:2]
        path = target.split(b"?", 1)[0]
        if method not in (b"GET", b"HEAD"):
            return _response(
                "405 Method Not Allowed", "text/plain", b"GET only\n", more="Allow: GET, HEAD\r\n"
            )
        if path == b"/":
            return _response("200 OK", "text/plain", b"tcpviz: /metrics\n")
        if path != b"/metrics":
            return _response("404 Not Found", "text/plain", b"there is /metrics\n")
        return _response("200 OK", self._type, self._body, head=method == b"HEAD")


def _response(
    status: str, content_type: str, body: bytes, *, head: bool = False, more: str = ""
) -> bytes:
    lines = (
        f"HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n{more}\r\n"
    )
    return lines.encode("ascii") + (b"" if head else body)

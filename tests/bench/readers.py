"""Clients that read too slowly, and some that wait: ``python -m tests.bench.readers HOST PORT S``.

Beside windows that close they make keep-alives, probes, ends that stay half open, and resets. For
so many seconds, many at a time; what fails is begun anew. Needs a web server with the files that
:mod:`tests.bench.traffic` gives to it.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import struct
import sys
import time

TOGETHER = 1000
"""Of each kind."""

_ABORT = struct.pack("ii", 1, 0)
_TOO_LONG_S = 3


def _asked(name: str) -> bytes:
    return f"GET /{name}{random.randrange(8)}.html HTTP/1.1\r\nHost: x\r\n".encode()


def _kept_alive(sock: socket.socket) -> None:
    """A keep-alive each second from the first one on."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 1)


async def _slowly(server: tuple[str, int], end: float) -> None:
    """Ask for much with a small buffer, and read it in small parts; now and then leave at once."""
    loop = asyncio.get_running_loop()
    while time.monotonic() < end:
        with socket.socket() as sock, contextlib.suppress(OSError, TimeoutError):
            sock.setblocking(False)
            room = random.choice((4096, 8192, 16384))
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, room)
            _kept_alive(sock)
            if random.random() < 0.1:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _ABORT)
            await asyncio.wait_for(loop.sock_connect(sock, server), _TOO_LONG_S)
            await loop.sock_sendall(sock, _asked("m") + b"Connection: close\r\n\r\n")
            while time.monotonic() < end:
                await asyncio.sleep(random.choice((0, 0.01, 0.05, 0.3, 0.7)))
                most = random.choice((2000, 8000))
                if not await asyncio.wait_for(loop.sock_recv(sock, most), _TOO_LONG_S):
                    break


async def _now_and_then(server: tuple[str, int], end: float) -> None:
    """Ask for a little several times, and wait between, longer than a keep-alive does."""
    loop = asyncio.get_running_loop()
    while time.monotonic() < end:
        with socket.socket() as sock, contextlib.suppress(OSError, TimeoutError):
            sock.setblocking(False)
            _kept_alive(sock)
            await asyncio.wait_for(loop.sock_connect(sock, server), _TOO_LONG_S)
            for _ in range(random.randrange(1, 5)):
                await loop.sock_sendall(sock, _asked("s") + b"\r\n")
                await asyncio.wait_for(loop.sock_recv(sock, 100_000), _TOO_LONG_S)
                await asyncio.sleep(random.choice((0.1, 0.5, 1.5, 2.5)))


async def _all(server: tuple[str, int], seconds: float) -> None:
    end = time.monotonic() + seconds
    await asyncio.gather(
        *(kind(server, end) for kind in (_slowly, _now_and_then) for _ in range(TOGETHER))
    )


if __name__ == "__main__":
    asyncio.run(_all((sys.argv[1], int(sys.argv[2])), float(sys.argv[3])))

"""The web server: one page, a WebSocket for each visitor, and nothing for anybody else.

The page's JavaScript (xterm.js) and its font come from textual-serve and are
served from here: no other host is asked for anything.
"""

from __future__ import annotations

import asyncio
import html
import json
import logging
import os
import secrets
import signal
import socket
from collections.abc import Awaitable, Callable, Sequence
from importlib.resources import files
from typing import Any

from aiohttp import WSMsgType, web
from textual_serve.app_service import AppService
from textual_serve.server import Server

from tcpviz.serve import strokes
from tcpviz.serve.address import PORT, Address, own_number, written
from tcpviz.serve.child import Child, clamped
from tcpviz.serve.guard import Guard, owner
from tcpviz.words import _

HEARTBEAT_S = 15.0
"""A page that answers nothing for so long is gone, and its program with it."""

ENDING_S = 12.0
"""Time for all programs to end before their handlers are given up: more than each may take."""

MOST_MESSAGE = 1 << 20
"""Bytes of one message from a page: a large paste fits."""

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class ScreenServer(Server):
    """Serves ``argv`` at ``address``: each visitor a program of its own, ``most`` at once.

    ``say`` is told each line that is for the person at the server's terminal.
    ``refused`` counts requests that were turned away.
    """

    def __init__(
        self,
        argv: Sequence[str],
        address: Address,
        *,
        title: str,
        most: int,
        say: Callable[[str], None],
    ) -> None:
        super().__init__("", host=address.host, port=address.port or PORT, title=title)
        self.argv = list(argv)
        self.address = address
        self.guard = Guard.of(address)
        self.most = most
        self.refused = 0
        self._say = say
        self._here: set[web.WebSocketResponse] = set()
        self._visits = 0

    # -- the server's own life ------------------------------------------------

    async def run(self) -> None:
        """Serve until Ctrl-C or SIGTERM. Raises OSError where the address cannot be had."""
        for name in ("asyncio", "aiohttp", "textual-serve"):
            logging.getLogger(name).addHandler(logging.NullHandler())
            logging.getLogger(name).propagate = False
        over = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, over.set)
        runner = web.AppRunner(await self._make_app(), access_log=None, shutdown_timeout=ENDING_S)
        await runner.setup()
        try:
            self.port = await self._listen(runner)
            self.tell()
            await over.wait()
        finally:
            await asyncio.gather(
                *(one.close(code=1001, message=b"the server ends") for one in set(self._here)),
                return_exceptions=True,
            )
            await runner.cleanup()

    async def _listen(self, runner: web.AppRunner) -> int:
        """The port that it got: the usual one, or any free one where nobody has chosen."""
        chosen = self.address.port
        for port in [chosen] if chosen is not None else [PORT, 0]:
            site = web.TCPSite(runner, self.host, port)
            try:
                await site.start()
            except OSError:
                await site.stop()
                if chosen is not None or not port:
                    raise
            else:
                break
        return int(runner.addresses[0][1])

    @property
    def url(self) -> str:
        """What is to be opened, with the token if there is one."""
        host = own_number() if self.address.everywhere else self.address.host
        token = f"?token={self.guard.token}" if self.guard.token else ""
        return f"http://{written(host, self.port)}/{token}"

    def tell(self) -> None:
        """Where it is, and who can get there."""
        self._say(_("Open {url}").format(url=self.url))
        if self.guard.token:
            self._say(
                _(
                    "WARNING: others on the network can reach this. Only who has the whole URL "
                    "with its token gets in, but nothing is encrypted: whoever can listen on the "
                    "way can read it, and steer. On the loopback address (without HOST) nobody "
                    "else can."
                )
            )
        else:
            self._say(_("Only programs on this machine, and of this user, are answered."))
        said = _("Up to {n} visitors at once, each with a run of their own. Ctrl-C ends it all.")
        self._say(said.format(n=self.most))

    async def _make_app(self) -> web.Application:
        app = web.Application(middlewares=[self._watch], client_max_size=1024)
        app.add_routes(
            [
                web.get("/", self.handle_page),
                web.get("/ws", self.handle_websocket),
                web.get("/strokes.ttf", self.handle_strokes),
                web.get("/download/{key}", self.handle_download),
                web.static("/static", self.statics_path, show_index=False),
            ]
        )
        return app

    # -- who gets in ----------------------------------------------------------

    @property
    def _cookie(self) -> str:
        return f"tcpviz-{self.port}"  # cookies know no ports

    @web.middleware
    async def _watch(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        why = self._why_not(request)
        if why:
            self.refused += 1
            response: web.StreamResponse = web.Response(status=403, text=f"tcpviz: {why}\n")
        else:
            try:
                response = await handler(request)
            except web.HTTPException as error:
                error.headers.update(_HEADERS)
                raise
        if not response.prepared:
            response.headers.update(_HEADERS)
        return response

    def _why_not(self, request: web.Request) -> str:
        """Why this request is not answered; empty: it is."""
        guard = self.guard
        if not guard.knows(request.headers.get("Host", "")):
            return "this server does not answer to that name; open the URL that it printed"
        if not guard.same_origin(request.headers):
            return "this was asked by a page from elsewhere"
        if guard.token:
            given = request.query.get("token") or request.cookies.get(self._cookie, "")
            return "" if guard.admits(given) else "open the whole URL that was printed, with ?token"
        return "" if self._ours(request) else "this belongs to another user of this machine"

    @staticmethod
    def _ours(request: web.Request) -> bool:
        """On loopback: whether it is our own user who asks (or root, who may do all)."""
        transport = request.transport
        if transport is None:
            return False
        peer, own = transport.get_extra_info("peername"), transport.get_extra_info("sockname")
        user = owner(tuple(peer[:2]), tuple(own[:2])) if peer and own else None
        # Where the kernel has no such table (macOS) nobody can tell.
        return user is None or user in (0, os.getuid())

    # -- what they get --------------------------------------------------------

    async def handle_page(self, request: web.Request) -> web.Response:
        """The page."""
        if len(self._here) >= self.most:
            said = _("all {n} places are taken; try again when somebody has left")
            return web.Response(
                status=503,
                text=f"tcpviz: {said.format(n=self.most)}\n",
                headers={"Retry-After": "10"},
            )
        nonce = secrets.token_urlsafe(12)
        size = request.query.get("fontsize", "")
        font = min(max(int(size), 6), 72) if size.isascii() and size.isdecimal() else 16
        page = (files("tcpviz") / "serve" / "page.html").read_text("utf-8")
        words = {
            "TITLE": self.title,
            "STARTING": _("starting ..."),
            "OVER": _("It is over."),
            "AGAIN": _("Begin anew"),
            "FONT": str(font),
            "NONCE": nonce,
        }
        for name, text in words.items():
            page = page.replace(f"@{name}@", html.escape(text))
        response = web.Response(text=page, content_type="text/html")
        response.headers["Content-Security-Policy"] = _POLICY.format(nonce=nonce)
        if self.guard.token:
            response.set_cookie(
                self._cookie, self.guard.token, httponly=True, samesite="Strict", path="/"
            )
        return response

    async def handle_strokes(self, _request: web.Request) -> web.Response:
        """The font of what the chart's arrows are made of."""
        return web.Response(body=strokes.font(), content_type="font/ttf")

    async def handle_websocket(self, request: web.Request) -> web.WebSocketResponse:
        """One visitor: keys in, screen out, until one of the two ends it."""
        if len(self._here) >= self.most:
            raise web.HTTPServiceUnavailable(text="tcpviz: all places are taken\n")
        pipe = web.WebSocketResponse(heartbeat=HEARTBEAT_S, max_msg_size=MOST_MESSAGE)
        self._here.add(pipe)
        self._visits += 1
        visit, child = self._visits, None
        try:
            await pipe.prepare(request)
            self._count(_("visitor {n} came").format(n=visit))
            child = Child(
                self.argv,
                write_bytes=pipe.send_bytes,
                write_str=pipe.send_str,
                close=pipe.close,  # type: ignore[arg-type]
                download_manager=self.download_manager,
            )
            width, height = request.query.get("width", ""), request.query.get("height", "")
            await child.start(*clamped(_whole(width), _whole(height)))
            await self._process_messages(pipe, child)
        except ConnectionError:
            pass
        finally:
            try:
                if child is not None:
                    await asyncio.shield(child.stop())
            finally:
                self._here.discard(pipe)
                if child is not None:
                    self._count(_("visitor {n} left").format(n=visit))
        return pipe

    def _count(self, what: str) -> None:
        self._say(_("{what}; {n} here").format(what=what, n=len(self._here)))

    async def _process_messages(
        self, websocket: web.WebSocketResponse, app_service: AppService
    ) -> None:
        """What a page sends; one that does not keep to the form is shown out."""
        async for message in websocket:
            if message.type is not WSMsgType.TEXT:
                continue
            try:
                kind, *rest = json.loads(message.data)
                data: Any = rest[0] if rest else None
                if kind == "stdin":
                    await app_service.send_bytes(data.encode("utf-8", "replace"))
                elif kind == "resize":
                    await app_service.set_terminal_size(data["width"], data["height"])
                elif kind == "ping":
                    await websocket.send_json(["pong", str(data)[:40]])
                elif kind == "focus":
                    await app_service.focus()
                elif kind == "blur":
                    await app_service.blur()
            except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
                await websocket.close(code=1008, message=b"not understood")
                return


def _whole(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 6 else None


_HEADERS = {
    "Server": "tcpviz",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}

_POLICY = (
    "default-src 'none'; script-src 'self' 'nonce-{nonce}'; style-src 'self' 'unsafe-inline'; "
    "font-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)


def reachable(error: OSError) -> str:
    """Why an address cannot be had, in words."""
    if isinstance(error, socket.gaierror):
        return "no such host"
    return os.strerror(error.errno).lower() if error.errno else str(error)

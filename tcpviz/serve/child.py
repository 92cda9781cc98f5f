"""One visitor's own program: started with the page, fed with its keys, and ended with it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from asyncio.subprocess import PIPE, Process
from collections.abc import Awaitable, Callable, Sequence

from textual_serve.app_service import AppService
from textual_serve.download_manager import DownloadManager

WIDEST, TALLEST = 500, 200
"""Cells that a page may ask for; what it says is a claim."""

QUIT_S = 3.0
"""How long the program may take to end by itself, and then how long after SIGTERM."""

MOST_PACKET = 16 << 20
"""A packet from the program that claims to be longer ends it."""

MOST_SAID = 4096
"""Bytes that are kept of what the program complains."""

_READY = b"__GANGLION__\n"


def clamped(width: object, height: object) -> tuple[int, int]:
    """A terminal's size that there can be, whatever the page says."""
    wide = width if isinstance(width, int) else 80
    high = height if isinstance(height, int) else 24
    return min(max(wide, 10), WIDEST), min(max(high, 4), TALLEST)


class Child(AppService):
    """Runs ``argv`` with Textual's web driver; everything else is as textual-serve has it."""

    def __init__(
        self,
        argv: Sequence[str],
        *,
        write_bytes: Callable[[bytes], Awaitable[None]],
        write_str: Callable[[str], Awaitable[None]],
        close: Callable[[], Awaitable[None]],
        download_manager: DownloadManager,
    ) -> None:
        super().__init__(
            "",
            write_bytes=write_bytes,
            write_str=write_str,
            close=close,
            download_manager=download_manager,
        )
        self._argv = list(argv)
        self._said = b""
        self._gone = False

    def _build_environment(self, width: int = 80, height: int = 24) -> dict[str, str]:
        made = super()._build_environment(width, height)
        # The browser is the terminal, whatever this server was started from.
        for name in ("SSH_CONNECTION", "SSH_TTY", "MOSH_CONNECTION", "TEXTUAL_FPS", "LINES"):
            made.pop(name, None)
        made |= {"TERM": "xterm-256color", "COLORTERM": "truecolor", "ROWS": str(height)}
        return made

    async def _open_app_process(self, width: int = 80, height: int = 24) -> Process:
        # A session of its own: Ctrl-C on the server's terminal reaches the server alone, which
        # then ends each program in order.
        process = await asyncio.create_subprocess_exec(
            *self._argv,
            stdin=PIPE,
            stdout=PIPE,
            stderr=PIPE,
            env=self._build_environment(width, height),
            start_new_session=True,
        )
        self._process, self._stdin = process, process.stdin
        return process

    async def set_terminal_size(self, width: int, height: int) -> None:
        wide, high = clamped(width, height)
        await super().set_terminal_size(wide, high)

    async def run(self) -> None:
        """Pass on what the program writes, until it ends."""
        process = self._process
        assert process is not None
        assert process.stdout is not None
        assert process.stderr is not None
        listening = asyncio.create_task(self._listen(process.stderr))
        started = False
        try:
            started = await self._starts(process.stdout)
            while started:
                head = await process.stdout.readexactly(5)
                size = int.from_bytes(head[1:], "big")
                if size > MOST_PACKET:
                    break
                await self._pass_on(head[:1], await process.stdout.readexactly(size))
        except asyncio.IncompleteReadError:
            pass
        finally:
            await self._end(process)
            listening.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await listening
            if self._said and (not started or process.returncode):
                await self._pass_on(b"D", self._last_words())
            self._gone = True
            with contextlib.suppress(ConnectionError, RuntimeError):
                await self.remote_close()

    async def _starts(self, out: asyncio.StreamReader) -> bool:
        for _line in range(10):
            line = await out.readline()
            if line == _READY:
                return True
            if not line:
                break
        return False

    async def _listen(self, err: asyncio.StreamReader) -> None:
        while data := await err.read(4096):
            self._said = (self._said + data)[-MOST_SAID:]

    def _last_words(self) -> bytes:
        """What it complained of, fit for the page's terminal."""
        text = self._said.decode("utf-8", "replace")
        shown = "".join(c if c.isprintable() or c == "\n" else "?" for c in text)
        return ("\x1b[?1049l\x1b[2J\x1b[H" + shown.replace("\n", "\r\n")).encode()

    async def _pass_on(self, kind: bytes, payload: bytes) -> None:
        """To the page; once it is gone what still comes is read and let fall."""
        if self._gone:
            return
        try:
            if kind == b"D":
                await self.on_data(payload)
            elif kind == b"M":
                await self.on_meta(payload)
            elif kind == b"P":
                await self.on_packed(payload)
        except (ConnectionError, RuntimeError):
            self._gone = True

    async def stop(self) -> None:
        """End the program and wait until it has; by force, if it must be."""
        task, process = self._task, self._process
        if task is None or process is None:
            return
        self._task = None
        self._gone = True
        await self._download_manager.cancel_app_downloads(app_service_id=self.app_service_id)
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self.send_meta({"type": "quit"}), 1.0)
        if process.stdin is not None:
            process.stdin.close()  # read to its end, it tells a program that hears nothing else
        await asyncio.wait({task}, timeout=QUIT_S)
        await self._end(process)
        await task

    async def _end(self, process: Process) -> None:
        """Nothing of the program is left afterwards, neither itself nor what it started."""
        for number in (0, signal.SIGTERM, signal.SIGKILL):
            if process.returncode is None and number:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, number)
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(process.wait(), QUIT_S if number else 0.5)
            if process.returncode is not None:
                return

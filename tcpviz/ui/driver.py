"""The terminal's driver: it sleeps while nobody types, and takes over what stands there already."""

from __future__ import annotations

import os
import selectors
import signal
import threading
import weakref
from codecs import getincrementaldecoder
from collections.abc import Callable
from contextlib import suppress
from time import monotonic
from typing import Any

from textual._parser import ParseError
from textual._xterm_parser import XTermParser
from textual.drivers.linux_driver import LinuxDriver

from tcpviz.ui.firstpaint import taken_over
from tcpviz.ui.terminal import as_found

_ALTERNATE = "\x1b[?1049h"

AT_ONCE = 4096
"""Bytes of what was typed that are read together."""

TRIES = 100
"""How often the terminal is asked for anew, having been continued in the background."""

HUNG_UP_S = 0.1
"""Pause where the terminal is readable and gives nothing: it is gone, which others notice."""


class Ending(threading.Event):
    """An event that a selector can wait for too: ``ear`` is readable once it was set."""

    def __init__(self) -> None:
        super().__init__()
        self.ear, self._mouth = os.pipe()
        os.set_blocking(self.ear, False)
        for each in (self.ear, self._mouth):
            weakref.finalize(self, os.close, each)

    def set(self) -> None:
        super().set()
        os.write(self._mouth, b".")

    def clear(self) -> None:
        super().clear()
        with suppress(BlockingIOError):
            os.read(self.ear, AT_ONCE)


class SleepingDriver(LinuxDriver):
    """Waits for what is typed for as long as it takes; Textual looks ten times a second."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self.exit_event: Ending = Ending()
        self._heard = self._expected = self._continued = False

    def start_application_mode(self) -> None:
        """Take the terminal; what is put back later is what was there before anything of ours."""
        super().start_application_mode()  # type: ignore[no-untyped-call]
        self.attrs_before = as_found()

    # Textual's own handlers write to the screen between any two instructions of the main thread,
    # which may hold the lock of the very queue that is written to. So the loop does what is to
    # be done; the handlers do no more than tell it.

    def _sigtstp_application(self, *_ignored: Any) -> None:
        self._continued = False
        self._later(self._rest)

    def _sigcont_application(self, *_ignored: Any) -> None:
        self._continued = True
        self._later(self._rested)

    def hear_stops(self) -> None:
        """From now on SIGTSTP gives the terminal back and stops, SIGCONT takes it again.

        Before, half of a screen would be left.
        """
        self._heard = True

    def _later(self, what: Callable[[], None]) -> None:
        if self._heard and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(what)

    def _rest(self) -> None:
        """Stop here, in the shell's order, and go on when it says so."""
        self.suspend_application_mode()
        if not self._continued:  # nor waits for an order that has come meanwhile
            os.kill(os.getpid(), signal.SIGSTOP)
        self._take_again()
        self._expected = True

    def _rested(self) -> None:
        """Continued; stopped without being asked (SIGSTOP), the terminal is taken anew."""
        if not self._expected:
            self.suspend_application_mode()
            self._take_again()
        self._expected = False

    def _take_again(self) -> None:
        gone = self._writer_thread
        for _ in range(TRIES):
            self._must_signal_resume = True
            self.resume_application_mode()
            # In the background it was stopped once more instead.
            if self._writer_thread is not gone:
                return
        os._exit(128 + signal.SIGTTOU)  # a terminal that will never be ours again

    def run_input_thread(self) -> None:
        """Read what is typed and hand on what it means, until the end is asked for."""
        parser = XTermParser(self._debug)
        decode = getincrementaldecoder("utf-8")("replace").decode
        ending = self.exit_event
        with selectors.SelectSelector() as selector:  # macOS polls no terminals by kqueue
            selector.register(self.fileno, selectors.EVENT_READ)
            selector.register(ending.ear, selectors.EVENT_READ)
            while not ending.is_set():
                ready = selector.select(_patience(parser))
                if any(key.fd == self.fileno for key, _ in ready):
                    typed = os.read(self.fileno, AT_ONCE)
                    if not typed:
                        ending.wait(HUNG_UP_S)
                    # An empty text would tell the parser that there will be no more.
                    elif text := decode(typed):
                        for message in parser.feed(text):
                            self.process_message(message)
                for message in parser.tick():
                    self.process_message(message)
        with suppress(EOFError, ParseError):
            for _message in parser.feed(""):
                pass


def _patience(parser: XTermParser) -> float | None:
    """Seconds until an Esc is known to be one and not a longer key's beginning; ``None``: none."""
    due = parser._timeout_time
    return None if due is None else max(due - monotonic(), 0.0)


class StillDriver(SleepingDriver):
    """Does not enter the alternate screen the first time: it is there, and would be wiped."""

    _there = True

    def write(self, data: str) -> None:
        if self._there and data == _ALTERNATE:
            self._there = False
            taken_over()
            return
        super().write(data)

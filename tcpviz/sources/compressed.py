"""Compressed captures: recognised by their first bytes, unpacked piece by piece.

Pieces of output are bounded, so that a small file that unpacks to a huge one
costs no more memory than any other.
"""

from __future__ import annotations

import bz2
import contextlib
import importlib
import lzma
import zlib
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Protocol

from tcpviz.sources.feed import SourceError

PIECE = 256 * 1024
"""Most bytes of output at a time, where nothing else is said."""

_MAGIC = {
    b"\x1f\x8b": "gzip",
    b"\xfd7zXZ\x00": "xz",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"BZh": "bzip2",
    b"\x04\x22\x4d\x18": "lz4",
}


def compression(head: bytes) -> str | None:
    """The name of the compression whose magic number begins ``head`` (six bytes or more)."""
    return next((name for magic, name in _MAGIC.items() if head.startswith(magic)), None)


class _Unpacker(Protocol):
    """What the standard library's decompressors have in common."""

    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int = -1) -> bytes: ...


class _DamagedError(Exception):
    """The data is damaged after what unpacked to ``output``."""

    def __init__(self, why: str, output: bytes) -> None:
        super().__init__(why)
        self.output = output


class _Gzip:
    """zlib's decompressor in the shape of the others'."""

    def __init__(self) -> None:
        self._zlib = zlib.decompressobj(31)  # 31: with gzip's header and checksum
        self._full = False

    @property
    def eof(self) -> bool:
        return self._zlib.eof

    @property
    def needs_input(self) -> bool:
        return not (self._full or self._zlib.unconsumed_tail)

    @property
    def unused_data(self) -> bytes:
        return self._zlib.unused_data

    def decompress(self, data: bytes, max_length: int = -1) -> bytes:
        data = self._zlib.unconsumed_tail + data
        before = self._zlib.copy()
        try:
            output = self._zlib.decompress(data, max_length)
        except zlib.error as error:
            # zlib keeps back all that this call unpacked; byte by byte it does not.
            output = b""
            with contextlib.suppress(zlib.error):
                for at in range(len(data)):
                    output += before.decompress(data[at : at + 1])
            raise _DamagedError(str(error), output) from None
        # With the input used up, a full piece may still have more behind it.
        self._full = len(output) == max_length and not self._zlib.eof
        return output


_zstd_module: ModuleType | None
_errors: tuple[type[Exception], ...] = (lzma.LZMAError, OSError, EOFError, ValueError)
try:
    _zstd_module = importlib.import_module("compression.zstd")  # from Python 3.14 on
    _errors += (_zstd_module.ZstdError,)
except ImportError:
    _zstd_module = None


def _zstd() -> _Unpacker:
    if _zstd_module is None:
        raise SourceError(
            "compressed with zstd, which this Python cannot unpack (3.14 can): "
            "zstd -dc FILE | tcpviz read -"
        )
    unpacker: _Unpacker = _zstd_module.ZstdDecompressor()
    return unpacker


def _lz4() -> _Unpacker:
    raise SourceError("compressed with lz4; unpack it first: lz4 -dc FILE | tcpviz read -")


_UNPACKERS: dict[str, Callable[[], _Unpacker]] = {
    "gzip": _Gzip,
    # The limit is for the dictionary that a header may ask for; xz -9 needs 65 MiB.
    "xz": lambda: lzma.LZMADecompressor(memlimit=256 * 1024 * 1024),
    "bzip2": bz2.BZ2Decompressor,
    "zstd": _zstd,
    "lz4": _lz4,
}


class Decompressor:
    """Unpacks one stream, and those behind it if several were joined, a ``piece`` at a time.

    ``damaged`` tells after what was wrong, if anything was: what had been
    unpacked until there has been given, the rest is ignored.
    """

    def __init__(self, name: str, piece: int = PIECE) -> None:
        self._piece = piece
        self._new = _UNPACKERS[name]
        self._unpacker = self._new()
        self._name = name
        self._between = False  # one stream is over, and no next one has begun
        self._head = b""
        self.damaged: str | None = None

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Pieces of what these bytes unpack to, each of at most so many bytes."""
        while not self.damaged:
            if self._between:
                data = self._next_stream(data)
                if self._between:
                    return
            try:
                output = self._unpacker.decompress(data, self._piece)
            except _DamagedError as error:
                if error.output:
                    yield error.output
                self.damaged = f"the {self._name} data is damaged ({error})"
                return
            except _errors as error:
                self.damaged = f"the {self._name} data is damaged ({error})"
                return
            if output:
                yield output
            data = b""
            if self._unpacker.eof:
                data = self._unpacker.unused_data
                self._between = True
            elif self._unpacker.needs_input:
                return

    def finish(self) -> None:
        """There are no more bytes: says in ``damaged`` if the stream was not over."""
        if not self.damaged and not self._between:
            self.damaged = f"the {self._name} data is cut"

    def _next_stream(self, data: bytes) -> bytes:
        """Begin with the next stream where there is one; padding and other things are ignored."""
        self._head = (self._head + data).lstrip(b"\0")
        if len(self._head) < 6:
            return b""
        if compression(self._head) == self._name:
            self._between = False
            self._unpacker = self._new()
        data, self._head = self._head, b""
        return data

"""Tables handed over from one process to another: pickled, their columns in memory that both have.

What is in that memory is told by its place there; what belongs to a process (the capture that it
has open, its windows) is told by name, and the other one has its own. All else goes through the
pipe as it is. It is taken in frames of 64 KiB, between which others may have the interpreter: a
key does not wait for a table.
"""

from __future__ import annotations

import copy
import copyreg
import gc
import io
import mmap
import os
import pickle
import struct
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tcpviz.bulk.connections.building import Building
from tcpviz.bulk.segments.columns import Column, Columns
from tcpviz.bulk.segments.reading import Reading
from tcpviz.bulk.segments.windows import Windows

Array = NDArray[Any]

_ALIGN = 1 << 12  # bytes: what is beside another column is not in its pages

_FRAME = 1 << 16  # bytes, as pickle has it

_OWN = "capture", "status", "_file", "_pipe", "_spool"
"""What a reading has of its process; the other one's reading has its own."""

copyreg.pickle(struct.Struct, lambda made: (struct.Struct, (made.format,)))  # parsers have some


class Shared(Columns):
    """Columns in the arena, as far as there is room in it."""

    def __init__(self, arena: mmap.mmap, *how: Any, **more: Any) -> None:
        self.arena, self._used = arena, 0
        super().__init__(*how, **more)

    def _empty(self, count: int, kind: Any) -> Column:
        size = count * np.dtype(kind).itemsize
        begin = self._used
        if begin + size > len(self.arena):
            return np.empty(count, kind)
        self._used = -(-(begin + size) // _ALIGN) * _ALIGN
        return np.ndarray((count,), kind, self.arena, begin)


class Giver:
    """Gives objects to another process, each by itself, through the descriptor ``into``."""

    def __init__(self, arena: mmap.mmap, into: int) -> None:
        self._into = os.fdopen(into, "wb", buffering=_FRAME)
        whole = np.ndarray((len(arena),), np.uint8, arena)
        self._begin, self._end = _span(whole)
        self._table: dict[type, Callable[[Any], Any]] = {
            np.ndarray: self._array,
            Reading: _reading,
            Shared: _columns,
            Windows: lambda _: (_windows, ()),
            Building: _building,
            type(threading.RLock()): lambda _: (threading.RLock, ()),
        }

    def give(self, made: object) -> None:
        """Raises OSError where nobody takes it."""
        pickler = pickle.Pickler(self._into, pickle.HIGHEST_PROTOCOL)
        pickler.dispatch_table = {**copyreg.dispatch_table, **self._table}
        gc.disable()  # what is pickled would be looked through for garbage again and again
        try:
            pickler.dump(made)
        finally:
            gc.enable()
        self._into.flush()

    def _array(self, array: Array) -> Any:
        begin, end = _span(array)
        if self._begin <= begin and end <= self._end and begin < end:
            return _part, (begin - self._begin, array.shape, array.strides, array.dtype)
        base = array.base
        if isinstance(base, np.ndarray) and base.nbytes == array.nbytes and _alike(array, base):
            return _view, (base, array.flags.writeable)
        if array.ndim == 1 and len(array) and array.strides == (0,):
            return np.broadcast_to, (array[:1].copy(), array.shape)
        return array.__reduce_ex__(pickle.HIGHEST_PROTOCOL)


def _span(array: Array) -> tuple[int, int]:
    return np.lib.array_utils.byte_bounds(array) if array.size else (0, 0)


def _alike(one: Array, other: Array) -> bool:
    names = "shape", "strides", "dtype"
    return all(getattr(one, name) == getattr(other, name) for name in names)


def _reading(reading: Reading) -> Any:
    own = {name: each for name, each in vars(reading).items() if name not in _OWN}
    kept = reading.kept
    if kept is None:
        raise OSError("what was kept lies in a file that the other process does not have")
    return _like_reading, (), (own, kept), None, None, _with_kept


def _with_kept(reading: Reading, given: tuple[dict[str, Any], bytes]) -> None:
    own, kept = given
    vars(reading).update(own)
    reading.keep_also(kept)


def _columns(columns: Shared) -> Any:
    own = {name: each for name, each in vars(columns).items() if name not in ("arena", "_used")}
    return _bare, (Columns,), own


def _building(building: Building) -> Any:
    # Each is known by its id() there, which is another one here.
    known = {id(each): each for _, each in building.followed}
    formers = [(known[which], each) for which, each in building.formers.items()]
    own = vars(building) | {"formers": formers}
    return _bare, (type(building),), own, None, None, _settled


def _bare(kind: Any) -> Any:
    return kind.__new__(kind)


def _settled(building: Building, own: dict[str, Any]) -> None:
    own["formers"] = {id(one): each for one, each in own["formers"]}
    vars(building).update(own)


def _view(base: Array, writeable: bool) -> Array:
    made = base.view()
    made.flags.writeable = writeable and base.flags.writeable
    return made


# Those who take put their own in the place of these.


def _part(begin: int, shape: Any, strides: Any, kind: Any) -> Array:
    raise NotImplementedError


def _windows() -> Windows:
    raise NotImplementedError


def _like_reading() -> Reading:
    raise NotImplementedError


class Taker:
    """Takes what a :class:`Giver` gives, from the descriptor ``source``.

    ``reading`` and ``windows`` are those of this process.
    """

    def __init__(
        self, arena: mmap.mmap, source: int, reading: Reading, windows: Windows | None
    ) -> None:
        self._source = io.BufferedReader(_Pipe(source), _FRAME)
        self._known = {
            "_part": lambda begin, shape, strides, kind: np.ndarray(
                shape, kind, arena, begin, strides
            ),
            "_windows": lambda: windows,
            "_like_reading": lambda: copy.copy(reading),
        }

    def take(self) -> Any:
        """The next one. Raises EOFError where none comes, or not all of one."""
        unpickler = _Unpickler(self._source)
        unpickler.known = self._known
        try:
            return unpickler.load()
        except (pickle.UnpicklingError, OSError) as error:
            raise EOFError from error


class _Unpickler(pickle.Unpickler):
    known: dict[str, Any]

    def find_class(self, module: str, name: str, /) -> Any:
        if module == __name__ and name in self.known:
            return self.known[name]
        return super().find_class(module, name)


class _Pipe(io.RawIOBase):
    """A descriptor, read in Python: between two calls another thread may go on."""

    def __init__(self, source: int) -> None:
        self._source = source

    def readable(self) -> bool:
        return True

    def readinto(self, room: Any, /) -> int:
        return os.readv(self._source, [room])

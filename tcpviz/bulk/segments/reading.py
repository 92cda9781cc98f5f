"""A capture file read into columns, and single segments read from it again."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from tcpviz.bulk import forks
from tcpviz.bulk.segments import plain
from tcpviz.bulk.segments.columns import SMALLEST, Columns, Piece, Tables
from tcpviz.bulk.segments.headers import Gathered, gather
from tcpviz.bulk.segments.icmp import SIZE as ERROR_SIZE
from tcpviz.bulk.segments.icmp import Errors
from tcpviz.bulk.segments.records import PIECE, Batch, Longs, bulk_stream
from tcpviz.bulk.segments.windows import Windows
from tcpviz.core.records import Gap, Unreachable
from tcpviz.core.segment import Segment
from tcpviz.sources.feed import FeedStatus
from tcpviz.sources.files import CaptureFile, open_capture
from tcpviz.sources.pipes import Pipe, PipeCapture
from tcpviz.sources.spool import Spool
from tcpviz.sources.stream import CaptureStream
from tcpviz.wire.decoder import Decoder
from tcpviz.wire.frame import Frame

MAX_KEPT = 200_000
"""Segments that no frame holds alone and that are kept as objects, 1 kB each and more."""

MAX_ERRORS = 1 << 22
"""ICMP errors that are kept, 60 bytes each; fewer where memory is short."""


MAX_GAPS = 20_000
"""Times at which packets were lost that are kept."""


_AT_ONCE = 1 << 12
_TOLD = "captured", "where", "time", "source", "wire", "frame"
"""Columns that are asked in order to read a segment again."""

Told = tuple[int, int, int, int, int, int, int]
"""A row, and what those columns have of it."""


@dataclass(frozen=True, slots=True)
class Lost:
    """Packets were lost before ``frame``, and so before the row ``row``."""

    row: int
    frame: int
    gap: Gap


class Stand(NamedTuple):
    """Where a reading stands, for another one of the same file that goes on from there.

    ``stream`` and ``decoder`` with what they have of records and datagrams that are not whole yet
    """

    stream: CaptureStream
    decoder: Decoder
    position: int
    columns: Columns
    errors: Errors
    gaps: list[Lost]
    losses: dict[int, int]
    singly: int


class Unsuited(Exception):  # noqa: N818 - it is no failure: there is another way
    """This capture is not for columns; the scalar core can read it. The reason is the text."""


def _sources(tables: Tables, batch: Batch, places: Longs) -> Longs:
    links, interfaces = batch.link_type[places].tolist(), batch.interface[places].tolist()
    return np.array([tables.source(*each) for each in zip(links, interfaces, strict=True)])


def _merged(piece: Piece, others: Piece, order: Longs) -> Piece:
    """Both together, in another order."""
    return {
        name: np.concatenate(
            [np.asarray(piece.get(name, ()), np.int64), np.asarray(others[name], np.int64)]
        )[order]
        for name in others
    }


class Reading:
    """A capture on its way into columns.

    ``capture``  the file, and ``decoder`` what takes what columns do not
    ``columns``  what has been read; complete once :meth:`read` has returned
    ``status``   as a feed's
    ``errors``   ICMP errors about TCP, with the row before which each came; ``most_errors`` at most
    ``gaps``     where the capture says that packets were lost
    ``title``    the file's name
    ``singly``   segments that were read one by one

    ``windows`` are for columns that are more than memory may take. Of a pipe the one that reads
    it last can read segments again. ``heads`` as in :class:`Columns`, which ``columns`` makes.
    """

    def __init__(
        self,
        path: str | Pipe,
        windows: Windows | None = None,
        *,
        heads: bool = False,
        columns: Callable[..., Columns] = Columns,
    ) -> None:
        self.capture: CaptureFile = (
            open_capture(path, bulk_stream, PIECE)
            if isinstance(path, str)
            else path.capture(bulk_stream, PIECE)
        )
        self.title = self.capture.name
        self.columns = columns((self.capture.size or 0) // SMALLEST, windows, heads=heads)
        self.errors = Errors(self.columns.tables)
        self.most_errors = MAX_ERRORS
        if windows is not None:
            self.most_errors = min(MAX_ERRORS, windows.limit // (4 * ERROR_SIZE))
        self.gaps: list[Lost] = []
        self.singly = 0
        self.status = FeedStatus(size=self.capture.size)
        self.decoder = Decoder()
        self._file: IO[bytes] | None = None
        self._pipe = None if isinstance(path, str) else path.kept
        self._spool = Spool()
        self._losses: dict[int, int] = {}  # by the frame before which they were
        if isinstance(path, str) and path != "-" and self.capture.size is not None:
            self._file = Path(path).open("rb", buffering=0)  # noqa: SIM115

    def begin_anew(self, columns: Columns, decoder: Decoder) -> None:
        """In a fork: forget what has been read; what comes now is told in these."""
        self.columns, self.decoder = columns, decoder
        self.errors, self.gaps, self.singly = Errors(columns.tables), [], 0
        self._losses, self._spool = {}, Spool()

    def stand(self) -> Stand:
        """Where it stands between two reads, whatever it does after that."""
        stream, decoder = copy.deepcopy((self.capture.stream, self.decoder))
        columns = copy.copy(self.columns)
        columns.kept = dict(columns.kept)
        errors, gaps, losses = self.errors.frozen(), list(self.gaps), dict(self._losses)
        return Stand(
            stream, decoder, self.capture.position, columns, errors, gaps, losses, self.singly
        )

    def go_on(self, stand: Stand) -> None:
        """Another one has read to there."""
        self.capture.take_over(stand.stream, stand.position)
        self.decoder, self.columns, self.errors = stand.decoder, stand.columns, stand.errors
        self.gaps, self._losses, self.singly = stand.gaps, stand.losses, stand.singly
        self._tell()

    @property
    def keeps(self) -> bool:
        """Whether it keeps more of what it has read than columns, and counts."""
        return bool(self.gaps or self.columns.kept or self._spool.size)

    @property
    def kept_on_disk(self) -> bool:
        """Whether so much cannot be read again that it lies in a file of its own."""
        return self._spool.on_disk > 0

    @property
    def kept(self) -> bytes | None:
        """The bytes of frames that cannot be read again as they are; ``None``: too many to give."""
        return self._spool.in_memory()

    def keep_also(self, kept: bytes) -> None:
        """What another process has kept of the same capture, in the same places."""
        if len(kept) > self._spool.size:
            self._spool.append(kept[self._spool.size :])

    def wait_with(self, more: Callable[[], bool], idle: Callable[[], None]) -> None:
        """At the end of a plain file ask ``more`` whether there is more of it now.

        ``idle`` is called again and again while nothing comes through a pipe.
        """
        if isinstance(self.capture, PipeCapture):
            self.capture.idle = idle
        elif not self.capture.stream.packed:
            self.capture.at_end = more

    def stop(self) -> None:
        """End the reading soon; from any thread."""
        self.capture.stop()

    def close(self) -> None:
        """Segments cannot be read again after this."""
        self.capture.close()
        self._spool.close()
        if self._file is not None:
            self._file.close()

    def read(self, progress: Callable[[FeedStatus], None] | None = None) -> None:
        """Read it to its end. Raises SourceError, and Unsuited where columns cannot hold it.

        What was read before it was stopped, or before an error, is in the columns.
        """
        try:
            for batch in self._batches():
                self.take(batch)
                self._tell()
                if progress is not None:
                    progress(self.status)
            self.decoder.finish()
            self._append(self._drain())
        finally:
            self._tell()
            self.status.done = True
            self.capture.close()
            self.columns.close()

    def _batches(self) -> Iterator[Batch]:
        stream, ahead = self.capture.stream, None
        try:
            for given in self.capture.pieces():
                if stream.losses:
                    self._losses |= stream.losses
                if stream.customs:
                    raise Unsuited("it is a recording of the lab")
                yield from cast("list[Batch]", given)
                if ahead is None and forks.hands() > 1:
                    from tcpviz.bulk.segments.ahead import Ahead  # not wanted for a small file

                    ahead = Ahead(self)
                if ahead is not None:
                    ahead.look()
        finally:
            if ahead is not None:
                ahead.close()
        if stream.customs:
            raise Unsuited("it tells more than packets")

    def _keep(self, batch: Batch) -> int | None:
        """Keep the bytes of what cannot be read twice: a pipe, a compressed file.

        What is read again from the capture itself has its place there, what was kept
        the place in what was kept, less 2 and the sign turned (-1 is for neither).
        """
        again = self._file is not None or self._pipe is not None
        if again and batch.origin >= 0 and not self.capture.stream.packed:
            return None
        return self._spool.append(batch.data)

    # -- what comes in ------------------------------------------------------

    def take(self, batch: Batch) -> None:
        """Add a batch. Raises Unsuited."""
        columns, decoder = self.columns, self.decoder
        if len(batch) and int(batch.wire.max()) > 0xFFFF:
            columns.widen()
        found = gather(batch, columns.tables, plain.take(batch), self.errors)
        at = self._keep(batch)
        where = batch.start + batch.origin if at is None else -2 - at - batch.start
        found.piece["where"] = where[found.rows]
        decoder.frames += len(found.rows)
        decoder.segments += len(found.rows)
        if max(len(columns.tables.sources), len(columns.tables.scopes)) > 0xFFFF:
            raise Unsuited("too many interfaces or VLANs")
        lost = self._lost_in(batch) if self._losses else []
        if not len(found.slow) and not found.alike and not lost:
            columns.append(found.piece)
            return
        slow: list[Segment] = []
        places: list[int] = []
        again: list[bool] = []
        told: list[tuple[int, int, Unreachable]] = []
        singly = [*found.alike, *((each, 0) for each in found.slow.tolist())]
        quoting = () if found.errors is None else set(found.errors[0].tolist())
        for place, alike in sorted(singly):
            while lost and lost[0] <= place:
                self._lose(batch, lost.pop(0), found.rows, len(slow))
            made, alone = self._slow(batch.frame(place))
            if alike > 1:
                decoder.skip_alike(batch.frame(place), alike - 1)
            if decoder.errors and place not in quoting:
                before = int(np.searchsorted(found.rows, place))
                row = columns.count + before + len(slow) + len(made)
                told += [(place, row, error) for error in decoder.errors]
            decoder.errors.clear()
            slow += made
            places += [place] * len(made)
            again += [alone] * len(made)
        for place in lost:
            self._lose(batch, place, found.rows, len(slow))
        self._tell_errors(found, told, places)
        if not slow:
            columns.append(found.piece)
            return
        others = columns.rows_of(slow)
        mine = np.array(places, np.int64)
        once = np.array(again, np.bool_)
        others["where"] = np.where(once, where[mine], -1)
        self.singly += len(slow)
        others["captured"] = batch.captured[mine]
        others["wire"] = np.minimum(batch.wire[mine], 0xFFFFFFFF)
        others["source"] = _sources(columns.tables, batch, mine)
        if len(columns.kept) + len(once) - int(once.sum()) > MAX_KEPT:
            raise Unsuited("most of it is in fragments, or in other forms that are read one by one")
        # Each where its frame stands.
        order = np.argsort(np.concatenate([found.rows, mine]), kind="stable")
        fast, first = len(found.rows), columns.count
        for place in np.flatnonzero(order >= fast).tolist():
            one = int(order[place]) - fast
            if not again[one]:
                columns.kept[first + place] = slow[one]
        columns.append(_merged(found.piece, others, order))

    def _tell_errors(
        self, found: Gathered, told: list[tuple[int, int, Unreachable]], slow: list[int]
    ) -> None:
        """Note a batch's ICMP errors: those found at once, and those ``told`` (place, row, error).

        ``slow`` are the places of segments that were read one by one.
        """
        errors = self.errors
        pieces, places = [], []
        if found.errors is not None:
            at, piece = found.errors
            row = self.columns.count + np.searchsorted(found.rows, at)
            row += np.searchsorted(np.array(slow, np.int64), at)
            pieces.append(piece | {"row": row})
            places.append(at)
        if told:
            pieces.append(errors.piece([each for *_, each in told], [row for _, row, _ in told]))
            places.append(np.array([place for place, *_ in told]))
        if not pieces:
            return
        order = np.argsort(np.concatenate(places), kind="stable")
        errors.append(
            {name: np.concatenate([each[name] for each in pieces])[order] for name in pieces[0]}
        )
        if len(errors) > self.most_errors:
            raise Unsuited("too many ICMP errors")

    def _lost_in(self, batch: Batch) -> list[int]:
        """Places in a batch before which packets were lost."""
        end = batch.first + len(batch)
        mine = [number for number in sorted(self._losses) if batch.first <= number < end]
        return [number - batch.first for number in mine]

    def _lose(self, batch: Batch, place: int, rows: Longs, slow: int) -> None:
        """Note what was lost before a place; of those before it so many were read one by one."""
        number = batch.first + place
        row = self.columns.count + int(np.searchsorted(rows, place)) + slow
        lost = self._losses.pop(number)
        gap = Gap(int(batch.time_ns[place]), lost, "the capturing program")
        self.gaps.append(Lost(row, number, gap))
        if len(self.gaps) > MAX_GAPS:
            raise Unsuited("packets were lost at too many places")

    def _slow(self, frame: Frame) -> tuple[list[Segment], bool]:
        """The segments of a frame; whether it alone holds what makes them."""
        before = self.decoder.reassembled
        segment = self.decoder.decode(frame)
        made = [] if segment is None else [segment]
        if self.decoder.extra:
            return made + self._drain(), False
        return made, self.decoder.reassembled == before

    def _drain(self) -> list[Segment]:
        made = list(self.decoder.extra)
        self.decoder.extra.clear()
        return made

    def _append(self, segments: list[Segment]) -> None:
        """What comes at the end: fragments that were given up."""
        if segments:
            for number, one in enumerate(segments, self.columns.count):
                self.columns.kept[number] = one
            self.columns.append(self.columns.rows_of(segments))

    def _tell(self) -> None:
        windows = self.columns.windows
        self.capture.tell(self.status, self.decoder, () if windows is None else windows.notes)

    # -- and out again ------------------------------------------------------

    def segment(self, row: int, decoder: Decoder) -> Segment:
        """The segment of a row, read from the capture once more."""
        return next(self.segments([row], decoder))

    def segments(self, rows: Sequence[int], decoder: Decoder) -> Iterator[Segment]:
        """The segments of some rows, one by one."""
        for at in range(0, len(rows), _AT_ONCE):
            # All at once: to ask a column for a number takes as long as to decode a tenth.
            for told in self.told(rows[at : at + _AT_ONCE]):
                yield self.made(told, decoder)

    def told(self, rows: Sequence[int] | Longs) -> list[Told]:
        """Of some rows what :meth:`made` asks for."""
        array = self.columns.array
        columns = (array[name][rows].tolist() for name in _TOLD)
        each = rows if isinstance(rows, list) else np.asarray(rows).tolist()
        return list(zip(each, *columns, strict=True))

    def made(self, told: Told, decoder: Decoder) -> Segment:
        """The segment of a row, read from the capture once more."""
        row, size, where, time_ns, source, wire, number = told
        columns = self.columns
        if row in columns.kept:
            return columns.kept[row]
        data = self._data(size, where)
        link_type, interface = columns.tables.sources[source]
        segment = decoder.decode(Frame(time_ns, link_type, data, wire, number, interface))
        if segment is None or len(data) < size:
            raise Unsuited("the file has changed while it was read")
        return segment

    def data(self, row: int) -> bytes:
        """The bytes of a row's frame, as far as they were captured; fewer if they are gone."""
        array = self.columns.array
        return self._data(int(array["captured"][row]), int(array["where"][row]))

    def _data(self, size: int, where: int) -> bytes:
        if where < 0:
            return self._spool.read(size, -2 - where)
        if self._file is not None:
            return os.pread(self._file.fileno(), size, where)
        assert self._pipe is not None
        return self._pipe.read(size, where)

    @property
    def file(self) -> int | None:
        """The descriptor of the capture, where that is a file in which frames lie unpacked."""
        return None if self._file is None else self._file.fileno()

    @property
    def root(self) -> Reading:
        """The reading that this is a part of, or itself."""
        return self

    def origin(self, rows: NDArray[Any]) -> tuple[Reading, NDArray[Any]]:
        """Where these rows come from, and which they are there: this is a part of nothing."""
        return self, rows

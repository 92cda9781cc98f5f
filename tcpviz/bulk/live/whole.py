"""Packets of any length as a stretch: their beginnings in rows, and the bytes as they came.

What the kernel wrote into a ring of blocks (:mod:`tcpviz.sources.blockring`) stays as it is; of
each packet's heading and first bytes a row is made, laid out as a frame of the other ring. So what
counts and follows segments need not know of the difference.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tcpviz.bulk.live.stretches import Ints, Stretch
from tcpviz.bulk.segments.pieces import at_every
from tcpviz.sources.blockring import FRAME, SHIFT, chain
from tcpviz.sources.ring import HEADER, frame_size
from tcpviz.sources.ringread import LOSING, OUTGOING, Link

ROW = frame_size(64)
"""Bytes of a row: the columns are made of an IPv6 header and TCP's at most."""

_INTERFACE = 28  # see together() of tcpviz.bulk.live.stretches

_HEADING = np.dtype(
    {
        "names": ["sec", "nsec", "snaplen", "len", "status", "mac", "net", "tci", "tpid"],
        "formats": ["u4", "u4", "u4", "u4", "u4", "u2", "u2", "u2", "u2"],
        "offsets": [4, 8, 12, 16, 20, 24, 26, 32, 36],
        "itemsize": FRAME.size,
    }
)


class WholeStretch(Stretch):
    """``source`` has the bytes of each packet from ``starts`` on; ``rows`` what goes before."""

    def __init__(
        self,
        rows: npt.NDArray[np.uint8],
        source: Any,
        starts: Ints,
        links: Sequence[Link],
        *,
        lost: int = 0,
        number: int = 1,
    ) -> None:
        super().__init__(rows.reshape(-1).data, ROW, links=links, number=number, lost=lost)
        self.source = source
        self.starts = starts

    @classmethod
    def of_blocks(cls, data: Any, links: Sequence[Link]) -> WholeStretch:
        """The packets in these blocks, which are of one ring."""
        places, losing = chain(data)
        at = np.array(places, np.int64)
        # Of the last ones there may be less than a row.
        full = int(np.searchsorted(at, len(data) - SHIFT - ROW, side="right"))
        rows = np.zeros((len(at), ROW), np.uint8)
        if full:
            every = at_every(data, ROW)
            rows[:full] = every[at[:full] + SHIFT].view(np.uint8).reshape(-1, ROW)
        for place in range(full, len(at)):
            rest = np.frombuffer(data, np.uint8)[places[place] + SHIFT :]
            rows[place, : len(rest)] = rest
        told = at_every(data, FRAME.size)
        heading = told[at].view(_HEADING)
        made = cls(rows, data, np.minimum(at + heading["mac"], len(data)), links)
        rows[:, :HEADER] = 0
        for name in ("sec", "nsec", "len", "tci", "tpid"):
            made.rows[name] = heading[name]
        status = heading["status"] & ~np.uint32(LOSING)
        status[losing] |= LOSING
        made.rows["status"] = status
        made.rows["mac"] = heading["mac"] - SHIFT
        made.rows["snaplen"] = np.minimum(heading["snaplen"], len(data) - made.starts)
        return made

    @property
    def nbytes(self) -> int:
        return len(self.data) + len(self.source) + self.starts.nbytes

    @property
    def memory(self) -> Any:
        return self.source

    def let_go(self) -> None:
        del self.rows, self.data, self.source

    def loses(self) -> bool:
        return bool((self.rows["status"] & LOSING).any())

    def _bytes(self, place: int, mac: int, captured: int) -> bytes:  # noqa: ARG002
        start = int(self.starts[place])
        return bytes(self.source[start : start + captured])

    def packets(self) -> tuple[Any, Ints, Ints]:
        return self.source, self.starts, self.rows["snaplen"].astype(np.int64)

    def without_outgoing(self) -> Stretch:
        kept = self.rows["kind"] != OUTGOING
        if kept.all():
            return self
        told = self.rows["status"] & LOSING
        made = self._some(kept)
        # What is left out may have been the first after a loss.
        after = np.cumsum(kept)[np.flatnonzero(told)] - kept[np.flatnonzero(told)]
        made.rows["status"][after[after < len(made)]] |= LOSING
        return made

    def head(self, count: int) -> Stretch:
        return self._some(slice(count))

    def pieces(self, most: int) -> list[Stretch]:
        """So many packets each; the losses belong to the first that tells of them."""
        made: list[Stretch] = []
        lost, where = self.lost, self.lost_before()
        for begin in range(0, len(self), most):
            piece = self._some(slice(begin, begin + most))
            piece.number = self.number + begin
            piece.lent = True  # they have their bytes in common
            piece.lost = lost if begin <= where < begin + most else 0
            made.append(piece)
        if where >= len(self):
            made[-1].lost = lost
        return made

    def _some(self, which: Any) -> WholeStretch:
        rows = np.frombuffer(self.data, np.uint8).reshape(-1, ROW)[which].copy()
        return WholeStretch(
            rows,
            self.source,
            self.starts[which],
            self.links,
            lost=self.lost,
            number=self.number,
        )


def whole_together(parts: Sequence[tuple[int, Any]], links: Sequence[Link]) -> WholeStretch:
    """What several rings had at the same time, in the order of time; each packet tells of which."""
    stretches: list[WholeStretch] = [part for _, part in parts]
    order = np.argsort(np.concatenate([each.times() for each in stretches]), kind="stable")
    rows = np.concatenate([np.frombuffer(e.data, np.uint8).reshape(-1, ROW) for e in stretches])
    which = np.repeat([ring for ring, _ in parts], [len(each) for each in stretches])
    ends = np.cumsum([len(each.source) for each in stretches])
    before = np.concatenate([[0], ends[:-1]])
    moved = zip(stretches, before.tolist(), strict=True)
    starts = np.concatenate([each.starts + at for each, at in moved])
    rows[:, _INTERFACE] = which
    source = b"".join(each.source for each in stretches)
    return WholeStretch(rows[order], source, starts[order], links)

"""The parent's side of rings that a child has opened: who of the two reads them."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

from tcpviz.sources.child import Child
from tcpviz.sources.ring import MAPPED, REFUSED, Ring
from tcpviz.sources.ringhand import adopt
from tcpviz.sources.ringread import Maker, MappedReader, PipedReader, Reader


def taken_over(
    child: Child, begun: bytes, names: Sequence[str], maker: Maker
) -> tuple[Reader, str]:
    """Who reads the child's rings, and that in a few words: we, where we may map them, else it.

    ``begun`` was read of its output already; ``names`` are its interfaces'.
    """
    rings: list[Ring] = []
    if child.channel is not None:
        child.channel.setblocking(False)
        with contextlib.suppress(OSError, ValueError):
            rings = adopt(child.channel)
        child.channel.close()
    if not rings:
        child.tell(REFUSED)
        return PipedReader(child.output, begun, names, maker), "a ring, through a pipe"
    child.tell(MAPPED)
    size = sum(ring.length for ring in rings) >> 20
    told = f"{size} MB, for packets of any length"
    if all(ring.size for ring in rings):
        told = f"{sum(ring.frames for ring in rings)} packets"
    reader = MappedReader(child.output, begun, names, maker, rings, child.tell)
    return reader, f"a ring of {told}"

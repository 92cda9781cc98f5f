"""A regular connection as an object: its shape's example, dressed with its own numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tcpviz.bulk.connections.beginnings import answers
from tcpviz.bulk.connections.building import Building
from tcpviz.bulk.connections.copies import copied
from tcpviz.bulk.connections.shapes import SUCCESSOR, Ending
from tcpviz.bulk.tables.signs import own_signs
from tcpviz.bulk.twin import twin
from tcpviz.core.connection import Connection
from tcpviz.core.halfconn import End
from tcpviz.core.marks import MarkName
from tcpviz.core.segment import Endpoint, FlowKey
from tcpviz.wire.tcp import address

Array = NDArray[Any]

Frame = Callable[[int], int]

_COUNTED = (
    (MarkName.WINDOW_UPDATE.value, "updates"),
    (MarkName.DUPLICATE_ACK.value, "repeats"),
    (MarkName.WINDOW_FULL.value, "full"),
    (MarkName.CAPTURED_TWICE.value, "copies"),
)


def dressed(
    building: Building,
    at: int,
    older: Callable[[int], tuple[int, ...]],
    *,
    counted: bool = True,
) -> Connection:
    """The connection at ``at`` of a building's columns, but for its number and its crowd.

    ``older`` tells who had its addresses and ports before. What takes a look at every
    segment of a long one is its shape's unless it is to be ``counted``: how many have data (of
    the example there may be fewer), and what the checksums are worth.
    """
    own = {name: column[at].item() for name, column in building.array.items()}
    number, ending = own["shape"], Ending(own["ending"])
    shape, columns = building.shapes.connection(number, ending), building.reading.columns.array
    span = slice(own["place"], own["place"] + own["size"])
    rows, kept = building.flows.order[span], building.kept[span]
    frames = columns["frame"][rows[kept]]

    def frame(of: int) -> int:
        """From a frame number of the shape's example to this connection's."""
        if of == SUCCESSOR:
            return _successor(building, at)
        which = building.shapes.place(number, of)
        return 0 if which is None else int(frames[which])

    made = twin(shape)
    made.first_ns, made.last_ns = own["first_ns"], own["last_ns"]
    client, server, scope = _ends(building, own["first"])
    made.key = FlowKey.of(client, server, scope)
    made.client = _end(shape.client, client, frame, own["client_segments"], own["client_bytes"])
    made.server = _end(shape.server, server, frame, own["server_segments"], own["server_bytes"])
    if shape.handshake_rtt_ns is not None:
        made.handshake_rtt_ns = own["rtt"]
    if shape.older:
        made.older = older(at)
    made.observation = None
    assert shape.analysis is not None
    made.analysis = analysis = twin(shape.analysis)
    if building.shapes.with_errors(number) is not False:
        flow = int(np.searchsorted(building.flows.begin, own["place"], "right")) - 1
        analysis.errors, analysis.error_count, analysis.forged_errors = building.told.kept(flow)
    analysis.marks = twin(analysis.marks)
    analysis.marks.count_as(_marks(shape, own))
    copy = copied(columns, rows, np.array([0, len(rows)]), building.array["copies"][at : at + 1])
    if copy is not None:
        rows, kept = rows[~copy], kept[~copy]
    signs = own_signs(shape, columns, rows, kept, frame, counted=counted)
    analysis.vitals, made.client.sums, made.server.sums = signs
    analysis.vitals.copies = own["copies"]
    return made


def _successor(building: Building, at: int) -> int:
    """The frame by which the next connection of the same ends stands when it is answered."""
    array, order = building.array, building.flows.order
    at = building.next(at)
    while not array["answered"][at]:
        at = building.next(at)
    place = int(array["place"][at])
    if building.shapes.connection(int(array["shape"][at])).refused:
        place += int(array["size"][at]) - 1
    return int(building.reading.columns.array["frame"][order[place]])


def _ends(building: Building, row: int) -> tuple[Endpoint, Endpoint, tuple[str, ...]]:
    tables = building.reading.columns.tables
    one = building.reading.columns.array["row"][row]
    scope = int(one["scope"])
    src, dst = (
        Endpoint(address(tables.packed(int(one[name]), scope)), int(one[port]))
        for name, port in (("src", "sport"), ("dst", "dport"))
    )
    if answers(one["flags"]):
        src, dst = dst, src
    return src, dst, tables.scopes[scope][1]


def _end(like: End, endpoint: Endpoint, frame: Frame, segments: int, count: int) -> End:
    made = twin(like)
    made.endpoint = endpoint
    made.doubted = None  # nothing comes any more that could vindicate it
    claim = like.claim
    others = tuple(frame(each) for each in claim.others)
    made.claim = replace(claim, frame=frame(claim.frame), others=others)
    made.segments, made.bytes = segments, count
    return made


def _marks(shape: Connection, own: dict[str, int]) -> Counter[str]:
    counts = Counter(shape.marks or {})
    for name, column in _COUNTED:
        counts.pop(name, None)
        if own[column]:
            counts[name] = own[column]
    return counts

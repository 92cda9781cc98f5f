"""What differs between connections that are told alike, by column: ends, frames, marks, facts.

What :mod:`tcpviz.core.evidence` and the verdicts' facts (:mod:`tcpviz.bulk.tables.facts`) are
for one connection is here for all of a kind. Where that cannot be, :class:`Unfit` is raised, and
the connections of that kind are written one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tcpviz.bulk.connections.shapes import SUCCESSOR
from tcpviz.bulk.tables import signals
from tcpviz.bulk.tables.branches import Kind
from tcpviz.bulk.tables.community_ids import community_ids
from tcpviz.bulk.tables.facts import MOST_TEXTS, Column, Fill, text
from tcpviz.bulk.tables.portions import CLIENT, SERVER, Portion
from tcpviz.core.evidence import MOST, WHERE
from tcpviz.core.marks import MarkName
from tcpviz.core.records import Side
from tcpviz.core.verdict_codes import Verdict, signs_of
from tcpviz.export.filling import number

Array = NDArray[Any]
Picked = Callable[[Portion, Array], Array]

# -- ends ------------------------------------------------------------------------


def address(side: int) -> Fill:
    """An end's address."""

    def fill(portion: Portion, which: Array) -> list[Any]:
        whole = portion.worked("address text", side, lambda: _addresses(portion, side))
        texts: list[Any] = whole[which].tolist()
        return texts

    return fill


# Each octet as a text of four bytes, zero bytes before the digits.
_OCTETS = np.array([f"{each}.".rjust(4, "\0").encode() for each in range(256)])


def _addresses(portion: Portion, side: int) -> Array:
    numbers = portion.address(side)
    if (numbers >> 32).any():
        unique, back = np.unique(numbers, return_inverse=True)
        texts = [portion.table.address(each) for each in unique.tolist()]
        return np.array(texts, object)[back]
    rows = _OCTETS[numbers.astype(">u4").view(np.uint8).reshape(-1, 4)].view(np.uint8)
    rows = rows.reshape(-1, 16)
    rows[:, 15] = ord(" ")
    text = rows.tobytes().translate(None, b"\0").decode("ascii")
    return np.array(text.split(), object)


def column(name: str) -> Column:
    """One of the columns that every regular connection has."""
    return lambda portion: portion.column(name)


def port(side: int) -> Column:
    """An end's port."""
    return lambda portion: portion.port(side)


def community(portion: Portion, which: Array) -> list[Any]:
    """Each one's Community ID."""

    def made() -> Array:
        long = portion.table.building.reading.columns.tables.long
        client, server = ((portion.address(side), portion.port(side)) for side in (CLIENT, SERVER))
        rows = community_ids(client, server, long)
        text, size = rows.tobytes().decode("ascii"), rows.shape[1]
        texts = [text[at : at + size] for at in range(0, len(text), size)]
        return np.array(texts, object)

    texts: list[Any] = portion.worked("community", 0, made)[which].tolist()
    return texts


def inside(written: Callable[[tuple[str, ...]], Any]) -> Fill:
    """The VLANs and tunnels that it is in, as ``written`` writes them."""

    def fill(portion: Portion, which: Array) -> list[Any]:
        numbers = portion.scope()[which].tolist()
        names = portion.table.scope_names
        texts = {number: written(names[number][1]) for number in set(numbers)}
        return [texts[number] for number in numbers]

    return fill


# -- frames ----------------------------------------------------------------------


def claim(kind: Kind, side: int) -> Fill | None:
    """The frame on which an end's claim rests, ``None`` where there is none."""
    shape = kind.shape
    frame = (shape.server if side else shape.client).claim.frame
    if frame != SUCCESSOR:
        picked = _counting(kind, frame)
        return None if picked is None else lambda portion, which: picked(portion, which).tolist()

    return lambda portion, which: portion.table.successors(portion.at[which]).tolist()


def _counting(kind: Kind, frame: int) -> Picked | None:
    """The frames that stand where one of the example's does."""
    place = kind.place(frame)
    if place is None:
        return None
    return lambda portion, which: portion.counting(place, which)


def frames(kind: Kind, verdict: Verdict, written: Callable[[str], str]) -> Fill:
    """The evidence of a verdict, as :func:`tcpviz.core.evidence.evidence` gives it.

    ``written`` puts the numbers, parted by commas, in what is to stand around them.
    """
    columns = list(_evidence(kind, verdict))

    def fill(portion: Portion, which: Array) -> list[Any]:
        found = _different([each(portion, which) for each in columns])
        if not found:
            return [written("")] * len(which)
        if len(found) > 1:
            rows = np.sort(np.stack(found), axis=0)
            if not (rows[0].all() and (rows[1:] != rows[:-1]).all()):
                return [written(_joined(row)) for row in rows.T.tolist()]
            found = list(rows[:MOST])
        elif not found[0].all():
            return [written(_joined(row)) for row in found[0][:, None].tolist()]
        layout = written(",".join(["%d"] * len(found)))
        return [layout % row for row in zip(*(each.tolist() for each in found), strict=True)]

    return fill


def _different(columns: list[Array]) -> list[Array]:
    """Those that are not all zero, nor the same as one before."""
    found: list[Array] = []
    for each in columns:
        if each.any() and not any((each == other).all() for other in found):
            found.append(each)
    return found


def _joined(numbers: list[int]) -> str:
    return ",".join(map(str, sorted({one for one in numbers if one})[:MOST]))


def _evidence(kind: Kind, verdict: Verdict) -> Iterable[Picked]:
    for whose, names in WHERE[verdict.code]:
        if whose in ("icmp", "gap", "copy"):
            assert kind.shape.analysis is not None
            if whose == "icmp":
                for place in range(len(kind.shape.analysis.errors)):
                    yield partial(_error_frame, place)
            else:
                shown = kind.shape.analysis.vitals.frames or {}
                if whose in shown and (made := _counting(kind, shown[whose])) is not None:
                    yield made
            continue
        for side in _sides(whose, verdict.side):
            for name in names:
                made = _frame(kind, side, name)
                if made is not None:
                    yield made


def _error_frame(place: int, portion: Portion, which: Array) -> Array:
    return portion.error_frame(place, which)


def _sides(whose: str, speaks_of: Side | None) -> tuple[Side, ...]:
    named = {"client": (Side.CLIENT,), "server": (Side.SERVER,)}
    if whose in named:
        return named[whose]
    if whose == "both" or speaks_of is None:
        return (Side.CLIENT, Side.SERVER)
    return (speaks_of if whose == "who" else speaks_of.other,)


_MOMENTS = frozenset({"first_syn", "last_syn", "first_fin", "last_fin", "rst", "last"})


def _frame(kind: Kind, side: Side, name: str) -> Picked | None:
    which_end = SERVER if side is Side.SERVER else CLIENT
    if name in _MOMENTS:
        return lambda portion, which: portion.frame(name, which_end)[which]
    shown = signs_of(kind.shape, side).frames
    if shown is None:
        return None
    found = _counting(kind, shown[name]) if name in shown else None
    if name in signals.NAMES:
        if name not in shown:
            return None
        return lambda portion, which: portion.frame(name, which_end)[which]
    if name != "sum":
        return found

    def wrong(portion: Portion, which: Array) -> Array:
        own = portion.frame("sum", which_end)[which]
        return own if found is None else np.where(own > 0, own, found(portion, which))

    return wrong


# -- marks -----------------------------------------------------------------------

_COUNTED: Final = (
    (MarkName.WINDOW_UPDATE.value, "updates"),
    (MarkName.DUPLICATE_ACK.value, "repeats"),
    (MarkName.WINDOW_FULL.value, "full"),
    (MarkName.CAPTURED_TWICE.value, "copies"),
)


def marks(kind: Kind, written: Callable[[Mapping[str, int]], Any]) -> Fill:
    """The counts of marks, as ``written`` writes those above zero, by name."""
    rest = {str(name): count for name, count in (kind.shape.marks or {}).items()}
    known: dict[tuple[int, ...], Any] = {}

    def text(counts: tuple[int, ...]) -> Any:
        made = known.get(counts)
        if made is None:
            own = dict(zip((name for name, _ in _COUNTED), counts, strict=True))
            both = {name: count for name, count in sorted({**rest, **own}.items()) if count}
            if len(known) >= MOST_TEXTS:
                known.clear()
            made = known[counts] = written(both)
        return made

    def fill(portion: Portion, which: Array) -> list[Any]:
        columns = (portion.column(name)[which].tolist() for _, name in _COUNTED)
        return [text(each) for each in zip(*columns, strict=True)]

    return fill


def usual(
    kind: Kind,
    *,
    unit: str = "",
    marked: Callable[[Mapping[str, int]], Any],
    written: Callable[[str], str],
    within: Callable[[tuple[str, ...]], Any],
) -> dict[str, Fill]:
    """What differs in a flat row of a kind's connections, by the column's name.

    ``unit`` stands behind the names of times, ``marked`` writes counts of marks, ``written`` the
    verdict's sentence and ``within`` VLANs and tunnels. Raises Unfit, as :func:`text`.
    """
    fills: dict[str, Fill] = {
        "id": number(lambda p: p.places + 1),
        f"first{unit}": number(lambda p: p.first_ns),
        f"last{unit}": number(lambda p: p.last_ns),
        "marks": marks(kind, marked),
        "community_id": community,
        "inside": inside(within),
    }
    for side, name in ((CLIENT, "client"), (SERVER, "server")):
        fills[f"{name}_addr"] = address(side)
        fills[f"{name}_port"] = number(port(side))
        for what in ("segments", "bytes"):
            fills[f"{name}_{what}"] = number(column(f"{name}_{what}"))
    if kind.connection.handshake_rtt_ns is not None:
        fills[f"handshake_rtt{unit}"] = number(lambda p: p.rtt)
    said = text(kind, kind.said[0], written)
    if said is not None:
        fills["verdict"] = said
    return fills

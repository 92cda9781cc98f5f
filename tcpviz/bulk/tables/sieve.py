"""A display filter asked of a whole table: by column where that can be, else one by one.

What depends on a connection's shape only (states, marks, how it ended) is asked once for all of
a shape; numbers, addresses and ports once for each value that occurs; sentences once for all that
share one. The questions are the filter's own (:mod:`tcpviz.views.filter`), so that the answers
are; a test holds both together. What is left is asked of one connection after the other, in
pieces, and may be broken off.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tcpviz.bulk.tables.headlines import _kinds
from tcpviz.bulk.tables.load import told
from tcpviz.bulk.tables.sorting import Keys, at_moment
from tcpviz.bulk.tables.table import Table
from tcpviz.core.claims import Certainty
from tcpviz.core.connection import Connection
from tcpviz.core.segment import Endpoint
from tcpviz.core.states import State
from tcpviz.views.filter import CONNECTIONS, Filter, Node
from tcpviz.views.filter import values as read
from tcpviz.views.filter.compiler import Compiler, Question
from tcpviz.views.filter.connection_fields import _ADDRESS_LETTERS, _PHASES
from tcpviz.views.filter.kinds import Asked
from tcpviz.views.filter.syntax import And, Everything, Not, Or, Test, Word
from tcpviz.views.ladder_labels import SHORT_STATES

Array = NDArray[Any]
Mask = NDArray[np.bool_]

PIECE = 2048
"""Questions between two looks at whether somebody has typed on."""

_ENDS = ("client", "server")
_SHAPED = frozenset(
    {
        *(f"{side}{name}" for name in ("state", "certainty", "syns", "fins", "rsts")
          for side in ("", "client.", "server.")),
        *("phase", "conn_state", "completeness", "history"),
        *("opened_by", "closed_by", "reset_by"),
    }
)  # fmt: skip
"""Fields that are the same in all connections of a shape."""


_COUNTED = {"window_update": "updates", "duplicate_ack": "repeats", "window_full": "full"}
"""Marks that differ within a shape, and the table's columns of them."""

MOST_FOLLOWED = 20_000
"""Connections of which a question may be asked that their own packets have to answer."""


class TooMany(Exception):  # noqa: N818 - it is no failure
    """A question that would take too long; the text says which, and what to do."""


class Interrupted(Exception):  # noqa: N818 - it is no failure
    """Somebody wants something else now."""


class Sieve:
    """Asks filters of one table at one moment.

    ``connection``  gives the one at a place, ``whole`` the same followed packet by packet
    ``enough``      says whether to break off: :class:`Interrupted` is raised then
    """

    def __init__(
        self,
        keys: Keys,
        connection: Callable[[int], Connection],
        whole: Callable[[int], Connection] | None = None,
        enough: Callable[[], bool] = lambda: False,
    ) -> None:
        self._keys = keys
        self._table: Table = keys.table
        self._now = keys.now_ns
        self._connection = connection
        self._whole = whole or connection
        self._enough = enough
        self._text = ""

    def places(self, chosen: Filter) -> Array:
        """Places of the connections that fit, in their order. Raises Interrupted, TooMany."""
        self._text = chosen.text
        everyone = np.ones(len(self._table), np.bool_)
        return np.flatnonzero(self._fits(chosen.node, everyone))

    def _fits(self, node: Node, wanted: Mask) -> Mask:
        """Who fits, of those who are wanted; of the others nothing is said."""
        if self._enough():
            raise Interrupted
        if isinstance(node, Everything):
            return wanted.copy()
        if isinstance(node, Not):
            return wanted & ~self._fits(node.item, wanted)
        if isinstance(node, And):
            for item in sorted(node.items, key=self._dear):
                wanted = self._fits(item, wanted)
            return wanted
        if isinstance(node, Or):
            found = np.zeros(len(wanted), np.bool_)
            for item in sorted(node.items, key=self._dear):
                found |= self._fits(item, wanted & ~found)
            return found
        made = self._word(node) if isinstance(node, Word) else self._test(node)
        if made is None:
            return self._one_by_one(node, wanted)
        return wanted & made

    def _dear(self, node: Node) -> int:
        """What has to be asked one by one is asked last, when fewer are left."""
        if isinstance(node, Word):
            return 1
        if isinstance(node, Test):
            if self._column(node) is not None or self._shaped(node):
                return 0
            return 1 if node.field in ("verdict", "severity") and node.op != "~" else 2
        inner = (node.item,) if isinstance(node, Not) else getattr(node, "items", ())
        return max((self._dear(each) for each in inner), default=0)

    def _question(self, node: Node) -> Question:
        return Compiler(self._text, CONNECTIONS).question(node)

    def _one_by_one(self, node: Node, wanted: Mask) -> Mask:
        question, now = self._question(node), self._now
        found = np.zeros(len(wanted), np.bool_)
        places = np.flatnonzero(wanted)
        connection = self._connection
        if isinstance(node, Test) and not told(node.field):
            connection = self._whole
            if len(places) > MOST_FOLLOWED:
                raise TooMany(node.field)
        for at in self._pieces(len(places)):
            for place in places[at : at + PIECE // 16].tolist():
                found[place] = question(connection(place), now)
        return found

    def _pieces(self, count: int) -> Iterator[int]:
        for at in range(0, count, PIECE // 16):
            if self._enough():
                raise Interrupted
            yield at

    # -- tests --------------------------------------------------------------

    def _test(self, test: Test) -> Mask | None:
        """Who fits; ``None``: that has to be asked one by one."""
        if test.field in ("verdict", "severity") and test.op != "~":
            return self._by_kind(test)
        if self._shaped(test):
            question, now = self._question(test), self._now
            alike: Mask = self._table.shaped(lambda c: int(question(c, now))) > 0
            return alike
        column = self._column(test)
        if column is None:
            return None
        if test.field.endswith("host") and test.op != "~":
            within = self._within(test)
            if within is not None:
                return ~within if test.op == "!=" else within
        field = CONNECTIONS.fields[test.field]
        asked = field.kind.asked("=" if test.op == "!=" else test.op, test.values)
        found = np.zeros(len(self._table), np.bool_)
        for numbers, value in column():
            found |= self._values(numbers, value, asked)
        return ~found if test.op == "!=" else found

    @staticmethod
    def _shaped(test: Test) -> bool:
        """The answer is the same in all connections of a shape."""
        if test.field == "is":
            return not any(each.text.lower().startswith("ip") for each in test.values)
        if test.field == "mark":
            return not any(each.text.lower() in _COUNTED for each in test.values)
        name = test.field.removeprefix("mark.")
        return test.field in _SHAPED or (name != test.field and name not in _COUNTED)

    def _by_kind(self, test: Test) -> Mask:
        """What rests on verdicts: asked once for all that are told alike."""
        table, question, now = self._table, self._question(test), self._now
        kinds, alone = _kinds(at_moment(table, now))
        alone = alone.astype(np.bool_)
        found = np.zeros(len(table), np.bool_)
        places = np.flatnonzero(~alone)
        if len(places):
            _, first, back = np.unique(kinds[places], return_index=True, return_inverse=True)
            examples = places[first].tolist()
            found[places] = np.array(
                [bool(question(self._connection(each), now)) for each in examples], np.bool_
            )[back]
        return found | self._one_by_one(test, alone)

    def _within(self, test: Test) -> Mask | None:
        """Who is in the networks, where all is IPv4 and no port is asked; else ``None``."""
        wanted = [read.host(each.text) for each in test.values]
        if any(port is not None or network.version != 4 for network, port in wanted):
            return None
        side = test.field.rpartition(".")[0]
        found = np.zeros(len(self._table), np.bool_)
        for which in [0, 1] if not side else [_ENDS.index(side)]:
            address = self._keys.ends()[which][0]
            if (address >> 32).any():  # an IPv6 address may stand for an IPv4 one
                return None
            for network, _ in wanted:
                low, high = int(network.network_address), int(network.broadcast_address)
                found |= (address >= low) & (address <= high)
        return found

    def _values(self, numbers: Array, value: Callable[[int], Any], asked: Asked) -> Mask:
        """Each value that occurs is asked once; ``value`` of a negative number is not known."""
        unique, back = np.unique(numbers, return_inverse=True)
        fits = np.zeros(len(unique), np.bool_)
        for at in range(0, len(unique), PIECE):
            if self._enough():
                raise Interrupted
            part = unique[at : at + PIECE].tolist()
            fits[at : at + PIECE] = [each >= 0 and bool(asked(value(each))) for each in part]
        out: Mask = fits[back]
        return out

    def _column(self, test: Test) -> Callable[[], list[tuple[Array, Callable[[int], Any]]]] | None:
        """Numbers of a field, and what each stands for; several where any may fit."""
        table, now = self._table, self._now
        side, _, name = test.field.rpartition(".")
        plain: dict[str, Callable[[], Array]] = {
            "rtt": lambda: table.rtt,
            "segments": lambda: table.segments,
            "bytes": lambda: table.bytes,
            "duration": lambda: np.maximum(table.last_ns - table.first_ns, 0),
            "idle": lambda: np.maximum(now - table.last_ns, 0),
            "age": self._ages,
            "id": lambda: np.arange(1, len(table) + 1),
        }
        counted = _COUNTED.get(test.field.removeprefix("mark."))
        if counted is not None and test.field.startswith("mark."):
            return lambda: [(self._marks(test.field[5:], counted), int)]
        if test.field in plain:
            made = plain[test.field]
            return lambda: [(made(), int)]
        if name not in ("port", "host") or side not in ("", *_ENDS):
            return None
        which = [0, 1] if not side else [_ENDS.index(side)]
        if name == "port":
            return lambda: [(self._keys.ends()[one][1], int) for one in which]
        if test.op != "~" and any(read.host(each.text)[1] is not None for each in test.values):
            return lambda: [(self._pairs(one), self._endpoint) for one in which]
        return lambda: [(self._keys.ends()[one][0], self._address) for one in which]

    def _marks(self, name: str, column: str) -> Array:
        return self._table.column(
            self._table._array[column], lambda c: (c.marks or {}).get(name, 0)
        )

    def _ages(self) -> Array:
        table = self._table
        over = table.shaped(lambda c: int(c.over)) > 0
        end = np.where(over, table.last_ns, np.maximum(self._now, table.last_ns))
        out: Array = np.maximum(end - table.first_ns, 0)
        return out

    def _pairs(self, which: int) -> Array:
        address, port = self._keys.ends()[which]
        return address << 16 | port

    def _endpoint(self, pair: int) -> Endpoint:
        return Endpoint(self._table.address(pair >> 16), pair & 0xFFFF)

    def _address(self, number: int) -> Endpoint:
        return Endpoint(self._table.address(number), 0)

    # -- free words ---------------------------------------------------------

    def _word(self, word: Word) -> Mask:
        """As :func:`tcpviz.views.filter.connection_fields.word` looks for it."""
        needle, table = word.text.casefold(), self._table
        states = {
            state
            for state in State
            if needle in str(state).casefold() or needle in SHORT_STATES[state].casefold()
        }
        sure = {each for each in Certainty if needle in str(each)}
        in_phase = any(needle in phase for phase in _PHASES)

        def stands(c: Connection) -> int:
            claims = (c.client.claim, c.server.claim)
            return (
                any(each.state in states or each.certainty in sure for each in claims)
                or (in_phase and needle in str(c.phase))
            )  # fmt: skip

        found = np.zeros(len(table), np.bool_)
        if states or sure or in_phase:
            found |= table.shaped(lambda c: int(stands(c))) > 0
        numbers, texts = self._keys.sentences()
        fits = np.array([needle in text.casefold() for text in texts], np.bool_)
        if fits.any():
            found |= fits[numbers]
        if not _ADDRESS_LETTERS.issuperset(needle):
            return found
        for which in (0, 1):
            found |= self._in_end(needle, which)
        return found

    def _in_end(self, needle: str, which: int) -> Mask:
        address, port = self._keys.ends()[which]
        if any(letter in needle for letter in ":[]"):
            return self._values(self._pairs(which), self._endpoint, lambda e: needle in str(e))
        found = self._values(address, self._table.address, lambda text: needle in text)
        if needle.isdigit():
            found |= self._values(port, str, lambda text: needle in text)
        return found

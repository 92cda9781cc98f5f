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

from tcpviz.bulk.tables.by_column import ENDS, PIECE, ByColumn, Interrupted
from tcpviz.bulk.tables.by_end import WINDOW, with_marks
from tcpviz.bulk.tables.headlines import kinds_of, tells_time
from tcpviz.bulk.tables.load import COUNTED, told
from tcpviz.bulk.tables.sorting import Keys
from tcpviz.bulk.tables.telling import sentences, told_alike
from tcpviz.core.claims import Certainty
from tcpviz.core.connection import Connection
from tcpviz.core.states import State
from tcpviz.core.verdicts import verdicts
from tcpviz.views.filter import CONNECTIONS, Filter, Node
from tcpviz.views.filter.compiler import Compiler, Question, tests
from tcpviz.views.filter.connection_fields import _ADDRESS_LETTERS, _PHASES
from tcpviz.views.filter.kinds import pattern
from tcpviz.views.filter.syntax import And, Everything, Not, Or, Test, Word
from tcpviz.views.ladder_labels import SHORT_STATES

Array = NDArray[Any]
Mask = NDArray[np.bool_]

_GROUPED = frozenset(("is", "mark", "vlan", "tunnel", "inside"))
"""Fields that are the same where shape, IP version, scope, and which marks there are, are."""

_SHAPED = frozenset(
    {
        *(f"{side}{name}" for name in ("state", "certainty", "syns", "fins", "rsts")
          for side in ("", "client.", "server.")),
        *(f"{side}{name}" for name in ("process", "pid", "user", "service", "container")
          for side in ("", "client.", "server.")),
        "disagreements",
        *("phase", "conn_state", "completeness", "history"),
        *("opened_by", "closed_by", "reset_by"),
    }
)  # fmt: skip
"""Fields that are the same in all connections of a shape."""


MOST_VERDICTS = 1 << 10
"""Verdicts of a connection, of which there are never so many."""

MOST_FOLLOWED = 20_000
"""Connections of which a question may be asked that their own packets have to answer."""


class TooMany(Exception):  # noqa: N818 - it is no failure
    """A question that would take too long; the text says which, and what to do."""


def answerable(chosen: Filter) -> bool:
    """Whether a filter can be asked of a table without following any of its connections."""
    return all(
        told(each.field) or Sieve._shaped(each) or _of_an_end(each) for each in tests(chosen.node)
    )


def _of_an_end(test: Test) -> bool:
    """It is about what the table has of both ends together only, or not at all."""
    side, _, name = test.field.rpartition(".")
    if test.field in ("client.mark", "server.mark"):
        return not Sieve._shaped(test)
    return name == WINDOW or (name in COUNTED and side in ("client.mark", "server.mark"))


class Sieve(ByColumn):
    """Asks filters of one table at the moment, or the moments, of its keys.

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
        super().__init__(keys, enough)
        self._connection = connection
        self._whole = whole or connection
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
            if node.field in _GROUPED:
                return 0
            if _of_an_end(node):
                return 1
            return 1 if told(node.field) else 2
        inner = (node.item,) if isinstance(node, Not) else getattr(node, "items", ())
        return max((self._dear(each) for each in inner), default=0)

    def _question(self, node: Node) -> Question:
        return Compiler(self._text, CONNECTIONS).question(node)

    def _one_by_one(self, node: Node, wanted: Mask) -> Mask:
        question, now = self._question(node), self._judged.until_ns
        found = np.zeros(len(wanted), np.bool_)
        places = np.flatnonzero(wanted)
        connection = self._connection
        if isinstance(node, Test) and not told(node.field):
            connection = self._whole
            if len(places) > MOST_FOLLOWED:
                raise TooMany(node.field)
        for at in self._pieces(len(places)):
            for place in places[at : at + PIECE // 16].tolist():
                found[place] = question(connection(place), int(now[place]))
        return found

    def _pieces(self, count: int) -> Iterator[int]:
        for at in range(0, count, PIECE // 16):
            if self._enough():
                raise Interrupted
            yield at

    # -- tests --------------------------------------------------------------

    def _test(self, test: Test) -> Mask | None:
        """Who fits; ``None``: that has to be asked one by one."""
        if test.field in ("verdict", "severity"):
            return self._by_kind(test)
        if self._shaped(test):
            question = self._question(test)
            alike: Mask = self._table.shaped(lambda c: int(question(c, 0))) > 0
            return alike
        if test.field in _GROUPED:
            return self._by_group(test)
        if test.field == "community_id":
            return self._communities(test)
        if _of_an_end(test):
            return self._by_end(test)
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
            return all(each.text.isalpha() for each in test.values)  # not ipv6, nor *6
        if test.field.endswith(".mark"):  # of an end
            asked = CONNECTIONS.fields[test.field].kind.asked(
                "=" if test.op == "!=" else test.op, test.values
            )
            return not any(map(asked, COUNTED))
        mark = test.field.rpartition("mark.")[2]
        return test.field in _SHAPED or (mark != test.field and mark not in COUNTED)

    def _by_group(self, test: Test) -> Mask:
        """What is the same in all of a shape in which the same marks, and such, are."""
        table = self._table
        groups, alone = table.kinds()
        if test.field == "is":
            groups = groups * 2 + (self._keys.ends()[0][0] >> 32 > 0)
        elif test.field == "mark":
            for name, column in COUNTED.items():
                groups = groups * 2 + (self._marks(name, column) > 0)
        else:
            scopes = table.scopes
            groups = groups * (int(scopes.max(initial=0)) + 1) + scopes
        found, _ = self._asked_once(test, groups, alone.astype(np.bool_))
        return found | self._one_by_one(test, alone.astype(np.bool_))

    def _asked_once(
        self, test: Test, groups: Array, alone: Mask, own: Callable[[int], bool] = lambda _: False
    ) -> tuple[Mask, Mask]:
        """Whether they fit who are of one group with others, asked of the first of each.

        And who are not asked so: those ``alone``, and groups of which a first has its ``own``.
        """
        table, question, now = self._table, self._question(test), self._judged.until_ns
        found, left = np.zeros(len(table), np.bool_), alone.copy()
        places = np.flatnonzero(~alone)
        if len(places):
            _, first, back = np.unique(groups[places], return_index=True, return_inverse=True)
            examples = places[first].tolist()
            apart = [own(each) for each in examples]
            left[places] = np.array(apart, np.bool_)[back]
            fits = [
                not by_itself and bool(question(self._connection(each), int(now[each])))
                for each, by_itself in zip(examples, apart, strict=True)
            ]
            found[places] = np.array(fits, np.bool_)[back]
        return found, left

    def _by_end(self, test: Test) -> Mask:
        """What the table does not have of each end: out of the segments, all at once."""
        told_of, left = self._keys.by_end(self._enough)
        if self._enough():
            raise Interrupted
        side, _, name = test.field.rpartition(".")
        found = np.zeros(len(self._table), np.bool_)
        if test.field.endswith(".mark"):
            question = self._question(test)
            side = test.field.partition(".")[0]
            groups, alone = self._table.kinds()
            for each in COUNTED:
                groups = groups * 2 + (told_of[side, each] > 0)
            places = np.flatnonzero(~left & ~alone.astype(np.bool_))
            if len(places):
                _, first, back = np.unique(groups[places], return_index=True, return_inverse=True)
                fits = [
                    bool(question(with_marks(self._table, each, told_of), 0))
                    for each in places[first].tolist()
                ]
                found[places] = np.array(fits, np.bool_)[back]
            for place in np.flatnonzero(alone).tolist():
                found[place] = question(self._connection(place), 0)
            return found | self._one_by_one(test, left)
        asked = CONNECTIONS.fields[test.field].kind.asked(
            "=" if test.op == "!=" else test.op, test.values
        )
        for each in ENDS if side == "" else (side.partition(".")[0],):
            found |= self._values(told_of[each, name], int, asked)
        if test.op == "!=":
            found = ~found
        return (found & ~left) | self._one_by_one(test, left)

    # -- verdicts -----------------------------------------------------------

    def _by_kind(self, test: Test) -> Mask:
        """What rests on verdicts: asked once for all that are told alike."""
        judged = self._judged
        kinds, alone = kinds_of(judged)
        if test.op == "~":

            def own(place: int) -> bool:
                said = verdicts(self._connection(place), int(judged.until_ns[place]))
                return any(map(tells_time, said))

            found, left = self._asked_once(test, kinds, alone.astype(np.bool_), own)
            return found | self._sentences(test, np.flatnonzero(left))
        found, left = self._asked_once(test, kinds, alone.astype(np.bool_))
        question, rest = self._question(test), np.zeros(len(found), np.bool_)
        for told_of in told_alike(judged, np.flatnonzero(left)):
            if self._enough():
                raise Interrupted
            if isinstance(told_of, tuple):
                kind, portion, which = told_of
                found[portion.places[which]] = question(kind.connection, kind.now)
            else:
                rest[told_of] = True
        return found | self._one_by_one(test, rest)

    def _sentences(self, test: Test, places: Array) -> Mask:
        """Whose sentences have something in them."""
        fits, judged = pattern(test.values[0]), self._judged
        known: dict[str, bool] = {}

        def said(text: str) -> bool:
            answer = known.get(text)
            if answer is None:
                answer = known[text] = bool(fits(text))
            return answer

        found = np.zeros(len(self._table), np.bool_)
        rest = found.copy()
        for told_of in sentences(judged, places, MOST_VERDICTS):
            if self._enough():
                raise Interrupted
            if not isinstance(told_of, tuple):
                rest[told_of] = True
                continue
            where, columns = told_of
            for column in columns:
                found[where] |= said(column) if isinstance(column, str) else [*map(said, column)]
        return found | self._one_by_one(test, rest)

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
        occurring = self._keys.occurring
        if any(letter in needle for letter in ":[]"):
            return self._values(self._pairs(which), self._endpoint, lambda e: needle in str(e))
        found = self._values(occurring(which, 0), self._table.address, lambda text: needle in text)
        if needle.isdigit():
            found |= self._values(occurring(which, 1), str, lambda text: needle in text)
        return found


__all__ = ["Interrupted", "Sieve", "TooMany", "answerable"]

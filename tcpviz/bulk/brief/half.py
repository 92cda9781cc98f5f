"""One end of a short connection in all views, and whether what is plain can go past it."""

from __future__ import annotations

from tcpviz.bulk.long.recall import PlacesOfData, Reader, WaitingData
from tcpviz.bulk.views import Views
from tcpviz.core.analysis import Analysis
from tcpviz.core.claims import Certainty
from tcpviz.core.connection import Connection
from tcpviz.core.records import Side
from tcpviz.core.states import State
from tcpviz.core.zeek_end import ZeekState

_TALKING = (ZeekState.ESTABLISHED, ZeekState.PARTIAL)
_FOLLOWED = (*_TALKING, ZeekState.CLOSED)


class Half(Views):
    """One end in all views.

    ``knows``    its state is proved (2), or a segment without data may do so (1), or any (0);
                 or none will (2)
    ``sacked``   the place of its latest segment, if its SACK blocks have not been read yet
    ``parted``   what of it is not acknowledged is not all in one list
    ``round``    its numbers have come round
    """

    unseen = False
    """Nothing was captured of it (:mod:`tcpviz.bulk.brief.unseen`)."""

    __slots__ = ("data", "gaps", "knows", "parted", "round", "sacked")

    def __init__(
        self, connection: Connection, analysis: Analysis, side: Side, reader: Reader
    ) -> None:
        super().__init__(connection, analysis, side)
        self.gaps = self.zeek.gaps
        self.knows = 0
        self.sacked: int | None = None
        self.parted = isinstance(self.flow.log, WaitingData)
        self.round = False
        contents = self.flow.contents
        if not isinstance(contents, PlacesOfData):
            contents = self.flow.contents = PlacesOfData(contents, reader)
        self.data = contents

    @property
    def viewed(self) -> bool:
        """It has said enough for all views."""
        flow = self.flow
        return (
            None not in (flow.next_seq, flow.last_ack, self.end.first_seq)
            and self.zeek.state in _FOLLOWED
        )

    @property
    def offers(self) -> bool:
        """Its window is open, as far as the views ask, and it has not probed the other end's."""
        return self.flow.probe_end is None and self.signs.zero_since_ns is None

    @property
    def stands(self) -> bool:
        """It is open, and nothing is open about it."""
        end, zeek, claim = self.end, self.zeek, self.end.claim
        # Nothing ever proves it of who was not captured from its SYN on.
        self.knows = 2 if claim.certainty is Certainty.SEEN or end.iss is None else 1
        if claim.certainty is Certainty.UNKNOWN or end.assumed_from is not None:
            self.knows = 0
        self.round = zeek.seq_wraps > 0 or zeek.ack_wraps > 0
        return (
            claim.state is State.ESTABLISHED
            and None not in (end.snd_nxt, end.snd_una, end.rcv_nxt)
            and (end.fin is None and end.received is None)
            and zeek.state in _TALKING
            and not zeek.fin_count
            and end.segments > 0
        )

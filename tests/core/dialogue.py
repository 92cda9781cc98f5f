"""Dialogues: two ends that talk in a test, naming only the fields that matter."""

from __future__ import annotations

from tcpviz.core.connection import Connection
from tcpviz.core.records import Moment, SegmentRecord, Side
from tcpviz.core.segment import NO_OPTIONS, Endpoint, Flags, Options, Segment
from tcpviz.core.timeline import Step
from tcpviz.core.tracker import Tracker

MS = 1_000_000
LETTERS = {
    "S": Flags.SYN,
    "A": Flags.ACK,
    "F": Flags.FIN,
    "R": Flags.RST,
    "P": Flags.PSH,
    "U": Flags.URG,
}


CLIENT = Endpoint("10.0.0.1", 40000)
SERVER = Endpoint("10.0.0.2", 80)


class Talk:
    """Feeds a tracker with what two ends say; numbers follow by themselves.

    ``seq`` and ``ack`` given to a method are relative to the initial numbers.
    """

    def __init__(
        self,
        client: Endpoint = CLIENT,
        server: Endpoint = SERVER,
        client_iss: int = 1000,
        server_iss: int = 5000,
        tracker: Tracker | None = None,
        start_ns: int = 1_000_000_000,
    ) -> None:
        self.tracker = tracker or Tracker()
        self.endpoint = {Side.CLIENT: client, Side.SERVER: server}
        self.iss = {Side.CLIENT: client_iss, Side.SERVER: server_iss}
        self.nxt = {Side.CLIENT: 0, Side.SERVER: 0}
        self.now = start_ns
        self.frame = 0
        self.steps: list[Step] = []

    def segment(
        self,
        side: Side,
        flags: str,
        data: int = 0,
        *,
        seq: int | None = None,
        ack: int | None = None,
        options: Options = NO_OPTIONS,
        window: int = 64240,
    ) -> Segment:
        self.frame += 1
        self.now += MS
        bits = Flags(0)
        for letter in flags:
            bits |= LETTERS[letter]
        place = self.nxt[side] if seq is None else seq
        acked = self.nxt[side.other] if ack is None else ack
        made = Segment(
            time_ns=self.now,
            src=self.endpoint[side],
            dst=self.endpoint[side.other],
            seq=(self.iss[side] + place) & 0xFFFFFFFF,
            ack=(self.iss[side.other] + acked) & 0xFFFFFFFF if bits & Flags.ACK else 0,
            flags=bits,
            window=window,
            payload_len=data,
            options=options,
            frame=self.frame,
        )
        if not bits & Flags.RST:
            self.nxt[side] = max(self.nxt[side], place + made.seq_len)
        return made

    def feed(self, segment: Segment, moment: Moment = Moment.SEEN) -> list[Step]:
        steps = self.tracker.feed(SegmentRecord(self.now, segment, moment))
        self.steps += steps
        return steps

    def client(self, flags: str, data: int = 0, **fields: object) -> Segment:
        made = self.segment(Side.CLIENT, flags, data, **fields)  # type: ignore[arg-type]
        self.feed(made)
        return made

    def server(self, flags: str, data: int = 0, **fields: object) -> Segment:
        made = self.segment(Side.SERVER, flags, data, **fields)  # type: ignore[arg-type]
        self.feed(made)
        return made

    def sent(self, segment: Segment) -> None:
        self.now += MS
        self.feed(segment, Moment.SENT)

    def arrives(self, segment: Segment) -> None:
        self.now += MS
        self.feed(segment, Moment.ARRIVED)

    def carried(self, side: Side, flags: str, data: int = 0, **fields: object) -> Segment:
        """Sent and arrived, as on the lab's cable."""
        made = self.segment(side, flags, data, **fields)  # type: ignore[arg-type]
        self.sent(made)
        self.arrives(made)
        return made

    def handshake(self) -> Talk:
        self.client("S")
        self.server("SA")
        self.client("A")
        return self

    def sleep(self, seconds: float) -> list[Step]:
        self.now += int(seconds * 1_000_000_000)
        steps = self.tracker.tick(self.now)
        self.steps += steps
        return steps

    @property
    def connection(self) -> Connection:
        return next(reversed(self.tracker.connections.values()))

    @property
    def states(self) -> tuple[str, str]:
        return (str(self.connection.client.state), str(self.connection.server.state))

    @property
    def certainty(self) -> tuple[str, str]:
        c = self.connection
        return (str(c.client.claim.certainty), str(c.server.claim.certainty))

    def path(self, side: Side) -> list[str]:
        return [
            str(change.after.state)
            for step in self.steps
            for change in step.changes
            if change.side is side
        ]

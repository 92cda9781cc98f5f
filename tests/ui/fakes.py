"""Feeds for tests of the screen, made of real records: two ends' dialogues and their calls."""

from __future__ import annotations

import threading
from collections.abc import Iterator

from tcpviz.core.records import (
    Call,
    KernelReading,
    KernelSocket,
    Note,
    Record,
    SegmentRecord,
    Side,
)
from tcpviz.core.segment import Endpoint, Segment
from tcpviz.core.states import State
from tcpviz.sources.feed import FeedStatus, SourceError
from tests.core.dialogue import Talk

MS = 1_000_000


class Recorder(Talk):
    """A dialogue that keeps its records instead of feeding a tracker."""

    def __init__(self, **fields: object) -> None:
        super().__init__(**fields)  # type: ignore[arg-type]
        self.records: list[Record] = []

    def feed(self, segment: Segment, moment: object = None) -> list:  # type: ignore[override,type-arg]
        self.records.append(SegmentRecord(segment.time_ns, segment))
        return []

    def close(self) -> Recorder:
        self.client("FA")
        self.server("A")
        self.server("FA")
        self.client("A")
        return self


def conversation(number: int = 0, data: int = 0, start_ns: int = 1_000_000_000) -> list[Record]:
    """A whole connection: handshake, ``data`` exchanges, both ends' FINs."""
    talk = Recorder(
        client=Endpoint(f"10.0.{number // 250}.{number % 250 + 1}", 40000 + number % 20000),
        start_ns=start_ns + number * 50 * MS,
    )
    talk.handshake()
    for _ in range(data):
        talk.client("PA", 5)
        talk.server("A")
    return talk.close().records


def scenario() -> list[Record]:
    """What the lab gives: calls, segments and quiet kernel readings between them."""
    client, server = Endpoint("10.0.0.1", 40000), Endpoint("10.0.0.2", 80)
    talk = Recorder(client=client, server=server)
    talk.handshake().close()
    syn, synack, ack, *rest = talk.records
    listener = KernelSocket(Side.SERVER, server, None, State.LISTEN)
    at = syn.time_ns
    calls: list[Record] = [
        Note(at - 9 * MS, "the client closes first"),
        Call(1, Side.SERVER, "listen", "128", 3, at - 8 * MS, local=server),
        Call(1, Side.SERVER, "listen", "128", 3, at - 8 * MS, at - 7 * MS, "0", local=server),
        KernelReading(at - 6 * MS, (listener,)),
        Call(2, Side.SERVER, "accept", "", 3, at - 5 * MS, local=server),
        Call(3, Side.CLIENT, "connect", str(server), 3, at - 1, local=client, peer=server),
        syn,
        synack,
        Call(
            3, Side.CLIENT, "connect", "", 3, at - 1, synack.time_ns + 1, "0", False, client, server
        ),
        ack,
        Call(2, Side.SERVER, "accept", "", 3, at - 5 * MS, ack.time_ns + 1, "fd 4", local=server),
        KernelReading(
            ack.time_ns + 2,
            (
                KernelSocket(Side.CLIENT, client, server, State.ESTABLISHED),
                KernelSocket(Side.SERVER, server, client, State.ESTABLISHED),
                listener,
            ),
        ),
    ]
    return [*calls, *rest]


class FakeFeed:
    """Gives its batches; then ends, fails, or waits to be stopped (``hold``).

    ``more()`` hands further records to a feed that is held open.
    """

    def __init__(
        self,
        *batches: list[Record],
        title: str = "test feed",
        hold: bool = False,
        error: Exception | None = None,
    ) -> None:
        self.title = title
        self.status = FeedStatus()
        self._batches = list(batches)
        self._hold = hold
        self._error = error
        self._ready = threading.Condition()
        self._stopped = False

    def more(self, records: list[Record]) -> None:
        with self._ready:
            self._batches.append(records)
            self._ready.notify()

    def finish(self) -> None:
        with self._ready:
            self._hold = False
            self._ready.notify()

    def stop(self) -> None:
        with self._ready:
            self._stopped = True
            self._ready.notify()

    def batches(self) -> Iterator[list[Record]]:
        while True:
            with self._ready:
                while self._hold and not self._batches and not self._stopped:
                    self._ready.wait()
                if self._stopped:
                    return
                if not self._batches:
                    break
                batch = self._batches.pop(0)
            self.status.frames += sum(isinstance(one, SegmentRecord) for one in batch)
            self.status.segments = self.status.frames
            yield batch
        if self._error is not None:
            raise self._error
        self.status.done = True


def broken(message: str = "eth9: no such interface", code: int = 2) -> SourceError:
    return SourceError(message, code)

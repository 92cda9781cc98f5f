"""Live capture as a feed: interfaces and a filter in, segments and gaps out.

The capturing itself happens in child processes (:mod:`tcpviz.sources.capture`);
here their captures are read, decoded, written to a file where one is wanted,
and their drops reported.
"""

from __future__ import annotations

import contextlib
import re
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from tcpviz.core.records import Gap, Moment, Record, SegmentRecord
from tcpviz.sources import access, ssh
from tcpviz.sources.bpf import MAX_SNAPLEN
from tcpviz.sources.child import Child
from tcpviz.sources.children import Came, Children
from tcpviz.sources.clockwatch import ClockWatch, told
from tcpviz.sources.feed import FeedStatus, SourceError
from tcpviz.sources.helpers import complaint
from tcpviz.sources.interfaces import Interface, resolve
from tcpviz.sources.keeping import Keeping
from tcpviz.sources.kernelword import KernelWord
from tcpviz.sources.order import Order, Plan
from tcpviz.sources.pcap_over_ip_server import PcapServer, Served
from tcpviz.sources.recent import Kept
from tcpviz.sources.ring import why_not
from tcpviz.sources.ringhand import ring_bytes
from tcpviz.sources.ringread import FrameMaker, Link, Maker, MappedReader, Reader, told_unread
from tcpviz.sources.ringside import taken_over
from tcpviz.sources.saving import Saving
from tcpviz.sources.stepping_down import step_down
from tcpviz.wire.decoder import Decoder
from tcpviz.wire.frame import Frame

SNAPLEN = 128
"""Bytes of each frame that are kept unless more are asked for: enough for all headers."""

BUFFER = 32 << 20
"""The kernel's receive buffer for each socket, bytes, as far as it lets us."""

IDLE = 0.5
"""Seconds without traffic after which an empty batch is given, so that clocks can go on."""

_END_PATIENCE = 5.0  # seconds

can_capture = access.can_capture


class LiveFeed:
    """Capture on ``interfaces`` (none: the default route's) what passes ``bpf``.

    ``bpf``         words of pcap-filter(7); empty: TCP, over IPv4, IPv6 and VLANs
    ``snaplen``     bytes of each frame that are kept, 0 for all
    ``count``       end after that many packets that passed the filter
    ``write``       a pcapng file (``-``: standard output) for everything captured, or a plan
                    of several
    ``exclude_ssh`` leave out the connection over which the person sees this
    ``promiscuous`` ask the interfaces also for what is not for this machine
    ``give_up``     this process gives up its privileges when the children have been started,
                    before a byte of theirs is read and before the file is made
    ``sockets``     also read the kernel's own table of sockets, about once a second
    ``keep``        the process that does so keeps what it takes to see others' processes
    ``events``      also read its tracepoints about TCP, where root and tracefs allow it
    ``server``      serves what is captured to readers elsewhere, and is left out itself

    ``opens_on_troubles`` may be set: whether a screen opens on what is wrong, if anything is.

    The constructor checks everything that can be checked; :meth:`open` starts
    the capture and returns when every interface is being captured;
    :meth:`batches` does so if nobody did. All raise SourceError. Batches may be
    empty (see ``IDLE``). Ctrl-C while :meth:`batches` waits in the main thread is
    a :meth:`stop`: what was captured still comes. Whoever opens
    must iterate to the end or :meth:`close`.
    """

    def __init__(
        self,
        interfaces: Sequence[str | Interface],
        bpf: str = "",
        snaplen: int = SNAPLEN,
        count: int | None = None,
        write: str | Saving | None = None,
        exclude_ssh: bool = True,
        promiscuous: bool = False,
        give_up: bool = False,
        sockets: bool = False,
        keep: bool = False,
        events: bool = False,
        server: PcapServer | None = None,
    ) -> None:
        if count is not None and count < 1:
            raise SourceError("the count of packets must be 1 or more", exit_code=2)
        if snaplen < 0:
            raise SourceError("the snapshot length must be 0 (everything) or more", exit_code=2)
        self.status = FeedStatus()
        self.opens_on_troubles = True
        self.interfaces = resolve(interfaces)
        self.title = " + ".join(interface.name for interface in self.interfaces)
        self.title += f"  {bpf}" if bpf.strip() else "  tcp"
        self._words = bpf.strip()
        self._snaplen = snaplen if 0 < snaplen < MAX_SNAPLEN else 0
        self._left = count
        self._keeping = Keeping(write, self._snaplen, self.status, self.stop)
        self._give_up = give_up
        self._kernel = KernelWord(sockets=sockets, keep=keep, events=events)
        self._clock = ClockWatch()
        self._sessions = ssh.own_sessions() if exclude_ssh else []
        for session in self._sessions:
            self.status.notes.append(
                f"leaving out your own SSH session {session}; --with-ssh shows it"
            )
        # Wrong words are an error whoever may capture, so they come first.
        own: list[ssh.SshSession | Served] = [*self._sessions]
        if server is not None:
            self._keeping.serve(server)
            own.append(server.served)
        order = Order(self._words, self._snaplen, count, promiscuous, own)
        plans = order.plans(self.interfaces)
        self._predicate = order.predicate
        self.status.notes.extend(order.notes)
        self._access = access.find_access(self.interfaces)
        self.status.notes.extend(self._access.notes)
        if self._access.helper:
            # Helpers refuse what is down, and with it all that they were asked for.
            for plan in plans:
                if not plan.interface.up:
                    self.status.notes.append(f"{plan.interface.name} is down; not captured")
            plans = [plan for plan in plans if plan.interface.up]
            self.interfaces = [plan.interface for plan in plans]
        self._configs = order.configurations(plans, self._access.helper, BUFFER)
        self._order = order
        self._prepare(plans)
        self._decoder = Decoder(verify=False)  # what leaves has no checksum yet
        self._children = Children(self._kernel)
        self._first: list[int] = []  # each child's first interface, counted over all
        self._early: list[Record] = []
        self._dropped = 0
        self._helper_dropped = 0
        self._number = 0
        self._stopping = threading.Event()
        self._begun = False

    def _prepare(self, plans: Sequence[Plan]) -> None:
        """Which way packets come: through rings where the system has them."""
        reason = "a helper captures for us"
        if not self._access.helper:
            links = [plan.interface.link_type for plan in plans]
            reason = why_not(links, compiled=self._predicate is None)
        if not reason:
            self._configs[0]["ring"] = ring_bytes(self._snaplen)
        self.ringed = False
        self.way = f"packet by packet: {reason}"

    def _reader_of(self, child: Child, begun: bytes) -> Reader:
        links = [(each.link_type, each.cooked) for each in self.interfaces]
        names = [each.name for each in self.interfaces]
        self.ringed = True
        reader, self.way = taken_over(child, begun, names, self._maker(links))
        return reader

    def _maker(self, links: Sequence[Link]) -> Maker:
        return FrameMaker(links)

    # -- running

    @property
    def _mapped(self) -> MappedReader | None:
        """Who reads rings here, while that lasts."""
        return self._children.mapped

    @property
    def pids(self) -> list[int]:
        """The capturing processes, for those who look after them."""
        return [*(child.pid for child in self._children), *self._kernel.pids]

    def remember(self) -> None:
        """Keep the latest frames, so that they can still be saved."""
        self._keeping.remember()

    def kept(self) -> Kept | None:
        """The latest frames, where they are kept; from any thread."""
        return self._keeping.recent([interface.name for interface in self.interfaces])

    def mark(self, text: str) -> None:
        """A comment for the next frame that is written; from any thread."""
        self._keeping.mark(text)

    def open(self) -> None:
        """Start capturing. From its return on, every packet is captured or counted as dropped."""
        if self._begun:
            return
        self._begun = True
        try:
            if not self._give_up:
                self._keeping.begin()
            selector = self._children.start(self._configs, self._reader_of)
            self._kernel.open(lambda: self._order.wants(self.interfaces), selector)
            if self._give_up:
                self.status.notes += step_down()
                self._keeping.begin()
            waiting = self._children.await_start(self._stopping)
            self._describe()
            for child, frames in waiting:
                self._early += self._digest(child, frames)
            self._kernel.begin()  # after the packets, so that no connection falls between
        except BaseException:
            self.close()
            raise

    def _describe(self) -> None:
        """Number the interfaces over all children, and tell the file of them."""
        first = 0
        told: list[tuple[str, int]] = []
        for child in self._children:
            self._first.append(first)
            described = child.parser.interfaces if child.parser else []
            first += len(described)
            own = self.interfaces[len(self._first) - 1].name if described else ""
            told += [(each.name or own, each.link_type) for each in described]
        self._keeping.describe(told, self._words)

    def batches(self) -> Iterator[list[Record]]:
        """Segments, and gaps where the kernel says that it dropped packets, as they come."""
        if self._stopping.is_set():
            self.close()
            return
        self.open()
        try:
            if self._early:
                yield self._early
                self._early = []
            yield from self._run()
            if self._keeping.error:
                raise self._keeping.error
        finally:
            self.close()

    def _run(self) -> Iterator[list[Record]]:
        asked_at: float | None = None
        given = 0.0
        while not self._children.ended:
            if asked_at is None and (self._stopping.is_set() or self._left == 0):
                asked_at = time.monotonic()
                self._children.ask_to_end()
            came = self._turn_or_stop()
            batch: list[Record] = []
            for child, frames in came:
                batch += self._digest(child, frames)
                asked_at = asked_at and time.monotonic()
            batch = self._kernel.among(batch)
            self._tell()
            if batch or not came or time.monotonic() - given > IDLE:
                yield batch
                given = time.monotonic()
            if asked_at is not None and time.monotonic() - asked_at > _END_PATIENCE:
                break
        yield from self._finish()

    def _turn_or_stop(self) -> Came:
        """Ctrl-C while we wait ends the capture in order, as stop() does; a second one at once."""
        try:
            return self._children.turn(self._kernel.patience(IDLE))
        except KeyboardInterrupt:
            if self._stopping.is_set():
                raise
            self._stopping.set()
            return []

    def _digest(self, child: Child, frames: list[Frame]) -> list[Record]:
        """Decode, judge, write and count one child's frames."""
        parser = child.parser
        records: list[Record] = []
        if parser is None:
            return records
        dropped = sum(c.parser.dropped for c in self._children if c.parser) + self._helper_dropped
        rise = max(0, dropped - self._dropped)
        self._dropped = max(dropped, self._dropped)
        losses = parser.losses if rise else {}
        first = self._first[self._children.index(child)] if self._first else 0
        alone = len(self._children) == 1
        for frame in frames:
            if self._left == 0:
                break
            lost = losses.get(frame.number, 0)
            if lost and rise:
                records.append(Gap(frame.time_ns, min(lost, rise), "the kernel"))
                rise -= min(lost, rise)
            if not alone:
                frame = Frame(
                    frame.time_ns,
                    frame.link_type,
                    frame.data,
                    frame.wire_len,
                    self._number + 1,
                    frame.interface + first,
                )
            self._number += 1
            segment = self._decoder.decode(frame)
            if self._predicate and not (segment and self._predicate(segment)):
                continue
            self.status.frames += 1
            if self._left is not None:
                self._left -= 1
            self._keeping.take(frame, lost)
            if segment is not None:
                records.append(SegmentRecord(segment.time_ns, segment, Moment.SEEN))
        for segment in self._decoder.extra:
            if not self._predicate or self._predicate(segment):
                records.append(SegmentRecord(segment.time_ns, segment, Moment.SEEN))
        self._decoder.extra.clear()
        if not self._predicate:  # its words are about segments
            records.extend(self._decoder.errors)
        self._decoder.errors.clear()
        if rise:
            when = frames[-1].time_ns if frames else time.time_ns()
            records.append(Gap(when, rise, "the kernel"))
        self.status.segments += sum(isinstance(record, SegmentRecord) for record in records)
        return records

    def _tell(self) -> None:
        """Bring counters, notes and the file up to date."""
        step = self._clock.look()
        if step:
            self.status.notes.append(told(step))
        for child in self._children:
            for message in child.messages:
                self._note(message)
            child.messages.clear()
        self.status.notes += self._kernel.notes
        self._kernel.notes.clear()
        if self._predicate:
            self.status.skipped = Counter()
        else:
            self.status.skipped = Counter(self._decoder.skipped)
        self.status.dropped = self._dropped
        self._keeping.look_after(self._dropped)

    def _note(self, message: dict[str, Any]) -> None:
        if "no_ring" in message:
            self.way = f"packet by packet: no ring ({message['no_ring']})"
            return
        if "ring" in message:
            return
        if "note" in message or "error" in message:
            text = str(message.get("note") or message.get("error"))
            self.status.notes.append("".join(c if c.isprintable() else "?" for c in text))
            return
        said = str(message.get("said", ""))
        # tcpdump's last words: the only ones about drops that it has.
        dropped = re.match(r"(\d+) packets? dropped by kernel", said)
        if dropped:
            self._helper_dropped += int(dropped.group(1))
        elif re.search(r"went down|disappeared|no longer|error|denied", said, re.IGNORECASE):
            self.status.notes.append(complaint(said))

    def _finish(self) -> Iterator[list[Record]]:
        """All have ended, or were given up: last words, last drops, and why."""
        self._children.hear_out()
        self._tell()
        last: list[Record] = []
        self._decoder.finish()
        for child in self._children:
            code = child.close()
            self._let_go_of(child)
            if child.parser and not child.parser.ended:
                with contextlib.suppress(SourceError):
                    child.parser.finish()
                self.status.notes.extend(child.parser.notes)
            last += self._digest(child, [])
            if code and not self._stopping.is_set() and self._left != 0:
                how = f"was killed (signal {-code})" if code < 0 else f"failed (code {code})"
                self.status.notes.append(f"the capturing process {how}; what was seen is shown")
        self._tell()
        self._keeping.finish(len(self.interfaces), self._dropped)
        last = self._kernel.among(last, over=True)
        if last:
            yield last

    def stop(self) -> None:
        self._stopping.set()
        self._children.nudge()

    def _let_go_of(self, child: Child) -> None:
        reader = child.parser
        if isinstance(reader, Reader):
            reader.close()
            unread, reader.unread = reader.unread, 0
            if unread and self._left != 0:
                self.status.notes.append(told_unread(unread))

    def close(self) -> None:
        """End at once, with what is not read yet lost; more than once does no harm."""
        for child in self._children:
            child.close()
            self._let_go_of(child)
        self._kernel.close()
        self._children.close()
        self._keeping.close()
        self._begun = True
        self.status.done = True

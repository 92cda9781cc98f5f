"""The words of a scenario's script: ``lab.client``, ``lab.server``, ``lab.cable``.

What a host may be told is in :mod:`tcpviz.lab.host`. Segments are named by who
sends them (``client``, ``server``, ``both``), what they are (``SYN``,
``SYN,ACK``, ``FIN``, ``ACK``, ``RST``, ``data``, ``any``) and which of them
(``nth``, from 1, counted from that line of the script on unless told otherwise).
"""

from __future__ import annotations

from collections.abc import Callable

from tcpviz.core.records import Doer, Side
from tcpviz.lab.cable import Cable as CableGround
from tcpviz.lab.frames import Pattern
from tcpviz.lab.host import Host, Words, cable_of
from tcpviz.lab.peers import Worker
from tcpviz.lab.stage import MistakeError, Stage
from tcpviz.lab.traffic import Do, InHand, Rule

_MOST_SYNS = 5000


class Cable(Words):
    """The cable in the scenario's hand. Only on the ground of that name."""

    _what = "lab.cable"

    def __init__(self, stage: Stage) -> None:
        self._stage = stage

    # -- in the hand --------------------------------------------------------

    def hold(self, sender: str = "both", segments: str = "any", count: int | None = None) -> None:
        """From now on, keep every segment in the hand; or only those that fit, or ``count``."""
        cable = self._cable()
        if (sender, segments, count) == ("both", "any", None):
            cable.traffic.holding = True
        else:
            self._rule(Do.HOLD, "hold", sender, segments, 1, count)

    def release(
        self, sender: str = "both", segments: str = "any", count: int | None = None
    ) -> None:
        """Let everything held go on its way, and hold no more.

        With a sender, segments or a count: only those that fit go, and holding goes on.
        """
        cable, now = self._cable(), self._stage.now()
        chosen = self._held("release", sender, segments)
        if (sender, segments, count) == ("both", "any", None):
            cable.traffic.holding = False
            cable.traffic.rules = [one for one in cable.traffic.rules if one.what is not Do.HOLD]
        elif not chosen:
            raise self._nothing("release", sender, segments)
        for one in chosen[:count]:
            self._stage.tell(*cable.traffic.release(one, Doer.SCRIPT, now))
        self._stage.settle()

    def cross(self) -> None:
        """Let what both ends have sent pass each other on the way: :meth:`release`."""
        self.release()

    def drop_held(self, sender: str = "both", segments: str = "any", count: int = 1) -> None:
        """Let the first ``count`` segments in the hand that fit die there."""
        cable, now = self._cable(), self._stage.now()
        chosen = self._held("drop_held", sender, segments)
        if not chosen:
            raise self._nothing("drop_held", sender, segments)
        for one in chosen[:count]:
            self._stage.tell(*cable.traffic.drop(one, Doer.SCRIPT, now))
        self._stage.settle()

    def holds(self, sender: str = "both", segments: str = "any") -> int:
        """How many segments that fit are in the script's hand."""
        return len(self._held("holds", sender, segments))

    # -- to those that will leave -------------------------------------------

    def drop(
        self, sender: str, segments: str = "any", count: int | None = 1, *, nth: int = 1
    ) -> None:
        """Let segments die: the ``nth`` that fits from now on, and so many in all (None: all)."""
        self._rule(Do.DROP, "drop", sender, segments, nth, count)

    def duplicate(
        self, sender: str, segments: str = "any", *, nth: int = 1, after: float = 0.0
    ) -> None:
        """The ``nth`` that fits arrives twice; its copy right behind it, or ``after`` seconds."""
        self._rule(Do.DUPLICATE, "duplicate", sender, segments, nth, 1, after)

    def delay(
        self,
        sender: str,
        segments: str = "any",
        *,
        seconds: float,
        nth: int = 1,
        count: int | None = 1,
    ) -> None:
        """Segments that fit take ``seconds``; the script goes on meanwhile."""
        self._rule(Do.DELAY, "delay", sender, segments, nth, count, seconds)

    def reorder(self, sender: str, segments: str = "any", *, nth: int = 1) -> None:
        """The ``nth`` that fits arrives right behind the next one of its sender."""
        self._rule(Do.BEHIND, "reorder", sender, segments, nth, 1)

    def corrupt(self, sender: str, segments: str = "any", *, nth: int = 1, count: int = 1) -> None:
        """Turn a byte over in segments that fit: their checksum is wrong when they arrive."""
        self._rule(Do.CORRUPT, "corrupt", sender, segments, nth, count)

    def forget(self) -> None:
        """Forget what was ordered for segments that have not come yet."""
        self._cable().traffic.rules.clear()

    # -- to the cable -------------------------------------------------------

    def cut(self, sender: str = "both") -> None:
        """Cut the cable: what ``sender`` sends from now on dies, until :meth:`mend`."""
        side = self._side("cut", sender)
        self._cable().traffic.cut |= {side} if side else set(Side)
        self._stage.note("the cable is cut" + (f" for what the {side} sends" if side else ""))

    def mend(self) -> None:
        """What is sent from now on gets through again."""
        self._cable().traffic.cut.clear()
        self._stage.note("the cable is mended")

    def mtu(self, size: int | None, *, tells: bool = True) -> None:
        """Let only IP packets of up to ``size`` bytes through, as a router with a narrow link.

        Larger ones die, and their sender is told so by ICMP unless ``tells`` is False.
        ``None``: any size again.
        """
        if size is not None and not 68 <= int(size) <= 65535:
            raise MistakeError(f"lab.cable.mtu(): {size} is not from 68 to 65535")
        traffic = self._cable().traffic
        traffic.mtu, traffic.mtu_told = None if size is None else int(size), bool(tells)

    def set_delay(self, milliseconds: float, sender: str = "both") -> None:
        """One way's time from now on, for what ``sender`` sends."""
        if not 0 <= milliseconds <= 60_000:
            raise MistakeError(f"lab.cable.set_delay(): {milliseconds} ms is not from 0 to 60000")
        side = self._side("set_delay", sender)
        for one in [side] if side else list(Side):
            self._cable().traffic.delay_ns[one] = int(milliseconds * 1_000_000)

    # -- segments of former times, and of nobody ----------------------------

    def replay(self, sender: str, segments: str = "any", *, nth: int = 1) -> None:
        """Send a copy of a segment that left before: the ``nth`` that fits since the beginning.

        ``nth=-1``: the latest. The bytes are those that left then.
        """
        cable = self._cable()
        side, pattern = self._side("replay", sender), self._pattern("replay", segments)
        found = list(cable.traffic.recorded_that_fit(side, pattern))
        place = int(nth) - 1 if nth > 0 else int(nth)
        if not nth or not -len(found) <= place < len(found):
            raise MistakeError(
                f"lab.cable.replay(): {len(found)} {segments} segments from {sender} have left"
                f" so far, so there is no number {nth}"
            )
        self._stage.tell(*cable.traffic.replay(found[place], Doer.SCRIPT, self._stage.now()))
        self._stage.settle()

    def syn_flood(self, count: int, *, port: int | None = None, burst: int = 8) -> None:
        """Hand ``count`` SYNs to the server from addresses at which nobody is.

        They come in bursts of ``burst``, and the kernels are read after each.
        """
        if not 0 < int(count) <= _MOST_SYNS:
            raise MistakeError(f"lab.cable.syn_flood(): {count} is not from 1 to {_MOST_SYNS}")
        cable = self._cable()
        target = cable.places[Side.SERVER].endpoint.port if port is None else int(port)
        left = int(count)
        while left:
            some = min(left, max(1, int(burst)))
            cable.flood(some, target)
            self._stage.settle()
            left -= some

    # -- waiting ------------------------------------------------------------

    def seen(self, sender: str, segments: str = "any") -> int:
        """How many segments that fit have left since the beginning."""
        side, pattern = self._side("seen", sender), self._pattern("seen", segments)
        return sum(side in (None, one) and pattern.fits(seen) for one, seen in self._stage.left)

    def await_segment(
        self, sender: str, segments: str = "any", *, nth: int = 1, seconds: float = 10.0
    ) -> None:
        """Wait until the ``nth`` that fits, counted since the beginning, has left its sender."""
        self._cable()
        what = f"{sender} has not sent its {segments}" + (f" number {nth}" if nth != 1 else "")
        self._stage.until(lambda: self.seen(sender, segments) >= nth, float(seconds), what)

    # -- how ----------------------------------------------------------------

    def _cable(self) -> CableGround:
        return cable_of(self._stage, "it")

    def _side(self, word: str, sender: str) -> Side | None:
        if sender in ("both", "any"):
            return None
        side = next((one for one in Side if one.value == sender), None)
        if side is None:
            raise MistakeError(f"lab.cable.{word}(): {sender!r} is neither client nor server")
        return side

    def _pattern(self, word: str, segments: str) -> Pattern:
        try:
            return Pattern.of(segments)
        except ValueError as error:
            raise MistakeError(f"lab.cable.{word}(): {error}") from None

    def _rule(
        self,
        what: Do,
        word: str,
        sender: str,
        segments: str,
        nth: int,
        count: int | None,
        seconds: float = 0.0,
    ) -> None:
        side, pattern = self._side(word, sender), self._pattern(word, segments)
        if nth < 1 or (count is not None and count < 1) or not 0 <= seconds <= 3600:
            raise MistakeError(f"lab.cable.{word}(): nth and count begin at 1, seconds at 0")
        rule = Rule(what, side, pattern, int(nth) - 1, count, int(seconds * 1e9))
        self._cable().traffic.rules.append(rule)

    def _held(self, word: str, sender: str, segments: str) -> list[InHand]:
        side, pattern = self._side(word, sender), self._pattern(word, segments)
        return [
            one
            for one in self._cable().traffic.held(Doer.SCRIPT)
            if side in (None, one.sender) and pattern.fits(one.seen)
        ]

    def _nothing(self, word: str, sender: str, segments: str) -> MistakeError:
        held = [str(one.seen) for one in self._cable().traffic.held(Doer.SCRIPT)]
        there = "; ".join(held) or "nothing"
        return MistakeError(
            f"lab.cable.{word}(): no {segments} from {sender} is held; in the hand: {there}"
        )


class Lab(Words):
    """What ``run(lab)`` is given."""

    _what = "lab"

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self.client = Host(stage, self._first(Side.CLIENT), Side.CLIENT)
        self.server = Host(stage, self._first(Side.SERVER), Side.SERVER)
        self.cable = Cable(stage)

    def _first(self, side: Side) -> Worker:
        return self._stage.peers.workers[side, ""]

    def note(self, text: str) -> None:
        """Say one line to whoever watches."""
        self._stage.note(str(text))

    def wait(self, seconds: float) -> None:
        """Let real time pass."""
        self._stage.wait(float(seconds))

    def until(self, test: Callable[[], bool], what: str, seconds: float = 10.0) -> None:
        """Wait until ``test()`` is true; ``what`` says what for, should it never be."""
        self._stage.until(lambda: bool(test()), float(seconds), f"waited in vain for {what}")

    def timers(self, kind: str) -> None:
        """How the kernels' retransmission timers run, for sockets made from now on.

        ``calm`` (the usual): nothing is repeated within a second, nor, in step mode,
        while it is held. ``linux``: as Linux has them, and every repetition is shown.
        """
        if kind not in ("calm", "linux"):
            raise MistakeError(f"lab.timers(): {kind!r} is none of calm, linux")
        cable_of(self._stage, "lab.timers()").timers(kind)

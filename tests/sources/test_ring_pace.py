"""How often a mapped ring is looked at: often for who waits for each packet, else as seldom as is
cheap, and never so seldom that it could be full before."""

from __future__ import annotations

import itertools
import tempfile

import pytest

from tcpviz.sources import blockring, ring, ringread
from tcpviz.sources.ringread import MappedReader


class Waiting:
    """A ring in which so much lies."""

    skip_outgoing = more = False

    def __init__(self, frames: int, size: int = 208) -> None:
        self.frames, self.size = frames, size
        self.lasts_s = frames / ring.FLOOD
        self.waits = self.most = 0

    def ready(self, most: int) -> int:
        self.most = max(self.most, most)
        return min(self.waits, most)

    def share(self, count: int) -> float:
        return count / self.frames

    def fuller(self, share: float) -> bool:
        return self.waits > share * self.frames

    def stretches(self, count: int) -> list[memoryview]:
        return []

    def release(self, count: int) -> None:
        self.waits -= count


class Counts:
    """A maker of nothing but numbers."""

    links = ((1, False),)
    most = ring.AT_ONCE

    def reading(self, ring):
        return ring

    def copied(self, views):
        return b""

    def part(self, number, data, size, *, skip_outgoing):
        return 0

    def loses(self, part):
        return False

    def put(self, parts, lost, number):
        return [0], 1


def paces(monkeypatch, lies: Waiting, rate: float, *, patient: bool) -> tuple[float, float]:
    """At so many packets a second, after some passes: seconds to the next look, and for which
    nothing was taken."""
    now = [1000.0]
    monkeypatch.setattr(ringread.time, "monotonic", lambda: now[0])
    reader = MappedReader(0, b"", ["lo"], Counts(), [lies], lambda _: None)
    reader.patient = patient
    reader.due = now[0]
    lies.waits, came = 1, now[0] * rate
    taken = [now[0]]
    while len(taken) < 9:
        now[0] = max(reader.due, now[0] + 0.0001)
        lies.waits += round(now[0] * rate - came)
        came = round(now[0] * rate)
        before = lies.waits
        assert before <= lies.frames
        reader.pull()
        assert reader.due is not None
        if patient:  # a flood that begins now does not fill it before the next look
            assert lies.waits + (reader.due - now[0]) * ring.FLOOD <= lies.frames * 1.001
        if lies.waits < before:
            taken.append(now[0])
    steps = [two - one for one, two in itertools.pairwise(taken[-5:])]
    return round(reader.due - now[0], 6), round(max(steps), 6)


@pytest.mark.parametrize(("rate", "passes"), [(600, 1), (1000, 2), (10_000, 2), (200_000, 1)])
def test_who_waits_for_each_packet_need_not_wait_long(monkeypatch, rate, passes):
    pause, _ = paces(monkeypatch, Waiting(300_000), rate, patient=False)
    assert pause == pytest.approx(passes * ring.PASS_S)


@pytest.mark.parametrize("frames", [300_000, 160_000])
@pytest.mark.parametrize("rate", [1000, 100_000, 200_000, 700_000])
def test_who_does_not_gets_passes_as_large_as_they_may_be(monkeypatch, rate, frames):
    _, rest = paces(monkeypatch, Waiting(frames), rate, patient=True)
    assert ring.PASS_S <= rest <= ring.PATIENT_S
    assert rate * rest < 2 * ring.AT_ONCE  # two passes, one behind the other
    enough = min(1.6 * ring.AT_ONCE, 0.24 * frames)
    assert rest == ring.PATIENT_S or rate * rest > enough


def test_a_small_ring_is_not_left_until_it_is_full(monkeypatch):
    look, rest = paces(monkeypatch, Waiting(60_000), 20_000, patient=True)
    assert look < rest == ring.PATIENT_S


def test_a_flood_that_begins_between_two_passes_is_taken_at_the_next_look(monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(ringread.time, "monotonic", lambda: now[0])
    lies = Waiting(160_000)
    lies.waits = 100
    reader = MappedReader(0, b"", ["lo"], Counts(), [lies], lambda _: None)
    reader.patient, reader.due = True, now[0]
    reader.pull()
    now[0] = reader.due  # a look
    lies.waits = 1000
    assert reader.pull() == []
    assert lies.waits == 1000
    now[0] = reader.due
    assert now[0] < 1000 + ring.PATIENT_S
    lies.waits = 100_000
    while lies.waits:  # one pass behind the other
        assert reader.pull()
        assert reader.due == now[0] or not lies.waits


def test_of_long_frames_fewer_are_taken_together(monkeypatch):
    lies = Waiting(300_000, 2128)
    paces(monkeypatch, lies, 20_000, patient=True)
    assert lies.most * lies.size <= ring.AT_ONCE_BYTES


@pytest.mark.parametrize("patient", [False, True])
def test_what_would_fill_it_before_the_next_pass_is_looked_at_sooner(monkeypatch, patient):
    rate = 300_000
    look, _ = paces(monkeypatch, Waiting(20_000), rate, patient=patient)
    assert rate * look < 0.3 * 20_000
    assert patient or rate * look > 0.2 * 20_000


@pytest.mark.parametrize("lies", [100, 10_000, 20_000])
def test_what_comes_in_crowds_is_told(lies):
    waiting = Waiting(300_000)
    waiting.waits = lies
    reader = MappedReader(0, b"", ["lo"], Counts(), [waiting], lambda _: None)
    reader.pull()
    assert reader.crowded == (lies > ring.AT_ONCE // 2)


def test_who_follows_in_the_same_thread_can_ask_how_much_has_come_meanwhile():
    waiting = Waiting(300_000)
    reader = MappedReader(0, b"", ["lo"], Counts(), [Waiting(300_000), waiting], lambda _: None)
    assert not reader.pressed
    waiting.waits = 20_000
    assert reader.pressed
    reader.ended = True
    reader._rings = []  # as once it is closed
    assert not reader.pressed


@pytest.mark.parametrize("at", [0, 60])
def test_how_full_a_ring_is_is_seen_at_one_place(at):
    with tempfile.TemporaryFile() as file:
        file.truncate(64 * 4096)
        lies = ring.Ring(file.fileno(), 64, 4096, 64 * 4096)
        lies._at = at
        for filled in range(40):
            # Frames 0 to ``filled`` - 1 from where is read next are ours.
            assert lies.fuller(0.25) == (filled > 16)
            lies._status[(at + filled) % 64] = 1
        lies.close()


def test_how_full_a_ring_of_blocks_is_too():
    with tempfile.TemporaryFile() as file:
        file.truncate(16 * 4096)
        lies = blockring.BlockRing(file.fileno(), 16, 16 * 4096)
        lies._at = 14
        for filled in range(9):
            assert lies.fuller(0.25) == (filled > 4)
            lies._status[((14 + filled) % 16 * 4096 + 8) // 4] = 1
        lies.over = True  # nothing more comes: what waits is read to its end
        assert not lies.fuller(0.25)
        lies.close()

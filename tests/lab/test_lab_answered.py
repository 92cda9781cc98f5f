"""Step mode keeps back what is sent again only because the answer to it lies in the hand."""

from __future__ import annotations

import sys

import pytest

from tcpviz.core.records import Act, Doer, Handled, Moment, Record, SegmentRecord, Side
from tcpviz.core.segment import Endpoint, Flags
from tcpviz.lab.feed import LabFeed
from tcpviz.lab.frames import Glance
from tcpviz.lab.scenarios import load
from tcpviz.lab.traffic import Traffic

if not sys.platform.startswith("linux"):
    pytest.skip("the cable needs Linux", allow_module_level=True)


def _played(answer_waits):
    """The handshake in step mode; everything is let go at once, but what ``answer_waits`` says.

    Returns (what was sent, what was kept back).
    """
    feed = LabFeed(load("handshake"), step=True)
    control = feed.control
    assert control is not None
    records: list[Record] = []
    let_go: set[int] = set()

    def decide() -> None:
        # Called from the feed's own thread as soon as the hand has changed, so that nothing
        # waits there for longer than it is meant to.
        for held in control.hand:
            if held.frame not in let_go and not answer_waits(held, _kept_back(records)):
                let_go.add(held.frame)
                control.deliver(held.frame)

    control.changed = decide
    for batch in feed.batches():
        if feed.ground != "cable":
            pytest.skip(f"no cable on this machine: {feed.status.notes}")
        records += batch
        decide()
    sent = [
        (one.segment.interface, one.segment.flags)
        for one in records
        if isinstance(one, SegmentRecord) and one.moment is Moment.SENT
    ]
    return sent, _kept_back(records)


def _kept_back(records):
    return [one for one in records if isinstance(one, Handled) and one.act is Act.SWALLOWED]


def test_a_syn_whose_answer_is_held_does_not_come_again():
    def waits(held, kept_back):
        again = any(one.segment.syn and not one.segment.has_ack for one in kept_back)
        return held.segment.syn and held.segment.has_ack and not again

    sent, kept_back = _played(waits)
    assert len(sent) == len(set(sent)) == 3  # SYN, SYN,ACK, ACK, and nothing twice
    assert {one.segment.interface for one in kept_back} <= {0, 1}
    assert all(one.count >= 1 for one in kept_back)
    assert any(list(Side)[one.segment.interface] is Side.CLIENT for one in kept_back)


# -- the same without kernels: every order in which stamps and arrivals can come --------------

SYN = Glance(Endpoint("10.0.0.1", 40001), Endpoint("10.0.0.2", 80), Flags.SYN, 0, seq=100)
SYN_ACK = Glance(SYN.dst, SYN.src, Flags.SYN | Flags.ACK, 0, seq=700)
C, S = Side


@pytest.fixture
def stepping():
    traffic = Traffic(dict.fromkeys(Side, 0))
    traffic.step = True
    return traffic


def left(traffic, sender, seen, stamp):
    """A frame leaves; returns the number under which it lies in the hand, 0 where kept back."""
    events = traffic.take(sender, 0, stamp, b"", seen)
    acts = [message["act"] for message, _ in events if message["k"] == "act"]
    assert acts in (["held"], ["swallowed"])
    return traffic.held()[-1].number if acts == ["held"] else 0


def lands(traffic, now):
    one = traffic.pop(now)
    one.landed_ns = now + 5


def test_what_leaves_again_before_the_first_is_handed_over_is_kept_back(stepping):
    left(stepping, C, SYN, 10)
    stepping.release(stepping.held()[0], Doer.PERSON, 20)
    assert not left(stepping, C, SYN, 21)  # under way
    lands(stepping, 30)
    assert not left(stepping, C, SYN, 29)  # stamped before, collected after
    assert not left(stepping, C, SYN, 34)  # while it was being handed over


def test_what_leaves_again_before_the_answer_is_handed_over_is_kept_back(stepping):
    left(stepping, C, SYN, 10)
    stepping.release(stepping.held()[0], Doer.PERSON, 20)
    lands(stepping, 30)
    assert left(stepping, S, SYN_ACK, 31)
    assert not left(stepping, C, SYN, 40)  # in the hand
    stepping.release(stepping.held()[0], Doer.PERSON, 50)
    assert not left(stepping, C, SYN, 51)  # under way
    lands(stepping, 60)
    assert not left(stepping, C, SYN, 64)
    assert left(stepping, C, SYN, 66)  # it knows the answer now: this one means something


def test_what_was_dropped_is_missed_and_comes_again(stepping):
    left(stepping, C, SYN, 10)
    stepping.drop(stepping.held()[0], Doer.PERSON, 20)
    assert left(stepping, C, SYN, 30)


def test_what_the_person_delays_is_missed_meanwhile(stepping):
    left(stepping, C, SYN, 10)
    stepping.delay(stepping.held()[0], Doer.PERSON, 20, 1000)
    assert left(stepping, C, SYN, 30)

"""Step mode keeps back what is sent again only because the answer to it lies in the hand."""

from __future__ import annotations

import sys

import pytest

from tcpviz.core.records import Act, Handled, Moment, Record, SegmentRecord, Side
from tcpviz.lab.feed import LabFeed
from tcpviz.lab.scenarios import load

if not sys.platform.startswith("linux"):
    pytest.skip("the cable needs Linux", allow_module_level=True)


def test_a_syn_whose_answer_is_held_does_not_come_again() -> None:
    feed = LabFeed(load("handshake"), step=True)
    control = feed.control
    assert control is not None
    records: list[Record] = []
    kept_back: list[Handled] = []
    let_go: set[int] = set()
    for batch in feed.batches():
        if feed.ground != "cable":
            pytest.skip(f"no cable on this machine: {feed.status.notes}")
        records += batch
        kept_back += [one for one in batch if isinstance(one, Handled) and one.act is Act.SWALLOWED]
        answered = [one for one in kept_back if one.segment.syn and not one.segment.has_ack]
        for held in control.hand:
            answer = held.segment.syn and held.segment.has_ack
            if held.frame not in let_go and (answered or not answer):
                let_go.add(held.frame)
                control.deliver(held.frame)
    sent = [
        (one.segment.interface, one.segment.flags)
        for one in records
        if isinstance(one, SegmentRecord) and one.moment is Moment.SENT
    ]
    assert len(sent) == len(set(sent)) == 3  # SYN, SYN,ACK, ACK, and nothing twice
    assert {one.segment.interface for one in kept_back} <= {0, 1}
    assert all(one.count >= 1 for one in kept_back)
    assert list(Side)[kept_back[0].segment.interface] is Side.CLIENT

"""Whatever two captures contain, they are joined in order, and every segment is told once."""

from hypothesis import given, settings
from hypothesis import strategies as st

from tcpviz.core.points.joiner import Joiner
from tcpviz.core.points.survey import survey
from tcpviz.core.records import Gap, Moment, SegmentRecord
from tcpviz.core.segment import Endpoint, Flags, Options, Segment
from tcpviz.core.tracker import Tracker

_ENDS = [Endpoint("10.0.0.1", 1), Endpoint("10.0.0.2", 2), Endpoint("10.0.0.3", 2)]
_NUMBERS = st.sampled_from([0, 1, 100, 101, 201, 301, 2**32 - 50])
_STAMPS = st.sampled_from([None, (1, 0), (1, 1), (2, 1), (7, 2)])

SEGMENTS = st.builds(
    Segment,
    time_ns=st.integers(-(10**9), 5 * 10**9),
    src=st.sampled_from(_ENDS),
    dst=st.sampled_from(_ENDS),
    seq=_NUMBERS,
    ack=_NUMBERS,
    flags=st.sampled_from([2, 18, 16, 24, 17, 4, 20, 0, 3]).map(Flags),
    window=st.integers(0, 3),
    payload_len=st.sampled_from([0, 0, 1, 100, 200, 300]),
    options=st.builds(
        Options,
        timestamps=_STAMPS,
        sack=st.sampled_from([(), ((101, 201),)]),
        mss=st.sampled_from([None, 1460]),
    ),
    ip_id=st.sampled_from([None, 0, 5, 6]),
    ttl=st.sampled_from([None, 60, 64]),
    frame=st.integers(1, 50),
)
CAPTURE = st.lists(SEGMENTS, max_size=15)


def checked(records, captures):
    times = [record.time_ns for record in records]
    assert times == sorted(times)
    tracker = Tracker()
    for record in records:
        tracker.feed(record)
    own = [one for one in records if isinstance(one, SegmentRecord)]
    left = sum(one.moment is not Moment.ARRIVED and one.moment is not Moment.LOST for one in own)
    assert left <= sum(map(len, captures))


@settings(max_examples=25, deadline=None)
@given(st.tuples(CAPTURE, CAPTURE), st.booleans())
def test_files(captures, in_order):
    if in_order:
        captures = [sorted(each, key=lambda one: one.time_ns) for each in captures]
    found = survey([SegmentRecord(one.time_ns, one) for one in each] for each in captures)
    joiner = found.joiner()
    records = []
    for point, each in enumerate(captures):
        for one in each:
            joiner.take(point, SegmentRecord(one.time_ns, one))
    records += joiner.release(None)
    assert not joiner.waiting
    checked(records, captures)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 1), SEGMENTS, st.integers(0, 9)), max_size=30))
def test_live(came):
    joiner, records = Joiner(most=10), []
    for point, one, more in came:
        joiner.take(point, SegmentRecord(one.time_ns, one))
        if not more:
            joiner.take(point, Gap(one.time_ns, 3, "the kernel"))
        records += joiner.hurry()
        assert joiner.waiting <= 12
        if more > 7:
            records += joiner.release(one.time_ns)
    records += joiner.release(None)
    checked(records, [[one] for _, one, _ in came])
    assert sum(isinstance(one, Gap) for one in records) == sum(not more for *_, more in came)

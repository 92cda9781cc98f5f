"""What the tracker claims against what two simulated ends knew (see ``twoends``).

Every *seen* claim must be what the end's state was when the proving segment had
left it, in any capture: cut, thinned out, doubled, reordered, of one side only.
And where nothing is lost behind the capture, the final states must be right.
"""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Iterable, Sequence

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tcpviz.core.claims import Certainty
from tcpviz.core.connection import Connection
from tcpviz.core.records import SegmentRecord
from tcpviz.core.segment import Endpoint, Segment
from tcpviz.core.states import State
from tcpviz.core.tracker import Tracker
from tests.core.twoends import CLIENT, SERVER, Captured, World, lives, scene

LINKS: tuple[dict[str, object], ...] = (
    {},
    {"jitter": 4},
    {"jitter": 30, "stamps": True},
    {"lost_before": 0.1},
    {"lost_after": 0.1},
    {"lost_after": 0.3, "jitter": 10},
    {"lost_before": 0.2, "lost_after": 0.2, "jitter": 20, "copies": 0.1},
    {"stamps": True, "jitter": 10, "lost_after": 0.1},
    {"late": 0.1, "jitter": 10},
    {"late": 0.2, "lost_before": 0.1, "stamps": True},
)
GUESSES = tuple(kind for kind in World.forgers if "syn" not in kind and kind != "sum")
"""Forgeries that no hole in the capture can hide.

A SYN alone is as good as any other, and a wrong checksum where no right one was seen may be one
that the network card fills in.
"""
GONE = {State.CLOSED, State.LISTEN}
SEEDS = st.integers(0, 1 << 32)
Claimed = tuple[Endpoint, State, int]


def same(one: State, two: State) -> bool:
    """A listening end is closed as far as this connection goes."""
    return one is two or (one in GONE and two in GONE)


def follow(capture: Iterable[Captured]) -> tuple[Tracker, set[Claimed]]:
    """The tracker after the capture, and everything that it claimed as seen on the way."""
    tracker, seen = Tracker(), set()
    for one in capture:
        for step in tracker.feed(SegmentRecord(one.segment.time_ns, one.segment)):
            if step.connection is None:
                continue
            connection = tracker.connections[step.connection]
            for end in (connection.client, connection.server):
                if end.claim.certainty is Certainty.SEEN:
                    seen.add((end.endpoint, end.claim.state, end.claim.frame))
    return tracker, seen


def check(capture: Sequence[Captured]) -> Tracker:
    truth = {one.segment.frame: one for one in capture}
    tracker, seen = follow(capture)
    for endpoint, state, frame in seen:
        proof = truth[frame]
        assert proof.segment.src == endpoint, f"{endpoint} {state}: frame {frame} is not its own"
        assert proof.truth is not None, f"{endpoint} {state}: frame {frame} is forged"
        assert same(proof.truth, state), f"{endpoint} {state}: frame {frame} says {proof.truth}"
    return tracker


def dialogue(seed: int, number: int) -> World:
    world = scene(seed, **LINKS[number % len(LINKS)])
    world.run()
    return world


def crossing(world: World) -> bool:
    return world.ends[1].path[0] is State.CLOSED


def spoiled(capture: Sequence[Captured], seed: int) -> list[Captured]:
    """The capture cut, thinned out, doubled, reordered, one-sided, in some combination."""
    dice, kept = random.Random(seed), list(capture)
    if dice.random() < 0.5 and kept:
        kept = kept[dice.randrange(len(kept)) :]
    if dice.random() < 0.6:
        chance = dice.choice((0.1, 0.3, 0.6))
        kept = [one for one in kept if dice.random() > chance]
    if dice.random() < 0.3:
        doubled = []
        for one in kept:
            doubled.append(one)
            if dice.random() < 0.3:
                copy = dataclasses.replace(one.segment, frame=one.segment.frame + 100_000)
                doubled.append(Captured(copy, one.truth))
        kept = doubled
    if dice.random() < 0.4:
        window = dice.choice((2, 3, 5))
        order = sorted(range(len(kept)), key=lambda i: i + dice.uniform(0, window))
        times = [one.segment.time_ns for one in kept]
        kept = [
            Captured(dataclasses.replace(kept[i].segment, time_ns=at), kept[i].truth)
            for i, at in zip(order, times, strict=True)
        ]
    if dice.random() < 0.2:
        side = dice.choice((CLIENT, SERVER))
        kept = [one for one in kept if one.segment.src == side]
    return kept


def of(tracker: Tracker, world: World) -> Connection:
    """The connection of the two ends, not one that a forged SYN seemed to begin."""
    isses = {end.iss for end in world.ends}
    connections = list(tracker.connections.values())
    mine = [one for one in connections if isses & {one.client.iss, one.server.iss}]
    return mine[0] if mine else connections[0]


def finally_right(tracker: Tracker, world: World) -> None:
    connection = of(tracker, world)
    for endpoint, end in zip((CLIENT, SERVER), world.ends, strict=True):
        ours = connection.client if connection.client.endpoint == endpoint else connection.server
        assert same(ours.state, end.state), f"{endpoint}: {ours.claim}, truth {end.state}"


# -- the whole capture --------------------------------------------------------


@settings(max_examples=100, deadline=None)
@given(SEEDS, st.integers(0, len(LINKS) - 1))
def test_what_is_seen_is_true(seed: int, link: int) -> None:
    check(dialogue(seed, link).capture)


@settings(max_examples=100, deadline=None)
@given(SEEDS, st.booleans())
def test_where_all_arrives_the_end_is_right(seed: int, stamps: bool) -> None:
    world = scene(seed, stamps=stamps)
    world.run()
    if world.capture:
        finally_right(check(world.capture), world)


@settings(max_examples=100, deadline=None)
@given(SEEDS, st.booleans())
@example(85, False)  # a forged SYN, then a forged FIN in the same name
@example(229, True)  # forged SYNs in both names: not a simultaneous open
@example(108, True)
@example(218, True)  # a RST with a wrong checksum, before any data
@example(10438, True)
@example(4523, True)  # a damaged FIN and a FIN from the past agree with one another
def test_forgeries_move_nobody(seed: int, stamps: bool) -> None:
    world = scene(seed, forged=0.2, stamps=stamps)
    world.run()
    if world.capture:
        finally_right(check(world.capture), world)


@settings(max_examples=60, deadline=None)
@given(SEEDS, st.booleans(), st.integers(2, 4))
def test_lives_on_the_same_addresses_and_ports_are_told_apart(
    seed: int, stamps: bool, count: int
) -> None:
    """Copies of the former ones' segments come while the latter go on."""
    captured = lives(seed, count, stamps=stamps)
    tracker = check(captured)
    if not stamps:
        isses = {(1000 + number * 700_000_000) & 0xFFFFFFFF for number in range(count)}
        opened = [one for one in tracker.connections.values() if one.client.iss is not None]
        assert {one.client.iss for one in opened if one.client.endpoint == CLIENT} <= isses


# -- spoiled captures ---------------------------------------------------------


@settings(max_examples=200, deadline=None)
@given(SEEDS, st.integers(0, len(LINKS) - 1), SEEDS)
def test_a_spoiled_capture_shows_nothing_false(seed: int, link: int, how: int) -> None:
    world = dialogue(seed, link)
    # An ACK from SYN-RECEIVED after crossing SYNs, with one of them missing, looks like the
    # third segment of a handshake: the one thing that a hole in the capture can forge.
    if not crossing(world):
        check(spoiled(world.capture, how))


@settings(max_examples=100, deadline=None)
@given(SEEDS, st.booleans(), SEEDS)
def test_guesses_in_a_spoiled_capture_show_nothing_false(seed: int, stamps: bool, how: int) -> None:
    world = scene(seed, forged=0.2, stamps=stamps, forgers=GUESSES)
    world.run()
    if not crossing(world):
        check(spoiled(world.capture, how))


@pytest.mark.slow
def test_thousands_of_spoiled_captures_show_nothing_false() -> None:
    for seed in range(12_000):
        world = dialogue(seed, seed)
        check(world.capture)
        for how in range(0 if crossing(world) else 3):
            check(spoiled(world.capture, seed * 10 + how))


@settings(max_examples=60, deadline=None)
@given(SEEDS, st.integers(0, len(LINKS) - 1), SEEDS)
def test_every_change_names_its_segments_and_its_rule(seed: int, link: int, how: int) -> None:
    """Also of what was found in mid-stream or put right later, and of what timers did."""
    for capture in (dialogue(seed, link).capture, spoiled(dialogue(seed, link).capture, how)):
        frames = {one.segment.frame for one in capture}
        tracker = Tracker()
        steps = [
            step
            for one in capture
            for step in tracker.feed(SegmentRecord(one.segment.time_ns, one.segment))
        ]
        for step in (*steps, *tracker.tick(tracker.now_ns + 3_600_000_000_000)):
            for change in step.changes:
                assert change.after.frames, change
                assert frames.issuperset(change.after.frames), change
                assert change.after.rule, change


# -- what changes nothing -----------------------------------------------------


def story(capture: Iterable[Segment]) -> list[tuple[object, ...]]:
    """All that is claimed, by endpoint."""
    tracker, told = Tracker(), []
    for segment in capture:
        for step in tracker.feed(SegmentRecord(segment.time_ns, segment)):
            assert step.connection is not None
            connection = tracker.connections[step.connection]
            ends = sorted((connection.client, connection.server), key=lambda end: end.endpoint)
            told.append(
                (
                    step.connection,
                    str(step.phase),
                    *((end.endpoint, end.claim.state, end.claim.certainty) for end in ends),
                )
            )
    return told


@settings(max_examples=50, deadline=None)
@given(SEEDS, st.integers(0, len(LINKS) - 1), SEEDS, SEEDS, SEEDS)
def test_sequence_numbers_shifted_change_nothing(
    seed: int, link: int, how: int, client_shift: int, server_shift: int
) -> None:
    capture = [one.segment for one in spoiled(dialogue(seed, link).capture, how)]

    def shifted(segment: Segment) -> Segment:
        mine, other = client_shift, server_shift
        if segment.src != CLIENT:
            mine, other = other, mine
        ack = (segment.ack + other) & 0xFFFFFFFF if segment.has_ack else 0
        return dataclasses.replace(segment, seq=(segment.seq + mine) & 0xFFFFFFFF, ack=ack)

    assert story(capture) == story([shifted(one) for one in capture])


@settings(max_examples=50, deadline=None)
@given(SEEDS, st.integers(0, len(LINKS) - 1), SEEDS)
def test_who_is_written_as_client_changes_nothing(seed: int, link: int, how: int) -> None:
    """Addresses exchanged: every claim goes with its endpoint."""
    capture = [one.segment for one in spoiled(dialogue(seed, link).capture, how)]
    names = {CLIENT: SERVER, SERVER: CLIENT}
    mirrored = [dataclasses.replace(one, src=names[one.src], dst=names[one.dst]) for one in capture]
    again = [
        (ident, phase, *sorted((names[end], *rest) for end, *rest in ends))
        for ident, phase, *ends in story(mirrored)
    ]
    expected = [
        (ident, phase, *sorted(tuple(end) for end in ends))
        for ident, phase, *ends in story(capture)
    ]
    assert [str(one) for one in again] == [str(one) for one in expected]

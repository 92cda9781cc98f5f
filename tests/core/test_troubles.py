"""Troubles: verdicts of many connections put together, and what none of them shows alone."""

from __future__ import annotations

from dataclasses import replace

from tcpviz.core.claims import Certainty, Claim
from tcpviz.core.crowds import Crowd
from tcpviz.core.host import Host
from tcpviz.core.hosts import HostReading, HostSocket, Process
from tcpviz.core.records import Side
from tcpviz.core.segment import Endpoint
from tcpviz.core.states import State
from tcpviz.core.troubles import Gathering
from tcpviz.core.troubles_many import EPHEMERAL, Reuse, Trouble, of_crowd, of_host
from tcpviz.core.verdict_codes import Severity, signs_of
from tcpviz.views import numbers, troubles
from tcpviz.views.filter import compile as filter_of
from tests.core.dialogue import Talk

MS = 1_000_000
WEB, SLOW = Endpoint("10.0.0.80", 80), Endpoint("10.0.0.81", 80)


def talk(number, server=WEB, client="10.1.0.1"):
    return Talk(client=Endpoint(client, 20000 + number), server=server, start_ns=number * 1000 * MS)


def connection(talked):
    (made,) = talked.tracker.connections.values()
    return made


def refused(number):
    made = talk(number)
    made.client("S")
    made.server("RA")
    return connection(made)


def opened(number, rtt_ms, server=WEB):
    made = talk(number, server)
    made.client("S")
    made.now += rtt_ms * MS
    made.server("SA")
    made.client("A")
    return connection(made)


def closed(number, client="10.1.0.1"):
    made = talk(number, client=client)
    made.handshake()
    made.client("FA")
    made.server("A")
    made.server("FA")
    made.client("A")
    return connection(made)


def gathered(*connections, now=None):
    gathering = Gathering()
    for one in connections:
        gathering.add(one, now)
    return gathering.troubles()


def test_the_same_wrong_in_one_place_is_one_trouble():
    bad = [refused(number) for number in range(3)]
    (found,) = gathered(*bad, closed(7), closed(8))
    assert (found.code, found.where, found.count, found.of) == ("refused", "10.0.0.80:80", 3, 5)
    assert troubles.sentence(found) == ("10.0.0.80:80 refuses: 3 of 5 connections answered by RST")
    fits = filter_of(troubles.words(found)).matches
    assert [fits(one, one.last_ns) for one in (*bad, closed(7))] == [True, True, True, False]


def test_a_service_that_mostly_answers_is_there():
    """Who waits on a link that loses has lost a SYN; nobody's service is down."""

    def unanswered(number):
        made = talk(number)
        made.client("S")
        return connection(made)

    def found(asked, in_vain):
        some = [unanswered(number) for number in range(in_vain)]
        well = [closed(in_vain + number) for number in range(asked - in_vain)]
        now = (asked + 10) * 1000 * MS
        return [(t.code, t.severity) for t in gathered(*some, *well, now=now)]

    assert found(41, 2) == [("no-answer", Severity.WARNING)]
    assert found(40, 2) == found(1, 1) == [("no-answer", Severity.BAD)]


def test_one_of_anything_is_singular():
    alone = Trouble("no-answer", "x:1", Severity.BAD, 1, 1, facts={"tries": 1})
    assert troubles.sentence(alone).endswith("1 of 1 connection in vain, 1 SYN in all")
    more = replace(alone, count=2, of=3, facts={"tries": 5})
    assert troubles.sentence(more).endswith("2 of 3 connections in vain, 5 SYNs in all")
    lossy = Trouble("lossy", "x:1", Severity.WARNING, 1, 1, facts={"again": 1, "data": 1})
    assert "1 of 1 segment sent again" in troubles.sentence(lossy)


def test_who_is_listed_is_who_is_in_trouble():
    def listed(code, where):
        return troubles.words(Trouble(code, Severity.WARNING, where, 1, 1))

    # A segment or two that were lost are told in passing, and are no trouble.
    place = "server:10.0.0.1 server.port:80"
    assert listed("lossy", "10.0.0.1:80") == f"verdict:lossy severity>=warning {place}"
    # Not what the other end has reset.
    assert listed("reset", "10.0.0.1:80") == (
        f"verdict:reset severity>=warning reset_by:server {place}"
    )
    assert listed("reset", "10.0.0.9") == (
        "verdict:reset severity>=warning reset_by:client client:10.0.0.9"
    )
    for words in (listed("lossy", "::1"), listed("reset", "::1")):
        filter_of(words)


def test_what_ends_well_is_no_trouble():
    assert gathered(*(closed(number) for number in range(30))) == []
    assert "no trouble" in troubles.text([])


def test_slow_for_some_is_seen_only_among_many():
    quick = [opened(number, 10, SLOW) for number in range(90)]
    slow = [opened(100 + number, 900, SLOW) for number in range(10)]
    few = gathered(*quick[:9], slow[0])
    assert all(each.code != "slow-handshakes" for each in few)
    found = {each.code: each for each in gathered(*quick, *slow)}["slow-handshakes"]
    assert (found.where, found.count, found.of) == ("10.0.0.81:80", 10, 100)
    assert 10 * MS <= found.facts["half_ns"] < 20 * MS
    assert found.facts["most_ns"] >= 900 * MS
    said = troubles.sentence(found)
    assert said.startswith("handshakes with 10.0.0.81:80 take 1")
    fits = filter_of(troubles.words(found)).matches
    assert sum(fits(one, one.last_ns) for one in (*quick, *slow)) == 10


def test_ports_that_run_out():
    one = closed(1)
    gathering = Gathering()
    for _ in range(EPHEMERAL * 6 // 10):
        gathering.add(one)
    (found,) = gathering.troubles()
    assert (found.code, found.severity) == ("ports-running-out", Severity.WARNING)
    assert found.where == "10.1.0.1 to 10.0.0.80:80"
    assert "59 %" in troubles.sentence(found) or "60 %" in troubles.sentence(found)
    assert filter_of(troubles.words(found)).matches(one, one.last_ns)


def test_places_are_bounded_and_what_is_left_out_is_counted(monkeypatch):
    monkeypatch.setattr("tcpviz.core.troubles.MOST_GROUPS", 2)
    gathering = Gathering()
    for number in range(5):
        made = talk(number, Endpoint("10.0.0.9", 100 + number))
        made.client("S")
        made.server("RA")
        gathering.add(connection(made))
    assert len(gathering.troubles()) == 2
    assert gathering.left_out == 3


def test_every_text_takes_what_it_is_given():
    facts = {
        "half_ns": 1, "most_ns": 2, "nearly_ns": 3, "usual_ns": 4, "share": 60, "peer": "10.9.9.9",
        "who": "10.0.0.1", "target": "", "targets": 3, "process": "java (7)", "source": "::1, ::2",
        "reason": "no-socket", "state": "ESTABLISHED", "fin_at": 5 * MS, "arrived_bytes": 500,
    }  # fmt: skip
    for key in (*troubles.TEXTS, "middlebox-suspected", "syn-flood", "port-scan"):
        code, _, how = key.partition("/")
        where = "[2001:db8::1]:80"
        if code in ("ports-running-out", "ports-reused"):
            where = f"10.1.0.1 to {where}"
        found = Trouble(code, Severity.BAD, where, 2, 3, 5 * MS, {**facts, "how": how})
        said = "\n".join([troubles.sentence(found), *troubles.details(found)])
        assert "{" not in said
        assert "1 connections" not in said
        filter_of(troubles.words(found))
    one = Trouble("refused", Severity.WARNING, "10.0.0.1:80", 1, 1)
    assert troubles.sentence(one) == "10.0.0.1:80 refuses: 1 of 1 connection answered by RST"


# -- item by item


def waiting(number, *, process=None, unread=0, fd=None, seconds=300):
    """A connection whose client has closed so long before :data:`LATE`."""
    made = Talk(
        client=Endpoint("10.1.0.1", 20000 + number), server=WEB, start_ns=LATE - seconds * 1000 * MS
    )
    made.handshake()
    made.client("FA")
    made.server("A")
    c = connection(made)
    owner = None if process is None else Process(process, 812, fd)
    mine = HostSocket(WEB, c.client.endpoint, State.CLOSE_WAIT, unread + 1, process=owner)
    c.sockets = {Side.SERVER: mine}
    return c


LATE = 10_000_000 * MS


def test_close_wait_is_told_by_program_with_age_descriptors_unread_bytes_and_the_fin_s_moment():
    ours = [waiting(n, process="nginx", unread=n * 10, fd=7 + n, seconds=100 + n) for n in range(3)]
    other = waiting(9, process="java")
    found = gathered(*ours, other, now=LATE)
    assert [(each.code, each.count) for each in found] == [("never-closed", 3), ("never-closed", 1)]
    nginx = found[0]
    assert troubles.sentence(nginx).startswith(
        "10.0.0.80:80 never closes: 3 of 4 connections in CLOSE-WAIT, the oldest for 1 m 4"
    )
    assert nginx.worst == ours[2].id
    said = troubles.details(nginx)
    assert said[0] == "Whose: nginx (812)."
    assert said[1] == "Descriptors: 7, 8, 9."
    fin = signs_of(ours[2], Side.CLIENT).first_fin_ns
    assert said[2] == f"The oldest one's FIN came at {numbers.date_time(fin)}."
    assert said[3].startswith("30 bytes lie unread in 2 of them")


def test_a_fin_before_the_capture_is_dated_by_the_kernel():
    c = waiting(1)
    c.analysis = None
    c.client.fin = None
    sock = c.sockets[Side.SERVER]
    c.sockets[Side.SERVER] = replace(sock, quiet_ms=90_000, read_ns=LATE - 1000 * MS)
    c.server.claim = Claim(State.CLOSE_WAIT, Certainty.SEEN)
    (found,) = gathered(c, now=LATE)
    assert found.facts["fin_at"] == LATE - 91_000 * MS
    assert found.worst_ns == 91_000 * MS


def half_open(number, client, tries=3):
    made = talk(number, client=client)
    made.client("S")
    made.server("SA")
    for _ in range(tries):
        made.now += 1000 * MS
        made.server("SA", seq=0)
    return connection(made)


def test_half_open_by_source_where_they_are_few_and_by_service_where_they_are_many():
    (few,) = gathered(*(half_open(n, "10.5.0.1") for n in range(4)), now=LATE)
    assert troubles.sentence(few) == (
        "10.5.0.1: handshakes with 10.0.0.80:80 stay half open: 4 of 4 connections"
    )
    ones = [half_open(n, f"10.5.0.{n}") for n in range(9)]
    (many,) = gathered(*ones, now=LATE)
    assert troubles.sentence(many) == (
        "10.0.0.80:80: 9 of 9 connections never got beyond SYN,ACK, from 9 addresses"
    )
    fits = filter_of(troubles.words(few)).matches
    assert fits(half_open(1, "10.5.0.1"), LATE)
    assert not fits(half_open(1, "10.5.0.2"), LATE)


def test_resets_by_who_and_in_which_state_with_the_kernel_s_reason():
    def reset(number, closes):
        made = talk(number)
        made.handshake()
        made.client("PA", 10)
        if closes:
            made.client("FA")
            made.server("A")
        made.server("RA")
        c = connection(made)
        c.reset_why = "tcp-abort-on-close"
        return c

    found = gathered(*(reset(n, False) for n in range(2)), reset(5, True))
    said = [troubles.sentence(each) for each in found]
    assert said[0] == "10.0.0.80:80 resets 2 of 3 connections, being in ESTABLISHED"
    assert troubles.details(found[0]) == [
        "The kernel says why: the program closed it with data that nobody had read."
    ]


def test_a_peer_that_is_slower_than_all_others_is_named():
    usual = [opened(number, 20, SLOW) for number in range(30)]
    far = []
    for number in range(25):
        made = Talk(
            client=Endpoint("10.7.7.7", 30000 + number), server=SLOW, start_ns=number * 1000 * MS
        )
        made.client("S")
        made.now += 400 * MS
        made.server("SA")
        made.client("A")
        far.append(connection(made))
    found = {each.code: each for each in gathered(*usual, *far)}["slow-peer"]
    assert troubles.sentence(found).startswith(
        "10.7.7.7 is slow to open connections with 10.0.0.81"
    )
    assert filter_of(troubles.words(found)).matches(far[0], 0)


def test_ports_used_again_at_once_are_told_and_later_is_nobody_s_business():
    made = talk(1)
    made.handshake()
    made.now += 50 * MS
    later = Talk(
        made.endpoint[Side.CLIENT], WEB, client_iss=900_000, tracker=made.tracker, start_ns=made.now
    )
    later.handshake()
    first, second = made.tracker.connections.values()
    known = {first.id: first}
    reuse = Reuse(10, known)
    second.older = tuple(known)
    reuse.add(second)
    (found,) = reuse.troubles()
    assert (found.code, found.facts["open"]) == ("ports-reused", 1)
    assert "10.1.0.1 to 10.0.0.80:80: ports used again at once" in troubles.sentence(found)
    late = Reuse(10, known)
    second.first_ns += 61_000 * MS
    late.add(second)
    assert not list(late.troubles())


def lossy(number, far, again=3):
    made = Talk(client=Endpoint("10.1.0.1", 20000 + number), server=Endpoint(far, 80))
    made.handshake()
    for number in range(10):
        sent = made.client("PA", 100)
        if number < again:
            made.now += 300 * MS
            made.client("PA", 100, seq=sent.seq - made.iss[Side.CLIENT])
        made.server("A")
    return connection(made)


def test_losses_by_peer_and_by_interface():
    gathering = Gathering({"10.1.0.1": "eth0"})
    for number, far in enumerate(("10.8.0.1", "10.8.0.2")):
        gathering.add(lossy(number, far))
    found = {(each.code, each.where): each for each in gathering.troubles()}
    assert ("lossy-interface", "eth0") in found
    assert troubles.sentence(found["lossy-interface", "eth0"]).startswith(
        "loss on interface eth0: "
    )
    assert {where for code, where in found if code == "lossy"} == {"10.8.0.1", "10.8.0.2"}
    # The segments are theirs only: where nothing was lost they do not count.
    gathering.add(lossy(2, "10.8.0.1", again=0))
    (one,) = (each for each in gathering.troubles() if each.where == "10.8.0.1")
    assert troubles.sentence(one).endswith(
        "in 1 of 2 connections, and there 3 of 13 segments sent again"
    )


def host_of(*listeners, counters=None, **more):
    host = Host()
    host.listeners = {each.local: each for each in listeners}
    host.latest = HostReading(LATE, (), None, counters or {}, **more)
    return host


def test_the_host_s_own_word_on_its_queues():
    full = HostSocket(WEB, None, State.LISTEN, 6, 5, process=Process("slow", 9))
    easy = HostSocket(SLOW, None, State.LISTEN, 1, 5)
    (found,) = of_host(host_of(full, easy, counters={"ListenOverflows": 31}))
    assert troubles.sentence(found) == (
        "10.0.0.80:80 does not accept: 6 wait in a queue for 6, further ones are dropped"
    )
    assert "overflowed 31 times" in " ".join(troubles.details(found))
    (was,) = of_host(host_of(easy, counters={"ListenOverflows": 31}))
    assert was.code == "accept-queues"
    counters = {"TCPReqQFullDrop": 3, "TCPReqQFullDoCookies": 4, "TCPAbortOnMemory": 1}
    codes = [each.code for each in of_host(host_of(counters=counters))]
    assert codes == ["syn-queue", "out-of-memory"]
    assert list(of_host(Host())) == []
    gathering = Gathering()
    gathering.add(closed(1))
    (ports,) = gathering.troubles(host_of(time_waits=15_000, ports=20_000))
    assert troubles.sentence(ports) == (
        "this host has 15000 sockets in TIME-WAIT, 75 % of the ports that it gives out"
    )
    assert "10.1.0.1 to 10.0.0.80:80, 1" in troubles.details(ports)[0]


def test_floods_and_scans_are_told_once_as_crowds():
    (found,) = Gathering().troubles(
        crowds=[Crowd("syn-flood", "", "10.0.0.80:80", 900, 900, 9, 0, 1)]
    )
    assert troubles.sentence(found).startswith("SYN flood? 900 handshakes with 10.0.0.80:80")
    assert troubles.words(found) == "verdict:syn-flood server:10.0.0.80 server.port:80"
    assert of_crowd(Crowd("backscatter", "10.1.1.1", "", 20, 20, 20, 0, 1)).severity < Severity.BAD

"""Filters and orders by column answer as the scalar ones do, connection by connection."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tcpviz.bulk.tables.filerows import FileRows
from tcpviz.bulk.tables.growing import Growing
from tcpviz.bulk.tables.sieve import Interrupted, Sieve
from tcpviz.bulk.tables.sorting import Keys
from tcpviz.bulk.tables.stories import Stories
from tcpviz.core.connection import Connection
from tcpviz.views import filter as language
from tcpviz.views import table
from tcpviz.views.verdict import verdict
from tests.bench import generate
from tests.export.dialogues import various

FILTERS = """
state:established
client.state:time-wait,closed or server.state:listen
not certainty:inferred
port:80
client.port>2000
client.port<1100 bytes>0
host:10.0.0.0/12
host:10.128.0.1:80
server.host~"0\\.2$"
not host:10.128.0.1 is:over
bytes>10k
bytes!=0
segments>=8
client.bytes>100
rtt>0
not rtt>0
rtt<2ms or duration>5ms
age>1s
idle>20ms idle<90ms
id:3,5,9
verdict:refused
severity>=warning
verdict~"no answer"
is:open
is:refused or is:reset
is:ipv4
is:ipv6
is:open,ipv6
is!=ipv4
is:*6
is:*v4,over
phase:teardown
conn_state:SF
completeness:31
history~S
mark:retransmission
mark.window_update>0
mark:window_update
mark:duplicate_ack,retransmission
mark~update
mark~"^window|spurious"
not mark~u
client.mark.retransmission>0
server.mark.retransmission=0
client.bytes>100 server.segments<6
server.bytes:0-5000
client.mark:retransmission
client.mark:window-update
server.mark:"dup*"
server.mark!=retransmission
client.mark~"retrans"
server.mark~"u"
server.mark:retransmission,fast_retransmission
not client.mark:keep_alive port:80
vlan:1
tunnel~gre
inside~vlan
not vlan:10
community_id~"^1:[A-M]"
community_id!="1:LQU9qZlK+B5F3KDmev6m5PMibrg="
process:nginx
not user:root
disagreements:0
verdict~"^reset|again"
verdict~"[0-9] ?(s|ms|us)"
verdict~"1|2"
severity<warning
verdict!=refused
severity:info,warning
mss>1400
window>1000
window=0
client.window=64240
not server.window>100
client.window!=64240
window!=65535
client.mark.window_update>0
server.mark.duplicate_ack>0
not server.mark.window_full>0
client.mark.duplicate_ack=0
client.mark:window_update
server.mark:duplicate_ack,window_full
server.mark!=duplicate_ack
opened_by:client
closed_by:server
syns>1
80
10.128.0.1:80
10.1
estab
refused
"no answer"
teardown
time-wait not 81
inferred
zzz
(port:80 or port:81) and not (state:closed bytes>500)
""".strip().splitlines()


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[FileRows]]:
    folder = tmp_path_factory.mktemp("sieve")
    made = []
    writers: list[tuple[str, Callable[[Path], object]]] = [
        ("visits", lambda path: generate.visits(path, 220)),
        ("lossy", lambda path: generate.stream(path, 400, lost=9)),
        ("syns", lambda path: generate.syns(path, 120)),
        ("various", lambda path: various(path, 160, 3, 100)),
    ]
    for kind, write in writers:
        path = folder / f"{kind}.pcap"
        write(path)
        growing = Growing(str(path), follow=False)
        growing.run()
        assert growing.latest is not None
        made.append(FileRows(growing.latest))
    yield made
    for each in made:
        each.snapshot.reading.close()


@pytest.mark.parametrize("text", FILTERS)
def test_a_filter_by_column_finds_what_the_scalar_one_finds(
    tables: list[FileRows], text: str
) -> None:
    for rows in tables:
        snapshot = rows.snapshot
        chosen = language.compile(text)
        now = snapshot.end_ns
        stories = Stories(snapshot)

        def whole(place: int, stories: Stories = stories) -> Connection:
            return stories.tell(place + 1).tracker.connections[place + 1]

        followed = any(each in text for each in ("mss", "window", "client.mark", "server.mark"))
        everyone = [whole(n) for n in range(len(rows))] if followed else list(rows)
        until = snapshot.table.until_ns.tolist()
        for at, moments in ((now, [now] * len(rows)), (None, until)):
            sieve = Sieve(Keys(snapshot.table, at), rows.at, whole)
            fits = map(chosen.matches, everyone, moments)
            assert sieve.places(chosen).tolist() == [n for n, fit in enumerate(fits) if fit]


@pytest.mark.parametrize("text", ["server.mark:duplicate_ack", "window>1000", "not window>1000"])
def test_what_is_too_long_to_be_asked_together_is_asked_alone(
    tables: list[FileRows], text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tcpviz.bulk.tables.portions.SEGMENTS", 8)
    test_a_filter_by_column_finds_what_the_scalar_one_finds(tables, text)


@pytest.mark.parametrize("column", sorted(table.SORTS))
def test_an_order_by_column_is_the_scalar_order(tables: list[FileRows], column: str) -> None:
    for rows in tables:
        snapshot = rows.snapshot
        keys, now = Keys(snapshot.table, snapshot.end_ns), snapshot.end_ns
        # What the list says, it says of its own moment.
        found = [verdict(c, now) if column == "verdict" else table.SORTS[column](c) for c in rows]
        wanted = sorted(range(len(rows)), key=found.__getitem__)  # type: ignore[arg-type]
        assert keys.order(column).tolist() == wanted


def test_what_is_found_knows_its_places(tables: list[FileRows]) -> None:
    rows = tables[0]
    keys = Keys(rows.snapshot.table, rows.snapshot.end_ns)
    turned = rows.arranged(keys.order("id", reverse=True)[:10])
    assert [one.id for one in turned] == [len(rows) - n for n in range(10)]
    assert turned.place_of(len(rows) - 3) == 3
    assert turned.place_of(1) is None
    assert turned.get(1) is rows[0]


def test_a_filter_is_broken_off_at_once(tables: list[FileRows]) -> None:
    keys = Keys(tables[0].snapshot.table, tables[0].snapshot.end_ns)
    asked: list[int] = []

    def connection(place: int):  # type: ignore[no-untyped-def]
        asked.append(place)
        return tables[0].at(place)

    sieve = Sieve(keys, connection, enough=lambda: len(asked) > 10)
    with pytest.raises(Interrupted):
        sieve.places(language.compile("mss>1"))
    assert len(asked) < 400

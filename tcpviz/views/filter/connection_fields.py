"""What may be asked of a connection, and where free words are looked for in it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Any, Final

from tcpviz.core.claims import Certainty, PhaseName
from tcpviz.core.community_id import community_id
from tcpviz.core.connection import Connection
from tcpviz.core.halfconn import End
from tcpviz.core.hosts import HostSocket
from tcpviz.core.marks import MarkName
from tcpviz.core.records import Side
from tcpviz.core.states import State
from tcpviz.views import ages
from tcpviz.views.filter import values, verdicts
from tcpviz.views.filter.kinds import Asked, Choice, Host, Ordered, Scale, Text
from tcpviz.views.filter.syntax import Value, Word
from tcpviz.views.filter.vocabulary import (
    COUNT,
    MARKS,
    PORT,
    SIZE,
    STATES,
    TIME,
    WHOLE,
    Field,
    Vocabulary,
    sides,
)
from tcpviz.views.ladder_labels import SHORT_STATES

CLIENT: Final = attrgetter("client")
SERVER: Final = attrgetter("server")
ENDS: Final = (("client", CLIENT), ("server", SERVER))

ZEEK_STATES: Final = {
    "S0": "a SYN, and no answer",
    "S1": "established, not ended",
    "SF": "opened and closed normally",
    "REJ": "refused",
    "S2": "the originator has closed, the responder has not",
    "S3": "the responder has closed, the originator has not",
    "RSTO": "reset by the originator",
    "RSTR": "reset by the responder",
    "RSTOS0": "a SYN, then a reset from the same end",
    "RSTRH": "a SYN,ACK, then a reset from the same end",
    "SH": "a SYN, then a FIN from the same end: half-open",
    "SHR": "a SYN,ACK, then a FIN from the same end",
    "OTH": "in mid-stream",
}


class Is(Choice):
    """``is:open`` and its like: questions with yes or no, about the whole connection."""

    operators = frozenset((":", "=", "!="))

    def asked(self, op: str, values: Sequence[Value]) -> Asked:
        questions: list[Any] = []
        for value in values:
            questions += self._fitting(op, value)
        if len(questions) == 1:
            (only,) = questions
            return lambda connection: bool(only(connection))
        return lambda connection: any(question(connection) for question in questions)


IS: Final[dict[str, tuple[Callable[[Connection], bool], str]]] = {
    "open": (lambda c: c.established and not c.over, "established and not over"),
    "opening": (lambda c: not c.established and not c.over, "no handshake yet, and not over"),
    "over": (lambda c: c.over, "closed, refused, reset or in TIME-WAIT"),
    "established": (lambda c: c.established, "was established at some time"),
    "complete": (lambda c: c.complete, "opened by a handshake, closed by both FINs"),
    "refused": (lambda c: c.refused, "a SYN was answered by a reset"),
    "reset": (lambda c: c.reset_by is not None, "ended by a reset"),
    "midstream": (lambda c: c.midstream, "its beginning was not captured"),
    "oneway": (
        lambda c: not (c.client.segments and c.server.segments),
        "only one end's segments were captured",
    ),
    "ipv4": (lambda c: ":" not in c.client.endpoint.addr, "over IPv4"),
    "ipv6": (lambda c: ":" in c.client.endpoint.addr, "over IPv6"),
}


def _total(name: str) -> Callable[[Connection], int]:
    get = attrgetter(name)
    return lambda c: int(get(c.client) + get(c.server))


def _mark_count(name: str, side: Side | None = None) -> Callable[[Connection], int | None]:
    def count(c: Connection) -> int | None:
        marks = c.marks
        if not marks or name not in marks or side is None:
            return None if marks is None else marks.get(name, 0)
        assert c.analysis is not None
        return c.analysis.marks.counts[side][name]

    return count


def _marks(side: Side | None = None) -> Callable[[Connection], object]:
    def names(c: Connection) -> object:
        marks = c.marks
        if not marks or side is None:
            return marks
        assert c.analysis is not None
        return [str(name) for name, n in c.analysis.marks.counts[side].items() if n]

    return names


def _mark_fields() -> list[Field]:
    which = (("", None), ("client.", Side.CLIENT), ("server.", Side.SERVER))
    fields = []
    for prefix, side in which:
        whose = f"the {side}'s " if side else ""
        fields.append(
            Field(f"{prefix}mark", MARKS, (_marks(side),), f"{whose}marks of analysis", many=True)
        )
        for name in MarkName:
            about = f"how many of {whose or 'its '}segments are marked {name.value}"
            getter = _mark_count(name.value, side)
            fields.append(Field(f"{prefix}mark.{name.value}", COUNT, (getter,), about))
    return fields


def _side(name: str) -> Callable[[Connection], object]:
    get = attrgetter(name)
    return lambda c: get(c) or "nobody"


def _vlans(c: Connection) -> list[int]:
    return [
        int(entry[5:]) for entry in c.key.scope if entry[:5] == "vlan " and entry[5:].isdecimal()
    ]


def _tunnels(c: Connection) -> list[str]:
    return [entry for entry in c.key.scope if entry[:5] != "vlan "]


def _owners(get: Callable[[HostSocket], object], side: Side | None = None) -> Callable[..., Any]:
    """What the host's table of sockets says of one end, or of both; ``None`` if nothing."""

    def found(c: Connection) -> list[Any] | None:
        sockets = c.sockets
        if sockets is None:
            return None
        values = [get(sock) for at, sock in sockets.items() if side is None or at is side]
        return [value for value in values if value is not None] or None

    return found


def _owner_fields() -> list[Field]:
    fields = []
    for name, kind, get, about in (
        ("process", Text("a process's name"), lambda s: s.process and s.process.name,
         "the process that has the socket"),
        ("pid", WHOLE, lambda s: s.process and s.process.pid, "that process's number"),
        ("user", Text("a user's name, or number"), lambda s: s.user, "the user who has the socket"),
        ("service", Text("a service or scope of systemd"), lambda s: s.unit,
         "the service that has the socket"),
        ("container", Text("a container's id"), lambda s: s.container,
         "the container that has the socket"),
    ):  # fmt: skip
        for prefix, side in (("", None), ("client.", Side.CLIENT), ("server.", Side.SERVER)):
            whose = f"the {side}'s: {about}" if side else about
            getter = (_owners(get, side),)
            field = Field(f"{prefix}{name}", kind, getter, whose, many=True, source=_PROCESSES)
            fields.append(field)
    return fields


_process = _owners(lambda sock: sock.process and sock.process.name)


def _community(c: Connection) -> str | None:
    try:
        return community_id(c.client.endpoint, c.server.endpoint)
    except ValueError:
        return None


_WHO: Final = Choice("an end", {"client": Side.CLIENT, "server": Side.SERVER, "nobody": "nobody"})
_PROCESSES: Final = "processes are known only where the kernel could be asked for its sockets"


def _fields() -> list[Field]:
    end_of = attrgetter("endpoint")
    return [
        *sides("host", Host(), end_of, "address or network", ENDS),
        *sides("port", PORT, attrgetter("endpoint.port"), "port", ENDS),
        *sides("state", STATES, attrgetter("claim.state"), "state", ENDS),
        *sides(
            "certainty",
            Choice("a certainty", {str(each): each for each in Certainty}),
            attrgetter("claim.certainty"),
            "how a state is known",
            ENDS,
        ),
        Field(
            "verdict",
            Choice("a verdict's code", {c: c for c in verdicts.CODES}, about=verdicts.CODES),
            (verdicts.codes,),
            "what became of it, by code; ~ asks the sentence",
            many=True,
            timely=True,
            text=verdicts.sentences,
        ),
        Field(
            "severity",
            Scale("a severity", verdicts.SEVERITIES),
            (verdicts.severity,),
            "how bad the verdict is",
            timely=True,
        ),
        Field(
            "phase",
            Choice("a phase", {str(name): name for name in PhaseName}),
            (lambda c: c.phase.name,),
            "handshake, data or teardown",
        ),
        Field(
            "is",
            Is(
                "a property",
                {name: question for name, (question, _) in IS.items()},
                about={name: about for name, (_, about) in IS.items()},
            ),
            (lambda c: c,),
            "open, over, refused, midstream ...",
        ),
        Field("rtt", TIME, (attrgetter("handshake_rtt_ns"),), "round-trip time of the handshake"),
        *sides("bytes", SIZE, attrgetter("bytes"), "bytes of payload", ENDS, _total("bytes")),
        *sides("segments", COUNT, attrgetter("segments"), "segments", ENDS, _total("segments")),
        Field("age", TIME, (ages.age_ns,), "since its beginning, until its end", timely=True),
        Field("idle", TIME, (ages.idle_ns,), "since its latest segment", timely=True),
        Field("duration", TIME, (ages.duration_ns,), "from its first segment to its latest"),
        Field("id", WHOLE, (attrgetter("id"),), "its number; #3 is id:3"),
        *_mark_fields(),
        Field(
            "completeness",
            Ordered(values.whole, "Wireshark's bits, 0 to 63", ("31", "63"), ":"),
            (attrgetter("completeness"),),
            "Wireshark's tcp.completeness",
        ),
        Field(
            "conn_state",
            Choice("one of Zeek's conn_state", {n: n for n in ZEEK_STATES}, about=ZEEK_STATES),
            (attrgetter("conn_state"),),
            "Zeek's conn_state",
        ),
        Field(
            "history",
            Text("Zeek's letters, such as ShADadFf; large ones are the originator's", fold=False),
            (attrgetter("history"),),
            "Zeek's history",
        ),
        Field("community_id", Text("a Community ID, 1:...", fold=False), (_community,),
              "Community ID, version 1"),
        Field("vlan", WHOLE, (_vlans,), "VLAN tags that it was seen in", many=True),
        Field(
            "tunnel",
            Text("a tunnel: gre, vxlan, geneve, gtp, pppoe, with its number: vxlan 42"),
            (_tunnels,),
            "tunnels that it was seen in",
            many=True,
        ),
        Field(
            "inside",
            Text("a VLAN or tunnel as the list tells it: vlan 42, vxlan 7"),
            (lambda c: list(c.key.scope),),
            "VLANs and tunnels that it was seen in, with their numbers",
            many=True,
        ),
        *_owner_fields(),
        Field("opened_by", _WHO, (_side("opened_by"),), "who sent the first SYN"),
        Field("closed_by", _WHO, (_side("closed_by"),), "who sent the first FIN"),
        Field("reset_by", _WHO, (_side("reset_by"),), "who sent the reset that ended it"),
        *sides("syns", COUNT, attrgetter("syns"), "SYNs sent", ENDS, _total("syns")),
        *sides("fins", COUNT, attrgetter("fins"), "FINs sent", ENDS, _total("fins")),
        *sides("rsts", COUNT, attrgetter("rsts"), "resets sent", ENDS, _total("rsts")),
        *sides("window", SIZE, attrgetter("window"), "window last offered", ENDS),
        *sides("mss", SIZE, attrgetter("mss"), "maximum segment size offered", ENDS),
        Field("disagreements", COUNT, (attrgetter("disagreements"),),
              "how often the kernel said otherwise than the inference"),
    ]  # fmt: skip


ALIASES: Final = {
    # Wireshark's names, where people will try them.
    "ip.addr": "host", "ipv6.addr": "host", "tcp.port": "port",
    "tcp.srcport": "client.port", "tcp.dstport": "server.port",
    "ip.src": "client.host", "ip.dst": "server.host", "vlan.id": "vlan",
    "tcp.completeness": "completeness",
    "ip": "host", "addr": "host", "net": "host",
    "client": "client.host", "server": "server.host",
    "src": "client.host", "dst": "server.host",
    "client.ip": "client.host", "server.ip": "server.host",
    "client.addr": "client.host", "server.addr": "server.host",
    "sport": "client.port", "dport": "server.port",
    "marks": "mark", "packets": "segments", "packet": "segments", "segment": "segments",
    "retransmissions": "mark.retransmission", "retr": "mark.retransmission",
    "client.retransmissions": "client.mark.retransmission",
    "server.retransmissions": "server.mark.retransmission",
    "irtt": "rtt", "community": "community_id", "scope": "inside", "number": "id",
    "client.packets": "client.segments", "server.packets": "server.segments",
}  # fmt: skip


# -- free words ----------------------------------------------------------------

_ADDRESS_LETTERS: Final = frozenset("0123456789abcdef:.[]")
_PHASES: Final = (
    "data",
    *(f"handshake {done}/3" for done in range(4)),
    *(f"teardown {done}/4" for done in range(5)),
    "teardown 1/1",
)


def word(wanted: Word) -> Callable[[Connection, int], bool]:
    """Whether the word is found in addresses, ports, states, certainty, phase, process, verdict.

    What costs least is looked at first: with a hundred thousand connections
    that makes the difference between at once and a wait.
    """
    needle = wanted.text.casefold()
    states = frozenset(
        state
        for state in State
        if needle in str(state).casefold() or needle in SHORT_STATES[state].casefold()
    )
    certainties = frozenset(each for each in Certainty if needle in str(each))
    in_phase = any(needle in phase for phase in _PHASES)
    # A port stands behind a colon; words with other letters are in no such text.
    in_endpoint = _ADDRESS_LETTERS.issuperset(needle)

    def at(end: End) -> bool:
        endpoint = end.endpoint
        if needle in endpoint.addr or (in_endpoint and needle in str(endpoint)):
            return True
        claim = end.claim
        return (bool(states) and claim.state in states) or (
            bool(certainties) and claim.certainty in certainties
        )

    def found(c: Connection, now_ns: int) -> bool:
        return (
            at(c.client)
            or at(c.server)
            or (in_phase and needle in str(c.phase))
            or needle in verdicts.headline(c, now_ns).casefold()
            or any(needle in name.casefold() for name in _process(c) or ())
        )

    return found


CONNECTIONS: Final = Vocabulary("connection", _fields(), ALIASES, word)
"""The fields of ``read``'s words, ``capture --filter``, the ``/`` prompt and colouring rules."""

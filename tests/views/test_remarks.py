"""What is said of a segment beside Wireshark's marks: in the chart, in filters, in JSON."""

from __future__ import annotations

import dataclasses

from tcpviz.core.records import Side
from tcpviz.core.segment import Options
from tcpviz.core.timeline import Step
from tcpviz.export import jsonl
from tcpviz.views import filter as language
from tcpviz.views.filter import SEGMENTS
from tcpviz.views.ladder_labels import REMARKS, mark_variants
from tcpviz.views.remarks import ABOUT, Remark, remarks
from tests.core.dialogue import Talk

C, S = Side.CLIENT, Side.SERVER


def dialogue() -> dict[str, Step]:
    """A step of each kind by name."""
    talk = Talk().handshake()
    found = {}

    def say(name: str, side: Side, *args: object, **changes: object) -> None:
        fields = {k: changes.pop(k) for k in ("seq", "ack", "options") if k in changes}
        made = talk.segment(side, *args, **fields)  # type: ignore[arg-type]
        (found[name],) = talk.feed(dataclasses.replace(made, **changes))  # type: ignore[arg-type]

    say("ce", C, "PA", 4, payload=b"abcd", ecn=3)
    say("ect", C, "PA", 4, payload=b"efgh", ecn=2)
    say("sack", S, "A", ack=1, options=Options(sack=((1005, 1009),)))
    say("dsack", S, "A", ack=9, options=Options(sack=((1001, 1005),)))
    say("other", C, "PA", 4, seq=1, payload=b"ABCD")
    return found


def test_each_remark_is_made_where_it_belongs() -> None:
    steps = dialogue()
    assert {name: [str(each) for each in remarks(step)] for name, step in steps.items()} == {
        "ce": ["ce"],
        "ect": [],
        "sack": ["sack"],
        "dsack": ["dsack"],
        "other": ["other-data"],
    }
    assert set(ABOUT) == set(REMARKS) == set(Remark)


def test_the_chart_says_it_behind_wiresharks_marks() -> None:
    steps = dialogue()
    assert mark_variants(steps["ce"])[0] == ["[CE]", "[C]"]
    assert mark_variants(steps["dsack"])[0][0] == "[D-SACK]"
    words, letters = mark_variants(steps["other"])[0]
    assert words.endswith("retransmission, other data]")
    assert letters.endswith("!]")


def test_filters_and_json_have_the_same_words() -> None:
    steps = dialogue()

    def fit(text: str) -> list[str]:
        asked = language.compile(text, SEGMENTS).matches
        return [name for name, step in steps.items() if asked(step, step.time_ns)]

    assert fit("remark:sack") == ["sack"]
    assert fit("remark:*sack") == ["sack", "dsack"]
    assert fit("ecn:ce,ect0") == ["ce", "ect"]
    assert fit("other-data") == ["other"]
    made = jsonl.step_object(steps["dsack"])
    assert (made["remarks"], made["observation"]["dsack"]) == (["dsack"], [1001, 1005])
    assert jsonl.step_object(steps["ce"])["segment"]["ecn"] == "ce"

"""The segment's page: the header's golden picture, sentences that fit this segment, safe data."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from tcpviz import words
from tcpviz.core.records import Side
from tcpviz.core.segment import Flags, Options
from tcpviz.core.timeline import Step
from tcpviz.views.header_box import BITS, WIDTH, header_box
from tcpviz.views.hexdump import hexdump
from tcpviz.views.segment_detail import detail
from tcpviz.views.segment_fields import fields
from tcpviz.views.spans import plain, plain_line, width
from tests.core.dialogue import Talk

GOLDEN = """\
 0                   1                   2                   3
 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
┌─┴─┴─┴─┴─┴─┴─┴─┴─┴─┴─┴─┴─┴─┴─┴─┼─┴─┴─┴─┴─┴─┴─┴─┴─┴─┴─┴─┴─┴─┴─┴─┐
│       Source Port 40000       │      Destination Port 80      │
├───────────────────────────────┴───────────────────────────────┤
│                   Sequence Number 1000 (0)                    │
├───────────────────────────────────────────────────────────────┤
│              Acknowledgment Number 0 (not valid)              │
├───────┬───────┬─┬─┬─┬─┬─┬─┬─┬─┬───────────────────────────────┤
│Offset │ Rsrvd │C│E│U│A│P│R│S│F│            Window             │
│   ?   │ 0000  │0│0│0│0│0│0│1│0│             64240             │
├───────┴───────┴─┴─┴─┴─┴─┴─┴─┴─┼───────────────────────────────┤
│          Checksum ?           │       Urgent Pointer 0        │
├───────────────────────────────┴───────────────────────────────┤
│              Options mss 1460, sackOK, wscale 7               │
└───────────────────────────────────────────────────────────────┘
"""


def dialogue() -> Talk:
    talk = Talk()
    talk.client("S", options=Options(mss=1460, sack_permitted=True, window_scale=7))
    talk.server("SA", options=Options(mss=1460, sack_permitted=True, window_scale=3))
    talk.client("A")
    talk.client("PA", 100, window=500)
    talk.server("A", window=0)
    talk.client("FA")
    return talk


def page(talk: Talk, number: int, cells: int = 78, **more: object) -> str:
    step = talk.steps[number]
    before = talk.steps[number - 1] if number else None
    assert step.segment is not None
    made = detail(step, step.segment, talk.connection, cells, before=before, **more)
    assert all(width(one) <= cells for one in made)
    return plain(made)


def told(step: Step, talk: Talk) -> dict[str, str]:
    assert step.segment is not None
    return {each.name: each.sentence for each in fields(step, step.segment, talk.connection)}


def test_the_header_as_the_rfc_draws_it():
    step = dialogue().steps[0]
    box = header_box(step.segment, step.relative)
    assert plain(box) == GOLDEN
    plain_box = plain(header_box(step.segment, step.relative, ascii_only=True))
    assert plain_box.isascii()
    assert "+-+-+-+-+" in plain_box


@pytest.mark.parametrize("bit", [bit for bit, *_ in BITS], ids=lambda bit: bit.name)
def test_each_bit_stands_under_its_letter(bit):
    talk = Talk()
    made = talk.segment(Side.CLIENT, "")
    box = [plain_line(one) for one in header_box(replace(made, flags=bit | Flags(0)), (0, None))]
    names = next(one for one in box if "Rsrvd" in one)
    values = box[box.index(names) + 1]
    letter = next(letter for each, letter, *_ in BITS if each is bit)
    cells = dict(zip(names[16:34], values[16:34], strict=True))
    assert cells[letter] == "1"
    assert values[16:34].count("1") == 1


def test_long_options_go_over_several_rows():
    talk = Talk()
    sack = tuple((n, n + 10) for n in range(6000, 6004))
    talk.client("A", options=Options(sack=sack, timestamps=(4_000_000_000, 4_000_000_000)))
    step = talk.steps[0]
    box = header_box(step.segment, step.relative)
    assert all(width(one) == WIDTH for one in box[2:])
    assert sum("sack" in plain_line(one) or "ecr" in plain_line(one) for one in box) >= 2


def test_fields_are_explained_for_this_very_segment():
    talk = dialogue()
    syn, synack, _ack, data, zero, fin = (told(step, talk) for step in talk.steps)
    assert "its first byte will be 1" in syn["Sequence"]
    assert "not valid" in syn["Acknowledgment"]
    assert "never scaled" in synack["Window"]
    assert "acknowledges frame 1" in synack["Acknowledgment"]
    assert "the last of which has 100" in data["Sequence"]
    assert "times 128" in data["Window"]
    assert "64000 bytes" in data["Window"]
    assert zero["Window"].startswith("shut")
    assert "before 101" in zero["Acknowledgment"]
    assert "its ACK will be 102" in fin["Sequence"]


def test_what_both_machines_make_of_it_with_section_and_evidence():
    text = " ".join(page(dialogue(), 5).split())
    assert "ESTABLISHED → FIN-WAIT-1: CLOSE / snd FIN" in text
    assert "RFC 9293, 3.10.4" in text
    assert "seen" in text
    assert "The server" in text
    assert "stays in" in text


def test_marks_flight_and_times():
    talk = dialogue()
    assert "100 bytes" in page(talk, 3)
    assert "In flight" in page(talk, 3)
    text = page(talk, 4)
    assert "[Z] zero window" in text
    assert "RTT 1 ms" in text
    assert "from frame 4 to this acknowledgement" in text


@pytest.mark.parametrize("cells", [38, 78, 118, 131, 132, 198])
def test_every_width(cells):
    talk = dialogue()
    for number in range(len(talk.steps)):
        assert page(talk, number, max(cells, 65), ascii_only=True).isascii()


def test_data_can_do_nothing_to_the_terminal():
    evil = bytes(range(256)) + b"\x1b]0;owned\x07\xe2\x80\xae"
    lines = [plain_line(one) for one in hexdump(evil, 78)]
    assert all(char.isprintable() for one in lines for char in one)
    assert "000000  00 01 02" in lines[0]
    assert "owned" in lines[16]
    assert len(lines) == 17
    assert plain_line(list(hexdump(b"a" * 5000, 78))[-1]) == "... 904 more bytes"


def test_a_window_whose_unit_was_cut_off() -> None:
    talk = Talk()
    talk.client("S", options=Options(mss=1460, cut=True))
    talk.server("SA", options=Options(mss=1460, cut=True))
    talk.client("A", window=500)
    first = " ".join(page(talk, 0).split())
    assert "mss 1460 (the rest was not captured)" in first
    assert "The capture has cut off its options: what else it offers is not known." in first
    third = " ".join(page(talk, 2).split())
    assert "in a unit that the SYNs told, whose options the capture has cut off" in third
    talk = Talk()  # nobody scales unless both do
    talk.client("S", options=Options(mss=1460))
    talk.server("SA", options=Options(mss=1460, cut=True))
    talk.client("A", window=500)
    assert "not scaled: not both SYNs offered it" in " ".join(page(talk, 2).split())


def test_in_another_language_nothing_but_names_stays_english() -> None:
    """Names of states, flags, options and events are the same in every textbook."""
    talk = dialogue()
    english = {name for n in range(len(talk.steps)) for name in told(talk.steps[n], talk)}
    words.use("zh")
    try:
        pages = [page(talk, number) for number in range(len(talk.steps))]
        names = {name for step in talk.steps for name in told(step, talk)}
        sentences = [each for step in talk.steps for each in told(step, talk).values()]
        title = words._("Sequence")  # the chart's
    finally:
        words.use("en")
    assert len(names) == len(english)
    assert "Sequence" not in names
    assert title not in names
    written = " ".join(pages + sentences)
    # Two English words with a blank between them that are no event's or option's name.
    running = set(re.findall(r"\b[a-z]{2,} [a-z]{2,}\b", written))
    assert running == set()

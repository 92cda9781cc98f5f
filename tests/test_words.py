"""Languages and registers: the catalogue is in step, and what is shown is whole in each."""

from __future__ import annotations

import shutil
import string
import subprocess
import sys
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tcpviz import words
from tcpviz.catalogue import compiled, load, parse
from tcpviz.core.claims import Certainty, Claim, StateChange
from tcpviz.core.records import KernelSocket, Side
from tcpviz.core.segment import Endpoint
from tcpviz.core.states import TRANSITIONS, State
from tcpviz.core.timeline import StepKind
from tcpviz.core.tracker import Tracker
from tcpviz.export import jsonl
from tcpviz.lab.feed import TITLES
from tcpviz.ui.bars import status_items
from tcpviz.ui.session import Session
from tcpviz.views import table
from tcpviz.views.explain import explain_state, sentences
from tcpviz.views.explain_plain import move_text
from tcpviz.views.kernel_words import queues_text
from tcpviz.views.spans import text_width, width
from tcpviz.views.verdict import verdict
from tcpviz.views.wrapping import pieces, wrap_text
from tests import messages
from tests.ui.fakes import FakeFeed, scenario

PO = words.catalogue_path("zh")
PEOPLE = {"Who": "who", "Peer": "peer"}


@pytest.fixture
def chinese() -> Iterator[None]:
    words.use("zh")
    yield
    words.use("en")


def fields(text: str) -> set[str]:
    """The names in braces; a capital makes no difference to somebody's name."""
    names = {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}
    return {PEOPLE.get(name, name) for name in names}


# -- the catalogue ----------------------------------------------------------------


def test_every_teaching_text_is_translated_and_nearly_everything_else() -> None:
    sources, said = messages.collect(), messages.translated(PO)
    hint = "run make words, then fill in the empty msgstr in " + str(PO)
    missing = [source.text for key, source in sources.items() if key not in said]
    teaching = [s.text for key, s in sources.items() if key not in said and messages.strict(s)]
    assert teaching == [], hint
    assert len(missing) <= len(sources) * 0.08, (hint, missing)
    assert len(sources) > 1300


def test_the_catalogue_has_no_text_twice() -> None:
    keys = [one.key for one in parse(PO.read_text("utf-8"))]
    assert len(keys) == len(set(keys))


def test_a_translation_fills_in_what_the_original_fills_in() -> None:
    wrong = {}
    for one in parse(PO.read_text("utf-8")):
        for said in one.said if one.text else []:
            if said and fields(said) != fields(one.text):
                wrong[one.text] = said
            assert "{" not in said or said.count("{") == said.count("}")
    # Who speaks may be left out where Chinese needs no subject; nothing else may differ.
    assert {
        text: said
        for text, said in wrong.items()
        if (fields(said) ^ fields(text)) - {"who", "peer"}
    } == {}


def test_a_translation_keeps_the_blanks_at_its_ends_and_has_chinese_marks() -> None:
    for one in parse(PO.read_text("utf-8")):
        if not one.text or not one.said or not one.said[0]:
            continue
        said = one.said[0]
        assert said.startswith(" ") == one.text.startswith(" "), one.text
        if one.text.endswith(".") and not one.text.endswith("..."):
            assert said.endswith(("。", "）", "”")), one.text


@pytest.mark.skipif(shutil.which("msgfmt") is None, reason="no gettext tools here")
def test_gettexts_own_tool_accepts_it() -> None:
    done = subprocess.run(
        ["msgfmt", "--check-format", "-o", "/dev/null", str(PO)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_a_catalogue_is_compiled_as_gettext_reads_it(tmp_path) -> None:  # type: ignore[no-untyped-def]
    source = (
        'msgid ""\nmsgstr "Content-Type: text/plain; charset=UTF-8\\n"\n'
        '"Plural-Forms: nplurals=2; plural=(n != 1);\\n"\n\n'
        'msgctxt "door"\nmsgid "open"\nmsgstr "auf"\n\nmsgid "open"\nmsgstr "offen"\n\n'
        'msgid "{n} byte"\nmsgid_plural "{n} bytes"\nmsgstr[0] "{n} Byte"\n'
        'msgstr[1] "{n} Bytes"\n\n'
        '#, fuzzy\nmsgid "not sure"\nmsgstr "unsicher"\n\nmsgid "not done"\nmsgstr ""\n'
    )
    path = tmp_path / "de.po"
    path.write_text(source, "utf-8")
    known = load(path)
    assert known.gettext("open") == "offen"
    assert known.pgettext("door", "open") == "auf"
    assert known.ngettext("{n} byte", "{n} bytes", 2) == "{n} Bytes"
    assert known.gettext("not sure") == "not sure"
    assert known.gettext("not done") == "not done"
    with pytest.raises(ValueError, match="line 1"):
        parse("mgsid")
    assert compiled([])[:4] == b"\xde\x12\x04\x95"


# -- which language -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("environ", "language"),
    [
        ({}, "en"),
        ({"LANG": "zh_CN.UTF-8"}, "zh"),
        ({"LANG": "zh-Hans"}, "zh"),
        ({"LANG": "zh_TW.UTF-8"}, "en"),
        ({"LANG": "zh_CN.UTF-8", "LC_ALL": "C"}, "en"),
        ({"LANG": "zh_CN.UTF-8", "LC_MESSAGES": "en_GB.UTF-8"}, "en"),
        ({"LANG": "de_DE.UTF-8", "LANGUAGE": "fr:zh_CN:en"}, "zh"),
        ({"LANG": "zh_CN.UTF-8", "LANGUAGE": "en"}, "en"),
        ({"LANG": "C", "LANGUAGE": "zh_CN"}, "en"),
    ],
)
def test_the_locale_chooses_the_language(environ: dict[str, str], language: str) -> None:
    assert words.wanted(environ) == language


def test_english_needs_no_catalogue_and_help_starts_without_one() -> None:
    code = """
import sys
import tcpviz.cli
try:
    tcpviz.cli.main(["--help"])
except SystemExit:
    pass
print("tcpviz.catalogue" in sys.modules, "tcpviz.words" in sys.modules)
"""
    env = {"LANG": "zh_CN.UTF-8", "PATH": "/usr/bin:/bin"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env)
    assert done.stdout.strip().endswith("False False"), done.stderr


def test_what_programs_read_stays_english(chinese: None) -> None:
    tracker = Tracker()
    for record in scenario():
        tracker.feed(record)
    (connection,) = tracker.connections.values()
    assert verdict(connection) == "由客户端正常关闭"
    assert jsonl.connection_object(connection)["verdict"] == "closed normally by client"
    assert words.language() == "zh"


# -- what is shown ----------------------------------------------------------------


def test_each_step_is_told_in_chinese_in_both_registers(chinese: None) -> None:
    tracker = Tracker()
    steps = [step for record in scenario() for step in tracker.feed(record)]
    for step in steps:
        if step.note is not None or step.quiet:
            continue
        for plain in (False, True):
            for said in sentences(step, tracker.connections.get(step.connection or 0), plain=plain):
                assert any("\u4e00" <= char <= "\u9fff" for char in said), said
                assert "{" not in said


def test_the_doorkeepers_talk_word_for_word() -> None:
    tracker = Tracker()
    steps = [step for record in scenario() for step in tracker.feed(record)]
    said = [
        sentences(step, tracker.connections.get(step.connection or 0), plain=True)[0]
        for step in steps
        if step.kind is StepKind.SEGMENT
    ]
    assert said == [
        'The client: "I\'m coming in."',
        'The server: "Someone is here, I\'ve made room; come in."',
        'The client: "Good, I\'m in."',
        'The client: "I have nothing more to say."',
        'The server: "I heard that; I may still talk."',
        'The server: "I have nothing more to say either."',
        'The client: "I heard that. Goodbye!" It stays at the door for a while, in case the '
        "goodbye gets lost.",
    ]
    words.use("zh")
    syn = next(step for step in steps if step.kind is StepKind.SEGMENT)
    assert sentences(syn, plain=True)[0] == "客户端：“我要进来了。”"


def test_each_move_of_the_machine_has_plain_words() -> None:
    for row in TRANSITIONS:
        assert "{" in move_text(row) or "Both" in move_text(row), row


@pytest.mark.parametrize("state", State)
def test_a_state_is_told_in_chinese_under_its_english_name(chinese: None, state: State) -> None:
    told = explain_state(state)
    assert told.startswith(f"{state}: ")
    assert "应用程序" in told


@pytest.mark.parametrize("cells", [40, 80, 120, 200])
def test_the_table_is_as_wide_in_chinese(chinese: None, cells: int) -> None:
    tracker = Tracker()
    for record in scenario():
        tracker.feed(record)
    (connection,) = tracker.connections.values()
    assert width(table.header(cells)) == cells
    assert width(table.row(connection, cells, connection.last_ns)) == cells


def test_chinese_breaks_between_characters_but_not_before_a_full_stop() -> None:
    text = "服务器的内核自己应答 SYN，不需要 accept()：一个半开连接在等待。"
    for cells in range(4, 40):
        rows = wrap_text(text, cells)
        assert max(map(text_width, rows)) <= max(cells, 10)
        assert not any(row.startswith(("，", "。", "：")) for row in rows)


@given(st.text(alphabet="ab 服务器，。（）：“”…-x", max_size=60))
def test_pieces_lose_nothing(text: str) -> None:
    assert "".join(pieces(text)) == text


def test_custom_names_are_left_as_they_are_and_keep_their_roles(chinese: None) -> None:
    from tcpviz.views.explain import name_roles

    spans = name_roles(
        "北京主机发送 SYN，上海主机应答。", {Side.CLIENT: "北京主机", Side.SERVER: "上海主机"}
    )
    assert [span.text for span in spans if span.role in ("client", "server")] == [
        "北京主机",
        "上海主机",
    ]


def test_evidence_of_a_claim_is_told_in_chinese(chinese: None) -> None:
    before = Claim(State.LISTEN, Certainty.SEEN)
    after = Claim(State.SYN_RECEIVED, Certainty.INFERRED, "received the SYN")
    change = StateChange(Side.SERVER, before, after, None)
    tracker = Tracker()
    step = next(s for r in scenario() for s in tracker.feed(r) if s.kind is StepKind.SEGMENT)
    from dataclasses import replace

    said = "".join(sentences(replace(step, changes=(change,))))
    assert "收到 SYN" in said


# -- the help's topics --------------------------------------------------------------


@pytest.mark.parametrize("name", ["states", "certainty", "teaching", "marks"])
@pytest.mark.parametrize("width", [20, 40, 80])
def test_a_translated_topic_has_the_same_sections_and_fits(
    chinese: None, name: str, width: int
) -> None:
    from tcpviz.commands import topics

    in_chinese = list(topics.sections(name))
    text = topics.text(name)
    words.use("en")
    assert in_chinese == list(topics.sections(name))
    assert text != topics.text(name)
    for row in topics.lines(text, width):
        assert text_width(row) <= max(width, 20) or " " not in row.strip()


@pytest.mark.parametrize("cells", [40, 60, 80, 120])
def test_a_chart_of_hosts_with_chinese_names_keeps_its_columns(chinese: None, cells: int) -> None:
    from tcpviz.views.ladder import Ladder, LadderSettings

    tracker = Tracker()
    for record in scenario():
        tracker.feed(record)
    (connection,) = tracker.connections.values()
    names = LadderSettings(client_name="北京的客户主机", server_name="上海的服务器主机")
    ladder = Ladder(tracker.timeline, connection.id, names)
    ladder.extend()
    ladder.adapt(cells)
    rows = [*ladder.header(cells), *(ladder.render(row, cells) for row in ladder.rows)]
    assert {width(row) for row in rows} == {cells}
    text = "".join(span.text for row in rows for span in row)
    assert "握手" in text
    assert "北京" in text


@pytest.mark.parametrize("ground", sorted(TITLES))
def test_the_demos_ground_is_said_in_the_readers_language(ground: str, chinese: None) -> None:
    said = TITLES[ground]
    assert words._(said) != said
    session = Session(FakeFeed([], title=f"demo echo, {said}"))
    told = "".join(item.long for item in status_items(session, None))
    assert f"demo echo，{words._(said)}" in told
    named = Session(FakeFeed([], title="a, b.pcap"))
    assert "a, b.pcap" in [item.long for item in status_items(named, None)]


def test_what_is_said_shortly_takes_no_more_room_than_in_english() -> None:
    """Where only the short form fits in English, another language's must not be left out."""
    here = Endpoint("10.0.0.2", 7777)
    listener = KernelSocket(
        Side.SERVER, here, None, State.LISTEN, recv_queue=0, send_queue=128, syn_queue=1,
        syn_limit=129,
    )  # fmt: skip
    english = text_width(queues_text(listener, short=True))
    words.use("zh")
    try:
        assert text_width(queues_text(listener, short=True)) <= english
        assert queues_text(listener, short=True) != queues_text(listener)
    finally:
        words.use("en")

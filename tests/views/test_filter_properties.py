"""The display filter under every text and every tree: round trips, De Morgan, no other error."""

from __future__ import annotations

import re
import warnings

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tcpviz.core.connection import Connection
from tcpviz.core.segment import Endpoint
from tcpviz.core.tracker import Tracker
from tcpviz.views import filter as language
from tcpviz.views.filter import CONNECTIONS, Filter, FilterError
from tcpviz.views.filter.compiler import Compiler
from tcpviz.views.filter.regex import Pattern, PatternError
from tcpviz.views.filter.syntax import And, Everything, Node, Not, Or, Test, Value, Word
from tests.core.dialogue import Talk

NOW = 20_000_000_000


def _connections() -> list[Connection]:
    tracker = Tracker()
    Talk(tracker=tracker).handshake()
    refused = Talk(client=Endpoint("10.0.0.9", 50001), tracker=tracker)
    refused.client("S")
    refused.server("RA")
    closed = Talk(client=Endpoint("2001:db8::7", 50002), tracker=tracker).handshake()
    closed.client("PA", 5000)
    closed.client("PA", 5000, seq=1)
    closed.client("FA")
    closed.server("FA")
    closed.client("A")
    Talk(client=Endpoint("10.0.0.8", 50003), tracker=tracker).client("PA", 10)
    return list(tracker.connections.values())


CONNECTION_LIST = _connections()


# -- trees ---------------------------------------------------------------------

numbers = st.integers(0, 10**6).map(str)
VALUES = {
    "WHOLE": numbers,
    "COUNT": st.one_of(numbers, st.sampled_from(["1.5k", "2M", "3Gi"])),
    "SIZE": st.one_of(numbers, st.sampled_from(["1.5k", "64KiB", "10kB"])),
    "TIME": st.sampled_from(["0", "5m", "200ms", "1.5s", "1h30m", "3us", "7µs", "2d"]),
    "PORT": st.one_of(st.integers(0, 65535).map(str), st.sampled_from(["80-443", "1..9"])),
    "Host": st.sampled_from(["10.0.0.0/8", "2001:db8::/32", "10.0.0.9:50001", "[::1]:80", "::1"]),
    "Text": st.text(max_size=8),
}
PATTERNS = st.sampled_from(["a.*b", "(x|y)z", "^S", "[0-9]+$", 'say "no"', "a\\\\b", "\\d{2}, "])


@st.composite
def a_test(draw: st.DrawFn) -> Node:
    field = draw(st.sampled_from(sorted(CONNECTIONS.fields.values(), key=lambda f: f.name)))
    op = draw(st.sampled_from(sorted(field.kind.operators)))
    if op == "~":
        return Test(field.name, op, (Value(draw(PATTERNS)),))
    name = type(field.kind).__name__
    if name == "Ordered":
        word = field.kind.expected
        name = next(
            kind
            for kind, start in (
                ("TIME", "a length"),
                ("SIZE", "a number of bytes"),
                ("PORT", "a port"),
                ("COUNT", "a number,"),
                ("WHOLE", ""),
            )
            if word.startswith(start)
        )
    if name in VALUES:
        values = VALUES[name]
    else:
        values = st.sampled_from([value for value, _ in field.kind.candidates()])
    single = op in ("<", "<=", ">", ">=")
    if single:
        values = values.filter(lambda v: not re.search(r"\d(-|\.\.)\d", v))
    made = draw(st.lists(values, min_size=1, max_size=1 if single else 3))
    return Test(field.name, op, tuple(Value(value) for value in made))


words = st.one_of(st.text(max_size=10), st.sampled_from(["and", "OR", "!x", "(", "#3", "state:x"]))
leaves = st.one_of(words.map(Word), a_test())


def _grown(inner: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    several = st.lists(inner, min_size=2, max_size=4).map(tuple)
    return st.one_of(inner.map(Not), several.map(And), several.map(Or))


trees: st.SearchStrategy[Node] = st.recursive(leaves, _grown, max_leaves=12)


def answers(text: str) -> list[bool]:
    made = language.compile(text)
    return [made.matches(connection, NOW) for connection in CONNECTION_LIST]


def answers_of(tree: Node) -> list[bool]:
    asked = Compiler("", CONNECTIONS).question(tree)
    return [asked(connection, NOW) for connection in CONNECTION_LIST]


@given(st.one_of(st.just(Everything()), trees))
@settings(max_examples=300)
def test_what_is_written_is_read_as_the_same(tree: Node) -> None:
    written = language.write(tree)
    if len(written) <= 2000:
        assert language.parse(written) == tree
        assert answers(written) == answers_of(tree)


@given(trees, trees)
@settings(max_examples=150)
def test_de_morgan_and_friends(one: Node, other: Node) -> None:
    assert answers_of(Not(And((one, other)))) == answers_of(Or((Not(one), Not(other))))
    assert answers_of(Not(Or((one, other)))) == answers_of(And((Not(one), Not(other))))
    assert answers_of(Not(Not(one))) == answers_of(one)
    assert answers_of(And((one, other))) == answers_of(And((other, one)))
    assert answers_of(And((one, Not(one)))) == [False] * len(CONNECTION_LIST)
    assert answers_of(Or((one, Not(one), other))) == [True] * len(CONNECTION_LIST)


@given(a_test())
def test_unequal_is_not_equal(test: Test) -> None:
    if test.op in (":", "=", "!="):
        equal = Test(test.field, "=", test.values)
        unequal = Test(test.field, "!=", test.values)
        assert answers_of(unequal) == answers_of(Not(equal))


# -- texts ---------------------------------------------------------------------

PIECES = st.sampled_from(
    [
        "state", "client.", ":", "=", "!=", ">", "<=", "~", "(", ")", '"', "'", " ", "\t", ",",
        "\\", "and", "or", "not", "!", "&&", "#", "12", "mark:", "retransmission", "rtt", "200ms",
        "host:", "10.0.0.0/8", "::1", "[", "]", "*", "中", "\x00", "verdict~", "{", "9", "}",
        "gt", ".", "-",
    ]
)  # fmt: skip
texts = st.one_of(st.text(max_size=40), st.lists(PIECES, max_size=14).map("".join))


def tried(text: str) -> tuple[Filter | None, FilterError | None]:
    try:
        return language.compile(text), None
    except FilterError as error:
        return None, error


@given(texts, st.data())
@settings(max_examples=600)
def test_nothing_but_filter_errors(text: str, data: st.DataObject) -> None:
    made, error = tried(text)
    if error is not None:
        assert 0 <= error.start <= error.end <= len(text)
        assert str(error)
        assert error.pointed().count("\n") == 1
    if made is not None:
        for connection in CONNECTION_LIST:
            assert made.matches(connection, NOW) in (True, False)
        if len(language.write(made.node)) <= 2000:
            assert language.parse(language.write(made.node)) == made.node
    cursor = data.draw(st.integers(-1, len(text) + 1))
    for each in language.complete(text, cursor):
        done, place = each.apply(text)
        assert 0 <= each.start <= each.end <= len(text)
        assert done[each.start : place] == each.text


@given(st.lists(PIECES, max_size=10).map("".join))
@settings(max_examples=200)
def test_a_completed_field_or_value_can_be_read(text: str) -> None:
    """A completion never makes an error of what was right before it."""
    for each in language.complete(text, len(text))[:10]:
        before = text[: each.start]
        try:
            language.compile(before)
        except FilterError:
            continue
        done, _ = each.apply(text)
        if each.more:
            continue
        language.compile(done)


# -- regular expressions -------------------------------------------------------


def read(pattern: str, *, fold: bool = True) -> tuple[Pattern | None, PatternError | None]:
    try:
        return Pattern(pattern, fold=fold), None
    except PatternError as error:
        return None, error


atoms = st.one_of(
    st.sampled_from(list("abcAB01 .-_é")).map(re.escape),
    st.sampled_from([".", "\\d", "\\w", "\\S", "[a-c]", "[^ab]", "[]x]", "[a\\d-]", "^", "$"]),
)


def _patterns(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    group = inner.map(lambda p: f"({p})")
    return st.one_of(
        st.lists(inner, max_size=3).map("".join),
        st.tuples(inner, inner).map(lambda two: f"(?:{two[0]}|{two[1]})"),
        st.tuples(group, st.sampled_from(["*", "+", "?", "{2}", "{1,}", "{,2}", "*?", "{0}"])).map(
            "".join
        ),
    )


@given(
    st.recursive(atoms, _patterns, max_leaves=6),
    st.text("abcAB01 .-_é", max_size=12),
    st.booleans(),
)
@settings(max_examples=500, deadline=None)
def test_patterns_find_what_re_finds(pattern: str, text: str, fold: bool) -> None:
    made, error = read(pattern, fold=fold)
    if made is None:
        assert "too large" in str(error)
        return
    # Twice: the second answer comes from what was learnt.
    expected = re.search(pattern, text, re.IGNORECASE if fold else 0) is not None
    assert made.found(text) is expected
    assert made.found(text + "") is expected


@given(st.text("ab(){}[]|*+?^$\\.,-:12d", max_size=20))
@settings(max_examples=500)
def test_patterns_fail_in_one_way_only(pattern: str) -> None:
    made, error = read(pattern)
    if error is not None:
        assert 0 <= error.at <= len(pattern)
    if made is not None:
        # Python warns of what may mean something else one day, such as [[.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            expected = re.compile(pattern, re.IGNORECASE)
        assert made.found("abab12-{") is (expected.search("abab12-{") is not None)


@pytest.mark.parametrize(
    "pattern", ["(a+)+$", "(a|aa)+$", "(a*)*b", "(.*)(.*)(.*)(.*)x", "a{0,90}a{0,90}$b"]
)
def test_no_pattern_takes_for_ever(pattern: str) -> None:
    # Python's own needs longer than the universe is old for the first of these.
    assert not Pattern(pattern).found("a" * 5000 + "!")


@pytest.mark.parametrize(
    ("pattern", "at"),
    [("a(b", 1), ("a)", 1), ("*a", 0), ("[ab", 0), ("a\\", 1), ("\\b", 0), ("(?=a)", 0),
     ("(a)\\1", 3), ("a{3,2}", 1), ("[b-a]", 1), ("a**", 2), ("((((){400}){400}){400}){400}", 0),
     ("(" * 30 + ")" * 30, 20), ("a" * 201, 200), ("a{999}", 0)],
)  # fmt: skip
def test_a_wrong_pattern_is_told_with_its_place(pattern: str, at: int) -> None:
    with pytest.raises(PatternError) as caught:
        Pattern(pattern)
    assert caught.value.at == at

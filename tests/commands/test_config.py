"""One's own defaults and keys: taken, overruled by the command line, refused in one line."""

from __future__ import annotations

import tomllib

import pytest

from tcpviz import config
from tcpviz.cli import _parsers, build_parser, main
from tcpviz.ui.keymap import remapped
from tcpviz.ui.keys import TABLE


@pytest.fixture
def said(tmp_path, monkeypatch):
    place = tmp_path / "mine.toml"
    monkeypatch.setenv(config.VARIABLE, str(place))

    def write(text):
        place.write_text(text)
        return place

    return write


def parsed(*words):
    parser = build_parser()
    config.apply(_parsers(parser), config.load())
    return parser.parse_args(words)


def test_what_the_file_says_is_the_default_and_the_command_line_goes_before(said):
    said('[defaults]\ntheme = "light"\nascii = true\n[capture]\nsnaplen = 256\n')
    options = parsed("capture")
    assert (options.theme, options.ascii, options.snaplen) == ("light", True, 256)
    assert parsed("capture", "-s", "64", "--theme", "mono").snaplen == 64
    assert parsed("capture", "--theme", "mono").theme == "mono"
    assert parsed("read", "x").theme == "light"


def test_a_default_of_all_commands_is_for_those_that_can_have_it(said):
    """The screen has more themes than pictures have."""
    said('[defaults]\ntheme = "contrast"\n')
    assert parsed("read", "x").theme == parsed("demo").theme == "contrast"
    assert parsed("export", "x").theme is None


def test_without_a_file_nothing_changes(tmp_path, monkeypatch):
    monkeypatch.setenv(config.VARIABLE, str(tmp_path / "none.toml"))
    assert config.load() == {}
    monkeypatch.setenv(config.VARIABLE, "")
    assert config.path() is None
    assert config.load() == {}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[defaults\n", "line 1"),
        ('[default]\ntheme = "light"\n', "no section [default]; did you mean defaults?"),
        ("theme = 1\n", "no section [theme]"),
        ('capture = "x"\n', "is to be a section"),
        ('[defaults]\nthme = "light"\n', "has no 'thme'; did you mean theme?"),
        ("[capture]\nsnaplen = -3\n", "SNAPLEN is a whole number"),
        ("[capture]\nwrite = 'x'\n", "has no 'write'"),
        ("[defaults]\nascii = 'yes'\n", "is true or false"),
        ("[defaults]\nlang = 'fr'\n", "is one of en, zh"),
        ("[defaults]\ntheme = 'pink'\n", "is one of dark, light, contrast"),
        ("[capture]\nsnaplen = [1]\n", "cannot be"),
        ("[keys]\nfaster = 3\n", "is a key or several"),
        ("[keys]\nfastr = 'x'\n", "did you mean faster?"),
        ("[keys]\nfaster = 'x'\n", "drop has no key left: faster took it"),
        ("[keys]\nfaster = 'f5'\nslower = 'f5'\n", "f5 is given to faster and to slower"),
    ],
)
def test_what_is_wrong_is_said_in_one_line_and_nothing_starts(said, capsys, text, why):
    place = said(text)
    assert main(["config"]) == 2
    told = capsys.readouterr().err
    assert why in told
    assert str(place) in told
    assert told.count("\n") == 1


def test_a_wrong_file_stops_a_command_but_not_the_help(said, capsys):
    said("[defaults\n")
    with pytest.raises(SystemExit) as ended:
        main(["read", "x"])
    assert ended.value.code == 2
    assert "tcpviz config checks it" in capsys.readouterr().err
    with pytest.raises(SystemExit) as ended:
        main(["read", "--help"])
    assert ended.value.code == 0


def test_a_key_that_is_taken_goes_to_who_asked_for_it():
    named = {action.name: action for action in remapped(TABLE, {"faster": ("f5", "l")})}
    assert named["faster"].keys == ("f5", "l")
    assert named["faster"].shown == "f5 l"
    assert "l" not in named["step"].keys
    assert "right" in named["step"].keys
    assert remapped(TABLE, {}) == TABLE


def test_the_example_is_a_file_that_may_be_used(said, capsys):
    assert main(["config", "--example"]) == 0
    example = capsys.readouterr().out
    keys = [line[2:] for line in example.partition("[keys]")[2].splitlines()[1:]]
    assert len(keys) == len(TABLE)
    whole = tomllib.loads("\n".join(line.removeprefix("# ") for line in example.splitlines()[1:]))
    assert whole["defaults"]["theme"] == "dark"
    assert set(whole) == set(config.SECTIONS)
    said("[keys]\n" + "\n".join(line for line in keys if not line.startswith("quit ")))
    assert main(["config"]) == 0
    assert "is in order" in capsys.readouterr().out

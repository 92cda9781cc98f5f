"""The help's topics in Chinese: each is there, section for section, with the same codes."""

from __future__ import annotations

import importlib.resources
import re

import pytest

from tcpviz.commands import topics

RETOLD = ("certainty", "marks", "states", "teaching")
"""These say it more freely, with fewer quotations."""
HELP = importlib.resources.files("tcpviz") / "help"


def headings(text: str) -> list[str]:
    return re.findall(r"^#+ (.*)$", text, re.MULTILINE)


@pytest.mark.parametrize("name", topics.names())
def test_each_topic_is_translated_section_for_section(name: str) -> None:
    english = (HELP / f"{name}.md").read_text("utf-8")
    chinese = (HELP / "zh" / f"{name}.md").read_text("utf-8")
    ours, theirs = headings(english), headings(chinese)
    assert len(ours) == len(theirs), f"help/zh/{name}.md lacks a section, or has one too many"
    for one, other in zip(ours, theirs, strict=True):
        if one == one.lower():  # a code, which is looked up by its name: never translated
            assert one == other


@pytest.mark.parametrize("name", sorted(set(topics.names()) - set(RETOLD)))
def test_what_is_typed_is_not_translated(name: str) -> None:
    """Each key, option and command between backquotes stands in both."""
    english = (HELP / f"{name}.md").read_text("utf-8")
    chinese = (HELP / "zh" / f"{name}.md").read_text("utf-8")
    assert set(re.findall(r"`([^`\n]+)`", english)) == set(re.findall(r"`([^`\n]+)`", chinese))

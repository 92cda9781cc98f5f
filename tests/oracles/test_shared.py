"""Every shared capture equals every oracle, but for what is listed with its reason."""

from __future__ import annotations

from pathlib import Path

from tests.oracles.shared import known, report


def test_every_difference_is_listed_with_its_reason(captures: Path) -> None:
    """``python -m tests.oracles`` prints the same table."""
    made = report(captures)
    print("\n".join(made.lines()))
    assert not made.failures, "\n".join(made.failures)
    least = {
        "adjudicated": 6,
        "zeek": 100,
        "tshark streams": 350,
        "tshark counts": 700,
        "completeness": 350,
        "marks": 1500,
        "tcptrace": 1000,
        "suricata": 300,
    }
    assert {name: count for name, (count, _) in made.totals.items() if count < least[name]} == {}


def test_every_listed_difference_says_who_is_right() -> None:
    for listed in known().values():
        for reason in listed.values():
            who, why = reason.split(": ", 1)
            assert who in ("tcpviz", "both", "nobody")
            assert len(why) > 40

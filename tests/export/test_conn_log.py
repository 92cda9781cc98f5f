"""conn.log: read by Zeek's own reader, equal to Zeek's published logs, stable in its names."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tcpviz.cli import main
from tcpviz.core.tracker import Tracker
from tcpviz.export import conn_log
from tests.bench.generate import connections
from tests.core.dialogue import Talk

CUT = shutil.which("zeek-cut") or shutil.which("bro-cut")


def fields(text: str) -> list[dict[str, str]]:
    """A reader of our own for where zeek-cut is not."""
    names: list[str] = []
    rows = []
    for line in text.splitlines():
        if line.startswith("#fields\t"):
            names = line.split("\t")[1:]
        elif not line.startswith("#"):
            rows.append(dict(zip(names, line.split("\t"), strict=True)))
    return rows


def written(path: Path, capsys) -> str:
    assert main(["read", str(path), "--conn-log", "-"]) == 0
    return capsys.readouterr().out


def test_the_form(tmp_path: Path, capsys) -> None:
    path = tmp_path / "a.pcap"
    connections(path, 3)
    text = written(path, capsys)
    lines = text.splitlines()
    assert lines[:5] == [
        "#separator \\x09", "#set_separator\t,", "#empty_field\t(empty)", "#unset_field\t-",
        "#path\tconn",
    ]  # fmt: skip
    assert re.fullmatch(r"#open\t\d{4}(-\d\d){5}", lines[5])
    assert lines[6].count("\t") == lines[7].count("\t") == len(conn_log.COLUMNS)
    assert re.fullmatch(r"#close\t\d{4}(-\d\d){5}", lines[-1])
    rows = fields(text)
    assert len(rows) == 3
    assert all(re.fullmatch(r"C[0-9A-Za-z]{17}", row["uid"]) for row in rows)
    assert len({row["uid"] for row in rows}) == 3
    assert rows[0] | {"uid": "", "community_id": ""} == {
        "ts": "1700000000.000040", "uid": "", "id.orig_h": "10.0.0.0", "id.orig_p": "10000",
        "id.resp_h": "10.128.0.1", "id.resp_p": "80", "proto": "tcp", "service": "-",
        "duration": "0.000320", "orig_bytes": "300", "resp_bytes": "1200", "conn_state": "SF",
        "local_orig": "T", "local_resp": "T", "missed_bytes": "0", "history": "ShADadFf",
        "orig_pkts": "6", "orig_ip_bytes": "540", "resp_pkts": "4", "resp_ip_bytes": "1360",
        "tunnel_parents": "-", "ip_proto": "6", "community_id": "",
    }  # fmt: skip
    assert fields(written(path, capsys)) == rows  # the same names again


@pytest.mark.skipif(CUT is None, reason="neither zeek-cut nor bro-cut (Debian: bro-aux)")
def test_zeek_cut_reads_it(tmp_path: Path, capsys) -> None:
    path = tmp_path / "a.pcap"
    connections(path, 3)
    text = written(path, capsys)
    assert CUT is not None
    names = ["id.orig_h", "id.orig_p", "duration", "conn_state", "history", "community_id"]
    done = subprocess.run([CUT, *names], input=text, capture_output=True, text=True, check=True)
    assert [line.split("\t") for line in done.stdout.splitlines()] == [
        [row[name] for name in names] for row in fields(text)
    ]


RUNS = ["zeek-wikipedia.pcap", "zeek-mpls-in-vlan.pcap", "zeek-simpleauth.pcap"]


@pytest.mark.parametrize("name", RUNS)
def test_it_is_zeeks_own_log_as_published(name: str, captures: Path, capsys) -> None:
    """Cell by cell, of runs of Zeek that ignore checksums, as we do; others: tests/oracles."""
    oracle = json.loads((captures / "oracle" / f"{name}.json").read_text())
    ours = {
        (row["id.orig_h"], int(row["id.orig_p"]), row["id.resp_h"], int(row["id.resp_p"])): row
        for row in fields(written(captures / name, capsys))
    }
    same = {
        *("duration", "orig_bytes", "resp_bytes", "conn_state", "missed_bytes", "history"),
        *("orig_pkts", "orig_ip_bytes", "resp_pkts", "resp_ip_bytes"),
    }
    compared = 0
    for run in oracle["zeek"]:
        if run["bare_mode"]:
            continue
        for each in run["connections"]:
            if not each.get("saw_every_packet") or each["proto"] != "tcp":
                continue
            row = ours.get((each["orig_h"], each["orig_p"], each["resp_h"], each["resp_p"]))
            if row is None or not run["ignores_checksums"]:
                continue
            for column in same & each.keys():
                theirs = each[column]
                if column == "duration" and theirs is not None:
                    theirs = f"{theirs:.6f}"
                assert row[column] == ("-" if theirs is None else str(theirs)), (column, row)
                compared += 1
    assert compared >= 9


def test_a_single_moment_has_neither_duration_nor_bytes() -> None:
    talk = Talk()
    talk.client("S")
    row = dict(
        zip(
            (name for name, _ in conn_log.COLUMNS), conn_log.row(talk.connection) or (), strict=True
        )
    )
    assert (row["duration"], row["orig_bytes"], row["conn_state"]) == (None, None, "S0")
    assert conn_log.line(talk.connection).count("\t-\t") >= 3


def test_what_nobody_analysed_is_no_line() -> None:
    talk = Talk(tracker=Tracker(analyse=False))
    talk.client("S")
    assert conn_log.line(talk.connection) == ""


@pytest.mark.parametrize(
    ("address", "local"),
    [
        ("10.1.2.3", True), ("172.32.0.1", False), ("100.64.0.1", True), ("8.8.8.8", False),
        ("fe80::1", True), ("2001:db8::1", True), ("2606:4700::1", False), ("::1", True),
    ],
)  # fmt: skip
def test_local_is_as_zeek_has_it_without_a_configuration(address: str, local: bool) -> None:
    assert conn_log.is_local(address) is local

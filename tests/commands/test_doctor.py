"""The doctor: one line each, in any encoding, whatever is missing, closed or broken."""

from __future__ import annotations

import io
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tcpviz.commands import doctor, doctor_capture, doctor_kernel, doctor_program
from tcpviz.commands.doctor_facts import Mark
from tcpviz.sources import access, bpf, confine, helpers, ringhand

ROOT = Path(__file__).resolve().parents[2]
RUN = "import sys; from tcpviz.commands.doctor import run; code = run(sys.stdout)\n"


def doctor_in_a_process(code=RUN + "sys.exit(code)", prefix=(), **named):
    return subprocess.run(
        [*prefix, sys.executable, "-W", "error", "-c", code],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        check=False,
        **named,
    )


def test_one_line_each_with_a_sign_and_aligned():
    out = io.StringIO()
    assert doctor.run(out) == 0
    head, *rest = out.getvalue().splitlines()
    assert head.startswith("tcpviz ")
    assert all(re.match(r" [+~x] [\w +-]{16} \S", line) for line in rest)
    names = {line[3:20].strip() for line in rest}
    assert {"capture", "dumpcap", "tcpdump", "filter compiler", "namespaces", "Python"} <= names


def test_its_lines_say_what_was_found(monkeypatch):
    facts = {fact.name: fact for fact in doctor_capture.capture() + doctor_capture.capture_filter()}
    allowed, _ = access.own_access()
    assert facts["capture"].mark is (Mark.YES if allowed else Mark.NO)
    assert facts["filter compiler"].text == bpf.compiler() or bpf.compiler() is None
    monkeypatch.setattr(access, "own_access", lambda: (False, "AF_PACKET needs root"))
    (fact,) = doctor_capture.capture()
    assert fact.mark is Mark.NO
    assert "sudo" in fact.remedy


def test_the_ring_is_tried_for_real(monkeypatch):
    for frames, reason in ((0, "Operation not permitted"), (1000, ""), (1000, "no mapping")):
        monkeypatch.setattr(access, "own_access", lambda: (True, "AF_PACKET"))
        monkeypatch.setattr(ringhand, "try_it", lambda _, told=(frames, reason): told)
        facts = doctor_capture.ring()
        rooms = ("1000 packets", "128 MB of packets of any length")
        for fact, room in zip(facts, rooms, strict=True):
            assert fact.mark is (Mark.PARTLY if reason else Mark.YES)
            assert (reason or f"{room}, read where it lies") in fact.text
            assert ("through a pipe" in fact.text) == bool(frames and reason)
    monkeypatch.undo()
    if access.own_access()[0]:
        for snaplen in (128, 0):
            frames, reason = ringhand.try_it(snaplen)
            assert (frames > 10_000) == (reason == "")


@pytest.mark.skipif(sys.platform != "linux", reason="tracepoints are Linux's")
def test_the_kernel_s_events_are_told_of(monkeypatch):
    wanted = list(doctor_kernel.tracepoints.WANTED)
    for user, told, mark, text in (
        (1000, [], Mark.PARTLY, "only root"),
        (0, [], Mark.PARTLY, "none (Operation not permitted)"),
        (0, wanted[:-1], Mark.PARTLY, "no tcp_receive_reset"),
        (0, wanted, Mark.YES, "with who called"),
    ):
        monkeypatch.setattr(doctor_kernel.os, "geteuid", lambda user=user: user)
        answer = (told, "" if told else "Operation not permitted")
        monkeypatch.setattr(doctor_kernel.kerneltrace, "try_it", lambda _, answer=answer: answer)
        (fact,) = doctor_kernel.kernel_events()
        assert fact.mark is mark
        assert text in fact.text


def test_every_no_has_a_way_out(monkeypatch):
    monkeypatch.setattr(access, "own_access", lambda: (False, "AF_PACKET needs root"))
    monkeypatch.setattr(bpf, "compiler", lambda: None)
    monkeypatch.setattr(helpers, "find", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(helpers, "may_capture", lambda *_: (False, "no permission"))
    monkeypatch.setattr(doctor_kernel, "_inet_diag", lambda: "Protocol not supported")
    refused = subprocess.CompletedProcess([], 1, "", "unshare: Operation not permitted\n")
    for module in (doctor_capture, doctor_kernel):
        monkeypatch.setattr(module, "tried", lambda _: refused)
    monkeypatch.setattr(doctor_program.importlib.metadata, "version", missing)
    facts = [
        *doctor_capture.capture(),
        *doctor_capture.capture_helpers(),
        *doctor_capture.capture_filter(),
        *doctor_kernel.kernel_sockets(),
        *doctor_kernel.namespaces(),
        *doctor_program.python(),
    ]
    lacking = [fact for fact in facts if fact.mark is not Mark.YES]
    assert len(lacking) >= 8
    assert all(fact.remedy for fact in lacking if fact.mark is Mark.NO)


def missing(package):
    raise doctor_program.importlib.metadata.PackageNotFoundError(package)


def test_a_check_that_breaks_is_a_line_and_not_the_end(monkeypatch):
    def _broken():
        raise RuntimeError("strange\n\x1b[2J machine")

    monkeypatch.setattr(doctor, "_CHECKS", (_broken, doctor_program.python))
    out = io.StringIO()
    assert doctor.run(out) == 0
    lines = out.getvalue().splitlines()
    assert "could not be found out (strange ?[2J machine)" in lines[1]
    assert "Python" in lines[2]


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8", "cp437", "no-such-encoding"])
def test_any_encoding_is_served(encoding, monkeypatch):
    monkeypatch.setattr(doctor, "_CHECKS", (doctor_program.python, doctor_capture.capture))
    text = "\n".join(doctor.lines(encoding))
    assert ("✓" in text) == (encoding == "utf-8")
    if encoding != "no-such-encoding":
        text.encode(encoding)


def test_it_runs_without_textual_in_an_ascii_world():
    code = RUN + "assert not {'textual', 'rich', 'numpy'} & set(sys.modules), sys.modules.keys()"
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "LC_ALL": "C", "TERM": "nonsense"}
    done = doctor_in_a_process(code, stdout=subprocess.PIPE, env=environment)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert done.stdout.isascii()
    assert done.stdout.count("\n") > 10


@pytest.mark.skipif(not shutil.which("unshare"), reason="no unshare to give up rights with")
def test_where_nothing_is_allowed_it_says_how_to_get_it():
    allowed = subprocess.run(["unshare", "-Ur", "true"], capture_output=True, check=False)
    if allowed.returncode:
        pytest.skip("no user namespaces here")
    environment = {**os.environ, "PYTHONIOENCODING": "utf-8"}
    done = doctor_in_a_process(prefix=("unshare", "-Ur"), stdout=subprocess.PIPE, env=environment)
    assert done.returncode == 0
    assert done.stderr == ""
    assert re.search(r"✗ capture +AF_PACKET needs root or CAP_NET_RAW; run with sudo", done.stdout)
    for name in helpers.NAMES:
        if helpers.find(name):
            assert re.search(rf"✗ {name} +may not capture.*; sudo setcap", done.stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="Landlock and seccomp are Linux's")
def test_what_a_capture_gives_up_is_tried_for_real():
    (fact,) = doctor_capture.giving_up()
    assert "no capability left" in fact.text
    user = 65534 if os.geteuid() == 0 and "SUDO_UID" not in os.environ else None
    assert user is None or f"becomes user {user}," in fact.text
    for feature, held in (("Landlock", confine.landlock_abi()), ("seccomp", True)):
        assert (f"without {feature}" in fact.text) <= (not held or feature == "seccomp")


def test_a_kernel_that_confines_nothing_is_told(monkeypatch):
    answer = subprocess.CompletedProcess([], 0, "1000 0 0 False False\n", "")
    monkeypatch.setattr(doctor_capture, "tried", lambda _: answer)
    if sys.platform == "linux":
        (fact,) = doctor_capture.giving_up()
        assert fact.mark is Mark.PARTLY
        assert "without Landlock and seccomp here" in fact.text
        monkeypatch.setattr(doctor_capture, "tried", lambda _: None)
        (fact,) = doctor_capture.giving_up()
        assert fact.mark is Mark.NO


def test_every_package_that_is_needed_is_told_and_those_that_only_some_need() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    needed = {re.split(r"[<>=;]", one)[0].strip() for one in project["dependencies"]}
    said = {fact.name: fact for fact in doctor_program.python()}
    # Two small ones are of no use to a person who looks for a fault.
    assert needed - {"platformdirs", "shtab"} <= set(said)
    assert {"textual-serve", "pyarrow"} <= set(said)


def test_what_only_some_need_is_no_fault(monkeypatch) -> None:
    def version(package: str) -> str:
        return _missing(package) if package in ("textual-serve", "pyarrow") else "1"

    def _missing(package: str) -> str:
        raise doctor_program.importlib.metadata.PackageNotFoundError(package)

    monkeypatch.setattr(doctor_program.importlib.metadata, "version", version)
    facts = {fact.name: fact for fact in doctor_program.python()}
    assert {facts[name].mark for name in ("textual-serve", "pyarrow")} == {Mark.PARTLY}
    assert "--parquet needs it" in facts["pyarrow"].text
    assert "'tcpviz[serve]'" in facts["textual-serve"].remedy

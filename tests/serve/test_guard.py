"""Who gets in: addresses, names, origins, the token, and whose a local connection is."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

import pytest

from tcpviz.serve.address import Address, apart, parse, written
from tcpviz.serve.guard import Guard, owner


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("8000", "127.0.0.1", 8000),
        ("0.0.0.0:80", "0.0.0.0", 80),
        ("localhost", "localhost", None),
        ("10.1.2.3", "10.1.2.3", None),
        ("::1", "::1", None),
        ("[::1]:8001", "::1", 8001),
        ("[fe80::1%eth0]", "fe80::1%eth0", None),
        ("box.lan:0", "box.lan", 0),
        (":9000", "127.0.0.1", 9000),
        ("box.lan:", "box.lan", None),
    ],
)
def test_an_address_is_read(text: str, host: str, port: int | None) -> None:
    assert parse(text) == Address(host, port)


@pytest.mark.parametrize("text", ["handshake", "./mine.py", "half-close", "a/b:1", "x:y", ""])
def test_a_scenarios_name_is_none(text: str) -> None:
    assert parse(text) is None


@pytest.mark.parametrize("text", ["65536", "box:99999", "[::1]:x", "[1.2.3.4]:1", "[::1]8", "[::1"])
def test_what_cannot_be_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"port|IPv6"):
        parse(text)


def test_a_file_behind_serve_is_the_file(tmp_path: Path) -> None:
    file = tmp_path / "8000.pcap"
    file.touch()
    words = ["read", "--serve", str(file), "--theme", "light"]
    assert apart(words) == ["read", "--serve=", str(file), "--theme", "light"]
    for kept in (
        ["read", str(file), "--serve"],
        ["read", "--serve", "8001", str(file)],
        ["read", "--serve", str(tmp_path / "none")],
        ["read", "--serve", "box:99999"],
        ["demo", "--serve", "handshake"],
    ):
        assert apart(kept) == kept


def test_who_can_reach_an_address() -> None:
    here = ["127.0.0.1", "127.9.9.9", "::1", "localhost", "LOCALHOST"]
    assert all(Address(host).here_only for host in here)
    assert not any(Address(host).here_only for host in ["0.0.0.0", "::", "10.0.0.1", "box", ""])
    assert Address("::").everywhere
    assert written("::1", 8) == "[::1]:8"


def test_only_an_address_of_others_has_a_token_and_each_its_own() -> None:
    assert Guard.of(Address()).token == ""
    tokens = {Guard.of(Address("0.0.0.0")).token for _ in range(50)}
    assert len(tokens) == 50
    assert min(map(len, tokens)) >= 20


def test_the_token_is_the_whole_token() -> None:
    guard = Guard(Address("0.0.0.0"), "abcDEF")
    assert guard.admits("abcDEF")
    for wrong in ("", "abcDE", "abcDEFF", "abcdef", "abcDEF\0", "äöü", "\udcff"):
        assert not guard.admits(wrong)


@pytest.mark.parametrize(
    ("host", "here", "elsewhere"),
    [
        ("127.0.0.1:8000", True, True),
        ("localhost:9", True, True),
        ("[::1]:8000", True, True),
        ("LocalHost", True, True),
        ("10.0.0.1:8000", False, True),
        ("rebound.example:8000", False, False),
        ("localhost.example", False, False),
        ("127.0.0.1.example", False, False),
        ("x@127.0.0.1", False, False),
        ("127.0.0.1:99999999", False, False),
        ("127.0.0.1/x", False, False),
        ("[::1", False, False),
        ("", False, False),
    ],
)
def test_a_name_that_was_rebound_to_us_is_not_ours(host: str, here: bool, elsewhere: bool) -> None:
    assert Guard.of(Address()).knows(host) is here
    assert Guard.of(Address("0.0.0.0")).knows(host) is elsewhere


def test_the_machines_own_name_is_ours_where_others_can_reach_it() -> None:
    assert Guard.of(Address("0.0.0.0")).knows(f"{socket.gethostname()}:8000")


@pytest.mark.parametrize(
    ("origin", "fits"),
    [
        (None, True),
        ("http://127.0.0.1:8000", True),
        ("https://127.0.0.1:8000", True),
        ("http://127.0.0.1:8001", False),
        ("http://localhost:8000", False),
        ("http://evil.example", False),
        ("null", False),
        ("file://", False),
        ("http://[", False),
    ],
)
def test_a_page_from_elsewhere_is_told_by_its_origin(origin: str | None, fits: bool) -> None:
    headers = {"Host": "127.0.0.1:8000"} | ({} if origin is None else {"Origin": origin})
    assert Guard.of(Address()).same_origin(headers) is fits


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the kernel's table is Linux's")
@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
def test_whose_a_local_connection_is(family: socket.AddressFamily) -> None:
    host = "127.0.0.1" if family == socket.AF_INET else "::1"
    try:
        server = socket.create_server((host, 0), family=family)
    except OSError as error:
        pytest.skip(f"no {host} here: {error}")
    with server, socket.create_connection(server.getsockname()[:2]) as client:
        peer, own = client.getsockname()[:2], server.getsockname()[:2]
        assert owner(peer, own) == os.getuid()
        assert owner((host, 1), own) is None


def test_another_users_connection_and_one_from_an_ipv6_socket(tmp_path: Path) -> None:
    head = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid\n"
    mapped = "0000000000000000FFFF0000"
    row = (
        "   0: {m}0100007F:9C40 {m}0100007F:1F40 01 00000000:00000000 00:00000000 00000000 {uid}\n"
    )
    if sys.byteorder == "big":
        pytest.skip("the table's words are in the machine's order")
    (tmp_path / "tcp").write_text(head + row.format(m="", uid=1234))
    (tmp_path / "tcp6").write_text(head + row.format(m=mapped, uid=77).replace("9C40", "9C41"))
    assert owner(("127.0.0.1", 40000), ("127.0.0.1", 8000), tmp_path) == 1234
    assert owner(("127.0.0.1", 40001), ("127.0.0.1", 8000), tmp_path) == 77
    assert owner(("127.0.0.1", 40002), ("127.0.0.1", 8000), tmp_path) is None
    assert owner(("127.0.0.1", 40000), ("127.0.0.1", 8000), tmp_path / "none") is None

"""The server and its visitors' programs, asked as a browser asks, and as others would."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import select
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.serve.serving import ROOT, Serving, serving

aiohttp = pytest.importorskip("aiohttp", reason="the extra 'serve' is not installed")
pytest.importorskip("textual_serve", reason="the extra 'serve' is not installed")
if not sys.platform.startswith("linux"):
    pytest.skip("processes are looked for in /proc", allow_module_level=True)


TRACE = ("zeek-retransmit-fast009.pcap", "step 39 of 39")


def ask(port: int, path: str, **headers: str) -> tuple[int, str, dict[str, str]]:
    link = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        link.request("GET", path, headers=headers)
        answer = link.getresponse()
        return answer.status, answer.read().decode("utf-8", "replace"), dict(answer.getheaders())
    finally:
        link.close()


async def shown(pipe: Any, text: str) -> None:
    """Wait until the program has written these words one behind the other."""
    seen = b""
    while text.encode() not in seen:
        message = await pipe.receive(timeout=60)
        assert message.type is aiohttp.WSMsgType.BINARY, (message, seen[-400:])
        seen += message.data


async def delivered(pipe: Any) -> str:
    """Wait for the key of a file that the program hands to the browser."""
    while True:
        message = await pipe.receive(timeout=60)
        if message.type is aiohttp.WSMsgType.TEXT:
            kind, key = json.loads(message.data)
            assert kind == "deliver_file_start"
            return str(key)


def gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def test_nothing_is_served_without_the_token() -> None:
    with serving("demo", "--serve", "0.0.0.0:0") as made:
        assert "WARNING: others on the network can reach this" in made.said
        token = made.url.partition("?token=")[2]
        assert len(token) >= 20
        upgrade = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13",
                   "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="}  # fmt: skip
        for path in ("/", "/static/js/textual.js", "/ws", "/download/x", "/nothing"):
            for wrong in ("", "?token=", f"?token={token[:-1]}", f"?token={token}x"):
                status, text, headers = ask(made.port, path + wrong, **upgrade)
                assert (status, "token" in text) == (403, True), path + wrong
                assert headers["X-Frame-Options"] == "DENY"
        status, page, headers = ask(made.port, f"/?token={token}")
        assert status == 200
        assert 'id="terminal"' in page
        assert "nonce-" in headers["Content-Security-Policy"]
        cookie = headers["Set-Cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=Strict" in cookie
        kept = cookie.partition(";")[0]
        assert ask(made.port, "/static/js/textual.js", Cookie=kept)[0] == 200
        assert ask(made.port, "/", Cookie=kept, Host="rebound.example")[0] == 403
        assert ask(made.port, "/", Cookie=kept, Origin="http://evil.example")[0] == 403
        assert made.programs() == []
        assert made.stop() == 0


async def test_a_visitor_has_a_program_of_their_own_and_it_ends_with_them(
    captures: Path, tmp_path: Path
) -> None:
    name, words = TRACE
    with serving(
        "read", str(captures / name), "--serve", "127.0.0.1:0", "--visitors", "1", folder=tmp_path
    ) as made:
        assert "token" not in made.url
        ws = f"{made.url}ws?width=100&height=999999"
        async with aiohttp.ClientSession() as session:
            with pytest.raises(aiohttp.WSServerHandshakeError, match="403"):
                await session.ws_connect(ws, headers={"Origin": "http://evil.example"})
            with pytest.raises(aiohttp.WSServerHandshakeError, match="403"):
                await session.ws_connect(ws, headers={"Host": "rebound.example"})
            assert made.programs() == []
            async with session.ws_connect(ws, headers={"Origin": made.url[:-1]}) as pipe:
                await shown(pipe, words)
                (program,) = made.programs()
                assert (await session.get(made.url)).status == 503  # the one place is taken
                with pytest.raises(aiohttp.WSServerHandshakeError, match="503"):
                    await session.ws_connect(ws)
                await pipe.send_str(json.dumps(["stdin", "g"]))
                await shown(pipe, "step 1 of 39")
                # What is handed on goes to the browser, not into the server's folder.
                await pipe.send_str(json.dumps(["stdin", "E"]))
                await shown(pipe, "your browser")
                await pipe.send_str(json.dumps(["stdin", "7"]))
                key = await delivered(pipe)
                download = f"{made.url}download/{key}"
                refused = await session.get(download, headers={"Origin": "http://evil.example"})
                assert refused.status == 403
                got = await session.get(download)
                assert got.status == 200
                assert "tcpviz-1" in got.headers["Content-Disposition"]
                assert "SYN 0" in await got.text()
                assert list(tmp_path.iterdir()) == []
            await asyncio.to_thread(made.wait_for, "visitor 1 left")
            assert gone(program)
            # Who does not keep to the form is shown out, and nobody else notices.
            async with session.ws_connect(ws) as pipe:
                await shown(pipe, words)
                (program,) = made.programs()
                await pipe.send_str('["resize", {"width": [], "height": 1e999}, "{"]')
                await pipe.send_str("[[[[")
                while not (await pipe.receive(timeout=60)).type & aiohttp.WSMsgType.CLOSE:
                    pass
            await asyncio.to_thread(made.wait_for, "visitor 2 left")
            assert gone(program)
            # The program's own way out ends the visit.
            async with session.ws_connect(ws) as pipe:
                await shown(pipe, words)
                await pipe.send_str(json.dumps(["stdin", "q"]))
                await asyncio.to_thread(made.wait_for, "visitor 3 left")
            async with session.ws_connect(ws) as pipe:
                await shown(pipe, words)
                (program,) = made.programs()
                assert await asyncio.to_thread(made.stop) == 0  # Ctrl-C with somebody there
                assert gone(program)


def test_a_killed_server_leaves_no_program_behind(captures: Path) -> None:
    name, words = TRACE

    async def visit(made: Serving) -> int:
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(f"{made.url}ws") as pipe,
        ):
            await shown(pipe, words)
            (program,) = made.programs()
            watched = os.pidfd_open(program)
            made.process.kill()
            return watched

    with serving("read", str(captures / name), "--serve", "127.0.0.1:0") as made:
        watched = asyncio.run(visit(made))
        assert select.select([watched], [], [], 60)[0]
        os.close(watched)


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["demo", "--serve", "99999"], 2, "a port is a number up to 65535"),
        (["demo", "nosuch", "--serve"], 2, "nosuch"),
        (["demo", "--serve", "nosuch"], 2, "nosuch"),
        (["demo", "--serve", "--json"], 2, "either --serve or --json"),
        (["demo", "echo", "--serve", "-w", "x.pcapng"], 2, "either --serve or -w"),
        (["demo", "--serve", "192.0.2.1:0"], 1, "cannot serve at 192.0.2.1:0"),
        (["read", "/nonexistent", "--serve"], 2, "No such file"),
        (["read", "-", "--serve"], 2, "can be read once"),
    ],
)
def test_wrong_requests_are_one_line(words: list[str], code: int, says: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tcpviz.cli", *words], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == code
    assert says in done.stderr
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""


def test_a_port_that_is_taken_is_told_and_the_usual_one_gives_way() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = subprocess.run(
            [sys.executable, "-m", "tcpviz.cli", "demo", "--serve", str(port)],
            cwd=ROOT, capture_output=True, text=True,
        )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr == f"tcpviz: cannot serve at 127.0.0.1:{port}: address already in use\n"
    with serving("demo", "--serve") as one, serving("demo", "--serve") as other:
        assert one.port != other.port
        assert (one.stop(), other.stop()) == (0, 0)


def test_without_the_package_one_line_says_what_to_install() -> None:
    hide = "import sys; sys.modules['textual_serve.server'] = None; from tcpviz.cli import main; "
    done = subprocess.run(
        [sys.executable, "-c", hide + "sys.exit(main())", "demo", "--serve"],
        cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "tcpviz: --serve needs one more package: pip install 'tcpviz[serve]'\n"

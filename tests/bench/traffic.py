"""Real traffic for the benchmark: nginx and wrk, or iperf3, between network namespaces of its own.

What both ends' kernels really sent, captured by tcpdump between them; on a link that loses, or to
readers that are too slow, too. Needs root, ip, tcpdump and the programs; says what is missing.
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tests.bench.live import HERE, ROOT, SPACE, THERE, wire

ELSEWHERE = f"{SPACE}b"
"""The client's namespace, where packets are dropped: nobody else's filters are touched."""

BRIDGE = f"{HERE[:-1]}c"
_PORTS = "20000 22499"
"""The client's, few, so that they are used again within seconds as others are within minutes."""

_NGINX = """
daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log; worker_processes 1;
events {{ worker_connections 4096; }}
http {{ access_log off; keepalive_requests {keep}; client_body_temp_path {folder}/a;
proxy_temp_path {folder}/b; fastcgi_temp_path {folder}/c; uwsgi_temp_path {folder}/d;
scgi_temp_path {folder}/e;
server {{ listen 10.77.0.2:8077 so_keepalive=1s:1s:5; root {folder}/www; }} }}
"""

_ANY = """
request = function()
  return wrk.format("GET", "/" .. (({"s", "s", "s", "m"})[math.random(4)])
    .. math.random(0, 7) .. ".html")
end
"""
"""What wrk asks for: three small files for each of the larger ones."""

QUIET = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}


def missing(*programs: str) -> str:
    """What is not there, in a few words; empty if nothing."""
    if os.geteuid() != 0:
        return "needs root"
    gone = [name for name in ("ip", "tcpdump", *programs) if shutil.which(name) is None]
    return f"{', '.join(gone)} not installed" if gone else ""


def _addresses() -> None:
    for words in (
        ["ip", "addr", "add", "10.77.0.1/24", "dev", HERE],
        ["ip", "-n", SPACE, "addr", "add", "10.77.0.2/24", "dev", THERE],
        ["ip", "-n", SPACE, "link", "set", "lo", "up"],
    ):
        subprocess.run(words, check=True)


@contextlib.contextmanager
def _lossy(lost: float) -> Iterator[list[str]]:
    """The near end goes into a namespace, too, behind a bridge; each end loses ``lost`` of all.

    Yields the words that run a program there. Half of what the near end loses is dropped before it
    comes to the bridge, where it is captured; what the filter drops that a sender has itself would
    be told to it, and be no loss. Packets are no larger than on a wire.
    """
    inside = ["ip", "netns", "exec", ELSEWHERE]
    subprocess.run(["ip", "netns", "add", ELSEWHERE], check=True)
    try:
        for words in (
            ["ip", "link", "set", HERE, "netns", ELSEWHERE],
            ["ip", "-n", ELSEWHERE, "link", "add", BRIDGE, "type", "bridge"],
            ["ip", "-n", ELSEWHERE, "link", "set", HERE, "master", BRIDGE, "up"],
            ["ip", "-n", ELSEWHERE, "addr", "add", "10.77.0.1/24", "dev", BRIDGE],
            ["ip", "-n", ELSEWHERE, "link", "set", BRIDGE, "up", "gso_max_segs", "1"],
            [*inside, "sh", "-c", f"echo {_PORTS} > /proc/sys/net/ipv4/ip_local_port_range"],
            ["ip", "-n", SPACE, "addr", "add", "10.77.0.2/24", "dev", THERE],
            ["ip", "-n", SPACE, "link", "set", THERE, "gso_max_segs", "1"],
        ):
            subprocess.run(words, check=True)
        if lost:
            subprocess.run(["ip", "netns", "exec", SPACE, *_dropping(lost)], check=True)
            subprocess.run([*inside, *_dropping(lost / 2)], check=True)
            subprocess.run([*inside, *_dropping(lost / 2, HERE)], check=True)
        yield inside
    finally:
        subprocess.run(["ip", "netns", "del", ELSEWHERE], check=False, **QUIET)


def _dropping(lost: float, device: str = "") -> list[str]:
    """What drops a share of all that is for this host, or of all that comes to a device."""
    kind, where = ("netdev", f"ingress device {device}") if device else ("inet", "input")
    hook = f"{{ type filter hook {where} priority 0; }}"
    begin = f"add table {kind} bench; add chain {kind} bench coming {hook}"
    chance = f"numgen random mod 10000 < {round(10_000 * lost)} drop"
    return ["nft", f"{begin}; add rule {kind} bench coming {chance}"]


def _captured(
    path: Path, server: list[str], client: list[str], most: int, inside: list[str] | None = None
) -> int:
    """Run both while tcpdump writes ``path``; returns the number of packets, ``most`` at most.

    ``inside``: words before the client's, and tcpdump's.
    """
    before, seen = inside or [], BRIDGE if inside else HERE
    dump = ["tcpdump", "-i", seen, "-s", "96", "-B", "65536", "-Z", "root", "-w", str(path)]
    dump += ["-c", str(most), "tcp"]
    serve = ["ip", "netns", "exec", SPACE, *server]
    with (
        subprocess.Popen(serve, **QUIET) as serving,
        subprocess.Popen(
            [*before, *dump], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL
        ) as dumping,
    ):
        time.sleep(1.0)  # both say nothing that could be waited for in every version
        with subprocess.Popen([*before, *client], cwd=ROOT, **QUIET) as asking:
            while asking.poll() is None and dumping.poll() is None:
                time.sleep(0.05)
            asking.terminate()
        serving.terminate()
        time.sleep(0.5)
        dumping.terminate()
        assert dumping.stderr is not None
        said = dumping.stderr.read().decode()
    counts = [line.split()[0] for line in said.splitlines() if "packets captured" in line]
    return int(counts[0]) if counts else 0


@contextlib.contextmanager
def _site(keep: int = 1) -> Iterator[tuple[Path, list[str]]]:
    """A folder with small and larger files of a web site, and the words that serve it.

    ``keep``  requests that one connection may have
    """
    with tempfile.TemporaryDirectory() as name:
        folder, dice = Path(name), random.Random(1)
        folder.chmod(0o755)
        (folder / "www").mkdir()
        (folder / "www" / "index.html").write_bytes(b"<p>" + b"x" * 600)
        for number in range(8):
            for kind, least, most in (("s", 200, 9000), ("m", 20_000, 160_000)):
                made = folder / "www" / f"{kind}{number}.html"
                made.write_bytes(b"x" * dice.randrange(least, most))
        (folder / "nginx.conf").write_text(_NGINX.format(folder=folder, keep=keep))
        (folder / "any.lua").write_text(_ANY)
        yield folder, ["nginx", "-p", name, "-c", str(folder / "nginx.conf")]


def web(path: Path, most: int, seconds: int = 5, together: int = 200) -> int:
    """nginx, and wrk that opens a new connection for each request; the number of packets."""
    with wire(), _site() as (_, server):
        _addresses()
        wrk = ["wrk", "-t1", f"-c{together}", f"-d{seconds}s", "http://10.77.0.2:8077/"]
        return _captured(path, server, wrk, most)


def lossy(path: Path, most: int, seconds: int = 10) -> int:
    """The same with answers of 200 to 160 000 bytes, 2 % being lost in each direction."""
    with wire(), _lossy(0.02) as inside, _site() as (folder, server):
        wrk = ["wrk", "-t1", "-c100", f"-d{seconds}s", "-s", str(folder / "any.lua")]
        return _captured(path, server, [*wrk, "http://10.77.0.2:8077/"], most, inside)


def slow(path: Path, most: int, seconds: int = 10) -> int:
    """nginx, and readers that are too slow for it, nothing being lost; the number of packets."""
    with wire(), _lossy(0) as inside, _site() as (_, server):
        read = [sys.executable, "-m", "tests.bench.readers", "10.77.0.2", "8077", str(seconds)]
        return _captured(path, server, read, most, inside)


def bulk(path: Path, most: int, seconds: int = 3) -> int:
    """iperf3, one connection at full speed beside its control connection."""
    with wire():
        _addresses()
        server = ["iperf3", "-s", "-1", "-B", "10.77.0.2"]
        client = ["iperf3", "-c", "10.77.0.2", "-t", str(seconds)]
        return _captured(path, server, client, most)


SENT = {
    "nginx and wrk": (web, 4.0, ("nginx", "wrk")),
    "nginx and wrk, 2 % lost": (lossy, 0.25, ("nginx", "wrk", "nft")),
    "nginx and slow readers": (slow, 0.25, ("nginx",)),
    "iperf3": (bulk, 1.0, ("iperf3",)),
}
"""What there is: who makes it, how many packets beside other files' at most, and what that needs.

Where much has to be followed fewer packets tell as much.
"""

"""Real traffic for the benchmark: nginx and wrk, or iperf3, in a network namespace of their own.

What both ends' kernels really sent, captured by tcpdump between them. Needs root, ip, tcpdump and
the programs; says what is missing.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from tests.bench.live import HERE, SPACE, THERE, wire

_NGINX = """
daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log; worker_processes 1;
events {{ worker_connections 4096; }}
http {{ access_log off; keepalive_requests {keep}; client_body_temp_path {folder}/a;
proxy_temp_path {folder}/b; fastcgi_temp_path {folder}/c; uwsgi_temp_path {folder}/d;
scgi_temp_path {folder}/e; server {{ listen 10.77.0.2:8077; root {folder}/www; }} }}
"""


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


def _captured(path: Path, server: list[str], client: list[str]) -> int:
    """Run both while tcpdump writes ``path``; returns the number of packets."""
    inside = ["ip", "netns", "exec", SPACE]
    dump = ["tcpdump", "-i", HERE, "-s", "96", "-B", "65536", "-Z", "root", "-w", str(path), "tcp"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with (
        subprocess.Popen([*inside, *server], **quiet) as serving,
        subprocess.Popen(dump, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL) as dumping,
    ):
        time.sleep(1.0)  # both say nothing that could be waited for in every version
        subprocess.run(client, check=False, **quiet)
        serving.terminate()
        time.sleep(0.5)
        dumping.terminate()
        assert dumping.stderr is not None
        said = dumping.stderr.read().decode()
    counts = [line.split()[0] for line in said.splitlines() if "packets captured" in line]
    return int(counts[0]) if counts else 0


def web(path: Path, seconds: int = 5, together: int = 200) -> int:
    """nginx, and wrk that opens a new connection for each request; the number of packets."""
    with wire(), tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "www").mkdir()
        (folder / "www" / "index.html").write_bytes(b"<p>" + b"x" * 600)
        (folder / "nginx.conf").write_text(_NGINX.format(folder=folder, keep=1))
        _addresses()
        server = ["nginx", "-p", name, "-c", str(folder / "nginx.conf")]
        wrk = ["wrk", "-t1", f"-c{together}", f"-d{seconds}s", "http://10.77.0.2:8077/"]
        return _captured(path, server, wrk)


def bulk(path: Path, seconds: int = 3) -> int:
    """iperf3, one connection at full speed beside its control connection."""
    with wire():
        _addresses()
        server = ["iperf3", "-s", "-1", "-B", "10.77.0.2"]
        return _captured(path, server, ["iperf3", "-c", "10.77.0.2", "-t", str(seconds)])

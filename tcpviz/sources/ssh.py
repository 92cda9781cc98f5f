"""Our own SSH connection: what the screen shows travels over it, and would be captured again."""

from __future__ import annotations

import contextlib
import ipaddress
import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tcpviz.core.segment import Endpoint, Segment

_FARTHEST = 64  # ancestors that are looked at


@dataclass(frozen=True, slots=True)
class SshSession:
    """The person's end and this machine's end of an SSH connection."""

    client: Endpoint
    server: Endpoint

    def __str__(self) -> str:
        return f"{self.client} -> {self.server}"

    @property
    def words(self) -> str:
        """A capture filter that passes exactly this connection."""
        one, other = self.client, self.server
        return " or ".join(
            f"(tcp and src host {a.addr} and src port {a.port} "
            f"and dst host {b.addr} and dst port {b.port})"
            for a, b in ((one, other), (other, one))
        )

    def has(self, segment: Segment) -> bool:
        return {segment.src, segment.dst} == {self.client, self.server}


def own_sessions(
    environ: Mapping[str, str] | None = None, proc: Path = Path("/proc"), pid: int | None = None
) -> list[SshSession]:
    """The SSH connections through which this program is seen; empty on a local terminal.

    From ``SSH_CONNECTION`` of this process, else of its ancestors (sudo clears
    it), and in tmux of the programs that are attached, as a session may have
    been begun over another connection than the one it is seen through now.
    """
    environments = [dict(os.environ if environ is None else environ)]
    environments += _ancestors(proc, os.getppid() if pid is None else pid)
    texts: list[str] = []
    for variables in environments:
        if variables.get("TMUX"):
            texts += _tmux_clients(variables["TMUX"], proc)
            break
    for variables in environments:
        if variables.get("SSH_CONNECTION"):
            texts.append(variables["SSH_CONNECTION"])
            break
    sessions: list[SshSession] = []
    for text in texts:
        session = parse_connection(text)
        if session and session not in sessions:
            sessions.append(session)
    return sessions


def parse_connection(text: str) -> SshSession | None:
    """``SSH_CONNECTION``: client address, client port, server address, server port."""
    fields = text.split()
    if len(fields) != 4:
        return None
    with contextlib.suppress(ValueError):
        client, server = (Endpoint(_plain(fields[at]), int(fields[at + 1])) for at in (0, 2))
        if 0 < client.port < 65536 and 0 < server.port < 65536:
            return SshSession(client, server)
    return None


def _plain(text: str) -> str:
    """An address as packets carry it: no zone, no IPv4 in IPv6's clothes."""
    address = ipaddress.ip_address(text.split("%")[0])
    mapped = getattr(address, "ipv4_mapped", None)
    return str(mapped or address)


def _ancestors(proc: Path, pid: int) -> list[dict[str, str]]:
    found = []
    for _ in range(_FARTHEST):
        if pid <= 1:
            break
        found.append(_environment(proc, pid))
        try:
            # The name in parentheses may hold anything; the fields follow its last one.
            after = (proc / str(pid) / "stat").read_bytes().rpartition(b")")[2].split()
            pid = int(after[1])
        except (OSError, ValueError, IndexError):
            break
    return found


def _environment(proc: Path, pid: int) -> dict[str, str]:
    """A process's variables as it was started with; empty where we may not look."""
    try:
        raw = (proc / str(pid) / "environ").read_bytes()
    except OSError:
        return {}
    pairs = (entry.partition(b"=") for entry in raw.split(b"\0"))
    return {os.fsdecode(name): os.fsdecode(value) for name, sign, value in pairs if sign}


def _tmux_clients(variable: str, proc: Path) -> list[str]:
    """``SSH_CONNECTION`` of the programs attached to this tmux server."""
    tmux = shutil.which("tmux")
    place = variable.split(",")[0]
    if not tmux or not place.startswith("/"):
        return []
    command = [tmux, "-S", place, "list-clients", "-F", "#{client_pid}"]
    try:
        done = subprocess.run(  # noqa: S603 - no shell
            command, capture_output=True, text=True, timeout=2, check=False
        )
    except (OSError, subprocess.SubprocessError):
        return []
    pids = [int(line) for line in done.stdout.split() if line.isdigit()]
    found = (_environment(proc, pid).get("SSH_CONNECTION", "") for pid in pids)
    return [text for text in found if text]

"""A capture on another host, through the person's own ssh: only tcpdump runs there.

``ssh://[user@]host[:port][/interface]``. The ssh is the one on the PATH (or the
words in ``TCPVIZ_SSH``), with the person's configuration, agent and jump hosts; it
asks for passwords on the terminal before the screen starts. The connection that
carries the capture is left out there, by ``SSH_CONNECTION``. The far tcpdump ends
when its standard input does, so it does not stay behind when the link is cut.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import select
import shlex
import shutil
import subprocess
import threading
from collections import deque
from dataclasses import dataclass

from tcpviz.sources.feed import SourceError
from tcpviz.sources.parser import clean

PREFIX = "ssh://"
VARIABLE = "TCPVIZ_SSH"
"""The ssh command, where it is to be another than ``ssh``."""

_PLACE = re.compile(
    r"ssh://(?:(?P<user>[\w.+-]+)@)?(?:\[(?P<six>[0-9A-Fa-f:.%\w]+)\]|(?P<host>[\w.-]+))"
    r"(?::(?P<port>\d{1,5}))?(?:/(?P<interface>[\w.:@-]+)?)?",
    re.ASCII,
)
_LINES = 20
_GRACE_S = 2.0
_FIRST = 65536
_LISTENING = ("tcpdump: listening", "tcpdump: data link", "tcpdump: verbose", "dropped privs")

# In POSIX sh, whatever the login shell is. The second process waits for the end of what comes
# through ssh, which is ssh's own end: then tcpdump is to end too.
_SCRIPT = """\
set -- $SSH_CONNECTION
own=
[ -z "$4" ] || own=" and not (tcp and host $1 and port $2 and host $3 and port $4)"
run=
[ "$(id -u)" = 0 ] || { sudo -n true 2>/dev/null && run="sudo -n"; }
if command -v tcpdump >/dev/null 2>&1 || [ -x /usr/sbin/tcpdump ]; then
PATH=$PATH:/usr/sbin:/sbin
exec 3<&0
$run tcpdump -U -n -s SNAPLEN -i INTERFACE -w - "(FILTER)$own" </dev/null 3<&- &
elif command -v dumpcap >/dev/null 2>&1; then
exec 3<&0
$run dumpcap -q -P -s SNAPLEN -i INTERFACE -w - -f "(FILTER)$own" </dev/null 3<&- &
else
echo "neither tcpdump nor dumpcap is there; install one" >&2
exit 127
fi
child=$!
{ cat <&3 >/dev/null; kill $child; } 2>/dev/null >/dev/null &
watch=$!
exec 3<&-
wait $child
code=$?
kill $watch 2>/dev/null
exit $code
"""


@dataclass(frozen=True, slots=True)
class Place:
    """Where to capture: ``interface`` as the far host calls it, ``any`` for all."""

    host: str
    user: str = ""
    port: int | None = None
    interface: str = "any"

    def __str__(self) -> str:
        return f"{self.user}@{self.host}" if self.user else self.host


def place(text: str) -> Place:
    """Read ``ssh://[user@]host[:port][/interface]``. Raises SourceError."""
    found = _PLACE.fullmatch(text)
    host = (found["six"] or found["host"]) if found else ""
    if found is None or host.startswith("-") or (found["interface"] or "").startswith("-"):
        raise SourceError(f"{clean(text)}: write ssh://[user@]host[:port][/interface]", 2)
    port = int(found["port"]) if found["port"] else None
    if port is not None and not 0 < port < 65536:
        raise SourceError(f"{clean(text)}: no port {port}", 2)
    return Place(host, found["user"] or "", port, found["interface"] or "any")


def command(where: Place, words: str, snaplen: int, count: int | None = None) -> list[str]:
    """What is run here: ssh, and behind it what it runs there; ``count`` packets, or no end."""
    limit = f" -c {count}" if count else ""
    script = (
        _SCRIPT.replace("SNAPLEN", f"{snaplen or 262144}{limit}")
        .replace("INTERFACE", shlex.quote(where.interface))
        .replace("(FILTER)", _inside_quotes(f"({words or 'tcp or icmp or icmp6'})"))
    )
    ssh = shlex.split(os.environ.get(VARIABLE, "")) or ["ssh"]
    options = ["-T", "-o", "ServerAliveInterval=15", "-o", "ServerAliveCountMax=3"]
    options += ["-l", where.user] if where.user else []
    options += ["-p", str(where.port)] if where.port else []
    return [*ssh, *options, "--", where.host, f"exec sh -c {shlex.quote(script)}"]


def _inside_quotes(words: str) -> str:
    """``words`` as they may stand between double quotes in sh."""
    return re.sub(r'([\\"$`])', r"\\\1", words)


class RemoteFile(io.RawIOBase):
    """The far tcpdump's output as a file. Raises SourceError where nothing ever comes.

    Made once ssh has asked what it had to ask and the first bytes, :attr:`first`, are there.
    """

    def __init__(
        self, where: Place, words: str = "", snaplen: int = 128, count: int | None = None
    ) -> None:
        super().__init__()
        self.where = where
        self.first = b""
        self._said: deque[str] = deque(maxlen=_LINES)
        line = command(where, words, snaplen, count)
        if shutil.which(line[0]) is None:
            raise SourceError(f"no {line[0]} on this machine; install an OpenSSH client", 1)
        self._process = subprocess.Popen(  # noqa: S603 - a list, the person's own ssh
            line,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            start_new_session=False,  # it asks for passwords on this terminal
        )
        assert self._process.stdout is not None
        self._out = self._process.stdout
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()
        try:
            self._await_first()
        except BaseException:
            self.close()
            raise

    def _listen(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            text = clean(line.decode(errors="replace").strip())
            if text:
                self._said.append(text)

    def _await_first(self) -> None:
        """Until something is there to be read: by then nobody is asked for passwords any more."""
        while not select.select([self._out], [], [], 0.2)[0]:
            if self._process.poll() is not None:
                break
        if self._process.poll() is not None and not select.select([self._out], [], [], 0)[0]:
            raise self._failure()
        self.first = os.read(self._out.fileno(), _FIRST)
        if not self.first:  # readable, since it has ended
            raise self._failure()

    def _failure(self) -> SourceError:
        return SourceError(f"{PREFIX}{self.where}: {self.why_ended()}", 1)

    def why_ended(self) -> str:
        """What ssh or the far tcpdump said last."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_GRACE_S)
        self._listener.join(_GRACE_S)
        wrong = [text for text in self._said if not text.startswith(_LISTENING)]
        wrong = [text for text in wrong if not text.startswith("(")] or wrong  # an afterthought
        code = self._process.returncode
        return wrong[-1] if wrong else f"the connection ended (exit code {code})"

    # -- a file ---------------------------------------------------------------

    def readable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._out.fileno()

    def close(self) -> None:
        """End ssh, and with it what runs on the far host; more than once does no harm."""
        if not self.closed:
            process = self._process
            with contextlib.suppress(OSError):
                if process.stdin is not None:
                    process.stdin.close()  # the far end reads its end, and ends tcpdump
            if process.poll() is None:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(_GRACE_S)
            if process.poll() is None:
                process.terminate()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(_GRACE_S)
            if process.poll() is None:
                process.kill()
            self._listener.join(_GRACE_S)
            self._out.close()
            if process.stderr is not None:
                process.stderr.close()
        super().close()

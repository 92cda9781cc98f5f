"""Every kind of trouble, provoked for real, and the sentence that ``tcpviz capture`` says of it.

``python -m tests.lab.troubles_for_real [NAME ...]`` makes two network namespaces and a cable
between them, as root or as an ordinary user (who gets a user namespace), starts real servers in
the watched one (nginx, redis-server, PostgreSQL) and real clients in the other (curl, wrk,
redis-benchmark, psql), has things go wrong, runs ``tcpviz capture`` on a terminal, and prints what
its sheet of troubles says. What is not installed is skipped and said. Exit code 1: some trouble
was not told. Nothing outside of the namespaces is touched, and everything dies with them.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from tcpviz.sources import privileges
from tests.terminal.pseudo import Terminal, terminal

HERE, THERE, OTHER = "10.55.0.1", "10.55.0.2", "10.55.0.3"
NOWHERE = "10.99.0.7"
PATIENCE = 45.0  # seconds until a trouble is not told


def run(*words: str, check: bool = True, **more: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(words, check=check, capture_output=True, text=True, **more)  # type: ignore[call-overload,no-any-return]


class World:
    """The namespace that is watched is ours; ``there`` is the other one's holder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.started: list[subprocess.Popen[bytes]] = []
        self.open: list[socket.socket] = []
        self.holder = subprocess.Popen(
            ["unshare", "-n", "sleep", "infinity"],
            preexec_fn=lambda: privileges.die_with_parent(signal.SIGKILL),
        )
        until = time.monotonic() + 10
        mine = str(Path("/proc/self/ns/net").readlink())
        while str(Path(f"/proc/{self.holder.pid}/ns/net").readlink()) == mine:
            if time.monotonic() > until:
                raise SystemExit("no second namespace")
            time.sleep(0.01)
        run("ip", "link", "set", "lo", "up")
        run("ip", "link", "add", "one", "type", "veth", "peer", "name", "two")
        run("ip", "link", "set", "two", "netns", str(self.holder.pid))
        run("ip", "addr", "add", f"{HERE}/24", "dev", "one")
        run("ip", "link", "set", "one", "up", "gso_max_segs", "1")
        self.there("ip", "link", "set", "lo", "up")
        for address in (THERE, OTHER):
            self.there("ip", "addr", "add", f"{address}/24", "dev", "two")
        self.there("ip", "link", "set", "two", "up", "gso_max_segs", "1")
        run("ip", "route", "add", "10.99.0.0/24", "via", THERE)
        self.there("ip", "route", "add", "blackhole", "10.99.0.0/24")

    def words(self, *words: str) -> list[str]:
        """A command for the other namespace."""
        return ["nsenter", "-t", str(self.holder.pid), "-n", *words]

    def there(self, *words: str, check: bool = True) -> str:
        return run(*self.words(*words), check=check).stdout

    def start(self, *words: str, there: bool = False, **more: object) -> subprocess.Popen[bytes]:
        command = self.words(*words) if there else list(words)
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, **more}
        made = subprocess.Popen(  # type: ignore[call-overload]
            command,
            cwd=self.folder,
            preexec_fn=lambda: privileges.die_with_parent(signal.SIGKILL),
            **quiet,
        )
        self.started.append(made)
        return made  # type: ignore[no-any-return]

    def rules(self, *rules: str) -> None:
        """What the other host lets fall, on its way in."""
        text = "table inet t { set seen { type inet_service; flags dynamic; size 65535; }\n"
        text += "chain in { type filter hook input priority 0;\n" + "\n".join(rules) + "\n}\n}\n"
        self.there("nft", "flush", "ruleset")
        subprocess.run(self.words("nft", "-f", "-"), input=text.encode(), check=True)

    def forget(self) -> None:
        """Between two troubles."""
        self.there("nft", "flush", "ruleset", check=False)
        for each in self.open:
            each.close()
        for process in self.started:
            with contextlib.suppress(OSError):
                process.send_signal(signal.SIGCONT)
                process.terminate()
        for process in self.started:
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.open, self.started = [], []

    def close(self) -> None:
        self.forget()
        self.holder.kill()
        self.holder.wait()

    # -- servers ------------------------------------------------------------

    def nginx(self, listen: str = "80", more: str = "", top: str = "") -> int:
        """Starts nginx, returns its worker's process."""
        site = self.folder / "site"
        site.mkdir(exist_ok=True)
        (site / "large").write_bytes(b"x" * (16 << 20))
        (site / "small").write_bytes(b"hello\n")
        self.folder.joinpath("nginx.conf").write_text(
            f"user root; daemon off; worker_processes 1; pid {self.folder}/nginx.pid; {top}\n"
            f"error_log {self.folder}/error.log; events {{ worker_connections 4096; }}\n"
            f"http {{ access_log off; client_body_temp_path {self.folder}/b;\n"
            f"proxy_temp_path {self.folder}/p; fastcgi_temp_path {self.folder}/f;\n"
            f"uwsgi_temp_path {self.folder}/u; scgi_temp_path {self.folder}/s;\n"
            f"server {{ listen {HERE}:{listen}; root {site}; {more} }} }}\n"
        )
        master = self.start("nginx", "-c", str(self.folder / "nginx.conf"), "-p", str(self.folder))
        self.await_port(HERE, int(listen.split()[0]))
        children = Path(f"/proc/{master.pid}/task/{master.pid}/children").read_text().split()
        return int(children[0])

    def redis(self, *words: str) -> None:
        self.start("redis-server", "--bind", HERE, "--save", "", "--protected-mode", "no", *words)
        self.await_port(HERE, 6379)

    def postgres(self) -> None:
        programs = sorted(Path("/usr/lib/postgresql").glob("*/bin"))[-1]
        data = self.folder / "pg"
        # Root of a user namespace or not, PostgreSQL refuses root.
        become = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
        become = become if os.geteuid() == 0 and own_users() > 1 else []
        if os.geteuid() == 0 and not become:
            raise MissingError("PostgreSQL refuses to run as root of a user namespace")
        data.mkdir(mode=0o700)
        os.chown(data, 65534, 65534)
        environment = {**os.environ, "LC_ALL": "C"}
        run(*become, str(programs / "initdb"), "-D", str(data), "-A", "trust", "-U", "postgres",
            cwd=str(data), env=environment)  # fmt: skip
        with (data / "pg_hba.conf").open("a") as file:
            file.write("host all all 10.55.0.0/24 trust\n")
        self.start(
            *become, str(programs / "postgres"), "-D", str(data), "-h", HERE, "-k", str(data),
            "-c", "max_connections=20", "-c", "tcp_keepalives_idle=0",
        )  # fmt: skip
        self.await_port(HERE, 5432)

    @staticmethod
    def await_port(host: str, port: int) -> None:
        until = time.monotonic() + 20
        while time.monotonic() < until:
            with contextlib.suppress(OSError), socket.create_connection((host, port), 1):
                return
            time.sleep(0.05)
        raise MissingError(f"nobody listens at {host}:{port}")

    def client(self, host: str = HERE, port: int = 80, **more: object) -> socket.socket:
        """A client of ours in the other namespace: its sockets stay where they were made."""
        with self.elsewhere():
            made = socket.socket()
            source = more.get("source")
            if source is not None:
                made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                made.bind(source)  # type: ignore[arg-type]
        made.settimeout(5)
        made.connect((host, port))
        self.open.append(made)
        return made

    @contextlib.contextmanager
    def elsewhere(self) -> Iterator[None]:
        own = os.open("/proc/self/ns/net", os.O_RDONLY)
        other = os.open(f"/proc/{self.holder.pid}/ns/net", os.O_RDONLY)
        try:
            setns(other)
            yield
        finally:
            setns(own)
            os.close(own)
            os.close(other)


def setns(descriptor: int) -> None:
    import ctypes

    if ctypes.CDLL(None, use_errno=True).setns(descriptor, 0x40000000):
        raise OSError(ctypes.get_errno(), "setns")


def own_users() -> int:
    return max(int(each.split()[2]) for each in Path("/proc/self/uid_map").read_text().splitlines())


class MissingError(Exception):
    """Something that it takes is not here."""


def needs(*programs: str) -> None:
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    for program in programs:
        if not shutil.which(program, path=path):
            raise MissingError(f"{program} is not installed")


# -- the troubles: each yields once what is to be there before the capture is ----------------


def close_wait(w: World) -> Iterator[None]:
    """A program that never closes, when redis has closed (CLIENT KILL)."""
    needs("redis-server", "redis-cli")
    w.redis()
    for _ in range(3):
        lazy = socket.create_connection((HERE, 6379))
        lazy.sendall(b"PING\r\n")
        w.open.append(lazy)
    run("redis-cli", "-h", HERE, "CLIENT", "KILL", "TYPE", "normal")
    yield


def syn_sent(w: World) -> Iterator[None]:
    """curl to an address that a router swallows."""
    needs("curl")
    yield
    w.start("curl", "-s", "-m", "40", f"http://{NOWHERE}:443/")


def refused(w: World) -> Iterator[None]:
    """psql where no PostgreSQL is."""
    needs("psql")
    yield
    for _ in range(3):
        w.there("psql", "-h", HERE, "-p", "5433", "-U", "postgres", "-c", "select 1", check=False)


def accept_queue(w: World) -> Iterator[None]:
    """nginx whose worker stands still, with a backlog of 4."""
    needs("nginx", "curl")
    worker = w.nginx("80 backlog=4")
    os.kill(worker, signal.SIGSTOP)
    yield
    for _ in range(12):
        w.start("curl", "-s", "-m", "40", f"http://{HERE}/small", there=True)


def half_open(w: World) -> Iterator[None]:
    """A source that never sends the third segment: its SYN,ACKs are let fall."""
    needs("nginx", "nft")
    w.nginx()
    w.rules("tcp sport 80 tcp flags & (syn|ack) == (syn|ack) drop")
    yield
    with w.elsewhere():
        for _ in range(8):
            one = socket.socket()
            one.setblocking(False)
            one.connect_ex((HERE, 80))
            w.open.append(one)


def syn_flood(w: World) -> Iterator[None]:
    """SYNs of 600 addresses, raw; nobody answers the SYN,ACKs."""
    needs("nginx")
    w.nginx()
    run("ip", "route", "replace", "10.66.0.0/16", "via", THERE)
    w.there("ip", "route", "replace", "blackhole", "10.66.0.0/16")
    run(
        "sysctl",
        "-w",
        "net.ipv4.conf.all.rp_filter=0",
        "net.ipv4.conf.one.rp_filter=0",
        check=False,
    )
    yield
    with w.elsewhere():
        raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    for number in range(600):
        source = f"10.66.{number // 250}.{number % 250 + 1}"
        raw.sendto(syn_packet(source, HERE, 20000 + number, 80), (HERE, 0))
    raw.close()


def syn_packet(src: str, dst: str, sport: int, dport: int) -> bytes:
    a, b = socket.inet_aton(src), socket.inet_aton(dst)
    ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 40, 1, 0, 64, 6, 0, a, b)

    def header(check: int) -> bytes:
        return struct.pack("!HHIIBBHHH", sport, dport, sport, 0, 0x50, 2, 64240, check, 0)

    data = a + b + struct.pack("!BBH", 0, 6, 20) + header(0)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total & 0xFFFF) + (total >> 16)
    return ip + header(~((total & 0xFFFF) + (total >> 16)) & 0xFFFF)


def port_scan(w: World) -> Iterator[None]:
    """One source tries fifty ports."""
    yield
    with w.elsewhere():
        for port in range(1000, 1050):
            with socket.socket() as one:
                one.connect_ex((HERE, port))


def lossy(w: World) -> Iterator[None]:
    """curl from two addresses; one data segment in fifteen is let fall."""
    needs("nginx", "curl", "nft")
    w.nginx()
    w.rules("tcp sport 80 meta length > 500 numgen random mod 15 == 0 drop")
    yield
    for source in (THERE, OTHER):
        url = f"http://{HERE}/large"
        w.start("curl", "-s", "--interface", source, "-o", "/dev/null", url, there=True)


def reset(w: World) -> Iterator[None]:
    """nginx resets (SO_LINGER 0) what it will not answer: return 444."""
    needs("nginx", "curl")
    w.nginx(more="reset_timedout_connection on; location /refuse { return 444; }")
    yield
    for _ in range(3):
        w.there("curl", "-s", "-m", "5", f"http://{HERE}/refuse", check=False)


def backend_left(w: World) -> Iterator[None]:
    """psql is killed in the middle of a long query: PostgreSQL's backend does not notice."""
    needs("psql")
    w.postgres()
    clients = [
        w.start("psql", "-h", HERE, "-U", "postgres", "-c", "select pg_sleep(90)", there=True)
        for _ in range(2)
    ]
    time.sleep(2)
    for each in clients:
        each.kill()
        each.wait()
    yield


def zero_window(w: World) -> Iterator[None]:
    """curl stands still in the middle of a large answer."""
    needs("nginx", "curl")
    w.nginx()
    yield
    url = f"http://{HERE}/large"
    slow = w.start("curl", "-s", "--limit-rate", "2M", "-o", "/dev/null", url, there=True)
    time.sleep(1)
    slow.send_signal(signal.SIGSTOP)


def ports_running_out(w: World) -> Iterator[None]:
    """redis-benchmark without keep-alive, with a thousand ports to its name."""
    needs("redis-server", "redis-benchmark")
    w.redis()
    Path("/proc/sys/net/ipv4/ip_local_port_range").write_text("40000 40999")
    yield
    w.start("redis-benchmark", "-h", HERE, "-k", "0", "-n", "950", "-c", "5", "-t", "ping_inline")


def slow_handshakes(w: World) -> Iterator[None]:
    """Every ninth SYN,ACK is let fall: that handshake takes a second more."""
    needs("nginx", "wrk", "nft")
    w.nginx(more="keepalive_timeout 0;")
    w.rules("tcp sport 80 tcp flags & syn == syn numgen inc mod 9 == 0 drop")
    yield
    w.start("wrk", "-t", "1", "-c", "20", "-d", "12s", f"http://{HERE}/small", there=True)


def slow_peer(w: World) -> Iterator[None]:
    """One address of two always loses its first SYN,ACK."""
    needs("nginx", "curl", "nft")
    w.nginx()
    w.rules(
        f"ip daddr {OTHER} tcp flags & syn == syn tcp dport != @seen add @seen "
        "{ tcp dport } counter drop"
    )
    yield
    for _ in range(25):
        w.start("curl", "-s", "--interface", OTHER, f"http://{HERE}/small", there=True)
        w.start("curl", "-s", "--interface", THERE, f"http://{HERE}/small", there=True)


def ports_reused(w: World) -> Iterator[None]:
    """A client that always takes the same port, whose server closes first."""
    needs("redis-server")
    w.redis()
    yield
    for _ in range(4):
        one = w.client(port=6379, source=(THERE, 33333))
        one.sendall(b"QUIT\r\n")
        while one.recv(100):
            pass
        one.close()


def black_hole(w: World) -> Iterator[None]:
    """Whatever is longer than 1100 bytes is let fall, and nobody says so."""
    needs("nginx", "curl", "nft")
    w.nginx()
    Path("/proc/sys/net/ipv4/tcp_mtu_probing").write_text("0")
    w.rules("tcp sport 80 meta length > 1100 drop")
    yield
    urls = [f"http://{HERE}/{name}" for name in ("small", "large")]  # on one connection
    out = ("-o", "/dev/null", "-o", "/dev/null")
    w.start("curl", "-s", "-m", "60", *out, *urls, there=True)


Trouble = Callable[[World], Iterator[None]]

TROUBLES: tuple[tuple[Trouble, str], ...] = (
    (close_wait, r"never closes: 3 of"),
    (syn_sent, r"10\.99\.0\.7:443 does not answer SYNs"),
    (refused, r"10\.55\.0\.1:5433 refuses"),
    (accept_queue, r"10\.55\.0\.1:80 does not accept"),
    (half_open, r"handshakes with .* stay half open"),
    (syn_flood, r"SYN flood\?"),
    (port_scan, r"port scan\?"),
    (lossy, r"loss on interface one"),
    (lossy, r"loss on the way to"),
    (reset, r"10\.55\.0\.1:80 resets"),
    (backend_left, r"10\.55\.0\.1:5432 never closes"),
    (zero_window, r"too slow to read"),
    (ports_running_out, r"ports taken"),
    (slow_handshakes, r"handshakes with .* take"),
    (slow_peer, r"10\.55\.0\.3 is slow to open"),
    (ports_reused, r"ports used again at once"),
    (black_hole, r"MTU black hole"),
)


def told_of(trouble: Trouble, pattern: str, w: World) -> list[str]:
    """Provoke it under a running capture; what the sheet says of it. Raises LookupError."""
    acts = trouble(w)
    next(acts)
    words = ["-m", "tcpviz", "capture", "-i", "any", "--no-mouse", "tcp"]
    environment = {"PATH": os.environ["PATH"] + ":/usr/sbin", "HOME": str(w.folder)}
    with terminal(words, size=(150, 50), env=environment) as made:
        made.wait_for("Space pause")
        with contextlib.suppress(StopIteration):
            next(acts)
        return look_for(made, pattern)


def look_for(made: Terminal, pattern: str) -> list[str]:
    """The sentence on the sheet, with what is said of it when it is chosen."""
    until = time.monotonic() + PATIENCE
    asked = 0.0
    while time.monotonic() < until:
        made.pump(0.2)
        if " Troubles " not in made.text.splitlines()[0] and time.monotonic() > asked + 3:
            made.type("!")
            asked = time.monotonic()
        lines = made.text.splitlines()
        place = next((n for n, one in enumerate(lines) if re.search(pattern, one)), None)
        if place is None or " Troubles " not in lines[0]:
            continue
        if "▸" not in lines[place][:2]:
            made.type("j")
            made.pump(0.4)
            chosen = next((n for n, one in enumerate(lines) if one.startswith("▸")), 0)
            if chosen > place:
                made.type("k" * (chosen - place + 1))
            continue
        for _ in range(5):
            made.pump(0.2)  # the whole sheet, and not its first rows over what was there
        lines = made.text.splitlines()
        below = [each.strip() for each in lines[place + 1 : -1]]
        last = max((n for n, each in enumerate(below) if not each), default=-1)
        return [each for each in below[last + 1 :] if each]
    raise LookupError(made.text)


def main(names: list[str]) -> int:
    if "--inside" not in names:
        flags = "-n" if os.geteuid() == 0 else "-Urn"
        command = ["unshare", flags, sys.executable, "-m", "tests.lab.troubles_for_real"]
        return subprocess.run([*command, "--inside", *names], check=False).returncode
    names.remove("--inside")
    os.environ["PATH"] += ":/usr/sbin:/sbin"
    missed = 0
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        for trouble, pattern in TROUBLES:
            if names and trouble.__name__ not in names:
                continue
            with tempfile.TemporaryDirectory(dir=folder) as own:
                Path(own).chmod(0o777)
                missed += tell(trouble, pattern, Path(own))
    return 1 if missed else 0


def tell(trouble: Trouble, pattern: str, folder: Path) -> int:
    """One trouble, printed; 1 if it was not told."""
    print(f"\n{trouble.__name__}: {(trouble.__doc__ or '').strip()}", flush=True)
    world = World(folder)
    try:
        for line in told_of(trouble, pattern, world):
            print(f"    {line}", flush=True)
    except MissingError as error:
        print(f"    (not here: {error})", flush=True)
    except LookupError as error:
        print(f"    NOT TOLD. The screen:\n{error.args[0]}", flush=True)
        return 1
    finally:
        world.close()
        for name in ("one",):
            run("ip", "link", "del", name, check=False)
        Path("/proc/sys/net/ipv4/ip_local_port_range").write_text("32768 60999")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

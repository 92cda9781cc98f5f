"""Random scenarios of the second kind: more calls, settings, accidents and connections.

Besides what ``randomly`` writes: small buffers and zero windows, many small writes, keep-alives
and user timeouts, Fast Open, narrow links, both halves closed one by one, several connections
side by side, and the same addresses and ports used again and again with segments of former
times among them.
"""

from __future__ import annotations

from tests.lab.randomly import HOSTS, SIZES, Author

FIRST = 100_000
"""Seeds from here on are of this kind; below they are of the first."""

_SYSCTLS = (
    ("tcp_sack", (0,), 0.1),
    ("tcp_timestamps", (0,), 0.25),
    ("tcp_window_scaling", (0,), 0.1),
    ("tcp_fin_timeout", (1, 2), 0.2),
    ("tcp_syncookies", (2, 0), 0.06),
    ("tcp_rfc1337", (1,), 0.06),
    ("tcp_abort_on_overflow", (1,), 0.08),
    ("tcp_retries2", (1, 3), 0.12),
    ("tcp_orphan_retries", (1,), 0.15),
    ("tcp_syn_retries", (1,), 0.1),
    ("tcp_synack_retries", (1,), 0.1),
    ("tcp_ecn", (1,), 0.1),
    ("tcp_tw_reuse", (1,), 0.1),
    ("tcp_max_syn_backlog", (1,), 0.03),
    ("tcp_fastopen", (0x603,), 0.3),
)
_OPTIONS = (
    ("SO_RCVBUF", (2048, 4096, 16_384)),
    ("SO_SNDBUF", (4096, 16_384)),
    ("TCP_NODELAY", (1,)),
    ("TCP_CORK", (1, 0)),
    ("TCP_QUICKACK", (0, 1)),
    ("TCP_USER_TIMEOUT", (300, 1000)),
    ("TCP_LINGER2", (-1, 1)),
    ("TCP_SYNCNT", (1,)),
    ("TCP_WINDOW_CLAMP", (1000, 5000)),
    ("TCP_MAXSEG", (100, 536)),
    ("SO_LINGER", (0, 1)),
)


class WideAuthor(Author):
    """Writes one script of the second kind."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self._fast = False

    def write(self) -> None:
        self._settings()
        self._open()
        if self.chance(0.12):
            self._storm()
        self._talk()
        if self.chance(0.15):
            self._beside()
        self._end()
        for _ in range(self.dice.choice((0, 0, 0, 1, 1, 2, 3))):
            self._again()

    # -- before -------------------------------------------------------------

    def _settings(self) -> None:
        dice = self.dice
        if self.chance(0.9):
            self.say('lab.timers("linux")')
        self.say(f"cable.set_delay({dice.choice((1, 5, 20, 40))})")
        if self.chance(0.2):
            self.say(f'cable.set_delay({dice.choice((1, 30, 90))}, "{dice.choice(HOSTS)}")')
        for name, values, of in _SYSCTLS:
            if not self.chance(of):
                continue
            host, value = dice.choice(HOSTS), dice.choice(values)
            if name == "tcp_fastopen":
                self._fast = True
                for each in HOSTS:
                    self.say(f'{each}.sysctl("net.ipv4.{name}", {value})')
                continue
            self.say(f'{host}.sysctl("net.ipv4.{name}", {value})')
        if self.chance(0.05):
            self.say(f"{dice.choice(HOSTS)}.mtu({dice.choice((1280, 1400))})")

    def _storm(self) -> None:
        """Loss, copies, delays and exchanges among the first segments of both."""
        dice = self.dice
        for host in HOSTS:
            for nth in range(1, 30, dice.choice((3, 5, 8))):
                what = dice.choice(("drop", "drop", "duplicate", "reorder", "delay"))
                more = {
                    "duplicate": f", after={dice.choice((0, 0.02, 0.3))}",
                    "delay": f", seconds={dice.choice((0.02, 0.1, 0.4))}",
                }.get(what, "")
                self.say(f'cable.{what}("{host}", "any"{more}, nth={nth + dice.randrange(3)})')

    # -- the opening --------------------------------------------------------

    def _option(self, host: str, of: float = 0.35) -> None:
        while self.chance(of):
            name, values = self.dice.choice(_OPTIONS)
            self.say(f'do({host}, "setsockopt", "{name}", {self.dice.choice(values)})')

    def _open(self) -> None:
        dice = self.dice
        if self.chance(0.35):
            self._rule(dice.choice(("SYN", "SYN", "SYN,ACK", "SYN,ACK", "ACK", "ACK", "any")))
        if self.chance(0.15):
            self._cross()
            return
        self.say('do(server, "socket")')
        self.say('do(server, "setsockopt", "SO_REUSEADDR")')
        self._option("server")
        if self._fast and self.chance(0.8):
            self.say('do(server, "setsockopt", "TCP_FASTOPEN", 5)')
        if self.chance(0.08):
            self.say('do(server, "setsockopt", "TCP_DEFER_ACCEPT", 1)')
        self.say('do(server, "bind")')
        if self.chance(0.95):
            self.say(f'do(server, "listen", {dice.choice((128, 128, 1, 0))})')
        if self.chance(0.5):
            self.say('do(server, "accept")')
        self._connect()
        for _ in range(dice.choice((0, 0, 1, 2))):
            self._act("client")
        self.say('do(server, "accept")')

    def _connect(self) -> None:
        host = "client"
        self.say(f'do({host}, "socket")')
        self.say(f'do({host}, "setsockopt", "SO_REUSEADDR")')
        self._option(host)
        if self.chance(0.6):
            self.say(f'do({host}, "bind")')
        if self._fast and self.chance(0.7):
            self.say(f'do({host}, "setsockopt", "TCP_FASTOPEN_CONNECT", 1)')
        held = self.chance(0.12)
        if held:
            self.say("cable.hold()")
        self.say(f'do({host}, "connect")')
        if self._fast:
            self.say(f'do({host}, "send", bytes({self.dice.choice((1, 100, 3000))}))')
        if held:
            self._act(self.dice.choice(HOSTS), calm=True)
            self.say("cable.release()")

    # -- talking ------------------------------------------------------------

    def _act(self, host: str, *, calm: bool = False) -> None:
        dice = self.dice
        what = dice.random()
        if what < 0.1:
            self._many(host)
        elif what < 0.18:
            self._option(host, 0.6)
        elif what < 0.21:
            self._keep_alive(host)
        elif what < 0.26 and not calm:
            self._half_by_half()
        elif what < 0.29 and not calm:
            self._flood_of_data(host)
        elif what < 0.34 and not calm:
            self._of_former_times()
        elif what < 0.36 and not calm:
            self.say(f"cable.mtu({dice.choice((600, 1000, None))}, tells={self.chance(0.6)})")
        elif what < 0.375 and not calm:
            self.say(f"cable.syn_flood({dice.choice((3, 20))})")
        else:
            super()._act(host, calm=calm)

    def _many(self, host: str) -> None:
        """Small writes, one after the other."""
        count, size = self.dice.choice((3, 10, 25)), self.dice.choice((1, 10, 200))
        self.say(f"for _ in range({count}):")
        self.say(f'    do({host}, "send", bytes({size}))')

    def _keep_alive(self, host: str) -> None:
        self.say(f'do({host}, "setsockopt", "TCP_KEEPIDLE", 1)')
        self.say(f'do({host}, "setsockopt", "TCP_KEEPINTVL", 1)')
        self.say(f'do({host}, "setsockopt", "TCP_KEEPCNT", {self.dice.choice((1, 2))})')
        self.say(f'do({host}, "setsockopt", "SO_KEEPALIVE", 1)')
        if self.chance(0.4):
            self.say(f'cable.cut("{self.dice.choice(HOSTS)}")')
            self.say("lab.wait(2.5)")
            self.say("cable.mend()")

    def _half_by_half(self) -> None:
        first, second = self.dice.sample(HOSTS, 2)
        self.say(f'do({first}, "shutdown", "SHUT_WR")')
        for _ in range(self.dice.randrange(3)):
            self.say(f'do({second}, "send", bytes({self.dice.choice(SIZES)}))')
        self.say(f'do({second}, "shutdown", "SHUT_WR")')

    def _flood_of_data(self, host: str) -> None:
        """More than the other end's buffers take: zero windows, probes."""
        for _ in range(self.dice.choice((2, 4))):
            self.say(f'do({host}, "send", bytes({self.dice.choice((60_000, 400_000))}))')
        if self.chance(0.7):
            other = HOSTS[host == HOSTS[0]]
            for _ in range(self.dice.choice((1, 5, 12))):
                self.say(f'do({other}, "recv", {self.dice.choice((2000, 65_536, 1_000_000))})')

    def _of_former_times(self) -> None:
        """Copies of segments that left before."""
        for _ in range(self.dice.choice((1, 2, 4))):
            host = self.dice.choice(HOSTS)
            pattern = self.dice.choice(("any", "data", "ACK", "SYN", "SYN,ACK", "FIN", "RST"))
            self.say(f'if cable.seen("{host}", "{pattern}"):')
            nth = self.dice.choice((1, 1, -1))
            self.say(f'    cable.replay("{host}", "{pattern}", nth={nth})')

    def _beside(self) -> None:
        """Another connection between the same two, while the first one is there."""
        self.say('do(client, "socket")')
        self.say('do(client, "connect")')
        self.say('do(server, "accept")')
        for _ in range(self.dice.randrange(4)):
            self._act(self.dice.choice(HOSTS))

    # -- the end ------------------------------------------------------------

    def _again(self) -> None:
        """The same addresses and ports, whatever has become of the connection before."""
        dice = self.dice
        closing = dice.choice(("kill", "close", "abort"))
        if closing == "kill":
            self.say("client.kill()")
        elif closing == "abort":
            self.say('do(client, "setsockopt", "SO_LINGER", 0)')
            self.say('do(client, "close")')
        else:
            # Who closes first is in TIME-WAIT, and the other one's port is free again.
            self.say('do(server, "close")')
            self.say('do(client, "close")')
            self.say("lab.wait(0.1)")
        if self.chance(0.35):
            self.say("server.kill()")
            self.say('do(server, "socket")')
            self.say('do(server, "setsockopt", "SO_REUSEADDR")')
            self.say('do(server, "bind")')
            self.say('do(server, "listen")')
        if self.chance(0.4):
            self._rule(dice.choice(("SYN", "SYN,ACK", "ACK", "RST", "any")))
        if self.chance(0.3):
            self._of_former_times()
        self.say('do(client, "socket")')
        self.say('do(client, "setsockopt", "SO_REUSEADDR")')
        self.say('do(client, "bind")')
        self.say('do(client, "connect")')
        if self.chance(0.3):
            self._of_former_times()
        self.say('do(server, "accept")')
        for _ in range(dice.randrange(1, 4)):
            self._act(dice.choice(HOSTS))
        self._end()

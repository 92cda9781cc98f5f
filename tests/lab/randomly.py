"""Random scenarios for the cable: a script from a seed, its run, and what is told when it fails.

The same seed always gives the same script. What the kernels make of it may differ a
little from run to run: their first sequence numbers, and microseconds.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

from tcpviz.core.claims import StateChange
from tcpviz.core.records import KernelReading
from tcpviz.core.timeline import Step, StepKind
from tcpviz.lab.check import Run
from tcpviz.lab.scenarios import read

_HEAD = '''"""Made by chance from the seed {seed}."""

TITLE = "By chance: {seed}"
SHOWS = "Nothing in particular."
CLIENT = []
SERVER = []
NEEDS = "cable"
LIMIT = {limit}


def free(host, seconds={patience}):
    """Whether the program's last call has returned."""
    try:
        host.wait(seconds)
    except Exception as error:
        if getattr(error, "exit_code", 0) != 1:
            raise
        return False
    return True


def do(host, word, *arguments):
    """A call, if the program is free to make one and has a socket for it."""
    if not free(host):
        return print(word + "() left out: the former call has not returned")
    try:
        getattr(host, word)(*arguments)
    except Exception as error:
        if getattr(error, "exit_code", 0) != 2:
            raise
        print(word + "() left out:", error)


def run(lab):
    client, server, cable = lab.client, lab.server, lab.cable
'''

SIZES = (1, 100, 1000, 1448, 3000, 5000, 14_480, 30_000, 60_000)
HOSTS = ("client", "server")


class Author:
    """Writes one script; ``lines`` are those of its ``run``."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)
        self.lines: list[str] = []
        self._connections = 0

    def say(self, line: str) -> None:
        self.lines.append(line)

    def chance(self, of: float) -> bool:
        return self.dice.random() < of

    def write(self) -> None:
        """All of it."""
        self._settings()
        self._open()
        self._talk()
        self._end()
        if self.chance(0.2):
            self._once_more()

    # -- before -------------------------------------------------------------

    def _settings(self) -> None:
        dice = self.dice
        if self.chance(0.8):
            self.say('lab.timers("linux")')
        self.say(f"cable.set_delay({dice.choice((1, 5, 20, 60))})")
        if self.chance(0.2):
            self.say(f'cable.set_delay({dice.choice((1, 30, 90))}, "{dice.choice(HOSTS)}")')
        for name, value, of in (
            ("tcp_sack", 0, 0.1),
            ("tcp_timestamps", 0, 0.15),
            ("tcp_fin_timeout", 1, 0.15),
            ("tcp_syncookies", 2, 0.04),
            ("tcp_rfc1337", 1, 0.05),
        ):
            if self.chance(of):
                host = dice.choice(HOSTS)
                self.say(f'{host}.sysctl("net.ipv4.{name}", {value})')

    # -- the opening --------------------------------------------------------

    def _open(self) -> None:
        dice = self.dice
        if self.chance(0.35):
            self._rule(dice.choice(("SYN", "SYN", "SYN,ACK", "SYN,ACK", "ACK", "ACK", "any")))
        if self.chance(0.1):
            self._cross()
            return
        self.say("server.socket()")
        if self.chance(0.5):
            self.say('server.setsockopt("SO_REUSEADDR")')
        self.say("server.bind()")
        if self.chance(0.95):
            self.say(f"server.listen({dice.choice((128, 128, 1))})")
        accepts = dice.choice(("before", "before", "after", "late"))
        if accepts == "before":
            self.say('do(server, "accept")')
        self.say("client.socket()")
        if self.chance(0.5):
            self.say("client.bind()")
        if self.chance(0.1):
            self.say("cable.hold()")
            self.say("client.connect()")
            self._act(dice.choice(HOSTS), calm=True)
            self.say("cable.release()")
        else:
            self.say("client.connect()")
        if accepts == "late":
            for _ in range(dice.randrange(1, 3)):
                self._act("client")
        if accepts != "before":
            self.say('do(server, "accept")')

    def _cross(self) -> None:
        """Both connect; their SYNs cross if they are held, or if one is slow enough."""
        self.say("for host in (client, server):")
        self.say("    host.socket()")
        self.say("    host.bind()")
        held = self.chance(0.7)
        if held:
            self.say("cable.hold()")
        first, second = self.dice.sample(HOSTS, 2)
        self.say(f"{first}.connect()")
        self.say(f"{second}.connect()")
        if held:
            self.say("cable.release()")

    # -- talking and closing ------------------------------------------------

    def _talk(self) -> None:
        for _ in range(self.dice.randrange(2, 9)):
            if self.chance(0.45):
                self._rule()
            if self.chance(0.12):
                self.say("cable.hold()")
                for _ in range(self.dice.randrange(1, 4)):
                    self._act(self.dice.choice(HOSTS), calm=True)
                self.say("cable.release()")
            else:
                self._act(self.dice.choice(HOSTS))

    def _act(self, host: str, *, calm: bool = False) -> None:
        """Something that a program does; ``calm``: nothing that has to wait for the other end."""
        kinds = {
            "send": 10,
            "recv": 2 if calm else 9,
            "shutdown": 3,
            "close": 2,
            "abort": 1,
            "kill": 0.4,
            "wait": 0 if calm else 2,
            "replay": 0 if calm else 1,
            "cut": 0 if calm else 0.4,
            "reboot": 0 if calm else 0.3,
            "nodelay": 0.5,
            "linger": 0.2,
        }
        dice = self.dice
        what = dice.choices(list(kinds), list(kinds.values()))[0]
        if what == "send":
            self.say(f'do({host}, "send", bytes({dice.choice(SIZES)}))')
        elif what == "recv":
            self.say(f'do({host}, "recv", {dice.choice((1, 1000, 65536, 65536))})')
        elif what == "shutdown":
            how = dice.choice(("SHUT_WR", "SHUT_WR", "SHUT_WR", "SHUT_RDWR", "SHUT_RD"))
            self.say(f'do({host}, "shutdown", "{how}")')
        elif what == "abort":
            self.say(f'do({host}, "setsockopt", "SO_LINGER", 0)')
            self.say(f'do({host}, "close")')
        elif what == "wait":
            self.say(f"lab.wait({dice.choice((0.05, 0.2, 0.5))})")
        elif what == "replay":
            pattern = dice.choice(("any", "data", "ACK", "SYN", "SYN,ACK", "FIN"))
            self.say(f'if cable.seen("{host}", "{pattern}"):')
            self.say(f'    cable.replay("{host}", "{pattern}", nth={dice.choice((1, -1))})')
        elif what == "cut":
            self.say(f'cable.cut("{dice.choice((host, "both"))}")')
            self._act(dice.choice(HOSTS), calm=True)
            self.say("cable.mend()")
        elif what in ("kill", "reboot"):
            self.say(f"{host}.{what}()")
        elif what == "nodelay":
            self.say(f'do({host}, "setsockopt", "TCP_NODELAY")')
        elif what == "linger":
            self.say(f'do({host}, "setsockopt", "SO_LINGER", 1)')
        else:
            self.say(f'do({host}, "{what}")')

    def _rule(self, pattern: str = "") -> None:
        """Something that will happen to the nth segment that fits."""
        dice = self.dice
        if not pattern:
            pattern = dice.choices(("data", "ACK", "FIN", "any", "RST"), (8, 5, 4, 3, 1))[0]
        sender = dice.choice(("both",) if pattern == "any" else HOSTS)
        nth = dice.choice((1, 1, 2, 3, 5) if pattern in ("data", "ACK", "any") else (1, 1, 1, 2))
        what = dice.choices(
            ("drop", "duplicate", "reorder", "delay", "corrupt"), (6, 3, 3, 3, 0.7)
        )[0]
        more = ""
        if what == "drop":
            more = f", {dice.choice((1, 1, 1, 2))}"
        elif what == "duplicate" and self.chance(0.6):
            more = f", after={dice.choice((0.01, 0.1, 0.5, 1.2))}"
        elif what == "delay":
            more = f", seconds={dice.choice((0.03, 0.15, 0.4, 1.3))}"
            more += f", count={dice.choice((1, 1, 3))}"
        self.say(f'cable.{what}("{sender}", "{pattern}"{more}, nth={nth})')

    # -- the end ------------------------------------------------------------

    def _end(self) -> None:
        dice = self.dice
        hosts = list(HOSTS)
        dice.shuffle(hosts)
        if self.chance(0.5):
            self._rule(dice.choice(("FIN", "FIN", "ACK", "any")))
        crossing = self.chance(0.15)
        if crossing:
            self.say("cable.hold()")
        for host in hosts:
            if self.chance(0.5) and not crossing:
                self.say(f'do({host}, "recv")')
            if self.chance(0.85):
                self.say(f'do({host}, "close")')
        if crossing:
            self.say("cable.release()")
        self.say(f"lab.wait({dice.choice((0.1, 0.5, 1.5))})")

    def _once_more(self) -> None:
        """The same client from the same port, whatever has become of the first connection."""
        self.say("client.kill()")
        if self.chance(0.5):
            self.say("server.kill()")
            self.say("server.socket()")
            self.say('server.setsockopt("SO_REUSEADDR")')
            self.say("server.bind()")
            self.say("server.listen()")
        if self.chance(0.3):
            self._rule(self.dice.choice(("SYN", "SYN,ACK", "ACK", "RST", "any")))
        self.say("client.socket()")
        self.say('client.setsockopt("SO_REUSEADDR")')
        self.say("client.bind()")
        self.say('do(client, "connect")')
        self.say('do(server, "accept")')
        for _ in range(self.dice.randrange(1, 4)):
            self._act(self.dice.choice(HOSTS))
        self._end()


def script(seed: int) -> str:
    """The script that this seed gives: of the first kind, or of the second (see ``widely``)."""
    from tests.lab import widely

    wide = seed >= widely.FIRST
    author = widely.WideAuthor(seed) if wide else Author(seed)
    author.write()
    limits = {"limit": 300, "patience": 0.1} if wide else {"limit": 60, "patience": 0.3}
    return _HEAD.format(seed=seed, **limits) + "".join(f"    {line}\n" for line in author.lines)


class Watched(Run):
    """A run whose steps are kept, and whose script expects no path of states."""

    def __init__(self, seed: int, folder: Path) -> None:
        self.seed = seed
        self.source = script(seed)
        path = folder / f"random-{seed}.py"
        path.write_text(self.source)
        super().__init__(read(path), ipv6=seed % 5 == 4)
        self.steps: list[Step] = []
        self._wrong_at: list[int] = []

    def _take(self, step: Step) -> None:
        before = len(self.result.wrong)
        super()._take(step)
        self.steps.append(step)
        if len(self.result.wrong) > before:
            self._wrong_at.append(len(self.steps) - 1)

    def _unexpected(self) -> Iterator[str]:
        return iter(())

    def report(self, around: int = 14) -> str:
        """What was wrong, the script, and the steps before and after the first wrong one."""
        place = self._wrong_at[0] if self._wrong_at else len(self.steps) - 1
        start = max(0, place - around)
        shown = [
            f"{'>' if number == place else ' '} {line(step, self.steps[0].time_ns)}"
            for number, step in enumerate(self.steps[start : place + 6], start)
        ]
        said = "\n".join(self.result.wrong)
        return f"seed {self.seed}:\n{said}\n\n{self.source}\n" + "\n".join(shown)


def line(step: Step, began_ns: int) -> str:
    """A step in one line, for who has to find out what went wrong."""
    parts = [f"{(step.time_ns - began_ns) / 1e9:9.6f}", step.kind.value]
    if step.connection is not None:
        parts.append(f"#{step.connection}")
    if step.side is not None:
        parts.append(f"{step.side}")
    for show in (_segment, _call, _rest):
        parts += show(step)
    if step.kind is not StepKind.KERNEL:
        parts.append(f"[{step.client.state} {step.server.state}]")
    elif step.reading is not None:
        parts.append(f"[{_reading(step.reading)}]")
    parts += [f"({_change(one)})" for one in step.changes]
    return " ".join(parts)


def _segment(step: Step) -> list[str]:
    if step.segment is None:
        return []
    seq, ack = step.relative
    told = f"{step.segment.flags.names()} seq {seq} ack {ack} len {step.segment.payload_len}"
    return [told]


def _call(step: Step) -> list[str]:
    call = step.call
    return [] if call is None else [f"{call.name}({call.arguments}) = {call.result}"]


def _rest(step: Step) -> list[str]:
    told = [] if step.handled is None else [step.handled.act.value]
    return told if step.note is None else [*told, step.note.text]


def _reading(reading: KernelReading) -> str:
    return "; ".join(
        f"{one.side} {'listener ' if one.peer is None else ''}{one.state}"
        for one in reading.sockets
    )


def _change(change: StateChange) -> str:
    return f"{change.side}: {change.before.state} to {change.after.state}, {change.after.because}"

"""What a packet costs by the kind of its file: ``python -m tests.bench.kinds [SECONDS] [NAME...]``.

The same web visits (a fifth of a million packets, so that every limit on what is read one by one
is passed) in every envelope and file, each read by a process of its own: CPU and peak memory of
``tcpviz read F --text``, the start taken off. ``SECONDS``: how long one may take.
"""

from __future__ import annotations

import os
import random
import struct
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from ipaddress import IPv4Address
from pathlib import Path

from tcpviz.sources.files import open_capture
from tcpviz.wire.frame import Frame
from tests.bench.generate import visits
from tests.bulk import clocks, tunnels, variants
from tests.bulk.signals import OPTIONS, accurate, classic, signalled, with_option
from tests.wire import packets

VISITS = 24_000
Frames = list[Frame]


def _beside(frames: Frames, other: Callable[[int], bytes], share: int) -> Frames:
    """Of ten packets so many are others; the rest is what there was."""
    out: Frames = []
    for each in frames:
        out.append(each)
        while len(out) % 10 < share:
            data = other(len(out))
            out.append(replace(each, data=data, wire_len=len(data)))
    return [replace(each, number=at) for at, each in enumerate(out, 1)]


def _quic(at: int) -> bytes:
    inside = packets.udp(bytes(40), 443, 1024 + at % 50_000)
    return packets.ethernet(packets.ipv4(inside, protocol=17))


def _quic6(at: int) -> bytes:
    inside = packets.udp(bytes(40), 443, 1024 + at % 50_000)
    return packets.ethernet(packets.ipv6(inside, following=17), 0x86DD)


def _arp(at: int) -> bytes:
    return packets.ethernet(struct.pack("!HHBBHQQI", 1, 0x0800, 6, 4, 1, at, 1, 1)[:28], 0x0806)


def _ping(at: int) -> bytes:
    inside = struct.pack("!BBHHH", 8, 0, 0, 1, at & 0xFFFF) + bytes(48)
    return packets.ethernet(packets.ipv4(inside, protocol=1))


def _error(at: int) -> bytes:
    quoted = packets.ipv4(struct.pack("!HHI", 1024 + at % 60_000, 80, at), total=40)
    inside = struct.pack("!BBHI", 3, 1, 0, 0) + quoted
    total = ~packets.fold(inside) & 0xFFFF
    inside = inside[:2] + total.to_bytes(2, "big") + inside[4:]
    return packets.ethernet(packets.ipv4(inside, protocol=1))


def _late(at: int) -> bytes:
    """A fragment of UDP that is not the first."""
    return packets.ethernet(packets.ipv4(bytes(64), protocol=17, fragment=100, ident=at & 0xFFFF))


def _inside(change: Callable[[bytes], bytes]) -> Callable[[Frames], bytes]:
    def made(frames: Frames) -> bytes:
        out = []
        for each in variants.raw(frames):
            data = change(each.data)
            out.append(
                replace(each, data=data, wire_len=each.wire_len + len(data) - len(each.data))
            )
        return variants.pcap(out)

    return made


def _longer(frames: Frames) -> Frames:
    """As the loopback has them: 100 bytes up, 65 483 down in a frame of 65 549, over and over."""
    out = []
    for at in range(len(frames)):
        each, turn = frames[at], at % 40
        if not turn:
            up, down, port = 1, 1, 10_000 + at // 40
        syn, back, data = turn < 2, turn % 2 == 1, 0
        if turn > 2:
            data = 65_483 if back else 100
        flags = (0x02 if syn else 0) | (0x10 if turn else 0) | (0x08 if data else 0)
        seq, ack = (down, up) if back else (up, down)
        ends = (80, port) if back else (port, 80)
        stamps = b"\1\1\x08\x0a" + struct.pack("!II", at, max(at - 1, 0) if turn else 0)
        head = struct.pack("!HHIIBBHHH", *ends, seq, ack if turn else 0, 0x80, flags, 65_535, 0, 0)
        ip = struct.pack("!BBHHHBBH8s", 0x45, 0, 52 + data, at & 0xFFFF, 0x4000, 64, 6, 0,
                         b"\x7f\0\0\1" * 2)  # fmt: skip
        out.append(replace(each, data=packets.ethernet(ip + head + stamps), wire_len=66 + data))
        if back:
            down = down + data + syn & 0xFFFFFFFF
        else:
            up = up + data + syn & 0xFFFFFFFF
    return out


def _dropped(frames: Frames, every: int) -> bytes:
    out = [variants.pcapng(frames[:1])]
    for at, each in enumerate(frames[1:]):
        options = ((4, (7).to_bytes(8, "little")),) if at % every == every - 1 else ()
        out.append(variants.block(each, options=options))
    return b"".join(out)


def _often(frames: Frames, times: int, by_ns: int) -> bytes:
    """The clock is set at so many places."""
    step = len(frames) // (times + 1)
    places = range(step, step * times + 1, step)
    return variants.pcap(clocks.moved(frames, places, lambda: by_ns))


def _mixed(frames: Frames, share: float) -> bytes:
    """A card with several queues gives some out up to 50 us late."""
    return variants.pcap(clocks.stepped(frames, random.Random(1), share, 50_000))


def _joined(frames: Frames) -> bytes:
    """Two captures one behind the other, the later one first."""
    half = len(frames) // 2
    return variants.pcap(frames[half:] + frames[:half])


def _scan(frames: Frames) -> bytes:
    """Nothing but SYNs to as many hosts, two in three with an ICMP error as the answer."""
    out = []
    for at, each in enumerate(frames):
        ends = {"src": "10.0.0.1", "dst": str(IPv4Address(0x0B000000 + at))}
        if at % 5 > 2:
            quoted = out[-2].data[14:42]
            inside = struct.pack("!BBHI", 3, 1, 0, 0) + quoted
            total = ~packets.fold(inside) & 0xFFFF
            inside = inside[:2] + total.to_bytes(2, "big") + inside[4:]
            data = packets.ipv4(inside, protocol=1, src="10.9.9.9", dst="10.0.0.1")
        else:
            data = packets.ipv4(packets.tcp(flags=2, seq=at, **ends), **ends)  # type: ignore[arg-type]
        data = packets.ethernet(data)
        out.append(replace(each, data=data, wire_len=len(data)))
    return variants.pcap(out)


def _twice(frames: Frames) -> Frames:
    """As of a mirror port that sends what it gets and what it gives."""
    return [copy for each in frames for copy in (each, replace(each, time_ns=each.time_ns + 1000))]


def _cut(frames: Frames, snaplen: int, change: Callable[[bytes], bytes], vlan: bool) -> bytes:
    """Snapshots of other packets than those of plain IPv4."""
    out = []
    for each in variants.raw(frames):
        ip = change(each.data + bytes(each.wire_len - len(each.data)))
        kind = 0x86DD if ip[0] >> 4 == 6 else 0x0800
        data = packets.ethernet(packets.vlan(ip, 10, kind), 0x8100) if vlan else (
            packets.ethernet(ip, kind)
        )  # fmt: skip
        out.append(replace(each, link_type=1, data=data[:snaplen], wire_len=len(data)))
    return variants.pcap(out)


SNAPLENS = 54, 58, 60, 64, 68, 72, 74, 82, 86, 96, 128
MONTH = 30 * clocks.DAY


def kinds() -> Iterator[tuple[str, Callable[[Frames], bytes]]]:
    """By name, what makes a file of frames."""
    yield "plain", variants.pcap
    for snaplen in SNAPLENS:
        yield f"snapshots of {snaplen}", lambda f, n=snaplen: variants.pcap(variants.cut(f, n))
        if snaplen >= 72:
            for name, change in (("IPv4", bytes), ("IPv6", variants.ipv6)):
                yield (
                    f"snapshots of {snaplen}, {name} in a VLAN",
                    lambda f, n=snaplen, c=change: _cut(f, n, c, vlan=True),
                )
            yield (
                f"snapshots of {snaplen}, IPv6",
                lambda f, n=snaplen: _cut(f, n, variants.ipv6, vlan=False),
            )
    yield "two in three UDP", lambda f: variants.pcap(_beside(f, _quic, 7))
    yield "two in three UDP over IPv6", lambda f: variants.pcap(_beside(f, _quic6, 7))
    yield "two in three ARP", lambda f: variants.pcap(_beside(f, _arp, 7))
    yield "two in three ICMP", lambda f: variants.pcap(_beside(f, _ping, 7))
    yield "two in three fragments of UDP", lambda f: variants.pcap(_beside(f, _late, 7))
    yield "one in five an ICMP error", lambda f: variants.pcap(_beside(f, _error, 2))
    yield "TCP in fragments", lambda f: variants.pcap(variants.fragmented(f))
    yield "frames above 64 KiB", lambda f: variants.pcap(_longer(f))
    yield "drop counters, ten", lambda f: _dropped(f, len(f) // 10)
    yield "drop counters, a thousand", lambda f: _dropped(f, len(f) // 1000)
    yield "a scan, and ICMP errors", _scan
    for name, made in (("congestion signals", classic), ("accurate ECN", accurate)):
        yield name, lambda f, s=made: variants.pcap(signalled(f, s, 1))
    for name in OPTIONS:
        yield f"option: {name}", lambda f, n=name: variants.pcap(with_option(f, n))
    yield "every packet twice", lambda f: variants.pcap(_twice(f))
    yield "one direction", lambda f: variants.pcap([e for e in f if e.data[34:36] < e.data[36:38]])
    yield "no SYNs", lambda f: variants.pcap([each for each in f if not each.data[47] & 2])
    yield "clock leaps, one", lambda f: _often(f, 1, MONTH)
    yield "clock leaps, a hundred", lambda f: _often(f, 100, MONTH)
    yield "clock set back, ten times", lambda f: _often(f, 10, -3 * clocks.SECOND)
    yield "two captures, the later first", _joined
    for share in (0.001, 0.01, 0.1):
        yield f"{share:.1%} seen out of order", lambda f, n=share: _mixed(f, n)
    yield "pcapng, 300 interfaces", lambda f: variants.pcapng(f, interfaces=300)
    for name, file in variants.FILES.items():
        yield name, file
    atomic = bytes([6, 0, 0, 0, 0, 0, 0, 9])
    for name, change in {
        **variants.INSIDES,
        "IPv6, atomic fragments": lambda ip: variants.ipv6(ip, atomic, 44),
        "IPv6, routing": lambda ip: variants.ipv6(ip, bytes([6, 0, 2, 0, 0, 0, 0, 0]), 43),
    }.items():
        yield name, _inside(change)
    for name, (link, wrap) in {
        **variants.ENVELOPES, **tunnels.TUNNELS, **tunnels.WIRELESS
    }.items():  # fmt: skip
        yield name, lambda f, n=link, w=wrap: variants.pcap(variants.enveloped(f, n, w))


def _measured(path: Path, seconds: int) -> tuple[float, int]:
    """(CPU seconds, peak MB) of a process that reads it."""
    command = f"ulimit -t {seconds}; exec {sys.executable} -m tcpviz read {path} --text"
    with subprocess.Popen(
        ["sh", "-c", command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as made:
        _, _, used = os.wait4(made.pid, 0)
        made.returncode = 0
    return used.ru_utime + used.ru_stime, used.ru_maxrss >> 10


def _written(base: Path, path: Path, file: Callable[[Frames], bytes]) -> int:
    """Write it, in a process of its own, whose memory would count for the next; how many frames."""
    child = os.fork()
    if not child:
        with open_capture(str(base)) as capture:
            path.write_bytes(file(list(capture)))
        with open_capture(str(path)) as capture:
            path.with_suffix(".count").write_text(str(sum(1 for _ in capture)))
        os._exit(0)
    os.waitpid(child, 0)
    return int(path.with_suffix(".count").read_text())


def main(arguments: list[str]) -> None:
    """Print a row for each kind, or for those that are named."""
    seconds = int(arguments[0]) if arguments else 100
    wanted = arguments[1:]
    with tempfile.TemporaryDirectory() as folder:
        base, path = Path(folder) / "visits.pcap", Path(folder) / "capture"
        visits(base, 10)
        start = min(_measured(base, seconds)[0] for _ in range(3))
        visits(base, VISITS)
        for name, file in kinds():
            if wanted and name not in wanted:
                continue
            count = _written(base, path, file)
            used, peak = _measured(path, seconds)
            told = f"{(used - start) / count * 1e6:.2f}" if used < seconds - 1 else "unfinished"
            print(f"| {name} | {count} | {told} us | {peak} MB |", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])

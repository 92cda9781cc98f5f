"""Captures of simulated hosts that lose, double, reorder and forge, many at a time.

Two ends that follow RFC 9293 (``tests/core/twoends.py``) give the segments; here they become
packets of IPv4 and IPv6 on several interfaces, on ports of which some are used again, of which
the capture may have seen one direction or a part, with ICMP errors among them.
"""

from __future__ import annotations

import random
import struct
from ipaddress import ip_address

from tcpviz.core.segment import Segment
from tcpviz.wire.frame import Frame
from tests.bulk import variants
from tests.core.twoends import CLIENT, lives, scene
from tests.wire import packets

_CONTENT = bytes(at * 7 % 251 for at in range(251 * 300))
MS = 1_000_000
BEGIN = 1_700_000_000_000_000_000


def packet(segment: Segment, ends: tuple[str, str], port: int, ident: int) -> bytes:
    """An Ethernet frame of a segment, between other hosts."""
    mine = segment.src == CLIENT
    src, dst = ends if mine else ends[::-1]
    sport, dport = (port, 80) if mine else (80, port)
    stamps = segment.options.timestamps
    options = b"\x01\x01\x08\x0a" + struct.pack("!II", *stamps) if stamps else b""
    if segment.syn:
        options += b"\x02\x04\x05\xb4"
    at = segment.seq % 251
    made = packets.tcp(
        _CONTENT[at : at + segment.payload_len], src=src, dst=dst, sport=sport, dport=dport,
        seq=segment.seq, ack=segment.ack, flags=int(segment.flags), window=segment.window,
        options=options, checksum=1 if segment.checksum_ok is False else None,
    )  # fmt: skip
    if ":" in src:
        return packets.ethernet(packets.ipv6(made, src=src, dst=dst), 0x86DD)
    return packets.ethernet(packets.ipv4(made, src=src, dst=dst, ident=ident))


def error(frame: bytes, dice: random.Random) -> bytes:
    """A router's word about a packet: unreachable, too big, no more hops."""
    ip = frame[14:]
    if ip[0] >> 4 == 6:
        kind, code, rest = dice.choice(((1, 0, 0), (1, 4, 0), (2, 0, 1280), (3, 0, 0)))
        body = struct.pack("!BBHI", kind, code, 0, rest) + ip[:60]
        router, to = "2001:db8::ffff", str(ip_address(ip[8:24]))
        total = packets.fold(
            ip_address(router).packed + ip[8:24] + struct.pack("!II", len(body), 58) + body
        )
        body = body[:2] + struct.pack("!H", ~total & 0xFFFF) + body[4:]
        return packets.ethernet(packets.ipv6(body, following=58, src=router, dst=to), 0x86DD)
    kind, code, rest = dice.choice(((3, 1, 0), (3, 3, 0), (3, 4, 1400), (11, 0, 0), (3, 13, 0)))
    body = struct.pack("!BBHI", kind, code, 0, rest) + ip[:28]
    body = body[:2] + struct.pack("!H", ~packets.fold(body) & 0xFFFF) + body[4:]
    to = str(ip_address(ip[12:16]))
    return packets.ethernet(packets.ipv4(body, protocol=1, src="10.9.9.9", dst=to, fragment=0))


def capture(seed: int, most: int = 8) -> list[Frame]:
    """What somebody captured of some connections."""
    dice = random.Random(seed)
    made: list[tuple[int, int, bytes]] = []
    odd = dice.choice((0.0, 0.0, 0.02, 0.1))
    idents = 1
    for number in range(dice.randint(1, most)):
        six = dice.random() < 0.3
        host, port = dice.randint(1, 3), 2000 + dice.randrange(4) * dice.randint(0, 1) + number // 2
        ends = (
            (f"2001:db8::{host}", "2001:db8::80") if six else (f"10.0.0.{host}", "10.0.0.80")
        )  # fmt: skip
        which = dice.randrange(1 << 20)
        stamps = dice.random() < 0.5
        if dice.random() < 0.25:
            captured = lives(which, dice.randint(2, 3), stamps=stamps, late=odd)
        else:
            world = scene(
                which, lost_before=odd, lost_after=dice.choice((0.0, odd)), stamps=stamps,
                jitter=dice.choice((0.0, 0.0, 8.0)), copies=odd / 4, late=odd / 4, forged=odd / 8,
            )  # fmt: skip
            world.run(60_000)
            captured = world.capture
        segments = [one.segment for one in captured]
        part = dice.random()
        if part < 0.08:
            segments = [one for one in segments if (one.src == CLIENT) == (part < 0.04)]
        elif part < 0.16 and segments:
            middle = dice.randrange(len(segments))
            segments = segments[middle:] if part < 0.12 else segments[:middle]
        start = dice.choice((0, 0, 50, 3000, 61_000, 130_000)) * MS
        interface = dice.randrange(3)
        for one in segments:
            idents = (idents + dice.choice((1, 1, 1, 3, 900))) & 0xFFFF
            data = packet(one, ends, port, idents * (dice.random() > 0.01))
            made.append((BEGIN + start + one.time_ns, interface, data))
            if dice.random() < odd / 6:
                made.append((BEGIN + start + one.time_ns + MS, interface, error(data, dice)))
    made.sort(key=lambda each: each[0])
    return [
        Frame(time, 1, data, len(data), at, interface)
        for at, (time, interface, data) in enumerate(made, 1)
    ]


def written(seed: int, most: int = 8) -> bytes:
    """It as a file of some kind, in some envelope, whole or cut."""
    dice = random.Random(seed + 1)
    frames = capture(seed, most)
    snaplen = dice.choice((0, 0, 60, 80, 128))
    if dice.random() < 0.4 and not any(each.data[23] == 1 for each in frames):
        link, wrap = variants.ENVELOPES[dice.choice(sorted(variants.ENVELOPES))]
        frames = variants.enveloped(frames, link, wrap)
    if snaplen:
        frames = variants.cut(frames, snaplen)
    if not frames:
        return variants.pcap(frames)
    return variants.FILES[dice.choice(sorted(variants.FILES))](frames)

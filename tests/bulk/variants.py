"""The same packets in other files: every format, byte order, envelope and cut that ``wire/`` reads.

A capture goes in as frames; out comes a file of each kind, written by hand from the formats' own
documents. What an envelope cannot carry is left as it is.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import shutil
import struct
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from ipaddress import ip_address

from tcpviz.wire.frame import Frame
from tests.sources.capture_bytes import Ng, pcap_header, pcap_record
from tests.wire import envelopes, packets

Frames = Sequence[Frame]
SECOND = 1_000_000_000

# -- files -------------------------------------------------------------------


def pcap(frames: Frames, order: str = "<", magic: int = 0xA1B23C4D) -> bytes:
    """pcap in a byte order: nanoseconds, microseconds, or Kuznetzov's longer records."""
    tick = 1 if magic == 0xA1B23C4D else 1000
    extra = bytes(8) if magic == 0xA1B2CD34 else b""
    out = [pcap_header(order, magic, frames[0].link_type if frames else 1)]
    for each in frames:
        seconds, rest = divmod(each.time_ns, SECOND)
        record = pcap_record(
            each.data, seconds & 0xFFFFFFFF, rest // tick, order, length=each.wire_len, extra=extra
        )
        out.append(record)
    return b"".join(out)


def pcapng(
    frames: Frames,
    order: str = "<",
    *,
    resolution: int = 9,
    interfaces: int = 1,
    sections: int = 1,
    options: tuple[tuple[int, bytes], ...] = (),
    old: bool = False,
) -> bytes:
    """pcapng: so many interfaces in turn, sections that each describe theirs anew.

    ``resolution`` as if_tsresol has it; ``options`` of every packet; ``old`` packet blocks.
    """
    ng = Ng(order)
    out = []
    step = max(-(-len(frames) // sections), 1)
    for begin in range(0, max(len(frames), 1), step):
        part = frames[begin : begin + step]
        out.append(ng.section())
        links = dict.fromkeys((each.link_type, n) for each in part for n in range(interfaces))
        places = {link: at for at, link in enumerate(links)}
        out += [ng.interface(link, 0, (9, bytes([resolution]))) for link, _ in links]
        for at, each in enumerate(part):
            if resolution & 0x80:
                ticks = (each.time_ns << (resolution & 0x7F)) // SECOND
            else:
                ticks = each.time_ns * 10**resolution // SECOND
            ticks &= (1 << 64) - 1  # moments before 1970
            where = places[each.link_type, at % interfaces]
            if old:
                out.append(ng.old_packet(each.data, ticks, where, length=each.wire_len))
            else:
                out.append(ng.packet(each.data, ticks, where, *options, length=each.wire_len))
    return b"".join(out)


def block(frame: Frame, *, options: tuple[tuple[int, bytes], ...] = ()) -> bytes:
    """One packet's block, in nanoseconds, on the first interface."""
    return Ng().packet(frame.data, frame.time_ns, 0, *options, length=frame.wire_len)


def _command(name: str, *arguments: str) -> Callable[[bytes], bytes] | None:
    if shutil.which(name) is None:
        return None

    def run(data: bytes) -> bytes:
        return subprocess.run(
            [name, *arguments], input=data, capture_output=True, check=True
        ).stdout

    return run


PACKED: dict[str, Callable[[bytes], bytes] | None] = {
    "gzip": gzip.compress,
    "xz": lzma.compress,
    "bzip2": bz2.compress,
    "zstd": _command("zstd", "-c"),
    "lz4": _command("lz4", "-c"),
}
"""Compressions; ``None`` where this machine has no program for one."""

FILES: dict[str, Callable[[Frames], bytes]] = {
    "nanoseconds": pcap,
    "nanoseconds, big-endian": lambda frames: pcap(frames, ">"),
    "microseconds": lambda frames: pcap(frames, magic=0xA1B2C3D4),
    "microseconds, big-endian": lambda frames: pcap(frames, ">", 0xA1B2C3D4),
    "Kuznetzov's": lambda frames: pcap(frames, "<", 0xA1B2CD34),
    "pcapng": pcapng,
    "pcapng, big-endian": lambda frames: pcapng(frames, ">"),
    "pcapng, microseconds": lambda frames: pcapng(frames, resolution=6),
    "pcapng, parts of 2^30": lambda frames: pcapng(frames, resolution=0x9E),
    "pcapng, three interfaces": lambda frames: pcapng(frames, interfaces=3),
    "pcapng, four sections": lambda frames: pcapng(frames, sections=4, interfaces=2),
    "pcapng, flags of each packet": lambda frames: pcapng(frames, options=((2, bytes(4)),)),
    "pcapng, a comment on each": lambda frames: pcapng(frames, options=((1, b"seen"),)),
    "pcapng, old packet blocks": lambda frames: pcapng(frames, old=True),
    "pcapng in both byte orders": lambda frames: (
        pcapng(frames[: len(frames) // 2]) + pcapng(frames[len(frames) // 2 :], ">")
    ),
}

# -- what is in them ---------------------------------------------------------


def raw(frames: Frames) -> Iterator[Frame]:
    """The IP packets of Ethernet and raw frames, and no others."""
    for each in frames:
        if each.link_type == 101:
            yield each
        elif each.link_type == 1 and each.data[12:14] in (b"\x08\x00", b"\x86\xdd"):
            # Ethernet's padding would be the packet's, but for its length.
            yield replace(
                each, link_type=101, data=each.data[14:], wire_len=max(each.wire_len - 14, 0)
            )


def enveloped(frames: Frames, link: int, wrap: Callable[[bytes, int], bytes]) -> list[Frame]:
    """Each IP packet in an envelope: ``wrap(packet, version)``."""
    out = []
    for each in raw(frames):
        if not each.data:
            continue
        missing = max(each.wire_len - len(each.data), 0)
        missing = missing if missing < 1 << 16 else 0
        # An envelope tells how long what is in it was, not how much of it was captured.
        made = wrap(each.data + bytes(missing), each.data[0] >> 4)
        longer = len(made) - len(each.data) - missing
        data = made[: len(made) - missing]
        wire_len = max(each.wire_len + longer, len(data))
        out.append(replace(each, link_type=link, data=data, wire_len=wire_len))
    return out


def _type(version: int) -> int:
    return 0x86DD if version == 6 else 0x0800


def _outer(inside: bytes, protocol: int) -> bytes:
    head = packets.ipv4(b"", protocol=protocol, total=20 + len(inside), **envelopes.OUTER)  # type: ignore[arg-type]
    return packets.ethernet(head + inside)


_VXLAN = struct.pack("!II", 0x08000000, 7 << 8)

ENVELOPES: dict[str, tuple[int, Callable[[bytes, int], bytes]]] = {
    "Ethernet": (1, lambda ip, v: packets.ethernet(ip, _type(v))),
    "Ethernet with a checksum behind": (1, lambda ip, v: packets.ethernet(ip, _type(v)) + bytes(4)),
    "VLAN": (1, lambda ip, v: packets.ethernet(packets.vlan(ip, 10, _type(v)), 0x8100)),
    "VLAN with priority": (
        1, lambda ip, v: packets.ethernet(packets.vlan(ip, 0xA00A, _type(v)), 0x8100)
    ),
    "QinQ": (
        1,
        lambda ip, v: packets.ethernet(
            packets.vlan(packets.vlan(ip, 20, _type(v)), 10, 0x8100), 0x88A8
        ),
    ),
    "raw IP": (101, lambda ip, v: ip),
    "raw IP, 12": (12, lambda ip, v: ip),
    "null": (0, lambda ip, v: struct.pack("<I", 10 if v == 6 else 2) + ip),
    "null of macOS": (0, lambda ip, v: struct.pack("<I", 30 if v == 6 else 2) + ip),
    "null of Windows": (0, lambda ip, v: struct.pack("<I", 23 if v == 6 else 2) + ip),
    "loop": (108, lambda ip, v: struct.pack(">I", 24 if v == 6 else 2) + ip),
    "Linux cooked": (113, lambda ip, v: envelopes.cooked(ip, _type(v))),
    "Linux cooked v2": (276, lambda ip, v: envelopes.cooked2(ip, _type(v))),
    "Linux cooked, tagged": (
        113, lambda ip, v: envelopes.cooked(packets.vlan(ip, 30, _type(v)), 0x8100)
    ),
    "PPP": (9, lambda ip, v: (b"\x00\x57" if v == 6 else b"\x00\x21") + ip),
    "PPPoE": (
        1,
        lambda ip, v: packets.ethernet(
            envelopes.pppoe(ip, 7, b"\x00\x57" if v == 6 else b"\x00\x21"), 0x8864
        ),
    ),
    "PPP as in HDLC": (
        9,
        lambda ip, v: b"\xff\x03" + (b"\x57" if v == 6 else b"\x21") + ip,
    ),
    "PPPoE in QinQ": (
        1,
        lambda ip, v: packets.ethernet(
            packets.vlan(
                packets.vlan(envelopes.pppoe(ip, 0, b"\x57" if v == 6 else b"\x21"), 20, 0x8864),
                10,
                0x8100,
            ),
            0x88A8,
        ),
    ),
    "MPLS, one label": (1, lambda ip, v: packets.ethernet(envelopes.mpls(16) + ip, 0x8848)),
    "MPLS, five labels": (
        1,
        lambda ip, v: packets.ethernet(envelopes.mpls(1, 2, 3, 4, 5) + ip, 0x8847),
    ),
    "EtherType 0": (1, lambda ip, v: packets.ethernet(ip, 0)),
    "MPLS": (1, lambda ip, v: packets.ethernet(envelopes.mpls(100, 200) + ip, 0x8847)),
    "VXLAN": (
        1,
        lambda ip, v: _outer(
            packets.udp(_VXLAN + packets.ethernet(ip, _type(v)), 4789), 17
        ),
    ),
    "GRE": (1, lambda ip, v: _outer(struct.pack("!HH", 0, _type(v)) + ip, 47)),
    "IP in IP": (1, lambda ip, v: _outer(ip, 41 if v == 6 else 4)),
    "radio": (105, lambda ip, v: envelopes.wlan(packets.snap(ip, _type(v)))),
}  # fmt: skip


def _transport(packet: bytes) -> tuple[int, bytes, bytes] | None:
    """(bytes of payload as IP has them, TCP as far as it is there, IPv4's header)."""
    if len(packet) < 20 or packet[0] != 0x45 or packet[9] != 6:
        return None
    if int.from_bytes(packet[6:8], "big") & 0x3FFF:
        return None
    total = int.from_bytes(packet[2:4], "big")
    return total - 20, packet[20:total], packet[:20]


def _summed(tcp: bytes, old: bytes, new: bytes) -> bytes:
    """TCP with its checksum moved from one pair of addresses to another (RFC 1624)."""
    if len(tcp) < 18:
        return tcp
    told = int.from_bytes(tcp[16:18], "big")
    total = (~told & 0xFFFF) + packets.fold(new) + (~packets.fold(old) & 0xFFFF)
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return tcp[:16] + (~total & 0xFFFF).to_bytes(2, "big") + tcp[18:]


def ipv6(packet: bytes, extension: bytes = b"", kind: int = 0) -> bytes:
    """An IPv4 packet as IPv6, perhaps with an extension header in front of TCP."""
    found = _transport(packet)
    if found is None:
        return packet
    length, tcp, head = found
    src, dst = (ip_address("2001:db8::" + head[at : at + 4].hex(":", 2)) for at in (12, 16))
    addresses = src.packed + dst.packed
    inside = _summed(tcp, head[12:20], addresses)
    made = struct.pack("!IHBB", 6 << 28 | head[1] << 20, length + len(extension),
                       kind if extension else 6, head[8])  # fmt: skip
    return made + addresses + extension + inside


def with_options(packet: bytes, options: bytes = b"\x94\x04\x00\x00") -> bytes:
    """An IPv4 packet with IP options (router alert)."""
    found = _transport(packet)
    if found is None:
        return packet
    length, tcp, head = found
    size = 20 + len(options)
    made = bytes([0x40 | size // 4]) + head[1:2] + struct.pack("!H", size + length) + head[4:]
    return made + options + tcp


def fragments(packet: bytes, piece: int = 24) -> list[bytes]:
    """An IPv4 packet in fragments of so many bytes; whole if it is not longer."""
    found = _transport(packet)
    if found is None or len(found[1]) <= piece or len(found[1]) < found[0]:
        return [packet]
    _, tcp, head = found
    out = []
    for at in range(0, len(tcp), piece):
        part = tcp[at : at + piece]
        more = 0x2000 if at + piece < len(tcp) else 0
        out.append(
            head[:2] + struct.pack("!HHH", 20 + len(part), int.from_bytes(head[4:6], "big") or 1,
                                   more | at // 8) + head[8:] + part
        )  # fmt: skip
    return out


def fragmented(frames: Frames) -> list[Frame]:
    """Every third packet in fragments."""
    out = []
    for at, each in enumerate(raw(frames)):
        pieces = fragments(each.data) if at % 3 == 0 and each.data else [each.data]
        if len(pieces) == 1:
            out.append(each)
        out += [replace(each, data=one, wire_len=len(one)) for one in pieces if len(pieces) > 1]
    return [replace(each, number=at) for at, each in enumerate(out, 1)]


def cut(frames: Frames, snaplen: int) -> list[Frame]:
    """As much of each as a snapshot length leaves."""
    return [replace(each, data=each.data[:snaplen]) for each in frames]


INSIDES: dict[str, Callable[[bytes], bytes]] = {
    "IPv6": ipv6,
    "IPv6, hop-by-hop options": lambda ip: ipv6(ip, bytes([6, 0, 5, 2, 0, 0, 1, 0]), 0),
    "IPv6, destination options": lambda ip: ipv6(ip, bytes([6, 0, 1, 4, 0, 0, 0, 0]), 60),
    "IP options": with_options,
}
"""The same segments in other network layers."""

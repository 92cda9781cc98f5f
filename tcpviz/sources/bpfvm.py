"""Running a classic BPF program on bytes of ours, as the kernel would on a packet's (bpf(4)).

The kernel's table of sockets knows no capture filter. Whether a connection that
it tells of would be captured is asked of the very program that the sockets
run, on a segment made up of the connection's addresses and ports.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Sequence

from tcpviz.core.segment import Endpoint

Instruction = tuple[int, int, int, int]

_MASK = 0xFFFFFFFF
_SCRATCH = 16
_SIZES = {0x00: 4, 0x08: 2, 0x10: 1}


def run(program: Sequence[Instruction], packet: bytes) -> int:
    """What the program returns: bytes to keep, 0 for none. A load beyond the packet returns 0."""
    a = x = 0
    scratch = [0] * _SCRATCH
    at = 0
    while 0 <= at < len(program):
        code, jump_true, jump_false, k = program[at]
        at += 1
        kind = code & 7
        if kind == 0x06:
            return a if code & 0x18 == 0x10 else k
        if kind in (0x00, 0x01):
            value = _load(code, k, x, packet, scratch)
            if value is None:
                return 0
            a, x = (value, x) if kind == 0x00 else (a, value)
        elif kind in (0x02, 0x03):
            scratch[k % _SCRATCH] = a if kind == 0x02 else x
        elif kind == 0x04:
            operand = x if code & 0x08 else k
            if code & 0xF0 in (0x30, 0x90) and not operand:
                return 0
            a = _compute(code & 0xF0, a, operand) & _MASK
        elif kind == 0x05:
            operand = x if code & 0x08 else k
            if code & 0xF0 == 0x00:
                at += k
            else:
                at += jump_true if _holds(code & 0xF0, a, operand) else jump_false
        elif code & 0xF8 == 0x80:
            a = x
        else:
            x = a
    return 0


def _load(code: int, k: int, x: int, packet: bytes, scratch: list[int]) -> int | None:
    mode = code & 0xE0
    if mode == 0x00:
        return k
    if mode == 0x60:
        return scratch[k % _SCRATCH]
    if mode == 0x80:
        return len(packet)
    if mode == 0xA0:  # four times the lower half of a byte: an IP header's length
        return None if k >= len(packet) else (packet[k] & 0xF) * 4
    size = _SIZES.get(code & 0x18, 4)
    place = k + (x if mode == 0x40 else 0)
    if place >= 0xFFFFF000:  # Linux's metadata: no tag, and nothing else is known
        return 0
    if place + size > len(packet):
        return None
    return int.from_bytes(packet[place : place + size], "big")


def _compute(operation: int, a: int, operand: int) -> int:
    match operation:
        case 0x00:
            return a + operand
        case 0x10:
            return a - operand
        case 0x20:
            return a * operand
        case 0x30:
            return a // operand
        case 0x40:
            return a | operand
        case 0x50:
            return a & operand
        case 0x60:
            return a << (operand & 63)
        case 0x70:
            return a >> (operand & 63)
        case 0x80:
            return -a
        case 0x90:
            return a % operand
    return a ^ operand


def _holds(operation: int, a: int, operand: int) -> bool:
    match operation:
        case 0x10:
            return a == operand
        case 0x20:
            return a > operand
        case 0x30:
            return a >= operand
    return bool(a & operand)


def specimen(src: Endpoint, dst: Endpoint) -> bytes:
    """An Ethernet frame with an empty ACK from ``src`` to ``dst``."""
    tcp = struct.pack("!HHIIBBHHH", src.port, dst.port, 1, 1, 0x50, 0x10, 1024, 0, 0)
    link = bytes(12)
    if ":" in src.addr:
        ends = b"".join(socket.inet_pton(socket.AF_INET6, each.addr) for each in (src, dst))
        return link + b"\x86\xdd" + struct.pack("!IHBB", 6 << 28, len(tcp), 6, 64) + ends + tcp
    ends = b"".join(socket.inet_pton(socket.AF_INET, each.addr) for each in (src, dst))
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(tcp), 1, 0, 64, 6, 0)
    return link + b"\x08\x00" + head + ends + tcp

"""Packet rings handed over: from the child that opens their sockets to who has the screen."""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Sequence

from tcpviz.sources.blockring import BLOCKS_RING, BlockRing, BlockSocket
from tcpviz.sources.packets import Instruction
from tcpviz.sources.ring import MAX_SNAPLEN, MOST, RING, Ring, RingSocket, in_blocks, why_not


def kind_of(snaplen: int) -> type[RingSocket]:
    """The socket for so many bytes of each packet, 0 for all."""
    return BlockSocket if in_blocks(snaplen) else RingSocket


def ring_bytes(snaplen: int) -> int:
    """How large a ring should be for so many bytes of each packet."""
    return BLOCKS_RING if in_blocks(snaplen) else RING


def try_it(snaplen: int) -> tuple[int, str]:
    """How many packets a ring on loopback would hold; 0 and the reason where there is none.

    Of blocks that is how many of the shortest. With a reason beside a number, it would be read by
    the capturing process.
    """
    reason = why_not([1], compiled=True)
    if reason:
        return 0, reason
    nothing: list[Instruction] = [(0x06, 0, 0, 0)]
    try:
        made = kind_of(snaplen)(
            "lo", nothing, loopback=True, snaplen=snaplen, size=ring_bytes(snaplen)
        )
    except OSError as error:
        return 0, error.strerror or str(error)
    try:
        here, there = socket.socketpair()
        with here:
            hand_over(there.detach(), [made])
            for ring in adopt(here):
                ring.close()
    except (OSError, ValueError) as error:
        return made.frames, str(getattr(error, "strerror", None) or error)
    else:
        return made.frames, ""
    finally:
        made.close()


def told(snaplen: int) -> tuple[bool, str]:
    """The same in words; false where it is not all that it could be."""
    when = f"-s {'up to' if snaplen else '0 or above'} {MAX_SNAPLEN}"
    frames, reason = try_it(snaplen)
    if not frames:
        return False, f"no ({reason}): {when} is read packet by packet, some ten thousand a second"
    room = f"{frames} packets" if snaplen else f"{BLOCKS_RING >> 20} MB of packets of any length"
    where = f"through a pipe ({reason})" if reason else "read where it lies"
    return not reason, f"{room}, {where} ({when}, -i any or up to {MOST})"


_SHAPE = struct.Struct("<QQQ?")


def hand_over(channel: int, sockets: Sequence[RingSocket]) -> None:
    """Send these sockets' descriptors, and what their rings are like, through a Unix socket."""
    told = b"".join(_SHAPE.pack(*each.shape, each.skip_outgoing) for each in sockets)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM, 0, channel) as way:
        socket.send_fds(way, [told], [each.fileno() for each in sockets])


def adopt(channel: socket.socket) -> list[Ring]:
    """Map the rings that were handed over; of their descriptors none is left.

    Raises OSError where none came, or one cannot be mapped.
    """
    told, descriptors, _, _ = socket.recv_fds(channel, MOST * _SHAPE.size, MOST)
    made: list[Ring] = []
    try:
        shapes = list(_SHAPE.iter_unpack(told)) if len(told) % _SHAPE.size == 0 else []
        if not descriptors or len(shapes) != len(descriptors):
            raise OSError("no ring was handed over")
        for descriptor, (count, size, length, skip) in zip(descriptors, shapes, strict=True):
            if size:
                made.append(Ring(descriptor, count, size, length, alone=True))
            else:
                made.append(BlockRing(descriptor, count, length, alone=True))
            made[-1].skip_outgoing = skip
    except (OSError, ValueError):
        for ring in made:
            ring.close()
        raise
    finally:
        for descriptor in descriptors:
            os.close(descriptor)
    return made

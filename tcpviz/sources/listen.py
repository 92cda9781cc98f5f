"""An interface's packets where there is no AF_PACKET (macOS, the BSDs): through scapy's socket.

Runs in the capturing child only. scapy opens ``/dev/bpf`` and has libpcap
compile the filter. Written for BPF devices and tried only with a buffer of
their format and with scapy's socket of Linux.
"""

from __future__ import annotations

import ctypes
import errno
import os
import socket
import sys
import time
from typing import Any

from tcpviz.sources.packets import Packet


class ScapyListener:
    """``conf.L2listen`` of this system on one interface. Raises OSError."""

    def __init__(self, name: str, words: str, snaplen: int, promiscuous: bool) -> None:
        try:
            import scapy.arch  # noqa: F401 - sets conf.L2listen for this system
            from scapy.config import conf
            from scapy.error import Scapy_Exception
        except ImportError as error:
            raise OSError(errno.ENOSYS, f"scapy is needed here: {error}") from error
        self.name = name
        self.trouble: OSError | None = None
        self._snaplen = snaplen
        self._accepted = 0
        try:
            self._socket: Any = conf.L2listen(iface=name, promisc=promiscuous, filter=words or None)
        except Scapy_Exception as error:
            denied = "permission" in str(error).lower()
            raise OSError(errno.EPERM if denied else errno.EIO, str(error)) from error
        os.set_blocking(self._socket.fileno(), False)
        # A BPF device must be read with exactly its buffer's size.
        self._size: int = self._socket.get_blen() if hasattr(self._socket, "get_blen") else 0

    def fileno(self) -> int:
        return int(self._socket.fileno())

    def close(self) -> None:
        self._socket.close()

    def read(self, limit: int) -> list[Packet]:
        """Up to ``limit`` packets that have arrived; sets ``trouble`` where the kernel says so."""
        packets = self._read_bpf() if self._size else self._read_scapy(limit)
        self._accepted += len(packets)
        return packets

    def _read_bpf(self) -> list[Packet]:
        """One buffer of a BPF device."""
        # scapy's own reader hides errors, and calls itself once for each packet in the buffer.
        try:
            buffer = os.read(self.fileno(), self._size)
        except (BlockingIOError, InterruptedError):
            return []
        except OSError as error:
            self.trouble = error
            return []
        module = sys.modules[type(self._socket).__module__]
        return split_bpf(buffer, module.bpf_hdr, module.BPF_ALIGNMENT, self._snaplen)

    def _read_scapy(self, limit: int) -> list[Packet]:
        packets: list[Packet] = []
        while len(packets) < limit:
            try:
                _, data, moment = self._socket.recv_raw()
            except (BlockingIOError, InterruptedError):
                break
            except OSError as error:
                self.trouble = error
                break
            if not data:
                break
            time_ns = int(float(moment or time.time()) * 1_000_000) * 1000
            kept = data[: self._snaplen] if self._snaplen else data
            packets.append(Packet(time_ns, bytes(kept), len(data), 0))
        return packets

    def statistics(self) -> tuple[int, int]:
        """Packets that passed the filter, and those of them that were dropped, since the start."""
        read = getattr(self._socket, "get_stats", None)
        if read is None:
            return self._accepted, 0
        received, dropped = read()
        return (received or self._accepted), (dropped or 0)

    def shut(self) -> None:
        """Nothing to be done: what is in the buffer is read once more, and no further."""

    def exists(self) -> bool:
        """Whether the interface is still there (it may be down)."""
        try:
            socket.if_nametoindex(self.name)
        except OSError:
            return False
        return True

    def renamed(self) -> str | None:
        """Never: these systems give no interface another name."""
        return None


def split_bpf(buffer: bytes, header: Any, alignment: int, snaplen: int) -> list[Packet]:
    """The packets in what one read of a BPF device gave (bpf(4)).

    ``header`` is the system's ``struct bpf_hdr`` as a ctypes structure.
    """
    packets = []
    offset = 0
    while offset + ctypes.sizeof(header) <= len(buffer):
        head = header.from_buffer_copy(buffer, offset)
        if not head.bh_hdrlen:
            break
        start = offset + head.bh_hdrlen
        moment = head.bh_tstamp
        fraction = moment.tv_nsec if hasattr(moment, "tv_nsec") else moment.tv_usec * 1000
        kept = min(head.bh_caplen, snaplen or head.bh_caplen)
        packets.append(
            Packet(
                moment.tv_sec * 1_000_000_000 + fraction,
                buffer[start : start + kept],
                max(head.bh_datalen, kept),
                0,
            )
        )
        offset += (head.bh_hdrlen + head.bh_caplen + alignment - 1) & ~(alignment - 1)
    return packets

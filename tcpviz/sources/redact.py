"""Redaction: other addresses and ports in place of the real ones, the same ones every time.

Addresses become documentation addresses (RFC 5737's 192.0.2.0/24 and further
198.18.0.0/15 of RFC 2544; RFC 3849's 2001:db8::/32) in the order in which they
appear; ports that no service is known by become 50001, 50002, ...; well-known
ones (below 1024) say nothing of a person and stay, unless ``ports`` is all.
Payload goes, its length stays. What another program wrote as text (a call's
arguments, notes, names) is searched for the addresses that are known by then.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from tcpviz.core.records import (
    Call,
    Handled,
    KernelReading,
    Note,
    Record,
    SegmentRecord,
    Unreachable,
)
from tcpviz.core.segment import Endpoint, Segment

_WELL_KNOWN = 1024
_FIRST_PORT = 50001
_ADDRESS = re.compile(r"[0-9A-Fa-f:.]{3,45}")


class Redactor:
    """Gives each address and port its stand-in. ``all_ports``: the well-known ones too."""

    def __init__(self, *, all_ports: bool = False) -> None:
        self._all = all_ports
        self._addresses: dict[str, str] = {}
        self._ports: dict[int, int] = {}
        self._four = self._six = 0

    # -- single things ------------------------------------------------------

    def address(self, address: str) -> str:
        """The stand-in of an address; the unspecified one stays."""
        if address in ("", "0.0.0.0", "::"):  # noqa: S104 - nobody's address
            return address
        known = self._addresses.get(address)
        if known is None:
            known = self._addresses[address] = self._next(address)
        return known

    def _next(self, address: str) -> str:
        if ":" in address:
            self._six += 1
            return f"2001:db8::{self._six:x}" if self._six < 0x10000 else (
                f"2001:db8::{self._six >> 16:x}:{self._six & 0xFFFF:x}"
            )  # fmt: skip
        self._four += 1
        number = self._four
        if number < 255:
            return f"192.0.2.{number}"
        number -= 255
        return f"198.{18 + (number >> 16)}.{number >> 8 & 255}.{number & 255}"

    def port(self, port: int) -> int:
        """The stand-in of a port."""
        if port == 0 or (port < _WELL_KNOWN and not self._all):
            return port
        known = self._ports.get(port)
        if known is None:
            known = self._ports[port] = _FIRST_PORT + len(self._ports) % (65536 - _FIRST_PORT)
        return known

    def endpoint(self, endpoint: Endpoint) -> Endpoint:
        return Endpoint(self.address(endpoint.addr), self.port(endpoint.port))

    def text(self, text: str) -> str:
        """Text with the addresses in it replaced, and the ports behind them."""

        def stand_in(found: re.Match[str]) -> str:
            word = found.group()
            head, colon, tail = word.rpartition(":")
            if colon and tail.isdigit() and head in self._addresses:
                return f"{self._addresses[head]}:{self.port(int(tail))}"
            return self._addresses.get(word, word)

        return _ADDRESS.sub(stand_in, text)

    # -- records ------------------------------------------------------------

    def segment(self, segment: Segment) -> Segment:
        return replace(
            segment,
            src=self.endpoint(segment.src),
            dst=self.endpoint(segment.dst),
            payload=b"",
            checksum_ok=segment.checksum_ok,
        )

    def record(self, record: Record) -> Record:
        """The record with everything in it redacted."""
        if isinstance(record, SegmentRecord | Handled):
            return replace(record, segment=self.segment(record.segment))
        if isinstance(record, Call):
            return replace(
                record,
                local=None if record.local is None else self.endpoint(record.local),
                peer=None if record.peer is None else self.endpoint(record.peer),
                arguments=_unquoted(self.text(record.arguments)),
                result=None if record.result is None else self.text(record.result),
            )
        if isinstance(record, KernelReading):
            sockets = tuple(
                replace(
                    one,
                    local=self.endpoint(one.local),
                    peer=None if one.peer is None else self.endpoint(one.peer),
                )
                for one in record.sockets
            )
            return replace(record, sockets=sockets)
        if isinstance(record, Note):
            return replace(record, text=self.text(record.text))
        if isinstance(record, Unreachable):
            return replace(
                record,
                reporter=self.address(record.reporter),
                told=self.address(record.told),
                src=self.endpoint(record.src),
                dst=self.endpoint(record.dst),
            )
        return record

    def records(self, records: list[Record]) -> Iterator[Record]:
        """A batch, redacted."""
        return (self.record(record) for record in records)


def _unquoted(arguments: str) -> str:
    """Arguments without the data that a call was given: ``send("secret" 6 bytes)``."""
    return re.sub(r'"(?:[^"\\]|\\.)*"\s*', "", arguments)

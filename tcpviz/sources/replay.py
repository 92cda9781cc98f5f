"""A recording inside a capture: calls, kernel readings, notes and arrivals beside the frames.

Where they stand
----------------
What is no packet is written as custom options (draft-ietf-opsawg-pcapng section
3.5.1, code 19373: binary, not to be copied by who changes the file), because
Wireshark shows each Custom *Block* as a row without a time between the packets.
An option's value is

* the Private Enterprise Number 32473 (32 bits, in the section's byte order):
  the one for documentation (RFC 5612), as tcpviz has none of its own;
* ``tcpviz`` and a zero octet, by which we know our own under that number;
* one octet: 1 where the next option goes on with the same object, else 0;
* JSON: an object with ``k``, its kind.

Those of a packet's block happened before that packet left; those after the last
packet stand in an Interface Statistics Block.

Kinds
-----
``lab``    the first: ``version`` (1), ``moment`` of the packets (``sent`` or ``seen``)
``frame``  the next packet has another number (``n``) than its place in the file
``call``, ``kernel``, ``note``, ``gap``, ``icmp``, ``segment``, ...  a record (see
           :mod:`tcpviz.core.records`): its fields, without those that have their default.
           In place of its segment, ``n`` is the number of the packet that holds it; only
           one that is no packet of the file (inferred, or changed on its way) stands whole

Nothing here is trusted: each field is checked for its type and its bounds, and
what fails is counted in :attr:`Replay.bad` and left out.
"""

from __future__ import annotations

import dataclasses
import enum
import functools
import ipaddress
import json
import math
import types
import typing
from collections import Counter, OrderedDict
from collections.abc import Hashable, Iterator, Mapping
from typing import Any

from tcpviz.core.records import Moment, Record, SegmentRecord
from tcpviz.core.segment import Endpoint, Flags, Segment
from tcpviz.sources.parser import clean
from tcpviz.wire.frame import Frame

Object = dict[str, Any]

MAGIC = b"tcpviz\0"
VERSION = 1

LONGEST_PART = 48_000
"""Bytes of JSON in one option."""

LONGEST_OBJECT = 4 * 1024 * 1024
"""Bytes of JSON in one object, over all its parts."""

MOST_ITEMS = 20_000
"""Entries of one list: sockets of a reading, say."""

LONGEST_TEXT = 64 * 1024
"""Characters of one text."""

LONGEST_ADDRESS = 64
"""Characters of an address, with the name of an interface."""

FRAMES_KEPT = 65_536
"""Packets whose arrival may still be told; of older ones it is not believed."""

_SHORT = {"SegmentRecord": "segment", "KernelReading": "kernel", "Unreachable": "icmp"}
_KINDS: dict[str, type[Any]] = {
    _SHORT.get(kind.__name__, kind.__name__.lower()): kind for kind in typing.get_args(Record)
}
_NAMES = {kind: name for name, kind in _KINDS.items()}

_WORD, _HALF, _OCTET = (0, 2**32 - 1), (0, 2**16 - 1), (0, 255)
_SIGNED = (-(2**63), 2**63 - 1)
_COUNT = (0, 2**63 - 1)
_BOUNDS = {
    **dict.fromkeys(("seq", "ack", "sack", "timestamps"), _WORD),
    **dict.fromkeys(("window", "urgent", "ip_id", "mss", "mtu"), _HALF),
    **dict.fromkeys(("ttl", "ecn", "reserved", "version", "type", "code", "window_scale"), _OCTET),
    "unknown": _OCTET,
    "payload_len": (0, 2**24),
}
"""Of fields with these names, the least and greatest value."""


class DamagedError(ValueError):
    """An object of a recording that is not what it should be."""


# -- out ----------------------------------------------------------------------


def head(moment: Moment) -> Object:
    """The first object of a recording, whose packets were observed at this moment."""
    return {"k": "lab", "version": VERSION, "moment": moment.value}


def number_object(number: int) -> Object:
    """Before a packet whose number is not its place in the file."""
    return {"k": "frame", "n": number}


def record_object(record: Record, packets: Mapping[int, Segment]) -> Object:
    """A record as an object; ``packets`` are those of the file, by number."""
    out: Object = {"k": _NAMES[type(record)], **_plain(record)}
    segment = getattr(record, "segment", None)
    if segment is not None and packets.get(segment.frame) == segment:
        del out["segment"]
        out["n"] = segment.frame
    return out


def parts(made: Object) -> list[bytes]:
    """The data of the options that hold an object; none where it is too long for a recording."""
    text = json.dumps(made, separators=(",", ":")).encode()
    if len(text) > LONGEST_OBJECT:
        return []
    cuts = range(0, len(text), LONGEST_PART)
    return [
        MAGIC + bytes([place + LONGEST_PART < len(text)]) + text[place : place + LONGEST_PART]
        for place in cuts
    ]


def _plain(value: Any) -> Any:
    """A value as JSON has it; fields that have their default are left out."""
    if isinstance(value, Endpoint):
        return [value.addr, value.port]
    if isinstance(value, enum.IntFlag):
        return int(value)
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    if dataclasses.is_dataclass(value):
        return {
            field.name: _plain(here)
            for field in dataclasses.fields(value)
            if (here := getattr(value, field.name)) != field.default
        }
    return value


# -- in -----------------------------------------------------------------------


class Replay:
    """Gives the records of a recording, in its order.

    ``recorded``  a recording's head was there: the capture is one of ours
    ``bad``       objects that were left out, by reason
    """

    def __init__(self) -> None:
        self.recorded = False
        self.bad: Counter[str] = Counter()
        self._moment = Moment.SEEN
        self._number: int | None = None
        self._segments: OrderedDict[int, Segment] = OrderedDict()
        self._text = bytearray()
        self._overlong = False

    def numbered(self, frame: Frame) -> Frame:
        """The packet with the number that it had when it was recorded."""
        number, self._number = self._number, None
        return frame if number is None else dataclasses.replace(frame, number=number)

    def segment(self, segment: Segment) -> SegmentRecord:
        """The record of a packet of the file."""
        if self._moment is Moment.SENT:
            self._segments[segment.frame] = segment
            if len(self._segments) > FRAMES_KEPT:
                self._segments.popitem(last=False)
        return SegmentRecord(segment.time_ns, segment, self._moment)

    def take(self, data: bytes) -> Record | None:
        """The next option's data, behind the enterprise number; the record that it completes.

        ``None`` where it is not ours, goes on in the next option, or is damaged.
        """
        if not data.startswith(MAGIC) or len(data) <= len(MAGIC):
            return None
        more, part = data[len(MAGIC)], data[len(MAGIC) + 1 :]
        if len(self._text) + len(part) > LONGEST_OBJECT:
            self._overlong = True
            self._text.clear()
        if not self._overlong:
            self._text += part
        if more:
            return None
        text, self._text = bytes(self._text), bytearray()
        if self._overlong:
            self._overlong = False
            self.bad["too long"] += 1
            return None
        try:
            return self._object(json.loads(text))
        except DamagedError as error:
            self.bad[str(error)] += 1
        except (ValueError, RecursionError):
            self.bad["not JSON"] += 1
        return None

    def note(self) -> str | None:
        """One line about what was left out, if anything was."""
        if not self.bad:
            return None
        count = self.bad.total()
        what = "1 entry" if count == 1 else f"{count} entries"
        why, _ = self.bad.most_common(1)[0]
        return f"{what} of the recording cannot be used and were left out (mostly: {why})"

    def _object(self, made: Any) -> Record | None:
        if not isinstance(made, dict):
            raise DamagedError("not an object")
        kind = made.get("k")
        if kind == "lab":
            self._head(made)
            return None
        if kind == "frame":
            self._number = _value(made.get("n"), int, "n")
            return None
        wanted = _KINDS.get(kind) if isinstance(kind, str) else None
        if wanted is None:
            raise DamagedError("of an unknown kind")
        if "n" in made:
            made["segment"] = self._segments.get(_value(made["n"], int, "n"))
            if made["segment"] is None:
                raise DamagedError(f"{kind}: no such packet")
        record = _value(made, wanted, "")
        first = isinstance(record, SegmentRecord) and record.moment in (Moment.SENT, Moment.SEEN)
        if first and not record.segment.inferred:
            raise DamagedError("segment: claims to be a packet of the file")
        return typing.cast(Record, record)

    def _head(self, made: Object) -> None:
        if made.get("version") != VERSION:
            raise DamagedError("of a version that is not known")
        moment = _value(made.get("moment"), Moment, "moment")
        if moment not in (Moment.SENT, Moment.SEEN):
            raise DamagedError("moment: neither sent nor seen")
        self.recorded, self._moment = True, moment
        self._segments.clear()


@functools.cache
def _hints(kind: Any) -> dict[str, Any]:
    """The types of a record's fields."""
    return typing.get_type_hints(kind)


def _value(value: Any, hint: Any, name: str) -> Any:
    """``value`` as the type says, or DamagedError; ``name`` is the field's."""
    origin = typing.get_origin(hint)
    if origin in (types.UnionType, typing.Union):
        kinds = [each for each in typing.get_args(hint) if each is not type(None)]
        if value is None and len(kinds) < len(typing.get_args(hint)):
            return None
        return _value(value, kinds[0], name)
    if origin is tuple:
        return tuple(_items(value, typing.get_args(hint), name))
    if hint is Endpoint:
        return _endpoint(value, name)
    if hint is Segment and isinstance(value, Segment):
        return value  # the file's own packet, put in by us: JSON has no such thing
    if dataclasses.is_dataclass(hint):
        return _fields(value, typing.cast(type[Any], hint), name)
    return _simple(value, hint, name)


def _simple(value: Any, hint: Any, name: str) -> Any:
    if hint is Flags:
        return Flags(_whole(value, name, (0, 0x1FF)))
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        try:
            return hint(value)
        except ValueError:
            raise DamagedError(f"{name}: no such value") from None
    if hint is int:
        return _whole(value, name, _bounds(name))
    if hint is bool and isinstance(value, bool):
        return value
    if hint is float and isinstance(value, int | float) and not isinstance(value, bool):
        if abs(value) < 2**63 and math.isfinite(value):
            return float(value)
    elif hint is str and isinstance(value, str):
        if len(value) <= LONGEST_TEXT:
            return clean(value, lines=True)
        raise DamagedError(f"{name}: too long a text")
    elif hint is bytes and isinstance(value, str) and len(value) <= 2 * LONGEST_TEXT:
        try:
            return bytes.fromhex(value)
        except ValueError:
            raise DamagedError(f"{name}: not hexadecimal") from None
    raise DamagedError(f"{name}: of a wrong type")


def _bounds(name: str) -> tuple[int, int]:
    if name in _BOUNDS:
        return _BOUNDS[name]
    return _SIGNED if name.endswith("_ns") or name in ("t", "fd") else _COUNT


def _whole(value: Any, name: str, bounds: tuple[int, int]) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise DamagedError(f"{name}: not a whole number")
    if not bounds[0] <= value <= bounds[1]:
        raise DamagedError(f"{name}: out of bounds")
    return value


def _items(value: Any, kinds: tuple[Any, ...], name: str) -> Iterator[Any]:
    if not isinstance(value, list) or len(value) > MOST_ITEMS:
        raise DamagedError(f"{name}: not a list, or too long")
    if len(kinds) == 2 and kinds[1] is Ellipsis:
        kinds = (kinds[0],) * len(value)
    if len(kinds) != len(value):
        raise DamagedError(f"{name}: a list of a wrong length")
    for each, kind in zip(value, kinds, strict=True):
        yield _value(each, kind, name)


def _endpoint(value: Any, name: str) -> Endpoint:
    if not isinstance(value, list) or len(value) != 2 or not isinstance(value[0], str):
        raise DamagedError(f"{name}: not an address and a port")
    text = value[0]
    try:
        ipaddress.ip_address(text)
    except ValueError:
        text = ""
    if not text or len(text) > LONGEST_ADDRESS or not text.isprintable():
        raise DamagedError(f"{name}: not an address")
    return Endpoint(text, _whole(value[1], name, _HALF))


def _fields(value: Any, kind: type[Any], name: str) -> Any:
    if not isinstance(value, dict):
        raise DamagedError(f"{name}: not an object")
    given = {}
    hints = _hints(typing.cast(Hashable, kind))
    for field in dataclasses.fields(kind):
        if field.name in value:
            given[field.name] = _value(value[field.name], hints[field.name], field.name)
        elif field.default is dataclasses.MISSING:
            raise DamagedError(f"{field.name}: is missing")
    return kind(**given)

"""A capture as a stream of bytes: finds out what it is, unpacks it, gives its frames.

No I/O is done here: whoever has the bytes (a file, a pipe, a socket) feeds them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from tcpviz.sources.compressed import PIECE, Decompressor, compression
from tcpviz.sources.feed import SourceError
from tcpviz.sources.parser import CaptureParser, Interface
from tcpviz.sources.pcap import PcapParser, is_pcap
from tcpviz.sources.pcapng import SECTION, PcapngParser
from tcpviz.wire.frame import Frame

_HEAD = 8  # bytes by which formats are told apart

# Formats that we do not read but others convert.
_OTHERS = {
    b"snoop\0\0\0": "a snoop capture",
    b"GMBU": "a Network Monitor capture",
    b"RTSS": "a Network Monitor capture",
    b"\x54\x52\x53\x4e\x49\x46\x46\x20": "a Sniffer capture",
    b"XCP\0": "a NetXRay capture",
    b"\xa1\x2b\x3c\x4d": "a Navtel capture",
    b"\x4d\x3c\x2b\xa1": "a Navtel capture",
}


class CaptureStream:
    """Bytes in, frames out. ``name`` is how notes and errors call the source.

    Raises SourceError from ``feed`` or ``finish`` where the bytes are not a
    capture; once it gave a frame, it ends with a note instead. ``pcap`` and
    ``pcapng`` may be parsers that take the same records in another way, ``piece`` how many bytes
    of a compressed one they are given at a time.
    """

    def __init__(
        self,
        name: str,
        *,
        pcap: type[PcapParser] = PcapParser,
        pcapng: type[PcapngParser] = PcapngParser,
        piece: int = PIECE,
    ) -> None:
        self.name = name
        self._piece = piece
        self._formats = (pcap, pcapng)
        self._head = b""
        self._unpack: Decompressor | None = None
        self._parser: CaptureParser | None = None
        self._notes: list[str] = []
        self._ended = False
        self._any = False

    @property
    def notes(self) -> list[str]:
        """One-line messages so far, oldest first, each beginning with the name."""
        own = self._parser.notes if self._parser else []
        return [f"{self.name}: {note}" for note in [*own, *self._notes]]

    @property
    def interfaces(self) -> list[Interface]:
        return self._parser.interfaces if self._parser else []

    @property
    def dropped(self) -> int:
        """Packets that the capturing program says it lost."""
        return self._parser.dropped if self._parser else 0

    @property
    def bad(self) -> Counter[str]:
        """Records of packets that could not be used, by reason."""
        return self._parser.bad if self._parser else Counter()

    @property
    def losses(self) -> dict[int, int]:
        """Of the frames given last: before which number how many packets were lost."""
        return self._parser.losses if self._parser else {}

    @property
    def customs(self) -> list[tuple[int, bytes]]:
        """Our own options among what was given last: after which frame, and their data."""
        return self._parser.customs if self._parser else []

    @property
    def ended(self) -> bool:
        """Whether what follows cannot be read, so that there is no use in feeding more."""
        return self._ended or (self._parser is not None and self._parser.ended)

    @property
    def packed(self) -> bool:
        """Whether the bytes are compressed, so that places in them are none in what is parsed."""
        return self._unpack is not None

    @property
    def parser(self) -> CaptureParser | None:
        """What takes the records, once it is known what capture this is."""
        return self._parser

    @property
    def begun(self) -> bool:
        """Whether the capture's own header was there."""
        return bool(self.interfaces) or bool(self._parser and self._parser.number)

    def feed(self, data: bytes) -> Iterator[list[Frame]]:
        """The frames completed by these bytes, in lists; to be exhausted before the next call."""
        try:
            yield from self._feed(data)
        except SourceError as error:
            raise self._named(error) from None

    def finish(self) -> None:
        """There are no more bytes: judges what is there."""
        try:
            self._finish()
        except SourceError as error:
            raise self._named(error) from None

    def remark(self, text: str) -> None:
        """Something to be told with the other notes."""
        self._notes.append(text)

    def fail(self, why: str) -> None:
        """The source broke down: a note if there is something to show, else a SourceError."""
        if not self.begun:
            raise SourceError(f"{self.name}: {why}")
        number = self._parser.number if self._parser else 0
        self._notes.append(f"{why} after frame {number}; what was read until there is shown")
        self._ended = True

    def _named(self, error: SourceError) -> SourceError:
        return SourceError(f"{self.name}: {error}", error.exit_code)

    def _feed(self, data: bytes) -> Iterator[list[Frame]]:
        if self._ended or not data:
            return
        self._any = True
        if self._unpack is None and self._parser is None:
            self._head += data
            if len(self._head) < _HEAD:
                return
            data, self._head = self._head, b""
            packing = compression(data)
            if packing:
                self._unpack = Decompressor(packing, self._piece)
        if self._unpack is None:
            yield from self._parse(data)
            return
        for piece in self._unpack.feed(data):
            yield from self._parse(piece)
            if self.ended:
                return
        self._check_unpacked()

    def _parse(self, data: bytes) -> Iterator[list[Frame]]:
        if self._parser is None:
            self._head += data
            if len(self._head) < _HEAD:
                return
            data, self._head = self._head, b""
            self._parser = _parser_for(data, self._formats)
        frames = self._parser.feed(data)
        if frames or self._parser.customs:
            yield frames

    def _check_unpacked(self) -> None:
        if self._unpack and self._unpack.damaged and not self.ended:
            if self._parser is None:
                raise SourceError(f"{self._unpack.damaged}; there is nothing to show")
            self._ended = True
            self._notes.append(
                f"{self._unpack.damaged} after frame {self._parser.number}; "
                "what was read until there is shown"
            )

    def _finish(self) -> None:
        if self.ended:
            return
        if not self._any:
            raise SourceError("empty; a capture has at least a header")
        if self._unpack:
            self._unpack.finish()
            self._check_unpacked()
            if self._ended:
                return
        if self._parser is None:
            # Fewer bytes than tell anything: let them be judged as they are.
            self._parser = _parser_for(
                self._head.ljust(_HEAD, b"\0"), self._formats, len(self._head)
            )
            self._parser.feed(self._head)
        self._parser.finish()
        self._ended = True


def _parser_for(
    head: bytes, formats: tuple[type[PcapParser], type[PcapngParser]], size: int = _HEAD
) -> CaptureParser:
    """The parser for a capture that begins with these bytes, ``size`` of which are real."""
    if size >= 4:
        if is_pcap(head):
            return formats[0]()
        if int.from_bytes(head[:4], "big") == SECTION:
            return formats[1]()
    for magic, what in _OTHERS.items():
        if size >= len(magic) and head.startswith(magic):
            raise SourceError(f"{what}; convert it first: editcap FILE capture.pcapng")
    packing = compression(head)
    if packing and size >= _HEAD:
        raise SourceError(f"compressed twice (inside: {packing}); unpack it once first")
    text = all(byte in b"\t\n\r\f\x1b" or 32 <= byte < 127 for byte in head[:size])
    what = "text" if text else f"it begins with {head[:size][:4].hex(' ')}"
    raise SourceError(f"not a capture ({what}); a pcap or pcapng file is needed")

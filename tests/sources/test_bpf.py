"""Filters: compiled by libpcap, by tcpdump, or judged in Python; run by the kernel itself."""

from __future__ import annotations

import ctypes
import shutil
import socket
import struct
import sys

import pytest

from tcpviz.sources import bpf
from tcpviz.sources.expression import compile_expression
from tcpviz.sources.feed import SourceError
from tcpviz.sources.stream import CaptureStream
from tcpviz.wire.decoder import Decoder

TYPES = (0, 1, 9, 101, 105, 113, 127, 276)
linux = pytest.mark.skipif(sys.platform != "linux", reason="socket filters of Linux")
needs_compiler = pytest.mark.skipif(bpf.compiler() is None, reason="neither libpcap nor tcpdump")
needs_libpcap = pytest.mark.skipif(
    "libpcap" not in (bpf.compiler() or ""), reason="libpcap is not here"
)
needs_tcpdump = pytest.mark.skipif(not shutil.which("tcpdump"), reason="tcpdump is not here")


class Kernel:
    """Runs a program on bytes in the kernel: a filter on a local datagram socket."""

    def __init__(self, program):
        self.inside, self.outside = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        packed = b"".join(struct.pack("=HBBI", *row) for row in program)
        held = ctypes.create_string_buffer(packed, len(packed))
        request = struct.pack("@HP", len(program), ctypes.addressof(held))
        self.inside.setsockopt(socket.SOL_SOCKET, 26, request)
        self.inside.setblocking(False)
        self.outside.setblocking(False)

    def __call__(self, data: bytes) -> int:
        """How many bytes of a packet it keeps."""
        try:
            self.outside.send(data)
            return len(self.inside.recv(1 << 18))
        except OSError:  # refused: EPERM for the sender, nothing for the receiver
            return 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.inside.close()
        self.outside.close()


@needs_compiler
@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("tcp prot 80", "filter 'tcp prot 80': syntax error"),
        ("tcp and", "filter 'tcp and': syntax error"),
        ("tcp) or (udp", "filter 'tcp) or (udp': syntax error"),
        ("port nosuchport", "nosuchport"),
        ("port 80 \0", "NUL"),
        ("\x1b[2J", "'\\x1b[2J'"),
    ],
)
def test_wrong_words_are_a_wrong_request_in_libpcaps_own_words(words, said):
    with pytest.raises(SourceError) as caught:
        bpf.compile_filter(words, 1)
    assert caught.value.exit_code == 2
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "\x1b" not in str(caught.value)


@needs_libpcap
@needs_tcpdump
@pytest.mark.parametrize("words", ["tcp port 80", "host 10.0.0.1 and not port 22", "ip6 and tcp"])
@pytest.mark.parametrize("link_type", [1, 101, 276])
def test_tcpdump_compiles_to_the_same_program(words, link_type):
    def plain(program):
        return [(c, t, f, k & 0xFFFFFFFF) for c, t, f, k in program]

    ours = bpf._compile_with_libpcap(words, link_type, None)
    assert plain(ours) == plain(bpf._compile_with_tcpdump(words, link_type, None))


@needs_tcpdump
def test_tcpdumps_message_is_the_same():
    with pytest.raises(SourceError, match=r"^filter 'tcp prot 80': syntax error$") as caught:
        bpf._compile_with_tcpdump("tcp prot 80", 1, None)
    assert caught.value.exit_code == 2


def test_nothing_to_compile_with_is_told(monkeypatch):
    monkeypatch.setattr(bpf.shutil, "which", lambda _: None)
    monkeypatch.setitem(sys.modules, "scapy.libs", None)
    monkeypatch.setitem(sys.modules, "scapy.libs.winpcapy", None)
    with pytest.raises(bpf.NoCompilerError):
        bpf.compile_filter("tcp", 1)
    assert bpf.compiler() is None
    assert bpf.compile_filter("", 1, 96) == [(6, 0, 0, 96)]


@needs_compiler
@pytest.mark.parametrize("link_type", TYPES)
def test_the_default_filter_compiles_for_every_link_type(link_type):
    assert bpf.compile_filter(bpf.default_words(link_type), link_type, 128)


def frame(*tags: int, v6: bool = False, extension: int | None = None, protocol: int = 6) -> bytes:
    tcp = struct.pack("!HHIIBBHHH", 1, 80, 0, 0, 0x50, 2, 0, 0, 0)
    if v6:
        inner = tcp if extension is None else bytes([protocol, 0, 0, 0, 0, 0, 0, 0]) + tcp
        kind = protocol if extension is None else extension
        packet = struct.pack("!IHBB", 6 << 28, len(inner), kind, 64) + bytes(32) + inner
    else:
        packet = struct.pack("!BBHHHBBH", 0x45, 0, 40, 0, 0, 64, protocol, 0) + bytes(8) + tcp
    link = bytes(12) + b"".join(struct.pack("!HH", 0x8100, tag) for tag in tags)
    return link + struct.pack("!H", 0x86DD if v6 else 0x0800) + packet


@linux
@needs_compiler
def test_the_default_filter_passes_tcp_however_it_is_wrapped_and_nothing_else():
    program = bpf.compile_filter(bpf.default_words(1), 1, 0)
    passes = [
        frame(),
        frame(7),
        frame(7, 8),
        frame(v6=True),
        frame(7, v6=True),
        frame(7, 8, v6=True),
        *(frame(v6=True, extension=kind) for kind in (0, 43, 51, 60)),
        frame(7, v6=True, extension=0),
    ]
    refused = [
        frame(protocol=17),
        frame(7, protocol=17),
        frame(7, 8, protocol=17),
        frame(v6=True, protocol=58),
        frame(3, v6=True, protocol=17),
        bytes(12) + b"\x08\x06" + bytes(28),
        b"",
        bytes(13),
    ]
    with Kernel(program) as kernel:
        assert [kernel(data) for data in passes] == [len(data) for data in passes]
        assert [kernel(data) for data in refused] == [0] * len(refused)


def icmp(kind: int, *tags: int, v6: bool = False) -> bytes:
    """A message of that type; what follows the type does not matter to the filter."""
    data = bytearray(frame(*tags, v6=v6, protocol=58 if v6 else 1))
    data[14 + 4 * len(tags) + (40 if v6 else 20)] = kind
    return bytes(data)


@linux
@needs_compiler
def test_the_default_filter_passes_icmp_errors_and_no_other_icmp():
    with Kernel(bpf.compile_filter(bpf.default_words(1), 1, 0)) as kernel:
        for tags in ((), (7,), (7, 8)):
            passed = [kind for kind in range(256) if kernel(icmp(kind, *tags))]
            assert passed == [3, 11, 12]
            passed = [kind for kind in range(256) if kernel(icmp(kind, *tags, v6=True))]
            assert passed == [1, 2, 3, 4]


@linux
@needs_compiler
@pytest.mark.parametrize("words", ["", "tcp port 80"])
def test_the_snapshot_length_cuts(words):
    with Kernel(bpf.compile_filter(words, 1, 40)) as kernel:
        assert kernel(frame()) == 40
    with Kernel(bpf.compile_filter(words, 1, 0)) as kernel:
        assert kernel(frame()) == len(frame())


@needs_compiler
def test_a_cooked_sockets_program_reads_metadata_in_place_of_the_header():
    program = bpf.compile_filter("tcp port 80", 276)
    fixed = bpf.for_cooked_socket(program, 276)
    assert fixed[0] == (0x28, 0, 0, 0xFFFFF000)  # the protocol, once at offset 0
    moved = [(a, b) for a, b in zip(program, fixed, strict=True) if a != b and b[3] < 0xFFFFF000]
    assert moved
    assert all(a[3] - b[3] == 20 for a, b in moved)
    # The address in the cooked header is not there for a filter.
    with pytest.raises(SourceError) as caught:
        bpf.for_cooked_socket([(0x20, 0, 0, 12), (6, 0, 0, 1)], 276)
    assert caught.value.exit_code == 2


# -- the filter in Python, held against the kernel running libpcap's program

WORDS = [
    "",
    "tcp",
    "tcp port 80",
    "port http",
    "tcp src port 80 or dst port 443",
    "port 80 or 443",
    "portrange 1024-5000",
    "not tcp port 80",
    "! port 80 && ip",
    "ip6",
    "ip host 10.0.0.1 or net 192.168.0.0/16",
    "src net 10 and (dst port 80 or dst port 8080)",
    "tcp portrange 1-1023 and not (src port 80)",
    "ip and port 80 or ip6",
    "src or dst port 80",
    "src and dst portrange 1-100",
    "net 2001::/16",
]
CAPTURES = ["zeek-wikipedia.pcap", "zeek-ipv6.pcap", "zeek-smb_v2_only_non_zero_reserved1.pcap"]


@linux
@needs_compiler
@pytest.mark.parametrize("words", WORDS)
def test_python_judges_as_the_kernel_does(words, captures):
    wanted = compile_expression(words)
    judged = 0
    with Kernel(bpf.compile_filter(words, 1, 0)) as kernel:
        for name in CAPTURES:
            if not (captures / name).is_file():
                continue
            decoder = Decoder()
            stream = CaptureStream(name)
            for frames in stream.feed((captures / name).read_bytes()):
                for captured in frames:
                    segment = decoder.decode(captured)
                    if segment is None or captured.link_type != 1:
                        continue
                    assert wanted(segment) == bool(kernel(captured.data)), (name, captured.number)
                    judged += 1
    assert judged > 100


@pytest.mark.parametrize(
    "words",
    [
        "udp",
        "tcp[13] & 2 != 0",
        "vlan and tcp",
        "port",
        "port 70000",
        "(port 80",
        "port 80)",
        "port 80 and",
        "port 80 port 90",
        "host 300.1.2.3.4.5",
        "net 10.0.0.1/8",
        "((((" * 60,
        "not " * 5000 + "tcp",
        "tcp 80",
        "&",
    ],
)
def test_what_python_does_not_understand_is_said_with_the_way_out(words):
    with pytest.raises(SourceError) as caught:
        compile_expression(words)
    assert caught.value.exit_code == 2
    assert "install libpcap or tcpdump" in str(caught.value)

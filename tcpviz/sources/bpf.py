"""Capture filters: from the words people type to the kernel's classic BPF instructions.

libpcap compiles them, through scapy's binding, or through ``tcpdump -ddd``
where only that is there. The instructions are those of the kernel's
``include/uapi/linux/bpf_common.h``.
"""

from __future__ import annotations

import ctypes
import re
import shutil
import subprocess
import threading
from typing import Any

from tcpviz.sources.feed import SourceError
from tcpviz.sources.interfaces import Interface

Instruction = tuple[int, int, int, int]
"""``(code, jt, jf, k)``."""

MAX_SNAPLEN = 262144
"""What "everything" means to a capture (libpcap's MAXIMUM_SNAPLEN)."""

MAX_INSTRUCTIONS = 4096
"""BPF_MAXINSNS: longer programs are refused by the kernel."""

_RAW, _DLT_RAW = 101, 12
_SLL2 = 276
_TCPDUMP_NAMES = {
    0: "NULL",
    1: "EN10MB",
    9: "PPP",
    101: "RAW",
    105: "IEEE802_11",
    113: "LINUX_SLL",
    127: "IEEE802_11_RADIO",
    276: "LINUX_SLL2",
}
_NETMASK_UNKNOWN = 0xFFFFFFFF
_SPECIAL = 0xFFFFF000  # SKF_AD_OFF: from here on, offsets name the packet's metadata

_LD, _LDX, _RET = 0x00, 0x01, 0x06
_ABS, _IND, _MSH = 0x20, 0x40, 0xA0
_RET_K = 0x06
_SKF_AD_PROTOCOL, _SKF_AD_PKTTYPE, _SKF_AD_IFINDEX, _SKF_AD_HATYPE = 0, 4, 8, 28

_lock = threading.Lock()  # pcap_compile was not safe in several threads before libpcap 1.8


class NoCompilerError(Exception):
    """Neither libpcap nor tcpdump is here."""


def compile_filter(
    words: str, link_type: int, snaplen: int = 0, interface: str | None = None
) -> list[Instruction]:
    """The program for these words on frames of that link type.

    An empty filter passes everything. The program returns ``snaplen`` bytes
    for a packet that passes (0: all of it) and 0 for one that does not.

    ``interface`` matters where the words speak of VLANs: Linux takes the tag
    out of the frame before a socket's filter sees it, and libpcap writes other
    instructions when it knows that the program is for a live interface. (That
    takes the right to capture there.)

    Raises SourceError with libpcap's message and exit code 2 for wrong words,
    and NoCompilerError where nothing here can compile.
    """
    keep = snaplen or MAX_SNAPLEN
    if not words.strip():
        return [(_RET_K, 0, 0, keep)]
    if "\0" in words:
        raise _wrong(words.replace("\0", "?"), "it has a NUL character in it")
    live = interface if interface and re.search(r"\bvlan\b", words) else None
    try:
        program = _compile_with_libpcap(words, link_type, live)
    except NoCompilerError:
        program = _compile_with_tcpdump(words, link_type, live)
    if len(program) > MAX_INSTRUCTIONS:
        raise _wrong(words, f"it needs {len(program)} instructions, the kernel takes 4096")
    return [
        (code, jt, jf, keep if code == _RET_K and k else k & 0xFFFFFFFF)
        for code, jt, jf, k in program
    ]


def compiler() -> str | None:
    """What compiles filters here: ``libpcap ...``, ``tcpdump``, or ``None``."""
    try:
        library = _libpcap()
    except NoCompilerError:
        return "tcpdump" if shutil.which("tcpdump") else None
    try:
        version = bytes(library.pcap_lib_version()).decode(errors="replace")
    except (AttributeError, TypeError):
        return "libpcap"
    return version.split(" (")[0].replace(" version", "")


def for_cooked_socket(program: list[Instruction], link_type: int) -> list[Instruction]:
    """The program for a socket on which the kernel has taken the link header off.

    Compiled for a cooked link type, it looks for the protocol in a header that
    will only be written later: such loads are turned to the packet's metadata,
    and offsets behind the header moved. (As libpcap's ``fix_program``.)
    Raises SourceError where it asks for something that is not there.
    """
    if link_type != _SLL2:
        raise ValueError(f"link type {link_type} is not cooked")
    header = 20
    fields = {
        0: _SKF_AD_PROTOCOL,
        4: _SKF_AD_IFINDEX,
        8: _SKF_AD_HATYPE,
        10: _SKF_AD_PKTTYPE,
    }
    fixed = []
    for code, jt, jf, k in program:
        if code & 7 in (_LD, _LDX) and code & 0xE0 in (_ABS, _IND, _MSH) and k < _SPECIAL:
            if k >= header:
                k -= header
            elif k in fields and code & 0xE0 == _ABS:
                k = _SPECIAL + fields[k]
            else:
                raise SourceError(
                    f"the filter looks at byte {k} of the link header, which this interface "
                    "does not give; leave that part of the filter out",
                    exit_code=2,
                )
        fixed.append((code, jt, jf, k))
    return fixed


def without_loopback_echo(program: list[Instruction]) -> list[Instruction]:
    """The program, after refusing what leaves through a loopback interface.

    For a socket on all interfaces: on loopback each packet passes out and in,
    and PACKET_IGNORE_OUTGOING would hide what the others send.
    """
    return [
        (0x30, 0, 0, _SPECIAL + _SKF_AD_PKTTYPE),
        (0x15, 0, 3, 4),  # PACKET_OUTGOING?
        (0x28, 0, 0, _SPECIAL + _SKF_AD_HATYPE),
        (0x15, 0, 1, 772),  # ARPHRD_LOOPBACK?
        (_RET_K, 0, 0, 0),
        *program,
    ]


def default_words(link_type: int) -> str:
    """TCP over IPv4 and IPv6, also behind extension headers and up to two VLAN tags.

    libpcap's ``tcp`` looks at the first next-header field of IPv6 only; the
    numbers are hop-by-hop options, routing, authentication and destination options.
    ICMP errors are passed too, since they may be about TCP: destination unreachable,
    time exceeded, parameter problem, packet too big. (Behind a tag in a cooked
    header they are not.)
    """
    extensions = (0, 43, 51, 60)
    longer = " or ".join(f"ip6[6] = {number}" for number in extensions)
    errors = " or ".join(f"icmp[0] = {number}" for number in (3, 11, 12))
    tcp = (
        f"tcp or (ip6 and ({longer})) or {errors} or (ip6[6] = 58 and 0 < ip6[40] and ip6[40] < 5)"
    )
    if link_type == 1:
        # Each "vlan" moves all that is written after it behind one more tag.
        return f"{tcp} or (vlan and ({tcp} or (vlan and ({tcp}))))"
    if link_type != _SLL2:
        return tcp

    # Behind a cooked header libpcap knows no tags, and Linux has them in two ways. On the way
    # in, the outer tag is gone, and the packet begins (at byte 20) behind an inner one's type.
    # On the way out, the packet begins with IP, though its type is still the tag's.
    tags = "(link[{at}:2] = 0x8100 or link[{at}:2] = 0x88a8)"
    ip4 = "(link[{at}] & 0xf0 = 0x40 and link[{at} + 9] = 6)"
    ip6 = " or ".join(f"link[{{at}} + 6] = {number}" for number in (6, *extensions))
    ip = f"({ip4} or (link[{{at}}] & 0xf0 = 0x60 and ({ip6})))"
    outgoing = ip.format(at=20)
    inner = f"(link[22:2] = 0x800 or link[22:2] = 0x86dd) and {ip.format(at=24)}"
    return f"{tcp} or ({tags.format(at=0)} and ({outgoing} or ({inner})))"


def _wrong(words: str, reason: str) -> SourceError:
    reason = reason.removeprefix("can't parse filter expression: ")
    return SourceError(f"filter {words!r}: {reason}", exit_code=2)


def _libpcap() -> Any:
    try:
        from scapy.libs import winpcapy
    except Exception as error:  # OSError without libpcap; AttributeError with a foreign one
        raise NoCompilerError from error
    return winpcapy


def _compile_with_libpcap(words: str, link_type: int, live: str | None) -> list[Instruction]:
    library = _libpcap()
    from scapy.libs.structures import bpf_program

    program = bpf_program()
    with _lock:
        handle = _open_live(library, live, link_type) if live else None
        if not handle:
            dlt = _DLT_RAW if link_type == _RAW else link_type
            handle = library.pcap_open_dead(dlt, MAX_SNAPLEN)
        if not handle:
            raise NoCompilerError
        try:
            text = ctypes.create_string_buffer(words.encode(errors="surrogateescape"))
            if library.pcap_compile(handle, ctypes.byref(program), text, 1, _NETMASK_UNKNOWN):
                raise _wrong(words, _text(library.pcap_geterr(handle)))
            try:
                return [(i.code, i.jt, i.jf, i.k) for i in program.bf_insns[: program.bf_len]]
            finally:
                library.pcap_freecode(ctypes.byref(program))
        finally:
            library.pcap_close(handle)


def _open_live(library: Any, interface: str, link_type: int) -> Any:
    """A handle on the interface, or None where that is not allowed or it is of another type."""
    error = ctypes.create_string_buffer(512)
    name = ctypes.create_string_buffer(interface.encode(errors="surrogateescape"))
    try:
        handle = library.pcap_open_live(name, MAX_SNAPLEN, 0, 0, error)
        if handle and library.pcap_datalink(handle) not in (link_type, _DLT_RAW):
            library.pcap_close(handle)
            return None
    except (AttributeError, ctypes.ArgumentError):
        return None
    return handle


def _text(message: Any) -> str:
    """What libpcap said, as one line."""
    if isinstance(message, str):
        text = message
    elif isinstance(message, bytes):
        text = message.decode(errors="replace")
    else:
        text = bytes(message).decode(errors="replace")
    return " ".join(text.replace("\0", " ").split()) or "libpcap cannot compile it"


def _compile_with_tcpdump(words: str, link_type: int, live: str | None) -> list[Instruction]:
    tcpdump = shutil.which("tcpdump")
    if not tcpdump or link_type not in _TCPDUMP_NAMES:
        raise NoCompilerError
    # With -y alone no interface is opened, so that anyone may compile.
    where = ["-i", live] if live else ["-y", _TCPDUMP_NAMES[link_type]]
    command = [tcpdump, *where, "-s", str(MAX_SNAPLEN), "-ddd", "--", words]
    try:
        done = subprocess.run(  # noqa: S603 - no shell; the words are one argument
            command, capture_output=True, text=True, errors="replace", timeout=30, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NoCompilerError from error
    if done.returncode:
        if live:
            return _compile_with_tcpdump(words, link_type, None)
        lines = [line for line in done.stderr.splitlines() if line.strip()] or ["?"]
        raise _wrong(words, lines[-1].removeprefix("tcpdump: "))
    rows = [[int(field) for field in line.split()] for line in done.stdout.splitlines()]
    return [(row[0], row[1], row[2], row[3]) for row in rows[1:] if len(row) == 4]


def compile_for(words: str, interface: Interface, snaplen: int) -> list[Instruction]:
    """The filter's program for what a socket on this interface delivers. Raises SourceError."""
    if not interface.cooked:
        return compile_filter(words, interface.link_type, snaplen, interface.name)
    program = compile_filter(words, interface.link_type, snaplen)
    return for_cooked_socket(program, interface.link_type)

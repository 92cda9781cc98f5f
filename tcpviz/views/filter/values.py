"""Values as people write them: numbers, amounts of bytes, lengths of time, addresses.

All are exact: ``1.5k`` is 1500, ``0.1s`` is 100 000 000 nanoseconds. ``k``,
``M``, ``G`` and ``T`` are powers of 1000, as the screens write them; ``Ki``,
``Mi``, ``Gi`` and ``Ti`` powers of 1024.
"""

from __future__ import annotations

import ipaddress
import re
from fractions import Fraction
from typing import Final

Amount = int | Fraction
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_POWERS: Final = {
    "": 1,
    **{name: 1000**power for power, name in enumerate("kmgt", 1)},
    **{name + "i": 1024**power for power, name in enumerate("kmgt", 1)},
}
_TIMES: Final = {
    "ns": 1,
    "us": 1_000,
    "µs": 1_000,  # the micro sign; below, the Greek letter
    "μs": 1_000,
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60_000_000_000,
    "min": 60_000_000_000,
    "h": 3_600_000_000_000,
    "d": 86_400_000_000_000,
}
_NUMBER: Final = r"[0-9]{1,18}(?:\.[0-9]{1,9})?"
_COUNT: Final = re.compile(rf"({_NUMBER})([kmgt]i?)?(b|bytes?)?", re.ASCII | re.IGNORECASE)
_PART: Final = re.compile(rf"({_NUMBER})(ns|us|µs|μs|ms|min|s|m|h|d)")
_WHOLE: Final = re.compile(r"\d{1,18}", re.ASCII)
_HEX: Final = re.compile(r"0x[0-9a-f]{1,16}", re.ASCII | re.IGNORECASE)


class ValueProblem(ValueError):  # noqa: N818 - it is never seen outside
    """A value that cannot be read; the message says what was expected."""


def _exact(number: Fraction) -> Amount:
    # Comparing whole numbers is many times as fast.
    return number.numerator if number.denominator == 1 else number


def whole(text: str) -> int:
    """A whole number, also ``0x1f``."""
    if _WHOLE.fullmatch(text):
        return int(text)
    if _HEX.fullmatch(text):
        return int(text, 16)
    raise ValueProblem(f"a whole number is expected, not {text}")


def port(text: str) -> int:
    """A port, 0 to 65535; services have no names here."""
    if not _WHOLE.fullmatch(text) or int(text) > 65535:
        raise ValueProblem(f"a port is a number, 0 to 65535, not {text}")
    return int(text)


def amount(text: str) -> Amount:
    """A count: ``10``, ``10k``, ``1.5M``."""
    match = _COUNT.fullmatch(text)
    if match is None or match[3]:
        raise ValueProblem(f"a number is expected, such as 10 or 1.5k, not {text}")
    return _exact(Fraction(match[1]) * _POWERS[(match[2] or "").lower()])


def size(text: str) -> Amount:
    """An amount of bytes: ``999``, ``1M``, ``64KiB``, ``1.5kB``."""
    match = _COUNT.fullmatch(text)
    if match is None:
        raise ValueProblem(f"a number of bytes is expected, such as 500, 64k or 1.5M, not {text}")
    return _exact(Fraction(match[1]) * _POWERS[(match[2] or "").lower()])


def time(text: str) -> Amount:
    """A length of time in nanoseconds: ``200ms``, ``1.5s``, ``1h30m``; 0 needs no unit."""
    if text == "0":
        return 0
    total, at = Fraction(0), 0
    while match := _PART.match(text, at):
        total += Fraction(match[1]) * _TIMES[match[2]]
        at = match.end()
    if at == len(text) and at:
        return _exact(total)
    if re.fullmatch(_NUMBER, text):
        raise ValueProblem(f"{text} of what? The units are ns us ms s m h d, as in {text}ms")
    raise ValueProblem(f"a length of time is expected, such as 200ms, 5m or 1h30m, not {text}")


_BRACKETED: Final = re.compile(r"\[([^\]]+)\](?::(\d{1,5}))?", re.ASCII)
_WITH_PORT: Final = re.compile(r"([^:]+):(\d{1,5})", re.ASCII)


def host(text: str) -> tuple[Network, int | None]:
    """An address, a network, or an address with a port: ``[2001:db8::1]:80``, ``10.0.0.1:80``.

    The port is ``None`` where none was given. Names are not looked up: that
    would tell a name server what is being looked at.
    """
    given, port_text = text, None
    match = _BRACKETED.fullmatch(text) or _WITH_PORT.fullmatch(text)
    if match is not None:
        given, port_text = match[1], match[2]
    try:
        network: Network = ipaddress.ip_network(given, strict=False)
        if isinstance(network, ipaddress.IPv6Network) and network.prefixlen == 128:
            # What address() makes of such an address.
            mapped = network.network_address.ipv4_mapped
            network = network if mapped is None else ipaddress.IPv4Network(mapped)
    except ValueError:
        message = "an address or a network is expected, such as 10.0.0.0/8 or 2001:db8::1"
        if re.search(r"[g-z]", given, re.IGNORECASE):
            message += "; names are not looked up"
        raise ValueProblem(message) from None
    return network, None if port_text is None else port(port_text)


def address(text: str) -> Address | None:
    """An endpoint's address, ``None`` where it is none.

    An IPv4 address that an IPv6 socket shows (``::ffff:10.0.0.1``) is the IPv4 address.
    """
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        return None
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is not None:
        return found.ipv4_mapped
    return found

"""ICMP errors about TCP, many at once: what :mod:`tcpviz.wire.icmp` makes of each.

Those of IPv4 whose quotation begins as nearly all do; IPv6's are left to the decoder.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tcpviz.bulk.segments import sums
from tcpviz.bulk.segments.records import Batch
from tcpviz.bulk.segments.steps.crowd import LEFT, Crowd, Why
from tcpviz.core.records import Unreachable
from tcpviz.wire.tcp import address, endpoints

Array = NDArray[Any]

_NEEDED = 0x0304
"""Type and code of "fragmentation needed", which tells an MTU (RFC 1191)."""


def errors(batch: Batch, crowd: Crowd, rows: Array) -> list[tuple[int, Unreachable]]:
    """Those that were left in the crowd, as records with the places of their frames in the batch.

    They are skipped then, as the decoder does; those whose checksum is wrong stay with it.
    """
    if not crowd.quoting:
        return []
    which = np.sort(np.concatenate(crowd.quoting))
    which = which[(crowd.layer[which] == LEFT) & ~crowd.six[which]]
    begin, end = crowd.place[which], crowd.end[which]
    whole = np.flatnonzero(end <= crowd.limit[which])
    fine = np.ones(len(which), np.bool_)
    fine[whole] = sums.spans(batch.data, begin[whole], end[whole]) % 65535 == 0
    which, begin = which[fine], begin[fine]
    crowd.skip(which, Why.ICMP_ERROR)
    octets, ip, frames = crowd.octets, crowd.ip[which], rows[which]
    quoted = begin + 8
    tcp = quoted + (octets.octet(quoted) & 0x0F) * 4
    kinds = octets.word(begin)
    mtu = np.where(kinds == _NEEDED, octets.word(begin + 6), 0)
    told = zip(
        frames.tolist(),
        batch.time_ns[frames].tolist(),
        ip.tolist(),
        quoted.tolist(),
        tcp.tolist(),
        octets.long(tcp + 4).tolist(),
        kinds.tolist(),
        mtu.tolist(),
        crowd.scope[which].tolist(),
        strict=True,
    )
    out = []
    data, scopes, first = batch.data, crowd.scopes, batch.first
    for frame, time_ns, outer, inner, place, seq, kind, size, scope in told:
        src, dst = endpoints(bytes(data[inner + 12 : inner + 20]) + bytes(data[place : place + 4]))
        reporter, to = data[outer + 12 : outer + 16], data[outer + 16 : outer + 20]
        out.append(
            (
                frame,
                Unreachable(
                    time_ns,
                    address(reporter),
                    address(to),
                    src,
                    dst,
                    seq,
                    4,
                    kind >> 8,
                    kind & 0xFF,
                    size or None,
                    data[inner + 8],
                    first + frame,
                    scopes[scope],
                ),
            )
        )
    return out

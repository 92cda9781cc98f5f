"""SYN,ACKs that come again: by a timer, upon another SYN, or because nobody took the last ACK.

Who sends one has not got the client's ACK, whatever was captured of it: it goes back to
SYN-RECEIVED, and each kind of segment counts anew for a signature. Here that is in order as long as
the server has said nothing else, and the client's next word comes before any timer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tcpviz.bulk.segments.columns import STAMPED
from tcpviz.bulk.segments.options import CUT_SCALE, NO_SCALE
from tcpviz.core.segment import ACK, SYN
from tcpviz.core.twice import SAME_PACKET_NS

if TYPE_CHECKING:
    from tcpviz.bulk.connections.work import Work

Array = NDArray[Any]

_SYN_ACK = SYN | ACK


def places(w: Work) -> Array:
    """Places of a server's SYNs that are not its first segment; most of all there are none."""
    syns = w.syns[w.side[w.syns]]
    again: Array = syns[syns != w.answer[w.part[syns]]]
    return again


def fits(w: Work, at: Array) -> Array:
    """Which of these repeat a SYN,ACK, and are followed by the client's word or another one."""
    before, after = w.mine_at[at], np.minimum(at + 1, w.count - 1)
    ok = (w.flags[at] == _SYN_ACK) & (w.flags[before] == _SYN_ACK)
    ok &= (w.length[at] == 0) & (w.rel[at] == 0) & (w.back[at] == 1) & ~w.ended[at]
    ok &= (w.time[at] - w.time[before] > SAME_PACKET_NS) | w.renamed(at, before)
    ok &= (after == at) | (w.part[after] != w.part[at]) | ~w.side[after] | np.isin(after, at)
    scale, answer = w.array["scale"], w.answer[w.part[at]]
    asked = scale[w.rows[answer]]
    ok &= (scale[w.rows[at]] == asked) & (asked != CUT_SCALE)
    ok &= scale[w.rows[w.first[w.part[at]]]] != CUT_SCALE
    fine: Array = ok & _echoes(w, at)
    return fine


def _echoes(w: Work, at: Array) -> Array:
    """It echoes the SYN's timestamp, or what was echoed before, if anything (core.doubt)."""
    bits, value, echo = w.bits, w.row["value"], w.row["echo"]
    other, first, before = w.theirs_at[at], w.first[w.part[at]], w.mine_at[at]
    mine = echo[at]
    fine: Array = (bits[at] & STAMPED == 0) & (bits[before] & STAMPED == 0)
    known = (bits[at] & STAMPED != 0) & (bits[before] & STAMPED != 0) & (mine != 0)
    known &= bits[first] & STAMPED != 0
    latest = (w.flags[other] == SYN) & (bits[other] & STAMPED != 0) & (mine == value[other])
    fine |= known & ((mine == value[first]) | (mine == echo[before]) | latest)
    return fine


def asked_again(w: Work, at: Array) -> Array:
    """Which of these SYNs repeat one that was answered by nothing but SYN,ACKs so far."""
    answered: Array = w.flags[w.theirs_at[at]] == _SYN_ACK
    answered &= (w.flags[w.mine_at[at]] == SYN) & (w.mine_at[at] >= 0) & (w.theirs_at[at] >= 0)
    scale, part = w.array["scale"], w.part[at]
    asked, told = scale[w.rows[w.first[part]]], scale[w.rows[w.answer_at[part]]]
    # Who asks once more to scale would scale alone.
    answered &= (told != NO_SCALE) | (asked == NO_SCALE)
    answered &= (asked != CUT_SCALE) & (told != CUT_SCALE)
    return answered


def until(w: Work, at: Array) -> Array:
    """What comes behind each of these in its connection, or itself: until then a timer runs."""
    last: Array = np.minimum(at + 1, w.last[w.part[at]])
    return last

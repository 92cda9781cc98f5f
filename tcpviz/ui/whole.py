"""What the screen asks of a session because of large files; others hold all that there is."""

from __future__ import annotations

from tcpviz.views.going import Place
from tcpviz.views.progress import Progress


class Whole:
    """A session that has all segments of what it shows. :class:`BulkSession` answers otherwise."""

    @property
    def part(self) -> str:
        """Which part of the selected connection is held, in words; empty: all that there is."""
        return ""

    @property
    def progress(self) -> Progress | None:
        """How far a large file has been read; ``None``: that is not what the screen waits for."""
        return None

    @property
    def telling(self) -> bool:
        """The selected connection's packets are being read."""
        return False

    @property
    def working(self) -> bool:
        """Something that was asked for is being worked out in a thread."""
        return False

    def reach(self, way: int, *, end: bool = False, kind: str = "", share: int = 0) -> bool:
        """Get what lies beyond the part that is held, on (1) or back (-1); false if nothing does.

        ``end``: up to the very end; ``kind``: up to the next ``problem`` or ``state``, or to where
        the ``teardown`` begins; ``share``: by so large a part of it all, a tenth if it is 10.
        """
        del way, end, kind, share
        return False

    def seek_place(self, place: Place) -> bool:
        """Go there, in a connection that is held in part; false where all of one is held."""
        del place
        return False

    def close(self) -> None:
        """Nothing more is asked of it."""

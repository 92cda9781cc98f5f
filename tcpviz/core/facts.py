"""Facts: plain data that nobody changes, made by the thousand for each second of traffic.

A frozen dataclass of the standard library guards each of its fields at run time, and gets
past its own guard by a call for each field when it is made: four times the cost of making the
object, a fifteenth of all that following a thousand segments a second takes. So :func:`dataclass`
here is the standard one to the type checker, which holds that nobody changes what is frozen, and
at run time the same without that guard: equal, ordered and hashed as the standard one's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dataclasses import dataclass as dataclass
    from dataclasses import field as field
else:
    import dataclasses
    from dataclasses import field

    __all__ = ["dataclass", "field"]

    def dataclass(*, frozen=False, slots=False, order=False):
        """As the standard one; ``frozen`` is held by the type checker alone."""
        return dataclasses.dataclass(slots=slots, order=order, unsafe_hash=frozen)

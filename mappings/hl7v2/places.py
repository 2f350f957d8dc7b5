"""LA1 and LA2: a place with its address in one field, as pharmacy segments have it.

Standard: HL7 v2.5.1 §2.A.36, §2.A.37
"""

from __future__ import annotations

from mappings.hl7v2.actors import pl_to_location
from mappings.hl7v2.addresses import xad_to_address
from mappings.hl7v2.datatypes import Components, Element
from mappings.hl7v2.draft import Draft


def la2_to_location(la2: Components, draft: Draft) -> Element | None:
    """Make the Locations that LA1 or LA2 names; the address goes to the innermost, or is a place by itself."""
    address = xad_to_address(_Address(la2), draft.context)
    found = pl_to_location(_Place(la2, "" if any(la2.c(n) for n in (1, 2, 3, 4, 7, 8)) else _said(address)), draft)
    if found and address:
        draft.get(found["reference"]).setdefault("address", address)
    return found


def placed(pl: Components, xad: Components, draft: Draft) -> Element | None:
    """Make the Locations that PL names, with the address that stands in a field of its own."""
    address = xad_to_address(xad, draft.context) if xad else None
    found = pl_to_location(pl if pl else _Place(pl, _said(address)), draft)
    if found and address:
        draft.get(found["reference"]).setdefault("address", address)
    return found


def _said(address: Element | None) -> str:
    return str(address["text"]) if address else ""


class _Place:
    """See the first eight components of LA2 as those of PL, with a description of our own."""

    __slots__ = ("_description", "_la2")

    def __init__(self, la2: Components, description: str) -> None:
        self._la2 = la2
        self._description = description

    def __bool__(self) -> bool:
        return True

    def c(self, n: int, s: int = 1) -> str:
        if n == 9:
            return self._description if s == 1 else ""
        return self._la2.c(n, s) if n < 9 else ""


class _Address:
    """See the components of LA2 from the ninth on as those of XAD; in LA1 the ninth has them as subcomponents."""

    __slots__ = ("_la2", "_nested")

    def __init__(self, la2: Components) -> None:
        self._la2 = la2
        self._nested = any(la2.c(9, s) for s in range(2, 9))

    def __bool__(self) -> bool:
        return bool(self._la2)

    def c(self, n: int, s: int = 1) -> str:
        if n > 8:
            return ""
        if self._nested:
            return self._la2.c(9, n) if s == 1 else ""
        return self._la2.c(8 + n, s)

"""Every code table is used by some mapping, says nothing but that its codes travel as they are, or is kept for a reason."""

from __future__ import annotations

from collections.abc import Container
from functools import cache
from pathlib import Path

from mappings import codes

_CODE = Path(codes.__file__).parents[2]
_OWN = "the mappings keep the code of HL7's own system"
_DECIDED = "the mappings decide it with other fields of the segment"

KEPT = {
    "v2-0005": "race; only read where a message names the list itself",
    "v2-0006": _OWN,
    "v2-0009-arrangement": _OWN,
    "v2-0038-task": _DECIDED,
    "v2-0062": _OWN,
    "v2-0063-subscriber": _DECIDED,
    "v2-0064": _OWN,
    "v2-0093": _DECIDED,
    "v2-0099": _OWN,
    "v2-0114": _OWN,
    "v2-0119-intent": _DECIDED,
    "v2-0127-type": _DECIDED,
    "v2-0161-allowed": _OWN,
    "v2-0161-type": _OWN,
    "v2-0167-type": _OWN,
    "v2-0177": _OWN,
    "v2-0180-status": _DECIDED,
    "v2-0202-use": _DECIDED,
    "v2-0206": _DECIDED,
    "v2-0270-loinc": _OWN,
    "v2-0278-slot": _DECIDED,
    "v2-0287-verification": _DECIDED,
    "v2-0305": _OWN,
    "v2-0322-dispense": _DECIDED,
    "v2-0323-status": _DECIDED,
    "v2-0335-event": "patterns are read by rules, not row by row",
    "v2-0338": _DECIDED,
    "v2-0344": _DECIDED,
    "v2-0353": _DECIDED,
    "v2-0406-use": _OWN,
    "v2-0441-active": _DECIDED,
    "v2-0912-participation": _OWN,
    "v2-0912-role": _OWN,
    "vn-province-merged": "where an old province went; an address keeps the code of its day",
}
"""Tables of official maps that no mapping asks, and why."""


@cache
def source() -> str:
    return "\n".join(
        file.read_text(encoding="utf-8")
        for room in ("mappings", "gateway")
        for file in sorted((_CODE / room).rglob("*.py"))
    )


def is_used(name: str) -> bool:
    return f'"{name}"' in source()


def travels_as_it_is(name: str) -> bool:
    """Tell whether the table only says that every code is one of HL7's own system: the vocabulary says that too."""
    own = f"http://terminology.hl7.org/CodeSystem/{name}"
    return all(row.target_system in ("", own) and row.target in ("", row.code) for row in codes.table(name))


def idle(kept: Container[str]) -> list[str]:
    return [
        name
        for name in codes.names()
        if not is_used(name) and name not in kept and not (name.startswith("v2-") and travels_as_it_is(name))
    ]


def test_no_table_is_idle() -> None:
    assert idle(KEPT) == []


def test_a_table_that_nobody_asks_is_seen() -> None:
    assert idle(KEPT.keys() - {"v2-0305"}) == ["v2-0305"]


def test_no_reason_outlives_its_table() -> None:
    assert [name for name in KEPT if name not in codes.names() or is_used(name)] == []

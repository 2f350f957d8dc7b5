"""RXO and RXE of one order: what the prescriber wrote, and what the pharmacy made of it.

Both are in the shape their segments give: `medication` in the elements of Medication, `dosage` in those of Dosage, the rest in
those of MedicationRequest.

Standard: HL7 v2.5.1 §4.13.6
"""

from __future__ import annotations

from typing import Any

from mappings.hl7v2 import targets
from mappings.hl7v2.datatypes import Element
from mappings.hl7v2.reader import Segment
from mappings.hl7v2.segments import rxo as rxo_tables

OVERRULED = "RXE says it otherwise, as the pharmacy encoded it"


def differ(one: Element, other: Element) -> bool:
    """Tell whether two segments name different medicines."""
    codes = [
        {(c.get("system", ""), c.get("code", "")) for c in said.get("code", {}).get("coding", [])}
        for said in (one, other)
    ]
    if codes[0] and codes[1]:
        return not codes[0] & codes[1]
    texts = [said.get("code", {}).get("text", "").casefold() for said in (one, other)]
    return bool(texts[0] and texts[1] and texts[0] != texts[1])


def filled(primary: Any, secondary: Any) -> Any:
    """Add to `primary` what only `secondary` says, at every depth of objects; lists and values stay whole."""
    if not isinstance(primary, dict) or not isinstance(secondary, dict):
        return primary
    merged = dict(primary)
    for name, value in secondary.items():
        stem = next((stem for stem in _CHOICES if name.startswith(stem)), name)
        rival = next((other for other in primary if stem != name and other.startswith(stem)), name)
        if rival == name:
            merged[name] = filled(primary[name], value) if name in primary else value
    return merged


_CHOICES = ("dose", "rate", "asNeeded", "allowed")


def account(rxo: Segment | None, said: Element, whole: Element) -> None:
    """Leave out on purpose the fields of RXO whose values did not come through because RXE says it otherwise."""
    if rxo is None:
        return
    for n in rxo.fields:
        target = rxo_tables.MAPPED.get(n, "")
        own = [value for path in _paths(target) for value in _leaves(said, path)]
        kept = [value for path in _paths(target) for value in _leaves(whole, path)]
        if own and not all(value in kept for value in own):
            rxo.ignore(n, OVERRULED)


def _paths(target: str) -> list[list[str]]:
    found = []
    for kind, path in targets.alternatives(target):
        if kind == "Medication":
            found.append(["medication", *path.split(".")])
        elif kind == "MedicationRequest" and path != "medication":
            found.append(path.replace("dosageInstruction", "dosage").split("."))
    return found


def _leaves(value: Any, path: list[str]) -> list[Any]:
    if isinstance(value, list):
        return [leaf for one in value for leaf in _leaves(one, path)]
    if not path:
        return [value]
    if not isinstance(value, dict):
        return []
    return [
        leaf for name in value if name == path[0] or _typed(name, path[0]) for leaf in _leaves(value[name], path[1:])
    ]


def _typed(name: str, stem: str) -> bool:
    return name.startswith(stem) and name[len(stem) : len(stem) + 1].isupper()

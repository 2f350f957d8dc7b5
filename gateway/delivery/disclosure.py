"""The egress gate: what may not leave, whatever the route says (promise P10).

A route needs a basis (`lienthong check` refuses one without). On top of it, diagnoses on closed lists go only to receivers
that the law names. Source: Law 64/2006 as amended by 71/2020, art. 30 (HIV); fact sheet law §2.2. Requirement: S2.19.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from mappings.outcome import Resource

_DIAGNOSES = {
    "HIV": re.compile(r"^(B2[0-4]|Z21|O98\.?7|R75|F02\.?4)"),
    "TB": re.compile(r"^(A1[5-9]|B90|O98\.?0|P37\.?0)"),
}
"""ICD-10. HIV: disease, carrier, in pregnancy, laboratory evidence, dementia; TB: disease, sequelae, pregnancy, newborn."""
_HIV_TESTS = frozenset({"55277-8", "56888-1", "75622-1", "7917-8", "7918-6", "5221-7", "25836-8", "20447-9"})
"""LOINC: HIV status and the usual HIV tests."""
_LABELS = ("v3-ActCode", "/CodeSystem/sensitivity")
"""Where the labels of `meta.security` come from: the records of the care programmes carry them, whatever codes they hold."""


def closed_list(record: Sequence[Resource], lists: Sequence[str] = ("HIV",)) -> str | None:
    """Name the closed list that a person's record touches, or None; `lists` are those that count here.

    The whole record counts, not only what the paper quotes: a list of drugs tells as much as a diagnosis.
    """
    touched = {name for resource in record for name in _touched(resource)}
    return next((f"closed list: {name}" for name in lists if name in touched), None)


def _touched(resource: Resource) -> Iterator[str]:
    for label in _codings(resource.get("meta"), "security"):
        if str(label.get("system", "")).endswith(_LABELS):
            yield str(label.get("code", ""))
    for coding in _said(resource):
        code, system = str(coding.get("code", "")), str(coding.get("system", ""))
        if "icd" in system:
            yield from (name for name, pattern in _DIAGNOSES.items() if pattern.match(code))
        elif "loinc" in system and code in _HIV_TESTS:
            yield "HIV"


def _said(resource: Resource) -> Iterator[Resource]:
    """Give the codings of what a resource is, and of why it was asked for or done."""
    yield from _codings(resource.get("code"), "coding")
    reasons = resource.get("reasonCode")
    for reason in reasons if isinstance(reasons, list) else ():
        yield from _codings(reason, "coding")


def _codings(element: Any, name: str) -> Sequence[Resource]:
    found = element.get(name, ()) if isinstance(element, dict) else ()
    return [one for one in found if isinstance(one, dict)]

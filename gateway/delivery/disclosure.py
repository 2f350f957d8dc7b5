"""The egress gate: what may not leave, whatever the route says (promise P10).

A route needs a basis (`lienthong check` refuses one without). On top of it, diagnoses on closed lists go only to receivers
that the law names. Source: Law 64/2006 as amended by 71/2020, art. 30 (HIV); fact sheet law §2.2. Requirement: S2.19.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from mappings.outcome import Resource

_HIV = re.compile(r"^(B2[0-4]|Z21|O98\.?7|R75|F02\.?4)")
"""ICD-10: HIV disease, carrier state, HIV in pregnancy, laboratory evidence, dementia in HIV."""
_HIV_TESTS = frozenset({"55277-8", "56888-1", "75622-1", "7917-8", "7918-6", "5221-7", "25836-8", "20447-9"})
"""LOINC: HIV status and the usual HIV tests."""


def closed_list(record: Sequence[Resource]) -> str | None:
    """Name the closed list that a person's record touches, or None.

    The whole record counts, not only what the paper quotes: a list of drugs tells as much as a diagnosis.
    """
    for resource in record:
        concept = resource.get("code")
        for coding in concept.get("coding", ()) if isinstance(concept, dict) else ():
            code = str(coding.get("code", ""))
            system = str(coding.get("system", ""))
            if ("icd-10" in system and _HIV.match(code)) or ("loinc" in system and code in _HIV_TESTS):
                return "closed list: HIV"
    return None

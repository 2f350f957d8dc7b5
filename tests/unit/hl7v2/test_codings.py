"""Which codes can be of a published system, by their form."""

from __future__ import annotations

import pytest

from mappings.hl7v2.codings import well_formed
from mappings.systems import LOINC, SNOMED


@pytest.mark.parametrize(
    ("system", "code", "can_be"),
    [
        (LOINC, "718-7", True),
        (LOINC, "718-8", False),
        (LOINC, "LA18926-8", True),
        (LOINC, "LP14082-9", True),
        (LOINC, "L1-8", False),
        (LOINC, "HGB", False),
        (SNOMED, "38341003", True),
        (SNOMED, "hypertension", False),
    ],
)
def test_the_form_of_a_code(system: str, code: str, can_be: bool) -> None:
    assert well_formed(system, code) == can_be

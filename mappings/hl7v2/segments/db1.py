"""DB1: certificates of disability. An administrative matter; the disability itself is PD1-6.

Standard: HL7 v2.5.1 §3.4.12
"""

from __future__ import annotations

from mappings.hl7v2.segments import SEQUENCE

MAPPED: dict[int, str] = {}
IGNORED = {1: SEQUENCE} | dict.fromkeys(
    range(2, 9), "certificate of being unable to work; FHIR R4 has no element, the disability itself is PD1-6"
)

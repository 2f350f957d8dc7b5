"""LCH: a characteristic of a place.

Standard: HL7 v2.5.1 §8.9.3
"""

from __future__ import annotations

from mappings import codes
from mappings.hl7v2.codings import cwe_to_codeable_concept
from mappings.hl7v2.datatypes import code_of
from mappings.hl7v2.draft import Draft
from mappings.hl7v2.reader import Segment
from mappings.hl7v2.site import replaceable
from mappings.outcome import Resource

MAPPED = {
    4: "Location.extension(extension-Location.characteristic)",
    5: "Location.extension(extension-Location.characteristic)",
}
IGNORED = {
    1: "place; LOC-1 names it",
    2: "what happens to the characteristic; the place is told whole",
    3: "number of the characteristic",
}

_CHARACTERISTIC = "http://hl7.org/fhir/5.0/StructureDefinition/extension-Location.characteristic"


@replaceable
def lch_to_characteristic(lch: Segment, place: Resource, draft: Draft) -> None:
    """Add the characteristic that the place has; one that is denied (`N`) or deleted is left out."""
    code = cwe_to_codeable_concept(lch[4], draft.context)
    value = cwe_to_codeable_concept(lch[5], draft.context) or {}
    said = code_of(lch.peek(5).c(1)).upper()
    if code_of(lch.peek(2).text).upper() == "D" or codes.table("v2-0136").target(said) == "false":
        for n in (4, 5):
            lch.ignore(n, "characteristic that the place does not have")
        return
    if code is None:
        if value:
            lch.give_back(5)
        return
    shown = code.get("text") or code["coding"][0].get("display") or code["coding"][0]["code"]
    if codes.table("v2-0136").target(said) != "true" and value:
        says = value.get("text") or value["coding"][0].get("display") or value["coding"][0]["code"]
        shown = f"{shown}: {says}"
    place.setdefault("extension", []).append({"url": _CHARACTERISTIC, "valueCodeableConcept": code | {"text": shown}})

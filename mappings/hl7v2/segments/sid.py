"""SID: the reagent with which the result before it was found.

Standard: HL7 v2.5.1 §13.4.11
"""

from __future__ import annotations

from typing import Any

from mappings.hl7v2.actors import reference
from mappings.hl7v2.codings import cwe_to_codeable_concept
from mappings.hl7v2.datatypes import words
from mappings.hl7v2.draft import Draft
from mappings.hl7v2.reader import Segment
from mappings.hl7v2.segments.inv import UNNAMED, substance_of
from mappings.hl7v2.site import replaceable

MAPPED = {
    1: "Observation.method",
    2: "Substance.identifier",
    3: "Substance.instance.identifier",
    4: "Substance.identifier.assigner",
}
IGNORED: dict[int, str] = {}

_REAGENT = "http://hl7.org/fhir/StructureDefinition/observation-reagent"


@replaceable
def sid_to_reagent(sid: Segment, draft: Draft, beside: dict[str, Any] | None) -> None:
    """Lead from the result `beside` to the Substance, and tell its method where OBX does not."""
    if beside is None or beside["resourceType"] != "Observation":
        sid.leave("reagent of no result that is kept")
        return
    method = cwe_to_codeable_concept(sid[1], draft.context)
    if method and beside.setdefault("method", method) is not method:
        sid.ignore(1, "method in the analyser; OBX-17 names the method")
    draft.add(beside, sid)
    lot, container = words(sid[2].text), words(sid[3].text)
    maker = words(sid[4].c(2)) or words(sid[4].c(1))
    if maker and not lot:
        sid.give_back(4, "maker of a lot that has no number")
    if not (lot or container):
        return
    target = draft.add(substance_of(UNNAMED, lot, maker, container, draft), sid)
    link = {"url": _REAGENT, "valueReference": reference(target)}
    if link not in beside.setdefault("extension", []):
        beside["extension"].append(link)

"""PV2: more about the visit, added to the Encounter.

Standard: HL7 v2.5.1 §3.4.4
"""

from __future__ import annotations

from mappings.hl7v2.actors import pl_to_location, practitioners
from mappings.hl7v2.codings import concept, cwe_to_codeable_concept, cwe_to_coding
from mappings.hl7v2.datatypes import Element, code_of, words
from mappings.hl7v2.draft import Draft
from mappings.hl7v2.events import PLANNED_END, PLANNED_START, effect_of
from mappings.hl7v2.quantities import nm_to_decimal, quantity
from mappings.hl7v2.reader import Segment
from mappings.hl7v2.segments import BILLING
from mappings.hl7v2.segments.pv1 import UNDONE
from mappings.hl7v2.site import replaceable
from mappings.outcome import Resource
from mappings.systems import UCUM, V2_TABLE

MAPPED = {
    1: "Encounter.location.location",
    3: "Encounter.reasonCode",
    8: "Encounter.extension(extension-Encounter.plannedStartDate)",
    9: "Encounter.extension(extension-Encounter.plannedEndDate)",
    11: "Encounter.length",
    12: "Encounter.reasonCode",
    13: "Encounter.participant.individual",
    22: "Encounter.meta.security",
    25: "Encounter.priority",
    38: "Encounter.extension(encounter-modeOfArrival)",
}
IGNORED = {
    2: "accommodation; bed management",
    4: "reason of the transfer inside the hospital; bed management",
    5: "valuables of the patient",
    6: "valuables of the patient",
    7: "visit user code; no use outside the sender",
    10: "estimated length of stay; PV2-11 and the period tell the real one",
    14: "earlier service; has its own messages",
    15: "employment-related illness; told in the claim",
    16: "purge status; bookkeeping of the sender",
    17: "purge status; bookkeeping of the sender",
    18: "special programme; no use outside the sender",
    19: "retention; bookkeeping of the sender",
    21: "publicity of the visit; handled by access rights",
    23: "clinic of the visit; PV1-3 and PV1-10 name it",
    24: "patient status; user-defined without values in the standard",
    26: "earlier treatment; has its own messages",
    27: "expected discharge disposition; PV1-36 tells the real one",
    28: "signature on file; paper bookkeeping",
    29: "first similar illness; told in the claim",
    31: "recurring service; billing",
    33: "expected surgery; scheduling messages carry it",
    34: "military status; FHIR R4 has no element for it",
    35: "military status; FHIR R4 has no element for it",
    36: "newborn indicator; PID-24, PID-25 and the diagnoses tell",
    37: "baby detained indicator; bed management",
    40: "admission level of care; user-defined without a FHIR element",
    41: "precautions; ward organisation",
    42: "patient condition; user-defined without a FHIR element",
    43: "living will; no Vietnamese paper carries it",
    44: "organ donor; decided by the donor register",
    45: "advance directive; no Vietnamese paper carries it",
    46: "patient status; user-defined without values in the standard",
    47: "leave of absence; ward organisation",
    48: "pre-admission testing; scheduling messages carry it",
    49: "clergy",
    50: "advance directive; no Vietnamese paper carries it",
} | dict.fromkeys((20, 30, 32), BILLING)

_RESTRICTED = {
    "system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality",
    "code": "R",
    "display": "restricted",
}
_PARTICIPATION = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType"


@replaceable
def pv2_to_encounter(pv2: Segment, encounter: Resource, draft: Draft) -> None:
    """Add reason, planned times, length, priority and referrers to the Encounter."""
    context = draft.context
    reason = cwe_to_codeable_concept(pv2[3], context)
    described = words(pv2[12].whole)
    reasons = [reason] if reason else []
    if described and all(described != one.get("text") for one in reasons):
        reasons.append({"text": described})
    if reasons:
        encounter["reasonCode"] = reasons
    priority = cwe_to_codeable_concept(pv2[25], context, "v2-0217")
    if priority:
        encounter["priority"] = priority
    extensions: list[Element] = []
    for name, n in effect_of(draft.trigger).undone:
        if name == "PV2":
            pv2.withhold(n, UNDONE)
    for n, url in ((8, PLANNED_START), (9, PLANNED_END)):
        moment = draft.moment(pv2, n)
        if moment:
            extensions.append({"url": url, "valueDateTime": moment})
    arrival = cwe_to_coding(pv2[38], context, system=f"{V2_TABLE}0430")
    if arrival:
        extensions.append(
            {"url": "http://hl7.org/fhir/StructureDefinition/encounter-modeOfArrival", "valueCoding": arrival}
        )
    if extensions:
        encounter["extension"] = extensions
    protected = code_of(pv2[22].text).upper()
    if protected == "Y":
        encounter["meta"] = {"security": [_RESTRICTED]}
    elif protected:
        pv2.ignore(22, "the visit needs no protection")
    days = nm_to_decimal(pv2[11].text)
    if days is not None:
        encounter["length"] = quantity(days, {"unit": "d", "system": UCUM, "code": "d"})
    elif pv2.peek(11):
        pv2.give_back(11)
    for person in practitioners(pv2[13].repetitions, draft):
        entry = {"type": [concept("REF", _PARTICIPATION, "referrer")], "individual": person}
        present = encounter.setdefault("participant", [])
        if entry not in present:
            present.append(entry)
    pending = pl_to_location(pv2[1], draft)
    if pending and all(pending != entry["location"] for entry in encounter.get("location", [])):
        encounter.setdefault("location", []).append({"location": pending, "status": "planned"})

"""SPM: the specimen.

Standard: HL7 v2.5.1 §7.4.3
"""

from __future__ import annotations

from mappings import codes
from mappings.hl7v2.actors import reference
from mappings.hl7v2.datatypes import (
    Components,
    Element,
    Subcomponents,
    code_of,
    compact,
    cq_to_quantity,
    cwe_to_codeable_concept,
    ei_to_identifier,
    period,
    words,
)
from mappings.hl7v2.draft import Draft, datetime_of
from mappings.hl7v2.identifiers import cx_to_identifier
from mappings.hl7v2.reader import Segment
from mappings.hl7v2.segments import SEQUENCE
from mappings.ids import resource_id
from mappings.outcome import Resource
from mappings.systems import V2_TABLE

IGNORED = {
    1: SEQUENCE,
    3: "parent specimen; its own message told it",
    5: "type modifier; no FHIR element in R4",
    9: "site modifier; SPM-8 names the site",
    10: "collection site; SPM-8 names the body site",
    11: "role of the specimen; patient specimens only",
    13: "grouped specimen count",
    15: "handling code; logistics",
    16: "risk code; logistics",
    19: "expiry; logistics",
    22: "appropriateness; SPM-24 tells the condition",
    23: "appropriateness; SPM-24 tells the condition",
    25: "current quantity; logistics",
    26: "number of containers; logistics",
    28: "container condition; SPM-24 tells the condition",
    29: "child role; logistics",
    32: "shipment; logistics",
    33: "shipment; logistics",
    34: "shipment; logistics",
    35: "shipment; logistics",
}


def spm_to_specimen(spm: Segment, draft: Draft, order: str, count: int) -> Resource:
    """Make the Specimen; known by SPM-2, else by the order and its place there."""
    context = draft.context
    number = spm[2]
    identifiers = _numbers(number, draft)
    for cx in spm[31].repetitions:
        other = cx_to_identifier(cx, context, of="specimen")
        if other and other not in identifiers:
            identifiers.append(other)
    accession = cx_to_identifier(spm[30], context, of="accession")
    site = cwe_to_codeable_concept(spm[8], context)
    method = cwe_to_codeable_concept(spm[7], context, system=f"{V2_TABLE}0488")
    start, end = datetime_of(spm[17].c(1), context), datetime_of(spm[17].c(2), context)
    if spm.peek(17) and not start and not end:
        spm.give_back(17)
    collected: Element = {"collectedDateTime": start} if start and not end else {}
    if end:
        span = period(start, end)
        collected = {"collectedPeriod": span} if span else {}
    collection = compact(
        {**collected, "quantity": cq_to_quantity(spm[12], context), "method": method, "bodySite": site}
    )
    additives = [
        found
        for cwe in spm[6].repetitions
        if (found := cwe_to_codeable_concept(cwe, context, system=f"{V2_TABLE}0371"))
    ]
    container = compact({"type": cwe_to_codeable_concept(spm[27], context)})
    containers: list[Element] = [container] if container else []
    for additive in additives:
        if containers and "additiveCodeableConcept" not in containers[0]:
            containers[0]["additiveCodeableConcept"] = additive
        else:
            containers.append({"additiveCodeableConcept": additive})
    conditions = [
        found
        for cwe in spm[24].repetitions
        if (found := cwe_to_codeable_concept(cwe, context, system=f"{V2_TABLE}0493"))
    ]
    rejected = [
        found
        for cwe in spm[21].repetitions
        if (found := cwe_to_codeable_concept(cwe, context, system=f"{V2_TABLE}0490"))
    ]
    available = codes.table("v2-0136").target(code_of(spm[20].text).upper())
    status = {"true": "available", "false": "unavailable"}.get(available, "")
    notes = [{"text": text} for line in spm[14].repetitions if (text := words(line.whole))]
    notes += [{"text": text} for reason in rejected if (text := reason.get("text") or reason["coding"][0]["code"])]
    if identifiers:
        system, key = identifiers[0]["system"], identifiers[0]["value"]
    else:
        system, key = context.systems.local(context.facility, "specimen"), f"{order}|{count}"
    return compact(
        {
            "resourceType": "Specimen",
            "id": resource_id("Specimen", system, f"{draft.patient}|{key}"),
            "identifier": identifiers,
            "accessionIdentifier": accession,
            "status": "unsatisfactory" if rejected else status,
            "type": cwe_to_codeable_concept(spm[4], context, system=f"{V2_TABLE}0487"),
            "subject": reference(draft.patient),
            "receivedTime": draft.moment(spm, 18),
            "collection": collection,
            "container": containers,
            "condition": conditions,
            "note": notes,
        }
    )


def _numbers(eip: Components, draft: Draft) -> list[Element]:
    """Take the filler's number first (EIP.2), then the placer's (EIP.1)."""
    found = []
    for n in (2, 1):
        identifier = ei_to_identifier(Subcomponents(eip, n), draft.context, "specimen")
        if identifier and identifier not in found:
            found.append(identifier)
    return found

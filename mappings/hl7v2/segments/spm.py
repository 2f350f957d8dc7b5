"""SPM: the specimen.

Standard: HL7 v2.5.1 §7.4.3
"""

from __future__ import annotations

from mappings import codes
from mappings.hl7v2 import faults
from mappings.hl7v2.actors import reference
from mappings.hl7v2.codings import cwe_to_codeable_concept
from mappings.hl7v2.datatypes import Components, Element, Subcomponents, code_of, compact, period, words
from mappings.hl7v2.draft import Draft, datetime_of
from mappings.hl7v2.identifiers import cx_to_identifier, ei_to_identifier
from mappings.hl7v2.quantities import cq_to_quantity
from mappings.hl7v2.reader import Segment
from mappings.hl7v2.segments import SEQUENCE
from mappings.hl7v2.site import replaceable
from mappings.ids import resource_id
from mappings.outcome import Resource

MAPPED = {
    2: "Specimen.identifier",
    3: "Specimen.parent",
    4: "Specimen.type",
    6: "Specimen.container.additive",
    7: "Specimen.collection.method",
    8: "Specimen.collection.bodySite",
    12: "Specimen.collection.quantity",
    14: "Specimen.note",
    15: "Specimen.collection.extension(specimen-specialHandling)",
    16: "Specimen.collection.extension(specimen-specialHandling)",
    17: "Specimen.collection.collected",
    18: "Specimen.receivedTime",
    20: "Specimen.status",
    21: "Specimen.note",
    24: "Specimen.condition",
    25: "Specimen.container.specimenQuantity",
    27: "Specimen.container.type",
    30: "Specimen.accessionIdentifier",
    31: "Specimen.identifier",
    32: "Specimen.identifier",
}
IGNORED = {
    1: SEQUENCE,
    5: "type modifier; no FHIR element in R4",
    9: "site modifier; SPM-8 names the site",
    10: "collection site; SPM-8 names the body site",
    11: "role of the specimen; patient specimens only",
    13: "grouped specimen count",
    19: "expiry; logistics",
    22: "appropriateness; SPM-24 tells the condition",
    23: "appropriateness; SPM-24 tells the condition",
    26: "number of containers; logistics",
    28: "container condition; SPM-24 tells the condition",
    29: "child role; SPM-3 names the parent",
    33: "time of the culture; the results tell it",
    34: "time of the culture; the results tell it",
    35: "action on the segment; the message is stored whole",
}

HANDLING = "http://hl7.org/fhir/StructureDefinition/specimen-specialHandling"


@replaceable
def spm_to_specimen(spm: Segment, draft: Draft, order: str, count: int) -> Resource:
    """Make the Specimen; known by SPM-2, the placer's number first, else by the order and its place there."""
    context = draft.context
    identifiers = eip_to_identifiers(spm[2], draft)
    if spm.peek(2) and not identifiers:
        spm.give_back(2)
    for cx in spm[31].repetitions:
        other = cx_to_identifier(cx, context, of="specimen")
        if other and other not in identifiers:
            identifiers.append(other)
    if identifiers:
        known_by = placer_of(spm[2], draft) or identifiers[0]
        system, key = known_by["system"], known_by["value"]
    else:
        system, key = context.systems.local(context.facility, "specimen"), f"{order}|{count}"
    shipment = ei_to_identifier(spm[32], context, "shipment") if spm.peek(32) else None
    rejected = _coded(spm, 21, draft, "v2-0490")
    available = codes.table("v2-0136-specimen").target(code_of(spm[20].text).upper())
    notes = [{"text": text} for line in spm[14].repetitions if (text := words(line.whole))]
    notes += [{"text": text} for reason in rejected if (text := _said(reason))]
    return compact(
        {
            "resourceType": "Specimen",
            "id": resource_id("Specimen", system, f"{draft.whose}|{key}"),
            "identifier": [*identifiers, *([shipment] if shipment else [])],
            "accessionIdentifier": cx_to_identifier(spm[30], context, of="accession"),
            "status": "unsatisfactory" if rejected else available,
            "type": cwe_to_codeable_concept(spm[4], context, "v2-0487"),
            "subject": reference(draft.patient),
            "receivedTime": draft.moment(spm, 18),
            "parent": [parent for eip in spm[3].repetitions if (parent := _parent(eip, draft))],
            "collection": _collection(spm, draft),
            "container": _containers(spm, draft),
            "condition": _coded(spm, 24, draft, "v2-0493"),
            "note": notes,
        }
    )


def _collection(spm: Segment, draft: Draft) -> Element:
    context = draft.context
    start, end = datetime_of(spm[17].c(1), context), datetime_of(spm[17].c(2), context)
    if spm.peek(17) and not start and not end:
        spm.give_back(17)
        draft.notice(faults.DATE_UNREADABLE, spm.where(17))
    handling = [*_coded(spm, 15, draft, ""), *_coded(spm, 16, draft, "")]
    amount = cq_to_quantity(spm[12])
    if amount is None and spm.peek(12):
        spm.give_back(12)
    return compact(
        {
            "extension": [{"url": HANDLING, "valueCodeableConcept": one} for one in handling],
            "collectedDateTime": start if not end else "",
            "collectedPeriod": period(start, end) if end else {},
            "quantity": amount,
            "method": cwe_to_codeable_concept(spm[7], context, "v2-0488"),
            "bodySite": cwe_to_codeable_concept(spm[8], context),
        }
    )


def _containers(spm: Segment, draft: Draft) -> list[Element]:
    """Give the container with its additive; further additives stand for containers of their own."""
    first = compact(
        {
            "type": cwe_to_codeable_concept(spm[27], draft.context),
            "specimenQuantity": cq_to_quantity(spm[25]) if spm.peek(25) else {},
        }
    )
    if spm.peek(25) and "specimenQuantity" not in first:
        spm.give_back(25)
    found: list[Element] = [first] if first else []
    for additive in _coded(spm, 6, draft, "v2-0371"):
        if found and "additiveCodeableConcept" not in found[0]:
            found[0]["additiveCodeableConcept"] = additive
        else:
            found.append({"additiveCodeableConcept": additive})
    return found


def _coded(spm: Segment, n: int, draft: Draft, table: str) -> list[Element]:
    return [one for cwe in spm[n].repetitions if (one := cwe_to_codeable_concept(cwe, draft.context, table))]


def _parent(eip: Components, draft: Draft) -> Element | None:
    """Refer to the parent specimen: the resource when the message has it, else its number."""
    numbers = eip_to_identifiers(eip, draft)
    return specimen_reference(numbers, draft) if numbers else None


def specimen_reference(numbers: list[Element], draft: Draft) -> Element:
    """Refer to the Specimen of that number."""
    for number in numbers:
        key = f"{draft.whose}|{number['value']}"
        target = f"Specimen/{resource_id('Specimen', number['system'], key)}"
        if draft.has(target):
            return reference(target)
    return {"type": "Specimen", "identifier": numbers[0]}


def placer_of(eip: Components, draft: Draft) -> Element | None:
    """Give the placer's number: order and result share it."""
    return ei_to_identifier(Subcomponents(eip, 1), draft.context, "specimen")


def eip_to_identifiers(eip: Components, draft: Draft) -> list[Element]:
    """Take the filler's number first (EIP.2), then the placer's (EIP.1)."""
    found: list[Element] = []
    for n in (2, 1):
        identifier = ei_to_identifier(Subcomponents(eip, n), draft.context, "specimen")
        if identifier and identifier not in found:
            found.append(identifier)
    return found


def _said(concept: Element) -> str:
    """Give a concept in words."""
    first: Element = next(iter(concept.get("coding", [])), {})
    return str(concept.get("text") or first.get("display") or first.get("code", ""))

"""OBX: one observation, or one text of a Vietnamese paper.

Standard: HL7 v2.5.1 §7.4.2; v2.8.2 §7.4.2
"""

from __future__ import annotations

from typing import Any

from mappings import codes
from mappings.hl7v2 import faults
from mappings.hl7v2.actors import (
    cwe_to_organization,
    ei_to_device,
    practitioners,
    role_reference,
    xcn_to_practitioner,
    xon_to_organization,
)
from mappings.hl7v2.codings import concept, cwe_to_codeable_concept, v2_coding
from mappings.hl7v2.datatypes import Element, code_of, compact, words
from mappings.hl7v2.draft import Draft
from mappings.hl7v2.formatted import ft_to_xhtml, is_formatted
from mappings.hl7v2.identifiers import ei_to_identifier
from mappings.hl7v2.quantities import cwe_to_unit
from mappings.hl7v2.ranges import obx7_to_reference_ranges
from mappings.hl7v2.reader import Segment
from mappings.hl7v2.segments import SEQUENCE
from mappings.hl7v2.shared_codes import RESULTS, shared_codings, unknown_unit
from mappings.hl7v2.site import replaceable
from mappings.hl7v2.values import CODED_TYPES, is_paper_field, obx_to_value
from mappings.hl7v2.vital_signs import as_vital_sign
from mappings.ids import resource_id
from mappings.outcome import Resource
from mappings.systems import V2_TABLE

MAPPED = {
    3: "Observation.code | DiagnosticReport.presentedForm.title | DocumentReference.type"
    " | DocumentReference.content.attachment.title",
    4: "Observation.extension(observation-v2-subid)",
    5: "Observation.value | Observation.component | Observation.text | DiagnosticReport.presentedForm"
    " | DocumentReference.content | Immunization.education | Immunization.programEligibility"
    " | Immunization.fundingSource | Immunization.note | Immunization.protocolApplied | Immunization.vaccineCode",
    6: "Observation.valueQuantity.unit | Observation.valueRange | Observation.valueRatio | Observation.valueSampledData"
    " | Observation.component | Observation.referenceRange",
    7: "Observation.referenceRange",
    8: "Observation.interpretation",
    10: "Observation.extension(observation-nature-of-abnormal-test)",
    11: "Observation.status | DocumentReference.docStatus | DocumentReference.status",
    14: "Observation.effective | DiagnosticReport.presentedForm.creation | DocumentReference.content.attachment.creation",
    15: "Observation.performer",
    16: "Observation.performer | DiagnosticReport.performer | DocumentReference.author",
    17: "Observation.method",
    18: "Observation.device",
    19: "Observation.extension(observation-analysis-date-time)",
    20: "Observation.bodySite",
    21: "Observation.identifier",
    23: "Observation.performer",
    24: "Organization.address",
    25: "Observation.performer",
    29: "Observation.category",
    30: "Observation.extension(observation-structure-type)",
    31: "Observation.status",
    32: "Observation.dataAbsentReason",
    33: "Observation.specimen | Observation.extension(observation-specimen)",
}
IGNORED = {
    1: SEQUENCE,
    2: "type of the value; it steers the reading",
    9: "probability; FHIR R4 has no element for it",
    12: "date of the reference range; OBX-7 is the one in force",
    13: "access checks of the sender",
    22: "mood; results are events",
    26: "release category; handled by access rights",
    27: "root cause of a correction; OBX-11 tells that it is one",
    28: "process control of the laboratory",
    31: "action on the segment; only a deletion changes the result",
}

DOCUMENT_TYPES = frozenset({"ED", "RP"})
_ABSENT = "http://terminology.hl7.org/CodeSystem/data-absent-reason"
_WITHOUT_VALUE = {"N": ("not-asked", "Not Asked"), "X": ("error", "Error")}


def is_coded(obx: Segment) -> bool:
    """Tell whether OBX-2 says that the value is a code."""
    return code_of(obx.peek(2).text).upper() in CODED_TYPES


def is_document(obx: Segment) -> bool:
    """Tell whether the segment encloses or points to a document instead of a value."""
    return obx.peek(2).text.strip().upper() in DOCUMENT_TYPES and bool(obx.peek(5))


@replaceable
def obx_to_observation(
    obx: Segment, draft: Draft, order: str = "", effective: str = "", sub_key: str | None = None
) -> Resource | None:
    """Make the Observation; nothing when it is not said what was observed.

    `order` is what the id hangs on: the filler number, else the placer number; without an order the visit, else the patient.
    `effective` stands in for OBX-14, `sub_key` for OBX-4 where that only counts. The id does not depend on status, value or
    time, so that a preliminary result, the final one and its correction are versions of one Observation.
    """
    context = draft.context
    named = cwe_to_codeable_concept(obx[3], context)
    if named is None:
        obx.leave("it is not said what was observed")
        return None
    code = shared_codings(named, draft, obx.where(3), RESULTS)
    paper = is_paper_field(obx)
    kind = obx.peek(2).text.strip().upper()
    observed_at = draft.moment(obx, 14)
    unit = {} if paper else _unit(obx, draft)
    value = obx_to_value(obx, kind, unit, code, draft, paper)
    limits = [] if paper else obx7_to_reference_ranges(obx[7].text, unit)
    if unit and "valueString" in value and not any(len(one) > 1 for one in limits):
        obx.ignore(6, "unit beside a text value")
    elif unit and not value and not limits:
        obx.give_back(6, "the unit of no value")
    elif unit and "code" not in unit:
        unknown_unit(unit["unit"], code, draft, obx.where(6))
    sub_id = sub_id_of(obx)
    extensions = _sub_id(obx, sub_id, paper, draft)
    instance = obx.peek(21)
    key = sub_id if sub_key is None else sub_key
    observation: dict[str, Any] = {
        "resourceType": "Observation",
        "id": "",
        "extension": extensions,
        "identifier": [],
        "status": _status(obx, draft, paper),
        "category": [],
        "code": code,
        "subject": draft.refer(draft.patient),
        "encounter": draft.refer(draft.encounter) if draft.encounter else {},
        "effectiveDateTime": observed_at if paper else observed_at or effective,
        **value,
        "interpretation": _interpretation(obx, draft),
        "referenceRange": limits,
    }
    observation["id"] = _id(
        draft, code, f"{instance.whole}|{key}" if instance else key, order, "" if paper or order else observed_at
    )
    if kind == "FT" and "valueString" in value and is_formatted(obx.peek(5).raw, draft.delimiters):
        div = ft_to_xhtml(obx.peek(5).raw, draft.delimiters)
        if div:
            observation["text"] = {"status": "additional", "div": div}
    if not value:
        reason = _WITHOUT_VALUE.get(obx.peek(11).text.strip().upper())
        if reason:
            observation["dataAbsentReason"] = concept(reason[0], _ABSENT, reason[1])
    if not obx.fields.isdisjoint(_RARE):
        _rare(obx, observation, draft)
    observation = compact(observation)
    if not obx.fields.isdisjoint(_TOLD):
        for n in obx.fields & _TOLD.keys():
            if _TOLD[n] not in observation and not obx.peek(n).is_null:
                obx.give_back(n)
    if unfit := as_vital_sign(observation, context):
        draft.notice(faults.UNIT_UNFIT, obx.where(6), unfit)
    return observation


def sub_id_of(obx: Segment) -> str:
    """Give OBX-4 as one word: as it is, or group and sequence of OG. Standard: HL7 v2.8 §2.A.49"""
    sub_id = obx.peek(4)
    if not sub_id:
        return ""
    return words(sub_id.text) or ".".join(part for part in (words(sub_id.c(2)), words(sub_id.c(3))) if part)


def _sub_id(obx: Segment, sub_id: str, paper: bool, draft: Draft) -> list[Element]:
    """Keep the sub-id beside the result, unless it only counts the segments."""
    if not sub_id:
        if obx.peek(4):
            obx.give_back(4)
        return []
    if paper:
        obx.ignore(4, "tells the lines of one field")
        return []
    if sub_id == obx.peek(1).text.strip():
        obx.ignore(4, "counts the segments, as OBX-1 does")
        return []
    _ = obx[4]
    return [{"url": f"{draft.context.systems.own}/StructureDefinition/observation-v2-subid", "valueString": sub_id}]


def _status(obx: Segment, draft: Draft, paper: bool) -> str:
    status = obx[11].text.strip().upper()
    if obx.peek(31).text.strip().upper() == "D":
        _ = obx[31]
        return "entered-in-error"
    if not status:
        return "final" if paper else "unknown"
    table = codes.table("v2-0085")
    if status not in table:
        draft.notice(faults.CODE_UNKNOWN, obx.where(11))
    return table.target(status) or ("final" if paper else "unknown")


def _id(draft: Draft, code: Element, sub_key: str, order: str, observed_at: str) -> str:
    coding = code["coding"][0] if code.get("coding") else {"code": code["text"]}
    anchor = order or draft.encounter or draft.whose
    key = f"{anchor}|{coding.get('system', '')}|{coding['code']}|{sub_key}|{observed_at}"
    system = draft.context.systems.local(draft.context.facility, "observation")
    return resource_id("Observation", system, f"{key}|{draft.nth(f'Observation|{key}')}")


def _unit(obx: Segment, draft: Draft) -> Element:
    """Read OBX-6, the same words once per message."""
    field = obx[6]
    if not field:
        return {}
    written = field.raw
    known = draft.known_units.get(written)
    if known is None:
        known = draft.known_units[written] = cwe_to_unit(field)
    return known


def _interpretation(obx: Segment, draft: Draft) -> list[Element]:
    if 8 not in obx.fields:
        return []
    found = (cwe_to_codeable_concept(cwe, draft.context, "v2-0078") for cwe in obx[8].repetitions)
    told = [one for one in found if one]
    if not told:
        obx.give_back(8)
    return told


_TOLD = {7: "referenceRange", 15: "performer", 16: "performer", 17: "method", 20: "bodySite", 25: "performer"}
_RARE = frozenset({10, *range(15, 33)})


def _rare(obx: Segment, observation: dict[str, Any], draft: Draft) -> None:
    """Take what most results lack."""
    context = draft.context
    nature = cwe_to_codeable_concept(obx[10], context, system=f"{V2_TABLE}0080")
    _extend(observation, draft, "observation-nature-of-abnormal-test", "valueCodeableConcept", nature)
    _extend(observation, draft, "observation-analysis-date-time", "valueDateTime", draft.moment(obx, 19))
    structure = cwe_to_codeable_concept(obx[30], context, system=f"{V2_TABLE}0937")
    _extend(observation, draft, "observation-structure-type", "valueCodeableConcept", structure)
    method = cwe_to_codeable_concept(obx[17], context)
    if method:
        observation["method"] = method
    device = ei_to_device(obx[18], draft) if obx.peek(18) else None
    if device:
        observation["device"] = device
    elif obx.peek(18):
        obx.give_back(18)
    site = cwe_to_codeable_concept(obx[20], context)
    if site:
        observation["bodySite"] = site
    for ei in obx[21].repetitions:
        instance = ei_to_identifier(ei, context, "observation", "FILL")
        if instance:
            observation["identifier"].append(instance)
    category = code_of(obx[29].text).upper()
    if category:
        coding = v2_coding("0936", category)
        observation["category"].append({"coding": [coding]} if coding else {"text": category})
    absent = cwe_to_codeable_concept(obx[32], context, system=_ABSENT)
    if absent and not any(name.startswith("value") or name == "component" for name in observation):
        observation["dataAbsentReason"] = absent
    elif absent:
        obx.give_back(32, "a reason for no value, beside a value")
    performers = obx_to_performers(obx, draft)
    if performers:
        observation["performer"] = performers


def _extend(observation: dict[str, Any], draft: Draft, name: str, kind: str, value: Any) -> None:
    if value:
        url = f"{draft.context.systems.own}/StructureDefinition/{name}"
        observation["extension"].append({"url": url, kind: value})


def obx_to_performers(obx: Segment, draft: Draft) -> list[Element]:
    """Give who answers for the result: observer, organisation with its director, producer."""
    if obx.fields.isdisjoint(_PERFORMERS):
        return []
    found = practitioners(obx[16].repetitions, draft)
    place = xon_to_organization(obx[23], draft, address=obx[24]) if obx.peek(23) else None
    director = xcn_to_practitioner(obx[25], draft) if obx.peek(25) else None
    if place and director:
        found.append(role_reference(draft, director, place, concept("MDIR", f"{V2_TABLE}0912", "Medical Director")))
    elif place or director:
        found.append(place or director or {})
    if place is None and obx.peek(24):
        obx.give_back(24, "the address of no named organisation")
    producer = cwe_to_organization(obx[15], draft) if obx.peek(15) else None
    if producer:
        found.append(producer)
    return [performer for n, performer in enumerate(found) if performer not in found[:n]]


_PERFORMERS = frozenset({15, 16, 23, 24, 25})

"""OBR: the order and its report.

Standard: HL7 v2.5.1 §7.4.1
"""

from __future__ import annotations

from typing import Any

from mappings import codes
from mappings.hl7v2 import faults
from mappings.hl7v2.actors import ndl_to_practitioner, practitioners, reference
from mappings.hl7v2.datatypes import (
    Element,
    Subcomponents,
    code_of,
    compact,
    concept,
    cq_to_quantity,
    cwe_to_codeable_concept,
    ei_to_identifier,
    period,
    words,
    xtn_to_contact_point,
)
from mappings.hl7v2.draft import Draft, datetime_of
from mappings.hl7v2.identifiers import cx_to_identifier
from mappings.hl7v2.reader import Segment
from mappings.hl7v2.segments import BILLING, SEQUENCE
from mappings.ids import resource_id
from mappings.outcome import Resource
from mappings.systems import V2_TABLE

IGNORED = {
    1: SEQUENCE,
    12: "danger code; logistics of the specimen",
    18: "placer field; user-defined without values in the standard",
    19: "placer field; user-defined without values in the standard",
    20: "filler field; user-defined without values in the standard",
    21: "filler field; user-defined without values in the standard",
    26: "parent result; reflex orders are not linked yet",
    28: "result copies; recipients are decided by the channel",
    29: "parent order; reflex orders are not linked yet",
    30: "transport of the patient",
    36: "scheduled time; scheduling messages carry it",
    37: "number of containers; logistics of the specimen",
    38: "transport of the specimen",
    39: "collector's comment; logistics of the specimen",
    40: "transport arrangement",
    41: "transport arrangement",
    42: "transport arrangement",
    43: "transport arrangement",
    44: BILLING,
    45: BILLING,
    48: BILLING,
    49: "result handling; recipients are decided by the channel",
    50: "parent service; reflex orders are not linked yet",
    51: "observation group; reflex orders are not linked yet",
    52: "parent observation group; reflex orders are not linked yet",
    54: "parent order; reflex orders are not linked yet",
    23: BILLING,
}

_FUNCTION = "http://hl7.org/fhir/StructureDefinition/event-performerFunction"
_CALLBACK = "http://hl7.org/fhir/StructureDefinition/servicerequest-order-callback-phone-number"
_PARTICIPATION = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType"


def order_numbers(obr: Segment, orc: Segment | None, draft: Draft) -> tuple[Element | None, Element | None]:
    """Give the placer's and the filler's number, OBR before ORC."""
    found: list[Element | None] = []
    for n, of, kind in ((2, "order", "PLAC"), (3, "filler", "FILL")):
        number = ei_to_identifier(obr[n], draft.context, of, kind)
        other = ei_to_identifier(orc[n], draft.context, of, kind) if orc else None
        if orc and number and other and number["value"] != other["value"]:
            orc.ignore(n, "OBR names another number for the same order")
        found.append(number or other)
    return found[0], found[1]


def obr_to_diagnostic_report(obr: Segment, draft: Draft, numbers: tuple[Element | None, Element | None]) -> Resource:
    """Make the DiagnosticReport, still without results, specimen and notes.

    Known by the filler's number, else the placer's, together with the service; OBR without either by the message itself.
    """
    context = draft.context
    placer, filler = numbers
    code = cwe_to_codeable_concept(obr[4], context) or {"text": "không rõ"}
    section = code_of(obr[24].text)
    category = cwe_to_codeable_concept(obr[24], context, "v2-0074")
    status = code_of(obr[25].text).upper()
    if status and status not in codes.table("v2-0123"):
        draft.notice(faults.CODE_UNKNOWN, obr.where(25))
    started, ended = draft.moment(obr, 7), draft.moment(obr, 8)
    when: Element = (
        {"effectivePeriod": period(started, ended)} if started and ended else {"effectiveDateTime": started or ended}
    )
    interpreters = [
        person for n in (32, 33) for ndl in obr[n].repetitions if (person := ndl_to_practitioner(ndl, draft))
    ]
    performers = []
    for n, role, display in ((34, "SPRF", "secondary performer"), (35, "TRANS", "Transcriber")):
        for ndl in obr[n].repetitions:
            person = ndl_to_practitioner(ndl, draft)
            if person:
                function = concept(role, _PARTICIPATION, display)
                performers.append({"extension": [{"url": _FUNCTION, "valueCodeableConcept": function}], **person})
    report: dict[str, Any] = {
        "resourceType": "DiagnosticReport",
        "id": _id(obr, draft, code, filler or placer),
        "identifier": [number for number in numbers if number],
        "status": codes.table("v2-0123").target(status),
        "category": [category] if category else [],
        "code": code,
        "subject": reference(draft.patient),
        "encounter": reference(draft.encounter) if draft.encounter else {},
        **when,
        "issued": _instant(obr, draft),
        "performer": performers,
        "resultsInterpreter": interpreters,
    }
    if section and not category:
        obr.give_back(24)
    return compact(report)


def _id(obr: Segment, draft: Draft, code: Element, number: Element | None) -> str:
    coding = code["coding"][0] if code.get("coding") else {"code": code["text"]}
    if number:
        system, key = number["system"], f"{number['value']}|{coding.get('system', '')}|{coding['code']}"
    else:
        system, key = draft.context.systems.local(draft.context.facility, "report"), draft.own_key(obr)
    count = draft.nth(f"DiagnosticReport|{system}|{key}")
    return resource_id("DiagnosticReport", system, key if count == 1 else f"{key}|{count}")


def _instant(obr: Segment, draft: Draft) -> str:
    """Take OBR-22 as FHIR instant, which needs a time of day; a bare date is not enough and stays in the ledger."""
    moment = draft.moment(obr, 22)
    if moment and "T" not in moment:
        obr.ignore(22, "issue date without a time of day; FHIR wants an instant")
        return ""
    return moment


def observation_category(obr: Segment, draft: Draft) -> list[Element]:
    """Give the category of the observations of this order, from the section OBR-24."""
    row = codes.table("v2-0074-observation").find(code_of(obr.peek(24).text).upper())
    return [{"coding": [row.coding()]}] if row else []


def obr_to_service_request(
    obr: Segment, draft: Draft, numbers: tuple[Element | None, Element | None], ordered: Element, timing: Element
) -> Resource | None:
    """Make the ServiceRequest; nothing when the order has no number.

    `ordered` is what ORC knows, `timing` what TQ1 knows.
    """
    context = draft.context
    placer, filler = numbers
    people = practitioners(obr[16].repetitions, draft)
    callback = xtn_to_contact_point(obr[17], context)
    reasons = [found for cwe in obr[31].repetitions if (found := cwe_to_codeable_concept(cwe, context))]
    details = [
        found for n in (46, 47) for cwe in obr[n].repetitions if (found := cwe_to_codeable_concept(cwe, context))
    ]
    history = [words(cwe.c(2)) or words(cwe.c(1)) for cwe in obr[13].repetitions]
    notes = [{"text": text} for text in history if text] + list(timing.get("note", []))
    requested = draft.moment(obr, 6)
    timed = obr[27]
    urgency = codes.table("v2-0485").target(code_of(obr[5].text).upper() or code_of(timed.c(6)).upper())
    start = datetime_of(timed.c(4), context) if timed.c(4) else ""
    alternates = [found for cx in obr[53].repetitions if (found := cx_to_identifier(cx, context, of="order"))]
    number = placer or filler
    if number is None:
        return None
    extensions = list(ordered.get("extension", []))
    if callback and not any(extension["url"] == _CALLBACK for extension in extensions):
        extensions.append({"url": _CALLBACK, "valueContactPoint": callback})
    occurrence = timing.get("occurrencePeriod")
    reflex = code_of(obr[11].text).upper() == "G"
    return compact(
        {
            "resourceType": "ServiceRequest",
            "id": resource_id("ServiceRequest", number["system"], number["value"]),
            **ordered,
            "extension": extensions,
            "identifier": [found for found in (*numbers, *alternates) if found],
            "status": ordered.get("status")
            or ("completed" if code_of(obr.peek(25).text).upper() in ("F", "C") else "active"),
            "intent": "reflex-order" if reflex else "order",
            "priority": timing.get("priority") or urgency or ordered.get("priority"),
            "code": cwe_to_codeable_concept(obr[4], context),
            "orderDetail": details,
            "subject": reference(draft.patient),
            "encounter": reference(draft.encounter) if draft.encounter else {},
            "occurrenceDateTime": "" if occurrence else (requested or start or ordered.get("occurrenceDateTime")),
            "occurrencePeriod": occurrence,
            "requester": (people[0] if people else None) or ordered.get("requester"),
            "reasonCode": reasons,
            "note": notes,
        }
    )


def obr_to_specimen(obr: Segment, draft: Draft, order: str) -> Resource | None:
    """Make the Specimen of OBR-15 and OBR-14, as versions before SPM tell it; nothing when neither says anything."""
    context = draft.context
    source = obr[15]
    kind = cwe_to_codeable_concept(Subcomponents(source, 1), context, system=f"{V2_TABLE}0070")
    received = draft.moment(obr, 14)
    site = cwe_to_codeable_concept(Subcomponents(source, 4), context)
    volume = cq_to_quantity(obr[9], context)
    collectors = practitioners(obr[10].repetitions[:1], draft)
    described = words(source.c(3))
    if kind is None and not received and volume is None and not collectors and site is None:
        return None
    collected = datetime_of(obr.peek(7).text, context) if obr.peek(7) else ""
    collection = compact(
        {
            "collector": collectors[0] if collectors else {},
            "collectedDateTime": collected,
            "quantity": volume,
            "bodySite": site,
        }
    )
    return compact(
        {
            "resourceType": "Specimen",
            "id": resource_id(
                "Specimen", context.systems.local(context.facility, "specimen"), f"{draft.patient}|{order}"
            ),
            "type": kind,
            "subject": reference(draft.patient),
            "receivedTime": received,
            "collection": collection,
            "note": [{"text": described}] if described else [],
        }
    )


def obr_completes_specimen(obr: Segment, draft: Draft, specimen: dict[str, Any]) -> None:
    """Add the collector and the time of receipt to a Specimen that SPM made; the rest SPM tells better."""
    collectors = practitioners(obr[10].repetitions[:1], draft)
    if collectors:
        specimen.setdefault("collection", {}).setdefault("collector", collectors[0])
    received = draft.moment(obr, 14)
    if received:
        specimen.setdefault("receivedTime", received)
    for n in (9, 15):
        if obr.peek(n):
            obr.ignore(n, "SPM tells about the specimen")

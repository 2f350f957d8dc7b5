"""OBR: the order, its report, and the specimen as versions before SPM tell of it.

Standard: HL7 v2.5.1 §7.4.1; v2.8.2 §7.4.1
"""

from __future__ import annotations

from typing import Any

from mappings import codes
from mappings.fhir.shared import Shared
from mappings.hl7v2 import faults
from mappings.hl7v2.actors import ndl_to_practitioner, practitioners, reference
from mappings.hl7v2.addresses import xtn_to_contact_point
from mappings.hl7v2.codings import concept, cwe_to_codeable_concept
from mappings.hl7v2.datatypes import Element, Subcomponents, code_of, compact, period, words
from mappings.hl7v2.draft import Draft
from mappings.hl7v2.identifiers import cx_to_identifier, ei_to_identifier
from mappings.hl7v2.quantities import cq_to_quantity
from mappings.hl7v2.reader import Segment
from mappings.hl7v2.segments import BILLING, SEQUENCE
from mappings.hl7v2.segments.orc import CALLBACK
from mappings.hl7v2.shared_codes import SERVICES, shared_codings
from mappings.hl7v2.site import replaceable
from mappings.hl7v2.timing import tq_to_request
from mappings.ids import resource_id
from mappings.outcome import Resource
from mappings.systems import V2_TABLE

MAPPED = {
    2: "ServiceRequest.identifier | DiagnosticReport.identifier",
    3: "ServiceRequest.identifier | DiagnosticReport.identifier",
    4: "DiagnosticReport.code | ServiceRequest.code",
    5: "ServiceRequest.priority",
    6: "ServiceRequest.occurrence | ServiceRequest.authoredOn",
    7: "DiagnosticReport.effective | Specimen.collection.collected",
    8: "DiagnosticReport.effective | Specimen.collection.collected",
    9: "Specimen.collection.quantity",
    10: "Specimen.collection.collector",
    11: "ServiceRequest.intent",
    12: "Specimen.collection.extension(specimen-specialHandling)",
    13: "ServiceRequest.note | Specimen.collection.fastingStatus",
    14: "Specimen.receivedTime",
    15: "Specimen.type | Specimen.note | Specimen.collection | Specimen.condition | Specimen.container",
    16: "ServiceRequest.requester",
    17: "ServiceRequest.extension(servicerequest-order-callback-phone-number)",
    18: "ServiceRequest.identifier",
    22: "DiagnosticReport.issued",
    24: "DiagnosticReport.category | ServiceRequest.category",
    25: "DiagnosticReport.status | ServiceRequest.status",
    26: "Observation.derivedFrom | ServiceRequest.supportingInfo",
    27: "ServiceRequest.occurrence | ServiceRequest.priority | ServiceRequest.quantityQuantity | ServiceRequest.note"
    " | ServiceRequest.asNeeded",
    28: "ServiceRequest.extension(result-copy-to)",
    29: "ServiceRequest.basedOn",
    31: "ServiceRequest.reasonCode",
    32: "DiagnosticReport.resultsInterpreter | ServiceRequest.performer",
    33: "DiagnosticReport.resultsInterpreter | ServiceRequest.performer",
    34: "DiagnosticReport.performer | ServiceRequest.performer",
    35: "DiagnosticReport.performer | ServiceRequest.performer",
    36: "ServiceRequest.occurrence",
    39: "Specimen.note",
    43: "ServiceRequest.note",
    44: "ServiceRequest.orderDetail",
    45: "ServiceRequest.orderDetail",
    46: "ServiceRequest.orderDetail",
    47: "ServiceRequest.orderDetail",
    49: "ServiceRequest.extension(result-handling)",
    50: "ServiceRequest.basedOn.display",
    51: "DiagnosticReport.identifier | ServiceRequest.identifier",
    53: "ServiceRequest.identifier",
    54: "ServiceRequest.basedOn",
}
IGNORED = {
    1: SEQUENCE,
    18: "placer field; user-defined without values in the standard",
    19: "placer field; user-defined without values in the standard",
    20: "filler field; user-defined without values in the standard",
    21: "filler field; user-defined without values in the standard",
    23: BILLING,
    30: "transport of the patient",
    37: "number of containers; logistics",
    38: "transport of the specimen",
    40: "transport arrangement",
    41: "transport arrangement",
    42: "transport arrangement",
    48: BILLING,
    52: "group of the parent's results; the parent order is OBR-29 or OBR-54",
}

_FUNCTION = "http://hl7.org/fhir/StructureDefinition/event-performerFunction"
_HANDLING = "http://hl7.org/fhir/StructureDefinition/specimen-specialHandling"
_PARTICIPATION = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType"
_IMAGING = frozenset({"RAD", "RX", "CT", "CTH", "NMR", "NMS", "RUS", "VUS", "OUS", "CUS", "XRC"})
"""Sections whose orders carry the accession number in OBR-18. Standard: IHE RAD TF-2 §4.4"""

Numbers = tuple[Element | None, Element | None]


def order_numbers(obr: Segment | None, orc: Segment | None, draft: Draft) -> Numbers:
    """Give the placer's and the filler's number, OBR before ORC."""
    found: list[Element | None] = []
    for n, of, kind in ((2, "order", "PLAC"), (3, "filler", "FILL")):
        number = ei_to_identifier(obr[n], draft.context, of, kind) if obr else None
        other = ei_to_identifier(orc[n], draft.context, of, kind) if orc else None
        if orc and number and other and number["value"] != other["value"]:
            orc.ignore(n, "OBR names another number for the same order")
        found.append(number or other)
    return found[0], found[1]


def service_of(obr: Segment, draft: Draft) -> Element | None:
    """Give what was ordered, with its shared code where the site's table has one."""
    code = cwe_to_codeable_concept(obr[4], draft.context)
    return code and shared_codings(code, draft, obr.where(4), SERVICES)


@replaceable
def obr_to_diagnostic_report(obr: Segment, draft: Draft, numbers: Numbers) -> Resource:
    """Make the DiagnosticReport, still without results, specimen and notes.

    Known by the filler's number, else the placer's, together with the service; without either by patient, service and the time
    of the observation; without that by the message itself.
    """
    placer, filler = numbers
    code = service_of(obr, draft) or {"text": "không rõ"}
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
    group = ei_to_identifier(obr[51], draft.context, "observation-group") if obr.peek(51) else None
    report: dict[str, Any] = {
        "resourceType": "DiagnosticReport",
        "id": _id(obr, draft, code, filler or placer, started),
        "identifier": [number for number in (*numbers, group) if number],
        "status": codes.table("v2-0123").target(status),
        "category": section_of(obr, draft),
        "code": code,
        "subject": reference(draft.patient),
        "encounter": reference(draft.encounter) if draft.encounter else {},
        **when,
        "issued": _instant(obr, draft),
        "performer": _performers(obr, draft),
        "resultsInterpreter": interpreters,
    }
    return compact(report)


def section_of(obr: Segment, draft: Draft) -> list[Element]:
    """Give the category of OBR-24."""
    category = cwe_to_codeable_concept(obr[24], draft.context, "v2-0074")
    if obr.peek(24) and not category:
        obr.give_back(24)
    return [category] if category else []


def _performers(obr: Segment, draft: Draft) -> list[Element]:
    found = []
    for n, role, display in ((34, "SPRF", "secondary performer"), (35, "TRANS", "Transcriber")):
        for ndl in obr[n].repetitions:
            person = ndl_to_practitioner(ndl, draft)
            if person:
                function = concept(role, _PARTICIPATION, display)
                found.append({"extension": [{"url": _FUNCTION, "valueCodeableConcept": function}], **person})
    return found


def _id(obr: Segment, draft: Draft, code: Element, number: Element | None, started: str) -> str:
    coding = code["coding"][0] if code.get("coding") else {"code": code["text"]}
    service = f"{coding.get('system', '')}|{coding['code']}"
    local = draft.context.systems.local(draft.context.facility, "report")
    if number:
        system, key = number["system"], f"{number['value']}|{service}"
    elif "T" in started:
        system, key = local, f"{draft.whose}|{service}|{started}"
    else:
        system, key = local, draft.own_key(obr)
    count = draft.nth(f"DiagnosticReport|{system}|{key}")
    return resource_id("DiagnosticReport", system, key if count == 1 else f"{key}|{count}")


def _instant(obr: Segment, draft: Draft) -> str:
    """Take OBR-22 as FHIR instant, which needs a time of day; a bare date is not enough and stays in the ledger."""
    moment = draft.moment(obr, 22)
    if moment and "T" not in moment:
        obr.ignore(22, "issue date without a time of day; FHIR wants an instant")
        return ""
    return moment


def observation_category(obr: Segment) -> list[Element]:
    """Give the category of the observations of this order, from the section OBR-24."""
    row = codes.table("v2-0074-observation").find(code_of(obr.peek(24).text).upper())
    return [Shared({"coding": [row.coding()]})] if row else []


@replaceable
def obr_to_service_request(obr: Segment, draft: Draft) -> dict[str, Any]:
    """Give what OBR knows of the ServiceRequest, its code apart."""
    context = draft.context
    people = practitioners(obr[16].repetitions, draft)
    urgency = codes.table("v2-0485").target(code_of(obr[5].text).upper())
    if obr.peek(5) and not urgency:
        obr.give_back(5, "not a priority of table 0485")
    found: dict[str, Any] = {
        "priority": urgency,
        "occurrenceDateTime": draft.moment(obr, 6),
        "requester": people[0] if people else {},
    }
    intent = code_of(obr[11].text).upper()
    if intent:
        found["intent"] = "reflex-order" if intent == "G" else "order"
    if obr.peek(27):
        timing = tq_to_request(obr[27].repetitions, context)
        found |= {name: value for name, value in timing.items() if not found.get(name)}
        if not timing:
            obr.give_back(27)
    if not obr.fields.isdisjoint(_RARE):
        _rare(obr, found, draft)
    return compact(found)


_RARE = frozenset({13, 17, 18, 28, 31, 36, 43, 44, 45, 46, 47, 49, 53})


def _rare(obr: Segment, found: dict[str, Any], draft: Draft) -> None:
    context = draft.context
    own = f"{context.systems.own}/StructureDefinition"
    extensions: list[Element] = []
    for xtn in obr[17].repetitions:
        callback = xtn_to_contact_point(xtn, context)
        if callback:
            extensions.append({"url": f"{own}/{CALLBACK}", "valueContactPoint": callback})
    for person in practitioners(obr[28].repetitions, draft):
        extensions.append({"url": f"{own}/result-copy-to", "valueReference": person})
    handling = cwe_to_codeable_concept(obr[49], context, "v2-0507")
    if handling:
        extensions.append({"url": f"{own}/result-handling", "valueCodeableConcept": handling})
    found["extension"] = extensions
    found["reasonCode"] = [one for cwe in obr[31].repetitions if (one := cwe_to_codeable_concept(cwe, context))]
    found["orderDetail"] = [
        one for n in (44, 45, 46, 47) for cwe in obr[n].repetitions if (one := cwe_to_codeable_concept(cwe, context))
    ]
    said = [words(cwe.c(2)) or words(cwe.c(1)) for cwe in obr[13].repetitions]
    said += [words(cwe.c(2)) or words(cwe.c(1)) for cwe in obr[43].repetitions]
    notes: list[Element] = [{"text": text} for text in said if text]
    found["note"] = [*notes, *found.get("note", [])]
    for n in (13, 43):
        if obr.peek(n) and not any(cwe.c(1).strip() or cwe.c(2).strip() for cwe in obr.peek(n).repetitions):
            obr.give_back(n)
    scheduled = draft.moment(obr, 36)
    if scheduled and not any(found.get(f"occurrence{kind}") for kind in ("DateTime", "Period", "Timing")):
        found["occurrenceDateTime"] = scheduled
    elif scheduled:
        obr.ignore(36, "the order tells another time")
    numbers = [cx_to_identifier(cx, context, of="order") for cx in obr[53].repetitions]
    found["identifier"] = [{**number, "type": _kind("PLAC")} for number in numbers if number]
    if words(obr.peek(18).text) and code_of(obr.peek(24).text).upper() in _IMAGING:
        system = context.systems.local(context.facility, "accession")
        found["identifier"].append({"type": _kind("ACSN"), "system": system, "value": words(obr[18].text)})


def _kind(code: str) -> Element:
    row = codes.table("v2-0203").find(code)
    return {"coding": [row.coding()]} if row else {"text": code}


def fasting_status(code: str, system: str) -> Element | None:
    """Give the fasting status of a repetition of OBR-13, when it is a code of table 0916."""
    row = codes.table("v2-0916").find(code_of(code).upper())
    return {"coding": [row.coding()]} if row and system.strip().upper() in ("", "HL70916", "0916") else None


# ---- the specimen, when no SPM tells of it ----

_SPECIMEN = frozenset({9, 10, 12, 14, 15, 39})


def obr_to_specimen(obr: Segment, draft: Draft, order: str) -> Resource | None:
    """Make the Specimen of OBR-15 and OBR-14, as versions before SPM tell it; nothing when neither says anything."""
    if obr.fields.isdisjoint(_SPECIMEN):
        return None
    context = draft.context
    started, ended = draft.moment(obr, 7), draft.moment(obr, 8)
    span = period(started, ended) if started and ended else {}
    specimen: dict[str, Any] = sps_to_specimen(obr, 15, draft)
    collection = {
        "collectedDateTime": "" if span else started,
        "collectedPeriod": span,
        **specimen.pop("collection", {}),
        "quantity": cq_to_quantity(obr[9]),
    }
    if not specimen and not obr.peek(14) and obr.fields.isdisjoint({9, 10, 12, 39}):
        return None
    specimen = {
        "resourceType": "Specimen",
        "id": resource_id("Specimen", context.systems.local(context.facility, "specimen"), f"{draft.whose}|{order}"),
        **specimen,
        "subject": reference(draft.patient),
        "collection": compact(collection),
    }
    _completed(obr, draft, specimen)
    return compact(specimen)


def sps_to_specimen(segment: Segment, n: int, draft: Draft) -> dict[str, Any]:
    """Give what SPS tells of a Specimen: type, additives, text, site, collection method.

    Standard: HL7 v2.5.1 §2.A.72
    """
    source = segment[n]
    if not source:
        return {}
    context = draft.context
    described = [words(source.c(part)) for part in (3, 6)]
    container = cwe_to_codeable_concept(Subcomponents(source, 2), context, system=f"{V2_TABLE}0371")
    site = cwe_to_codeable_concept(Subcomponents(source, 4), context)
    told = compact(
        {
            "type": cwe_to_codeable_concept(Subcomponents(source, 1), context, system=f"{V2_TABLE}0070"),
            "container": [{"additiveCodeableConcept": container}] if container else [],
            "note": [{"text": text} for text in described if text],
            "collection": {"bodySite": site} if site else {},
        }
    )
    if not told:
        segment.give_back(n)
    return told


def obr_times_specimen(obr: Segment, draft: Draft, specimen: dict[str, Any]) -> None:
    """Take OBR-7 and OBR-8 of an order as the time its specimen was taken, where nothing else tells it."""
    collection = specimen.get("collection", {})
    started, ended = draft.moment(obr, 7), draft.moment(obr, 8)
    if not specimen:
        for n in (7, 8):
            if obr.peek(n):
                obr.ignore(n, "time of an observation that is still to come")
    elif "collectedDateTime" not in collection and "collectedPeriod" not in collection:
        span = period(started, ended) if started and ended else {}
        told = {"collectedPeriod": span} if span else compact({"collectedDateTime": started or ended})
        if told:
            specimen["collection"] = {**collection, **told}


def obr_completes_specimen(obr: Segment, draft: Draft, specimen: dict[str, Any]) -> None:
    """Add to a Specimen that SPM made what only OBR says of it; the rest SPM tells better."""
    _completed(obr, draft, specimen)
    for n in (9, 15):
        if obr.peek(n):
            obr.ignore(n, "SPM tells about the specimen")


def _completed(obr: Segment, draft: Draft, specimen: dict[str, Any]) -> None:
    """Take collector, time of receipt, danger, comment and fasting."""
    if obr.fields.isdisjoint({10, 12, 13, 14, 39}):
        return
    context = draft.context
    collection = specimen.setdefault("collection", {})
    collectors = practitioners(obr[10].repetitions[:1], draft)
    if collectors:
        collection.setdefault("collector", collectors[0])
    danger = cwe_to_codeable_concept(obr[12], context)
    if danger:
        collection.setdefault("extension", []).append({"url": _HANDLING, "valueCodeableConcept": danger})
    elif obr.peek(12):
        obr.give_back(12)
    for cwe in obr.peek(13).repetitions:
        fasting = fasting_status(cwe.c(1), cwe.c(3))
        if fasting:
            _ = obr[13]
            collection.setdefault("fastingStatusCodeableConcept", fasting)
    received = draft.moment(obr, 14)
    if received:
        specimen.setdefault("receivedTime", received)
    for cwe in obr[39].repetitions:
        text = words(cwe.c(2)) or words(cwe.c(1))
        if text:
            specimen.setdefault("note", []).append({"text": text})
    if not collection:
        del specimen["collection"]

"""What a study knows of its order and its visit: ServiceRequest and Encounter, by the ids of HL7 v2.

A header knows numbers and a few words of an order; that it is one, and how far it got, FHIR demands and is assumed. An
order is known by the placer's number, else the filler's; by the accession number alone only when the caller knows no
order that has it.

Standard: DICOM PS3.3 §C.4.11, §C.4.12, §C.7.2.1; IHE RAD TF-2 §4.4
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mappings.dicom.attributes import Attributes, item, items, text, whole
from mappings.dicom.codings import PARTS, concepts, unique
from mappings.dicom.draft import Draft, reference
from mappings.dicom.patient import Number
from mappings.dicom.people import people
from mappings.formats.identifiers import Kind, classify
from mappings.hl7v2.datatypes import Element, compact
from mappings.hl7v2.identifiers import cx_to_identifier, ei_to_identifier
from mappings.ids import resource_id
from mappings.outcome import Resource
from mappings.systems import V3_ACT_CODE

ACCESSION = "00080050"
_ACCESSION_ISSUER = "00080051"
_PLACER, _FILLER, _PROCEDURE, _STEP = "00402016", "00402017", "00401001", "00400009"
_PLACER_ISSUER, _FILLER_ISSUER = "00400026", "00400027"
REQUESTS = ("00400275", "0040A370")
"""RequestAttributesSequence of images, ReferencedRequestSequence of documents."""
_REQUEST = "ServiceRequest"
_NUMBERS = {
    ACCESSION: "ImagingStudy.identifier | DiagnosticReport.identifier",
    _PLACER: "ServiceRequest.identifier",
    _FILLER: "ServiceRequest.identifier",
    _PROCEDURE: "ServiceRequest.identifier",
    _STEP: "ServiceRequest.identifier",
    "00321060": "ServiceRequest.code | ImagingStudy.procedureCode",
    "00400007": "ServiceRequest.orderDetail",
    "00401002": "ServiceRequest.reasonCode | ImagingStudy.reasonCode",
    "00401400": "ServiceRequest.note",
    "00402400": "ServiceRequest.note",
}
_ISSUERS = {
    f"{sequence}/{tag}": target
    for sequence, target in (
        (_ACCESSION_ISSUER, "ImagingStudy.identifier.system"),
        (_PLACER_ISSUER, "ServiceRequest.identifier.system"),
        (_FILLER_ISSUER, "ServiceRequest.identifier.system"),
    )
    for tag in ("00400031", "00400032", "00400033")
}
_HERE = _NUMBERS | _ISSUERS
MAPPED = (
    _HERE
    | {f"{sequence}/{tag}": target for sequence in REQUESTS for tag, target in _HERE.items()}
    | {
        "00321032": "ServiceRequest.requester",
        "00380010": "Encounter.identifier",
        "00380011": "Encounter.identifier.system",
        "00380014/00400031": "Encounter.identifier.system",
        "00380014/00400032": "Encounter.identifier.system",
        "00380014/00400033": "Encounter.identifier.system",
    }
)
_CODED = {
    "00321064": "ServiceRequest.code | ImagingStudy.procedureCode",
    "00400008": "ServiceRequest.orderDetail",
    "0040100A": "ServiceRequest.reasonCode | ImagingStudy.reasonCode",
}
CODED = (
    _CODED
    | {f"{sequence}/{tag}": target for sequence in REQUESTS for tag, target in _CODED.items()}
    | {"00321031/00401101": "ServiceRequest.requester"}
)
IGNORED = {
    "00321033": "department that ordered; the order names it",
    "00380016": "how the person came to the hospital; the visit tells it",
    "00380020": "day of admission; the visit tells it",
    "00380021": "time of admission; the visit tells it",
    "00380300": "where the person was at the time; the visit tells it",
    "00380060": "number of an episode beside the visit",
    "0032000A": "status of the study at the device; it is available",
    "00401003": "urgency as the device knew it; the order tells it",
    "00401004": "transport of the person",
    "00402004": "day the order was entered; the order tells it",
    "00402005": "time the order was entered; the order tells it",
    "0040A370/0020000D": "the study itself",
}
BELOW = {
    "0040A370/00081110": "the study itself",
    "00400275/00081110": "the study itself",
    "00321034": "department that ordered; the order names it",
    "00380064": "who numbers the episodes",
}


def sources(draft: Draft) -> Iterator[Attributes]:
    """Give the data sets that speak of the order: those of the objects, then the items of their request sequences."""
    seen: set[int] = set()
    for tag in (ACCESSION, _PLACER, _FILLER, _PROCEDURE, "00321060", "00321064", "00321032"):
        holder = draft.first(tag)
        if holder and id(holder) not in seen:
            seen.add(id(holder))
            yield holder
    for sequence in REQUESTS:
        for holder in draft.holders(sequence):
            for one in items(holder, sequence):
                if id(one) not in seen:
                    seen.add(id(one))
                    yield one


def accession(attributes: Attributes, draft: Draft) -> Element | None:
    """Make the Identifier of an accession number, as IPC-1 of HL7 v2 gives it."""
    issuer = item(attributes, _ACCESSION_ISSUER)
    return _number(attributes, ACCESSION, issuer, "accession", "ACSN", draft)


def take_request(draft: Draft, study: Resource) -> None:
    """Make the ServiceRequest and the Encounter of a study, as far as it knows them, and let the study refer to them."""
    context = draft.context
    told = list(sources(draft))
    accessions = unique([one for attributes in told if (one := accession(attributes, draft))])
    study["identifier"] += [one for one in accessions if one not in study["identifier"]]
    if not draft.is_known:
        draft.assume(draft.study, "subject")
        study["basedOn"] = [{"type": _REQUEST, "identifier": one} for one in accessions[:1]]
        _leave(draft, "of nobody with a number")
        return
    take_visit(draft)
    if draft.encounter:
        study["encounter"] = reference(draft.encounter)
    known = next((context.requests[one["value"]] for one in accessions if one["value"] in context.requests), "")
    request = _request(draft, told, accessions)
    numbers = [*request.pop("placers"), *request.pop("fillers"), *accessions]
    if not numbers and not known:
        _leave(draft, "of an order without a number")
        return
    key = resource_id(_REQUEST, numbers[0]["system"], numbers[0]["value"]) if not known else known.partition("/")[2]
    request["id"] = key
    draft.assume(f"{_REQUEST}/{key}", "status", "intent")
    draft.request = draft.add(compact(request))
    study["basedOn"] = [reference(draft.request)]


def _request(draft: Draft, told: list[Attributes], accessions: list[Element]) -> dict[str, Any]:
    context = draft.context
    placers = [one for a in told if (one := _number(a, _PLACER, item(a, _PLACER_ISSUER), "order", "PLAC", draft))]
    fillers = [one for a in told if (one := _number(a, _FILLER, item(a, _FILLER_ISSUER), "filler", "FILL", draft))]
    further = [
        one
        for a in told
        for tag, of in ((_PROCEDURE, "requested-procedure"), (_STEP, "scheduled-step"))
        if (one := _number(a, tag, {}, of, "", draft))
    ]
    services = [one for a in told for one in concepts(a, "00321064", context)]
    described = [{"text": said} for a in told if (said := text(a, "00321060"))]
    service = {**described[0], **services[0]} if services and described else next(iter([*services, *described]), {})
    details = [one for a in told for one in concepts(a, "00400008", context)]
    details += [
        {"text": said} for a in told if (said := text(a, "00400007")) and all(d.get("text") != said for d in details)
    ]
    notes = [said for a in told for tag in ("00401400", "00402400") if (said := whole(a, tag))]
    requesters = [one for a in told for one in people(a, "00321032", "00321031", draft)]
    placers, fillers = unique(placers), unique(fillers)
    return {
        "resourceType": _REQUEST,
        "id": "",
        "placers": placers,
        "fillers": fillers,
        "identifier": unique([*placers, *fillers, *accessions, *further]),
        "status": "completed",
        "intent": "order",
        "code": service,
        "orderDetail": unique(details),
        "subject": draft.subject,
        "encounter": reference(draft.encounter) if draft.encounter else {},
        "requester": next(iter(requesters), {}),
        "reasonCode": reasons(draft, told),
        "note": [{"text": one} for one in dict.fromkeys(notes)],
    }


def reasons(draft: Draft, told: list[Attributes]) -> list[Element]:
    """Give why the study was asked for."""
    coded = [one for a in told for one in concepts(a, "0040100A", draft.context)]
    written = [{"text": one} for a in told if (one := text(a, "00401002"))]
    return unique([*coded, *(one for one in written if all(c.get("text") != one["text"] for c in coded))])


def _leave(draft: Draft, reason: str) -> None:
    """Say why what is told of an order and a visit is not kept."""
    coded = {f"{path}/{part}": target for path, target in CODED.items() for part in PARTS}
    for path, target in (MAPPED | coded).items():
        if target.startswith((_REQUEST, "Encounter")) and "ImagingStudy" not in target:
            draft.left[path] = reason


def take_visit(draft: Draft) -> None:
    """Make the Encounter of AdmissionID, as PV1-19 of HL7 v2 makes it."""
    attributes = draft.first("00380010")
    issuer = item(attributes, "00380014")
    number = Number(
        draft.said("00380010"),
        text(issuer, "00400031") or text(attributes, "00380011"),
        text(issuer, "00400032"),
        text(issuer, "00400033"),
    )
    identifier = cx_to_identifier(number, draft.context, of="visit") if number else None
    if identifier is None:
        return
    identity = resource_id("Encounter", identifier["system"], identifier["value"])
    draft.assume(f"Encounter/{identity}", "status", "class")
    draft.encounter = draft.add(
        {
            "resourceType": "Encounter",
            "id": identity,
            "identifier": [identifier],
            "status": "unknown",
            "class": {"system": V3_ACT_CODE, "code": "IMP", "display": "inpatient encounter"},
            "subject": draft.subject,
        }
    )


def _number(attributes: Attributes, tag: str, issuer: Attributes, of: str, kind: str, draft: Draft) -> Element | None:
    value = text(attributes, tag)
    if not value or classify(value) is Kind.PLACEHOLDER:
        return None
    return ei_to_identifier(_Ei(value, issuer), draft.context, of, kind)


class _Ei(Number):
    """A number with its issuer as EI of HL7 v2 has it."""

    def __init__(self, value: str, issuer: Attributes) -> None:
        super().__init__(value)
        self._ei = {1: value, 2: text(issuer, "00400031"), 3: text(issuer, "00400032"), 4: text(issuer, "00400033")}

    def c(self, n: int, s: int = 1) -> str:
        """Give a component."""
        return self._ei.get(n, "") if s == 1 else ""

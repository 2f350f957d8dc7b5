"""One study, from the headers of its objects, to FHIR: ImagingStudy, whose it is, what was asked for, and its
documents.

Requirement: S1.4, S3.2
"""

from __future__ import annotations

from typing import Any

from mappings.dicom import documents, equipment, faults, patient, request, series, sr
from mappings.dicom.attributes import Attributes, text, texts, whole
from mappings.dicom.body import Entry, split
from mappings.dicom.codings import concepts, unique
from mappings.dicom.context import Context
from mappings.dicom.coverage import Tables, account
from mappings.dicom.draft import UID, Draft, reference, uid_identifier
from mappings.dicom.header import STUDY
from mappings.dicom.people import people
from mappings.fhir import require_valid
from mappings.hl7v2.datatypes import Element, compact
from mappings.ids import resource_id
from mappings.outcome import Outcome, Resource

TRIGGER = "DICOM^STUDY"
"""What the arrival of a study is called where rules speak of messages."""
_REFERRER, _READERS = ("00080090", "00080096"), ("00081060", "00081062")
_PLACE = ("00080080", "00081040")
MAPPED = {
    STUDY: "ImagingStudy.identifier",
    "00200010": "ImagingStudy.identifier",
    "00080020": "ImagingStudy.started",
    "00080030": "ImagingStudy.started",
    "00081030": "ImagingStudy.description",
    "00081080": "ImagingStudy.reasonCode",
    "00321030": "ImagingStudy.reasonCode",
    "001021B0": "ImagingStudy.note",
    "00324000": "ImagingStudy.note",
    "00400254": "ImagingStudy.procedureCode",
    _REFERRER[0]: "ImagingStudy.referrer",
    _READERS[0]: "ImagingStudy.interpreter",
    _PLACE[0]: "ImagingStudy.location",
    _PLACE[1]: "ImagingStudy.location",
}
CODED = {
    "00081032": "ImagingStudy.procedureCode",
    "00081084": "ImagingStudy.reasonCode",
    f"{_REFERRER[1]}/00401101": "ImagingStudy.referrer",
    f"{_READERS[1]}/00401101": "ImagingStudy.interpreter",
}
IGNORED = {
    "00080061": "modalities of a study, as an answer to a query",
    "00080081": "address of the institution; its code in the channel tells it",
    "00080092": "address of the referring doctor",
    "00080094": "telephone of the referring doctor",
    "00081048": "doctors in charge; the visit names them",
    "00081049": "doctors in charge; the visit names them",
    "00400244": "start of the performed step; study and series tell theirs",
    "00400245": "start of the performed step; study and series tell theirs",
    "00400253": "number of the performed step at the device",
    "00400241": "station of the performed step",
    "00400242": "station of the performed step",
    "00400243": "place of the performed step",
    "00080054": "where the object is fetched, as an answer to a query",
    "00080056": "whether the object is at hand, as an answer to a query",
    "00201206": "how many series there are, as an answer to a query",
    "00201208": "how many objects there are, as an answer to a query",
}
BELOW = {
    "00080082": "code of the institution; its code in the channel tells it",
    "00081049": "doctors in charge; the visit names them",
    "00120064": "how the identity was removed",
    "00080096/00080080": "where the referring doctor works",
    "00080096/00080082": "where the referring doctor works",
}
_EVERY = (patient, request, equipment, series, documents, sr)
TABLES = Tables(
    {path: target for module in (*_EVERY,) for path, target in module.MAPPED.items()} | MAPPED,
    {path: target for module in (request, series, documents, sr) for path, target in module.CODED.items()} | CODED,
    {path: reason for module in (patient, request, series, documents, sr) for path, reason in module.IGNORED.items()}
    | IGNORED,
    {path: reason for module in (request, series, documents, sr) for path, reason in module.BELOW.items()} | BELOW,
)
_CONNECTION = "http://terminology.hl7.org/CodeSystem/endpoint-connection-type"


def study_to_outcome(body: bytes, context: Context) -> Outcome:
    """Map the body of one study, as `mappings.dicom.body.join` writes it.

    Raises `BodyInvalid`, `SeveralStudies`, `SeveralPatients`. Every resource is sound R4.
    """
    return entries_to_outcome(split(body), context)


def entries_to_outcome(entries: list[Entry], context: Context) -> Outcome:
    """Map the objects of one study."""
    if not entries:
        raise faults.BodyInvalid("", "no object")
    studies = {text(entry.attributes, STUDY) for entry in entries}
    if len(studies) > 1 or "" in studies:
        raise faults.SeveralStudies("(0020,000D)", f"{len(studies)} studies")
    draft = Draft(entries, context)
    for entry in entries:
        for notice in entry.notices:
            draft.notice(notice.code, notice.where, notice.detail)
    patient.take_patient(draft)
    study = _study(draft)
    draft.study = f"ImagingStudy/{study['id']}"
    request.take_request(draft, study)
    study["series"] = [series.take_series(members, draft) for members in series.by_series(entries)]
    _finish(study, draft)
    draft.add(study)
    sr.take_documents(draft, study)
    documents.take_documents(draft)
    resources = [compact(one) for one in draft.resources]
    for resource in resources:
        if context.message_id:
            resource["meta"] = {**resource.get("meta", {}), "source": f"urn:uuid:{context.message_id}"}
        require_valid(resource)
    return Outcome(
        resources=resources,
        coverage=account(draft, TABLES),
        sent_at=_written_at(draft),
        notices=tuple(draft.notices),
        patient_id=draft.patient.partition("/")[2],
        encounter_id=draft.encounter.partition("/")[2] or None,
        assumed=draft.assumed,
    )


def _study(draft: Draft) -> Resource:
    """Make the ImagingStudy, still without its series and what it is based on."""
    context = draft.context
    number = draft.said("00200010")
    system = context.systems.local(context.facility, "study-id")
    holder = draft.first("00080020")
    procedures = [
        *(one for holder in draft.holders("00081032") for one in concepts(holder, "00081032", context)),
        *(one for holder in draft.holders("00321064") for one in concepts(holder, "00321064", context)),
    ]
    for said in (draft.said("00321060"), draft.said("00400254")):
        if said and all(one.get("text") != said for one in procedures):
            procedures.append({"text": said})
    notes = [whole(draft.first(tag), tag) for tag in ("001021B0", "00324000")]
    return {
        "resourceType": "ImagingStudy",
        "id": resource_id("ImagingStudy", UID, draft.uid),
        "identifier": [uid_identifier(draft.uid), *([{"system": system, "value": number}] if number else [])],
        "status": "available",
        "modality": [],
        "subject": draft.subject,
        "started": draft.moment(holder, "00080020", "00080030"),
        "referrer": next((one for one in _people(_REFERRER, draft)), {}),
        "interpreter": _people(_READERS, draft),
        "endpoint": _endpoint(draft),
        "procedureCode": unique(procedures),
        "location": _place(draft),
        "reasonCode": _reasons(draft),
        "note": [{"text": note} for note in notes if note],
        "description": draft.said("00081030"),
    }


def _people(tags: tuple[str, str], draft: Draft) -> list[Element]:
    holders = [*draft.holders(tags[0]), *draft.holders(tags[1])]
    return unique([one for holder in holders for one in people(holder, *tags, draft)])


def _reasons(draft: Draft) -> list[Element]:
    asked = request.reasons(draft, list(request.sources(draft)))
    coded = [one for holder in draft.holders("00081084") for one in concepts(holder, "00081084", draft.context)]
    told = ("00081080", "00321030")
    written = [{"text": one} for tag in told for holder in draft.holders(tag) for one in texts(holder, tag)]
    return unique([*asked, *coded, *written])


def _place(draft: Draft) -> Element:
    names = [draft.said(tag) for tag in _PLACE]
    return {"display": ", ".join(name for name in names if name)} if any(names) else {}


def _endpoint(draft: Draft) -> list[Element]:
    """Make the Endpoint of the DICOMweb service, when there is one."""
    context = draft.context
    if not context.wado:
        return []
    system = f"{context.systems.own}/sid/endpoint"
    target = draft.add(
        {
            "resourceType": "Endpoint",
            "id": resource_id("Endpoint", system, context.wado),
            "identifier": [{"system": system, "value": context.wado}],
            "status": "active",
            "connectionType": {"system": _CONNECTION, "code": "dicom-wado-rs", "display": "DICOM WADO-RS"},
            "payloadType": [{"text": "DICOM"}],
            "payloadMimeType": ["application/dicom"],
            "address": context.wado,
        }
    )
    return [reference(target)]


def _finish(study: dict[str, Any], draft: Draft) -> None:
    """Say of the study what its series tell."""
    study["modality"] = series.modalities(study)
    study["numberOfSeries"] = len(study["series"])
    study["numberOfInstances"] = sum(one["numberOfInstances"] for one in study["series"])
    begun = [one["started"] for one in study["series"] if "started" in one]
    study["started"] = study["started"] or min(begun, default="")


def _written_at(draft: Draft) -> str:
    """Give when the newest object was written, as FHIR dateTime."""
    stamps = [_stamp(draft, entry.attributes) for entry in draft.entries]
    return max((one for one in stamps if "T" in one), default="")


def _stamp(draft: Draft, attributes: Attributes) -> str:
    for day, time in (("00080012", "00080013"), ("00080023", "00080033"), ("00080020", "00080030")):
        found = draft.moment(attributes, day, time) if text(attributes, day) else ""
        if "T" in found:
            return found
    return ""

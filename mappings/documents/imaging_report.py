"""Phiếu kết quả chẩn đoán hình ảnh, thăm dò chức năng: one report of a picture or a function test.

Form: 08/BV2 to 15/BV2 of TT 32/2023/TT-BYT, annex XXIX, the number by the kind of examination (OBR-24, a modality in its
place, or the modality of the study); a kind without a form of its own gets the sheet without a number. Trigger: a report
(ORU^R01) of such a kind, or a document (MDM) whose type the table `paper-kind` takes here; final or corrected only. Required:
the person, what was examined, and a description or a conclusion; without them the paper waits for a person, who is told which
item is missing and where it should have come from. Told as fields: KY_THUAT, MO_TA, KET_LUAN, DE_NGHI; a report without MO_TA
is described by its results and its text, one without KET_LUAN concludes what OBX with the suffix IMP says. The study
(ImagingStudy) goes with it.

Requirement: S3.15
"""

from __future__ import annotations

from collections.abc import Sequence

from mappings.documents import content, requested, told, wording
from mappings.documents.content import Content
from mappings.documents.context import Context
from mappings.documents.faults import PaperIncomplete
from mappings.documents.record import Record, value_text
from mappings.documents.told import Told
from mappings.outcome import Resource
from mappings.systems import LOINC

KINDS = frozenset(
    {"RAD", "RX", "XRC", "CR", "DX", "RF", "MG", "XA", "CTH", "CT", "NMR", "MR", "NMS", "NM"}
    | {"RUS", "VUS", "OUS", "CUS", "US", "EC", "ECG", "EN", "EEG", "ES", "PF", "AU"}
)
"""Sections of HL7 table 0074, and modalities that some write in their place, whose reports are not of the laboratory."""
_STATES = {"final": "Kết quả chính thức", "corrected": "Kết quả đã sửa", "amended": "Kết quả có bổ sung"}
_ENCLOSED = "Kết quả trong tệp kèm theo phiếu này."
_CONCLUSIONS = frozenset({"19005-8"})
"""LOINC codes of results that say what the report concludes."""


def subjects(resources: Sequence[Resource]) -> list[str]:
    """Give every finished report of a picture or a function test; where documents hold the text, the documents."""
    reports = told.of_kind(resources, "imaging_report")
    if not any(one["resourceType"] == "DocumentReference" for one in reports):
        reports = [one for one in resources if told.is_finished(one) and is_imaging(one) and _says_something(one)]
    return [f"{one['resourceType']}/{one['id']}" for one in reports]


def is_imaging(resource: Resource) -> bool:
    """Tell whether a report is one of a picture or a function test."""
    if resource["resourceType"] != "DiagnosticReport":
        return False
    said = told.kind(resource)
    return said == "imaging_report" or (not said and bool(categories(resource) & KINDS))


def categories(report: Resource) -> set[str]:
    """Give the codes of a report's section."""
    return {coding.get("code", "") for one in report.get("category", []) for coding in one.get("coding", [])}


def _says_something(report: Resource) -> bool:
    return bool(report.get("result") or report.get("conclusion") or report.get("presentedForm"))


def gather(record: Record, subject: Resource, context: Context) -> Content:
    """Collect what the paper says about a report; raises `PaperIncomplete` when it neither describes nor concludes."""
    said = Told(record, subject)
    encounter = said.encounter
    patient = record.patient("imaging_report", subject, encounter)
    request = said.request or {}
    report = said.reports[0] if said.reports else subject
    studies = _studies(record, said, request)
    issued = said.issued or wording.stamp(context.issued_at)
    description, conclusion = findings(said)
    if not conclusion and not description:
        raise PaperIncomplete("Mô tả (MO_TA)", "MO_TA ← OBX MO_TA; KET_LUAN ← OBX KET_LUAN")
    cards = record.cards(issued, issued)
    diagnosis = content.diagnoses(record.diagnoses(encounter))
    return Content(
        event_at=issued,
        patient=patient,
        encounter=encounter,
        professional=next(iter(said.readers), None),
        values={
            **content.furniture(record, encounter, context, content.identifier(report, "filler", "order")),
            **content.place(record, encounter),
            **content.person(record, patient, encounter, issued),
            **content.card(record, patient, cards),
            **diagnosis,
            **requested.rows(record, request),
            "CHAN_DOAN": requested.diagnosis(record, encounter, request),
            "TEN_DICH_VU": wording.concept(report.get("code") or subject.get("type")),
            "SO_CA_CHUP": requested.accession(*studies, request, report),
            "KY_THUAT": said.field("KY_THUAT"),
            "NGAY_TH": wording.short_time(said.at),
            "MO_TA": description,
            "KET_LUAN": conclusion,
            "DE_NGHI": said.field("DE_NGHI"),
            "TRANG_THAI": _STATES.get(report.get("status", ""), _STATES["final"]),
            "NGUOI_THUC_HIEN": told.names(said.performers),
            "NGAY_TRA_KQ": wording.short_time(said.issued),
            "NGAY_KQ": wording.long_time(issued).capitalize(),
        },
        entries={
            "person": [patient, *content.guardians(record, patient, issued), *cards],
            "request": [*([request] if request else []), *record.fields(content.INSURANCE, encounter)],
            "result": [*said.entries, *studies],
        },
        category=_category(said, studies),
    )


def findings(said: Told) -> tuple[str, str]:
    """Give what a report describes and what it concludes, as it was told: as fields, else by its results and its text."""
    conclusion = said.field("KET_LUAN") or said.conclusion or _concluded(said)
    return said.field("MO_TA") or _described(said, conclusion), conclusion


def _category(said: Told, studies: Sequence[Resource]) -> str:
    """Give the kind of examination: of the report's section when that names one, else the modality of the study."""
    sections = sorted({code for report in said.reports for code in categories(report)} & KINDS - {"RAD"})
    modalities = [one.get("code", "") for study in studies for one in study.get("modality", [])]
    return next(iter([*sections, *modalities]), "")


def _studies(record: Record, said: Told, request: Resource) -> list[Resource]:
    """Give the studies of the report: those it names, those of its request, those with its accession number."""
    named = [one for report in said.reports for one in report.get("imagingStudy", [])]
    found = list(record.of_type(named, "ImagingStudy"))
    asked = f"ServiceRequest/{request.get('id', '')}"
    number = requested.accession(request, *said.reports)
    for study in record.all("ImagingStudy"):
        based = [one.get("reference") for one in study.get("basedOn", [])]
        if study not in found and (asked in based or (number and requested.accession(study) == number)):
            found.append(study)
    return sorted(found, key=lambda study: str(study["id"]))


def _is_conclusion(result: Resource) -> bool:
    codings = result.get("code", {}).get("coding", [])
    return any(one.get("system") == LOINC and one.get("code") in _CONCLUSIONS for one in codings)


def _concluded(said: Told) -> str:
    return "\n".join(value_text(one) for one in said.results if _is_conclusion(one))


def _described(said: Told, conclusion: str) -> str:
    """Describe by the results, each with its name, and by the text; what is concluded is not said twice."""
    lines = []
    for one in said.results:
        value = value_text(one)
        if not value or _is_conclusion(one) or value in conclusion.split("\n") or value == conclusion:
            continue
        unit = wording.unit(one.get("valueQuantity", {}))
        lines.append(f"{wording.concept(one.get('code'))}: {value} {unit}".strip())
    lines += [said.text] if said.text else []
    if not lines and not conclusion and any(report.get("presentedForm") for report in said.reports):
        return _ENCLOSED
    return "\n".join(lines)

"""Phiếu kết quả xét nghiệm: one laboratory report with its table of results.

Form: 16/BV2 to 26/BV2 of TT 32/2023/TT-BYT, annex XXIX, number and title by the section of the laboratory (OBR-24). Trigger:
ORU^R01 with a final or corrected report that is no picture and no sheet of the record. Required: the person, what was asked
and at least one result or a comment; without them the paper waits for a person, who is told which item is missing and where
it should have come from. A result that a laboratory of another facility made (OBX-23) is marked.

Requirement: S3.15
"""

from __future__ import annotations

from collections.abc import Sequence

from mappings.documents import content, imaging_report, requested, told, wording
from mappings.documents.content import Content
from mappings.documents.context import Context
from mappings.documents.faults import PaperIncomplete
from mappings.documents.record import Record, value_text
from mappings.outcome import Resource

_STATES = {"final": "Kết quả chính thức", "corrected": "Kết quả đã sửa", "amended": "Kết quả có bổ sung"}
_NOTES = ("/report-note", "/extension-DiagnosticReport.note")
"""Extensions that hold a comment on a report: ours, and the one that records kept before."""


def subjects(resources: Sequence[Resource]) -> list[str]:
    """Give every finished laboratory report that says something; imaging and function tests have papers of their own."""
    return [
        f"DiagnosticReport/{r['id']}"
        for r in resources
        if r["resourceType"] == "DiagnosticReport"
        and r.get("status") in _STATES
        and not imaging_report.is_imaging(r)
        and not told.kind(r)
        and (r.get("result") or r.get("conclusion"))
    ]


def gather(record: Record, subject: Resource, context: Context) -> Content:
    """Collect what the paper says about a report; raises `PaperIncomplete` when it says nothing."""
    encounter = record.encounter(subject)
    patient = record.patient("lab_report", subject, encounter)
    issued: str = subject.get("issued") or wording.stamp(context.issued_at)
    request = next(record.of_type(subject.get("basedOn", []), "ServiceRequest"), None) or {}
    specimens = list(record.of_type(subject.get("specimen", []), "Specimen"))
    results = results_of(record, subject)
    if not results and not _comment(subject):
        raise PaperIncomplete("Kết quả (KET_QUA)", "KET_QUA ← OBX-5")
    readers = list(record.of_type(subject.get("resultsInterpreter", []), "Practitioner"))
    performers = list(record.of_type(subject.get("performer", []), "Practitioner"))
    cards = record.cards(issued, issued)
    diagnosis = content.diagnoses(record.diagnoses(encounter))
    told_inside = told.Told(record, subject)
    elsewhere = _referred(record, results, context)
    return Content(
        event_at=issued,
        patient=patient,
        encounter=encounter,
        professional=next(iter([*readers, *performers]), None),
        values={
            **content.furniture(record, encounter, context, content.identifier(subject, "filler", "order")),
            **content.place(record, encounter),
            **content.person(record, patient, encounter, issued),
            **content.card(record, patient, cards),
            **diagnosis,
            **requested.rows(record, request),
            "CHAN_DOAN": requested.diagnosis(record, encounter, request),
            "TEN_DICH_VU": wording.concept(subject.get("code")),
            **_specimen(record, specimens),
            "NHAN_XET": _comment(subject),
            "TRANG_THAI": _STATES.get(subject["status"], ""),
            "NGUOI_NHAN_MAU": told_inside.field("NGUOI_NHAN_MAU"),
            "XN_GUI_NGOAI": "; ".join(dict.fromkeys(elsewhere.values())),
            "NGUOI_THUC_HIEN": told.names(performers),
            "NGUOI_DUYET": told.names(readers),
            "NGAY_TRA_KQ": wording.short_time(subject.get("issued", "")),
            "NGAY_KQ": wording.long_time(issued).capitalize(),
        },
        entries={
            "person": [patient, *content.guardians(record, patient, issued), *cards],
            "request": [*([request] if request else []), *record.fields(content.INSURANCE, encounter)],
            "specimen": specimens,
            "results": [subject, *results],
        },
        lines={"results": [_line(record, n, one, one["id"] in elsewhere) for n, one in enumerate(results, 1)]},
        category=next(iter(sorted(imaging_report.categories(subject))), ""),
    )


def results_of(record: Record, report: Resource) -> list[Resource]:
    """Give the results in order, members of a panel after it, each once; texts of a paper are no results."""
    waiting = list(record.of_type(report.get("result", []), "Observation"))
    found: dict[str, Resource] = {}
    while waiting:
        result = waiting.pop(0)
        if result["id"] not in found and not record.is_field(result):
            found[result["id"]] = result
            waiting = [*record.of_type(result.get("hasMember", []), "Observation"), *waiting]
    return list(found.values())


def _specimen(record: Record, specimens: Sequence[Resource]) -> dict[str, str]:
    def each(values: list[str]) -> str:
        return "; ".join(dict.fromkeys(value for value in values if value))

    taken = [specimen.get("collection", {}) for specimen in specimens]
    collectors = [person for one in taken for person in record.of_type([one.get("collector")], "Practitioner")]
    states = [concept for specimen in specimens for concept in specimen.get("condition", [])]
    return {
        "MA_BENH_PHAM": each([content.identifier(specimen) for specimen in specimens]),
        "LOAI_BENH_PHAM": each([wording.concept(specimen.get("type")) for specimen in specimens]),
        "TINH_TRANG_BENH_PHAM": each([wording.concept(state) for state in states]),
        "NGUOI_LAY_MAU": each([wording.title_and_name(person) for person in collectors]),
        "NGAY_LAY_MAU": each([wording.short_time(_collected(one)) for one in taken]),
        "NGAY_NHAN_MAU": each([wording.short_time(specimen.get("receivedTime", "")) for specimen in specimens]),
    }


def _collected(collection: Resource) -> str:
    at: str = collection.get("collectedDateTime") or collection.get("collectedPeriod", {}).get("start", "")
    return at


def _comment(report: Resource) -> str:
    notes = [
        one.get("valueAnnotation", {}).get("text", "")
        for one in report.get("extension", [])
        if one.get("url", "").endswith(_NOTES)
    ]
    return "\n".join(text for text in [report.get("conclusion", ""), *notes] if text)


def _referred(record: Record, results: Sequence[Resource], context: Context) -> dict[str, str]:
    """Give the results that another facility made: id → name of the facility."""
    found = {}
    for result in results:
        for place in record.of_type(result.get("performer", []), "Organization"):
            numbers = [i["value"] for i in place.get("identifier", []) if i.get("system") == record.systems.facility]
            if numbers and context.facility.code not in numbers:
                found[result["id"]] = place.get("name") or numbers[0]
    return found


def _line(record: Record, n: int, result: Resource, is_referred: bool) -> dict[str, str]:
    """Write one result; parts of a panel follow in the same cell. One of another laboratory has a star."""
    ranges = [wording.limits(limits) for limits in result.get("referenceRange", [])]
    device = record.follow(result.get("device")) or {}
    names = device.get("deviceName", [])
    quantity = result.get("valueQuantity", {})
    return {
        "STT": str(n),
        "TEN_CHI_SO": f"{wording.concept(result.get('code'))}{' (*)' if is_referred else ''}",
        "KET_QUA": shown_value(result),
        "DON_VI": wording.unit(quantity),
        "TRI_SO": "; ".join(text for text in ranges if text),
        "PHUONG_PHAP": wording.concept(result.get("method")),
        "THIET_BI": names[0]["name"] if names else content.identifier(device),
        "GHI_CHU": "\n".join(note.get("text", "") for note in result.get("note", [])),
    }


def shown_value(result: Resource) -> str:
    """Write a result with the parts of a panel, what was flagged, and that it was corrected or cancelled."""
    shown = value_text(result)
    parts = [
        f"{wording.concept(part.get('code'))}: {value_text(part)} {wording.unit(part.get('valueQuantity', {}))}".strip()
        for part in result.get("component", [])
    ]
    if parts:
        shown = "\n".join([*([shown] if shown else []), *parts])
    if not shown:
        shown = wording.concept(result.get("dataAbsentReason"))
    if result.get("status") in ("cancelled", "entered-in-error"):
        return f"{shown} (đã hủy)".strip()
    remarks = [wording.flag(result.get("interpretation", []))]
    remarks += ["đã sửa"] if result.get("status") in ("corrected", "amended") else []
    said = ", ".join(remark for remark in remarks if remark)
    return f"{shown} ({said})" if said and shown else shown

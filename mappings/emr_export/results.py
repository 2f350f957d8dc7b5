"""Groups VI and VII of `HoSoBenhAn`: imaging and function tests, laboratory results."""

from __future__ import annotations

from typing import Any

from mappings.documents import content, statements, wording
from mappings.documents.lab_report import results_of, shown_value
from mappings.documents.record import value_text
from mappings.emr_export.visit import Visit, joined, local_code, moment, person, words
from mappings.outcome import Resource

_LABORATORY = frozenset(
    {"BLB", "CH", "CP", "CG", "GE", "HM", "IMM", "LAB", "MB", "MCB", "MYC", "OTH", "SP", "SR", "TX", "VR", "PAT", "CYN"}
)
"""HL7 table 0074: sections of a laboratory; a report of no section counts as one."""
_REPORTED = frozenset({"final", "corrected", "amended", "appended"})
_TIMES = ("effectiveDateTime", "effectivePeriod", "issued")
_NORMAL = frozenset({"N", ""})


def imaging(visit: Visit) -> dict[str, Any]:
    """Write what imaging and function tests found: group VI."""
    return {"danhsach": [_imaging(visit, one) for one in _reports(visit) if not _is_laboratory(one)]}


def laboratory(visit: Visit) -> dict[str, Any]:
    """Write laboratory results: group VII."""
    return {"danhsach": [_laboratory(visit, one) for one in _reports(visit) if _is_laboratory(one)]}


def _reports(visit: Visit) -> list[Resource]:
    return statements.in_time([one for one in visit.of("DiagnosticReport") if one.get("status") in _REPORTED], *_TIMES)


def _is_laboratory(report: Resource) -> bool:
    sections = {code for kind in report.get("category", []) for code in statements.codes(kind)}
    return not sections or bool(sections & _LABORATORY)


def _request(visit: Visit, report: Resource) -> Resource:
    found: Resource = next(visit.record.of_type(report.get("basedOn", []), "ServiceRequest"), {})
    return found


def _imaging(visit: Visit, report: Resource) -> dict[str, Any]:
    request = _request(visit, report)
    found = results_of(visit.record, report)
    readers = [*report.get("resultsInterpreter", []), *report.get("performer", [])]
    said = [value_text(one) for one in found if "conclusion" not in report or value_text(one) != report["conclusion"]]
    place = visit.record.place(visit.encounter)
    return {
        "sophieu": content.identifier(report, "filler", "order"),
        "bacsichidinh": person(visit.doctor(request.get("requester"))),
        "bacsithuchien": person(visit.doctor(*readers)),
        "chandoan": words(visit.record.diagnoses(visit.encounter)),
        "machidinh": local_code(report.get("code")),
        "tenchidinh": wording.concept(report.get("code")),
        "ngaychidinh": moment(request.get("authoredOn", "")),
        "ngaythuchien": moment(statements.began(report, *_TIMES)),
        "noichidinh": place.get("wa", ""),
        "kqcls_mota": "\n".join(text for text in said if text),
        "kqcls_ketluan": report.get("conclusion", ""),
    }


def _laboratory(visit: Visit, report: Resource) -> dict[str, Any]:
    request = _request(visit, report)
    specimens = list(visit.record.of_type(report.get("specimen", []), "Specimen"))
    taken = [statements.began(one.get("collection", {}), "collectedDateTime", "collectedPeriod") for one in specimens]
    place = visit.record.place(visit.encounter)
    return {
        "sophieu": content.identifier(report, "filler", "order"),
        "bacsichidinh": person(visit.doctor(request.get("requester"))),
        "chandoan": words(visit.record.diagnoses(visit.encounter)),
        "khoa": place.get("wa", ""),
        "masobenhpham": joined(content.identifier(one) for one in specimens),
        "giolaymau": joined(moment(text) for text in taken),
        "nguoithuchienxetnghiem": person(visit.doctor(*report.get("performer", []))),
        "ghichu": report.get("conclusion", ""),
        "danhsach": [_result(report, one) for one in results_of(visit.record, report)],
    }


def _result(report: Resource, result: Resource) -> dict[str, str]:
    flags = {code for one in result.get("interpretation", []) for code in statements.codes(one)}
    return {
        "machidinh": local_code(report.get("code")),
        "machiso": local_code(result.get("code")),
        "pkqxn_tenxetnghiem": wording.concept(result.get("code")),
        "ketqua": value_text(result) or shown_value(result),
        "donvi": wording.unit(result.get("valueQuantity", {})),
        "trisothamchieu": joined(wording.limits(limits) for limits in result.get("referenceRange", [])),
        "ketquabatthuong": ("1" if flags - _NORMAL else "0") if flags else "",
        "nhom": wording.concept(report.get("code")),
    }

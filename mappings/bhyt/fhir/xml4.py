"""XML4, the results of tests, images and functional explorations: one Observation per row, gathered in reports per service.

The Observation is the main resource; rows of the same service, time and reader are results of one DiagnosticReport, which is
based on the order that XML3 made of the service. A number keeps its digits as Quantity, with the UCUM code of its unit where
the tables of units know it; anything else is text. Ids cannot meet those of HL7 v2: a row has no number of its own.

Standard: QĐ 3176/QĐ-BYT XML4
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from mappings import units
from mappings.bhyt import results
from mappings.bhyt.fhir.case import Case, TableMap
from mappings.bhyt.fhir.dossier import Dossier
from mappings.bhyt.fhir.forms import code_in, concept, digits_to_time, extension, time_to_digits
from mappings.bhyt.fhir.lines import ABSENT, code_and_words
from mappings.bhyt.rows import Row
from mappings.documents import imaging_report, told, wording
from mappings.documents.record import value_text
from mappings.documents.told import Told
from mappings.outcome import Resource
from mappings.systems import LOINC, UCUM

_AMOUNT = re.compile(r"(<=|>=|<|>)?((?!-0(?:\.0+)?$)-?(?:0|[1-9]\d{0,11})(?:\.\d{1,8})?)")
_V2_0074 = "http://terminology.hl7.org/CodeSystem/v2-0074"
_CATEGORIES = {
    "1": concept("LAB", _V2_0074, "Laboratory"),
    "2": concept("RAD", _V2_0074, "Radiology"),
    "3": concept("OTH", _V2_0074, "Other"),
}
"""MA_NHOM of the service → what kind of report its results make."""
_VOID = frozenset({"cancelled", "entered-in-error"})
MAPPED = {
    "MA_LK": "Observation.identifier | Observation.encounter",
    "STT": "Observation.identifier",
    "MA_DICH_VU": "DiagnosticReport.code.coding",
    "MA_CHI_SO": "Observation.code.coding",
    "TEN_CHI_SO": "Observation.code.text",
    "GIA_TRI": "Observation.value",
    "DON_VI_DO": "Observation.value.unit | Observation.extension(unit)",
    "MO_TA": "Observation.note",
    "KET_LUAN": "Observation.interpretation.text | DiagnosticReport.conclusion",
    "NGAY_KQ": "Observation.issued | DiagnosticReport.issued",
    "MA_BS_DOC_KQ": "Observation.performer | DiagnosticReport.resultsInterpreter",
}


def read(case: Case, rows: Sequence[Row]) -> list[Resource]:
    """Make the Observations, and their reports."""
    ordered = _orders(case)
    reports: dict[tuple[str, str, str], Resource] = {}
    found = []
    for n, row in enumerate(rows, 1):
        made = _observation(case, row, n)
        case.add(made)
        found.append(made)
        service, at, reader = (row.get(field, "") for field in ("MA_DICH_VU", "NGAY_KQ", "MA_BS_DOC_KQ"))
        report = reports.get((service, at, reader))
        if report is None:
            report = reports[service, at, reader] = _report(case, row, n, made, ordered.get(service))
        _take(report, made)
        order = ordered.get(service)
        if order:
            made["basedOn"] = [{"reference": f"ServiceRequest/{order[0]['id']}"}]
    for report in reports.values():
        case.add(report)
    return found


def _orders(case: Case) -> dict[str, tuple[Resource, str]]:
    """Give the order and the cost group of every service of XML3 by its code; of one ordered twice the first."""
    found: dict[str, tuple[Resource, str]] = {}
    system = case.code_system("MA_DICH_VU")
    groups = {row.get("MA_DICH_VU", ""): row.get("MA_NHOM", "") for row in case.visit.tables.get("XML3", ())}
    for resource in case.resources:
        if resource["resourceType"] == "ServiceRequest":
            code = code_in(resource.get("code"), system)
            if code:
                found.setdefault(code, (resource, groups.get(code, "")))
    return found


def _observation(case: Case, row: Row, n: int) -> dict[str, Any]:
    value, unit = row.get("GIA_TRI", ""), row.get("DON_VI_DO", "")
    said, remark = row.get("KET_LUAN", ""), row.get("MO_TA", "")
    made: dict[str, Any] = {
        "resourceType": "Observation",
        "id": case.row_id("Observation", n),
        "identifier": [case.row_identifier(n)],
        "status": "final" if value or said or remark else "registered",
        "code": code_and_words(case, "MA_CHI_SO", row.get("MA_CHI_SO", ""), row.get("TEN_CHI_SO", "")) or ABSENT,
        **case.about(),
    }
    match = _AMOUNT.fullmatch(value)
    if match:
        made["valueQuantity"] = _quantity(match, unit)
    elif value:
        made["valueString"] = value
    if unit and not match:
        made["extension"] = [{"url": case.structure("unit"), "valueString": unit}]
    issued = digits_to_time(row.get("NGAY_KQ", ""))
    if "T" in issued:
        made["issued"] = issued
    readers = case.practitioners(row.get("MA_BS_DOC_KQ", ""))
    if readers:
        made["performer"] = readers
    if said:
        made["interpretation"] = [{"text": said}]
    if remark:
        made["note"] = [{"text": remark}]
    return made


def _quantity(match: re.Match[str], unit: str) -> Resource:
    made: Resource = {"value": Decimal(match[2])}
    if match[1]:
        made["comparator"] = match[1]
    if unit:
        made["unit"] = unit
        code = units.to_ucum(unit)
        if code:
            made |= {"system": UCUM, "code": code}
    return made


def _report(case: Case, row: Row, n: int, result: Resource, order: tuple[Resource, str] | None) -> Resource:
    service = row.get("MA_DICH_VU", "")
    code: Resource = order[0]["code"] if order else code_and_words(case, "MA_DICH_VU", service, "")
    made: dict[str, Any] = {
        "resourceType": "DiagnosticReport",
        "id": case.row_id("DiagnosticReport", n),
        "status": "registered",
        "code": code or ABSENT,
        **case.about(),
    }
    if order:
        made["basedOn"] = [{"reference": f"ServiceRequest/{order[0]['id']}"}]
        category = _CATEGORIES.get(order[1])
        if category:
            made["category"] = [category]
    if "issued" in result:
        made["issued"] = result["issued"]
    if "performer" in result:
        made["resultsInterpreter"] = result["performer"]
    made["result"] = []
    return made


def _take(report: Resource, result: Resource) -> None:
    """Add a result to its report; conclusions are told once each."""
    report["result"].append({"reference": f"Observation/{result['id']}"})
    if result["status"] == "final":
        report["status"] = "final"
    for one in result.get("interpretation", ()):
        said = report.get("conclusion", "")
        if one["text"] not in said.split("\n"):
            report["conclusion"] = f"{said}\n{one['text']}" if said else one["text"]


# ---- back ----


def write(dossier: Dossier) -> list[tuple[Resource, dict[str, str]]]:
    """Give the rows that came as XML in their order; without any the results of the visit's reports."""
    observations = dossier.rows("XML4", "Observation")
    if not observations:
        return _reported(dossier)
    services: dict[str, Resource] = {}
    for report in dossier.of_visit("DiagnosticReport") if dossier.visit else dossier.record.all("DiagnosticReport"):
        for one in report.get("result", ()):
            services[one.get("reference", "")] = report
    return [
        (one, _row(dossier, one, services.get(f"Observation/{one['id']}", {}), n))
        for n, one in enumerate(observations, 1)
    ]


def _row(dossier: Dossier, observation: Resource, report: Resource, n: int) -> dict[str, str]:
    quantity = observation.get("valueQuantity")
    return {
        "MA_LK": dossier.number,
        "STT": str(n),
        "MA_DICH_VU": code_in(report.get("code"), "/qd3176-ma-dich-vu"),
        "MA_CHI_SO": code_in(observation.get("code"), "/qd3176-ma-chi-so"),
        "TEN_CHI_SO": observation.get("code", {}).get("text", ""),
        "GIA_TRI": wording.amount(quantity) if quantity else observation.get("valueString", ""),
        "DON_VI_DO": quantity.get("unit", "")
        if quantity
        else extension(observation, "/StructureDefinition/unit").get("valueString", ""),
        "MO_TA": "\n".join(one.get("text", "") for one in observation.get("note", ())),
        "KET_LUAN": "\n".join(one.get("text", "") for one in observation.get("interpretation", ())),
        "NGAY_KQ": time_to_digits(observation.get("issued", "")),
        "MA_BS_DOC_KQ": dossier.licences(observation.get("performer", ())),
    }


def _reported(dossier: Dossier) -> list[tuple[Resource, dict[str, str]]]:
    """Give a row per result of every report of a record that did not come as XML; members of a panel after it.

    A report of a picture or a function test that has no results apart has one row, with what it describes and concludes.
    """
    found: list[tuple[Resource, dict[str, str]]] = []
    record = dossier.record
    for report in dossier.of_visit("DiagnosticReport"):
        if report.get("status") in _VOID or told.kind(report) not in ("", "imaging_report"):
            continue
        before = len(found)
        waiting = list(record.of_type(report.get("result", ()), "Observation"))
        seen: set[str] = set()
        while waiting:
            one = waiting.pop(0)
            if one["id"] in seen or one.get("status") in _VOID or record.is_field(one) or _is_vital_sign(one):
                continue
            seen.add(one["id"])
            waiting = [*record.of_type(one.get("hasMember", ()), "Observation"), *waiting]
            shown = [one] if value_text(one) or not (one.get("component") or one.get("hasMember")) else []
            for part in [*shown, *(c | {"issued": one.get("issued", "")} for c in one.get("component", ()))]:
                found.append(({}, _of_report(dossier, report, part, len(found) + 1)))
        if len(found) == before and imaging_report.is_imaging(report):
            row = _of_picture(dossier, report, len(found) + 1)
            found += [({}, row)] if row["MO_TA"] or row["KET_LUAN"] else []
    return found


def _is_vital_sign(observation: Resource) -> bool:
    """Tell what belongs to the clinical course, not to a service."""
    return any(
        coding.get("code") == "vital-signs"
        for category in observation.get("category", ())
        for coding in category.get("coding", ())
    )


def _of_picture(dossier: Dossier, report: Resource, n: int) -> dict[str, str]:
    description, conclusion = imaging_report.findings(Told(dossier.record, report))
    told_as = {"MA_CHI_SO": _service(dossier, report), "MO_TA": description, "KET_LUAN": conclusion}
    return _of_report(dossier, report, {"code": report.get("code", {})}, n) | told_as


def _service(dossier: Dossier, report: Resource) -> str:
    """Give the facility's code of what was ordered."""
    orders = dossier.record.of_type(report.get("basedOn", ()), "ServiceRequest")
    concepts = (report.get("code", {}), *(one.get("code", {}) for one in orders))
    return next((code for concept in concepts if (code := _local(concept))), "")


def _of_report(dossier: Dossier, report: Resource, result: Resource, n: int) -> dict[str, str]:
    text = value_text(result)
    readers = [*report.get("resultsInterpreter", ()), *result.get("performer", ()), *report.get("performer", ())]
    notes = [note.get("text", "") for note in result.get("note", ())]
    long = len(text) > results.LONGEST_VALUE
    return {
        "MA_LK": dossier.number,
        "STT": str(n),
        "MA_DICH_VU": _service(dossier, report),
        "MA_CHI_SO": _local(result.get("code", {})),
        "TEN_CHI_SO": wording.concept(result.get("code")),
        "GIA_TRI": "" if long else text,
        "DON_VI_DO": wording.unit(result.get("valueQuantity", {})),
        "MO_TA": "\n".join(part for part in ([text] if long else []) + notes if part),
        "KET_LUAN": report.get("conclusion", ""),
        "NGAY_KQ": time_to_digits(result.get("issued") or report.get("issued", "")),
        "MA_BS_DOC_KQ": next((licence for one in readers if (licence := dossier.licence(one))), ""),
    }


def _local(concept_told: Resource) -> str:
    """Give the facility's own code of something, which is any that is not of LOINC."""
    return next((c["code"] for c in concept_told.get("coding", ()) if c.get("code") and c.get("system") != LOINC), "")


TABLE = TableMap("XML4", read, write, MAPPED)

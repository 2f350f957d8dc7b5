"""Care programmes (HIV, tuberculosis): an EpisodeOfCare per row and what belongs to it, all marked as sensitive.

Everything a row makes carries the label of its programme in `meta.security`; what may leave is decided elsewhere
(`gateway/delivery/disclosure.py`). The Patient, the Encounter and the cards are not labelled: they tell nothing of it.

Standard: QĐ 3176/QĐ-BYT XML6, XML15; Luật 64/2006/QH11 as amended by 71/2020, art. 30
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from mappings.bhyt.fhir import paper
from mappings.bhyt.fhir.case import Case
from mappings.bhyt.fhir.dossier import Dossier
from mappings.bhyt.fhir.forms import compact, concept, date_to_digits, digits_to_date, is_code
from mappings.bhyt.rows import Row
from mappings.bhyt.tables import code_list
from mappings.outcome import Resource

HIV = {
    "system": "http://terminology.hl7.org/CodeSystem/v3-ActCode",
    "code": "HIV",
    "display": "HIV/AIDS information sensitivity",
}
_RESTRICTED = {
    "system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality",
    "code": "R",
    "display": "restricted",
}
_OPEN = frozenset({"Patient", "Encounter", "Coverage", "Organization", "Practitioner", "Location"})


def tuberculosis(case: Case) -> Resource:
    """Give the label of tuberculosis; HL7 has none, so it is one of ours."""
    return {"system": f"{case.systems.own}/CodeSystem/sensitivity", "code": "TB", "display": "Bệnh lao"}


@contextmanager
def labelled(case: Case, *labels: Resource) -> Iterator[None]:
    """Mark everything that is made inside."""
    before = {f"{one['resourceType']}/{one['id']}" for one in case.resources}
    yield
    for one in case.resources:
        if one["resourceType"] not in _OPEN and f"{one['resourceType']}/{one['id']}" not in before:
            one["meta"] = {"security": [dict(_RESTRICTED), *map(dict, labels)]}


def subject(case: Case) -> Resource:
    """Refer to the person; to one that nobody names by the visit."""
    if case.patient:
        return {"reference": case.patient}
    return {"identifier": {"system": case.systems.episode, "value": case.number}} if case.number else {"display": "?"}


def coded(case: Case, field: str, code: str, listed: str = "") -> Resource:
    """Give the concept of a code, with the words of its list; nothing of what is no code."""
    if not is_code(code) or ";" in code:
        return {}
    codes = code_list(listed) if listed else None
    known = codes.find(code) if codes else None
    return concept(code, case.code_system(listed or field), known.vi if known else "")


def episode(case: Case, n: int, kind: str, words: str, facility: str) -> Resource:
    """Make the main resource of a row; it refers to the visit, which does not refer to it: other papers do not carry it."""
    visit = {"reference": case.encounter} if case.encounter else {}
    return compact(
        {
            "resourceType": "EpisodeOfCare",
            "id": case.row_id("EpisodeOfCare", n),
            "extension": [{"url": case.structure("visit"), "valueReference": visit}] if visit else [],
            "identifier": [case.row_identifier(n)],
            "status": "active",
            "type": [concept(kind, f"{case.systems.own}/CodeSystem/care-programme", "", words)],
            "patient": subject(case),
            "managingOrganization": case.organization(facility) if facility else {},
        }
    )


def part(case: Case, n: int, kind: str, name: str, elements: Mapping[str, Any]) -> str:
    """Make a resource that belongs to a row; `name` is what it is found by again."""
    about: dict[str, Any] = {"subject": subject(case)}
    if case.encounter:
        about["context" if kind == "MedicationStatement" else "encounter"] = {"reference": case.encounter}
    made = {
        "resourceType": kind,
        "id": case.row_id(kind, n, name),
        "identifier": [{"system": case.local("bhyt-part"), "value": f"{case.number}/{case.name}/{n}/{name}"}],
        **about,
        **elements,
    }
    return case.add(compact(made))


def treatment(case: Case, n: int, name: str, words: str, row: Row, **fields: str) -> None:
    """Make a MedicationStatement of `start`, `end`, `regimen`, `line`, `at` (fields of the row) where any is told."""
    told = {element: row.get(field, "") for element, field in fields.items()}
    if not any(told.values()):
        return
    start, end = digits_to_date(told.get("start", "")), digits_to_date(told.get("end", ""))
    regimen = coded(
        case, fields.get("regimen", ""), told.get("regimen", ""), _LISTS.get((case.name, fields.get("regimen", "")), "")
    )
    period = (
        {"start": start, "end": end}
        if start and end and start <= end
        else compact({"start": start} if start else {"end": end})
    )
    line = fields.get("line", "")
    elements = {
        "status": "unknown",
        "category": coded(case, line, told.get("line", ""), "MA_BAC_PHAC_DO") if line else {},
        "medicationCodeableConcept": {**regimen, "text": words},
        "effectivePeriod": period,
        "informationSource": case.organization(told["at"]) if told.get("at") else {},
    }
    part(case, n, "MedicationStatement", name, elements)


_LISTS = {("XML15", "PHACDO_DTRI_LAO"): "PHACDO_DTRI_LAO_XML15"}


def told_treatment(dossier: Dossier, main: Resource, name: str, **fields: str) -> dict[str, str]:
    """Give the fields of a MedicationStatement back."""
    made = find(dossier, main, "MedicationStatement", name)
    period = made.get("effectivePeriod", {})
    values = {
        "start": date_to_digits(period.get("start", "")),
        "end": date_to_digits(period.get("end", "")),
        "regimen": code_of(made.get("medicationCodeableConcept")),
        "line": code_of(made.get("category")),
        "at": dossier.facility_of(made.get("informationSource")),
    }
    return {field: values[element] for element, field in fields.items()}


def find(dossier: Dossier, main: Resource, kind: str, name: str) -> Resource:
    """Give a part of a row, or an empty resource."""
    rows = (one["value"] for one in main.get("identifier", []) if one.get("system", "").endswith("/bhyt-row"))
    wanted = f"{next(rows, '')}/{name}"
    for one in dossier.record.all(kind):
        for number in one.get("identifier", []):
            if number.get("value") == wanted and number.get("system", "").endswith("/bhyt-part"):
                return one
    return {}


def code_of(element: Resource | None) -> str:
    return next((coding["code"] for coding in (element or {}).get("coding", []) if coding.get("code")), "")


def component(case: Case, name: str, **value: Any) -> list[Resource]:
    """Make a component of an Observation, named by its field; nothing without a value."""
    (found,) = value.values()
    return [{"code": {"coding": [{"system": case.systems.field, "code": name}]}, **value}] if found else []


def component_of(observation: Resource, name: str) -> Resource:
    parts = observation.get("component", [])
    return next((one for one in parts if code_of(one.get("code")) == name), {})


def fields(dossier: Dossier, table: str, texts: tuple[str, ...], times: tuple[str, ...]) -> dict[str, str]:
    """Give told fields of the visit, as this table told them."""
    record = dossier.record.for_table(table)
    found = {}
    for name in texts:
        concepts = [one.get("valueCodeableConcept", {}) for one in record.field_parts(name, dossier.encounter)]
        codes = [code for one in concepts if (code := code_of(one))]
        found[name] = ";".join(codes) or record.field(name, dossier.encounter)
    for name in times:
        told = next(iter(record.field_parts(name, dossier.encounter)), {})
        found[name] = date_to_digits(told.get("valueDateTime", ""))
    return found


def tell_days(case: Case, row: Row, *names: str) -> None:
    """Keep these fields as days."""
    paper.tell_times(case, {name: row.get(name, "")[:8] for name in names}, *names)

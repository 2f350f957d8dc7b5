"""What the tables of papers have in common: the Composition of a row, what the paper tells, and the row again.

A row of a paper becomes what the paper is composed of (`mappings.documents`), and comes back by the same sources that write the
table of a paper (`mappings.bhyt.papers`): a HIS that exports XML alone gets papers whose tables say what it sent. What a table
tells otherwise than a table before it (GHI_CHU, PP_DIEUTRI …) is kept under its own name, `XML7/GHI_CHU`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from mappings import documents
from mappings.bhyt.fhir import as_written, claim, person, stay
from mappings.bhyt.fhir.case import Case
from mappings.bhyt.fhir.dossier import Dossier
from mappings.bhyt.fhir.forms import compact, concept, date_to_digits, digits_to_date, digits_to_time, is_code, parts
from mappings.bhyt.papers import SOURCES, TABLE_OF_PAPER
from mappings.bhyt.rows import Row
from mappings.bhyt.sheet import Sheet, nothing
from mappings.bhyt.tables import code_list, table
from mappings.formats.faults import DateInvalid
from mappings.ids import resource_id
from mappings.outcome import Resource

FIELD = "Observation.value"
_ABSENT = {"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "unknown"}
_PARTICIPATION = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType"
_ROLE = "http://terminology.hl7.org/CodeSystem/v3-RoleCode"
_OF_SUMMARY = {
    "GHI_CHU": "GHI_CHU",
    "PP_DIEUTRI": "PP_DIEU_TRI",
    "MA_TTDV": "MA_TTDV",
    "KET_QUA_DTRI": "KET_QUA_DTRI",
    "MA_DOITUONG_KCB": "MA_DOITUONG_KCB",
    "NGAY_VAO_NOI_TRU": "NGAY_VAO_NOI_TRU",
}
"""Told fields that XML1 has as well → their name there."""
_PARENTS = {"FTH": "father", "MTH": "mother"}


# ---- reading ----


def complete(case: Case) -> None:
    """Make cards and diagnoses of a visit that came without XML1, from what its tables say."""
    if "XML1" in case.visit.tables or not case.encounter or "diagnosis" in case.get(case.encounter):
        return
    row = person.told_of(case)
    person.rows_to_coverages(case, row)
    stay.row_to_conditions(case, row)


def tell(case: Case, name: str, *values: tuple[str, Any]) -> str:
    """Keep a fact as `Case.field`; under the table's own name where another table told another, or XML1 has it empty."""
    if not values:
        return ""
    of_summary = _OF_SUMMARY.get(name, "")
    if of_summary and case.name != "XML0" and any(not one.get(of_summary) for one in case.visit.tables.get("XML1", ())):
        return case.field(f"{case.name}/{name}", *values)
    reference = case.field(name, *values)
    told = case.get(reference)
    found = [(key, one[key]) for one in told.get("component", [told]) for key in one if key.startswith("value")]
    return reference if found == list(values) else case.field(f"{case.name}/{name}", *values)


def tell_texts(case: Case, row: Row, *names: str) -> list[str]:
    """Keep these fields as texts."""
    return [tell(case, name, ("valueString", row[name])) for name in names if row.get(name)]


def tell_codes(case: Case, row: Row, **lists: str) -> list[str]:
    """Keep these fields as codes, with the words of their lists; what is no list of codes as text."""
    found = []
    for name, listed in lists.items():
        text = row.get(name, "")
        if not text:
            continue
        known, codes = code_list(listed) if listed else None, parts(text)
        if not all(map(is_code, codes)):
            found += tell_texts(case, row, name)
            continue
        rows = [known.find(code) if known else None for code in codes]
        values = [
            concept(c, case.code_system(listed or name), r.vi if r else "") for c, r in zip(codes, rows, strict=True)
        ]
        found.append(tell(case, name, *(("valueCodeableConcept", value) for value in values)))
    return found


def tell_times(case: Case, row: Row, *names: str) -> list[str]:
    """Keep these fields as dates or times, as far as they can be read."""
    read = ((name, digits_to_time(row.get(name, ""))) for name in names)
    return [tell(case, name, ("valueDateTime", at)) for name, at in read if at]


@contextmanager
def about(case: Case, patient: str, encounter: str) -> Iterator[None]:
    """Let what is read be about somebody else than whom the visit is about."""
    whole = case.patient, case.encounter
    case.patient, case.encounter = patient, encounter
    try:
        yield
    finally:
        case.patient, case.encounter = whole


def own_visit(case: Case, n: int, patient: str, period: Resource) -> str:
    """Make the Encounter of a person who came with the visit of another, such as a newborn; it bears the same MA_LK."""
    visit = {
        "resourceType": "Encounter",
        "id": case.row_id("Encounter", n),
        "identifier": [{"system": case.systems.episode, "value": case.number}] if case.number else [],
        "status": "finished" if "end" in period else "unknown",
        "class": dict(case.get(case.encounter)["class"]) if case.encounter else {"code": "IMP"},
        "subject": {"reference": patient},
        "period": period,
        "serviceProvider": case.organization(case.facility) if case.facility else {},
    }
    return case.add(compact(visit))


def doctor(case: Case, licence: str, name: str = "") -> Resource:
    """Refer to who signed, and let him or her answer for the visit where nobody does yet."""
    if not licence:
        return {}
    reference = case.practitioner(licence)
    if name:
        case.get(reference["reference"]).setdefault("name", [{"text": name}])
    if case.encounter:
        kind = concept("ATND", _PARTICIPATION, "attender")
        case.get(case.encounter).setdefault("participant", [{"type": [kind], "individual": reference}])
    return reference


def related(case: Case, role: str) -> Resource:
    """Make a parent of whom nothing is known but that there is one."""
    return {
        "resourceType": "RelatedPerson",
        "id": resource_id("RelatedPerson", case.local("bhyt-row"), f"{case.patient}|{role}"),
        "patient": {"reference": case.patient},
        "relationship": [concept(role, _ROLE, _PARENTS[role])],
    }


def parent(case: Case, role: str, name: str, number: str = "") -> None:
    """Make a parent, where a name or a number of social insurance is told."""
    if case.patient and (name or number):
        told = {
            "identifier": [{"system": case.systems.bhxh, "value": number}] if number else [],
            "name": [{"text": name}] if name else [],
        }
        case.add(related(case, role) | compact(told))


def composition(case: Case, n: int, paper: str, row: Row, author: Resource, told: Sequence[str]) -> Resource:
    """Make the main resource of a row that is a paper: what it is, whose, of which day and by whom."""
    day = digits_to_date(row.get("NGAY_CT", ""))
    custodian = case.organization(case.facility) if case.facility else {}
    made = {
        "resourceType": "Composition",
        "id": case.row_id("Composition", n),
        "identifier": case.row_identifier(n),
        "status": "final",
        "type": concept(paper, case.systems.paper, documents.title(paper)),
        **case.about(),
        "date": day,
        "author": [author or custodian or {"display": "Cơ sở khám bệnh, chữa bệnh"}],
        "title": documents.title(paper),
        "custodian": custodian,
        "section": [{"entry": [{"reference": one} for one in dict.fromkeys(told) if one]}] if any(told) else [],
    }
    return compact(made) | ({} if day else {"_date": {"extension": [_ABSENT]}})


def beside(case: Case, n: int, paper: str, row: Row, told: Resource) -> Resource:
    """Make the main resource of a row that is about somebody who came along: it stays in the record of the visit's person.

    The resources of the other person are in a record of their own, out of reach when the file of the visit is written again;
    so the row is kept whole, as it was written. `told` is the Composition of the other person.
    """
    own = case.add(
        told | {"id": case.row_id("Composition", n, "own"), "identifier": {"value": case.row_id("Composition", n)}}
    )
    made = composition(case, n, paper, row, {}, [own])
    made["type"] = {"text": documents.title(paper)}
    as_written.keep(made, {name: text for name, text in row.items() if text and name != "DU_PHONG"}, case.systems)
    return made


def of_another(dossier: Dossier, main: Resource) -> Resource:
    """Give the Composition of the person who came along, where the record has it; else the row's own."""
    entries = [one for part in main.get("section", []) for one in part.get("entry", [])]
    return next(dossier.record.of_type(entries, "Composition"), main)


# ---- writing ----


def row_of(dossier: Dossier, paper: str, main: Resource, subject: Resource | None = None) -> dict[str, str]:
    """Give the row of a paper's table as the record tells it; `main` is what came as XML, or an empty resource.

    `subject` is what the paper is about where that is not the visit. A told field in no form gives nothing.
    """
    name = TABLE_OF_PAPER[paper]
    sheet = _sheet(dossier, name, main, subject)
    row = {}
    for field in table(name, dossier.decision).fields:
        try:
            text = SOURCES[name].get(field.name, nothing)(sheet).strip()
        except DateInvalid:
            continue
        row[field.name] = text[:8] if field.type == "date" and len(text) == 12 and text.isdigit() else text
    if main.get("resourceType") == "Composition":
        row["NGAY_CT"] = date_to_digits(main.get("date", ""))
    return row


def _sheet(dossier: Dossier, name: str, main: Resource, subject: Resource | None) -> Sheet:
    record = dossier.record.for_table(name)
    encounter = record.follow(main.get("encounter")) or dossier.encounter
    patient = record.follow(main.get("subject")) or dossier.patient
    visit = encounter or {}
    attending = record.doctor(encounter)
    head: Resource = {
        "date": main.get("date") or main.get("created") or visit.get("period", {}).get("end", ""),
        "author": main.get("author")
        or [part["individual"] for part in visit.get("participant", []) if "individual" in part and attending],
        "custodian": visit.get("serviceProvider"),
    }
    return Sheet(record, dossier.systems, head, patient, encounter, subject or visit, dossier.head, dossier.decision)


def signed_by(dossier: Dossier, main: Resource) -> str:
    """Give the licence of the author with what the table writes behind it."""
    return dossier.licence(next(iter(main.get("author", [])), None))


def cards(dossier: Dossier) -> dict[str, str]:
    """Give the fields of the cards of this visit, in its order."""
    settled = dossier.rows("XML1", "Claim")
    period = (dossier.encounter or {}).get("period", {})
    found = (
        claim.coverages(dossier, settled[0])
        if settled
        else dossier.record.cards(period.get("start", ""), period.get("end", ""))
    )
    return person.cards(dossier, list({card["subscriberId"]: card for card in found}.values()))


def due(dossier: Dossier, paper: str) -> list[Resource]:
    """Give what a paper is about, of a visit that did not come as XML: the resources of the visit that would make it due."""
    visit = dossier.encounter
    if visit is None or visit.get("status") != "finished" or dossier.came_as_xml:
        return []
    mine = [
        visit,
        *(one for kind in ("Observation", "ServiceRequest", "Appointment") for one in dossier.of_visit(kind)),
    ]
    found = (dossier.record.get(reference) for reference in documents.subjects(paper, mine))
    return [one for one in found if one]


def one_paper(dossier: Dossier, paper: str) -> list[tuple[Resource, dict[str, str]]]:
    """Give the rows of a paper about a visit: those that came as XML, else the one that is due."""
    mains = dossier.rows(TABLE_OF_PAPER[paper], "Composition") or [{} for _ in due(dossier, paper)]
    return [(main, row_of(dossier, paper, of_another(dossier, main))) for main in mains]

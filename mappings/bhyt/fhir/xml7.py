"""XML7, the discharge paper: a Composition, and what our own discharge paper is composed of.

The first row is of the person the visit is about, and the only one always is: some producers write another number there than
MA_BN. A further one, and of several one of another MA_YTE, is of somebody who came with the visit, as a newborn of twins does:
a Patient and an Encounter of their own.

Standard: QĐ 3176/QĐ-BYT XML7
"""

from __future__ import annotations

from collections.abc import Sequence

from mappings.bhyt.fhir import paper
from mappings.bhyt.fhir.case import Case, TableMap
from mappings.bhyt.fhir.dossier import Dossier
from mappings.bhyt.fhir.forms import compact, digits_to_time
from mappings.bhyt.fhir.paper import FIELD
from mappings.bhyt.rows import Row
from mappings.documents.content import INPATIENT
from mappings.ids import resource_id
from mappings.outcome import Resource

MAPPED = {
    "MA_LK": "Encounter.identifier",
    "SO_LUU_TRU": FIELD,
    "MA_YTE": "Patient.identifier",
    "MA_KHOA_RV": FIELD,
    "NGAY_VAO": "Encounter.period.start",
    "NGAY_RA": "Encounter.period.end",
    "MA_DINH_CHI_THAI": FIELD,
    "NGUYENNHAN_DINHCHI": FIELD,
    "THOIGIAN_DINHCHI": FIELD,
    "TUOI_THAI": FIELD,
    "CHAN_DOAN_RV": "Condition.code.text",
    "PP_DIEUTRI": FIELD,
    "GHI_CHU": FIELD,
    "MA_TTDV": FIELD,
    "MA_BS": "Practitioner.identifier",
    "TEN_BS": "Practitioner.name",
    "NGAY_CT": "Composition.date",
    "MA_CHA": "RelatedPerson.identifier",
    "MA_ME": "RelatedPerson.identifier",
    "MA_THE_TAM": FIELD,
    "HO_TEN_CHA": "RelatedPerson.name",
    "HO_TEN_ME": "RelatedPerson.name",
    "SO_NGAY_NGHI": FIELD,
    "NGOAITRU_TUNGAY": FIELD,
    "NGOAITRU_DENNGAY": FIELD,
}
_TEXTS = (
    *("SO_LUU_TRU", "MA_KHOA_RV", "NGUYENNHAN_DINHCHI", "TUOI_THAI", "PP_DIEUTRI", "GHI_CHU"),
    *("MA_TTDV", "MA_THE_TAM", "SO_NGAY_NGHI"),
)


def read(case: Case, rows: Sequence[Row]) -> list[Resource]:
    paper.complete(case)
    return [_read(case, n, row, alone=len(rows) == 1) for n, row in enumerate(rows, 1)]


def _read(case: Case, n: int, row: Row, *, alone: bool) -> Resource:
    number = row.get("MA_YTE", "")
    known = case.get(case.patient).get("identifier", []) if case.patient else []
    own = [one["value"] for one in known if one.get("system") == case.local("patient")]
    if case.encounter and not alone and (n > 1 or (number and own and number not in own)):
        patient, encounter = _another(case, n, row)
        with paper.about(case, patient, encounter):
            made = _row(case, n, row)
        return case.get(case.add(paper.beside(case, n, "discharge_paper", row, made)))
    return case.get(case.add(_row(case, n, row)))


def _another(case: Case, n: int, row: Row) -> tuple[str, str]:
    """Make the person and the visit of a row that is not about the person of the visit."""
    number = row.get("MA_YTE", "")
    system = case.local("patient")
    person = {
        "resourceType": "Patient",
        "id": resource_id("Patient", system, number) if number else case.row_id("Patient", n),
        "identifier": [{"system": system, "value": number}] if number else [],
    }
    patient = case.add(compact(person))
    start, end = digits_to_time(row.get("NGAY_VAO", "")), digits_to_time(row.get("NGAY_RA", ""))
    period = compact({"start": start, "end": end if not start or start <= end else ""})
    encounter = paper.own_visit(case, n, patient, period)
    words = row.get("CHAN_DOAN_RV", "")
    if words:
        condition = {"resourceType": "Condition", "id": case.row_id("Condition", n), "code": {"text": words}}
        about = {"subject": {"reference": patient}, "encounter": {"reference": encounter}}
        case.get(encounter)["diagnosis"] = [{"condition": {"reference": case.add(condition | about)}, "rank": 1}]
    return patient, encounter


def _row(case: Case, n: int, row: Row) -> Resource:
    told = [
        *paper.tell_texts(case, row, *_TEXTS),
        *paper.tell_codes(case, row, MA_DINH_CHI_THAI="YES_NO"),
        *paper.tell_times(case, row, "THOIGIAN_DINHCHI", "NGOAITRU_TUNGAY", "NGOAITRU_DENNGAY"),
    ]
    paper.parent(case, "FTH", row.get("HO_TEN_CHA", ""), row.get("MA_CHA", ""))
    paper.parent(case, "MTH", row.get("HO_TEN_ME", ""), row.get("MA_ME", ""))
    author = paper.doctor(case, row.get("MA_BS", ""), row.get("TEN_BS", ""))
    return paper.composition(case, n, "discharge_paper", row, author, told)


def write(dossier: Dossier) -> list[tuple[Resource, dict[str, str]]]:
    """Give the rows that came as XML, else that of a stay that ended."""
    mains = dossier.rows("XML7", "Composition")
    stays = [one for one in paper.due(dossier, "discharge_paper") if one.get("class", {}).get("code") in INPATIENT]
    found = []
    for main in mains or [{} for _ in stays]:
        whose = paper.of_another(dossier, main)
        row = paper.row_of(dossier, "discharge_paper", whose)
        found.append((main, row | ({"MA_BS": paper.signed_by(dossier, whose)} if main else {})))
    return found


TABLE = TableMap("XML7", read, write, MAPPED)

"""XML5, the clinical course: each note a ClinicalImpression, the vital signs in it as Observations.

The ClinicalImpression is the main resource. Consultation, operation and stage of a note stand as Observations under the names
of their fields, as papers ask for them.

Standard: QĐ 3176/QĐ-BYT XML5
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mappings.bhyt.fhir import vital_signs
from mappings.bhyt.fhir.case import Case, TableMap
from mappings.bhyt.fhir.dossier import Dossier
from mappings.bhyt.fhir.forms import digits_to_time, time_to_digits
from mappings.bhyt.rows import Row
from mappings.documents.record import is_field, owner, value_text
from mappings.documents.told import Told
from mappings.outcome import Resource

_BESIDE = ("GIAI_DOAN_BENH", "HOI_CHAN", "PHAU_THUAT")
_VOID = frozenset({"cancelled", "entered-in-error"})
MAPPED = {
    "MA_LK": "ClinicalImpression.identifier | ClinicalImpression.encounter",
    "STT": "ClinicalImpression.identifier",
    "DIEN_BIEN_LS": "ClinicalImpression.summary",
    **dict.fromkeys(_BESIDE, "ClinicalImpression.supportingInfo | Observation.value"),
    "THOI_DIEM_DBLS": "ClinicalImpression.effective",
    "NGUOI_THUC_HIEN": "ClinicalImpression.assessor",
}


def read(case: Case, rows: Sequence[Row]) -> list[Resource]:
    """Make the notes and what they measured."""
    found = []
    for n, row in enumerate(rows, 1):
        note = row.get("DIEN_BIEN_LS", "")
        at = digits_to_time(row.get("THOI_DIEM_DBLS", ""))
        made: dict[str, Any] = {
            "resourceType": "ClinicalImpression",
            "id": case.row_id("ClinicalImpression", n),
            "identifier": [case.row_identifier(n)],
            "status": "completed",
            "subject": case.subject,
        }
        if case.encounter:
            made["encounter"] = {"reference": case.encounter}
        if at:
            made["effectiveDateTime"] = at
        authors = case.practitioners(row.get("NGUOI_THUC_HIEN", ""))
        if len(authors) == 1:
            made["assessor"] = authors[0]
        measured = _measured(case, n, note, at) if len(at) >= 10 else []
        if measured:
            made["investigation"] = [{"code": {"text": "Sinh hiệu"}, "item": measured}]
        if note:
            made["summary"] = note
        beside = [_beside(case, n, field, row[field], at) for field in _BESIDE if row.get(field)]
        if beside:
            made["supportingInfo"] = beside
        case.add(made)
        found.append(made)
    return found


def _measured(case: Case, n: int, note: str, at: str) -> list[Resource]:
    if "CSST" not in note:
        return []
    return [
        {
            "reference": case.add(
                {
                    "resourceType": "Observation",
                    "id": case.row_id("Observation", n, sign),
                    "status": "final",
                    **elements,
                    **case.about(),
                    "effectiveDateTime": at,
                }
            )
        }
        for sign, elements in vital_signs.of_note(note)
    ]


def _beside(case: Case, n: int, field: str, text: str, at: str) -> Resource:
    made: dict[str, Any] = {
        "resourceType": "Observation",
        "id": case.row_id("Observation", n, field),
        "status": "final",
        "code": {"coding": [{"system": case.systems.field, "code": field}]},
        **case.about(),
        "valueString": text,
    }
    if at:
        made["effectiveDateTime"] = at
    return {"reference": case.add(made)}


# ---- back ----


def write(dossier: Dossier) -> list[tuple[Resource, dict[str, str]]]:
    """Give the notes that came as XML in their order; without any what the record tells of the course, moment by moment."""
    notes = dossier.rows("XML5", "ClinicalImpression")
    if not notes:
        return _told(dossier)
    return [(note, _row(dossier, note, n)) for n, note in enumerate(notes, 1)]


def _row(dossier: Dossier, note: Resource, n: int) -> dict[str, str]:
    beside = list(dossier.record.of_type(note.get("supportingInfo", ()), "Observation"))
    return {
        "MA_LK": dossier.number,
        "STT": str(n),
        "DIEN_BIEN_LS": note.get("summary", ""),
        **{field: next((value_text(one) for one in beside if is_field(one, field)), "") for field in _BESIDE},
        "THOI_DIEM_DBLS": time_to_digits(note.get("effectiveDateTime", "")),
        "NGUOI_THUC_HIEN": dossier.licence(note.get("assessor")),
    }


def _told(dossier: Dossier) -> list[tuple[Resource, dict[str, str]]]:
    """Give a row per moment that a note (DIEN_BIEN_LS) or vital signs of the visit are of."""
    moments: dict[str, list[Resource]] = {}
    writers = _writers(dossier)
    for one in dossier.of_visit("Observation"):
        at = one.get("effectiveDateTime", "")
        if at and one.get("status") not in _VOID and (is_field(one, "DIEN_BIEN_LS") or vital_signs.mark([one])):
            moments.setdefault(at, []).append(one)
    found: list[tuple[Resource, dict[str, str]]] = []
    for at in sorted(moments):
        notes = [value_text(one) for one in moments[at] if is_field(one, "DIEN_BIEN_LS")]
        people = (dossier.licence(person) for one in moments[at] for person in one.get("performer", ()))
        wrote = next((licence for licence in people if licence), "")
        row = {
            "MA_LK": dossier.number,
            "STT": str(len(found) + 1),
            "DIEN_BIEN_LS": "\n".join(text for text in (*notes, vital_signs.mark(moments[at])) if text),
            "THOI_DIEM_DBLS": time_to_digits(at),
            "NGUOI_THUC_HIEN": wrote or next((writers[one["id"]] for one in moments[at] if one["id"] in writers), ""),
        }
        found.append(({}, row))
    return found


def _writers(dossier: Dossier) -> dict[str, str]:
    """Observation → licence of who wrote the sheet or report that it stands in."""
    documents = [one for one in dossier.record.all("DocumentReference") if owner(one) == dossier.visit]
    found: dict[str, str] = {}
    for one in (*documents, *dossier.of_visit("DiagnosticReport")):
        sheet = Told(dossier.record, one)
        people = ({"reference": f"Practitioner/{person['id']}"} for person in (*sheet.authors, *sheet.performers))
        licence = next((number for person in people if (number := dossier.licence(person))), "")
        if licence:
            found |= dict.fromkeys((observation["id"] for observation in sheet.observations), licence)
    return found


TABLE = TableMap("XML5", read, write, MAPPED)

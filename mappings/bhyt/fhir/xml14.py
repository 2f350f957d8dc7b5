"""XML14, the appointment for a re-examination: an Appointment, and what our own slip is composed of.

QĐ 4750 tells day and time (12 digits), QĐ 3176 the day alone: an Appointment with a start, or a proposed one for that day.

Standard: QĐ 4750/QĐ-BYT XML14, QĐ 3176/QĐ-BYT XML14; second-hand
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mappings.bhyt.fhir import paper, person, stay
from mappings.bhyt.fhir.case import Case, TableMap
from mappings.bhyt.fhir.dossier import Dossier
from mappings.bhyt.fhir.forms import compact, concept, date_to_digits, digits_to_date, digits_to_time
from mappings.bhyt.fhir.paper import FIELD
from mappings.bhyt.rows import Row
from mappings.outcome import Resource

_KIND = concept(
    "FOLLOWUP", "http://terminology.hl7.org/CodeSystem/v2-0276", "A follow up visit from a previous appointment"
)
MAPPED = {
    "MA_LK": "Encounter.identifier",
    "SO_GIAYHEN_KL": "Appointment.identifier",
    "MA_CSKCB": "Encounter.serviceProvider",
    "HO_TEN": "Patient.name",
    "NGAY_SINH": "Patient.birthDate",
    "GIOI_TINH": "Patient.gender",
    "DIA_CHI": "Patient.address.text",
    "MA_THE_BHYT": "Coverage.subscriberId",
    "GT_THE_DEN": "Coverage.period.end",
    "NGAY_VAO": "Encounter.period.start",
    "NGAY_VAO_NOI_TRU": FIELD,
    "NGAY_RA": "Encounter.period.end",
    "NGAY_HEN_KL": "Appointment.start | Appointment.requestedPeriod",
    "CHAN_DOAN_RV": "Condition.code.text",
    "MA_BENH_CHINH": "Condition.code.coding",
    "MA_BENH_KT": "Condition.code.coding",
    "MA_BENH_YHCT": "Condition.code.coding",
    "MA_DOITUONG_KCB": FIELD,
    "MA_BAC_SI": "Appointment.participant",
    "MA_TTDV": FIELD,
    "NGAY_CT": "Appointment.created",
}


def read(case: Case, rows: Sequence[Row]) -> list[Resource]:
    paper.complete(case)
    return [case.get(case.add(_appointment(case, n, row))) for n, row in enumerate(rows, 1)]


def _appointment(case: Case, n: int, row: Row) -> Resource:
    paper.tell_texts(case, row, "MA_TTDV")
    paper.tell_codes(case, row, MA_DOITUONG_KCB="MA_DOITUONG_KCB")
    paper.tell_times(case, row, "NGAY_VAO_NOI_TRU")
    number, back = row.get("SO_GIAYHEN_KL", ""), digits_to_time(row.get("NGAY_HEN_KL", ""))
    timed = "T" in back and not row["NGAY_HEN_KL"].endswith("0000")
    people = [{"reference": case.patient}] if case.patient else []
    author = paper.doctor(case, row.get("MA_BAC_SI", ""))
    people += [author] if author else []
    made: dict[str, Any] = {
        "resourceType": "Appointment",
        "id": case.row_id("Appointment", n),
        "identifier": [
            *([{"system": case.local("appointment"), "value": number}] if number else []),
            case.row_identifier(n),
        ],
        "status": "booked" if timed else "proposed",
        "appointmentType": _KIND,
        "supportingInformation": [{"reference": case.encounter}] if case.encounter else [],
        "start": back if timed else "",
        "end": back if timed else "",
        "created": digits_to_date(row.get("NGAY_CT", "")),
        "participant": [{"actor": one, "status": "accepted"} for one in people] or [{"status": "accepted"}],
        "requestedPeriod": [{"start": back[:10]}] if back and not timed else [],
    }
    if not people:
        made["participant"] = [{"actor": {"display": "Người bệnh"}, "status": "accepted"}]
    return compact(made)


def write(dossier: Dossier) -> list[tuple[Resource, dict[str, str]]]:
    """Give the rows that came as XML, else those of the appointments of the visit, or of the day it told."""
    found = []
    mains = dossier.rows("XML14", "Appointment")
    for booked in mains or paper.due(dossier, "reexamination"):
        main = booked if mains else {}
        row = paper.row_of(dossier, "reexamination", main, booked) | _repeated(dossier)
        if main:
            people = [one.get("actor") for one in main.get("participant", [])]
            row["MA_BAC_SI"] = next((licence for one in people if (licence := dossier.licence(one))), "")
            row["NGAY_CT"] = date_to_digits(main.get("created", ""))
        found.append((main, row))
    return found


def _repeated(dossier: Dossier) -> dict[str, str]:
    """Give the fields that only repeat XML1: of the person, the cards, the diagnoses."""
    whole = {**person.identity(dossier), **paper.cards(dossier), **stay.diagnoses(dossier)}
    names = ("HO_TEN", "NGAY_SINH", "GIOI_TINH", "DIA_CHI", "MA_THE_BHYT", "GT_THE_DEN")
    return {
        name: whole.get(name, "") for name in (*names, "CHAN_DOAN_RV", "MA_BENH_CHINH", "MA_BENH_KT", "MA_BENH_YHCT")
    }


TABLE = TableMap("XML14", read, write, MAPPED)

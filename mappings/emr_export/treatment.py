"""Groups III, VIII, X and XI of `HoSoBenhAn`: the course of treatment, transfer, procedures and operations."""

from __future__ import annotations

from typing import Any

from mappings.documents import content, statements, wording
from mappings.emr_export import history
from mappings.emr_export.visit import (
    REFERRAL,
    Visit,
    day,
    icd,
    joined,
    licence,
    local_code,
    moment,
    number_of,
    person,
    words,
)
from mappings.outcome import Resource

_SURGERY = frozenset({"387713003", "24642003"})
"""SNOMED CT: surgical procedure, operation."""


def treatment(visit: Visit) -> dict[str, Any]:
    """Write the course of treatment: group III."""
    conditions = visit.record.diagnoses(visit.encounter)
    first = visit.diagnoses("AD")
    doctor = visit.record.doctor(visit.encounter)
    place = visit.record.place(visit.encounter)
    stayed = _days(visit)
    return {
        "bacsidieutri": person(doctor),
        "bacsidieutri_ma": licence(doctor),
        "khoadieutri_ma": history.department_code(visit),
        "khoadieutri": place.get("wa", ""),
        "giuong": place.get("bd", ""),
        "ngaynhapkhoa": day(visit.field("NGAY_VAO_NOI_TRU")) or day(visit.start),
        "songaydieutri": stayed,
        "tongsongaydieutri": stayed,
        "ngayravien": day(visit.end),
        "chandoan": words(conditions),
        "chandoan_ma": icd(conditions),
        "chandoanvaovien": words(first) or visit.field("CHAN_DOAN_VAO"),
        "chandoanvaovien_ma": icd(first),
        "maicd": icd(conditions[:1]),
        "tenicd": words(conditions[:1]),
        "maicd_khac": icd(conditions[1:]),
        "tenicd_khac": words(conditions[1:]),
        "ghichu": visit.field("GHI_CHU"),
        "tomtat": joined([visit.field("TOMTAT_KQ"), visit.field("PP_DIEUTRI")]),
        "huongdieutri": visit.field("HUONG_DIEU_TRI"),
        "danhsachsinhhieu": _signs(visit),
        "tinhtrangravien": {
            "ketquadieutri": _outcome(visit),
            "loidanbacsi": visit.field("LOI_DAN"),
        },
    }


def referrals(visit: Visit) -> dict[str, Any]:
    """Write transfers to other facilities: group VIII."""
    conditions = visit.record.diagnoses(visit.encounter)
    made = []
    for request in visit.of("ServiceRequest"):
        if REFERRAL not in {code for kind in request.get("category", []) for code in statements.codes(kind)}:
            continue
        doctor = visit.doctor(request.get("requester"))
        receiver: Resource = next(visit.record.of_type(request.get("performer", []), "Organization"), {})
        made.append(
            {
                "sophieu": content.identifier(request, "referral"),
                "ngaychidinh": moment(
                    statements.began(request, "occurrencePeriod", "occurrenceDateTime", "authoredOn")
                ),
                "chandoan": words(conditions),
                "chandoan_ma": icd(conditions),
                "lydovaovien": history.reason(visit),
                "tomtat": joined([visit.field("DAU_HIEU_LS"), visit.field("TOMTAT_KQ"), visit.field("PP_DIEUTRI")]),
                "huongdieutri": visit.field("HUONG_DIEU_TRI"),
                "chuyenvienden": receiver.get("name", "") or content.identifier(receiver),
                "bacsidieutri": person(doctor),
                "bacsidieutri_ma": licence(doctor),
                "chuky_hoten": person(doctor),
            }
        )
    return {"danhsach": made}


def procedures(visit: Visit, *, surgery: bool) -> dict[str, Any]:
    """Write what was done: operations (group XI) or everything else (group X)."""
    done = [one for one in visit.of("Procedure") if one.get("status") != "not-done" and is_surgery(one) == surgery]
    return {
        "danhsach": [_procedure(visit, one) for one in statements.in_time(done, "performedDateTime", "performedPeriod")]
    }


def is_surgery(procedure: Resource) -> bool:
    """Tell an operation from another procedure: by its category, else by its name."""
    category = procedure.get("category")
    said = f"{wording.concept(category)} {wording.concept(procedure.get('code'))}".casefold()
    return bool(statements.codes(category) & _SURGERY) or "phẫu thuật" in said


def _procedure(visit: Visit, done: Resource) -> dict[str, str]:
    people = [part.get("actor") for part in done.get("performer", [])]
    first = visit.doctor(*people)
    names = [person(one) for one in visit.record.of_type(people, "Practitioner")]
    return {
        "sophieu": content.identifier(done),
        "machidinh": local_code(done.get("code")),
        "tenchidinh": wording.concept(done.get("code")),
        "ngaythuchien": moment(statements.began(done, "performedDateTime", "performedPeriod")),
        "chandoan": joined(wording.concept(one) for one in done.get("reasonCode", [])),
        "bacsithuchien": joined(names),
        "mabacsithuchien": licence(first),
        "ghichu": joined(note.get("text", "") for note in done.get("note", [])),
        "chuky_hoten": person(first),
    }


def _days(visit: Visit) -> str:
    """Count the days of treatment as told, else from the days of coming and leaving."""
    told = visit.field("SO_NGAY_DTRI")
    first, last = wording.day(visit.start), wording.day(visit.end)
    return told or (str((last - first).days + 1) if first and last and last >= first else "")


def _outcome(visit: Visit) -> str:
    code, meaning = visit.code_and_words("KET_QUA_DTRI")
    return meaning or code


def _signs(visit: Visit) -> list[dict[str, str]]:
    """Write vital signs, those of one moment in one line."""
    names = {
        "mach": history.PULSE,
        "nhietdo": history.TEMPERATURE,
        "huyetap_cao": history.SYSTOLIC,
        "huyetap_thap": history.DIASTOLIC,
        "nhiptho": history.BREATHING,
        "cannang": history.WEIGHT,
        "chieucao": history.HEIGHT,
    }
    lines: dict[str, dict[str, str]] = {}
    for one in visit.vital_signs():
        at = moment(statements.began(one, "effectiveDateTime", "effectivePeriod"))
        found = {name: value for name, code in names.items() if (value := number_of(one, code))}
        if found:
            lines.setdefault(at, {"thoidiem": at}).update(found)
    return list(lines.values())

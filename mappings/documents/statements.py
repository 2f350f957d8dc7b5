"""Write clinical statements as lines of tables: problems, allergies, medicines, vaccinations, procedures, results, vital signs.

The keys of a line are the keys of the columns in the forms; all are different, because a cell's key is its id on the whole
paper. Nothing is summed up: a statement that was told is one line.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from mappings.documents import monitored, wording
from mappings.documents.lab_report import shown_value
from mappings.documents.record import Record, icd10, value_text
from mappings.outcome import Resource

Line = dict[str, str]

_CLINICAL = {
    "active": "đang mắc",
    "recurrence": "tái phát",
    "relapse": "tái phát",
    "inactive": "không còn hoạt động",
    "remission": "thuyên giảm",
    "resolved": "đã khỏi",
}
_KINDS = {"food": "thức ăn", "medication": "thuốc", "environment": "môi trường", "biologic": "sinh phẩm"}
_SEVERITIES = {"mild": "nhẹ", "moderate": "vừa", "severe": "nặng"}
_DOUBTS = {"unconfirmed": "chưa xác nhận", "presumed": "nghi ngờ", "refuted": "đã loại trừ"}


def codes(concept: Resource | None) -> set[str]:
    """Give the codes of a CodeableConcept."""
    return {coding.get("code", "") for coding in (concept or {}).get("coding", [])}


def began(resource: Resource, *names: str) -> str:
    """Give the first FHIR time there is among elements, which may be dateTimes, Periods or texts."""
    for name in names:
        found = resource.get(name)
        said: str = found.get("start") or found.get("end", "") if isinstance(found, dict) else found or ""
        if said:
            return said
    return ""


def problem(n: int, condition: Resource) -> Line:
    known = codes(condition.get("clinicalStatus"))
    return {
        "STT_BENH": str(n),
        "TEN_BENH": wording.concept(condition.get("code")),
        "MA_BENH": icd10(condition),
        "BENH_TU": wording.short_date(_onset(condition)),
        "TT_BENH": next((_CLINICAL[code] for code in _CLINICAL if code in known), ""),
    }


def _onset(condition: Resource) -> str:
    return began(condition, "onsetDateTime", "onsetPeriod", "onsetString", "recordedDate")


def allergy(n: int, told: Resource) -> Line:
    shown = [wording.concept(told.get("code"))]
    shown += [wording.concept(one.get("substance")) for one in told.get("reaction", [])]
    reactions = [wording.concept(m) for one in told.get("reaction", []) for m in one.get("manifestation", [])]
    severities = [_SEVERITIES.get(one.get("severity", ""), "") for one in told.get("reaction", [])]
    severities += ["nguy cơ cao"] if told.get("criticality") == "high" else []
    remarks = [_CLINICAL.get(code, "") for code in sorted(codes(told.get("clinicalStatus"))) if code != "active"]
    remarks += [_DOUBTS.get(code, "") for code in sorted(codes(told.get("verificationStatus")))]
    remarks += [note.get("text", "") for note in told.get("note", [])]
    return {
        "STT_DI_UNG": str(n),
        "DI_NGUYEN": _each(shown),
        "LOAI_DI_UNG": _each(_KINDS.get(kind, kind) for kind in told.get("category", [])),
        "BIEU_HIEN": _each(reactions),
        "MUC_DO": _each(severities),
        "DI_UNG_TU": wording.short_date(began(told, "onsetDateTime", "onsetPeriod", "onsetString")),
        "GC_DI_UNG": _each(remarks),
    }


def medicine(n: int, record: Record, order: Resource) -> Line:
    """Write a request, a statement, a supply or a giving of a medicine."""
    wanted = order.get("dispenseRequest", {})
    doses = order.get("dosageInstruction") or order.get("dosage") or []
    doses = [doses] if isinstance(doses, dict) else doses
    amount = wanted.get("quantity") or order.get("quantity") or {}
    return {
        "STT_THUOC": str(n),
        "TEN_THUOC": medicine_name(record, order),
        "LIEU_DUNG": "\n".join(text for one in doses if (text := dose(one))),
        "SO_LUONG": f"{wording.amount(amount)} {wording.unit(amount)}".strip(),
        "NGAY_THUOC": wording.short_date(
            began(order, "authoredOn", "effectiveDateTime", "effectivePeriod", "whenHandedOver", "dateAsserted")
        ),
    }


def medicine_name(record: Record, order: Resource) -> str:
    named = order.get("medicationReference")
    medication = record.follow(named) or {}
    shown = wording.concept(order.get("medicationCodeableConcept")) or wording.concept(medication.get("code"))
    return shown or (named or {}).get("display", "")


def dose(dosage: Resource) -> str:
    """Write how a medicine is taken: amount, route, when, instructions."""
    amounts = [
        one.get("doseQuantity") or one.get("doseRange", {}).get("low", {}) for one in dosage.get("doseAndRate", [])
    ]
    timing = dosage.get("timing", {})
    times = ", ".join(moment[:5] for moment in timing.get("repeat", {}).get("timeOfDay", []))
    quantities = [f"{wording.amount(one)} {wording.unit(one)}".strip() for one in amounts]
    plain = dosage.get("doseQuantity") or dosage.get("dose") or {}
    parts = [
        *quantities,
        f"{wording.amount(plain)} {wording.unit(plain)}".strip(),
        wording.concept(dosage.get("route")),
        wording.concept(timing.get("code")),
        f"lúc {times}" if times else "",
        dosage.get("text", ""),
        dosage.get("patientInstruction", ""),
        *(wording.concept(one) for one in dosage.get("additionalInstruction", [])),
    ]
    return _each(parts)


def vaccination(n: int, record: Record, given: Resource) -> Line:
    """Write a vaccination, also one that was not done, with the reason."""
    protocol: Resource = next(iter(given.get("protocolApplied", [])), {})
    number = protocol.get("doseNumberPositiveInt") or protocol.get("doseNumberString", "")
    of = protocol.get("seriesDosesPositiveInt") or protocol.get("seriesDosesString", "")
    people = [part.get("actor", {}) for part in sorted(given.get("performer", []), key=_not_the_giver)]
    people = people[:1] if given.get("performer") and not _not_the_giver(_first(given)) else people
    names = [wording.title_and_name(record.follow(one) or {}) or one.get("display", "") for one in people]
    reactions = [_reaction(record, one) for one in given.get("reaction", [])]
    amount = given.get("doseQuantity", {})
    state = ""
    if given.get("status") == "not-done":
        reason = wording.concept(given.get("statusReason"))
        state = f"không tiêm: {reason}" if reason else "không tiêm"
    return {
        "STT_TIEM": str(n),
        "TEN_VACXIN": wording.concept(given.get("vaccineCode")),
        "NGAY_TIEM": wording.short_time(given.get("occurrenceDateTime", "")) or given.get("occurrenceString", ""),
        "MUI_SO": f"{number}/{of}" if number and of else str(number),
        "LIEU_TIEM": f"{wording.amount(amount)} {wording.unit(amount)}".strip(),
        "SO_LO": given.get("lotNumber", ""),
        "HAN_DUNG": wording.short_date(given.get("expirationDate", "")),
        "NHA_SX": _manufacturer(record, given),
        "VI_TRI_TIEM": wording.concept(given.get("site")),
        "DUONG_TIEM": wording.concept(given.get("route")),
        "NGUOI_TIEM": _each(names),
        "PHAN_UNG": _each(reactions),
        "GC_TIEM": _each(
            [
                state,
                "theo lời kể hoặc sổ tiêm" if given.get("primarySource") is False else "",
                "mũi tiêm không đạt hiệu lực" if given.get("isSubpotent") else "",
                *(note.get("text", "") for note in given.get("note", [])),
            ]
        ),
    }


def _first(given: Resource) -> Resource:
    found: Resource = min(given["performer"], key=_not_the_giver)
    return found


def _not_the_giver(part: Resource) -> bool:
    return "AP" not in codes(part.get("function"))


def _manufacturer(record: Record, given: Resource) -> str:
    named = given.get("manufacturer", {})
    organization = record.follow(named) or {}
    return str(organization.get("name") or named.get("display", ""))


def _reaction(record: Record, reaction: Resource) -> str:
    found = record.follow(reaction.get("detail")) or {}
    shown = value_text(found) if found else ""
    on = wording.short_date(reaction.get("date", ""))
    notes = "; ".join(note.get("text", "") for note in found.get("note", []))
    said = f"{shown} ({notes})" if shown and notes else shown or notes
    return f"{said}, {on}" if said and on else said


def procedure(n: int, record: Record, done: Resource) -> Line:
    people = [record.follow(part.get("actor")) or part.get("actor", {}) for part in done.get("performer", [])]
    names = [wording.title_and_name(one) or one.get("display", "") for one in people]
    remarks = [wording.concept(done.get("outcome")), *(wording.concept(one) for one in done.get("reasonCode", []))]
    return {
        "STT_PTTT": str(n),
        "TEN_PTTT": wording.concept(done.get("code")),
        "NGAY_PTTT": wording.short_time(began(done, "performedDateTime", "performedPeriod", "performedString")),
        "NGUOI_PTTT": _each(names),
        "GC_PTTT": _each(remarks),
    }


def result(n: int, observation: Resource) -> Line:
    ranges = [wording.limits(limits) for limits in observation.get("referenceRange", [])]
    return {
        "STT_KQ": str(n),
        "NGAY_KQ": wording.short_time(began(observation, "effectiveDateTime", "effectivePeriod", "issued")),
        "TEN_KQ": wording.concept(observation.get("code")),
        "GIA_TRI": shown_value(observation),
        "DON_VI_KQ": wording.unit(observation.get("valueQuantity", {})),
        "TRI_SO_KQ": "; ".join(text for text in ranges if text),
    }


def conclusion(n: int, report: Resource) -> Line:
    """Write what a report concludes, as one more line of the results."""
    return {
        "STT_KQ": str(n),
        "NGAY_KQ": wording.short_time(began(report, "effectiveDateTime", "effectivePeriod", "issued")),
        "TEN_KQ": wording.concept(report.get("code")),
        "GIA_TRI": f"Kết luận: {report['conclusion']}",
        "DON_VI_KQ": "",
        "TRI_SO_KQ": "",
    }


def vital_sign(n: int, observation: Resource) -> Line:
    return {
        "STT_DHST": str(n),
        "NGAY_DHST": wording.short_time(began(observation, "effectiveDateTime", "effectivePeriod")),
        "TEN_DHST": monitored.name(observation) or wording.concept(observation.get("code")),
        "GIA_TRI_DHST": shown_value(observation),
        "DON_VI_DHST": wording.unit(observation.get("valueQuantity", {})),
    }


def _each(texts: Iterable[str]) -> str:
    return "; ".join(dict.fromkeys(text for text in texts if text))


def in_time(resources: Sequence[Resource], *names: str) -> list[Resource]:
    """Order by the first time each has among the elements, then by id; what has no time comes last."""

    def key(resource: Resource) -> tuple[Any, ...]:
        said = began(resource, *names)
        moment = wording.instant(said)
        on = moment.date() if moment else wording.day(said)
        return (on is None, str(on), moment.isoformat() if moment else "", resource["id"])

    return sorted(resources, key=key)

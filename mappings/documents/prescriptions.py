"""What the three prescriptions have in common: which orders make one, and what it says.

Form: annexes I (C), II (N) and III (H) of TT 26/2025/TT-BYT. Trigger: an order of a medicine (RDE^O11, RDE^O25, OMP^O09,
ORM^O01) of an outpatient, or of an inpatient when ORC-29 says that it is for outside; each class of medicines (`medicines`)
has a paper of its own. One paper is one prescription of a visit: the orders with one group number (ORC-4) or prescription
number (RXE-15), else what one doctor ordered at one time. A change makes a new version of it. Required: the person's name,
the personal number or else birth, sex and address, the diagnosis, at least one medicine, the prescriber; of a child under 72
months also the weight and a parent or guardian. What is missing is named to a person. The code of the prescription is printed
as told, else its slot is empty.

Requirement: S3.15
"""

from __future__ import annotations

from collections.abc import Sequence

from mappings.documents import content, medicines, told, wording
from mappings.documents.content import Content
from mappings.documents.context import Context
from mappings.documents.faults import PaperIncomplete
from mappings.documents.record import Record, owner
from mappings.outcome import Resource

_INPATIENT = frozenset({"IMP", "ACUTE", "NONAC"})
_CHILD_MONTHS = 72
_WEIGHT = frozenset({"29463-7", "3141-9"})
_CHILD = ("NGAY_SINH", "CAN_NANG", "NGUOI_DUA_TRE")
_WITHOUT_NUMBER = ("NGAY_SINH", "GIOI_TINH", "DIA_CHI")
_TOLD = ("LOI_DAN", "NGAY_TAI_KHAM", "DOT_DUNG_THUOC", "CAN_NANG")


def subjects(resources: Sequence[Resource], paper: str) -> list[str]:
    """Give the prescriptions of a class in a message: `visit#prescription`, without a visit `person#prescription`."""
    return changed([one for one in resources if one.get("status") not in medicines.GONE], paper)


def changed(resources: Sequence[Resource], paper: str) -> list[str]:
    """Give the prescriptions of a class that a message speaks of, be it to take a medicine back."""
    if all(one["resourceType"] != "MedicationRequest" for one in resources):
        return []
    known = {f"{one['resourceType']}/{one['id']}": one for one in resources}
    inpatients = [
        reference
        for reference, one in known.items()
        if one["resourceType"] == "Encounter" and one.get("class", {}).get("code") in _INPATIENT
    ]
    found = [
        f"{owner(one)}#{medicines.group(one)}"
        for one in resources
        if owner(one)
        and medicines.is_prescribed(one, inpatients)
        and medicines.paper_class(one, known) == medicines.PAPERS[paper]
    ]
    return list(dict.fromkeys(found))


def gather(record: Record, subject: Resource, context: Context, paper: str) -> Content:
    """Collect what a prescription says; raises `PaperIncomplete` when no medicine of its class is in force."""
    known = record.by_reference
    drug_class = medicines.PAPERS[paper]
    group = medicines.of_group(record, subject, record.part)
    ordered = [one for one in group if medicines.paper_class(one, known) == drug_class]
    asked = medicines.listed(ordered, known)
    if not asked:
        raise PaperIncomplete("Thuốc điều trị (THUOC)", "THUOC ← RXE-2 · RXO-1")
    encounter = subject if subject["resourceType"] == "Encounter" else None
    patient = subject if subject["resourceType"] == "Patient" else record.patient(paper, encounter)
    prescribed = min((one["authoredOn"] for one in asked if one.get("authoredOn")), default="")
    at = prescribed or wording.stamp(context.issued_at)
    doctors = list(record.of_type([one.get("requester") for one in asked], "Practitioner"))
    cards = record.cards(at, at)
    conditions = record.diagnoses(encounter)
    person = content.person(record, patient, encounter, at)
    months = wording.months_old(patient.get("birthDate", ""), at)
    is_child = months is not None and months < _CHILD_MONTHS
    weight = _weight(record, encounter, patient)
    fields = {code: record.field(code, encounter) for code in _TOLD}
    days = medicines.days(asked)
    return Content(
        event_at=at,
        patient=patient,
        encounter=encounter,
        professional=next(iter(doctors), None) or record.doctor(encounter),
        values={
            **content.furniture(record, encounter, context),
            "DIA_CHI_CSKCB": context.facility.address,
            "DIEN_THOAI_CSKCB": context.facility.phone,
            "MA_DON_THUOC": next((code for one in asked if (code := medicines.prescription_code(one, known))), ""),
            **person,
            "NGAY_SINH": " ".join(
                part for part in (person["NGAY_SINH"], f"({months} tháng)" if is_child else "") if part
            ),
            "CAN_NANG": record.measured("CAN_NANG", encounter, "kg") or weight,
            **content.card(record, patient, cards),
            "CHAN_DOAN": content.diagnoses(conditions)["CHAN_DOAN"] or _reasons(asked),
            "DOT": fields["DOT_DUNG_THUOC"] or _period(asked),
            "SO_NGAY_THUOC": str(days) if days else "",
            "LOI_DAN": "\n".join(part for part in (fields["LOI_DAN"], _comes_back(fields["NGAY_TAI_KHAM"])) if part),
            "NGUOI_DUA_TRE": person["NGUOI_GIAM_HO"] if is_child else "",
            "CCCD_NGUOI_NHAN": record.field("CCCD_NGUOI_NHAN", encounter),
            "DIEN_THOAI": _phone(patient),
            "NGAY_KE_DON": wording.long_date(at).capitalize(),
        },
        entries={
            "person": [patient, *content.guardians(record, patient, at), *cards, *_weights(record, encounter, patient)],
            "diagnosis": conditions,
            "medicines": asked,
            "advice": record.fields(_TOLD, encounter),
        },
        lines={"medicines": [medicines.line(n, one, known, drug_class == "N") for n, one in enumerate(asked, 1)]},
        required=(*(_CHILD if is_child else ()), *(() if person["SO_CCCD"] else _WITHOUT_NUMBER)),
    )


def _weights(record: Record, encounter: Resource | None, patient: Resource) -> list[Resource]:
    """Give the last weight that was measured, of this visit."""
    visit = f"Encounter/{encounter['id']}" if encounter else ""
    found = [
        one
        for one in record.all("Observation")
        if told.loinc(one) & _WEIGHT
        and "valueQuantity" in one
        and one.get("encounter", {}).get("reference", "") == visit
        and one.get("subject", {}).get("reference") == f"Patient/{patient['id']}"
    ]
    return sorted(found, key=lambda one: (one.get("effectiveDateTime", ""), one["id"]))[-1:]


def _weight(record: Record, encounter: Resource | None, patient: Resource) -> str:
    quantities = [one["valueQuantity"] for one in _weights(record, encounter, patient)]
    return next((f"{wording.amount(q)} {wording.unit(q)}".strip() for q in quantities), "")


def _phone(patient: Resource) -> str:
    numbers = [one.get("value", "") for one in patient.get("telecom", []) if one.get("system") in ("phone", "sms")]
    return next((number for number in numbers if number), "")


def _reasons(requests: Sequence[Resource]) -> str:
    said = [wording.concept(reason) for one in requests for reason in one.get("reasonCode", [])]
    return "; ".join(dict.fromkeys(text for text in said if text))


def _period(requests: Sequence[Resource]) -> str:
    first, last = medicines.period(requests)
    if not first or not last:
        return ""
    return f"Đợt 1 (từ {wording.long_date(first)} đến hết {wording.long_date(last)})"


def _comes_back(on: str) -> str:
    return f"Khám lại ngày {wording.short_date(on)}" if on else ""

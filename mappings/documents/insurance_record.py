"""Hồ sơ chi phí khám bệnh, chữa bệnh: what one visit cost and what it was for; its XML is the visit's whole insurance file.

Form: none is prescribed for the file itself (QĐ 3176 sets tables); the sheet shows what the tables claim, so that a person can
read what the seal covers. Legal source: TT 48/2017/TT-BYT Điều 6, QĐ 31/QĐ-BYT năm 2026 (every patient, insured or not).
Trigger: the end of a visit of any class; charges and results that come later make a new version. Required: facility, person,
when the visit began and ended, the main diagnosis; where one is missing the paper waits for a person. A visit without charges
has an empty list, and its file goes for the health book alone.

Amounts are those that were told or computed for the tables; nothing is added up for the sheet but the totals it prints.
Signed by the facility alone. Requirement: S2.14, S3.15
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

from mappings.documents import content, wording
from mappings.documents.charges import charges
from mappings.documents.content import Content
from mappings.documents.context import Context
from mappings.documents.record import Record
from mappings.outcome import Resource

_WRONG = frozenset({"entered-in-error", "cancelled"})
_OF_VISIT = (
    *("Claim", "MedicationRequest", "MedicationDispense", "MedicationAdministration", "ServiceRequest"),
    *("Procedure", "DiagnosticReport", "Observation", "ClinicalImpression", "Appointment", "Condition", "CarePlan"),
    *(
        "DocumentReference",
        "EpisodeOfCare",
        "QuestionnaireResponse",
        "DeviceUseStatement",
        "ImagingStudy",
        "Immunization",
    ),
    *("Composition", "MedicationStatement"),
)
"""Types of what belongs to a visit and stands in a table of the file."""


def subjects(resources: Sequence[Resource]) -> list[str]:
    """Give the visits that are over, whichever message says so."""
    visits = [r for r in resources if r["resourceType"] == "Encounter"]
    return [f"Encounter/{r['id']}" for r in visits if r.get("status") == "finished" or r.get("period", {}).get("end")]


def gather(record: Record, subject: Resource, context: Context) -> Content:
    """Collect what the file says about a visit."""
    encounter = subject
    period = encounter.get("period", {})
    start, end = period.get("start", ""), period.get("end", "")
    patient = record.patient("insurance_record", encounter)
    conditions = record.diagnoses(encounter)
    cards = record.cards(start, end)
    belonging = {kind: _of_visit(record, kind, encounter) for kind in _OF_VISIT}
    charged = charges(record, encounter)
    return Content(
        event_at=end or wording.stamp(context.issued_at),
        patient=patient,
        encounter=encounter,
        professional=record.doctor(encounter),
        values={
            **content.furniture(record, encounter, context),
            **content.place(record, encounter),
            **content.person(record, patient, encounter, end or start),
            **content.card(record, patient, cards),
            **content.diagnoses(conditions),
            "NGAY_VAO": wording.long_time(start),
            "NGAY_RA": wording.long_time(end),
            "MA_DOITUONG_KCB": record.coded_field("MA_DOITUONG_KCB", encounter)[0],
            "T_TONGCHI_BV": money(sum((total(one) for one in charged), Decimal())),
            "T_TONGCHI_BH": money(sum((_amount(one, "insurance-amount") for one in charged), Decimal())),
        },
        entries={
            "person": [patient, *content.guardians(record, patient, end or start), *cards],
            "stay": [encounter],
            "diagnosis": [*conditions, *(one for one in belonging["Condition"] if one not in conditions)],
            "costs": [*charged, *belonging["Claim"]],
            "care": [one for kind in _OF_VISIT if kind not in ("Claim", "Condition") for one in belonging[kind]],
        },
        apart=frozenset({"Account"}),
        lines={"costs": [_line(number, one) for number, one in enumerate(charged, 1)]},
    )


def _of_visit(record: Record, kind: str, encounter: Resource) -> list[Resource]:
    visit = f"Encounter/{encounter['id']}"
    found = [one for one in record.all(kind) if one.get("status") not in _WRONG]
    if kind == "Claim":
        return [one for one in found if _claims(encounter, one)]
    if kind == "DocumentReference":
        found = [one for one in found if _is_note(one)]
    return [one for one in found if _visit_of(one) == visit]


def _is_note(document: Resource) -> bool:
    """Tell whether a document is words alone: it says who wrote them. Pictures and files stay where they are."""
    attachments = [one.get("attachment", {}) for one in document.get("content", [])]
    return all(one.get("contentType", "text/plain").startswith("text/") for one in attachments)


def _claims(encounter: Resource, claim: Resource) -> bool:
    """Tell whether a claim is of a visit: R4 lets a claim name none, but it bears the visit's number before its own."""
    numbers = tuple(f"{one['value']}/" for one in encounter.get("identifier", []) if one.get("value"))
    return any(one.get("value", "").startswith(numbers) for one in claim.get("identifier", []) if numbers)


def _visit_of(resource: Resource) -> str:
    """Refer to the visit a resource belongs to, under whichever element its type says so."""
    named = resource.get("encounter") or resource.get("context") or {}
    inside = named.get("encounter", [])  # of a DocumentReference
    if "reference" in named or inside:
        return str((inside[0] if inside else named).get("reference", ""))
    told = (one["valueReference"] for one in resource.get("extension", []) if one.get("url", "").endswith("/visit"))
    found = (one.get("reference", "") for one in (*resource.get("supportingInformation", []), *told))
    return next((one for one in found if one.startswith("Encounter/")), "")


def _line(number: int, item: Resource) -> Mapping[str, str]:
    quantity = item.get("quantity", {})
    return {
        "STT": str(number),
        "NOI_DUNG": wording.concept(item.get("code")),
        "DON_VI_TINH": wording.unit(quantity),
        "SO_LUONG": plain(quantity.get("value")),
        "DON_GIA": money(_amount(item, "unit-price")),
        "THANH_TIEN_BV": money(total(item)),
        "THANH_TIEN_BH": money(_amount(item, "insurance-amount")),
    }


def total(item: Resource) -> Decimal:
    """Give what the hospital charges for an item."""
    found: Decimal = item.get("priceOverride", {}).get("value", Decimal())
    return found


def _amount(item: Resource, name: str) -> Decimal:
    for one in item.get("extension", []):
        if one.get("url", "").endswith(f"/{name}"):
            found: Decimal = one.get("valueMoney", {}).get("value", Decimal())
            return found
    return Decimal()


def plain(number: Decimal | None) -> str:
    """Write a number as people do: comma before decimals."""
    return "" if number is None else f"{number:f}".replace(".", ",")


def money(amount: Decimal) -> str:
    """Write an amount in đồng, with dots between thousands."""
    whole, _, decimals = f"{amount:f}".partition(".")
    decimals = decimals.rstrip("0")
    return f"{int(whole):,}".replace(",", ".") + (f",{decimals}" if decimals else "")

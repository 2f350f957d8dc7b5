"""Thông tin trạng thái khám bệnh, chữa bệnh: that an insured person is being treated here, and what for; its XML is XML0.

Form: none is prescribed (QĐ 4750 sets the table); the sheet shows what the table says. Trigger: the first order or charge of a
visit that goes on; `visit#noi-tru` is the one of the treatment department, at the first cost after the admission told as
NGAY_VAO_NOI_TRU, of a visit that cost something before. Emergencies (class EMER, MA_DOITUONG_KCB 2) and visits that insurance
does not pay (MA_DOITUONG_KCB 9, or no card and no such code) have none. Required: the person, the card's situation
(MA_DOITUONG_KCB), when the visit began, what costs and when it was ordered. One that came as XML is passed on as it came.

Signed by the facility alone. It is made once; the portal knows no withdrawal of it. Requirement: S3.13
"""

from __future__ import annotations

from collections.abc import Sequence

from mappings.documents import content, wording
from mappings.documents.content import INPATIENT, Content
from mappings.documents.context import Context
from mappings.documents.faults import PaperNotWanted
from mappings.documents.first_cost import cost_at, cost_code, first_cost, is_cost
from mappings.documents.record import Record, owner
from mappings.outcome import Resource

PAPER = "insurance_check_in"
WARD = "noi-tru"
"""Part of the visit that the check-in of the treatment department is about."""
_EMERGENCY = "EMER"
_WITHOUT = {"2": "emergency", "9": "not insured"}
"""MA_DOITUONG_KCB of visits that are not checked in → why. Standard: QĐ 3276/QĐ-BYT; second-hand"""
_FIELDS = ("MA_DOITUONG_KCB", "MA_LOAI_KCB")
_ADMISSION = ("NGAY_VAO_NOI_TRU", "LY_DO_VNT", "MA_LY_DO_VNT")


def subjects(resources: Sequence[Resource]) -> list[str]:
    """Give the visits in progress for which a message orders or charges something, and those it checks in itself."""
    visits = {f"Encounter/{one['id']}": one for one in resources if one["resourceType"] == "Encounter"}
    if any(one["resourceType"] == "CoverageEligibilityRequest" for one in resources):
        return list(visits)
    found: dict[str, None] = {}
    for visit in dict.fromkeys(_visit_of(one) for one in resources if is_cost(one)):
        kind = visits.get(visit, {}).get("class", {}).get("code")
        if visit in visits and kind != _EMERGENCY and not _is_over(visits[visit]):
            found |= {visit: None} | ({f"{visit}#{WARD}": None} if kind in INPATIENT else {})
    return list(found)


def _visit_of(resource: Resource) -> str:
    charged: str = resource.get("context", {}).get("reference", "")
    return charged or owner(resource)


def _is_over(visit: Resource) -> bool:
    return visit.get("status") == "finished" or bool(visit.get("period", {}).get("end"))


def gather(record: Record, subject: Resource, context: Context) -> Content:
    """Collect what the check-in says; raises `PaperNotWanted` for a visit that has none, or none yet."""
    encounter = subject
    start = encounter.get("period", {}).get("start", "")
    patient = record.patient(PAPER, encounter)
    cards = record.cards(start, start)
    passed_on = _passed_on(record, encounter)
    costs = passed_on or [_cost(record, encounter, cards)]
    ordered = cost_at(costs[0]) or costs[0].get("created", "")
    at = ordered or wording.stamp(context.issued_at)
    code, meaning = record.coded_field("MA_DOITUONG_KCB", encounter)
    admitted = _admitted(record, encounter)
    admission = _ADMISSION if passed_on or _is_before(admitted, ordered) else ()
    return Content(
        event_at=at,
        patient=patient,
        encounter=encounter,
        professional=record.doctor(encounter),
        values={
            **content.furniture(record, encounter, context),
            **content.place(record, encounter),
            **content.person(record, patient, encounter, at),
            **content.card(record, patient, cards),
            "NGAY_VAO": wording.long_time(start),
            "NGAY_VAO_NOI_TRU": wording.long_time(admitted) if admission else "",
            "LY_DO_VNT": record.field("LY_DO_VNT", encounter) if admission else "",
            "MA_DOITUONG_KCB": f"{code} – {meaning}" if meaning else code,
            "CHI_PHI_DAU": "; ".join(text for one in costs if (text := _words(record, one))),
            "NGAY_YL": wording.long_time(ordered) if "T" in ordered else "",
        },
        entries={
            "person": [patient, *content.guardians(record, patient, at), *cards],
            "stay": [encounter, *record.fields((*_FIELDS, *admission), encounter)],
            "cost": costs,
        },
        apart=frozenset({"Account"}),
    )


def _passed_on(record: Record, encounter: Resource) -> list[Resource]:
    """Give the check-ins of a visit that came as XML: they bear its number before their own."""
    numbers = tuple(f"{one['value']}/" for one in encounter.get("identifier", []) if one.get("value"))
    return [
        one
        for one in record.all("CoverageEligibilityRequest")
        if any(number.get("value", "").startswith(numbers) for number in one.get("identifier", []))
    ]


def _cost(record: Record, encounter: Resource, cards: Sequence[Resource]) -> Resource:
    situation = record.coded_field("MA_DOITUONG_KCB", encounter)[0]
    if encounter.get("class", {}).get("code") == _EMERGENCY or situation in _WITHOUT:
        raise PaperNotWanted(PAPER, _WITHOUT.get(situation, "emergency"))
    if not situation and not cards:
        raise PaperNotWanted(PAPER, "not insured")
    first = first_cost(record, encounter)
    if first is None:
        raise PaperNotWanted(PAPER, "no cost yet")
    if not record.part:
        return first
    admitted = _admitted(record, encounter)
    inside = first_cost(record, encounter, wording.instant(admitted))
    if inside is None or not wording.instant(admitted) or _is_before(admitted, cost_at(first)):
        raise PaperNotWanted(PAPER, "no cost before the admission and one after it")
    return inside


def _admitted(record: Record, encounter: Resource) -> str:
    return wording.told_moment(record.field("NGAY_VAO_NOI_TRU", encounter))


def _is_before(one: str, other: str) -> bool:
    """Tell whether a moment is not after another; False when one of them is not known."""
    first, second = wording.instant(one), wording.instant(other)
    return first is not None and second is not None and first <= second


def _words(record: Record, cost: Resource) -> str:
    if cost["resourceType"] == "CoverageEligibilityRequest":
        items = (one.get("productOrService") for one in cost.get("item", []))
        return "; ".join(text for one in items if (text := wording.concept(one)))
    return wording.concept(cost_code(cost, record.by_reference))

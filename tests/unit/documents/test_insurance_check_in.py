"""The check-in: of which visits there is one, at which moment, and about what it is."""

from __future__ import annotations

from typing import Any

import pytest

from mappings import documents
from mappings.documents.faults import PaperIncomplete, PaperNotWanted
from mappings.outcome import Resource
from tests.unit.documents.reading import cells
from tests.unit.documents.samples import CONTEXT, charge, coded, field, ref, sample, without

PAPER = "insurance_check_in"
VISIT = "Encounter/dt1"
WARD = f"{VISIT}#noi-tru"
ACT = "http://terminology.hl7.org/CodeSystem/v3-ActCode"


def order(order_id: str, at: str, name: str = "Công thức máu", **more: Any) -> Resource:
    return {
        "resourceType": "ServiceRequest",
        "id": order_id,
        "status": "active",
        "intent": "order",
        "code": coded("https://his.example", "22.0120", name),
        "subject": ref("Patient", "bn1"),
        "encounter": ref("Encounter", "dt1"),
        "authoredOn": at,
    } | more


def medicine(order_id: str, at: str) -> Resource:
    found = order(order_id, at) | {"resourceType": "MedicationRequest"}
    found["medicationCodeableConcept"] = {"text": "Paracetamol 500 mg"}
    del found["code"]
    return found


def record(*more: Resource, left_out: tuple[str, ...] = ()) -> list[Resource]:
    return [*without(sample(PAPER)[1], *left_out), *more]


def by_reference(resources: list[Resource], reference: str) -> Resource:
    return next(one for one in resources if f"{one['resourceType']}/{one['id']}" == reference)


def said(resources: list[Resource], subject: str = VISIT) -> str:
    return cells(documents.compose(PAPER, subject, resources, CONTEXT))["CHI_PHI_DAU"]


# ---- when ----


@pytest.mark.parametrize(
    ("kind", "more", "due"),
    [
        ("AMB", {}, [VISIT]),
        ("IMP", {}, [VISIT, WARD]),
        ("SS", {}, [VISIT, WARD]),
        ("EMER", {}, []),
        ("AMB", {"status": "finished"}, []),
        ("AMB", {"period": {"end": "2026-11-01T10:00:00+07:00"}}, []),
    ],
)
def test_a_cost_of_a_visit_that_goes_on_asks_for_it(kind: str, more: dict[str, Any], due: list[str]) -> None:
    resources = record()
    by_reference(resources, VISIT).update({"class": {"system": ACT, "code": kind}, **more})
    assert documents.subjects(PAPER, resources) == due


@pytest.mark.parametrize(
    ("cost", "is_one"),
    [
        (order("yl1", "2026-11-01T08:35:00+07:00"), True),
        (order("yl1", "2026-11-01T08:35:00+07:00", status="revoked"), False),
        (order("yl1", "2026-11-01T08:35:00+07:00", category=[coded("http://snomed.info/sct", "3457005")]), False),
        (medicine("yl2", "2026-11-01T08:35:00+07:00"), True),
        (medicine("yl2", "2026-11-01T08:35:00+07:00") | {"status": "cancelled"}, False),
        (charge("cp9", "03.1703", "Khám nội", "1", "1", status="aborted"), False),
    ],
)
def test_what_counts_as_a_cost(cost: Resource, is_one: bool) -> None:
    resources = record(cost, left_out=("ChargeItem/cp1",))
    assert bool(documents.subjects(PAPER, resources)) is is_one


def test_a_message_without_a_cost_asks_for_none() -> None:
    assert documents.subjects(PAPER, record(left_out=("ChargeItem/cp1",))) == []


# ---- of which visits ----


@pytest.mark.parametrize(
    ("situation", "card", "wanted"),
    [
        ("1.1", True, True),
        ("1.1", False, True),
        ("9", True, False),
        ("2", True, False),
        ("", False, False),
    ],
)
def test_only_who_is_insured_and_no_emergency_is_checked_in(situation: str, card: bool, wanted: bool) -> None:
    resources = record(left_out=() if card else ("Coverage/bhyt1",))
    by_reference(resources, "Observation/f-ma-doituong-kcb-dt1")["valueString"] = situation or " "
    if wanted:
        assert said(resources) == "Khám nội"
    else:
        with pytest.raises(PaperNotWanted):
            said(resources)


def test_a_card_without_a_situation_is_named_to_a_person() -> None:
    with pytest.raises(PaperIncomplete) as missing:
        said(record(left_out=("Observation/f-ma-doituong-kcb-dt1",)))
    assert missing.value.detail == "MA_DOITUONG_KCB ← OBX MA_DOITUONG_KCB"


# ---- about what ----


def test_the_earliest_cost_is_named_whatever_kind_it_is() -> None:
    assert said(record(order("yl1", "2026-11-01T08:35:00+07:00"))) == "Công thức máu"
    assert said(record(medicine("yl2", "2026-11-01T01:34:00Z"))) == "Paracetamol 500 mg"
    assert said(record(order("yl1", "2026-11-01T08:45:00+07:00"))) == "Khám nội"
    assert said(record(order("yl1", ""))) == "Khám nội"


@pytest.mark.parametrize("at", ["", "2026-11-01"])
def test_a_cost_without_a_time_is_named_to_a_person_when_it_is_the_only_one(at: str) -> None:
    assert said(record(order("yl1", at))) == "Khám nội"
    with pytest.raises(PaperIncomplete) as missing:
        said(record(order("yl1", at), left_out=("ChargeItem/cp1",)))
    assert missing.value.detail.startswith("NGAY_YL ← ORC-9")


def test_a_charge_that_was_given_back_is_none() -> None:
    credit = charge("cp2", "03.1703", "Khám nội", "-1", "42100", status="aborted")
    later = order("yl1", "2026-11-01T09:00:00+07:00")
    assert said(record(credit, later)) == "Công thức máu"
    with pytest.raises(PaperNotWanted):
        said(record(credit))


def admitted() -> Resource:
    """What a HIS tells when it takes an outpatient in."""
    found = field("NGAY_VAO_NOI_TRU", "")
    del found["valueString"]
    return found | {"valueDateTime": "2026-11-01T10:00:00+07:00"}


def test_the_ward_checks_in_again_at_its_own_first_cost() -> None:
    ordered = order("yl1", "2026-11-01T10:20:00+07:00", "X-quang ngực")
    assert said(record(ordered, admitted()), WARD) == "X-quang ngực"
    assert said(record(ordered, admitted())) == "Khám nội"
    before, after = (
        cells(documents.compose(PAPER, subject, record(ordered, admitted()), CONTEXT)) for subject in (VISIT, WARD)
    )
    assert (before["NGAY_VAO_NOI_TRU"], after["NGAY_VAO_NOI_TRU"][:5]) == ("", "10 gi")


@pytest.mark.parametrize(
    "resources",
    [
        pytest.param(record(admitted()), id="nothing ordered there yet"),
        pytest.param(record(order("yl1", "2026-11-01T10:20:00+07:00")), id="nobody said when it was"),
        pytest.param(
            record(order("yl1", "2026-11-01T10:20:00+07:00"), admitted(), left_out=("ChargeItem/cp1",)),
            id="the visit began there",
        ),
    ],
)
def test_the_ward_does_not_check_in_without_need(resources: list[Resource]) -> None:
    with pytest.raises(PaperNotWanted):
        said(resources, WARD)

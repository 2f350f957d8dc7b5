"""Accounts and charges: status by event, status by kind of transaction, amounts, cost groups, and what a charge belongs to."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from mappings import codes
from mappings.fhir import problems, vocabulary
from mappings.fhir.tables import load
from mappings.hl7v2 import faults
from mappings.hl7v2.finance import EFFECTS
from mappings.hl7v2.messages import mappers
from mappings.outcome import Outcome
from tests.unit.hl7v2.samples import PID, PV1, every, line, mapped, only

NUMBERED = PID + "||||||||||TK1^^^01032^AN"
GROUP = "https://lienthong.vn/fhir/StructureDefinition/cost-group"
SERVICE = "03.1703^Khám nội^MA_DVKT"


@pytest.fixture(autouse=True)
def no_site() -> Iterator[None]:
    yield
    codes.forget()


def charged(*further: str, event: str = "P03", **fields: str) -> Outcome:
    ft1 = line("FT1", **({"f1": "1", "f2": "GD1", "f4": "20261103", "f6": "CG", "f7": SERVICE} | fields))
    outcome = mapped(f"DFT^{event}", NUMBERED, PV1, ft1, *further)
    for resource in outcome.resources:
        assert problems(resource) == []
    return outcome


def item(**fields: str) -> dict[str, Any]:
    return only(charged(**fields), "ChargeItem")


def group(charge: dict[str, Any]) -> str:
    found = [one for one in charge.get("extension", []) if one["url"] == GROUP]
    return found[0]["valueCodeableConcept"]["coding"][0]["code"] if found else ""


# ---- accounts ----


@pytest.mark.parametrize(
    ("trigger", "status", "assumed"),
    [
        ("BAR^P01", "active", False),
        ("BAR^P02", "inactive", False),
        ("BAR^P05", "active", True),
        ("BAR^P06", "inactive", False),
        ("BAR^P10", "active", True),
        ("BAR^P12", "active", True),
        ("DFT^P03", "active", True),
        ("DFT^P11", "active", True),
    ],
)
def test_each_event_leaves_the_account_so(trigger: str, status: str, assumed: bool) -> None:
    outcome = mapped(trigger, NUMBERED, line("FT1", f1="1", f2="GD1", f6="CG", f7=SERVICE))
    account = only(outcome, "Account")
    assert account["status"] == status
    assert (f"Account/{account['id']}" in outcome.assumed) is assumed


def test_every_event_of_the_table_is_served_and_no_other() -> None:
    served = {trigger.partition("^")[2] for trigger in mappers() if trigger[:3] in ("BAR", "DFT")}
    assert served == set(EFFECTS)
    allowed = {member.partition("|")[2] for member in load().members("account-status")}
    assert {effect.status for effect in EFFECTS.values()} <= allowed


def test_the_account_is_the_same_whichever_message_names_it() -> None:
    ids = {
        only(mapped(t, NUMBERED, PV1, line("FT1", f2="1", f6="CG", f7="A")), "Account")["id"]
        for t in ("BAR^P01", "DFT^P03")
    }
    ids.add(only(mapped("ADT^A01", NUMBERED, PV1), "Account")["id"])
    assert len(ids) == 1


def test_an_account_without_number_is_that_of_the_visit() -> None:
    first, again = (only(mapped(trigger, PID, PV1), "Account") for trigger in ("BAR^P01", "BAR^P06"))
    assert first["id"] == again["id"]
    assert "identifier" not in first


def test_who_pays_stands_by_rank() -> None:
    outcome = mapped(
        "BAR^P01",
        NUMBERED,
        PV1,
        "GT1|1||Lê^Lan|||||||||SPO",
        line("IN1", f1="1", f2="BHYT", f36="DN4010123456789;HC4010123456789"),
        line("IN1", f1="2", f2="TN", f4="Bảo hiểm C"),
    )
    account = only(outcome, "Account")
    cards = {f"Coverage/{one['id']}": one.get("subscriberId", "") for one in every(outcome, "Coverage")}
    assert [cards[one["coverage"]["reference"]] for one in account["coverage"]] == [
        "DN4010123456789",
        "HC4010123456789",
        "",
    ]
    assert [one["priority"] for one in account["coverage"]] == [1, 2, 3]
    assert account["guarantor"][0]["party"]["reference"].startswith("RelatedPerson/")


def test_a_purge_may_be_of_several_persons() -> None:
    other = "PID|2||BN2^^^01032^PI||Lê^Lan||||||||||||||TK2^^^01032^AN"
    outcome = mapped("BAR^P02", NUMBERED, other)
    accounts = every(outcome, "Account")
    assert {one["status"] for one in accounts} == {"inactive"}
    assert len({one["subject"][0]["reference"] for one in accounts}) == 2
    assert outcome.patient_id == every(outcome, "Patient")[0]["id"]


# ---- charges ----


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("CG", "billable"),
        ("CD", "aborted"),
        ("AJ", "billable"),
        ("PY", "not-billable"),
        ("CO", "not-billable"),
        ("cg", "billable"),
        ("ZZ", "unknown"),
        ("", "unknown"),
    ],
)
def test_each_kind_of_transaction_has_a_status(kind: str, status: str) -> None:
    outcome = charged(f6=kind)
    assert only(outcome, "ChargeItem")["status"] == status
    assert (faults.CODE_UNKNOWN in [one.code for one in outcome.notices]) is (status == "unknown")


def test_the_table_walks_every_cell_of_0017() -> None:
    kinds = vocabulary.members("http://terminology.hl7.org/CodeSystem/v2-0017")
    assert kinds
    assert [code for code in kinds if not codes.table("v2-0017-status").target(code)] == []


@pytest.mark.parametrize(
    ("fields", "total"),
    [
        ({"f11": "40400"}, {"value": Decimal("40400"), "currency": "VND"}),
        ({"f11": "40.50&USD"}, {"value": Decimal("40.50"), "currency": "USD"}),
        ({"f10": "3", "f12": "1000.5"}, {"value": Decimal("3001.5"), "currency": "VND"}),
        ({"f12": "1000"}, {"value": Decimal("1000"), "currency": "VND"}),
        ({"f10": "3", "f11": "2500", "f12": "1000"}, {"value": Decimal("2500"), "currency": "VND"}),
        ({"f11": "-40400"}, {"value": Decimal("-40400"), "currency": "VND"}),
        ({}, None),
    ],
)
def test_totals(fields: dict[str, str], total: dict[str, Any] | None) -> None:
    found = item(**fields).get("priceOverride")
    assert found == total
    assert found is None or total is None or str(found["value"]) == str(total["value"])


@pytest.mark.parametrize(("field", "said"), [("f11", "1.250.000"), ("f12", "nhiều"), ("f10", "x")])
def test_what_is_no_number_is_given_back(field: str, said: str) -> None:
    outcome = charged(**{field: said})
    assert f"FT1-{field[1:]}" in outcome.coverage.unknown
    assert [one.code for one in outcome.notices] == [faults.NUMBER_UNREADABLE]


def test_a_currency_that_is_none_is_not_claimed() -> None:
    outcome = charged(f11="100&XQ")
    assert only(outcome, "ChargeItem")["priceOverride"] == {"value": Decimal(100)}
    assert [one.code for one in outcome.notices] == [faults.CODE_UNKNOWN]


@pytest.mark.parametrize(
    "fields",
    [
        {"f17": "8^Phẫu thuật^MA_NHOM"},
        {"f18": "8^Phẫu thuật^QD3176"},
        {"f41": "8^Phẫu thuật^MA_NHOM"},
        {"f7": f"{SERVICE}^8^Phẫu thuật^MA_NHOM"},
        {"f25": f"{SERVICE}^8^^MA_NHOM"},
    ],
)
def test_the_cost_group_is_taken_where_the_list_is_named(fields: dict[str, str]) -> None:
    charge = item(**fields)
    assert group(charge) == "8"
    assert "8" not in [coding["code"] for coding in charge["code"]["coding"]]


@pytest.mark.parametrize("fields", [{"f17": "8"}, {"f18": "8^^L"}, {"f17": "77^^MA_NHOM"}, {}])
def test_no_cost_group_is_guessed(fields: dict[str, str]) -> None:
    assert group(item(**fields)) == ""


def test_the_site_may_say_the_cost_group_of_its_services() -> None:
    codes.extend("site-cost-group", ",".join(codes.COLUMNS) + "\nHIS,03.1703,,13,,relatedto,,\n")
    assert group(item()) == "13"
    assert group(item(f17="8^^MA_NHOM")) == "8"


def test_the_same_transaction_is_the_same_item() -> None:
    assert item()["id"] == item(f6="CD")["id"]
    assert item()["id"] != item(f2="GD2")["id"]


def test_a_payment_leads_to_what_it_pays() -> None:
    outcome = charged(line("FT1", f1="2", f2="GD2", f6="PY", f11="100", f31="1"))
    charge, payment = every(outcome, "ChargeItem")
    assert payment["partOf"] == [{"reference": f"ChargeItem/{charge['id']}"}]
    assert payment["code"]["coding"][0]["code"] == "PY"


def test_a_payment_for_something_else_is_said_to_be_unknown() -> None:
    assert "FT1-31" in charged(f31="9").coverage.unknown


def test_procedures_belong_to_the_charge_before_them() -> None:
    outcome = charged(line("FT1", f1="2", f2="GD2", f6="CG", f7="B"), "PR1|1||08.0005^Điện châm||20261103")
    first, second = every(outcome, "ChargeItem")
    assert "service" not in first
    assert second["service"] == [{"reference": f"Procedure/{only(outcome, 'Procedure')['id']}"}]


@pytest.mark.parametrize(("event", "belongs"), [("P11", True), ("P03", False)])
def test_a_diagnosis_belongs_to_a_charge_only_in_p11(event: str, belongs: bool) -> None:
    outcome = charged("DG1|1||E11.9^Đái tháo đường^I10|||F", event=event)
    lead = {"reference": f"Condition/{only(outcome, 'Condition')['id']}"}
    assert (lead in only(outcome, "ChargeItem").get("supportingInformation", [])) is belongs


def test_without_a_transaction_nothing_is_charged() -> None:
    with pytest.raises(faults.MissingSegment) as caught:
        mapped("DFT^P03", PID, PV1)
    assert caught.value.where == "FT1"


def test_a_transaction_that_says_nothing_makes_no_item() -> None:
    assert every(mapped("DFT^P03", PID, PV1, "FT1|1"), "ChargeItem") == []


def test_departments_and_facilities() -> None:
    both = item(f13="K03^Khoa Nội", f32="Bệnh viện A^^01032")
    assert both["performingOrganization"]["display"] == "Bệnh viện A"
    assert both["costCenter"]["display"] == "Khoa Nội"
    alone = item(f13="K03^Khoa Nội", f37="PK1^Phòng khám 1")
    assert (alone["performingOrganization"]["display"], alone["costCenter"]["display"]) == ("Khoa Nội", "Phòng khám 1")

"""Orders of medicines, dispenses and administrations."""

from __future__ import annotations

from decimal import Decimal
from itertools import product

import pytest

from mappings import codes
from mappings.fhir import problems
from mappings.fhir.tables import load
from mappings.formats import er7
from mappings.hl7v2 import faults
from mappings.hl7v2.draft import Draft
from mappings.hl7v2.medicine_orders import administration_status, dispense_status, medication_status
from mappings.hl7v2.messages import pharmacy as messages
from mappings.hl7v2.pharmacy import take_medicines
from mappings.hl7v2.visit import open_message
from tests.unit.hl7v2.samples import CONTEXT, PID, PV1, every, line, mapped, only, raw

ORC = "ORC|NW|TH1|D1"
RXO = "RXO|PARA^Paracetamol^L|1||viên"
RXE = "RXE||PARA^Paracetamol^L|1||viên"
RXD = "RXD|1|PARA^Paracetamol^L|20261125093000|20|viên"
RXA = "RXA|0|1|20261125090500||PARA^Paracetamol^L|1|viên"


def members(name: str) -> set[str]:
    return {one.partition("|")[2] for one in load().members(name)}


def test_statuses_walk_every_cell() -> None:
    controls = [row.code for row in codes.table("v2-0119-medication")]
    statuses = [row.code for row in codes.table("v2-0038-medication")]
    assert len(controls) > 50
    for control, status in product(["", *controls], ["", *statuses]):
        assert medication_status(control, status) in members("medicationrequest-status")
        for happened in (True, False):
            assert dispense_status(control, status, happened) in members("medicationdispense-status")
        for said in ("", "completed", "not-done", "stopped"):
            found = administration_status(control, said)
            assert found in members("medication-admin-status")
            assert not said or found == said
    for status in statuses:
        assert medication_status("NW", status) == codes.table("v2-0038-medication").target(status)


@pytest.mark.parametrize(
    ("control", "status", "expected"),
    [
        ("", "", "active"),
        ("NW", "", "active"),
        ("CA", "", "cancelled"),
        ("DC", "", "stopped"),
        ("HD", "", "on-hold"),
        ("XO", "", "active"),
        ("RE", "", "active"),
        ("DE", "", "unknown"),
        ("NW", "CM", "completed"),
        ("OK", "HD", "on-hold"),
        ("ZZ", "", "unknown"),
    ],
)
def test_status_of_an_order(control: str, status: str, expected: str) -> None:
    assert medication_status(control, status) == expected


def test_a_dispense_of_an_order_in_process_is_complete_when_it_happened() -> None:
    assert dispense_status("RE", "IP", True) == "completed"
    assert dispense_status("RE", "IP", False) == "in-progress"
    assert dispense_status("SC", "", False) == "unknown"
    assert dispense_status("RE", "CA", True) == "cancelled"


@pytest.mark.parametrize("trigger", messages.TRIGGERS)
def test_every_trigger(trigger: str) -> None:
    outcome = mapped(trigger, PID, PV1, ORC, RXO, RXE, RXD, RXA, "RXG|1|||PARA^Paracetamol^L|1||viên")
    assert [problems(resource) for resource in outcome.resources if problems(resource)] == []
    kinds = [resource["resourceType"] for resource in outcome.resources]
    assert kinds.count("MedicationRequest") == 2
    assert {"MedicationDispense", "MedicationAdministration"} <= set(kinds)
    assert not any(position.startswith("RX") for position in outcome.coverage.unknown)


def test_prescriber_and_pharmacy_are_one_order() -> None:
    outcome = mapped(
        "RDE^O11", PID, ORC, "RXO|PARA^Paracetamol^L|2||viên||Phát hộp nguyên||||||||||||||R50.9^Sốt^I10", "RXR|PO", RXE
    )
    request = only(outcome, "MedicationRequest")
    assert request["intent"] == "order"
    assert request["dosageInstruction"][0]["doseAndRate"][0]["doseQuantity"]["value"] == Decimal(1)
    assert request["reasonCode"][0]["coding"][0]["code"] == "R50.9"
    assert request["note"] == [{"text": "Phát hộp nguyên"}]
    assert outcome.coverage.ignored["RXO-2"].startswith("RXE")
    assert "RXO-4" in outcome.coverage.ignored or "RXO-4" in outcome.coverage.mapped
    assert request["dosageInstruction"][0]["route"]["coding"][0]["code"] == "PO"


def test_another_medicine_is_another_order_based_on_the_first() -> None:
    outcome = mapped("RDE^O11", PID, ORC, "RXO|BRU^Brufen^L|1||viên", "RXE||IBU^Ibuprofen^L|1||viên")
    original, encoded = sorted(every(outcome, "MedicationRequest"), key=lambda one: one["intent"], reverse=True)
    assert (original["intent"], encoded["intent"]) == ("original-order", "order")
    assert encoded["basedOn"] == [{"reference": f"MedicationRequest/{original['id']}"}]


def test_order_dispense_and_administration_meet_by_the_number() -> None:
    request = only(mapped("OMP^O09", PID, ORC, RXO), "MedicationRequest")
    encoded = only(mapped("RDE^O11", PID, ORC, RXE, control_id="C2"), "MedicationRequest")
    assert request["id"] == encoded["id"]
    dispense = only(mapped("RDS^O13", PID, ORC, RXD, control_id="C3"), "MedicationDispense")
    (authority,) = dispense["authorizingPrescription"]
    assert authority["type"] == "MedicationRequest"
    assert authority["identifier"] in request["identifier"]
    given = only(mapped("RAS^O17", PID, ORC, RXE, RXA, control_id="C4"), "MedicationAdministration")
    assert given["request"] == {"reference": f"MedicationRequest/{request['id']}"}


def test_two_medicines_under_one_number_stay_two() -> None:
    outcome = mapped("OMP^O09", PID, ORC, RXO, ORC, "RXO|ORS^Oresol^L|1||gói", ORC, RXO)
    assert len(every(outcome, "MedicationRequest")) == 2


def test_an_order_without_a_number_is_noticed() -> None:
    outcome = mapped("OMP^O09", PID, "ORC|NW", RXO)
    assert [notice.code for notice in outcome.notices] == [faults.NO_BUSINESS_KEY]
    again = mapped("OMP^O09", PID, "ORC|NW", RXO)
    assert only(outcome, "MedicationRequest")["id"] == only(again, "MedicationRequest")["id"]


RANGE = {"doseRange": {"low": {"value": Decimal(1), "unit": "viên"}, "high": {"value": Decimal(2), "unit": "viên"}}}


@pytest.mark.parametrize(
    ("least", "most", "dose"),
    [
        ("1", "", {"doseQuantity": {"value": Decimal(1), "unit": "viên"}}),
        ("1.50", "1.5", {"doseQuantity": {"value": Decimal("1.50"), "unit": "viên"}}),
        ("1", "2", RANGE),
        ("2", "1", RANGE),
        ("", "2", {"doseQuantity": {"value": Decimal(2), "unit": "viên"}}),
    ],
)
def test_dose(least: str, most: str, dose: dict[str, object]) -> None:
    outcome = mapped("OMP^O09", PID, ORC, f"RXO|PARA^Paracetamol^L|{least}|{most}|viên")
    found = only(outcome, "MedicationRequest")["dosageInstruction"][0]["doseAndRate"][0]
    del found["type"]
    assert found == dose


def test_a_unit_without_an_amount_is_unknown() -> None:
    outcome = mapped("OMP^O09", PID, ORC, "RXO|PARA^Paracetamol^L|||viên")
    assert "RXO-4" in outcome.coverage.unknown


def rate(per: str, amount: str, unit: str) -> dict[str, object]:
    rxe = line("RXE", f2="NACL^Natri clorid^L", f3="500", f5="mL^mL^UCUM", f22=per, f23=amount, f24=unit)
    found = only(mapped("RDE^O11", PID, ORC, rxe), "MedicationRequest")["dosageInstruction"][0]["doseAndRate"][0]
    return {name: value for name, value in found.items() if name.startswith("rate")}


def test_rates() -> None:
    ml = {"unit": "mL", "system": "http://unitsofmeasure.org", "code": "mL"}
    hour = {"value": Decimal(1), "unit": "h", "system": "http://unitsofmeasure.org", "code": "h"}
    per_hour = {"unit": "mL/h", "system": "http://unitsofmeasure.org", "code": "mL/h"}
    assert rate("", "100", "mL/h^mL/h^UCUM") == {"rateQuantity": {"value": Decimal(100), **per_hour}}
    assert rate("H", "100", "mL^mL^UCUM") == {
        "rateRatio": {"numerator": {"value": Decimal(100), **ml}, "denominator": hour}
    }
    assert rate("H1", "", "") == {"rateRatio": {"numerator": {"value": Decimal(500), **ml}, "denominator": hour}}


def test_a_plain_medicine_is_a_code_and_a_mixture_a_medication() -> None:
    outcome = mapped("RDE^O11", PID, ORC, RXE)
    assert not every(outcome, "Medication")
    mixed = mapped("RDE^O11", PID, ORC, RXE, "RXC|B|G5^Glucose 5%^L|500|mL", "RXC|A|KCL^Kali clorid^L|10|mL")
    medication = only(mixed, "Medication")
    assert [one.get("isActive") for one in medication["ingredient"]] == [None, True]
    assert only(mixed, "MedicationRequest")["medicationReference"]["reference"] == f"Medication/{medication['id']}"


def test_a_strength_is_a_ratio_with_both_halves() -> None:
    rxo = line("RXO", f1="PARA^Paracetamol^L", f18="500", f19="mg^mg^UCUM")
    (ingredient,) = only(mapped("OMP^O09", PID, ORC, rxo), "Medication")["ingredient"]
    assert set(ingredient["strength"]) == {"numerator", "denominator"}


def test_the_route_after_several_administrations_is_of_all() -> None:
    outcome = mapped("RAS^O17", PID, ORC, RXA, RXA.replace("|1|2026", "|2|2026"), "RXR|IV")
    routes = [one["dosage"]["route"]["coding"][0]["code"] for one in every(outcome, "MedicationAdministration")]
    assert routes == ["IVINJ", "IVINJ"]


def test_an_unknown_amount_and_a_route_without_one() -> None:
    outcome = mapped("RAS^O17", PID, ORC, "RXA|0|1|20261125||PARA^Paracetamol^L|999|viên", "RXR|PO")
    given = only(outcome, "MedicationAdministration")
    assert "dosage" not in given
    assert {"RXA-6", "RXA-7"} <= set(outcome.coverage.ignored)
    assert "RXR-1" in outcome.coverage.unknown


@pytest.mark.parametrize(
    ("done", "action", "status"),
    [
        ("", "", "completed"),
        ("CP", "A", "completed"),
        ("RE", "", "not-done"),
        ("NA", "", "not-done"),
        ("PA", "U", "stopped"),
        ("CP", "D", "entered-in-error"),
        ("XX", "", "completed"),
    ],
)
def test_status_of_an_administration(done: str, action: str, status: str) -> None:
    rxa = line("RXA", f1="0", f2="1", f3="20261125", f5="PARA^Paracetamol^L", f6="1", f20=done, f21=action)
    outcome = mapped("RAS^O17", PID, ORC, rxa)
    assert only(outcome, "MedicationAdministration")["status"] == status
    assert ("RXA-20" in outcome.coverage.unknown) == (done == "XX")


def test_an_administration_without_a_time_says_so() -> None:
    given = only(mapped("RAS^O17", PID, ORC, "RXA|0|1|||PARA^Paracetamol^L|1"), "MedicationAdministration")
    assert problems(given) == []
    assert given["_effectiveDateTime"]["extension"][0]["valueCode"] == "unknown"


def test_substitution_is_told_by_table_0167() -> None:
    for row in codes.table("v2-0167-substituted"):
        outcome = mapped("RDS^O13", PID, ORC, line("RXD", f1="1", f2="PARA^P^L", f3="20261125", f11=row.code))
        assert only(outcome, "MedicationDispense")["substitution"]["wasSubstituted"] is (row.target == "true")


def test_comments_and_observations_belong_to_what_precedes_them() -> None:
    outcome = mapped(
        "RDS^O13",
        PID,
        ORC,
        RXE,
        "NTE|1||về đơn",
        RXD,
        "NTE|1||về phát thuốc",
        "OBX|1|NM|8302-2^Height^LN||160|cm",
        "NTE|1||đo đứng",
    )
    assert only(outcome, "MedicationRequest")["note"] == [{"text": "về đơn"}]
    dispense = only(outcome, "MedicationDispense")
    assert dispense["note"] == [{"text": "về phát thuốc"}]
    observation = only(outcome, "Observation")
    assert observation["note"] == [{"text": "đo đứng"}]
    assert dispense["supportingInformation"] == [{"reference": f"Observation/{observation['id']}"}]


def test_the_walker_serves_other_messages() -> None:
    """An ORM tells only by RXO that its order is one of a medicine."""
    draft = Draft(er7.Message.parse(raw("ORM^O01", PID, ORC, "TQ1|1||BID", RXO, "RXR|PO", "FT1|1")), CONTEXT, "ORM^O01")
    open_message(draft)
    take_medicines(draft, draft.reader.segments)
    outcome = draft.outcome()
    assert "FT1-1" not in outcome.coverage.mapped
    assert only(outcome, "MedicationRequest")["dosageInstruction"][0]["route"]


def test_the_most_of_a_pump_needs_its_time() -> None:
    outcome = mapped("RDE^O11", PID, ORC, RXE, line("RXV", f1="1", f14="30^mg/h"))
    (dosage,) = only(outcome, "MedicationRequest")["dosageInstruction"]
    assert dosage["maxDosePerPeriod"]["denominator"]["code"] == "h"
    assert "RXV-14" in mapped("RDE^O11", PID, ORC, RXE, line("RXV", f1="1", f14="30^mg")).coverage.unknown


@pytest.mark.parametrize("trigger", ["OMP^O09", "RDE^O11"])
def test_a_dose_that_is_no_number_is_said_in_words(trigger: str) -> None:
    ordered = {
        "OMP^O09": "RXO|AMC^Amoxicillin/clavulanate^L|875/125||mg|||PO",
        "RDE^O11": "RXE||AMC^Amoxicillin/clavulanate^L|875/125||mg||PO",
    }[trigger]
    outcome = mapped(trigger, PID, "ORC|NW|P1", ordered)
    (instruction,) = only(outcome, "MedicationRequest")["dosageInstruction"]
    assert instruction["text"].splitlines()[0] == "875/125 mg"
    assert "doseAndRate" not in instruction
    n = 2 if trigger == "OMP^O09" else 3
    assert {f"{ordered[:3]}-{n}", f"{ordered[:3]}-{n + 2}"} <= outcome.coverage.mapped.keys()

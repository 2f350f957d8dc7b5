"""People without a number, and orders and results about nobody."""

from __future__ import annotations

import pytest

from mappings.fhir import problems
from mappings.formats import er7
from mappings.hl7v2 import map_message
from mappings.hl7v2.faults import NO_PATIENT_NUMBER, NOBODY, MissingField, TwoPatients
from mappings.outcome import Outcome

from .samples import CONTEXT, PID, PV1, line, mapped, only, raw

UNNUMBERED = "PID|1||||Nguyễn^Hoa||19850214|F"
RESULT = ("OBR|1|||GLU^Glucose^L", "OBX|1|NM|GLU^Glucose^L||5.4|mmol/L|3.9-6.4|N|||F")


def codes(outcome: Outcome) -> set[int]:
    return {notice.code for notice in outcome.notices}


def sound(outcome: Outcome) -> bool:
    return not [problem for resource in outcome.resources for problem in problems(resource)]


@pytest.mark.parametrize(
    "pid", [UNNUMBERED, "PID|1||^^^01032^PI||Nguyễn^Hoa", "PID|1||0000||Nguyễn^Hoa", 'PID|1||""', "PID|1"]
)
@pytest.mark.parametrize("trigger", ["ADT^A01", "ORU^R01"])
def test_a_person_without_a_number_is_a_patient_of_its_own(pid: str, trigger: str) -> None:
    outcome = mapped(trigger, pid, *(RESULT if trigger == "ORU^R01" else (PV1,)))
    patient = only(outcome, "Patient")
    assert "identifier" not in patient
    assert sound(outcome)
    assert [notice.where for notice in outcome.notices if notice.code == NO_PATIENT_NUMBER] == ["PID-3"]
    if pid.startswith("PID|1||^"):
        assert "PID-3" in outcome.coverage.unknown


def test_it_is_nobody_known_by_another_message() -> None:
    once = mapped("ORU^R01", UNNUMBERED, *RESULT)
    again = mapped("ORU^R01", UNNUMBERED, *RESULT)
    other = mapped("ORU^R01", UNNUMBERED, "OBR|1|||GLU^Glucose^L", "OBX|1|NM|GLU^Glucose^L||9.9")
    assert once.patient_id == again.patient_id
    assert once.patient_id != other.patient_id


def test_without_control_id_what_has_no_number_is_the_message_s_own() -> None:
    first, second = (mapped("ADT^A01", PID, f"PV1|1|{kind}", control_id="") for kind in "IO")
    assert first.encounter_id != second.encounter_id


@pytest.mark.parametrize(
    ("field", "segments"),
    [({"f18": "TK1^^^01032^AN"}, ()), ({}, (PV1,))],
)
def test_the_account_or_the_visit_tells_who_it_is(field: dict[str, str], segments: tuple[str, ...]) -> None:
    pid = line("PID", f5="Nguyễn^Hoa", **field)
    once, again = (mapped("ORU^R01", pid, *segments, "OBR|1||F1|GLU", control_id=number) for number in ("C1", "C2"))
    assert once.patient_id == again.patient_id
    assert codes(once) == {NO_PATIENT_NUMBER}
    assert once.patient_id != mapped("ORU^R01", PID, *segments, "OBR|1||F1|GLU").patient_id


@pytest.mark.parametrize(("field", "value"), [("f19", "0123456789"), ("f20", "790123456789^HCM")])
def test_a_social_number_or_a_licence_is_a_number(field: str, value: str) -> None:
    outcome = mapped("ADT^A01", line("PID", f5="Nguyễn^Hoa", **{field: value}), PV1)
    assert only(outcome, "Patient")["identifier"][0]["value"] == value.partition("^")[0]
    assert NO_PATIENT_NUMBER not in codes(outcome)


@pytest.mark.parametrize(
    ("trigger", "segments"),
    [("ADT^A40", ("MRG|BN9^^^01032^PI",)), ("ADT^A24", (PID,)), ("ADT^A45", ("MRG|BN9^^^01032^PI||||V9",))],
)
def test_a_change_of_identity_needs_the_number(trigger: str, segments: tuple[str, ...]) -> None:
    with pytest.raises(MissingField) as caught:
        mapped(trigger, UNNUMBERED, *segments)
    assert caught.value.where == "PID-3"


def test_two_without_number_are_one_only_by_name_and_birth() -> None:
    outcome = mapped("ADT^A08", UNNUMBERED, PV1, UNNUMBERED)
    only(outcome, "Patient")
    with pytest.raises(TwoPatients):
        mapped("ADT^A08", UNNUMBERED, PV1, "PID|2||||Trần^Bình||19850214|M")
    several = mapped("ORU^R01", UNNUMBERED, *RESULT, "PID|2||||Trần^Bình||19850214|M", *RESULT)
    assert len({one["subject"]["reference"] for one in several.resources if one["resourceType"] == "Observation"}) == 2


def test_a_person_told_twice_is_one_patient_with_the_account_told_second() -> None:
    outcome = mapped("ADT^A08", PID, PV1, "PID|2||BN1^^^01032^PI~BN7^^^K^PI|||||||||||||||TK2^^^01032^AN")
    assert only(outcome, "Patient")["id"] == outcome.patient_id
    assert only(outcome, "Account")["identifier"][0]["value"] == "TK2"
    assert "PID[2]-18" in outcome.coverage.mapped


@pytest.mark.parametrize("trigger", ["ORU^R01", "ORU^R30", "OUL^R22"])
def test_results_about_nobody(trigger: str) -> None:
    outcome = mapped(trigger, PV1, "ORC|RE|P1|F1", *RESULT, "SPM|1|S1||SER")
    assert codes(outcome) >= {NOBODY}
    assert (outcome.patient_id, outcome.encounter_id) == (None, None)
    assert "subject" not in only(outcome, "Observation")
    assert "subject" not in only(outcome, "DiagnosticReport")
    assert only(outcome, "Observation")["valueQuantity"]["unit"] == "mmol/L"
    assert sound(outcome)
    assert outcome.coverage.unknown["PV1-19"] == "the message does not say whose it is"


@pytest.mark.parametrize("trigger", ["ORM^O01", "OML^O21"])
def test_orders_about_nobody(trigger: str) -> None:
    outcome = mapped(trigger, "ORC|NW|P1", "OBR|1|P1||GLU", "DG1|1||E11.9^Đái tháo đường^I10")
    assert only(outcome, "ServiceRequest")["subject"]["extension"][0]["valueCode"] == "unknown"
    assert codes(outcome) >= {NOBODY}
    assert sound(outcome)


def test_medicines_about_nobody() -> None:
    outcome = mapped("ORM^O01", "ORC|NW|P1", "RXO|PARA^Paracetamol^L|500||mg", "RXR|PO")
    assert "extension" in only(outcome, "MedicationRequest")["subject"]
    assert sound(outcome)


def test_results_about_nobody_of_two_messages_are_two() -> None:
    found = [only(mapped("ORU^R01", *RESULT, control_id=number), "Observation")["id"] for number in ("C1", "C2")]
    assert found[0] != found[1]


def test_a_result_of_which_nobody_says_what_it_is_leaves_no_field_forgotten() -> None:
    outcome = mapped("ORU^R01", PID, "OBR|1||F1|GLU", "OBX|1|NM|^^LN|2|5.4|mmol/L||||F")
    assert {outcome.coverage.unknown[f"OBX-{n}"] for n in (3, 4, 5, 6)} == {"it is not said what was observed"}


def test_a_header_with_an_empty_first_component_of_security() -> None:
    data = raw("ADT^A01", PID, PV1).replace(b"20261103||ADT", b"20261103|^^^M1|ADT")
    outcome = map_message(er7.Message.parse(data), CONTEXT)
    assert not [problem for one in outcome.about for problem in problems(one)]


def test_a_parent_result_of_which_nothing_is_said_is_given_back() -> None:
    outcome = mapped("ORU^R01", PID, "OBR|1||F1|GLU||||||||||||||||||||||^^^x", "OBX|1|NM|GLU||5")
    assert "derivedFrom" not in only(outcome, "Observation")
    assert "OBR-26" in outcome.coverage.unknown


def test_a_code_of_ucum_is_a_unit() -> None:
    outcome = mapped("ORU^R01", PID, "OBR|1||F1|GLU", "OBX|1|CWE|U^Unit^L||bad unit^^UCUM")
    value = only(outcome, "Observation")["valueCodeableConcept"]["coding"][0]
    assert value["system"] != "http://unitsofmeasure.org"


def test_insurance_allergies_and_relatives_of_nobody_are_sound() -> None:
    about = (
        "IN1|1|BHYT^Bảo hiểm y tế^L|01^BHXH",
        "AL1|1|DA|PEN^Penicillin^L",
        "NK1|1|Trần^Bình|MTH",
        "DG1|1||E11^ĐTĐ^I10",
    )
    for trigger in ("ORU^R01", "ORM^O01", "OML^O21"):
        assert sound(mapped(trigger, *about, "ORC|NW|A1", *RESULT))


def test_an_accession_of_separators_only_is_none() -> None:
    order = line("OBR", f1="1", f2="A1", f4="CXR^X quang^L", f18="^x", f24="RAD")
    assert sound(mapped("ORM^O01", PID, "ORC|NW|A1", order))

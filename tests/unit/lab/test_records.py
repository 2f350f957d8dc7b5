"""Records of instruments as resources: the account holds whatever they say, and what is known takes the place of that."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mappings.fhir import problems
from mappings.formats import astm
from mappings.formats.faults import Fault
from mappings.lab import faults
from mappings.lab.astm import map_message, read
from mappings.lab.context import Context, Known
from mappings.outcome import Outcome

HEAD = "H|\\^&|||AN-500^2.1^SN7|||||||P|LIS2-A2|20260305091000"
OWN = "https://lienthong.vn/fhir/sid/01032"


def mapped(*records: str, **context: Any) -> Outcome:
    raw = "\r".join([HEAD, *records, "L|1|N"]).encode()
    return map_message(read(astm.Message.parse(raw)), Context(facility="01032", **context))


def results(outcome: Outcome) -> list[Any]:
    return [one for one in outcome.resources if one["resourceType"] == "Observation"]


def one_result(record: str, order: str = "O|1|S1||^^^A", **context: Any) -> Any:
    (found,) = results(mapped("P|1|BN1", order, record, **context))
    return found


@pytest.mark.parametrize(
    ("order", "status", "given"),
    [
        ("", "F", "final"),
        ("", "C", "corrected"),
        ("", "P", "preliminary"),
        ("", "X", "cancelled"),
        ("", "V", "final"),
        ("", "W", "preliminary"),
        ("", "", "preliminary"),
        ("F", "", "final"),
        ("C", "", "corrected"),
        ("", "@", "preliminary"),
    ],
)
def test_status(order: str, status: str, given: str) -> None:
    found = one_result(f"R|1|^^^A|1.0|g/L||||{status}", "O|1|S1||^^^A" + "|" * 21 + order)
    assert found["status"] == given


def test_a_letter_nobody_knows_is_noticed() -> None:
    outcome = mapped("P|1|BN1", "O|1|S1||^^^A", "R|1|^^^A|1|g/L||||@")
    assert [(one.code, one.where) for one in outcome.notices] == [(faults.STATUS_UNKNOWN, "R-9")]


@pytest.mark.parametrize(
    ("value", "unit", "element", "given"),
    [
        ("4.50", "g/L", "valueQuantity", "4.50"),
        ("  5.5", "g/L", "valueQuantity", "5.5"),
        ("<0.10", "g/L", "valueQuantity", "0.10"),
        ("Positive", "", "valueString", "Positive"),
        ("5,6", "g/L", "valueString", "5,6"),
        ("A\\B", "", "valueString", "A\nB"),
    ],
)
def test_values_keep_their_digits(value: str, unit: str, element: str, given: str) -> None:
    found = one_result(f"R|1|^^^A|{value}|{unit}||||F")
    said = found[element]["value"] if element == "valueQuantity" else found[element]
    assert str(said) == given


@pytest.mark.parametrize(
    ("told", "text"),
    [
        ("3.5-5.0", "3.5-5.0"),
        ("3.5^5.0", "3.5-5.0"),
        ("<5", "<5"),
        ("^TECH\\3.5-5.0^NORM", "TECH; 3.5-5.0"),
        ("", None),
    ],
)
def test_reference_ranges(told: str, text: str | None) -> None:
    found = one_result(f"R|1|^^^A|4.0|g/L|{told}|||F")
    assert (found["referenceRange"][0]["text"] if "referenceRange" in found else None) == text


def test_who_did_it_and_who_approved_it() -> None:
    outcome = mapped("P|1|BN1", "O|1|S1||^^^A", "R|1|^^^A|1|g/L||||F||kt7^bs9")
    (report,) = [one for one in outcome.resources if one["resourceType"] == "DiagnosticReport"]
    people = {
        f"Practitioner/{one['id']}": one["identifier"][0]["value"]
        for one in outcome.resources
        if one["resourceType"] == "Practitioner"
    }
    assert [people[one["reference"]] for one in results(outcome)[0]["performer"]] == ["kt7", "bs9"]
    assert [people[one["reference"]] for one in report["resultsInterpreter"]] == ["bs9"]


def test_the_site_says_who_approves_where_the_instrument_does_not() -> None:
    outcome = mapped("P|1|BN1", "O|1|S1||^^^A", "R|1|^^^A|1|g/L||||F", approver="000123/HNO-CCHN")
    (report,) = [one for one in outcome.resources if one["resourceType"] == "DiagnosticReport"]
    (person,) = [one for one in outcome.resources if one["resourceType"] == "Practitioner"]
    assert report["resultsInterpreter"] == [{"reference": f"Practitioner/{person['id']}"}]
    assert person["identifier"][0]["value"] == "000123/HNO-CCHN"


def test_the_same_test_again_is_another_result() -> None:
    assert len(results(mapped("P|1|BN1", "O|1|S1||^^^A", "R|1|^^^A|1|g/L", "R|2|^^^A|2|g/L"))) == 2


def test_an_id_does_not_depend_on_value_status_or_time() -> None:
    first = one_result("R|1|^^^A|1|g/L||||P||||20260305090000")
    assert first["id"] == one_result("R|1|^^^A|2|g/L||||C||||20260305100000")["id"]


def test_results_without_order_and_comments_on_nothing_are_unknown_fields() -> None:
    outcome = mapped("R|1|^^^A|1|g/L", "C|1|I|x|G", "P|1|BN1", "O|1|S1||^^^A", "R|1|^^^A|1|g/L")
    assert outcome.coverage.unknown["R-4"] == "a result of no order"
    assert outcome.coverage.unknown["C-4"] == "a comment on nothing"


def test_a_message_of_nothing_is_a_fault() -> None:
    with pytest.raises(faults.NothingSaid):
        mapped()


def test_an_instrument_that_broke_off_is_noticed() -> None:
    raw = "\r".join([HEAD, "P|1|BN1", "O|1|S1||^^^A", "R|1|^^^A|1|g/L||||F", "L|1|T"]).encode()
    notices = map_message(read(astm.Message.parse(raw)), Context(facility="01032")).notices
    assert [(one.code, one.where) for one in notices] == [(faults.ABORTED, "L-3")]


PATIENT = {
    "resourceType": "Patient",
    "id": "abc",
    "identifier": [{"system": f"{OWN}/patient", "value": "BN1"}],
    "name": [{"text": "TRẦN VĂN AN"}],
}
ORDER = {
    "resourceType": "ServiceRequest",
    "id": "order1",
    "status": "active",
    "intent": "order",
    "code": {"coding": [{"system": f"{OWN}/code", "code": "A"}]},
    "subject": {"reference": "Patient/abc"},
    "requester": {"reference": "Practitioner/p1"},
}


def with_known(*records: str) -> Outcome:
    return mapped(*records, known={"P": Known(PATIENT, {"S1": (ORDER,)})})


def test_of_a_person_of_the_record_nothing_is_told_and_of_the_order_that_it_is_done() -> None:
    outcome = with_known("P|1|X9|||LE^HOA", "O|1|S1||^^^A", "R|1|^^^A|1|g/L||||F")
    kinds = sorted({one["resourceType"] for one in outcome.resources})
    assert kinds == ["Device", "DiagnosticReport", "Observation", "ServiceRequest", "Specimen"]
    (order,) = [one for one in outcome.resources if one["resourceType"] == "ServiceRequest"]
    assert order == {**ORDER, "status": "completed"}
    assert outcome.patient_id == "abc"
    for one in outcome.resources:
        if "subject" in one:
            assert one["subject"] == {"reference": "Patient/abc"}
    (report,) = [one for one in outcome.resources if one["resourceType"] == "DiagnosticReport"]
    assert report["basedOn"] == [{"reference": "ServiceRequest/order1"}]


def test_a_preliminary_result_leaves_the_order_open() -> None:
    outcome = with_known("P|1", "O|1|S1||^^^A", "R|1|^^^A|1|g/L||||P")
    assert not [one for one in outcome.resources if one["resourceType"] == "ServiceRequest"]


def test_a_specimen_without_order_is_noticed() -> None:
    outcome = with_known("P|1", "O|1|S2||^^^A", "R|1|^^^A|1|g/L||||F")
    assert [(one.code, one.where) for one in outcome.notices] == [(faults.ORDER_UNKNOWN, "O-3")]


FIELDS = st.lists(
    st.one_of(
        st.sampled_from(
            ["", "1", "^", "^^^A", "20260305", "2026030509", '""', "M", "F", "C", "Q", "X", "\\", "&F&", "0", "-----"]
        ),
        st.text(st.characters(codec="utf-8", exclude_characters="\r\n|"), max_size=6),
    ),
    max_size=31,
)


@settings(max_examples=150)
@given(
    st.lists(st.tuples(st.sampled_from("PORRCQMSL"), FIELDS), max_size=8),
    st.sampled_from(["", "sysmex", "bridge", "genexpert"]),
)
def test_any_records_are_accounted_for(records: list[tuple[str, list[str]]], profile: str) -> None:
    raw = "\r".join([HEAD, *("|".join([name, *fields]) for name, fields in records)]).encode()
    message = astm.Message.parse(raw)
    try:
        outcome = map_message(read(message, profile), Context(facility="01032"))
    except Fault:
        return
    populated = {record.where(n) for record in message.records for n in record.populated()}
    coverage = outcome.coverage
    assert {*coverage.mapped, *coverage.ignored, *coverage.unknown} == populated
    assert coverage.total == len(populated)
    assert [problem for resource in outcome.resources for problem in problems(resource)] == []

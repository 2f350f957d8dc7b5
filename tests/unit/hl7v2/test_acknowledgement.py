"""Answers: what MSA and ERR say becomes the response of the MessageHeader and an OperationOutcome, and no record."""

from __future__ import annotations

from typing import Any

import pytest

from mappings.fhir import problems
from mappings.formats import er7
from mappings.hl7v2 import faults, map_message, outcome_to_bundle
from mappings.outcome import Outcome
from tests.unit.hl7v2.samples import CONTEXT, mapped


def header(outcome: Outcome) -> dict[str, Any]:
    return dict(outcome.about[0])


def issues(outcome: Outcome) -> list[dict[str, Any]]:
    found = [one for one in outcome.about if one["resourceType"] == "OperationOutcome"]
    assert len(found) == 1
    assert problems(found[0]) == []
    assert header(outcome)["response"]["details"] == {"reference": f"OperationOutcome/{found[0]['id']}"}
    return list(found[0]["issue"])


@pytest.mark.parametrize("event", ["ACK", "ACK^A01", "ACK^A01^ACK", "ACK^Q99"])
def test_every_event_is_served(event: str) -> None:
    outcome = mapped(event, "MSA|AA|C9")
    assert header(outcome)["response"] == {"identifier": "C9", "code": "ok"}
    assert outcome.resources == []
    assert outcome.patient_id is None


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ("AA", "ok"),
        ("CA", "ok"),
        ("AE", "fatal-error"),
        ("CE", "transient-error"),
        ("AR", "fatal-error"),
        ("CR", "fatal-error"),
        ("aa", "ok"),
    ],
)
def test_codes(said: str, code: str) -> None:
    assert header(mapped("ACK", f"MSA|{said}|C9"))["response"]["code"] == code


def test_an_unknown_code_is_noticed_and_not_guessed() -> None:
    outcome = mapped("ACK", "MSA|XX|C9")
    assert "response" not in header(outcome)
    assert outcome.coverage.unknown.keys() == {"MSA-1", "MSA-2"}
    assert [notice.code for notice in outcome.notices] == [faults.CODE_UNKNOWN]
    assert problems(header(outcome)) == []


def test_what_is_wrong_is_told_although_the_code_of_the_answer_is_not() -> None:
    outcome = mapped("ACK", "MSA||C9|lỗi", "ERR||PID^1^3|101^Required field missing^HL70357|E")
    assert outcome.coverage.unknown.keys() == {"MSA-2"}
    (found,) = [one for one in outcome.about if one["resourceType"] == "OperationOutcome"]
    assert len(found["issue"]) == 2
    assert outcome_to_bundle(outcome, CONTEXT)["entry"][0]["resource"]["focus"] == [
        {"reference": f"OperationOutcome/{found['id']}"}
    ]


def test_without_msa_nothing_is_answered() -> None:
    with pytest.raises(faults.MissingSegment) as caught:
        mapped("ACK", "MAS|AA|C9")
    assert caught.value.where == "MSA"


def test_a_control_id_that_is_no_fhir_id_leads_to_the_header_of_the_answered_message() -> None:
    asked = mapped("ACK", "MSA|AA|1", control_id="I♥HIS")
    answer = b"MSH|^~\\&|LT|01032|HIS|01032|20261103||ACK|9|P|2.5\rMSA|AA|" + "I♥HIS".encode() + b"\r"
    outcome = map_message(er7.Message.parse(answer), CONTEXT)
    assert header(outcome)["response"]["identifier"] == header(asked)["id"]


def test_places_conditions_and_severity() -> None:
    found = issues(
        mapped(
            "ACK",
            "MSA|AE|C9",
            "ERR||OBX^2^5^1^2^3|101^Required field missing^HL70357|W||||Thiếu kết quả",
            "ERR|||207|F",
        )
    )
    assert [(one["severity"], one["code"]) for one in found] == [("warning", "required"), ("fatal", "exception")]
    assert found[0]["expression"] == ["OBX[2]-5.2.3"]
    assert found[0]["details"]["text"] == "Thiếu kết quả"
    assert found[0]["details"]["coding"][0]["code"] == "101"


def test_err_as_it_was_before_v2_5() -> None:
    found = issues(mapped("ACK", "MSA|AE|C9|Sai|||", "ERR|PID^1^11^103&Table value not found&HL70357~OBX^3"))
    assert found[0]["details"] == {"text": "Sai"}
    assert [one.get("expression") for one in found[1:]] == [["PID-11"], ["OBX[3]"]]
    assert [one["code"] for one in found[1:]] == ["code-invalid", "processing"]


def test_what_is_said_beside_a_good_answer_is_information() -> None:
    assert issues(mapped("ACK", "MSA|AA|C9|Đã nhận"))[0]["severity"] == "information"


def test_an_answer_is_a_message_bundle() -> None:
    bundle = outcome_to_bundle(mapped("ACK", "MSA|AR|C9|Sai"), CONTEXT)
    kinds = [entry["resource"]["resourceType"] for entry in bundle["entry"]]
    assert kinds == ["MessageHeader", "Provenance", "Organization", "OperationOutcome"]
    assert problems(bundle) == []


@pytest.mark.parametrize("err", ["ERR|", "ERR||^^5", "ERR|??^1", 'ERR|""', "ERR||PID^x^y"])
def test_errors_that_say_little_break_nothing(err: str) -> None:
    outcome = mapped("ACK", "MSA|AE|C9", err)
    for resource in outcome.about:
        assert problems(resource) == []

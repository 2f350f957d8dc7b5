"""Each judge is seen to judge: errors planted in a sound Bundle, and which of the judges sees which."""

from __future__ import annotations

from typing import Any

import pytest

from conformance.validators import JUDGES, Finding, judge
from conformance.validators.false_positives import KNOWN, FalsePositive, is_false
from conformance.validators.finding import write
from conformance.validators.invariants import LEFT_OUT
from tests.judges.sample import PLANTED, Planted, sound


@pytest.fixture(scope="module")
def seen() -> dict[str, set[str]]:
    """Judges that found something, by the name of the planted error; all are judged in one go."""
    bundles = [("sound", sound()), *((one.name, one.bundle()) for one in PLANTED)]
    judges: dict[str, set[str]] = {name: set() for name, _ in bundles}
    for finding in judge((name, write(bundle).encode()) for name, bundle in bundles):
        judges[finding.name].add(finding.judge)
    return judges


def test_every_judge_accepts_the_sound_bundle(seen: dict[str, set[str]]) -> None:
    assert seen["sound"] == set()


@pytest.mark.parametrize("error", PLANTED, ids=lambda error: error.name)
def test_a_planted_error_is_seen(error: Planted, seen: dict[str, set[str]]) -> None:
    assert error.seen_by
    assert seen[error.name] == error.seen_by


def test_every_judge_is_needed_or_agrees() -> None:
    """Each judge sees something; schema, invariants, terminology, medplum, ucum and references see what no other does."""
    assert set().union(*(error.seen_by for error in PLANTED)) == set(JUDGES)
    alone = {judge for error in PLANTED if len(error.seen_by) == 1 for judge in error.seen_by}
    assert alone == {"invariants", "terminology", "medplum", "ucum", "references"}


def test_a_finding_names_the_bundle_and_the_place() -> None:
    error = next(one for one in PLANTED if one.name == "end before start")
    found = judge([("a", write(error.bundle()).encode())], ["invariants"])
    text = "per-1: If present, start SHALL have a lower value than end"
    assert found == [Finding("invariants", "a", "Bundle.entry[2].Encounter.period", text)]


def test_the_same_resource_in_two_bundles_is_found_in_both() -> None:
    error = next(one for one in PLANTED if one.name == "wrong display")
    text = write(error.bundle()).encode()
    assert [finding.name for finding in judge([("a", text), ("b", text)], ["terminology"])] == ["a", "b"]


def test_one_resource_alone_is_judged() -> None:
    (found,) = judge([("a", b'{"resourceType": "Patient", "gender": "man"}')], ["terminology"])
    assert found.path == "Patient.gender"


@pytest.mark.parametrize("text", [b"MSH|^~\\&|", b"[]", b'{"a": 1}'])
def test_what_is_no_resource_is_not_judged(text: bytes) -> None:
    with pytest.raises(ValueError, match=r"Expecting value|not a FHIR resource"):
        judge([("a", text)])


def _concept(system: str, code: str) -> dict[str, Any]:
    return {"coding": [{"system": system, "code": code}]}


REFUSED: dict[str, dict[str, Any]] = {
    "MedicationAdministration": {
        "resourceType": "MedicationAdministration",
        "status": "completed",
        "medicationCodeableConcept": {"text": "x"},
        "subject": {"display": "x"},
        "_effectiveDateTime": {
            "extension": [{"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "unknown"}]
        },
    },
    "[A-Za-z]+": {
        "resourceType": "Patient",
        "identifier": [{"value": "1", "period": {"start": "2007-01-03", "end": "9999-12-31"}}],
    },
    r"MedicationStatement\.status": {
        "resourceType": "MedicationStatement",
        "status": "not-taken",
        "medicationCodeableConcept": {"text": "x"},
        "subject": {"display": "x"},
    },
    r"(CapabilityStatement|ImplementationGuide|StructureDefinition)\.fhirVersion": {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": "2026-01-01",
        "kind": "requirements",
        "fhirVersion": "4.0.1",
        "format": ["application/fhir+json"],
        "description": "x",
        "rest": [{"mode": "server"}],
    },
    r"Observation\.component": {
        "resourceType": "Observation",
        "status": "final",
        "category": [_concept("http://terminology.hl7.org/CodeSystem/observation-category", "vital-signs")],
        "code": _concept("http://loinc.org", "85354-9"),
        "subject": {"display": "x"},
        "effectiveDateTime": "2026-01-01",
        "component": [
            {
                "code": _concept("http://loinc.org", code),
                "valueQuantity": {
                    "value": 100,
                    "unit": "mmHg",
                    "system": "http://unitsofmeasure.org",
                    "code": "mm[Hg]",
                },
            }
            for code in ("8480-6", "8462-4")
        ],
    },
}
"""By the path of the known error: what its judge refuses although FHIR allows it."""


@pytest.mark.parametrize("known", KNOWN, ids=lambda known: f"{known.judge}: {known.text}")
def test_a_known_error_of_a_judge_is_still_one_and_is_left_out(known: FalsePositive) -> None:
    bundle = [("a", write(REFUSED[known.path]).encode())]
    found = judge(bundle, [known.judge], everything=True)
    assert found
    assert all(is_false(one) for one in found)
    assert judge(bundle) == []


def test_what_is_left_out_is_about_no_message_of_a_hospital() -> None:
    """If a mapping makes one of these, somebody must look at the invariant: `LEFT_OUT` tells why it is not evaluated."""
    assert set(LEFT_OUT) == {"ctm-1", "ig-1", "ig-2", "que-7", "ras-2"}

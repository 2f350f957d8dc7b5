"""The same Patient under either VN Core base, claiming a profile only where it has what the profile demands."""

from __future__ import annotations

from typing import Any

import pytest

from mappings.fhir import problems
from mappings.formats import er7
from mappings.guides import Guide, guides, in_guide
from mappings.hl7v2 import Context, map_message, outcome_to_bundle
from mappings.systems import DEFAULT

COMMUNITY = guides()["http://fhir.hl7.org.vn/core|0.6.0"]
HL7VN = guides()["http://fhir.ehealth.gov.vn/core|1.0.0"]
EHEALTH = "http://fhir.ehealth.gov.vn/core"
MESSAGE = (
    "MSH|^~\\&|HIS|01032|||20261104080000||ADT^A01|A1|P|2.5\r"
    "PID|1||BN1^^^01032^PI~001080012345^^^CCCD^NI~DN4010123456789^^^BHYT^SB||Nguyễn^Hoa^Thị||19800314|F|||"
    "12 Lê Lợi^^^01^^VN^H^^00004||||||1013|||||25\r"
    "PV1|1|I|K01^P1^G2||||000123/HNO-CCHN^Trần^Minh^Quang||||||||||||V1|||||||||||||||||||||||||20261104080000\r"
)


def bundle() -> dict[str, Any]:
    context = Context(facility="01032")
    return outcome_to_bundle(map_message(er7.Message.parse(MESSAGE.encode()), context), context)


def only(said: dict[str, Any], kind: str) -> dict[str, Any]:
    (found,) = [e["resource"] for e in said["entry"] if e["resource"]["resourceType"] == kind]
    return dict(found)


def test_two_guides_share_a_package_and_are_told_apart() -> None:
    assert {guide.key for guide in guides().values()} == {COMMUNITY.key, HL7VN.key}


@pytest.mark.parametrize("guide", guides().values(), ids=lambda guide: guide.key)
def test_everything_stays_valid_and_nothing_else_changes(guide: Guide) -> None:
    before = bundle()
    said = in_guide(before, guide)
    assert before == bundle()
    assert [problems(entry["resource"]) for entry in said["entry"]] == [[]] * len(before["entry"])
    assert [entry["fullUrl"] for entry in said["entry"]] == [entry["fullUrl"] for entry in before["entry"]]
    assert [e["resource"]["id"] for e in said["entry"]] == [e["resource"]["id"] for e in before["entry"]]


def test_no_profile_is_claimed_unasked() -> None:
    assert all("profile" not in entry["resource"].get("meta", {}) for entry in bundle()["entry"])


def test_the_community_guide_is_our_own_spelling() -> None:
    before, said = bundle(), in_guide(bundle(), COMMUNITY)
    patient = only(said, "Patient")
    assert patient.pop("meta") == {"profile": ["http://fhir.hl7.org.vn/core/StructureDefinition/vn-core-patient|0.6.0"]}
    assert patient == only(before, "Patient")


def test_the_patient_in_the_other_guide() -> None:
    patient = only(in_guide(bundle(), HL7VN), "Patient")
    assert {(one["system"].removeprefix(EHEALTH), one["value"]) for one in patient["identifier"]} == {
        ("/sid/patient-internal-id", "BN1"),
        ("/sid/national_id", "001080012345"),
        ("/sid/insurance_number", "DN4010123456789"),
    }
    by_url = {extension["url"].rpartition("/")[2]: extension for extension in patient["extension"]}
    assert by_url["extension-race"]["valueCodeableConcept"]["coding"][0] == {
        "system": f"{EHEALTH}/CodeSystem/vn-core-race",
        "code": "25",
        "display": by_url["extension-race"]["valueCodeableConcept"]["coding"][0]["display"],
    }
    assert "extension-ethic" in by_url, "religion"
    (address,) = patient["address"]
    (units,) = address["extension"]
    assert units["url"] == f"{EHEALTH}/StructureDefinition/extension-administrative-address"
    assert [(one["url"], one["valueCodeableConcept"]["coding"][0]["code"]) for one in units["extension"]] == [
        ("state", "01"),
        ("ward", "00004"),
    ]
    assert "district" not in address
    assert patient["meta"]["profile"] == [f"{EHEALTH}/StructureDefinition/vn-core-patient|1.0.0"]


def test_a_licence_is_a_qualification_there() -> None:
    practitioner = only(in_guide(bundle(), HL7VN), "Practitioner")
    assert "identifier" not in practitioner
    assert practitioner["qualification"][0]["identifier"][0]["value"] == "000123/HNO-CCHN"


def observation(**changes: Any) -> dict[str, Any]:
    category = {
        "coding": [{"system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": "laboratory"}]
    }
    whole = {
        "resourceType": "Observation",
        "id": "1",
        "status": "final",
        "category": [category],
        "code": {"text": "x"},
        "basedOn": [{"reference": "ServiceRequest/1"}],
        "partOf": [{"reference": "Procedure/1"}],
        "performer": [{"display": "x"}],
        "effectiveDateTime": "2026",
    }
    return {name: value for name, value in (whole | changes).items() if value is not None}


@pytest.mark.parametrize(
    ("changes", "claimed"),
    [
        ({}, True),
        ({"status": "preliminary"}, False),
        ({"basedOn": None}, False),
        ({"partOf": None}, False),
        ({"category": None}, False),
        ({"effectiveDateTime": None}, False),
    ],
)
def test_a_result_claims_the_laboratory_profile_only_with_all_it_demands(
    changes: dict[str, Any], claimed: bool
) -> None:
    said = in_guide(observation(**changes), HL7VN)
    assert ("profile" in said.get("meta", {})) is claimed


def test_a_name_without_text_claims_nothing() -> None:
    patient = {
        "resourceType": "Patient",
        "id": "1",
        "identifier": [{"value": "1"}],
        "name": [{"text": "A"}, {"family": "B"}],
    }
    assert "meta" not in in_guide(patient, HL7VN)
    assert "meta" in in_guide(patient, COMMUNITY)


def test_own_bases_are_honoured() -> None:
    other = type(DEFAULT)(national="http://example.org/core", own="http://example.org/own")
    patient = {"resourceType": "Patient", "id": "1", "identifier": [{"system": other.cccd, "value": "1"}]}
    assert in_guide(patient, HL7VN, other)["identifier"][0]["system"] == f"{EHEALTH}/sid/national_id"

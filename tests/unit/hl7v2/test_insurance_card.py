"""The Vietnamese insurance card: kept as received, split where several stand in one field, read as far as the number tells."""

from __future__ import annotations

from typing import Any

import pytest

from mappings.fhir import problems
from mappings.formats.faults import GLN_DOUBTFUL
from mappings.hl7v2 import faults
from mappings.outcome import Outcome
from tests.unit.hl7v2.samples import PID, PV1, every, line, mapped, only

BHYT = "http://fhir.hl7.org.vn/core/sid/bhyt"
GROUP = "http://fhir.hl7.org.vn/core/StructureDefinition/vn-ext-bhyt-card-type"
FIRST_CARE = "http://fhir.hl7.org.vn/core/StructureDefinition/vn-ext-primary-care-facility"


def insured(*, pd1: str = "", **fields: str) -> Outcome:
    segments = [PID, *([pd1] if pd1 else []), PV1, line("IN1", f1="1", f2="BHYT", **fields)]
    outcome = mapped("ADT^A01", *segments)
    for resource in outcome.resources:
        assert problems(resource) == []
    return outcome


def extension(coverage: dict[str, Any], url: str) -> dict[str, Any] | None:
    return next((one for one in coverage.get("extension", []) if one["url"] == url), None)


def numbers(coverage: dict[str, Any]) -> list[str]:
    return [one["value"] for one in coverage["identifier"] if one["system"] == BHYT]


@pytest.mark.parametrize("card", ["DN4010123456789", "0123456789", "001085012345", "TE1790000000001"])
def test_each_of_the_three_forms_is_kept_as_received(card: str) -> None:
    coverage = only(insured(f36=card), "Coverage")
    assert numbers(coverage) == [card]
    assert coverage["subscriberId"] == card


def test_the_number_tells_level_and_group() -> None:
    coverage = only(insured(f36="DN4010123456789"), "Coverage")
    level = [one for one in coverage["class"] if one["type"].get("text") == "Mức hưởng BHYT"]
    assert [one["value"] for one in level] == ["4"]
    found = extension(coverage, GROUP)
    assert found is not None
    assert found["valueCodeableConcept"]["coding"][0]["code"] == "DN"


@pytest.mark.parametrize("card", ["0123456789", "001085012345", "DN6010123456789", "D14010123456789", "A-12/7"])
def test_no_other_number_tells_them(card: str) -> None:
    coverage = only(insured(f36=card), "Coverage")
    assert extension(coverage, GROUP) is None
    assert all(one["type"].get("text") != "Mức hưởng BHYT" for one in coverage["class"])


def test_several_cards_are_several_coverages_with_their_periods() -> None:
    cards = "HC4010123456789;0123456789; TE1010123456789"
    found = every(insured(f36=cards, f12="20260101;20260701", f13="20260630;20261231"), "Coverage")
    assert {one["subscriberId"]: one.get("period") for one in found} == {
        "HC4010123456789": {"start": "2026-01-01", "end": "2026-06-30"},
        "0123456789": {"start": "2026-07-01", "end": "2026-12-31"},
        "TE1010123456789": None,
    }
    assert {one["subscriberId"]: [c["value"] for c in one["class"]] for one in found} == {
        "HC4010123456789": ["BHYT", "4"],
        "0123456789": ["BHYT"],
        "TE1010123456789": ["BHYT", "1"],
    }
    assert all(numbers(one) == [one["subscriberId"]] for one in found)


def test_the_card_is_the_same_resource_alone_and_among_others() -> None:
    alone = only(insured(f36="0123456789"), "Coverage")
    among = every(insured(f36="HC4010123456789;0123456789"), "Coverage")
    assert alone["id"] in [one["id"] for one in among]


def test_an_unreadable_day_among_several_is_noticed() -> None:
    outcome = insured(f36="HC4010123456789;0123456789", f12="20260101;soon")
    assert [(one.code, one.where) for one in outcome.notices] == [(faults.DATE_UNREADABLE, "IN1-12")]
    assert "IN1-12" in outcome.coverage.mapped


def test_the_facility_of_first_care_is_a_facility_code_in_pd1() -> None:
    pd1 = line("PD1", f3="Trạm y tế phường Bạch Mai^^01045")
    found = extension(only(insured(pd1=pd1, f36="HC4010123456789"), "Coverage"), FIRST_CARE)
    assert found is not None
    assert found["valueReference"]["display"] == "Trạm y tế phường Bạch Mai"


@pytest.mark.parametrize(
    ("pd1", "card"),
    [(line("PD1", f3="Phòng khám A^^77"), "HC4010123456789"), (line("PD1", f3="Trạm y tế^^01045"), "POL-7")],
)
def test_a_practice_or_another_insurance_has_none(pd1: str, card: str) -> None:
    assert extension(only(insured(pd1=pd1, f36=card), "Coverage"), FIRST_CARE) is None


@pytest.mark.parametrize(
    ("number", "system", "doubted"),
    [
        ("8936065120017", "https://lienthong.vn/fhir/sid/gln", True),
        ("8936065120013", "https://lienthong.vn/fhir/sid/gln", False),
        ("01045", "http://fhir.hl7.org.vn/core/sid/ma-cskcb", False),
        ("893606512001", "https://lienthong.vn/fhir/sid/01032/organization", False),
    ],
)
def test_numbers_of_facilities(number: str, system: str, doubted: bool) -> None:
    outcome = mapped("ADT^A01", PID, line("PD1", f3=f"Bệnh viện B^^{number}~Bệnh viện B^^{number}"), PV1)
    place = next(one for one in every(outcome, "Organization") if one.get("name") == "Bệnh viện B")
    assert place["identifier"][0]["system"] == system
    assert [one.code for one in outcome.notices] == ([GLN_DOUBTFUL] if doubted else [])


@pytest.mark.parametrize("number", ["000123/HNO-CCHN", "0012/ĐNA-CCHN", "000456/BYT-GPHN", "0012/đl-cchn"])
def test_a_practising_licence_is_known_by_its_form(number: str) -> None:
    person = only(mapped("ADT^A01", PID, line("PV1", f2="I", f7=f"{number}^Lê^Minh", f19="V1")), "Practitioner")
    assert (person["identifier"][0]["system"], person["identifier"][0]["value"]) == (
        "http://fhir.hl7.org.vn/core/sid/cchn",
        number,
    )

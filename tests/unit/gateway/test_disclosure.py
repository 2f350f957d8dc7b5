"""What touches a closed list is named: by diagnosis, by test, and by the label of a care programme whatever its codes."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.delivery.disclosure import closed_list
from gateway.settings import FacilitySettings
from mappings.bhyt.fhir import visit_to_outcome
from mappings.bhyt.visits import Visit
from mappings.systems import ICD10, LOINC
from tests.unit.bhyt import paper_rows


def coded(system: str, code: str) -> dict[str, Any]:
    return {"resourceType": "Condition", "id": "c", "code": {"coding": [{"system": system, "code": code}]}}


@pytest.mark.parametrize(
    ("resource", "expected"),
    [
        (coded(ICD10, "B20.1"), "closed list: HIV"),
        (coded(LOINC, "20447-9"), "closed list: HIV"),
        (coded("http://fhir.hl7.org.vn/core/CodeSystem/vn-icd10-cs", "Z21"), "closed list: HIV"),
        (coded(ICD10, "A16.2"), None),
        (coded("https://x.example/prices", "B20"), None),
        ({"resourceType": "Binary", "id": "b", "code": "text"}, None),
        ({"resourceType": "ImagingStudy", "id": "s", "reasonCode": [coded(ICD10, "B20")["code"]]}, "closed list: HIV"),
        ({"resourceType": "ServiceRequest", "id": "o", "reasonCode": [{"text": "B20"}]}, None),
    ],
)
def test_diagnoses_and_tests(resource: dict[str, Any], expected: str | None) -> None:
    assert closed_list([resource]) == expected


def test_tuberculosis_counts_where_the_facility_wants_it() -> None:
    record = [coded(ICD10, "A16.2")]
    assert closed_list(record, ("HIV", "TB")) == "closed list: TB"
    assert closed_list([*record, coded(ICD10, "B24")], ("HIV", "TB")) == "closed list: HIV"


@pytest.mark.parametrize(
    ("lists", "said"), [((), "demands"), (("TB",), "demands"), (("HIV", "FLU"), "demands"), (("HIV", "TB"), "")]
)
def test_hiv_cannot_be_left_out_of_the_lists(lists: tuple[str, ...], said: str) -> None:
    if not said:
        assert FacilitySettings("01999", "Mẫu", "1", closed_lists=lists).closed_lists == lists
        return
    with pytest.raises(ValueError, match=said):
        FacilitySettings("01999", "Mẫu", "1", closed_lists=lists)


def record_of(**tables: dict[str, str]) -> list[dict[str, Any]]:
    visit = Visit({"XML1": (paper_rows.stay(),), **{name: (row,) for name, row in tables.items()}}, facility="01032")
    return list(visit_to_outcome(visit, decision="1931").resources)


def test_everything_of_the_hiv_record_is_on_the_closed_list() -> None:
    plain = {(one["resourceType"], one["id"]) for one in record_of()}
    made = [one for one in record_of(XML6=paper_rows.XML6) if (one["resourceType"], one["id"]) not in plain]
    open_kinds = {"Organization", "Practitioner"}
    sensitive = [one for one in made if one["resourceType"] not in open_kinds]
    assert {one["resourceType"] for one in sensitive} == {
        "EpisodeOfCare",
        "Condition",
        "MedicationStatement",
        "Observation",
    }
    assert [one["id"] for one in sensitive if closed_list([one]) != "closed list: HIV"] == []
    assert closed_list(record_of()) is None


def test_one_code_of_the_programme_alone_is_enough() -> None:
    assert closed_list(record_of(XML6={"MA_LK": "LK-001", "MA_XU_TRI": "4"})) == "closed list: HIV"


def test_a_tuberculosis_record_is_on_the_list_of_tuberculosis_and_with_hiv_on_both() -> None:
    record = record_of(XML15=paper_rows.XML15)
    assert closed_list(record) is None
    assert closed_list(record, ("HIV", "TB")) == "closed list: TB"
    assert closed_list(record_of(XML15={**paper_rows.XML15, "PHANLOAI_LAO_HIV": "1"})) == "closed list: HIV"
    assert closed_list(record_of(XML15={**paper_rows.XML15, "BDDT_ARV": "20250410"})) == "closed list: HIV"

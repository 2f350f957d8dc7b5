"""What becomes of a resource when a message says something about it."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.records.content import clear, gaps, overlay, owner, redirect
from mappings.fhir.tables import load

PATIENT: dict[str, Any] = {"resourceType": "Patient", "id": "p"}
OBSERVATION: dict[str, Any] = {"resourceType": "Observation", "id": "o", "status": "final", "code": {"text": "x"}}


def test_lists_are_laid_entry_by_entry_where_entries_have_a_key() -> None:
    old = PATIENT | {
        "identifier": [{"system": "a", "value": "1"}, {"system": "b", "value": "2"}],
        "extension": [{"url": "x", "valueString": "1"}, {"url": "y", "valueString": "2"}],
        "link": [{"other": {"reference": "Patient/2"}, "type": "replaces"}],
        "telecom": [{"value": "1"}],
    }
    new = PATIENT | {
        "identifier": [{"system": "c", "value": "4"}, {"system": "a", "value": "3"}],
        "extension": [{"url": "x", "valueString": "3"}],
        "link": [{"other": {"reference": "Patient/3"}, "type": "replaces"}],
        "telecom": [{"value": "2"}],
    }
    both = overlay(old, new, overwrite=True)
    assert [one["value"] for one in both["identifier"]] == ["3", "2", "4"], "what was first stays first"
    assert {one["url"]: one["valueString"] for one in both["extension"]} == {"x": "3", "y": "2"}
    assert [one["other"]["reference"] for one in both["link"]] == ["Patient/2", "Patient/3"]
    assert both["telecom"] == [{"value": "2"}]
    filled = overlay(old, new, overwrite=False)
    assert [one["value"] for one in filled["identifier"]] == ["1", "2", "4"], "nor does filling gaps move it"
    assert {one["url"]: one["valueString"] for one in filled["extension"]} == {"x": "1", "y": "2"}
    assert filled["telecom"] == [{"value": "1"}]


def test_of_staff_and_places_who_says_less_takes_nothing_out() -> None:
    doctor = {
        "resourceType": "Practitioner", "id": "p",
        "identifier": [{"system": "a", "type": {"text": "LN"}, "value": "1"}],
        "name": [{"family": "Lê", "given": ["Thị", "An"], "use": "official"}],
    }  # fmt: skip
    brief = doctor | {"identifier": [{"system": "a", "value": "1"}], "name": [{"family": "Lê", "given": ["Thị", "An"]}]}
    kept = overlay(doctor, brief, overwrite=True)
    assert (kept["identifier"], kept["name"]) == (doctor["identifier"], doctor["name"])
    renamed = brief | {"identifier": [{"system": "a", "value": "2"}], "name": [{"family": "Lê"}]}
    told = overlay(doctor, renamed | {"name": [{"family": "Lý"}]}, overwrite=True)
    assert (told["identifier"], told["name"]) == (renamed["identifier"], [{"family": "Lý"}])
    assert overlay(doctor, renamed, overwrite=True)["name"] == doctor["name"]


def test_of_anything_else_who_says_less_means_less() -> None:
    old = {
        "resourceType": "MedicationRequest",
        "id": "m",
        "dosageInstruction": [{"text": "x", "asNeededBoolean": True}],
    }
    new = old | {"dosageInstruction": [{"text": "x"}]}
    assert overlay(old, new, overwrite=True)["dosageInstruction"] == [{"text": "x"}]


def test_of_a_choice_one_form_stays() -> None:
    old, new = PATIENT | {"deceasedBoolean": True}, PATIENT | {"deceasedDateTime": "2026"}
    assert "deceasedBoolean" not in overlay(old, new, overwrite=True)
    assert "deceasedDateTime" not in overlay(old, new, overwrite=False)
    assert gaps(old, new) == []


def test_the_parts_of_a_result_stand_and_fall_together() -> None:
    old = OBSERVATION | {
        "valueQuantity": {"value": 5, "comparator": "<"},
        "interpretation": [{"text": "H"}],
        "note": [{"text": "vỡ hồng cầu"}],
        "method": {"text": "m"},
    }
    new = OBSERVATION | {"valueQuantity": {"value": 6}}
    both = overlay(old, new, overwrite=True)
    assert both["valueQuantity"] == {"value": 6}
    assert "interpretation" not in both
    assert "note" not in both
    assert both["method"] == {"text": "m"}
    absent = overlay(old, OBSERVATION | {"dataAbsentReason": {"text": "?"}}, overwrite=True)
    assert "valueQuantity" not in absent
    only_status = overlay(old, OBSERVATION | {"status": "entered-in-error"}, overwrite=True)
    assert only_status["valueQuantity"] == old["valueQuantity"]
    late = overlay(both, old, overwrite=False)
    assert "interpretation" not in late
    assert late["valueQuantity"] == {"value": 6}


def test_structures_are_laid_member_by_member_and_codes_are_not() -> None:
    old = {
        "resourceType": "Encounter", "id": "e", "status": "in-progress", "class": {"code": "IMP", "display": "x"},
        "period": {"start": "2026-11-21"}, "hospitalization": {"admitSource": {"text": "a"}},
    }  # fmt: skip
    new = {
        "resourceType": "Encounter", "id": "e", "status": "finished", "class": {"code": "AMB"},
        "period": {"end": "2026-11-22"}, "hospitalization": {"dischargeDisposition": {"text": "d"}},
    }  # fmt: skip
    both = overlay(old, new, overwrite=True)
    assert both["period"] == {"start": "2026-11-21", "end": "2026-11-22"}
    assert set(both["hospitalization"]) == {"admitSource", "dischargeDisposition"}
    assert both["class"] == {"code": "AMB"}
    later = overlay(both, new | {"period": {"start": "2026-12-01"}}, overwrite=True)
    assert later["period"] == {"start": "2026-12-01"}, "an end before the start is another stay's"


@pytest.mark.parametrize(
    ("path", "left"),
    [
        ("telecom", {"address", "extension", "deceasedBoolean", "birthDate", "_birthDate"}),
        (
            "extension(patient-birthPlace)",
            {"telecom", "address", "extension", "deceasedBoolean", "birthDate", "_birthDate"},
        ),
        ("deceased", {"telecom", "address", "extension", "birthDate", "_birthDate"}),
        ("birthDate", {"telecom", "address", "extension", "deceasedBoolean"}),
        ("address.district", {"telecom", "extension", "deceasedBoolean", "birthDate", "_birthDate"}),
        ("maritalStatus", {"telecom", "address", "extension", "deceasedBoolean", "birthDate", "_birthDate"}),
    ],
)
def test_clear(path: str, left: set[str]) -> None:
    patient = PATIENT | {
        "telecom": [{"value": "1"}],
        "address": [{"district": "x"}],
        "extension": [{"url": "http://x/patient-birthPlace"}, {"url": "http://x/patient-religion"}],
        "deceasedBoolean": True,
        "birthDate": "1985",
        "_birthDate": {"extension": []},
    }
    clear(patient, path)
    assert set(patient) - {"resourceType", "id"} == left
    if "birthPlace" in path:
        assert patient["extension"] == [{"url": "http://x/patient-religion"}]


def test_clear_below_a_list_leaves_the_rest_of_the_entry() -> None:
    patient = PATIENT | {"address": [{"district": "x", "city": "y"}, {"district": "z"}]}
    clear(patient, "address.district")
    assert patient["address"] == [{"city": "y"}]


def owners() -> list[tuple[str, str]]:
    """Every element of R4 that names whose record a resource is in."""
    tables = load()
    names = ("subject", "patient", "beneficiary", "individual", "for")
    return [
        (kind, row.name)
        for kind in sorted(tables.resources)
        for row in tables.rows(kind)
        if row.name in names and ("Patient" in row.targets or not row.targets)
    ]


@pytest.mark.parametrize(("kind", "element"), owners())
def test_a_resource_belongs_to_whom_it_names(kind: str, element: str) -> None:
    rows = {row.name: row for row in load().rows(kind)}
    to = {"reference": "Patient/q"}
    resource = {"resourceType": kind, "id": "x", element: to if rows[element].maximum == 1 else [to]}
    assert owner(resource, "p") == "q"


def test_what_names_nobody_belongs_to_the_message_and_catalogues_to_nobody() -> None:
    assert owner({"resourceType": "Binary", "id": "x"}, "p") == "p"
    assert owner({"resourceType": "Practitioner", "id": "x"}, "p") is None
    assert owner({"resourceType": "Device", "id": "x"}, "p") is None
    assert owner({"resourceType": "Device", "id": "x", "patient": {"reference": "Patient/q"}}, "p") == "q"
    assert owner({"resourceType": "Specimen", "id": "x", "subject": {"reference": "Location/1"}}, "p") is None
    appointment = {
        "resourceType": "Appointment", "id": "x",
        "participant": [{"actor": {"reference": "Practitioner/1"}}, {"actor": {"reference": "Patient/q"}}],
    }  # fmt: skip
    assert owner(appointment, "p") == "q"
    assert owner(PATIENT, "q") == "p"


def test_redirect_turns_every_reference_round() -> None:
    resource = OBSERVATION | {"subject": {"reference": "Patient/1"}, "performer": [{"reference": "Patient/1"}]}
    assert redirect(resource, {"Patient/1": "Patient/2"})
    assert resource["performer"] == [{"reference": "Patient/2"}]
    assert not redirect(resource, {"Patient/1": "Patient/2"})

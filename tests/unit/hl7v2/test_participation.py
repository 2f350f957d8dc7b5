"""Roles and participations: what they become depends on what they follow."""

from __future__ import annotations

import pytest

from tests.unit.hl7v2.samples import PID, PV1, every, line, mapped, only

DOCTOR = "NV1^Lê^Minh"


def said(segment: str, role: str, person: str = DOCTOR, **fields: str) -> str:
    """Write a ROL or PRT with this role."""
    n = (3, 4) if segment == "ROL" else (4, 5)
    return line(segment, **{f"f{n[0]}": role, f"f{n[1]}": person, **fields})


@pytest.mark.parametrize("segment", ["ROL", "PRT"])
def test_primary_care_of_a_person(segment: str) -> None:
    outcome = mapped("ADT^A31", PID, said(segment, "PP"))
    assert only(outcome, "Patient")["generalPractitioner"][0]["display"] == "Lê Minh"
    assert every(outcome, "CareTeam") == []


@pytest.mark.parametrize("segment", ["ROL", "PRT"])
def test_anybody_else_of_a_person_is_in_the_care_team(segment: str) -> None:
    team = only(mapped("ADT^A31", PID, said(segment, "TN")), "CareTeam")
    assert team["participant"][0]["member"]["display"] == "Lê Minh"
    assert "encounter" not in team


@pytest.mark.parametrize("segment", ["ROL", "PRT"])
@pytest.mark.parametrize(("role", "code"), [("AT", "ATND"), ("AD", "ADM"), ("CP", "CON"), ("RP", "REF")])
def test_roles_in_a_visit(segment: str, role: str, code: str) -> None:
    (entry,) = only(mapped("ADT^A01", PID, PV1, said(segment, role)), "Encounter")["participant"]
    assert entry["type"][0]["coding"][0]["code"] == code
    assert entry["individual"]["display"] == "Lê Minh"


def test_more_than_a_name_is_a_practitioner_role() -> None:
    rol = said("ROL", "AT", f12="0912000111", f14="Khoa Nội^^K01", f1="VT1^HIS")
    outcome = mapped("ADT^A01", PID, PV1, rol)
    role = only(outcome, "PractitionerRole")
    assert role["telecom"][0]["value"] == "0912000111"
    assert role["identifier"][0]["value"] == "VT1"
    assert only(outcome, "Encounter")["participant"][0]["individual"]["reference"] == f"PractitionerRole/{role['id']}"


def test_an_organisation_beside_a_person_is_who_they_act_for() -> None:
    outcome = mapped("ADT^A31", PID, said("PRT", "TN", f8="Phòng khám^^PK1"))
    (entry,) = only(outcome, "CareTeam")["participant"]
    assert entry["onBehalfOf"]["display"] == "Phòng khám"
    assert every(outcome, "PractitionerRole") == []


def test_a_role_in_a_procedure() -> None:
    outcome = mapped("ADT^A03", PID, PV1, "PR1|1||47.0^Cắt ruột thừa^ICD9", said("ROL", "TN"), "PR1|2||47.1^Khác^ICD9")
    first, second = every(outcome, "Procedure")
    assert first["performer"][0]["actor"]["display"] == "Lê Minh"
    assert "performer" not in second


@pytest.mark.parametrize(("segment", "n", "action"), [("ROL", 2, "DE"), ("PRT", 2, "D")])
def test_a_role_that_is_taken_back(segment: str, n: int, action: str) -> None:
    pv1 = line("PV1", f2="I", f7=DOCTOR, f19="V1")
    outcome = mapped("ADT^A08", PID, pv1, said(segment, "AT", **{f"f{n}": action}))
    assert "participant" not in only(outcome, "Encounter")
    assert f"{segment}-4" in outcome.coverage.ignored


def test_a_role_belongs_to_what_precedes_it() -> None:
    outcome = mapped(
        "ADT^A01",
        PID,
        said("ROL", "PP"),
        PV1,
        said("ROL", "AT", "NV2^Trần^An"),
        "AL1|1|DA|^Penicillin",
        said("ROL", "CP"),
    )
    assert only(outcome, "Patient")["generalPractitioner"][0]["display"] == "Lê Minh"
    assert [one["individual"]["display"] for one in only(outcome, "Encounter")["participant"]] == ["Trần An"]
    assert "ROL[3]-4" in outcome.coverage.unknown


def test_a_device_is_used_for_the_person() -> None:
    device = only(mapped("ADT^A01", PID, PV1, line("PRT", f4="EQUIP", f10="MT1^Máy thở^HIS", f19="LO7")), "Device")
    assert device["lotNumber"] == "LO7"
    assert device["patient"]["reference"].startswith("Patient/")

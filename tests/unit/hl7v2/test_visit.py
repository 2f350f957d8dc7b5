"""The visit: its id, diagnoses, insurance, relatives, allergies, procedures."""

from __future__ import annotations

from typing import Any

import pytest

from mappings.ids import resource_id
from tests.unit.hl7v2.samples import PID, PV1, every, line, mapped, only

SID = "https://lienthong.vn/fhir/sid/01032"


def test_the_visit_is_known_by_pv1_19_then_pid_18_then_patient_and_admission() -> None:
    assert mapped("ADT^A01", PID, PV1).encounter_id == resource_id("Encounter", f"{SID}/visit", "V1")
    account = line("PID", f3="BN1^^^01032^PI", f18="TK9")
    outcome = mapped("ADT^A01", account, "PV1|1|I|NOI")
    assert outcome.encounter_id == resource_id("Encounter", f"{SID}/account", "TK9")
    assert "PID-18" in outcome.coverage.mapped
    admitted = line("PV1", f2="I", f44="20261103080000")
    key = f"Patient/{mapped('ADT^A01', PID, PV1).patient_id}|2026-11-03T08:00:00+07:00"
    assert mapped("ADT^A01", PID, admitted).encounter_id == resource_id("Encounter", f"{SID}/visit", key)


def test_pid_18_is_the_account_of_the_visit() -> None:
    outcome = mapped("ADT^A01", line("PID", f3="BN1^^^01032^PI", f18="TK9"), PV1)
    account = only(outcome, "Account")
    assert account["identifier"][0]["value"] == "TK9"
    assert account["subject"] == [{"reference": f"Patient/{outcome.patient_id}"}]
    assert only(outcome, "Encounter")["account"] == [{"reference": f"Account/{account['id']}"}]
    assert outcome.assumed == {f"Account/{account['id']}": ("status",)}


@pytest.mark.parametrize(
    ("pv1_36", "codes"),
    [
        ("2^Chuyển tuyến^MA_LOAI_RV", ["2", "other-hcf"]),
        ("1", ["1", "home"]),
        ("20", ["20", "exp"]),
        ("XX", ["XX"]),
    ],
)
def test_discharge_disposition(pv1_36: str, codes: list[str]) -> None:
    pv1 = line("PV1", f2="I", f19="V1", f36=pv1_36, f45="20261108")
    found = only(mapped("ADT^A03", PID, pv1), "Encounter")["hospitalization"]["dischargeDisposition"]
    assert [coding["code"] for coding in found["coding"]] == codes


def diagnosis(dg1: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    outcome = mapped("ADT^A03", PID, PV1, dg1)
    return only(outcome, "Condition"), only(outcome, "Encounter").get("diagnosis", [])


@pytest.mark.parametrize("system", ["I10", "ICD10", "ICD-10", "icd10"])
def test_icd_10_however_it_is_named(system: str) -> None:
    condition, _ = diagnosis(f"DG1|1||J18.9^Viêm phổi^{system}|||F")
    assert condition["code"]["coding"][0]["system"] == "http://hl7.org/fhir/sid/icd-10"


def test_dg1_2_names_the_system_when_dg1_3_does_not() -> None:
    condition, _ = diagnosis("DG1|1|I10|J18.9^Viêm phổi|||F")
    assert condition["code"]["coding"][0]["system"] == "http://hl7.org/fhir/sid/icd-10"


def test_the_clinicians_words_are_the_text_and_the_title_stays_the_display() -> None:
    condition, _ = diagnosis("DG1|1||J18.9^Viêm phổi^ICD10|Viêm phổi thùy dưới phải & tràn dịch||F")
    assert condition["code"]["text"] == "Viêm phổi thùy dưới phải & tràn dịch"
    assert condition["code"]["coding"][0]["display"] == "Viêm phổi"


@pytest.mark.parametrize(("kind", "use"), [("A", ["AD", "A"]), ("F", ["DD", "F"]), ("W", ["W"])])
def test_role_of_a_diagnosis(kind: str, use: list[str]) -> None:
    _, entries = diagnosis(f"DG1|1||J18.9^Viêm phổi^ICD10|||{kind}|||||||||2")
    assert [coding["code"] for coding in entries[0]["use"]["coding"]] == use
    assert entries[0]["rank"] == 2


def test_a_deleted_diagnosis_is_entered_in_error_and_leaves_the_visit() -> None:
    condition, entries = diagnosis(line("DG1", f1="1", f3="J18.9^Viêm phổi^ICD10", f6="F", f21="D"))
    assert condition["verificationStatus"]["coding"][0]["code"] == "entered-in-error"
    assert "clinicalStatus" not in condition
    assert entries == []


@pytest.mark.parametrize(
    "fields",
    [{"f36": "DN4010123456789"}, {"f49": "DN4010123456789"}, {"f2": "DN4010123456789"}, {"f36": "DN 4 01 0123456789"}],
)
def test_the_insurance_card(fields: dict[str, str]) -> None:
    coverage = only(mapped("ADT^A01", PID, PV1, line("IN1", **{"f1": "1", "f12": "20260101", **fields})), "Coverage")
    assert coverage["subscriberId"] == "DN4010123456789"
    assert coverage["identifier"][0]["system"] == "http://fhir.hl7.org.vn/core/sid/bhyt"
    assert coverage["period"] == {"start": "2026-01-01"}
    assert coverage["beneficiary"]["reference"].startswith("Patient/")


def test_an_empty_in1_is_no_coverage() -> None:
    assert every(mapped("ADT^A01", PID, PV1, "IN1|1"), "Coverage") == []


def test_relatives() -> None:
    outcome = mapped("ADT^A01", PID, PV1, "NK1|1|Trần^Bình^Văn|MTH", "NK1|2|Lê^An|^Giám hộ", "NK1|3")
    names = {person["name"][0]["text"]: person["relationship"][0] for person in every(outcome, "RelatedPerson")}
    assert names["Trần Văn Bình"]["coding"][0]["code"] == "MTH"
    assert names["Lê An"]["text"] == "Giám hộ"


def test_the_mother_of_a_newborn_named_by_number() -> None:
    outcome = mapped("ADT^A28", line("PID", f3="BN2^^^01032^PI", f21="BN1^^^01032^PI"))
    mother = only(outcome, "RelatedPerson")
    assert mother["relationship"][0]["coding"][0]["code"] == "MTH"
    assert mother["identifier"][0]["value"] == "BN1"


def test_allergy() -> None:
    found = only(mapped("ADT^A01", PID, PV1, "AL1|1|DA|^Penicillin|SV|Nổi mề đay|2019"), "AllergyIntolerance")
    assert found["code"] == {"text": "Penicillin"}
    assert found["category"] == ["medication"]
    assert found["reaction"] == [{"manifestation": [{"text": "Nổi mề đay"}], "severity": "severe"}]


def test_procedure_with_a_duration_is_a_period() -> None:
    found = only(mapped("ADT^A03", PID, PV1, "PR1|1||47.0^Cắt ruột thừa^ICD9||202611031000||45"), "Procedure")
    assert found["performedPeriod"] == {"start": "2026-11-03T10:00:00+07:00", "end": "2026-11-03T10:45:00+07:00"}


def test_places_are_a_chain_from_bed_to_ward() -> None:
    outcome = mapped("ADT^A01", PID, line("PV1", f2="I", f3="NOI^P201^G05", f19="V1"))
    places = {f"Location/{place['id']}": place for place in every(outcome, "Location")}
    bed = places[only(outcome, "Encounter")["location"][0]["location"]["reference"]]
    room = places[bed["partOf"]["reference"]]
    ward = places[room["partOf"]["reference"]]
    assert (bed["name"], room["name"], ward["name"]) == ("G05", "P201", "NOI")
    assert ward["identifier"] == [{"system": f"{SID}/department", "value": "NOI"}]

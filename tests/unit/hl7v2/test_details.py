"""Who belongs to a person, who pays, what a person reacts to: conditions of NK1, PID-12, IN1, IN2, GT1, IAM, PV1-20."""

from __future__ import annotations

from typing import Any

import pytest

from mappings.formats import er7
from mappings.hl7v2 import map_message
from mappings.hl7v2.segments.iam import _STATES
from tests.unit.hl7v2.samples import CONTEXT, PID, PV1, every, line, mapped, only

ACCOUNT = line("PID", f3="BN1^^^01032^PI", f18="TK1")
ME = "Patient/9d54457d46e00ee272467ddb8f1485ef"


@pytest.mark.parametrize(
    ("addresses", "districts"),
    [
        ("", ["Q1"]),
        ("12 Lê Lợi^^Hà Nội", ["Q1"]),
        ("12 Lê Lợi^^Hà Nội^^^^^^Q1", ["Q1"]),
        ("12 Rue Monge^^Paris^^^FR^^^Q2", ["Q2", "Q1"]),
        ("12 Lê Lợi^^Hà Nội~3 Hàng Bài^^Hà Nội", [None, None, "Q1"]),
    ],
)
def test_county_code(addresses: str, districts: list[str | None]) -> None:
    found = only(mapped("ADT^A28", line("PID", f3="BN1", f11=addresses, f12="Q1")), "Patient")["address"]
    assert [address.get("district") for address in found] == districts


def test_last_change_of_a_person_is_provenance_of_the_person() -> None:
    outcome = mapped("ADT^A31", line("PID", f3="BN1", f33="20261101", f34="01032"))
    found = [one for one in outcome.about if one["resourceType"] == "Provenance"]
    assert found[1]["target"] == [{"reference": f"Patient/{outcome.patient_id}"}]
    assert found[1]["occurredDateTime"] == "2026-11-01"
    lone = mapped("ADT^A31", line("PID", f3="BN1", f33="20261101"))
    assert "PID-33" in lone.coverage.ignored


def test_nationality_and_citizenship_are_told_apart() -> None:
    extensions = only(mapped("ADT^A28", line("PID", f3="BN1", f26="VN", f28="LA", f39="FR")), "Patient")["extension"]
    found = [(one["url"].rpartition("-")[2], one["extension"][0]["valueCodeableConcept"]) for one in extensions]
    assert [(name, nation["coding"][0]["code"]) for name, nation in found] == [
        ("nationality", "LA"),
        ("citizenship", "VN"),
        ("citizenship", "FR"),
    ]


@pytest.mark.parametrize(
    ("nk1", "relatives", "contacts"),
    [
        (line("NK1", f2="Trần^Bình", f3="MTH"), 1, 0),
        (line("NK1", f2="Trần^Bình", f3="MTH", f13="Công ty"), 1, 1),
        (line("NK1", f3="EMR", f13="Công ty"), 0, 1),
        (line("NK1", f2="Trần^Bình", f3="EMR"), 0, 1),
        (line("NK1", f13="Công ty"), 0, 1),
        (line("NK1", f3="EMR"), 0, 0),
        ("NK1|1", 0, 0),
    ],
)
def test_relatives_and_contacts(nk1: str, relatives: int, contacts: int) -> None:
    outcome = mapped("ADT^A31", PID, nk1)
    assert len(every(outcome, "RelatedPerson")) == relatives
    assert len(only(outcome, "Patient").get("contact", [])) == contacts


def test_the_guardian_of_a_child() -> None:
    child = line("PID", f3="BN7^^^01032^PI", f5="Trần^Na^Thị", f7="20200101")
    found = only(mapped("ADT^A28", child, line("NK1", f2="Lê^Hạnh", f3="GRD^Giám hộ^HL70063", f7="C")), "RelatedPerson")
    assert found["name"][0]["text"] == "Lê Hạnh"
    assert [role["coding"][0]["code"] for role in found["relationship"]] == ["GUARD", "C"]


def guarantor(gt1: str, *more: str) -> dict[str, Any]:
    (entry,) = only(mapped("ADT^A01", ACCOUNT, PV1, gt1, *more), "Account")["guarantor"]
    found: dict[str, Any] = entry
    return found


def test_who_answers_for_the_account() -> None:
    assert guarantor(line("GT1", f3="Nguyễn^Hoa", f11="SEL"))["party"]["reference"] == ME
    assert guarantor(line("GT1", f3="Trần^Lực", f11="FTH"))["party"]["reference"].startswith("RelatedPerson/")
    assert guarantor(line("GT1", f21="Công ty"))["party"]["reference"].startswith("Organization/")
    held = guarantor(line("GT1", f3="Trần^Lực", f13="20261103", f22="Y"))
    assert (held["onHold"], held["period"]) == (True, {"start": "2026-11-03"})


def test_without_an_account_the_guarantor_holds_the_policy() -> None:
    outcome = mapped("ADT^A01", PID, PV1, line("GT1", f3="Trần^Lực"), line("IN1", f2="BHYT", f36="DN4010123456789"))
    assert only(outcome, "Coverage")["policyHolder"]["display"] == "Trần Lực"
    alone = mapped("ADT^A01", PID, PV1, line("GT1", f3="Trần^Lực", f13="20261103"))
    person = only(alone, "RelatedPerson")
    assert person["relationship"][0]["coding"][0]["code"] == "GUAR"
    assert person["period"] == {"start": "2026-11-03"}


def test_the_insured_is_the_patient_or_somebody_else() -> None:
    own = only(mapped("ADT^A01", PID, PV1, line("IN1", f2="BHYT", f16="Nguyễn^Hoa", f17="SEL")), "Coverage")
    assert own["subscriber"]["reference"] == ME
    outcome = mapped(
        "ADT^A01",
        PID,
        PV1,
        line("IN1", f2="BHYT", f16="Trần^Lực", f17="FTH", f18="19500101", f43="M"),
        line("IN2", f2="0123456787", f63="0912000111"),
    )
    insured = only(outcome, "RelatedPerson")
    assert only(outcome, "Coverage")["subscriber"]["reference"] == f"RelatedPerson/{insured['id']}"
    assert (insured["birthDate"], insured["gender"]) == ("1950-01-01", "male")
    assert insured["identifier"][0]["value"] == "0123456787"
    assert insured["telecom"][0]["value"] == "0912000111"


@pytest.mark.parametrize(
    ("segments", "types"),
    [
        ((), ["01"]),
        ((line("IN1", f2="BHYT", f36="DN4010123456789"),), ["01"]),
        ((line("IN1", f2="BHYT", f15="TW", f36="DN4010123456789"),), ["TW"]),
    ],
)
def test_financial_class(segments: tuple[str, ...], types: list[str]) -> None:
    outcome = mapped("ADT^A01", PID, line("PV1", f2="I", f19="V1", f20="01"), *segments)
    assert [one["type"]["coding"][0]["code"] for one in every(outcome, "Coverage")] == types
    assert "PV1-20" in {**outcome.coverage.mapped, **outcome.coverage.ignored}


@pytest.mark.parametrize("state", sorted(_STATES))
def test_state_of_an_adverse_reaction(state: str) -> None:
    found = only(mapped("ADT^A60", PID, line("IAM", f3="^Penicillin", f17=state)), "AllergyIntolerance")
    clinical, verification = _STATES[state]
    assert found.get("clinicalStatus", {}).get("coding", [{}])[0].get("code", "") == clinical
    assert found.get("verificationStatus", {}).get("coding", [{}])[0].get("code", "") == verification


def test_a_deleted_reaction_was_entered_in_error() -> None:
    found = only(mapped("ADT^A60", PID, line("IAM", f3="^Penicillin", f6="D", f17="C")), "AllergyIntolerance")
    assert found["verificationStatus"]["coding"][0]["code"] == "entered-in-error"
    assert "clinicalStatus" not in found


@pytest.mark.parametrize(
    ("fields", "who"),
    [
        ({"f14": "Nguyễn^Hoa", "f15": "SEL"}, "Patient"),
        ({"f14": "Trần^Lực", "f15": "FTH"}, "RelatedPerson"),
        ({"f14": "Trần^Lực"}, ""),
    ],
)
def test_who_reported_a_reaction(fields: dict[str, str], who: str) -> None:
    found = only(mapped("ADT^A60", PID, line("IAM", f3="^Penicillin", **fields)), "AllergyIntolerance")
    assert found["recorder"].get("reference", "").partition("/")[0] == who


def test_al1_and_iam_tell_of_the_same_allergy() -> None:
    outcome = mapped("ADT^A01", PID, PV1, "AL1|1|DA|^Penicillin", line("IAM", f1="1", f2="DA", f3="^Penicillin"))
    assert len(every(outcome, "AllergyIntolerance")) == 1


def test_cause_of_death_and_autopsy() -> None:
    outcome = mapped("ADT^A03", PID, PV1, "PDA|J96.0^Suy hô hấp^ICD10~J18.9^Viêm phổi^ICD10|||||Y|20261109^20261110")
    cause = only(outcome, "Observation")
    assert cause["valueCodeableConcept"]["coding"][0]["code"] == "J96.0"
    assert len(cause["component"]) == 1
    assert only(outcome, "Procedure")["performedPeriod"] == {"start": "2026-11-09", "end": "2026-11-10"}
    assert every(mapped("ADT^A03", PID, PV1, "PDA||||||N"), "Procedure") == []


def test_restrictions_are_labels_of_what_they_follow() -> None:
    outcome = mapped("ADT^A01", PID, "ARV|1|A|DEM|PAT", PV1, "ARV|1|A|ALL", "ARV|2|D|HIV")
    assert [label["code"] for label in only(outcome, "Patient")["meta"]["security"]] == ["DEM", "PAT"]
    assert [label["code"] for label in only(outcome, "Encounter")["meta"]["security"]] == ["ALL"]


def test_the_present_job_is_the_occupation() -> None:
    outcome = mapped(
        "ADT^A31", PID, line("OH2", f4="2310^Giáo viên^L", f8="2020"), line("OH2", f4="11^Bác sĩ^L", f18="Y")
    )
    (extension,) = only(outcome, "Patient")["extension"]
    assert extension["valueCodeableConcept"]["text"] == "Bác sĩ"
    assert len(every(outcome, "Observation")) == 2


def test_what_a_person_is_called_by_is_a_name_of_its_own() -> None:
    names = only(mapped("ADT^A28", line("PID", f3="BN1", f5="Nguyễn&&&Lê&Trần^Hoa^^^^^^^^^^^^^Bé Na")), "Patient")[
        "name"
    ]
    assert names[1] == {"use": "nickname", "text": "Bé Na", "given": ["Bé Na"]}
    urls = [one["url"].rpartition("-")[2] for one in names[0]["_family"]["extension"]]
    assert urls == ["prefix", "name"]


def test_the_parts_of_a_telephone_number_are_its_value() -> None:
    (point,) = only(mapped("ADT^A28", line("PID", f3="BN1", f13="^PRN^PH^^84^24^38251234^12^^^^^^^^^^2")), "Patient")[
        "telecom"
    ]
    assert (point["value"], point["rank"]) == ("+84 24 38251234 x12", 2)
    assert "_value" not in point


def test_an_organisation_is_at_home_nowhere() -> None:
    place = only(
        mapped("ADT^A31", ACCOUNT, line("GT1", f5="1 Lò Đúc^^Hà Nội^^^VN^H", f6="02438253333", f21="Công ty")),
        "Organization",
    )
    assert "use" not in place["address"][0]


def test_a_header_that_names_nobody_makes_no_organisation() -> None:
    header = "MSH|^~\\&|HIS||||20261103||ADT^A28|1|P|2.5".replace("||||", "|^^X||^^X|", 1)
    outcome = map_message(er7.Message.parse(f"{header}\r{PID}\r".encode()), CONTEXT)
    assert [one for one in outcome.about if one["resourceType"] == "Organization"] == []

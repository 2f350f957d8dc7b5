"""The health summary: all that is known of the person, what belongs to the visit, and silence that is called silence."""

from __future__ import annotations

from typing import Any

import pytest

from mappings import cda, documents
from mappings.documents.faults import PaperIncomplete
from mappings.formats import safe_xml
from mappings.outcome import Resource
from mappings.systems import LOINC
from tests.unit.documents.reading import cells, composition
from tests.unit.documents.samples import (
    CONTEXT,
    base,
    coded,
    condition,
    doctor,
    encounter,
    field,
    mother,
    patient,
    ref,
    sample,
    vaccination,
    without,
)

PAPER = "health_summary"
IPS = ["11450-4", "48765-2", "10160-0", "11369-6", "30954-2", "47519-4", "8716-3", "11348-0", "18776-5"]
CLINICAL = "http://terminology.hl7.org/CodeSystem/condition-clinical"


def made(record: list[Resource] | None = None) -> Resource:
    subject, known = sample(PAPER)
    return documents.compose(PAPER, subject, known if record is None else record, CONTEXT)


def section(bundle: Resource, code: str) -> dict[str, Any]:
    for one in composition(bundle)["section"]:
        if code in {coding["code"] for coding in one.get("code", {}).get("coding", [])}:
            return dict(one)
    raise AssertionError(code)


def entries(bundle: Resource, code: str) -> list[str]:
    return [one["reference"] for one in section(bundle, code).get("entry", [])]


def bare() -> list[Resource]:
    """A visit about which nothing is known but that it was."""
    visit = encounter()
    del visit["diagnosis"], visit["participant"], visit["location"]
    return [patient(), visit]


def test_sections_stand_in_the_order_of_the_ips() -> None:
    bundle = made()
    coded_sections = [one["code"]["coding"][0] for one in composition(bundle)["section"] if "code" in one]
    assert [coding["code"] for coding in coded_sections] == IPS
    assert {coding["system"] for coding in coded_sections} == {LOINC}
    kind = composition(bundle)["type"]["coding"][0]
    assert kind == {"system": LOINC, "code": "60591-5", "display": "Patient summary Document"}


def test_what_was_told_stands_in_its_section() -> None:
    bundle = made()
    assert entries(bundle, "11450-4") == ["Condition/cd1", "Condition/cd2"]
    assert entries(bundle, "48765-2") == ["AllergyIntolerance/du1"]
    assert entries(bundle, "10160-0") == ["MedicationRequest/th1"]
    assert entries(bundle, "11369-6") == ["Immunization/tc1"]
    assert "DiagnosticReport/pk1" in entries(bundle, "30954-2")
    assert entries(bundle, "47519-4") == ["Procedure/tt1"]
    assert entries(bundle, "8716-3") == ["Observation/dh1"]
    assert entries(bundle, "11348-0") == ["Condition/cd9"]
    shown = cells(bundle)
    assert (shown["DI_NGUYEN-1"], shown["BIEU_HIEN-1"], shown["MUC_DO-1"]) == (
        "Penicillin",
        "Nổi mề đay; Khó thở",
        "nặng; nguy cơ cao",
    )
    assert (shown["TEN_THUOC-1"], shown["LIEU_DUNG-1"], shown["SO_LUONG-1"]) == (
        "Amlodipin 5 mg",
        "1 viên; Uống; Sáng 1 viên",
        "30 viên",
    )
    assert (shown["TEN_BENH_CU-1"], shown["BENH_TU_CU-1"], shown["TT_BENH_CU-1"]) == (
        "Viêm ruột thừa cấp",
        "2010",
        "đã khỏi",
    )
    assert (shown["KET_QUA_DTRI"], shown["NHOM_MAU"], shown["MA_BENH_RA"]) == ("Đỡ", "O Rh+", "J18.9; E11.9")
    assert shown["HINH_THUC_KCB"] == "Nội trú"


def test_what_nobody_told_is_no_information_and_never_a_no() -> None:
    bundle = made(bare())
    for code in IPS:
        one = section(bundle, code)
        assert "entry" not in one
        assert one["emptyReason"]["coding"][0]["code"] == "unavailable"
        assert "Chưa có thông tin" in one["text"]["div"]
        assert "Không" not in one["text"]["div"]
    written = safe_xml.parse(cda.render(bundle))
    empty = [node for node in written.iter("{urn:hl7-org:v3}section") if node.get("nullFlavor") == "NI"]
    assert len(empty) == len(IPS)


def test_a_no_that_was_told_is_shown_as_told() -> None:
    none = {
        "resourceType": "AllergyIntolerance",
        "id": "du0",
        "code": {**coded("http://snomed.info/sct", "716186003", "No known allergy"), "text": "Không có tiền sử dị ứng"},
        "patient": ref("Patient", "bn1"),
    }
    bundle = made([*bare(), none])
    assert cells(bundle)["DI_NGUYEN-1"] == "Không có tiền sử dị ứng"
    assert "emptyReason" not in section(bundle, "48765-2")


def test_words_about_the_past_are_not_followed_by_no_information() -> None:
    bundle = made([*bare(), field("TIEN_SU_BENH", "Tăng huyết áp 10 năm")])
    one = section(bundle, "11348-0")
    assert "Tăng huyết áp 10 năm" in one["text"]["div"]
    assert "Chưa có thông tin" not in one["text"]["div"]
    assert "emptyReason" not in one


def other_visit(**more: Any) -> Resource:
    found = encounter()
    del found["diagnosis"]
    return {
        **found,
        "id": "dt0",
        "period": {"start": "2025-01-02T08:00:00+07:00", "end": "2025-01-03T08:00:00+07:00"},
        **more,
    }


def test_diagnoses_and_vaccinations_of_all_visits_medicines_of_this_one() -> None:
    asthma = {**condition("cdx", "J45.9", "Hen phế quản"), "encounter": ref("Encounter", "dt0")}
    old = {
        "resourceType": "MedicationRequest",
        "id": "th0",
        "status": "completed",
        "intent": "order",
        "medicationCodeableConcept": {"text": "Salbutamol"},
        "subject": ref("Patient", "bn1"),
        "encounter": ref("Encounter", "dt0"),
    }
    told = {**vaccination("tc9", "2025-01-02"), "encounter": ref("Encounter", "dt0")}
    bundle = made([*sample(PAPER)[1], other_visit(), asthma, old, told])
    assert "Condition/cdx" in entries(bundle, "11450-4")
    assert entries(bundle, "11369-6") == ["Immunization/tc1", "Immunization/tc9"]
    assert entries(bundle, "10160-0") == ["MedicationRequest/th1"]


def test_a_disease_told_again_is_one_line_as_last_told() -> None:
    before = {**condition("cdx", "E11.9", "Đái tháo đường"), "encounter": ref("Encounter", "dt0")}
    bundle = made([*sample(PAPER)[1], other_visit(), before])
    assert entries(bundle, "11450-4") == ["Condition/cd1", "Condition/cd2"]


def test_a_disease_that_ended_since_is_past() -> None:
    over = {
        **condition("cdz", "J18.9", "Viêm phổi"),
        "recordedDate": "2026-12-01",
        "clinicalStatus": coded(CLINICAL, "resolved"),
        "category": [coded("http://terminology.hl7.org/CodeSystem/condition-category", "problem-list-item")],
    }
    bundle = made([*sample(PAPER)[1], over])
    assert entries(bundle, "11450-4") == ["Condition/cd2"]
    assert entries(bundle, "11348-0") == ["Condition/cd9", "Condition/cdz"]


@pytest.mark.parametrize("status", ["entered-in-error", "refuted"])
def test_what_was_taken_back_is_not_shown(status: str) -> None:
    wrong = {
        **condition("cdw", "A15.0", "Lao phổi"),
        "verificationStatus": coded("http://terminology.hl7.org/CodeSystem/condition-ver-status", status),
    }
    del wrong["encounter"]
    assert "A15.0" not in str(made([*sample(PAPER)[1], wrong])).replace("'", "")


def test_what_was_given_stands_in_for_what_was_not_ordered() -> None:
    given = {
        "resourceType": "MedicationDispense",
        "id": "cp1",
        "status": "completed",
        "medicationCodeableConcept": {"text": "Paracetamol 500 mg"},
        "subject": ref("Patient", "bn1"),
        "context": ref("Encounter", "dt1"),
    }
    record = [*sample(PAPER)[1], given]
    assert entries(made(record), "10160-0") == ["MedicationRequest/th1"]
    assert entries(made(without(record, "MedicationRequest/th1")), "10160-0") == ["MedicationDispense/cp1"]


def test_a_preliminary_report_is_no_result_yet() -> None:
    subject, record = sample(PAPER)
    for one in record:
        if one["resourceType"] == "DiagnosticReport":
            one["status"] = "preliminary"
    assert not [r for r in entries(made(record), "30954-2") if r.startswith("DiagnosticReport")]
    assert subject == "Encounter/dt1"


def test_a_guardian_answers_before_a_mother() -> None:
    guardian = {
        **mother(),
        "id": "gh1",
        "relationship": [coded("http://terminology.hl7.org/CodeSystem/v3-RoleCode", "GUARD", "guardian")],
        "name": [{"text": "Vũ Văn Giám"}],
        "telecom": [{"system": "phone", "value": "0900000009"}],
    }
    child = {**patient(), "birthDate": "2020-01-01"}
    shown = cells(made([child, mother(), guardian, *without(base(), "Patient/bn1")]))
    assert (shown["NGUOI_DAI_DIEN"], shown["QUAN_HE_NDD"], shown["DIEN_THOAI_NDD"]) == (
        "Vũ Văn Giám",
        "người giám hộ",
        "0900000009",
    )


def test_a_visit_that_has_not_ended_waits() -> None:
    record = [encounter(end="") if one["id"] == "dt1" else one for one in base()]
    with pytest.raises(PaperIncomplete) as incomplete:
        made([*record, doctor()])
    assert incomplete.value.detail == "NGAY_RA ← PV1-45"


@pytest.mark.parametrize(
    ("visit", "is_due"),
    [
        ({"status": "finished"}, True),
        ({"status": "in-progress", "period": {"start": "2026-11-01"}}, False),
        ({"status": "unknown", "period": {"start": "2026-11-01", "end": "2026-11-02"}}, True),
    ],
)
def test_it_is_due_when_a_message_says_that_the_visit_is_over(visit: Resource, is_due: bool) -> None:
    outpatient = {"resourceType": "Encounter", "id": "dt7", "class": {"code": "AMB"}, **visit}
    assert documents.due(PAPER, "ADT^A08", [outpatient]) == (["Encounter/dt7"] if is_due else [])
    assert documents.due(PAPER, "ADT^A01", [outpatient]) == []

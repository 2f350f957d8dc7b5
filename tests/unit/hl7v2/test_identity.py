"""Numbers of a person, and names as Vietnamese papers print them."""

from __future__ import annotations

from typing import Any

import pytest

from mappings.hl7v2 import Context
from mappings.hl7v2.identifiers import hd_to_uri
from mappings.ids import resource_id
from mappings.systems import Systems
from tests.unit.hl7v2.samples import PV1, line, mapped, only

LOCAL = "https://lienthong.vn/fhir/sid/01032/patient"
NATIONAL = "http://fhir.hl7.org.vn/core/sid"


def patient(pid3: str, context: Context = Context("01032"), **fields: str) -> dict[str, Any]:
    return only(mapped("ADT^A28", line("PID", f3=pid3, **fields), context=context), "Patient")


@pytest.mark.parametrize(
    ("cx", "system"),
    [
        ("001085012345^^^^NI", f"{NATIONAL}/cccd"),
        ("012345678^^^^NI", f"{NATIONAL}/cmnd"),
        ("012345678^^^CMND^NI", f"{NATIONAL}/cmnd"),
        ("001085012345^^^CMND^NI", f"{NATIONAL}/cccd"),
        ("C1234567^^^^PPN", f"{NATIONAL}/passport"),
        ("DN4010123456789^^^BHYT^SB", f"{NATIONAL}/bhyt"),
        ("0123456789^^^BHYT", f"{NATIONAL}/bhyt"),
        ("DN4010123456789^^^^HC", f"{NATIONAL}/bhyt"),
        ("0123456789^^^^SS", "https://lienthong.vn/fhir/sid/bhxh"),
        ("001085012345^^^^SS", f"{NATIONAL}/cccd"),
        ("BN1^^^^PI", LOCAL),
        ("BN1", LOCAL),
        ("BN1^^^01032^MR", LOCAL),
        ("BN1^^^79012^MR", "https://lienthong.vn/fhir/sid/79012/patient"),
        ("BN1^^^X&2.16.840.1.113883.3.1&ISO^AN", "urn:oid:2.16.840.1.113883.3.1"),
    ],
)
def test_system_of_a_number(cx: str, system: str) -> None:
    found = patient(f"BN0^^^01032^PI~{cx}")["identifier"]
    assert found[-1]["system"] == system
    assert found[-1]["value"] == cx.partition("^")[0]


def test_a_number_is_kept_as_received() -> None:
    assert patient("012345678^^^^NI")["identifier"][0]["value"] == "012345678"


def test_the_id_is_made_of_the_local_number_wherever_it_stands() -> None:
    expected = resource_id("Patient", LOCAL, "BN1")
    assert patient("BN1^^^01032^PI~001085012345^^^^NI")["id"] == expected
    assert patient("001085012345^^^^NI~BN1^^^01032^PI")["id"] == expected
    assert patient("BN1")["id"] == expected


def test_without_a_local_number_the_first_one_makes_the_id() -> None:
    assert patient("001085012345^^^^NI")["id"] == resource_id("Patient", f"{NATIONAL}/cccd", "001085012345")


def test_the_same_number_in_two_hospitals_is_two_patients() -> None:
    assert patient("BN1^^^^PI")["id"] != patient("BN1^^^^PI", Context("79012"))["id"]


def test_a_patient_number_of_another_hospital_is_not_ours() -> None:
    found = patient("BN1^^^01032^MR~BN1^^^79012^MR")
    assert [identifier["system"] for identifier in found["identifier"]] == [
        LOCAL,
        "https://lienthong.vn/fhir/sid/79012/patient",
    ]
    assert found["id"] == resource_id("Patient", LOCAL, "BN1")


def test_the_base_of_the_systems_can_be_replaced() -> None:
    context = Context("01032", systems=Systems(national="http://fhir.ehealth.gov.vn/core"))
    found = patient("001085012345^^^^NI", context, f22="01")
    assert found["identifier"][0]["system"] == "http://fhir.ehealth.gov.vn/core/sid/cccd"
    assert found["extension"][0]["url"].startswith("http://fhir.ehealth.gov.vn/core/")


@pytest.mark.parametrize(
    ("xpn", "name"),
    [
        ("Nguyễn^Hoa^Thị", {"text": "Nguyễn Thị Hoa", "family": "Nguyễn", "given": ["Thị", "Hoa"]}),
        ("Nguyễn^Lan^Thị Ngọc", {"text": "Nguyễn Thị Ngọc Lan", "family": "Nguyễn", "given": ["Thị", "Ngọc", "Lan"]}),
        ("Nguyễn Thị Hoa", {"text": "Nguyễn Thị Hoa"}),
        ("H'Hen^Niê", {"text": "H'Hen Niê", "family": "H'Hen", "given": ["Niê"]}),
        ("Trần^Văn An", {"text": "Trần Văn An", "family": "Trần", "given": ["Văn An"]}),
        ("^^^^", None),
    ],
)
def test_name(xpn: str, name: dict[str, Any] | None) -> None:
    assert patient("BN1", f5=xpn).get("name") == ([name] if name else None)


@pytest.mark.parametrize(
    ("text", "birth"),
    [("19850214", "1985-02-14"), ("1950", "1950"), ("195003", "1950-03"), ("198502142330", "1985-02-14")],
)
def test_birth_date_keeps_its_precision_and_never_shifts(text: str, birth: str) -> None:
    assert patient("BN1", f7=text)["birthDate"] == birth


@pytest.mark.parametrize(
    ("code", "gender"), [("M", "male"), ("f", "female"), ("1", "male"), ("2", "female"), ("?", "unknown")]
)
def test_gender(code: str, gender: str) -> None:
    assert patient("BN1", f8=code)["gender"] == gender


def test_ethnic_group_is_not_race_and_not_religion() -> None:
    found = patient("BN1", f10="2028-9^Asian", f17="1^Phật giáo", f22="2^Tày")
    by_url = {extension["url"].rpartition("/")[2]: extension for extension in found["extension"]}
    assert by_url["vn-ext-ethnicity"]["valueCodeableConcept"]["coding"][0]["code"] == "02"
    assert by_url["patient-religion"]["valueCodeableConcept"]["text"] == "Phật giáo"
    assert "Asian" not in str(found)


def test_death() -> None:
    assert patient("BN1", f30="Y")["deceasedBoolean"] is True
    assert patient("BN1", f30="N")["deceasedBoolean"] is False
    assert patient("BN1", f29="202611302215", f30="Y")["deceasedDateTime"] == "2026-11-30T22:15:00+07:00"


def test_address_text_leaves_the_home_country_out() -> None:
    found = patient("BN1", f11="12 Lê Lợi^^Hoàn Kiếm^Hà Nội^^VN^H")["address"][0]
    assert found["text"] == "12 Lê Lợi, Hoàn Kiếm, Hà Nội"
    assert (found["line"], found["state"], found["use"]) == (["12 Lê Lợi"], "Hà Nội", "home")


def test_practitioners_are_told_apart_by_licence_and_staff_number() -> None:
    pv1 = line("PV1", f2="I", f7="000123/HNO-CCHN^Lê^Minh", f9="NV7^Phạm^Lan", f17="55^Đỗ^An^^^^^^^^^^LN", f19="V1")
    outcome = mapped("ADT^A01", "PID|||BN1", pv1)
    systems = {
        r["identifier"][0]["value"]: r["identifier"][0]["system"]
        for r in outcome.resources
        if r["resourceType"] == "Practitioner"
    }
    assert systems["000123/HNO-CCHN"] == f"{NATIONAL}/cchn"
    assert systems["55"] == f"{NATIONAL}/cchn"
    assert systems["NV7"] == "https://lienthong.vn/fhir/sid/staff"


def test_staff_number_7_of_two_hospitals_is_two_people() -> None:
    pv1 = line("PV1", f2="I", f7="7^Phạm^Lan", f19="V1")
    ids = {
        only(mapped("ADT^A01", "PID|||BN1", pv1, context=Context(f)), "Practitioner")["id"] for f in ("01032", "79012")
    }
    assert len(ids) == 2


def test_occupation_of_a_paper_field_reaches_the_patient() -> None:
    outcome = mapped("ADT^A01", "PID|||BN1", PV1, "OBX|1|ST|NGHE_NGHIEP^Nghề nghiệp^QD3176||Giáo viên")
    extensions = only(outcome, "Patient")["extension"]
    assert extensions[0]["url"].endswith("/vn-ext-occupation")
    assert extensions[0]["valueCodeableConcept"] == {"text": "Giáo viên"}


@pytest.mark.parametrize("order", [1, -1])
def test_words_and_code_of_the_occupation_are_one(order: int) -> None:
    told = ["OBX|1|ST|NGHE_NGHIEP^Nghề nghiệp^QD3176||Giáo viên", "OBX|2|ST|MA_NGHE_NGHIEP^Mã^QD3176||23"]
    (extension,) = only(mapped("ADT^A01", "PID|||BN1", PV1, *told[::order]), "Patient")["extension"]
    assert extension["valueCodeableConcept"] == {
        "coding": [{"system": "https://lienthong.vn/fhir/CodeSystem/qd3176-ma-nghe-nghiep", "code": "23"}],
        "text": "Giáo viên",
    }


@pytest.mark.parametrize(
    ("universal_id", "kind", "system"),
    [
        ("urn:oid:1.2.840.99", "URI", "urn:oid:1.2.840.99"),
        ("URN:UUID:0F8FAD5B-D9CB-469F-A165-70867728950E", "URI", "urn:uuid:0f8fad5b-d9cb-469f-a165-70867728950e"),
        ("https://example.org/so", "URI", "https://example.org/so"),
        ("urn:oid:1.2.x", "URI", ""),
        ("urn:uuid:1.2.840.99", "URI", ""),
        ("urn:oid:", "URI", ""),
        ("https://example.org/<so>", "URI", ""),
        ("số: 5", "URI", ""),
    ],
)
def test_an_authority_is_a_uri_only_in_the_form_of_one(universal_id: str, kind: str, system: str) -> None:
    assert hd_to_uri(universal_id, kind) == system

"""Vaccinations: VXU and the answers that carry them."""

from __future__ import annotations

import pytest

from mappings import codes
from mappings.fhir import problems
from tests.unit.hl7v2.samples import PID, PV1, every, line, mapped, only

ORC = "ORC|RE||TC1"
RXA = "RXA|0|1|20260310||03^MMR^CVX|0.5|mL^mL^UCUM"


def obx(code: str, value: str, sub_id: str = "1", kind: str = "CE", at: str = "") -> str:
    return line("OBX", f1="1", f2=kind, f3=f"{code}^x^LN", f4=sub_id, f5=value, f11="F", f14=at)


@pytest.mark.parametrize(
    ("done", "action", "status"),
    [
        ("", "", "completed"),
        ("CP", "A", "completed"),
        ("PA", "A", "completed"),
        ("RE", "A", "not-done"),
        ("NA", "U", "not-done"),
        ("CP", "D", "entered-in-error"),
        ("", "D", "entered-in-error"),
    ],
)
def test_status(done: str, action: str, status: str) -> None:
    outcome = mapped(
        "VXU^V04", PID, ORC, line("RXA", f1="0", f2="1", f3="20260310", f5="03^MMR^CVX", f20=done, f21=action)
    )
    assert only(outcome, "Immunization")["status"] == status


def test_every_completion_status_of_table_0322_has_a_status() -> None:
    assert all(row.target in ("completed", "not-done") for row in codes.table("v2-0322"))


@pytest.mark.parametrize("code", [row.code for row in codes.table("nip001")])
def test_seen_or_told(code: str) -> None:
    rxa = line("RXA", f1="0", f2="1", f3="20260310", f5="03^MMR^CVX", f9=f"{code}^x^NIP001~^trẻ khỏe")
    found = only(mapped("VXU^V04", PID, ORC, rxa), "Immunization")
    assert found["primarySource"] is (code == "00")
    assert ("reportOrigin" in found) == (code != "00")
    target = codes.table("nip001").target(code)
    assert not target or found["reportOrigin"]["coding"][0]["code"] == target
    assert found["note"] == [{"text": "trẻ khỏe"}]


def test_nothing_is_said_of_the_source_when_the_sender_says_nothing() -> None:
    assert "primarySource" not in only(mapped("VXU^V04", PID, ORC, RXA), "Immunization")


def test_a_vaccination_is_known_by_its_number() -> None:
    first = only(mapped("VXU^V04", PID, ORC, RXA), "Immunization")
    later = only(
        mapped("VXU^V04", PID, ORC, RXA.replace("MMR", "Sởi, quai bị, rubella"), control_id="C2"), "Immunization"
    )
    assert first["id"] == later["id"]


def test_without_a_number_by_person_vaccine_and_time() -> None:
    one = only(mapped("VXU^V04", PID, "ORC|RE||9999", RXA), "Immunization")
    same = only(mapped("VXU^V04", PID, RXA, control_id="C2"), "Immunization")
    assert one["id"] == same["id"]
    assert "identifier" not in one


def test_two_vaccines_under_one_number_stay_two_and_the_same_twice_one() -> None:
    outcome = mapped(
        "VXU^V04",
        PID,
        ORC,
        RXA,
        ORC,
        RXA.replace("03^MMR", "21^Varicella"),
        ORC,
        RXA,
        obx("48767-8", "ghi chú", kind="ST"),
    )
    found = every(outcome, "Immunization")
    assert len(found) == 2
    assert found[0]["note"] == [{"text": "ghi chú"}]


def test_an_unknown_amount_is_left_out() -> None:
    outcome = mapped("VXU^V04", PID, ORC, "RXA|0|1|20260310||03^MMR^CVX|999|mL")
    assert "doseQuantity" not in only(outcome, "Immunization")
    assert {"RXA-6", "RXA-7"} <= set(outcome.coverage.ignored)


def test_no_vaccine_given_leaves_the_observations() -> None:
    outcome = mapped(
        "VXU^V04",
        PID,
        "ORC|RE||9999",
        "RXA|0|1|20260310||998^No vaccine administered^CVX|999",
        obx("59784-9", "38907003^Thủy đậu^SCT"),
    )
    assert not every(outcome, "Immunization")
    assert "partOf" not in only(outcome, "Observation")
    assert not outcome.coverage.unknown


def test_facts_with_an_element_go_there() -> None:
    outcome = mapped(
        "VXU^V04",
        PID,
        PV1,
        ORC,
        RXA,
        obx("64994-7", "V01^Not eligible^HL70064"),
        obx("30963-3", "NSNN^Ngân sách^L"),
        obx("69764-9", "HD1^Tờ hướng dẫn^L", "2"),
        obx("29768-9", "20250101", "2", "DT"),
        obx("29769-7", "20260310", "2", "DT"),
        obx("29769-7", "20260310", "3", "DT"),
        obx("30956-7", "107^DTaP^CVX", "3"),
        obx("30973-2", "2", "4", "NM"),
        obx("59782-3", "3", "4", "NM"),
        obx("59780-7", "6 trong 1", "4", "ST"),
    )
    found = only(outcome, "Immunization")
    assert problems(found) == []
    assert not every(outcome, "Observation")
    assert len(found["programEligibility"]) == 1
    assert found["fundingSource"]["text"] == "Ngân sách"
    assert found["education"] == [
        {"documentType": "Tờ hướng dẫn (HD1)", "publicationDate": "2025-01-01", "presentationDate": "2026-03-10"},
        {"documentType": "DTaP", "presentationDate": "2026-03-10"},
    ]
    assert found["protocolApplied"] == [
        {"doseNumberPositiveInt": 2, "seriesDosesPositiveInt": 3, "series": "6 trong 1"}
    ]
    assert not outcome.coverage.unknown


def test_education_always_names_its_document() -> None:
    """FHIR R4 imm-1."""
    found = only(mapped("VXU^V04", PID, ORC, RXA, obx("29769-7", "20260310", kind="DT")), "Immunization")
    assert found["education"] == [{"documentType": "VIS", "presentationDate": "2026-03-10"}]


def test_a_series_without_a_dose_number_says_that_it_is_not_known() -> None:
    found = only(mapped("VXU^V04", PID, ORC, RXA, obx("59780-7", "6 trong 1", kind="ST")), "Immunization")
    assert found["protocolApplied"] == [{"series": "6 trong 1", "doseNumberString": "không rõ"}]
    assert problems(found) == []


def test_a_reaction_is_an_observation_that_the_vaccination_refers_to() -> None:
    outcome = mapped("VXU^V04", PID, ORC, RXA, obx("31044-1", "SOT^Sốt^L", at="20260311"), "NTE|1||hết sau một ngày")
    observation, found = only(outcome, "Observation"), only(outcome, "Immunization")
    assert found["reaction"] == [{"date": "2026-03-11", "detail": {"reference": f"Observation/{observation['id']}"}}]
    assert observation["partOf"] == [{"reference": f"Immunization/{found['id']}"}]
    assert observation["note"] == [{"text": "hết sau một ngày"}]


def test_a_date_that_is_none_stays_an_observation() -> None:
    outcome = mapped("VXU^V04", PID, ORC, RXA, obx("29769-7", "hôm qua", kind="ST"))
    assert only(outcome, "Observation")["valueString"] == "hôm qua"
    assert "education" not in only(outcome, "Immunization")


def test_performers_have_their_function() -> None:
    rxa = line("RXA", f1="0", f2="1", f3="20260310", f5="03^MMR^CVX", f10="DD1^Cao^Mai")
    found = only(mapped("VXU^V04", PID, "ORC|RE||TC1|||||||DD2^Vũ^Hà||BS1^Lê^Nam", rxa), "Immunization")
    assert [one["function"]["coding"][0]["code"] for one in found["performer"]] == ["AP", "OP", "EP"]


def test_recorded_is_the_first_entry() -> None:
    def recorded(action: str) -> str:
        rxa = line("RXA", f1="0", f2="1", f3="20260310", f5="03^MMR^CVX", f21=action, f22="20260311080000")
        found = only(mapped("VXU^V04", PID, "ORC|RE||TC1||||||20260312080000", rxa), "Immunization")
        return str(found["recorded"])

    assert recorded("A") == "2026-03-11T08:00:00+07:00"
    assert recorded("U") == "2026-03-12T08:00:00+07:00"


def test_an_observation_about_the_person_is_not_part_of_a_vaccination() -> None:
    outcome = mapped("VXU^V04", PID, obx("59784-9", "38907003^Thủy đậu^SCT"), ORC, RXA)
    assert "partOf" not in only(outcome, "Observation")


def test_what_is_not_known_is_said() -> None:
    found = only(mapped("VXU^V04", PID, ORC, "RXA|0|1"), "Immunization")
    assert found["vaccineCode"] == {"text": "không rõ"}
    assert found["occurrenceString"] == "không rõ"
    assert problems(found) == []


def test_the_vaccine_type_stands_in_for_the_code() -> None:
    found = only(mapped("VXU^V04", PID, ORC, "RXA|0|1|20260310", obx("30956-7", "107^DTaP^CVX")), "Immunization")
    assert found["vaccineCode"]["coding"][0]["code"] == "107"

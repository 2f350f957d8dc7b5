"""OBX values, orders and reports."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from mappings.hl7v2.segments.obx import time_of_day
from tests.unit.hl7v2.samples import PID, PV1, every, mapped, only

CEL = {"unit": "Cel", "system": "http://unitsofmeasure.org", "code": "Cel"}


def observed(obx: str, *more: str) -> dict[str, Any]:
    return only(mapped("ORU^R01", PID, "OBR|1|P1|F1|T", obx, *more), "Observation")


def value(kind: str, text: str, unit: str = "") -> dict[str, Any]:
    found = observed(f"OBX|1|{kind}|T||{text}|{unit}||||F")
    return {name: content for name, content in found.items() if name.startswith("value")}


@pytest.mark.parametrize(
    ("text", "written"),
    [("4.50", "4.50"), ("36.80", "36.80"), ("0", "0"), ("-1.0", "-1.0"), ("+7.10", "7.10"), ("1000", "1000")],
)
def test_a_number_keeps_its_digits(text: str, written: str) -> None:
    found = value("NM", text)["valueQuantity"]["value"]
    assert isinstance(found, Decimal)
    assert str(found) == written


@pytest.mark.parametrize(
    ("kind", "text", "unit", "expected"),
    [
        ("NM", "36.8", "Cel", {"valueQuantity": {"value": Decimal("36.8"), **CEL}}),
        ("NM", "<0.5", "Cel", {"valueQuantity": {"value": Decimal("0.5"), "comparator": "<", **CEL}}),
        ("NM", "vón", "Cel", {"valueString": "vón"}),
        ("NM", "5", "lọ", {"valueQuantity": {"value": Decimal("5"), "unit": "lọ"}}),
        (
            "NM",
            "5",
            "mm^milimét^UCUM",
            {
                "valueQuantity": {
                    "value": Decimal("5"),
                    "unit": "milimét",
                    "system": "http://unitsofmeasure.org",
                    "code": "mm",
                }
            },
        ),
        ("SN", ">^200", "", {"valueQuantity": {"value": Decimal("200"), "comparator": ">"}}),
        (
            "SN",
            "^1^:^160",
            "",
            {"valueRatio": {"numerator": {"value": Decimal("1")}, "denominator": {"value": Decimal("160")}}},
        ),
        ("SN", "^10^-^20", "", {"valueRange": {"low": {"value": Decimal("10")}, "high": {"value": Decimal("20")}}}),
        ("SN", "^2^+", "", {"valueString": "2 +"}),
        ("SN", "<>^3", "", {"valueString": "<> 3"}),
        ("ST", "Âm tính", "", {"valueString": "Âm tính"}),
        ("ST", "5.60", "Cel", {"valueQuantity": {"value": Decimal("5.60"), **CEL}}),
        ("ST", "5.60", "", {"valueString": "5.60"}),
        ("TX", "dòng 1~dòng 2", "", {"valueString": "dòng 1\ndòng 2"}),
        (
            "CWE",
            "POS^Dương tính^L",
            "",
            {
                "valueCodeableConcept": {
                    "coding": [
                        {"system": "https://lienthong.vn/fhir/sid/01032/code", "code": "POS", "display": "Dương tính"}
                    ],
                    "text": "Dương tính",
                }
            },
        ),
        ("DT", "20261103", "", {"valueDateTime": "2026-11-03"}),
        ("TS", "202611031015", "", {"valueDateTime": "2026-11-03T10:15:00+07:00"}),
        ("TM", "1015", "", {"valueTime": "10:15:00"}),
        ("NR", "1^2", "", {"valueRange": {"low": {"value": Decimal("1")}, "high": {"value": Decimal("2")}}}),
        ("XX", "a^b", "", {"valueString": "a b"}),
        ("", "chữ", "", {"valueString": "chữ"}),
        ("NM", "", "", {}),
    ],
)
def test_value(kind: str, text: str, unit: str, expected: dict[str, Any]) -> None:
    assert value(kind, text, unit) == expected


def test_a_number_that_repeats_becomes_components() -> None:
    found = observed("OBX|1|NM|T||60~120|/min|||||F")
    assert [str(part["valueQuantity"]["value"]) for part in found["component"]] == ["60", "120"]
    assert "valueQuantity" not in found


@pytest.mark.parametrize(
    ("text", "limits"),
    [
        ("12.0-16.0", {"low": "12.0", "high": "16.0"}),
        ("4.0 - 10.0", {"low": "4.0", "high": "10.0"}),
        ("<5", {"high": "5"}),
        (">= 90", {"low": "90"}),
        ("âm tính", {}),
        ("16-12", {}),
    ],
)
def test_reference_range(text: str, limits: dict[str, str]) -> None:
    found = observed(f"OBX|1|NM|T||5|Cel|{text}||||F")["referenceRange"][0]
    assert found["text"] == text
    assert {name: str(found[name]["value"]) for name in ("low", "high") if name in found} == limits


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("F", "final"),
        ("C", "corrected"),
        ("P", "preliminary"),
        ("X", "cancelled"),
        ("W", "entered-in-error"),
        ("", "unknown"),
    ],
)
def test_status(code: str, status: str) -> None:
    assert observed(f"OBX|1|NM|T||5||||||{code}")["status"] == status


def test_comment_belongs_to_what_stands_before_it() -> None:
    outcome = mapped("ORU^R01", PID, "OBR|1|P1|F1|T", "NTE|1||về phiếu", "OBX|1|NM|A||5||||||F", "NTE|1||về kết quả")
    assert only(outcome, "Observation")["note"] == [{"text": "về kết quả"}]
    assert only(outcome, "DiagnosticReport")["extension"][0]["valueAnnotation"] == {"text": "về phiếu"}


def test_a_comment_about_the_patient_is_not_put_on_a_result() -> None:
    outcome = mapped("ORU^R01", PID, "NTE|1||về người bệnh", "OBR|1|P1|F1|T", "OBX|1|NM|A||5||||||F")
    assert "note" not in only(outcome, "Observation")
    assert "NTE-3" in outcome.coverage.unknown


def test_results_hang_on_their_own_order() -> None:
    outcome = mapped(
        "ORU^R01",
        PID,
        "OBR|1|P1|F1|A",
        "OBX|1|NM|X||1||||||F",
        "OBR|2|P2|F2|B",
        "OBX|1|NM|X||2||||||F",
        "OBX|2|NM|Y||3||||||F",
    )
    counts = {
        report["code"]["coding"][0]["code"]: len(report["result"]) for report in every(outcome, "DiagnosticReport")
    }
    assert counts == {"A": 1, "B": 2}
    assert len(every(outcome, "Observation")) == 3


def test_the_same_test_twice_in_one_order_is_two_observations() -> None:
    outcome = mapped("ORU^R01", PID, "OBR|1|P1|F1|A", "OBX|1|NM|X||1||||||F", "OBX|2|NM|X||2||||||F")
    assert len({observation["id"] for observation in every(outcome, "Observation")}) == 2


def test_a_corrected_result_replaces_the_first() -> None:
    first = observed("OBX|1|NM|X||1||||||P")
    second = observed("OBX|1|NM|X||2||||||C")
    assert first["id"] == second["id"]


def test_a_paper_field_belongs_to_the_visit_and_to_the_report_it_stands_in() -> None:
    field = "OBX|1|TX|KET_LUAN^Kết luận^QD3176||bình thường"
    loose = only(mapped("ADT^A08", PID, PV1, field), "Observation")
    first = mapped("ORU^R01", PID, PV1, "OBR|1|P1|F1|CT", field)
    second = mapped("ORU^R01", PID, PV1, "OBR|1|P2|F2|XQ", field)
    ids = {loose["id"], only(first, "Observation")["id"], only(second, "Observation")["id"]}
    assert len(ids) == 3
    assert only(first, "DiagnosticReport")["conclusion"] == "bình thường"


def test_lines_of_a_paper_field_are_one_text() -> None:
    lines = [f"OBX|{n}|TX|QT_BENHLY^Quá trình bệnh lý^QD3176||ngày {n}" for n in (1, 2, 3)]
    found = only(mapped("ADT^A03", PID, PV1, *lines), "Observation")
    assert found["valueString"] == "ngày 1\nngày 2\nngày 3"
    assert found["code"]["coding"][0] == {
        "system": "https://lienthong.vn/fhir/CodeSystem/qd3176-field",
        "code": "QT_BENHLY",
        "display": "Quá trình bệnh lý",
    }


def test_a_document_goes_into_the_report_and_without_one_becomes_a_document_reference() -> None:
    obx = "OBX|1|ED|PDF^Phiếu||^application^PDF^Base64^JVBERi0xLjQK||||||F"
    report = only(mapped("ORU^R01", PID, "OBR|1|P1|F1|CT", obx), "DiagnosticReport")
    assert report["presentedForm"] == [{"contentType": "application/pdf", "data": "JVBERi0xLjQK", "title": "Phiếu"}]
    loose = only(mapped("ADT^A08", PID, PV1, obx), "DocumentReference")
    assert loose["content"][0]["attachment"]["contentType"] == "application/pdf"


def test_a_broken_document_is_unknown_and_noticed() -> None:
    outcome = mapped("ORU^R01", PID, "OBR|1|P1|F1|CT", "OBX|1|ED|PDF||^application^PDF^Base64^@@@||||||F")
    assert "OBX-5" in outcome.coverage.unknown
    assert 3124 in [notice.code for notice in outcome.notices]


def test_request_specimen_and_report_refer_to_each_other() -> None:
    outcome = mapped(
        "ORU^R01",
        PID,
        "ORC|RE|P1|F1",
        "OBR|1|P1|F1|T|||20261103||||||||||||||||||F",
        "OBX|1|NM|X||1||||||F",
        "SPM|1|S1||BLD",
    )
    report, request, specimen = (only(outcome, name) for name in ("DiagnosticReport", "ServiceRequest", "Specimen"))
    assert report["basedOn"] == [{"reference": f"ServiceRequest/{request['id']}"}]
    assert report["specimen"] == [{"reference": f"Specimen/{specimen['id']}"}]
    assert only(outcome, "Observation")["specimen"] == report["specimen"][0]
    assert request["status"] == "completed"


def test_specimen_of_obr_15_when_there_is_no_spm() -> None:
    found = only(mapped("ORU^R01", PID, "OBR|1|P1|F1|T||||||||||20261103090000|BLD"), "Specimen")
    assert found["type"]["coding"][0]["code"] == "BLD"
    assert found["receivedTime"] == "2026-11-03T09:00:00+07:00"


@pytest.mark.parametrize(
    ("text", "clock"),
    [("08", "08:00:00"), ("0815", "08:15:00"), ("081530.12+0700", "08:15:30"), ("2460", ""), ("x", ""), ("8", "")],
)
def test_time_of_day(text: str, clock: str) -> None:
    assert time_of_day(text) == clock


LISTS = "https://lienthong.vn/fhir/CodeSystem/qd3176"


@pytest.mark.parametrize("kind", ["CE", "CWE", "CNE", "IS"])
@pytest.mark.parametrize("name", ["", "MA_NGHE_NGHIEP", "QD3176", "L"])
def test_a_coded_paper_field_is_a_code_of_its_own_list(kind: str, name: str) -> None:
    obx = f"OBX|1|{kind}|MA_NGHE_NGHIEP^Nghề nghiệp^QD3176||75^Thợ máy^{name}||||||F"
    outcome = mapped("ADT^A03", PID, PV1, obx)
    value = {
        "coding": [{"system": f"{LISTS}-ma-nghe-nghiep", "code": "75", "display": "Thợ máy"}],
        "text": "Thợ máy",
    }
    assert only(outcome, "Observation")["valueCodeableConcept"] == value
    assert "valueString" not in only(outcome, "Observation")
    occupation = only(outcome, "Patient")["extension"][0]
    assert occupation["url"].endswith("/vn-ext-occupation")
    assert occupation["valueCodeableConcept"] == value


def test_a_coded_paper_field_may_name_another_list() -> None:
    obx = "OBX|1|CE|MA_BENH_YHCT^Bệnh YHCT^QD3176||U50.1^Cảm mạo^I10~U51^Ho^I10||||||F"
    found = only(mapped("ADT^A03", PID, PV1, obx), "Observation")
    codings = [part["valueCodeableConcept"]["coding"][0] for part in found["component"]]
    assert [(coding["system"], coding["code"]) for coding in codings] == [
        ("http://hl7.org/fhir/sid/icd-10", "U50.1"),
        ("http://hl7.org/fhir/sid/icd-10", "U51"),
    ]


def test_a_code_does_not_run_into_the_text_before_it() -> None:
    text = "OBX|1|TX|KET_QUA_DTRI^Kết quả^QD3176||Đỡ nhiều"
    code = "OBX|2|CE|KET_QUA_DTRI^Kết quả^QD3176||2^Đỡ^KET_QUA_DTRI"
    first, second = every(mapped("ADT^A03", PID, PV1, text, code), "Observation")
    assert first["valueString"] == "Đỡ nhiều"
    assert second["valueCodeableConcept"]["coding"][0]["code"] == "2"


def test_a_coded_conclusion_is_the_conclusion_of_the_report() -> None:
    obx = "OBX|1|CE|KET_LUAN^Kết luận^QD3176||N^Bình thường"
    report = only(mapped("ORU^R01", PID, PV1, "OBR|1|P1|F1|CT", obx), "DiagnosticReport")
    assert report["conclusion"] == "Bình thường"

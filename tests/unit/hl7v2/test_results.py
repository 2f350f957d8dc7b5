"""OBX values, orders and reports."""

from __future__ import annotations

from base64 import b64decode, b64encode
from decimal import Decimal
from hashlib import sha1
from typing import Any

import pytest

from mappings.fhir import problems
from mappings.hl7v2.attachments import LARGEST_INSIDE
from mappings.hl7v2.timing import time_of_day
from mappings.outcome import Outcome
from tests.unit.hl7v2.samples import PID, PV1, every, mapped, only

CEL = {"unit": "Cel", "system": "http://unitsofmeasure.org", "code": "Cel"}


MM = {"unit": "mm", "system": "http://unitsofmeasure.org", "code": "mm"}
VND = {"unit": "VND", "system": "urn:iso:std:iso:4217", "code": "VND"}


def sampled(dimensions: int, data: str, unit: dict[str, str] | None = None) -> dict[str, Any]:
    unknown = {"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "unknown"}
    return {
        "origin": {"value": 0, **(unit or {})},
        "_period": {"extension": [unknown]},
        "dimensions": dimensions,
        "data": data,
    }


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
        ("NR", "2^1", "", {"valueString": "2 1"}),
        ("NA", "1.0^-2.50", "mm", {"valueSampledData": sampled(1, "1.0 -2.50", MM)}),
        ("NA", "1^2~3^4", "", {"valueSampledData": sampled(2, "1 2 3 4")}),
        ("MA", "1^^3~4^5", "", {"valueSampledData": sampled(3, "1 E 3 4 5 E")}),
        ("NA", "1^chữ", "", {"valueString": "1 chữ"}),
        ("CP", "1000&vnd^UP", "", {"valueQuantity": {"value": Decimal("1000"), **VND}}),
        ("MO", "1000^VND", "", {"valueQuantity": {"value": Decimal("1000"), **VND}}),
        ("CQ", "5^mm", "", {"valueQuantity": {"value": Decimal("5"), **MM}}),
        ("XON", "Bệnh viện A^^^^^^^^^01032", "", {"valueString": "Bệnh viện A (01032)"}),
        ("SI", "7", "", {"valueInteger": 7}),
        ("SN", "^^-^", "", {"valueString": "-"}),
        ("SN", ">=^5.0^", "mm", {"valueQuantity": {"value": Decimal("5.0"), "comparator": ">=", **MM}}),
        ("FT", "một\\.br\\hai", "", {"valueString": "một\nhai"}),
        ("VR", "1^2", "", {"valueString": "1 - 2"}),
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
    ("text", "found"),
    [
        ("Nam: 13-17; Nữ: 12.0-16", [("male", "13", "17", None), ("female", "12.0", "16", None)]),
        ("M 13-17", [("male", "13", "17", None)]),
        ("3.5-5.0 (18-60 tuổi)", [(None, "3.5", "5.0", ("18", "60", "a"))]),
        ("Nữ: <5 (< 12 tháng)", [("female", None, "5", (None, "12", "mo"))]),
        ("Nam: âm tính; Nữ: 1-2", [(None, None, None, None)]),
        ("xem chú thích 1-2", [(None, None, None, None)]),
        ("10-20 U", [(None, None, None, None)]),
    ],
)
def test_reference_range_of_some_people(text: str, found: list[tuple[Any, ...]]) -> None:
    ranges = observed(f"OBX|1|NM|T||5|Cel|{text}||||F")["referenceRange"]
    told = []
    for one in ranges:
        age = one.get("age", {})
        coded = one["appliesTo"][0]["coding"][0]["code"] if "appliesTo" in one else None
        limits = [str(one[name]["value"]) if name in one else None for name in ("low", "high")]
        ages = [str(age[name]["value"]) if name in age else None for name in ("low", "high")]
        told.append((coded, *limits, (*ages, (age.get("high") or age["low"])["code"]) if age else None))
    assert told == found
    assert "; ".join(one["text"] for one in ranges) == text


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
    assert report["presentedForm"] == [
        {
            "contentType": "application/pdf",
            "data": "JVBERi0xLjQK",
            "size": 9,
            "hash": b64encode(sha1(b"%PDF-1.4\n", usedforsecurity=False).digest()).decode(),
            "title": "Phiếu",
        }
    ]
    loose = only(mapped("ADT^A08", PID, PV1, obx), "DocumentReference")
    assert loose["content"][0]["attachment"]["contentType"] == "application/pdf"


def enclosed(size: int, encoding: str = "Base64") -> tuple[Outcome, bytes]:
    content = bytes(n % 251 for n in range(size))
    data = content.hex() if encoding == "Hex" else b64encode(content).decode()
    return mapped("ORU^R01", PID, "OBR|1|P1|F1|CT", f"OBX|1|ED|PDF||^application^PDF^{encoding}^{data}||||||F"), content


@pytest.mark.parametrize("encoding", ["Base64", "Hex"])
@pytest.mark.parametrize("more", [0, 1])
def test_a_large_document_stands_apart(encoding: str, more: int) -> None:
    outcome, content = enclosed(LARGEST_INSIDE + more, encoding)
    attachment = only(outcome, "DiagnosticReport")["presentedForm"][0]
    assert attachment["size"] == len(content)
    assert attachment["hash"] == b64encode(sha1(content, usedforsecurity=False).digest()).decode()
    assert ("data" in attachment, "url" in attachment) == (not more, bool(more))
    if more:
        binary = only(outcome, "Binary")
        assert attachment["url"] == f"Binary/{binary['id']}"
        assert b64decode(binary["data"]) == content
        assert binary["securityContext"] == {"reference": f"Patient/{outcome.patient_id}"}
        assert problems(binary) == []
    assert problems(only(outcome, "DiagnosticReport")) == []


@pytest.mark.parametrize("ed", ["App^NS^Octet-stream^Base64", "^^^Base64^", "^^^Hex^0x"])
def test_a_document_without_content_is_unknown(ed: str) -> None:
    outcome = mapped("ORU^R01", PID, "OBR|1|P1|F1|CT", f"OBX|1|ED|A||{ed}||||||F")
    assert "OBX-5" in outcome.coverage.unknown
    assert "presentedForm" not in only(outcome, "DiagnosticReport")


def test_a_document_says_what_it_is_when_the_sender_does_not() -> None:
    outcome = mapped("ORU^R01", PID, "OBR|1|P1|F1|CT", "OBX|1|ED|A||^^^Base64^JVBERi0xLjQK||||||F")
    assert only(outcome, "DiagnosticReport")["presentedForm"][0]["contentType"] == "application/pdf"


def test_a_document_that_is_taken_back_is_not_presented() -> None:
    obx = "OBX|1|ED|PDF||^application^PDF^Base64^JVBERi0xLjQK||||||W"
    assert "presentedForm" not in only(mapped("ORU^R01", PID, "OBR|1|P1|F1|CT", obx), "DiagnosticReport")
    loose = only(mapped("ADT^A08", PID, PV1, obx), "DocumentReference")
    assert (loose["status"], loose["docStatus"]) == ("entered-in-error", "entered-in-error")


@pytest.mark.parametrize(
    ("text", "div"),
    [
        ("\\H\\to\\N\\ nhỏ", "<p><b>to</b> nhỏ</p>"),
        ("\\.ce\\giữa\\.br\\rồi", '<p style="text-align:center">giữa</p><p>rồi</p>'),
        ("a\\.sp2\\b", "<p>a</p><p></p><p>b</p>"),
        ("\\.in+3\\a\\.br\\b", '<p style="margin-left:3em">a</p><p style="margin-left:3em">b</p>'),
        ("\\.ti2\\a\\.br\\b", '<p style="margin-left:2em">a</p><p>b</p>'),
        ("\\.nf\\a  b", '<p style="white-space:pre">a  b</p>'),
        ("a\\.sk3\\b", "<p>a\u00a0\u00a0\u00a0b</p>"),
        ("\\H\\<script>alert(1)</script> \\T\\", "<p><b>&lt;script&gt;alert(1)&lt;/script&gt; &amp;</b></p>"),
        ("\\H\\dòng 1\\.br\\dòng 2\\N\\", "<p><b>dòng 1</b></p><p><b>dòng 2</b></p>"),
    ],
)
def test_formatted_text_keeps_its_look(text: str, div: str) -> None:
    found = observed(f"OBX|1|FT|T||{text}||||||F")
    assert found["text"]["div"] == f'<div xmlns="http://www.w3.org/1999/xhtml">{div}</div>'
    assert problems(found) == []


@pytest.mark.parametrize("text", ["chữ thường", "một\\.br\\hai", "\\H\\\\N\\", "a \\T\\ b"])
def test_plain_text_needs_no_look(text: str) -> None:
    assert "text" not in only(mapped("ORU^R01", PID, "OBR|1|P1|F1|T", f"OBX|1|FT|T||{text}||||||F"), "Observation")


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


@pytest.mark.parametrize(
    "order", [("OBR|1||F1|GLU", "ORC|RE||F1"), ("ORC|RE||F1", "OBR|1||F1|GLU"), ("OBR|1||F1|GLU",)], ids=str
)
def test_every_result_after_an_order_of_a_specimen_is_a_result(order: tuple[str, ...]) -> None:
    results = (f"OBX|{n}|NM|{code}^^L||5|mmol/L||||F" for n, code in enumerate(("GLU", "K", "NA"), 1))
    outcome = mapped("OUL^R22", PID, "SPM|1|S1||SER", "OBX|1|ST|HEM^^L||no||||||F", *order, *results)
    found = {one["code"]["coding"][0]["code"]: one for one in outcome.resources if one["resourceType"] == "Observation"}
    report = only(outcome, "DiagnosticReport")
    assert [one["reference"] for one in report["result"]] == [
        f"Observation/{found[code]['id']}" for code in ("GLU", "K", "NA")
    ]
    assert ["focus" in found[code] for code in ("HEM", "GLU", "K", "NA")] == [True, False, False, False]


def test_what_follows_an_order_of_a_specimen_supports_the_order() -> None:
    outcome = mapped("OML^O33", PID, "SPM|1|S1||SER", "ORC|NW|P1", "OBR|1|P1||GLU", "OBX|1|NM|WT^^L||60|kg||||F")
    assert len(only(outcome, "ServiceRequest")["supportingInfo"]) == 1
    assert "focus" not in only(outcome, "Observation")


def test_an_impression_is_the_conclusion_of_the_report() -> None:
    lines = ["OBX|1|TX|SA&GDT^Mô tả||không giãn||||||F", "OBX|2|TX|SA&IMP^Kết luận||bình thường||||||F"]
    outcome = mapped("ORU^R01", PID, PV1, "OBR|1|A1||SA^Siêu âm", *lines, "OBX|3|TX|SA&IMP^Kết luận||theo dõi||||||F")
    assert only(outcome, "DiagnosticReport")["conclusion"] == "bình thường\ntheo dõi"

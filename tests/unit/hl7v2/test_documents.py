"""MDM: one document through its notifications."""

from __future__ import annotations

from base64 import b64decode, b64encode
from hashlib import sha1
from typing import Any

import pytest

from mappings.fhir import problems
from mappings.hl7v2.faults import MissingSegment
from mappings.hl7v2.segments.txa import completion_status, document_status
from mappings.outcome import Outcome
from tests.unit.hl7v2.samples import PID, PV1, every, line, mapped, only

EVENTS = tuple(f"T{n:02}" for n in range(1, 12))
AVAILABILITY = {"": "current", "AV": "current", "CA": "entered-in-error", "OB": "superseded", "UN": "current"}
COMPLETION = {
    "": "",
    "DI": "preliminary",
    "DO": "preliminary",
    "IP": "preliminary",
    "IN": "preliminary",
    "PA": "preliminary",
    "AU": "final",
    "LA": "final",
}


def mdm(event: str, *segments: str, **txa: str) -> Outcome:
    head = line("TXA", **{"f1": "1", "f2": "DS", "f12": "D1", **txa})
    return mapped(f"MDM^{event}", f"EVN|{event}|20261103", PID, PV1, head, *segments)


def document(event: str, *segments: str, **txa: str) -> dict[str, Any]:
    outcome = mdm(event, *segments, **txa)
    assert [problems(resource) for resource in outcome.resources] == [[]] * len(outcome.resources)
    return next(d for d in every(outcome, "DocumentReference") if d["masterIdentifier"]["value"] == "D1")


def text_of(found: dict[str, Any], n: int = 0) -> str:
    return b64decode(found["content"][n]["attachment"]["data"]).decode()


@pytest.mark.parametrize("code", AVAILABILITY)
@pytest.mark.parametrize("event", EVENTS)
def test_status_of_every_event_and_availability(event: str, code: str) -> None:
    assert document_status(event, code) == ("entered-in-error" if event == "T11" else AVAILABILITY[code])


@pytest.mark.parametrize("code", COMPLETION)
@pytest.mark.parametrize("event", EVENTS)
def test_completion_of_every_event(event: str, code: str) -> None:
    expected = COMPLETION[code]
    if event == "T11":
        expected = "entered-in-error"
    elif event in ("T07", "T08") and expected == "final":
        expected = "amended"
    assert completion_status(event, code) == expected


@pytest.mark.parametrize("event", EVENTS)
def test_every_event_makes_a_version_of_the_same_document(event: str) -> None:
    assert document(event)["id"] == document("T01")["id"]


@pytest.mark.parametrize(
    ("event", "code"),
    [
        ("T01", "appends"),
        ("T02", "appends"),
        ("T05", "appends"),
        ("T06", "appends"),
        ("T07", "replaces"),
        ("T08", "replaces"),
        ("T09", "replaces"),
        ("T10", "replaces"),
    ],
)
def test_what_a_document_is_to_its_parent(event: str, code: str) -> None:
    assert [one["code"] for one in document(event, f13="D0")["relatesTo"]] == [code]
    assert "relatesTo" not in document(event, f13="D1")


def test_a_replaced_document_is_superseded() -> None:
    outcome = mdm("T10", "OBX|1|TX|B||mới||||||F", f13="D0")
    old = next(d for d in every(outcome, "DocumentReference") if d["masterIdentifier"]["value"] == "D0")
    new = next(d for d in every(outcome, "DocumentReference") if d["masterIdentifier"]["value"] == "D1")
    assert old["status"] == "superseded"
    assert new["relatesTo"][0]["target"] == {"reference": f"DocumentReference/{old['id']}"}
    assert old["id"] == only(mdm("T01", f12="D0"), "DocumentReference")["id"]
    assert problems(old) == []


def test_text_is_joined_into_one_attachment() -> None:
    found = document("T02", "OBX|1|TX|B^Bệnh sử||Sốt ba ngày.||||||F", "OBX|2|TX|B^Bệnh sử||Ho khan.||||||F")
    assert len(found["content"]) == 1
    assert text_of(found) == "Sốt ba ngày.\nHo khan."
    attachment = found["content"][0]["attachment"]
    data = b64decode(attachment["data"])
    assert (attachment["title"], attachment["size"]) == ("Bệnh sử", len(data))
    assert attachment["hash"] == b64encode(sha1(data, usedforsecurity=False).digest()).decode()


def test_parts_with_names_of_their_own_have_headings() -> None:
    parts = ("OBX|1|TX|B^Bệnh sử||Sốt.", "OBX|2|FT|K^Kết luận||Viêm phổi\\.br\\điều trị", "OBX|3|TX|||tiếp")
    assert text_of(document("T02", *parts)) == "Bệnh sử\nSốt.\n\nKết luận\nViêm phổi\nđiều trị\ntiếp"


def test_enclosed_data_stands_beside_the_text() -> None:
    found = document("T02", "OBX|1|TX|B||Văn bản", "OBX|2|ED|P^Bản in||^AP^PDF^Base64^JVBERi0=")
    assert [one["attachment"]["contentType"] for one in found["content"]] == [
        "text/plain; charset=utf-8",
        "application/pdf",
    ]
    assert b64decode(found["content"][1]["attachment"]["data"]) == b"%PDF-"


def test_every_repetition_of_data_is_an_attachment() -> None:
    found = document("T02", "OBX|1|RP|P^Ảnh||https://pacs.example/1^^IM^JPEG~https://pacs.example/2^^IM^JPEG")
    assert [one["attachment"]["url"] for one in found["content"]] == [
        "https://pacs.example/1",
        "https://pacs.example/2",
    ]


def test_formatted_text_keeps_its_look() -> None:
    found = document("T02", "OBX|1|TX|B^Bệnh sử||Sốt < 39", "OBX|2|FT|K^Kết luận||\\H\\Viêm phổi\\N\\\\.br\\nặng")
    assert found["content"][0]["attachment"]["contentType"] == "text/html; charset=utf-8"
    html = text_of(found)
    assert "<h3>Bệnh sử</h3>\n<p>Sốt &lt; 39</p>" in html
    assert "<b>Viêm phổi</b>" in html


def test_a_value_that_is_no_text_is_a_result_beside_the_document() -> None:
    outcome = mdm("T02", "OBX|1|TX|B||Văn bản", "OBX|2|NM|W^Cân nặng||61|kg|||||F", "NTE|1||cân sáng")
    weight = only(outcome, "Observation")
    assert weight["note"] == [{"text": "cân sáng"}]
    related = only(outcome, "DocumentReference")["context"]["related"]
    assert related == [{"reference": f"Observation/{weight['id']}"}]


def test_a_comment_on_the_text_is_content_too() -> None:
    assert text_of(document("T02", "OBX|1|TX|B||Văn bản", "NTE|1||đã đọc lại"), 1) == "đã đọc lại"


def test_without_content_it_says_so() -> None:
    attachment = document("T01")["content"][0]["attachment"]
    assert attachment["extension"][0]["valueCode"] == "unknown"
    assert document("T01", f3="TX")["content"] == [{"attachment": {"contentType": "text/plain"}}]


def test_a_code_fhir_has_no_word_for_stands_beside_the_status() -> None:
    found = document("T03", f19="UN")
    coding = found["_status"]["extension"][0]["valueCodeableConcept"]["coding"][0]
    assert (found["status"], coding["code"]) == ("current", "UN")
    assert "_status" not in document("T03", f19="AV")


def test_people_dates_and_labels() -> None:
    found = document(
        "T01",
        f4="20261101",
        f6="20261103083000",
        f9="X1^Lê^Minh",
        f10="X2^Vũ^An",
        f16="a/b.rtf",
        f17="AU",
        f18="R",
        f24="HSBA^Hồ sơ",
        f25="Tóm tắt",
        f27="BV A",
        f28="NOI^Nội",
    )
    assert found["date"] == "2026-11-03T08:30:00+07:00"
    assert [author["reference"].partition("/")[0] for author in found["author"]] == ["Practitioner", "Organization"]
    assert found["authenticator"]["display"] == "Vũ An"
    assert found["securityLabel"][0]["coding"][0]["code"] == "R"
    assert found["identifier"][0]["value"] == "a/b.rtf"
    assert found["context"]["period"] == {"start": "2026-11-01"}
    assert found["context"]["practiceSetting"]["text"] == "Nội"
    assert (found["docStatus"], found["description"], found["category"][0]["text"]) == ("final", "Tóm tắt", "Hồ sơ")


def test_a_date_without_an_hour_is_told_by_the_provenance() -> None:
    outcome = mdm("T01", f6="20261103")
    assert "date" not in only(outcome, "DocumentReference")
    assert only(outcome, "Provenance")["occurredDateTime"] == "2026-11-03"


def test_provenance_names_who_did_what() -> None:
    signed = "X4^Phạm^Hà^^^^^^^^^^^^20261103093000"
    outcome = mdm(
        "T07",
        f5="X1^Lê^Minh",
        f8="20261103090000",
        f11="X2^Vũ^An",
        f17="LA",
        f21="sai liều",
        f22=signed,
        f23="X5^Đỗ^Lan",
    )
    found = only(outcome, "Provenance")
    kinds = [agent["type"]["coding"][0]["code"] for agent in found["agent"]]
    assert kinds == ["performer", "TRANS", "legal", "IRCP"]
    assert found["recorded"] == "2026-11-03T09:00:00+07:00"
    assert found["reason"] == [{"text": "sai liều"}]
    assert found["signature"][0]["when"] == "2026-11-03T09:30:00+07:00"
    assert problems(found) == []
    assert every(mdm("T01"), "Provenance") == []


def test_orders_of_a_document() -> None:
    head = line("TXA", f2="DI", f12="D1", f14="P1~P9")
    outcome = mapped("MDM^T01", PID, "ORC|SC|P1|F1", "OBR|1|P1|F1|ECHO^Siêu âm tim", "NTE|1||đã gọi điện", head)
    request, found = only(outcome, "ServiceRequest"), only(outcome, "DocumentReference")
    assert found["context"]["related"] == [
        {"reference": f"ServiceRequest/{request['id']}"},
        {
            "type": "ServiceRequest",
            "identifier": {"system": request["identifier"][0]["system"], "value": "P9"},
        },
    ]
    ordered = only(mapped("ORU^R01", PID, "OBR|1|P1|F1|T", "OBX|1|NM|X||1||||||F"), "ServiceRequest")
    assert ordered["id"] == request["id"]
    assert every(outcome, "DiagnosticReport") == []


def test_a_report_only_when_its_status_is_told() -> None:
    order = line("OBR", f2="P1", f4="ECHO^Siêu âm tim", f25="F", f32="X1&Lê&Minh")
    outcome = mapped("MDM^T01", PID, order, "TXA|1|DI||||||||||D1")
    assert only(outcome, "DiagnosticReport")["status"] == "final"
    assert only(outcome, "DocumentReference")["authenticator"]["display"] == "Lê Minh"


@pytest.mark.parametrize(
    ("code", "status"),
    [("A", "active"), ("L", "active"), ("R", "rejected"), ("P", "proposed"), ("X", "inactive"), ("B", "inactive")],
)
def test_consent(code: str, status: str) -> None:
    con = line("CON", f1="1", f2="002^Medical Procedure^HL70496", f3="M01", f5="Tôi đồng ý", f11=code, f24="Lê^Hoa")
    found = only(mdm("T01", con), "Consent")
    assert (found["status"], found["policyRule"]) == (status, {"text": "M01"})
    assert found["performer"] == [{"display": "Lê Hoa"}]
    assert problems(found) == []


def test_no_document_without_txa() -> None:
    with pytest.raises(MissingSegment):
        mapped("MDM^T02", PID)


def test_the_paper_fields_of_a_document_are_its_own() -> None:
    field = "OBX|1|TX|Y_LENH^Y lệnh^QD3176||{}||||||F"
    first, second = (
        mdm("T02", field.format(text), f2="36/BV2", f12=number) for text, number in (("a", "D1"), ("b", "D2"))
    )
    one, two = only(first, "Observation"), only(second, "Observation")
    assert one["id"] != two["id"]
    assert {"reference": f"Observation/{one['id']}"} in only(first, "DocumentReference")["context"]["related"]
    again = mdm("T08", field.format("sửa"), f2="36/BV2", f12="D1")
    assert only(again, "Observation")["id"] == one["id"]

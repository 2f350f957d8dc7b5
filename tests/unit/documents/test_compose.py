"""Every paper: sound FHIR, all labels in order, same input same document, missing fields, versions, hostile text."""

from __future__ import annotations

import tomllib
from copy import deepcopy
from dataclasses import replace
from datetime import UTC, datetime
from importlib.resources import files
from typing import Any

import pytest

from mappings import documents
from mappings.documents import form
from mappings.documents.faults import FormNotInForce, PaperIncomplete, PaperUnknown, SubjectMissing
from mappings.fhir.check import problems
from mappings.fhir.references import bundle_references
from mappings.formats import json
from mappings.outcome import Resource
from mappings.systems import DEFAULT, LOINC
from tests.unit.documents.reading import cells, composition, labels, titles
from tests.unit.documents.samples import CONTEXT, NO_VISIT, SAMPLES, child, field, mother, sample, without

PAPERS = sorted(SAMPLES)
HOSTILE = "a]]>b <script>alert('x')</script> & \x0b\x00\x1f \ufffe \ud800 dấu ngoặc \" cuối"

HOSTILE_SHOWN = HOSTILE.upper().translate(dict.fromkeys((0x0B, 0, 0x1F, 0xFFFE, 0xD800), "�"))


def composed(paper: str, record: list[Resource] | None = None, **changes: Any) -> Resource:
    subject, known = sample(paper)
    context = replace(CONTEXT, **changes)
    return documents.compose(paper, subject, known if record is None else record, context)


def resources(bundle: Resource, resource_type: str) -> list[Resource]:
    found = [entry["resource"] for entry in bundle["entry"]]
    return [resource for resource in found if resource["resourceType"] == resource_type]


def find(record: list[Resource], reference: str) -> Resource:
    return next(r for r in record if f"{r['resourceType']}/{r['id']}" == reference)


def test_every_paper_has_a_form_a_module_and_a_sample() -> None:
    assert list(documents.PAPERS) == PAPERS


@pytest.mark.parametrize("paper", PAPERS)
def test_documents_are_sound_and_closed(paper: str) -> None:
    bundle = composed(paper)
    assert problems(bundle) == []
    assert bundle_references(bundle) == []
    assert bundle["type"] == "document"
    assert bundle["identifier"] == {"system": DEFAULT.document, "value": CONTEXT.number}
    assert bundle["timestamp"] == "2026-11-05T10:15:30+07:00"
    head = composition(bundle)
    assert head["title"] in titles(paper)
    assert {c["system"]: c["code"] for c in head["type"]["coding"]}[DEFAULT.paper] == paper
    sheet = form.form(paper)
    assert [c["code"] for c in head["type"]["coding"] if c["system"] == LOINC] == ([sheet.loinc] if sheet.loinc else [])
    signs = "professional" in {signer.role for signer in sheet.editions[0].signers}
    assert [a["mode"] for a in head["attester"]] == (["professional", "legal"] if signs else ["legal"])


@pytest.mark.parametrize("paper", PAPERS)
def test_every_label_of_the_form_is_shown_in_order(paper: str) -> None:
    data = tomllib.loads(files("mappings.documents.forms").joinpath(f"{paper}.toml").read_text(encoding="utf-8"))
    wanted = [row["label"] for section in data["edition"][0]["section"] for row in section.get("row", [])]
    assert labels(composed(paper)) == wanted


@pytest.mark.parametrize("paper", PAPERS)
def test_labels_stay_when_nothing_is_known_behind_them(paper: str) -> None:
    subject, record = sample(paper)
    bundle = documents.compose(
        paper, subject, without(record, "Coverage/bhyt1", "Observation/f-nghe-nghiep-dt1"), CONTEXT
    )
    assert labels(bundle) == labels(composed(paper))
    assert problems(bundle) == []
    assert cells(bundle).get("MA_THE_BHYT", "") == ""


@pytest.mark.parametrize("paper", PAPERS)
def test_same_record_in_any_order_same_document(paper: str) -> None:
    subject, record = sample(paper)
    forward = documents.compose(paper, subject, record, CONTEXT)
    backward = documents.compose(paper, subject, record[::-1], CONTEXT)
    assert json.canonical(forward) == json.canonical(composed(paper))
    assert [s["text"] for s in composition(forward)["section"]] == [s["text"] for s in composition(backward)["section"]]


@pytest.mark.parametrize("paper", PAPERS)
def test_compose_leaves_the_record_alone(paper: str) -> None:
    subject, record = sample(paper)
    documents.compose(paper, subject, record, CONTEXT)
    assert record == SAMPLES[paper][1]


@pytest.mark.parametrize("paper", PAPERS)
def test_compose_changes_copies_where_it_cleans_texts_and_cuts_references(paper: str) -> None:
    subject, record = sample(paper)
    for one in record:
        one["note"] = [{"text": f"Ho\u0300a {HOSTILE}", "authorReference": {"reference": "Practitioner/xa"}}]
    before = deepcopy(record)
    bundle = documents.compose(paper, subject, record, CONTEXT)
    assert record == before
    noted = [one["note"][0] for entry in bundle["entry"] if (one := entry["resource"]).get("note")]
    assert {note["authorReference"]["type"] for note in noted} == {"Practitioner"}
    assert all("Hòa" in note["text"] and "\x0b" not in note["text"] for note in noted)


@pytest.mark.parametrize("paper", PAPERS)
def test_the_visit_of_somebody_else_stays_out(paper: str) -> None:
    subject, record = sample(paper)
    other = {
        **find(record, "Encounter/dt1"),
        "id": "dt0",
        "diagnosis": [],
        "period": {"start": "2026-01-01T08:00:00+07:00"},
    }
    bundle = documents.compose(paper, subject, [*record, other, field("PP_DIEUTRI", "của đợt khác", "dt0")], CONTEXT)
    assert "của đợt khác" not in json.dumps(bundle).decode()
    assert [e["id"] for e in resources(bundle, "Encounter")] == ([] if paper in NO_VISIT else ["dt1"])


@pytest.mark.parametrize("paper", PAPERS)
def test_versions_keep_the_set_and_name_what_they_replace(paper: str) -> None:
    first = composition(composed(paper))
    second = composition(
        composed(paper, number="0192f6a0-2222-7abc-8def-0123456789ab", version=2, replaces=CONTEXT.number)
    )
    assert first["identifier"] == second["identifier"]
    assert "relatesTo" not in first
    assert second["relatesTo"] == [
        {"code": "replaces", "targetIdentifier": {"system": DEFAULT.document, "value": CONTEXT.number}}
    ]
    assert [e["valueString"] for e in second["extension"]] == ["2"]


@pytest.mark.parametrize("paper", PAPERS)
def test_hostile_text_is_shown_harmless(paper: str) -> None:
    subject, record = sample(paper)
    person = find(record, "Patient/bn1")
    person["name"] = [{"text": HOSTILE}]
    person["address"] = [{"text": HOSTILE}]
    bundle = documents.compose(paper, subject, record, CONTEXT)
    assert problems(bundle) == []
    shown = cells(bundle)
    assert shown.get("HO_TEN", HOSTILE_SHOWN) == HOSTILE_SHOWN
    assert "không hợp lệ" in shown["KY_TU_THAY"]
    assert all("<script" not in section["text"]["div"] for section in composition(bundle)["section"])


@pytest.mark.parametrize("paper", PAPERS)
def test_decomposed_letters_are_composed(paper: str) -> None:
    subject, record = sample(paper)
    find(record, "Patient/bn1")["name"] = [{"text": "Nguye\u0302\u0303n Thi\u0323 Ho\u0300a"}]
    bundle = documents.compose(paper, subject, record, CONTEXT)
    assert cells(bundle).get("HO_TEN", "NGUYỄN THỊ HÒA") == "NGUYỄN THỊ HÒA"
    assert resources(bundle, "Patient")[0]["name"][0]["text"] == "Nguyễn Thị Hòa"


@pytest.mark.parametrize("paper", [paper for paper in PAPERS if paper != "birth_certificate"])
def test_birth_year_alone_stays_a_year(paper: str) -> None:
    subject, record = sample(paper)
    find(record, "Patient/bn1")["birthDate"] = "1957"
    shown = cells(documents.compose(paper, subject, record, CONTEXT))
    assert (shown.get("NGAY_SINH") or shown["NAM_SINH"]) in ("1957 (Tuổi: 69)", "1957")


@pytest.mark.parametrize("paper", PAPERS)
def test_missing_subject_or_patient(paper: str) -> None:
    subject, record = sample(paper)
    with pytest.raises(SubjectMissing) as missing:
        documents.compose(paper, subject, without(record, subject.partition("#")[0]), CONTEXT)
    assert missing.value.detail == subject.partition("/")[0]
    with pytest.raises(SubjectMissing) as nobody:
        documents.compose(paper, subject, without(record, "Patient/bn1"), CONTEXT)
    assert nobody.value.detail == "Patient"


REQUIRED = [
    ("discharge_paper", "Observation/f-pp-dieutri-dt1", "Phương pháp điều trị (PP_DIEUTRI)"),
    ("discharge_paper", "Practitioner/bs1", "Người hành nghề khám bệnh, chữa bệnh (professional)"),
    ("referral", "Observation/f-huong-dieu-tri-dt1", "Hướng điều trị (HUONG_DIEU_TRI)"),
    ("referral", "Organization/den", "Kính gửi (NOI_NHAN)"),
    ("reexamination", "Encounter/dt1", "Ngày khám bệnh (NGAY_KHAM)"),
]


@pytest.mark.parametrize(("paper", "gone", "where"), REQUIRED)
def test_what_the_law_wants_must_be_there(paper: str, gone: str, where: str) -> None:
    subject, record = sample(paper)
    with pytest.raises(PaperIncomplete) as incomplete:
        documents.compose(paper, subject, without(record, gone), CONTEXT)
    assert incomplete.value.where == where
    assert incomplete.value.code == 3201


@pytest.mark.parametrize(
    ("element", "key"),
    [("name", "HO_TEN"), ("birthDate", "NGAY_SINH"), ("gender", "GIOI_TINH"), ("address", "DIA_CHI")],
)
def test_a_person_without_what_the_form_wants(element: str, key: str) -> None:
    subject, record = sample("discharge_paper")
    del find(record, "Patient/bn1")[element]
    with pytest.raises(PaperIncomplete) as incomplete:
        documents.compose("discharge_paper", subject, record, CONTEXT)
    assert incomplete.value.detail.startswith(f"{key} ← PID-")
    assert "Thuỳ" not in str(incomplete.value)


def test_all_missing_fields_are_named_at_once() -> None:
    subject, record = sample("discharge_paper")
    del find(record, "Encounter/dt1")["period"]["end"]
    with pytest.raises(PaperIncomplete) as incomplete:
        documents.compose("discharge_paper", subject, without(record, "Observation/f-pp-dieutri-dt1"), CONTEXT)
    assert incomplete.value.detail == "NGAY_RA ← PV1-45; PP_DIEUTRI ← OBX PP_DIEUTRI"


def test_the_form_follows_the_day_of_the_event() -> None:
    subject, record = sample("discharge_paper")
    find(record, "Encounter/dt1")["period"] = {"start": "2025-06-28T08:00:00+07:00", "end": "2025-06-30T23:59:00+07:00"}
    with pytest.raises(FormNotInForce) as early:
        documents.compose("discharge_paper", subject, record, CONTEXT)
    assert early.value.detail == "2025-06-30"
    find(record, "Encounter/dt1")["period"]["end"] = "2025-06-30T17:00:00Z"
    assert cells(documents.compose("discharge_paper", subject, record, CONTEXT))["MS"] == "02"


def test_an_older_edition_is_used_for_an_older_event() -> None:
    sheet = form.form("discharge_paper")
    newest = sheet.editions[0]
    old = replace(newest, number="01/BV-01", valid_from=datetime(2020, 1, 1, tzinfo=UTC).date(), valid_to=None)
    old = replace(old, valid_to=datetime(2025, 6, 30, tzinfo=UTC).date())
    both = replace(sheet, editions=(newest, old))
    assert both.on(datetime(2025, 6, 30, tzinfo=UTC).date()).number == "01/BV-01"
    assert both.on(datetime(2025, 7, 1, tzinfo=UTC).date()).number == "02"


def test_an_unknown_paper() -> None:
    with pytest.raises(PaperUnknown):
        documents.title("giay_la")
    with pytest.raises(PaperUnknown):
        documents.due("../forms/referral", "ADT^A03", [])


def test_a_child_is_shown_with_who_answers_for_it() -> None:
    subject, record = sample("discharge_paper")
    record = [child(), mother(), *without(record, "Patient/bn1", "Coverage/bhyt1")]
    bundle = documents.compose("discharge_paper", subject, record, CONTEXT)
    shown = cells(bundle)
    assert shown["NGUOI_GIAM_HO"] == "Trần Thị Hoà (mẹ)"
    assert shown["NGAY_SINH"] == "01/03/2025 (Tuổi: 20 tháng)"
    assert (shown["SO_CCCD"], shown["NGAYCAP_CCCD"], shown["MA_THE_BHYT"]) == ("", "", "")
    assert [r["id"] for r in resources(bundle, "RelatedPerson")] == ["me1"]


def test_relatives_of_an_adult_stay_out() -> None:
    subject, record = sample("discharge_paper")
    bundle = documents.compose("discharge_paper", subject, [*record, mother()], CONTEXT)
    assert cells(bundle)["NGUOI_GIAM_HO"] == ""
    assert resources(bundle, "RelatedPerson") == []


def test_after_a_merge_the_survivor_is_named() -> None:
    subject, record = sample("discharge_paper")
    old = find(record, "Patient/bn1")
    survivor = {**old, "id": "bn2", "name": [{"text": "Đặng Thị Thùy Ưởng"}]}
    old.update(active=False, link=[{"other": {"reference": "Patient/bn2"}, "type": "replaced-by"}])
    bundle = documents.compose("discharge_paper", subject, [*record, survivor], CONTEXT)
    assert composition(bundle)["subject"]["reference"] == "Patient/bn2"
    assert cells(bundle)["HO_TEN"] == "ĐẶNG THỊ THÙY ƯỞNG"
    assert bundle_references(bundle) == []


def test_what_the_record_does_not_hold_becomes_a_logical_reference() -> None:
    subject, record = sample("discharge_paper")
    find(record, "Encounter/dt1")["participant"].append(
        {"individual": {"reference": "Practitioner/xa", "display": "Bs. Xa"}}
    )
    bundle = documents.compose("discharge_paper", subject, record, CONTEXT)
    assert bundle_references(bundle) == []
    (encounter,) = resources(bundle, "Encounter")
    assert encounter["participant"][1]["individual"] == {
        "type": "Practitioner",
        "identifier": {"system": f"{DEFAULT.own}/sid/resource", "value": "Practitioner/xa"},
        "display": "Bs. Xa",
    }

"""The vaccination record: one paper per person, everything known, nothing about visits."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mappings import documents
from mappings.documents.faults import PaperIncomplete
from mappings.outcome import Resource
from tests.unit.documents.reading import cells, composition, table
from tests.unit.documents.samples import CONTEXT, sample, vaccination

PAPER = "immunization_record"


def made(record: list[Resource] | None = None) -> Resource:
    subject, known = sample(PAPER)
    return documents.compose(PAPER, subject, known if record is None else record, CONTEXT)


def types(bundle: Resource) -> set[str]:
    return {entry["resource"]["resourceType"] for entry in bundle["entry"]}


def test_every_vaccination_in_order_of_time_with_all_that_was_told() -> None:
    shown = table(made())
    assert shown[0] == [
        "STT",
        "Vắc xin",
        "Ngày tiêm",
        "Mũi số",
        "Liều",
        "Số lô",
        "Hạn dùng",
        "Nhà sản xuất",
        "Vị trí tiêm",
        "Đường tiêm",
        "Người tiêm",
        "Phản ứng sau tiêm",
        "Ghi chú",
    ]
    assert [line[2] for line in shown[1:]] == ["05/10/2026", "04/11/2026", "08:30 05/11/2026"]
    assert shown[1][-1] == "theo lời kể hoặc sổ tiêm"
    assert shown[2][-1] == "không tiêm: Gia đình từ chối"
    assert shown[3][3:] == [
        "2/3",
        "0.50 mL",
        "U1234AB",
        "31/08/2027",
        "Hãng Thử Nghiệm",
        "Đùi trái",
        "Tiêm bắp",
        "Lê Quốc Vượng",
        "Sốt nhẹ, 05/11/2026",
        "",
    ]


def test_contraindications_and_the_next_date_are_shown_when_told() -> None:
    shown = cells(made())
    assert (shown["NOI_DUNG_CCD-1"], shown["VACXIN_CCD-1"]) == ("Dị ứng men bia", "Viêm gan B")
    assert (shown["ND_HEN-1"], shown["NGAY_HEN-1"], shown["VACXIN_HEN-1"]) == (
        "Ngày đến hạn tiêm",
        "05/12/2026",
        "Viêm gan B",
    )


def test_a_recommendation_is_shown() -> None:
    recommended: Resource = {
        "resourceType": "ImmunizationRecommendation",
        "id": "kn1",
        "patient": {"reference": "Patient/bn1"},
        "date": "2026-11-05",
        "recommendation": [
            {
                "vaccineCode": [{"text": "Viêm gan B"}],
                "forecastStatus": {"text": "đến hạn"},
                "dateCriterion": [{"code": {"text": "Ngày nên tiêm"}, "value": "2026-12-06"}],
                "doseNumberPositiveInt": 3,
            }
        ],
    }
    shown = cells(made([*sample(PAPER)[1], recommended]))
    assert (shown["VACXIN_HEN-1"], shown["NGAY_HEN-1"]) == ("Viêm gan B, mũi 3", "06/12/2026")


def test_visits_and_their_diagnoses_do_not_travel() -> None:
    assert types(made()) & {"Encounter", "Condition"} == set()
    assert "encounter" not in composition(made())
    told = [entry["resource"] for entry in made()["entry"] if entry["resource"]["id"] == "tc2"]
    assert told[0]["encounter"]["identifier"]["value"] == "Encounter/dt1"


def test_versions_grow_under_one_number() -> None:
    subject, record = sample(PAPER)
    first = made()
    context = replace(CONTEXT, number="0192f6a0-2222-7abc-8def-0123456789ab", version=2, replaces=CONTEXT.number)
    again = [*record, vaccination("tc5", "2026-12-06T08:00:00+07:00")]
    second = documents.compose(PAPER, subject, again, context)
    assert composition(first)["identifier"] == composition(second)["identifier"]
    assert len(table(second)) == len(table(first)) + 1


def test_messages_about_several_vaccinations_make_one_paper() -> None:
    assert documents.due(PAPER, "VXU^V04", sample(PAPER)[1]) == ["Patient/bn1"]


def test_without_a_vaccination_there_is_no_paper() -> None:
    subject, record = sample(PAPER)
    left = [one for one in record if one["resourceType"] != "Immunization" or one["status"] == "entered-in-error"]
    with pytest.raises(PaperIncomplete) as incomplete:
        documents.compose(PAPER, subject, left, CONTEXT)
    assert incomplete.value.detail == "TEN_VACXIN ← RXA-5"

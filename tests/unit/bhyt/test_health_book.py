"""What the health book lacks of a visit is named with its origin; Table 8 is made of what was told, and of nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from mappings.bhyt.health_book import CARD, SUMMARY, Item, is_insured, missing, summary_row
from mappings.bhyt.tables import table
from mappings.outcome import Resource
from mappings.systems import DEFAULT
from tests.unit.bhyt.paper_rows import HEAD, XML8, clinic, stay
from tests.unit.documents import samples

Tables = dict[str, tuple[dict[str, str], ...]]
WHOLE = {
    "DIEN_THOAI": "0900000001",
    "MATINH_CU_TRU": "04",
    "MAXA_CU_TRU": "01477",
    "NHOM_MAU": "O+",
    "CAN_NANG": "52.50",
    "T_THUOC": "120000",
}
TEST = {"MA_DICH_VU": "22.0120", "MA_NHOM": "1"}


def whole(**changes: tuple[dict[str, str], ...]) -> Tables:
    tables: Tables = {
        "XML1": (stay(**WHOLE),),
        "XML2": ({"MA_THUOC": "40.30"},),
        "XML3": (TEST, {"MA_DICH_VU": "K03.1", "MA_NHOM": "15"}),
        "XML4": ({"MA_DICH_VU": "22.0120", "GIA_TRI": "4.50"},),
        "XML8": (XML8,),
    }
    return tables | changes


def fields(tables: Tables, **settings: bool) -> list[tuple[str, str, str]]:
    return [(one.group, one.table, one.field) for one in missing(tables, **settings)]


def test_a_whole_visit_lacks_nothing() -> None:
    assert missing(whole()) == []


@pytest.mark.parametrize(
    "item", [item for item in missing({"XML1": ({"MA_DOITUONG_KCB": "1.1"},)}) if item.table == "XML1"]
)
def test_each_item_of_the_summary_is_missed(item: Item) -> None:
    row = {**stay(**WHOLE), item.field: ""}
    if item.field == "MA_THE_BHYT":
        assert is_insured(row)
    assert missing(whole(XML1=(row,))) == [item]


def test_every_item_is_a_field_of_its_table_and_says_where_it_comes_from() -> None:
    asked = missing({"XML1": ({"MA_DOITUONG_KCB": "1.1", "T_THUOC": "5"},), "XML3": ({**TEST},)})
    asked += missing({})
    assert {one.group for one in asked} == {"a", "b", "c", "d"}
    for one in asked:
        assert one.field in {field.name for field in table(one.table).fields}
        assert one.name
        assert one.origin


@pytest.mark.parametrize("changes", [{"MA_DOITUONG_KCB": "9"}, {"MA_DOITUONG_KCB": ""}])
def test_of_who_is_not_insured_no_card_is_asked(changes: dict[str, str]) -> None:
    card = dict.fromkeys((item.field for item in CARD), "")
    assert missing(whole(XML1=(stay(**{**WHOLE, **card, **changes}),))) == []


def test_table_8_is_asked_of_every_visit_or_of_stays_alone() -> None:
    outside = whole(XML1=(clinic(**WHOLE),))
    del outside["XML8"]
    asked = [("b", "XML8", "QT_BENHLY"), *(("d", "XML8", item.field) for item in SUMMARY)]
    assert fields(outside) == asked
    assert fields(outside, every_encounter=False) == []
    inside = whole()
    del inside["XML8"]
    assert fields(inside, every_encounter=False) == asked


def test_what_was_charged_is_there_with_its_results() -> None:
    tables = whole(XML4=({"MA_DICH_VU": "22.0120", "GIA_TRI": ""},))
    assert [(one.name, one.table) for one in missing(tables)] == [("Kết quả cận lâm sàng: 22.0120", "XML4")]
    assert missing(whole(XML4=({"MA_DICH_VU": "22.0120", "KET_LUAN": "Bình thường"},))) == []
    assert fields(whole(XML2=())) == [("c", "XML2", "MA_THUOC")]
    assert missing(whole(XML1=(stay(**{**WHOLE, "T_THUOC": "0.00"}),), XML2=())) == []
    assert fields(whole(XML3=())) == [("c", "XML3", "MA_DICH_VU")]


# ---- Table 8 of what was told ----


def made(record: list[Resource]) -> dict[str, str]:
    return summary_row(record, "dt1", decision="1931", facility="01999", head=HEAD)


def outpatient(*more: Resource) -> list[Resource]:
    return [*samples.outpatient(), *more]


def of_visit(kind: str, **elements: Any) -> Resource:
    about = {"subject": samples.ref("Patient", "bn1"), "encounter": samples.ref("Encounter", "dt1")}
    return {"resourceType": kind, "id": f"{kind}-{len(str(elements))}".lower(), **about, **elements}


def test_a_visit_without_words_has_no_words() -> None:
    row = made(outpatient())
    assert row == {
        "MA_LK": "DT26000042",
        "MA_LOAI_KCB": "01",
        "NGAY_VAO": "202611010830",
        "NGAY_RA": "202611051005",
        "CHAN_DOAN_VAO": "Sốt chưa rõ nguyên nhân",
        "CHAN_DOAN_RV": "Viêm phổi, tác nhân không xác định; Đái tháo đường típ 2",
        "MA_TTDV": HEAD,
        "NGAY_CT": "20261105",
    }
    lacking = [
        item.field
        for item in missing({"XML1": (clinic(**WHOLE),), "XML8": (row,), "XML3": (TEST,), "XML2": ({"a": "b"},)})
    ]
    assert lacking == ["QT_BENHLY", "GIA_TRI", "QT_BENHLY", "TOMTAT_KQ", "PP_DIEUTRI", "GHI_CHU"]


def test_what_was_told_apart_is_put_together() -> None:
    medicine = of_visit(
        "MedicationRequest", status="active", intent="order", medicationCodeableConcept={"text": "Amlodipin 5 mg"}
    )
    stopped = {**medicine, "id": "x", "status": "entered-in-error", "medicationCodeableConcept": {"text": "Nhầm"}}
    procedure = of_visit("Procedure", status="completed", code={"text": "Chọc dịch"})
    report = of_visit("DiagnosticReport", status="final", code={"text": "X-quang phổi"}, conclusion="Đám mờ đáy phải")
    flagged = samples.result("k1", "Kali", valueString="2.8", interpretation=[samples.coded("https://x.example", "LL")])
    plain = samples.result("k0", "Glucose", valueString="4.50")
    told = [
        samples.field("LYDO_VVIEN", "Sốt"),
        samples.field("TIEN_SU_BENH", "Đái tháo đường"),
        samples.field("DAU_HIEU_LS", "Ran nổ"),
        samples.field("HUONG_DIEU_TRI", "Uống thuốc"),
        samples.field("LOI_DAN", "Nghỉ ngơi"),
        samples.field("NGAY_TAI_KHAM", "20261119"),
        samples.field("KET_QUA_DTRI", "2"),
    ]
    row = made(outpatient(medicine, stopped, procedure, report, plain, flagged, *told))
    assert row["QT_BENHLY"].split("\n") == ["Lý do: Sốt", "Tiền sử: Đái tháo đường", "Khám: Ran nổ"]
    assert row["TOMTAT_KQ"].split("\n")[0] == "X-quang phổi: Đám mờ đáy phải"
    assert [line.partition(":")[0] for line in row["TOMTAT_KQ"].split("\n")] == ["X-quang phổi", "Kali", "Glucose"]
    assert "Amlodipin 5 mg" in row["PP_DIEUTRI"]
    assert "Nhầm" not in row["PP_DIEUTRI"]
    assert row["GHI_CHU"].split("\n") == ["Uống thuốc", "Nghỉ ngơi", "Hẹn khám lại: 19/11/2026"]
    assert row["KET_QUA_DTRI"] == "2"


def test_the_doctors_own_words_stand_alone() -> None:
    told = [
        samples.field("QT_BENHLY", "Sốt 3 ngày"),
        samples.field("LYDO_VVIEN", "Sốt"),
        samples.field("TOMTAT_KQ", "Bình thường"),
        samples.field("PP_DIEUTRI", "Kháng sinh"),
    ]
    report = of_visit("DiagnosticReport", status="final", code={"text": "X-quang"}, conclusion="Mờ")
    row = made(outpatient(report, *told))
    assert (row["QT_BENHLY"], row["TOMTAT_KQ"], row["PP_DIEUTRI"]) == ("Sốt 3 ngày", "Bình thường", "Kháng sinh")


def test_results_end_with_a_whole_line() -> None:
    results = [samples.result(f"k{n:03}", f"Chỉ số {n:03}", valueString="x" * 80) for n in range(100)]
    text = made(outpatient(*results))["TOMTAT_KQ"]
    assert 3800 < len(text) <= 4000
    assert {len(line) for line in text.split("\n")} == {len("Chỉ số 000: ") + 80}


def test_a_record_without_the_visit_gives_no_table() -> None:
    assert summary_row([], "dt1", decision="1931", facility="01999", systems=DEFAULT) == {}

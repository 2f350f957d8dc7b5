"""The table of a paper and the CDA of the same paper say the same, field by field, and a difference is found."""

from __future__ import annotations

from typing import Any

import pytest

from mappings import cda
from mappings.bhyt import TABLE_OF_PAPER, paper_to_rows
from mappings.bhyt.tables import table
from mappings.documents import compose
from tests.unit.bhyt.agreement import ELSEWHERE, PLACES, Cda, differences
from tests.unit.bhyt.bundles import HEAD
from tests.unit.documents import samples

PAPERS = sorted(paper for paper in TABLE_OF_PAPER if paper != "lab_report")
"""A report of results says its rows in a table of its own form."""

_VISIT = {
    "MA_QUOCTICH": "000",
    "MA_NGHE_NGHIEP": "21",
    "MA_BENH_YHCT": "U50.1",
    "MA_LOAI_RV": "1",
    "MA_THE_TAM": "TE101",
}
MORE: dict[str, dict[str, str]] = {
    "discharge_paper": {
        "SO_LUU_TRU": "LT-7",
        "MA_KHOA_RV": "K03",
        "MA_DINH_CHI_THAI": "1",
        "NGUYENNHAN_DINHCHI": "Thai lưu",
        "THOIGIAN_DINHCHI": "202611021030",
        "TUOI_THAI": "14",
        "SO_NGAY_NGHI": "5",
        "NGOAITRU_TUNGAY": "20261105",
        "NGOAITRU_DENNGAY": "20261109",
        "GHI_CHU": "Nghỉ ngoại trú 05 ngày & tái khám",
    },
    "record_summary": {
        "MA_LOAI_KCB": "03",
        "HO_TEN_CHA": "Đặng Văn Mẫu",
        "NGUOI_GIAM_HO": "Đặng Thị Dì",
        "DON_VI": "Trường Mẫu",
        "PP_DIEUTRI": "Theo phác đồ",
        "NGAY_SINHCON": "20261102",
        "NGAY_CONCHET": "20261103",
        "SO_CONCHET": "1",
        "GHI_CHU": "Theo dõi",
        "LOI_DAN": "Nghỉ ngơi",
    },
    "birth_certificate": {
        "HO_TEN_NND": "Trần Thị Hoà",
        "MA_THE_NND": "GD4010000000001",
        "NGAYCAP_CCCD_NND": "20210512",
        "NOICAP_CCCD_NND": "Bộ Công an",
        "MATINH_CU_TRU": "14",
        "MAXA_CU_TRU": "03672",
        "HO_TEN_CHA": "Quàng Văn Mẫu",
        "HO_TEN_CON": "Quàng Gia Bảo",
        "LAN_SINH": "2",
        "SO_CON_SONG": "2",
        "TINH_TRANG_CON": "Khoẻ",
        "SINHCON_PHAUTHUAT": "0",
        "SINHCON_DUOI32TUAN": "0",
        "GHI_CHU": "Đẻ thường",
        "NGUOI_GHI_PHIEU": "Trần Thị Lan",
    },
    "maternity_rest_paper": {},
    "leave_paper": {"SO_CT": "77", "SO_SERI": "S-1", "MAU_SO": "CT07", "TUOI_THAI": "9", "MA_DINH_CHI_THAI": "0"},
    "referral": {"QT_BENHLY": "Sốt", "MA_CSKCB_DI": "01998", "SO_HOSO": "HS1", "GIAY_CHUYEN_TUYEN": "CT9"},
    "reexamination": {"MA_DOITUONG_KCB": "1.1", "SO_GIAYHEN_KL": "HK9"},
}


def paper(name: str, *, rich: bool) -> tuple[dict[str, str], Cda]:
    subject, record = samples.sample(name)
    texts = {**_VISIT, **MORE[name]} if rich else {}
    wanted = (
        {} if rich else {"referral": {"QT_BENHLY": "Sốt"}, "leave_paper": {"SO_CT": "1", "SO_SERI": "2"}}.get(name, {})
    )
    new = [samples.field(code, text) for code, text in {**wanted, **texts}.items()]
    kept = {one["id"] for one in new}
    document = compose(name, subject, [*(one for one in record if one["id"] not in kept), *new], samples.CONTEXT)
    _, (row,) = paper_to_rows(document, head=HEAD)
    return row, Cda(cda.render(document))


@pytest.mark.parametrize("name", PAPERS)
def test_every_field_has_a_place_in_the_cda(name: str) -> None:
    fields = {field.name for field in table(TABLE_OF_PAPER[name]).fields}
    assert fields - ELSEWHERE == set(PLACES[TABLE_OF_PAPER[name]])


@pytest.mark.parametrize(
    ("name", "rich"),
    [(name, True) for name in PAPERS] + [(name, False) for name in PAPERS if name != "birth_certificate"],
)
def test_table_and_cda_of_a_paper_agree(name: str, rich: bool) -> None:
    row, document = paper(name, rich=rich)
    assert differences(TABLE_OF_PAPER[name], row, document) == {}


@pytest.mark.parametrize("name", PAPERS)
def test_a_planted_difference_is_found_in_every_field(name: str) -> None:
    row, document = paper(name, rich=True)
    known = TABLE_OF_PAPER[name]
    filled = [field for field in PLACES[known] if row.get(field)]
    assert len(filled) > len(PLACES[known]) * 0.7
    for field in filled:
        planted: dict[str, Any] = {**row, field: f"{row[field]}x"}
        assert differences(known, planted, document).keys() == {field}

"""The forms are data that hold together."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from importlib.resources import files
from itertools import pairwise

import pytest

from mappings import documents
from mappings.documents import form


@pytest.mark.parametrize("paper", documents.PAPERS)
def test_texts_are_composed_letters(paper: str) -> None:
    text = files("mappings.documents.forms").joinpath(f"{paper}.toml").read_text(encoding="utf-8")
    assert unicodedata.is_normalized("NFC", text)


@pytest.mark.parametrize("paper", documents.PAPERS)
def test_keys_can_be_ids_and_stand_once(paper: str) -> None:
    for edition in form.form(paper).editions:
        keys = [row.key for section in edition.sections for row in section.rows]
        assert [key for key, count in Counter(keys).items() if count > 1] == []
        assert all(re.fullmatch(r"[A-Z][A-Z0-9_]*", key) for key in keys)


@pytest.mark.parametrize("paper", documents.PAPERS)
def test_editions_follow_each_other_without_overlap(paper: str) -> None:
    editions = sorted(form.form(paper).editions, key=lambda edition: edition.valid_from)
    for earlier, later in pairwise(editions):
        assert earlier.valid_to is not None
        assert earlier.valid_to < later.valid_from


@pytest.mark.parametrize("paper", documents.PAPERS)
def test_each_edition_names_its_law_its_certainty_and_its_signers(paper: str) -> None:
    for edition in form.form(paper).editions:
        assert re.search(r"\d+/(20\d\d/TT|QĐ)-BYT", edition.legal_basis)
        assert edition.mark in ("H", "M", "L")
        assert [signer.role for signer in edition.signers].count("professional") <= 1


@pytest.mark.parametrize("paper", documents.PAPERS)
def test_every_required_item_names_where_it_comes_from(paper: str) -> None:
    known = form._origins()
    for edition in form.form(paper).editions:
        needed = {row.key for section in edition.sections for row in section.rows if row.need == "R"}
        needed |= {s.key or f"role.{s.role}" for s in edition.signers if s.need == "R"}
        assert needed - known.keys() == set()


def test_titles() -> None:
    assert {paper: documents.title(paper) for paper in documents.PAPERS} == {
        "birth_certificate": "GIẤY CHỨNG SINH",
        "care_sheet": "PHIẾU CHĂM SÓC",
        "consultation_minutes": "TRÍCH BIÊN BẢN HỘI CHẨN",
        "death_notice": "GIẤY BÁO TỬ",
        "discharge_paper": "GIẤY RA VIỆN",
        "health_summary": "TÓM TẮT SỨC KHỎE NGƯỜI BỆNH (SỔ SỨC KHỎE ĐIỆN TỬ)",
        "imaging_report": "PHIẾU KẾT QUẢ CHẨN ĐOÁN HÌNH ẢNH",
        "immunization_record": "PHIẾU TIÊM CHỦNG",
        "insurance_check_in": "THÔNG TIN TRẠNG THÁI KHÁM BỆNH, CHỮA BỆNH",
        "insurance_record": "HỒ SƠ CHI PHÍ KHÁM BỆNH, CHỮA BỆNH",
        "lab_report": "PHIẾU KẾT QUẢ XÉT NGHIỆM",
        "leave_paper": "GIẤY CHỨNG NHẬN NGHỈ VIỆC HƯỞNG BẢO HIỂM XÃ HỘI",
        "maternity_rest_paper": "GIẤY CHỨNG NHẬN NGHỈ DƯỠNG THAI",
        "order_sheet": "PHIẾU CHỈ ĐỊNH",
        "prescription": "ĐƠN THUỐC",
        "prescription_narcotic": 'ĐƠN THUỐC "N"',
        "prescription_psychotropic": 'ĐƠN THUỐC "H"',
        "procedure_report": "PHIẾU PHẪU THUẬT/THỦ THUẬT",
        "record_summary": "TÓM TẮT HỒ SƠ BỆNH ÁN",
        "reexamination": "PHIẾU HẸN KHÁM LẠI",
        "referral": "PHIẾU CHUYỂN CƠ SỞ KHÁM BỆNH, CHỮA BỆNH BẢO HIỂM Y TẾ",
        "treatment_sheet": "PHIẾU THEO DÕI ĐIỀU TRỊ",
    }

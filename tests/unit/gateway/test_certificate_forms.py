"""Forms to print: what they say, what stays open, and that nothing in them is more than text."""

from __future__ import annotations

import ctypes.util
import re
from types import SimpleNamespace
from typing import Any

import pytest

from gateway.certificates import forms
from gateway.certificates.forms import Subject, page, pdf
from gateway.settings import FacilitySettings
from mappings.formats import safe_xml

FACILITY = FacilitySettings("01999", "Bệnh viện Đa khoa Thử Nghiệm", "1/CCHN", governing_body="Sở Y tế Hà Nội")
HOLDER: dict[str, Any] = {
    "kind": "person", "code": "NV001", "name": "Nguyễn Văn An", "department": "Khoa Nội", "post": "Trưởng khoa",
    "title": "Bác sĩ", "licence": "000001/HNO-GPHN",
}  # fmt: skip
CERTIFICATE: dict[str, Any] = {
    "device_kind": "usb_token", "device_serial": "VT-0042", "provider": "CA Thử", "serial": "5f3a", "issuer": "CA Thử G2",
    "not_before": 1_790_000_000_000_000, "not_after": 1_821_536_000_000_000, "handed_over_on": "2026-11-05",
    "received_by": "Nguyễn Văn An", "handed_by": "Lê Thị Lan",
}  # fmt: skip
PRIVATE = {"citizen_id": "001085000001", "email": "an@bv.vn", "phone": ""}


def subject(certificate: dict[str, Any] | None = CERTIFICATE, **holder: Any) -> Subject:
    own: Any = None if certificate is None else SimpleNamespace(**certificate)
    who: Any = SimpleNamespace(**(HOLDER | holder))
    return Subject(FACILITY, who, PRIVATE, own)


def words(made: bytes) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", made.decode().partition("</style>")[2]).split())


def test_the_hand_over_record() -> None:
    said = words(page("handover", subject()))
    for part in (
        "CỘNG HÒA XÃ HỘI CHỦ NGHĨA VIỆT NAM", "Biên bản bàn giao chứng", "ngày 05 tháng 11 năm 2026", "Lê Thị Lan",
        "Nguyễn Văn An", "001085000001", "000001/HNO-GPHN", "USB token", "VT-0042", "5F3A", "từ 21/09/2026 đến 21/09/2027",
    ):  # fmt: skip
        assert part in said
    assert "an@bv.vn" not in said


def test_the_commitment() -> None:
    said = words(page("commitment", subject()))
    for part in (
        "Bản cam kết",
        "mã PIN",
        "không cho mượn",
        "trước pháp luật",
        "Trả thiết bị",
        "VT-0042",
        "Nguyễn Văn An",
    ):
        assert part in said


@pytest.mark.parametrize("kind", forms.KINDS)
def test_what_is_not_known_is_a_dotted_line(kind: str) -> None:
    made = page(kind, subject(None, post="", licence="")).decode()
    assert "None" not in made
    assert made.count("class='dots'") >= 2
    assert "năm 20……" in made


@pytest.mark.parametrize("kind", forms.KINDS)
def test_the_seal_names_who_keeps_it(kind: str) -> None:
    own = CERTIFICATE | {"received_by": "Trần Thị Bình"}
    said = words(page(kind, subject(own, kind="organisation", code="01999", name=FACILITY.name, post="", title="")))
    assert "Người được giao quản lý Trần Thị Bình" in said


@pytest.mark.parametrize("kind", forms.KINDS)
def test_nothing_in_a_form_is_more_than_text(kind: str) -> None:
    evil = "<script>alert(1)</script>\"'&<img src=x onerror=y>"
    everywhere = {name: evil for name in CERTIFICATE if isinstance(CERTIFICATE[name], str)} | {"handed_over_on": ""}
    holder = dict.fromkeys(HOLDER, evil) | {"kind": "person"}
    made = page(kind, subject(CERTIFICATE | everywhere, **holder)).decode()
    assert evil not in made
    body = made.partition("<body>")[2].partition("</body>")[0]
    tags = {node.tag for node in safe_xml.parse(f"<x>{body.replace('<br>', '<br/>')}</x>".encode()).iter()}
    assert tags <= {
        "x",
        "div",
        "b",
        "br",
        "span",
        "h1",
        "h2",
        "p",
        "dl",
        "dt",
        "dd",
        "table",
        "tr",
        "th",
        "td",
        "ol",
        "li",
    }


@pytest.mark.skipif(not ctypes.util.find_library("pango-1.0"), reason="Pango is not on this machine")
@pytest.mark.parametrize("kind", forms.KINDS)
def test_forms_are_printed(kind: str) -> None:
    made = pdf(kind, subject())
    assert made.startswith(b"%PDF-1.7")
    assert pdf(kind, subject()) == made

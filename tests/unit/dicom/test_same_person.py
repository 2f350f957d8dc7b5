"""Whether a header names the person of the record."""

from __future__ import annotations

from typing import Any

import pytest

from mappings.dicom.same_person import compare
from tests.unit.dicom.samples import attributes

HOA = "Nguyễn Thị Hoà"


@pytest.mark.parametrize(
    ("written", "known", "verdict", "reason"),
    [
        ("NGUYEN THI HOA^^^^", HOA, "same", "name alike"),
        ("NGUYEN^HOA^THI", HOA, "same", "name alike"),
        ("Hoa Nguyen Thi", HOA, "same", "name alike"),
        ("nguyen,thi  hoa", HOA, "same", "name alike"),
        ("NGUYENTHIHOA", HOA, "same", "name alike"),
        ("Nguyễn^Hòa^Thị", HOA, "same", "name alike"),
        ("Nguyê\u0303n Thi\u0323 Hoa\u0300", HOA, "same", "name alike"),
        ("NGUYEN_THI_HOA 1985", HOA, "same", "name alike"),
        ("BN NGUYEN THI HOA", HOA, "same", "name alike"),
        ("DANG VAN DUC", "Đặng Văn Đức", "same", "name alike"),
        ("ĐẶNG VĂN ĐỨC", "Dang Van Duc", "same", "name alike"),
        ("Y Moan Eban", "Y Moan Êban", "same", "name alike"),
        ("H'Hen Nie", "H’Hen Niê", "same", "name alike"),
        ("Nguyễn Thị Hoá", HOA, "unsure", "name marked otherwise"),
        ("Trần Văn Hùng", "Trần Văn Hưng", "unsure", "name marked otherwise"),
        ("NGUYEN HOA", HOA, "unsure", "name in part"),
        ("NGUYEN THI HOAN", HOA, "unsure", "name spelled apart"),
        ("NGUYEM THI HOA", HOA, "unsure", "name spelled apart"),
        ("NGUYEN THI LAN", HOA, "other", "name of another"),
        ("NGUYEN VAN HOA", HOA, "other", "name of another"),
        ("TRAN VAN BINH", HOA, "other", "name of another"),
        ("", HOA, "unsure", "name not known"),
        ("^^^^", HOA, "unsure", "name not known"),
        ("ANONYMOUS", HOA, "unsure", "name not known"),
        ("Anonymous^Patient", HOA, "unsure", "name not known"),
        ("NO NAME", HOA, "unsure", "name not known"),
        ("NGUYEN THI HOA", "", "unsure", "name not known"),
    ],
)
def test_names(written: str, known: str, verdict: str, reason: str) -> None:
    found = compare(attributes(PatientName=written), {"resourceType": "Patient", "name": [{"text": known}]})
    assert (found.verdict, found.reasons) == (verdict, (reason,))


@pytest.mark.parametrize(
    ("written", "born", "sex", "verdict", "reasons"),
    [
        ("NGUYEN THI HOA", "19850214", "F", "same", ("name alike", "birth alike", "sex alike")),
        ("NGUYEN THI HOA", "1985", "F", "same", ("name alike", "birth alike", "sex alike")),
        ("NGUYEN THI HOA", "", "O", "same", ("name alike",)),
        ("NGUYEN THI HOA", "19851402", "F", "same", ("name alike", "sex alike")),  # no date at all
        ("NGUYEN THI HOA", "19850101", "F", "unsure", ("name alike", "birth slightly apart", "sex alike")),
        ("NGUYEN THI HOA", "19850215", "F", "unsure", ("name alike", "birth slightly apart", "sex alike")),
        ("NGUYEN THI HOA", "19600708", "F", "unsure", ("name alike", "birth apart", "sex alike")),
        ("NGUYEN THI HOA", "19850214", "M", "unsure", ("name alike", "birth alike", "sex apart")),
        ("NGUYEN THI HOA", "19600708", "M", "other", ("name alike", "birth apart", "sex apart")),
        ("NGUYEN HOA", "19850214", "F", "same", ("name in part", "birth alike", "sex alike")),
        ("NGUYEN THI HOAN", "19850214", "F", "unsure", ("name spelled apart", "birth alike", "sex alike")),
        ("NGUYEN THI HOAN", "19600708", "F", "other", ("name spelled apart", "birth apart", "sex alike")),
        ("ANONYMOUS", "19600708", "M", "other", ("name not known", "birth apart", "sex apart")),
        ("ANONYMOUS", "19850214", "F", "unsure", ("name not known", "birth alike", "sex alike")),
    ],
)
def test_birth_and_sex(written: str, born: str, sex: str, verdict: str, reasons: tuple[str, ...]) -> None:
    header = attributes(PatientName=written, PatientBirthDate=born, PatientSex=sex)
    person = {"name": [{"text": HOA}], "birthDate": "1985-02-14", "gender": "female"}
    found = compare(header, person)
    assert (found.verdict, found.reasons) == (verdict, reasons)


def test_one_name_of_several_is_enough() -> None:
    header = attributes(PatientName={"Alphabetic": "HOA N.T.", "Ideographic": "Nguyễn Thị Hoà"})
    person: dict[str, Any] = {"name": [{"use": "maiden", "family": "Lê", "given": ["Thị", "Hoà"]}, {"text": HOA}]}
    assert compare(header, person).verdict == "same"


def test_reasons_carry_no_data() -> None:
    found = compare(
        attributes(PatientName="TRAN VAN BINH", PatientBirthDate="19600708", PatientSex="M"),
        {"name": [{"text": HOA}], "birthDate": "1985-02-14", "gender": "female"},
    )
    told = " ".join(found.reasons).casefold()
    assert not any(part in told for part in ("tran", "binh", "hoà", "1960", "1985"))

"""The field tables: every decision in its own shape, from one table and the changes."""

from __future__ import annotations

from datetime import date

import pytest

from mappings.bhyt.decisions import CALENDAR, Calendar, decision_of, digits_to_day
from mappings.bhyt.tables import DECISIONS, NAMES, code_list, table

SIZES = {
    "130": [18, 65, 38, 47, 12, 9, 31, 25, 22, 34, 12, 22, 35],
    "4750": [26, 66, 39, 47, 12, 9, 47, 26, 22, 35, 13, 23, 35, 39, 22, 20],
    "3176": [26, 66, 39, 47, 12, 9, 47, 26, 22, 35, 13, 23, 35, 37, 22, 20],
    "1931": [26, 66, 39, 47, 12, 9, 47, 26, 22, 35, 13, 23, 35, 37, 22, 20],
}
SITE_LISTS = {
    *("ARV", "DEVICES", "DRUGS", "DUONG_DUNG", "ICD10", "ICD9", "MA_BAC_PHAC_DO", "MA_CHI_SO", "MA_CSKCB", "MA_KHOA"),
    *("MA_QUOCTICH", "PHACDO_DTRI_LAO", "PLACES", "PP_CHEBIEN", "SERVICES", "STAFF", "SUPPLIES", "YHCT"),
}
"""Lists that are too long, or a site's own: only their names stand in the tables."""


def names(name: str, decision: str) -> list[str]:
    return [field.name for field in table(name, decision).fields]


@pytest.mark.parametrize("decision", DECISIONS)
def test_every_decision_has_its_tables(decision: str) -> None:
    assert [len(table(name, decision).fields) for name, _ in zip(NAMES, SIZES[decision], strict=False)] == SIZES[
        decision
    ]


@pytest.mark.parametrize("name", ["XML13", "XML14", "XML15"])
def test_qd_130_has_no_referral_appointment_or_tuberculosis(name: str) -> None:
    with pytest.raises(KeyError):
        table(name, "130")


def test_the_referral_was_reshaped() -> None:
    old, new = names("XML13", "4750"), names("XML13", "3176")
    assert old[4:8] == ["MA_CSKCB", "MA_NOI_DI", "MA_NOI_DEN", "HO_TEN"]
    assert new[4:8] == ["MA_CSKCB", "MA_CSKCB_DI", "MA_CSKCB_DEN", "HO_TEN"]
    assert old[26:31] == ["MA_BENH_YHCT", "TEN_DICH_VU", "TEN_THUOC", "PP_DIEU_TRI", "MA_LOAI_RV"]
    assert new[26:29] == ["MA_BENH_YHCT", "TINH_TRANG_CT", "MA_LOAI_RV"]


@pytest.mark.parametrize(
    ("name", "field", "decision", "form"),
    [
        ("XML1", "SO_CCCD", "4750", ("string", 15)),
        ("XML1", "SO_CCCD", "3176", ("string", None)),
        ("XML4", "GIA_TRI", "4750", ("string", 50)),
        ("XML4", "GIA_TRI", "1931", ("string", 255)),
        ("XML14", "NGAY_HEN_KL", "4750", ("datetime", 12)),
        ("XML14", "NGAY_HEN_KL", "3176", ("date", 8)),
        ("XML2", "MUC_HUONG", "3176", ("number", 3)),
        ("XML2", "MUC_HUONG", "1931", ("number", 4)),
        ("XML13", "MA_NOI_DI", "4750", ("string", 5)),
        ("XML13", "MA_CSKCB_DI", "3176", ("string", 100)),
    ],
)
def test_a_field_has_the_form_of_its_decision(
    name: str, field: str, decision: str, form: tuple[str, int | None]
) -> None:
    found = next(one for one in table(name, decision).fields if one.name == field)
    assert (found.type, found.size) == form


def test_every_list_is_here_or_a_sites_own() -> None:
    named = {field.codes for name in NAMES for field in table(name).fields if field.codes}
    assert {name for name in named if code_list(name) is None} == SITE_LISTS


def test_a_list_changes_by_date() -> None:
    kinds = code_list("MA_LOAI_KCB")
    assert kinds is not None
    assert kinds.find("16", date(2026, 7, 31)) is None
    assert kinds.find("16", date(2026, 8, 1)) is not None
    assert kinds.find("03", date(2024, 1, 1)) is not None


@pytest.mark.parametrize(
    ("ended", "decision"),
    [
        (date(2024, 6, 30), "130"),
        (date(2024, 7, 1), "4750"),
        (date(2026, 1, 31), "4750"),
        (date(2026, 2, 1), "3176"),
        (date(2026, 6, 30), "3176"),
        (date(2026, 7, 1), "1931"),
    ],
)
def test_the_end_of_the_visit_decides(ended: date, decision: str) -> None:
    assert CALENDAR.decision(ended) == decision
    assert decision_of({"XML1": [{"NGAY_RA": f"{ended:%Y%m%d}0930"}]}) == decision


def test_a_trial_before_the_day_is_known_by_its_fields() -> None:
    assert decision_of({"XML1": [{"NGAY_RA": "202405010930", "NHOM_MAU": ""}]}) == "4750"


def test_the_day_on_paper_is_a_setting() -> None:
    assert Calendar(qd3176=date(2025, 1, 1)).decision(date(2025, 1, 1)) == "3176"


@pytest.mark.parametrize(
    ("referral", "decision"), [({"MA_NOI_DEN": "01001"}, "4750"), ({"MA_CSKCB_DEN": "01001"}, "3176")]
)
def test_a_field_of_one_decision_alone_tells_it(referral: dict[str, str], decision: str) -> None:
    for ended in ("202412310800", "202611010800"):
        expected = "1931" if ended > "2026" and decision == "3176" else decision
        assert decision_of({"XML1": [{"NGAY_RA": ended}], "XML13": [referral]}) == expected


@pytest.mark.parametrize("text", ["", "2026", "20260230", "2026-02-03", "202602031", "20261301"])
def test_what_is_no_day_is_none(text: str) -> None:
    assert digits_to_day(text) is None

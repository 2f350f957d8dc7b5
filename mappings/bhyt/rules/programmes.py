"""Rules of HIV (XML6) and tuberculosis (XML15)."""

from __future__ import annotations

from collections.abc import Iterator

from mappings.bhyt.rules.case import Case, day, days, number, parts
from mappings.bhyt.rules.core import Hit, rule
from mappings.bhyt.tables import code_list


def _empty(case: Case, name: str, when: tuple[str, str], fields: tuple[str, ...]) -> Iterator[Hit]:
    """Yield the fields that are empty where a list of codes holds a code."""
    for _, n, row in case.rows(name):
        if when[1] in parts(row.get(when[0], "")):
            for field in fields:
                if not row.get(field):
                    yield Hit(name, n, field, "empty")


def _order(case: Case, name: str, first: str, last: str) -> Iterator[Hit]:
    for _, n, row in case.rows(name):
        if day(row.get(first, "")) and day(row.get(last, "")) and row[last] < row[first]:
            yield Hit(name, n, last, "early")


@rule("B6-002", "README §6: TB fields unless LOAI_DTRI_LAO is 0", "XML6")
def tb_fields_empty(case: Case) -> Iterator[Hit]:
    for name, n, row in case.rows("XML6"):
        if row.get("LOAI_DTRI_LAO", "0") not in ("0", ""):
            for field in ("PHACDO_DTRI_LAO", "NGAYBD_DTRI_LAO"):
                if not row.get(field):
                    yield Hit(name, n, field, "empty")


@rule("B6-003", "README §6: PCR fields if MA_TINH_TRANG_DK has 1", "XML6")
def pcr_fields_empty(case: Case) -> Iterator[Hit]:
    fields = ("LAN_XN_PCR", "NGAY_XN_PCR", "NGAY_KQ_XN_PCR", "MA_KQ_XN_PCR")
    return _empty(case, "XML6", ("MA_TINH_TRANG_DK", "1"), fields)


@rule("B6-004", "README §6: period fields if MA_XU_TRI has 1", "XML6")
def arv_period_empty(case: Case) -> Iterator[Hit]:
    fields = ("NGAY_BAT_DAU_XU_TRI", "NGAY_KET_THUC_XU_TRI", "SO_NGAY_CAP_THUOC_ARV")
    return _empty(case, "XML6", ("MA_XU_TRI", "1"), fields)


@rule("B6-005", "README §6: SO_NGAY_CAP_THUOC_ARV ≤ end − start", "XML6")
def more_days_of_arv_than_the_period(case: Case) -> Iterator[Hit]:
    for name, n, row in case.rows("XML6"):
        given = number(row.get("SO_NGAY_CAP_THUOC_ARV", ""))
        whole = days(row.get("NGAY_BAT_DAU_XU_TRI", ""), row.get("NGAY_KET_THUC_XU_TRI", ""))
        if given is not None and whole is not None and whole > 0 and given > whole - 1:
            yield Hit(name, n, "SO_NGAY_CAP_THUOC_ARV", "range")


@rule("B6-006", "list MA_TINH_TRANG_DK, several with ;", "XML6")
def state_at_registration(case: Case) -> Iterator[Hit]:
    return _codes(case, "MA_TINH_TRANG_DK")


@rule("B6-007", "list MA_XU_TRI, several with ;", "XML6")
def what_was_done(case: Case) -> Iterator[Hit]:
    return _codes(case, "MA_XU_TRI")


def _codes(case: Case, field: str) -> Iterator[Hit]:
    known = code_list(field)
    for name, n, row in case.rows("XML6"):
        if known and any(not known.find(one) for one in parts(row.get(field, ""))):
            yield Hit(name, n, field, "unknown code")


@rule("B6-008", "treatment of tuberculosis ends after it starts", "XML6")
def tb_treatment_ends_early(case: Case) -> Iterator[Hit]:
    return _order(case, "XML6", "NGAYBD_DTRI_LAO", "NGAYKT_DTRI_LAO")


@rule("B6-009", "the period of ARV ends after it starts", "XML6")
def arv_period_ends_early(case: Case) -> Iterator[Hit]:
    return _order(case, "XML6", "NGAY_BAT_DAU_XU_TRI", "NGAY_KET_THUC_XU_TRI")


@rule("B6-010", "a result comes after the test of the viral load", "XML6")
def viral_load_result_early(case: Case) -> Iterator[Hit]:
    return _order(case, "XML6", "NGAY_XN_TLVR", "NGAY_KQ_XN_TLVR")


@rule("B6-011", "a result comes after the PCR test", "XML6")
def pcr_result_early(case: Case) -> Iterator[Hit]:
    return _order(case, "XML6", "NGAY_XN_PCR", "NGAY_KQ_XN_PCR")


@rule("B6-012", "ARV begins after HIV was confirmed", "XML6 XML15", warns=True)
def arv_before_confirmation(case: Case) -> Iterator[Hit]:
    for name in ("XML6", "XML15"):
        yield from _order(case, name, "NGAYKD_HIV", "BDDT_ARV")


@rule("B6-013", "what was done and found is not in the future", "XML6 XML15")
def programme_in_the_future(case: Case) -> Iterator[Hit]:
    today = case.minute[:8]
    fields = (
        "NGAYKD_HIV",
        "BDDT_ARV",
        "NGAYBD_DTRI_LAO",
        "NGAY_XN_TLVR",
        "NGAY_KQ_XN_TLVR",
        "NGAY_XN_PCR",
        "NGAY_KQ_XN_PCR",
    )
    for name, n, row in case.rows("XML6", "XML15"):
        for field in fields:
            if day(row.get(field, "")) and row[field] > today:
                yield Hit(name, n, field, "future")


@rule("B6-014", "QĐ 4750: a regimen changes after ARV began", "XML6", since="4750")
def regimen_changed_early(case: Case) -> Iterator[Hit]:
    return _order(case, "XML6", "BDDT_ARV", "NGAY_CHUYEN_PHAC_DO")


@rule("B6-016", "QĐ 4750: NGAY_NHAN_TT_MANG_THAI is of women", "XML6", warns=True)
def pregnancy_told_of_a_man(case: Case) -> Iterator[Hit]:
    for name, n, row in case.rows("XML6"):
        if row.get("NGAY_NHAN_TT_MANG_THAI") and case.one.get("GIOI_TINH") == "1":
            yield Hit(name, n, "NGAY_NHAN_TT_MANG_THAI", "different")


@rule("B6-015", "QĐ 4750: MA_BAC_PHAC_DO is 1 to 3", "XML6")
def line_of_regimen(case: Case) -> Iterator[Hit]:
    for name, n, row in case.rows("XML6"):
        for field in ("MA_BAC_PHAC_DO", "MA_BAC_PHAC_DO_BD"):
            if row.get(field, "") not in ("", "1", "2", "3"):
                yield Hit(name, n, field, "unknown code")


@rule("B15-002", "treatment ends after it starts", "XML15", since="4750")
def tb_ends_early(case: Case) -> Iterator[Hit]:
    return _order(case, "XML15", "NGAYBD_DTRI_LAO", "NGAYKT_DTRI_LAO")


@rule("B15-003", "a patient with HIV has the day it was confirmed", "XML15", since="4750", warns=True)
def hiv_day_absent(case: Case) -> Iterator[Hit]:
    for name, n, row in case.rows("XML15"):
        if row.get("PHANLOAI_LAO_HIV") == "1" and not row.get("NGAYKD_HIV"):
            yield Hit(name, n, "NGAYKD_HIV", "empty")


@rule(
    "B15-004",
    "list of regimens: latent, sensitive and resistant tuberculosis have their own",
    "XML15",
    since="4750",
    warns=True,
)
def regimen_of_another_kind(case: Case) -> Iterator[Hit]:
    for name, n, row in case.rows("XML15"):
        regimen, kind = number(row.get("PHACDO_DTRI_LAO", "")), row.get("LOAI_DTRI_LAO", "")
        span = _REGIMENS.get(kind)
        if span and regimen is not None and regimen == int(regimen) and not span[0] <= regimen <= span[1]:
            yield Hit(name, n, "PHACDO_DTRI_LAO", "different")


_REGIMENS = {"1": (20, 25), "2": (1, 8), "3": (9, 19)}

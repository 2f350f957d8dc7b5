"""The portal's own checks find each planted error under its number or name, and nothing in a correct record."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from conformance.sandbox.portal.assessment import assess
from conformance.sandbox.portal.finding import Finding, known_block_codes
from conformance.sandbox.portal.forms import BY_PATH, FORMS
from conformance.sandbox.portal.reading import Visit, read_visits
from conformance.sandbox.portal.shapes import DECISIONS, read_csv, shape
from conformance.sandbox.portal.switches import Switches
from conformance.sandbox.server import FACILITY
from tests.integration.sandbox.portal_peer import check_in
from tests.integration.sandbox.portal_records import YEAR, Rows, at, envelope, inpatient, visit

Change = Callable[[Rows], None]
NOW = datetime.now(UTC)
ON_ORDER = {"3", "5", "42", "46", "61", "101", "104", "105", "106"}
"""Block errors that a record by itself cannot show: data of others, or a rule nobody tells; the operator can order them."""


def read(xml: str, decision: str = "3176") -> Visit:
    (found,) = read_visits(xml.encode(), BY_PATH[f"/api/qd130/guihosoxmlqd{decision}"], FACILITY)
    return found


def judge(rows: Rows, decision: str = "3176", **switches: Any) -> list[Finding]:
    form = BY_PATH[f"/api/qd130/guihosoxmlqd{decision}"]
    return assess(read(envelope(rows, decision=decision), decision), form, Switches(**switches), NOW)


def put(table: str, field: str, value: str, row: int = 0) -> Change:
    def change(rows: Rows) -> None:
        rows[table][row][field] = value

    return change


def more(*changes: Change) -> Change:
    def change(rows: Rows) -> None:
        for each in changes:
            each(rows)

    return change


def drop(table: str) -> Change:
    return lambda rows: rows.__delitem__(table)


def add(table: str, row: dict[str, str]) -> Change:
    def change(rows: Rows) -> None:
        rows.setdefault(table, []).append({"MA_LK": "LK1", **row})

    return change


HEAD: dict[str, tuple[str, str]] = {
    "1": ("MA_DOITUONG_KCB", "4.4"),
    "4": ("T_TONGCHI_BV", "130002"),
    "8": ("MA_THE_BHYT", "DN9019999000001"),
    "9": ("MA_DKBD", "00001"),
    "10": ("MA_CSKCB", "01998"),
    "11": ("T_BHTT", "0"),
    "12": ("T_BHTT", "96002"),
    "15": ("NGAY_SINH", "198513150000"),
    "16": ("GIOI_TINH", "4"),
    "17": ("MA_THE_BHYT", "DN401999900000"),
    "18": ("GT_THE_TU", "20260230"),
    "19": ("GT_THE_DEN", "20991331"),
    "20": ("GT_THE_DEN", "20991231;20991231"),
    "21": ("NGAY_MIEN_CCT", "2026"),
    "22": ("MA_TAI_NAN", "9"),
    "23": ("NGAY_VAO", "20261121"),
    "24": ("NGAY_RA", "202601012460"),
    "25": ("KET_QUA_DTRI", "9"),
    "26": ("MA_LOAI_RV", "6"),
    "27": ("NGAY_TTOAN", "2026"),
    "31": ("T_BHTT", "95998"),
    "34": ("T_BNCCT", "24002"),
    "35": ("NAM_QT", str(int(YEAR) + 1)),
    "36": ("THANG_QT", "13"),
    "37": ("MA_LOAI_KCB", "17"),
    "38": ("MA_KHUVUC", "K4"),
    "103": ("NGAY_RA", str(int(YEAR) - 2) + at()[4:]),
}
LINES: dict[str, tuple[str, str, str]] = {
    "39": ("XML2", "MA_NHOM", "1"),
    "40": ("XML2", "PHAM_VI", "4"),
    "41": ("XML2", "T_BNTT", "2"),
    "43": ("XML3", "MA_NHOM", "4"),
    "44": ("XML3", "PHAM_VI", ""),
    "45": ("XML3", "T_BNTT", "10002"),
    "47": ("XML2", "THANH_TIEN_BV", "20002"),
    "48": ("XML2", "T_BHTT", "16002"),
    "49": ("XML2", "T_BNCCT", "3998"),
    "50": ("XML2", "T_BNTT", "2"),
    "51": ("XML2", "T_NGUONKHAC", "20002"),
    "52": ("XML3", "THANH_TIEN_BV", "50002"),
    "53": ("XML3", "T_BHTT", "31998"),
    "54": ("XML3", "T_BNCCT", "8002"),
    "55": ("XML3", "T_BNTT", "9998"),
    "56": ("XML3", "T_NGUONKHAC", "-1"),
}
SUPPLY = {"STT": "3", "MA_NHOM": "10", "MA_VAT_TU": "N01", "MA_DICH_VU": "99.9999", "TT_THAU": "1;2;3;4"}
BLOCKS: dict[str, Change] = (
    {code: put("XML1", *told) for code, told in HEAD.items()}
    | {code: put(*told) for code, told in LINES.items()}
    | {"102": add("XML3", SUPPLY)}
    | {"14": add("XML3", SUPPLY | {"MA_VAT_TU": "N06.02.020.01", "SO_LUONG": "2"})}
)


@pytest.mark.parametrize("decision", DECISIONS)
def test_a_correct_record_is_found_nothing_wrong_with(decision: str) -> None:
    assert judge(visit(decision=decision), decision) == []


def test_a_correct_stay_is_found_nothing_wrong_with_but_what_the_sheet_wants_of_papers() -> None:
    assert {each.code for each in judge(inpatient())} <= {"required"}


@pytest.mark.parametrize("code", sorted(BLOCKS))
def test_every_block_error(code: str) -> None:
    rows = visit()
    BLOCKS[code](rows)
    found = judge(rows)
    assert code in [each.code for each in found if each.kind == "block"]
    numbers = [int(each.code) for each in found if each.kind == "block"]
    assert numbers == sorted(numbers)
    assert {each.kind for each in found[: len(numbers)]} == {"block"}


def test_every_block_error_with_a_text_is_tested_or_only_on_order() -> None:
    assert set(known_block_codes()) == set(BLOCKS) | ON_ORDER | {"58", "60"}


def test_contracts_and_open_years_are_switches() -> None:
    assert [each.code for each in judge(visit(), contract_until={FACILITY: "20200101"})] == ["58"]
    assert judge(visit(), contract_until={FACILITY: at()[:8]}) == []
    assert "60" in [each.code for each in judge(inpatient(), outpatient_only=(FACILITY,))]
    assert judge(visit(), outpatient_only=(FACILITY,)) == []
    old = visit()
    BLOCKS["103"](old)
    assert "103" not in {each.code for each in judge(old, open_years=(int(YEAR) - 2,))}


def test_amounts_of_a_line_and_totals_of_both_kinds_are_blocked() -> None:
    for table, field, value, code in (
        ("XML2", "THANH_TIEN_BH", "19998", "47"),
        ("XML3", "THANH_TIEN_BH", "40002", "52"),
        ("XML1", "T_TONGCHI_BH", "119998", "4"),
    ):
        rows = visit()
        put(table, field, value)(rows)
        assert (code, field) in {(each.code, each.field) for each in judge(rows)}


def test_a_visit_in_the_future_and_a_stay_without_its_admission_are_found() -> None:
    rows = inpatient()
    rows["XML1"][0] |= {"NGAY_VAO_NOI_TRU": "", "NGAY_RA": at(60 * 24 * 3), "LY_DO_VNT": ""}
    found = {(each.code, each.field) for each in judge(rows)}
    assert {("needed", "NGAY_VAO_NOI_TRU"), ("future", "NGAY_RA")} <= found
    rows["XML1"][0]["MA_LOAI_KCB"] = "05"
    assert ("future", "NGAY_RA") not in {(each.code, each.field) for each in judge(rows)}


@pytest.mark.parametrize("number", ["9999000001", "001185990001"])
def test_which_numbers_of_a_card_are_taken_is_a_switch(number: str) -> None:
    rows = visit()
    rows["XML1"][0] |= {"MA_THE_BHYT": number, "NGAY_TTOAN": ""}
    assert judge(rows) == []
    assert [each.code for each in judge(rows, card_numbers="15")] == ["17"]


def test_stents_of_some_groups_are_not_counted() -> None:
    rows = visit()
    BLOCKS["14"](rows)
    put("XML1", "MA_THE_BHYT", "QN5019999000001")(rows)
    assert "14" not in {each.code for each in judge(rows)}


CONTENT: dict[str, tuple[Callable[[], Rows], Change]] = {
    "sources": (visit, put("XML2", "T_NGUONKHAC_CL", "2")),
    "card_period": (visit, put("XML1", "GT_THE_DEN", "20260101")),
    "row_number": (visit, put("XML3", "STT", "5", 1)),
    "required": (visit, put("XML1", "MA_HSBA", "")),
    "type": (visit, put("XML1", "T_BNTT", "1.000,5")),
    "decimals": (visit, put("XML2", "THANH_TIEN_BV", "20000.001")),
    "percent": (visit, put("XML3", "TYLE_TT_DV", "101")),
    "code": (visit, put("XML1", "MA_DANTOC", "99")),
    "size": (visit, put("XML1", "MA_QUOCTICH", "0000")),
    "no_rows": (visit, lambda rows: rows["XML4"].clear()),
    "total": (visit, put("XML1", "T_BNTT", "10003")),
    "table_missing": (inpatient, drop("XML7")),
    "table_unexpected": (visit, add("XML8", {})),
    "needed": (visit, put("XML2", "TT_THAU", "")),
    "disease": (visit, put("XML1", "MA_BENH_KT", ";".join(["I10"] * 13))),
    "weight": (visit, put("XML1", "CAN_NANG", "201")),
    "date_order": (visit, put("XML2", "NGAY_TH_YL", at(-100))),
    "newborn_time": (visit, put("XML1", "NGAY_SINH", at(-60 * 24 * 2)[:8] + "0000")),
    "days": (visit, put("XML1", "SO_NGAY_DTRI", "1")),
    "not_in": (visit, put("XML4", "MA_DICH_VU", "22.9999")),
    "bed": (visit, put("XML3", "MA_GIUONG", "X001")),
    "package": (visit, put("XML3", "GOI_VTYT", "G0")),
    "bed_outpatient": (visit, more(put("XML3", "MA_NHOM", "14"), put("XML3", "MA_GIUONG", "H001"))),
    "outside_stay": (visit, put("XML2", "NGAY_YL", at(-60 * 24))),
    "future": (visit, put("XML4", "NGAY_KQ", at(60 * 24 * 3))),
    "repeated": (visit, lambda rows: rows["XML4"].append(rows["XML4"][0] | {"STT": "2"})),
    "exam_fees": (inpatient, lambda rows: rows["XML3"].append(rows["XML3"][0] | {"STT": "3", "NGAY_YL": at(-50)})),
    "differs": (visit, put("XML14", "HO_TEN", "Người Khác")),
    "paper_day": (inpatient, put("XML7", "NGAY_CT", at(60 * 24)[:8])),
    "weeks": (inpatient, more(put("XML7", "MA_DINH_CHI_THAI", "1"), put("XML7", "TUOI_THAI", "43"))),
    "social_number": (inpatient, put("XML11", "MA_BHXH", "0000000000")),
    "leave_days": (inpatient, more(put("XML11", "SO_NGAY_NGHI", "31"), put("XML11", "DEN_NGAY", at(60 * 24 * 30)[:8]))),
    "form_number": (inpatient, put("XML11", "MAU_SO", "CT08")),
    "arv_days": (
        visit,
        add(
            "XML6",
            {"NGAY_BAT_DAU_XU_TRI": "20261101", "NGAY_KET_THUC_XU_TRI": "20261110", "SO_NGAY_CAP_THUOC_ARV": "10"},
        ),
    ),
}
SHAPE: dict[str, tuple[str, str]] = {
    "missing": ("<MA_BN>BN1</MA_BN>", ""),
    "unknown": ("<MA_BN>", "<LA>1</LA><MA_BN>"),
    "twice": ("<MA_BN>BN1</MA_BN>", "<MA_BN>BN1</MA_BN><MA_BN>BN1</MA_BN>"),
    "order": ("<STT>1</STT><MA_BN>BN1</MA_BN>", "<MA_BN>BN1</MA_BN><STT>1</STT>"),
}


@pytest.mark.parametrize("code", sorted(CONTENT))
def test_every_other_finding(code: str) -> None:
    make, change = CONTENT[code]
    assert code not in {each.code for each in judge(make())} - {"required"}
    rows = make()
    change(rows)
    assert code in {each.code for each in judge(rows) if each.kind != "block"}


@pytest.mark.parametrize("code", sorted(SHAPE))
def test_order_and_presence_of_elements(code: str) -> None:
    xml = envelope(visit())
    inner = xml.partition("<NOIDUNGFILE>")[2].partition("</NOIDUNGFILE>")[0]
    before, after = SHAPE[code]
    plain = b64decode(inner).decode()
    assert before in plain
    changed = b64encode(plain.replace(before, after).encode()).decode()
    found = assess(read(xml.replace(inner, changed)), FORMS[0], Switches(), NOW)
    assert [(each.code, each.table, each.kind) for each in found] == [(code, "XML1", "structure")]


def test_an_element_outside_the_rows_and_a_check_in_of_two_items_are_found() -> None:
    row = "<TRANG_THAI_KCB><MA_LK>LK1</MA_LK><MA_DICH_VU>1</MA_DICH_VU><MA_THUOC>2</MA_THUOC></TRANG_THAI_KCB><LA/>"
    form = BY_PATH["/api/qd130/checkinkcbqd3176"]
    (found,) = read_visits(check_in(rows=row).encode(), form, FACILITY)
    codes = {each.code for each in assess(found, form, Switches(), NOW)}
    assert {"stray", "one_item", "needed", "missing"} <= codes


def test_every_finding_has_a_text_in_both_languages_and_a_test() -> None:
    texts = {row["code"]: row for row in read_csv("finding_texts.csv")}
    assert all(row["vi"] and row["en"] for row in texts.values())
    others = {code for code in texts if not (code[0] == "B" and code[1:].isdigit())}
    assert others == set(CONTENT) | set(SHAPE) | {"stray", "one_item"}
    assert "{about}" not in Finding("structure", "size", "XML1", 1, "HO_TEN", "255").text("en")


@pytest.mark.parametrize(
    ("switch", "kind", "code"), [("discharge_paper_for", "03", "XML7"), ("summary_for", "03", "XML8")]
)
def test_which_kinds_of_care_need_a_paper_is_a_switch(switch: str, kind: str, code: str) -> None:
    rows = inpatient()
    if code == "XML7":
        del rows["XML7"]
    with_it = {each.table for each in judge(rows) if each.code in ("table_missing", "table_unexpected")}
    changed: dict[str, Any] = {switch: ("02",)}
    without = {each.table for each in judge(rows, **changed) if each.code in ("table_missing", "table_unexpected")}
    assert with_it ^ without == {code}


def test_hostile_numbers_end_no_assessment() -> None:
    rows = visit()
    for field in ("SO_LUONG", "DON_GIA", "TYLE_TT_BH", "MUC_HUONG", "THANH_TIEN_BV", "T_TRANTT"):
        rows["XML2"][0][field] = "9" * 24
    rows["XML3"][0] |= {
        "SO_LUONG": "-1",
        "DON_GIA_BV": "1e999",
        "DON_GIA_BH": "NaN",
        "MUC_HUONG": "٣",
        "NGAY_YL": "x" * 400,
    }
    rows["XML1"][0] |= {"NGAY_SINH": "9" * 12, "NGAY_VAO": "000000000000", "NGAY_RA": "²" * 12, "NGAY_HEN_KL": ";;"}
    assert {"47", "23"} <= {each.code for each in judge(rows)}


def test_the_formulas_of_130_and_of_a_patient_not_charged_the_difference() -> None:
    rows = visit(decision="130")
    rows["XML3"][0] |= {
        "TYLE_TT_DV": "30",
        "THANH_TIEN_BH": "12000",
        "T_BHTT": "9600",
        "T_BNCCT": "2400",
        "T_BNTT": "38000",
    }
    rows["XML1"][0] |= {"T_TONGCHI_BH": "92000", "T_BNTT": "38000", "T_BNCCT": "18400", "T_BHTT": "73600"}
    assert judge(rows, "130") == []
    assert "52" in {each.code for each in judge(rows, "3176")}
    charged = visit()
    charged["XML3"][0] |= rows["XML3"][0] | {"THANH_TIEN_BV": "22000", "T_BNTT": "10000"}
    charged["XML1"][0] |= rows["XML1"][0] | {"T_TONGCHI_BV": "102000", "T_BNTT": "10000", "NGAY_RA": at()}
    assert judge(charged) == []


def test_every_field_is_taken_up_to_its_size_and_not_beyond() -> None:
    for decision in DECISIONS:
        known = shape("XML1", decision)
        assert known is not None
        for field in known.fields:
            rows = visit(decision=decision)
            rows["XML1"][0][field.name] = "1" * (field.size + 1)
            assert ("size", field.name) in {(each.code, each.field) for each in judge(rows, decision)}
            rows["XML1"][0][field.name] = "1" * field.size
            assert ("size", field.name) not in {(each.code, each.field) for each in judge(rows, decision)}

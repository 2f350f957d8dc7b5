"""What no message tells is filled from the facility's catalogues, and only where the catalogue leaves no choice."""

from __future__ import annotations

from mappings.bhyt.completion import complete
from mappings.bhyt.lists import Lists, parse_list

LISTS = Lists(
    {
        "DRUGS": parse_list(
            "DRUGS",
            "code,name,strength,route,form,unit,registration,tender,price,valid_from,valid_to\n"
            "40.30,Amlodipin,5 mg,1.01,Viên nén,viên,VD-1-26,1/QĐ;G1;N1;2026,315,2026-01-01,\n"
            "40.30,Amlodipin,5 mg,1.01,Viên nén,viên,VD-0-25,9/QĐ;G1;N1;2025,300,,2025-12-31\n"
            "40.55,Amoxicillin,250 mg,1.01,Viên nang,viên,VD-2-26,2/QĐ;G1;N1;2026,500,,\n"
            "40.55,Amoxicillin,500 mg,1.01,Viên nang,viên,VD-3-26,2/QĐ;G1;N1;2026,900,,\n",
        ),
        "SERVICES": parse_list("SERVICES", "code,name,unit,price,device\n22.1,Tổng phân tích,Lần,40400,XN.1.01999.1\n"),
        "SUPPLIES": parse_list("SUPPLIES", "code,name,unit,tender,price\nN01,Kim luồn,Cái,3/QĐ;G1;N1;2026,2500\n"),
    }
)
END = {"XML1": ({"NGAY_RA": "202611051530"},)}


def medicine(**fields: str) -> dict[str, str]:
    return complete({**END, "XML2": (fields,)}, LISTS)["XML2"][0]


def service(**fields: str) -> dict[str, str]:
    return complete({**END, "XML3": (fields,)}, LISTS)["XML3"][0]


def test_the_line_of_the_day_fills_what_is_empty() -> None:
    row = medicine(MA_THUOC="40.30", TEN_THUOC="Amlodipin")
    assert (row["HAM_LUONG"], row["DUONG_DUNG"], row["SO_DANG_KY"]) == ("5 mg", "1.01", "VD-1-26")
    assert row["TT_THAU"] == "1/QĐ;G1;N1;2026"


def test_what_was_told_stays() -> None:
    assert medicine(MA_THUOC="40.30", SO_DANG_KY="VD-9-26")["SO_DANG_KY"] == "VD-9-26"


def test_of_two_lines_only_what_both_say() -> None:
    row = medicine(MA_THUOC="40.55")
    assert row["DON_VI_TINH"] == "viên"
    assert "HAM_LUONG" not in row
    assert "SO_DANG_KY" not in row


def test_what_was_told_chooses_between_lines() -> None:
    assert medicine(MA_THUOC="40.55", HAM_LUONG="500 mg")["SO_DANG_KY"] == "VD-3-26"


def test_an_unknown_code_fills_nothing() -> None:
    assert medicine(MA_THUOC="1") == {"MA_THUOC": "1"}
    assert complete({**END, "XML2": ({"MA_THUOC": "40.30"},)})["XML2"] == ({"MA_THUOC": "40.30"},)


def test_services_and_supplies() -> None:
    row = service(MA_DICH_VU="22.1", DON_GIA_BV="50000", PHAM_VI="1")
    assert (row["MA_MAY"], row["DON_GIA_BH"], row["DON_VI_TINH"]) == ("XN.1.01999.1", "40400", "Lần")
    assert service(MA_DICH_VU="22.1", DON_GIA_BV="50000", PHAM_VI="2")["DON_GIA_BH"] == "0"
    row = service(MA_DICH_VU="22.1", MA_VAT_TU="N01", DON_GIA_BV="2500")
    assert (row["TEN_VAT_TU"], row["TT_THAU"]) == ("Kim luồn", "3/QĐ;G1;N1;2026")


def test_the_summary_takes_the_slips_and_the_month() -> None:
    slips = ({"NGAY_HEN_KL": "20261127"}, {"NGAY_HEN_KL": "20261127"}, {"NGAY_HEN_KL": "20261211"})
    (row,) = complete({**END, "XML14": slips})["XML1"]
    assert row == {"NGAY_RA": "202611051530", "NGAY_TAI_KHAM": "20261127;20261211", "NAM_QT": "2026", "THANG_QT": "11"}
    (row,) = complete({"XML1": ({"NGAY_RA": "202611051530", "NAM_QT": "2026", "THANG_QT": "12"},)})["XML1"]
    assert row["THANG_QT"] == "12"

"""Tables of a visit that came by HL7 v2: what was told is written, what follows is computed, the rest stays empty."""

from __future__ import annotations

import pytest

from mappings.bhyt.faults import CreditUnmatched, VisitUnknown
from mappings.bhyt.fhir import record_to_visit, visit_to_outcome
from mappings.bhyt.fhir.bundle import bundle_to_visit
from mappings.bhyt.visits import Visit
from mappings.outcome import Resource
from tests.unit.bhyt import clean
from tests.unit.hl7v2.samples import line, mapped

PID = "PID|1||BN1^^^01032^PI~001185000107^^^CCCD^NI||Mẫu^Hoa^Thị||198504120000|F|||5 phố Thử^^^01^^VN^H||0900000107"
PV1 = line(
    "PV1",
    f1="1",
    f2="O",
    f3="K01",
    f7="000123/HNO-GPHN^Trần^Thử",
    f19="V1",
    f36="1",
    f44="202603090730",
    f45="202603091020",
)
DOCTOR = "000123/HNO-GPHN^Trần^Thử"
TOLD = {
    "MA_DOITUONG_KCB": "1.1",
    "MUC_HUONG": "80",
    "PHAM_VI": "1",
    "TYLE_TT_DV": "100",
    "TYLE_TT_BH": "100",
    "MA_PTTT": "1",
    "NGUON_CTRA": "1",
}


def record(*messages: list[Resource]) -> list[Resource]:
    """Lay the resources of messages together, as a record does."""
    found: dict[str, Resource] = {}
    for message in messages:
        for one in message:
            key = f"{one['resourceType']}/{one['id']}"
            found[key] = found.get(key, {}) | one
    return list(found.values())


def stay(told: dict[str, str] = TOLD) -> list[Resource]:
    return list(
        mapped(
            "ADT^A03",
            PID,
            PV1,
            line("DG1", f1="1", f3="J20^Viêm phế quản cấp^I10", f6="F", f15="1"),
            line("DG1", f1="2", f3="I10^Tăng huyết áp^I10", f6="F", f15="2"),
            line("IN1", f1="1", f2="BHYT", f12="20260101", f13="20261231", f36="DN4010123456107"),
            *(
                line("OBX", f1=str(n), f2="CWE", f3=f"{name}^^QD3176", f5=f"{code}^^{name}", f11="F")
                for n, (name, code) in enumerate(told.items(), 1)
            ),
        ).resources
    )


def bill(*charges: str, control_id: str = "D1") -> list[Resource]:
    return list(mapped("DFT^P03", PID, PV1, *charges, control_id=control_id).resources)


def charge(
    n: int, code: str, group: str, quantity: str, price: str, total: str, insured: str = "", kind: str = "CG"
) -> str:
    return line(
        "FT1",
        f1=str(n),
        f2=f"T{n}",
        f4=f"2026030908{n:02}",
        f6=kind,
        f7=code,
        f10=quantity,
        f11=total,
        f12=price,
        f13="K01",
        f15=insured,
        f17=f"{group}^^MA_NHOM",
        f21=DOCTOR,
    )


EXAMINATION = charge(1, "02.1896^Khám bệnh^MA_DVKT", "13", "1", "42100", "42100", "42100")
TABLETS = charge(2, "40.2^Paracetamol Mẫu^MA_THUOC", "4", "10", "480.5", "4805", "4805")


def tables(resources: list[Resource], decision: str = "3176") -> dict[str, tuple[dict[str, str], ...]]:
    (visit,) = [one for one in resources if one["resourceType"] == "Encounter"]
    return dict(
        record_to_visit(resources, visit["id"], decision=decision, facility="01032", head="000001/HNO-GPHN").tables
    )


def test_charges_become_lines_and_the_shares_follow_from_the_level() -> None:
    found = tables(record(stay(), bill(EXAMINATION, TABLETS)))
    (medicine,), (service,) = found["XML2"], found["XML3"]
    assert medicine["MA_THUOC"] == "40.2"
    assert (medicine["SO_LUONG"], medicine["DON_GIA"]) == ("10", "480.5")
    assert (medicine["THANH_TIEN_BV"], medicine["T_BHTT"], medicine["T_BNCCT"]) == ("4805", "3844", "961")
    assert (service["DON_VI_TINH"], service["DON_GIA_BH"], service["MA_BENH"]) == ("Lần", "42100", "J20")
    assert service["MA_BAC_SI"] == "000123/HNO-GPHN"
    assert service["MA_KHOA"] == "K01"


def test_the_summary_knows_person_card_stay_diagnoses_and_sums() -> None:
    (row,) = tables(record(stay(), bill(EXAMINATION, TABLETS)))["XML1"]
    expected = {
        "MA_LK": "V1",
        "MA_BN": "BN1",
        "HO_TEN": "Mẫu Thị Hoa",
        "SO_CCCD": "001185000107",
        "NGAY_SINH": "198504120000",
        "GIOI_TINH": "2",
        "MATINH_CU_TRU": "01",
        "MA_THE_BHYT": "DN4010123456107",
        "GT_THE_DEN": "20261231",
        "CHAN_DOAN_RV": "Viêm phế quản cấp; Tăng huyết áp",
        "MA_BENH_CHINH": "J20",
        "MA_BENH_KT": "I10",
        "MA_DOITUONG_KCB": "1.1",
        "NGAY_VAO": "202603090730",
        "NGAY_RA": "202603091020",
        "SO_NGAY_DTRI": "0",
        "MA_LOAI_KCB": "01",
        "MA_LOAI_RV": "1",
        "NAM_QT": "2026",
        "THANG_QT": "3",
        "T_THUOC": "4805",
        "T_TONGCHI_BV": "46905",
        "T_BHTT": "37524",
        "T_BNCCT": "9381",
        "T_BHTT_GDV": "37524",
        "MA_KHOA": "K01",
        "MA_HSBA": "V1",
        "MA_TTDV": "000001/HNO-GPHN",
    }
    assert {field: row.get(field, "") for field in expected} == expected


def test_what_nobody_told_stays_empty() -> None:
    found = tables(record(stay({}), bill(EXAMINATION, charge(2, "40.2^Thuốc^MA_THUOC", "4", "10", "480.5", "4805"))))
    unknown = ("PHAM_VI", "TYLE_TT_BH", "MUC_HUONG", "T_BHTT", "T_BNCCT", "MA_PTTT", "NGAY_YL")
    assert [found["XML2"][0].get(field, "") for field in unknown] == [""] * len(unknown)
    (row,) = found["XML1"]
    assert row["T_TONGCHI_BV"] == "46905"
    assert [row.get(field, "") for field in ("T_TONGCHI_BH", "T_BHTT", "T_BHTT_GDV", "KET_QUA_DTRI")] == [""] * 4


def test_a_credit_takes_its_charge_away() -> None:
    credit = charge(3, "40.2^Paracetamol Mẫu^MA_THUOC", "4", "-10", "480.5", "-4805", kind="CD")
    assert "XML2" not in tables(record(stay(), bill(EXAMINATION, TABLETS, credit)))


def test_a_credit_of_nothing_is_a_fault() -> None:
    credit = charge(3, "40.9^Thuốc khác^MA_THUOC", "4", "-10", "480.5", "-4805", kind="CD")
    with pytest.raises(CreditUnmatched):
        tables(record(stay(), bill(EXAMINATION, TABLETS, credit)))


def test_the_order_of_a_medicine_tells_dose_unit_and_time() -> None:
    order = mapped(
        "OMP^O09",
        PID,
        PV1,
        line("ORC", f1="NW", f2="DT1", f9="202603091000", f12=DOCTOR),
        line("TQ1", f1="1", f3="BID", f7="20260309", f8="20260313"),
        line("RXO", f1="40.2^Paracetamol Mẫu^MA_THUOC", f2="1", f4="viên", f7="^Uống sau ăn", f11="10", f12="viên"),
    )
    (medicine,) = tables(record(stay(), list(order.resources), bill(EXAMINATION, TABLETS)))["XML2"]
    assert medicine["DON_VI_TINH"] == "viên"
    assert medicine["NGAY_YL"] == "202603091000"
    assert medicine["LIEU_DUNG"] == "1 viên/lần * 2 lần/ngày * 5 ngày [2 viên/ngày]"
    assert medicine["CACH_DUNG"] == "Uống sau ăn"


def test_results_and_vital_signs_become_rows() -> None:
    report = mapped(
        "ORU^R01",
        PID,
        PV1,
        line("ORC", f1="RE", f3="XN1", f9="202603090740"),
        line(
            "OBR",
            f1="1",
            f3="XN1",
            f4="22.0120^Công thức máu^MA_DVKT",
            f7="202603090810",
            f22="202603090905",
            f25="F",
            f32="000789/HNO-GPHN&Lê&Thử",
        ),
        line("OBX", f1="1", f2="NM", f3="WBC^Bạch cầu^99LIS", f5="11.20", f6="G/L", f11="F"),
        line("OBX", f1="2", f2="ST", f3="KST^Ký sinh trùng^99LIS", f5="Âm tính", f11="F"),
    )
    signs = mapped(
        "ORU^R01",
        PID,
        PV1,
        line("OBR", f1="1", f3="DH1", f4="SINHHIEU^Sinh hiệu^99HIS", f7="202603090735", f25="F"),
        line("OBX", f1="1", f2="NM", f3="8867-4^Mạch^LN", f5="82", f6="/min", f11="F", f14="202603090735"),
        line("OBX", f1="2", f2="NM", f3="8310-5^Nhiệt độ^LN", f5="37.5", f6="Cel", f11="F", f14="202603090735"),
        control_id="C2",
    )
    found = tables(record(stay(), list(report.resources), list(signs.resources)))
    blood = found["XML4"]
    assert {row["MA_DICH_VU"] for row in blood} == {"22.0120"}
    assert [(row["MA_CHI_SO"], row["GIA_TRI"], row.get("DON_VI_DO", "")) for row in blood] == [
        ("WBC", "11.20", "G/L"),
        ("KST", "Âm tính", ""),
    ]
    assert {row["MA_BS_DOC_KQ"] for row in blood} == {"000789/HNO-GPHN"}
    (course,) = found["XML5"]
    assert (course["DIEN_BIEN_LS"], course["THOI_DIEM_DBLS"]) == ("CSST<M82_T37.5>", "202603090735")


PICTURE = "18.0086^Chụp X-quang ngực^MA_DVKT"


@pytest.mark.parametrize(
    ("results", "expected"),
    [
        pytest.param(
            (("MO_TA^^QD3176", "Phổi sáng đều"), ("KET_LUAN^^QD3176", "Bình thường")),
            [("18.0086", "18.0086", "", "Phổi sáng đều", "Bình thường")],
            id="told under the names of the fields",
        ),
        pytest.param(
            (("BONG^Chỉ số tim ngực^99RIS", "0,45"), ("KET_LUAN^^QD3176", "Bình thường")),
            [("18.0086", "BONG", "0,45", "", "Bình thường")],
            id="with a value of its own",
        ),
        pytest.param((("KY_THUAT^^QD3176", "Thẳng"),), [], id="nothing found"),
    ],
)
def test_a_picture_has_a_row_with_what_it_describes_and_concludes(
    results: tuple[tuple[str, str], ...], expected: list[tuple[str, ...]]
) -> None:
    report = mapped(
        "ORU^R01",
        PID,
        PV1,
        line("OBR", f1="1", f3="XQ1", f4=PICTURE, f7="202603090810", f22="202603090905", f24="RX", f25="F"),
        *(line("OBX", f1=str(n), f2="TX", f3=name, f5=text, f11="F") for n, (name, text) in enumerate(results, 1)),
    )
    rows = tables(record(stay(), list(report.resources))).get("XML4", ())
    fields = ("MA_DICH_VU", "MA_CHI_SO", "GIA_TRI", "MO_TA", "KET_LUAN")
    assert [tuple(row.get(field, "") for field in fields) for row in rows] == expected
    assert {(row["TEN_CHI_SO"], row["NGAY_KQ"]) for row in rows if row["MA_CHI_SO"] == "18.0086"} <= {
        ("Chụp X-quang ngực", "202603090905")
    }


@pytest.mark.parametrize(
    ("orders", "expected"),
    [
        pytest.param(("202603090755",), "202603090755", id="one before it"),
        pytest.param(("202603090755", "202603090900"), "202603090755", id="and one after it"),
        pytest.param(("202603090900",), "", id="one after it alone"),
        pytest.param(("202603090750", "202603090755"), "", id="two before it"),
    ],
)
def test_a_service_was_ordered_before_it_was_done(orders: tuple[str, ...], expected: str) -> None:
    ordered = [
        list(
            mapped(
                "OML^O21",
                PID,
                PV1,
                line("ORC", f1="NW", f2=f"CD{n}", f9=at),
                line("OBR", f1="1", f2=f"CD{n}", f4="22.0120^Công thức máu^MA_DVKT"),
                control_id=f"O{n}",
            ).resources
        )
        for n, at in enumerate(orders)
    ]
    done = charge(3, "22.0120^Công thức máu^MA_DVKT", "1", "1", "40000", "40000")
    (row,) = tables(record(stay(), *ordered, bill(done)))["XML3"]
    assert row.get("NGAY_YL", "") == expected


def test_a_visit_that_came_both_ways_is_written_from_its_file() -> None:
    """The charges of DFT and the lines of XML tell the same things; they are not counted twice."""
    whole = clean.outpatient()
    tables_told = {
        name: tuple(row | {"MA_LK": "V1"} | ({"MA_BN": "BN1"} if name == "XML1" else {}) for row in rows)
        for name, rows in whole.tables.items()
    }
    outcome = visit_to_outcome(Visit(tables_told, facility="01032"))
    both = record(stay(), bill(EXAMINATION, TABLETS), list(outcome.resources))
    found = tables(both)
    assert [row["MA_DICH_VU"] for row in found["XML3"]] == [row["MA_DICH_VU"] for row in whole.tables["XML3"]]
    assert len(found["XML2"]) == len(whole.tables["XML2"])
    assert found["XML1"][0]["T_TONGCHI_BV"] == whole.one("XML1")["T_TONGCHI_BV"]


def test_no_visit_no_tables() -> None:
    with pytest.raises(VisitUnknown):
        record_to_visit(stay(), "unknown", decision="3176", facility="01032")
    with pytest.raises(VisitUnknown):
        bundle_to_visit({"resourceType": "Bundle", "type": "collection"}, decision="3176")

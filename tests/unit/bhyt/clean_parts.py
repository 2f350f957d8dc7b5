"""What clean visits are made of: rows with every field of their table, amounts that follow the formulas, sums that agree."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta, timezone
from decimal import ROUND_HALF_UP, Decimal

from mappings.bhyt.tables import NAMES, table
from mappings.bhyt.visits import Visit

NOW = datetime(2026, 11, 5, 9, 30, tzinfo=timezone(timedelta(hours=7)))
DAYS = {"130": date(2023, 11, 6), "4750": date(2025, 10, 6), "3176": date(2026, 3, 9), "1931": date(2026, 9, 7)}
"""The day each visit starts on, by decision."""
Row = dict[str, str]
Tables = dict[str, list[Row]]

FACILITY = "01001"
DOCTOR, NURSE, SURGEON, READER = "000101/HNO-GPHN", "000102/HNO-GPHN", "000103/HNO-GPHN", "000104/HNO-GPHN"
MACHINE = "XN.1.01001.M01"
CAMERA = "XQ.1.01001.M02"
TENDER = "QD12/2023;G1;N2;2023"


def cents(amount: Decimal) -> str:
    return str(amount.quantize(Decimal("0.01"), ROUND_HALF_UP))


class Maker:
    """Builds the tables of one visit; times are days and hours after the first day."""

    def __init__(self, decision: str, number: str) -> None:
        self.decision = decision
        self.first = DAYS[decision]
        self.number = number
        self.tables: Tables = {}
        self.level = "100"
        self.scope = "1"

    def at(self, day: int = 0, time: str = "0800") -> str:
        return f"{self.first + timedelta(days=day):%Y%m%d}{time}"

    def on(self, day: int = 0) -> str:
        return self.at(day)[:8]

    def row(self, name: str, values: Mapping[str, str]) -> Row:
        """Add a row with every field of the decision; values of other decisions are left out."""
        fields = [field.name for field in table(name, self.decision).fields]
        made = {field: values.get(field, "") for field in fields}
        rows = self.tables.setdefault(name, [])
        made["MA_LK"] = self.number if "MA_LK" in made else ""
        if "MA_LK" not in fields:
            del made["MA_LK"]
        if "STT" in made:
            made["STT"] = str(len(rows) + 1)
        rows.append(made)
        return made

    def one(self, **values: str) -> Row:
        usual = {
            "MA_BN": "BN0001",
            "HO_TEN": "Nguyễn Thị Mẫu",
            "SO_CCCD": "001180001234",
            "NGAY_SINH": "198005170000",
            "GIOI_TINH": "2",
            "NHOM_MAU": "O+",
            "MA_QUOCTICH": "000",
            "MA_DANTOC": "01",
            "MA_NGHE_NGHIEP": "22",
            "DIA_CHI": "1 phố Mẫu",
            "MATINH_CU_TRU": "01",
            "MAHUYEN_CU_TRU": "001" if self.decision == "130" else "",
            "MAXA_CU_TRU": "00004",
            "MA_THE_BHYT": "DN4010123456789",
            "MA_DKBD": FACILITY,
            "GT_THE_TU": f"{self.first.year}0101",
            "GT_THE_DEN": f"{self.first.year}1231",
            "LY_DO_VV": "Đau đầu",
            "CHAN_DOAN_VAO": "Tăng huyết áp",
            "CHAN_DOAN_RV": "Tăng huyết áp vô căn",
            "MA_BENH_CHINH": "I10",
            "MA_BENH_KT": "E78.2",
            "MA_DOITUONG_KCB": "1.1",
            "NGAY_VAO": self.at(),
            "NGAY_RA": self.at(0, "1100"),
            "SO_NGAY_DTRI": "0",
            "KET_QUA_DTRI": "2",
            "MA_LOAI_RV": "1",
            "NGAY_TTOAN": self.at(0, "1105"),
            "NAM_QT": str(self.first.year),
            "THANG_QT": f"{self.first:%m}",
            "MA_LOAI_KCB": "01",
            "MA_KHOA": "K01",
            "MA_CSKCB": FACILITY,
            "MA_KHUVUC": "",
            "CAN_NANG": "54.50",
            "MA_HSBA": "HS0001",
            "MA_TTDV": "000001/HNO",
        }
        return self.row("XML1", usual | values)

    def drug(self, code: str, name: str, quantity: str, price: str, **values: str) -> Row:
        bv = Decimal(quantity) * Decimal(price)
        rate = values.get("TYLE_TT_BH", "0" if self.scope == "2" else "100")
        usual = {
            "MA_THUOC": code,
            "MA_NHOM": "4",
            "TEN_THUOC": name,
            "DON_VI_TINH": "viên",
            "HAM_LUONG": "5mg",
            "DUONG_DUNG": "1.01",
            "LIEU_DUNG": "1 viên/lần * 2 lần/ngày * 5 ngày [2 viên/ngày]",
            "SO_DANG_KY": "VD-10001-21",
            "TT_THAU": TENDER,
            "PHAM_VI": self.scope,
            "TYLE_TT_BH": rate,
            "SO_LUONG": quantity,
            "DON_GIA": price,
            "THANH_TIEN_BV": cents(bv),
            "THANH_TIEN_BH": cents(bv * int(rate) / 100),
            "MA_KHOA": "K01",
            "MA_BAC_SI": DOCTOR,
            "NGAY_YL": self.at(0, "0930"),
            "NGAY_TH_YL": self.at(0, "0940"),
            "MA_PTTT": "1",
            "NGUON_CTRA": "1",
        }
        return self.row("XML2", self._shares(usual | values))

    def service(self, code: str, group: str, name: str, price: str, quantity: str = "1", **values: str) -> Row:
        rate_dv = values.get("TYLE_TT_DV", "100")
        rate = values.get("TYLE_TT_BH", "0" if self.scope == "2" else "100")
        price_bh = values.get("DON_GIA_BH", price if self.scope != "2" else "0")
        usual = {
            "MA_DICH_VU": code,
            "MA_NHOM": group,
            "TEN_DICH_VU": name,
            "DON_VI_TINH": "lần",
            "PHAM_VI": self.scope,
            "SO_LUONG": quantity,
            "DON_GIA_BV": price,
            "DON_GIA_BH": price_bh,
            "TYLE_TT_DV": rate_dv,
            "TYLE_TT_BH": rate,
            "THANH_TIEN_BV": cents(Decimal(quantity) * Decimal(price) * int(rate_dv) / 100),
            "THANH_TIEN_BH": cents(Decimal(quantity) * Decimal(price_bh) * int(rate_dv) / 100 * int(rate) / 100),
            "MA_KHOA": "K01",
            "MA_BAC_SI": DOCTOR,
            "MA_BENH": self.tables["XML1"][0]["MA_BENH_CHINH"],
            "NGAY_YL": self.at(0, "0830"),
            "MA_PTTT": "1",
        }
        if group in ("1", "2", "3", "8", "18"):
            usual |= {"NGUOI_THUC_HIEN": NURSE, "NGAY_TH_YL": self.at(0, "0840"), "NGAY_KQ": self.at(0, "0920")}
        if group in ("1", "2", "3"):
            usual["MA_MAY"] = MACHINE if group == "1" else CAMERA
        return self.row("XML3", self._shares(usual | values))

    def bed(
        self, code: str, place: str, start: str, end: str, quantity: str, price: str = "200000", **values: str
    ) -> Row:
        own = {"MA_GIUONG": place, "NGAY_YL": start, "NGAY_TH_YL": start, "NGAY_KQ": end, "DON_VI_TINH": "ngày"}
        return self.service(code, "15", "Giường nội khoa loại 1", price, quantity, **(own | values))

    def supply(self, code: str, service: str, name: str, price: str, quantity: str = "1", **values: str) -> Row:
        own = {"MA_VAT_TU": code, "TEN_VAT_TU": name, "TEN_DICH_VU": "", "TT_THAU": TENDER, "DON_VI_TINH": "cái"}
        return self.service(service, "10", "", price, quantity, **(own | values))

    def _shares(self, row: Row) -> Row:
        bv, bh = Decimal(row["THANH_TIEN_BV"]), Decimal(row["THANH_TIEN_BH"])
        level = row.setdefault("MUC_HUONG", "0" if self.scope == "2" else self.level)
        fund = (bh * int(level) / 100).quantize(Decimal("0.01"), ROUND_HALF_UP)
        zeros = dict.fromkeys((f"T_NGUONKHAC_{one}" for one in ("NSNN", "VTNN", "VTTN", "CL")), "0")
        usual = {"T_BNTT": cents(bv - bh), "T_BNCCT": cents(bh - fund), "T_BHTT": cents(fund), "T_NGUONKHAC": "0"}
        return zeros | usual | row

    def result(self, code: str, index: str, value: str, **values: str) -> Row:
        usual = {
            "MA_DICH_VU": code,
            "MA_CHI_SO": index,
            "TEN_CHI_SO": index,
            "GIA_TRI": value,
            "DON_VI_DO": "mmol/L",
            "NGAY_KQ": self.at(0, "0920"),
            "MA_BS_DOC_KQ": READER,
        }
        return self.row("XML4", usual | values)

    def course(self, day: int, time: str = "0900") -> Row:
        said = "Tỉnh, tiếp xúc tốt CSST<M75_T37_HA120/70_NT18_HL2>"
        values = {"DIEN_BIEN_LS": said, "THOI_DIEM_DBLS": self.at(day, time), "NGUOI_THUC_HIEN": DOCTOR}
        return self.row("XML5", values)

    def stay(self, days: int, **values: str) -> Row:
        """Start an inpatient stay: admitted an hour after coming, left at ten on the last day."""
        own = {
            "MA_LOAI_KCB": "03",
            "NGAY_VAO_NOI_TRU": self.at(0, "0900"),
            "LY_DO_VNT": "Cần theo dõi",
            "NGAY_RA": self.at(days - 1, "1000"),
            "NGAY_TTOAN": self.at(days - 1, "1005"),
            "SO_NGAY_DTRI": str(days),
            "THANG_QT": f"{self.first + timedelta(days=days - 1):%m}",
        }
        return self.one(**(own | values))

    def discharge(self, **values: str) -> Row:
        one = self.tables["XML1"][0]
        usual = {
            "SO_LUU_TRU": "LT01",
            "MA_YTE": "YT01",
            "MA_KHOA_RV": "K01",
            "NGAY_VAO": one["NGAY_VAO"],
            "NGAY_RA": one["NGAY_RA"],
            "CHAN_DOAN_RV": one["CHAN_DOAN_RV"],
            "PP_DIEUTRI": "Nội khoa",
            "MA_TTDV": "000001/HNO",
            "MA_BS": DOCTOR,
            "TEN_BS": "Trần Văn Thử",
            "NGAY_CT": one["NGAY_RA"][:8],
        }
        return self.row("XML7", usual | values)

    def summary(self, **values: str) -> Row:
        one = self.tables["XML1"][0]
        usual = {
            **{
                name: one[name]
                for name in ("MA_LOAI_KCB", "NGAY_VAO", "NGAY_RA", "CHAN_DOAN_VAO", "CHAN_DOAN_RV", "KET_QUA_DTRI")
            },
            "QT_BENHLY": "Bệnh ba ngày",
            "TOMTAT_KQ": "Xét nghiệm bình thường",
            "PP_DIEUTRI": "Nội khoa",
            "MA_TTDV": "000001/HNO",
            "NGAY_CT": one["NGAY_RA"][:8],
        }
        return self.row("XML8", usual | values)

    def appointment(self, asked: str, **values: str) -> Row:
        one = self.tables["XML1"][0]
        one["NGAY_TAI_KHAM"] = asked
        usual = {
            **{name: one.get(name, "") for name in MIRRORED},
            "SO_GIAYHEN_KL": "HK01",
            "NGAY_HEN_KL": asked + ("0800" if self.decision == "4750" else ""),
            "MA_BAC_SI": DOCTOR,
            "MA_TTDV": "000001/HNO",
            "NGAY_CT": one["NGAY_RA"][:8],
        }
        return self.row("XML14", usual | values)

    def done(self) -> Visit:
        if "XML1" in self.tables:
            resum(self.tables)
        ordered = sorted(self.tables, key=NAMES.index)
        return Visit({name: tuple(self.tables[name]) for name in ordered}, (), FACILITY, NOW.date())


MIRRORED = (
    *("MA_CSKCB", "HO_TEN", "NGAY_SINH", "GIOI_TINH", "MA_QUOCTICH", "MA_DANTOC", "MA_NGHE_NGHIEP", "DIA_CHI"),
    *("MA_THE_BHYT", "GT_THE_DEN", "NGAY_VAO", "NGAY_VAO_NOI_TRU", "NGAY_RA", "CHAN_DOAN_RV", "MA_BENH_CHINH"),
    *("MA_BENH_KT", "MA_BENH_YHCT", "MA_DOITUONG_KCB", "MA_LOAI_RV"),
)


def resum(tables: Mapping[str, Iterable[Row]]) -> None:
    """Write the totals of XML1 from the rows."""
    drugs, services = list(tables.get("XML2", ())), list(tables.get("XML3", ()))
    everything = drugs + services

    def total(rows: list[Row], field: str) -> str:
        return cents(sum((Decimal(row[field]) for row in rows), Decimal(0)))

    (one,) = tables["XML1"]
    one |= {
        "T_THUOC": total(drugs, "THANH_TIEN_BV"),
        "T_VTYT": total([row for row in services if row["MA_NHOM"] in ("10", "11")], "THANH_TIEN_BV"),
        "T_TONGCHI_BV": total(everything, "THANH_TIEN_BV"),
        "T_TONGCHI_BH": total(everything, "THANH_TIEN_BH"),
        "T_BNTT": total(everything, "T_BNTT"),
        "T_BNCCT": total(everything, "T_BNCCT"),
        "T_BHTT": total(everything, "T_BHTT"),
        "T_NGUONKHAC": total(everything, "T_NGUONKHAC"),
        "T_BHTT_GDV": total([row for row in everything if row["MA_PTTT"] == "1"], "T_BHTT"),
    }

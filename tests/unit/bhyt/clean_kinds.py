"""The kinds of visits that `clean_visits.py` gives: what each of them has that others have not."""

from __future__ import annotations

from collections.abc import Callable

from tests.unit.bhyt.clean_parts import DOCTOR, FACILITY, MIRRORED, SURGEON, Maker, Row


def outpatient(m: Maker) -> None:
    m.one()
    m.service("02.1897", "13", "Khám nội", "45000")
    m.service("23.0003.1494", "1", "Định lượng Glucose", "22000")
    m.result("23.0003.1494", "GLUCOSE", "5.60")
    m.drug("40.30.501", "Amlodipin", "10", "1100.5")
    m.drug("40.31", "Losartan", "20", "2000", SO_DANG_KY="VD-10002-21")


def inpatient(m: Maker) -> None:
    m.level = "80"
    m.stay(4, MA_BENH_CHINH="J18.9", MA_BENH_KT="I10;E78.2", CHAN_DOAN_RV="Viêm phổi")
    m.service("02.1897", "13", "Khám nội", "45000")
    m.service(
        "23.0003.1494", "1", "Định lượng Glucose", "22000", NGAY_YL=m.at(1), NGAY_TH_YL=m.at(1), NGAY_KQ=m.at(1, "0900")
    )
    m.service("18.0119.0028", "2", "Chụp X-quang ngực thẳng", "70000")
    m.bed("K02.1906", "H001", m.at(0, "0900"), m.at(2, "0900"), "2")
    m.bed("K02.1906", "H002", m.at(2, "0900"), m.at(3, "1000"), "1.5", TYLE_TT_DV="50")
    m.drug("40.30.501", "Amlodipin", "10", "1100.5", NGAY_YL=m.at(1), NGAY_TH_YL=m.at(1, "0830"))
    m.drug("40.99", "Natri clorid", "4", "9000", MA_DICH_VU="18.0119.0028", SO_DANG_KY="VD-10003-21")
    m.drug("M01", "Khối hồng cầu", "1", "600000", MA_NHOM="7", TT_THAU="", SO_DANG_KY="", LIEU_DUNG="1 đơn vị")
    m.result("23.0003.1494", "GLUCOSE", "5.60", NGAY_KQ=m.at(1, "0900"))
    m.result("18.0119.0028", "XQUANG", "", MO_TA="Mờ đáy phổi phải", KET_LUAN="Viêm phổi", DON_VI_DO="")
    for day in range(4):
        m.course(day)
    m.discharge(SO_NGAY_NGHI="3", NGOAITRU_TUNGAY=m.on(4), NGOAITRU_DENNGAY=m.on(6))
    m.summary()


def emergency(m: Maker) -> None:
    m.one(
        MA_DOITUONG_KCB="2", MA_BENH_CHINH="S52.5", MA_BENH_KT="", MA_TAI_NAN="1", GIOI_TINH="1", SO_CCCD="001080001234"
    )
    m.service("02.1897", "13", "Khám cấp cứu", "45000")
    m.service("18.0119.0028", "2", "Chụp X-quang cẳng tay", "70000")
    m.service(f"VC.{FACILITY}", "12", "Vận chuyển người bệnh", "20000", "3", MA_XANG_DAU="D1S5V1", DON_VI_TINH="lít")
    m.result("18.0119.0028", "XQUANG", "", MO_TA="Gãy đầu dưới xương quay", KET_LUAN="Gãy xương", DON_VI_DO="")
    m.drug("40.30.501", "Amlodipin", "2", "1100.5")


def newborn(m: Maker) -> None:
    m.stay(
        3,
        HO_TEN="Nguyễn Bé Mẫu",
        SO_CCCD="",
        NGAY_SINH=m.at(0, "0610"),
        NGAY_VAO=m.at(0, "0620"),
        MA_THE_BHYT="TE1010123456789",
        MA_DOITUONG_KCB="1.7",
        MA_BENH_CHINH="P59.9",
        MA_BENH_KT="",
        MA_NGHE_NGHIEP="00",
        CAN_NANG="3.10",
        GT_THE_TU=m.on(0),
    )
    m.service("02.1897", "13", "Khám nhi", "45000")
    m.bed("K02.1906", "H003", m.at(0, "0900"), m.at(2, "1000"), "2")
    m.drug("40.99", "Natri clorid", "1", "9000", SO_DANG_KY="VD-10003-21")
    m.course(0)
    m.discharge(HO_TEN_ME="Nguyễn Thị Mẫu", MA_ME="0123456789", MA_THE_TAM="TE1010000000001")


def uninsured(m: Maker) -> None:
    m.scope = "2"
    m.one(MA_DOITUONG_KCB="9", **dict.fromkeys(("MA_THE_BHYT", "MA_DKBD", "GT_THE_TU", "GT_THE_DEN"), ""))
    m.service("02.1897", "13", "Khám nội", "150000")
    m.drug("40.30.501", "Amlodipin", "10", "1500")


def surgery(m: Maker) -> None:
    m.level = "80"
    m.stay(5, MA_BENH_CHINH="K35.8", MA_BENH_KT="", MA_PTTT_QT="47.0", CHAN_DOAN_RV="Viêm ruột thừa cấp")
    m.service("02.1897", "13", "Khám ngoại", "45000")
    when = {"NGAY_YL": m.at(0, "1000"), "NGAY_TH_YL": m.at(0, "1100"), "NGAY_KQ": m.at(0, "1230")}
    m.service(
        "03.3328.0491",
        "8",
        "Cắt ruột thừa",
        "2500000",
        MA_PTTT_QT="47.0",
        PP_VO_CAM="1",
        **(when | {"NGUOI_THUC_HIEN": SURGEON}),
    )
    m.supply(
        "N01.01.010",
        "03.3328.0491",
        "Bơm tiêm 10ml",
        "1500",
        "5",
        GOI_VTYT="G1",
        T_TRANTT="2000000",
        NGAY_YL=m.at(0, "1000"),
    )
    m.supply(
        "N03.02.060",
        "03.3328.0491",
        "Chỉ khâu",
        "45000.5",
        "2",
        GOI_VTYT="G1",
        NGAY_YL=m.at(0, "1000"),
        MA_HIEU_SP="SN-1",
    )
    m.bed("K03.1912", "H010", m.at(0, "1300"), m.at(4, "1000"), "4.5")
    m.drug(
        "40.99",
        "Natri clorid",
        "6",
        "9000",
        NGAY_YL=m.at(0, "1000"),
        NGAY_TH_YL=m.at(0, "1010"),
        SO_DANG_KY="VD-10003-21",
    )
    for day in range(5):
        m.course(day, "0950")
    m.discharge(SO_NGAY_NGHI="10", NGOAITRU_TUNGAY=m.on(5), NGOAITRU_DENNGAY=m.on(14))
    m.summary()
    if m.decision != "130":
        m.appointment(m.on(14))


def hiv(m: Maker) -> None:
    m.one(
        MA_LOAI_KCB="05",
        MA_BENH_CHINH="B20",
        MA_BENH_KT="",
        CHAN_DOAN_RV="Bệnh mạn tính",
        SO_NGAY_DTRI="30",
        MA_DOITUONG_KCB="1.3",
        GIAY_CHUYEN_TUYEN="GCT-01",
        MA_NOI_DI="01002",
    )
    m.service("02.1897", "13", "Khám nội", "45000")
    m.drug("40.250", "TLD", "30", "4000", HAM_LUONG="300mg+300mg+50mg", SO_DANG_KY="VN-20001-21", TYLE_TT_BH="100")
    m.level = "80"
    m.drug(
        "40.251",
        "ABC",
        "30",
        "1000",
        SO_DANG_KY="VN-20002-21",
        T_BNCCT="0.00",
        T_NGUONKHAC_NSNN="6000",
        T_NGUONKHAC="6000",
    )
    m.course(0)
    one = m.tables["XML1"][0]
    m.row(
        "XML6",
        {
            **{name: one[name] for name in ("MA_THE_BHYT", "SO_CCCD", "NGAY_SINH", "GIOI_TINH", "DIA_CHI", "MA_CSKCB")},
            **{name: one[name] for name in ("MATINH_CU_TRU", "MAHUYEN_CU_TRU", "MAXA_CU_TRU")},
            "NGAYKD_HIV": "20200103",
            "NOI_LAY_MAU_XN": FACILITY,
            "NOI_XN_KD": FACILITY,
            "NOI_BDDT_ARV": FACILITY,
            "BDDT_ARV": "20200110",
            "MA_PHAC_DO_DIEU_TRI_BD": "1a",
            "MA_BAC_PHAC_DO_BD": "1",
            "MA_LYDO_DTRI": "1",
            "LOAI_DTRI_LAO": "1",
            "SANG_LOC_LAO": "2",
            "PHACDO_DTRI_LAO": "1",
            "NGAYBD_DTRI_LAO": "20210101",
            "NGAYKT_DTRI_LAO": "20210601",
            "KQ_DTRI_LAO": "2",
            "MA_LYDO_XNTL_VR": "1",
            "NGAY_XN_TLVR": "20220101",
            "KQ_XNTL_VR": "1",
            "NGAY_KQ_XN_TLVR": "20220105",
            "MA_LOAI_BN": "1",
            "GIAI_DOAN_LAM_SANG": "1",
            "NHOM_DOI_TUONG": "11",
            "MA_TINH_TRANG_DK": "1;9",
            "LAN_XN_PCR": "1",
            "NGAY_XN_PCR": "20220101",
            "NGAY_KQ_XN_PCR": "20220105",
            "MA_KQ_XN_PCR": "0",
            "MA_XU_TRI": "1;4",
            "NGAY_BAT_DAU_XU_TRI": m.on(0),
            "NGAY_KET_THUC_XU_TRI": m.on(30),
            "MA_PHAC_DO_DIEU_TRI": "1a",
            "MA_BAC_PHAC_DO": "1",
            "SO_NGAY_CAP_THUOC_ARV": "30",
            "NGAY_CHUYEN_PHAC_DO": "20230101",
            "LY_DO_CHUYEN_PHAC_DO": "4",
        },
    )


def tb(m: Maker) -> None:
    m.one(MA_LOAI_KCB="05", MA_BENH_CHINH="A15.0", MA_BENH_KT="", CHAN_DOAN_RV="Lao phổi", SO_NGAY_DTRI="30")
    m.service("02.1897", "13", "Khám nội", "45000")
    m.drug("40.260", "Turbezid", "60", "2500", SO_DANG_KY="VD-10009-21", HAM_LUONG="150mg")
    m.course(0)
    one = m.tables["XML1"][0]
    if m.decision != "130":
        m.row(
            "XML15",
            {
                **{name: one[name] for name in ("MA_BN", "HO_TEN", "SO_CCCD", "MA_CSKCB")},
                "PHANLOAI_LAO_VITRI": "1",
                "PHANLOAI_LAO_TS": "1",
                "PHANLOAI_LAO_HIV": "1",
                "PHANLOAI_LAO_VK": "1",
                "PHANLOAI_LAO_KT": "4",
                "LOAI_DTRI_LAO": "2",
                "NGAYBD_DTRI_LAO": m.on(0),
                "PHACDO_DTRI_LAO": "2",
                "NGAYKT_DTRI_LAO": m.on(180),
                "KET_QUA_DTRI_LAO": "6",
                "NGAYKD_HIV": "20200103",
                "BDDT_ARV": "20200110",
                "NGAY_BAT_DAU_DT_CTX": "20200110",
            },
        )
    m.row("XML11", leave(m, 60))


def leave(m: Maker, days: int, **values: str) -> Row:
    one = m.tables["XML1"][0]
    return {
        "SO_CT": "CT01",
        "SO_SERI": "SR01",
        "SO_KCB": "KCB01",
        "DON_VI": "Công ty Mẫu",
        "MA_BHXH": "0123456789",
        "MA_THE_BHYT": one["MA_THE_BHYT"],
        "CHAN_DOAN_RV": one["CHAN_DOAN_RV"],
        "PP_DIEUTRI": "Nghỉ ngơi",
        "SO_NGAY_NGHI": str(days),
        "TU_NGAY": m.on(0),
        "DEN_NGAY": m.on(days - 1),
        "MA_TTDV": "000001/HNO",
        "MA_BS": DOCTOR,
        "NGAY_CT": m.on(0),
        "MAU_SO": "CT07",
    } | values


def birth(m: Maker) -> None:
    m.stay(4, MA_BENH_CHINH="O80.0", MA_BENH_KT="", CHAN_DOAN_RV="Đẻ thường", CAN_NANG_CON="3100")
    m.service("02.1897", "13", "Khám sản", "45000")
    m.service("13.0033.0614", "18", "Đỡ đẻ thường", "700000")
    m.bed("K02.1906", "H020", m.at(0, "1200"), m.at(3, "1000"), "3.5", price="80000")
    m.level = "80"
    for row in m.tables["XML3"]:
        row.update(m._shares({k: v for k, v in row.items() if k not in ("MUC_HUONG", "T_BHTT", "T_BNCCT", "T_BNTT")}))
    m.course(0)
    m.discharge()
    m.summary()
    m.row(
        "XML9",
        {
            "MA_BHXH_NND": "0123456789",
            "MA_THE_NND": "DN4010123456789",
            "HO_TEN_NND": "Nguyễn Thị Mẫu",
            "NGAYSINH_NND": "19800517",
            "MA_DANTOC_NND": "01",
            "SO_CCCD_NND": "001180001234",
            "NGAYCAP_CCCD_NND": "20210101",
            "NOICAP_CCCD_NND": "Bộ Công an",
            "NOI_CU_TRU_NND": "1 phố Mẫu",
            "MA_QUOCTICH": "000",
            "MATINH_CU_TRU": "01",
            "MAHUYEN_CU_TRU": "001",
            "MAXA_CU_TRU": "00004",
            "MA_THE_TAM": "TE1010000000001",
            "GIOI_TINH_CON": "1",
            "SO_CON": "1",
            "LAN_SINH": "1",
            "SO_CON_SONG": "1",
            "CAN_NANG_CON": "3100",
            "NGAY_SINH_CON": m.at(0, "1130"),
            "NOI_SINH_CON": "Bệnh viện Mẫu",
            "TINH_TRANG_CON": "Khoẻ",
            "SINHCON_PHAUTHUAT": "0",
            "SINHCON_DUOI32TUAN": "0",
            "GHI_CHU": "Không",
            "NGUOI_DO_DE": "Trần Thị Đỡ",
            "NGUOI_GHI_PHIEU": "Trần Thị Ghi",
            "NGAY_CT": m.on(3),
            "SO": "01",
            "QUYEN_SO": "1",
            "MA_TTDV": "000001/HNO",
        },
    )


def pregnancy(m: Maker) -> None:
    m.one(MA_BENH_CHINH="O20.0", MA_BENH_KT="", CHAN_DOAN_RV="Doạ sảy thai, nghỉ dưỡng thai")
    m.service("02.1897", "13", "Khám sản", "45000")
    m.drug("40.99", "Natri clorid", "1", "9000", SO_DANG_KY="VD-10003-21")
    m.row(
        "XML10",
        {
            **dict.fromkeys(("SO_SERI", "SO_CT"), "01"),
            "SO_NGAY": "10",
            "DON_VI": "Công ty Mẫu",
            "CHAN_DOAN_RV": "Doạ sảy thai, nghỉ dưỡng thai",
            "TU_NGAY": m.on(0),
            "DEN_NGAY": m.on(9),
            "MA_TTDV": "000001/HNO",
            "TEN_BS": "Trần Văn Thử",
            "MA_BS": DOCTOR,
            "NGAY_CT": m.on(0),
        },
    )


def referral(m: Maker) -> None:
    m.one(MA_LOAI_RV="2", MA_NOI_DEN="01002", MA_BENH_YHCT="U62.021")
    m.service("02.1897", "13", "Khám nội", "45000")
    m.service("02.1898", "13", "Khám ngoại", "45000", TYLE_TT_DV="30", MA_BENH_YHCT="U62.021", NGAY_YL=m.at(0, "0850"))
    if m.decision == "130":
        return
    one = m.tables["XML1"][0]
    m.row(
        "XML13",
        {
            **{name: one.get(name, "") for name in MIRRORED},
            "SO_HOSO": "HS0001",
            "SO_CHUYENTUYEN": "CT0001",
            "GIAY_CHUYEN_TUYEN": "GCT-02",
            "MA_CSKCB_DI": FACILITY,
            "MA_CSKCB_DEN": "01002",
            "MA_NOI_DI": FACILITY,
            "MA_NOI_DEN": "01002",
            "DAU_HIEU_LS": "Đau đầu nhiều",
            "QT_BENHLY": "Bệnh ba ngày",
            "TOMTAT_KQ": "Huyết áp cao",
            "PP_DIEUTRI": "Nội khoa",
            "PP_DIEU_TRI": "Nội khoa",
            "TINH_TRANG_CT": "Ổn định",
            "MA_LYDO_CT": "2",
            "HUONG_DIEU_TRI": "Khám chuyên khoa",
            "PHUONGTIEN_VC": "Xe cứu thương",
            "HOTEN_NGUOI_HT": "Trần Văn Đưa",
            "CHUCDANH_NGUOI_HT": "Điều dưỡng",
            "MA_BAC_SI": DOCTOR,
            "MA_TTDV": "000001/HNO",
        },
    )


def reexam(m: Maker) -> None:
    m.one(MA_DOITUONG_KCB="1.5", GIAY_CHUYEN_TUYEN="HK-01", MA_KHUVUC="K1")
    m.service("02.1897", "13", "Khám nội", "45000")
    m.drug("40.30.501", "Amlodipin", "30", "1100.5")
    if m.decision != "130":
        m.appointment(m.on(28))


def sick_leave(m: Maker) -> None:
    m.one(MA_BENH_CHINH="J06.9", MA_BENH_KT="", CHAN_DOAN_RV="Nhiễm khuẩn hô hấp trên")
    m.service("02.1897", "13", "Khám nội", "45000")
    m.drug("40.30.501", "Amlodipin", "3", "1100.5")
    m.row("XML11", leave(m, 3))


def miscarriage(m: Maker) -> None:
    m.stay(2, MA_BENH_CHINH="O03.9", MA_BENH_KT="", CHAN_DOAN_RV="Sảy thai", NAM_NAM_LIEN_TUC="20200101")
    m.service("02.1897", "13", "Khám sản", "45000")
    m.bed("K02.1906", "H021", m.at(0, "0900"), m.at(1, "1000"), "1.5")
    m.course(0)
    lost = {"MA_DINH_CHI_THAI": "1", "NGUYENNHAN_DINHCHI": "Sảy thai", "TUOI_THAI": "14"}
    m.discharge(THOIGIAN_DINHCHI=m.at(0, "1100"), **lost)
    m.summary(NGAY_SINHCON=m.on(0), NGAY_CONCHET=m.on(0), SO_CONCHET="1")
    m.row("XML11", leave(m, 50, **lost))


def treatment(m: Maker) -> None:
    """Chronic outpatient with procedures: days are those with a procedure, a package of another payer, two cards."""
    m.one(
        MA_LOAI_KCB="08",
        NGAY_RA=m.at(2, "1000"),
        NGAY_TTOAN=m.at(2, "1005"),
        SO_NGAY_DTRI="2",
        MA_THE_BHYT="DN4010123456789;DN4010123456780",
        MA_DKBD=f"{FACILITY};{FACILITY}",
        GT_THE_TU=f"{m.first.year}0101;{m.on(1)}",
        GT_THE_DEN=f"{m.on(0)};{m.first.year}1231",
        NGAY_MIEN_CCT=m.on(-5),
    )
    for day in (0, 2):
        when = {"NGAY_YL": m.at(day, "0800"), "NGAY_TH_YL": m.at(day, "0810"), "NGAY_KQ": m.at(day, "0900")}
        m.service("08.0005.0230", "18", "Điện châm", "70000", **when)
    m.drug(
        "05V.1",
        "Hoàng kỳ",
        "20",
        "300",
        MA_NHOM="6",
        TYLE_TT_BH="80",
        MA_PP_CHEBIEN="1",
        SO_DANG_KY="",
        MA_CSKCB_THUOC="C.01002",
    )
    m.course(0)


def check_in(m: Maker) -> None:
    m.row(
        "XML0",
        {
            "MA_BN": "BN0001",
            "HO_TEN": "Nguyễn Thị Mẫu",
            "SO_CCCD": "001180001234",
            "NGAY_SINH": "198005170000",
            "GIOI_TINH": "2",
            "MA_THE_BHYT": "DN4010123456789",
            "MA_DKBD": FACILITY,
            "GT_THE_TU": f"{m.first.year}0101",
            "GT_THE_DEN": f"{m.first.year}1231",
            "MA_DOITUONG_KCB": "1.1",
            "NGAY_VAO": m.at(),
            "NGAY_VAO_NOI_TRU": m.at(0, "0900"),
            "LY_DO_VNT": "Cần theo dõi",
            "MA_LOAI_KCB": "03",
            "MA_CSKCB": FACILITY,
            "MA_DICH_VU": "02.1897",
            "TEN_DICH_VU": "Khám nội",
            "NGAY_YL": m.at(0, "0830"),
        },
    )


def board(m: Maker) -> None:
    m.row(
        "XML12",
        {
            "NGUOI_CHU_TRI": "Trần Văn Chủ",
            "CHUC_VU": "1",
            "NGAY_HOP": m.on(20),
            "HO_TEN": "Nguyễn Thị Mẫu",
            "NGAY_SINH": "19800517",
            "SO_CCCD": "001180001234",
            "NGAY_CAP_CCCD": "20210101",
            "NOI_CAP_CCCD": "Bộ Công an",
            "DIA_CHI": "1 phố Mẫu",
            "MATINH_CU_TRU": "01",
            "MAHUYEN_CU_TRU": "001",
            "MAXA_CU_TRU": "00004",
            "MA_BHXH": "0123456789",
            "MA_THE_BHYT": "DN4010123456789",
            "DIEN_THOAI": "0900000000",
            "MA_DOI_TUONG": "TNLĐ",
            "KHAM_GIAM_DINH": "1",
            "SO_BIEN_BAN": "BB01",
            "TYLE_TTCT_CU": "10",
            "DANG_HUONG_CHE_DO": "4",
            "NGAY_CHUNG_TU": m.on(0),
            "SO_GIAY_GIOI_THIEU": "GT01",
            "NGAY_DE_NGHI": m.on(2),
            "MA_DONVI": "DV01",
            "GIOI_THIEU_CUA": "Công ty Mẫu",
            "KET_QUA_KHAM": "Hạn chế vận động",
            "SO_VAN_BAN_CAN_CU": "VB01",
            "TYLE_TTCT_MOI": "15",
            "TONG_TYLE_TTCT": "25",
            "DE_NGHI": "Hưởng chế độ",
            "DUOC_XACDINH": "Suy giảm khả năng lao động",
        },
    )


KINDS: dict[str, Callable[[Maker], None]] = {
    "outpatient": outpatient,
    "inpatient": inpatient,
    "emergency": emergency,
    "newborn": newborn,
    "uninsured": uninsured,
    "surgery": surgery,
    "hiv": hiv,
    "tb": tb,
    "birth": birth,
    "pregnancy": pregnancy,
    "referral": referral,
    "reexam": reexam,
    "sick_leave": sick_leave,
    "miscarriage": miscarriage,
    "treatment": treatment,
    "check_in": check_in,
    "board": board,
}
BARE = ("check_in", "board")

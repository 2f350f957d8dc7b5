"""Papers of births, leave and whole stays become their tables, each in the shape of the decision its visit belongs to."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from mappings.bhyt import paper_to_gdbhyt, paper_to_rows
from mappings.bhyt.decisions import Calendar
from mappings.bhyt.faults import FieldMissing, PaperNotInsured
from mappings.documents import compose
from mappings.outcome import Resource
from tests.unit.bhyt import bundles
from tests.unit.bhyt.bundles import HEAD
from tests.unit.bhyt.test_agreement import MORE
from tests.unit.documents import samples


def composed(paper: str, *more: Resource, **texts: str) -> Resource:
    subject, record = samples.sample(paper)
    own = [*(samples.field(code, text) for code, text in texts.items()), *more]
    known = {one["id"] for one in own}
    return compose(paper, subject, [*(one for one in record if one["id"] not in known), *own], samples.CONTEXT)


def row_of(paper: str, *more: Resource, **texts: str) -> dict[str, str]:
    _, (row,) = paper_to_rows(composed(paper, *more, **texts), head=HEAD)
    return {name: text for name, text in row.items() if text}


def missing(paper: str, **texts: str) -> str:
    with pytest.raises(FieldMissing) as caught:
        paper_to_rows(composed(paper, **texts), head=HEAD)
    return str(caught.value.detail)


def visit(bundle: Resource) -> Resource:
    found: Resource = next(e["resource"] for e in bundle["entry"] if e["resource"]["resourceType"] == "Encounter")
    return found


def test_a_summary_of_the_record_becomes_table_8() -> None:
    assert row_of("record_summary", GHI_CHU="Theo dõi", IS_LAO_GIAI_DOAN_NANG="1") == {
        "MA_LK": "DT26000042",
        "MA_LOAI_KCB": "03",
        "NGAY_VAO": "202611010830",
        "NGAY_RA": "202611051005",
        "CHAN_DOAN_VAO": "Sốt chưa rõ nguyên nhân",
        "CHAN_DOAN_RV": "Viêm phổi, tác nhân không xác định; Đái tháo đường típ 2",
        "QT_BENHLY": "Sốt 3 ngày, ho đờm; kháng sinh 5 ngày, hết sốt",
        "TOMTAT_KQ": "Bạch cầu 18.40 G/L",
        "PP_DIEUTRI": "Nội khoa: Ceftriaxon",
        "KET_QUA_DTRI": "2",
        "GHI_CHU": "Theo dõi\nKhám lại sau 1 tuần\nLao giai đoạn nặng",
        "MA_TTDV": HEAD,
        "NGAY_CT": "20261105",
    }


def test_an_operation_is_part_of_the_treatment() -> None:
    operation = {
        "resourceType": "Procedure",
        "id": "mo1",
        "status": "completed",
        "code": {"text": "Cắt ruột thừa nội soi"},
        "subject": samples.ref("Patient", "bn1"),
        "encounter": samples.ref("Encounter", "dt1"),
    }
    row = row_of("record_summary", operation)
    assert row["PP_DIEUTRI"] == "Nội khoa: Ceftriaxon\nPhẫu thuật, thủ thuật: Cắt ruột thừa nội soi"
    row = row_of("record_summary", operation, PP_DIEUTRI="Mổ cấp cứu, theo phác đồ")
    assert row["PP_DIEUTRI"] == "Nội khoa: Ceftriaxon\nMổ cấp cứu, theo phác đồ"


@pytest.mark.parametrize(
    ("code", "end", "kind"),
    [("IMP", "2026-11-01T12:29:00+07:00", "09"), ("IMP", "2026-11-01T12:30:00+07:00", "03"), ("SS", "", "")],
)
def test_the_kind_of_care_of_a_stay_follows_from_its_class_and_length(code: str, end: str, kind: str) -> None:
    bundle = composed("record_summary")
    visit(bundle)["class"]["code"] = code
    if end:
        visit(bundle)["period"]["end"] = end
    if kind:
        assert paper_to_rows(bundle, head=HEAD)[1][0]["MA_LOAI_KCB"] == kind
    else:
        with pytest.raises(FieldMissing, match="MA_LOAI_KCB"):
            paper_to_rows(bundle, head=HEAD)


def test_a_birth_certificate_becomes_one_row_of_table_9() -> None:
    row = row_of("birth_certificate", **MORE["birth_certificate"], MA_QUOCTICH="000", MA_THE_TAM="TE101")
    assert row["MA_DANTOC_NND"] == "03"
    assert (row["NGAY_SINH_CON"], row["NGAYSINH_NND"]) == ("202611010830", "19900214")
    assert (row["HO_TEN_NND"], row["GIOI_TINH_CON"], row["CAN_NANG_CON"]) == ("Trần Thị Hoà", "2", "3100")
    assert (row["SO"], row["QUYEN_SO"], row["NGAY_CT"]) == ("311", "03/2026", "20261105")
    assert "MAHUYEN_CU_TRU" not in row  # districts are no more


def test_a_birth_certificate_says_what_the_portal_wants_and_nobody_told() -> None:
    told = missing("birth_certificate").split(", ")
    assert "LAN_SINH" in told
    assert "MAHUYEN_CU_TRU" not in told


def test_a_rest_of_a_pregnancy_becomes_table_10() -> None:
    row = row_of("maternity_rest_paper")
    assert (row["SO_CT"], row["SO_SERI"], row["SO_NGAY"]) == ("88", "DT-000088", "14")
    assert (row["TU_NGAY"], row["DEN_NGAY"], row["NGAY_CT"]) == ("20261101", "20261114", "20261101")
    assert (row["TEN_BS"], row["MA_BS"]) == ("Lê Quốc Vượng", "000123/HNO-CCHN")


def test_a_leave_becomes_table_11_dated_by_the_examination() -> None:
    row = row_of("leave_paper", SO_CT="9", SO_SERI="S9", HO_TEN_ME="Trần Thị Hoà")
    assert (row["SO_NGAY_NGHI"], row["NGAY_CT"], row["MA_BHXH"]) == ("3", "20261101", "0119000310")
    assert "HO_TEN_ME" not in row  # the person is no small child
    assert missing("leave_paper") == "SO_CT, SO_SERI"


def test_a_small_child_is_named_with_a_parent() -> None:
    subject, record = samples.sample("leave_paper")
    record[0] = samples.child()
    own = [samples.mother(), *(samples.field(name, "1") for name in ("SO_CT", "SO_SERI"))]
    document = compose("leave_paper", subject, [*record, *own], samples.CONTEXT)
    assert paper_to_rows(document, head=HEAD)[1][0]["HO_TEN_ME"] == "Trần Thị Hoà"


# ---- decisions ----


def ended(bundle: Resource, end: str) -> dict[str, Any]:
    visit(bundle)["period"]["end"] = end
    return bundle


def test_a_referral_of_qd_4750_has_its_names() -> None:
    texts = [bundles.told(name, f"Chữ {name}") for name in ("TEN_DICH_VU", "TEN_THUOC", "PP_DIEUTRI")]
    bundle = ended(bundles.referral(*texts, bundles.told("MA_CSKCB_DI", "01998")), "2026-01-31T23:00:00+07:00")
    known, (old,) = paper_to_rows(bundle, head="0123456789")
    assert known.decision == "4750"
    assert (old["MA_NOI_DI"], old["MA_NOI_DEN"], old["PP_DIEU_TRI"]) == ("01998", "01929", "Chữ của TINH_TRANG_CT")
    assert (old["TEN_DICH_VU"], old["TEN_THUOC"], old["PP_DIEUTRI"]) == (
        "Chữ TEN_DICH_VU",
        "Chữ TEN_THUOC",
        "Chữ PP_DIEUTRI",
    )
    assert not {"MA_CSKCB_DI", "MA_CSKCB_DEN", "TINH_TRANG_CT"} & old.keys()
    known, (new,) = paper_to_rows(ended(bundle, "2026-02-01T00:10:00+07:00"), head=HEAD)
    assert known.decision == "3176"
    assert (new["MA_CSKCB_DI"], new["MA_CSKCB_DEN"], new["TINH_TRANG_CT"]) == (
        "01998",
        "01929",
        "Chữ của TINH_TRANG_CT",
    )
    assert b"<TEN_THUOC" not in paper_to_gdbhyt(bundle, head=HEAD)


@pytest.mark.parametrize(("end", "back"), [("2026-01-31", "202611190100"), ("2026-02-01", "20261119")])
def test_the_day_to_come_back_has_its_time_in_qd_4750(end: str, back: str) -> None:
    _, (row,) = paper_to_rows(ended(bundles.reexamination(), end), head="0123456789")
    assert row["NGAY_HEN_KL"] == back


def test_the_days_of_the_decisions_are_a_setting() -> None:
    bundle = ended(bundles.reexamination(), "2025-01-05")
    on_paper = Calendar(qd3176=date(2025, 1, 1))
    assert paper_to_rows(bundle, head="0123456789")[0].decision == "4750"
    assert paper_to_rows(bundle, head=HEAD, calendar=on_paper)[0].decision == "3176"


def test_a_licence_is_no_number_of_social_insurance() -> None:
    bundle = ended(bundles.discharge_paper(), "2026-01-31")
    with pytest.raises(FieldMissing) as caught:
        paper_to_rows(bundle, head=HEAD)
    assert caught.value.detail == "MA_TTDV"


def test_qd_130_has_no_table_for_a_referral() -> None:
    with pytest.raises(PaperNotInsured, match="LT3304 PaperNotInsured at XML13 \\(130\\)"):
        paper_to_rows(ended(bundles.referral(), "2024-06-30"), head="0123456789")
    assert paper_to_rows(ended(bundles.discharge_paper(), "2024-06-30"), head="0123456789")[0].decision == "130"


def test_a_visit_that_goes_on_is_of_the_day_of_the_paper() -> None:
    bundle = bundles.reexamination()
    del visit(bundle)["period"]["end"]
    bundle["entry"][0]["resource"]["date"] = "2026-03-05T08:00:00+07:00"
    known, (row,) = paper_to_rows(bundle, head=HEAD)
    assert (known.decision, row.get("NGAY_RA", "")) == ("3176", "")

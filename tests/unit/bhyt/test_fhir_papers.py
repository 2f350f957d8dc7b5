"""A HIS that exports XML alone gets papers: what a table says is read, composed, and written again as it was."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from mappings.bhyt import TABLE_OF_PAPER, paper_to_rows
from mappings.bhyt.fhir import record_to_visit, visit_to_outcome
from mappings.bhyt.fhir.as_written import kept
from mappings.bhyt.fhir.dossier import Dossier
from mappings.bhyt.fhir.xml0 import check_in
from mappings.bhyt.visit_file import record_to_file_tables
from mappings.bhyt.visits import Visit
from mappings.documents import Facility, asked, compose, subjects
from mappings.documents.faults import PaperIncomplete
from mappings.fhir import problems
from mappings.outcome import Outcome, Resource
from mappings.systems import DEFAULT
from tests.unit.bhyt import paper_rows
from tests.unit.bhyt.paper_rows import HEAD, child, clinic, stay
from tests.unit.bhyt.test_fhir_lossless import check
from tests.unit.documents import samples

Tables = dict[str, tuple[dict[str, str], ...]]
FACILITY = Facility("01032", "Bệnh viện Mẫu", "SỞ Y TẾ HÀ NỘI", "Số 1 đường Mẫu", "")
TWINS = (child("1", "202608020815", "1"), child("2", "202608020822", "2"))
VISITS: dict[str, Tables] = {
    "discharge_paper": {"XML1": (stay(),), "XML7": (paper_rows.XML7,)},
    "record_summary": {"XML1": (stay(),), "XML8": (paper_rows.XML8,)},
    "birth_certificate": {"XML1": (stay(),), "XML9": TWINS},
    "maternity_rest_paper": {"XML1": (clinic(),), "XML10": (paper_rows.XML10,)},
    "leave_paper": {"XML1": (clinic(),), "XML11": (paper_rows.XML11,)},
    "referral": {"XML1": (stay(MA_LOAI_RV="2"),), "XML13": (paper_rows.XML13,)},
    "reexamination": {"XML1": (stay(),), "XML14": (paper_rows.XML14,)},
}
MORE = {"maternity_rest_paper": {"TUOI_THAI": "11"}}
"""What a paper wants and its table does not tell."""


def outcome_of(tables: Tables) -> Outcome:
    return visit_to_outcome(Visit(tables, facility="01032"), decision="1931")


def told(outcome: Outcome, name: str, text: str) -> Resource:
    visit = {"encounter": {"reference": f"Encounter/{outcome.encounter_id}"}}
    return {**samples.field(name, text), "subject": {"reference": f"Patient/{outcome.patient_id}"}, **visit}


def papers(paper: str, tables: Tables, **more: str) -> list[dict[str, str]]:
    """Compose every paper of a kind that the tables make due, and give their rows."""
    outcome = outcome_of(tables)
    record = [*outcome.resources, *(told(outcome, name, text) for name, text in more.items())]
    day = next(row["NGAY_CT"] for row in tables[TABLE_OF_PAPER[paper]] if row.get("NGAY_CT"))
    at = datetime(int(day[:4]), int(day[4:6]), int(day[6:]), 3, tzinfo=UTC)
    context = replace(samples.CONTEXT, facility=FACILITY, issued_at=at)
    return [paper_to_rows(compose(paper, one, record, context), head=HEAD)[1][0] for one in subjects(paper, record)]


@pytest.mark.parametrize("paper", [paper for paper in VISITS if paper != "referral"])
def test_the_paper_of_a_table_says_what_the_table_said(paper: str) -> None:
    found = [
        {name: text for name, text in row.items() if text}
        for row in papers(paper, VISITS[paper], **MORE.get(paper, {}))
    ]
    assert found == [dict(row) for row in VISITS[paper][TABLE_OF_PAPER[paper]]]


def test_the_referral_of_a_table_says_what_the_table_said() -> None:
    tables = {**VISITS["referral"], "XML13": ({**paper_rows.XML13, "NGAY_CT": "20260805"},)}
    (row,) = papers("referral", tables)
    assert {name: text for name, text in row.items() if text} == paper_rows.XML13


def test_a_table_that_says_it_otherwise_than_the_summary_has_its_own_paper() -> None:
    both = {
        **VISITS["discharge_paper"],
        "XML8": ({**paper_rows.XML8, "PP_DIEUTRI": "Theo phác đồ 8", "GHI_CHU": "Ghi chú 8"},),
    }
    assert papers("discharge_paper", both)[0]["PP_DIEUTRI"] == paper_rows.XML7["PP_DIEUTRI"]
    assert papers("record_summary", both)[0]["PP_DIEUTRI"] == "Theo phác đồ 8"
    assert papers("record_summary", both)[0]["GHI_CHU"] == "Ghi chú 8"


def test_what_a_table_lacks_for_its_paper_is_told() -> None:
    with pytest.raises(PaperIncomplete, match="TUOI_THAI"):
        papers("maternity_rest_paper", VISITS["maternity_rest_paper"])
    plain = {**VISITS["birth_certificate"], "XML9": ({**TWINS[0], "SO": "311"},)}
    with pytest.raises(PaperIncomplete, match="MA_GCS"):
        papers("birth_certificate", plain)


def test_a_paper_of_one_twin_does_not_hold_the_other() -> None:
    outcome = outcome_of(VISITS["birth_certificate"])
    one, other = (
        r["id"] for r in outcome.resources if r["resourceType"] == "Patient" and r["id"] != outcome.patient_id
    )
    document = compose(
        "birth_certificate", f"Patient/{one}", outcome.resources, replace(samples.CONTEXT, facility=FACILITY)
    )
    held = {f"{e['resource']['resourceType']}/{e['resource']['id']}" for e in document["entry"]}
    assert f"Patient/{one}" in held
    assert not held & {f"Patient/{other}", f"Patient/{outcome.patient_id}", f"Encounter/{outcome.encounter_id}"}


def test_only_the_papers_of_the_tables_that_came_are_due_and_for_whom_they_are() -> None:
    outcome = outcome_of({**VISITS["birth_certificate"], "XML7": (paper_rows.XML7,)})
    visit = f"Encounter/{outcome.encounter_id}"
    mother = f"Patient/{outcome.patient_id}"
    children = subjects("birth_certificate", outcome.resources)
    assert len(children) == 2
    assert mother not in children
    for paper, trigger in (("discharge_paper", "XML7"), ("health_summary", "XML1"), ("record_summary", "XML8")):
        assert {one.subject for one in asked(paper, f"GDBHYT^{trigger}", outcome.resources)} <= {visit, mother}
    assert [one.subject for one in asked("birth_certificate", "GDBHYT^XML9", outcome.resources)] == children


def test_the_newborns_own_visit_is_not_doubled() -> None:
    born = stay(NGAY_SINH="202608020815", MA_BN="BN-78", GIOI_TINH="1")
    outcome = outcome_of({"XML1": (born,), "XML9": (TWINS[0],)})
    assert [one["id"] for one in outcome.resources if one["resourceType"] == "Patient"] == [outcome.patient_id]
    assert [one["id"] for one in outcome.resources if one["resourceType"] == "Encounter"] == [outcome.encounter_id]


def test_a_discharge_paper_of_a_newborn_in_the_mothers_file_is_the_childs() -> None:
    newborn = {"MA_LK": "LK-001", "MA_YTE": "BN-78", "SO_LUU_TRU": "LT-8", "NGAY_VAO": "202608020815"}
    newborn |= {
        "NGAY_RA": "202608051005",
        "CHAN_DOAN_RV": "Trẻ khoẻ",
        "PP_DIEUTRI": "Theo dõi",
        "HO_TEN_ME": "Nông Thị Mẫu",
    }
    outcome = check(Visit({"XML1": (stay(),), "XML7": (paper_rows.XML7, newborn)}, facility="01032"), "1931")
    people = {one["id"]: one for one in outcome.resources if one["resourceType"] == "Patient"}
    assert len(people) == 2
    papers_of = [one["subject"]["reference"] for one in outcome.resources if one["resourceType"] == "Composition"]
    assert papers_of[0] == f"Patient/{outcome.patient_id}"
    assert people[papers_of[1].removeprefix("Patient/")]["identifier"][0]["value"] == "BN-78"


@pytest.mark.parametrize("paper", VISITS)
def test_a_clean_row_needs_nothing_kept_as_written(paper: str) -> None:
    """But for the rows of children in the mother's file: theirs are records of their own."""
    outcome = check(Visit(VISITS[paper], facility="01032"), "1931")
    whole = [dict(row) for row in TWINS] if paper == "birth_certificate" else []
    assert [kept(one) for one in outcome.resources if kept(one)] == whole
    assert outcome.notices == []


@pytest.mark.parametrize("name", ["XML0", "XML6", "XML12", "XML15"])
@pytest.mark.parametrize("alone", [True, False])
def test_a_clean_row_of_the_other_tables_needs_nothing_kept_as_written(name: str, alone: bool) -> None:
    tables = {name: (getattr(paper_rows, name),)} | ({} if alone or name in ("XML0", "XML12") else {"XML1": (stay(),)})
    outcome = check(Visit(tables, facility="01032"), "1931")
    assert [kept(one) for one in outcome.resources if kept(one)] == []


# ---- the file of the visit, written again ----

PROGRAMMES: Tables = {"XML1": (stay(),), "XML6": (paper_rows.XML6,), "XML15": (paper_rows.XML15,)}


def of_person(outcome: Outcome) -> list[Resource]:
    """Give what the gateway keeps in the record of the visit's person."""
    others = {f"Patient/{one['id']}" for one in outcome.resources if one["resourceType"] == "Patient"}
    others.discard(f"Patient/{outcome.patient_id}")
    about = ("subject", "patient")
    return [
        one
        for one in outcome.resources
        if f"Patient/{one['id']}" not in others and not others & {one.get(name, {}).get("reference") for name in about}
    ]


@pytest.mark.parametrize("tables", [*VISITS.values(), PROGRAMMES], ids=[*VISITS, "programmes"])
def test_the_tables_of_papers_and_programmes_leave_as_they_came(tables: Tables) -> None:
    outcome = outcome_of(tables)
    context = replace(samples.CONTEXT, facility=FACILITY)
    document = compose("insurance_record", f"Encounter/{outcome.encounter_id}", of_person(outcome), context)
    assert problems(document) == []
    visit, _ = record_to_file_tables(document, context, head=HEAD)
    for name in tables.keys() - {"XML1"}:
        assert [{f: text for f, text in row.items() if text} for row in visit.tables[name]] == list(tables[name])


def test_no_paper_but_the_file_of_the_visit_holds_the_programmes() -> None:
    outcome = outcome_of({**PROGRAMMES, "XML7": (paper_rows.XML7,)})
    document = compose(
        "discharge_paper",
        f"Encounter/{outcome.encounter_id}",
        outcome.resources,
        replace(samples.CONTEXT, facility=FACILITY),
    )
    assert not [entry for entry in document["entry"] if "security" in entry["resource"].get("meta", {})]


# ---- decisions ----


def test_a_referral_is_equal_fhir_under_both_decisions() -> None:
    names = {"MA_CSKCB_DI": "MA_NOI_DI", "MA_CSKCB_DEN": "MA_NOI_DEN", "TINH_TRANG_CT": "PP_DIEU_TRI"}
    old = {names.get(name, name): text for name, text in paper_rows.XML13.items()}
    read = [
        visit_to_outcome(Visit({"XML1": (stay(MA_LOAI_RV="2"),), "XML13": (row,)}, facility="01032"), decision=decision)
        for row, decision in ((old, "4750"), (paper_rows.XML13, "3176"))
    ]
    assert read[0].resources == read[1].resources
    again = record_to_visit(read[1].resources, read[1].encounter_id, decision="4750", facility="01032")
    assert again.tables["XML13"] == ({**old},)
    texts = {"TEN_DICH_VU": "Chụp phổi", "TEN_THUOC": "Ceftriaxon"}
    check(Visit({"XML1": (stay(),), "XML13": ({**old, **texts},)}, facility="01032"), "4750")


def test_a_day_to_come_back_is_equal_fhir_under_both_decisions() -> None:
    read = [
        visit_to_outcome(
            Visit({"XML1": (stay(),), "XML14": ({**paper_rows.XML14, "NGAY_HEN_KL": text},)}, facility="01032"),
            decision=decision,
        ).resources
        for text, decision in (("202608190000", "4750"), ("20260819", "3176"))
    ]
    assert read[0] == read[1]


def test_a_day_to_come_back_has_its_time_only_where_it_was_told() -> None:
    timed = {**paper_rows.XML14, "NGAY_HEN_KL": "202608190800"}
    outcome = check(Visit({"XML1": (stay(),), "XML14": (timed,)}, facility="01032"), "4750")
    (booked,) = [one for one in outcome.resources if one["resourceType"] == "Appointment"]
    assert (booked["status"], booked["start"]) == ("booked", "2026-08-19T08:00:00+07:00")
    assert not kept(booked)
    written = record_to_visit(outcome.resources, outcome.encounter_id, decision="3176", facility="01032")
    assert written.tables["XML14"][0]["NGAY_HEN_KL"] == "20260819"


# ---- from a record that did not come as XML ----


def test_the_tables_of_papers_are_written_of_a_record_told_by_messages() -> None:
    _, record = samples.sample("record_summary")
    record += [samples.field("PP_DIEUTRI", "Kháng sinh"), *samples.sample("referral")[1][-14:-12]]
    visit = record_to_visit(record, "dt1", decision="1931", facility="01999", head=HEAD)
    assert {"XML1", "XML7", "XML8", "XML13"} <= visit.tables.keys()
    assert visit.tables["XML7"][0]["PP_DIEUTRI"] == "Kháng sinh"
    assert visit.tables["XML7"][0]["MA_BS"] == "000123/HNO-CCHN"
    assert visit.tables["XML8"][0]["QT_BENHLY"].startswith("Sốt 3 ngày")
    assert visit.tables["XML13"][0]["MA_CSKCB_DEN"] == "01998"


def test_a_visit_that_goes_on_has_no_papers_yet() -> None:
    _, record = samples.sample("discharge_paper")
    next(one for one in record if one["resourceType"] == "Encounter")["status"] = "in-progress"
    assert "XML7" not in record_to_visit(record, "dt1", decision="1931", facility="01999", head=HEAD).tables


def test_a_check_in_is_made_of_the_first_charge() -> None:
    record = samples.base()
    charges = [
        {
            "resourceType": "ChargeItem",
            "id": f"vp{n}",
            "status": "billable",
            "code": samples.coded("https://x.example", code, name),
            "subject": samples.ref("Patient", "bn1"),
            "context": samples.ref("Encounter", "dt1"),
            "occurrenceDateTime": at,
        }
        for n, code, name, at in (
            (1, "22.0120", "Công thức máu", "2026-11-01T09:00:00+07:00"),
            (2, "02.1896", "Khám Nội", "2026-11-01T08:40:00+07:00"),
        )
    ]
    opened = Dossier([*record, *charges], "dt1", systems=DEFAULT, decision="1931", facility="01999")
    row = check_in(opened)
    assert (row["MA_DICH_VU"], row["TEN_DICH_VU"], row["NGAY_YL"]) == ("02.1896", "Khám Nội", "202611010840")
    assert (row["MA_LK"], row["HO_TEN"], row["MA_THE_BHYT"]) == ("DT26000042", "Đặng Thị Thuỳ Ưởng", "GD4010112345678")
    assert check_in(Dossier(record, "dt1", systems=DEFAULT, decision="1931", facility="01999")) == {}

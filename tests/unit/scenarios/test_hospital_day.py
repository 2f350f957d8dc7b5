"""The made-up day keeps what it promises: same seed same bytes, well-formed messages, and counts that can be recounted."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from datetime import date
from decimal import Decimal
from functools import cache

import pytest
from hl7apy.consts import VALIDATION_LEVEL
from hl7apy.parser import parse_message

from conformance.scenarios.event import Day, Event
from conformance.scenarios.hospital_day import hospital_day
from conformance.scenarios.load import load, oru, small_adt
from conformance.scenarios.tables import table
from mappings.documents import PAPERS


@cache
def a_day() -> Day:
    return hospital_day()


def good() -> list[Event]:
    return [event for event in a_day().events if event.expect == "accepted"]


def rows(event: Event, name: str) -> list[list[str]]:
    """Segments split by hand: field n of PID is element n; MSH is one off."""
    return [row.split("|") for row in event.raw.decode().split("\r") if row.startswith(name + "|")]


def cell(row: list[str], number: int) -> str:
    return row[number] if number < len(row) else ""


def test_same_seed_gives_the_same_bytes_and_another_seed_does_not() -> None:
    raws = [event.raw for event in a_day().events]
    assert raws == [event.raw for event in hospital_day().events]
    assert raws != [event.raw for event in hospital_day(seed=7).events]


def test_events_stand_in_the_order_of_the_clock_within_the_day() -> None:
    times = [event.at for event in a_day().events]
    assert times == sorted(times)
    assert {at.date() for at in times} == {date(2026, 11, 20)}
    assert {at.utcoffset() for at in times} == {times[0].utcoffset()} != {None}


def test_messages_of_one_patient_never_share_a_moment() -> None:
    last: dict[str, Event] = {}
    for event in good():
        for patient in event.patients:
            assert patient not in last or last[patient].at < event.at
            last[patient] = event


@pytest.mark.parametrize(("encounters", "seed"), [(60, 1), (140, 2), *((25, seed) for seed in (0, 3, 9, 75))])
def test_every_kind_of_message_occurs_at_every_size(encounters: int, seed: int) -> None:
    day = hospital_day(seed, encounters)
    counts = Counter(event.label for event in day.events)
    for label in ["A01", "A03", "A04", "A08", "A11", "A13", "A28", "A31", "A40"]:
        assert counts[f"ADT^{label}"], label
    for label in ["DFT^P03", "MDM^T02", "OMG^O19", "OML^O21", "ORU^R01", "RDE^O11", "REF^I12", "SIU^S12", "VXU^V04"]:
        assert counts[label], label
    assert Counter(event.expect for event in day.events if event.expect != "accepted") == {
        "duplicate": 3,
        "refused": 3,
        "error_queue": 1,
    }


def test_too_few_encounters_are_refused() -> None:
    with pytest.raises(ValueError, match="25"):
        hospital_day(encounters=24)


def test_control_ids_are_unique_but_for_the_repeats_and_the_reused_one() -> None:
    counts = Counter((event.stream, event.control_id) for event in a_day().events)
    again = [event for event in a_day().events if counts[event.stream, event.control_id] > 1]
    by_body = Counter(event.raw for event in again)
    assert len(again) == 8
    assert sorted(by_body.values()) == [1, 1, 2, 2, 2]
    assert all(len(event.control_id) <= 20 for event in a_day().events)
    assert all(event.raw.split(b"|")[9].decode() == event.control_id for event in a_day().events)


def test_each_answer_code_fits_what_is_expected() -> None:
    for event in a_day().events:
        enhanced = event.raw.split(b"\r")[0].split(b"|")[14:16] == [b"AL", b"NE"]
        if event.expect == "refused":
            assert event.ack in ("AE", "AR")
        else:
            assert event.ack == ("CA" if enhanced else "AA")
    assert sum(event.ack == "CA" for event in a_day().events) >= 10


def check_ins() -> set[tuple[str, str]]:
    """Count the visits of insured people, emergencies excepted, that something was ordered for, and those taken in since."""
    insured: set[str] = set()
    came_as: dict[str, str] = {}
    found: set[tuple[str, str]] = set()
    for event in good():
        for row in rows(event, "PV1"):
            visit, kind = cell(row, 19), cell(row, 2)
            if rows(event, "IN1"):
                insured.add(visit)
            if event.label in ("OML^O21", "OMG^O19", "RDE^O11"):
                came_as.setdefault(visit, kind)
                if visit in insured and kind != "E":
                    found |= {(visit, kind) for kind in ({"", "ward"} if kind != came_as[visit] else {""})}
    return found


def test_papers_can_be_recounted_from_the_messages_themselves() -> None:
    ended = {cell(rows(event, "PV1")[0], 19): event for event in good() if event.label == "ADT^A03"}
    classes = Counter(cell(rows(event, "PV1")[0], 2) for event in ended.values())
    orders: Counter[str] = Counter()
    read: set[str] = set()
    sheets, courses = set(), set()
    medicines: set[tuple[str, str]] = set()
    documents: Counter[str] = Counter()
    for event in good():
        if event.label == "ORU^R01" and event.stream == "lis":
            orders.update(row[3] for row in rows(event, "OBR") if row[25] in "FC")
        for row in rows(event, "OBR"):
            if event.label == "ORU^R01" and cell(row, 4).startswith("38/BV2"):
                sheets.add(cell(rows(event, "PV1")[0], 19))
            elif event.label == "ORU^R01" and event.stream == "his":
                read.add(row[3])
        for row in rows(event, "TXA"):
            documents[row[2].split("^")[0]] += 1
            if row[2].startswith("36/BV2"):
                courses.add(cell(rows(event, "PV1")[0], 19))
        medicines |= {(event.control_id, row[15][-1]) for row in rows(event, "RXE")}
    labels = Counter(event.label for event in good())
    by_class = Counter(letter for _, letter in medicines)
    fields = Counter(row[3].split("^")[0] for event in good() for row in rows(event, "OBX"))
    assert a_day().expected_papers() == {
        "discharge_paper": classes["I"] + classes["E"],
        "record_summary": classes["I"] - 1,
        "health_summary": classes.total(),
        "insurance_check_in": len({visit for visit, _ in check_ins()}),
        "insurance_record": classes.total(),
        "referral": labels["REF^I12"],
        "reexamination": labels["SIU^S12"],
        "lab_report": len(orders),
        "imaging_report": len(read),
        "order_sheet": labels["OML^O21"] + labels["OMG^O19"],
        "care_sheet": len(sheets),
        "treatment_sheet": len(courses),
        "consultation_minutes": documents["27/BV2"],
        "procedure_report": documents["OP"],
        "prescription": by_class["c"],
        "prescription_narcotic": by_class["n"],
        "prescription_psychotropic": by_class["h"],
        "immunization_record": labels["VXU^V04"],
        "birth_certificate": fields["MA_GCS"],
        "death_notice": fields["MA_GBT"],
        "leave_paper": fields["SO_NGAY_NGHI"],
        "maternity_rest_paper": fields["SO_NGAY"],
    }
    assert a_day().expected_gaps() == {"record_summary": 1}
    assert a_day().expected_versions()["lab_report"] == orders.total() == len(orders) + 1
    assert a_day().expected_versions()["insurance_check_in"] == len(check_ins())
    assert labels["ADT^A03"] == len(ended) + labels["ADT^A13"]
    assert a_day().expected_versions()["health_summary"] == labels["ADT^A03"] + labels["ADT^A13"]


@pytest.mark.parametrize(("encounters", "seed"), [(60, 20261121), (25, 3)])
def test_every_kind_of_paper_becomes_due(encounters: int, seed: int) -> None:
    made = hospital_day(seed, encounters).expected_papers()
    assert set(made) == set(PAPERS)
    assert all(made.values())


def test_the_paper_that_lacks_something_belongs_to_a_discharge_without_the_course() -> None:
    (event,) = [event for event in good() if any(paper.act == "lack" for paper in event.papers)]
    assert event.label == "ADT^A03"
    assert "QT_BENHLY" not in {row[3].split("^")[0] for row in rows(event, "OBX")}


def test_the_preliminary_results_make_no_paper() -> None:
    early = [event for event in good() if any(row[25] == "P" for row in rows(event, "OBR"))]
    assert early
    assert not any(event.papers for event in early)


def test_every_discharge_carries_what_the_paper_prints() -> None:
    for event in good():
        if event.label != "ADT^A03":
            continue
        pid, pv1 = rows(event, "PID")[0], rows(event, "PV1")[0]
        assert all(cell(pid, number) for number in (3, 5, 7, 8, 11, 22))
        assert cell(pv1, 44) < cell(pv1, 45)
        assert cell(pv1, 36)
        assert any(row[6] == "F" and row[15] == "1" for row in rows(event, "DG1"))
        fields = {row[3].split("^")[0]: row[5] for row in rows(event, "OBX")}
        assert fields["PP_DIEUTRI"]
        assert fields["LOI_DAN" if "MA_GBT" not in fields else "NGUYENNHAN_TV"]
        assert fields["MA_NGHE_NGHIEP"]


def test_every_visit_that_ends_is_charged_for() -> None:
    billed = {cell(rows(event, "PV1")[0], 19): event for event in good() if event.label == "DFT^P03"}
    ended = {cell(rows(event, "PV1")[0], 19) for event in good() if event.label == "ADT^A03"}
    assert billed.keys() == ended
    for event in billed.values():
        numbers = [row[2] for row in rows(event, "FT1")]
        assert len(set(numbers)) == len(numbers)
        for row in rows(event, "FT1"):
            assert Decimal(row[10]) * Decimal(row[12]) == Decimal(row[11])
            assert Decimal(row[15]) in (0, Decimal(row[11]))
            assert row[7].endswith("^MA_NHOM")


def test_every_referral_carries_what_annex_vi_asks_for() -> None:
    wanted = {
        "DAU_HIEU_LS",
        "TOMTAT_KQ",
        "PP_DIEUTRI",
        "TINH_TRANG_CT",
        "HUONG_DIEU_TRI",
        "MA_LYDO_CT",
        "PHUONGTIEN_VC",
    }
    for event in good():
        if event.label == "REF^I12":
            assert wanted <= {row[3].split("^")[0] for row in rows(event, "OBX") if row[5]}
            assert [row[1].split("^")[0] for row in rows(event, "PRD")] == ["RP", "RT"]
            assert rows(event, "RF1")[0][6]
            assert rows(event, "DG1")


def test_every_insured_person_of_a_slip_was_registered_with_the_card_before() -> None:
    cards: set[str] = set()
    for event in good():
        number = rows(event, "PID")[0][3]
        if rows(event, "IN1"):
            cards.add(number)
        elif event.label == "SIU^S12" and "^^^BHXH^HC" in number:
            assert number in cards


KINDS = (
    *("ADT^A01", "ADT^A03", "ADT^A31", "ADT^A40", "DFT^P03", "MDM^T02", "OMG^O19", "OML^O21", "ORU^R01"),
    *("REF^I12", "SIU^S12", "VXU^V04"),
)
"""Without RDE^O11: hl7apy takes the timing behind RXE for the one that may stand behind ORC, and misses it where it is."""


@pytest.mark.parametrize("label", KINDS)
def test_hl7apy_finds_every_segment_where_the_standard_wants_it(
    label: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    sent = [event for event in good() if event.label == label]
    if label == "OML^O21":
        sent = [event for event in sent if len(rows(event, "ORC")) == 1]  # hl7apy puts a second one into a wrong group
    sample = [*sent[:3], *(event for event in sent if event.stream == "his" and label == "ORU^R01"), *sent[-1:]][:6]
    assert sample
    for event in sample:
        text = event.raw.decode()
        message = parse_message(text, validation_level=VALIDATION_LEVEL.TOLERANT, find_groups=True)
        assert message.name == text.split("|")[8].split("^")[2]
        report = tmp_path_factory.mktemp("hl7apy") / "report.txt"
        assert message.validate(report_file=str(report))
        assert "Error" not in report.read_text(encoding="utf-8")
        assert message.to_er7().rstrip("\r") == text.rstrip("\r") or "\\.br\\" in text


def test_everything_is_nfc_and_ends_lines_with_carriage_returns_only() -> None:
    for event in good():
        text = event.raw.decode()
        assert unicodedata.is_normalized("NFC", text)
        assert "\n" not in text
        assert text.endswith("\r")


def test_names_of_many_peoples_occur_among_them_compound_families_and_a_single_token() -> None:
    patients = {row[3]: row for event in good() for row in rows(event, "PID")}.values()
    assert len({cell(row, 22) for row in patients}) >= 10
    families = {row[5].split("^")[0] for row in patients}
    assert "" in families, "a single token stands in the given name alone"
    assert any(" " in family for family in families)


def test_personal_numbers_are_plausible_and_cards_come_in_three_lengths() -> None:
    provinces = {row["old_province_code"] for row in table("communes")}
    lengths = set()
    for event in good():
        for pid in rows(event, "PID"):
            kinds = {part.split("^")[4]: part.split("^")[0] for part in pid[3].split("~")}
            if number := kinds.get("NI"):
                year, sex = int(pid[7][:4]), pid[8]
                assert re.fullmatch(r"\d{12}", number)
                assert number[:3] in provinces
                assert int(number[3]) == (year // 100 - 19) * 2 + (sex == "F")
                assert number[4:6] == f"{year % 100:02d}"
            if card := kinds.get("HC"):
                lengths.add(len(card))
                assert re.fullmatch(r"[A-Z]{2}\d{13}|\d{10}|\d{12}", card)
    assert lengths == {10, 12, 15}


def test_results_keep_their_zeros_and_flags_agree_with_the_reference_range() -> None:
    zeros = 0
    for event in good():
        for row in rows(event, "OBX"):
            if event.stream == "lis" and row[2] == "NM":
                zeros += bool(re.search(r"\.\d*0$", row[5]))
                low, high = map(float, row[7].split("-"))
                assert row[8][0] == ("L" if float(row[5]) < low else "H" if float(row[5]) > high else "N")
    assert zeros > 20


def test_faults_are_what_their_notes_say() -> None:
    found = {event.note.split(" ", maxsplit=1)[0]: event for event in a_day().events if event.expect != "accepted"}
    with pytest.raises(UnicodeDecodeError):
        found["declares"].raw.decode()
    assert b"UNICODE UTF-8" in found["declares"].raw
    assert b"PID" not in found["cut"].raw
    assert not found["cut"].raw.endswith(b"\r")
    assert found["message"].ack == "AR"
    reused = found["control"]
    original = next(event for event in good() if event.control_id == reused.control_id)
    assert original.raw != reused.raw
    assert original.at < reused.at
    strangers = [event for event in good() if b"\rZBV|" in event.raw]
    assert len(strangers) == 1


def test_a_merge_names_both_numbers_and_the_old_one_is_silent_afterwards() -> None:
    merges = [event for event in good() if event.label == "ADT^A40"]
    assert len(merges) == 2
    assert any(event.patients[1].startswith("VD-01999-") for event in merges)
    for event in merges:
        old = event.patients[1]
        assert rows(event, "MRG")[0][1].startswith(old)
        assert any(old in other.patients and other.at < event.at for other in good())
        assert not any(old in other.patients and other.at > event.at for other in good())


def test_load_gives_distinct_messages_of_a_bounded_pool() -> None:
    made = list(load(3000, seed=3))
    assert made == list(load(3000, seed=3))
    ids = {raw.split(b"|")[9] for raw in made}
    assert len(ids) == len(made) == 3000
    assert not ids & {raw.split(b"|")[9] for raw in load(100, seed=11)}
    patients = {raw.split(b"\rPID|", 1)[1].split(b"|")[2] for raw in made}
    assert 100 < len(patients) <= 400


def test_benchmark_messages_have_their_size() -> None:
    assert 4000 < len(oru(30)) < 4800
    assert oru(200).count(b"\rOBX|") == 200
    assert 500 < len(small_adt()) < 1200
    assert oru(30, 1) != oru(30, 2)
    assert small_adt(1) != small_adt(2)
    for raw in (oru(3), small_adt(), next(load(1, seed=1))):
        assert parse_message(raw.decode(), find_groups=True).validate()

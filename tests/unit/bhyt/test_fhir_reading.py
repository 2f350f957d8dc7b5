"""What a visit becomes: nothing of a clean one is only kept as written, and its ids are those HL7 v2 gives the same numbers."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from gateway.records.content import clear, overlay
from mappings.bhyt import facts
from mappings.bhyt.fhir import record_to_visit, visit_to_outcome
from mappings.bhyt.fhir.as_written import kept
from mappings.bhyt.sheet import Sheet
from mappings.bhyt.tables import table
from mappings.bhyt.visits import Visit, read_visits
from mappings.documents.record import Record
from mappings.hl7v2 import targets
from mappings.outcome import Outcome, Resource
from mappings.systems import DEFAULT, LOINC
from tests.unit.bhyt import clean
from tests.unit.bhyt.test_fhir_lossless import check
from tests.unit.hl7v2.samples import line, mapped

KEPT: dict[str, dict[str, set[str]]] = {"outpatient": {}, "inpatient": {}, "newborn": {}, "uninsured": {}}
"""Visit → main resource → the fields of a clean visit that no element of FHIR gives back; none so far."""


def outcome_of(visit: Visit) -> Outcome:
    (read,) = read_visits(clean.file_of(visit))
    return visit_to_outcome(read)


def of_type(outcome: Outcome, resource_type: str) -> list[Resource]:
    return [one for one in outcome.resources if one["resourceType"] == resource_type]


def found_by(resources: list[Resource], loinc: str) -> Resource:
    return next(
        one
        for one in resources
        if any(c.get("system") == LOINC and c["code"] == loinc for c in one["code"].get("coding", []))
    )


@pytest.mark.parametrize("name", clean.VISITS)
def test_a_clean_visit_is_understood_whole(name: str) -> None:
    outcome = outcome_of(clean.VISITS[name]())
    assert outcome.notices == []
    assert outcome.coverage.unknown == {} == outcome.coverage.ignored
    written = {one["resourceType"]: set(kept(one)) for one in outcome.resources if kept(one)}
    assert written == KEPT[name]


@pytest.mark.parametrize("name", clean.VISITS)
def test_a_clean_visit_comes_back_equal(name: str) -> None:
    (read,) = read_visits(clean.file_of(clean.VISITS[name]()))
    check(read, "3176")


@pytest.mark.parametrize("name", clean.VISITS)
def test_every_field_is_where_the_account_says(name: str) -> None:
    outcome = outcome_of(clean.VISITS[name]())
    places = targets.Places(outcome)
    missing = {at: target for at, target in outcome.coverage.mapped.items() if not places.of(at, target)}
    assert missing == {}


@pytest.mark.parametrize("name", clean.VISITS)
def test_the_file_of_one_decision_reads_as_that_of_another(name: str) -> None:
    """QĐ 4750 and QĐ 3176 differ in sizes of these tables alone."""
    visit = clean.VISITS[name]()
    (old,), (new,) = (list(read_visits(clean.file_of(visit, decision))) for decision in ("4750", "3176"))
    first, second = visit_to_outcome(old, decision="4750"), visit_to_outcome(new, decision="3176")
    assert first.resources == second.resources
    assert first.coverage == second.coverage


def test_a_visit_of_both_interfaces_is_one_record() -> None:
    """ADT and XML name the same person, visit, card, facility, ward and doctor by the same numbers."""
    told = mapped(
        "ADT^A03",
        "PID|1||BN-26-0107^^^01032^PI~001185000107^^^CCCD^NI||Nguyễn Thị Mẫu||19850412|F",
        "PD1|||Bệnh viện Mẫu^^01032",
        line("PV1", f1="1", f2="O", f3="K01", f7="000123/HNO-GPHN^Trần^Thử", f19="LK-26-000107", f44="202603090730"),
        line("IN1", f1="1", f2="BHYT", f12="20260101", f13="20261231", f36="DN4010123456107"),
        line("OBX", f1="1", f2="TX", f3="GHI_CHU^Ghi chú^QD3176", f5="Uống thuốc theo đơn", f11="F"),
    )
    outcome = outcome_of(clean.outpatient())
    assert (outcome.patient_id, outcome.encounter_id) == (told.patient_id, told.encounter_id)
    ours = {f"{one['resourceType']}/{one['id']}" for one in outcome.resources}
    shared = {"Patient", "Encounter", "Coverage", "Practitioner", "Location", "Observation"}
    theirs = {f"{one['resourceType']}/{one['id']}" for one in told.resources if one["resourceType"] in shared}
    assert {reference.partition("/")[0] for reference in theirs} == shared
    assert theirs - ours == set()
    facility = next(one for one in of_type(told, "Organization") if one["identifier"][0]["system"] == DEFAULT.facility)
    assert f"Organization/{facility['id']}" in ours


def test_papers_find_the_diagnoses_and_the_fields_they_ask_for() -> None:
    outcome = outcome_of(clean.inpatient())
    record = Record(list(outcome.resources), DEFAULT)
    encounter = record.get(f"Encounter/{outcome.encounter_id}")
    assert encounter is not None
    codes = [one["code"]["coding"][0]["code"] for one in record.diagnoses(encounter)]
    assert codes == ["K35.3", "I10", "E11.9"]
    assert [one["code"]["text"] for one in record.admission_diagnoses(encounter)] == ["Theo dõi viêm ruột thừa cấp"]
    assert record.field("PP_DIEUTRI", encounter) == "Cắt ruột thừa nội soi; kháng sinh"
    assert record.coded_field("KET_QUA_DTRI", encounter) == ("1", "Khỏi")
    assert [card["subscriberId"] for card in record.cards("2026-03-01", "2026-03-05")] == ["DN4010123456107"]


def test_the_words_of_a_diagnosis_are_shared_out_when_there_is_one_for_each_code() -> None:
    conditions = of_type(outcome_of(clean.outpatient()), "Condition")
    said = {one["code"]["coding"][0]["code"]: one["code"]["text"] for one in conditions if "coding" in one["code"]}
    assert said == {"J20": "Viêm phế quản cấp", "I10": "Tăng huyết áp vô căn"}


def test_a_line_carries_its_whole_cost() -> None:
    items = of_type(outcome_of(clean.inpatient()), "ChargeItem")
    bed = next(one for one in items if one["code"].get("text", "").startswith("Giường"))
    line_told = next(one for one in bed["extension"] if one["url"].endswith("/qd3176-line"))["extension"]
    shares = {one["url"]: one["valueMoney"]["value"] for one in line_told if "valueMoney" in one}
    assert (shares["T_BHTT"], shares["T_BNCCT"]) == (Decimal("197920"), Decimal("49480"))
    assert bed["priceOverride"] == {"value": Decimal("247400"), "currency": "VND"}
    places = [one["display"] for one in bed["supportingInformation"]]
    assert places == ["H012"]


def test_a_note_gives_its_vital_signs() -> None:
    outcome = outcome_of(clean.inpatient())
    signs = [
        one
        for one in of_type(outcome, "Observation")
        if one.get("effectiveDateTime", "").startswith("2026-03-02T08:45")
    ]
    pulse, pressure = found_by(signs, "8867-4"), found_by(signs, "85354-9")
    assert pulse["valueQuantity"]["value"] == Decimal(82)
    assert [part["valueQuantity"]["value"] for part in pressure["component"]] == [Decimal(120), Decimal(72)]
    assert found_by(signs, "8310-5")["valueQuantity"]["value"] == Decimal("37.2")


def test_results_of_a_service_make_one_report_based_on_its_order() -> None:
    outcome = outcome_of(clean.outpatient())
    blood = next(one for one in of_type(outcome, "DiagnosticReport") if "máu ngoại vi" in one["code"]["text"])
    assert len(blood["result"]) == 6
    order = next(one for one in of_type(outcome, "ServiceRequest") if one["code"] == blood["code"])
    assert blood["basedOn"] == [{"reference": f"ServiceRequest/{order['id']}"}]
    values = {
        one["code"]["text"]: one.get("valueQuantity", {}) for one in of_type(outcome, "Observation") if "basedOn" in one
    }
    assert str(values["Số lượng bạch cầu"]["value"]) == "11.20"
    assert values["Creatinin máu"]["comparator"] == "<"


def test_a_newborn_has_the_time_of_birth_and_both_cards_in_their_order() -> None:
    outcome = outcome_of(clean.newborn())
    (child,) = of_type(outcome, "Patient")
    assert child["birthDate"] == "2026-02-22"
    assert child["_birthDate"]["extension"][0]["valueDateTime"] == "2026-02-22T03:15:00+07:00"
    (claim,) = of_type(outcome, "Claim")
    cards = {f"Coverage/{one['id']}": one for one in of_type(outcome, "Coverage")}
    listed = [cards[one["coverage"]["reference"]]["subscriberId"] for one in claim["insurance"]]
    assert listed == ["TE1010000000309", "TE1010123450309"]


@pytest.mark.parametrize(
    ("change", "field", "unknown"),
    [
        ({"NGAY_RA": "202613091020"}, "NGAY_RA", True),
        ({"GT_THE_TU": "20260101;20260201"}, "GT_THE_TU", True),
        ({"CAN_NANG": "54,5"}, "CAN_NANG", True),
        ({"T_BHTT": "0100"}, "T_BHTT", True),
        ({"SO_CCCD": "12345"}, "SO_CCCD", True),
        ({"NGAY_SINH": "19850412"}, "NGAY_SINH", False),
    ],
)
def test_what_is_in_another_form_is_kept_as_written(change: dict[str, str], field: str, unknown: bool) -> None:
    visit = clean.outpatient()
    row = visit.one("XML1") | change
    outcome = visit_to_outcome(Visit({**visit.tables, "XML1": (row,)}, facility=clean.FACILITY))
    (claim,) = of_type(outcome, "Claim")
    assert kept(claim)[field] == change[field]
    assert (f"XML1/{field}" in outcome.coverage.unknown) is unknown
    assert [(one.code, one.where) for one in outcome.notices] == ([(3308, f"XML1/{field}")] if unknown else [])


def test_an_oddity_of_the_file_is_a_notice() -> None:
    data = clean.file_of(clean.outpatient()).replace(b"<LOAIHOSO>XML2</LOAIHOSO>", b"<LOAIHOSO>XML3</LOAIHOSO>", 1)
    (read,) = read_visits(data)
    assert [(one.code, one.detail) for one in visit_to_outcome(read).notices] == [(3307, "foreign")]


def test_a_table_that_cannot_be_read_is_said_to_be_lost() -> None:
    data = clean.file_of(clean.outpatient()).replace(b"<NOIDUNGFILE>", b"<NOIDUNGFILE>@@@@", 1)
    (read,) = read_visits(data)
    outcome = visit_to_outcome(read)
    assert [(one.code, one.where) for one in outcome.notices] == [(3311, "HOSO[1]/FILEHOSO[1]")]


def test_the_same_medicine_is_one_medication() -> None:
    outcome = outcome_of(clean.inpatient())
    assert len(of_type(outcome, "Medication")) == 5
    assert len(of_type(outcome, "MedicationAdministration")) == 21


def test_a_second_file_of_the_visit_gives_the_same_resources() -> None:
    first, second = (outcome_of(clean.inpatient()) for _ in range(2))
    assert first.resources == second.resources


def test_lines_that_a_correction_drops_do_not_come_back() -> None:
    """The record keeps what the first file made; the second file says how many lines there are."""
    whole = clean.outpatient()
    fewer = Visit(
        {
            name: rows[:-1] if name in ("XML2", "XML4") else rows
            for name, rows in whole.tables.items()
            if name != "XML3"
        },
        facility=clean.FACILITY,
    )
    record: dict[str, Resource] = {}
    for visit in (whole, fewer):
        outcome = outcome_of(visit)
        record |= {f"{one['resourceType']}/{one['id']}": one for one in outcome.resources}
    back = record_to_visit(list(record.values()), outcome.encounter_id, decision="3176", facility=clean.FACILITY)
    assert {name: len(rows) for name, rows in back.tables.items()} == {"XML1": 1, "XML2": 3, "XML4": 9}


def test_a_correction_takes_back_what_a_row_no_longer_tells() -> None:
    """As the record does it: the new resource is laid over the old one, then what is cleared is taken out."""
    right = clean.outpatient()
    drug, *others = right.tables["XML2"]
    slip = drug | {"SO_LUONG": "hai mươi", "MA_KHOA": "K01", "DU_PHONG": "x", "NGAY_TH_YL": "20260309"}
    corrected = drug | {"MA_KHOA": "", "DU_PHONG": ""}
    record: dict[str, Resource] = {}
    for row in (slip, corrected):
        outcome = visit_to_outcome(Visit({**right.tables, "XML2": (row, *others)}, facility=clean.FACILITY))
        for one in outcome.resources:
            reference = f"{one['resourceType']}/{one['id']}"
            laid = overlay(record.get(reference, one), one, overwrite=True)
            for path in outcome.cleared.get(reference, ()):
                assert not targets.present(one, path)
                clear(laid, path)
            record[reference] = laid
    back = record_to_visit(list(record.values()), outcome.encounter_id, decision="3176", facility=clean.FACILITY)
    assert back.tables["XML2"][0] == {field: text for field, text in corrected.items() if text}


def test_papers_take_times_told_as_such() -> None:
    outcome = outcome_of(clean.inpatient())
    record = Record(list(outcome.resources), DEFAULT)
    encounter = record.get(f"Encounter/{outcome.encounter_id}")
    assert encounter is not None
    sheet = Sheet(record, DEFAULT, {}, {}, encounter, encounter, "")
    assert facts.admitted_at(sheet) == "202603010930"


def test_what_no_table_tells_of_the_visit_is_assumed() -> None:
    outcome = visit_to_outcome(Visit({"XML4": ({"MA_LK": "LK-1", "TEN_CHI_SO": "Glucose"},)}, facility=clean.FACILITY))
    assert outcome.assumed == {f"Encounter/{outcome.encounter_id}": ("status", "class")}


def shown(make: Callable[[], Visit], decision: str) -> dict[str, Any]:
    outcome = outcome_of(make())
    back = record_to_visit(list(outcome.resources), outcome.encounter_id, decision=decision, facility=clean.FACILITY)
    return dict(back.tables)


def test_an_older_decision_gets_its_own_fields() -> None:
    tables = shown(clean.inpatient, "130")
    known = {field.name for field in table("XML2", "130").fields}
    assert "NGAY_TH_YL" not in known
    assert {field for row in tables["XML2"] for field in row} <= known
    assert "NHOM_MAU" not in tables["XML1"][0]

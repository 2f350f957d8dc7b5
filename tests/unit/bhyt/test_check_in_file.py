"""The XML0 of a check-in: of an order or a charge, with its place for the signature, and as it came where it came as XML."""

from __future__ import annotations

from typing import Any

import pytest

from mappings.bhyt.check_in_file import CHECK_IN, check_in_file
from mappings.bhyt.faults import PaperNotInsured, VisitBlocked
from mappings.bhyt.fhir import visit_to_outcome
from mappings.bhyt.settings import Settings
from mappings.bhyt.visits import Visit, read_visits
from mappings.documents import compose, subjects
from mappings.outcome import Resource
from mappings.systems import DEFAULT
from tests.unit.bhyt.test_fhir_papers import of_person
from tests.unit.documents.samples import CONTEXT, charge, coded, field, sample, without
from tests.unit.documents.test_insurance_check_in import VISIT, WARD, admitted, medicine, order, record

NAMED = ("MA_DICH_VU", "TEN_DICH_VU", "MA_THUOC", "TEN_THUOC", "MA_VAT_TU", "TEN_VAT_TU")


def written(resources: list[Resource], subject: str = VISIT, **settings: Any) -> Visit:
    document = compose(CHECK_IN, subject, resources, CONTEXT)
    (visit,) = read_visits(check_in_file(document, CONTEXT, settings=Settings(**settings)))
    return visit


def row(resources: list[Resource], subject: str = VISIT) -> dict[str, str]:
    visit = written(resources, subject)
    assert list(visit.tables) == ["XML0"]
    assert visit.oddities == ()
    (found,) = visit.tables["XML0"]
    return found


def of(cost: Resource) -> list[Resource]:
    return record(cost, left_out=("ChargeItem/cp1",))


def test_it_names_the_visit_the_card_and_the_first_cost() -> None:
    found = row(record())
    assert {name: found[name] for name in (*NAMED[:2], "NGAY_YL", "MA_THE_BHYT", "GT_THE_DEN", "MA_DOITUONG_KCB")} == {
        "MA_DICH_VU": "03.1703",
        "TEN_DICH_VU": "Khám nội",
        "NGAY_YL": "202611010840",
        "MA_THE_BHYT": "GD4010112345678",
        "GT_THE_DEN": "20261231",
        "MA_DOITUONG_KCB": "1.1",
    }
    assert (found["STT"], found["MA_LOAI_KCB"], found["MA_CSKCB"], found["NGAY_VAO"]) == (
        "1",
        "01",
        "01999",
        "202611010830",
    )


_DRUG = {"medicationCodeableConcept": coded("https://his.example", "40.2", "Paracetamol 500 mg")}


def group(code: str) -> dict[str, Any]:
    value = coded(f"{DEFAULT.national}/CodeSystem/vn-qd3176-cost-group-cs", code)
    return {"extension": [{"url": f"{DEFAULT.own}/StructureDefinition/cost-group", "valueCodeableConcept": value}]}


@pytest.mark.parametrize(
    ("cost", "named"),
    [
        (order("yl1", "2026-11-01T08:45:00+07:00"), {"MA_DICH_VU": "22.0120", "TEN_DICH_VU": "Công thức máu"}),
        (
            medicine("yl2", "2026-11-01T08:45:00+07:00") | _DRUG,
            {"MA_THUOC": "40.2", "TEN_THUOC": "Paracetamol 500 mg"},
        ),
        (
            charge("cp3", "40.30", "Amlodipin 5 mg", "10", "1250") | group("4"),
            {"MA_THUOC": "40.30", "TEN_THUOC": "Amlodipin 5 mg"},
        ),
        (
            charge("cp4", "", "", "1", "5000")
            | group("10")
            | {
                "code": {"text": "Vật tư"},
                "productCodeableConcept": coded("https://his.example", "N02.01", "Bơm tiêm 5 ml"),
            },
            {"MA_VAT_TU": "N02.01", "TEN_VAT_TU": "Bơm tiêm 5 ml"},
        ),
    ],
)
def test_exactly_one_thing_is_named_with_its_name(cost: Resource, named: dict[str, str]) -> None:
    found = row(of(cost))
    assert {name: found[name] for name in NAMED if found[name]} == named


@pytest.mark.parametrize("told", [admitted(), field("NGAY_VAO_NOI_TRU", "202611011000")], ids=["time", "digits"])
def test_that_of_the_ward_names_what_was_ordered_there_and_the_admission(told: Resource) -> None:
    ordered = order("yl1", "2026-11-01T10:20:00+07:00", "X-quang ngực")
    taken = charge("cp5", "18.0119", "X-quang ngực", "1", "70000", occurrenceDateTime="2026-11-01T10:30:00+07:00")
    taken["supportingInformation"] = [{"reference": "ServiceRequest/yl1"}]
    resources = record(ordered, taken, told, field("LY_DO_VNT", "Viêm phổi, cần điều trị nội trú"))
    found = row(resources)
    assert (found["TEN_DICH_VU"], found["NGAY_VAO_NOI_TRU"], found["LY_DO_VNT"]) == ("Khám nội", "", "")
    found = row(resources, WARD)
    assert (found["TEN_DICH_VU"], found["NGAY_YL"], found["NGAY_VAO_NOI_TRU"]) == (
        "X-quang ngực",
        "202611011020",
        "202611011000",
    )


def test_what_the_portal_would_refuse_is_not_sent() -> None:
    nameless = of(order("yl1", "2026-11-01T08:45:00+07:00", code={"text": "Công thức máu"}))
    with pytest.raises(VisitBlocked) as blocked:
        written(nameless)
    assert (blocked.value.where, blocked.value.detail) == ("XML0[1]/MA_DICH_VU", "1: B0-001")
    assert written(nameless, check="off").one("XML0")["MA_DICH_VU"] == ""


def test_one_that_came_as_xml_goes_as_it_came() -> None:
    first = row(record())
    outcome = visit_to_outcome(Visit({"XML0": (first,)}), systems=DEFAULT, facility="01999")
    (subject,) = subjects(CHECK_IN, outcome.resources)
    assert row(of_person(outcome), subject) == first


def test_no_other_document_is_taken_for_one() -> None:
    subject, resources = sample("immunization_record")
    document = compose("immunization_record", subject, without(resources), CONTEXT)
    with pytest.raises(PaperNotInsured):
        check_in_file(document, CONTEXT)

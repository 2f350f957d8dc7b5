"""Which messages are mapped, which are refused, and that the same one gives the same."""

from __future__ import annotations

import pytest

from mappings.formats import er7
from mappings.hl7v2 import Context, known, map_message, trigger_of
from mappings.hl7v2.faults import MissingField, MissingSegment, TwoPatients, UnsupportedMessage
from mappings.hl7v2.messages import mappers
from tests.unit.hl7v2.samples import CONTEXT, PID, PV1, every, line, mapped, only, raw


def test_the_triggers_served() -> None:
    adt = {f"ADT^A{event}" for event in ("01", "03", "04", "08", "11", "13", "28", "31", "40")}
    assert adt | {"ORU^R01", "REF^I12", "SIU^S12"} <= set(mappers())
    assert known("ADT^A01")
    assert not known("ADT^A99")


def test_event_of_evn_stands_in_for_msh_9_2() -> None:
    message = er7.Message.parse(raw("ADT", "EVN|A03", PID, PV1))
    assert trigger_of(message) == "ADT^A03"
    assert only(map_message(message, CONTEXT), "Encounter")["status"] == "finished"


def test_an_unknown_type_is_refused() -> None:
    with pytest.raises(UnsupportedMessage) as caught:
        mapped("ZZZ^Z01", PID)
    assert caught.value.where == "MSH-9"


def test_an_unknown_type_does_not_carry_what_the_sender_wrote_into_the_fault() -> None:
    with pytest.raises(UnsupportedMessage) as caught:
        mapped("Nguyễn Thị Hoa^1985", PID)
    assert caught.value.detail == ""


@pytest.mark.parametrize("trigger", ["ADT^A01", "ORU^R01", "OML^O21", "OUL^R22"])
def test_without_pid_nothing_can_be_said_of_a_person(trigger: str) -> None:
    with pytest.raises(MissingSegment) as caught:
        mapped(trigger, PV1, *(["ORC|NW|P1"] if trigger == "ADT^A01" else []))
    assert caught.value.where in ("PID", "ORC")


def test_two_people_in_one_message() -> None:
    with pytest.raises(TwoPatients) as caught:
        mapped("ADT^A08", PID, PV1, "PID|2||BN2^^^01032^PI||Trần^Bình")
    assert caught.value.where == "PID[2]-3"


def test_the_same_person_twice_is_one_patient() -> None:
    outcome = mapped("ORU^R01", PID, "OBR|1||F1|A", "PID|2||BN1^^^01032^PI||||||||||0912", "OBR|2||F2|A")
    assert only(outcome, "Patient")["name"][0]["text"] == "Nguyễn Thị Hoa"
    assert len(every(outcome, "DiagnosticReport")) == 2


def test_the_same_message_gives_the_same_resources() -> None:
    segments = (PID, PV1, "DG1|1||J18.9^Viêm phổi^ICD10|||A", "OBX|1|NM|8310-5^Thân nhiệt^LN||36.80|Cel|||||F")
    assert mapped("ADT^A01", *segments) == mapped("ADT^A01", *segments)


def test_the_control_id_is_in_no_id_when_business_numbers_are_there() -> None:
    segments = (PID, PV1, "DG1|1||J18.9^Viêm phổi^ICD10|||A", "NK1|1|Trần^Bình|SPO")
    first, second = mapped("ADT^A01", *segments, control_id="C1"), mapped("ADT^A08", *segments, control_id="C2")
    assert {r["id"] for r in first.resources} == {r["id"] for r in second.resources}
    assert not first.notices


def test_a_visit_without_any_number_is_noticed() -> None:
    outcome = mapped("ADT^A01", PID, "PV1|1|I|NOI")
    assert [(notice.code, notice.where) for notice in outcome.notices] == [(3123, "PV1")]


def test_the_message_id_becomes_the_source_of_every_resource() -> None:
    outcome = mapped("ADT^A01", PID, PV1, context=Context("01032", message_id="0b1e"))
    assert {r["meta"]["source"] for r in outcome.resources} == {"urn:uuid:0b1e"}
    assert all("meta" not in r for r in mapped("ADT^A01", PID, PV1).resources)


def test_outcome_names_patient_and_encounter() -> None:
    outcome = mapped("ADT^A01", PID, PV1)
    assert outcome.patient_id == only(outcome, "Patient")["id"]
    assert outcome.encounter_id == only(outcome, "Encounter")["id"]
    assert mapped("ADT^A28", PID, "PV1|1|N").encounter_id is None


@pytest.mark.parametrize(
    ("trigger", "extra", "status"),
    [
        ("ADT^A01", {}, "in-progress"),
        ("ADT^A01", {"f2": "P"}, "planned"),
        ("ADT^A03", {}, "finished"),
        ("ADT^A04", {}, "in-progress"),
        ("ADT^A08", {}, "in-progress"),
        ("ADT^A08", {"f45": "20261108"}, "finished"),
        ("ADT^A11", {}, "cancelled"),
        ("ADT^A13", {"f45": "20261108"}, "in-progress"),
        ("ORU^R01", {}, "unknown"),
        ("ORU^R01", {"f45": "20261108"}, "finished"),
    ],
)
def test_status_of_the_visit(trigger: str, extra: dict[str, str], status: str) -> None:
    pv1 = line("PV1", **{"f2": "I", "f19": "V1", "f44": "20261103", **extra})
    encounter = only(mapped(trigger, PID, pv1), "Encounter")
    assert encounter["status"] == status
    if trigger == "ADT^A13":
        assert "end" not in encounter["period"]


def test_merge_links_both_ways() -> None:
    outcome = mapped("ADT^A40", PID, "MRG|BN9^^^01032^PI")
    (change,) = outcome.identity
    assert change.kind == "merge"
    survivor, replaced = change.kept.removeprefix("Patient/"), change.other.removeprefix("Patient/")
    patients = {patient["id"]: patient for patient in every(outcome, "Patient")}
    assert outcome.patient_id == survivor
    assert patients[survivor]["link"] == [{"other": {"reference": f"Patient/{replaced}"}, "type": "replaces"}]
    assert patients[replaced]["active"] is False
    assert patients[replaced]["link"] == [{"other": {"reference": f"Patient/{survivor}"}, "type": "replaced-by"}]


def test_merge_gives_the_id_the_replaced_person_had() -> None:
    before = mapped("ADT^A01", "PID|1||BN9^^^01032^PI||Nguyễn^Hoa", PV1).patient_id
    (change,) = mapped("ADT^A40", PID, "MRG|BN9^^^01032^PI").identity
    assert change.other == f"Patient/{before}"


def test_merge_without_mrg_and_with_itself() -> None:
    with pytest.raises(MissingSegment):
        mapped("ADT^A40", PID)
    with pytest.raises(TwoPatients):
        mapped("ADT^A40", PID, "MRG|BN1^^^01032^PI")
    with pytest.raises(MissingField):
        mapped("ADT^A40", PID, "MRG|")


@pytest.mark.parametrize(("kind", "event"), [("ORU_R01", "ORU^R01"), ("adt_a05", "ADT^A05"), ("ORU", "ORU^R01")])
def test_the_structure_in_place_of_the_type_tells_the_event(kind: str, event: str) -> None:
    assert trigger_of(er7.Message.parse(raw(kind, PID))) == event

"""SIU, SRM, SRR: one appointment through its events, and blocked times."""

from __future__ import annotations

from typing import Any

import pytest

from mappings.fhir import problems
from mappings.hl7v2.faults import MissingField, MissingSegment
from mappings.hl7v2.scheduling import answered_status, notified_status, requested_status
from mappings.outcome import Outcome
from tests.unit.hl7v2.samples import PID, PV1, every, line, mapped, only

AT = "^^^202611220830^202611220900"
GROUP = ("RGS|1", "AIL|1||KKB^PK3", "AIP|1||000123/HNO-CCHN^Lê^Minh")
FILLER = ("", "pending", "waitlist", "booked", "checked-in", "fulfilled", "cancelled", "entered-in-error", "noshow")

# event → status when SCH-25 is empty, whether SCH-25 decides instead
NOTIFIED = {
    "S12": ("booked", True),
    "S13": ("booked", True),
    "S14": ("booked", True),
    "S15": ("cancelled", False),
    "S16": ("cancelled", False),
    "S17": ("entered-in-error", False),
    "S18": ("booked", True),
    "S19": ("booked", True),
    "S20": ("booked", True),
    "S21": ("booked", True),
    "S22": ("booked", True),
    "S26": ("noshow", False),
}
# event → status while it waits, once it is accepted, once it is refused
REQUESTED = {
    "S01": ("proposed", "booked", "cancelled"),
    "S02": ("pending", "booked", "booked"),
    "S03": ("pending", "booked", "booked"),
    "S04": ("booked", "cancelled", "booked"),
    "S05": ("booked", "cancelled", "booked"),
    "S06": ("booked", "entered-in-error", "booked"),
    "S07": ("pending", "booked", "booked"),
    "S08": ("pending", "booked", "booked"),
    "S09": ("booked", "booked", "booked"),
    "S10": ("booked", "booked", "booked"),
    "S11": ("booked", "booked", "booked"),
}


def siu(event: str, *segments: str, **sch: str) -> Outcome:
    return mapped(f"SIU^{event}", line("SCH", **{"f2": "H1", "f11": AT, **sch}), *segments)


def appointment(event: str, *segments: str, **sch: str) -> dict[str, Any]:
    found = only(siu(event, PID, *segments, **sch), "Appointment")
    assert problems(found) == []
    return found


@pytest.mark.parametrize("filler", FILLER)
@pytest.mark.parametrize("event", NOTIFIED)
def test_status_of_every_event_and_filler_status(event: str, filler: str) -> None:
    said, open_ = NOTIFIED[event]
    assert notified_status(event, filler) == (filler if open_ and filler else said)


@pytest.mark.parametrize("event", REQUESTED)
def test_status_of_every_request_and_answer(event: str) -> None:
    waiting, accepted, refused = REQUESTED[event]
    assert requested_status(event) == waiting
    assert answered_status(event, "", accepted=True) == accepted
    assert answered_status(event, "", accepted=False) == refused
    assert answered_status(event, "waitlist", accepted=False) == "waitlist"


@pytest.mark.parametrize("event", NOTIFIED)
def test_every_event_is_about_the_same_appointment(event: str) -> None:
    assert appointment(event)["id"] == appointment("S12")["id"]


def test_the_request_and_what_became_of_it_meet_in_the_placers_number() -> None:
    asked = only(mapped("SRM^S01", "ARQ|P1", PID), "Appointment")
    told = only(mapped("SIU^S12", "SCH|P1|F1", PID), "Appointment")
    assert asked["id"] == told["id"]


def test_each_occurrence_of_a_series_is_an_appointment() -> None:
    first, second = appointment("S12", f3="1"), appointment("S12", f3="2")
    assert first["id"] != second["id"]
    assert [e["valuePositiveInt"] for e in second["extension"] if "valuePositiveInt" in e] == [2]


def test_reason_of_a_cancellation() -> None:
    assert appointment("S15", f6="^Bệnh nhân bận")["cancelationReason"] == {"text": "Bệnh nhân bận"}
    outcome = siu("S14", PID, f6="^Đổi phòng")
    assert "cancelationReason" not in only(outcome, "Appointment")
    assert outcome.about[1]["reason"] == [{"text": "Đổi phòng"}]


def test_what_is_deleted_declines() -> None:
    found = appointment("S22", "RGS|1", "AIL|1|D|KKB^PK3", "AIP|1||X1^Lê|||||||||Cancelled", "AIG|1||M1^Máy")
    assert [entry["status"] for entry in found["participant"]] == ["accepted", "declined", "declined", "accepted"]
    assert found["status"] == "booked"
    found = appointment("S22", "RGS|1|D", "AIL|1||KKB^PK3")
    assert [entry["status"] for entry in found["participant"]] == ["accepted", "declined"]


def test_a_service_that_is_taken_out_leaves_no_trace_in_the_appointment() -> None:
    outcome = siu("S20", PID, "AIS|1||A^Chụp|||||||Cancelled", "AIS|2|D|B^Siêu âm", "AIS|3||C^Khám")
    found = only(outcome, "Appointment")
    assert [kind["text"] for kind in found["serviceType"]] == ["Khám"]
    assert found["status"] == "booked"
    assert "AIS-3" in outcome.coverage.ignored
    assert "AIS[2]-3" in outcome.coverage.ignored


def test_a_cancelled_appointment_keeps_its_services() -> None:
    assert len(appointment("S15", "AIS|1||A^Chụp|||||||Cancelled")["serviceType"]) == 1


def test_status_of_the_service_when_sch_has_none() -> None:
    assert appointment("S14", "AIS|1||A^Chụp|||||||Pending")["status"] == "pending"
    assert appointment("S19", "AIS|1||A^Chụp|||||||Pending")["status"] == "booked"


@pytest.mark.parametrize(
    ("fields", "start", "end"),
    [
        ("202611220840|||15|min", "2026-11-22T08:40:00+07:00", "2026-11-22T08:55:00+07:00"),
        ("|20|min|15|min", "2026-11-22T08:50:00+07:00", "2026-11-22T09:05:00+07:00"),
        ("|0|min|1|h", "2026-11-22T08:30:00+07:00", "2026-11-22T09:30:00+07:00"),
        ("|-30|min", "2026-11-22T08:00:00+07:00", None),
    ],
)
def test_period_of_a_participant(fields: str, start: str, end: str | None) -> None:
    found = appointment("S12", f"AIL|1||KKB|||{fields}")["participant"][1]["period"]
    assert (found["start"], found.get("end")) == (start, end)


def test_a_duration_without_a_start_is_unusable() -> None:
    outcome = mapped("SIU^S12", "SCH||H1", PID, "AIL|1||KKB||||||15|min")
    assert {"AIL-9", "AIL-10"} <= outcome.coverage.unknown.keys()


def test_times_of_the_resources_when_nothing_else_tells() -> None:
    group = ("AIL|1||KKB|||202611220840|||15|min", "AIP|1||X1^Lê|||202611220830|||15|min")
    found = appointment("S12", *group, f11="")
    assert (found["start"], found["end"]) == ("2026-11-22T08:30:00+07:00", "2026-11-22T08:55:00+07:00")


@pytest.mark.parametrize(
    ("event", "status"), [("S12", "proposed"), ("S15", "cancelled"), ("S17", "cancelled"), ("S26", "cancelled")]
)
def test_without_times_only_the_statuses_fhir_allows(event: str, status: str) -> None:
    found = appointment(event, f11="")
    assert found["status"] == status
    assert "start" not in found


def test_a_comment_belongs_to_what_it_follows() -> None:
    found = appointment("S12", "AIG|1||M1^Máy siêu âm", "NTE|1||mở trước 10 phút", "AIS|1||A^Khám", "NTE|1||nhịn ăn")
    assert found["comment"] == "Máy siêu âm: mở trước 10 phút\nKhám: nhịn ăn"


def test_a_signed_comment_is_an_annotation_too() -> None:
    found = appointment("S12", "NTE|1||nhịn ăn||X1^Lê^Minh|20261101083000")
    note = next(e["valueAnnotation"] for e in found["extension"] if e["url"].endswith("Appointment.note"))
    assert (note["text"], note["time"]) == ("nhịn ăn", "2026-11-01T08:30:00+07:00")
    assert found["comment"] == "nhịn ăn"


def test_preferences_are_comments() -> None:
    assert appointment("S12", "APR|Prefstart^0800|||30")["comment"] == "Prefstart: 0800\nSlot spacing: 30"


def test_the_orders_of_an_appointment_are_those_of_the_laboratory() -> None:
    outcome = siu("S12", PID, "AIS|1||XR^X-quang^L|202611220830|||15|min|||TU THE^Đứng", f26="P1", f27="F1")
    ordered = only(mapped("ORU^R01", PID, "OBR|1|P1|F1|T", "OBX|1|NM|X||1||||||F"), "ServiceRequest")
    request = only(outcome, "ServiceRequest")
    assert request["id"] == ordered["id"]
    assert request["status"] == "active"
    assert request["orderDetail"][0]["text"] == "Đứng"
    assert only(outcome, "Appointment")["basedOn"] == [{"reference": f"ServiceRequest/{request['id']}"}]
    assert only(siu("S14", PID, f25="Complete", f26="P1"), "ServiceRequest")["status"] == "completed"


def test_who_takes_part_once() -> None:
    found = appointment("S12", "AIP|1||X1^Lê^Minh", f12="X1^Lê^Minh", f13="0912345678", f20="X1^Lê^Minh")
    assert len(found["participant"]) == 2
    said = [(kind.get("text") or kind["coding"][0]["code"]) for kind in found["participant"][1]["type"]]
    assert said == ["placer contact", "enterer"]


def test_the_person_who_enters_it_is_an_agent_of_the_message() -> None:
    agents = siu("S12", PID, f20="X1^Lê^Minh").about[1]["agent"]
    assert [agent["type"]["coding"][0]["code"] for agent in agents] == ["author", "enterer"]


def test_an_appointment_without_a_patient() -> None:
    found = only(siu("S12", *GROUP), "Appointment")
    assert len(found["participant"]) == 2
    with pytest.raises(MissingSegment, match="PID"):
        siu("S12")


@pytest.mark.parametrize(("event", "status"), [("S23", "busy-unavailable"), ("S24", "free")])
def test_blocked_times(event: str, status: str) -> None:
    outcome = siu(event, *GROUP, f6="^Bảo trì")
    slots = every(outcome, "Slot")
    assert [(s["status"], s["start"], s["end"], s["comment"]) for s in slots] == [
        (status, "2026-11-22T08:30:00+07:00", "2026-11-22T09:00:00+07:00", "Bảo trì")
    ] * 2
    assert {s["schedule"]["reference"] for s in slots} == {f"Schedule/{s['id']}" for s in every(outcome, "Schedule")}
    assert [problems(resource) for resource in outcome.resources] == [[]] * len(outcome.resources)
    assert {s["id"] for s in slots} == {s["id"] for s in every(siu("S23", *GROUP), "Slot")}


def test_blocked_times_of_nobody_or_never() -> None:
    with pytest.raises(MissingSegment):
        siu("S23")
    with pytest.raises(MissingField):
        siu("S23", *GROUP, f11="")
    assert len(every(siu("S23", f5="LICH-3"), "Slot")) == 1


def test_a_request_is_a_task_and_its_answer_the_same_task() -> None:
    arq = line("ARQ", f1="P1", f6="^Bận", f11="20261122^20261125", f12="S", f15="X1^Lê^Minh")
    asked = mapped("SRM^S04", arq, PID, PV1)
    task, about = only(asked, "Task"), only(asked, "Appointment")
    assert (task["status"], task["reasonCode"]) == ("requested", {"text": "Bận"})
    assert task["focus"] == {"reference": f"Appointment/{about['id']}"}
    assert about["requestedPeriod"] == [{"start": "2026-11-22", "end": "2026-11-25"}]
    for code, status in (("AA", "completed"), ("AR", "rejected")):
        answer = mapped("SRR^S04", f"MSA|{code}|C1", line("SCH", f1="P1", f2="F1", f11=AT), PID)
        assert only(answer, "Task")["id"] == task["id"]
        assert only(answer, "Task")["status"] == status
        assert only(answer, "Appointment")["status"] == ("cancelled" if code == "AA" else "booked")


def test_what_is_asked_for_is_not_yet_agreed() -> None:
    group = ("RGS|1", "AIL|1||KKB^PK3")
    asked = only(mapped("SRM^S01", "ARQ|P1", PID, *group), "Appointment")["participant"]
    assert [entry["status"] for entry in asked] == ["accepted", "needs-action"]
    cancel = only(mapped("SRM^S04", "ARQ|P1", PID, *group), "Appointment")["participant"]
    assert [entry["status"] for entry in cancel] == ["accepted", "accepted"]


def test_an_answer_about_the_message_only() -> None:
    assert mapped("SRR^S01", "MSA|AE|C1").resources == []
    for trigger in ("SRM^S01", "SRR^S01", "SIU^S12"):
        with pytest.raises(MissingSegment):
            mapped(trigger, PID)

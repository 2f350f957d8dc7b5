"""REF^I12 and SIU^S12."""

from __future__ import annotations

from typing import Any

import pytest

from mappings.fhir import problems
from mappings.hl7v2.faults import MissingSegment
from mappings.hl7v2.segments.rf1 import referral_status, task_status
from mappings.hl7v2.segments.sch import filler_status, minutes
from tests.unit.hl7v2.samples import PID, PV1, every, line, mapped, only

RF1 = "RF1|A|S|Med||I|CT7|20261106|20261120|20261106083000|2^Vượt khả năng^MA_LYDO_CT"
SENDER = line("PRD", f1="RP", f2="Lê^Minh^Quang", f7="000123/HNO-CCHN^LN", f10="Bệnh viện A^^01032")
RECEIVER = line("PRD", f1="RT", f10="Bệnh viện B^^01929")


def referral(*segments: str) -> dict[str, Any]:
    return only(mapped("REF^I12", RF1, *segments, PID, PV1), "ServiceRequest")


def test_who_refers_and_to_whom() -> None:
    outcome = mapped("REF^I12", RF1, SENDER, RECEIVER, PID, PV1)
    request = only(outcome, "ServiceRequest")
    by_reference = {f"{r['resourceType']}/{r['id']}": r for r in outcome.resources}
    assert by_reference[request["requester"]["reference"]]["name"][0]["text"] == "Lê Quang Minh"
    receiver = by_reference[request["performer"][0]["reference"]]
    assert receiver["identifier"] == [{"system": "http://fhir.hl7.org.vn/core/sid/ma-cskcb", "value": "01929"}]
    assert receiver["name"] == "Bệnh viện B"


def test_the_facility_of_prd_4_before_v2_5() -> None:
    outcome = mapped("REF^I12", RF1, "PRD|RT|||^^^01929^^^^^Bệnh viện B", PID)
    names = {organization.get("name") for organization in every(outcome, "Organization")}
    assert "Bệnh viện B" in names


def test_without_a_referrer_this_facility_refers() -> None:
    assert referral(RECEIVER)["requester"]["reference"].startswith("Organization/")


def test_what_rf1_tells() -> None:
    request = referral()
    assert request["identifier"][0]["value"] == "CT7"
    assert (request["status"], request["intent"], request["priority"]) == ("active", "order", "stat")
    assert request["occurrencePeriod"] == {"start": "2026-11-06", "end": "2026-11-20"}
    assert request["authoredOn"] == "2026-11-06T08:30:00+07:00"
    assert request["reasonCode"][0]["text"] == "Vượt khả năng"


def test_diagnoses_are_the_reason_and_comments_the_note() -> None:
    outcome = mapped("REF^I12", RF1, PID, PV1, "DG1|1||J18.9^Viêm phổi^ICD10|||F", "NTE|1||xe cứu thương")
    request, condition = only(outcome, "ServiceRequest"), only(outcome, "Condition")
    assert request["reasonReference"] == [{"reference": f"Condition/{condition['id']}"}]
    assert request["note"] == [{"text": "xe cứu thương"}]


def test_a_contact_belongs_to_the_organisation_before_it() -> None:
    outcome = mapped("REF^I12", RF1, RECEIVER, "CTD|C|Phòng^Tiếp nhận|||0243^WPN^PH", PID)
    receiver = next(o for o in every(outcome, "Organization") if o.get("name") == "Bệnh viện B")
    assert receiver["contact"][0]["telecom"] == [{"system": "phone", "value": "0243", "use": "work"}]


def test_results_of_a_referral_are_kept() -> None:
    outcome = mapped("REF^I12", RF1, PID, "OBR|1|P1|F1|T", "OBX|1|NM|X||1||||||F")
    assert len(only(outcome, "DiagnosticReport")["result"]) == 1


def test_no_referral_without_rf1() -> None:
    with pytest.raises(MissingSegment):
        mapped("REF^I12", PID)


@pytest.mark.parametrize("said", ["", "A", "P", "R", "E", "C"])
@pytest.mark.parametrize("event", ["I08", "I09", "I10", "I11", "I12", "I13", "I14", "I15"])
def test_states_of_every_event_and_referral_status(event: str, said: str) -> None:
    over = event in ("I11", "I14")
    request = {"": "active", "A": "active", "P": "draft", "R": "revoked", "E": "revoked", "C": "revoked"}[said]
    assert referral_status(event, said) == ("revoked" if over else request)
    assert task_status(event, said, None) == ("cancelled" if over else "requested")
    for answer, bare in (("AA", "received"), ("AE", "rejected"), ("", "received")):
        task = {"": bare, "A": "accepted", "P": "received", "R": "rejected", "E": "failed", "C": "cancelled"}[said]
        assert task_status(event, said, answer) == ("cancelled" if over else task)


def test_referral_and_answer_are_one_request_and_one_task() -> None:
    asked = mapped("REF^I12", RF1, SENDER, RECEIVER, PID)
    answered = mapped("RRI^I12", "MSA|AA|C1", RF1.replace("RF1|A", "RF1|R"), SENDER, RECEIVER, PID)
    for kind in ("ServiceRequest", "Task"):
        assert only(asked, kind)["id"] == only(answered, kind)["id"]
    assert (only(asked, "Task")["status"], only(answered, "Task")["status"]) == ("requested", "rejected")
    assert only(answered, "ServiceRequest")["status"] == "revoked"
    assert only(asked, "Task")["owner"] == only(asked, "ServiceRequest")["performer"][0]


def test_who_asks_how_it_stands_changes_nothing() -> None:
    assert every(mapped("REF^I15", RF1, RECEIVER, PID), "Task") == []
    assert only(mapped("RRI^I15", "MSA|AA|C1", RF1, RECEIVER, PID), "Task")["status"] == "accepted"


def test_an_answer_does_not_say_that_this_facility_refers() -> None:
    assert "requester" not in only(mapped("RRI^I12", "MSA|AA|C1", RF1, RECEIVER, PID), "ServiceRequest")


def test_what_later_versions_of_rf1_tell() -> None:
    rf1 = line(
        "RF1",
        f3="Med^Y khoa",
        f4="WR^Gửi báo cáo",
        f6="CT7",
        f13="20261201",
        f14="Vượt khả năng",
        f15="3",
        f19="BV B^^01929",
        f20="X9^Đỗ^Lan",
        f24="đi xe cứu thương",
    )
    outcome = mapped("REF^I12", rf1, PID)
    request = only(outcome, "ServiceRequest")
    assert request["orderDetail"][0]["text"] == "Gửi báo cáo"
    assert str(request["quantityQuantity"]["value"]) == "3"
    assert request["reasonCode"] == [{"text": "Vượt khả năng"}]
    assert request["note"] == [{"text": "đi xe cứu thương"}]
    assert [one["reference"].partition("/")[0] for one in request["performer"]] == ["Organization", "Practitioner"]
    assert only(outcome, "Task")["restriction"] == {"period": {"end": "2026-12-01"}}
    assert [problems(resource) for resource in outcome.resources] == [[]] * len(outcome.resources)


def test_a_deleted_referral_was_never() -> None:
    assert (
        only(mapped("REF^I13", line("RF1", f6="CT7", f25="D"), PID), "ServiceRequest")["status"] == "entered-in-error"
    )


def test_authorisation_of_the_insurer() -> None:
    aut = line(
        "AUT", f2="BHXH01", f3="BHXH Hà Nội", f4="20261101", f5="20261231", f6="PD77", f10="20261101", f28="đủ hồ sơ"
    )
    outcome = mapped("REF^I12", RF1, aut, PID)
    found = only(outcome, "ClaimResponse")
    assert (found["use"], found["preAuthRef"]) == ("preauthorization", "PD77")
    assert found["preAuthPeriod"] == {"start": "2026-11-01", "end": "2026-12-31"}
    assert only(outcome, "ServiceRequest")["insurance"] == [{"reference": f"ClaimResponse/{found['id']}"}]
    assert problems(found) == []
    unknown = mapped("REF^I12", RF1, "AUT||||20261101", PID)
    assert every(unknown, "ClaimResponse") == []
    assert "AUT-4" in unknown.coverage.unknown


def test_role_of_a_person_in_an_organisation() -> None:
    prd = line(
        "PRD", f1="CP^Hội chẩn", f2="Đỗ^Lan", f7="X9^EI^^20271231", f8="20260101", f10="BV B^^01929", f12="KB^P1"
    )
    outcome = mapped("REF^I12", RF1, prd, PID)
    role = only(outcome, "PractitionerRole")
    assert role["period"] == {"start": "2026-01-01"}
    assert role["location"][0]["reference"].startswith("Location/")
    assert len(only(outcome, "ServiceRequest")["supportingInfo"]) == 2
    person = next(p for p in every(outcome, "Practitioner") if p.get("identifier"))
    assert person["identifier"][0]["period"] == {"end": "2027-12-31"}


def appointment(*segments: str, **sch: str) -> dict[str, Any]:
    return only(mapped("SIU^S12", line("SCH", **{"f2": "H1", **sch}), PID, *segments), "Appointment")


@pytest.mark.parametrize(
    ("sch", "start", "end"),
    [
        ({"f11": "^^^202611220830^202611220900"}, "2026-11-22T08:30:00+07:00", "2026-11-22T09:00:00+07:00"),
        (
            {"f9": "45", "f10": "min", "f11": "^^^202611220830"},
            "2026-11-22T08:30:00+07:00",
            "2026-11-22T09:15:00+07:00",
        ),
        ({"f11": "^^^202611220830"}, "2026-11-22T08:30:00+07:00", "2026-11-22T08:30:00+07:00"),
        ({"f11": "^^^202611220830^202611210900"}, "2026-11-22T08:30:00+07:00", "2026-11-22T08:30:00+07:00"),
    ],
)
def test_time_of_the_appointment(sch: dict[str, str], start: str, end: str) -> None:
    found = appointment(**sch)
    assert (found["start"], found["end"], found["status"]) == (start, end, "booked")


def test_a_day_without_an_hour_is_asked_for_not_booked() -> None:
    found = appointment(f11="^^^20261122")
    assert found["requestedPeriod"] == [{"start": "2026-11-22", "end": "2026-11-22"}]
    assert found["status"] == "proposed"
    assert "start" not in found


def test_time_of_tq1_and_of_ais() -> None:
    assert appointment("TQ1|1||||||202611220830|202611220900")["end"] == "2026-11-22T09:00:00+07:00"
    found = appointment("AIS|1||KHAM^Khám|202611220830|||20|min")
    assert found["end"] == "2026-11-22T08:50:00+07:00"
    assert found["serviceType"][0]["text"] == "Khám"


def test_patient_person_and_place_take_part() -> None:
    found = appointment("RGS|1", "AIL|1||KKB^PK3", "AIP|1||000123/HNO-CCHN^Lê^Minh", "AIG|1||MAY1^Máy siêu âm")
    kinds = [entry["actor"].get("reference", "").partition("/")[0] for entry in found["participant"]]
    assert kinds == ["Patient", "Location", "Practitioner", ""]
    assert found["participant"][3]["actor"]["display"] == "Máy siêu âm"


def test_comments_of_the_appointment() -> None:
    assert appointment("NTE|1||nhịn ăn", "NTE|2||mang phim cũ")["comment"] == "nhịn ăn\nmang phim cũ"


@pytest.mark.parametrize(
    ("code", "status"), [("Booked", "booked"), ("BOOKED", "booked"), ("Cancelled", "cancelled"), ("x", "")]
)
def test_filler_status(code: str, status: str) -> None:
    assert filler_status(code) == status


@pytest.mark.parametrize(
    ("amount", "unit", "expected"),
    [("30", "min", 30), ("30", "", 30), ("2", "h", 120), ("90", "s", 1), ("x", "min", 0), ("5", "lần", 0)],
)
def test_minutes(amount: str, unit: str, expected: int) -> None:
    assert minutes(amount, unit) == expected


def test_the_visit_of_the_message_supports_the_appointment() -> None:
    outcome = mapped("SIU^S12", "SCH||H1", PID, PV1)
    visit = {"reference": f"Encounter/{only(outcome, 'Encounter')['id']}"}
    assert only(outcome, "Appointment")["supportingInformation"] == [visit]
    assert "supportingInformation" not in appointment("PV1|1|N")


def test_no_appointment_without_sch() -> None:
    with pytest.raises(MissingSegment):
        mapped("SIU^S12", PID)


def test_a_referral_that_tells_only_who_refers_to_whom() -> None:
    outcome = mapped(
        "REF^I12", "PRD|RP|Trần^Bình||||||BS1", "PRD|RT|Lê^Chi||||||BS2", PID, "OBR|1||F1|A", "OBX|1|NM|A||5"
    )
    (referral,) = (one for one in outcome.resources if one["resourceType"] == "ServiceRequest" and "category" in one)
    assert referral["status"] == "active"
    assert referral["requester"]["display"] == "Trần Bình"
    assert referral["performer"][0]["display"] == "Lê Chi"
    assert not [problem for one in outcome.resources for problem in problems(one)]


@pytest.mark.parametrize("trigger", ["RRI^I12", "RPA^I08", "ORU^R01"])
def test_the_acknowledgement_in_any_message_is_told(trigger: str) -> None:
    about = ["RF1|A|R|MED|||REF1"] if trigger != "ORU^R01" else ["OBR|1||F1|A"]
    outcome = mapped(trigger, "MSA|AA|C9", *about, PID)
    assert outcome.about[0]["response"]["identifier"] == "C9"
    assert "MSA-2" in outcome.coverage.mapped

"""REF^I12 and SIU^S12."""

from __future__ import annotations

from typing import Any

import pytest

from mappings.hl7v2.faults import MissingSegment
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

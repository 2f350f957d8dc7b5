"""An order as a device reads it, and whether it fits what the device asks for."""

from __future__ import annotations

import time
from typing import Any

import pydicom
import pytest

from mappings.dicom import worklist
from mappings.dicom.attributes import item as first_item
from mappings.dicom.attributes import items, text, texts
from mappings.dicom.context import Context
from mappings.dicom.faults import QueryUnreadable
from mappings.dicom.matching import asked_exactly, days_asked, is_like, matches
from mappings.dicom.worklist import Item, for_stations, is_imaging, order_to_worklist_item
from mappings.formats import er7
from mappings.hl7v2 import Context as Hl7Context
from mappings.hl7v2 import map_message
from mappings.outcome import Resource
from tests.unit.dicom.samples import attributes

CONTEXT = Context(facility="01032")
ORDER = (
    "MSH|^~\\&|HIS|01032|GW|01032|20261103101500+0700||OMI^O23^OMI_O23|1|P|2.5.1||||||UNICODE UTF-8",
    "PID|1||BN000871^^^01032^PI~035185000123^^^CA^NI||Trần^Lan^Thị Ngọc||19850214|F",
    "PV1|1|I|NOI^P201^G05^01032||||||||||||||||LK17^^^01032^VN|||||||||||||||||||||||||20261103080000",
    "ORC|NW|CD26110360^HIS|||||||20261103100000|||000123/HNO-CCHN^Nguyễn^Hùng^Văn^^BS^^^01032^L^^^LN",
    "TQ1|1||||||20261103140000||S",
    "OBR|1|CD26110360^HIS||CTSN^Cắt lớp vi tính sọ não^99HIS||||||||||||||ACC26110360||||||CT|||||||S06^Chấn thương^I10",
    "NTE|1||Không tiêm thuốc cản quang",
    "IPC|ACC26110360^RIS|RP36^RIS|1.2.840.113619.2.55.3|SPS36^RIS|CT|CTSN^Sọ não^99RIS|CT01^Máy CT 64|P02^Phòng CT|CT01AE",
)
TYPE_1 = ("0020000D", "00100010", "00100020", "00401001", "00400100")
TYPE_1_OF_STEP = ("00400001", "00400002", "00400003", "00080060", "00400009")
TYPE_2 = (
    *("00080050", "00080090", "00081110", "00081120", "00100030", "00100040", "00101030", "001021C0", "00102000"),
    *("00102110", "00321032", "00321060", "00321064", "00380010", "00380050", "00380300", "00380500", "00401003"),
    *("00401004", "00403001"),
)
TYPE_2_OF_STEP = ("00321070", "00400006", "00400007", "00400008", "00400010", "00400011", "00400012")


def said(*segments: str, **changes: str) -> Item:
    """Make the item of an order message; `changes` replace segments by name."""
    lines = [changes.get(one[:3], one) for one in (segments or ORDER)]
    message = er7.Message.parse("\r".join(one for one in lines if one).encode())
    return item_of(map_message(message, Hl7Context("01032")).resources)


def item_of(resources: Any, **more: Any) -> Item:
    def the(kind: str) -> Resource | None:
        return next((one for one in resources if one["resourceType"] == kind), None)

    order, patient = the("ServiceRequest"), the("Patient")
    assert order is not None
    assert patient is not None
    around = {"encounter": the("Encounter"), "study": the("ImagingStudy"), "requester": the("Practitioner")}
    return order_to_worklist_item(order, patient, **{**around, **more}, context=CONTEXT)


def step(item: Item) -> Any:
    return first_item(item, "00400100")


def bare(**changes: str) -> Item:
    """Give the item of an order that only has what the HIS must tell."""
    return said(**{"PV1": "", "TQ1": "", "NTE": "", "IPC": "", **changes})


# ---- the item ----


def test_a_whole_order() -> None:
    item = said()
    read = pydicom.Dataset.from_json(item)
    assert read.PatientName == "Trần^Lan^Thị Ngọc"
    assert (read.PatientID, read.PatientBirthDate, read.PatientSex) == ("BN000871", "19850214", "F")
    assert (read.AccessionNumber, read.StudyInstanceUID) == ("ACC26110360", "1.2.840.113619.2.55.3")
    assert read.RequestingPhysician == read.ReferringPhysicianName == "Nguyễn^Hùng^Văn"
    assert (read.RequestedProcedureID, read.RequestedProcedurePriority) == ("RP36", "STAT")
    assert read.RequestedProcedureDescription == "Cắt lớp vi tính sọ não"
    (service,) = read.RequestedProcedureCodeSequence
    assert (service.CodeValue, service.CodingSchemeDesignator) == ("CTSN", "99HIS")
    (reason,) = read.ReasonForRequestedProcedureCodeSequence
    assert (reason.CodeValue, reason.CodingSchemeDesignator) == ("S06", "I10")
    assert (read.AdmissionID, read.CurrentPatientLocation) == ("LK17", "NOI, P201, G05")
    assert read.PlacerOrderNumberImagingServiceRequest == "CD26110360"
    assert "Không tiêm" in read.RequestedProcedureComments
    (told,) = read.ScheduledProcedureStepSequence
    assert (told.Modality, told.ScheduledStationAETitle, told.ScheduledStationName) == ("CT", "CT01AE", "Máy CT 64")
    assert (told.ScheduledProcedureStepStartDate, told.ScheduledProcedureStepStartTime) == ("20261103", "140000")
    assert (told.ScheduledProcedureStepID, told.ScheduledProcedureStepLocation) == ("SPS36", "Phòng CT")


@pytest.mark.parametrize("item", [said(), for_stations(bare(), {}, "CT1")], ids=["whole", "bare"])
def test_everything_that_the_standard_wants_back_is_there(item: Item) -> None:
    assert [tag for tag in (*TYPE_1, *TYPE_2) if tag not in item] == []
    assert [tag for tag in TYPE_1 if not item[tag].get("Value")] == []
    assert [tag for tag in (*TYPE_1_OF_STEP, *TYPE_2_OF_STEP) if tag not in step(item)] == []
    whole = for_stations(item, {}, "CT1")
    assert [tag for tag in TYPE_1_OF_STEP if not step(whole)[tag].get("Value")] == []


def test_what_the_his_leaves_open_comes_from_the_order_itself() -> None:
    item = bare(OBR="OBR|1|CD26110360^HIS||SA^Siêu âm^99HIS||||||||||||||||||||RUS")
    assert text(item, "00080050") == "CD26110360"  # what people have on paper
    assert text(item, "00401001") == text(step(item), "00400009") == "CD26110360"
    assert text(step(item), "00080060") == "US"
    assert (text(step(item), "00400002"), text(step(item), "00400003")) == ("20261103", "100000")
    uid = text(item, "0020000D")
    assert uid == text(bare(), "0020000D")  # the same at every time
    assert pydicom.uid.UID(uid).is_valid
    assert uid != text(bare(ORC="ORC|NW|CD9^HIS", OBR="OBR|1|CD9^HIS||SA^^99HIS"), "0020000D")


def test_a_number_that_is_too_long_is_left_out_and_never_cut() -> None:
    number = "CD-2026-11-03-000000360"
    item = bare(ORC=f"ORC|NW|{number}^HIS", OBR=f"OBR|1|{number}^HIS||X^Chụp^99HIS||||||||||||||||||||RX")
    assert texts(item, "00080050") == []
    assert text(item, "00402016") == number
    procedure = text(item, "00401001")
    assert 0 < len(procedure) <= 16
    assert procedure not in number


def test_an_order_without_any_time_is_for_the_day_it_was_heard_of() -> None:
    found = map_message(er7.Message.parse("\r".join(ORDER).encode()), Hl7Context("01032")).resources
    for one in found:
        for name in ("occurrencePeriod", "authoredOn"):
            one.pop(name, None)
    item = item_of(found, study=None)
    assert texts(step(item), "00400002") == []
    heard = step(item_of(found, ordered_at="2026-11-03T23:30:00+00:00"))
    assert text(heard, "00400002") == "20261104"  # at the hospital
    assert text(step(item_of(found, ordered_at="2026-11-03")), "00400003") == "000000"


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ({"family": "Trần", "given": ["Thị", "Ngọc", "Lan"]}, "Trần^Lan^Thị Ngọc"),
        ({"family": "Y", "given": ["Byă"]}, "Y^Byă"),
        ({"family": "Lò"}, "Lò"),
        ({"text": "Trần Thị Lan"}, "Trần Thị Lan"),
        ({"family": "A^B=C\\D", "given": ["E"]}, "A B C/D^E"),
    ],
)
def test_names(name: Resource, written: str) -> None:
    patient = {"resourceType": "Patient", "id": "1", "name": [{"use": "old", "family": "Cũ"}, name]}
    order = {"resourceType": "ServiceRequest", "id": "0" * 32, "status": "active"}
    item = order_to_worklist_item(order, patient, context=CONTEXT)
    assert item["00100010"]["Value"] == [{"Alphabetic": written}]


def test_the_number_is_that_of_this_hospital_whatever_stands_first() -> None:
    other = {"system": "urn:x", "value": "1", "type": {"coding": [{"code": "PI"}]}}
    card = {"system": "urn:card", "value": "DN4151520952602"}
    own = {"system": CONTEXT.systems.local("01032", "patient"), "value": "BN1"}
    assert worklist.patient_number({"identifier": [card, other, own]}, CONTEXT) == "BN1"
    assert worklist.patient_number({"identifier": [card, other]}, CONTEXT) == "1"
    assert worklist.patient_number({}, CONTEXT) == ""


@pytest.mark.parametrize(
    ("section", "is_one"), [("CT", True), ("RUS", True), ("RAD", True), ("LAB", False), ("", False)]
)
def test_which_orders_make_pictures(section: str, is_one: bool) -> None:
    order: Resource = {"category": [{"coding": [{"code": section}]}]}
    assert is_imaging(order) is is_one
    assert is_imaging(order, {"resourceType": "ImagingStudy"})


# ---- stations ----

STATIONS = {"CT1": ["CT", "CT*"], "CT2": ["CT"], "XA1": ["XA"], "US1": ["US", "SA-*"]}


@pytest.mark.parametrize(
    ("service", "section", "titles", "modality"),
    [
        ("CTSN", "CTH", ["CT1"], "CT"),  # the code says more than the section
        ("SO", "CT", ["CT1", "CT2"], "CT"),
        ("SO", "CTH", ["XA1"], "XA"),
        ("SA-BUNG", "RAD", ["US1"], "US"),
        ("sa-bung", "RAD", ["US1"], "US"),
        ("CR", "RX", ["ASKING"], "DX"),  # nobody's: whoever asks
    ],
)
def test_stations(service: str, section: str, titles: list[str], modality: str) -> None:
    item = bare(OBR=f"OBR|1|CD1||{service}^Chụp^99HIS||||||||||||||||||||{section}", ORC="ORC|NW|CD1")
    found = step(for_stations(item, STATIONS, "ASKING"))
    assert (texts(found, "00400001"), texts(found, "00080060")) == (titles, [modality])


def test_an_order_that_names_its_station_keeps_it() -> None:
    assert texts(step(for_stations(said(), STATIONS, "ASKING")), "00400001") == ["CT01AE"]


# ---- matching ----

ITEM = for_stations(said(), {}, "X")
STEP = "00400100/"


@pytest.mark.parametrize(
    ("path", "value", "fits"),
    [
        ("00100010", "", True),
        ("00100010", "*", True),
        ("00100010", "Trần^Lan^Thị Ngọc", True),
        ("00100010", "TRAN^LAN^THI NGOC", True),
        ("00100010", "tran^lan^thi ngoc^^", True),
        ("00100010", "Tran Thi Ngoc Lan", True),
        ("00100010", "TRAN*", True),
        ("00100010", "*lan*", True),
        ("00100010", "TR?N^*", True),
        ("00100010", "TRAN", False),
        ("00100010", "TR?^*", False),
        ("00100010", "Đặng*", False),
        ("00100020", "BN000871", True),
        ("00100020", " BN000871 ", True),
        ("00100020", "bn000871", False),  # only names are compared whatever their case
        ("00100020", "BN*1", True),
        ("00080050", "ACC26110360", True),
        ("00080050", "ACC2611036", False),
        ("0020000D", "1.2.3\\1.2.840.113619.2.55.3", True),
        ("0020000D", "1.2.3", False),
        ("0020000D", "1.2.840.*", False),  # no wild cards in UIDs
        (f"{STEP}00080060", "CT", True),
        (f"{STEP}00080060", "MR\\CT", True),
        (f"{STEP}00080060", "MR", False),
        (f"{STEP}00400001", "CT01AE", True),
        (f"{STEP}00400001", "CT02AE", False),
        (f"{STEP}00400002", "20261103", True),
        (f"{STEP}00400002", "2026.11.03", True),
        (f"{STEP}00400002", "20261102", False),
        (f"{STEP}00400002", "20261101-20261103", True),
        (f"{STEP}00400002", "-20261103", True),
        (f"{STEP}00400002", "20261104-", False),
        (f"{STEP}00400003", "1400", True),
        (f"{STEP}00400003", "14", True),
        (f"{STEP}00400003", "140000.000001-", False),
        (f"{STEP}00400003", "1300-1359", False),
        (f"{STEP}00400003", "1300-14", True),
        (f"{STEP}00400006", "A*", False),  # nobody performs it yet
        (f"{STEP}00400006", "*", True),
        ("00380500", "X", False),
        ("00091001", "X", True),  # not an attribute of a worklist: not compared
        ("00321064/00080100", "CTSN", True),
        ("00321064/00080100", "MRSN", False),
    ],
)
def test_one_key(path: str, value: str, fits: bool) -> None:
    assert matches(ITEM, {path: value}) is fits


def test_all_keys_of_a_step_have_to_fit_the_same_step() -> None:
    steps = [
        attributes(Modality="CT", ScheduledStationAETitle="A"),
        attributes(Modality="MR", ScheduledStationAETitle="B"),
    ]
    item = attributes(ScheduledProcedureStepSequence=steps)
    assert matches(item, {f"{STEP}00080060": "CT", f"{STEP}00400001": "A"})
    assert not matches(item, {f"{STEP}00080060": "CT", f"{STEP}00400001": "B"})


@pytest.mark.parametrize(
    ("day", "time_", "fits"),
    [
        ("20261102-20261104", "1800-0600", True),  # one range of moments, not the nights of three days
        ("20261103-20261103", "1300-1500", True),
        ("20261103-20261104", "1500-1800", False),
        ("20261102-20261103", "1800-1300", False),
        ("-20261103", "-1500", True),
        ("20261103-", "1500-", False),
        ("20261103", "1500-", False),
        ("20261101-20261104", "14", True),
    ],
)
def test_day_and_time_together(day: str, time_: str, fits: bool) -> None:
    assert matches(ITEM, {f"{STEP}00400002": day, f"{STEP}00400003": time_}) is fits


@pytest.mark.parametrize("value", ["20261301", "3.11.2026", "today", "20261103-x", "-", "20261100-", "202611*"])
def test_a_day_that_is_none_is_refused_and_not_taken_for_any(value: str) -> None:
    with pytest.raises(QueryUnreadable) as refused:
        matches(ITEM, {f"{STEP}00400002": value})
    assert refused.value.where == "(0040,0002)"
    with pytest.raises(QueryUnreadable):
        days_asked({f"{STEP}00400002": value})


@pytest.mark.parametrize("value", ["2560", "99", "-", "14h"])
def test_a_time_that_is_none_is_refused(value: str) -> None:
    with pytest.raises(QueryUnreadable):
        matches(ITEM, {f"{STEP}00400003": value})


def test_what_narrows_a_search() -> None:
    path = f"{STEP}00400002"
    assert days_asked({path: "20261101-20261103"}) == ("20261101", "20261103")
    assert days_asked({path: "20261101"}) == ("20261101", "20261101")
    assert days_asked({path: "20261101-"}) == ("20261101", "")
    assert days_asked({path: "-20261101"}) == ("", "20261101")
    assert days_asked({path: "*"}) == days_asked({}) == ("", "")
    assert asked_exactly({"00100020": " BN1 "}, "00100020") == "BN1"
    assert asked_exactly({"00100020": "BN*"}, "00100020") == asked_exactly({}, "00100020") == ""


@pytest.mark.parametrize(
    ("said_", "pattern", "fits"),
    [("", "", True), ("", "*", True), ("a", "", False), ("ab", "a?", True), ("ab", "*b", True), ("ab", "*?*?*", True)],
)
def test_patterns(said_: str, pattern: str, fits: bool) -> None:
    assert is_like(said_, pattern) is fits


def test_no_pattern_takes_long() -> None:
    began = time.process_time()
    assert not is_like("a" * 64, "*a" * 32 + "*b")
    assert time.process_time() - began < 0.5


def test_allergies_are_told() -> None:
    found = map_message(er7.Message.parse("\r".join(ORDER).encode()), Hl7Context("01032")).resources
    allergies = [{"code": {"text": "Thuốc cản quang i-ốt"}}, {"code": {"coding": [{"code": "PEN"}]}}]
    assert texts(item_of(found, allergies=allergies), "00102110") == ["Thuốc cản quang i-ốt", "PEN"]
    assert len(items(item_of(found), "00400100")) == 1

"""A study to FHIR: it meets HL7 v2 in one record, every attribute is accounted for, every resource is sound."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import pytest

from mappings.dicom import coverage, faults
from mappings.dicom.body import Entry, join
from mappings.dicom.context import Context
from mappings.dicom.header import read_header
from mappings.dicom.study import TABLES, entries_to_outcome, study_to_outcome
from mappings.fhir import problems
from mappings.formats import er7
from mappings.formats.faults import Fault
from mappings.hl7v2 import Context as Hl7Context
from mappings.hl7v2 import map_message
from mappings.hl7v2.targets import alternatives, present
from mappings.outcome import Outcome, Resource
from tests.unit.dicom import samples
from tests.unit.dicom.samples import CONTEXT, attributes, code, picture
from tests.unit.dicom.test_body import slices
from tests.unit.dicom.test_header import FILES


def outcome(*entries: Entry, context: Context = CONTEXT) -> Outcome:
    return study_to_outcome(join(entries), context)


def of_type(found: Outcome, kind: str) -> list[Resource]:
    return [one for one in found.resources if one["resourceType"] == kind]


def the(found: Outcome, kind: str) -> Resource:
    (one,) = of_type(found, kind)
    return one


# ---- one record with HL7 v2 ----

ORDER = "\r".join(
    (
        "MSH|^~\\&|RIS|01032|LIENTHONG|01032|20261103130000||OMI^O23^OMI_O23|1|P|2.5.1",
        "PID|||BN000123^^^^PI||Nguyễn^Hoa^Thị||19850214|F",
        "PV1||I|||||||||||||||||VV26000456",
        "ORC|NW|CD002|FL002",
        "OBR|1|CD002|FL002|CT01^Chụp cắt lớp vi tính ngực",
        f"IPC|CT002|RP2|{samples.STUDY}|SPS2|CT",
    )
)


def test_ids_are_those_of_hl7_v2() -> None:
    ordered = map_message(er7.Message.parse(ORDER.encode()), Hl7Context(facility="01032"))
    taken = outcome(picture(1, 1, RequestAttributesSequence=[samples.order()], AdmissionID="VV26000456"))
    for kind in ("Patient", "Encounter", "ServiceRequest", "ImagingStudy"):
        before = next(one for one in ordered.resources if one["resourceType"] == kind)
        assert the(taken, kind)["id"] == before["id"], kind
    assert taken.patient_id == ordered.patient_id
    assert taken.encounter_id == ordered.encounter_id
    numbers = next(one for one in ordered.resources if one["resourceType"] == "ImagingStudy")["identifier"]
    assert the(taken, "ImagingStudy")["identifier"] == numbers
    assert {one["system"] for one in the(taken, "ServiceRequest")["identifier"]} >= {
        one["system"]
        for one in next(r for r in ordered.resources if r["resourceType"] == "ServiceRequest")["identifier"]
    }


@pytest.mark.parametrize(
    ("pid3", "said"),
    [
        ("BN1^^^^PI", {"PatientID": "BN1"}),
        ("BN1", {"PatientID": "BN1"}),
        ("BN1^^^HIS^PI", {"PatientID": "BN1", "IssuerOfPatientID": "HIS"}),
        ("001185000123^^^CCCD^NI", {"PatientID": "001185000123", "IssuerOfPatientID": "CCCD"}),
        (
            "BN1^^^HIS&1.2.840.99.1&ISO^MR",
            {
                "PatientID": "BN1",
                "IssuerOfPatientID": "HIS",
                "IssuerOfPatientIDQualifiersSequence": [
                    attributes(UniversalEntityID="1.2.840.99.1", UniversalEntityIDType="ISO", IdentifierTypeCode="MR")
                ],
            },
        ),
    ],
)
def test_the_same_number_is_the_same_person(pid3: str, said: dict[str, Any]) -> None:
    message = f"MSH|^~\\&|HIS|01032|||20261103||ADT^A08|1|P|2.5\rPID|||{pid3}||A^B"
    known = map_message(er7.Message.parse(message.encode()), Hl7Context(facility="01032"))
    assert outcome(picture(1, 1, **said)).patient_id == known.patient_id


def test_a_number_of_another_hospital_is_not_ours() -> None:
    ours = replace(CONTEXT, issuers=frozenset({"HIS"}))
    home = outcome(picture(1, 1, IssuerOfPatientID="HIS"), context=ours)
    foreign = outcome(picture(1, 1, IssuerOfPatientID="BVKHAC"), context=ours)
    assert home.patient_id == outcome(picture(1, 1)).patient_id
    assert foreign.patient_id != home.patient_id


def test_a_person_without_number_is_nobody_known() -> None:
    found = outcome(picture(1, 1, PatientID="0000", AdmissionID="V1", RequestAttributesSequence=[samples.order()]))
    assert [notice.code for notice in found.notices] == [faults.NO_PATIENT_NUMBER]
    assert not of_type(found, "ServiceRequest")
    assert not of_type(found, "Encounter")
    study = the(found, "ImagingStudy")
    assert study["basedOn"][0]["identifier"]["value"] == "CT002"
    assert found.assumed == {f"ImagingStudy/{study['id']}": ("subject",)}


def test_an_order_that_the_record_has_is_that_one() -> None:
    known = replace(CONTEXT, requests={"CT002": "ServiceRequest/abc"})
    found = outcome(picture(1, 1), context=known)
    assert the(found, "ImagingStudy")["basedOn"] == [{"reference": "ServiceRequest/abc"}]
    assert the(found, "ServiceRequest")["id"] == "abc"
    assert set(found.assumed["ServiceRequest/abc"]) == {"status", "intent"}


# ---- what it says ----


def test_series_and_objects_are_counted() -> None:
    found = the(outcome(picture(1, 1), picture(1, 2), picture(2, 1), samples.text_report()), "ImagingStudy")
    assert (found["numberOfSeries"], found["numberOfInstances"]) == (3, 4)
    assert [one["numberOfInstances"] for one in found["series"]] == [2, 1, 1]
    assert [one["code"] for one in found["modality"]] == ["CT"]
    assert [one["modality"]["code"] for one in found["series"]] == ["CT", "CT", "SR"]


def test_the_same_object_twice_is_once_and_with_another_content_a_fault() -> None:
    found = the(outcome(picture(1, 1), picture(1, 1)), "ImagingStudy")
    assert found["numberOfInstances"] == 1
    with pytest.raises(faults.SeveralStudies):
        outcome(picture(1, 1), picture(1, 1, Rows=256))


@pytest.mark.parametrize(
    ("day", "time", "offset", "started"),
    [
        ("20261103", "140230.250000", None, "2026-11-03T14:02:30.250000+07:00"),
        ("20261103", "1402", None, "2026-11-03T14:02:00+07:00"),
        ("20261103", "14", None, "2026-11-03T14:00:00+07:00"),
        ("20261103", "14:02:30", None, "2026-11-03T14:02:30+07:00"),
        ("2026.11.03", "140230", None, "2026-11-03T14:02:30+07:00"),
        ("20261103", "070230", "+0000", "2026-11-03T07:02:30+00:00"),
        ("20261103", None, None, "2026-11-03"),
        ("20261103", "9999", None, "2026-11-03"),
    ],
)
def test_times(day: str, time: str | None, offset: str | None, started: str) -> None:
    found = outcome(picture(1, 1, StudyDate=day, StudyTime=time, TimezoneOffsetFromUTC=offset))
    assert the(found, "ImagingStudy")["started"] == started


@pytest.mark.parametrize(
    ("said", "site"),
    [
        ({"BodyPartExamined": "CHEST"}, {"system": "http://snomed.info/sct", "code": "816094009", "display": "Chest"}),
        ({"BodyPartExamined": "NGUC"}, {"display": "NGUC"}),
        (
            {"AnatomicRegionSequence": [code("T-04000", "SRT", "Breast")]},
            {"system": "http://snomed.info/sct", "code": "76752008", "display": "Breast"},
        ),
        (
            {"AnatomicRegionSequence": [code("N1", "99BV", "Ngực")]},
            {"system": "https://lienthong.vn/fhir/sid/01032/code-99bv", "code": "N1", "display": "Ngực"},
        ),
    ],
)
def test_body_sites(said: dict[str, Any], site: dict[str, str]) -> None:
    assert the(outcome(picture(1, 1, **said)), "ImagingStudy")["series"][0]["bodySite"] == site


def test_people_have_the_numbers_that_are_given() -> None:
    number = attributes(PersonIdentificationCodeSequence=[code("000123/HNO-CCHN", "99BV", "Bình")])
    found = outcome(
        picture(1, 1, PerformingPhysicianName="Trần^Bình", PerformingPhysicianIdentificationSequence=[number])
    )
    person = next(one for one in of_type(found, "Practitioner") if "identifier" in one)
    assert person["identifier"] == [{"system": CONTEXT.systems.licence, "value": "000123/HNO-CCHN"}]
    performers = the(found, "ImagingStudy")["series"][0]["performer"]
    assert performers[0]["actor"] == {"reference": f"Practitioner/{person['id']}", "display": "Trần Bình"}


def test_the_web_service_becomes_an_endpoint() -> None:
    found = outcome(picture(1, 1), context=replace(CONTEXT, wado="https://pacs.local/dicom-web"))
    assert the(found, "Endpoint")["address"] == "https://pacs.local/dicom-web"
    assert the(found, "ImagingStudy")["endpoint"] == [{"reference": f"Endpoint/{the(found, 'Endpoint')['id']}"}]


def test_a_device_without_number_is_only_named() -> None:
    found = outcome(picture(1, 1, DeviceSerialNumber=None, StationName=None, OperatorsName=None))
    assert not of_type(found, "Device")
    assert the(found, "ImagingStudy")["series"][0]["performer"] == [{"actor": {"display": "SIEMENS go.Top"}}]


# ---- what is refused, what is noticed ----


def test_several_studies_are_refused() -> None:
    with pytest.raises(faults.SeveralStudies):
        outcome(picture(1, 1), picture(1, 2, StudyInstanceUID="1.2.3"))


def test_nothing_is_refused() -> None:
    with pytest.raises(faults.BodyInvalid):
        study_to_outcome(join([]), CONTEXT)


@pytest.mark.parametrize(
    "said",
    [
        {"PatientID": "BN000124"},
        {"IssuerOfPatientID": "BVKHAC"},
        {"PatientName": "Trần^Văn^Bình"},
        {"PatientName": "Nguyễn^Hoan^Thị", "PatientBirthDate": "19600708"},
    ],
)
def test_several_patients_are_refused(said: dict[str, Any]) -> None:
    first = picture(1, 1, **({"IssuerOfPatientID": "HIS"} if "IssuerOfPatientID" in said else {}))
    with pytest.raises(faults.SeveralPatients) as refused:
        outcome(first, picture(1, 2, **said))
    assert "BN" not in str(refused.value)


def test_one_name_in_two_spellings_is_one_patient() -> None:
    found = outcome(picture(1, 1), picture(1, 2, PatientName="NGUYEN THI HOA"))
    assert found.notices == ()


def test_objects_that_contradict_each_other_are_noticed() -> None:
    found = outcome(picture(1, 1), picture(1, 2, StudyDescription="CT bụng", PatientName="Nguyễn^Hoan^Thị"))
    assert [(one.code, one.where) for one in found.notices] == [
        (faults.CONTRADICTION, "(0010,0010) PatientName"),
        (faults.CONTRADICTION, "(0008,1030) StudyDescription"),
    ]
    assert the(found, "ImagingStudy")["description"] == "CT ngực"


# ---- coverage ----


def populated(entries: list[Entry]) -> set[str]:
    """Give every path that has a value, independently of the code under test."""
    found: set[str] = set()

    def walk(data: dict[str, Any], path: str) -> None:
        for tag, element in data.items():
            here = f"{path}/({tag[:4]},{tag[4:]})".lstrip("/")
            if element["vr"] == "SQ" and "Value" in element:
                if tag != "0040A730":
                    for one in element["Value"]:
                        walk(one, here)
            elif len(element) > 1:
                found.add(here)

    for entry in entries:
        walk(entry.attributes, "")
    return found


def check_coverage(found: Outcome, entries: list[Entry]) -> None:
    told = found.coverage
    positions = [*told.mapped, *told.ignored, *told.unknown]
    assert len(positions) == len(set(positions)) == told.total
    assert {one.partition(" ")[0] for one in positions if "0040,A730" not in one} == populated(entries)
    for position, target in told.mapped.items():
        assert any(
            present(resource, path)
            for kind, path in alternatives(target)
            for resource in found.resources
            if resource["resourceType"] == kind
        ), position


def test_every_real_file_gives_a_sound_outcome_and_a_full_account() -> None:
    mapped = 0
    for path in FILES:
        with path.open("rb") as file:
            try:
                header = read_header(file)
            except Fault:
                continue
        entry = Entry.of(header, {"object": path.name})
        found = study_to_outcome(join([entry]), CONTEXT)
        assert [one for resource in found.resources for one in problems(resource)] == [], path.name
        check_coverage(found, [entry])
        assert set(found.coverage.unknown) <= {"(0010,21C0) PregnancyStatus"}, path.name
        mapped += 1
    assert mapped == 163


def test_the_pictures_of_one_folder_are_one_study() -> None:
    entries: dict[str, list[Entry]] = {}
    for path in FILES:
        if "dicomdirtests" not in str(path):
            continue
        with path.open("rb") as file:
            try:
                header = read_header(file)
            except Fault:
                continue
        entries.setdefault(header.study, []).append(Entry.of(header, {}))
    assert len(entries) > 3
    for objects in entries.values():
        found = study_to_outcome(join(objects), CONTEXT)
        check_coverage(found, objects)
        assert the(found, "ImagingStudy")["numberOfInstances"] == len(
            {e.attributes["00080018"]["Value"][0] for e in objects}
        )


def test_a_value_that_is_none_is_unknown_and_noticed() -> None:
    entry = picture(
        1, 1, PatientBirthDate="14.2.1985", PatientSex="NU", InstanceNumber="A1", StudyTime="morning", Modality="!"
    )
    found = outcome(entry)
    told = [
        "(0008,0030) StudyTime",
        "(0008,0060) Modality",
        "(0010,0030) PatientBirthDate",
        "(0010,0040) PatientSex",
        "(0020,0013) InstanceNumber",
    ]
    assert sorted(found.coverage.unknown) == told
    assert sorted(notice.where for notice in found.notices) == told
    assert {notice.code for notice in found.notices} == {faults.VALUE_UNREADABLE}


def test_what_nobody_knows_is_unknown() -> None:
    found = outcome(picture(1, 1, Allergies="Penicillin"))
    assert found.coverage.unknown == {"(0010,2110) Allergies": coverage.UNMAPPED}


def test_private_attributes_have_their_reason() -> None:
    entry = picture(1, 1)
    entry.attributes["00291010"] = {"vr": "OB", "InlineBinary": "AAAA"}
    assert outcome(entry).coverage.ignored["(0029,1010)"] == coverage.PRIVATE


def test_a_position_that_is_not_in_the_resources_is_not_mapped() -> None:
    """The gate itself: an account that claims too much would be seen."""
    found = outcome(picture(1, 1))
    wrong = replace(
        found, coverage=replace(found.coverage, mapped={**found.coverage.mapped, "(0010,1040) X": "Patient.address"})
    )
    with pytest.raises(AssertionError):
        check_coverage(wrong, [picture(1, 1)])


def test_no_attribute_is_in_two_tables() -> None:
    assert not set(TABLES.mapped) & set(TABLES.ignored)
    assert not set(TABLES.mapped) & set(TABLES.below)


def test_a_thousand_slices() -> None:
    found = entries_to_outcome(slices(1000), CONTEXT)
    assert the(found, "ImagingStudy")["numberOfInstances"] == 1000
    assert found.coverage.unknown == {}


def test_a_message_id_becomes_the_source_of_all() -> None:
    found = outcome(picture(1, 1), context=replace(CONTEXT, message_id="0192f6a0-1111-7abc-8def-0123456789ab"))
    assert {one["meta"]["source"] for one in found.resources} == {"urn:uuid:0192f6a0-1111-7abc-8def-0123456789ab"}


def test_the_way_from_a_file() -> None:
    """All of it: file, header, body, outcome."""
    header = read_header(io.BytesIO(samples.file_of(picture(1, 1).attributes)))
    found = outcome(Entry.of(header, {"object": "o1"}))
    assert found.resources == outcome(picture(1, 1)).resources

"""The header: whose document, by whom, for whom, of which visit, in whose place."""

from __future__ import annotations

from typing import Any

import pytest

from mappings.cda import faults
from mappings.cda.read import Context, read
from mappings.ids import resource_id
from tests.unit.cda.read.snippets import AUTHOR, OWN, PATIENT, all_of, document, one, sound


def test_composition_and_patient() -> None:
    reading = sound(read(document()))
    composition, patient = one(reading, "Composition"), one(reading, "Patient")
    assert reading.bundle["type"] == "document"
    assert reading.bundle["identifier"] == {"system": f"urn:oid:{OWN}", "value": "TL-1"}
    assert reading.bundle["timestamp"] == composition["date"] == "2026-03-01T08:30:00+07:00"
    assert (composition["title"], composition["language"], composition["confidentiality"]) == ("Tóm tắt", "vi-VN", "N")
    assert composition["subject"] == {"reference": f"Patient/{patient['id']}"}
    assert reading.patient_id == patient["id"] == resource_id("Patient", f"urn:oid:{OWN}.1", "BN-0001")
    assert patient["name"] == [{"family": "Trần", "given": ["An"]}]
    assert (patient["gender"], patient["birthDate"]) == ("female", "1970-01-02")
    assert one(reading, "Practitioner")["name"] == [{"text": "Lê Thị Mai"}]
    assert one(reading, "Organization")["name"] == "Bệnh viện Thử Nghiệm"
    assert not reading.coverage.unknown


def test_provenance_names_the_bytes_and_the_document() -> None:
    data = document()
    provenance = one(read(data), "Provenance")
    said = [entity["what"]["identifier"]["value"] for entity in provenance["entity"]]
    assert said == [f"urn:sha256:{__import__('hashlib').sha256(data).hexdigest()}", "TL-1"]
    assert provenance["occurredDateTime"] == "2026-03-01T08:00:00+07:00"
    assert {agent["type"]["coding"][0]["code"] for agent in provenance["agent"]} == {"author", "custodian"}


def test_same_bytes_same_bundle() -> None:
    assert read(document()) == read(document())


def test_what_a_patient_is_asked_in_a_header() -> None:
    person = """<recordTarget><patientRole><id root="2.16.840.1.113883.4.1" extension="111-00-1234"/>
    <addr use="HP"><streetAddressLine>12 Hàng Bông</streetAddressLine><city>Hà Nội</city></addr>
    <telecom use="MC" value="tel:+84900000000"/><telecom value="mailto:an%2Bx@example.vn"/>
    <patient><name use="L"><prefix qualifier="AC">TS</prefix><given>An</given><family qualifier="BR">Trần</family></name>
    <administrativeGenderCode code="UN"/><birthTime value="197001020304+0700"/>
    <sdtc:deceasedInd value="true"/><sdtc:deceasedTime value="2026"/><sdtc:multipleBirthOrderNumber value="2"/>
    <maritalStatusCode code="M" codeSystem="2.16.840.1.113883.5.2"/>
    <languageCommunication><languageCode code="vi"/><modeCode code="ESP" codeSystem="2.16.840.1.113883.5.60"/>
    <preferenceInd value="true"/></languageCommunication>
    <guardian><code code="MTH" codeSystem="2.16.840.1.113883.5.111"/><guardianPerson><name>Ngô Thị Hoà</name>
    </guardianPerson></guardian></patient></patientRole></recordTarget>"""
    reading = sound(read(document(patient=person)))
    patient = one(reading, "Patient")
    assert patient["identifier"] == [{"system": "http://hl7.org/fhir/sid/us-ssn", "value": "111-00-1234"}]
    assert patient["name"][0]["use"] == "official"
    assert patient["name"][0]["_family"]["extension"][0]["valueCode"] == "BR"
    assert patient["telecom"][0] == {"system": "phone", "value": "+84900000000", "use": "mobile"}
    assert patient["telecom"][1] == {"system": "email", "value": "an+x@example.vn"}
    assert patient["address"] == [{"use": "home", "line": ["12 Hàng Bông"], "city": "Hà Nội"}]
    assert patient["gender"] == "other"
    assert patient["_birthDate"]["extension"][0]["valueDateTime"] == "1970-01-02T03:04:00+07:00"
    assert patient["deceasedDateTime"] == "2026"
    assert patient["multipleBirthInteger"] == 2
    assert patient["maritalStatus"]["coding"][0]["display"] == "Married"
    spoken = patient["communication"][0]
    assert (spoken["language"]["coding"][0]["code"], spoken["preferred"]) == ("vi", True)
    assert spoken["extension"][0]["extension"][0]["valueCoding"]["code"] == "ESP"
    assert one(reading, "RelatedPerson")["relationship"][0]["coding"][0]["code"] == "MTH"
    assert not reading.coverage.unknown


def test_who_else_the_header_names() -> None:
    header = f"""
    <informationRecipient><intendedRecipient><receivedOrganization><id root="{OWN}.3" extension="01998"/>
    <name>Bệnh viện B</name></receivedOrganization></intendedRecipient></informationRecipient>
    <legalAuthenticator><time value="20260301"/><signatureCode code="S"/><assignedEntity>
    <id root="{OWN}.2" extension="BS1"/></assignedEntity></legalAuthenticator>
    <participant typeCode="IND"><associatedEntity classCode="ECON"><associatedPerson><name>Trần Văn Ba</name>
    </associatedPerson></associatedEntity></participant>
    <inFulfillmentOf><order><id root="{OWN}.4" extension="CD1"/></order></inFulfillmentOf>
    <documentationOf><serviceEvent classCode="PCPR"><effectiveTime><low value="2025"/></effectiveTime>
    <performer typeCode="PRF"><functionCode code="PCP" codeSystem="2.16.840.1.113883.5.88"/><assignedEntity>
    <id root="{OWN}.2" extension="BS2"/><assignedPerson><name>Hồ Nam</name></assignedPerson></assignedEntity></performer>
    </serviceEvent></documentationOf>
    <relatedDocument typeCode="RPLC"><parentDocument><id root="{OWN}" extension="TL-0"/></parentDocument></relatedDocument>
    <componentOf><encompassingEncounter><id root="{OWN}.5" extension="DT1"/>
    <code code="IMP" codeSystem="2.16.840.1.113883.5.4"/><effectiveTime><low value="20260201"/><high value="20260301"/>
    </effectiveTime><dischargeDispositionCode code="1" codeSystem="{OWN}.6" displayName="Ra viện"/>
    <location><healthCareFacility><serviceProviderOrganization><id root="{OWN}.3" extension="01999"/>
    </serviceProviderOrganization></healthCareFacility></location></encompassingEncounter></componentOf>"""
    reading = sound(read(document(header=header)))
    composition, encounter = one(reading, "Composition"), one(reading, "Encounter")
    assert composition["attester"][0]["mode"] == "legal"
    assert composition["relatesTo"][0] == {
        "code": "replaces",
        "targetIdentifier": {"system": f"urn:oid:{OWN}", "value": "TL-0"},
    }
    detail = [found["reference"].partition("/")[0] for event in composition["event"] for found in event["detail"]]
    assert detail == ["CareTeam", "RelatedPerson", "Organization", "ServiceRequest"]
    assert encounter["class"]["code"] == "IMP"
    assert encounter["period"] == {"start": "2026-02-01", "end": "2026-03-01"}
    assert encounter["hospitalization"]["dischargeDisposition"]["coding"][0]["display"] == "Ra viện"
    assert reading.encounter_id == encounter["id"]
    assert len(all_of(reading, "Practitioner")) == 2


def test_a_root_made_of_a_uri_gives_the_uri_back() -> None:
    from uuid import NAMESPACE_URL, uuid5

    uri = "http://fhir.hl7.org.vn/core/sid/cccd"
    person = PATIENT.replace(
        f'<id root="{OWN}.1" extension="BN-0001"/>',
        f'<id root="{uuid5(NAMESPACE_URL, uri)}" extension="001170000001" assigningAuthorityName="{uri}"/>'
        f'<id root="{uuid5(NAMESPACE_URL, uri)}" extension="7" assigningAuthorityName="http://other.example"/>',
    )
    found = one(read(document(patient=person)), "Patient")["identifier"]
    assert found[0] == {"system": uri, "value": "001170000001"}
    assert found[1]["system"] == f"urn:uuid:{uuid5(NAMESPACE_URL, uri)}"


@pytest.mark.parametrize("patient", ["", "<recordTarget/>"])
def test_without_patient(patient: str) -> None:
    assert isinstance(read(document(patient=patient)).fault, faults.PatientMissing)


def test_another_patient_than_expected() -> None:
    mine, others = (f"urn:oid:{OWN}.1", "BN-0001"), (f"urn:oid:{OWN}.1", "BN-0002")
    assert read(document(), Context(expect_patient=(others, mine))).patient_id
    with pytest.raises(faults.OtherPatient) as raised:
        read(document(), Context(expect_patient=(others,)))
    assert "BN-" not in str(raised.value)


def test_several_patients_are_noticed_and_the_second_is_not_taken() -> None:
    second = PATIENT.replace("BN-0001", "BN-0002").replace("Trần", "Phan")
    reading = sound(read(document(patient=PATIENT + second)))
    assert [notice.code for notice in reading.notices] == [faults.SEVERAL_PATIENTS]
    assert one(reading, "Patient")["name"][0]["family"] == "Trần"
    assert any("recordTarget[2]" in position for position in reading.coverage.unknown)


def test_a_number_that_two_people_share_makes_two_people() -> None:
    second = AUTHOR.replace("Lê Thị Mai", "Võ Minh")
    reading = sound(read(document(author=AUTHOR + second)))
    assert sorted(p["name"][0]["text"] for p in all_of(reading, "Practitioner")) == ["Lê Thị Mai", "Võ Minh"]


def test_a_document_without_time_of_day_is_a_collection() -> None:
    data = document().replace(b'<effectiveTime value="20260301083000+0700"/>', b'<effectiveTime value="20260301"/>', 1)
    reading = sound(read(data))
    assert (reading.bundle["type"], one(reading, "Composition")["date"]) == ("collection", "2026-03-01")


def test_what_is_missing_is_said_to_be_absent() -> None:
    bare: Any = document(author="").replace(b'<effectiveTime value="20260301083000+0700"/>', b"", 1)
    reading = sound(read(bare))
    composition = one(reading, "Composition")
    assert composition["_date"]["extension"][0]["valueCode"] == "unknown"
    assert composition["author"][0]["extension"][0]["valueCode"] == "unknown"

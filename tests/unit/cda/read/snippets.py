"""Documents around a snippet: a complete small header, one section, the entries under test."""

from __future__ import annotations

from typing import Any

from mappings.cda.read import Context, Reading, read
from mappings.fhir import bundle_references, problems
from mappings.outcome import Resource

NS = 'xmlns="urn:hl7-org:v3" xmlns:sdtc="urn:hl7-org:sdtc" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
OWN = "2.16.840.1.113883.3.9999"
PATIENT = f"""<recordTarget><patientRole><id root="{OWN}.1" extension="BN-0001"/>
<patient><name><given>An</given><family>Trần</family></name>
<administrativeGenderCode code="F" codeSystem="2.16.840.1.113883.5.1"/><birthTime value="19700102"/></patient>
</patientRole></recordTarget>"""
AUTHOR = f"""<author><time value="20260301080000+0700"/><assignedAuthor><id root="{OWN}.2" extension="BS1"/>
<assignedPerson><name>Lê Thị Mai</name></assignedPerson></assignedAuthor></author>"""
SNOMED = "2.16.840.1.113883.6.96"
LOINC = "2.16.840.1.113883.6.1"


def document(body: str = "", header: str = "", patient: str = PATIENT, author: str = AUTHOR) -> bytes:
    """Write a document with this body (the content of `component`) and further header elements after the custodian."""
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<ClinicalDocument {NS}><typeId root="2.16.840.1.113883.1.3" extension="POCD_HD000040"/>
<id root="{OWN}" extension="TL-1"/><code code="34133-9" codeSystem="{LOINC}" displayName="Summary of episode note"/>
<title>Tóm tắt</title><effectiveTime value="20260301083000+0700"/><confidentialityCode code="N"
codeSystem="2.16.840.1.113883.5.25"/><languageCode code="vi-VN"/>{patient}{author}
<custodian><assignedCustodian><representedCustodianOrganization><id root="{OWN}.3" extension="01999"/>
<name>Bệnh viện Thử Nghiệm</name></representedCustodianOrganization></assignedCustodian></custodian>
{header}<component>{body or "<structuredBody/>"}</component></ClinicalDocument>""".encode()


def section(entries: str, code: str = "11450-4", text: str = "<text>Nội dung</text>", extra: str = "") -> str:
    """Write a body of one section."""
    made = "".join(f"<entry>{entry}</entry>" for entry in entries.split("<!--next-->") if entry.strip())
    return (
        f'<structuredBody><component><section><code code="{code}" codeSystem="{LOINC}"/><title>Mục</title>'
        f"{text}{extra}{made}</section></component></structuredBody>"
    )


def sound(reading: Reading) -> Reading:
    """Assert what holds for every reading."""
    assert problems(reading.bundle) == []
    found = bundle_references(reading.bundle)
    assert [one for one in found if reading.bundle["type"] == "document" or one.rule == "reference"] == []
    account = reading.coverage
    positions = [*account.mapped, *account.ignored, *account.unknown]
    assert len(set(positions)) == len(positions)
    assert all([*account.ignored.values(), *account.unknown.values()])
    return reading


def taken(entries: str, code: str = "11450-4", text: str = "<text>Nội dung</text>", **context: Any) -> Reading:
    """Read a document with these entries in one section."""
    return sound(read(document(section(entries, code, text)), Context(**context)))


def one(reading: Reading, kind: str) -> Resource:
    """Give the only resource of a type."""
    (found,) = all_of(reading, kind)
    return found


def all_of(reading: Reading, kind: str) -> list[Resource]:
    return [resource for resource in reading.resources if resource["resourceType"] == kind]


def codes(concept: dict[str, Any]) -> list[str]:
    return [coding["code"] for coding in concept["coding"]]


def unknown(reading: Reading) -> dict[str, str]:
    """Give the unknown facts by the end of their position."""
    return {position.rpartition("/section/")[2]: why for position, why in reading.coverage.unknown.items()}

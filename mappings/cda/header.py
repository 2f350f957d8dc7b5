"""The header of a CDA document: who, for whom, where, which version.

`legalAuthenticator` is the facility, whose seal these bytes get before they leave (`signatureCode` S); `authenticator` is the
practitioner, whose own signature is not part of these bytes (X: required).

Standard: CDA R2 §4.2
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from mappings.cda.datatypes import (
    Node,
    address,
    coded,
    document_id,
    el,
    instances,
    interval,
    telecoms,
    time,
)
from mappings.cda.source import Source
from mappings.documents import wording

REALM = "VN"
_GENDERS = {"male": "M", "female": "F", "other": "UN"}
_GENDER = "2.16.840.1.113883.5.1"
_VERSION = "composition-clinicaldocument-versionNumber"
_ETHNICITY = "vn-ext-ethnicity"


def header(source: Source) -> Iterable[Node | None]:
    """Give the header elements in the order of the schema."""
    composition = source.composition
    yield el("realmCode", code=REALM)
    yield el("typeId", root="2.16.840.1.113883.1.3", extension="POCD_HD000040")
    yield document_id(source.bundle["identifier"])
    yield coded("code", {"coding": composition["type"]["coding"]})
    yield el("title", composition["title"])
    yield time("effectiveTime", composition["date"])
    yield el("confidentialityCode", code=composition.get("confidentiality", "N"), codeSystem="2.16.840.1.113883.5.25")
    yield el("languageCode", code="vi-VN")
    yield document_id(composition["identifier"], "setId")
    yield el("versionNumber", value=_version(composition))
    yield _record_target(source)
    yield from _authors(source)
    yield el(
        "custodian",
        el("assignedCustodian", _organization(source.custodian, "representedCustodianOrganization", single=True)),
    )
    yield from _recipients(source)
    yield el(
        "legalAuthenticator",
        time("time", composition["date"]),
        el("signatureCode", code="S"),
        el("assignedEntity", *instances(source.custodian), _organization(source.custodian, "representedOrganization")),
    )
    for practitioner in source.attesters("professional"):
        yield el(
            "authenticator",
            time("time", composition["date"]),
            el("signatureCode", code="X"),
            _assigned("assignedEntity", practitioner, source.custodian),
        )
    yield from _orders(source)
    for related in composition.get("relatesTo", []):
        if related.get("code") == "replaces" and "targetIdentifier" in related:
            parent = el("parentDocument", document_id(related["targetIdentifier"]))
            yield el("relatedDocument", parent, typeCode="RPLC")
    if source.encounter:
        yield el("componentOf", _encounter(source, source.encounter))


def _version(composition: dict[str, Any]) -> str:
    said = (e.get("valueString", "") for e in composition.get("extension", []) if e.get("url", "").endswith(_VERSION))
    return next(said, "1")


def _record_target(source: Source) -> Node:
    patient = source.patient
    gender = _GENDERS.get(patient.get("gender", ""))
    ethnicity = next(
        (e.get("valueCodeableConcept") for e in patient.get("extension", []) if e.get("url", "").endswith(_ETHNICITY)),
        None,
    )
    person = el(
        "patient",
        el("name", wording.name(patient)),
        el("administrativeGenderCode", code=gender, codeSystem=_GENDER)
        if gender
        else el("administrativeGenderCode", nullFlavor="UNK"),
        time("birthTime", patient.get("birthDate")),
        coded("ethnicGroupCode", ethnicity) if ethnicity else None,
        *(_guardian(related) for related in source.of_type("RelatedPerson")),
    )
    return el(
        "recordTarget",
        el(
            "patientRole",
            *instances(patient),
            address(patient),
            *telecoms(patient),
            person,
            _organization(source.custodian, "providerOrganization"),
        ),
    )


def _guardian(related: dict[str, Any]) -> Node:
    relationship = next(iter(related.get("relationship", [])), None)
    return el(
        "guardian",
        coded("code", relationship) if relationship else None,
        address(related),
        *telecoms(related),
        el("guardianPerson", el("name", wording.name(related))),
    )


def _authors(source: Source) -> Iterable[Node]:
    for author in source.authors:
        if author["resourceType"] == "Practitioner":
            assigned = _assigned("assignedAuthor", author, source.custodian)
        else:
            assigned = el("assignedAuthor", *instances(author), _organization(author, "representedOrganization"))
        yield el("author", time("time", source.composition["date"]), assigned)


def _assigned(tag: str, practitioner: dict[str, Any], organization: dict[str, Any]) -> Node:
    return el(
        tag,
        *instances(practitioner),
        *telecoms(practitioner),
        el("assignedPerson", el("name", wording.title_and_name(practitioner))),
        _organization(organization, "representedOrganization"),
    )


def _organization(organization: dict[str, Any], tag: str, single: bool = False) -> Node:
    phones = list(telecoms(organization))
    name = organization.get("name")
    return el(
        tag,
        *instances(organization),
        el("name", name) if name else None,
        *(phones[:1] if single else phones),
        address(organization),
    )


def _orders(source: Source) -> Iterable[Node]:
    """Name the orders a report answers."""
    for report in source.of_type("DiagnosticReport"):
        for reference in report.get("basedOn", []):
            order = source.get(reference)
            if order and order.get("identifier"):
                yield el("inFulfillmentOf", el("order", *instances(order)))


def _recipients(source: Source) -> Iterable[Node]:
    """Name who a referral is for."""
    for request in source.of_type("ServiceRequest"):
        for performer in request.get("performer", []):
            found = source.get(performer)
            if found and found["resourceType"] == "Organization":
                organization = _organization(found, "receivedOrganization")
                yield el("informationRecipient", el("intendedRecipient", organization))


def _encounter(source: Source, encounter: dict[str, Any]) -> Node:
    disposition = encounter.get("hospitalization", {}).get("dischargeDisposition")
    doctors = list(source.attesters("professional"))
    return el(
        "encompassingEncounter",
        *instances(encounter),
        coded("code", {"coding": [encounter["class"]]}) if encounter.get("class") else None,
        interval("effectiveTime", encounter.get("period")),
        coded("dischargeDispositionCode", disposition) if disposition else None,
        *(el("responsibleParty", _assigned("assignedEntity", doctor, source.custodian)) for doctor in doctors[:1]),
        el("location", el("healthCareFacility", _organization(source.custodian, "serviceProviderOrganization"))),
    )

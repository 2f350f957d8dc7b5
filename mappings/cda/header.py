"""The header of a CDA document: who, for whom, where, which version.

`legalAuthenticator` is the facility, whose seal these bytes get before they leave (`signatureCode` S); `authenticator` is each
practitioner (or other person) who attests, whose own signature is not part of these bytes (X: required).

Nationality and occupation of a person have no place in CDA R2; the narrative shows them.

Standard: CDA R2 §4.2
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from mappings.cda import people
from mappings.cda.datatypes import DataTypes, interval, time, when
from mappings.cda.markup import Markup, el
from mappings.cda.people import People
from mappings.cda.settings import Settings
from mappings.cda.source import Source
from mappings.cda.visit import encompassing_encounter
from mappings.documents.record import relation_codes
from mappings.outcome import Resource

_GENDERS = {"male": "M", "female": "F", "other": "UN"}
_GENDER = "2.16.840.1.113883.5.1"
_CONFIDENTIALITY = "2.16.840.1.113883.5.25"
_VERSION = "composition-clinicaldocument-versionNumber"
_GUARDIANS = frozenset({"FTH", "MTH", "PRN", "GUARD", "GRD", "GRDN", "HPOWATT", "DPOWATT"})
_TOLD_BY = ("asserter", "informationSource", "source", "reporter")
_RELATED = {"replaces": "RPLC", "appends": "APND", "transforms": "XFRM"}


class Header:
    """Writes the header of one document."""

    def __init__(self, source: Source, types: DataTypes, persons: People, settings: Settings) -> None:
        self._source = source
        self._composition = source.composition
        self._types = types
        self._people = persons
        self._settings = settings

    def elements(self) -> Iterator[Markup | None]:
        """Give the elements in the order of the schema."""
        composition, types = self._composition, self._types
        yield el("realmCode", code=self._settings.realm)
        yield el("typeId", root="2.16.840.1.113883.1.3", extension="POCD_HD000040")
        yield self._template()
        yield types.document_id(self._source.bundle["identifier"])
        yield types.coded("code", {"coding": composition["type"].get("coding", [])})
        yield el("title", composition["title"])
        yield time("effectiveTime", composition["date"])
        yield el("confidentialityCode", code=composition.get("confidentiality", "N"), codeSystem=_CONFIDENTIALITY)
        yield el("languageCode", code="vi-VN" if composition.get("language", "vi") == "vi" else composition["language"])
        yield types.document_id(composition["identifier"], "setId")
        yield el("versionNumber", value=_version(composition))
        yield self._record_target()
        yield from self._authors()
        yield from self._data_enterer()
        yield from self._informants()
        yield el(
            "custodian",
            el(
                "assignedCustodian",
                self._people.organization(self._source.custodian, "representedCustodianOrganization", single=True),
            ),
        )
        yield from self._recipients()
        yield from self._authenticators()
        yield from self._participants()
        yield from self._orders()
        yield from self._services()
        yield from self._related()
        yield from self._consents()
        if self._source.encounter:
            yield el("componentOf", encompassing_encounter(self._source.encounter, self._source, types, self._people))

    def _template(self) -> Markup | None:
        paper = self._source.paper
        if not paper.get("code"):
            return None
        name = ":".join(part for part in (paper["code"], paper.get("version", "")) if part)
        return el("templateId", root=self._settings.template, extension=name)

    # ---- who the document is about ----

    def _record_target(self) -> Markup:
        patient, types = self._source.patient, self._types
        gender = _GENDERS.get(patient.get("gender", ""))
        marital, religion = patient.get("maritalStatus"), _extension(patient, "patient-religion")
        race, ethnicity = _extension(patient, "us-core-race"), _extension(patient, "vn-ext-ethnicity", "ethnicity")
        person = el(
            "patient",
            *self._names(patient),
            el("administrativeGenderCode", code=gender, codeSystem=_GENDER)
            if gender
            else el("administrativeGenderCode", nullFlavor="UNK"),
            time("birthTime", _born(patient)),
            types.coded("maritalStatusCode", marital) if marital else None,
            types.coded("religiousAffiliationCode", religion) if religion else None,
            types.coded("raceCode", race) if race else None,
            types.coded("ethnicGroupCode", ethnicity) if ethnicity else None,
            *(self._guardian(related) for related in self._relatives(guardians=True)),
            _birthplace(patient),
            *(_language(one) for one in patient.get("communication", [])),
        )
        return el(
            "recordTarget",
            el(
                "patientRole",
                *types.instances(patient),
                *people.addresses(patient),
                *people.telecoms(patient),
                person,
                self._people.organization(self._source.custodian, "providerOrganization"),
            ),
        )

    @staticmethod
    def _names(patient: Resource) -> Iterator[Markup]:
        """Give the name papers print, then the others."""
        yield people.name(patient)
        listed = patient.get("name") or []
        first = people.preferred(patient)
        for one in listed:
            if one is not first:
                yield people.name({"name": [one]})

    def _relatives(self, guardians: bool) -> Iterator[Resource]:
        for related in self._source.of_type("RelatedPerson"):
            if bool(relation_codes(related) & _GUARDIANS) == guardians:
                yield related

    def _guardian(self, related: Resource) -> Markup:
        relationship = next(iter(related.get("relationship", [])), None)
        return el(
            "guardian",
            *self._types.known_instances(related),
            self._types.coded("code", relationship) if relationship else None,
            *people.addresses(related),
            *people.telecoms(related),
            el("guardianPerson", people.name(related)),
        )

    # ---- who made it and answers for it ----

    def _authors(self) -> Iterator[Markup]:
        at = time("time", self._composition["date"])
        for author in self._source.authors:
            yield el("author", at, self._people.assigned("assignedAuthor", author))

    def _data_enterer(self) -> Iterator[Markup]:
        for provenance in self._source.all("Provenance"):
            for agent in provenance.get("agent", []):
                if any(coding.get("code") == "enterer" for coding in agent.get("type", {}).get("coding", [])):
                    who = agent.get("who", {})
                    at = time("time", provenance["recorded"]) if provenance.get("recorded") else None
                    entity = self._people.assigned("assignedEntity", self._source.get(who), who.get("display", ""))
                    yield el("dataEnterer", at, entity)
                    return

    def _informants(self) -> Iterator[Markup | None]:
        """Name the relatives who told something of what the sections are made of."""
        seen: set[str] = set()
        for entry in self._source.bundle["entry"]:
            for element in _TOLD_BY:
                told = entry["resource"].get(element)
                found = self._source.get(told) if isinstance(told, dict) else None
                if found and found["resourceType"] == "RelatedPerson" and found["id"] not in seen:
                    seen.add(found["id"])
                    yield self._people.informant(told)

    def _authenticators(self) -> Iterator[Markup]:
        legal = next(self._source.attesters("legal"), ({}, self._source.custodian))
        yield self._attested("legalAuthenticator", "S", *legal)
        for attester, party in self._source.attesters("professional", "official", "personal"):
            yield self._attested("authenticator", "X", attester, party)

    def _attested(self, tag: str, signature: str, attester: dict[str, Any], party: Resource | None) -> Markup:
        shown = attester.get("party", {}).get("display", "")
        return el(
            tag,
            time("time", attester.get("time") or self._composition["date"]),
            el("signatureCode", code=signature),
            self._people.assigned("assignedEntity", party, shown),
        )

    # ---- who else ----

    def _recipients(self) -> Iterator[Markup]:
        """Name who a referral or report is for."""
        for request in self._source.of_type("ServiceRequest"):
            for performer in request.get("performer", []):
                found = self._source.get(performer)
                if found and found["resourceType"] == "Organization":
                    organization = self._people.organization(found, "receivedOrganization")
                    yield el("informationRecipient", el("intendedRecipient", organization))

    def _participants(self) -> Iterator[Markup]:
        """Name the insurance cards, and the relatives who are no guardians."""
        for coverage in self._source.of_type("Coverage"):
            yield self._coverage(coverage)
        for related in self._relatives(guardians=False):
            relationship = next(iter(related.get("relationship", [])), None)
            yield el(
                "participant",
                el(
                    "associatedEntity",
                    *self._types.known_instances(related),
                    self._types.coded("code", relationship) if relationship else None,
                    *people.addresses(related),
                    *people.telecoms(related),
                    el("associatedPerson", people.name(related)),
                    classCode="PRS",
                ),
                typeCode="IND",
            )

    def _coverage(self, coverage: Resource) -> Markup:
        """Make the holder of a card: its number, kind, days in force, and who pays."""
        numbers = [i for i in coverage.get("identifier", []) if i.get("value")]
        payor: dict[str, Any] = next(iter(coverage.get("payor", [])), {})
        body = self._source.get(payor)
        relationship = coverage.get("relationship")
        insurer = (
            self._people.organization(body, "scopingOrganization")
            if body and body["resourceType"] == "Organization"
            else el("scopingOrganization", el("name", payor["display"]))
            if payor.get("display")
            else None
        )
        return el(
            "participant",
            interval("time", coverage["period"]) if coverage.get("period") else None,
            el(
                "associatedEntity",
                *(self._types.instance(one) for one in numbers),
                self._types.coded("code", relationship) if relationship else None,
                insurer,
                classCode="POLHOLD",
            ),
            typeCode="HLD",
        )

    # ---- what it belongs to ----

    def _orders(self) -> Iterator[Markup]:
        """Name the orders that what is reported answers."""
        seen: set[str] = set()
        for report in self._source.of_type("DiagnosticReport", "Procedure", "ImagingStudy", "Immunization"):
            for reference in report.get("basedOn", []):
                order = self._source.get(reference)
                if order and order.get("identifier") and order["id"] not in seen:
                    seen.add(order["id"])
                    code = order.get("code")
                    kind = self._types.coded("code", code) if code else None
                    yield el("inFulfillmentOf", el("order", *self._types.instances(order), kind))

    def _services(self) -> Iterator[Markup]:
        """Say which service is documented: what is reported or was done, else what the document names as its event."""
        reports = list(self._source.of_type("DiagnosticReport", "Procedure"))
        for report in reports[:1]:
            performers = report.get("performer", [])
            yield el(
                "documentationOf",
                el(
                    "serviceEvent",
                    *self._types.known_instances(report),
                    self._types.coded("code", report.get("code")),
                    when(report, "effective") or when(report, "performed"),
                    *(self._performer(one.get("actor", one)) for one in performers),
                ),
            )
        for event in () if reports else self._composition.get("event", []):
            codes = event.get("code", [])
            professionals = self._source.attesters("professional")
            yield el(
                "documentationOf",
                el(
                    "serviceEvent",
                    self._types.coded("code", codes[0]) if codes else None,
                    interval("effectiveTime", event["period"]) if event.get("period") else None,
                    *(self._performer(attester["party"]) for attester, _ in professionals),
                ),
            )

    def _performer(self, reference: dict[str, Any]) -> Markup:
        found, shown = self._source.get(reference), reference.get("display", "")
        return el("performer", self._people.assigned("assignedEntity", found, shown, context=False), typeCode="PRF")

    def _related(self) -> Iterator[Markup]:
        for related in self._composition.get("relatesTo", []):
            kind, identifier = _RELATED.get(related.get("code", "")), related.get("targetIdentifier")
            if not kind:
                continue
            if not identifier:
                identifier = related.get("targetReference", {}).get("identifier", {})
            number = _version(self._composition)
            earlier = int(number) - 1 if kind == "RPLC" and number.isdigit() else 0
            parent = el(
                "parentDocument",
                self._types.document_id(identifier),
                self._types.document_id(self._composition["identifier"], "setId") if earlier else None,
                el("versionNumber", value=str(earlier)) if earlier else None,
            )
            yield el("relatedDocument", parent, typeCode=kind)

    def _consents(self) -> Iterable[Markup]:
        for consent in self._source.of_type("Consent"):
            kind = next(iter(consent.get("category", [])), None)
            yield el(
                "authorization",
                el(
                    "consent",
                    *self._types.known_instances(consent),
                    self._types.coded("code", kind) if kind else None,
                    el("statusCode", code="completed"),
                ),
            )


def _version(composition: dict[str, Any]) -> str:
    said = (e.get("valueString", "") for e in composition.get("extension", []) if e.get("url", "").endswith(_VERSION))
    return next(said, "1")


def _extension(resource: Resource, *suffixes: str) -> dict[str, Any] | None:
    """Give the concept of the first extension whose URL ends in one of the suffixes."""
    for one in resource.get("extension", []):
        if one.get("url", "").endswith(suffixes):
            found: dict[str, Any] | None = one.get("valueCodeableConcept")
            if found:
                return found
    return None


def _born(patient: Resource) -> str | None:
    """Give the time of birth, where it is known more exactly than the day."""
    for one in patient.get("_birthDate", {}).get("extension", []):
        if one.get("url", "").endswith("patient-birthTime"):
            exact: str | None = one.get("valueDateTime")
            return exact
    born: str | None = patient.get("birthDate")
    return born


def _birthplace(patient: Resource) -> Markup | None:
    for one in patient.get("extension", []):
        if one.get("url", "").endswith("patient-birthPlace"):
            made = people.address(one.get("valueAddress", {}))
            return el("birthplace", el("place", made)) if made else None
    return None


def _language(communication: dict[str, Any]) -> Markup | None:
    codes = [coding["code"] for coding in communication.get("language", {}).get("coding", []) if coding.get("code")]
    if not codes:
        return None
    preferred = communication.get("preferred")
    return el(
        "languageCommunication",
        el("languageCode", code=codes[0]),
        el("preferenceInd", value=str(preferred).lower()) if preferred is not None else None,
    )

"""recordTarget as Patient: whose document it is.

Standard: CDA R2 §4.2.2.11
"""

from __future__ import annotations

from mappings.cda import faults
from mappings.cda.read.codings import cd_to_codeable_concept, cd_to_coding, language_concept
from mappings.cda.read.datatypes import addresses, bl, ids, names, telecoms
from mappings.cda.read.draft import Draft
from mappings.cda.read.elements import Element, compact
from mappings.cda.read.node import Node
from mappings.cda.read.people import gender, organization_to_reference, related_to_reference
from mappings.cda.read.times import ts_to_date, ts_to_datetime
from mappings.outcome import Resource

_RACE = "http://hl7.org/fhir/us/core/StructureDefinition/us-core-race"
_CDC = "urn:oid:2.16.840.1.113883.6.238"
_EXTENSION = "http://hl7.org/fhir/StructureDefinition"


def record_target_to_patient(draft: Draft) -> None:
    """Make the Patient of the document; raises `PatientMissing`, `OtherPatient`."""
    targets = draft.root.all("recordTarget")
    role = targets[0].first("patientRole") if targets else targets
    if not isinstance(role, Node) or not role:
        raise faults.PatientMissing("/ClinicalDocument/recordTarget")
    for other in targets[1:]:
        other.leave("another patient; a document of FHIR is about one")
        draft.notice(faults.SEVERAL_PATIENTS, other.where())
    numbers = ids(role)
    draft.patient_numbers = numbers
    _expect(numbers, role, draft)
    person = role.first("patient")
    patient: Resource = compact(
        {
            "resourceType": "Patient",
            "id": draft.known("Patient", numbers, role),
            "identifier": numbers,
            "name": names(person, draft),
            "telecom": telecoms(role, draft),
            "gender": gender(person.first("administrativeGenderCode", "gender")),
            "birthDate": ts_to_date(person.first("birthTime", "birthDate")),
            "address": addresses(role, draft),
        }
    )
    draft.patient = draft.tell(patient)
    role.becomes(draft.patient)
    _birth_time(person, patient, draft)
    _circumstances(person, patient, draft)
    _extensions(person, patient, draft)
    provider = role.first("providerOrganization")
    manager = organization_to_reference(provider, draft) if provider else ""
    if manager:
        patient["managingOrganization"] = {"reference": manager}
    for guardian in person.all("guardian"):
        _guardian(guardian, patient, draft)


def _expect(numbers: list[Element], role: Node, draft: Draft) -> None:
    expected = draft.context.expect_patient
    if expected and not any((one.get("system", ""), one["value"]) in expected for one in numbers):
        raise faults.OtherPatient(f"{role.where()}/id")


def _birth_time(person: Node, patient: Resource, draft: Draft) -> None:
    born = person.first("birthTime")
    if len(born.peek("value")) > 8:
        moment = ts_to_datetime(born, draft)
        if "T" in moment:
            extension = {"url": f"{_EXTENSION}/patient-birthTime", "valueDateTime": moment}
            patient["_birthDate"] = {"extension": [extension]}


def _circumstances(person: Node, patient: Resource, draft: Draft) -> None:
    married = person.first("maritalStatusCode", "maritalStatus")
    status = cd_to_codeable_concept(married, draft) if married else None
    if status:
        patient["maritalStatus"] = status
    died, dead = person.first("sdtc:deceasedTime", "deceased"), person.first("sdtc:deceasedInd", "deceased")
    moment, gone = ts_to_datetime(died, draft) if died else "", bl(dead) if dead else None
    if moment and gone is not False:
        patient["deceasedDateTime"] = moment
    elif gone is not None:
        died.give_back("value", "a time of death of somebody who is not dead")
        patient["deceasedBoolean"] = gone
    order = person.first("sdtc:multipleBirthOrderNumber", "multipleBirth")
    several = person.first("sdtc:multipleBirthInd", "multipleBirth")
    number, twin = order["value"], bl(several) if several else None
    if number.isascii() and number.isdigit() and len(number) < 3:
        patient["multipleBirthInteger"] = int(number)
    elif twin is not None:
        patient["multipleBirthBoolean"] = twin
    spoken = []
    for community in person.all("languageCommunication", "communication"):
        code = community.first("languageCode")
        found = language_concept(code) if code else None
        preferred = community.first("preferenceInd")
        if found:
            how = _proficiency(community)
            spoken.append(
                compact({"extension": how, "language": found, "preferred": bl(preferred) if preferred else None})
            )
    if spoken:
        patient["communication"] = spoken


def _proficiency(community: Node) -> list[Element]:
    """Say how and how well a language is spoken, as FHIR's own extension has it."""
    parts = []
    for name, url in (("proficiencyLevelCode", "level"), ("modeCode", "type")):
        node = community.first(name)
        coding = cd_to_coding(node) if node else None
        if coding:
            parts.append({"url": url, "valueCoding": coding})
    return [{"url": f"{_EXTENSION}/patient-proficiency", "extension": parts}] if parts else []


def _extensions(person: Node, patient: Resource, draft: Draft) -> None:
    """Religion and birthplace by extensions of FHIR itself; race and ethnicity by those of the country that asks for them."""
    extensions: list[Element] = []
    faith = person.first("religiousAffiliationCode", "extension(patient-religion)")
    religion = cd_to_codeable_concept(faith, draft) if faith else None
    if religion:
        extensions.append({"url": f"{_EXTENSION}/patient-religion", "valueCodeableConcept": religion})
    home = person.down("birthplace", "place")
    born = addresses(home, draft, "extension(patient-birthPlace)")
    if born:
        extensions.append({"url": f"{_EXTENSION}/patient-birthPlace", "valueAddress": born[0]})
    for kind in ("race", "ethnicGroup"):
        nodes = [
            *person.all(f"{kind}Code", f"extension({kind})"),
            *person.all(f"sdtc:{kind}Code", f"extension({kind})"),
        ]
        found = _group(kind, nodes, draft)
        extensions += found
    if extensions:
        patient["extension"] = extensions


def _group(kind: str, nodes: list[Node], draft: Draft) -> list[Element]:
    """Make what a country asks: the extensions of US Core for codes of the CDC, else that of Vietnam for the ethnic group."""
    said = [(node, coding) for node in nodes if (coding := cd_to_coding(node))]
    american = [(node, coding) for node, coding in said if coding.get("system") == _CDC]
    if american:
        url = _RACE if kind == "race" else _RACE.replace("race", "ethnicity")
        categories = american[:5] if kind == "race" else american[:1]
        parts = [{"url": "ombCategory", "valueCoding": coding} for _, coding in categories[:1]]
        parts += [{"url": "detailed", "valueCoding": coding} for _, coding in american[1:]]
        text = ", ".join(coding.get("display") or coding["code"] for _, coding in american)
        return [{"url": url, "extension": [*parts, {"url": "text", "valueString": text}]}]
    concepts = [concept for node, _ in said if (concept := cd_to_codeable_concept(node, draft))]
    if kind == "race" or not concepts:
        for node, _ in said:
            node.give_up("race by another list than the one FHIR has an element for")
        return []
    national = draft.context.systems.national
    return [{"url": f"{national}/StructureDefinition/vn-ext-ethnicity", "valueCodeableConcept": concepts[0]}]


def _guardian(guardian: Node, patient: Resource, draft: Draft) -> None:
    """Make the RelatedPerson, or the Patient's contact when it is an organization."""
    person = guardian.first("guardianPerson")
    if person and related_to_reference(guardian, person, draft):
        return
    organization = guardian.first("guardianOrganization")
    reference = organization_to_reference(organization, draft) if organization else ""
    if reference:
        patient.setdefault("contact", []).append({"organization": {"reference": reference}})

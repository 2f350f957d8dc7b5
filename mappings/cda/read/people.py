"""Roles of people and organizations as Practitioner, RelatedPerson, Organization, Device and Location.

Somebody is known by his first number; one without a number by his name, within the document.

Standard: CDA R2 §4.2.2 (participants)
"""

from __future__ import annotations

from mappings.cda.read.codings import cd_to_codeable_concept, cd_to_coding
from mappings.cda.read.datatypes import addresses, ids, names, on_to_text, telecoms
from mappings.cda.read.draft import Draft
from mappings.cda.read.elements import Element, compact
from mappings.cda.read.node import Node
from mappings.cda.read.times import ts_to_date
from mappings.ids import resource_id

_GENDERS = {"M": "male", "F": "female", "UN": "other"}


def assigned_to_reference(role: Node, draft: Draft) -> str:
    """Make who an assignedAuthor, assignedEntity, intendedRecipient … is, and give the reference; `""` for nobody.

    The person, else the device, else the organization. The patient as author of something about herself is the Patient.
    """
    person = role.first("assignedPerson") or role.first("informationRecipient") or role.first("associatedPerson")
    device = role.first("assignedAuthoringDevice")
    organization = role.first("representedOrganization") or role.first("receivedOrganization")
    organization = organization or role.first("scopingOrganization")
    numbers = ids(role)
    if any(number in draft.patient_numbers for number in numbers) and draft.patient:
        role.becomes(draft.patient)
        return draft.patient
    employer = organization_to_reference(organization, draft) if organization else ""
    if device:
        return _device(role, device, numbers, draft)
    if not person and employer:
        return _as_organization(role, numbers, employer, draft)
    return _practitioner(role, person, numbers, employer, draft)


def _as_organization(role: Node, numbers: list[Element], employer: str, draft: Draft) -> str:
    """Give what a role without a person says to its organization."""
    said = {"identifier": numbers, **_reached(role, draft)}
    code = role.first("code", "type")
    kind = cd_to_codeable_concept(code, draft) if code else None
    draft.tell({**draft.get(employer), **compact({**said, "type": [kind] if kind else []})})
    role.becomes(employer)
    return employer


def _practitioner(role: Node, person: Node, numbers: list[Element], employer: str, draft: Draft) -> str:
    name = names(person, draft)
    if not numbers and not name:
        return ""
    practitioner = compact(
        {
            "resourceType": "Practitioner",
            "id": _known(numbers, name, "Practitioner", draft),
            "identifier": numbers,
            "name": name,
            "telecom": telecoms(role, draft),
            "address": addresses(role, draft),
        }
    )
    reference = draft.tell(practitioner)
    role.becomes(reference)
    code = role.first("code")
    said = cd_to_codeable_concept(code, draft) if code else None
    if said or employer:
        key = f"{reference}|{employer}|{(said or {}).get('coding') or (said or {}).get('text')}"
        made = compact(
            {
                "resourceType": "PractitionerRole",
                "id": resource_id("PractitionerRole", f"{draft.context.systems.own}/sid/document-role", key),
                "practitioner": {"reference": reference},
                "organization": {"reference": employer} if employer else None,
                "code": [said] if said else [],
            }
        )
        position = draft.tell(made)
        if code:
            code.becomes(position, "code")
    return reference


def _known(numbers: list[Element], name: list[Element], kind: str, draft: Draft) -> str:
    for one in numbers:
        if one.get("system"):
            return resource_id(kind, one["system"], one["value"])
    called = repr([sorted(one.items(), key=lambda pair: pair[0]) for one in name])
    return resource_id(kind, f"{draft.context.systems.own}/sid/document-name", f"{draft.key}|{called}")


def _device(role: Node, device: Node, numbers: list[Element], draft: Draft) -> str:
    software, model = device.first("softwareName"), device.first("manufacturerModelName")
    called, named = software.all_said(), model.all_said()
    code = device.first("code", "type")
    kind = cd_to_codeable_concept(code, draft) if code else None
    if not (numbers or called or named):
        return ""
    made = compact(
        {
            "resourceType": "Device",
            "id": _known(numbers, [{"text": called or named}], "Device", draft),
            "identifier": numbers,
            "deviceName": [{"name": called, "type": "user-friendly-name"}] if called else [],
            "modelNumber": named,
            "type": kind,
        }
    )
    reference = draft.tell(made)
    role.becomes(reference)
    return reference


def organization_to_reference(organization: Node, draft: Draft) -> str:
    """Make an Organization and give its reference; `""` when nothing is said of it."""
    numbers, name = ids(organization), on_to_text(organization)
    if not numbers and not name:
        return ""
    code = organization.first("standardIndustryClassCode", "type")
    kind = cd_to_codeable_concept(code, draft) if code else None
    made = compact(
        {
            "resourceType": "Organization",
            "id": _known(numbers, [{"text": name}], "Organization", draft),
            "identifier": numbers,
            "type": [kind] if kind else [],
            "name": name,
            **_reached(organization, draft),
        }
    )
    above = organization.down("asOrganizationPartOf", "wholeOrganization")
    whole = organization_to_reference(above, draft) if above else ""
    if whole:
        made["partOf"] = {"reference": whole}
    reference = draft.tell(made)
    organization.becomes(reference)
    return reference


def _reached(node: Node, draft: Draft) -> Element:
    """Make telecom and address of an organization, which has no home. Standard: FHIR R4 org-2, org-3"""
    found: Element = {"telecom": telecoms(node, draft), "address": addresses(node, draft)}
    for name in ("telecom", "addr"):
        for each in node.all(name):
            if set(each.peek("use").split()) & {"H", "HP", "HV"}:
                each.give_back("use", "the home of an organization")
    for listed in found.values():
        for one in listed:
            if one.get("use") == "home":
                del one["use"]
    return found


def related_to_reference(role: Node, person: Node, draft: Draft) -> str:
    """Make the RelatedPerson of a relatedEntity, associatedEntity or guardian; `""` when nobody is named."""
    if not draft.patient:
        role.leave("a relative of nobody; the document does not say whose it is")
        return ""
    name, numbers = names(person, draft), ids(role)
    if not name and not numbers:
        return ""
    code = role.first("code", "relationship")
    relationship = cd_to_codeable_concept(code, draft) if code else None
    key = f"{draft.patient}|{name!r}|{numbers!r}"
    made = compact(
        {
            "resourceType": "RelatedPerson",
            "id": resource_id("RelatedPerson", f"{draft.context.systems.own}/sid/document-name", key),
            "identifier": numbers,
            "patient": draft.subject,
            "relationship": [relationship] if relationship else [],
            "name": name,
            "telecom": telecoms(role, draft),
            "gender": gender(person.first("administrativeGenderCode", "gender")),
            "birthDate": ts_to_date(
                person.first("birthTime", "birthDate") or person.first("sdtc:birthTime", "birthDate")
            ),
            "address": addresses(role, draft),
        }
    )
    reference = draft.tell(made)
    role.becomes(reference)
    return reference


def gender(code: Node) -> str:
    """Give the administrative gender; `""` when it is not said, `unknown` for a code that is none of HL7's three."""
    said = code.peek("code").upper()
    if not said:
        return "unknown" if code.peek("nullFlavor") in ("UNK", "ASKU") else ""
    cd_to_coding(code)
    return _GENDERS.get(said, "unknown")


def location_to_reference(role: Node, draft: Draft) -> str:
    """Make the Location of a participantRole or healthCareFacility; `""` when nothing is said of it."""
    place = role.first("playingEntity") or role.first("location")
    numbers, name = ids(role), on_to_text(place)
    code = role.first("code", "type")
    kind = cd_to_codeable_concept(code, draft) if code else None
    address = [*addresses(role, draft), *addresses(place, draft)]
    owner = role.first("serviceProviderOrganization")
    managing = organization_to_reference(owner, draft) if owner else ""
    if not (numbers or name or kind or address):
        return ""
    for ad in (*role.all("addr")[1:], *place.all("addr")[1 - bool(role.first("addr")) :]):
        ad.give_up("one of several addresses of a place; FHIR R4 keeps one")
    made = compact(
        {
            "resourceType": "Location",
            "id": _known(numbers, [{"text": name, "type": repr(kind), "address": repr(address)}], "Location", draft),
            "identifier": numbers,
            "name": name,
            "type": [kind] if kind else [],
            "telecom": telecoms(role, draft),
            "address": address[0] if address else None,
            "managingOrganization": {"reference": managing} if managing else None,
        }
    )
    reference = draft.tell(made)
    role.becomes(reference)
    return reference

"""Which reading a statement gets: by its class and mood first, then by its code and where it stands.

Standard: CDA R2 §4.3.6 (entry acts)
"""

from __future__ import annotations

from collections.abc import Callable

from mappings.cda.read import (
    allergies,
    attachments,
    concerns,
    conditions,
    coverages,
    encounters,
    family,
    immunizations,
    medications,
    notes,
    observations,
    plan,
    procedures,
)
from mappings.cda.read.datatypes import ii_to_identifier
from mappings.cda.read.draft import Draft, Place
from mappings.cda.read.node import Node
from mappings.cda.read.own import entry_to_resource, kind_of
from mappings.cda.read.relations import parts, path_parts

DEEPEST = 24
"""Statements within statements; no document of people has more."""
_DONE = frozenset({"EVN", ""})
_ALLERGIES = frozenset(
    {"2.16.840.1.113883.10.20.22.4.7", "2.16.840.1.113883.10.20.24.3.90", "2.16.840.1.113883.10.20.1.18"}
)
_PROBLEMS = frozenset(
    {"2.16.840.1.113883.10.20.22.4.4", "2.16.840.1.113883.10.20.1.28", "2.16.840.1.113883.10.20.22.4.19"}
)
_ABOUT_A_PROBLEM = frozenset({"33999-4", "11323-3", "11324-1", "SEV", "445518008", "397659008", "82606-5"})
_LISTS = frozenset({"10183-2", "42346-7", "75311-1"})
"""Acts that hold the medicines of an admission or a discharge."""
_PROCEDURE_SECTIONS = frozenset({"47519-4", "29554-3", "62387-6", "10223-6", "59774-0", "59776-5"})
_PROCEDURES = frozenset(
    {"2.16.840.1.113883.10.20.22.4.12", "2.16.840.1.113883.10.20.22.4.13", "2.16.840.1.113883.10.20.1.29"}
)


_OWN: dict[str, tuple[str, Callable[[Node, Draft, Place], list[str]]]] = {
    "AllergyIntolerance": ("observation", allergies.observation_to_allergy_intolerance),
    "Appointment": ("encounter", encounters.encounter_to_appointment),
    "Condition": ("observation", conditions.observation_to_condition),
    "DiagnosticReport": ("organizer", observations.organizer_to_report),
    "Encounter": ("encounter", encounters.encounter_to_encounter),
    "FamilyMemberHistory": ("organizer", family.statement_to_family_member_history),
    "Goal": ("observation", plan.observation_to_goal),
    "Immunization": ("substanceAdministration", immunizations.substance_administration_to_immunization),
    "Media": ("observationMedia", attachments.observation_media_to_media),
    "Binary": ("observationMedia", attachments.observation_media_to_media),
    "MedicationDispense": ("supply", medications.supply_to_medication_dispense),
    "MedicationRequest": ("substanceAdministration", medications.substance_administration_to_medication_request),
    "MedicationStatement": ("substanceAdministration", medications.substance_administration_to_medication_statement),
    "Observation": ("observation", observations.observation_to_observation),
    "Procedure": ("procedure", procedures.procedure_to_procedure),
    "ServiceRequest": ("act", procedures.statement_to_service_request),
}
"""Which reading an entry gets that says which resource it is."""


def read_statement(node: Node, draft: Draft, place: Place) -> list[str]:
    """Make resources of a statement and of those in it; give the references of those that stand for themselves.

    What no reading fits stays unclaimed, and so unknown.
    """
    node.done = True
    if place.depth > DEEPEST:
        node.leave("statements within statements, too deep")
        return []
    known = _mentioned(node, draft)
    if known is not None:
        return known
    mood = node.peek("moodCode")
    kind = kind_of(node)
    name, reading = _OWN.get(kind, ("", None))
    if reading is not None and node.name == name:
        return reading(node, draft, place)
    if kind and any(True for _ in path_parts(node)):
        return entry_to_resource(kind, node, draft, place)
    if mood in ("DEF", "EVN.CRT"):
        node.leave("a definition or criterion; not about the patient")
        return []
    match node.name:
        case "observation":
            return _observation(node, mood, draft, place)
        case "organizer":
            return _organizer(node, mood, draft, place)
        case "act":
            return _act(node, mood, draft, place)
        case "substanceAdministration":
            return _substance_administration(node, mood, draft, place)
        case "supply":
            return _supply(node, mood, draft, place)
        case "procedure" if mood in _DONE:
            return procedures.procedure_to_procedure(node, draft, place)
        case "procedure":
            return procedures.statement_to_service_request(node, draft, place)
        case "encounter" if mood in _DONE:
            return encounters.encounter_to_encounter(node, draft, place)
        case "encounter" if mood in ("APT", "ARQ"):
            return encounters.encounter_to_appointment(node, draft, place)
        case "encounter":
            return procedures.statement_to_service_request(node, draft, place)
        case "observationMedia":
            return attachments.observation_media_to_media(node, draft, place)
    node.leave("a region of an image; FHIR R4 has no resource for it")
    return []


def _templates(node: Node) -> set[str]:
    return {one.peek("root") for one in node.all("templateId")}


def _mentioned(node: Node, draft: Draft) -> list[str] | None:
    """Give what a statement stands for that only names another one by its number; None for one that says something."""
    said = {child.name for child in node.children} - {"templateId", "id", "code", "statusCode"}
    if said or not node.first("id") or node.first("code").peek("code"):
        return None
    identifier = ii_to_identifier(node.first("id"))
    found = draft.numbered(identifier) if identifier else ""
    if not found:
        node.give_up("names a statement that stands nowhere before")
        return []
    node.take("classCode", "moodCode")
    for name in ("code", "statusCode"):
        node.first(name).take("code", "nullFlavor")
    node.becomes(found)
    return [found]


def _observation(node: Node, mood: str, draft: Draft, place: Place) -> list[str]:
    if mood == "GOL":
        return plan.observation_to_goal(node, draft, place)
    if mood not in _DONE:
        return procedures.statement_to_service_request(node, draft, place)
    if family.is_about_relative(node, place):
        return family.statement_to_family_member_history(node, draft, place)
    if _is_allergy(node, place):
        return allergies.observation_to_allergy_intolerance(node, draft, place)
    if _is_condition(node, place):
        return conditions.observation_to_condition(node, draft, place)
    if _templates(node) & _PROCEDURES and not node.first("value").peek("code"):
        return procedures.procedure_to_procedure(node, draft, place)
    return observations.observation_to_observation(node, draft, place)


def _is_allergy(node: Node, place: Place) -> bool:
    if _templates(node) & _ALLERGIES:
        return True
    consumed = any(one.peek("typeCode") == "CSM" for one in node.all("participant"))
    return place.section == "48765-2" and (consumed or node.first("value").peek("code") in allergies.KINDS)


def _is_condition(node: Node, place: Place) -> bool:
    if _templates(node) & _PROBLEMS or node.peek("classCode") == "COND":
        return True
    value = node.first("value")
    if value.type not in ("CD", "CE", "CV", "CO", "ED", "ST"):
        return False
    if node.first("code").peek("code") in _ABOUT_A_PROBLEM:
        return False
    if place.concern and place.section != "48765-2":
        return value.type in ("CD", "CE")
    if node.first("code").peek("code") in conditions.DIAGNOSES | {"282291009"}:
        return True
    sections = conditions.DIAGNOSES | conditions.PROBLEM_SECTIONS
    return place.section in sections and place.depth == 0 and value.type in ("CD", "CE")


def _organizer(node: Node, mood: str, draft: Draft, place: Place) -> list[str]:
    if mood not in _DONE:
        return _group(node, draft, place)
    if family.is_about_relative(node, place):
        return family.statement_to_family_member_history(node, draft, place)
    members = {statement.name for _, statement in parts(node)}
    if members and "observation" not in members:
        return _group(node, draft, place)
    if not node.first("id") and any(kind_of(statement) for _, statement in parts(node)):
        for name in ("code", "statusCode", "effectiveTime"):
            node.first(name).pass_over("of a group that is no resource; each in it says its own")
        return _group(node, draft, place)
    if observations.is_report(node, place):
        return observations.organizer_to_report(node, draft, place)
    return observations.organizer_to_panel(node, draft, place)


def _group(node: Node, draft: Draft, place: Place) -> list[str]:
    """Read the statements of a group that FHIR has no resource for, each for itself."""
    found: list[str] = []
    for relation, statement in list(parts(node)):
        made = read_statement(statement, draft, place.below())
        if made:
            relation.take("typeCode")
            found += made
    if not found:
        node.leave("a group of nothing")
    return found


def _act(node: Node, mood: str, draft: Draft, place: Place) -> list[str]:
    if coverages.is_coverage(node):
        return coverages.act_to_coverages(node, draft, place)
    if mood not in _DONE:
        return procedures.statement_to_service_request(node, draft, place)
    if notes.is_note(node):
        return notes.act_to_document_reference(node, draft, place)
    if node.first("code").peek("code") in _LISTS:
        return _group(node, draft, place)
    if concerns.is_concern(node):
        return concerns.concern_to_statements(node, draft, place)
    if place.section in _PROCEDURE_SECTIONS or _templates(node) & _PROCEDURES:
        return procedures.procedure_to_procedure(node, draft, place)
    return observations.observation_to_observation(node, draft, place)


def _substance_administration(node: Node, mood: str, draft: Draft, place: Place) -> list[str]:
    if mood not in _DONE:
        return medications.substance_administration_to_medication_request(node, draft, place)
    if immunizations.is_vaccination(node, place):
        return immunizations.substance_administration_to_immunization(node, draft, place)
    return medications.substance_administration_to_medication_statement(node, draft, place)


def _supply(node: Node, mood: str, draft: Draft, place: Place) -> list[str]:
    """A supply inside a medicine, or of a product that is one, is of a medicine; any other is of a thing."""
    above = node.parent.parent if node.parent else None
    device = any(one.down("participantRole", "playingDevice") for one in node.all("participant"))
    medicine = (
        not device and place.section != "46264-8" and (node.first("product") or (above and above.name != "section"))
    )
    if medicine and mood in _DONE:
        return medications.supply_to_medication_dispense(node, draft, place)
    if medicine:
        return medications.supply_to_medication_request(node, draft, place)
    if mood in _DONE:
        return plan.supply_to_device_use_statement(node, draft, place)
    return plan.supply_to_device_request(node, draft, place)
